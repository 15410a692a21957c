# `ml`: networks, which the virtual camera computes; their times come from its cost model.
import _model
import _numpy
import _omv
import image
from ml.preprocessing import Normalization


class Model:
    def __init__(self, path, load_to_fb=False, postprocess=None):
        for name, value in _model.load(path, bool(load_to_fb)).items():
            setattr(self, name, value)
        self.postprocess = postprocess
        self.labels = _labels(path) if _omv.version >= (4, 7, 0) else None

    def __repr__(self):
        names = [side + part for side in ("input_", "output_") for part in ("shape", "scale", "zero_point", "dtype")]
        facts = ", ".join("%s: %s" % (name, getattr(self, name)) for name in names)
        return "{ model_size: %d, ram_size: %d, %s }" % (self.len, self.ram, facts)

    def predict(self, args, callback=None):
        if not isinstance(args, list):
            raise ValueError("Unsupported input type. Expected a list")
        if len(args) < len(self.input_shape):
            raise IndexError("list index out of range")
        # What is Python here is C on a camera: from here to the end only the network's time passes.
        _omv.call("model_begin")
        args = [Normalization()(each) if isinstance(each, image.Image) else each for each in args]
        for index in range(len(self.input_shape)):
            _feed(self, index, args[index])
        _omv.call("model_run", self._id)
        callback = callback or self.postprocess
        # From 4.8 on a callback gets the numbers as the network has them.
        raw = callback is not None and _omv.version >= (4, 8, 0)
        outputs = [
            _numpy.ndarray(self.output_shape[index], _omv.call("model_output", self._id, index, raw))
            for index in range(len(self.output_shape))
        ]
        _omv.call("model_end")
        return callback(self, args, outputs) if callback else outputs


def _feed(model, index, given):
    if hasattr(given, "_feed"):
        given._feed(model, index)
    elif hasattr(given, "tolist"):
        if tuple(given.shape) != tuple(model.input_shape[index]):
            raise ValueError("Input shape does not match the model input shape")
        _omv.call("model_values", model._id, index, list(given.flatten().tolist()))
    else:
        raise ValueError("Unsupported input type")


def _labels(path):
    # The path up to its first dot, as the firmware has it.
    try:
        with open(path.split(".")[0] + ".txt") as file:
            return [line.rstrip("\n") for line in file]
    except OSError:
        return None


_omv.prune("ml", globals())
