# `protocol` of 5.x: a script's own channels. They are listed and send events; a host that reads or
# writes one is refused.
import _omv

CHANNEL_FLAG_READ, CHANNEL_FLAG_WRITE, CHANNEL_FLAG_LOCK, CHANNEL_FLAG_PHYSICAL = 1, 2, 8, 64


class _Channel:
    def __init__(self, number):
        self._number = number

    def send_event(self, code, wait_ack=False):
        _omv.call("event", self._number, code)


def register(name="", flags=0, backend=None):
    for method, flag in (("read", 1), ("readp", 1), ("write", 2), ("lock", 8)):
        if hasattr(backend, method):
            flags |= flag
    return _Channel(_omv.call("register", name, flags))


def init(**named):
    pass


def is_active():
    return True
