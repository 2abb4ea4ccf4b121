"""Multiply-adds of an ONNX model at given inputs: what its convolutions, matrix products and recurrences
must do, however they are computed. Pointwise work is not counted."""
import math
import pathlib
import tempfile

import onnx


def _shapes(path, model, feeds, names):
    """{name: sizes} of these values: ONNX Runtime runs the model with all of them as outputs."""
    import onnxruntime as ort

    found = {t.name: tuple(t.dims) for t in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                found[node.output[0]] = tuple(attribute.t.dims)
    found.update({name: array.shape for name, array in feeds.items()})
    asked = sorted(names - set(found))
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    del seen.graph.output[:]
    seen.graph.output.extend(onnx.ValueInfoProto(name=name) for name in asked)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    with tempfile.NamedTemporaryFile(dir=pathlib.Path(path).parent, suffix=".onnx") as file:  # beside its data
        onnx.save(seen, file.name)
        session = ort.InferenceSession(file.name, options, providers=["CPUExecutionProvider"])
        arrays = session.run(asked, feeds) if asked else []
    return {**found, **{name: array.shape for name, array in zip(asked, arrays)}}


def _convolution(node, shape):
    return math.prod(shape(node.output[0])) * math.prod(shape(node.input[1])[1:])


def _transposed(node, shape):
    return math.prod(shape(node.input[0])) * math.prod(shape(node.input[1])[1:])


def _product(node, shape):
    return math.prod(shape(node.output[0])) * shape(node.input[0])[-1]


def _gemm(node, shape):
    turned = any(a.name == "transA" and a.i for a in node.attribute)
    return math.prod(shape(node.output[0])) * shape(node.input[0])[0 if turned else -1]


def _recurrence(node, shape):
    steps, batch = shape(node.input[0])[:2]
    return steps * batch * sum(math.prod(shape(node.input[i])) for i in (1, 2))


COUNTS = {"Conv": _convolution, "ConvInteger": _convolution, "ConvTranspose": _transposed,
          "MatMul": _product, "MatMulInteger": _product, "Gemm": _gemm,
          "LSTM": _recurrence, "GRU": _recurrence, "RNN": _recurrence}
OPAQUE = {"Attention", "QLinearConv", "QLinearMatMul", "Loop", "Scan", "If", "Einsum"}


def multiply_adds(path, feeds):
    """Of the model in a file; None where a part of it does not tell."""
    model = onnx.load(path, load_external_data=False)
    nodes = [node for node in model.graph.node if node.op_type in COUNTS]
    if any(node.op_type in OPAQUE for node in model.graph.node):
        return None
    names = {name for node in nodes for name in [*node.input[:3], node.output[0]] if name}
    shapes = _shapes(path, model, feeds, names)
    return int(sum(COUNTS[node.op_type](node, shapes.__getitem__) for node in nodes))
