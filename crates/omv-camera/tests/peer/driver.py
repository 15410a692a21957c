"""Drives a camera through a session with the `openmv` package, and says what it saw.

usage: driver.py PORT session|frames KEY=VALUE...   (options of openmv.Camera; seconds=, script=)
"""
import enum
import json
import resource
import signal
import sys
import time

# `value in Enum` raises TypeError before Python 3.12, and the package uses it.
enum.EnumMeta.__contains__ = lambda cls, value: value in cls._value2member_map_ or value in cls._member_map_.values()

import openmv
from openmv.exceptions import OMVException, TimeoutException

port, what = sys.argv[1:3]
options = {key: json.loads(value) for key, value in (arg.split("=", 1) for arg in sys.argv[3:])}
seconds = options.pop("seconds", 5)
script = options.pop("script", "stream 160 120").replace("\\n", "\n")
raw = options.pop("raw", True)


def number(frame):
    """The number in the pixels, if all of them agree about it."""
    gray = frame["data"][0::3]
    words = [int.from_bytes(gray[at:at + 4], "little") for at in range(0, len(gray), 4)]
    turned = [(at << 16 | at >> 16) & 0xFFFFFFFF for at in range(len(words))]
    numbers = {word ^ turn for word, turn in zip(words, turned)}
    return numbers.pop() if len(numbers) == 1 else None


seen = {"frames": 0, "bytes": 0, "wrong": 0, "text": "", "repeats": 0}


def late(*_):
    raise TimeoutException("late")


def again(call, *args, **named):
    """Asks once more what failed: the package does so once. Its wait for an answer begins anew with every
    event, and a camera with unread text sends one every 50 ms: so there is a deadline as well."""
    signal.signal(signal.SIGALRM, late)
    for _ in range(8):
        signal.setitimer(signal.ITIMER_REAL, 4, 4)
        try:
            return call(*args, **named)
        except OMVException:
            seen["repeats"] += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    raise SystemExit("the package gave up")


def start():
    """An EXEC whose answer was lost is repeated by the package, and the second stops the script."""
    for _ in range(8):
        again(camera.exec, script)
        time.sleep(0.1)
        if again(camera.read_status).get("stdin"):
            return
        time.sleep(0.5)
        again(camera.poll_events)
    raise SystemExit("the script does not start")


begun = time.monotonic()
camera = openmv.Camera(port, **options)
again(camera.connect)
seen["firmware"] = list(again(camera.version)["firmware_version"])
again(camera.stop)
time.sleep(0.3)
if what == "session":
    start()
    again(camera.streaming, True, raw=raw, resolution=(2048, 2048) if raw else None)
    last = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and seen["frames"] < 20:
        status = again(camera.read_status)
        if status.get("stdout"):
            seen["text"] += again(camera.read_stdout) or ""
        if status.get("stream") and (frame := again(camera.read_frame)):
            at = number(frame)
            seen["wrong"] += at is None or at <= last
            last = at or last
            seen["frames"] += 1
    # The event that tells of it may have been dropped.
    again(camera.update_channels)
    seen["channel"] = camera.has_channel("lidar")
    again(camera.channel_write, "lidar", b"ping" * 500)
    seen["echo"] = again(camera.channel_read, "lidar") == b"ping" * 500
    seen["received"] = again(camera.device_stats)["received"]
    again(camera.stop)
else:
    camera.exec(script)
    camera.streaming(True, raw=raw, resolution=(2048, 2048) if raw else None)
    first = None
    cpu = time.process_time()
    deadline = None
    while deadline is None or time.monotonic() < deadline:
        if frame := camera.read_frame():
            if first is None:
                seen["first"] = time.monotonic() - begun
                first = time.monotonic()
                deadline = first + seconds
                cpu = time.process_time()
            else:
                seen["frames"] += 1
                seen["bytes"] += frame["raw_size"]
    seen["seconds"] = time.monotonic() - first
    seen["cpu"] = time.process_time() - cpu
seen["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
camera.disconnect()
print("SEEN " + json.dumps(seen))
