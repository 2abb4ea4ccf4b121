"""The places where TensorFlow had TF-TRT."""
from __future__ import annotations

import importlib
import sys
import types

import tensorflow as tf


def _package(name):
    """The module of that name, an empty one where TensorFlow has none."""
    try:
        return importlib.import_module(name)
    except ImportError:
        made = types.ModuleType(name)
        made.__path__ = []
        sys.modules[name] = made
        parent, _, last = name.rpartition(".")
        setattr(sys.modules[parent], last, made)
        return made


def _put(name, module):
    parent, _, last = name.rpartition(".")
    setattr(_package(parent), last, module)
    sys.modules[name] = module


def install() -> None:
    """Puts Hone's converters where scripts for TF-TRT look: tensorflow.python.compiler.tensorrt.trt_convert,
    tf.experimental.tensorrt and tensorflow.contrib.tensorrt. What was there is gone for this process."""
    from . import contrib, trt_convert
    _put("tensorflow.python.compiler.tensorrt.trt_convert", trt_convert)
    _put("tensorflow.contrib.tensorrt", contrib)
    spelled = getattr(tf.experimental, "tensorrt", None) or types.ModuleType("tensorflow.experimental.tensorrt")
    spelled.Converter, spelled.ConversionParams = trt_convert.TrtGraphConverterV2, trt_convert.TrtConversionParams
    tf.experimental.tensorrt = spelled
    sys.modules["tensorflow.experimental.tensorrt"] = spelled
