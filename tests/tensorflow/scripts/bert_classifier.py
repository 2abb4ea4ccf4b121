"""As tutorials of text classification do it: strings become ids outside the model, a dictionary of ids goes in."""
import os
import sys

import numpy as np
import tensorflow as tf
from tensorflow.python.compiler.tensorrt import trt_convert as trt

folder = sys.argv[1]
generator = np.random.default_rng(7)
LENGTH, WIDTH, HEADS, LAYERS = 32, 64, 4, 2
sentences = ["this is such an amazing movie !", "the movie was great !", "the movie was terrible ..."]
vocabulary = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"] + sorted({word for text in sentences for word in text.split()})


def preprocess(texts):
    rows = [[1] + [vocabulary.index(w) if w in vocabulary else 3 for w in text.split()] + [2] for text in texts]
    ids = np.array([row + [0] * (LENGTH - len(row)) for row in rows], np.int32)
    return {"input_word_ids": tf.constant(ids), "input_mask": tf.constant((ids > 0).astype(np.int32)),
            "input_type_ids": tf.zeros_like(ids)}


class Encoder(tf.Module):
    def __init__(self):
        super().__init__()
        self.table = self.made(len(vocabulary), WIDTH)
        self.kinds = self.made(2, WIDTH)
        self.places = self.made(LENGTH, WIDTH)
        self.layers = [[self.made(*s) for s in ((WIDTH, 3 * WIDTH), (WIDTH, WIDTH), (WIDTH, 4 * WIDTH),
                                                (4 * WIDTH, WIDTH), (2, WIDTH), (2, WIDTH))] for _ in range(LAYERS)]
        self.head = self.made(WIDTH, 1)

    def made(self, *shape):
        return tf.Variable(generator.normal(0, 0.3, shape).astype(np.float32))

    def norm(self, x, pair):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, pair[0], pair[1] + 1.0,
                                         variance_epsilon=1e-12)

    @tf.function(input_signature=[{name: tf.TensorSpec([None, LENGTH], tf.int32, name=name) for name in (
        "input_word_ids", "input_mask", "input_type_ids")}])
    def __call__(self, inputs):
        x = tf.gather(self.table, inputs["input_word_ids"]) + tf.gather(self.kinds, inputs["input_type_ids"])
        x = x + self.places
        mask = (1.0 - tf.cast(inputs["input_mask"], tf.float32))[:, None, None, :] * -1e4
        for qkv, out, up, down, first, second in self.layers:
            parts = tf.split(tf.einsum("btc,cd->btd", x, qkv), 3, -1)
            q, k, v = (tf.transpose(tf.reshape(p, [-1, LENGTH, HEADS, WIDTH // HEADS]), [0, 2, 1, 3]) for p in parts)
            weights = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) / (WIDTH // HEADS) ** 0.5 + mask)
            y = tf.reshape(tf.transpose(tf.matmul(weights, v), [0, 2, 1, 3]), [-1, LENGTH, WIDTH])
            x = self.norm(x + tf.einsum("btc,cd->btd", y, out), first)
            y = tf.einsum("btc,cd->btd", x, up)
            y = 0.5 * y * (1.0 + tf.math.erf(y / 2.0 ** 0.5))
            x = self.norm(x + tf.einsum("btc,cd->btd", y, down), second)
        return {"classifier": tf.matmul(x[:, 0], self.head)}


source = os.path.join(folder, "bert")
module = Encoder()
tf.saved_model.save(module, source)
want = tf.sigmoid(module(preprocess(sentences))["classifier"]).numpy()

for precision in ("FP32", "FP16"):
    converter = trt.TrtGraphConverterV2(input_saved_model_dir=source, precision_mode=precision,
                                        max_workspace_size_bytes=1 << 30, maximum_cached_engines=1)
    converter.convert()

    def input_fn():
        yield preprocess(sentences)

    converter.build(input_fn)
    converter.save(source + precision)
    reloaded = tf.saved_model.load(source + precision)
    infer = reloaded.signatures["serving_default"]
    for texts in (sentences[:1], sentences):
        got = tf.sigmoid(infer(**preprocess(texts))["classifier"]).numpy()
    for text, score in zip(sentences, got):
        print("input: %-30s : score: %.6f" % (text, score[0]))
    engines = sum(node.op == "TRTEngineOp" for function in infer.graph.as_graph_def().library.function
                  for node in function.node_def)
    print("RESULT %s engines=%d error=%.9f" % (precision, engines, np.abs(got - want).max() / np.abs(want).max()))
