"""Writes the seeds of the TensorFlow fuzz targets: small graphs of every kind. Needs TensorFlow.

Run from the project's root: .venv/bin/python tests/fuzz/make_seeds.py
"""
import os
import pathlib
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

HERE = pathlib.Path(__file__).resolve().parent / "corpus"
v1 = tf.compat.v1


def graph_of(function, *specs):
    made = tf.function(function, autograph=False).get_concrete_function(*specs)
    return made.graph.as_graph_def().SerializeToString()


def old_graph(build):
    with tf.Graph().as_default() as graph:
        v1.disable_control_flow_v2()
        build(v1.placeholder(tf.float32, [2, 3], name="x"))
        v1.enable_control_flow_v2()
    return graph.as_graph_def().SerializeToString()


def array_loop(x):
    made = tf.TensorArray(tf.float32, 2)
    return v1.while_loop(lambda i, _: i < 2, lambda i, t: (i + 1, t.write(i, x[i])), (0, made))[1].stack()


def engine(graph, by_text=False):
    """The graph with an engine in the place of its conditional: a call of one of its branches."""
    graph = v1.GraphDef.FromString(graph)
    for node in graph.node:
        if node.op in ("If", "StatelessIf"):
            branch = node.attr["then_branch"].func.name
            node.op, node.input[:] = "TRTEngineOp", node.input[1:]
            node.attr.clear()
            node.attr["InT"].list.type.append(1)
            node.attr["OutT"].list.type.append(1)
            if by_text:
                node.attr["segment_funcdef_name"].s = branch.encode()
            else:
                node.attr["segment_func"].func.name = branch
    return graph.SerializeToString()


X = tf.TensorSpec([None, 3])
GRAPHS = {
    "net": graph_of(lambda x: tf.nn.softmax(tf.nn.relu(x @ tf.ones([3, 4]) + 1.0)), X),
    "conv": graph_of(lambda x: tf.nn.max_pool2d(tf.nn.conv2d(x, tf.ones([3, 3, 2, 2]), 1, "SAME"), 2, 2, "VALID"),
                     tf.TensorSpec([1, 6, 6, 2])),
    "shapes": graph_of(lambda x: tf.reshape(tf.transpose(x)[1:, ::2, None], [tf.shape(x)[0], -1]), X),
    "while": graph_of(lambda x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (0, x))[1], X),
    "cond": graph_of(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x + 1, lambda: x * 2), X),
    "map": graph_of(lambda x: tf.map_fn(lambda row: row * 2, x), X),
    "old_cond": old_graph(lambda x: v1.cond(x[0, 0] > 0, lambda: x + 1, lambda: tf.ones([2, 3]))),
    "old_loop": old_graph(lambda x: v1.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (0, x))),
    "old_array": old_graph(array_loop),
}
GRAPHS |= {"engine": engine(GRAPHS["cond"]), "old_engine": engine(GRAPHS["cond"], by_text=True)}


def saved_models():
    module = tf.Module()
    module.weight = tf.Variable(tf.ones([3, 2]))
    module.run = tf.function(lambda x: {"y": x @ module.weight}, input_signature=[tf.TensorSpec([None, 3])],
                             autograph=False)
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.run)
        model = (pathlib.Path(folder) / "saved_model.pb").read_bytes()
        index = (pathlib.Path(folder) / "variables" / "variables.index").read_bytes()
    yield "variable", len(model).to_bytes(2, "little") + model + index


def texts():
    for name in ("conv", "while", "old_cond"):
        yield name, str(v1.GraphDef.FromString(GRAPHS[name])).encode()
    model = saved_model_pb2.SavedModel()
    graph = model.meta_graphs.add()
    model.saved_model_schema_version = 1
    graph.meta_info_def.tags.append("serve")
    graph.graph_def.ParseFromString(GRAPHS["net"])
    signature = graph.signature_def["serving_default"]
    for side, node, port in ((signature.inputs, "x", "x"), (signature.outputs, "Identity", "y")):
        side[port].name = node + ":0"
        side[port].dtype = 1
    yield "saved_model", str(model).encode()


for target, seeds in {"fuzz_graph_def": GRAPHS.items(), "fuzz_saved_model": saved_models(),
                      "fuzz_graph_text": texts()}.items():
    (HERE / target).mkdir(parents=True, exist_ok=True)
    for name, content in seeds:
        (HERE / target / name).write_bytes(content)
        print(target, name, len(content))
