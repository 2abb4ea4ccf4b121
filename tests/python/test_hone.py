"""The Python package: what goes in and comes out, files, threads, errors."""
import json
import pickle
import subprocess
import sys
import threading

import ml_dtypes
import numerics
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import hone

PORT = helper.make_tensor_value_info


def make_model(nodes, inputs, outputs, weights=(), opset=21):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def affine(shape=("n", 3)):
    """y = relu(x @ w + b)."""
    weights = [numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(3, 4) - 5, "w"),
               numpy_helper.from_array(np.float32([1, -1, 0, 2]), "b")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["p", "b"], ["s"]),
             helper.make_node("Relu", ["s"], ["y"])]
    return make_model(nodes, [PORT("x", TensorProto.FLOAT, shape)],
                      [PORT("y", TensorProto.FLOAT, (shape[0], 4))], weights)


def affine_answer(x):
    w = np.arange(12, dtype=np.float32).reshape(3, 4) - 5
    return np.maximum(x @ w + np.float32([1, -1, 0, 2]), 0)


LIMIT = numerics.bound("model", "fp32")
X = np.float32([[1, 2, 3], [-1, 0.5, 0]])


@pytest.fixture(scope="module")
def engine():
    return hone.build(affine(), measure=False)


@pytest.mark.parametrize("how", ["proto", "bytes", "bytearray", "memoryview", "path", "text path"])
def test_sources(how, tmp_path):
    model = affine()
    onnx.save(model, tmp_path / "m.onnx")
    data = model.SerializeToString()
    source = {"proto": model, "bytes": data, "bytearray": bytearray(data), "memoryview": memoryview(data),
              "path": tmp_path / "m.onnx",
              "text path": str(tmp_path / "m.onnx")}[how]
    assert np.array_equal(hone.build(source, measure=False).run({"x": X})["y"], affine_answer(X))


def test_ports(engine):
    (x,), (y,) = engine.inputs, engine.outputs
    assert (x.name, x.dtype, x.shape, x.kind) == ("x", "f32", ("n", 3), "tensor")
    assert (y.name, y.dtype) == ("y", "f32") and y.shape[1] == 4


def test_a_bare_array_comes_back_bare(engine):
    assert np.array_equal(engine.run(X), affine_answer(X))


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 2, 0])
def test_any_batch(engine, rows):
    x = np.random.default_rng(rows).standard_normal((rows, 3)).astype(np.float32)
    got = engine.run({"x": x})["y"]
    assert got.shape == (rows, 4)
    np.testing.assert_allclose(got, affine_answer(x), rtol=LIMIT, atol=LIMIT)


@pytest.mark.parametrize("name,x", {
    "strided": np.arange(12, dtype=np.float32).reshape(2, 6)[:, ::2],
    "reversed": X[::-1], "transposed": np.asfortranarray(X), "list": X.tolist(),
    "big-endian": X.astype(">f4"), "read-only": np.frombuffer(X.tobytes(), np.float32).reshape(2, 3),
}.items())
def test_kinds_of_input(engine, name, x):
    want = affine_answer(np.asarray(x, np.float32))
    np.testing.assert_allclose(engine.run({"x": x})["y"], want, rtol=LIMIT)


TYPES = ["float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2",
         "float8_e5m2fnuz", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
         "bool", "int4", "uint4"]


@pytest.mark.parametrize("name", TYPES)
def test_every_type_goes_through(name):
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    kind = helper.np_dtype_to_tensor_dtype(dtype)
    model = make_model([helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])],
                       [PORT("x", kind, [3, "n"])], [PORT("y", kind, ["n", 3])])
    x = np.array([[0, 1, 2, 3, 1], [7, 1, 0, 0, 1], [2, 2, 5, 1, 0]]).astype(dtype)
    y = hone.build(model, measure=False).run({"x": x})["y"]
    assert y.dtype == dtype and y.shape == (5, 3)
    assert y.tobytes() == np.ascontiguousarray(x.T).tobytes()


def test_strings():
    model = make_model([helper.make_node("Identity", ["x"], ["y"])], [PORT("x", TensorProto.STRING, [2, 2])],
                       [PORT("y", TensorProto.STRING, [2, 2])])
    x = np.array([["", "ü"], ["a b", "long " * 100]], object)
    y = hone.build(model, measure=False).run({"x": x})["y"]
    assert y.dtype == object and y.tolist() == x.tolist()


def test_sequences():
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    model = make_model([helper.make_node("SequenceInsert", ["s", "x"], ["t"])],
                       [sequence, PORT("x", TensorProto.FLOAT, None)],
                       [helper.make_tensor_sequence_value_info("t", TensorProto.FLOAT, None)])
    parts = [np.ones((2, 2), np.float32), np.zeros(3, np.float32)]
    got = hone.build(model, measure=False).run({"s": parts, "x": X})["t"]
    assert isinstance(got, list) and [g.shape for g in got] == [(2, 2), (3,), (2, 3)]
    assert np.array_equal(got[2], X)


@pytest.mark.parametrize("value", [None, X])
def test_optionals(value):
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    model = make_model([helper.make_node("OptionalHasElement", ["x"], ["y"])],
                       [helper.make_value_info("x", kind)], [PORT("y", TensorProto.BOOL, [])])
    assert hone.build(model, measure=False).run({"x": value})["y"].item() is (value is not None)


def test_engine_file(engine, tmp_path):
    engine.save(tmp_path / "e.hone")
    loaded = hone.load(tmp_path / "e.hone")
    assert loaded.run({"x": X})["y"].tobytes() == engine.run({"x": X})["y"].tobytes()
    assert isinstance(hone.check(tmp_path / "e.hone"), dict)
    data = (tmp_path / "e.hone").read_bytes()
    for source in (data, bytearray(data), str(tmp_path / "e.hone")):
        again = hone.load(source)
        del source
        assert again.run({"x": X})["y"].tobytes() == engine.run({"x": X})["y"].tobytes()
    with pytest.raises(hone.Error):
        hone.load(data[:100])


def test_a_damaged_engine_file_is_refused(engine, tmp_path):
    engine.save(tmp_path / "e.hone")
    data = bytearray((tmp_path / "e.hone").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "e.hone").write_bytes(data)
    with pytest.raises(hone.Error):
        hone.load(tmp_path / "e.hone")


def test_threads_share_an_engine(engine):
    inputs = [np.random.default_rng(i).standard_normal((1 + i, 3)).astype(np.float32) for i in range(8)]
    wrong = []

    def work(x):
        want = engine.run({"x": x})["y"].tobytes()
        wrong.extend(1 for _ in range(50) if engine.run({"x": x})["y"].tobytes() != want)

    threads = [threading.Thread(target=work, args=(x,)) for x in inputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def threads_of(context):
    context.run(np.ones((2, 3), np.float32))
    return json.loads(context._handle.profile_report())["threads"]


def test_threads_of_a_build_are_its_contexts(tmp_path):
    one = hone.build(affine(), threads=1)
    one.save(tmp_path / "one.hone")
    for engine in one, hone.load(tmp_path / "one.hone"):
        assert threads_of(engine.context()) == 1 and threads_of(engine.context(threads=3)) == 3
    assert threads_of(hone.build(affine()).context(threads=2)) == 2


@pytest.mark.parametrize("x", [np.ones((2, 3)), np.ones((2, 3), ">f4"), np.ones((3, 2), np.float32).T,
                               np.ones((2, 6), np.float32)[:, ::2], [[1, 1, 1], [1, 1, 1]]])
def test_arrays_that_are_not_as_the_model_wants(engine, x):
    """Float64, other byte orders, strides and lists: converted, or refused by type, never misread."""
    try:
        y = engine.run(x)
    except (TypeError, hone.InvalidArgumentError):
        assert np.asarray(x).dtype == np.float64
        return
    np.testing.assert_array_equal(y, engine.run(np.ones((2, 3), np.float32)))


def test_outputs_are_not_overwritten_by_the_next_run(engine):
    first = engine.run({"x": X})["y"]
    kept = first.copy()
    engine.run({"x": X + 1})
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("feeds,error", [
    ({}, hone.InvalidArgumentError), ({"z": X}, hone.InvalidArgumentError),
    ({"x": X, "z": X}, hone.InvalidArgumentError), ({"x": X[0]}, hone.InvalidArgumentError),
    ({"x": X[:, :2]}, hone.InvalidArgumentError), ({"x": X.astype(np.float64)}, hone.InvalidArgumentError),
    ({"x": None}, (hone.Error, TypeError)), ({"x": object()}, (hone.Error, TypeError)),
])
def test_wrong_feeds(engine, feeds, error):
    with pytest.raises(error):
        engine.run(feeds)


def test_a_missing_file():
    with pytest.raises((hone.NotFoundError, hone.IOFailure)):
        hone.build("/no/such/model.onnx")


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x08" + b"\xff" * 40])
def test_bytes_that_are_no_model(data):
    with pytest.raises(hone.Error):
        hone.build(data)


def test_an_unknown_operator_is_named():
    model = make_model([helper.make_node("Frobnicate", ["x"], ["y"], name="the_node")],
                       [PORT("x", TensorProto.FLOAT, [1])], [PORT("y", TensorProto.FLOAT, [1])])
    with pytest.raises(hone.UnsupportedError) as caught:
        hone.build(model)
    assert "Frobnicate" in str(caught.value) and "the_node" in str(caught.value)


def test_every_option_is_a_keyword(tmp_path):
    rows = hone.options()
    assert len(rows) >= 16 and all(row["help"] for row in rows)
    for row in rows:
        value = row["default"]
        if row["kind"] == "integer":
            value = int(value)
        elif row["kind"] == "real":
            value = float(value)
        elif row["kind"] == "flag":
            value = value == "true"
        hone.build(affine(), **{"measure": False, row["name"].replace("-", "_"): value})
    engine = hone.build(affine(), build_seconds=0.5, timing_cache=tmp_path / "times.txt", threads=64,
                        shapes={"x": (5, 3)})
    assert engine.report()["threads"] == 64


def test_ranges_of_options():
    for name, good, bad in [("threads", 1024, 1025), ("deadline", 0.25, -1), ("build_seconds", "inf", "nan"),
                            ("memory_limit", 1 << 40, (1 << 40) + 1)]:
        hone.build(affine(), measure=False, **{name: good})
        with pytest.raises(hone.InvalidArgumentError, match=name.replace("_", "-")):
            hone.build(affine(), measure=False, **{name: bad})


def test_errors_carry_the_status():
    with pytest.raises(hone.Error) as caught:
        hone.build(b"not a model")
    error = caught.value
    assert error.code == 2 or isinstance(error, hone.UnsupportedError)
    assert error.message and error.message in str(error) and isinstance(error.place, str)
    for kind in (hone.InvalidArgumentError, hone.LimitError, hone.CorruptError, hone.CancelledError, hone.IOFailure):
        assert issubclass(kind, hone.Error)
    assert issubclass(hone.OutOfMemoryError, MemoryError) and issubclass(hone.IOFailure, OSError)


def test_external_data_of_a_model_given_as_bytes(tmp_path):
    onnx.save(affine(), tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    data = (tmp_path / "m.onnx").read_bytes()
    assert np.array_equal(hone.build(data, folder=tmp_path, measure=False).run(X), affine_answer(X))
    with pytest.raises(hone.Error):
        hone.build(data, measure=False)


def test_unknown_options_and_bad_values():
    with pytest.raises(hone.Error):
        hone.build(affine(), no_such_option=1)
    with pytest.raises(hone.Error):
        hone.build(affine(), precision="fp12")
    assert {"precision", "threads", "timing-cache"} <= {row["name"] for row in hone.options()}


def test_progress_is_told_and_may_stop():
    seen = []
    hone.build(affine(), progress=lambda *step: seen.append(step))
    assert seen and all(len(step) == 4 for step in seen)
    engine = hone.build(affine(), progress=lambda *step: False)
    assert np.array_equal(engine.run({"x": X})["y"], affine_answer(X))


def test_an_exception_in_progress_comes_out():
    def progress(*step):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        hone.build(affine(), progress=progress)


def test_report_profile_and_text(engine):
    assert engine.report()["units"]
    assert engine.profile({"x": X}, runs=2)
    assert "graph" in engine.text()


def test_a_memory_limit_refuses_with_numbers(engine):
    with pytest.raises(hone.LimitError, match=r"\d"):
        engine.context(memory_limit=64).run({"x": np.zeros((100000, 3), np.float32)})


def test_not_picklable(engine):
    with pytest.raises(TypeError):
        pickle.dumps(engine)


def test_import_needs_no_numpy():
    code = "import sys; sys.modules['numpy'] = None; import hone; print(hone.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
