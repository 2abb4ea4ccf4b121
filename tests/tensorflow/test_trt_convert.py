"""Scripts written for TF-TRT, with one import changed."""
import re

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

from hone.tensorflow import trt_convert as trt

rng = np.random.default_rng(9)


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    k = tf.keras
    model = k.Sequential([k.Input((16, 16, 3)), k.layers.Conv2D(8, 3, activation="relu"), k.layers.BatchNormalization(),
                          k.layers.MaxPooling2D(), k.layers.Flatten(), k.layers.Dense(5, activation="softmax")])
    for w in model.weights:
        w.assign(rng.uniform(0.2, 1, w.shape) * 0.2)
    folder = tmp_path_factory.mktemp("model")
    model.export(str(folder), verbose=False)
    return folder


def served(folder):
    return tf.saved_model.load(str(folder)).signatures["serving_default"]


def answers(folder, x):
    function = served(folder)
    name, = function.structured_input_signature[1]
    return {key: value.numpy() for key, value in function(**{name: tf.constant(x)}).items()}


def test_default_parameters_one_changed():
    params = trt.DEFAULT_TRT_CONVERSION_PARAMS._replace(precision_mode="FP16")
    assert params.precision_mode == "FP16" and trt.DEFAULT_TRT_CONVERSION_PARAMS.precision_mode == "FP32"
    assert params.minimum_segment_size == 3 and params.maximum_cached_engines == 1


def test_convert_build_save_serve(model_folder, tmp_path):
    params = trt.DEFAULT_TRT_CONVERSION_PARAMS._replace(precision_mode=trt.TrtPrecisionMode.FP32)
    converter = trt.TrtGraphConverterV2(input_saved_model_dir=str(model_folder), minimum_segment_size=50,
                                        conversion_params=params)  # both styles: conversion_params wins
    converter.convert()

    def input_fn():
        yield (f32(1, 16, 16, 3),)

    converter.build(input_fn=input_fn)
    converter.save(str(tmp_path / "converted"))
    x = f32(4, 16, 16, 3)
    want, got = answers(model_folder, x), answers(tmp_path / "converted", x)
    assert want.keys() == got.keys()
    for name, value in want.items():
        assert native.error(got[name], value) <= numerics.bound("model", "fp32")


def test_summary(model_folder):
    converter = trt.TrtGraphConverterV2(str(model_folder))
    with pytest.raises(RuntimeError, match="before calling"):
        converter.summary()
    converter.convert()
    lines = []
    converter.summary(print_fn=lines.append)
    assert lines[0].startswith("TRTEngineOP Name") and lines[1] == "=" * 160
    assert any(line.startswith("TRTEngineOp_") for line in lines)
    assert "\t- Conv2D: 1x" in lines
    assert "[*] Total number of TensorRT engines: 1" in lines
    with pytest.raises(ValueError):
        converter.summary(line_length=100)


def test_wrong_arguments(model_folder):
    with pytest.raises(ValueError, match="precision mode"):
        trt.TrtGraphConverterV2(str(model_folder), precision_mode="FP8")
    with pytest.raises(ValueError, match="minimum segment size"):
        trt.TrtGraphConverterV2(str(model_folder), minimum_segment_size=0)
    with pytest.raises(ValueError, match="profile_strategy"):
        trt.TrtGraphConverterV2(str(model_folder), dynamic_shape_profile_strategy="Best")
    with tf.Graph().as_default(), pytest.raises(ValueError, match="one of input_graph_def"):
        trt.TrtGraphConverter()
    converter = trt.TrtGraphConverterV2(str(model_folder))
    with pytest.raises(RuntimeError, match="convert"):
        converter.build(lambda: [(f32(1, 16, 16, 3),)])
    converter.convert()
    with pytest.raises(AssertionError):
        converter.convert()


def frozen_net():
    graph_def, inputs, outputs, _ = native.frozen(
        lambda x: tf.nn.softmax(tf.nn.relu(x @ f32(6, 8)) @ f32(8, 3)), [f32(4, 6)], open_sizes=True)
    return tf.compat.v1.GraphDef.FromString(graph_def), inputs[0], outputs[0]


def run_graph(graph_def, source, sink, x):
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run(f"{sink}:0", {f"{source}:0": x})


@pytest.mark.parametrize("batch", [1, 7])
def test_create_inference_graph(batch):
    graph_def, source, sink = frozen_net()
    converted = trt.create_inference_graph(input_graph_def=graph_def, outputs=[sink], max_batch_size=16,
                                           max_workspace_size_bytes=1 << 25, precision_mode="FP32")
    engines = [node.name for node in converted.node if node.op == "TRTEngineOp"]
    assert len(engines) == 1 and re.fullmatch(r"TRTEngineOp_\d{3}_000", engines[0])
    assert [f.signature.name for f in converted.library.function] == [f"{engines[0]}_native_segment"]
    assert len(converted.node) < len(graph_def.node)
    x = f32(batch, 6)
    assert native.error(run_graph(converted, source, sink, x), run_graph(graph_def, source, sink, x)) \
        <= numerics.bound("model", "fp32")


def test_denylist_and_report_of_the_environment(monkeypatch, tmp_path):
    graph_def, _, sink = frozen_net()
    monkeypatch.setenv("TF_TRT_OP_DENYLIST", "Relu,Softmax")
    monkeypatch.setenv("TF_TRT_SHOW_DETAILED_REPORT", str(tmp_path / "report.csv"))
    converted = trt.create_inference_graph(graph_def, [sink], minimum_segment_size=1)
    assert {"Relu", "Softmax"} <= {node.op for node in converted.node}
    rows = (tmp_path / "report.csv").read_text().splitlines()
    assert rows[0] == "OP Name|Reason|Count" and "Relu|it is denied|1" in rows
