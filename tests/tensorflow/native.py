"""TensorFlow as the oracle: a Python function becomes a frozen GraphDef, and what TensorFlow makes of it.

A case runs twice on Hone: with the shapes known, and with every size open.
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import hone


def node(op, inputs, dtypes, **attrs):
    """A node of any registered operator, also those without a Python function; its outputs."""
    inputs = [tf.convert_to_tensor(i) for i in tf.nest.flatten(inputs)]
    made = {}
    for name, value in attrs.items():
        made[name] = attr = tf.compat.v1.AttrValue()
        if isinstance(value, tf.DType):
            attr.type = value.as_datatype_enum
        elif isinstance(value, (list, tuple)):
            for item in value:
                field = (attr.list.type if isinstance(item, tf.DType) else
                         attr.list.s if isinstance(item, str) else attr.list.i)
                field.append(item.as_datatype_enum if isinstance(item, tf.DType) else
                             item.encode() if isinstance(item, str) else item)
            attr.list.SetInParent()
        elif isinstance(value, bool):
            attr.b = value
        elif isinstance(value, int):
            attr.i = value
        elif isinstance(value, float):
            attr.f = value
        else:
            attr.s = value.encode()
    graph = tf.compat.v1.get_default_graph()
    return graph.create_op(op, inputs, dtypes, attrs=made, name="node").outputs


def concrete(function, arrays, open_sizes=False):
    """The function as a ConcreteFunction of x0, x1, …, its results named y0, y1, …"""
    specs = [tf.TensorSpec([None] * a.ndim if open_sizes else a.shape, tf.as_dtype(a.dtype), name=f"x{i}")
             for i, a in enumerate(arrays)]

    @tf.function(autograph=False)
    def traced(*tensors):
        results = tf.nest.flatten(function(*tensors))
        return [tf.identity(result, name=f"y{i}") for i, result in enumerate(results)]

    return traced.get_concrete_function(*specs)


def frozen(function, arrays, open_sizes=False):
    """(GraphDef bytes, [edge of each input], [edge of each output], TensorFlow's answers)."""
    made = concrete(function, arrays, open_sizes)
    answers = [np.asarray(answer) for answer in made(*map(tf.constant, arrays))]
    made = convert_variables_to_constants_v2(made, lower_control_flow=False)
    inputs = [t.name.removesuffix(":0") for t in made.inputs]
    outputs = [t.name.removesuffix(":0") for t in made.outputs]
    return made.graph.as_graph_def().SerializeToString(), inputs, outputs, answers


def on_hone(function, arrays, open_sizes=False, **options):
    """(Hone's answers, TensorFlow's answers, the engine)."""
    graph, inputs, outputs, answers = frozen(function, arrays, open_sizes)
    engine = hone.build(graph, format="graph_def", outputs=",".join(outputs), measure=False, **options)
    taken = {port.name for port in engine.inputs}
    got = engine.run({name: a for name, a in zip(inputs, arrays) if name in taken})
    return [got[name] for name in outputs], answers, engine


def error(got, want):
    """max|got - want| / max|want| of one tensor; infinite where anything else differs."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return np.inf
    if want.dtype == object or got.dtype.kind not in "fcV":
        return 0.0 if np.array_equal(got, want) else np.inf
    if got.dtype.kind == "c":
        got, want = (np.stack([a.real, a.imag]) for a in (got, want))
    got, want = got.astype(np.float64), want.astype(np.float64)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    if same.all():
        return 0.0
    if (np.isfinite(got) != np.isfinite(want))[~same].any():
        return np.inf
    finite = np.isfinite(want)
    return float(np.abs(got - want)[~same].max() / max(np.abs(want[finite]).max(initial=0), np.finfo(np.float64).tiny))
