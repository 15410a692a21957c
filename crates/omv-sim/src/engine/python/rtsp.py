# `rtsp`: a server that starts and waits, for the stock example.
import _time


class rtsp_server:
    def __init__(self, network_if, port=554):
        self._setup = self._play = self._pause = self._teardown = None
        address = network_if.ifconfig()[0]
        print("IP Address:Port %s:%d\nRunning..." % (address, port))

    def register_setup_cb(self, callback):
        self._setup = callback

    def register_play_cb(self, callback):
        self._play = callback

    def register_pause_cb(self, callback):
        self._pause = callback

    def register_teardown_cb(self, callback):
        self._teardown = callback

    def setup(self, *more):
        pass

    def stream(self, callback, quality=90):
        while True:
            callback("/", 0)
            _time.sleep_ms(10)
