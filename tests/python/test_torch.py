"""PyTorch beside Hone: tensors in and out through DLPack without copies, models out of torch.onnx.export.
Skipped where torch is not installed."""
import io

import numerics
import pytest

import hone

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
from onnx import helper  # noqa: E402

LIMIT = numerics.bound("model", "fp32")

TYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
         torch.int8, torch.uint8, torch.bool, torch.complex64]
ONNX = {torch.float32: "FLOAT", torch.float64: "DOUBLE", torch.float16: "FLOAT16", torch.bfloat16: "BFLOAT16",
        torch.int64: "INT64", torch.int32: "INT32", torch.int16: "INT16", torch.int8: "INT8", torch.uint8: "UINT8",
        torch.bool: "BOOL", torch.complex64: "COMPLEX64"}


def transposer(dtype):
    kind = getattr(onnx.TensorProto, ONNX[dtype])
    graph = helper.make_graph([helper.make_node("Transpose", ["x"], ["y"])], "g",
                              [helper.make_tensor_value_info("x", kind, ["a", "b"])],
                              [helper.make_tensor_value_info("y", kind, ["b", "a"])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return hone.build(model, measure=False)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_type_both_ways(dtype):
    x = (torch.arange(12).reshape(3, 4) % 7 - 2).to(dtype)
    y = transposer(dtype).run({"x": x}, numpy=False)["y"]
    back = torch.from_dlpack(y)
    assert back.dtype == dtype and torch.equal(back, x.t())


def test_what_comes_out_is_shared_and_outlives_the_engine():
    engine = transposer(torch.float32)
    y = engine.run({"x": torch.ones(3, 4)}, numpy=False)["y"]
    first, second = torch.from_dlpack(y), torch.from_dlpack(y)
    assert first.data_ptr() == second.data_ptr()
    del engine, y
    first += 1
    assert torch.equal(second, torch.full((4, 3), 2.0))


def test_rows_that_are_apart():
    x = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    engine = transposer(torch.float32)
    for view in (x[:, ::2], x.t(), x[1:, 1:4], x.expand(4, 6), torch.ones(1, 1).expand(3, 5)):
        assert torch.equal(torch.from_dlpack(engine.run({"x": view}, numpy=False)["y"]), view.t())


def test_empty_and_one():
    engine = transposer(torch.float32)
    for x in (torch.empty(0, 4), torch.ones(1, 1)):
        assert torch.from_dlpack(engine.run({"x": x}, numpy=False)["y"]).shape == x.t().shape


def test_a_tensor_with_a_gradient():
    x = torch.ones(3, 4, requires_grad=True)
    engine = transposer(torch.float32)
    with pytest.raises((hone.Error, BufferError, RuntimeError, TypeError), match="(?i)grad"):
        engine.run({"x": x})
    assert engine.run({"x": x.detach()})["y"].shape == (4, 3)


def test_into_tensors_of_the_callers():
    x, out = torch.randn(3, 4), torch.full((4, 3), float("nan"))
    engine = transposer(torch.float32)
    assert engine.run({"x": x}, outputs={"y": out})["y"] is out
    assert torch.equal(out, x.t())


def test_in_threads_of_both():
    """Torch's pool and Hone's take turns on the same cores."""
    engine = transposer(torch.float32)
    for _ in range(50):
        x = torch.randn(64, 64) @ torch.randn(64, 64)
        assert torch.equal(torch.from_dlpack(engine.run({"x": x}, numpy=False)["y"]), x.t())


# ---- Exported models -----------------------------------------------------------------------------


class Convolutions(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.norm = torch.nn.BatchNorm2d(16)
        self.second = torch.nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.end = torch.nn.Linear(16, 10)

    def forward(self, x):
        y = torch.nn.functional.silu(self.norm(self.first(x)))
        y = torch.relu(self.second(y) + y)
        return torch.softmax(self.end(y.mean((2, 3))), -1)


class Recurrent(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(8, 12, batch_first=True)
        self.gru = torch.nn.GRU(12, 6, batch_first=True)

    def forward(self, x):
        return self.gru(self.lstm(x)[0])[0]


MODULES = {
    "convolutions": (Convolutions, (2, 3, 17, 19)),
    "transformer": (lambda: torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), (2, 9, 32)),
    "lstm and gru": (Recurrent, (2, 7, 8)),
}


def export(module, x, dynamo):
    """The bytes of the model that torch.onnx.export makes."""
    file = io.BytesIO()
    if dynamo:
        pytest.importorskip("onnxscript")
        torch.onnx.export(module, (x,), dynamo=True, verbose=False).save(file)
    else:
        torch.onnx.export(module, (x,), file, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}})
    return file.getvalue()


@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
@pytest.mark.parametrize("name", MODULES)
def test_exported(name, dynamo):
    torch.manual_seed(3)
    make, shape = MODULES[name]
    module, x = make().eval(), torch.randn(shape)
    try:
        model = export(module, x, dynamo)
    except (TypeError, ValueError, ModuleNotFoundError) as reason:
        pytest.skip(f"this torch does not export so: {reason}")
    engine = hone.build(model, measure=False)
    with torch.no_grad():
        for count in (shape[0],) if dynamo else (shape[0], 1, 5):
            x = torch.randn(count, *shape[1:])
            want = module(x)
            got = torch.from_dlpack(engine.run({engine.inputs[0].name: x}, numpy=False)[engine.outputs[0].name])
            assert got.shape == want.shape
            assert (got - want).abs().max() <= LIMIT * want.abs().max()
