# Shows what a network sees. By omv, for firmware of every era: what there is decides, never a
# version, because `import csi` works on 4.6 with the old interface, and `import tf` works on 4.5.6
# without tf.load.
import time
try:
    import json
except ImportError:
    import ujson as json

MODEL = None
LABELS = None
ONCE = False


def load(name):
    try:
        return __import__(name)
    except ImportError:
        return None


csi, sensor, ml, tf = load("csi"), load("sensor"), load("ml"), load("tf")
new = hasattr(csi, "CSI")
names = csi if new else (sensor or csi)
camera = csi.CSI() if new else names
camera.reset()
if new:
    camera.pixformat(names.RGB565)
    camera.framesize(names.QVGA)
    camera.window((240, 240))
    camera.snapshot(time=1000)
else:
    camera.set_pixformat(names.RGB565)
    camera.set_framesize(names.QVGA)
    camera.set_windowing((240, 240))
    camera.skip_frames(time=1000)
if not hasattr(ml, "Model") and not hasattr(tf, "load"):
    raise RuntimeError("this firmware runs no networks")
make = ml.Model if hasattr(ml, "Model") else tf.load
try:
    model = make(MODEL)
except MemoryError:
    model = make(MODEL, load_to_fb=True)
try:
    labels = [line.strip() for line in open(LABELS) if line.strip()]
except (OSError, TypeError):
    labels = []


def label(index, count):
    # In grids class 0 is the background, which some label files leave out.
    shown = ["background"] + labels if len(labels) + 1 == count else labels
    return shown[index] if index < len(shown) else "class %d" % index


def seen(picture):
    # (label, score, x, y): the middles of things, or scores of the whole picture, x and y None.
    width, height = picture.width(), picture.height()
    found = []
    if hasattr(ml, "Model"):
        values = model.predict([picture])[0].flatten().tolist()
        shape = model.output_shape[0]
        if len(shape) == 4 and shape[1] * shape[2] > 1:
            rows, columns, classes = shape[1:]
            for cell in range(rows * columns):
                scores = values[cell * classes : (cell + 1) * classes]
                best = max(scores)
                index = scores.index(best)
                if index and best > 0.5:
                    x, y = (cell % columns + 0.5) / columns, (cell // columns + 0.5) / rows
                    found.append((label(index, classes), best, int(x * width), int(y * height)))
            return sorted(found, key=lambda one: -one[1])
    elif model.output_height() > 1:
        for index, group in enumerate(model.detect(picture, thresholds=[(128, 255)])):
            for one in group if index else ():
                x, y, w, h = one.rect()
                found.append((label(index, model.output_channels()), one.output(), x + w // 2, y + h // 2))
        return sorted(found, key=lambda one: -one[1])
    else:
        values = model.classify(picture)[0].output()
    found = [(label(index, len(values)), value, None, None) for index, value in enumerate(values)]
    return sorted(found, key=lambda one: -one[1])


if ONCE:
    picture = camera.snapshot()
    begun = time.ticks_us()
    found = seen(picture)
    took = time.ticks_diff(time.ticks_us(), begun)
    for name, score, x, y in found[:10]:
        print("OMV!" + json.dumps({"label": name[:40], "score": score, "x": x, "y": y}))
        time.sleep_ms(15)
    print("OMV!" + json.dumps({"micros": took, "found": len(found)}))
clock = time.clock()
while not ONCE:
    clock.tick()
    picture = camera.snapshot()
    for name, score, x, y in seen(picture)[:5]:
        print("%s %.2f" % (name, score), "" if x is None else "at %d, %d" % (x, y))
        if x is not None:
            picture.draw_circle((x, y, 8))
    print("%.1f FPS" % clock.fps())
