# `ulab.numpy`: arrays of up to four dimensions, as lists; slow, and enough for scripts around networks.
import math

float, uint8, int8, uint16, int16 = "f", "B", "b", "H", "h"
pi, e, inf, nan = math.pi, math.e, math.inf, math.nan
_plain = (int, type(1.0), bool)


def _size(shape):
    size = 1
    for extent in shape:
        size *= extent
    return size


def _nest(shape, values):
    if len(shape) < 2:
        return list(values)
    step = _size(shape[1:])
    return [_nest(shape[1:], values[at * step : (at + 1) * step]) for at in range(shape[0])]


def _flat(value, depth=0):
    if isinstance(value, ndarray):
        return value.shape, value._values
    if isinstance(value, _plain):
        return (), [value]
    shape, values, count = (), [], 0
    for each in value:
        shape, more = _flat(each)
        values.extend(more)
        count += 1
    return (count,) + shape, values


class ndarray:
    def __init__(self, shape, values):
        self.shape, self._values = tuple(shape), list(values)
        if _size(self.shape) != len(self._values):
            raise ValueError("wrong number of values")

    size = property(lambda self: len(self._values))
    ndim = property(lambda self: len(self.shape))
    T = property(lambda self: self.transpose())

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        for at in range(self.shape[0]):
            yield self[at]

    def __repr__(self):
        return "array(%s)" % self.tolist()

    def tolist(self):
        return _nest(self.shape, self._values)

    def flatten(self):
        return ndarray((len(self._values),), self._values)

    def copy(self):
        return ndarray(self.shape, self._values)

    def reshape(self, shape):
        return ndarray((shape,) if isinstance(shape, int) else shape, self._values)

    def transpose(self):
        if len(self.shape) != 2:
            return self.copy()
        rows, columns = self.shape
        return ndarray((columns, rows), [self._values[r * columns + c] for c in range(columns) for r in range(rows)])

    def _places(self, index):
        # The shape that is left, and where its values are.
        index = index if isinstance(index, tuple) else (index,)
        shape, places = [], [0]
        for axis, extent in enumerate(self.shape):
            step = _size(self.shape[axis + 1 :])
            at = index[axis] if axis < len(index) else None
            if at is None or isinstance(at, slice):
                picked = list(range(*_bounds(at, extent))) if at else list(range(extent))
                shape.append(len(picked))
            elif isinstance(at, ndarray):
                picked = [int(one) for one in at._values]
                shape.append(len(picked))
            else:
                if not -extent <= at < extent:
                    raise IndexError("index is out of bounds")
                picked = [at % extent]
            places = [place + one * step for place in places for one in picked]
        return shape, places

    def __getitem__(self, index):
        shape, places = self._places(index)
        values = [self._values[place] for place in places]
        return ndarray(shape, values) if shape else values[0]

    def __setitem__(self, index, value):
        _, places = self._places(index)
        values = _flat(value)[1]
        for at, place in enumerate(places):
            self._values[place] = values[at % len(values)]

    def _with(self, other, act):
        if isinstance(other, _plain):
            return ndarray(self.shape, [act(one, other) for one in self._values])
        shape, values = _flat(other)
        if len(self._values) < len(values):
            return ndarray(shape, [act(self._values[at % len(self._values)], one) for at, one in enumerate(values)])
        if len(self._values) % max(1, len(values)):
            raise ValueError("operands could not be broadcast together")
        return ndarray(self.shape, [act(one, values[at % len(values)]) for at, one in enumerate(self._values)])

    def __add__(self, other):
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other):
        return self._with(other, lambda a, b: a - b)

    def __mul__(self, other):
        return self._with(other, lambda a, b: a * b)

    def __truediv__(self, other):
        return self._with(other, lambda a, b: a / b)

    def __floordiv__(self, other):
        return self._with(other, lambda a, b: a // b)

    def __mod__(self, other):
        return self._with(other, lambda a, b: a % b)

    def __pow__(self, other):
        return self._with(other, lambda a, b: a**b)

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return self._with(other, lambda a, b: b - a)

    def __rtruediv__(self, other):
        return self._with(other, lambda a, b: b / a)

    def __neg__(self):
        return self * -1

    def __lt__(self, other):
        return self._with(other, lambda a, b: a < b)

    def __gt__(self, other):
        return self._with(other, lambda a, b: a > b)

    def __le__(self, other):
        return self._with(other, lambda a, b: a <= b)

    def __ge__(self, other):
        return self._with(other, lambda a, b: a >= b)

    def __eq__(self, other):
        return self._with(other, lambda a, b: a == b)


def _bounds(at, extent):
    step = 1 if at.step is None else at.step
    place = lambda value, usual: usual if value is None else _max(0, _min(extent, value + extent if value < 0 else value))
    if step < 0:
        return (extent - 1 if at.start is None else at.start), (-1 if at.stop is None else at.stop), step
    return place(at.start, 0), place(at.stop, extent), step


def array(values, dtype=None):
    shape, flat = _flat(values)
    return ndarray(shape, [one if dtype in (None, "f") else int(one) for one in flat])


asarray = array


def full(shape, value, dtype=None):
    shape = (shape,) if isinstance(shape, int) else shape
    return ndarray(shape, [value] * _size(shape))


def zeros(shape, dtype=None):
    return full(shape, 0.0)


def ones(shape, dtype=None):
    return full(shape, 1.0)


def arange(*limits, dtype=None):
    return array(list(range(*limits)))


def _along(values, axis, act):
    values = values if isinstance(values, ndarray) else array(values)
    if axis is None:
        return act(values._values)
    axis %= len(values.shape)
    inner, extent = _size(values.shape[axis + 1 :]), values.shape[axis]
    outer = _size(values.shape[:axis])
    flat = values._values
    made = [
        act([flat[(o * extent + k) * inner + i] for k in range(extent)]) for o in range(outer) for i in range(inner)
    ]
    return ndarray(values.shape[:axis] + values.shape[axis + 1 :], made)


_max, _min, _sum = max, min, sum


def max(values, axis=None):
    return _along(values, axis, _max)


def min(values, axis=None):
    return _along(values, axis, _min)


def sum(values, axis=None):
    return _along(values, axis, _sum)


def mean(values, axis=None):
    return _along(values, axis, lambda list: _sum(list) / len(list))


def argmax(values, axis=None):
    return _along(values, axis, lambda list: list.index(_max(list)))


def argmin(values, axis=None):
    return _along(values, axis, lambda list: list.index(_min(list)))


def _each(act):
    def of(value):
        if isinstance(value, _plain):
            return act(value)
        shape, flat = _flat(value)
        return ndarray(shape, [act(one) for one in flat])

    return of


exp, log, sqrt, sin, cos = _each(math.exp), _each(math.log), _each(math.sqrt), _each(math.sin), _each(math.cos)
floor, ceil = _each(math.floor), _each(math.ceil)


def clip(values, low, high):
    return _each(lambda one: _max(low, _min(high, one)))(values)


def nonzero(values):
    shape, flat = _flat(values)
    hits = [at for at, one in enumerate(flat) if one]
    made = []
    for axis in range(len(shape)):
        step = _size(shape[axis + 1 :])
        made.append(array([at // step % shape[axis] for at in hits]))
    return tuple(made)


def take(values, indices, axis=0):
    if axis:
        raise NotImplementedError("a virtual camera takes along the first axis only")
    return values[indices if isinstance(indices, ndarray) else array(indices)]
