# `os` of a camera, over the virtual disks.
import _omv
from os import *
import os as _native

_facts = _omv.facts


def statvfs(path):
    cluster, total, free = _omv.call("room", path)
    return (cluster, cluster, total, free, free, 0, 0, 0, 0, 255)


def uname():
    return _Uname


def sync():
    pass


class _Uname:
    sysname = _facts["board"].lower()
    nodename = sysname
    release = _facts["micropython"]
    version = "OpenMV v%d.%d.%d" % _omv.version
    machine = _facts["machine"]
