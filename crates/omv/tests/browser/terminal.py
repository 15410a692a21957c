"""`omv view` and the keys of `omv run`, on a pseudo terminal; channels of a script, through `omv serve` and
through `omv channel`.

    OMV_BIN=target/debug/omv OMV_JUDGES=target/judges python terminal.py

`cargo xtask test browser` runs this.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.error
import urllib.request
from pathlib import Path

OMV = os.environ["OMV_BIN"]
STREAM = Path(__file__).parent / "stream.py"
INTERPRETER = {"OMV_INTERPRETER": str(Path(os.environ["OMV_JUDGES"]) / "micropython.wasm")}
KEYS = """\
import protocol, time
class Input:
    def write(self, offset, data):
        print("key:", bytes(data))
        return len(data)
protocol.register(name="input", backend=Input())
print("type")
while True:
    time.sleep_ms(50)
"""


class Screen:
    """The program on a terminal of 80 x 24, and what it wrote there."""

    def __init__(self, *words, **more):
        self.near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        env = os.environ | {"TERM": "xterm-256color"} | more
        self.program = subprocess.Popen([OMV, *words], stdin=far, stdout=far, stderr=far, env=env, start_new_session=True)
        os.close(far)
        self.text = ""

    def until(self, pattern, seconds=30):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, f"{pattern} does not come: {self.text[-2000:]!r}"
            if select.select([self.near], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.near, 65536).decode("utf-8", "replace")
                except OSError:
                    assert re.search(pattern, self.text), f"ended without {pattern}: {self.text[-2000:]!r}"
        return self.text

    def type(self, keys):
        os.write(self.near, keys)

    def end(self):
        """Its exit code; what it still writes is read, or it would wait for that."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            over = self.program.poll() is not None
            if select.select([self.near], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.near, 65536).decode("utf-8", "replace")
                    continue
                except OSError:
                    break
            if over:
                break
        os.close(self.near)
        try:
            return self.program.wait(5)
        except subprocess.TimeoutExpired:
            self.program.kill()
            raise


def the_picture_is_drawn_in_half_blocks_and_q_leaves_a_clean_terminal(folder):
    for camera in ("sim:rt1062,firmware=5.0.0", "sim:rt1062,firmware=4.5.2"):
        screen = Screen("view", "--script", str(STREAM), "-c", camera)
        screen.until(r"[\d.]+ fps, [\d.]+ shown")
        assert "▀" in screen.text and " 320 x 240 " in screen.text, screen.text[-2000:]
        assert re.search(r"\x1b\[(?:38;2|48;2|38;5|48;5);", screen.text), "no colours"
        screen.type(b"q")
        assert screen.end() == 0, screen.text[-2000:]
        # The cursor is there again, and the screen that was there before.
        assert "\x1b[?25h" in screen.text[-400:] and "\x1b[?1049l" in screen.text[-400:], screen.text[-400:]


def keys_go_to_a_script_that_has_a_channel_for_them(folder):
    script = folder / "keys.py"
    script.write_text(KEYS)
    screen = Screen("run", str(script), "-c", "sim:rt1062,firmware=5.0.0", **INTERPRETER)
    screen.until("type")
    time.sleep(0.3)
    screen.type(b"left\n")
    screen.until(r"key: b'left\\n'")
    screen.program.send_signal(signal.SIGINT)
    assert screen.end() != 0
    assert "KeyboardInterrupt" in screen.text


def keys_for_a_script_without_one_are_answered_once(folder):
    script = folder / "deaf.py"
    script.write_text("# omv-sim: print on\n# omv-sim: wait 4000\nimport time\nprint('on')\ntime.sleep(4)\n")
    screen = Screen("run", str(script), "-c", "sim:rt1062,firmware=4.5.2")
    screen.until("on\r\n")
    screen.type(b"left\n")
    screen.until("keys for a script")
    assert screen.end() == 0


KEPT = """\
import protocol, time
class Kept:
    def __init__(self):
        self.bytes = b""
    def size(self):
        return len(self.bytes)
    def read(self, offset, size):
        return self.bytes[offset:offset + size]
    def write(self, offset, data):
        self.bytes = self.bytes[:offset] + bytes(data)
        return len(data)
protocol.register(name="kept", backend=Kept())
controls = protocol.CBORChannel(on_write=lambda channel, name, value: print(name, value))
controls.add("gain", type="slider", value=3, max=24, unit="dB")
protocol.register(name="my controls", backend=controls)
print("on")
while True:
    time.sleep_ms(20)
"""


def a_channel_of_a_script_is_written_and_read_by_programs(folder):
    env = os.environ | INTERPRETER
    server = subprocess.Popen([OMV, "serve", "--json", "-c", "sim:rt1062,firmware=5.0.0"], stdout=subprocess.PIPE, text=True, env=env)
    try:
        place = json.loads(server.stdout.readline())

        def ask(path, body=None):
            for _ in range(100):
                try:
                    url = f"http://{place['address']}{path}{'&' if '?' in path else '?'}token={place['token']}"
                    return urllib.request.urlopen(url, body, timeout=10).read()
                except urllib.error.HTTPError as error:
                    # Not open yet, or no such channel yet.
                    if error.code not in (400, 503):
                        raise
                    time.sleep(0.1)
            raise AssertionError(f"{path} is refused")

        assert json.loads(ask("/api/run", KEPT.encode()))["ok"]
        data = bytes(range(256)) * 40
        assert json.loads(ask("/api/channels/kept", data)) == {"ok": True, "bytes": len(data)}
        assert ask("/api/channels/kept") == data
        names = [channel["name"] for channel in json.loads(ask("/api/channels"))["channels"]]
        assert names == ["usb", "stdin", "stdout", "stream", "kept", "my controls"], names
        fields = json.loads(ask("/api/channels/my%20controls?as=fields"))["fields"]
        assert [(field["name"], field["value"], field["max"]) for field in fields] == [("gain", 3, 24.0)], fields
        assert json.loads(ask("/api/channels/kept?as=fields"))["fields"] is None
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(10)


def the_commands_find_a_script_that_somebody_left_running(folder):
    env = os.environ | INTERPRETER | {"XDG_RUNTIME_DIR": str(folder)}
    script = folder / "kept.py"
    script.write_text(KEPT)
    omv = lambda *words: subprocess.run([OMV, *words], env=env, capture_output=True, timeout=60)
    sim = subprocess.Popen([OMV, "sim", "rt1062", "--era", "5.0.0", "--name", "kept"], env=env, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if b"running" in omv("list").stdout:
                break
            time.sleep(0.2)
        runner = subprocess.Popen([OMV, "run", str(script), "-c", "kept"], env=env, stdout=subprocess.PIPE)
        runner.stdout.readline()
        # Killed, it has no time to stop the script.
        runner.kill()
        runner.wait(10)
        for _ in range(50):
            if b"kept" in omv("channels", "-c", "kept").stdout:
                break
            time.sleep(0.2)
        done = omv("channel", "write", "kept", "hello there", "-c", "kept")
        assert done.returncode == 0, done.stderr
        assert omv("channel", "read", "kept", "-c", "kept").stdout == b"hello there"
        read = omv("channel", "read", "my controls", "-c", "kept").stdout
        assert read == b"gain  3 dB  slider 0 to 24, step 1\n", read
        raw = omv("channel", "read", "my controls", "--raw", "-c", "kept").stdout
        assert raw.startswith(b"\x81"), raw
        done = omv("channel", "write", "my controls", "--set", "gain=7", "-c", "kept")
        assert done.returncode == 0, done.stderr
        done = omv("channel", "write", "my controls", "--set", "gain=70", "-c", "kept")
        assert done.returncode == 2 and b"0 to 24" in done.stderr, done.stderr
        done = omv("profile", "-c", "kept")
        assert done.returncode != 0 and b"not-in-firmware" in done.stderr, done.stderr
    finally:
        sim.send_signal(signal.SIGTERM)
        sim.wait(10)


TESTS = [
    the_picture_is_drawn_in_half_blocks_and_q_leaves_a_clean_terminal,
    keys_go_to_a_script_that_has_a_channel_for_them,
    keys_for_a_script_without_one_are_answered_once,
    a_channel_of_a_script_is_written_and_read_by_programs,
    the_commands_find_a_script_that_somebody_left_running,
]

failed = 0
with tempfile.TemporaryDirectory() as name:
    for test in TESTS:
        begun = time.monotonic()
        try:
            test(Path(name))
            print(f"test {test.__name__} ... ok ({time.monotonic() - begun:.1f} s)", flush=True)
        except Exception as error:  # every test is told about
            failed += 1
            print(f"test {test.__name__} ... FAILED: {error!r}", flush=True)
print(f"test result: {'FAILED' if failed else 'ok'}. {len(TESTS) - failed} passed; {failed} failed;")
sys.exit(1 if failed else 0)
