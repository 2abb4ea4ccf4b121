"""The models of bench/in_tensorflow.py: each a tf.Module with one signature, and what it is fed.

Weights are seeded, those of one dimension (biases, batch norms) random too, so that nothing folds away.
"""
import io

import numpy as np
import tensorflow as tf

SIDE = 300  # of the detector's picture
ANCHORS = [(1.0, 1.0), (1.4, 0.7), (0.7, 1.4)]
CLASSES = 20


class Served(tf.Module):
    """A function of tensors of these specs, with what it uses."""

    def __init__(self, function, specs, uses=()):
        super().__init__()
        self.uses = list(uses)
        self.run = tf.function(function, input_signature=specs, autograph=False)


def seed_weights(model):
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.shape.rank == 1 and weight.dtype.startswith("float"):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


def pictures(batch):
    return tf.constant(np.random.default_rng(1).normal(size=(batch, 224, 224, 3)).astype(np.float32))


def classifier(name):
    net = getattr(tf.keras.applications, name)
    # Logits: a softmax of random weights is all but one zeros, which would hide any error.
    model = seed_weights(net(weights=None, input_shape=(224, 224, 3), classifier_activation=None))
    return Served(lambda x: model(x, training=False), [tf.TensorSpec([None, 224, 224, 3], name="x")], [model]), pictures


# ---- BERT-base: 12 layers of 768 in 12 heads, words of 128 tokens ----

def bert():
    width, heads, layers, length, words = 768, 12, 12, 128, 30522
    random = np.random.default_rng(0)
    variables = []

    def weight(*shape, scale=0.02, centre=0.0):
        variables.append(tf.Variable(random.normal(centre, scale, shape).astype(np.float32)))
        return variables[-1]

    def norm(gamma, beta, x):
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-12)

    def dense(pair, x):
        return tf.nn.bias_add(tf.matmul(x, pair[0]), pair[1])

    def pair(a, b):
        return weight(a, b), weight(b)

    def norm_weights():
        return weight(width, scale=0.1, centre=1.0), weight(width)

    table, places, first = weight(words, width), weight(length, width), norm_weights()
    blocks = [([pair(width, width) for _ in range(4)], norm_weights(), pair(width, 4 * width), pair(4 * width, width),
               norm_weights()) for _ in range(layers)]

    def attention(products, x, mask):
        shape = tf.shape(x)
        q, k, v = (tf.reshape(dense(p, x), [shape[0], length, heads, width // heads]) for p in products[:3])
        q, k, v = (tf.transpose(t, [0, 2, 1, 3]) for t in (q, k, v))
        scores = tf.matmul(q, k, transpose_b=True) * (heads / width) ** 0.5 + mask
        merged = tf.transpose(tf.matmul(tf.nn.softmax(scores), v), [0, 2, 1, 3])
        return dense(products[3], tf.reshape(merged, shape))

    def run(ids, mask):
        x = norm(*first, tf.gather(table, ids) + places)
        hidden = (1.0 - tf.cast(mask, tf.float32))[:, None, None, :] * -10000.0
        for products, norm_a, up, down, norm_b in blocks:
            x = norm(*norm_a, x + attention(products, x, hidden))
            x = norm(*norm_b, x + dense(down, tf.nn.gelu(dense(up, x))))
        return x

    def feeds(batch):
        given = np.random.default_rng(1)
        used = given.integers(length // 2, length, (batch, 1))
        return tf.constant(given.integers(0, words, (batch, length)).astype(np.int32)), \
            tf.constant((np.arange(length) < used).astype(np.int32))

    specs = [tf.TensorSpec([None, length], tf.int32, "ids"), tf.TensorSpec([None, length], tf.int32, "mask")]
    return Served(run, specs, variables), feeds


# ---- Two LSTMs of Keras over 100 steps ----

def lstm():
    layers = tf.keras.layers
    model = seed_weights(tf.keras.Sequential([
        tf.keras.Input((100, 64)), layers.LSTM(256, return_sequences=True), layers.LSTM(256), layers.Dense(10)]))
    return Served(lambda x: model(x, training=False), [tf.TensorSpec([None, 100, 64], name="x")], [model]), \
        lambda batch: tf.constant(np.random.default_rng(1).normal(size=(batch, 100, 64)).astype(np.float32))


# ---- A detector: JPEGs in, MobileNetV2 with heads at three scales, suppression ----

def anchors(cells):
    places = (np.stack(np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"), -1) + 0.5) / cells
    size = 1.5 / cells
    return np.concatenate([np.concatenate([places, np.broadcast_to([h * size, w * size], places.shape)], -1)[:, :, None]
                           for h, w in ANCHORS], 2).reshape(-1, 4).astype(np.float32)


def jpegs(batch):
    """Blurred noise as JPEGs of 640 by 480."""
    from PIL import Image
    random, made = np.random.default_rng(1), []
    for _ in range(batch):
        noise = Image.fromarray(random.integers(0, 255, (12, 16, 3), dtype=np.uint8))
        out = io.BytesIO()
        noise.resize((640, 480), Image.BICUBIC).save(out, "JPEG", quality=85)
        made.append(out.getvalue())
    return tf.constant(made)


def detector():
    layers = tf.keras.layers
    body = tf.keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(SIDE, SIDE, 3))
    taps = [body.get_layer("block_13_expand_relu").output, body.output]
    taps.append(layers.Conv2D(256, 3, 2, "same", activation="relu")(taps[-1]))
    heads = [layers.Conv2D(len(ANCHORS) * (4 + CLASSES), 3, padding="same")(tap) for tap in taps]
    net = seed_weights(tf.keras.Model(body.input, [layers.Reshape((-1, 4 + CLASSES))(head) for head in heads]))
    base = np.concatenate([anchors(head.shape[1]) for head in heads])

    def picture(content):
        decoded = tf.image.decode_jpeg(content, channels=3)
        return tf.image.resize(tf.cast(decoded, tf.float32), [SIDE, SIDE]) / 127.5 - 1.0

    def run(content):
        x = tf.map_fn(picture, content, fn_output_signature=tf.TensorSpec([SIDE, SIDE, 3]))
        raw = tf.concat(net(x, training=False), 1)
        centre = base[:, :2] + base[:, 2:] * tf.tanh(raw[..., 0:2])
        half = 0.5 * base[:, 2:] * tf.exp(tf.tanh(raw[..., 2:4]))
        boxes = tf.concat([centre - half, centre + half], -1)
        return tf.image.combined_non_max_suppression(boxes[:, :, None], tf.sigmoid(raw[..., 4:]), 20, 100, 0.45, 0.3)[1]

    return Served(run, [tf.TensorSpec([None], tf.string, "jpegs")], [net]), jpegs


MODELS = {
    "ResNet50": lambda: classifier("ResNet50"),
    "MobileNetV2": lambda: classifier("MobileNetV2"),
    "EfficientNetB0": lambda: classifier("EfficientNetB0"),
    "BERT-base": bert,
    "LSTM": lstm,
    "detector": detector,
}


def make(name):
    """(the Served, its input by batch), the same at every call."""
    tf.keras.utils.set_random_seed(0)
    return MODELS[name]()
