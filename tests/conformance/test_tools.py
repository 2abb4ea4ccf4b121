"""The conformance tools themselves: what is wrong is called wrong, a crash or a hang costs one item."""
import os
import pathlib
import signal
import sys
import time

import ml_dtypes
import numerics
import numpy as np
import onnx
import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "bench")]

import compare  # noqa: E402
import engines  # noqa: E402
import isolate  # noqa: E402

F32 = np.array([[1.0, np.nan, -np.inf]], np.float32)
WRONG = {
    "value": (F32, np.array([[1.01, np.nan, -np.inf]], np.float32)),
    "infinity": (F32, np.array([[1.0, np.nan, np.inf]], np.float32)),
    "nan": (F32, np.array([[1.0, 2.0, -np.inf]], np.float32)),
    "type": (F32, F32.astype(np.float64)),
    "shape": (F32, F32[0]),
    "scalar": (np.array(1, np.float32), np.ones(1, np.float32)),
    "integer": (np.array([2 ** 62 + 1]), np.array([2 ** 61])),
    "string": (np.array(["a", "b"], object), np.array(["a", "c"], object)),
    "bfloat16": (np.array([1, 2], ml_dtypes.bfloat16), np.array([1, 2.5], ml_dtypes.bfloat16)),
    "int4": (np.array([1, -8], ml_dtypes.int4), np.array([1, 7], ml_dtypes.int4)),
    "length": ([F32], [F32, F32]),
    "element": ([F32], [F32 + 1]),
    "absent": (None, F32),
    "present": (F32, None),
    "not a sequence": (F32, [F32]),
}


@pytest.mark.parametrize("kind", WRONG)
def test_difference_is_seen(kind):
    got, want = WRONG[kind]
    assert compare.difference(got, want, *numerics.ONNX_CASE)
    assert compare.difference(want, want, *numerics.ONNX_CASE) is None
    assert compare.difference(got, got, *numerics.ONNX_CASE) is None


def misbehave(item):
    if item == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "hang":
        time.sleep(30)
    if item == "raise":
        raise ValueError
    return item


def test_isolation():
    items = ["a", "crash", "b", "hang", "raise", "c", "crash"]
    results = isolate.run_isolated(misbehave, items, batch=3, seconds=0.5)
    assert results == [("a", None), (None, "SIGSEGV"), ("b", None), (None, "no answer in 0.5 s"),
                       (None, "exit 1"), ("c", None), (None, "SIGSEGV")]


TYPES = ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4", "int8", "float16"]


@pytest.mark.parametrize("dtype", TYPES)
def test_onnxruntime_passes_every_type(dtype):
    """The peer's column is honest only if its inputs and outputs cross unharmed."""
    dtype = np.dtype(getattr(ml_dtypes, dtype, None) or dtype)
    kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    x = np.array([1, -2, 3, 0, 5, -7, 2]).clip(0 if dtype.name == "uint4" else -8, 7).astype(dtype)
    port, f32 = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Cast", ["x"], ["wide"], to=f32),
         onnx.helper.make_node("Cast", ["y"], ["narrow"], to=kind)], "g",
        [port("x", kind, [7]), port("y", f32, [7])], [port("wide", f32, [7]), port("narrow", kind, [7])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    got = engines.open_engine("ort", model, 1).run({"x": x, "y": x.astype(np.float32)})
    assert got["wide"].tolist() == x.astype(np.float32).tolist()
    assert got["narrow"].dtype == dtype and got["narrow"].tobytes() == x.tobytes()
