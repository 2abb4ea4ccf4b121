"""What users of an engine library do from beginning to end: docs/tasks.md."""
import json
import os
import subprocess
import sys
import threading
import time

import numerics
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import hone

rng = np.random.default_rng(6)
FP32 = numerics.bound("model", "fp32")
BF16 = numerics.bound("TensorFlow segment", "bf16")


def weight(name, *shape):
    return numpy_helper.from_array(rng.uniform(-0.5, 0.5, shape).astype(np.float32), name)


def model_of(nodes, weights, shape=("n", 4, 8, 8), outputs=("y",)):
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph([helper.make_node(op, inputs, made, name=f"node_{made[0]}", **attrs)
                               for op, inputs, made, attrs in nodes], "g",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], ports, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


CONV = ("Conv", ["x", "w", "b"], ["c"], {"pads": [1] * 4})


def small_net():
    """Convolution, bias, ReLU, residual sum, mean, product, softmax."""
    nodes = [CONV, ("Relu", ["c"], ["r"], {}), ("Add", ["r", "x"], ["a"], {}),
             ("GlobalAveragePool", ["a"], ["p"], {}), ("Flatten", ["p"], ["f"], {}),
             ("MatMul", ["f", "v"], ["m"], {}), ("Softmax", ["m"], ["y"], {})]
    return model_of(nodes, [weight("w", 4, 4, 3, 3), weight("b", 4), weight("v", 4, 10)])


def picture(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def reference(model, x):
    return ReferenceEvaluator(model).run(None, {"x": x})


# ---- Build, save, load, run -------------------------------------------------------------------

def test_from_a_model_to_bytes_to_answers_in_five_calls(tmp_path):
    model = small_net()
    onnx.save(model, tmp_path / "net.onnx")
    x = picture(2, 4, 8, 8)

    engine = hone.build(tmp_path / "net.onnx", precision="fp32", measure=False)
    plan = engine.serialize()
    loaded = hone.load(plan)
    context = loaded.context(memory_limit=1 << 25)
    y = context.run({"x": x})["y"]

    assert isinstance(plan, bytes) and numerics.model_error(y, reference(model, x)[0]) <= FP32
    engine.save(tmp_path / "net.hone")
    assert (tmp_path / "net.hone").read_bytes() == plan


def test_weights_alone_are_no_graph():
    state = {"conv.weight": np.zeros((4, 4, 3, 3), np.float32), "conv.bias": np.zeros(4, np.float32)}
    with pytest.raises(hone.InvalidArgumentError, match="state_dict holds weights and no graph.*torch.onnx.export"):
        hone.build(state)

    class Module:
        def state_dict(self):
            return state

    with pytest.raises(hone.InvalidArgumentError, match="Module is a program.*torch.onnx.export"):
        hone.build(Module())


def test_damaged_and_foreign_bytes_are_refused_with_the_reason():
    plan = hone.build(small_net(), measure=False).serialize()
    flipped = bytearray(plan)
    flipped[len(plan) // 2] ^= 1
    for data, said in ((plan[:-100], "has .* bytes and should have"), (flipped, "sum|damage"),
                       (b"ptrt" + bytes(4096), "no engine|not an engine|begin")):
        with pytest.raises(hone.Error, match=said):
            hone.load(data)


def test_ten_runs_are_identical():
    context = hone.load(hone.build(small_net(), measure=False).serialize()).context()
    for shape in ((1, 4, 8, 8), (3, 4, 8, 8)):
        x, out = picture(*shape), np.empty((shape[0], 10), np.float32)
        runs = set()
        for _ in range(10):
            assert context.run({"x": x}, outputs={"y": out})["y"] is out  # no copy on the way out
            runs.add(out.tobytes())
        assert len(runs) == 1


def test_many_contexts_of_one_engine_in_as_many_threads():
    """The same answers as one, and the work of several requests at once."""
    engine = hone.build(small_net(), measure=False, threads=1)
    inputs = [picture(1 + i, 4, 8, 8) for i in range(6)]
    want = [engine.run({"x": x})["y"].tobytes() for x in inputs]
    got = [[] for _ in inputs]

    def work(i, context):
        for _ in range(20):
            got[i].append(context.run({"x": inputs[i]})["y"].tobytes())

    threads = [threading.Thread(target=work, args=(i, engine.context())) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(set(mine) == {right} for mine, right in zip(got, want))


def test_one_network_two_engines_with_other_settings():
    model, x = small_net(), picture(2, 4, 8, 8)
    want = reference(model, x)[0]
    fast, plain = hone.build(model, measure=False), hone.build(model, measure=False, passes="none", threads=1)
    for engine in (fast, plain, fast):
        assert numerics.model_error(engine.run({"x": x})["y"], want) <= FP32
    assert len(fast.report()["units"]) < len(plain.report()["units"])


@pytest.mark.parametrize("precision, bound", [("fp32", FP32), ("bf16", BF16)])
def test_precision_is_one_option(precision, bound):
    model, x = small_net(), picture(2, 4, 8, 8)
    engine = hone.build(model, precision=precision, measure=False)
    assert engine.report()["precision"] == precision
    assert numerics.model_error(engine.run({"x": x})["y"], reference(model, x)[0]) <= bound


OTHER_PROCESS = """
import json, sys, time
import numpy as np, hone
start = time.perf_counter()
engine = hone.load(sys.argv[1])
spent = time.perf_counter() - start
np.save(sys.argv[3], engine.run({"x": np.load(sys.argv[2])})["y"])
print(json.dumps(spent))
"""


def test_another_process_opens_it_in_less_than_the_build_took(tmp_path):
    x = picture(2, 4, 8, 8)
    start = time.perf_counter()
    engine = hone.build(small_net(), shapes={"x": x.shape})
    built = time.perf_counter() - start
    engine.save(tmp_path / "net.hone")
    np.save(tmp_path / "x.npy", x)
    done = subprocess.run([sys.executable, "-c", OTHER_PROCESS, *(str(tmp_path / n) for n in (
        "net.hone", "x.npy", "y.npy"))], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert json.loads(done.stdout) < built
    assert np.load(tmp_path / "y.npy").tobytes() == engine.run({"x": x})["y"].tobytes()


# ---- What is made of a graph ------------------------------------------------------------------

OPTIMISED = {
    "outputs that nobody uses": ([("Split", ["x"], ["s", "t"], {"axis": 1, "num_outputs": 2}),
                                  ("Exp", ["t"], ["unused"], {}), ("Neg", ["s"], ["y"], {})], [], ("Exp",)),
    "operators that do nothing": ([("Identity", ["x"], ["i"], {}), ("Dropout", ["i"], ["d"], {}),
                                   ("Cast", ["d"], ["k"], {"to": TensorProto.FLOAT}), ("Neg", ["k"], ["y"], {})], [],
                                  ("Identity", "Dropout", "Cast")),
    "convolution, bias, ReLU": ([("Conv", ["x", "w"], ["c"], {"pads": [1] * 4}), ("Add", ["c", "b"], ["d"], {}),
                                 ("Relu", ["d"], ["y"], {})], [("w", 4, 4, 3, 3), ("b", 1, 4, 1, 1)], ()),
    "siblings": ([("Conv", ["x", "w"], ["c"], {}), ("Conv", ["x", "v"], ["d"], {}), ("Relu", ["c"], ["e"], {}),
                  ("Relu", ["d"], ["f"], {}), ("Concat", ["e", "f"], ["y"], {"axis": 1})],
                 [("w", 16, 4, 1, 1), ("v", 16, 4, 1, 1)], ()),
    "sums of residuals": ([CONV, ("Add", ["c", "x"], ["s"], {}), ("Relu", ["s"], ["y"], {})],
                          [("w", 4, 4, 3, 3), ("b", 4)], ()),
}


@pytest.mark.parametrize("name", OPTIMISED)
def test_each_optimisation_leaves_fewer_steps_and_the_answers(name):
    nodes, weights, gone = OPTIMISED[name]
    model, x = model_of(nodes, [weight(*w) for w in weights]), picture(2, 4, 8, 8)
    engine, plain = (hone.build(model, measure=False, **more) for more in ({}, {"passes": "none"}))
    for each in (engine, plain):
        assert numerics.model_error(each.run({"x": x})["y"], reference(model, x)[0]) <= FP32
    heavy = [[u for u in e.report()["units"] if u["ops"] != ["transpose"]] for e in (engine, plain)]
    assert len(heavy[0]) < len(heavy[1])
    sources = {source for unit in heavy[0] for source in unit["sources"]}
    left = {f"node_{made[0]}": op for op, _, made, _ in nodes}
    assert not {left.get(source) for source in sources} & set(gone)
    several = [unit for unit in heavy[0] if len(unit["sources"]) > 1]
    assert gone or several, "the report names what was fused, by the nodes of the model"


def test_zeros_in_weights_are_kept_and_nothing_is_pruned():
    """Half of each four weights is zero: they stay as they are."""
    sparse = rng.uniform(-1, 1, (16, 16)).astype(np.float32)
    sparse.reshape(-1, 4)[:, :2] = 0
    model = model_of([("MatMul", ["x", "w"], ["y"], {})], [numpy_helper.from_array(sparse, "w")], ("n", 16))
    engine = hone.build(model, measure=False, refit=True)
    eye = np.eye(16, dtype=np.float32)
    assert np.array_equal(engine.run({"x": eye})["y"], sparse)
