# `ml`: models come with the engine that computes what they cost; without it there is none.
import _omv


class Model:
    def __init__(self, path, load_to_fb=False, postprocess=None):
        with open(path, "rb") as file:
            head = file.read(8)
        if head[4:8] != b"TFL3":
            raise ValueError("Unsupported model schema")
        self._path, self.len = path, _size(path)
        self.labels = None
        stem = path.split(".")[0]
        try:
            with open(stem + ".txt") as file:
                self.labels = [line.strip() for line in file if line.strip()]
        except OSError:
            pass

    def predict(self, inputs, callback=None):
        raise NotImplementedError("a virtual camera does not compute models yet")


def _size(path):
    import os

    return os.stat(path)[6]


_omv.prune("ml", globals())
