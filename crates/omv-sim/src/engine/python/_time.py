# `time` of a camera: its clock is the virtual one.
import _omv
from time import gmtime, localtime, mktime

_MASK = 0x3FFFFFFF


def ticks_us():
    return _omv.call("us") & _MASK


def ticks_ms():
    return _omv.call("us") // 1000 & _MASK


def ticks_cpu():
    return ticks_us()


def ticks_add(ticks, delta):
    return (ticks + delta) & _MASK


def ticks_diff(one, other):
    half = (_MASK + 1) // 2
    return ((one - other + half) & _MASK) - half


def sleep_us(us):
    # It wakes up for hosts that ask something of a channel, and says what is left.
    us = _omv.call("sleep", int(us))
    while us:
        us = _omv.call("sleep", us)


def sleep_ms(ms):
    sleep_us(int(ms) * 1000)


def sleep(seconds):
    sleep_us(int(seconds * 1000000))


def time():
    return _omv.call("us") // 1000000


def time_ns():
    return _omv.call("us") * 1000


class clock:
    def __init__(self):
        self.reset()

    def reset(self):
        self._start = self._last = _omv.call("us")
        self._count = 0
        self._average = 0.0

    def tick(self):
        self._last = _omv.call("us")

    def avg(self):
        spent = (_omv.call("us") - self._last) / 1000
        self._count += 1
        self._average += (spent - self._average) / self._count
        return self._average

    def fps(self):
        average = self.avg()
        return 1000 / average if average else 0.0
