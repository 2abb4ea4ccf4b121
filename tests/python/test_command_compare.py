"""hone compare: layer by layer, the first node that differs, the first NaN, the peer."""
import sys

import numerics
import numpy as np
import pytest
from onnx import helper

from command import QUICK, hone, hone_json, net, save

LIMIT = numerics.bound("model", "fp32")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return net(tmp_path_factory.mktemp("compare") / "net.onnx")


def spoiled(path, name, change):
    return net(path, lambda weights: change(weights[name]))


def test_a_right_engine(model, tmp_path):
    hone("build", model, "-o", tmp_path / "e.hone", *QUICK)
    done = hone("compare", tmp_path / "e.hone", model)
    assert "the same within the bound" in done.stdout and "fused" in done.stdout
    result = hone_json("compare", tmp_path / "e.hone", model)
    assert result["good"] and result["first_node_that_differs"] is None
    steps = {step["node"]: step for step in result["steps"]}
    assert {"first_relu", "second_act", "answer"} <= set(steps)
    assert steps["first_relu"]["sources"] == ["first", "first_relu"]
    for step in steps.values():
        assert step["finite"] and (step["same_inputs"] is None or step["same_inputs"]["max_rel"] < LIMIT)
        assert step["from_the_start"] is None or step["from_the_start"]["max_rel"] < LIMIT


def test_a_model_alone_and_an_engine_alone(model, tmp_path):
    assert hone_json("compare", model, *QUICK)["outputs"][0]["good"]
    hone("build", model, "-o", tmp_path / "e.hone", *QUICK)
    alone = hone_json("compare", tmp_path / "e.hone")
    assert alone["good"] and not alone["outputs"] and any(step["same_inputs"] for step in alone["steps"])


@pytest.mark.parametrize("weight,node", [("w1", "first_relu"), ("w2", "second_act"), ("w3", "dense")])
def test_the_first_node_that_differs_is_found(model, tmp_path, weight, node):
    other = spoiled(tmp_path / "other.onnx", weight, lambda w: w.__imul__(-0.5))
    hone("build", other, "-o", tmp_path / "e.hone", *QUICK)
    result = hone_json("compare", tmp_path / "e.hone", model, code=4)
    assert not result["good"] and result["first_node_that_differs"] == node
    assert result["first_kernel_that_differs"] is None  # each kernel does what its own weights say
    printed = hone("compare", tmp_path / "e.hone", model, code=4).stdout
    assert f"first node that differs from the model: {node}" in printed and "NOT the same" in printed


def test_the_first_nan_is_found(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["r"], name="a"), helper.make_node("Sub", ["r", "three"], ["s"], name="b"),
             helper.make_node("ReduceSum", ["s"], ["t"], name="c", keepdims=1),
             helper.make_node("Log", ["t"], ["l"], name="d"), helper.make_node("MatMul", ["l", "w"], ["y"], name="e")]
    weights = {"three": np.float32(3), "w": np.ones((1, 4), np.float32)}
    path = save(tmp_path / "nan.onnx", nodes, {"x": ([4, 4],)}, {"y": ([1, 4],)}, weights)
    result = hone_json("compare", path, *QUICK)
    assert result["first_nan_or_inf"] == "d"
    printed = hone("compare", path, *QUICK).stdout
    assert "first NaN or Inf: d" in printed and "as the model" in printed


def test_kernels_are_held_to_the_bound_that_is_asked_for(model):
    result = hone_json("compare", model, "--tolerance", "1e-12", *QUICK, code=4)
    assert result["first_kernel_that_differs"] is not None


def test_another_model_is_refused(model, tmp_path):
    add = helper.make_node("Add", ["a", "b"], ["y"])
    other = save(tmp_path / "two.onnx", [add], {"a": ([1],), "b": ([1],)}, {"y": ([1],)})
    hone("build", other, "-o", tmp_path / "e.hone", *QUICK)
    assert "not the same inputs" in hone("compare", tmp_path / "e.hone", model, code=1).stderr


def test_what_loops_do_is_seen_in_every_turn(tmp_path):
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Exp", ["v"], ["e"], name="exp_in_body"), helper.make_node("Identity", ["c"], ["d"])], "body",
        [value("i", 7, []), value("c", 9, []), value("v", 1, [2])], [value("d", 9, []), value("e", 1, [2])])
    nodes = [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body, name="loop")]
    path = save(tmp_path / "loop.onnx", nodes, {"x": ([2],)}, {"y": ([2],)}, {"n": np.int64(5)})
    result = hone_json("compare", path, *QUICK)
    steps = [step for step in result["steps"] if step["node"] == "exp_in_body"]
    assert len(steps) == 1 and steps[0]["depth"] == 1 and result["first_nan_or_inf"] == "exp_in_body"


def test_onnxruntime_as_the_peer(model, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("HONE_PYTHON", sys.executable)
    result = hone_json("compare", model, "--peer", "onnxruntime", *QUICK)
    assert result["good"]
    known = [step["from_the_start"]["max_rel"] for step in result["steps"] if step["from_the_start"]]
    assert len(known) >= 4 and 0 < max(known) < LIMIT
    other = spoiled(tmp_path / "other.onnx", "w2", lambda w: w.__imul__(-0.5))
    hone("build", other, "-o", tmp_path / "e.hone", *QUICK)
    result = hone_json("compare", tmp_path / "e.hone", model, "--peer", "ort", code=4)
    assert result["first_node_that_differs"] == "second_act"


def test_a_peer_that_is_not_there(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HONE_PYTHON", str(tmp_path / "no_python"))
    assert "no_python" in hone("compare", model, "--peer", "onnxruntime", *QUICK, code=2).stderr
    assert "onnxruntime" in hone("compare", model, "--peer", "torch", *QUICK, code=1).stderr
