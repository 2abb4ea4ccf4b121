"""As users of the object detection models do it: uint8 pictures of any size in, a dictionary of detections out."""
import os
import sys

import numpy as np
import tensorflow as tf
from tensorflow.python.compiler.tensorrt import trt_convert as trt

folder = sys.argv[1]
generator = np.random.default_rng(11)


class Detector(tf.Module):
    def __init__(self):
        super().__init__()
        sizes = [(3, 16), (16, 32), (32, 32)]
        self.filters = [tf.Variable(generator.normal(0, 0.2, (3, 3, a, b)).astype(np.float32)) for a, b in sizes]
        self.biases = [tf.Variable(generator.normal(0, 0.1, b).astype(np.float32)) for _, b in sizes]
        self.boxes = tf.Variable(generator.normal(0, 0.1, (32, 8)).astype(np.float32))
        self.classes = tf.Variable(generator.normal(0, 0.5, (32, 6)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, name="input_tensor")])
    def __call__(self, input_tensor):
        x = tf.image.resize(tf.cast(input_tensor, tf.float32) / 127.5 - 1.0, [64, 64])
        for kernel, bias in zip(self.filters, self.biases):
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 2, "SAME"), bias))
        cells = tf.reshape(x, [1, 64, 32])
        corners = tf.reshape(tf.sigmoid(tf.matmul(cells, self.boxes)), [1, 128, 1, 4])
        low, high = corners[..., :2] * 0.5, corners[..., 2:] * 0.5 + 0.5
        scores = tf.reshape(tf.sigmoid(tf.matmul(cells, self.classes)), [1, 128, 3])
        found = tf.image.combined_non_max_suppression(tf.concat([low, high], -1), scores, 10, 20, 0.6, 0.1)
        return {"detection_boxes": found[0], "detection_scores": found[1], "detection_classes": found[2] + 1.0,
                "num_detections": tf.cast(found[3], tf.float32)}


source = os.path.join(folder, "ssd", "saved_model")
tf.saved_model.save(Detector(), source)
picture = generator.integers(0, 256, (1, 300, 400, 3)).astype(np.uint8)
original = tf.saved_model.load(source)
want = original.signatures["serving_default"](tf.constant(picture))

for precision in ("FP32", "FP16"):
    params = trt.TrtConversionParams(max_workspace_size_bytes=1 << 30, precision_mode=precision,
                                     maximum_cached_engines=100)
    converter = trt.TrtGraphConverterV2(input_saved_model_dir=source, conversion_params=params)
    converter.convert()

    def input_fn():
        for _ in range(2):
            yield [picture]

    converter.build(input_fn=input_fn)
    target = os.path.join(folder, "ssd_" + precision)
    converter.save(target)
    model = tf.saved_model.load(target)
    detections = model.signatures["serving_default"](input_tensor=tf.constant(picture))
    count = int(want["num_detections"][0])
    assert count > 3 and int(detections["num_detections"][0]) == count and sorted(detections) == sorted(want)
    for other in ((1, 64, 64, 3), (1, 480, 640, 3)):
        model.signatures["serving_default"](tf.zeros(other, tf.uint8))
    key = "detection_scores"
    error = np.abs(detections[key].numpy() - want[key].numpy()).max() / want[key].numpy().max()
    engines = sum(node.op == "TRTEngineOp" for function in
                  model.signatures["serving_default"].graph.as_graph_def().library.function
                  for node in function.node_def)
    print("RESULT %s engines=%d error=%.9f" % (precision, engines, error))
