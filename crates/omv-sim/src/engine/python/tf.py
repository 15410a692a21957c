# `tf`: functions up to 4.5.5; from 4.5.6 on another name of `ml`.
import _omv

if _omv.version >= (4, 5, 6):
    from ml import *
else:

    def load(path, load_to_fb=False):
        with open(path, "rb") as file:
            if file.read(8)[4:8] != b"TFL3":
                raise OSError("Unsupported model schema")
        raise NotImplementedError("a virtual camera does not compute models yet")

    def load_builtin_model(name):
        raise OSError("Unknown model")


_omv.prune("tf", globals())
