"""Outputs of the reference interpreter: interpreter.py FOLDER SEED... One line each, as vectors.txt."""

import os
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

MODELS = ["toy96", "toy96_per_tensor", "toy96_float", "toy96_int16", "toy96_uint8", "fomo96",
          "two_heads", "garden48", "upsample", "needle"]


def noise(seed, count):
    state, out = seed, bytearray()
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return bytes(out)


def feed(detail, seed):
    count, kind = int(np.prod(detail["shape"])), detail["dtype"]
    if kind == np.float32:
        flat = np.frombuffer(noise(seed, count), np.uint8).astype(np.float32)
    else:
        flat = np.frombuffer(noise(seed, count * np.dtype(kind).itemsize), kind)
    return flat.reshape(detail["shape"])


for name in MODELS:
    engine = Interpreter(os.path.join(sys.argv[1], name + ".tflite"),
                         experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    engine.allocate_tensors()
    for seed in map(int, sys.argv[2:]):
        for i, detail in enumerate(engine.get_input_details()):
            engine.set_tensor(detail["index"], feed(detail, seed + i))
        engine.invoke()
        outs = [engine.get_tensor(d["index"]).tobytes().hex() for d in engine.get_output_details()]
        print(name, seed, *outs)
