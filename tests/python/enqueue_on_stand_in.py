"""Runs that are only asked for, on the stand-in driver, which does nothing of a stream before it is waited for:
test_enqueue.py runs this file in a process that finds the stand-in."""
import ctypes
import gc
import os
import pathlib
import re
import weakref

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hone

PORT = helper.make_tensor_value_info
FLOAT = TensorProto.FLOAT
MOST_UNDER_WAY = 16  # python/extension/context.h

# ---- The driver -------------------------------------------------------------------------------


HEADER = pathlib.Path(__file__).resolve().parent.parent / "cuda" / "stand_in.h"
COUNTS = HEADER.read_text().split("typedef struct stand_in_state {")[1].split("}")[0]


class State(ctypes.Structure):
    """As the stand-in's header has it."""

    _fields_ = [(name, ctypes.c_uint64) for name in re.findall(r"uint64_t (\w+);", COUNTS)]


driver = ctypes.CDLL(os.environ["HONE_CUDA_DRIVER"])
driver.cuMemFree_v2.argtypes = [ctypes.c_uint64]
for name in ("cuMemFreeHost", "cuStreamSynchronize", "cuStreamDestroy_v2", "cuCtxPushCurrent_v2"):
    getattr(driver, name).argtypes = [ctypes.c_void_p]


def state():
    now = State()
    driver.stand_in_read_state(ctypes.byref(now))
    return now


def enter():
    """Memory and streams are made in the context that Hone uses, too."""
    context = ctypes.c_void_p()
    assert driver.cuInit(0) == 0 and driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 7) == 0
    assert driver.cuCtxPushCurrent_v2(context) == 0


enter()


@pytest.fixture(autouse=True)
def no_violation():
    before = state().violations
    yield
    gc.collect()
    assert state().violations == before


@pytest.fixture
def stream():
    made = ctypes.c_void_p()
    assert driver.cuStreamCreate(ctypes.byref(made), 1) == 0
    yield made.value
    gc.collect()
    assert driver.cuStreamDestroy_v2(made) == 0


# ---- Arrays of other libraries ----------------------------------------------------------------

CUDA, PINNED = 2, 3


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("kind", ctypes.c_int32), ("id", ctypes.c_int32), ("rank", ctypes.c_int32),
                ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
                ("shape", ctypes.c_void_p), ("strides", ctypes.c_void_p), ("offset", ctypes.c_uint64)]


class Managed(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class Versioned(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
                ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", Tensor)]


given = {}  # address of what was given away: all that it needs


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def take_back(address):
    del given[address]


CODES = {"f": 2, "i": 0}


class Array:
    """Memory of the stand-in's, on the device or pinned, which goes with the last reference."""

    def __init__(self, array, kind=CUDA):
        self.shape, self.dtype, self.size, self.kind = array.shape, array.dtype, array.nbytes, kind
        self.asked = []  # the streams it was asked for
        out = ctypes.c_void_p()
        if kind == CUDA:
            assert driver.cuMemAlloc_v2(ctypes.byref(out), ctypes.c_size_t(self.size)) == 0
        else:
            assert driver.cuMemHostAlloc(ctypes.byref(out), ctypes.c_size_t(self.size), 0) == 0
        self.address = out.value
        self.set(array)

    def __del__(self):
        (driver.cuMemFree_v2 if self.kind == CUDA else driver.cuMemFreeHost)(self.address)

    def set(self, array):
        ctypes.memmove(self.address, np.ascontiguousarray(array).ctypes.data, self.size)

    def get(self):
        """A copy of what is there now."""
        return np.frombuffer(ctypes.string_at(self.address, self.size), self.dtype).reshape(self.shape)

    def give(self, make):
        """The address of a Managed or Versioned tensor."""
        shape = (ctypes.c_int64 * len(self.shape))(*self.shape)
        tensor = Tensor(self.address, self.kind, 0, len(self.shape), CODES[self.dtype.kind], self.dtype.itemsize * 8, 1,
                        ctypes.addressof(shape), None, 0)
        out = make(tensor=tensor, deleter=ctypes.cast(take_back, ctypes.c_void_p).value)
        given[ctypes.addressof(out)] = out, shape, self
        return ctypes.addressof(out)

    def __dlpack__(self, stream=None):  # of no max_version: asked again without it
        self.asked.append(stream)
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return make(self.give(Managed), b"dltensor", None)

    def __dlpack_device__(self):
        return (self.kind, 0)


# ---- Engines ----------------------------------------------------------------------------------


def build(nodes, inputs, outputs, **constants):
    weights = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return hone.build(model, device="cuda", measure=False)


@pytest.fixture(scope="module")
def engine():
    """y = max(x * 3, 0)"""
    return build([helper.make_node("Mul", ["x", "three"], ["m"]), helper.make_node("Relu", ["m"], ["y"])],
                 [PORT("x", FLOAT, ["n", 4])], [PORT("y", FLOAT, ["n", 4])], three=np.float32(3))


@pytest.fixture(scope="module")
def lookup():
    """y = table[i], where an i may be no place"""
    return build([helper.make_node("Gather", ["table", "i"], ["y"])], [PORT("i", TensorProto.INT64, ["n"])],
                 [PORT("y", FLOAT, ["n", 3])], table=np.arange(15, dtype=np.float32).reshape(5, 3))


@pytest.fixture
def context(engine):
    return engine.context()


X = np.float32([[1, -2, 3, -4], [-5, 6, -7, 8]])


def answer(x):
    return np.maximum(x * 3, 0)


def nothing(kind=CUDA):
    return Array(np.full(X.shape, np.nan, np.float32), kind)


# ---- Asking and waiting -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CUDA, PINNED])
def test_asked_for_twice(context, kind):
    xs, ys = [Array(X + i, kind) for i in range(2)], [nothing(kind), nothing(kind)]
    for _ in range(4):  # plain, recorded, replayed
        for x, y in zip(xs, ys):
            y.set(np.full(X.shape, np.nan, np.float32))
            assert context.enqueue({"x": x}, {"y": y}) is None
        if kind == PINNED:
            assert all(np.isnan(y.get()).all() for y in ys)
        context.wait()
        for i, y in enumerate(ys):
            assert np.array_equal(y.get(), answer(X + i))
    context.wait()


def test_a_new_size_between(context):
    large = np.tile(X, (5, 1))
    for x in (X, large, X[:1]):
        y = Array(np.empty_like(x))
        context.enqueue({"x": Array(x)}, {"y": y})
        context.wait()
        assert np.array_equal(y.get(), answer(x))


def test_the_same_arrays_take_one_place(context, stream):
    context.set_stream(stream)
    x, y = Array(X), nothing()
    for _ in range(3 * MOST_UNDER_WAY):
        context.enqueue({"x": x}, {"y": y})
    assert np.isnan(y.get()).all() and len(given) == 2
    assert driver.cuStreamSynchronize(stream) == 0  # the caller's wait does as well
    assert np.array_equal(y.get(), answer(X))
    context.wait()
    assert not given


def test_what_lies_on_the_host_is_waited_for(context):
    y = np.full(X.shape, np.nan, np.float32)
    context.enqueue({"x": X}, {"y": y})
    assert np.array_equal(y, answer(X))
    context.enqueue({"x": Array(X + 1)}, {"y": y})
    assert np.array_equal(y, answer(X + 1))
    on_device = nothing()
    context.enqueue({"x": X}, {"y": on_device})
    context.wait()
    assert np.array_equal(on_device.get(), answer(X))


def test_a_run_comes_after(context):
    y = nothing()
    ref = weakref.ref(y)
    context.enqueue({"x": Array(X)}, {"y": y})
    out = context.run({"x": X + 1})["y"]
    assert np.array_equal(out, answer(X + 1)) and np.array_equal(y.get(), answer(X))
    del y
    assert ref() is None and not given


# ---- References -------------------------------------------------------------------------------


def test_held_until_it_is_over(context):
    x, y = Array(X), nothing()
    refs = weakref.ref(x), weakref.ref(y)
    context.enqueue({"x": x}, {"y": y})
    del x, y
    gc.collect()
    assert all(ref() for ref in refs)
    context.wait()
    assert not any(ref() for ref in refs)


def test_many_that_nobody_else_holds(context, stream):
    """Freed memory that a kernel was given is a violation of the stand-in's."""
    context.set_stream(stream)
    outputs = [nothing() for _ in range(3 * MOST_UNDER_WAY + 1)]
    for i, y in enumerate(outputs):
        context.enqueue({"x": Array(X + i)}, {"y": y})
        assert len(given) <= 2 * MOST_UNDER_WAY
    context.wait()
    assert not given
    for i, y in enumerate(outputs):
        assert np.array_equal(y.get(), answer(X + i))


def test_the_context_goes_while_a_run_is_under_way(engine, stream):
    context, y = engine.context(), nothing()
    context.set_stream(stream)
    context.enqueue({"x": Array(X)}, {"y": y})
    del context
    assert np.array_equal(y.get(), answer(X)) and not given


def test_another_array_at_the_same_place(context, stream):
    """An object that is held keeps the memory it had then, not what it has now."""
    context.set_stream(stream)
    x, other, y = Array(X), Array(X + 1), nothing()
    context.enqueue({"x": x}, {"y": y})
    x.address, other.address = other.address, x.address
    context.enqueue({"x": x}, {"y": y})
    assert len(given) == 4
    context.wait()
    assert np.array_equal(y.get(), answer(X + 1))


# ---- Errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("later", ["wait", "enqueue", "run", "set_stream"])
def test_what_goes_wrong_is_said_later(lookup, later):
    context = lookup.context()
    y = Array(np.zeros((2, 3), np.float32))
    good = {"i": Array(np.int64([4, 0]))}
    context.enqueue({"i": Array(np.int64([1, 9]))}, {"y": y})
    if later == "enqueue":  # it waits for nobody to know
        context.enqueue(good, {"y": y})
    with pytest.raises(hone.InvalidArgumentError, match="index 9 is outside"):
        {"wait": context.wait, "enqueue": context.wait, "run": lambda: context.run(good),
         "set_stream": lambda: context.set_stream(None)}[later]()
    context.wait()
    assert not given
    context.enqueue(good, {"y": y})
    context.wait()
    assert np.array_equal(y.get(), np.float32([[12, 13, 14], [0, 1, 2]]))


def test_a_driver_that_fails(context):
    x, y = Array(X), nothing()
    driver.stand_in_set_failure.argtypes = [ctypes.c_uint64, ctypes.c_int]
    context.enqueue({"x": x}, {"y": y})
    driver.stand_in_set_failure(1, 699)
    with pytest.raises(hone.DeviceError):
        context.wait()
    driver.stand_in_set_failure(0, 0)
    assert not given
    context.run({"x": x}, outputs={"y": y})
    assert np.array_equal(y.get(), answer(X))


def test_what_is_refused_is_not_asked_for(context):
    x, launches = Array(X), state().launches
    small, wrong = Array(X[:1]), Array(X.astype(np.int32))
    with pytest.raises(hone.InvalidArgumentError, match="output 'y' takes 32 bytes and was given 16"):
        context.enqueue({"x": x}, {"y": small})
    with pytest.raises(TypeError, match="output 'y' has elements of f32 and was given s32"):
        context.enqueue({"x": x}, {"y": wrong})
    with pytest.raises(hone.InvalidArgumentError, match="output 'y' was not given"):
        context.enqueue({"x": x}, {})
    context.wait()
    assert not given and state().launches == launches


# ---- Streams ----------------------------------------------------------------------------------


class Protocol:
    def __init__(self, handle, version=0):
        self.handle, self.version = handle, version

    def __cuda_stream__(self):
        return (self.version, self.handle)


class OfTorch:
    def __init__(self, handle):
        self.cuda_stream = handle


@pytest.mark.parametrize("form", [int, Protocol, OfTorch])
def test_on_a_stream_of_the_callers(context, stream, form):
    x, y = Array(X), nothing()
    context.enqueue({"x": x}, {"y": y})
    context.set_stream(form(stream))  # waits
    assert np.array_equal(y.get(), answer(X)) and x.asked == y.asked == [1]
    y.set(X)
    context.enqueue({"x": x}, {"y": y})
    assert np.array_equal(y.get(), X) and x.asked == y.asked == [1, stream]
    assert driver.cuStreamSynchronize(stream) == 0
    assert np.array_equal(y.get(), answer(X))
    context.set_stream(None)
    context.run({"x": x}, outputs={"y": y})
    assert x.asked == [1, stream, 1]


def test_the_default_stream_has_two_names(context):
    for handle in (0, 1, Protocol(0)):
        x = Array(X)
        context.set_stream(handle)
        context.run({"x": x}, outputs={"y": nothing()})
        assert x.asked == [1]


def test_the_streams_object_is_kept(engine, stream):
    context, owner = engine.context(), OfTorch(stream)
    ref = weakref.ref(owner)
    context.set_stream(owner)
    del owner
    assert ref()
    context.set_stream(stream)
    assert ref() is None


@pytest.mark.parametrize("handle,error", [("1", TypeError), (1.0, TypeError), (-1, OverflowError),
                                          (1 << 64, OverflowError), (Protocol(1, 7), hone.UnsupportedError)])
def test_streams_that_are_refused(context, handle, error):
    with pytest.raises(error):
        context.set_stream(handle)


class Table(ctypes.Structure):
    Take = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(ctypes.c_void_p))
    Borrow = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.POINTER(Tensor))
    Stream = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int32, ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p))
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("older", ctypes.c_void_p),
                ("allocate", ctypes.c_void_p), ("take", Take), ("give", ctypes.c_void_p),
                ("borrow", Borrow), ("work_stream", Stream)]


@pytest.fixture
def fast():
    """A type of arrays that shows functions; how often arrays were taken and looked at, and its owner's stream."""

    def take(array, out):
        Fast.taken += 1
        out[0] = array.give(lambda **words: Versioned(1, 1, **words))
        return 0

    def borrow(array, out):
        Fast.seen += 1
        array.sizes = (ctypes.c_int64 * len(array.shape))(*array.shape)
        out[0] = Tensor(array.address, array.kind, 0, len(array.shape), CODES[array.dtype.kind],
                        array.dtype.itemsize * 8, 1, ctypes.addressof(array.sizes), None, 0)
        return 0

    def work_stream(kind, index, out):
        out[0] = Fast.works_on
        return 0

    table = Table(1, 3, None, None, Table.Take(take), None, Table.Borrow(borrow), Table.Stream(work_stream))
    make = ctypes.pythonapi.PyCapsule_New
    make.restype, make.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

    class Fast(Array):
        __dlpack_c_exchange_api__ = make(ctypes.addressof(table), b"dlpack_exchange_api", None)
        works_on, taken, seen = None, 0, 0
        functions = table

    return Fast


def test_arrays_by_the_functions_of_their_type(context, stream, fast):
    """Those whose owner works on the stream need not be asked for an order."""
    x, y = fast(X), fast(X)
    for ours, theirs, asked in ((None, None, []), (stream, None, [stream]), (stream, stream, []), (1, stream, [1])):
        fast.works_on = theirs
        context.set_stream(ours)
        x.asked.clear()
        y.set(X)
        context.enqueue({"x": x}, {"y": y})
        assert x.asked == asked
        context.wait()
        assert np.array_equal(y.get(), answer(X))


def test_the_same_arrays_again_are_not_taken_again(context, stream, fast):
    fast.works_on = stream
    context.set_stream(stream)
    x, y = fast(X), fast(X)
    for i in range(3):
        x.set(X + i)
        context.enqueue({"x": x}, {"y": y})
        assert driver.cuStreamSynchronize(stream) == 0
        assert np.array_equal(y.get(), answer(X + i)) and fast.taken == 2
    assert fast.seen == 2 + 2 * 2
    context.wait()
    context.enqueue({"x": x}, {"y": y})
    assert fast.taken == 4  # nobody held them any more
    context.wait()
    assert not given


@pytest.mark.parametrize("change", ["place", "shape", "order", "array", "run", "more", "wait", "type"])
def test_arrays_that_are_others_are_taken(context, stream, fast, change):
    fast.works_on = stream
    context.set_stream(stream)
    x, y = fast(X), fast(X)
    context.enqueue({"x": x}, {"y": y})
    given_x, given_y, outcome = {"x": x}, {"y": y}, X + 1
    if change == "place":
        other = fast(X)
        x.address, other.address = other.address, x.address
    if change == "shape":
        x.shape = y.shape = (1, 4)
        x.size = y.size = x.size // 2
        outcome = X[1:]
    if change == "order":
        fast.works_on = None
    if change == "array":
        given_x = {"x": fast(X)}
    if change == "run":
        assert np.array_equal(context.run({"x": X + 5})["y"], answer(X + 5))
    if change == "more":
        with pytest.raises(hone.InvalidArgumentError, match="no input 'z'"):
            context.enqueue({"x": x, "z": x}, given_y)
    if change == "wait":
        context.wait()
    if change == "type":
        given_y = {"y": Array(X)}
    taken = fast.taken
    assert driver.cuStreamSynchronize(stream) == 0
    given_x["x"].set(outcome)
    context.enqueue(given_x, given_y)
    assert driver.cuStreamSynchronize(stream) == 0
    assert np.array_equal(given_y["y"].get(), answer(outcome))
    assert fast.taken > taken or change == "more"
    context.wait()
