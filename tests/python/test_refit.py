"""Weights replaced: the bits of a fresh build, for every weight of nets of many kinds."""
import numpy as np
import pytest

import hone

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

QUICK = dict(measure=False)


def model_of(nodes, inputs, outputs, weights):
    def port(name, dims, dtype=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, dtype, dims)

    graph = helper.make_graph(nodes, "g", [port(*i) for i in inputs], [port(*o) for o in outputs],
                              [numpy_helper.from_array(array, name) for name, array in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def changed(model, arrays):
    """The model with other initialisers."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if tensor.name in arrays:
            tensor.CopyFrom(numpy_helper.from_array(arrays[tensor.name], tensor.name))
    return copy


def random(*dims):
    return np.random.default_rng(sum(dims) + len(dims)).standard_normal(dims).astype(np.float32)


def picture_net():
    """Small convolutions, whose weights a careless importer folds at once; batch-norm, PReLU, Gemm."""
    weights = {
        "w1": random(4, 3, 1, 1), "b1": random(4), "scale": random(4), "shift": random(4), "mean": random(4),
        "variance": np.abs(random(4)) + 1, "w2": random(4, 1, 3, 3), "slope": random(4, 1, 1),
        "w3": random(4, 2, 2, 2), "fc": random(5, 2), "fb": random(5), "factor": random(1)}
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["a"]),
        node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"]),
        node("Conv", ["b", "w2"], ["c"], group=4, pads=[1, 1, 1, 1]),
        node("PRelu", ["c", "slope"], ["d"]),
        node("ConvTranspose", ["d", "w3"], ["e"], strides=[2, 2]),
        node("GlobalAveragePool", ["e"], ["p"]), node("Flatten", ["p"], ["q"]),
        node("Gemm", ["q", "fc", "fb"], ["r"], transB=1, beta=0.5),
        node("Mul", ["r", "factor"], ["y"])]
    return model_of(nodes, [("x", ["n", 3, "h", "w"])], [("y", ["n", 5])], weights), {"x": random(2, 3, 6, 5)}


def text_net():
    """Embedding, LSTM, layer norm, an attention's products."""
    weights = {
        "table": random(11, 6), "lw": random(1, 12, 6), "lr": random(1, 12, 3), "lb": random(1, 24),
        "gain": random(3), "shift": random(3), "wq": random(3, 4), "wk": random(3, 4), "wv": random(3, 4)}
    node = helper.make_node
    nodes = [
        node("Gather", ["table", "ids"], ["a"]),
        node("LSTM", ["a", "lw", "lr", "lb"], ["b"], hidden_size=3),
        node("Squeeze", ["b", "one"], ["c"]), node("LayerNormalization", ["c", "gain", "shift"], ["d"]),
        node("MatMul", ["d", "wq"], ["q"]), node("MatMul", ["d", "wk"], ["k"]), node("MatMul", ["d", "wv"], ["v"]),
        node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]), node("MatMul", ["q", "kt"], ["s"]),
        node("Softmax", ["s"], ["t"]), node("MatMul", ["t", "v"], ["y"])]
    model = model_of(nodes, [("ids", ["s", "b"], TensorProto.INT64)], [("y", ["s", "b", 4])],
                     dict(weights, one=np.array([1], np.int64)))
    return model, {"ids": np.arange(6).reshape(3, 2)}


def quantised_net():
    """Weights of 8 bits, a bias of 32, scales."""
    weights = {
        "w": np.random.default_rng(1).integers(-127, 127, (3, 2, 1, 1)).astype(np.int8),
        "ws": np.abs(random(3)) / 50, "wz": np.zeros(3, np.int8),
        "b": np.array([100, -200, 300], np.int32), "bs": np.abs(random(3)) / 90, "bz": np.zeros(3, np.int32)}
    node = helper.make_node
    nodes = [node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
             node("DequantizeLinear", ["b", "bs", "bz"], ["bd"], axis=0),
             node("Conv", ["x", "wd", "bd"], ["y"])]
    return model_of(nodes, [("x", ["n", 2, 4, 4])], [("y", ["n", 3, 4, 4])], weights), {"x": random(1, 2, 4, 4)}


def another(array):
    if array.dtype == np.float32:
        return (np.abs(array) * np.float32(0.75) + np.float32(0.125)).astype(np.float32)
    return (array // 2 + 3).astype(array.dtype)


@pytest.mark.parametrize("net", [picture_net, text_net, quantised_net])
def test_every_weight_of(net, tmp_path):
    model, inputs = net()
    path = tmp_path / "net.hone"
    hone.build(model, refit=True, **QUICK).save(path)
    engine = hone.load(path)
    arrays = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type != TensorProto.INT64}
    listed = {port.name: port.shape for port in engine.weights}
    fixed = set(arrays) - set(listed)
    assert not fixed
    assert all(arrays[name].shape == tuple(shape) for name, shape in listed.items())
    for name in listed:
        one = {name: another(arrays[name])}
        expected = hone.build(changed(model, one), **QUICK).run(inputs)["y"]
        assert np.array_equal(engine.refit(one).run(inputs)["y"], expected), name
    every = {name: another(arrays[name]) for name in listed}
    fresh = changed(model, every)
    expected = hone.build(fresh, **QUICK).run(inputs)["y"]
    assert np.array_equal(engine.refit(every).run(inputs)["y"], expected)
    assert np.array_equal(engine.refit(model=fresh).run(inputs)["y"], expected)
    assert not np.array_equal(engine.run(inputs)["y"], expected)


def test_a_refit_measures_nothing():
    model, inputs = picture_net()
    engine = hone.build(model, shapes={"x": (1, 3, 6, 5)})
    report = engine.refit({"b1": random(4) * 2}).report()
    assert report["measured"] == 0 and report["from_cache"] == 0
    kernels = [[unit["kernel"] for unit in r["units"]] for r in (engine.report(), report)]
    assert kernels[0] == kernels[1]


def test_what_is_wrong_is_said(tmp_path):
    model, _ = picture_net()
    engine = hone.build(model, **QUICK)
    with pytest.raises(hone.NotFoundError, match="nothing"):
        engine.refit({"nothing": random(4)})
    with pytest.raises(hone.InvalidArgumentError, match="shape"):
        engine.refit({"b1": random(5)})
    with pytest.raises(hone.InvalidArgumentError, match="element type"):
        engine.refit({"b1": np.zeros(4, np.float64)})
    engine.save(tmp_path / "net.hone")
    with pytest.raises(hone.UnsupportedError, match="refit"):
        hone.load(tmp_path / "net.hone").refit({"b1": random(4)})
