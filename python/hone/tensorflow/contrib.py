"""TF-TRT as TensorFlow 1.7 to 1.13 spelled it: `import hone.tensorflow.contrib as trt`."""
from .trt_convert import (TrtPrecisionMode, calib_graph_to_infer_graph, create_inference_graph,
                          get_tensorrt_rewriter_config)

__all__ = ["TrtPrecisionMode", "calib_graph_to_infer_graph", "create_inference_graph", "get_tensorrt_rewriter_config"]
