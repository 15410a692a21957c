"""Makes the models beside this file, and their reference outputs.

Run by hand, once: `pip install tensorflow-cpu==2.21.0 ai-edge-litert==2.3.0`, then
`python3 make_models.py`. The pictures are drawn here, so nothing is downloaded and nobody else's
data is inside. Training is seeded; another version of TensorFlow still gives other weights, which
is why the results are kept: `*.tflite`, `*.txt` and `vectors.txt`.

Each model is there for one thing that readers, checks or kernels must get right:

  toy96             the classifier of a first project: figure or ball, int8, scales per channel
  toy96_per_tensor  the same weights with one scale per tensor
  toy96_float       the same in floating point
  toy96_int16       activations of 16 bits, weights of 8
  toy96_uint8       int8 inside, uint8 at both ends
  toy96_dynamic     int8 weights, float activations: a camera's runtime refuses this
  fomo96            a detector in the manner of FOMO: 12 x 12 cells, class 0 is background
  two_heads         two inputs, three outputs
  garden48          branches: add, pad, concatenate, mean, average pool, leaky ReLU, resize
  upsample          resize bilinear and transposed convolution: eras differ in having them
  needle            one number out: a regression
  spectrum          an operator no camera has (RFFT2D)
  foreign           a custom operator no camera has
  too_large         a small file whose activations fit no camera
  toy96_vela        toy96, compiled for an Ethos-U55 by Arm's compiler, afterwards:
                    `vela --accelerator-config ethos-u55-256 toy96.tflite` of ethos-u-vela 5.2.0
"""

import os
import struct

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

HERE = os.path.dirname(os.path.abspath(__file__))
LABELS = ["background", "ball", "figure"]
rng = np.random.default_rng(20261128)
tf.keras.utils.set_random_seed(7)


def picture(kind, size=96):
    """A noisy room with nothing, a blue ball or a red and yellow figure; and where it stands."""
    image = np.ones((size, size, 3), np.float32) * rng.uniform(40, 200, 3)
    image += rng.normal(0, 12, image.shape)
    y, x = np.mgrid[0:size, 0:size]
    image += ((x * rng.uniform(-0.4, 0.4) + y * rng.uniform(-0.4, 0.4)))[..., None]
    cx, cy = rng.uniform(0.3, 0.7, 2) * size
    r = rng.uniform(0.10, 0.22) * size
    if kind == 1:
        inside = (x - cx) ** 2 + (y - cy) ** 2 < r**2
        shade = 1 - 0.5 * np.hypot(x - cx + r / 3, y - cy + r / 3) / r
        image[inside] = np.stack([30 * shade, 60 * shade, 230 * shade], -1)[inside]
    elif kind == 2:
        head = (x - cx) ** 2 + (y - cy + r) ** 2 < (r * 0.6) ** 2
        body = (abs(x - cx) < r * 0.55) & (abs(y - cy - r * 0.4) < r * 0.9)
        image[body] = (200, 40, 40)
        image[head] = (240, 210, 40)
    return np.clip(image, 0, 255), (cx, cy)


def room(count, size=96):
    kinds = rng.integers(0, 3, count)
    drawn = [picture(k, size) for k in kinds]
    return np.array([p for p, _ in drawn], np.float32), kinds, np.array([c for _, c in drawn])


K = tf.keras
L = tf.keras.layers


def classifier():
    return K.Sequential([
        K.Input((96, 96, 3), batch_size=1),
        L.Conv2D(8, 3, strides=2, padding="same", activation="relu6"),
        L.DepthwiseConv2D(3, padding="same", activation="relu6"),
        L.Conv2D(12, 1, activation="relu"),
        L.MaxPool2D(),
        L.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
        L.MaxPool2D(),
        L.Flatten(),
        L.Dense(12, activation="relu"),
        L.Dense(3, activation="softmax"),
    ])


def train(model, x, y, loss, epochs=12):
    """Any batch while training; one picture at a time once it is done."""
    free = K.models.clone_model(
        model, input_tensors=[K.Input(t.shape[1:]) for t in model.inputs]
        if len(model.inputs) > 1 else K.Input(model.inputs[0].shape[1:]))
    free.set_weights(model.get_weights())
    free.compile(K.optimizers.Adam(0.004), loss)
    free.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
    model.set_weights(free.get_weights())
    return model


def convert(model, samples=None, kind="int8", **options):
    specs = [tf.TensorSpec(t.shape, t.dtype) for t in model.inputs]
    function = tf.function(lambda *a: model(list(a) if len(a) > 1 else a[0], training=False))
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(*specs))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    ops = tf.lite.OpsSet
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind in ("int8", "uint8", "int16"):
        converter.representative_dataset = lambda: ([a.astype(np.float32) for a in s] for s in samples)
        if kind == "int16":
            converter.target_spec.supported_ops = [
                ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int16
        else:
            converter.target_spec.supported_ops = [ops.TFLITE_BUILTINS_INT8]
            ends = tf.int8 if kind == "int8" else tf.uint8
            converter.inference_input_type = converter.inference_output_type = ends
    for key, value in options.items():
        setattr(converter, key, value)
    return converter.convert()


def save(name, data, labels=None):
    with open(os.path.join(HERE, name + ".tflite"), "wb") as file:
        file.write(data)
    if labels:
        with open(os.path.join(HERE, name + ".txt"), "w") as file:
            file.write("\n".join(labels) + "\n")
    print(f"{name:18} {len(data):7} bytes")


def noise(seed, count):
    """The test inputs: bytes that any language can make again."""
    state, out = seed, bytearray()
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return bytes(out)


def feed(detail, seed):
    """Noise as the input wants it: bytes for 8 bits, 16 bits from two, floats of 0 to 255."""
    count = int(np.prod(detail["shape"]))
    kind = detail["dtype"]
    if kind == np.float32:
        flat = np.frombuffer(noise(seed, count), np.uint8).astype(np.float32)
    else:
        flat = np.frombuffer(noise(seed, count * np.dtype(kind).itemsize), kind)
    return flat.reshape(detail["shape"])


def vectors(names):
    lines = [
        "# Outputs of ai-edge-litert 2.3.0's reference kernels, written by make_models.py:",
        "# model, seed, then each output as hex, little endian. Input i gets noise of seed + i.",
    ]
    for name in names:
        engine = Interpreter(os.path.join(HERE, name + ".tflite"),
                             experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        engine.allocate_tensors()
        for seed in (1, 1000, 77777):
            for i, detail in enumerate(engine.get_input_details()):
                engine.set_tensor(detail["index"], feed(detail, seed + i))
            engine.invoke()
            outs = [engine.get_tensor(d["index"]).tobytes().hex() for d in engine.get_output_details()]
            lines.append(" ".join([name, str(seed)] + outs))
    with open(os.path.join(HERE, "vectors.txt"), "w") as file:
        file.write("\n".join(lines) + "\n")


def main():
    x, y, centres = room(700)
    toy = train(classifier(), x / 255, y, "sparse_categorical_crossentropy")
    test_x, test_y, _ = room(100)
    right = np.mean([np.argmax(toy(p[None] / 255)) == k for p, k in zip(test_x, test_y)])
    print("classifier:", right)
    samples = [[p[None] / 255] for p in x[:100]]
    save("toy96", convert(toy, samples), LABELS)
    save("toy96_per_tensor", convert(toy, samples, _experimental_disable_per_channel=True,
                                     _experimental_disable_per_channel_quantization_for_dense_layers=True), LABELS)
    save("toy96_float", convert(toy, kind="float"), LABELS)
    save("toy96_int16", convert(toy, samples, "int16"), LABELS)
    save("toy96_uint8", convert(toy, samples, "uint8"), LABELS)
    save("toy96_dynamic", convert(toy, kind="dynamic"), LABELS)

    fomo = K.Sequential([
        K.Input((96, 96, 3), batch_size=1),
        L.Conv2D(8, 3, strides=2, padding="same", activation="relu6"),
        L.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6"),
        L.Conv2D(16, 1, activation="relu6"),
        L.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6"),
        L.Conv2D(24, 1, activation="relu6"),
        L.Conv2D(3, 1),
        L.Softmax(),
    ])
    cells = np.zeros((len(x), 12, 12), np.int64)
    for i, (k, c) in enumerate(zip(y, centres)):
        if k:
            cells[i, int(c[1] // 8), int(c[0] // 8)] = k
    weights = np.where(cells > 0, 40.0, 1.0)
    def loss(true, guess):
        return tf.keras.losses.sparse_categorical_crossentropy(true[..., 0], guess) * true[..., 1]
    truth = np.stack([cells.astype(np.float32), weights.astype(np.float32)], -1)
    train(fomo, x / 255, truth, loss, 10)
    save("fomo96", convert(fomo, samples), LABELS)

    eye, mood = K.Input((32, 32, 1), batch_size=1), K.Input((4,), batch_size=1)
    h = L.Conv2D(6, 3, strides=2, activation="relu")(eye)
    h = L.AveragePooling2D(3)(h)
    h = L.Concatenate()([L.Flatten()(h), L.Dense(6, activation="tanh")(mood)])
    h = L.Dense(10, activation="relu")(h)
    heads = K.Model([eye, mood], [L.Dense(3, activation="softmax", name="kind")(h),
                                  L.Dense(4, activation="sigmoid", name="box")(h),
                                  L.Dense(1, name="age")(h)])
    save("two_heads", convert(heads, [[rng.uniform(0, 1, (1, 32, 32, 1)), rng.uniform(-1, 1, (1, 4))]
                                      for _ in range(50)]))

    leaf = K.Input((48, 48, 1), batch_size=1)
    a = L.Conv2D(8, 3, padding="same")(leaf)
    a = L.LeakyReLU(negative_slope=0.2)(a)
    b = L.ZeroPadding2D(1)(a)
    b = L.Conv2D(8, 3)(b)
    c = L.Add()([a, b])
    c = L.ReLU()(c)
    d = L.AveragePooling2D(2)(c)
    e = L.Resizing(24, 24, interpolation="nearest")(L.MaxPool2D(2)(d))
    f = L.Concatenate()([d, e])
    f = L.DepthwiseConv2D(3, strides=2, depth_multiplier=2)(f)
    g = L.GlobalAveragePooling2D()(f)
    g = L.Multiply()([g, L.Dense(32, activation="sigmoid")(g)])
    garden = K.Model(leaf, L.Dense(5, activation="softmax")(g))
    save("garden48", convert(garden, [[rng.uniform(0, 1, (1, 48, 48, 1))] for _ in range(50)]),
         ["soil", "leaf", "bud", "flower", "fruit"])

    small = K.Input((24, 24, 3), batch_size=1)
    u = L.Conv2D(6, 3, strides=2, padding="same", activation="relu")(small)
    u = L.UpSampling2D(2, interpolation="bilinear")(u)
    u = L.Conv2DTranspose(3, 3, strides=2, padding="same")(u)
    save("upsample", convert(K.Model(small, u), [[rng.uniform(0, 1, (1, 24, 24, 3))] for _ in range(50)]))

    dial = K.Input((28, 28, 1), batch_size=1)
    n = L.Conv2D(4, 5, strides=2, activation="relu")(dial)
    n = L.Dense(1)(L.Dense(8, activation="relu")(L.Flatten()(n)))
    save("needle", convert(K.Model(dial, n), [[rng.uniform(0, 1, (1, 28, 28, 1))] for _ in range(50)]))

    class Spectrum(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 16, 64), tf.float32)])
        def run(self, wave):
            return tf.abs(tf.signal.rfft2d(wave))

    class Foreign(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, 8), tf.float32)])
        def run(self, a):
            return tf.raw_ops.Betainc(a=a + 1, b=a + 2, x=a)

    def plain(module, **options):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([module.run.get_concrete_function()], module)
        for key, value in options.items():
            setattr(converter, key, value)
        return converter.convert()

    save("spectrum", plain(Spectrum()))
    save("foreign", plain(Foreign(), allow_custom_ops=True))

    wide = K.Input((2048, 2048, 3), batch_size=1)
    w = L.Conv2D(16, 3, padding="same", activation="relu")(wide)
    w = L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(w)
    w = L.GlobalAveragePooling2D()(w)
    huge = K.Model(wide, L.Dense(3, activation="softmax")(w))
    save("too_large", convert(huge, [[rng.uniform(0, 1, (1, 2048, 2048, 3))] for _ in range(2)]), LABELS)

    vectors(["toy96", "toy96_per_tensor", "toy96_float", "toy96_int16", "toy96_uint8", "fomo96",
             "two_heads", "garden48", "upsample", "needle"])


main()
