# `gif`: counts frames; a virtual camera writes an empty picture.


class Gif:
    def __init__(self, path, width=16, height=16, color=True, loop=True):
        self._file = open(path, "wb")
        self._file.write(b"GIF89a" + bytes([width & 255, width >> 8, height & 255, height >> 8, 0, 0, 0]))

    def add_frame(self, img, delay=10, **named):
        pass

    def close(self):
        self._file.write(b";")
        self._file.close()
