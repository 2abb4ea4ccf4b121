"""Arrays in and out without copies: buffers, DLPack, the caller's outputs; and all of it without NumPy."""
import array
import ctypes
import os
import pathlib
import subprocess
import sys
import textwrap

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hone

PORT = helper.make_tensor_value_info
FLOAT = TensorProto.FLOAT


def build(nodes, inputs, outputs):
    graph = helper.make_graph(nodes, "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return hone.build(model, measure=False)


def transposed(dtype, shape=(3, "n")):
    """y = x.T"""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return build([helper.make_node("Transpose", ["x"], ["y"])], [PORT("x", kind, shape)],
                 [PORT("y", kind, shape[::-1])])


@pytest.fixture(scope="module")
def engine():
    return transposed(np.float32)


X = np.arange(12, dtype=np.float32).reshape(3, 4)

# ---- hone.Tensor ------------------------------------------------------------------------------


def test_outputs_without_numpy_are_tensors(engine):
    y = engine.run({"x": X}, numpy=False)["y"]
    assert isinstance(y, hone.Tensor) and y.dtype == "f32" and y.shape == (4, 3) and y.nbytes == 48
    assert memoryview(y).tolist() == X.T.tolist()
    assert "f32" in repr(y) and y.__dlpack_device__() == (1, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8",
                                   "uint16", "uint32", "uint64", "bool", "complex64", "complex128"])
def test_buffers_and_dlpack_of_every_type(dtype):
    x = np.array([[0, 1, 2, 3], [4, 5, 1, 7], [1, 0, 1, 0]]).astype(dtype)
    engine = transposed(dtype)
    y = engine.run({"x": x}, numpy=False)["y"]
    for back in (np.asarray(y), np.from_dlpack(y)):
        assert back.dtype == x.dtype and np.array_equal(back, x.T)
    assert np.shares_memory(np.asarray(y), np.from_dlpack(y))


def test_the_memory_outlives_the_tensor(engine):
    views = [np.from_dlpack(engine.run({"x": X + i}, numpy=False)["y"]) for i in range(20)]
    for i, view in enumerate(views):
        assert np.array_equal(view, (X + i).T)
    del engine
    assert np.array_equal(views[3], (X + 3).T)


def test_a_tensor_goes_in_again(engine):
    y = engine.run(X, numpy=False)
    square = transposed(np.float32, ("a", "b"))
    assert np.array_equal(square.run(y), X)
    assert np.array_equal(square.run({"x": OnlyDlpack(y)})["y"], X)


def test_outputs_whose_sizes_only_running_tells():
    engine = build([helper.make_node("NonZero", ["x"], ["y"]), helper.make_node("Identity", ["x"], ["same"])],
                   [PORT("x", FLOAT, ["n"])], [PORT("y", TensorProto.INT64, [1, None]), PORT("same", FLOAT, ["n"])])
    context = engine.context()
    for x in ([0, 1, 0, 2], [1, 1, 1, 1], [0, 0, 0, 0], [3], [0, 5, 6, 7, 8]):
        x = np.float32(x)
        got = context.run({"x": x})
        assert np.array_equal(got["y"], np.stack(np.nonzero(x))) and np.array_equal(got["same"], x)
        assert not np.shares_memory(got["same"], x)
        out = np.empty((1, np.count_nonzero(x)), np.int64)
        assert np.array_equal(context.run({"x": x}, outputs={"y": out})["y"], got["y"])


def test_capsules_that_nobody_takes_are_freed(engine):
    y = engine.run(X, numpy=False)
    before = sys.getrefcount(y)
    for version in (None, (1, 0)):
        capsule = y.__dlpack__(max_version=version)
        assert sys.getrefcount(y) == before + 1
        del capsule
        assert sys.getrefcount(y) == before
    copy = np.from_dlpack(y, copy=True)
    assert not np.shares_memory(copy, np.asarray(y)) and np.array_equal(copy, X.T)


def test_types_that_dlpack_does_not_know():
    x = np.arange(12).reshape(3, 4).astype(ml_dtypes.int4)
    y = transposed(ml_dtypes.int4).run({"x": x}, numpy=False)["y"]
    with pytest.raises(BufferError, match="s4"):
        y.__dlpack__()


# ---- DLPack in --------------------------------------------------------------------------------


class OnlyDlpack:
    """What knows DLPack and no buffer protocol."""

    def __init__(self, array, old=False):
        self.array, self.old = array, old

    def __dlpack__(self, **words):
        if self.old and words:
            raise TypeError("no such keyword")
        return self.array.__dlpack__(**words)

    def __dlpack_device__(self):
        return (1, 0)


@pytest.mark.parametrize("old", [False, True])
def test_dlpack_in(engine, old):
    for x in (X, X.copy(), np.zeros((3, 0), np.float32)):
        assert np.array_equal(engine.run({"x": OnlyDlpack(x, old)})["y"], x.T)


def refusing_buffer():
    """A class whose instances show a buffer that raises TypeError, as arrays on a GPU may."""
    class Slot(ctypes.Structure):
        _fields_ = [("slot", ctypes.c_int), ("function", ctypes.c_void_p)]

    class Spec(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("size", ctypes.c_int), ("item", ctypes.c_int),
                    ("flags", ctypes.c_uint), ("slots", ctypes.POINTER(Slot))]

    get_buffer, may_be_a_base = 1, 1 << 10  # Py_bf_getbuffer, Py_TPFLAGS_BASETYPE
    # Of what has no items it says so, whatever its other arguments are.
    refuse = ctypes.cast(ctypes.pythonapi.PySequence_SetItem, ctypes.c_void_p).value
    slots = (Slot * 2)((get_buffer, refuse), (0, None))
    make = ctypes.pythonapi.PyType_FromSpec
    make.restype, make.argtypes = ctypes.py_object, [ctypes.POINTER(Spec)]
    return make(Spec(b"tests.Refusing", object.__basicsize__, 0, may_be_a_base, slots))


def test_a_buffer_that_refuses(engine):
    class OnACard(refusing_buffer()):
        def __dlpack__(self, **words):
            return X.__dlpack__(**words)

        def __dlpack_device__(self):
            return (1, 0)

    with pytest.raises(TypeError):
        memoryview(OnACard())
    assert np.array_equal(engine.run({"x": OnACard()})["y"], X.T)


def capsule_of(table):
    """The capsule of DLPack's table of functions that a type shows."""
    make = ctypes.pythonapi.PyCapsule_New
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return make(ctypes.addressof(table), b"dlpack_exchange_api", None)


class Table(ctypes.Structure):
    Take = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(ctypes.c_void_p))
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("older", ctypes.c_void_p),
                ("allocate", ctypes.c_void_p), ("take", Take), ("give", ctypes.c_void_p),
                ("borrow", ctypes.c_void_p), ("work_stream", ctypes.c_void_p)]


def test_dlpack_by_the_functions_of_a_type(engine):
    asked = []

    def take(tensor, out):
        asked.append(tensor)
        capsule = tensor.array.__dlpack__(max_version=(1, 1))
        address = ctypes.pythonapi.PyCapsule_GetPointer
        address.restype, address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        out[0] = address(capsule, b"dltensor_versioned")
        ctypes.pythonapi.PyCapsule_SetName(ctypes.py_object(capsule), b"used_dltensor_versioned")
        return 0

    class Fast(OnlyDlpack):
        pass

    def table(major):
        return Table(major, 3, None, None, Table.Take(take), None, None, None)

    known, unknown = table(1), table(2)
    Fast.__dlpack_c_exchange_api__ = capsule_of(known)
    assert np.array_equal(engine.run({"x": Fast(X)})["y"], X.T) and len(asked) == 1
    for other in (capsule_of(unknown), None):
        Fast.__dlpack_c_exchange_api__ = other
        assert np.array_equal(engine.run({"x": Fast(X)})["y"], X.T) and len(asked) == 1


def test_dlpack_that_is_refused(engine):
    class Elsewhere(OnlyDlpack):
        def __dlpack__(self, **words):
            raise BufferError("on a GPU")

    with pytest.raises(BufferError, match="GPU"):
        engine.run({"x": Elsewhere(X)})
    with pytest.raises(BufferError, match="contiguous"):
        engine.run({"x": OnlyDlpack(np.zeros((3, 8), np.float32)[:, ::2])})
    with pytest.raises(hone.InvalidArgumentError):
        engine.run({"x": OnlyDlpack(X.astype(np.float64))})


def test_torch(engine):
    torch = pytest.importorskip("torch")
    x = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    assert np.array_equal(engine.run({"x": x})["y"], x.numpy().T)
    assert np.array_equal(engine.run({"x": x.t().contiguous().t()})["y"], x.numpy().T)
    y = torch.from_dlpack(engine.run({"x": x}, numpy=False)["y"])
    assert torch.equal(y, x.t())
    out = torch.empty(4, 3)
    assert engine.run({"x": x}, outputs={"y": out})["y"] is out and torch.equal(out, x.t())


# ---- The caller's outputs ---------------------------------------------------------------------


def test_outputs_into_the_callers_arrays(engine):
    context = engine.context()
    out = np.full((4, 3), np.nan, np.float32)
    result = context.run({"x": X}, outputs={"y": out})
    assert result["y"] is out and np.array_equal(out, X.T)
    kept = out.copy()
    other = context.run({"x": X + 1})["y"]  # the next run does not write to it
    assert np.array_equal(out, kept) and np.array_equal(other, (X + 1).T)


@pytest.mark.parametrize("make", [lambda: OnlyDlpack(np.empty((4, 3), np.float32)),
                                  lambda: memoryview(np.empty((4, 3), np.float32))])
def test_outputs_into_what_has_a_buffer_or_dlpack(engine, make):
    out = make()
    engine.run({"x": X}, outputs={"y": out})
    assert np.array_equal(np.asarray(out.array if isinstance(out, OnlyDlpack) else out), X.T)


def test_outputs_of_bf16():
    engine = transposed(ml_dtypes.bfloat16)
    out = np.zeros((4, 3), ml_dtypes.bfloat16)
    engine.run({"x": X.astype(ml_dtypes.bfloat16)}, outputs={"y": out})
    assert np.array_equal(out, X.T.astype(ml_dtypes.bfloat16))


def test_some_outputs():
    engine = build([helper.make_node("Split", ["x"], ["a", "b"], num_outputs=2)], [PORT("x", FLOAT, ["n"])],
                   [PORT("a", FLOAT, None), PORT("b", FLOAT, None)])
    out = np.empty(2, np.float32)
    result = engine.run({"x": np.float32([1, 2, 3, 4])}, outputs={"b": out})
    assert result["a"].tolist() == [1, 2] and result["b"] is out and out.tolist() == [3, 4]


@pytest.mark.parametrize("out,error", [
    (np.empty((3, 4), np.float32), hone.InvalidArgumentError),
    (np.empty((4, 2), np.float32), hone.InvalidArgumentError),
    (np.empty((5, 3), np.float32), hone.InvalidArgumentError), (np.empty((4, 3), np.float64), TypeError),
    (np.empty((4, 6), np.float32)[:, ::2], (ValueError, BufferError)), ([0] * 12, TypeError),
    (np.frombuffer(bytes(48), np.float32).reshape(4, 3), (ValueError, BufferError)),
])
def test_outputs_that_are_refused(engine, out, error):
    with pytest.raises(error):
        engine.run({"x": X}, outputs={"y": out})
    assert np.array_equal(engine.run({"x": X})["y"], X.T)


def test_outputs_of_no_name(engine):
    with pytest.raises(hone.InvalidArgumentError, match="no output 'z'"):
        engine.run({"x": X}, outputs={"z": np.empty(1, np.float32)})


# ---- Strings, sequences, optionals ------------------------------------------------------------


def test_strings_as_lists():
    engine = build([helper.make_node("Identity", ["x"], ["y"])], [PORT("x", TensorProto.STRING, [2, 2])],
                   [PORT("y", TensorProto.STRING, [2, 2])])
    words = [["a", "ü"], ["", "long " * 50]]
    assert engine.run({"x": words}, numpy=False)["y"] == words
    assert engine.run({"x": np.array(words)})["y"].tolist() == words
    assert engine.run({"x": [[b"a", b"b"], [b"c", b"d"]]})["y"].tolist() == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.int64])
def test_sequences_of_every_kind_of_array(dtype):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    sequence = helper.make_tensor_sequence_value_info
    engine = build([helper.make_node("Identity", ["s"], ["t"])], [sequence("s", kind, None)],
                   [sequence("t", kind, None)])
    parts = [np.ones((2, 2), dtype), np.zeros((0, 3), dtype), np.array(5, dtype)]
    got = engine.run({"s": parts})["t"]
    assert [g.shape for g in got] == [(2, 2), (0, 3), ()] and all(g.dtype == dtype for g in got)
    assert engine.run({"s": []})["t"] == []
    assert all(isinstance(part, hone.Tensor) for part in engine.run({"s": parts}, numpy=False)["t"])


def test_a_context_does_not_grow_with_the_sequences_that_it_has_seen():
    sequence = helper.make_tensor_sequence_value_info
    engine = build([helper.make_node("Identity", ["s"], ["t"])], [sequence("s", FLOAT, None)],
                   [sequence("t", FLOAT, None)])
    context, parts = engine.context(), [X] * 50
    context.run({"s": parts})
    context.run({"s": parts})
    memory = context.memory
    for _ in range(200):
        context.run({"s": parts})
    assert context.memory == memory
    with pytest.raises((TypeError, hone.Error)):
        context.run({"s": X})
    assert len(context.run({"s": parts[:2]})["t"]) == 2


@pytest.mark.parametrize("value", [None, X])
def test_optionals_come_out(value):
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, None))
    engine = build([helper.make_node("Identity", ["x"], ["y"])], [helper.make_value_info("x", kind)],
                   [helper.make_value_info("y", kind)])
    y = engine.run({"x": value})["y"]
    assert y is None if value is None else np.array_equal(y, X)


# ---- Without NumPy ----------------------------------------------------------------------------

WITHOUT = """
    import array, sys
    import hone
    assert "numpy" not in sys.modules
    try:
        import numpy
        raise SystemExit("NumPy is here: the test tests nothing")
    except ImportError:
        pass
    engine = hone.build({model!r}, measure=False)
    x = memoryview(array.array("f", range(12))).cast("B").cast("f", (3, 4))
    y = engine.run({{"x": x}})["y"]
    assert isinstance(y, hone.Tensor), y
    want = [[float(4 * j + i) for j in range(3)] for i in range(4)]
    assert memoryview(y).tolist() == want
    assert memoryview(engine.run(x)).tolist() == want
    assert engine.run({{"x": engine.context().run(x)}} if False else {{"x": x}})["y"].shape == (4, 3)
    out = array.array("f", bytes(48))
    assert engine.run({{"x": x}}, outputs={{"y": out}})["y"] is out
    assert list(out) == sum(want, [])
    for wrong in (1.5, [1.0], None, object()):
        try:
            engine.run({{"x": wrong}})
            raise SystemExit("taken: " + repr(wrong))
        except (TypeError, hone.Error):
            pass
    try:
        engine.run({{"x": x}}, numpy=True)
        raise SystemExit("NumPy was promised")
    except ImportError:
        pass
    print("good")
"""


def test_everything_runs_where_numpy_is_not_installed(tmp_path):
    """In an interpreter that sees the standard library and this package alone."""
    graph = helper.make_graph([helper.make_node("Transpose", ["x"], ["y"])], "g", [PORT("x", FLOAT, [3, "n"])],
                              [PORT("y", FLOAT, ["n", 3])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "m.onnx")
    (tmp_path / "only").mkdir()
    os.symlink(pathlib.Path(hone.__file__).parent, tmp_path / "only" / "hone")
    code = f"import sys; sys.path.append({str(tmp_path / 'only')!r})\n"
    code += textwrap.dedent(WITHOUT).format(model=str(tmp_path / "m.onnx"))
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "good", done.stdout + done.stderr


def test_arrays_of_the_standard_library(engine):
    x = memoryview(array.array("f", range(12))).cast("B").cast("f", (3, 4))
    assert np.array_equal(engine.run({"x": x})["y"], X.T)
