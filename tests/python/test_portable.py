"""The option portable: engines that hold their weights, find them in the model's file, or have none."""
import os

import numerics
import numpy as np
import onnx
import pytest
from command import QUICK, hone, save
from onnx import helper

PLAIN = dict(os.environ, HONE_CPU="plain")
WEIGHTS = {"w1": np.random.default_rng(3).standard_normal((64, 48)).astype(np.float32),
           "w2": np.random.default_rng(4).standard_normal((48, 96)).astype(np.float32)}


@pytest.fixture
def model(tmp_path):
    nodes = [helper.make_node("MatMul", ["x", "w1"], ["a"]), helper.make_node("Relu", ["a"], ["b"]),
             helper.make_node("MatMul", ["b", "w2"], ["y"])]
    return save(tmp_path / "net.onnx", nodes, {"x": (["n", 64],)}, {"y": (["n", 96],)}, WEIGHTS)


def build(model, portable, *more, code=0):
    engine = model.with_name(f"{portable}.engine")
    return engine, hone("build", model, "-o", engine, "--portable", portable, *more, *QUICK, code=code)


def check_answer(engine, env):
    x = np.random.default_rng(5).standard_normal((3, 64)).astype(np.float32)
    np.save(engine.with_name("x.npy"), x)
    done = hone("run", engine, "--input", f"x:{engine.with_name('x.npy')}", "-o", engine.with_name("out"), env=env)
    want = np.maximum(x @ WEIGHTS["w1"], 0) @ WEIGHTS["w2"]
    assert numerics.model_error(np.load(engine.with_name("out") / "y.npy"), want) <= numerics.bound("model", "fp32")
    return done.stderr


elsewhere = pytest.mark.skipif("avx2" not in hone("doctor").stdout,
                               reason="this machine has no other generation to stand for")


@pytest.mark.parametrize("portable", ["embed", "reference", "none"])
def test_runs_where_it_was_built(model, portable):
    engine, _ = build(model, portable)
    hone("check", engine)
    assert "again" not in check_answer(engine, None)


def test_size_follows(model):
    sizes = {portable: build(model, portable)[0].stat().st_size for portable in ("embed", "reference", "none")}
    weights = sum(w.nbytes for w in WEIGHTS.values())
    assert sizes["none"] + weights <= sizes["embed"]
    assert sizes["reference"] + weights <= sizes["embed"] + 1024


@elsewhere
@pytest.mark.parametrize("portable, said", [("embed", "packed again: it was made for"),
                                            ("reference", "built again from")])
def test_opens_on_another_processor(model, portable, said):
    engine, _ = build(model, portable)
    assert said in check_answer(engine, PLAIN)
    assert "again when opened" in hone("check", engine, env=PLAIN, code=2).stderr.replace(" from the model's file", "")


@elsewhere
def test_none_is_refused_on_another_processor(model):
    engine, _ = build(model, "none")
    refused = hone("run", engine, env=PLAIN, code=2)
    assert "portable=none" in refused.stderr and "processor" in refused.stderr


@elsewhere
def test_reference_is_refused_where_the_model_is_another(model):
    engine, _ = build(model, "reference")
    other = onnx.load(model)
    other.graph.initializer[0].raw_data = other.graph.initializer[0].raw_data[::-1]
    onnx.save(other, model)
    assert "is not the one" in hone("run", engine, env=PLAIN, code=2).stderr
    model.unlink()
    assert str(model) in hone("run", engine, env=PLAIN, code=2).stderr
    check_answer(engine, None)  # here it needs no model


def test_refit_contradicts(model):
    assert "portable=none" in build(model, "none", "--refit", code=1)[1].stderr
