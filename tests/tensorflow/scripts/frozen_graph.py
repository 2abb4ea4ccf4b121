"""As tutorials of TensorFlow 1 do it, here through compat.v1: a frozen file read, converted, run, written."""
import os
import sys
import time

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.python.compiler.tensorrt import trt_convert as trt

tf.disable_v2_behavior()
folder = sys.argv[1]
generator = np.random.RandomState(4)

# A classifier, trained and frozen somewhere else.
with tf.Graph().as_default() as graph:
    x = tf.placeholder(tf.float32, [None, 32, 32, 3], name="input")
    y = x
    for i, (a, b) in enumerate(((3, 16), (16, 32))):
        kernel = tf.get_variable("w%d" % i, initializer=generator.normal(0, 0.2, (3, 3, a, b)).astype(np.float32))
        bias = tf.get_variable("b%d" % i, initializer=generator.normal(0, 0.2, b).astype(np.float32))
        y = tf.nn.max_pool(tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(y, kernel, [1, 1, 1, 1], "SAME"), bias)),
                           [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    w = tf.get_variable("w", initializer=generator.normal(0, 0.2, (2048, 10)).astype(np.float32))
    logits = tf.matmul(tf.reshape(y, [-1, 2048]), w, name="logits")
    classes = tf.argmax(tf.nn.softmax(logits, name="probabilities"), 1, name="classes")
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        frozen = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["logits", "classes"])
tf.train.write_graph(frozen, folder, "frozen_graph.pb", as_text=False)

# From here on the tutorial.
with tf.gfile.GFile(os.path.join(folder, "frozen_graph.pb"), "rb") as f:
    frozen_graph = tf.GraphDef()
    frozen_graph.ParseFromString(f.read())
batch = generator.uniform(-1, 1, (8, 32, 32, 3)).astype(np.float32)


def run(graph_def):
    with tf.Graph().as_default():
        config = tf.ConfigProto(gpu_options=tf.GPUOptions(per_process_gpu_memory_fraction=0.5))
        with tf.Session(config=config) as sess:
            outputs = tf.import_graph_def(graph_def, name="", return_elements=["logits:0", "classes:0"])
            start = time.time()
            results = sess.run(outputs, feed_dict={"input:0": batch})
            print("needed time in inference-0: ", time.time() - start)
            return results


want = run(frozen_graph)
for precision in ("FP32", "FP16"):
    trt_graph = trt.create_inference_graph(
        input_graph_def=frozen_graph, outputs=["logits", "classes"], max_batch_size=8,
        max_workspace_size_bytes=2 * (10 ** 9), precision_mode=precision)
    print("numb. of all_nodes in frozen graph:", len([1 for n in frozen_graph.node]))
    trt_engine_ops = len([1 for n in trt_graph.node if str(n.op) == "TRTEngineOp"])
    print("numb. of trt_engine_nodes in TensorRT graph:", trt_engine_ops)
    with tf.gfile.GFile(os.path.join(folder, precision + ".pb"), "wb") as f:
        f.write(trt_graph.SerializeToString())
    got = run(trt_graph)
    assert np.array_equal(got[1], want[1]) or precision == "FP16"
    error = np.abs(got[0] - want[0]).max() / np.abs(want[0]).max()
    print("RESULT %s engines=%d error=%.9f" % (precision, trt_engine_ops, error))
