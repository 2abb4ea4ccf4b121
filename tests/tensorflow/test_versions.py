"""Graphs as older TensorFlows write them: their operators, without the attributes that came later."""
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

import native
import numerics

v1, raw = tf.compat.v1, tf.raw_ops
rng = np.random.default_rng(11)

# Version -> (GraphDef's producer, what its writer did not know).
VERSIONS = {
    "1.15": (134, {"MaxPool": ["explicit_paddings"], "FusedBatchNormV3": ["exponential_avg_factor"],
                   "MatMul": ["grad_a", "grad_b"], "BatchMatMulV2": ["grad_x", "grad_y"], "GatherV2": ["batch_dims"],
                   "Placeholder": ["_user_specified_name"]}),
    "2.4": (561, {"MatMul": ["grad_a", "grad_b"], "BatchMatMulV2": ["grad_x", "grad_y"]}),
    "2.12": (1286, {"MatMul": ["grad_a", "grad_b"], "BatchMatMulV2": ["grad_x", "grad_y"]}),
}


def f32(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def net(x):
    """A small net of old operators: V1 forms where the newer ones took their place."""
    y = raw.Conv2D(input=x, filter=f32(3, 3, 3, 4), strides=[1, 1, 1, 1], padding="SAME")
    y = raw.FusedBatchNormV3(x=y, scale=f32(4), offset=f32(4), mean=f32(4), variance=np.abs(f32(4)) + 0.1,
                             is_training=False).y
    y = raw.FusedBatchNorm(x=raw.Relu6(features=y), scale=f32(4), offset=f32(4), mean=f32(4),
                           variance=np.abs(f32(4)) + 0.1, is_training=False).y
    y = raw.MaxPool(input=y, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID")
    y = raw.Reshape(tensor=y, shape=tf.stack([tf.shape(y)[0], -1, 4]))
    y = raw.BatchMatMul(x=y, y=raw.Transpose(x=y, perm=[0, 2, 1]))
    y = raw.BatchMatMulV2(x=y, y=y, adj_y=True)
    left, right = raw.Split(axis=2, value=y, num_split=2)
    y = raw.Concat(concat_dim=2, values=[raw.Add(x=left, y=right), raw.Select(
        condition=raw.Less(x=left, y=right), x=left, y=right)])
    y = raw.Mean(input=y, axis=1)
    y = raw.BiasAddV1(value=raw.MatMul(a=y, b=f32(12, 5)), bias=f32(5))
    return raw.Softmax(logits=y), raw.TopKV2(input=y, k=2).indices, raw.ArgMax(input=y, dimension=1)


@pytest.mark.parametrize("version", VERSIONS)
def test_graph(version):
    producer, unknown = VERSIONS[version]
    x = f32(2, 6, 8, 3)
    with tf.Graph().as_default() as graph, v1.Session() as session:
        fed = v1.placeholder(tf.float32, [None, 6, 8, 3], name="x")
        outputs = [tf.identity(t, name=f"y{i}") for i, t in enumerate(net(fed))]
        want = session.run(outputs, {fed: x})
    definition = graph.as_graph_def()
    definition.versions.producer, definition.versions.min_consumer = producer, 0
    for node in definition.node:
        for attr in unknown.get(node.op, []):
            node.attr.pop(attr, None)
    engine = native.hone.build(definition.SerializeToString(), outputs="y0,y1,y2", measure=False)
    got = engine.run({"x": x})
    for i, theirs in enumerate(want):
        assert native.error(got[f"y{i}"], theirs) <= numerics.bound("model", "fp32")
