# `machine`: pins and lights that lead nowhere; resets that are real.
import _omv
import _time

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5


def reset():
    _omv.call("reset")


def soft_reset():
    raise SystemExit


def bootloader(timeout=0):
    _omv.call("bootloader")


def deepsleep(time_ms=0):
    _omv.call("deepsleep", time_ms)


def lightsleep(time_ms=0):
    _time.sleep_ms(time_ms)


def idle():
    _time.sleep_ms(1)


def reset_cause():
    return PWRON_RESET


def freq(*value):
    return 600000000


def unique_id():
    return bytes(int(_omv.facts["uid"][at : at + 2], 16) for at in range(0, 24, 2))


class Pin:
    IN, OUT, OPEN_DRAIN, ALT = 0, 1, 2, 3
    PULL_UP, PULL_DOWN = 1, 2
    IRQ_FALLING, IRQ_RISING = 1, 2

    def __init__(self, name, mode=IN, pull=None, value=0, **named):
        self._name, self._value = name, value

    def init(self, *more, **named):
        pass

    def value(self, value=None):
        if value is None:
            return self._value
        self._value = 1 if value else 0

    __call__ = value

    def on(self):
        self._value = 1

    def off(self):
        self._value = 0

    def toggle(self):
        self._value ^= 1

    def high(self):
        self.on()

    def low(self):
        self.off()

    def irq(self, *more, **named):
        pass


class LED(Pin):
    def __init__(self, name):
        if name not in ("LED_RED", "LED_GREEN", "LED_BLUE", "LED_IR", 1, 2, 3, 4):
            raise ValueError("LED(%s) doesn't exist" % name)
        Pin.__init__(self, name)

    def intensity(self, value=None):
        return 255 * self._value


class Signal(Pin):
    pass


class RTC:
    _offset = 0

    def datetime(self, value=None):
        if value is None:
            year, month, day, hour, minute, second, week, _ = _time.localtime(_time.time() + RTC._offset)
            return (year, month, day, week, hour, minute, second, 0)
        year, month, day, _, hour, minute, second, _ = value
        RTC._offset = _time.mktime((year, month, day, hour, minute, second, 0, 0)) - _time.time()


class ADC:
    def __init__(self, pin):
        pass

    def read_u16(self):
        return 32768


class _Bus:
    def __init__(self, *more, **named):
        pass

    def init(self, *more, **named):
        pass

    def deinit(self):
        pass


class PWM(_Bus):
    def freq(self, *value):
        return 1000

    def duty_u16(self, *value):
        return 0

    def duty_ns(self, *value):
        return 0


class I2C(_Bus):
    def scan(self):
        return []

    def readfrom(self, address, count):
        raise OSError(19)

    def writeto(self, address, data):
        raise OSError(19)


class SPI(_Bus):
    def write(self, data):
        pass

    def read(self, count):
        return bytes(count)


class UART(_Bus):
    def any(self):
        return 0

    def read(self, count=0):
        return None

    def write(self, data):
        return len(data)


class Timer(_Bus):
    ONE_SHOT, PERIODIC = 0, 1


class WDT:
    def __init__(self, timeout=5000):
        pass

    def feed(self):
        pass


_omv.prune("machine", globals())
