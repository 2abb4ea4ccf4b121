"""Context.enqueue, wait and set_stream: on the CPU, where they run and refuse as C does, and, by
enqueue_on_stand_in.py, on the stand-in driver."""
import os
import pathlib
import shutil
import subprocess
import sys
import weakref

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hone

ROOT = pathlib.Path(__file__).resolve().parents[2]
PORT = helper.make_tensor_value_info
X = np.arange(12, dtype=np.float32).reshape(3, 4)


def transposed(dtype):
    """y = x.T"""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph([helper.make_node("Transpose", ["x"], ["y"])], "g", [PORT("x", kind, [3, "n"])],
                              [PORT("y", kind, ["n", 3])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return hone.build(model, device="cpu", measure=False)


@pytest.fixture(scope="module")
def engine():
    return transposed(np.float32)


def test_on_the_cpu_it_is_a_run(engine):
    context = engine.context()
    for i in range(3):
        x, y = X + i, np.full((4, 3), np.nan, np.float32)
        assert context.enqueue({"x": x}, {"y": y}) is None
        assert np.array_equal(y, x.T)
        refs = weakref.ref(x), weakref.ref(y)
        del x, y
        assert not any(ref() for ref in refs)
    context.wait()
    wide = np.tile(X, 3)[:, ::2]  # copied to rows
    y = np.empty(wide.shape[::-1], np.float32)
    context.enqueue({"x": wide}, {"y": y})
    assert np.array_equal(y, wide.T) and np.array_equal(context.run({"x": X})["y"], X.T)


def test_types_that_numpy_has_not():
    y = np.zeros((4, 3), ml_dtypes.bfloat16)
    transposed(ml_dtypes.bfloat16).context().enqueue({"x": X.astype(ml_dtypes.bfloat16)}, {"y": y})
    assert np.array_equal(y, X.T.astype(ml_dtypes.bfloat16))


Y = np.empty((4, 3), np.float32)


@pytest.mark.parametrize("inputs,outputs,error,says", [
    ({"x": X}, {}, hone.InvalidArgumentError, "output 'y' was not given"),
    ({"x": X}, {"y": None}, hone.InvalidArgumentError, "output 'y' was not given"),
    ({}, {"y": Y}, hone.InvalidArgumentError, "input 'x' was not given"),
    ({"x": X}, {"y": Y, "z": Y}, hone.InvalidArgumentError, "no output 'z'"),
    ({"x": X, "z": Y}, {"y": Y}, hone.InvalidArgumentError, "no input 'z'"),
    ({"x": X}, {"y": np.empty((3, 4), np.float32)}, hone.InvalidArgumentError,
     r"output 'y' has shape \(4, 3\) and was given \(3, 4\)"),
    ({"x": X}, {"y": np.empty((4, 2), np.float32)}, hone.InvalidArgumentError, "takes 48 bytes and was given 32"),
    ({"x": X}, {"y": np.empty((4, 3), np.int32)}, TypeError, "elements of f32 and was given s32"),
    ({"x": X.T.copy()}, {"y": Y}, hone.InvalidArgumentError, "dimension 0 is 3 and was given as 4"),
])
def test_what_is_refused(engine, inputs, outputs, error, says):
    context = engine.context()
    with pytest.raises(error, match=says):
        context.enqueue(inputs, outputs)
    context.wait()
    assert np.array_equal(context.run({"x": X})["y"], X.T)


@pytest.mark.parametrize("stream", [None, 0, 1])
def test_no_streams_on_the_cpu(engine, stream):
    with pytest.raises(hone.UnsupportedError, match="the engine runs on the CPU"):
        engine.context().set_stream(stream)


def test_on_the_stand_in():
    build = ROOT / os.environ.get("HONE_BUILD", "build") / "tests"
    names = {"HONE_CUDA_DRIVER": "driver", "HONE_NVRTC": "nvrtc", "HONE_CUBLASLT": "cublaslt", "HONE_CUDNN": "cudnn"}
    libraries = {variable: build / f"libstand_in_{name}.so" for variable, name in names.items()}
    compiler = shutil.which("c++") or shutil.which("g++")
    if not compiler or not all(path.exists() for path in libraries.values()):
        pytest.skip(f"no compiler, or no stand-in driver at {build} (make build)")
    folder = ROOT / ".cache" / "stand_in"
    folder.mkdir(parents=True, exist_ok=True)
    stand_in = {"HONE_STAND_IN_CXX": compiler, "HONE_STAND_IN_SOURCE": str(ROOT / "tests" / "cuda"),
                "HONE_STAND_IN_FOLDER": str(folder)}
    cases = str(ROOT / "tests" / "python" / "enqueue_on_stand_in.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cases], text=True, capture_output=True,
        env={**os.environ, **stand_in, **{name: str(path) for name, path in libraries.items()}})
    assert done.returncode == 0, done.stdout + done.stderr
