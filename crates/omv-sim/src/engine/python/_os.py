# `os` of a camera, over the virtual disks.
import _omv
from os import *
import os as _native

_facts = _omv.facts


def statvfs(path):
    cluster, total, free = _omv.call("room", path)
    return (cluster, cluster, total, free, free, 0, 0, 0, 0, 255)


def uname():
    from collections import namedtuple

    kind = namedtuple("uname", ("sysname", "nodename", "release", "version", "machine"))
    name, version = _facts["board"].lower(), "OpenMV v%d.%d.%d" % _omv.version
    return kind(name, name, _facts["micropython"], version, _facts["machine"])


def sync():
    pass
