# `pyb` of the STM32 boards.
import _omv
import _time
from machine import Pin, RTC, bootloader
import machine

_LIGHTS = {1: "LED_RED", 2: "LED_GREEN", 3: "LED_BLUE", 4: "LED_IR"}


def millis():
    return _time.ticks_ms()


def micros():
    return _time.ticks_us()


def elapsed_millis(start):
    return _time.ticks_diff(_time.ticks_ms(), start)


def delay(ms):
    _time.sleep_ms(ms)


def udelay(us):
    _time.sleep_us(us)


def hard_reset():
    machine.reset()


def unique_id():
    return machine.unique_id()


def rng():
    import random

    return random.getrandbits(30)


def main(name):
    pass


def usb_mode(*more, **named):
    return "VCP+MSC"


class LED(machine.LED):
    def __init__(self, number):
        if number not in _LIGHTS:
            raise ValueError("LED(%s) doesn't exist" % number)
        machine.LED.__init__(self, number)


class USB_VCP:
    RTS, CTS, IRQ_RX = 1, 2, 1

    def __init__(self, number=0):
        pass

    def isconnected(self):
        return True

    def debug_mode_enabled(self):
        return True

    def setinterrupt(self, character):
        pass

    def any(self):
        return False

    def send(self, data, timeout=0):
        return len(data)

    def write(self, data):
        return len(data)

    def recv(self, count, timeout=0):
        return b""

    def read(self, count=0):
        return None


class Switch:
    def value(self):
        return False


class ADC(machine.ADC):
    def read(self):
        return 2048


class Servo:
    def __init__(self, number):
        pass

    def angle(self, *value):
        return 0


class UART(machine.UART):
    pass


class SPI(machine.SPI):
    CONTROLLER = MASTER = 1


class I2C(machine.I2C):
    CONTROLLER = MASTER = 0


class Timer(machine.Timer):
    pass
