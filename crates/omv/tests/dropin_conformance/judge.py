"""Runs command lines of the real tools, each in a process of its own that shares the imports.

One request a line on standard input: {"tool", "argv", "cwd"}. One answer a line on standard
output: {"code", "out", "err"}, output as hexadecimal digits.
"""

import importlib
import json
import os
import signal
import sys
import tempfile

import serial

# On a pseudo terminal this throws away what the other end has not read yet.
serial.Serial.reset_output_buffer = lambda self: None

TOOLS = {name: importlib.import_module("spsdk.apps." + name) for name in ("blhost", "sdphost")}
LIMIT = 40  # seconds a command line may take


def child(request, out, err):
    os.chdir(request["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    signal.alarm(LIMIT)
    sys.argv = [os.path.join(sys.prefix, "bin", request["tool"]), *request["argv"]]
    try:
        TOOLS[request["tool"]].safe_main()
        code = 0
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def answer(request):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            child(request, out.fileno(), err.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        texts = {}
        for name, file in (("out", out), ("err", err)):
            file.seek(0)
            texts[name] = file.read().hex()
        return {"code": code, **texts}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
