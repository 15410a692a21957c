# Cameras of four eras, as far as the measuring script sees them. ERA is set before.
import sys, time


class Module:
    pass


class Image:
    def __init__(self, width, height):
        self._size = width, height

    def width(self):
        return self._size[0]

    def height(self):
        return self._size[1]


class Sensor:
    """Functions before, methods after 4.8: the state is the same."""

    def __init__(self):
        self.frame, self.view, self.resets = None, None, 0
        self.pixels = None

    def reset(self):
        self.frame = self.view = None
        self.resets += 1

    def take(self):
        time.sleep_ms(1)
        width, height = self.view or self.frame
        if width * height > 640 * 480:
            raise MemoryError("frame buffer")
        return Image(width, height)


SIZES = {"QQVGA": (160, 120), "QVGA": (320, 240), "VGA": (640, 480), "SXGA": (1280, 1024)}


def constants(module):
    for name in SIZES:
        setattr(module, name, SIZES[name])
    module.RGB565, module.GRAYSCALE = "rgb", "gray"
    return module


def functions():
    state, module = Sensor(), constants(Module())
    module.reset = state.reset
    module.set_pixformat = lambda kind: setattr(state, "pixels", kind)
    module.set_framesize = lambda size: setattr(state, "frame", size)
    module.set_windowing = lambda view: setattr(state, "view", view)
    module.skip_frames = lambda time=0: None
    module.get_id = lambda: 0x5640
    module.get_exposure_us = lambda: 8333

    def snapshot():
        assert state.pixels and state.frame
        return state.take()

    module.snapshot = snapshot
    return module


class CSI:
    def __init__(self):
        self._state = Sensor()
        self.reset = self._state.reset

    def pixformat(self, kind):
        self._state.pixels = kind

    def framesize(self, size):
        self._state.frame = size

    def window(self, view):
        self._state.view = view

    def snapshot(self, time=0):
        return self._state.take()

    def cid(self):
        return 0x5640

    def exposure_us(self):
        return 8333


class Array:
    """As much of an array as scripts use."""

    def __init__(self, values):
        self._values = values

    def flatten(self):
        return self

    def tolist(self):
        return list(self._values)

    def __len__(self):
        return len(self._values)

    def __getitem__(self, at):
        return self._values[at]


# Shape and numbers of the networks that a script looks through.
OUTPUTS = {
    "toy": ((1, 3), [0.1, 0.7, 0.2]),
    "fomo": ((1, 2, 2, 3), [1.0, 0.0, 0.0, 0.0, 0.9, 0.1, 0.9, 0.1, 0.0, 0.9, 0.0, 0.1]),
    "yolo8": ((1, 6, 8), [n / 48 for n in range(48)]),
    "yolo5": ((1, 8, 7), [n / 56 for n in range(56)]),
    "depth": ((1, 2, 2, 1), [0.5, 1.5, 2.5, 3.5]),
}


class NewModel:
    """Attributes and a list: 4.5.6 and later."""

    def __init__(self, path, load_to_fb=False, postprocess=None):
        if ERA == "5.0.0" and load_to_fb:
            raise TypeError("load_to_fb was removed")
        if ERA != "5.0.0" and not load_to_fb and path.endswith("large.tflite"):
            raise MemoryError("memory allocation failed")
        self.len, self.ram = 15968, 50000
        shape, self._values = OUTPUTS.get(path.split("/")[-1].split(".")[0], ((1, 2), [0.1, 0.9]))
        self.output_shape = [shape]

    def predict(self, args, callback=None):
        assert isinstance(args, list) and isinstance(args[0], Image)
        time.sleep_ms(1)
        outputs = [Array(self._values)]
        return callback(self, args, outputs) if callback else outputs


class OldModel:
    """Methods and one picture: until 4.5.5."""

    def __init__(self, path, load_to_fb=False):
        if path.endswith("large.tflite") and not load_to_fb:
            raise MemoryError("memory allocation failed")
        self._shape, self._values = OUTPUTS.get(path.split("/")[-1].split(".")[0], ((1, 2), [0.1, 0.9]))

    def _side(self, at):
        return ((1,) * (4 - len(self._shape)) + self._shape)[at]

    def output_height(self):
        return self._side(1)

    def output_width(self):
        return self._side(2)

    def output_channels(self):
        return self._side(3)

    def detect(self, picture, thresholds=None):
        assert self._shape == (1, 2, 2, 3), "for grids of scores"
        return [[Spot(0, 0, 1.0)], [Spot(120, 0, 0.9)], []]

    def len(self):
        return 15968

    def ram(self):
        return 50000

    def classify(self, picture):
        assert isinstance(picture, Image)
        time.sleep_ms(1)
        return [Class(self._values)]


class Class:
    def __init__(self, values):
        self._values = values

    def output(self):
        return self._values


class Spot:
    def __init__(self, x, y, score):
        self._x, self._y, self._score = x, y, score

    def rect(self):
        return self._x, self._y, 120, 120

    def output(self):
        return self._score


class Boxes:
    """Post-processing of the firmware: boxes and scores of each class."""

    def __init__(self, threshold=0.6):
        self.threshold = threshold

    def __call__(self, model, inputs, outputs):
        assert model.output_shape[0][1:] in ((6, 8), (8, 7)) and len(outputs[0])
        return [[], [((10, 20, 30, 40), 0.75)]]


machine, omv = Module(), Module()
machine.unique_id = lambda: b"\x01\x02\x03"


class Pin:
    OUT, levels = 1, []

    def __init__(self, name, mode):
        if (name, mode) != ("P0", Pin.OUT):
            raise ValueError(name)

    def value(self, level):
        Pin.levels.append(level)


# Older firmware has it under this name only.
if ERA != "4.5.5":
    machine.Pin = Pin


class LED:
    lit = []

    def __init__(self, name):
        if name not in (("LED_RED", "LED_GREEN", "LED_BLUE") if ERA == "5.0.0" else (1, 2, 3)):
            raise ValueError(name)

    def on(self):
        LED.lit.append(1)

    def off(self):
        LED.lit.append(0)


if ERA == "5.0.0":
    machine.LED = LED
else:
    pyb = Module()
    pyb.LED, pyb.Pin = LED, Pin
    sys.modules["pyb"] = pyb
omv.version_string = lambda: ERA
omv.arch = lambda: "OMVRT1060 32768 SDRAM [IMXRT1060:000000000000000000000000]"
omv.board_type = lambda: "IMXRT1060"
omv.disable_fb = lambda off=None: None
sys.modules["machine"], sys.modules["omv"] = machine, omv
sys.modules["sensor"] = functions()
if ERA == "4.5.5":
    tf = Module()
    tf.load = lambda path, load_to_fb=False: OldModel(path, load_to_fb)
    sys.modules["tf"] = tf
else:
    ml = Module()
    ml.Model = NewModel
    # The old name leads to the new module, without `load`.
    sys.modules["ml"] = sys.modules["tf"] = ml
if ERA == "4.7.0":
    post = Module()
    post.yolo_v8_postprocess = post.yolo_v5_postprocess = Boxes
    sys.modules["ml.postprocessing"] = post
if ERA == "5.0.0":
    yolo = Module()
    yolo.YoloV8 = yolo.YoloV5 = Boxes
    sys.modules["ml.postprocessing"] = Module()
    sys.modules["ml.postprocessing.ultralytics"] = yolo
if ERA == "4.7.0":
    sys.modules["csi"] = sys.modules["sensor"]
if ERA == "5.0.0":
    csi = constants(Module())
    csi.CSI = CSI
    sys.modules["csi"] = csi
