"""TF-TRT's whole interface: signatures old and new, its errors, its places, its environment, precision, the report."""
import os
import subprocess
import sys

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

import hone.tensorflow
from hone.tensorflow import _precision, _surgery, _whole, _worth, contrib, trt_convert as trt

rng = np.random.default_rng(21)
BOUND = numerics.bound("TensorFlow segment", "bf16")
WEIGHTS = [rng.uniform(-0.5, 0.5, (6, 6)).astype(np.float32) for _ in range(2)]


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def net(x):
    """Two parts with an operator between them that stays native."""
    y = tf.math.igamma(tf.abs(tf.nn.relu(x @ WEIGHTS[0])) + 1.0, 1.5)
    return {"scores": tf.nn.softmax(tf.tanh(y @ WEIGHTS[1]))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("api") / "model"
    module = tf.Module()
    module.run = tf.function(net, input_signature=[tf.TensorSpec([None, 6], name="x")], autograph=False)
    tf.saved_model.save(module, str(made), signatures={"serving_default": module.run})
    return str(made)


def frozen_net():
    graph, inputs, outputs, _ = native.frozen(lambda x: net(x)["scores"], [f32(4, 6)], open_sizes=True)
    return tf.compat.v1.GraphDef.FromString(graph), inputs[0], outputs[0]


def run_graph(graph_def, source, sink, x):
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(f"{sink}:0", {f"{source}:0": x})


def engines(graph_def):
    return [node for node in graph_def.node if node.op == "TRTEngineOp"]


# ---- Signatures ----

def test_parameters_by_position_of_both_generations():
    later = trt.TrtConversionParams(1 << 30, "FP16", 5, 2, False, False)
    early = trt.TrtConversionParams(None, 1 << 30, "FP16", 5, True, 2, False, 1, False)
    assert later == early and later.minimum_segment_size == 5 and later.allow_build_at_runtime is False
    assert trt.TrtConversionParams(1 << 20, precision_mode="INT8").precision_mode == "INT8"
    with pytest.raises(TypeError):
        trt.TrtConversionParams(1, "FP16", 3, 1, True, True, 7)


def test_parameters_of_tensorflow_itself(folder):
    from tensorflow.python.compiler.tensorrt import trt_convert as theirs
    converter = trt.TrtGraphConverterV2(folder, conversion_params=theirs.TrtConversionParams(precision_mode="FP16"))
    converter.convert()
    assert {segment.precision for segment in converter._surgery.segments} == {"bf16"}


@pytest.mark.parametrize("place", [3, 5])
def test_parameters_where_older_converters_had_them(folder, place):
    """The fourth argument until 2.4, the sixth in 2.5."""
    params = trt.DEFAULT_TRT_CONVERSION_PARAMS._replace(minimum_segment_size=100)
    converter = trt.TrtGraphConverterV2(*[folder, None, None, None, None][:place], params)
    function = converter.convert()
    assert not engines(function.graph.as_graph_def())


def test_parameters_win_and_it_is_said(folder, caplog):
    tf.get_logger().propagate = True
    converter = trt.TrtGraphConverterV2(folder, minimum_segment_size=50,
                                        conversion_params=trt.DEFAULT_TRT_CONVERSION_PARAMS)
    assert "minimum segment size is 3" in caplog.text
    converter.convert()
    assert len(converter._surgery.segments) == 2


def test_rewriter_config():
    params = trt.DEFAULT_TRT_CONVERSION_PARAMS._replace(precision_mode="FP16", minimum_segment_size=7)
    config = trt.get_tensorrt_rewriter_config(params, is_dynamic_op=True)
    asked, = [o for o in config.custom_optimizers if o.name == "TensorRTOptimizer"]
    assert asked.parameter_map["minimum_segment_size"].i == 7 and asked.parameter_map["precision_mode"].s == b"FP16"
    for wrong in ({}, {"is_dynamic_op": True, "max_batch_size": 4}, {"is_dynamic_op": False},
                  {"is_v2": True, "is_dynamic_op": False}):
        with pytest.raises(ValueError):
            trt.get_tensorrt_rewriter_config(params, **wrong)


# ---- What is worth an engine ----

@pytest.fixture
def timed(monkeypatch):
    """Engines count where they win, and those of a segment with a Tanh lose."""
    monkeypatch.delenv("HONE_TRT_ALWAYS")
    monkeypatch.setattr(_worth, "_measure", lambda surgery, segment, values: [
        0.001, 0.002 if "Tanh" in segment.ops.values() else 0.0005])
    monkeypatch.setattr(_whole, "race", lambda calls, inputs: [0.001, 0.0009])


def kinds_inside(converter):
    return sorted("Tanh" in segment.ops.values() for segment in converter._surgery.segments)


@pytest.mark.parametrize("given, inside", [({}, [False]), ({"minimum_segment_size": 3}, [False, True]),
                                           ({"conversion_params": trt.DEFAULT_TRT_CONVERSION_PARAMS}, [False])])
def test_segments_win_unless_a_size_is_given(timed, folder, given, inside):
    converter = trt.TrtGraphConverterV2(folder, **given)
    converter.convert()
    assert kinds_inside(converter) == inside
    if not all(inside) and len(inside) == 1:
        reasons = {row["op"]: row["reason"] for row in converter._surgery.native}
        assert reasons["Tanh"] == "its engine took 2000 us, TensorFlow 1000 us"


def test_the_first_converter_measures_too(timed, monkeypatch):
    graph, _, (sink, *_), _ = native.frozen(lambda x: net(x)["scores"], [f32(4, 6)])
    graph_def = tf.compat.v1.GraphDef.FromString(graph)
    assert len(engines(trt.create_inference_graph(graph_def, [sink]))) == 1
    assert len(engines(trt.create_inference_graph(graph_def, [sink], minimum_segment_size=3))) == 2
    monkeypatch.setattr(_whole, "race", lambda calls, inputs: [0.001, 0.0011])
    assert not engines(trt.create_inference_graph(graph_def, [sink]))
    monkeypatch.setenv("HONE_TRT_COMPAT", "1")
    assert len(engines(trt.create_inference_graph(graph_def, [sink]))) == 2


# ---- Places ----

SCRIPT = """
import hone.tensorflow
hone.tensorflow.install()
import sys, tensorflow as tf
from tensorflow.python.compiler.tensorrt import trt_convert as trt
import tensorflow.contrib.tensorrt as old
from tensorflow.experimental import tensorrt as spelled
assert tf.experimental.tensorrt.Converter is trt.TrtGraphConverterV2 is spelled.Converter
assert tf.contrib.tensorrt.create_inference_graph is old.create_inference_graph
params = tf.experimental.tensorrt.ConversionParams(precision_mode="FP32")
converter = tf.experimental.tensorrt.Converter(sys.argv[1], conversion_params=params)
converter.convert()
converter.save(sys.argv[2])
print("serves", *tf.saved_model.load(sys.argv[2]).signatures)
"""


def test_a_script_runs_unchanged_after_one_call(folder, tmp_path):
    done = subprocess.run([sys.executable, "-c", SCRIPT, folder, str(tmp_path / "out")], capture_output=True, text=True,
                          env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert done.returncode == 0 and "serves serving_default" in done.stdout, done.stderr


def test_contrib_spelling():
    graph_def, source, sink = frozen_net()
    converted = contrib.create_inference_graph(graph_def, [sink], 16, 1 << 25, "fp32", 2)
    assert len(engines(converted)) == 2
    for node in engines(converted):
        assert node.attr["segment_func"].func.name == f"{node.name}_native_segment"


# ---- Errors ----

def test_first_converter_is_for_graph_mode():
    graph_def, _, sink = frozen_net()
    with pytest.raises(RuntimeError, match="graph mode"):
        trt.TrtGraphConverter(input_graph_def=graph_def)
    with tf.Graph().as_default():
        with pytest.raises(ValueError, match="max_batch_size"):
            trt.TrtGraphConverter(input_graph_def=graph_def, max_batch_size=None)
        converter = trt.TrtGraphConverter(input_graph_def=graph_def, nodes_denylist=[sink])
        converter.convert()
        with pytest.raises(AssertionError):
            converter.convert()
        with pytest.raises(ValueError, match="GraphDef"):
            converter.save("/nowhere")


def test_calibration_is_refused_with_the_reason(folder):
    graph_def, source, sink = frozen_net()
    with pytest.raises(ValueError, match="use_calibration=False"):
        trt.TrtGraphConverterV2(folder, precision_mode="INT8")
    with pytest.raises(ValueError, match="has none"):
        trt.TrtGraphConverterV2(folder, precision_mode="INT8", use_calibration=False).convert()
    with pytest.raises(ValueError, match="calibration_input_fn"):
        trt.TrtGraphConverterV2(folder).convert(calibration_input_fn=lambda: [])
    with pytest.raises(ValueError, match="Not a calib graph"):
        trt.calib_graph_to_infer_graph(graph_def)
    converted = trt.create_inference_graph(graph_def, [sink], minimum_segment_size=1)
    engines(converted)[0].attr["precision_mode"].s = b"INT8"
    with pytest.raises(RuntimeError, match="cannot be calibrated"):
        trt.calib_graph_to_infer_graph(converted)
    with tf.Graph().as_default():
        converter = trt.TrtGraphConverter(input_graph_def=graph_def, nodes_denylist=[sink])
        converter.convert()
        with pytest.raises(ValueError, match="one and only one"):
            converter.calibrate([sink], 1)
        with pytest.raises(ValueError, match="tf.Tensor"):
            converter.calibrate([sink], 1, input_map_fn=lambda: {source: 1})
        with pytest.raises(RuntimeError, match="ranges"):
            converter.calibrate([sink], 1, feed_dict_fn=dict)


def test_build_errors(folder):
    converter = trt.TrtGraphConverterV2(folder)
    converter.convert()
    with pytest.raises(RuntimeError, match="input_fn is None"):
        converter.build(None)
    with pytest.raises(RuntimeError, match="no input of the model"):
        converter.build(lambda: [{"other": f32(1, 6)}])
    converter.build(lambda: [{"x": f32(1, 6)}])
    with pytest.raises(NotImplementedError):
        converter.build(lambda: [])


# ---- Precision ----

def test_int8_with_ranges_in_the_model():
    def quantised(x):
        return tf.quantization.quantize_and_dequantize_v2(x, -1.0, 1.0, range_given=True) @ WEIGHTS[0]

    graph, inputs, outputs, _ = native.frozen(quantised, [f32(4, 6)])
    graph_def = tf.compat.v1.GraphDef.FromString(graph)
    op = next(node for node in graph_def.node if node.op.startswith("QuantizeAndDequantize"))
    converted = trt.create_inference_graph(graph_def, outputs, precision_mode="INT8", minimum_segment_size=1)
    assert op.op not in {node.op for node in converted.node} and len(engines(converted)) == 1


def cancelling(x):
    """The difference of two near products: bf16 keeps nothing of it."""
    near = WEIGHTS[0] + np.float32(1e-4) * WEIGHTS[1]
    return {"y": 1e4 * (x @ WEIGHTS[0] - x @ near)}


def test_the_bound_is_the_documented_one():
    assert _precision.BOUND == BOUND


def test_fp16_only_where_results_stay_right(folder):
    converter = trt.TrtGraphConverterV2(folder, precision_mode="FP16", minimum_segment_size=1)
    converter.convert()
    assert {s.precision for s in converter._surgery.segments} <= {"bf16", "fp32"}
    assert all(s.judged_by == "seeded inputs" and s.error is not None for s in converter._surgery.segments)
    converter.build(lambda: [f32(8, 6)])
    for segment in converter._surgery.segments:
        assert (segment.precision == "fp32") == (segment.error > BOUND)
        assert segment.judged_by == "input_fn" or segment.precision == "fp32"
    lines = []
    converter.summary(print_fn=lines.append)
    assert any("on input_fn" in line for line in lines)


def test_fp16_goes_back_to_fp32_where_it_cancels():
    function = tf.function(cancelling, autograph=False).get_concrete_function(tf.TensorSpec([None, 6]))
    x = f32(8, 6)
    converted = hone.tensorflow.convert(function, minimum_segment_size=1, precision="bf16", measure=False,
                                        input_fn=lambda: [x])
    segment, = converted.segments
    if segment.error > BOUND:  # a processor without bf16 products multiplies in fp32 anyway
        assert segment.precision == "fp32"
    assert segment.judged_by == "input_fn"
    got, want = converted(tf.constant(x))["y"].numpy(), function(tf.constant(x))["y"].numpy()
    assert native.error(got, want) <= BOUND


LAYERS = "abcdefgh"


def eight_layers(x):
    for i, name in enumerate(LAYERS):
        x = tf.tanh(tf.matmul(x, tf.constant(WEIGHTS[0][:, :6] if i % 2 else WEIGHTS[1][:, :6]), name=name))
    return {"y": x}


@pytest.mark.parametrize("spread, tried, kept", [
    ({"c": 0.5, "f": 0.02}, [1e-3], "cf"), ({"c": 0.5}, [0.02, 1e-3], "cx"), ({"c": 0.5}, [0.02, 0.02, 0.02], "")])
def test_fp16_keeps_layers_in_fp32_that_break_the_bound(monkeypatch, spread, tried, kept):
    """Each layer's own error is given (those not named make next to none), and what trying then finds."""
    found = iter([0.5, *tried])
    monkeypatch.setattr(_precision, "_segment_error", lambda surgery, segment: next(found))
    monkeypatch.setattr(_precision._Layers, "errors", lambda self: {
        node.name: spread.get(node.name.rpartition("/")[2], 0.00001) for node in self.nodes})
    function = tf.function(eight_layers, autograph=False).get_concrete_function(tf.TensorSpec([None, 6]))
    converted = hone.tensorflow.convert(function, minimum_segment_size=1, precision="bf16", measure=False)
    segment, = converted.segments
    assert segment.precision == ("bf16" if kept else "fp32") and len(segment.kept) == len(kept)
    names = {name.rpartition("/")[2] for name in segment.kept}
    assert names >= set(kept) - {"x"}
    report = converted.report().text()
    assert not kept or f"{len(kept)} layers in fp32" in report and segment.kept[0] in report


def test_fp16_of_a_segment_with_one_layer_that_cancels():
    """The others stay in bf16, and results within the bound."""
    near = np.ones((6, 1), np.float32) + 1e-3 * f32(6, 6)
    apart = np.eye(6, dtype=np.float32) - np.eye(6, k=1, dtype=np.float32)

    def net(x):
        return {"y": tf.concat([tf.tanh(tf.abs(x) @ near @ apart * 300) @ np.eye(6, dtype=np.float32), x @ near], 1)}

    function = tf.function(net, autograph=False).get_concrete_function(tf.TensorSpec([None, 6]))
    x = f32(8, 6)
    converted = hone.tensorflow.convert(function, minimum_segment_size=1, precision="bf16", measure=False,
                                        input_fn=lambda: [x])
    segment, = converted.segments
    got, want = converted(tf.constant(x))["y"].numpy(), function(tf.constant(x))["y"].numpy()
    assert native.error(got, want) <= BOUND and segment.precision == "bf16"
    assert 0 < len(segment.kept) < 4 or "bf16" not in open("/proc/cpuinfo", encoding="ascii").read()


def test_build_measures_the_sizes_that_it_is_given(folder, monkeypatch):
    """Kernels with the largest, segments with all of them; what seeded inputs told convert() no longer counts."""
    seen = []
    monkeypatch.delenv("HONE_TRT_ALWAYS")
    monkeypatch.setattr(_worth, "_measure", lambda surgery, segment, values: seen.append(len(values[0])) or [
        0.001, 0.0005 if len(values[0]) > 1 else 0.002])
    monkeypatch.setattr(_whole, "race", lambda calls, inputs: [0.001, 0.0009])
    converter = trt.TrtGraphConverterV2(folder)
    converter.convert()
    assert not converter._surgery.segments and set(seen) == {1}
    converter.build(lambda: [f32(rows, 6) for rows in (4, 9, 4)])
    assert converter._surgery.segments and set(seen) == {1, 4, 9}
    for segment in converter._surgery.segments:
        assert len(segment.times) == 2 and segment.sizes["in_0"][0] == 9


# ---- Environment ----

@pytest.mark.parametrize("prefix", ["TF_TRT", "HONE"])
def test_environment(monkeypatch, capsys, tmp_path, prefix):
    graph_def, _, sink = frozen_net()
    monkeypatch.setenv(f"{prefix}_MAX_ALLOWED_ENGINES", "1")
    monkeypatch.setenv(f"{prefix}_SHOW_DETAILED_REPORT", "1")
    monkeypatch.setenv(f"{prefix}_EXPORT_GRAPH_VIZ_PATH", str(tmp_path / "graph.dot"))
    converted = trt.create_inference_graph(graph_def, [sink], minimum_segment_size=1)
    assert len(engines(converted)) == 1
    report = capsys.readouterr().err
    assert "- Igamma -> 1x" in report and "1 segments are larger" in report and "Total nonconverted OPs" in report
    before, after = ((tmp_path / f"graph.{when}.dot").read_text() for when in ("before", "after"))
    assert "Igamma" in before and "TRTEngineOp" not in before and "TRTEngineOp" in after
    monkeypatch.setenv(f"{prefix}_MAX_ALLOWED_ENGINES", "0")
    assert len(engines(trt.create_inference_graph(graph_def, [sink], minimum_segment_size=1))) == 2


def test_compatible_operators(monkeypatch):
    graph, _, outputs, _ = native.frozen(lambda x: tf.cumsum(tf.nn.relu(x @ WEIGHTS[0])) @ WEIGHTS[1], [f32(4, 6)])
    graph_def = tf.compat.v1.GraphDef.FromString(graph)
    assert "Cumsum" not in {n.op for n in trt.create_inference_graph(graph_def, outputs, minimum_segment_size=1).node}
    monkeypatch.setenv("HONE_TRT_COMPAT", "1")
    converted = trt.create_inference_graph(graph_def, outputs, minimum_segment_size=1)
    assert "Cumsum" in {n.op for n in converted.node} and len(engines(converted)) == 2


def test_engines_too_large_for_a_frozen_graph_are_files(monkeypatch, tmp_path):
    graph_def, source, sink = frozen_net()
    x = f32(4, 6)
    want = run_graph(graph_def, source, sink, x)
    monkeypatch.setattr(_surgery, "EMBED_MOST", 100)
    with pytest.raises(hone.LimitError, match="HONE_ENGINES_PATH"):
        trt.create_inference_graph(graph_def, [sink], minimum_segment_size=1)
    monkeypatch.setenv("HONE_ENGINES_PATH", str(tmp_path / "engines"))
    converted = trt.create_inference_graph(graph_def, [sink], minimum_segment_size=1)
    files = sorted(path.stem for path in (tmp_path / "engines").iterdir())
    assert files == sorted(node.name for node in engines(converted)) and files
    monkeypatch.setenv("HONE_ALLOW_NATIVE", "0")
    assert native.error(run_graph(converted, source, sink, x), want) <= numerics.bound("model", "fp32")


# ---- Report ----

def test_report(folder, tmp_path):
    converter = trt.TrtGraphConverterV2(folder, minimum_segment_size=1)
    with pytest.raises(RuntimeError):
        converter.report()
    converter.convert()
    report = converter.report(lambda: [f32(32, 6)])
    by_op = {row.op: row for row in report.rows}
    assert by_op["Igamma"].where == "native" and "not supported" in by_op["Igamma"].why
    assert by_op["Igamma"].time is not None and by_op["Relu"].where in report.engines
    assert {row.where for row in report.rows} == {"native", *report.engines} and len(report.engines) == 2
    for engine in report.engines.values():
        assert engine["time"] is not None and engine["steps"]
    assert {c.way for c in report.crossings} == {"in", "out"} and len(report.crossings) >= 4
    for row in report.rows:  # each node in an engine has the time of its step, or says which it is part of
        assert row.where == "native" or row.time is not None or any(w in row.why for w in ("step", "constant"))
    assert "in engines" in report.text() and by_op["MatMul"].where in report.engines
    report.save(tmp_path / "report.html")
    report.save(tmp_path / "report.txt")
    page, text = (tmp_path / "report.html").read_text(), (tmp_path / "report.txt").read_text()
    for part in (page, text):
        assert all(row.node in part for row in report.rows) and "input_fn" in part


def test_converted_graph_opens_in_tensorboard(folder, tmp_path):
    converter = trt.TrtGraphConverterV2(folder, minimum_segment_size=1)
    graph = converter.convert().graph
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        tf.summary.graph(graph)
    event, = tmp_path.iterdir()
    records = [tf.compat.v1.Event.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(event))]
    shown = tf.compat.v1.GraphDef.FromString(next(r.graph_def for r in records if r.graph_def))
    names = [n.name for n in shown.node] + [n.name for f in shown.library.function for n in f.node_def]
    assert any(name.startswith("TRTEngineOp_") for name in names)
    assert not [name for name in names if name.isdigit()], names
