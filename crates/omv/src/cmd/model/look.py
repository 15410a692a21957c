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
        return __import__(name, None, None, ("it",))
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
    return (shown[index] if index < len(shown) else "class %d" % index)[:40]


def thing(name, score, x=None, y=None):
    return {"label": name, "score": score, "x": x, "y": y}


def numbers(index, shape, values=()):
    # An output whose meaning is not known here.
    said = {"output": index, "shape": list(shape)}
    if len(values):
        said["least"], said["most"] = min(values), max(values)
        said["first"] = [values[at] for at in range(min(6, len(values)))]
    return said


def processor():
    # The firmware's own for networks of the YOLO family, if it has one. Labels and shape tell which.
    shape, count = model.output_shape[0], len(labels)
    if not labels or len(model.output_shape) > 1:
        return None
    if len(shape) == 3 and shape[1] == count + 4:
        names = ("ultralytics", "YoloV8"), ("", "yolo_v8_postprocess")
    elif len(shape) == 3 and shape[2] == count + 5:
        names = ("ultralytics", "YoloV5"), ("", "yolo_v5_postprocess")
    elif len(shape) == 4 and shape[3] == 5 * (count + 5):
        names = ("darknet", "YoloLC"), ("", "yolo_lc_postprocess")
    else:
        return None
    for module, name in names:
        made = getattr(load("ml.postprocessing" + ("." + module if module else "")), name, None)
        if made:
            return made(threshold=0.5)


process = processor() if hasattr(ml, "Model") else None


def boxes(classes):
    for index, group in enumerate(classes):
        for one in group:
            x, y, w, h = one[0]
            yield thing(label(index, len(labels)), one[1], x + w // 2, y + h // 2)


def grid(shape, values, width, height):
    rows, columns, classes = shape[1:]
    for cell in range(rows * columns):
        scores = values[cell * classes : (cell + 1) * classes]
        best = max(scores)
        index = scores.index(best)
        if index and best > 0.5:
            x, y = (cell % columns + 0.5) / columns, (cell // columns + 0.5) / rows
            yield thing(label(index, classes), best, int(x * width), int(y * height))


def meaning(index, shape, values, picture):
    values = values.flatten() if hasattr(values, "flatten") else values
    last = shape[-1]
    named = last == len(labels) or not labels and len(model.output_shape) == 1
    if len(values) == last and named:
        return [thing(label(at, last), values[at]) for at in range(last)]
    if len(shape) == 4 and len(values) > last and (named or labels and last == len(labels) + 1):
        # A grid of scores: those of a cell make one.
        values = values.tolist() if hasattr(values, "tolist") else values
        if labels or abs(sum(values[:last]) - 1) < 0.1:
            return list(grid(shape, values, picture.width(), picture.height()))
    return [numbers(index, shape, values)]


def seen(picture):
    if hasattr(ml, "Model"):
        if process:
            found = list(boxes(model.predict([picture], callback=process)))
        else:
            found = []
            for index, values in enumerate(model.predict([picture])):
                found += meaning(index, model.output_shape[index], values, picture)
    elif model.output_height() > 1 or model.output_width() > 1:
        shape = (1, model.output_height(), model.output_width(), model.output_channels())
        if labels and shape[3] not in (len(labels), len(labels) + 1):
            return [numbers(0, shape)]
        found = []
        for index, group in enumerate(model.detect(picture, thresholds=[(128, 255)])):
            for one in group if index else ():
                x, y, w, h = one.rect()
                found.append(thing(label(index, shape[3]), one.output(), x + w // 2, y + h // 2))
    else:
        values = model.classify(picture)[0].output()
        found = [thing(label(at, len(values)), value) for at, value in enumerate(values)]
    return sorted(found, key=lambda one: -one.get("score", 0))


if ONCE:
    picture = camera.snapshot()
    begun = time.ticks_us()
    found = seen(picture)
    took = time.ticks_diff(time.ticks_us(), begun)
    for one in found[:10]:
        print("OMV!" + json.dumps(one))
        time.sleep_ms(15)
    print("OMV!" + json.dumps({"micros": took, "found": sum("label" in one for one in found)}))
clock = None if ONCE else time.clock()
while not ONCE:
    clock.tick()
    picture = camera.snapshot()
    for one in seen(picture)[:5]:
        if "label" not in one:
            print("output", one["output"], one["shape"], "begins", one.get("first"), "- what that means is not known here")
            continue
        print("%s %.2f" % (one["label"], one["score"]), "" if one["x"] is None else "at %d, %d" % (one["x"], one["y"]))
        if one["x"] is not None:
            picture.draw_circle((one["x"], one["y"], 8))
    print("%.1f FPS" % clock.fps())
