"""What has to work in every TensorFlow from 1.15 on: `make test-tf-matrix` runs this file in each, `make test` in the
newest. So it asks nothing of TensorFlow that 1.15 has not, and of Python nothing that 3.7 has not.
"""
import os
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import numerics

import hone
import hone.tensorflow
from hone.tensorflow import trt_convert as trt

v1 = tf.compat.v1
rng = np.random.RandomState(17)


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


KERNEL, SCALE, WEIGHTS = f32(3, 3, 3, 8), f32(8), f32(8, 5)
X = f32(3, 9, 12, 3)


def net(x):
    """A small net around an operator that no engine takes, so that two segments come of it."""
    y = tf.nn.conv2d(x, KERNEL, strides=[1, 2, 2, 1], padding="SAME")
    y = tf.compat.v1.nn.fused_batch_norm(y, SCALE, SCALE, SCALE, np.abs(SCALE) + 0.1, is_training=False)[0]
    y = tf.reduce_mean(tf.nn.relu(y), axis=[1, 2])
    y = tf.math.igamma(tf.abs(y) + 1.0, tf.abs(y) + 0.5)
    return tf.nn.softmax(tf.matmul(y, WEIGHTS))


@pytest.fixture(scope="module")
def graph_def():
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, None, None, 3], name="x")
        tf.identity(net(x), name="y")
    return graph.as_graph_def()


def run(graph_def, x=X):
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with v1.Session(graph=graph) as session:
        return session.run("y:0", {"x:0": x})


@pytest.fixture(scope="module")
def want(graph_def):
    return run(graph_def)


def assert_right(got, want):
    assert got.dtype == want.dtype and got.shape == want.shape
    assert np.abs(got - want).max() <= numerics.bound("model", "fp32") * np.abs(want).max()


def kinds(graph_def, op):
    return [node.name for node in graph_def.node if node.op == op]


def test_a_frozen_graph_becomes_an_engine(graph_def):
    """Without TensorFlow around it; the operator that no engine takes is left out."""
    outputs = "Relu"
    engine = hone.build(graph_def.SerializeToString(), format="graph_def", outputs=outputs, measure=False)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with v1.Session(graph=graph) as session:
        assert_right(engine.run({"x": X})[outputs], session.run(outputs + ":0", {"x:0": X}))


def test_a_converted_graph(graph_def, want):
    converted = hone.tensorflow.convert_graph_def(graph_def, ["y"], minimum_segment_size=1, measure=False)
    assert len(kinds(converted, "HoneEngine")) == 2
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(converted, name="")
    assert graph.get_tensor_by_name("y:0").shape.as_list() == [None, 5]
    assert_right(run(converted), want)
    assert_right(run(converted, X[:1]), want[:1])


def test_a_script_of_the_first_tf_trt(graph_def, want):
    converted = trt.create_inference_graph(graph_def, ["y"], max_batch_size=4, minimum_segment_size=2)
    assert len(kinds(converted, "TRTEngineOp")) == 2
    assert_right(run(converted), want)


@pytest.fixture
def saved_by_v1(graph_def, tmp_path):
    folder = str(tmp_path / "native")
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        v1.saved_model.simple_save(session, folder, {"in": graph.get_tensor_by_name("x:0")},
                                   {"out": graph.get_tensor_by_name("y:0")})
    return folder


def test_a_saved_model_of_the_first_tensorflow(saved_by_v1, want, tmp_path):
    with tf.Graph().as_default():
        converter = trt.TrtGraphConverter(input_saved_model_dir=saved_by_v1, minimum_segment_size=2)
        converter.convert()
        converter.save(str(tmp_path / "converted"))
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        meta = v1.saved_model.load(session, ["serve"], str(tmp_path / "converted"))
        signature = meta.signature_def["serving_default"]
        assert_right(session.run(signature.outputs["out"].name, {signature.inputs["in"].name: X}), want)


RUNNER = """
import sys, numpy as np, tensorflow as tf
import hone.tensorflow
graph_def = tf.compat.v1.GraphDef()
graph_def.ParseFromString(open(sys.argv[1], "rb").read())
with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
with tf.compat.v1.Session(graph=graph) as session:
    for _ in range(2):
        y = session.run("y:0", {"x:0": np.load(sys.argv[2])})
np.save(sys.argv[3], y)
"""


def run_elsewhere(graph_def, folder, **environment):
    """(what another process makes of the graph or None, what it says)."""
    (folder / "graph.pb").write_bytes(graph_def.SerializeToString())
    np.save(str(folder / "x.npy"), X)
    done = subprocess.run(
        [sys.executable, "-c", RUNNER] + [str(folder / name) for name in ("graph.pb", "x.npy", "y.npy")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, env=dict(os.environ, **environment))
    return np.load(str(folder / "y.npy")) if done.returncode == 0 else None, done.stderr


def damage(graph_def):
    """Turns a byte in the middle of each engine."""
    for node in graph_def.node:
        if node.name.endswith("_path"):
            content = bytearray(node.attr["value"].tensor.tensor_content)
            content[len(content) // 2] ^= 0xFF
            node.attr["value"].tensor.tensor_content = bytes(content)


@pytest.mark.parametrize("op", ["HoneEngine", "TRTEngineOp"])
def test_damaged_engines_run_natively_and_say_so_once(graph_def, want, op, tmp_path):
    if op == "HoneEngine":
        converted = hone.tensorflow.convert_graph_def(graph_def, ["y"], minimum_segment_size=1, measure=False)
    else:
        converted = trt.create_inference_graph(graph_def, ["y"], minimum_segment_size=2)
    assert len(kinds(converted, op)) == 2
    got, log = run_elsewhere(converted, tmp_path, HONE_ALLOW_NATIVE="0")
    assert got is not None and "natively" not in log, log
    damage(converted)
    got, log = run_elsewhere(converted, tmp_path)
    assert got is not None, log
    assert_right(got, want)
    assert log.count("runs natively") == 2
    got, log = run_elsewhere(converted, tmp_path, HONE_ALLOW_NATIVE="0")
    assert got is None and "running natively is off" in log


def test_a_function_of_the_second_tensorflow(want, tmp_path):
    """In a process of its own, as 1.15 is of the second kind only when asked at the start."""
    script = """
import sys, numpy as np, tensorflow as tf
tf.compat.v1.enable_v2_behavior()
import hone.tensorflow, test_core
function = tf.function(test_core.net, autograph=False).get_concrete_function(
    tf.TensorSpec([None, None, None, 3], tf.float32))
converted = hone.tensorflow.convert(function, minimum_segment_size=1, measure=False)
assert len(converted.segments) == 2
x = tf.constant(test_core.X)
test_core.assert_right(converted(x).numpy(), function(x).numpy())
converted.save(sys.argv[1])
served = tf.compat.v2.saved_model.load(sys.argv[1]).signatures["serving_default"]
result, = served(x).values()
test_core.assert_right(result.numpy(), function(x).numpy())
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "model")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True,
                          env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)))
    assert done.returncode == 0, done.stdout


def test_an_engine_begins_behind_a_node_of_several_outputs():
    """Of IdentityN the types are a list: the input that stands for an output of it has that output's."""
    with tf.Graph().as_default() as graph:
        a, b = tf.compat.v1.placeholder(tf.float32, [None, 3]), tf.compat.v1.placeholder(tf.int32, [None])
        first, second = tf.raw_ops.IdentityN(input=[a, b], name="both")
        tf.identity(tf.cast(second, tf.float32) + tf.reduce_sum(first, 1), name="y")
    engine = hone.build(graph.as_graph_def().SerializeToString(), format="graph_def",
                        inputs="x=both:0[2,3],n=both:1[2]", outputs="y", measure=False)
    x, n = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([10, 20], np.int32)
    np.testing.assert_array_equal(engine.run({"x": x, "n": n})["y"], x.sum(1) + n)
