"""Models that nobody converts: the plug-in optimises what TensorFlow runs. Each case is a process of its own."""
import os
import shutil
import subprocess
import sys
import textwrap

import pytest

tf = pytest.importorskip("tensorflow")

import numerics

import hone.tensorflow

pytestmark = pytest.mark.skipif(tuple(map(int, tf.__version__.split(".")[:2])) < (2, 12),
                                reason="TensorFlow has the interface of such plug-ins from 2.12 on")

BOUND = numerics.bound("model", "fp32")

PRELUDE = f"""
import os, time
import numpy as np, tensorflow as tf
rng = np.random.default_rng(3)
f32 = lambda *shape: rng.uniform(-1, 1, shape).astype(np.float32)

def variables():
    values = [f32(3, 3, 3, 32), f32(32), f32(3, 3, 32, 32) * .1, f32(32, 9)]
    return [tf.Variable(value) for value in values]

def net(x, kernel, bias, second, dense):
    y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 2, "SAME"), bias))
    y = tf.nn.relu(tf.nn.conv2d(y, second, 1, "SAME"))
    return tf.nn.softmax(tf.reduce_mean(y, [1, 2]) @ dense)

def same(got, want):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape and got.dtype == want.dtype
    apart = np.abs(got - want).max() / np.abs(want).max()
    assert apart <= {BOUND}, apart
"""


def run(code, **environment):
    """What the process says on stderr; it must end well."""
    done = subprocess.run([sys.executable, "-c", PRELUDE + textwrap.dedent(code)], capture_output=True, text=True,
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "HONE_LOG": "2",
                               **environment})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def run_with_plugin(code, **environment):
    return run(code, **{"TF_PLUGGABLE_DEVICE_LIBRARY_PATH": hone.tensorflow.library_path, "HONE_AUTO": "1",
                        "HONE_AUTO_ALWAYS": "1", **environment})


FUNCTION = """
    weights = variables()
    function = tf.function(lambda x: net(x, *weights), autograph=False)
    for size in (1, 5, 1):
        x = f32(size, 24, 24, 3)
        same(function(tf.constant(x)), net(x, *weights))
"""


def test_function():
    assert "runs on an engine, with 4 weights" in run_with_plugin(FUNCTION)


def test_frozen_graph():
    log = run_with_plugin("""
        constants, inputs = [w.numpy() for w in variables()], [f32(size, 24, 24, 3) for size in (2, 1)]
        wanted = [net(x, *constants) for x in inputs]
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            net(tf.compat.v1.placeholder(tf.float32, [None, 24, 24, 3], "x"), *constants)
            for x, want in zip(inputs, wanted):
                same(session.run("Softmax:0", {"x:0": x}), want)
                same(session.run("Softmax:0", {"x:0": x}), want)
    """)
    assert "runs on an engine, with 1 weights" in log  # small constants are in it


def test_saved_model_signature(tmp_path):
    log = run_with_plugin(f"""
        module = tf.Module()
        module.weights = variables()
        module.run = tf.function(lambda x: {{"y": net(x, *module.weights)}}, autograph=False,
                                 input_signature=[tf.TensorSpec([None, None, None, 3])])
        tf.saved_model.save(module, {str(tmp_path)!r}, signatures=module.run)
        signature = tf.saved_model.load({str(tmp_path)!r}).signatures["serving_default"]
        for shape in [(1, 20, 20, 3), (3, 12, 28, 3)]:
            x = f32(*shape)
            same(signature(tf.constant(x))["y"], net(x, *module.weights))
    """)
    assert "runs on an engine" in log


def test_keras():
    log = run_with_plugin("""
        layers = tf.keras.layers
        model = tf.keras.Sequential([layers.Input((24, 24, 3)), layers.Conv2D(32, 3, 2), layers.BatchNormalization(),
            layers.ReLU(), layers.DepthwiseConv2D(3), layers.Conv2D(32, 1), layers.GlobalAveragePooling2D(),
            layers.Dense(9)])
        for weight in model.weights:
            weight.assign(rng.uniform(.1, 1, weight.shape))
        x = f32(20, 24, 24, 3)
        for _ in range(2):
            same(model.predict(x, batch_size=8, verbose=0), model(x))
        model.compile("adam", "mse")
        model.fit(x, f32(20, 9), epochs=2, verbose=0)
        for _ in range(2):
            same(model.predict(x, batch_size=8, verbose=0), model(x))
    """)
    assert "runs on an engine" in log


def test_changed_weights_run_natively_and_are_packed_again():
    log = run_with_plugin("""
        weights = variables()
        function = tf.function(lambda x: net(x, *weights), autograph=False)
        x = f32(2, 24, 24, 3)
        same(function(tf.constant(x)), net(x, *weights))
        for change in range(3):
            for weight in weights:
                weight.assign(f32(*weight.shape))
            for call in range(30):
                same(function(tf.constant(x)), net(x, *weights))
                time.sleep(.01)
    """)
    assert log.count("weights changed") >= 2


def test_every_operator_that_changes_a_variable():
    """A tensor that is held never changes, and so an engine never runs with weights that did."""
    log = run_with_plugin("""
        import variable_changes
        v = tf.Variable(f32(16, 300))
        x = tf.constant(f32(4, 16))
        function = tf.function(lambda x: tf.nn.softmax(tf.nn.relu(x @ v) + 1), autograph=False)
        done = 0
        for again in range(2):  # packed before, and after scattered changes
            for name, change in variable_changes.changes(v, tf.constant(f32(16, 300))).items():
                v.assign(f32(16, 300))
                same(function(x), tf.nn.softmax(tf.nn.relu(x @ v) + 1))
                place = v.numpy().copy()
                change()
                assert not (v.numpy() == place).all(), f"{name} changes nothing"
                for _ in range(3 if np.isfinite(v.numpy()).all() else 0):
                    same(function(x), tf.nn.softmax(tf.nn.relu(x @ v) + 1))
                done += 1
        assert done >= 60
    """, PYTHONPATH=os.pathsep.join(sys.path))
    assert "runs on an engine, with 1 weights" in log


def test_enable_and_disable():
    log = run("""
        import hone.tensorflow
        assert hone.tensorflow.enable()
        weights, x = variables(), tf.constant(f32(2, 24, 24, 3))
        same(tf.function(lambda x: net(x, *weights), autograph=False)(x), net(x, *weights))
        hone.tensorflow.disable()
        same(tf.function(lambda x: net(x + 0, *weights), autograph=False)(x), net(x, *weights))
        assert hone.tensorflow.enable()
    """, HONE_AUTO_ALWAYS="1")
    assert log.count("runs on an engine") == 1


@pytest.mark.parametrize("environment", [{"HONE_AUTO": "0"}, {"HONE_DISABLE": "1"}])
def test_off(environment):
    assert "hone:" not in run_with_plugin(FUNCTION, **environment)


# One that gives every graph back as it is.
PLUGIN = """
#include <stdlib.h>
#include <string.h>
struct buffer { const void *data; size_t length; void (*release)(void *, size_t); };
struct params { size_t size; void *ext; int version[3]; const char *device; void *configs; void **optimizer; };
static void release(void *data, size_t length) { (void)length; free(data); }
static void nothing(void *self, const struct buffer *graph, const void *item, struct buffer *out, void *status) {
  void *copy = malloc(graph->length);
  memcpy(copy, graph->data, graph->length);
  *out = (struct buffer){copy, graph->length, release};
}
void TF_InitGraph(struct params *p, void *s) { p->device = "CPU"; p->optimizer[3] = nothing; }
"""


@pytest.mark.parametrize("name", ["a_plugin.so", "z_plugin.so"])
@pytest.mark.skipif(not shutil.which("gcc"), reason="needs a compiler")
def test_stands_down_beside_another_plugin(tmp_path, name):
    """Whichever is loaded first: TensorFlow ends the process when two are registered."""
    folder = tmp_path / "tensorflow-plugins"
    folder.mkdir()
    (tmp_path / "plugin.c").write_text(PLUGIN)
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", folder / name, tmp_path / "plugin.c"], check=True)
    shutil.copy(hone.tensorflow.library_path, folder / "hone.so")
    log = run_with_plugin(FUNCTION, TF_PLUGGABLE_DEVICE_LIBRARY_PATH=str(folder))
    assert f"no graph is optimised: TensorFlow has the plug-in {name}" in log and "runs on an engine" not in log


def test_a_second_copy_of_the_library(tmp_path):
    """One as a plug-in, one with the package: they do not both optimise."""
    copy = tmp_path / "hone.so"
    shutil.copy(hone.tensorflow.library_path, copy)
    log = run_with_plugin("    import hone.tensorflow; assert hone.tensorflow.enable()" + FUNCTION,
                          TF_PLUGGABLE_DEVICE_LIBRARY_PATH=str(copy))
    assert log.count("runs on an engine") == 2  # a shape, then any
