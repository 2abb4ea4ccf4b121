"""Graphs of TensorFlow with segments replaced by engine nodes: the core's conversion, seen from Python."""
from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

import hone
from hone import _hone

from ._library import reads_functions

# Names are prefix_<conversion of this process>_<segment>: a process knows a function by its name alone.
SEQUENCE = itertools.count()


@dataclass
class Segment:
    """A part of the graph on its way to an engine. Edges are (node, output)."""
    index: int                     # in the conversion
    name: str
    ops: dict[str, str]            # node to operator
    inputs: list[tuple[str, int]]
    outputs: list[tuple[str, int]]
    engine: Any = None             # hone.Engine
    precision: str = "fp32"
    error: Any = None              # of the results in that precision, as a share of their range; None: not judged
    judged_by: str = ""            # on whose data
    native_time: Any = None        # seconds of its nodes in TensorFlow, and of its engine; None: not timed
    engine_time: Any = None

    @property
    def nodes(self):
        return list(self.ops)

    def engine_bytes(self):
        """The engine file's content."""
        return self.engine.serialize()

    @property
    def path_input(self):
        """The placeholder that is fed the engine's path."""
        return f"{self.name}_path"


def parse(text):
    """("node", output) of a tensor's name."""
    node, _, output = text.partition(":")
    return node, int(output or 0)


def write_attrs(attrs):
    """Attributes as the wire format has them in a NodeDef."""
    node = tf.compat.v1.NodeDef()
    for name, value in attrs.items():
        node.attr[name].CopyFrom(value)
    return node.SerializeToString()


def lower_control_flow(graph_def):
    """Lets TensorFlow run loops and branches node by node, as it did before they were frozen: that is faster."""
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        for node in nodes:
            if "_lower_using_switch_merge" in node.attr:
                node.attr["_lower_using_switch_merge"].b = True


class Surgery:
    """A frozen graph, the segments that engines can take, and the graph with engines in their place."""

    def __init__(self, graph, outputs, least_nodes=3, most_engines=None, denied=(), prefix="HoneEngine",
                 engine_op="HoneEngine", engine_attrs=(), like_tf_trt=False, native=()):
        """`engine_op`: the type of the engines' nodes; `engine_attrs`: (name, AttrValue) that each of them has;
        `like_tf_trt`: segments are grown and counted as TF-TRT's; `native`: nodes that stay so."""
        self.engine_op, self.engine_attrs = engine_op, dict(engine_attrs)
        self.types = {op.name: [t.dtype for t in op.outputs] for op in graph.get_operations()}
        self.shapes = {t.name: t.shape for op in graph.get_operations() for t in op.outputs}
        self.graph_def = graph.as_graph_def(add_shapes=True)
        for node in self.graph_def.node:
            node.attr["_output_types"].list.type.extend(t.as_datatype_enum for t in self.types[node.name])
        prefix = f"{prefix}_{next(SEQUENCE):03d}"
        self.weights_input = f"{prefix}_weights"  # the placeholder that is fed the path of the segments' weights
        self.conversion = _hone.convert(
            self.graph_def.SerializeToString(deterministic=True), ",".join(outputs), ",".join(denied),
            ",".join(native), prefix, max(1, least_nodes), most_engines or 0, like_tf_trt)
        self.segments = [
            Segment(index, found["name"], dict(found["nodes"]), *([parse(port["tensor"]) for port in found[way]]
                                                                  for way in ("inputs", "outputs")))
            for index, found in enumerate(self.describe()["segments"]) if found["inputs"]]

    def describe(self):
        return json.loads(self.conversion.describe())

    @property
    def native(self):
        """Every node that stays native: {"node", "op", "reason"}."""
        return self.describe()["native"]

    def type_of(self, edge):
        return self.types[edge[0]][edge[1]]

    def shape_of(self, edge):
        return self.shapes[f"{edge[0]}:{edge[1]}"]

    def build(self, segment, **options):
        """Builds the engine of a segment."""
        segment.precision = options.get("precision", "fp32")
        model, inputs, outputs = self.conversion.model(segment.index)
        segment.engine = hone.build(model, format="graph_def", inputs=inputs, outputs=outputs, **options)

    def build_all(self, **options):
        """Builds every engine. A segment that cannot be built as a whole, though each of its nodes could, stays
        native, as one whose engine fails later does."""
        for segment in list(self.segments):
            try:
                self.build(segment, **options)
            except (hone.InvalidArgumentError, hone.CancelledError, hone.OutOfMemoryError):
                raise
            except hone.Error as error:
                self.drop(segment, f"no engine of its segment: {error}")

    def drop(self, segment, reason):
        """Leaves a segment native."""
        self.segments.remove(segment)
        self.conversion.leave(segment.index, reason)

    def result(self, embed=False):
        """The graph with engines in place of the segments. With `embed` their bytes are constants in it; else each has
        a placeholder for the path of its file (Segment.path_input), and where native segments have large weights
        there is one for the path of theirs (`weights_input`; save_weights writes the file)."""
        for segment in self.segments:
            self.conversion.place(segment.index, segment.engine_bytes() if embed else None)
        made = tf.compat.v1.GraphDef.FromString(
            self.conversion.result(self.engine_op, write_attrs(self.engine_attrs), not reads_functions(),
                                   None if embed else self.weights_input))
        lower_control_flow(made)
        return made

    def save_files(self, folder, graph_def):
        """Writes what `result` reads from files: {the placeholder of its path: the file}."""
        files = {segment.path_input: os.path.join(folder, f"{segment.name}.hone") for segment in self.segments}
        for segment in self.segments:
            segment.engine.save(files[segment.path_input])
        if any(node.name == self.weights_input for node in graph_def.node):
            files[self.weights_input] = os.path.join(folder, self.weights_input)
            self.conversion.save_weights(files[self.weights_input])
        return files
