"""Operators at the opsets that changed them, and ONNX Runtime's own ones, against ONNX Runtime.

onnx generates its conformance cases for the newest opset alone; models in the field are older.
"""
import numerics
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import compare
import engines

RANDOM = np.random.default_rng(0)
MICROSOFT = "com.microsoft"


def real(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def whole(*shape, dtype=np.int64):
    return RANDOM.integers(-9, 9, shape).astype(dtype)


X = real(2, 3, 4, 5)
SMALL = real(5, 6)
CASES = []


def case(op, opsets, *inputs, outputs=1, fixed=(), domain="", **attributes):
    """One node of `op` at each opset; an input whose place is in `fixed` is an initialiser."""
    for opset in opsets if isinstance(opsets, tuple) else (opsets,):
        values = [None if x is None else np.asarray(x) for x in inputs]
        CASES.append(pytest.param(op, opset, values, outputs, fixed, domain, attributes,
                                  id=f"{op}-{opset}-{len(CASES)}"))


for axis in range(4):
    for name in ("Softmax", "LogSoftmax", "Hardmax"):
        case(name, (7, 11, 12, 13), X, axis=axis)
case("Softmax", (7, 12, 13), X)
case("Squeeze", (7, 11, 12), real(1, 3, 1, 2), axes=[0, 2])
case("Squeeze", (7, 13), real(1, 3, 1, 2))
case("Squeeze", 13, real(1, 3, 1, 2), ints(-2), fixed=(1,))
case("Unsqueeze", (7, 12), real(3, 2), axes=[0, 2])
case("Unsqueeze", 13, real(3, 2), ints(0, -1), fixed=(1,))
case("Split", (7, 11, 12), real(6, 4), outputs=3, axis=0, split=[1, 2, 3])
case("Split", 13, real(6, 4), ints(1, 2, 3), outputs=3)
case("Split", (7, 12, 13), real(6, 4), outputs=2, axis=1)
case("Split", 18, real(5, 2), outputs=2, num_outputs=2)
case("Slice", (7, 9), SMALL, starts=[1, -4], ends=[4, 10000], axes=[0, 1])
case("Slice", (7, 9), SMALL, starts=[1, 0], ends=[-1, 3])
case("Slice", (10, 11, 13), SMALL, ints(1, -1), ints(4, -100), ints(0, 1), ints(1, -2))
for mode in ("reflect", "edge"):
    case("Pad", (7, 10), real(3, 4), pads=[1, 0, 2, 1], mode=mode)
    case("Pad", (11, 13, 18), real(3, 4), ints(1, 0, 2, 1), mode=mode)
case("Pad", (7, 10), real(3, 4), pads=[-1, 0, 2, -1], value=2.5)
case("Pad", (11, 13, 18), real(3, 4), ints(0, 1, 2, 0), np.float32(3))
case("Pad", 18, real(3, 4), ints(1, 2), None, ints(-1))
case("Clip", (7, 10), X, min=-0.5, max=0.5)
case("Clip", (7, 10), X, max=0.2)
case("Clip", (7, 13), X)
case("Clip", (11, 12, 13), X, None, np.float32(0.2))
case("Clip", 13, np.arange(-5, 5, dtype=np.int32), np.int32(-2))
case("Dropout", (7, 10, 13), X)
case("Dropout", (7, 10), X, outputs=2)
case("Dropout", (12, 13), X, np.float32(0.3), outputs=2)
case("TopK", (7, 9), real(3, 7), outputs=2, k=3, axis=1)
case("TopK", 10, real(3, 7), ints(3), outputs=2, axis=0)
case("TopK", 11, real(3, 7), ints(3), outputs=2, largest=0)
for kind in "Sum Mean Max Min Prod L1 L2 LogSum LogSumExp SumSquare".split():
    moved = 13 if kind == "Sum" else 18
    before = tuple(opset for opset in (7, 11, 12, 13) if opset < moved)
    case("Reduce" + kind, before, np.abs(X) + 0.1, axes=[1, 3], keepdims=0)
    case("Reduce" + kind, before + (moved,), np.abs(X) + 0.1)
    case("Reduce" + kind, moved, np.abs(X) + 0.1, ints(1, -1), fixed=(1,), keepdims=0)
case("ReduceMax", 13, whole(3, 4, dtype=np.int8), axes=[1])
case("ReduceMean", 13, whole(3, 4, dtype=np.int32), axes=[1])
for name in ("ArgMax", "ArgMin"):
    case(name, (7, 11, 12, 13), X, axis=2, keepdims=0)
case("ArgMax", 12, np.array([[1, 2, 2]], np.float32), axis=1, select_last_index=1)
case("BatchNormalization", (7, 9, 14, 15), X, real(3), real(3), real(3), np.abs(real(3)))
case("BatchNormalization", 14, X, real(3), real(3), real(3), np.abs(real(3)), outputs=3,
     training_mode=1, momentum=0.7)
case("InstanceNormalization", 7, X, real(3), real(3))
case("LRN", (7, 13), real(1, 6, 3, 3), size=3, alpha=0.1)
case("GroupNormalization", 18, real(2, 4, 3, 3), real(2), real(2), num_groups=2)
case("GroupNormalization", 21, real(2, 4, 3, 3), real(4), real(4), num_groups=2)
case("LayerNormalization", 17, X, real(5), real(5), outputs=3)
case("LayerNormalization", 17, X, real(4, 5), axis=2)
case("MeanVarianceNormalization", 9, X)
case("LpNormalization", 7, X, p=1, axis=1)
case("Pow", (7, 13), np.abs(X), real(5))
case("Pow", 13, np.arange(1, 6, dtype=np.int32), np.float32(0.5))
case("Pow", 13, real(5), np.arange(5))
case("Pow", 13, np.arange(5), np.int32(3))
for name in ("Max", "Min", "Sum", "Mean"):
    case(name, (8, 13), real(2, 1, 3), real(4, 1), real(3))
    case(name, (7, 13), real(3))
case("PRelu", (7, 9), X, real(3, 1, 1))
case("Concat", (7, 11, 13), real(2, 3), real(2, 1), axis=1)
case("Flatten", (7, 9, 11), X, axis=2)
case("Flatten", 11, X, axis=-1)
case("Reshape", (7, 13), X, ints(0, -1, 5), fixed=(1,))
case("Reshape", (7, 13), X, ints(0, -1, 5))
case("Transpose", (7, 13), X, perm=[2, 0, 3, 1])
case("Gather", (7, 13), X, np.array([[0, 2], [1, 1]]), axis=1)
case("Tile", (7, 13), real(2, 3), ints(2, 3))
case("Scatter", 9, real(3, 3), np.array([[1, 0, 2]]), real(1, 3), axis=0)
case("ScatterElements", 16, real(3, 3), np.array([[1, 0, 2], [1, 1, 1]]), real(2, 3), axis=0,
     reduction="mul")
case("ScatterND", 18, real(4, 2), np.array([[1], [1]]), real(2, 2), reduction="max")
case("OneHot", 9, ints(0, 2, -1), np.float32(3), np.array([0, 1], np.float32))
case("ConstantOfShape", 9, ints(2, 3), value=helper.make_tensor("v", TensorProto.INT64, [1], [7]))
case("DepthToSpace", (7, 11), real(1, 8, 2, 3), blocksize=2)
case("DepthToSpace", 11, real(1, 8, 2, 3), blocksize=2, mode="CRD")
case("SpaceToDepth", 7, real(1, 2, 4, 6), blocksize=2)
case("Mul", (7, 13), whole(3, 4), whole(4))
case("Add", (7, 13), real(3, 4).astype(np.float16), real(4).astype(np.float16))
case("Div", (7, 13), whole(3, 4), np.int64(7))
case("Mod", (10, 13), whole(3, 4), np.int64(7))
case("Mod", 13, real(3, 4), np.float32(0.7), fmod=1)
for target in (TensorProto.INT32, TensorProto.UINT8, TensorProto.BOOL, TensorProto.FLOAT16):
    case("Cast", (7, 9, 13), np.abs(real(3, 4)) * 10, to=target)
case("Shape", (7, 13), X)
case("Shape", 15, X, start=1, end=-1)
case("Unique", 11, np.array([2, 1, 1, 3, 4, 3], np.float32), outputs=4, sorted=0)
case("CumSum", 11, real(3, 4), np.int64(1), exclusive=1)
case("Range", 11, np.float32(1), np.float32(2), np.float32(0.3))
case("ReverseSequence", 10, real(4, 3), ints(1, 2, 4), time_axis=0, batch_axis=1)
case("GatherND", 12, real(2, 3, 2), np.array([[1], [0]]), batch_dims=1)
case("Equal", (7, 11, 13), whole(4), whole(4))

case("FastGelu", 14, real(2, 3, 8), real(8), domain=MICROSOFT)
case("FastGelu", 14, real(2, 3, 8), domain=MICROSOFT)
case("BiasGelu", 14, real(2, 3, 8), real(8), domain=MICROSOFT)
case("QuickGelu", 14, real(2, 3, 8), domain=MICROSOFT)
case("SkipLayerNormalization", 14, real(2, 3, 8), real(2, 3, 8), real(8), real(8), real(8),
     domain=MICROSOFT, epsilon=1e-5)
case("SkipLayerNormalization", 14, real(2, 3, 8), real(2, 3, 8), real(8), outputs=4,
     domain=MICROSOFT, epsilon=1e-5)
case("SkipSimplifiedLayerNormalization", 14, real(2, 3, 8), real(2, 3, 8), real(8),
     domain=MICROSOFT, epsilon=1e-5)
case("SimplifiedLayerNormalization", 14, real(2, 3, 8), real(8), axis=-1, epsilon=1e-5)
case("EmbedLayerNormalization", 14, whole(2, 4, dtype=np.int32) % 9,
     whole(2, 4, dtype=np.int32) % 2, real(9, 8), real(6, 8), real(2, 8), real(8), real(8),
     np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32), outputs=2, domain=MICROSOFT, epsilon=1e-12)
case("EmbedLayerNormalization", 14, whole(2, 4, dtype=np.int32) % 9, None, real(9, 8), real(6, 8),
     None, real(8), real(8), outputs=3, domain=MICROSOFT, epsilon=1e-12)
case("ExpandDims", 14, real(2, 3), np.int32(1), fixed=(1,), domain=MICROSOFT)


def model_of(op, opset, inputs, outputs, fixed, domain, attributes):
    names = [f"i{k}" if x is not None else "" for k, x in enumerate(inputs)]
    results = [f"o{k}" for k in range(outputs)]
    ports = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
             for k, (n, x) in enumerate(zip(names, inputs)) if n and k not in fixed]
    weights = [numpy_helper.from_array(inputs[k], names[k]) for k in fixed]
    node = helper.make_node(op, names, results, domain=domain, **attributes)
    graph = helper.make_graph([node], "case", ports, [onnx.ValueInfoProto(name=n) for n in results],
                              weights)
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(domain, 1)] if domain else []
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return model, {n: x for k, (n, x) in enumerate(zip(names, inputs)) if n and k not in fixed}


@pytest.mark.parametrize("op, opset, inputs, outputs, fixed, domain, attributes", CASES)
def test_same_as_onnxruntime(open_engine, op, opset, inputs, outputs, fixed, domain, attributes):
    model, feeds = model_of(op, opset, inputs, outputs, fixed, domain, attributes)
    wanted = engines.open_engine("ort", model, 1).run(feeds)
    got = open_engine(model).run(feeds)
    for name, want in wanted.items():
        assert compare.difference(got[name], want, *numerics.PEER) is None, name


# Where a sequence that ends early starts from behind is said nowhere.
@pytest.mark.parametrize("backward, lengths", [(0, None), (1, None), (0, [4, 2, 3])])
def test_scan_of_a_batch(open_engine, backward, lengths):
    """Opset 8: a state and a scanned input a batch entry, which may end early."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Add", ["state", "x"], ["next"]),
         helper.make_node("Mul", ["next", "x"], ["y"])], "body",
        [value("state", TensorProto.FLOAT, [2]), value("x", TensorProto.FLOAT, [2])],
        [value("next", TensorProto.FLOAT, [2]), value("y", TensorProto.FLOAT, [2])])
    feeds = {"init": real(3, 2), "xs": real(3, 4, 2)}
    if lengths:
        feeds["lens"] = ints(*lengths)
    node = helper.make_node("Scan", ["lens" if lengths else "", "init", "xs"], ["last", "ys"],
                            num_scan_inputs=1, directions=[backward], body=body)
    ports = [value(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
             for name, x in feeds.items()]
    graph = helper.make_graph([node], "g", ports, [value("last", TensorProto.FLOAT, None),
                                                   value("ys", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 8)], ir_version=4)
    got = open_engine(model).run(feeds)
    for b in range(3):
        state = feeds["init"][b]
        count = lengths[b] if lengths else 4
        order = range(count)[::-1] if backward else range(count)
        for turn, t in enumerate(order):
            state = state + feeds["xs"][b, t]
            np.testing.assert_allclose(got["ys"][b, turn], state * feeds["xs"][b, t],
                                       rtol=numerics.bound("model", "fp32"))
        np.testing.assert_allclose(got["last"][b], state, rtol=numerics.bound("model", "fp32"))
        assert not got["ys"][b, count:].any()
