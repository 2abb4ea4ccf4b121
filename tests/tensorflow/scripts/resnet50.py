"""As tutorials of TensorFlow 2 do it: a Keras application saved, converted twice, prebuilt, saved, timed."""
import os
import sys
import time

import numpy as np
import tensorflow as tf
from tensorflow.keras.applications.resnet50 import ResNet50
from tensorflow.python.compiler.tensorrt import trt_convert as trt
from tensorflow.python.saved_model import signature_constants, tag_constants

SIZE, BATCH = 64, 4
folder = sys.argv[1]
generator = np.random.default_rng(50)
model = ResNet50(weights=None, input_shape=(SIZE, SIZE, 3), classes=10)
# As trained ones are: no bias, mean or variance is 0 or 1.
model.set_weights([w + generator.uniform(0.01, 0.1, w.shape).astype(np.float32) if w.ndim == 1 else w
                   for w in model.get_weights()])
tf.saved_model.save(model, os.path.join(folder, "resnet50_saved_model"))
batched_input = generator.uniform(-1, 1, (BATCH, SIZE, SIZE, 3)).astype(np.float32)


def load(saved_model_dir):
    loaded = tf.saved_model.load(saved_model_dir, tags=[tag_constants.SERVING])
    infer = loaded.signatures[signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY]
    infer.kept = loaded
    return infer


def predict(infer):
    name, = infer.structured_input_signature[1]
    result = infer(**{name: tf.constant(batched_input)})
    return next(iter(result.values())).numpy()


def benchmark(infer, runs=5):
    predict(infer)
    start = time.time()
    for _ in range(runs):
        predict(infer)
    return runs * BATCH / (time.time() - start)


native = load(os.path.join(folder, "resnet50_saved_model"))
want = predict(native)
print("native %.0f images/s" % benchmark(native))

for precision in ("FP32", "FP16"):
    conversion_params = trt.DEFAULT_TRT_CONVERSION_PARAMS._replace(
        precision_mode=precision, max_workspace_size_bytes=8000000000)
    converter = trt.TrtGraphConverterV2(input_saved_model_dir=os.path.join(folder, "resnet50_saved_model"),
                                        conversion_params=conversion_params)
    converter.convert()

    def input_fn():
        yield (batched_input,)

    converter.build(input_fn=input_fn)
    output_saved_model_dir = os.path.join(folder, "resnet50_saved_model_TFTRT_" + precision)
    converter.save(output_saved_model_dir=output_saved_model_dir)
    converter.summary()
    infer = load(output_saved_model_dir)
    engines = sum(node.op == "TRTEngineOp" for function in infer.graph.as_graph_def().library.function
                  for node in function.node_def)
    error = np.abs(predict(infer) - want).max() / np.abs(want).max()
    print("RESULT %s engines=%d error=%.9f" % (precision, engines, error))
    print("%s %.0f images/s" % (precision, benchmark(infer)))
