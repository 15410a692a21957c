# `cbor2` of 5.x: what `protocol.CBORChannel` speaks. Numbers, strings, lists, dictionaries; no tags.
import struct


def _head(kind, count):
    if count < 24:
        return bytes([kind << 5 | count])
    for small, letter, limit in ((24, "B", 1 << 8), (25, "H", 1 << 16), (26, "I", 1 << 32), (27, "Q", 1 << 64)):
        if count < limit:
            return bytes([kind << 5 | small]) + struct.pack(">" + letter, count)
    raise ValueError("number too large")


def dumps(item):
    kind = type(item)
    if item is None:
        return b"\xf6"
    if kind is bool:
        return b"\xf5" if item else b"\xf4"
    if kind is int:
        return _head(0, item) if item >= 0 else _head(1, -1 - item)
    if kind is float:
        if item != item:
            return b"\xf9\x7e\x00"
        if item in (float("inf"), float("-inf")):
            return b"\xf9\x7c\x00" if item > 0 else b"\xf9\xfc\x00"
        return b"\xfb" + struct.pack(">d", item)
    if kind in (bytes, bytearray):
        return _head(2, len(item)) + bytes(item)
    if kind is str:
        item = item.encode()
        return _head(3, len(item)) + item
    if kind is list:
        return _head(4, len(item)) + b"".join(dumps(one) for one in item)
    if kind is dict:
        return _head(5, len(item)) + b"".join(dumps(key) + dumps(item[key]) for key in item)
    # The firmware looks the type up in a table.
    raise KeyError(kind)


class CBORDecodeError(Exception):
    pass


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        end = self.at + count
        if end > len(self.data):
            raise CBORDecodeError("premature end of stream")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def count(self, small):
        if small < 24:
            return small
        if small > 27:
            raise CBORDecodeError("unknown subtype %d" % small)
        return int.from_bytes(self.take(1 << small - 24), "big")

    def item(self):
        first = self.take(1)[0]
        kind, small = first >> 5, first & 31
        if kind == 7:
            if small == 26:
                return struct.unpack(">f", self.take(4))[0]
            if small == 27:
                return struct.unpack(">d", self.take(8))[0]
            if not 20 <= small <= 22:
                raise CBORDecodeError("unknown subtype %d" % small)
            return (False, True, None)[small - 20]
        count = self.count(small)
        if kind == 0:
            return count
        if kind == 1:
            return -1 - count
        if kind == 2:
            return bytes(self.take(count))
        if kind == 3:
            return str(self.take(count), "utf-8")
        if kind == 4:
            return [self.item() for _ in range(count)]
        if kind == 5:
            pairs = {}
            for _ in range(count):
                key = self.item()
                pairs[key] = self.item()
            return pairs
        raise CBORDecodeError("tags are not known")


def loads(data):
    return _Reader(bytes(data)).item()
