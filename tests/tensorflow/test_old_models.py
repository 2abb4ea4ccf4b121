"""Models that TF-TRT converted run again: in stock TensorFlow, and as engines, from the segments they carry."""
import gc
import os
import subprocess
import sys

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics
import old_trt

import hone
import hone.tensorflow

X = np.random.default_rng(4).uniform(-1, 1, (3, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def want():
    return old_trt.model(tf.constant(X)).numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("old") / "model"
    old_trt.save(made, "TRTEngineOp_700_000")  # no name that a conversion in this process gives
    return made


def run(graph_def):
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)  # as the nodes name a GPU
    with tf.compat.v1.Session(graph=graph, config=config) as session:
        return session.run("y:0", {"x:0": X})


def assert_right(got, want):
    assert native.error(got, want) <= numerics.bound("model", "fp32")


@pytest.mark.parametrize("by_name", [False, True])
def test_a_frozen_graph_runs_in_tensorflow(want, by_name):
    assert_right(run(old_trt.graph_def(by_name=by_name)), want)


@pytest.mark.parametrize("by_name", [False, True])
def test_a_frozen_graph_becomes_an_engine(want, by_name):
    graph = old_trt.graph_def(by_name=by_name).SerializeToString()
    engine = hone.build(graph, format="graph_def", outputs="y", measure=False)
    assert_right(engine.run({"x": X})["y"], want)


def test_a_graph_with_nothing_but_a_plan_says_so():
    with pytest.raises(tf.errors.AbortedError, match="has no segment"):
        run(old_trt.graph_def(by_name=True, segments=False))
    with pytest.raises(hone.Error, match="segment_func"):
        hone.build(old_trt.graph_def(segments=False).SerializeToString(), format="graph_def", outputs="y")


LOADER = """
import sys, numpy as np, tensorflow as tf
import hone.tensorflow
model = tf.saved_model.load(sys.argv[1])
result = model.signatures["serving_default"](tf.constant(np.load(sys.argv[2])))
np.save(sys.argv[3], result["output_0"].numpy())
"""


def load_elsewhere(folder, tmp_path, **environment):
    np.save(tmp_path / "x.npy", X)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    return subprocess.run([sys.executable, "-c", LOADER, str(folder), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")],
                          capture_output=True, text=True, env=environment)


def test_a_saved_model_runs_in_tensorflow(folder, want, tmp_path):
    done = load_elsewhere(folder, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("runs natively: TF-TRT made it") == 1
    assert_right(np.load(tmp_path / "y.npy"), want)


def test_native_segments_can_be_forbidden(folder, tmp_path):
    done = load_elsewhere(folder, tmp_path, TF_TRT_ALLOW_ENGINE_NATIVE_SEGMENT_EXECUTION="false")
    assert done.returncode != 0 and "running natively is off" in done.stderr


def test_a_saved_model_can_be_let_go_and_loaded_again(folder, want):
    for _ in range(2):
        model = tf.saved_model.load(str(folder))
        assert_right(model.signatures["serving_default"](tf.constant(X))["output_0"].numpy(), want)
        del model
        gc.collect()


def test_a_saved_model_becomes_an_engine(folder, want):
    engine = hone.build(str(folder), measure=False)
    (got,) = engine.run({"x": X}).values()
    assert_right(got, want)


def test_a_saved_model_is_converted_anew(folder, want, tmp_path):
    """The engines of the old one are taken apart: its segments become Hone's."""
    converted = hone.tensorflow.convert(folder, minimum_segment_size=1, measure=False)
    assert len(converted.segments) == 1
    assert_right(converted(tf.constant(X))["output_0"].numpy(), want)
