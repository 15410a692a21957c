# `socket`: sockets that listen, and to which nobody ever comes.
import _time

AF_INET, SOCK_STREAM, SOCK_DGRAM = 2, 1, 2
SOL_SOCKET, SO_REUSEADDR, SO_KEEPALIVE = 0xFFF, 4, 8
IPPROTO_TCP, IPPROTO_UDP = 6, 17


def getaddrinfo(host, port, *more):
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]


class socket:
    def __init__(self, family=AF_INET, kind=SOCK_STREAM, *more):
        self._timeout = None

    def _wait(self):
        # As long as it is told to, and then nothing came.
        if self._timeout == 0:
            raise OSError(11)
        end = None if self._timeout is None else _time.ticks_ms() + int(self._timeout * 1000)
        while end is None or _time.ticks_diff(end, _time.ticks_ms()) > 0:
            _time.sleep_ms(10)
        raise OSError(116)

    def settimeout(self, seconds):
        self._timeout = seconds

    def setblocking(self, on):
        self._timeout = None if on else 0

    def setsockopt(self, *more):
        pass

    def bind(self, address):
        pass

    def listen(self, *backlog):
        pass

    def accept(self):
        self._wait()

    def connect(self, address):
        raise OSError(111)

    def recv(self, count):
        self._wait()

    def recvfrom(self, count):
        self._wait()

    def send(self, data):
        raise OSError(128)

    sendall = send

    def sendto(self, data, address):
        return len(data)

    def close(self):
        pass
