# `os` of a camera, over the virtual disks.
from collections import namedtuple as _namedtuple
import _omv
from os import *
import os as _native

_facts = _omv.facts


def statvfs(path):
    cluster, total, free = _omv.call("room", path)
    return (cluster, cluster, total, free, free, 0, 0, 0, 0, 255)


def uname():
    return _uname


def sync():
    pass


_uname = _namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))(
    _facts["board"].lower(),
    _facts["board"].lower(),
    _facts["micropython"],
    "OpenMV v%d.%d.%d" % _omv.version,
    _facts["machine"],
)
