"""A served detector of TensorFlow 1, string in and boxes out, through TF-TRT's first converter and what follows it."""
import base64
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import detector
import native
import numerics

import hone
import hone.tensorflow
from hone.tensorflow import trt_convert as trt

v1 = tf.compat.v1
BOUNDS = {"FP32": numerics.bound("model", "fp32"), "FP16": numerics.bound("TensorFlow segment", "bf16")}
DENSE = ["scores:0", "cond/Merge:0"]  # what suppression has not yet chosen from


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("detector") / "model"
    detector.save(made)
    return str(made)


@pytest.fixture(scope="module")
def texts(models_folder):
    """Web-safe base64 of JPEGs, wide ones and high ones."""
    files = sorted((models_folder / "data/imagenet_sample").iterdir())
    return [detector.text_of(path) for path in files[:24:3]]


def run(folder, texts, fetches):
    """As a script of TensorFlow 1 does it."""
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        v1.saved_model.loader.load(session, [v1.saved_model.tag_constants.SERVING], folder)
        outputs = [graph.get_tensor_by_name(name) for name in fetches]
        source = graph.get_tensor_by_name("input:0")
        return [session.run(outputs, feed_dict={source: text}) for text in texts]


@pytest.fixture(scope="module")
def want(folder, texts):
    return run(folder, texts, detector.FETCHES)


def converter_of(folder, precision="FP32"):
    """The converter after convert(): its arguments are those of the published script."""
    with tf.Graph().as_default():
        converter = trt.TrtGraphConverter(input_saved_model_dir=folder, precision_mode=precision, is_dynamic_op=True,
                                          maximum_cached_engines=3)
        converter.convert()
    return converter


@pytest.fixture(scope="module")
def converted(folder, tmp_path_factory):
    """{precision: (the folder of the converted model, its converter)}"""
    made = {}
    for precision in ("FP32", "FP16"):
        converter = converter_of(folder, precision)
        made[precision] = str(tmp_path_factory.mktemp("converted") / precision), converter
        converter.save(made[precision][0])
    return made


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """The model without TensorFlow, fed the bytes of a file."""
    made = tmp_path_factory.mktemp("decoded") / "model"
    detector.save(made, encoded=False)
    return hone.build(made, measure=False)


def test_names_types_and_shapes_are_listed(engine):
    """What one looks up before writing the fetches."""
    assert [(p.name, p.dtype, p.shape) for p in engine.inputs] == [("image", "str", ())]
    ports = {p.name: p for p in engine.outputs}
    assert set(ports) == {f"output_{i}" for i in range(len(detector.FETCHES))}
    assert ports["output_4"].dtype == "f32" and ports["output_4"].shape == (1, detector.CELLS**2, detector.CLASSES)
    assert ports["output_5"].dtype == "bool" and ports["output_0"].dtype == "s32"


def test_the_whole_model_without_tensorflow(engine, texts, want):
    for text, answers in zip(texts[:3], want):
        got = engine.run({"image": np.array(base64.urlsafe_b64decode(text), object)})
        for i, (name, answer) in enumerate(zip(detector.FETCHES, answers)):
            assert native.error(got[f"output_{i}"], np.asarray(answer)) <= BOUNDS["FP32"], name


def test_every_kind_of_fetch_keeps_its_name_and_value(converted, texts, want):
    """Control flow, shapes, casts, constants, the fourth output of suppression; both branches are taken."""
    got = run(converted["FP32"][0], texts, detector.FETCHES)
    assert {bool(answers[detector.FETCHES.index("wide:0")]) for answers in want} == {True, False}
    for mine, theirs in zip(got, want):
        for name, a, b in zip(detector.FETCHES, mine, theirs):
            assert native.error(np.asarray(a), np.asarray(b)) <= BOUNDS["FP32"], name


def test_precisions_side_by_side(converted, texts, want):
    for precision, (folder, _) in converted.items():
        for mine, theirs in zip(run(folder, texts, DENSE), want):
            for name, a in zip(DENSE, mine):
                assert native.error(a, theirs[detector.FETCHES.index(name)]) <= BOUNDS[precision], (precision, name)


def test_strings_stay_native_and_the_net_is_one_engine(converted):
    _, converter = converted["FP32"]
    reasons = {row["op"]: row["reason"] for row in converter._surgery.native}
    assert "not supported" in reasons["DecodeBase64"] and "Merge" not in reasons
    net, = (s for s in converter._surgery.segments if any("stem" in name for name in s.nodes))
    assert any("residual" in name for name in net.nodes) and "scores" in net.nodes


def test_calibration_is_refused_before_anything_is_converted(folder, texts):
    """The published script asks for INT8 with calibration: it hears at once what it can do instead."""
    with tf.Graph().as_default(), pytest.raises(ValueError, match="explicit quantisation.*calibration on data"):
        trt.TrtGraphConverter(input_saved_model_dir=folder, precision_mode=trt.TrtPrecisionMode.INT8,
                              use_calibration=True, is_dynamic_op=True, maximum_cached_engines=3)


def test_a_hundred_runs_between_two_clocks(folder, converted, texts, capsys):
    spent = {}
    for name, place in (("native", folder), ("converted", converted["FP32"][0])):
        with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
            v1.saved_model.loader.load(session, [v1.saved_model.tag_constants.SERVING], place)
            for i in range(110):
                if i == 10:
                    start = time.perf_counter()
                session.run(DENSE, {"input:0": texts[i % 2]})
            spent[name] = time.perf_counter() - start
    with capsys.disabled():
        print(f" [100 runs: native {spent['native']:.3f} s, converted {spent['converted']:.3f} s]", end="")
    assert min(spent.values()) > 0


def test_the_report_says_where_the_time_goes(folder, texts):
    converted = hone.tensorflow.convert(folder, minimum_segment_size=3, measure=False)
    report = converted.report([tf.constant(texts[0])])
    native_time = sum(row.time for row in report.rows if row.where == "native" and row.time is not None)
    assert native_time > 0 and all(engine["time"] is not None for engine in report.engines.values())
    assert any(engine["steps"] for engine in report.engines.values())
    assert {c.way for c in report.crossings} == {"in", "out"}
    assert re.search(r"DecodeBase64 .* native .*not supported", report.text())


SERVER = """
import sys, tensorflow as tf
text = open(sys.argv[2], "rb").read()
served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
print(float(tf.reduce_sum(served(tf.constant(text))["output_4"])), "hone" in sys.modules)
"""


def test_a_serving_process_needs_the_library_alone(converted, texts, want, tmp_path):
    """TensorFlow loads the op library as a plug-in; the process that serves imports nothing of Hone."""
    (tmp_path / "text").write_bytes(texts[0])
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HONE_ALLOW_NATIVE": "0",
                   "TF_PLUGGABLE_DEVICE_LIBRARY_PATH": hone.tensorflow.library_path}
    done = subprocess.run([sys.executable, "-c", SERVER, converted["FP32"][0], str(tmp_path / "text")],
                          capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    total, imported = done.stdout.split()
    assert imported == "False"
    wanted = np.asarray(want[0][detector.FETCHES.index("scores:0")], np.float64).sum()
    assert abs(float(total) - wanted) <= BOUNDS["FP32"] * wanted
