"""Weights of native segments: in a file of their own beside the engines, that nobody reads before a segment runs
natively."""
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

import hone
import hone.tensorflow
from hone.tensorflow import trt_convert as trt

rng = np.random.default_rng(31)


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


WEIGHTS = [f32(64, 64), f32(64, 4096), f32(4096, 64)]


def net(x):
    """Two segments that share a weight."""
    shared = tf.constant(WEIGHTS[0])
    y = tf.math.igamma(tf.abs(tf.nn.relu(x @ shared)) + 1.0, 1.5)
    y = tf.nn.relu(y @ tf.constant(WEIGHTS[1])) @ tf.constant(WEIGHTS[2])
    return {"scores": tf.nn.softmax(y @ shared)}


@pytest.fixture(scope="module")
def function():
    return tf.function(net, autograph=False).get_concrete_function(tf.TensorSpec([None, 64], name="x"))


def save_with_hone(function, folder):
    hone.tensorflow.convert(function, minimum_segment_size=1, measure=False).save(folder / "made")


def save_with_trt(function, folder):
    module = tf.Module()
    module.run = tf.function(net, input_signature=[tf.TensorSpec([None, 64], name="x")], autograph=False)
    tf.saved_model.save(module, str(folder / "native"), signatures={"serving_default": module.run})
    converter = trt.TrtGraphConverterV2(str(folder / "native"), minimum_segment_size=1)
    converter.convert()
    converter.save(str(folder / "made"))


@pytest.fixture(scope="module", params=[save_with_hone, save_with_trt])
def saved(request, function, tmp_path_factory):
    folder = tmp_path_factory.mktemp("apart")
    request.param(function, folder)
    return folder / "made"


def copy_of(folder, to):
    subprocess.run(["cp", "-r", str(folder), str(to)], check=True)
    return to


def asset(folder, ends):
    found, = [path for path in (folder / "assets").iterdir() if path.name.endswith(ends)]
    return found


LOADER = """
import sys, numpy as np, tensorflow as tf
import hone.tensorflow
x = tf.constant(np.load(sys.argv[2]))
run = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
for _ in range(2):
    result, = run(x).values()
np.save(sys.argv[3], result.numpy())
for line in open("/proc/self/maps"):
    if "_weights" in line:
        print("mapped", line)
"""


def run_saved(folder, x, tmp_path, **environment):
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "y.npy").unlink(missing_ok=True)
    done = subprocess.run([sys.executable, "-c", LOADER, *map(str, (folder, tmp_path / "x.npy", tmp_path / "y.npy"))],
                          capture_output=True, text=True,
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment})
    return np.load(tmp_path / "y.npy") if done.returncode == 0 else None, done.stdout + done.stderr


def assert_right(got, function, x):
    assert native.error(got, function(tf.constant(x))["scores"].numpy()) <= numerics.bound("model", "fp32")


def test_the_graph_holds_no_weights(saved):
    assert (saved / "saved_model.pb").stat().st_size < 100_000
    size = asset(saved, "_weights").stat().st_size
    assert size >= sum(w.nbytes for w in WEIGHTS) and size < sum(w.nbytes for w in WEIGHTS) + 4096


def test_engines_do_not_open_them(saved, function, tmp_path):
    x = f32(3, 64)
    got, log = run_saved(saved, x, tmp_path, HONE_ALLOW_NATIVE="0")
    assert got is not None and "mapped" not in log, log
    assert_right(got, function, x)


def test_segments_read_them(saved, function, tmp_path):
    x = f32(3, 64)
    got, log = run_saved(saved, x, tmp_path, HONE_DISABLE="1")
    assert got is not None and "mapped" in log and log.count("runs natively") == 2, log
    assert_right(got, function, x)


@pytest.mark.parametrize("first", [40, 65536])
def test_a_damaged_engine(saved, function, first, tmp_path):
    """In its head; and in what runs read of it, which is found when they do."""
    folder = copy_of(saved, tmp_path / "damaged")
    for engine in (folder / "assets").glob("*.hone"):
        content = bytearray(engine.read_bytes())
        for at in range(min(first, len(content) // 2), len(content), 512):
            content[at] ^= 0xFF
        engine.write_bytes(content)
    x = f32(3, 64)
    got, log = run_saved(folder, x, tmp_path)
    assert got is not None and log.count("runs natively") == 2, log
    assert_right(got, function, x)


def damage_header(content):
    content[9] ^= 1


def damage_table(content):
    content[70] ^= 1


def damage_weight(content):
    content[len(content) // 2] ^= 1


def cut(content):
    del content[len(content) // 2:]


@pytest.mark.parametrize("damage", [damage_header, damage_table, damage_weight, cut])
def test_damaged_weights_are_an_error(saved, damage, tmp_path):
    folder = copy_of(saved, tmp_path / "damaged")
    content = bytearray(asset(folder, "_weights").read_bytes())
    damage(content)
    asset(folder, "_weights").write_bytes(content)
    got, log = run_saved(folder, f32(3, 64), tmp_path, HONE_DISABLE="1")
    assert got is None and "file of weights" in log, log[-2000:]


def test_missing_weights_hurt_no_engine(saved, function, tmp_path):
    folder = copy_of(saved, tmp_path / "damaged")
    asset(folder, "_weights").write_bytes(b"")
    x = f32(3, 64)
    got, log = run_saved(folder, x, tmp_path, HONE_ALLOW_NATIVE="0")
    assert got is not None, log
    assert_right(got, function, x)


def test_the_saved_model_builds_without_tensorflow(saved, function):
    """What an engine's node stands for becomes part of one engine again; igamma has none."""
    with pytest.raises(hone.UnsupportedError, match="Igamma"):
        hone.build(saved, measure=False)


def test_a_whole_model_builds_again(tmp_path):
    whole = tf.function(lambda x: tf.nn.relu(x @ WEIGHTS[1]) @ WEIGHTS[2], autograph=False)
    function = whole.get_concrete_function(tf.TensorSpec([None, 64], name="x"))
    hone.tensorflow.convert(function, minimum_segment_size=1, measure=False).save(tmp_path / "made")
    engine = hone.build(tmp_path / "made", measure=False)
    x = f32(3, 64)
    got, = engine.run({engine.inputs[0].name: x}).values()
    assert native.error(got, function(tf.constant(x)).numpy()) <= numerics.bound("model", "fp32")
    assert pathlib.Path(asset(tmp_path / "made", "_weights")).stat().st_size > WEIGHTS[1].nbytes
