# What `sensor` and `csi` have in common.
import _omv
import image

BINARY, GRAYSCALE, RGB565, BAYER, YUV422, JPEG = (
    image.BINARY,
    image.GRAYSCALE,
    image.RGB565,
    image.BAYER,
    image.YUV422,
    image.JPEG,
)
SIZES = {
    "QQCIF": (88, 72),
    "QCIF": (176, 144),
    "CIF": (352, 288),
    "QQSIF": (88, 60),
    "QSIF": (176, 120),
    "SIF": (352, 240),
    "QQQQVGA": (40, 30),
    "QQQVGA": (80, 60),
    "QQVGA": (160, 120),
    "QVGA": (320, 240),
    "VGA": (640, 480),
    "HQQQVGA": (60, 40),
    "HQQVGA": (120, 80),
    "HQVGA": (240, 160),
    "HVGA": (480, 320),
    "B64X32": (64, 32),
    "B64X64": (64, 64),
    "B128X64": (128, 64),
    "B128X128": (128, 128),
    "LCD": (128, 160),
    "QQVGA2": (128, 160),
    "WVGA": (720, 480),
    "WVGA2": (752, 480),
    "SVGA": (800, 600),
    "XGA": (1024, 768),
    "SXGA": (1280, 1024),
    "SXGAM": (1280, 960),
    "UXGA": (1600, 1200),
    "HD": (1280, 720),
    "FHD": (1920, 1080),
    "QHD": (2560, 1440),
    "QXGA": (2048, 1536),
    "WQXGA": (2560, 1600),
    "WQXGA2": (2592, 1944),
}
NAMES = list(SIZES)
# Ids of sensors, as `omv_csi.h` has them.
IDS = {
    "OV2640": 0x26,
    "OV5640": 0x5640,
    "OV7670": 0x76,
    "OV7690": 0x76,
    "OV7725": 0x77,
    "OV9650": 0x96,
    "MT9V022": 0x1313,
    "MT9V034": 0x1324,
    "MT9M114": 0x2481,
    "LEPTON": 0x54,
    "HM01B0": 0xB0,
    "HM0360": 0x60,
    "GC2145": 0x21,
    "PAG7920": 0x7920,
    "PAG7936": 0x7936,
    "PS5520": 0x5520,
}


class State:
    def __init__(self):
        self.reset()

    def reset(self):
        self.format = None
        self.size = None
        self.window = None
        self.quality = 85
        self.flags = {}

    def set_format(self, value):
        if value not in image._NAMES or value == BINARY:
            raise RuntimeError("Pixel format is not supported.")
        self.format = value

    def set_size(self, value):
        if isinstance(value, tuple):
            self.size = value
        elif 0 <= value < len(NAMES):
            self.size = SIZES[NAMES[value]]
        else:
            raise RuntimeError("Frame size is not supported.")
        self.window = None

    def set_window(self, roi):
        width, height = self.size
        if len(roi) == 2:
            w, h = roi
            roi = ((width - w) // 2, (height - h) // 2, w, h)
        x, y, w, h = roi
        if x < 0 or y < 0 or w < 8 or h < 8 or x + w > width or y + h > height:
            raise ValueError("The region of interest is not in the frame.")
        self.window = tuple(roi)

    def snapshot(self):
        if self.format is None or self.size is None:
            raise RuntimeError("Pixel format or frame size is not set.")
        width, height = self.size
        window = list(self.window) if self.window else None
        name = image._NAMES[self.format]
        return image._of(_omv.call("snapshot", width, height, name, window, self.quality))

    def skip(self, frames, ms):
        end = _omv.call("us") + ms * 1000
        if frames is None and not ms:
            frames = 20
        while (frames or 0) > 0 or (ms and _omv.call("us") < end):
            self.snapshot()
            if frames is not None:
                frames -= 1
                if frames <= 0:
                    break
