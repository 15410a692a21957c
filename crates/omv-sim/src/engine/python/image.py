# `image`: pictures, which the virtual camera keeps; here are their handles.
import _omv

BINARY = 0x08010000
GRAYSCALE = 0x08020001
RGB565 = 0x0C030002
BAYER = 0x05040001
YUV422 = 0x14050002
JPEG = 0x06060000
PNG = 0x06070000
AREA, BILINEAR, BICUBIC = 1, 2, 4
HMIRROR, VFLIP, TRANSPOSE, CENTER = 8, 16, 32, 64
SCALE_ASPECT_KEEP, SCALE_ASPECT_EXPAND, SCALE_ASPECT_IGNORE = 128, 256, 512
PALETTE_RAINBOW, PALETTE_IRONBOW = 0, 1
_NAMES = {
    GRAYSCALE: "GRAYSCALE",
    RGB565: "RGB565",
    BAYER: "BAYER",
    YUV422: "YUV422",
    JPEG: "JPEG",
}
_FORMATS = {name: value for value, name in _NAMES.items()}


def _of(facts):
    return Image(facts)


def _grey(rows):
    return Image(_omv.call("grey", len(rows[0]), len(rows), [int(value) & 255 for row in rows for value in row]))


def _flat(first, rest, count):
    # Both styles of arguments: numbers, or a tuple of them.
    if isinstance(first, (tuple, list)):
        return list(first), rest
    return [first] + list(rest[: count - 1]), rest[count - 1 :]


def _colour(value):
    return [255, 255, 255] if value is None else list(value) if isinstance(value, (tuple, list)) else [value] * 3


class Image:
    def __init__(self, arg, height=None, pixformat=None, *more, **named):
        if isinstance(arg, list):
            return self._take(arg)
        if hasattr(arg, "tolist"):
            rows = arg.tolist()
            return self._take(_omv.call("grey", len(rows[0]), len(rows), [int(v) & 255 for row in rows for v in row]))
        if isinstance(arg, str):
            with open(arg, "rb") as file:
                file.read(2)
            raise NotImplementedError("a virtual camera does not decode pictures")
        self._take(_omv.call("new", arg, height, _NAMES.get(pixformat, "RGB565")))

    def _take(self, facts):
        self._number, self._width, self._height, name, self._size = facts
        self._format = _FORMATS[name]

    def __len__(self):
        return self._size

    def __repr__(self):
        return '{"w":%d, "h":%d, "type":"%s", "size":%d}' % (
            self._width,
            self._height,
            _NAMES[self._format].lower(),
            self._size,
        )

    def width(self):
        return self._width

    def height(self):
        return self._height

    def format(self):
        return self._format

    def size(self):
        return self._size

    def bytearray(self):
        return bytearray(_omv.raw("bytes", self._number))

    def flush(self):
        _omv.call("show", self._number)

    def get_pixel(self, x, y=None, rgbtuple=None):
        if y is None:
            x, y = x
        if not (0 <= x < self._width and 0 <= y < self._height):
            return None
        colour = _omv.call("pixel", self._number, x, y)
        return tuple(colour) if self._format == RGB565 else colour[0]

    def set_pixel(self, first, *rest):
        place, rest = _flat(first, rest, 2)
        _omv.call("rectangle", self._number, place + [1, 1], _colour(rest[0] if rest else None), 1)
        return self

    def _draw(self, what, first, rest, count, named):
        places, rest = _flat(first, rest, count)
        colour = named.get("color", rest[0] if rest else None)
        fill = 1 if named.get("fill") else 0
        _omv.call(what, self._number, [int(place) for place in places], _colour(colour), fill)
        return self

    def draw_line(self, first, *rest, **named):
        return self._draw("line", first, rest, 4, named)

    def draw_rectangle(self, first, *rest, **named):
        return self._draw("rectangle", first, rest, 4, named)

    def draw_circle(self, first, *rest, **named):
        return self._draw("circle", first, rest, 3, named)

    def draw_cross(self, first, *rest, **named):
        (x, y), rest = _flat(first, rest, 2)
        size = named.pop("size", 5)
        self._draw("line", (x - size, y, x + size, y), rest, 4, named)
        return self._draw("line", (x, y - size, x, y + size), rest, 4, named)

    def draw_string(self, first, *rest, **named):
        # A bar for each character: there is no font here.
        (x, y), rest = _flat(first, rest, 2)
        text, rest = rest[0], rest[1:]
        for index, character in enumerate(text):
            if character != " ":
                self._draw("rectangle", (int(x) + 8 * index, int(y), 6, 10), rest, 4, named)
        return self

    def clear(self):
        _omv.call("fill", self._number, [0, 0, self._width, self._height], [0, 0, 0], 1)
        return self

    def copy(self, roi=None, *more, **named):
        return _of(_omv.call("copy", self._number, list(roi) if roi else None))

    def crop(self, x_scale=1.0, y_scale=1.0, roi=None, *more, **named):
        self._take(_omv.call("copy", self._number, list(roi) if roi else None))
        return self.scale(x_scale, y_scale) if (x_scale, y_scale) != (1.0, 1.0) else self

    def scale(self, x_scale=1.0, y_scale=1.0, *more, **named):
        width, height = int(self._width * x_scale), int(self._height * y_scale)
        self._take(_omv.call("scale", self._number, width, height, _NAMES[self._format]))
        return self

    def _convert(self, format, copy):
        made = _omv.call("scale", self._number, self._width, self._height, _NAMES[format])
        if copy:
            return _of(made)
        self._take(made)
        return self

    def to_grayscale(self, copy=False, **named):
        return self._convert(GRAYSCALE, copy)

    def to_rgb565(self, copy=False, **named):
        return self._convert(RGB565, copy)

    def to_jpeg(self, quality=90, copy=False, **named):
        made = _omv.call("jpeg", self._number, quality)
        if copy:
            return _of(made)
        self._take(made)
        return self

    def compress(self, quality=50, **named):
        return self.to_jpeg(quality=quality)

    def compressed(self, quality=50, **named):
        return self.to_jpeg(quality=quality, copy=True)

    def save(self, path, roi=None, quality=90):
        if path.endswith((".jpg", ".jpeg")):
            data = _omv.raw("bytes", _omv.call("jpeg", self._number, quality)[0])
        else:
            data = _omv.raw("bytes", self._number)
        with open(path, "wb") as file:
            file.write(data)
        return self

    def _rows(self):
        if self._format != GRAYSCALE or self._size > 4096:
            raise NotImplementedError("a virtual camera looks into small grey pictures only")
        data = self.bytearray()
        return [list(data[y * self._width : (y + 1) * self._width]) for y in range(self._height)]

    def find_blobs(self, thresholds, *more, **named):
        import _model

        return [_Blob(spot) for low, high in thresholds for spot in _model.spots(self._rows(), low, high)]

    def get_statistics(self, thresholds=None, roi=None, **named):
        x, y, width, height = roi or (0, 0, self._width, self._height)
        inside = lambda value: not thresholds or any(low <= value <= high for low, high in thresholds)
        rows = self._rows()[y : y + height]
        return _Statistics([value for row in rows for value in row[x : x + width] if inside(value)])


class _Blob:
    def __init__(self, spot):
        self._spot = spot

    def rect(self):
        return self._spot[:4]

    def x(self):
        return self._spot[0]

    def y(self):
        return self._spot[1]

    def w(self):
        return self._spot[2]

    def h(self):
        return self._spot[3]

    def pixels(self):
        return self._spot[4]

    def cx(self):
        return self._spot[0] + self._spot[2] // 2

    def cy(self):
        return self._spot[1] + self._spot[3] // 2


class _Statistics:
    def __init__(self, values):
        self._values = values

    def l_mean(self):
        return sum(self._values) // len(self._values) if self._values else 0

    mean = l_mean


_omv.prune("image", globals())
