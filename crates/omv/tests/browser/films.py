"""OpenCV reads what `omv serve` and `omv record` give, as programs of users do.

    OMV_BIN=target/debug/omv python films.py

`cargo xtask test browser` installs OpenCV and runs this.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import imageio_ffmpeg

OMV = os.environ["OMV_BIN"]
CAMERA = os.environ.get("OMV_TEST_CAMERA", "sim:rt1062,firmware=5.0.0")
STREAM = Path(__file__).parent / "stream.py"


def counter(picture):
    """The number of a picture of the test card, from the strip at its top: 20 cells, white is 1;
    one, zero, sixteen bits from the highest, parity, zero."""
    height, width = picture.shape[:2]
    row = picture[height // 16]
    cells = [row[(2 * cell + 1) * width // 40].mean() > 127 for cell in range(20)]
    bits = cells[2:18]
    good = cells[0] and not cells[1] and cells[18] == (sum(bits) % 2 == 1) and not cells[19]
    return sum(bit << (15 - place) for place, bit in enumerate(bits)) if good else None


def omv(*words, **more):
    return subprocess.Popen([OMV, *words, "-c", CAMERA], stdout=subprocess.PIPE, text=True, **more)


def the_mjpeg_url_gives_200_frames_in_order(folder):
    server = omv("serve", "--json")
    place = json.loads(server.stdout.readline())
    try:
        import urllib.request

        url = f"http://{place['address']}/api/run?token={place['token']}"
        for _ in range(50):
            try:
                urllib.request.urlopen(url, STREAM.read_bytes(), timeout=10).read()
                break
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                time.sleep(0.1)
        begun = time.monotonic()
        video = cv2.VideoCapture(place["stream"])
        assert video.isOpened(), place["stream"]
        seen = []
        while len(seen) < 200:
            ok, picture = video.read()
            assert ok, f"ended after {len(seen)} frames"
            seen.append(counter(picture))
        took = time.monotonic() - begun
        video.release()
        assert None not in seen, f"unreadable: {seen}"
        assert all(a < b for a, b in zip(seen, seen[1:])), f"not in order: {seen}"
        print(f"    200 frames in {took:.1f} s, numbers {seen[0]} to {seen[-1]}")
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(10)


def frames_of(path):
    video = cv2.VideoCapture(str(path))
    numbers = []
    while True:
        ok, picture = video.read()
        if not ok:
            return numbers
        numbers.append(counter(picture))


def a_film_has_every_frame_and_its_times(folder):
    path = folder / "whole.avi"
    done = omv("record", str(path), "--frames", "60", "--script", str(STREAM), "--json")
    out, _ = done.communicate(timeout=60)
    result = json.loads(out.splitlines()[-1])
    assert result["ok"] and result["frames"] == 60 and result["dropped"] == 0, result
    numbers = frames_of(path)
    assert len(numbers) == 60 and all(a < b for a, b in zip(numbers, numbers[1:])), numbers
    table = path.with_name("whole.avi.csv").read_text().splitlines()
    assert len(table) == 61, len(table)
    rate = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS)
    assert abs(rate - 59 / result["seconds"]) < 0.5 + rate / 20, (rate, result)


def a_film_whose_program_was_killed_still_plays(folder):
    path = folder / "killed.avi"
    running = omv("record", str(path), "--script", str(STREAM), "--json")
    for _ in range(200):
        time.sleep(0.1)
        table = path.with_name("killed.avi.csv")
        if table.exists() and len(table.read_text().splitlines()) > 80:
            break
    running.kill()
    running.wait(10)
    numbers = frames_of(path)
    kept = len(table.read_text().splitlines()) - 1
    assert len(numbers) >= kept - 1 > 70, f"{len(numbers)} of {kept} frames play"
    print(f"    {len(numbers)} of {kept} frames play")


def ctrl_c_ends_a_film_well(folder):
    path = folder / "interrupted.avi"
    running = omv("record", str(path), "--script", str(STREAM), "--json")
    for _ in range(100):
        time.sleep(0.1)
        table = path.with_name("interrupted.avi.csv")
        if table.exists() and len(table.read_text().splitlines()) > 20:
            break
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=20)
    result = json.loads(out.splitlines()[-1])
    assert running.returncode == 0 and result["ok"], (running.returncode, out)
    assert len(frames_of(path)) == result["frames"], result


def a_gif_and_a_folder_are_read(folder):
    path = folder / "film.gif"
    omv("record", str(path), "--frames", "8", "--script", str(STREAM), "--json").communicate(timeout=60)
    assert len(frames_of(path)) == 8
    path = folder / "pictures"
    omv("record", f"{path}/", "--frames", "5", "--script", str(STREAM), "--json").communicate(timeout=60)
    assert cv2.imread(str(path / "000005.jpg")) is not None


def an_mp4_goes_through_ffmpeg_and_without_it_is_refused_with_that_reason(folder):
    path = folder / "film.mp4"
    words = ("record", str(path), "--frames", "40", "--script", str(STREAM), "--json")
    refused = omv(*words, env=os.environ | {"OMV_FFMPEG": str(folder / "none")})
    out, _ = refused.communicate(timeout=60)
    error = json.loads(out.splitlines()[-1])["error"]
    assert refused.returncode == 2 and "ffmpeg" in error["message"], (refused.returncode, error)
    assert not path.exists()
    done = omv(*words, env=os.environ | {"OMV_FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()})
    out, _ = done.communicate(timeout=60)
    result = json.loads(out.splitlines()[-1])
    assert result["ok"] and result["frames"] == 40, result
    numbers = frames_of(path)
    assert len(numbers) == 40 and None not in numbers, numbers
    assert all(a < b for a, b in zip(numbers, numbers[1:])), numbers
    print(f"    {path.stat().st_size} bytes")


TESTS = [
    the_mjpeg_url_gives_200_frames_in_order,
    a_film_has_every_frame_and_its_times,
    a_film_whose_program_was_killed_still_plays,
    ctrl_c_ends_a_film_well,
    a_gif_and_a_folder_are_read,
    an_mp4_goes_through_ffmpeg_and_without_it_is_refused_with_that_reason,
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
