"""The graphs that TF-TRT tested itself with, seeded anew, through both converters: engines of its names where it had
them, the operators in them gone from the graph, what it left native still there, and TensorFlow's answers.

HONE_TRT_COMPAT=1 throughout, as TF-TRT's counts are of its own operators; Erfc and Igamma are what no engine takes.
"""
from __future__ import annotations

import dataclasses
import re
from typing import Any, Callable, Optional

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

from hone.tensorflow import trt_convert as trt

v1, raw = tf.compat.v1, tf.raw_ops
BOUND = {"FP32": numerics.bound("model", "fp32"), "FP16": numerics.bound("TensorFlow segment", "bf16"),
         "INT8": numerics.bound("TensorFlow segment", "bf16")}
NAME = re.compile(r"TRTEngineOp_\d{3,}_\d{3,}")


@dataclasses.dataclass
class Case:
    """`shapes`: of each input, in each run. `engines`: as many as TF-TRT made where every size may change; None: some
    number that is not its. `gone`: names of nodes that are in an engine. `native`: operators that stay. `oracle`: where
    TensorFlow itself has no kernel. `half`: whether the graph itself multiplies in fp16."""
    graph: Callable
    shapes: list
    engines: Optional[int] = 1
    gone: tuple = ()
    native: tuple = ()
    dtype: Any = tf.float32
    open_sizes: tuple = (0,)
    oracle: Any = None
    precisions: tuple = ("FP32", "FP16")
    half: bool = False


def weights(*shape, seed=0, kind="normal"):
    made = np.random.default_rng([seed, *shape])
    return (made.standard_normal(shape) if kind == "normal" else made.uniform(0.5, 1.5, shape)).astype(np.float32)


def constant(*shape, name=None, seed=0, kind="normal"):
    return tf.constant(weights(*shape, seed=seed, kind=kind), name=name)


# ---- Which nodes become an engine ----

def one_engine(x):
    y = tf.nn.conv2d(x, constant(1, 1, 2, 6, name="weights"), 2, "SAME", name="conv")
    y = tf.nn.relu(tf.nn.bias_add(y, constant(6, name="bias"), name="bias_add"), "relu")
    y = raw.MaxPool(input=tf.identity(y, "identity"), ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID",
                    name="max_pool")
    return tf.squeeze(y, name="output_0")


def two_engines(x):
    conv = tf.nn.conv2d(x, constant(1, 1, 2, 6, name="weights"), 2, "SAME", name="conv")
    p = tf.multiply(conv, constant(12, 12, 6, name="c1"), name="mul")
    q = tf.realdiv(conv, constant(12, 12, 6, name="c2", seed=1, kind="far"), name="div")
    edge = tf.math.erfc(q, name="incompatible")
    edge = tf.realdiv(edge, edge + 1.0, name="div1")
    r = tf.add(edge, edge, name="add")
    p, q = tf.subtract(p, edge, name="sub"), tf.multiply(q, edge, name="mul1")
    return tf.squeeze(tf.subtract(tf.add(p, q, name="add1"), r, name="sub1"), name="output_0")


def three_steps(x, c, names):
    for op, name in zip(("add", "mul", "add"), names):
        x = tf.add(x, c if name == names[0] else x, name=name) if op == "add" else tf.multiply(x, x, name=name)
    return x


def constant_of_two_engines_and_a_native(x):
    c = tf.constant(1.0, name="c")
    n = three_steps(tf.math.igamma(tf.abs(x, name="abs") + 1.0, c, name="incompatible"), c, ("add_", "mul_", "add1_"))
    n = three_steps(tf.math.erfc(n, name="incompatible1"), c, ("add2_", "mul1_", "add3_"))
    return tf.squeeze(n, name="output_0")


def constant_of_one_engine(x):
    return tf.squeeze(three_steps(x, tf.constant(1.0, name="c"), ("add", "mul", "add1")), name="output_0")


def constant_of_two_engines(x):
    c = tf.constant(1.0, name="c")
    n = tf.math.erfc(three_steps(x, c, ("add", "mul", "add1")), name="incompatible1")
    return tf.squeeze(three_steps(n, c, ("add2", "mul1", "add3")), name="output_0")


def control_edges(x):
    d1 = tf.math.erfc(x, name="d1")
    d2 = tf.math.igamma(tf.abs(x, name="abs"), tf.abs(x, name="abs_1"), name="d2")
    with tf.control_dependencies([d1]):
        n = tf.add(x, tf.constant(1.0, name="c1"), name="add")
    n = tf.multiply(n, n, name="mul")
    n = add1 = tf.add(n, n, name="add1")
    n = tf.math.erfc(n, name="incompatible")
    with tf.control_dependencies([d1, d2, add1]):
        n = tf.add(n, tf.constant(2.0, name="c2"), name="add2")
    n = tf.add(tf.multiply(n, n, name="mul1"), n, name="add3")
    n = tf.math.igamma(tf.abs(d1) + 1.0, tf.abs(n) + 0.5, name="incompatible1")
    return tf.squeeze(tf.math.igamma(d2 + 1.0, n, name="incompatible2"), name="output_0")


def neighbours(x):
    conv = tf.nn.conv2d(x, constant(3, 2, 3, 4, name="weights"), 1, "VALID", name="conv")
    t = tf.multiply(conv, constant(1, 1, 1, 4, name="bias"), name="mul")
    return tf.squeeze(tf.subtract(t, tf.math.erfc(conv, name="incompatible"), name="sub"), name="output_0")


def neighbours_of_many_edges(x):
    conv = tf.nn.conv2d(x, constant(3, 2, 3, 4, name="weights"), 1, "VALID", name="conv")
    t = conv + constant(1, 1, 1, 4)
    q = conv - constant(1, 1, 1, 4, seed=1)
    edge = tf.math.erfc(q)
    d = constant(1, 1, 1, 4, seed=2) + conv
    edge3, edge1 = tf.math.erfc(d), tf.math.erfc(conv)
    return tf.squeeze(t - edge1 + (q + edge) + d - edge3, name="output_0")


def two_ranks(x2, x4):
    def path(x, i):
        for j, value in enumerate((1.0, 2.2, 3.0)):
            x = tf.add(x, tf.constant(value, name=f"c{i}_{j}"), name=f"add{i}_{j}")
            x = tf.abs(x, name=f"abs{i}_{j}") if j < 2 else x
        return x

    narrow = path(x2, 0)
    for j in range(2):
        narrow = tf.expand_dims(narrow, -1, name=f"expand{j}")
    narrow = tf.math.reciprocal(tf.math.erfc(narrow) + 2.0, name="reciprocal0")
    wide = tf.math.reciprocal(path(x4, 1), name="reciprocal1")
    return tf.squeeze(tf.add(narrow, wide, name="add"), name="output_0")


def one_node_segments(x):
    for i, shape in enumerate([(1,), (24, 1, 1), (24, 24, 20), (20,), (1, 24, 1, 1), (1, 24, 24, 1), (1, 24, 24, 20),
                               (24, 20)]):
        x = tf.math.erfc(x + constant(*shape, seed=i))
        x = tf.math.erfc(constant(*shape, seed=i + 8) + x)
    return tf.reshape(x, [5, -1], name="output_0")


def same_result_thrice(x):
    y = tf.exp(x) + x
    return [tf.identity(y, name="output_0"), tf.identity(y, name="output_1"),
            tf.identity(tf.identity(y), name="output_2")]


def found_sizes(x):
    """Where sizes come from values: the operator that finds them stays, both sides convert."""
    x = tf.floor(x * 10)
    y, _ = tf.unique(x)
    y = y * 2 + y
    y = tf.pad(y, [tf.concat([tf.constant([0]), tf.shape(x) - tf.shape(y)], 0)])
    return tf.identity(y, name="output_0")


def sizes_as_results(x):
    q = tf.cast(tf.shape(2 * x + 1), tf.float32)
    q = tf.math.erfc(q)
    return tf.identity(q * 2 + q * q, name="output_0")


def sum_of_all(x):
    d = tf.nn.relu(tf.squeeze(x, [2]))
    d = d + d
    return [tf.identity(d, name="output_0"), tf.identity(tf.reduce_sum(d), name="output_1")]


def batches_of_their_own(shapes, sizes):
    """Marks of largest batches, as `_tftrt_op_max_batch_size`, which keep nodes apart; or sizes written down, which one
    engine runs all."""
    def graph(x):
        y = x * 2.0
        for i, shape in enumerate(shapes[1:]):
            y = tf.reshape(y, shape if sizes else [-1, *shape[1:]])
            mark = {} if sizes else {"_tftrt_op_max_batch_size": v1.AttrValue(i=shape[0])}
            with v1.get_default_graph()._attr_scope(mark):
                y = (y + 3.0, y * 4.0, y + (y + 5.0))[i]
        return tf.identity(y, name="output_0")
    return graph


BATCHES = [[1, 512, 1, 1], [64, 2, 2, 2], [32, 4, 2, 2], [16, 8, 2, 2]]


@tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 2])], autograph=False, experimental_attributes=None)
def called_function(x):
    y = tf.nn.conv2d(x, constant(1, 1, 2, 3, name="weights"), 2, "SAME", name="conv")
    y = tf.nn.relu(tf.nn.bias_add(y, constant(3, name="bias"), name="bias_add"), "relu")
    return tf.squeeze(tf.nn.max_pool2d(tf.identity(y, "identity"), 2, 2, "VALID", name="max_pool"))


# ---- Single layers ----

def conv_sum(x):
    return tf.identity(sum(tf.nn.conv2d(x, constant(*kernel, 3, 5), 1, "SAME", dilations=dilation)
                           for kernel in [(3, 3), (3, 2)] for dilation in [(1, 1), (2, 3)]), name="output_0")


def conv_strided(x):
    y = tf.nn.conv2d(x, constant(3, 2, 3, 5), 2, "SAME")
    return tf.identity(tf.nn.conv2d(y, constant(3, 3, 5, 5), 2, "SAME"), name="output_0")


def channels_first(graph):
    """The graph on channels that come first, of which TensorFlow's CPU kernels know nothing; and its oracle."""
    def converted(x):
        saved = tf.nn.conv2d, tf.nn.max_pool2d

        def conv2d(x, w, strides, padding, dilations=(1, 1), name=None):
            return raw.Conv2D(input=x, filter=w, strides=[1, 1, strides, strides], padding=padding,
                              dilations=[1, 1, *dilations], data_format="NCHW", name=name)
        tf.nn.conv2d = conv2d
        try:
            return graph(x)
        finally:
            tf.nn.conv2d, tf.nn.max_pool2d = saved

    def oracle(x):
        return tf.transpose(graph(tf.transpose(x, [0, 2, 3, 1])), [0, 3, 1, 2])
    return {"graph": converted, "oracle": oracle}


def deconv_first(x):
    y = raw.Conv2DBackpropInput(input_sizes=[13, 8, 14, 22], filter=constant(2, 2, 8, 3), out_backprop=x,
                                strides=[1, 1, 2, 2], padding="SAME", data_format="NCHW")
    return tf.identity(y, name="output_0")


def deconv_last(x):
    y = tf.nn.conv2d_transpose(tf.transpose(x, [0, 2, 3, 1]), constant(2, 2, 8, 3), [13, 14, 22, 8], 2, "SAME")
    return tf.transpose(y, [0, 3, 1, 2])


def conv_any_size(x):
    y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, tf.ones([3, 3, 1, 8]), 1, "SAME"), constant(8)))
    y = tf.nn.bias_add(tf.nn.conv2d(y, tf.ones([3, 3, 8, 1]), 1, "SAME"), constant(1))
    return tf.identity(y, name="output_0")


def broadcast_constants(x):
    for i, channels in enumerate((2, 1, 1)):
        x = tf.nn.conv2d(x, tf.fill([3, 3, channels, 1], 0.3), 1, "SAME")
        x = tf.nn.relu(x, name="output_0" if i == 2 else None)
    return x


def joined(x):
    far = [constant(3, 1, 1, seed=i, kind="far") for i in range(3)]
    parts = [x / far[0], far[1] / (x + 2.0), constant(1, 3, 1) + x, x * constant(1, 3, 1, seed=1), x - far[2],
             constant(3, 1, 1, seed=4) - x, x - constant(3, 1), constant(3, 1, seed=1) - x,
             tf.maximum(x, constant(3, 1, 1)), tf.minimum(constant(3, 1, seed=2), x), x * constant(3), constant(1) * x]
    y = tf.concat([tf.concat(parts[:6], -1), tf.concat(parts[6:], 3)], -1)
    return tf.reshape(y, [2, -1], name="output_0")


def casts(x):
    y = tf.cast(tf.cast(x, tf.float16) * tf.cast(constant(1, 10), tf.float16), tf.float32)
    return tf.identity(y + constant(1, 10, seed=1), name="output_0")


def ranges(quantised):
    """Shifted by what leaves no value halfway between two steps, where the last bit decides."""
    def graph(x):
        def quantise(x, r):
            return tf.quantization.fake_quant_with_min_max_args(x, -r, r) if quantised else x
        y = quantise(quantise(x, 10.0) + 5.01, 15.0) - 5.03
        y = quantise(quantise(y, 10.0) * 0.1, 1.0) @ constant(8, 1)
        return tf.identity(quantise(y, 10.0), name="output_0")
    return graph


def reshapes(x):
    parts = []
    for shape in ([2, 50, 24, 24, 2], [-1, 50, 24, 24, 2], [2, 50, -1, 24, 2]):
        parts.append(tf.math.erfc(tf.reshape(tf.reshape(x, shape), [-1, 24, 24, 2])))
    for i, shape in enumerate(([-1, 576, 2], [100, 24, -1], [100, 48, 24], [-1, 24, 48], [-1, 6, 4, 24, 2],
                               [-1, 6, 4, 6, 4, 2, 1], [-1, 24, 24, 2])):
        x = tf.reshape(x, shape, name=f"reshape-{i}")
    return tf.add_n([*parts, tf.math.erfc(x)], name="output_0")


def transposes(first, second):
    def graph(x):
        y = tf.transpose(tf.transpose(x, first, name="transpose-1"), second, name="transposeback")
        return tf.identity(y, name="output_0")
    return graph


def largest(reshaped):
    def graph(x):
        values, places = raw.TopKV2(input=x, k=tf.constant(5, name="k"), name="TopK")
        places = tf.reshape(places, [100, 1, 5], name="Reshape") if reshaped else places
        return [tf.identity(values, name="output_0"), tf.identity(places, name="output_1")]
    return graph


def unary(x1, x2):
    a = tf.math.log(tf.exp(tf.abs(x1) + 1.0))
    a = -tf.math.rsqrt(tf.sqrt(tf.abs(tf.squeeze(a, -2)) + 2.2))
    a = tf.math.reciprocal(tf.abs(tf.squeeze(a, 3)) + 3.0)
    b = tf.math.log(tf.exp(tf.abs(constant(5, 8, 12)) + 2.0))
    b = tf.math.reciprocal(tf.abs(-tf.math.rsqrt(tf.sqrt(tf.abs(b) + 2.1))) + 4.0)
    c = tf.abs(tf.math.log(tf.squeeze(tf.exp(tf.abs(x2) + 5.0), [-1, -2, 3]))) + 5.1
    c = tf.abs(tf.sqrt(tf.squeeze(tf.reshape(c, [12, 5, 1, 1, 8, 1, 12]), [5, 2, 3]))) + 5.2
    c = tf.math.reciprocal(tf.abs(-tf.math.rsqrt(c)) + 5.3)
    return tf.squeeze(a * b / c, name="output_0")


def vgg(x):
    x = raw.FusedBatchNormV3(x=x, scale=weights(2), offset=weights(2, seed=1), mean=weights(2, seed=2),
                             variance=weights(2, kind="far"), is_training=False).y
    y = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, constant(1, 1, 2, 6), 2, "SAME"), constant(6)))
    return tf.squeeze(tf.nn.max_pool2d(tf.identity(y), 2, 2, "VALID"), name="output_0")


def vgg_first(x):
    x = raw.FusedBatchNormV3(x=x, scale=weights(2), offset=weights(2, seed=1), mean=weights(2, seed=2),
                             variance=weights(2, kind="far"), is_training=False, data_format="NCHW").y
    y = raw.Conv2D(input=x, filter=constant(1, 1, 2, 6), strides=[1, 1, 2, 2], padding="SAME", data_format="NCHW")
    y = tf.nn.relu(tf.nn.bias_add(y, constant(6), data_format="NCHW"))
    y = raw.MaxPool(input=tf.identity(y), ksize=[1, 1, 2, 2], strides=[1, 1, 2, 2], padding="VALID",
                    data_format="NCHW")
    return tf.squeeze(y, name="output_0")


def boxes(boxes, scores):
    found = tf.image.combined_non_max_suppression(boxes, scores, 3, 3, 0.5, 0.1, name="combined_nms")
    return [tf.identity(each, name=f"output_{i}") for i, each in enumerate(found)]


def squeezed_batch(x):
    y = tf.squeeze((tf.abs(x) + 1.0) * 3.0, 0)
    return tf.identity(tf.abs(y) + 5.0, name="output_0")


def integer_product(x):
    made = np.random.default_rng(3)
    y = tf.matmul(x, tf.constant(made.integers(-9, 9, (4, 10)), tf.int32))
    return tf.identity(tf.nn.bias_add(y, tf.constant(made.integers(-9, 9, 10), tf.int32)), name="output_0")


def products(x):
    def out(y):
        return tf.reshape(y, [4, -1])
    parts = [x @ constant(144, 4) + constant(1, 4),
             tf.math.erfc(out(tf.matmul(tf.math.erfc(x), constant(4, 144), transpose_a=True))),
             tf.matmul(x, constant(4, 144, seed=1), transpose_b=True),
             tf.math.erfc(out(tf.matmul(tf.math.erfc(x), constant(16, 4), transpose_a=True, transpose_b=True))),
             out(tf.nn.bias_add(x @ constant(144, 48), constant(48)))]
    for shape, size, layout in (([4, 24, 6], 6, "NHWC"), ([4, 12, 4, 3], 3, "NHWC"), ([4, 4, 3, 2, 6], 6, "NHWC"),
                                ([4, 12, 3, 2, 2], 12, "NCHW"), ([4, 3, 4, 12], 3, "NCHW"), ([4, 6, 24], 6, "NCHW")):
        parts.append(out(tf.nn.bias_add(tf.reshape(x, shape), constant(size), data_format=layout)))
    return tf.squeeze(tf.concat(parts, -1), name="output_0")


def truths(x1, x2):
    x = tf.logical_or(tf.logical_and(x1, x2), x2)
    return tf.identity(tf.logical_not(tf.not_equal(x, x2)), name="output_0")


def einsums(x, y):
    z = tf.einsum("ntg,ngs->nts", x, y)
    return tf.identity(tf.nn.relu(tf.einsum("abc,cd->abd", z, constant(6, 7))) + 1.0, name="output_0")


def resized(x):
    y = v1.image.resize_bilinear(x, [10, 14], align_corners=True)
    return tf.identity(v1.image.resize_nearest_neighbor(y, [20, 7]) + 1.0, name="output_0")


def shared_variable():
    """Two engines read one variable."""
    variable = tf.Variable(weights(3, 3, 3, 3, 3))

    def graph(x):
        for i in range(2):
            x = tf.nn.bias_add(tf.nn.conv3d(x, variable, [1] * 5, "SAME", name=f"conv{i}"), constant(3, seed=i))
            x = tf.nn.relu(x)
            x = tf.math.erfc(x, name="incompatible") if i == 0 else x
        return tf.squeeze(x, name="output_0")
    graph.variable = variable
    return graph


ANY = (0, 1, 2)
CASES = {
    "base: one engine": Case(one_engine, [[(100, 24, 24, 2)]], gone=("weights", "conv", "relu", "max_pool")),
    "base: two engines": Case(two_engines, [[(100, 24, 24, 2)]], 2, ("conv", "mul", "div", "sub", "mul1", "sub1"),
                              ("Erfc",), open_sizes=()),
    "const_inputs: native too": Case(constant_of_two_engines_and_a_native, [[(2, 32, 32, 3)]], 3, ("mul_", "add3_"),
                                     ("Igamma", "Erfc")),
    "const_inputs: one": Case(constant_of_one_engine, [[(2, 32, 32, 3)]], gone=("c", "add", "mul", "add1")),
    "const_inputs: two": Case(constant_of_two_engines, [[(2, 32, 32, 3)]], 2, ("add1", "mul1"), ("Erfc",)),
    "control_deps": Case(control_edges, [[(2, 32, 32, 3)]], 4, ("add", "mul", "add1", "add2", "mul1", "add3"),
                         ("Erfc", "Igamma"), precisions=("FP32",)),
    "neighboring_engine": Case(neighbours, [[(2, 7, 5, 3)]], 2, ("conv", "mul", "sub"), ("Erfc",)),
    "multi_connection_neighbor_engine": Case(neighbours_of_many_edges, [[(2, 7, 5, 3)]], 2, ("conv",), ("Erfc",)),
    "rank_two": Case(two_ranks, [[(12, 5), (12, 5, 2, 2)]], 2, ("add0_0", "expand1", "add"), ("Erfc",)),
    "binary_tensor_weight_broadcast": Case(one_node_segments, [[(10, 24, 24, 20)]], 17, (), ("Erfc",)),
    "identity_output": Case(same_result_thrice, [[(100, 32)]]),
    "data_dependent_shape": Case(found_sizes, [[(12,)], [(7,)]], 2, (), ("Unique",)),
    "shape_output": Case(sizes_as_results, [[(2, 2, 5, 3)], [(8, 2, 5, 3)]], 2, (), ("Erfc",)),
    "trt_engine_op_shape": Case(sum_of_all, [[(1, 2, 1, 4)]]),
    "annotate_max_batch_sizes": Case(batches_of_their_own(BATCHES, False), [[(1, 512, 1, 1)]], 3),
    "static batch sizes": Case(batches_of_their_own(BATCHES, True), [[(1, 512, 1, 1)]]),
    "tf_function": Case(lambda x: tf.identity(called_function(x), name="output_0"), [[(10, 32, 32, 2)]],
                        gone=("conv", "bias_add", "relu", "max_pool")),
    "conv2d: NHWC": Case(conv_sum, [[(13, 7, 11, 3)]]),
    "conv2d: NCHW": Case(**channels_first(conv_sum), shapes=[[(13, 3, 7, 11)]]),
    "conv2d: strided NCHW": Case(**channels_first(conv_strided), shapes=[[(13, 3, 7, 11)]]),
    "conv2d: transposed NCHW": Case(deconv_first, [[(13, 3, 7, 11)]], oracle=deconv_last),
    "dynamic_input_shapes": Case(conv_any_size, [[(n, h, w, 1)] for n, h, w in (
        (1, 5, 5), (10, 5, 5), (3, 5, 5), (1, 5, 5), (1, 3, 1), (2, 9, 9), (1, 224, 224), (1, 128, 224))],
        open_sizes=ANY),
    "lru_cache": Case(lambda x: tf.identity(tf.nn.relu(x + constant(1, 10, 10, 1)), name="output_0"),
                      [[(n, 10, 10, 2)] for n in (1, 2, 4, 2)]),
    "const_broadcast": Case(broadcast_constants, [[(5, 12, 12, 2)]]),
    "concatenation": Case(joined, [[(2, 3, 3, 1)]], open_sizes=()),
    "cast": Case(casts, [[(1, 10)]], precisions=("FP32",), half=True),
    "quantization: ranges": Case(ranges(True), [[(8, 8)]], precisions=("FP32", "FP16", "INT8")),
    "quantization: none": Case(ranges(False), [[(8, 8)]]),
    "reshape": Case(reshapes, [[(100, 24, 24, 2)]], None, tuple(f"reshape-{i}" for i in range(7)), ("Erfc",)),
    "transpose": Case(transposes([0, 3, 1, 2], [0, 2, 3, 1]), [[(100, 24, 24, 2)]],
                      gone=("transpose-1", "transposeback")),
    "transpose: batch moves": Case(transposes([2, 1, 0, 3], [0, 2, 3, 1]), [[(100, 24, 24, 2)]],
                                   gone=("transpose-1",)),
    "topk": Case(largest(False), [[(100, 100)]], gone=("k", "TopK"), precisions=("FP32",)),
    "topk: reshaped": Case(largest(True), [[(100, 100)]], gone=("TopK", "Reshape"), precisions=("FP32",)),
    "unary": Case(unary, [[(12, 5, 8, 1, 1, 12), (12, 5, 8, 1, 12, 1, 1)]]),
    "vgg_block": Case(vgg, [[(5, 8, 8, 2)]]),
    "vgg_block_nchw": Case(vgg_first, [[(5, 2, 8, 8)]], oracle=lambda x: tf.transpose(
        vgg(tf.transpose(x, [0, 2, 3, 1])), [0, 3, 1, 2])),
    "combined_nms": Case(boxes, [[(1, 200, 1, 4), (1, 200, 2)]], gone=("combined_nms/CombinedNonMaxSuppression",),
                         precisions=("FP32",)),
    "trt_mode": Case(squeezed_batch, [[(1, 12, 5)], [(1, 2, 3)], [(1, 4, 6)]], open_sizes=ANY),
    "int32: product": Case(integer_product, [[(100, 4)]], dtype=tf.int32),
    "int32: transpose": Case(lambda x: tf.identity(tf.transpose(x, [0, 3, 2, 1]) + 1, name="output_0"),
                             [[(3, 4, 5, 6)]], dtype=tf.int32),
    "memory_alignment": Case(lambda x: tf.squeeze(tf.nn.conv2d(tf.nn.conv2d(
        x, constant(1, 1, 3, 5), 1, "VALID"), constant(1, 1, 5, 10), 1, "VALID"), name="output_0"), [[(2, 15, 15, 3)]]),
    # TF-TRT made three of it too where sizes may change, one with implicit batches (its biasadd_matmul_test.py).
    "biasadd_matmul": Case(products, [[(4, 144)]], 3, (), ("Erfc",), open_sizes=()),
    "batch_matmul: two tensors": Case(lambda x, y: tf.identity(tf.nn.relu(tf.matmul(x, y, name="matmul")),
                                                               name="output_0"),
                                      [[(12, 5, 8, 12), (12, 5, 12, 7)]], gone=("matmul",)),
    "batch_matmul: weight": Case(lambda x: tf.identity(tf.matmul(x, constant(1, 5, 7, name="kernel"), name="matmul"),
                                                       name="output_0"), [[(12, 9, 5)]], gone=("matmul", "kernel")),
    "batch_matmul: matrix": Case(lambda x: tf.identity(tf.matmul(x, constant(5, 7, name="kernel"), name="matmul"),
                                                       name="output_0"), [[(12, 9, 5)]], gone=("matmul", "kernel")),
    "bool": Case(truths, [[(2, 32, 32, 3)] * 2], dtype=tf.bool, native=("NotEqual",), engines=1),
    "einsum": Case(einsums, [[(2, 4, 5), (2, 5, 6)]]),
    "resize": Case(resized, [[(2, 5, 7, 3)]]),
    "variables": Case(shared_variable(), [[(2, 8, 8, 8, 3)]], 2, ("conv0", "conv1"), ("Erfc",)),
}


@pytest.fixture(autouse=True)
def as_tf_trt(monkeypatch):
    monkeypatch.setenv("HONE_TRT_COMPAT", "1")
    monkeypatch.setenv("TF_TRT_ALLOW_ENGINE_NATIVE_SEGMENT_EXECUTION", "False")


def specs(case):
    return [tf.TensorSpec([None if i in case.open_sizes else d for i, d in enumerate(shape)], case.dtype, f"input_{k}")
            for k, shape in enumerate(case.shapes[0])]


def data(case):
    """The inputs of each run."""
    made = np.random.default_rng(12345)
    kind = case.dtype.as_numpy_dtype
    scale = 10.0 if np.issubdtype(kind, np.integer) else 1.0
    return [[(scale * made.uniform(0, 1, shape)).round(0 if kind is np.bool_ else 9).astype(kind) for shape in run]
            for run in case.shapes]


def answers(case, feeds):
    function = tf.function(case.oracle or case.graph, autograph=False)
    return [[t.numpy() for t in tf.nest.flatten(function(*map(tf.constant, run)))] for run in feeds]


def check_graph(case, nodes, functions, more=0):
    engines = sorted(node.name for node in nodes if node.op == "TRTEngineOp")
    assert engines and (case.engines is None or case.engines + more == len(engines))
    assert sorted(name[-3:] for name in engines) == [f"{i:03d}" for i in range(len(engines))]
    for name in engines:
        assert NAME.fullmatch(name) and any(f"{name}_native_segment" in function for function in functions)
    left = {node.name.rpartition("/")[2] for node in nodes} | {node.name for node in nodes}
    assert not left & set(case.gone)
    assert set(case.native) <= {node.op for node in nodes}


def check_answers(case, got, want, precision):
    for ours, theirs in zip(got, want):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs):
            assert native.error(np.asarray(one), other) <= BOUND["FP16" if case.half else precision]


@pytest.mark.parametrize("name", CASES)
def test_saved_model(name, tmp_path):
    """Converted, built for every shape, saved, loaded, run twice on each."""
    case = CASES[name]
    module = tf.Module()
    module.kept = getattr(case.graph, "variable", None)
    module.run = tf.function(lambda *x: case.graph(*x), input_signature=specs(case), autograph=False)

    @tf.function(input_signature=specs(case), autograph=False)
    def run(*inputs):
        return {f"output_{i}": t for i, t in enumerate(tf.nest.flatten(case.graph(*inputs)))}
    tf.saved_model.save(module, str(tmp_path / "in"), signatures={"serving_default": run})
    feeds = data(case)
    params = trt.TrtConversionParams(max_workspace_size_bytes=1 << 25, minimum_segment_size=2)
    converter = trt.TrtGraphConverterV2(str(tmp_path / "in"), use_dynamic_shape=True,
                                        dynamic_shape_profile_strategy="ImplicitBatchModeCompatible",
                                        **params._asdict())
    converter.convert()
    if case.oracle is None:
        converter.build(input_fn=lambda: feeds)
    converter.save(str(tmp_path / "out"))
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    function = loaded.signatures["serving_default"]
    library = function.graph.as_graph_def().library.function
    nodes = [node for f in library if "_native_segment" not in f.signature.name for node in f.node_def]
    # The Identity of an input that a function hands on makes one of two nodes behind it.
    check_graph(case, nodes, {f.signature.name for f in library}, more=name == "control_deps")
    for node in nodes:
        if node.op == "TRTEngineOp":
            assert node.attr["profile_strategy"].s == b"ImplicitBatchModeCompatible"
    for _ in range(2):
        results = [function(**{f"input_{i}": tf.constant(a) for i, a in enumerate(run)}) for run in feeds]
        check_answers(case, [[r[k].numpy() for k in sorted(r)] for r in results], answers(case, feeds), "FP32")


@pytest.mark.parametrize("name, precision", [(n, p) for n, c in CASES.items() for p in c.precisions])
def test_graph_def(name, precision):
    """A frozen graph through the first converter, its engines inside."""
    case = CASES[name]
    made = tf.function(case.graph, autograph=False).get_concrete_function(*specs(case))
    made = native.convert_variables_to_constants_v2(made, lower_control_flow=False)
    inputs, outputs = [t.name for t in made.inputs], [t.name for t in made.outputs]
    with tf.Graph().as_default():
        converter = trt.TrtGraphConverter(
            input_graph_def=made.graph.as_graph_def(), nodes_denylist=outputs, max_batch_size=None, is_dynamic_op=True,
            precision_mode=precision, minimum_segment_size=2, use_calibration=False)
        converted = converter.convert()
    check_graph(case, converted.node, {f.signature.name for f in converted.library.function})
    for node in converted.node:
        if node.op == "TRTEngineOp":
            assert node.attr["precision_mode"].s == precision.encode() and not node.attr["static_engine"].b
            assert not node.attr["calibration_data"].s and not node.attr["use_calibration"].b
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(converted, name="")
    feeds = data(case)
    with v1.Session(graph=graph) as session:
        got = [session.run(outputs, dict(zip(inputs, run))) for run in feeds]
    check_answers(case, got, answers(case, feeds), precision)
