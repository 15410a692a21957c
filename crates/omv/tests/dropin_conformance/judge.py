"""Runs command lines of the real tools, each in a process of its own that shares the imports.

One request a line on standard input: {"tool", "argv", "cwd"}. One answer a line on standard
output: {"code", "out", "err"}, output as hexadecimal digits. Or {"tool", "usb", "device"}: whether
the tool takes this name for this device; the answer is {"fits"}.

The command line of sdphost lacks commands that the library below it has. Here it gets them, so that
the library judges them: each calls one method and shows the result as its neighbours do.
"""

import importlib
import json
import os
import signal
import sys
import tempfile

import click
import serial

# On a pseudo terminal this throws away what the other end has not read yet.
serial.Serial.reset_output_buffer = lambda self: None

TOOLS = {name: importlib.import_module("spsdk.apps." + name) for name in ("blhost", "sdphost")}
LIMIT = 40  # seconds a command line may take
ADDED = ("write-register", "dcd-write", "skip-dcd-header")


def add_commands(sdphost):
    from spsdk.apps.utils.utils import INT
    from spsdk.sdp.sdp import SDP

    def shown(sdp, ctx):
        word = sdp.cmd_status
        extra = f"Response status = {sdphost.decode_status_code(word)}."
        return [word], sdp.hab_status, ctx.obj["use_json"], extra

    def catching(sdp):
        """The library keeps the word it read to itself where it only compares it."""
        read = sdp._read_status

        def read_and_keep():
            sdp._cmd_status = read()
            return sdp._cmd_status

        sdp._read_status = read_and_keep
        return sdp

    @sdphost.main.command(name="write-register", no_args_is_help=True)
    @click.argument("address", type=INT(), required=True)
    @click.argument("format", type=INT(), required=True)
    @click.argument("value", type=INT(), required=True)
    @click.pass_context
    def write_register(ctx, address, format, value):
        with catching(SDP(ctx.obj["interface"])) as sdp:
            sdp.write_safe(address, value, format // 8, format)
        # The JSON has the name of the function this is called in.
        sdphost.display_output(*shown(sdp, ctx))

    @sdphost.main.command(name="dcd-write", no_args_is_help=True)
    @click.argument("dcd_file", metavar="FILE", type=click.File("rb"), required=True)
    @click.argument("address", metavar="[ADDRESS]", type=INT(), default="0")
    @click.pass_context
    def dcd_write(ctx, dcd_file, address):
        with SDP(ctx.obj["interface"]) as sdp:
            sdp.write_dcd(address, dcd_file.read())
        # The JSON has the name of the function this is called in.
        sdphost.display_output(*shown(sdp, ctx))

    @sdphost.main.command(name="skip-dcd-header", no_args_is_help=False)
    @click.pass_context
    def skip_dcd_header(ctx):
        with catching(SDP(ctx.obj["interface"])) as sdp:
            sdp.skip_dcd()
        # The JSON has the name of the function this is called in.
        sdphost.display_output(*shown(sdp, ctx))


def fits(tool, name, device):
    from spsdk.mboot.interfaces.usb import MbootUSBInterface
    from spsdk.sdp.interfaces.usb import SdpUSBInterface
    from spsdk.utils.usbfilter import NXPUSBDeviceFilter

    interface = {"blhost": MbootUSBInterface, "sdphost": SdpUSBInterface}[tool]
    seen = {**device, "path": device["path"].encode()}
    names = interface.get_devices()
    # As both tools prepare what follows -u.
    return NXPUSBDeviceFilter(name.replace(",", ":"), names).compare(seen)


def child(request, out, err):
    os.chdir(request["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    signal.alarm(LIMIT)
    if request["tool"] == "sdphost" and any(name in request["argv"] for name in ADDED):
        add_commands(TOOLS["sdphost"])
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
    if "usb" in request:
        return {"fits": fits(request["tool"], request["usb"], request["device"])}
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
