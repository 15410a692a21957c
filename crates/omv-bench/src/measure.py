# Measures a camera: how long pictures and predictions take. Sent by omv, kept nowhere.
# One script for all firmware: what there is decides, never a version, because `import csi` works
# on 4.6 with the old interface, and `import tf` works on 4.5.6 without tf.load.
import gc, sys, time
try:
    import json
except ImportError:
    import ujson as json

P = {}  # parameters


def load(name):
    try:
        return __import__(name)
    except ImportError:
        return None


def say(**record):
    # The console's ring has 512 bytes on small boards: give the computer time to empty it.
    print("OMV!" + json.dumps(record))
    time.sleep_ms(15)


def call(function, *args):
    try:
        return function(*args)
    except Exception:
        return None


us, diff = time.ticks_us, time.ticks_diff
omv, machine, uos = load("omv"), load("machine"), load("os")
csi, sensor, ml, tf, uma = load("csi"), load("sensor"), load("ml"), load("tf"), load("umalloc")
new = csi is not None and hasattr(csi, "CSI")
names = csi if new else (sensor or csi)
cam = csi.CSI() if new else names
era = "csi" if new else "sensor"
engine = "ml" if hasattr(ml, "Model") else ("tf" if hasattr(tf, "load") else "none")
# The preview costs the camera time: it compresses each picture.
if hasattr(omv, "disable_fb"):
    call(omv.disable_fb, True)


def text(value):
    return "".join("%02x" % b for b in value) if isinstance(value, (bytes, bytearray)) else str(value)


def identity():
    found = {"k": "id", "era": era, "engine": engine, "python": sys.version}
    for key, part, name in (("firmware", omv, "version_string"), ("arch", omv, "arch"),
                            ("board", omv, "board_type"), ("uid", machine, "unique_id")):
        if hasattr(part, name):
            found[key] = text(call(getattr(part, name)))
    if hasattr(uos, "uname"):
        found["machine"] = text(call(uos.uname)[4])
    if hasattr(machine, "freq"):
        clock = call(machine.freq)
        found["clock"] = clock[0] if isinstance(clock, tuple) else clock
    sensor_id = getattr(cam, "cid", None) or getattr(cam, "get_id", None)
    if sensor_id:
        found["sensor"] = text(call(sensor_id))
    say(**found)


SIZES = (("QQVGA", 160, 120), ("QVGA", 320, 240), ("HVGA", 480, 320), ("VGA", 640, 480),
         ("SVGA", 800, 600), ("XGA", 1024, 768), ("HD", 1280, 720), ("SXGA", 1280, 1024),
         ("UXGA", 1600, 1200), ("FHD", 1920, 1080), ("QXGA", 2048, 1536), ("WQXGA2", 2592, 1944))


def setup(width, height, name, pixels):
    cam.reset()
    kind = getattr(names, pixels)
    fitting = [s for s in SIZES if hasattr(names, s[0]) and (
        s[0] == name if name else s[1] >= width and s[2] >= height)]
    if not fitting:
        raise ValueError("no frame size holds it")
    size = getattr(names, fitting[0][0])
    if new:
        cam.pixformat(kind)
        cam.framesize(size)
        if not name:
            cam.window((width, height))
        cam.snapshot(time=300)
    else:
        cam.set_pixformat(kind)
        cam.set_framesize(size)
        if not name:
            cam.set_windowing((width, height))
        cam.skip_frames(time=300)


def exposure():
    # A dark scene halves the frames: what the sensor chose belongs beside the times.
    ask = getattr(cam, "exposure_us", None) or getattr(cam, "get_exposure_us", None)
    chosen = call(ask) if ask else None
    say(k="id", exposure="automatic" + (", %d us" % chosen if isinstance(chosen, int) else ""))


def memory():
    found = {"heap": gc.mem_free()}
    stats = call(uma.stats) if hasattr(uma, "stats") else None
    if stats:
        found["pools"] = str(stats)
    return found


def open_model(path):
    gc.collect()
    before, begun = memory(), us()
    how, model = "heap", None
    if engine == "ml":
        try:
            model = ml.Model(path)
        except MemoryError:
            how, model = "frame buffer", ml.Model(path, load_to_fb=True)
        predict = lambda picture: model.predict([picture])
    elif engine == "tf":
        try:
            model = tf.load(path)
        except (MemoryError, OSError):
            how, model = "frame buffer", tf.load(path, load_to_fb=True)
        predict = lambda picture: model.classify(picture)
    else:
        raise ValueError("this firmware runs no networks")
    took = diff(us(), begun)
    number = lambda name: (lambda v: call(v) if callable(v) else v)(getattr(model, name, None))
    gc.collect()
    say(k="model", load=took, place=how, size=number("len"), arena=number("ram"), before=before, after=memory())
    return predict


def samples(cell, part, values):
    for at in range(0, len(values), 16):
        say(k="t", cell=cell, part=part, v=values[at:at + 16])


def measure(cell, predict):
    snapshot, frames = cam.snapshot, P["frames"]
    for _ in range(P["warm"]):
        picture = snapshot()
        if predict:
            predict(picture)
    takes, infers, loops, low = [], [], [], 1 << 30
    for _ in range(frames):
        gc.collect()
        a = us()
        picture = snapshot()
        b = us()
        if predict:
            predict(picture)
        c = us()
        takes.append(diff(b, a))
        infers.append(diff(c, b))
        low = min(low, gc.mem_free())
    gc.collect()
    a = us()
    for _ in range(frames):
        picture = snapshot()
        if predict:
            predict(picture)
        b = us()
        loops.append(diff(b, a))
        a = b
    samples(cell, "capture", takes)
    if predict:
        samples(cell, "infer", infers)
    samples(cell, "loop", loops)
    say(k="cell", cell=cell, w=picture.width(), h=picture.height(), low=low, after=memory())


BARKER = (1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1)


def lights():
    kinds = getattr(machine, "LED", None) or getattr(load("pyb"), "LED", None)
    found = []
    for name in ("LED_RED", "LED_GREEN", "LED_BLUE", 1, 2, 3):
        light = call(kinds, name) if kinds else None
        if light is not None and len(found) < 3:
            found.append(light)
    return found


def wire():
    # A pin, where somebody asked for one: a name that the board does not have raises before anything is measured.
    kinds = getattr(machine, "Pin", None) or getattr(load("pyb"), "Pin", None)
    return kinds(P["pin"], kinds.OUT) if P["pin"] else None


def signature(begun, chip, pin):
    # Light on and off in a pattern that nothing else makes: the meter's clock is found by it.
    on, at = lights(), us()
    for index, bit in enumerate(BARKER):
        for light in on:
            light.on() if bit else light.off()
        if pin:
            pin.value(bit)
        while diff(us(), at) < (index + 1) * chip * 1000:
            pass
    for light in on:
        light.off()
    if pin:
        pin.value(0)
    return diff(at, begun)


def power(predict, picture, pin):
    begun, chip, pause = us(), P["chip"], P["pause"]
    first = signature(begun, chip, pin)
    time.sleep_ms(pause)
    rest = diff(us(), begun)
    time.sleep_ms(pause)
    a, count = diff(us(), begun), 0
    while diff(us(), begun) - a < P["window"] * 1000:
        predict(picture) if predict else cam.snapshot()
        count += 1
    b = diff(us(), begun)
    time.sleep_ms(pause)
    last = signature(begun, chip, pin)
    say(k="power", chip=chip * 1000, first=first, last=last, idle=[rest, a], work=[a, b], count=count)


def main():
    identity()
    predict, pin = None, wire()
    if P["model"]:
        try:
            predict = open_model(P["model"])
        except Exception as error:
            say(k="no", what="model", why=type(error).__name__ + ": " + str(error)[:200])
            say(k="end")
            return
    cell = 0
    for pixels in P["pixels"]:
        for width, height, name in P["sizes"]:
            say(k="begin", cell=cell, pixels=pixels, size=name or "%dx%d" % (width, height))
            try:
                setup(width, height, name, pixels)
                if not cell:
                    exposure()
                measure(cell, predict)
            except Exception as error:
                say(k="no", cell=cell, why=type(error).__name__ + ": " + str(error)[:200])
            gc.collect()
            cell += 1
    if P["chip"]:
        power(predict, cam.snapshot(), pin)
    say(k="end")


main()
