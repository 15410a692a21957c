"""Everything a model says, by the reference reader of the schema (the Python package `tflite`)."""

import json
import sys

import tflite
from tflite.BuiltinOperator import BuiltinOperator
from tflite.TensorType import TensorType


def names(kind):
    return {v: k for k, v in vars(kind).items() if not k.startswith("_")}


OPERATORS, TYPES = names(BuiltinOperator), names(TensorType)


def array(value):
    return [] if isinstance(value, int) else value.tolist()


def tensor(model, t):
    q = t.Quantization()
    return {
        "name": t.Name().decode(),
        "shape": array(t.ShapeAsNumpy()),
        "signature": array(t.ShapeSignatureAsNumpy()),
        "type": TYPES[t.Type()].lower(),
        "scales": array(q.ScaleAsNumpy()) if q else [],
        "zero_points": array(q.ZeroPointAsNumpy()) if q else [],
        "axis": q.QuantizedDimension() if q else 0,
        "constant_bytes": model.Buffers(t.Buffer()).DataLength(),
        "variable": bool(t.IsVariable()),
    }


def code(model, index):
    c = model.OperatorCodes(index)
    number = max(c.DeprecatedBuiltinCode(), c.BuiltinCode())
    name = OPERATORS[number]
    return (c.CustomCode().decode() if name == "CUSTOM" else name), name == "CUSTOM", c.Version()


def graph(model, g):
    operators = []
    for i in range(g.OperatorsLength()):
        o = g.Operators(i)
        operators.append({
            "name": code(model, o.OpcodeIndex())[0],
            "inputs": [None if n == -1 else n for n in array(o.InputsAsNumpy())],
            "outputs": array(o.OutputsAsNumpy()),
        })
    return {
        "name": (g.Name() or b"").decode(),
        "inputs": array(g.InputsAsNumpy()),
        "outputs": array(g.OutputsAsNumpy()),
        "tensors": [tensor(model, g.Tensors(i)) for i in range(g.TensorsLength())],
        "operators": operators,
    }


def main(path):
    with open(path, "rb") as file:
        model = tflite.Model.GetRootAsModel(file.read(), 0)
    graphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
    counts = {}
    for g in graphs:
        for i in range(g.OperatorsLength()):
            index = g.Operators(i).OpcodeIndex()
            counts[index] = counts.get(index, 0) + 1
    used = []
    for index in sorted(counts):
        name, custom, version = code(model, index)
        used.append({"name": name, "custom": custom, "version": version, "count": counts[index]})
    print(json.dumps({
        "schema": model.Version(),
        "description": (model.Description() or b"").decode(),
        "operators": used,
        "graphs": [graph(model, g) for g in graphs],
    }))


main(sys.argv[1])
