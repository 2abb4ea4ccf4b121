"""Hone inside TensorFlow: models whose parts run on engines, loaded and saved as any SavedModel.

Importing this registers the op `HoneEngine`, which converted models need.
"""
from __future__ import annotations

import os
import pathlib
import tempfile

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import hone

_library = tf.load_op_library(str(pathlib.Path(__file__).parent / "libhone_tensorflow.so"))


def _edges(tensors):
    return [t.name.removesuffix(":0") for t in tensors]


def _ports(prefix, tensors):
    return ",".join(f"{prefix}_{i}={edge}" for i, edge in enumerate(_edges(tensors)))


def build_engine(frozen, path, **options):
    """Builds the engine of a frozen ConcreteFunction and writes it to `path`."""
    graph = frozen.graph.as_graph_def()
    inputs = [t for t in frozen.inputs if t.dtype != tf.resource]
    hone.build(graph.SerializeToString(), format="graph_def", inputs=_ports("in", inputs),
               outputs=_ports("out", frozen.outputs), **options).save(path)


class Converted(tf.Module):
    """A function that runs on an engine, to be called or saved."""

    def __init__(self, frozen, path):
        super().__init__()
        self._engine = tf.saved_model.Asset(path)
        inputs = [tf.TensorSpec(t.shape, t.dtype, name=t.op.name) for t in frozen.inputs]
        shapes = [t.shape for t in frozen.outputs]

        @tf.function(input_signature=inputs, autograph=False)
        def call(*tensors):
            results = _library.hone_engine(inputs=list(tensors), engine=self._engine.asset_path,
                                           OutT=[t.dtype for t in frozen.outputs], segment_func=frozen)
            return [tf.ensure_shape(r, s) for r, s in zip(results, shapes)]

        self.call = call


def convert(function, **options):
    """A ConcreteFunction as a module whose `call` runs on one engine."""
    frozen = convert_variables_to_constants_v2(function)
    path = os.path.join(tempfile.mkdtemp(prefix="hone-"), "engine.hone")
    build_engine(frozen, path, **options)
    return Converted(frozen, path)
