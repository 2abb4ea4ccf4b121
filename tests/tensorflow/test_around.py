"""What users of TF-TRT meet around a conversion: installation, other machines, half precision. docs/tasks.md."""
import os
import subprocess
import sys

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

import hone
from hone.tensorflow import trt_convert as trt

rng = np.random.default_rng(77)
FP32, FP16 = numerics.bound("model", "fp32"), numerics.bound("TensorFlow segment", "bf16")
# Nothing cancels, so that half precision is near enough.
WEIGHTS = [rng.uniform(0, most, shape).astype(np.float32) for most, shape in ((0.1, (64, 96)), (0.02, (96, 64)))]


def in_another_process(code, *arguments, **environment):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two products, of any number of rows and, on the way, of any number of columns."""
    made = tmp_path_factory.mktemp("tasks") / "model"
    module = tf.Module()
    module.run = tf.function(lambda x: {"y": tf.tanh(tf.nn.relu(x @ WEIGHTS[0]) @ WEIGHTS[1])}, autograph=False,
                             input_signature=[tf.TensorSpec([None, 64], name="x")])
    tf.saved_model.save(module, str(made), signatures={"serving_default": module.run})
    return made


def answers(x):
    return np.tanh(np.maximum(x @ WEIGHTS[0], 0) @ WEIGHTS[1])


def test_the_stock_wheel_is_enough_and_the_import_says_nothing():
    alone = in_another_process("import tensorflow")
    done = in_another_process("import tensorflow, hone.tensorflow; from hone.tensorflow import trt_convert, contrib")
    assert done.returncode == 0 and done.stdout == alone.stdout == ""
    assert len(done.stderr.splitlines()) <= len(alone.stderr.splitlines())


SERVE = """
import sys
import numpy as np, tensorflow as tf, hone.tensorflow
function = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
np.save(sys.argv[3], function(x=tf.constant(np.load(sys.argv[2])))["y"].numpy())
"""


@pytest.mark.skipif(os.environ.get("HONE_CPU") is not None, reason="a processor is given already")
def test_a_model_from_another_machine_is_served(folder, tmp_path):
    """Converted for this processor, served by a plain one: packed anew or native, never wrong."""
    converter = trt.TrtGraphConverterV2(str(folder), minimum_segment_size=1)
    converter.convert()
    converter.build(lambda: [(np.zeros((3, 64), np.float32),)])
    converter.save(str(tmp_path / "out"))
    x = rng.uniform(-1, 1, (3, 64)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    for cpu in ({}, {"HONE_CPU": "plain"}):
        done = in_another_process(SERVE, *(tmp_path / name for name in ("out", "x.npy", "y.npy")), **cpu)
        assert done.returncode == 0, done.stderr
        assert native.error(np.load(tmp_path / "y.npy"), answers(x)) <= FP32


TWO_REQUESTS = """
import sys, time
import numpy as np, tensorflow as tf, hone.tensorflow
function = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
x = tf.constant(np.load(sys.argv[2]))
for _ in range(2):
    start = time.perf_counter()
    y = function(x=x)["y"].numpy()
    print(time.perf_counter() - start)
np.save(sys.argv[3], y)
"""


def test_a_model_that_nobody_prebuilt_serves_at_once(folder, tmp_path, capsys):
    """convert and save alone: its engines are there already, with kernels that were not measured on the data."""
    converter = trt.TrtGraphConverterV2(str(folder), minimum_segment_size=1)
    converter.convert()
    converter.save(str(tmp_path / "out"))
    x = rng.uniform(-1, 1, (3, 64)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    done = in_another_process(TWO_REQUESTS, *(tmp_path / name for name in ("out", "x.npy", "y.npy")),
                              HONE_ALLOW_NATIVE="0")
    assert done.returncode == 0, done.stderr
    first, second = map(float, done.stdout.split())
    with capsys.disabled():
        print(f" first request {first * 1e3:.1f} ms, second {second * 1e3:.1f} ms", end="")
    assert native.error(np.load(tmp_path / "y.npy"), answers(x)) <= FP32


def test_fewer_engines_as_the_least_size_grows(folder):
    """What users find by trial: every size serves, and beyond the model's own all is native."""
    x, counts = rng.uniform(-1, 1, (3, 64)).astype(np.float32), []
    for size in (1, 4, 5, 50):
        converter = trt.TrtGraphConverterV2(str(folder), minimum_segment_size=size)
        function = converter.convert()
        counts.append(len(converter._surgery.segments))
        assert native.error(function(x=tf.constant(x))["y"].numpy(), answers(x)) <= FP32
    assert counts[0] == 1 and counts[-1] == 0 and counts == sorted(counts, reverse=True)


def test_all_shapes_are_served_and_none_builds(folder):
    converter = trt.TrtGraphConverterV2(str(folder), use_dynamic_shape=True, dynamic_shape_profile_strategy="Optimal",
                                        minimum_segment_size=1)
    function = converter.convert()
    converter.build(lambda: ((np.zeros((rows, 64), np.float32),) for rows in (1, 8, 32)))
    for rows in (1, 2, 8, 31, 100):
        x = rng.uniform(-1, 1, (rows, 64)).astype(np.float32)
        assert native.error(function(x=tf.constant(x))["y"].numpy(), answers(x)) <= FP32


def test_both_precisions_with_their_errors_and_the_kernels_that_run(folder):
    """Half precision is on the units that have it, where the processor has them: the report names the kernels."""
    x = rng.uniform(-1, 1, (32, 64)).astype(np.float32)
    kernels = {}
    for precision, bound in (("FP32", FP32), ("FP16", FP16)):
        converter = trt.TrtGraphConverterV2(str(folder), precision_mode=precision, minimum_segment_size=1)
        function = converter.convert()
        converter.build(lambda: [(x,)])
        assert native.error(function(x=tf.constant(x))["y"].numpy(), answers(x)) <= bound
        engine, = converter.report(lambda: [(x,)]).engines.values()
        kernels[precision] = " ".join(step["kernel"] for step in engine["steps"])
        assert engine["precision"].startswith("bf16" if precision == "FP16" else "fp32")
    assert "bf16" not in kernels["FP32"]
    has_bf16 = "bf16" in open("/proc/cpuinfo", encoding="ascii").read()
    assert "bf16" in kernels["FP16"] or not has_bf16
