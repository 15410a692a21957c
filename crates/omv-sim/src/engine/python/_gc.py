# `gc` of a camera: what is free is what the board's heap has, without its networks.
import _omv
from gc import *


def mem_free():
    return _omv.call("heap")[1]


def mem_alloc():
    total, free = _omv.call("heap")
    return total - free
