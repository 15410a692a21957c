# `omv`: what firmware this is.
import _omv

_facts = _omv.facts


def version_major():
    return _omv.version[0]


def version_minor():
    return _omv.version[1]


def version_patch():
    return _omv.version[2]


def version_string():
    return "%d.%d.%d" % _omv.version


def arch():
    return _facts["arch"]


def board_type():
    return _facts["type"]


def board_id():
    return _facts["uid"]


def disable_fb(*value):
    return False


_omv.prune("omv", globals())
