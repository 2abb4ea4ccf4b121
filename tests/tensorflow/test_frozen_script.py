"""Scripts of the first TensorFlow, as published: a Keras file or a frozen graph in, create_inference_graph, files and
sessions after it."""
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import hone
import hone.tensorflow.contrib as contrib
from hone.tensorflow import trt_convert as trt

v1 = tf.compat.v1
rng = np.random.default_rng(31)
FP32 = numerics.bound("model", "fp32")
FP16 = numerics.bound("TensorFlow segment", "bf16")


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def trained(model):
    """Every bias, scale and statistic as training leaves them: none 0, none 1."""
    for weight in model.weights:
        low, high = (0.5, 1.5) if "variance" in weight.path or "gamma" in weight.path else (-0.4, 0.4)
        if len(weight.shape) == 1:
            weight.assign(rng.uniform(low, high, weight.shape))
    return model


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    k = tf.keras
    x = source = k.Input((24, 24, 3), name="input")
    for filters, stride in ((12, 2), (16, 1)):
        y = k.layers.Conv2D(filters, 3, stride, "same")(x)
        y = k.layers.ReLU()(k.layers.BatchNormalization()(y))
        x = k.layers.Add()([y, k.layers.Conv2D(filters, 1, stride)(x)])
    x = k.layers.Dense(7, activation="softmax", name="output")(k.layers.GlobalAveragePooling2D()(x))
    path = tmp_path_factory.mktemp("keras") / "model.h5"
    trained(k.Model(source, x)).save(path)
    return path


@pytest.fixture(scope="module")
def frozen(keras_file):
    """(GraphDef, the name of its input, of its output, a batch, the Keras model's answers to it)."""
    model = tf.keras.models.load_model(keras_file, compile=False)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(
        tf.TensorSpec([None, 24, 24, 3], name="input"))
    made = convert_variables_to_constants_v2(function)
    x = f32(5, 24, 24, 3)
    return made.graph.as_graph_def(), "input", made.outputs[0].name.split(":")[0], x, model(x, training=False).numpy()


def run(graph_def, source, sink, x, **config):
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with v1.Session(graph=graph, config=v1.ConfigProto(**config)) as session:
        return session.run(graph.get_tensor_by_name(f"{sink}:0"), {graph.get_tensor_by_name(f"{source}:0"): x})


def engines(graph_def):
    return [node for node in graph_def.node if node.op == "TRTEngineOp"]


def test_a_keras_file_in_one_line(keras_file):
    model = tf.keras.models.load_model(keras_file, compile=False)
    converted = hone.tensorflow.convert(model, minimum_segment_size=1, measure=False)
    x = f32(3, 24, 24, 3)
    assert native.error(converted(x).numpy(), model(x, training=False).numpy()) <= FP32


@pytest.mark.parametrize("name", ["pretrainedResnet.h5", "gender_mini_XCEPTION.21-0.95.hdf5"])
def test_keras_files_of_other_people(name, models_folder):
    model = tf.keras.models.load_model(models_folder / "keras" / name, compile=False)
    converted = hone.tensorflow.convert(model, minimum_segment_size=1, measure=False)
    assert len(converted.segments) == 1
    x = rng.uniform(0, 1, (2, *model.inputs[0].shape[1:])).astype(np.float32)
    assert native.error(converted(x).numpy(), model(x, training=False).numpy()) <= FP32


def test_argument_names_that_never_were_are_named(frozen):
    """As one post has it; Python says which word is not one, and the signature which are."""
    graph, _, sink, _, _ = frozen
    with pytest.raises(TypeError, match="input_tensor_names|output_tensor_names"):
        contrib.create_inference_graph(input_graph_def=graph, input_tensor_names=["input"],
                                       output_tensor_names=[sink], max_batch_size=1, precision_mode="FP16")
    with pytest.raises(TypeError, match="outputs"):
        contrib.create_inference_graph(input_graph_def=graph, max_batch_size=1, precision_mode="FP16")


def test_the_converted_graph_as_a_file(frozen, tmp_path):
    """Written, read again, run by TensorFlow."""
    graph, source, sink, x, want = frozen
    converted = contrib.create_inference_graph(graph, [sink], max_batch_size=1, precision_mode="FP32")
    v1.train.write_graph(converted, str(tmp_path), "converted.pb", as_text=False)
    read = v1.GraphDef.FromString((tmp_path / "converted.pb").read_bytes())
    assert len(engines(read)) == 1
    assert native.error(run(read, source, sink, x), want) <= FP32


def test_the_frozen_file_without_tensorflow(frozen, tmp_path):
    graph, source, sink, x, want = frozen
    for name, as_text in (("model.pb", False), ("model.pbtxt", True)):
        v1.train.write_graph(graph, str(tmp_path), name, as_text=as_text)
        engine = hone.build(tmp_path / name, outputs=sink, measure=False)
        assert native.error(engine.run({source: x})[sink], want) <= FP32, name


@pytest.mark.parametrize("precision, bound", [("FP32", FP32), ("FP16", FP16)])
def test_most_of_the_graph_is_one_engine(frozen, precision, bound):
    graph, source, sink, x, want = frozen
    converted = contrib.create_inference_graph(input_graph_def=graph, outputs=[sink], max_batch_size=16,
                                               max_workspace_size_bytes=4000000000, precision_mode=precision)
    assert len(engines(converted)) == 1 and sink in {node.name for node in converted.node}
    assert sum(node.op in ("Conv2D", "MatMul", "FusedBatchNormV3", "Relu") for node in converted.node) == 0
    assert native.error(run(converted, source, sink, x), want) <= bound


def three_parts(x):
    """A and C no engine takes, B does."""
    a = tf.math.erfinv(tf.math.igamma(tf.abs(x) + 1.0, 1.5))
    b = tf.tanh(tf.nn.relu(a @ PARTS[0] + PARTS[1]) @ PARTS[2])
    return tf.math.igamma(tf.abs(b) + 0.5, 2.0)


PARTS = [f32(6, 8), f32(8), f32(8, 6)]


def test_only_the_part_in_the_middle_converts():
    graph, inputs, outputs, (want,) = native.frozen(three_parts, [x := f32(4, 6)])
    graph = v1.GraphDef.FromString(graph)
    converted = trt.create_inference_graph(graph, outputs)
    engine, = engines(converted)
    place = {node.name: i for i, node in enumerate(converted.node)}
    igammas = [node for node in converted.node if node.op == "Igamma"]
    assert len(igammas) == 2 and not {"MatMul", "Tanh", "Relu"} & {node.op for node in converted.node}
    users = [node for node in converted.node if any(i.split(":")[0] == engine.name for i in node.input)]
    assert users and all(node.name in place for node in users)
    assert native.error(run(converted, inputs[0], outputs[0], x), want) <= FP32


def test_before_and_after_in_tensorboard(frozen, tmp_path):
    graph, _, sink, _, _ = frozen
    converted = trt.create_inference_graph(graph, [sink])
    shown = {}
    for name, each in (("before", graph), ("after", converted)):
        with tf.Graph().as_default() as made:
            tf.import_graph_def(each, name="")
            v1.summary.FileWriter(str(tmp_path / name), made).close()
        event, = (tmp_path / name).iterdir()
        records = [v1.Event.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(event))]
        shown[name] = v1.GraphDef.FromString(next(r.graph_def for r in records if r.graph_def))
    assert "Conv2D" in {node.op for node in shown["before"].node}
    node, = engines(shown["after"])
    assert node.name.startswith("TRTEngineOp_") and len(shown["after"].node) < len(shown["before"].node)


def test_a_part_of_the_gpu_for_tensorflow(frozen):
    """(12 GB - 4 GB) / 12 GB; here without a GPU, where both limits are taken and bind nothing."""
    graph, source, sink, x, want = frozen
    converted = trt.create_inference_graph(graph, [sink], max_workspace_size_bytes=4000000000)
    assert engines(converted)[0].attr["workspace_size_bytes"].i == 4000000000
    options = v1.GPUOptions(per_process_gpu_memory_fraction=0.67)
    assert native.error(run(converted, source, sink, x, gpu_options=options), want) <= FP32


def test_int8_calibration_is_refused_and_says_what_to_do(frozen):
    graph, _, sink, _, _ = frozen
    with pytest.raises(ValueError, match="QuantizeAndDequantize"):
        trt.create_inference_graph(graph, [sink], precision_mode="INT8")
    with pytest.raises(ValueError, match="Not a calib graph"):
        trt.calib_graph_to_infer_graph(graph)


def test_int8_from_ranges_in_the_model():
    """A model trained with quantisation runs with it."""
    w, b = f32(16, 8), f32(8)

    def quantised(x):
        y = tf.quantization.fake_quant_with_min_max_args(x, -1, 1) @ tf.quantization.fake_quant_with_min_max_args(
            tf.constant(w), -1, 1)
        return tf.quantization.fake_quant_with_min_max_args(tf.nn.relu(y + b), 0, 6)

    graph, inputs, outputs, (want,) = native.frozen(quantised, [x := f32(9, 16)])
    converted = trt.create_inference_graph(v1.GraphDef.FromString(graph), outputs, precision_mode="INT8",
                                           minimum_segment_size=1)
    assert len(engines(converted)) == 1
    assert native.error(run(converted, inputs[0], outputs[0], x), want) <= numerics.bound("model", "int8")


def test_results_beyond_the_range_of_fp16():
    """1e6 does not fit fp16 (65504); what runs in its place keeps the range."""
    x, w = f32(4, 6), f32(6, 6)
    graph, inputs, outputs, (want,) = native.frozen(lambda x: tf.nn.relu((x * 1e3) @ (w * 1e3)) / 1e3, [x])
    converted = trt.create_inference_graph(v1.GraphDef.FromString(graph), outputs, precision_mode="FP16")
    got = run(converted, inputs[0], outputs[0], x)
    assert np.isfinite(got).all() and native.error(got, want) <= FP16
