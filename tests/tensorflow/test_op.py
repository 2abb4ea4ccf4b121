"""The op that runs an engine inside TensorFlow: answers, saving, falling back, many threads at once."""
import concurrent.futures
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

import hone.tensorflow

rng = np.random.default_rng(11)


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


KERNEL, WEIGHTS = f32(3, 3, 3, 8) * 0.5, f32(8, 5)


def net(x):
    y = tf.nn.relu(tf.nn.conv2d(x, KERNEL, 2, "SAME"))
    return {"scores": tf.nn.softmax(tf.reduce_mean(y, [1, 2]) @ WEIGHTS), "largest": tf.argmax(y, -1)}


@pytest.fixture(scope="module")
def function():
    return tf.function(net, autograph=False).get_concrete_function(tf.TensorSpec([None, None, None, 3]))


@pytest.fixture(scope="module")
def converted(function):
    return hone.tensorflow.convert(function, minimum_segment_size=1, measure=False)


def assert_same(got, want):
    for mine, theirs in zip(tf.nest.flatten(got), want, strict=True):
        assert native.error(mine.numpy(), theirs.numpy()) <= numerics.bound("model", "fp32")


def test_every_shape_on_one_engine(function, converted):
    for shape in [(1, 16, 16, 3), (4, 9, 12, 3), (1, 16, 16, 3)]:
        x = tf.constant(f32(*shape))
        assert_same(converted(x), tf.nest.flatten(function(x)))


def test_many_threads_at_once(function, converted):
    inputs = [tf.constant(f32(1 + i % 3, 16, 16, 3)) for i in range(24)]
    wanted = [tf.nest.flatten(function(x)) for x in inputs]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for got, want in zip(pool.map(converted, inputs), wanted):
            assert_same(got, want)


LOADER = """
import sys, numpy as np, tensorflow as tf
import hone.tensorflow
model = tf.saved_model.load(sys.argv[1])
x = np.load(sys.argv[2])
results = model.signatures["serving_default"](tf.constant(x))
np.savez(sys.argv[3], **{name: value.numpy() for name, value in results.items()})
"""


def run_saved(folder, x, tmp_path, **environment):
    np.save(tmp_path / "x.npy", x)
    done = subprocess.run([sys.executable, "-c", LOADER, str(folder), str(tmp_path / "x.npy"),
                           str(tmp_path / "y.npz")], capture_output=True, text=True,
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment})
    results = dict(np.load(tmp_path / "y.npz")) if done.returncode == 0 else {}
    return results, done.stderr


@pytest.fixture
def saved(converted, tmp_path):
    converted.save(tmp_path / "model")
    return tmp_path / "model"


def check_saved(results, function, x):
    want = tf.nest.flatten(function(tf.constant(x)))
    assert_same([tf.constant(results[name]) for name in sorted(results)], want)


def test_saved_and_loaded_in_another_process(function, saved, tmp_path):
    x = f32(2, 16, 16, 3)
    results, log = run_saved(saved, x, tmp_path, HONE_ALLOW_NATIVE="0")
    assert results, log
    check_saved(results, function, x)


def test_a_damaged_engine_runs_natively_and_says_why(function, saved, tmp_path):
    engine, = (saved / "assets").iterdir()
    content = bytearray(engine.read_bytes())
    content[len(content) // 2] ^= 0xFF
    engine.write_bytes(content)
    x = f32(2, 16, 16, 3)
    results, log = run_saved(saved, x, tmp_path)
    assert log.count("runs natively") == 1
    check_saved(results, function, x)
    results, log = run_saved(saved, x, tmp_path, HONE_ALLOW_NATIVE="0")
    assert not results and "running natively is off" in log


COUNTER = """
import os, sys, tensorflow as tf
import hone.tensorflow
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[2]))
model = tf.saved_model.load(sys.argv[1])
tf.function(lambda x: tf.nn.conv2d(x, tf.zeros([3, 3, 3, 8]), 1, "SAME"))(tf.zeros([8, 64, 64, 3]))
before = len(os.listdir("/proc/self/task"))
model.signatures["serving_default"](tf.zeros([8, 64, 64, 3]))
print("threads started:", len(os.listdir("/proc/self/task")) - before)
"""


def test_threads_are_those_of_tensorflow(saved):
    started = {}
    for threads in (1, 3):
        done = subprocess.run([sys.executable, "-c", COUNTER, str(saved), str(threads)], capture_output=True, text=True,
                              env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HONE_ALLOW_NATIVE": "0"})
        assert done.returncode == 0, done.stderr
        started[threads] = int(done.stdout.rpartition(":")[2])
    assert started == {1: 0, 3: 2}  # the caller is one of them


def test_more_inputs_than_a_word_has_bits():
    specs = [tf.TensorSpec([3], name=f"x{i}") for i in range(300)]
    function = tf.function(lambda *x: tf.add_n(x), autograph=False).get_concrete_function(*specs)
    converted = hone.tensorflow.convert(function, minimum_segment_size=1, measure=False)
    inputs = [tf.constant(f32(3)) for _ in specs]
    assert len(converted.segments) == 1
    assert_same(converted(*inputs), [function(*inputs)])


PLUGGED = """
import sys, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
result = model.signatures["serving_default"](tf.zeros([1, 16, 16, 3]))
import hone.tensorflow  # a second copy of the library: the ops are there already
again = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](tf.zeros([1, 16, 16, 3]))
assert all((result[name].numpy() == again[name].numpy()).all() for name in result)
"""


def test_as_a_plug_in_models_load_without_an_import(saved, tmp_path):
    """What lies in TensorFlow's folder of plug-ins, or is named by this variable, is loaded with TensorFlow."""
    copy = shutil.copy(hone.tensorflow.library_path, tmp_path / "libhone_tensorflow_plugin.so")
    done = subprocess.run([sys.executable, "-c", PLUGGED, str(saved)], capture_output=True, text=True,
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HONE_ALLOW_NATIVE": "0",
                               "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": str(copy)})
    assert done.returncode == 0, done.stderr
