# `mjpeg`: frames one after the other; the container's index is not written.


class Mjpeg:
    def __init__(self, path, width=None, height=None):
        self._file = open(path, "wb")
        self._count = 0

    def write(self, img, quality=90, **named):
        frame = img if img.format() == 0x06060000 else img.to_jpeg(quality=quality, copy=True)
        self._file.write(frame.bytearray())
        self._count += 1

    add_frame = write

    def count(self):
        return self._count

    def sync(self, *more):
        self._file.flush()

    def close(self, *more):
        self._file.close()
