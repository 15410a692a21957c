# Makes a camera of the interpreter, before any script.
import sys
import _omv
import _time
import _os
import _gc

for _name in ("time", "utime"):
    sys.modules[_name] = _time
for _name in ("os", "uos"):
    sys.modules[_name] = _os
sys.modules["gc"] = _gc
sys.path[:] = ["/_omv", ""] + _omv.call("paths")


def run(name):
    source = str(_omv.raw("source"), "utf-8")
    exec(compile(source, name, "exec"), {"__name__": "__main__"})
