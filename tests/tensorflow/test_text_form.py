"""GraphDefs and SavedModels in protobuf's text form give what the binary files give."""
import numerics
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native

from google.protobuf import text_format
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

hone = native.hone
rng = np.random.default_rng(3)


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def text_of(function, *arrays, **style):
    graph, inputs, outputs, answers = native.frozen(function, arrays)
    text = text_format.MessageToString(graph_pb2.GraphDef.FromString(graph), **style)
    return text, inputs, outputs, answers


CONSTANTS = [np.array(values, kind) for kind, values in (
    (np.float16, [1.5, -2, 0]), (np.float64, [1e-300, -3, 7]), (np.int32, [-1, 5, 2**31 - 1]),
    (np.int64, [-2**63, 2**63 - 1, 0]), (np.uint8, [0, 200, 255]), (np.uint32, [0, 2**32 - 1, 7]),
    (np.uint64, [0, 2**64 - 1, 7]), (np.bool_, [True, False, True]))]

FUNCTIONS = {
    "conv": (lambda x: tf.nn.relu(tf.nn.conv2d(x, f32(3, 3, 2, 4), 2, "SAME") + f32(4)), f32(1, 7, 6, 2)),
    "while": (lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (0, x))[1], f32(2, 3)),
    "types": (lambda x: [tf.tile(tf.constant(c), [2]) for c in CONSTANTS] + [x], f32(1)),
    "special numbers": (lambda x: x + tf.constant([np.inf, -np.inf, np.nan, 1e-45], tf.float32), f32(4)),
}


STYLES = [{}, {"as_one_line": True}, {"pointy_brackets": True}, {"use_short_repeated_primitives": True}]


@pytest.mark.parametrize("style", STYLES, ids=lambda style: next(iter(style), "plain"))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_graph(name, style):
    function, x = FUNCTIONS[name]
    text, inputs, outputs, answers = text_of(function, x, **style)
    engine = hone.build(text.encode(), outputs=",".join(outputs), measure=False)
    got = engine.run({inputs[0]: x})
    for output, want in zip(outputs, answers):
        assert native.error(got[output], want) <= numerics.bound("model", "fp32")


def test_saved_model(tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(f32(3, 2))
    module.run = tf.function(lambda x: {"y": tf.nn.softmax(x @ module.weight)}, autograph=False,
                             input_signature=[tf.TensorSpec([None, 3])])
    tf.saved_model.save(module, str(tmp_path), signatures=module.run)
    binary = tmp_path / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(binary.read_bytes())
    binary.unlink()
    (tmp_path / "saved_model.pbtxt").write_text(text_format.MessageToString(model))
    x = f32(4, 3)
    got = hone.build(tmp_path, measure=False).run({"x": x})["y"]
    assert native.error(got, module.run(x)["y"].numpy()) <= numerics.bound("model", "fp32")
    again = hone.build(tmp_path / "saved_model.pbtxt", measure=False).run({"x": x})["y"]
    assert np.array_equal(got, again)


def test_broken_text_is_told_by_its_line():
    with pytest.raises(hone.Error, match=r"line 3 of its text: a message without an end"):
        hone.build(b"node {\n  name: 'x'\n", format="graph_def")
