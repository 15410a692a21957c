# `network`: an interface that is up and leads nowhere but to itself.
STA_IF, AP_IF = 0, 1
AUTH_OPEN = OPEN = 0
AUTH_WPA_PSK = WPA_PSK = 3


def hostname(*name):
    return "openmv"


def country(*code):
    return "XX"


class WLAN:
    IF_STA, IF_AP = 0, 1
    SEC_OPEN = OPEN = 0
    WPA_PSK, WEP = 3, 1

    def __init__(self, interface=STA_IF):
        self._active = False
        self._joined = False

    def active(self, on=None):
        if on is None:
            return self._active
        self._active = bool(on)

    def connect(self, ssid=None, key=None, *more, **named):
        self._active = self._joined = True

    def disconnect(self):
        self._joined = False

    def isconnected(self):
        return self._joined

    def status(self, *what):
        return 3 if self._joined else 0

    def scan(self):
        return []

    def config(self, *what, **named):
        return None

    def ifconfig(self, *value):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def ipconfig(self, *what, **named):
        return ("127.0.0.1", "255.0.0.0")


class LAN(WLAN):
    pass
