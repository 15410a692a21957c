# `tf`: functions up to 4.5.5; from 4.5.6 on another name of `ml`.
import _omv

if _omv.version >= (4, 5, 6):
    from ml import *
else:
    import _model
    import image

    _TYPES = {"b": "int8", "B": "uint8", "h": "int16", "f": "float"}

    class tf_classification:
        def __init__(self, rect, output):
            self._rect, self._output = rect, output

        def rect(self):
            return self._rect

        def x(self):
            return self._rect[0]

        def y(self):
            return self._rect[1]

        def w(self):
            return self._rect[2]

        def h(self):
            return self._rect[3]

        def output(self):
            return self._output

        def __getitem__(self, at):
            return (self._rect + (self._output,))[at]

        def __repr__(self):
            return '{"x":%d, "y":%d, "w":%d, "h":%d, "output":%s}' % (self._rect + (self._output,))

    def _three(shape):
        # Height, width, channels; those that are missing are 1.
        return ((1, 1, 1) + tuple(shape[1:]))[-3:]

    class tf_model:
        def __init__(self, path, in_frame):
            facts = _model.load(path, in_frame)
            if len(facts["input_shape"]) != 1 or len(facts["output_shape"]) != 1:
                raise OSError("Expected one input and one output!")
            self._id, self._facts = facts["_id"], facts

        def _number(name):
            return lambda self: self._facts[name]

        def _side(name, at):
            return lambda self: _three(self._facts[name + "_shape"][0])[at]

        def _part(name):
            return lambda self: self._facts[name][0]

        def _type(name):
            return lambda self: _TYPES[self._facts[name + "_dtype"][0]]

        len, ram = _number("len"), _number("ram")
        input_height, input_width, input_channels = _side("input", 0), _side("input", 1), _side("input", 2)
        output_height, output_width, output_channels = _side("output", 0), _side("output", 1), _side("output", 2)
        input_datatype, output_datatype = _type("input"), _type("output")
        input_scale, input_zero_point = _part("input_scale"), _part("input_zero_point")
        output_scale, output_zero_point = _part("output_scale"), _part("output_zero_point")

        def _run(self, picture, roi):
            _omv.call("model_image", self._id, 0, picture._number, list(roi), True, [1 / 255], [0.0])
            _omv.call("model_run", self._id)
            return _omv.call("model_output", self._id, 0, False)

        def classify(self, picture, roi=None, min_scale=1.0, scale_mul=0.5, x_overlap=0.0, y_overlap=0.0):
            if self.output_height() != 1 or self.output_width() != 1:
                raise ValueError("Expected model output height to be 1!")
            left, top, width, height = roi or (0, 0, picture.width(), picture.height())
            found, scale = [], 1.0
            _omv.call("model_begin")
            while scale >= min_scale:
                w, h = int(width * scale), int(height * scale)
                for y in _steps(top, height, h, y_overlap):
                    for x in _steps(left, width, w, x_overlap):
                        found.append(tf_classification((x, y, w, h), self._run(picture, (x, y, w, h))))
                if not 0.0 <= scale_mul < 1.0:
                    raise ValueError("0 <= scale_mul < 1")
                scale *= scale_mul
            _omv.call("model_end")
            return found

        def _grids(self, picture, roi):
            values = self._run(picture, roi)
            rows, columns, classes = self.output_height(), self.output_width(), self.output_channels()
            byte = lambda value: max(0, min(255, int(value * 255)))
            return [
                [[byte(values[(y * columns + x) * classes + index]) for x in range(columns)] for y in range(rows)]
                for index in range(classes)
            ]

        def segment(self, picture, roi=None):
            roi = roi or (0, 0, picture.width(), picture.height())
            _omv.call("model_begin")
            made = [image._grey(grid) for grid in self._grids(picture, roi)]
            _omv.call("model_end")
            return made

        def detect(self, picture, roi=None, thresholds=None, invert=False):
            roi = roi or (0, 0, picture.width(), picture.height())
            low, high = thresholds[0] if thresholds else (128, 255)
            rows, columns = self.output_height(), self.output_width()
            scale = min(roi[2] / columns, roi[3] / rows)
            x_at = int((roi[2] - columns * scale) / 2) + roi[0]
            y_at = int((roi[3] - rows * scale) / 2) + roi[1]
            found = []
            _omv.call("model_begin")
            for grid in self._grids(picture, roi):
                if invert:
                    grid = [[255 - value for value in row] for row in grid]
                spots = _model.spots(grid, low, high)
                place = lambda x, y, w, h: (int(x * scale) + x_at, int(y * scale) + y_at, int(w * scale), int(h * scale))
                found.append([tf_classification(place(*spot[:4]), spot[5] / 255) for spot in spots])
            _omv.call("model_end")
            return found

        def regression(self, values):
            flat = [one for row in values for one in (row if isinstance(row, (list, tuple)) else [row])]
            if len(flat) != self.input_height() * self.input_width() * self.input_channels():
                raise ValueError("Input array size is not same as model input size!")
            _omv.call("model_begin")
            _omv.call("model_values", self._id, 0, flat)
            _omv.call("model_run", self._id)
            found = _omv.call("model_output", self._id, 0, False)
            _omv.call("model_end")
            return found

        def __repr__(self):
            f = self._facts
            side = lambda name: '"%s":{"shape":%s, "type":"%s", "scale":%f, "zero_point":%d}' % (
                name,
                _three(f[name + "_shape"][0]),
                _TYPES[f[name + "_dtype"][0]],
                f[name + "_scale"][0],
                f[name + "_zero_point"][0],
            )
            return '{"len":%d, "ram":%d, %s, %s}' % (f["len"], f["ram"], side("input"), side("output"))

    def _steps(start, length, window, overlap):
        if window < 1:
            return []
        if overlap == -1.0:
            return [start + (length - window) // 2]
        first, step = start + length % window // 2, max(1, int(window * (1.0 - overlap)))
        return range(first, start + length - window + 1, step)

    def _opened(model):
        return model if isinstance(model, tf_model) else tf_model(model, True)

    def load(path, load_to_fb=False):
        return tf_model(path, bool(load_to_fb))

    def load_builtin_model(name):
        raise OSError("Unknown model")

    def free_from_fb():
        pass

    def classify(model, picture, **named):
        return _opened(model).classify(picture, **named)

    def segment(model, picture, **named):
        return _opened(model).segment(picture, **named)

    def detect(model, picture, **named):
        return _opened(model).detect(picture, **named)

    def regression(model, values):
        return _opened(model).regression(values)


_omv.prune("tf", globals())
