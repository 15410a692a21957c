# The old interface of the sensor: functions.
import _omv
import _sensor
from _sensor import BINARY, GRAYSCALE, RGB565, BAYER, YUV422, JPEG

for _index, _name in enumerate(_sensor.NAMES):
    globals()[_name] = _index
for _name in _sensor.IDS:
    globals()[_name] = _sensor.IDS[_name]
SATURATION, CONTRAST, BRIGHTNESS = 0, 1, 2
NORMAL, NIGHT = 0, 1
SINGLE_BUFFER, DOUBLE_BUFFER, TRIPLE_BUFFER, VIDEO_FIFO = 1, 2, 3, 4
IOCTL_SET_READOUT_WINDOW, IOCTL_GET_READOUT_WINDOW = 1, 2
IOCTL_SET_TRIGGERED_MODE, IOCTL_GET_TRIGGERED_MODE = 5, 6
_state = _sensor.State()
_buffers = 3


def reset():
    _state.reset()


def sleep(enable):
    pass


def shutdown(enable):
    pass


def flush():
    _omv.call("show", 0)


def snapshot():
    return _state.snapshot()


def skip_frames(n=None, time=0):
    _state.skip(n, time if n is None and time else (time or (300 if n is None else 0)))


def width():
    return _state.window[2] if _state.window else _state.size[0]


def height():
    return _state.window[3] if _state.window else _state.size[1]


def get_fb():
    return None


def get_id():
    return _omv.facts["sensor"]


def set_pixformat(value):
    _state.set_format(value)


def get_pixformat():
    if _state.format is None:
        raise RuntimeError("Pixel format is not set.")
    return _state.format


def set_framesize(value):
    _state.set_size(value)
    width, height = _state.size
    # A frame that cannot fit is found out when it is taken.


def get_framesize():
    if _state.size is None:
        raise RuntimeError("Frame size is not set.")
    for index, name in enumerate(_sensor.NAMES):
        if _sensor.SIZES[name] == _state.size:
            return index


def set_windowing(*roi):
    _state.set_window(roi[0] if len(roi) == 1 else roi)


def get_windowing():
    return _state.window or (0, 0) + _state.size


def set_quality(value):
    _state.quality = value


def set_framebuffers(count):
    global _buffers
    _buffers = count


def get_framebuffers():
    return _buffers


def set_framerate(rate):
    _state.flags["framerate"] = rate


def get_framerate():
    return _state.flags.get("framerate", 0)


def _setting(name, usual):
    def setter(value=usual, *more, **named):
        _state.flags[name] = value

    def getter():
        return _state.flags.get(name, usual)

    return setter, getter


set_hmirror, get_hmirror = _setting("hmirror", False)
set_vflip, get_vflip = _setting("vflip", False)
set_transpose, get_transpose = _setting("transpose", False)
set_auto_rotation, get_auto_rotation = _setting("rotation", False)
set_auto_gain, _ = _setting("auto_gain", True)
_, get_gain_db = _setting("gain", 0.0)
set_auto_exposure, _ = _setting("auto_exposure", True)
_, get_exposure_us = _setting("exposure", 10000)
set_auto_whitebal, _ = _setting("auto_whitebal", True)
_, get_rgb_gain_db = _setting("rgb_gain", (0.0, 0.0, 0.0))
set_contrast, _ = _setting("contrast", 0)
set_brightness, _ = _setting("brightness", 0)
set_saturation, _ = _setting("saturation", 0)
set_gainceiling, _ = _setting("gainceiling", 16)
set_special_effect, _ = _setting("effect", 0)
set_lens_correction, _ = _setting("lens", 0)
set_colorbar, _ = _setting("colorbar", False)
set_vsync_callback, _ = _setting("vsync", None)
set_frame_callback, _ = _setting("frame", None)
set_auto_blc, _ = _setting("blc", True)


def get_frame_available():
    return True


def disable_full_flush(disable=True):
    pass


def disable_delays(disable=True):
    pass


def alloc_extra_fb(width, height, pixformat):
    return __import__("image").Image(width, height, pixformat)


def dealloc_extra_fb():
    pass


def ioctl(*arguments):
    return None


_omv.prune("sensor", globals())
