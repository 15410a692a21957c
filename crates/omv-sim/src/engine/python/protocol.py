# `protocol` of 5.x: a script's own channels. What a host asks of them is answered whenever the script
# calls upon the camera: while it sleeps, takes a picture, asks the time.
import _omv

CHANNEL_FLAG_READ, CHANNEL_FLAG_WRITE, CHANNEL_FLAG_LOCK, CHANNEL_FLAG_PHYSICAL = 1, 2, 8, 64
_METHODS = ("poll", "lock", "unlock", "size", "shape", "read", "write", "readp", "ioctl")
_backends = {}
_busy = [False]


class _Channel:
    def __init__(self, number, name):
        self._number = number
        self._name = name

    def __repr__(self):
        return "<ProtocolChannel: %s>" % self._name

    def send_event(self, event, wait_ack=False):
        _omv.call("event", self._number, event)


def _number(value):
    return [int(value)] if isinstance(value, int) else [0]


def _answer(number, method, words, data):
    if method == "poll":
        for number, backend in _backends.items():
            if hasattr(backend, "poll"):
                _omv.call("ready", number, bool(backend.poll()))
        return None
    arguments = list(words)
    if data is not None:
        arguments.append(bytearray(bytes.fromhex(data)))
    elif method == "ioctl":
        arguments.append(None)
    result = getattr(_backends[number], method)(*arguments)
    if method in ("read", "readp"):
        return [None, bytes(result.encode() if isinstance(result, str) else result).hex()]
    if method == "shape":
        return [list(result), None]
    if method in ("lock", "unlock"):
        return [[1 if result else 0], None]
    return [_number(result), None]


def _serve():
    # A method may sleep, too.
    if _busy[0]:
        return
    _busy[0] = True
    try:
        while True:
            asked = _omv.call("asked")
            if asked is None:
                return
            try:
                given = _answer(*asked)
            except Exception:
                given = None
            _omv.call("given", given)
    finally:
        _busy[0] = False


def register(name, flags=0, backend=None):
    if backend is None:
        raise TypeError("'backend' argument required")
    has = [method for method in _METHODS if hasattr(backend, method)]
    if "read" in has or "readp" in has:
        flags |= CHANNEL_FLAG_READ
    if "write" in has:
        flags |= CHANNEL_FLAG_WRITE
    if "lock" in has and "unlock" in has:
        flags |= CHANNEL_FLAG_LOCK
    if hasattr(backend, "init"):
        backend.init()
    number = _omv.call("register", name, flags, has)
    _backends[number] = backend
    _omv.serve = _serve
    return _Channel(number, name)


def init(**named):
    pass


def is_active():
    return True
