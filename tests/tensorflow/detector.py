"""A detector as one served it with TensorFlow 1: a JPEG as web-safe base64 in, boxes out. Its weights are seeded; what
such models had around their net is there: strings, decoding, a conditional in the old form, suppression, and fetches of
every kind.
"""
import base64

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1

SIDE, CELLS, CLASSES = 64, 16, 3
SUPPRESSION = "combined_non_max_suppression/CombinedNonMaxSuppression"
FETCHES = ["Shape:0", "Cast:0", "ExpandDims:0", "Const_39:0", "scores:0", "wide:0", "cond/Merge:0", "cond/Merge_1:0",
           *(f"{SUPPRESSION}:{i}" for i in range(4))]


def _normalised_conv(x, rng, outputs, stride, name):
    """Convolution, bias, batch norm with all four of its tensors random, ReLU: variables, as trained."""
    with v1.variable_scope(name):
        shape = [3, 3, x.shape[-1], outputs]

        def variable(name, values):
            return v1.get_variable(name, initializer=values.astype(np.float32), use_resource=False)

        kernel = variable("kernel", rng.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape))
        low_high = {"bias": (-.3, .3), "gamma": (.5, 1.5), "beta": (-.3, .3), "mean": (-.3, .3), "variance": (.5, 1.5)}
        bias, gamma, beta, mean, variance = (variable(n, rng.uniform(*r, outputs)) for n, r in low_high.items())
        x = v1.nn.bias_add(v1.nn.conv2d(x, kernel, stride, "SAME"), bias)
        x = v1.nn.fused_batch_norm(x, gamma, beta, mean, variance, is_training=False)[0]
        return tf.nn.relu(x)


def _decoded(content):
    """[1, SIDE, SIDE, 3] of the picture, and its size [height, width, 3]."""
    picture = tf.image.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE", name="decoded")
    whole = tf.expand_dims(tf.cast(picture, tf.float32, name="Cast"), 0, name="ExpandDims")
    size = tf.shape(picture, name="Shape")
    return v1.image.resize_bilinear(whole, [SIDE, SIDE], name="resized") / 127.5 - 1.0, size


def _net(x, rng):
    """(boxes [1, CELLS^2, 4] in parts of the picture, scores [1, CELLS^2, CLASSES])."""
    x = _normalised_conv(x, rng, 16, 2, "stem")
    x = _normalised_conv(x, rng, 24, 2, "down")
    x = x + _normalised_conv(x, rng, 24, 1, "residual")
    head = v1.nn.conv2d(x, rng.normal(0, .1, [1, 1, 24, 4 + CLASSES]).astype(np.float32), 1, "SAME")
    head = tf.reshape(head, [1, CELLS * CELLS, 4 + CLASSES], name="head")
    places = (np.stack(np.meshgrid(*2 * [np.arange(CELLS)], indexing="ij"), -1).reshape(1, -1, 2) + 0.5) / CELLS
    centre = tf.constant(places, tf.float32) + 0.05 * tf.tanh(head[..., 0:2])
    half = 0.08 * tf.exp(tf.tanh(head[..., 2:4]))
    return tf.concat([centre - half, centre + half], -1), tf.sigmoid(head[..., 4:], name="scores")


def build(encoded, seed=17):
    """Makes the model in the default graph."""
    rng = np.random.default_rng(seed)
    text = v1.placeholder(tf.string, [], name="input")
    picture, size = _decoded(tf.io.decode_base64(text) if encoded else text)
    boxes, scores = _net(picture, rng)
    wide = tf.greater(size[1], size[0], name="wide")
    scale = tf.cast(size[:2], tf.float32, name="scale")
    # A conditional as TensorFlow 1 wrote it, of Switch and Merge: boxes of wide pictures are in pixels.
    v1.cond(wide, lambda: (boxes * tf.concat([scale, scale], 0), tf.constant(1.0)),
            lambda: (boxes * 1.0, tf.constant(0.0)), name="cond")
    tf.image.combined_non_max_suppression(tf.expand_dims(boxes, 2), scores, 8, 20, 0.5, 0.9,
                                          name="combined_non_max_suppression")
    tf.constant(np.arange(CLASSES, dtype=np.float32), name="Const_39")


def save(folder, encoded=True):
    """Writes the SavedModel for serving. Not `encoded`: its input is the JPEG itself."""
    v2 = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    with tf.Graph().as_default() as graph, v1.Session() as session:
        build(encoded)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"image": graph.get_tensor_by_name("input:0")}, {
            f"output_{i}": graph.get_tensor_by_name(name) for i, name in enumerate(FETCHES)})
    if v2:
        v1.enable_control_flow_v2()


def text_of(path):
    """What the model is fed: a file's bytes in web-safe base64."""
    return base64.urlsafe_b64encode(path.read_bytes())
