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


# Keys of a field.
_NAME, _UNIT, _VALUE, _DATA = 0, 1, 2, 8
_WIDTH, _HEIGHT, _LEAST, _MOST = -20, -21, -23, -24
_TYPE, _MIN, _MAX, _STEP, _OPTIONS = -30, -31, -32, -33, -34


def _or(value, usual):
    return usual if value is None else value


class CBORChannel:
    # Named fields, which a host reads all at once and sets one by one.
    def __init__(self, on_read=None, on_write=None):
        self._fields = []
        self._on_read = on_read
        self._on_write = on_write
        self._new = False
        self._bytes = b""

    def add(
        self,
        name,
        type,
        value=None,
        unit=None,
        min=None,
        max=None,
        step=None,
        options=None,
        width=None,
        height=None,
    ):
        field = {_NAME: name, _TYPE: type}
        if type == "depth":
            field.update({_DATA: b"", _WIDTH: width, _HEIGHT: height})
            field.update({_LEAST: _or(min, 0), _MOST: _or(max, 1000)})
        elif type == "slider":
            field.update({_VALUE: _or(value, _or(min, 0)), _STEP: _or(step, 1)})
            field.update({_MIN: _or(min, 0), _MAX: _or(max, 100)})
        elif type == "select":
            field.update({_VALUE: _or(value, ""), _OPTIONS: _or(options, [])})
        elif type in ("label", "toggle"):
            field[_VALUE] = _or(value, 0 if type == "label" else False)
        if unit and type in ("label", "slider"):
            field[_UNIT] = unit
        self._fields.append(field)
        self._write_down()

    def _field(self, name):
        for field in self._fields:
            if field[_NAME] == name:
                return field
        raise KeyError(name)

    def __getitem__(self, name):
        field = self._field(name)
        return field.get(_DATA, field.get(_VALUE))

    def __setitem__(self, name, value):
        field = self._field(name)
        if _DATA in field:
            field[_DATA] = value
        elif isinstance(value, tuple) and field[_TYPE] == "slider":
            field[_MIN], field[_MAX], field[_VALUE] = value
        else:
            field[_VALUE] = list(value) if isinstance(value, tuple) else value
        self._write_down()

    def _write_down(self):
        import cbor2

        self._bytes = cbor2.dumps(self._fields)
        self._new = True

    def poll(self):
        return self._new if self._on_read is None else len(self._fields) > 0

    def size(self):
        if self._on_read:
            self._on_read(self)
        self._new = False
        return len(self._bytes)

    def read(self, offset, size):
        return self._bytes[offset : offset + size]

    def write(self, offset, data):
        import cbor2

        names = [field[_NAME] for field in self._fields]
        for record in cbor2.loads(data):
            name, value = record.get(_NAME), record.get(_VALUE)
            if name in names and value is not None:
                # Without writing it down: a host that reads at once reads what was before.
                self._field(name)[_VALUE] = value
                if self._on_write:
                    self._on_write(self, name, value)
        return len(data)


_omv.prune("protocol", globals())
