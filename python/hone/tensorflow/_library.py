"""The op library in this process's TensorFlow."""
from __future__ import annotations

import ctypes
import os
import pathlib
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

library_path = str(pathlib.Path(__file__).parent / "libhone_tensorflow.so")
op_library = tf.load_op_library(library_path)
_called = ctypes.CDLL(library_path)


@ctypes.CFUNCTYPE(ctypes.c_int)
def _threads():
    """TensorFlow's intra-op setting, for engines when they are opened; 0: all."""
    return tf.config.threading.get_intra_op_parallelism_threads() or int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0))


_called.hone_tensorflow_threads_from(_threads)

try:
    Asset = tf.saved_model.Asset
except AttributeError:  # 1.15 has it under another name, and does not show it
    from tensorflow.python.training.tracking.tracking import TrackableAsset as Asset

try:
    from tensorflow.python.checkpoint.trackable_view import TrackableView as _View
except ImportError:  # before 2.9 or so
    from tensorflow.python.training.tracking.graph_view import ObjectGraphView as _View


def objects_below(root: Any) -> list[Any]:
    """An object and all that it would be saved with."""
    view = _View(root)
    return list(view.descendants() if hasattr(view, "descendants") else view.list_objects())


def engine_op() -> str:
    """The type of the nodes that TF-TRT's converters make: TRTEngineOp, unless this TensorFlow has one of its own."""
    find = getattr(op_def_registry, "get", None) or op_def_registry.get_registered_ops().get  # the latter before 2.0
    known = find("TRTEngineOp")
    kinds = [attr.allowed_values.list.type for attr in known.attr if attr.name == "InT"] if known else []
    return "TRTEngineOp" if kinds and tf.string.as_datatype_enum in kinds[0] else "HoneEngine"


def reads_functions() -> bool:
    """Whether a kernel can get at the functions of its graph: not before 2.12 or so. Where it cannot, each engine's
    node carries its native segment as one more input."""
    asked = _called.hone_tensorflow_reads_functions
    asked.restype = ctypes.c_bool
    return asked()
