# `csi`: up to 4.7 the same functions as `sensor`, from 4.8 on a class.
import _omv
import _sensor

if _omv.version < (4, 8, 0):
    from sensor import *
else:
    from _sensor import BINARY, GRAYSCALE, RGB565, BAYER, YUV422, JPEG

    for _name in _sensor.SIZES:
        globals()[_name] = _sensor.NAMES.index(_name)
    for _name in _sensor.IDS:
        globals()[_name] = _sensor.IDS[_name]
    IOCTL_SET_TRIGGERED_MODE, IOCTL_GET_TRIGGERED_MODE = 5, 6

    def devices():
        return [_omv.facts["sensor"]]

    class CSI:
        def __init__(self, cid=-1, delays=True, fflush=True, stream=True):
            if cid not in (-1, _omv.facts["sensor"]):
                raise OSError("Sensor not detected.")
            self._state = _sensor.State()

        def reset(self, hard=True):
            self._state.reset()

        def sleep(self, enable):
            pass

        def shutdown(self, enable):
            pass

        def cid(self):
            return _omv.facts["sensor"]

        def snapshot(self, time=0, frames=0, update=True, blocking=True):
            if time or frames:
                self._state.skip(frames or None, time)
            return self._state.snapshot()

        def pixformat(self, value=None):
            if value is None:
                return self._state.format
            self._state.set_format(value)

        def framesize(self, value=None):
            if value is None:
                return self._state.size
            self._state.set_size(value)

        def window(self, roi=None):
            if roi is None:
                return self._state.window or (0, 0) + self._state.size
            self._state.set_window(roi)

        def width(self):
            return self.window()[2]

        def height(self):
            return self.window()[3]

        def quality(self, value=None):
            if value is None:
                return self._state.quality
            self._state.quality = value

        def _setting(name, usual):
            def setting(self, value=None, **named):
                if value is None and not named:
                    return self._state.flags.get(name, usual)
                self._state.flags[name] = value

            return setting

        framerate = _setting("framerate", 0)
        framebuffers = _setting("framebuffers", 3)
        hmirror = _setting("hmirror", False)
        vflip = _setting("vflip", False)
        transpose = _setting("transpose", False)
        auto_rotation = _setting("rotation", False)
        auto_gain = _setting("auto_gain", True)
        auto_exposure = _setting("auto_exposure", True)
        auto_whitebal = _setting("auto_whitebal", True)
        auto_blc = _setting("blc", True)
        gain_db = _setting("gain", 0.0)
        exposure_us = _setting("exposure", 10000)
        rgb_gain_db = _setting("rgb_gain", (0.0, 0.0, 0.0))
        contrast = _setting("contrast", 0)
        brightness = _setting("brightness", 0)
        saturation = _setting("saturation", 0)
        gainceiling = _setting("gainceiling", 16)
        special_effect = _setting("effect", 0)
        color_palette = _setting("palette", None)
        vsync_callback = _setting("vsync", None)
        frame_callback = _setting("frame", None)

        def ioctl(self, *arguments):
            return None


_omv.prune("csi", globals())
