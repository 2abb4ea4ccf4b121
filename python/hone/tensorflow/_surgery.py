"""Graphs of TensorFlow with segments replaced by engine nodes. What can be replaced, the core says."""
from __future__ import annotations

import itertools
import json
import pathlib
import tempfile
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import wrap_function

import hone
from hone import _hone

from ._library import reads_functions

# Nodes that do nothing: they do not count when segments are held against a least size.
IDLE = {"Identity", "IdentityN", "Snapshot", "StopGradient"}

# Names are prefix_<conversion of this process>_<segment>: a process knows a function by its name alone.
SEQUENCE = itertools.count()


@dataclass
class Segment:
    """A part of the graph on its way to an engine. Edges are (node, output)."""
    name: str
    nodes: list[str]
    inputs: list[tuple[str, int]] = field(default_factory=list)
    outputs: list[tuple[str, int]] = field(default_factory=list)
    graph_def: Any = None          # with placeholders in_0, in_1, … for the inputs
    function: Any = None           # the same as a FunctionDef: what runs where the engine cannot
    engine: Any = None             # hone.Engine
    ops: dict[str, str] = field(default_factory=dict)  # node to operator
    precision: str = "fp32"
    error: Any = None              # of the results in that precision, as a share of their range; None: not judged
    judged_by: str = ""            # on whose data

    def engine_bytes(self):
        """The engine file's content."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "engine.hone"
            self.engine.save(path)
            return path.read_bytes()

    @property
    def path_input(self):
        """The placeholder that is fed the engine's path."""
        return f"{self.name}_path"

    def ports(self):
        """The options of hone.build that say what is fed and wanted."""
        return {"inputs": ",".join(f"in_{i}" for i in range(len(self.inputs))),
                "outputs": ",".join(f"out_{i}={spell(edge)}" for i, edge in enumerate(self.outputs))}


def spell(edge):
    node, output = edge
    return f"{node}:{output}" if output else node


def parse(text):
    """("node", output) of an input; None for a control input."""
    if text.startswith("^"):
        return None
    node, _, output = text.partition(":")
    return node, int(output or 0)


def strip(node):
    """Takes a node's inputs, what was written down for the core alone, and names of nodes that it is to be near to
    (`_class`), as those may go into an engine."""
    del node.input[:]
    for key in ("_output_types", "_output_shapes", "_class"):
        if key in node.attr:
            del node.attr[key]


def add_bytes(graph_def, name, content):
    """A constant of bytes."""
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.uint8.as_datatype_enum
    tensor = node.attr["value"].tensor
    tensor.dtype = tf.uint8.as_datatype_enum
    tensor.tensor_content = content
    tensor.tensor_shape.dim.add(size=len(content))


class Surgery:
    """A frozen graph, the segments that engines can take, and the graph with engines in their place."""

    def __init__(self, graph, outputs, least_nodes=3, most_engines=None, denied=(), prefix="HoneEngine",
                 engine_op="HoneEngine", engine_attrs=()):
        """`engine_op`: the type of the engines' nodes; `engine_attrs`: (name, AttrValue) that each of them has."""
        self.engine_op, self.engine_attrs = engine_op, dict(engine_attrs)
        self.types = {op.name: [t.dtype for t in op.outputs] for op in graph.get_operations()}
        self.shapes = {t.name: t.shape for op in graph.get_operations() for t in op.outputs}
        self.graph_def = graph.as_graph_def(add_shapes=True)
        for node in self.graph_def.node:
            node.attr["_output_types"].list.type.extend(t.as_datatype_enum for t in self.types[node.name])
        self.nodes = {node.name: node for node in self.graph_def.node}
        self.fetched = {parse(name)[0] for name in outputs}
        found = json.loads(_hone.segments(self.graph_def.SerializeToString(), ",".join(denied)))
        self.native = found["native"]
        kept = self.choose(found["segments"], max(1, least_nodes), most_engines)
        number = next(SEQUENCE)
        self.segments = [Segment(f"{prefix}_{number:03d}_{i:03d}", nodes) for i, nodes in enumerate(kept)]
        for segment in self.segments:
            self.find_ports(segment)
        for segment in [s for s in self.segments if not s.inputs or not s.outputs]:
            self.drop(segment, "nothing goes into its segment, or nothing comes out")
        for segment in self.segments:
            self.make_graph(segment)

    def choose(self, found, least, most):
        """The segments that are large enough; the `most` largest of them where that is given."""
        kept = [nodes for nodes in found if self.size(nodes) >= least]
        largest = sorted(kept, key=self.size, reverse=True)[:most or None]
        for nodes in found:
            if nodes not in kept:
                self.leave(nodes, f"its segment has fewer than {least} nodes")
            elif nodes not in largest:
                self.leave(nodes, f"{most} segments are larger")
        return largest

    def leave(self, nodes, reason):
        """Writes down why nodes that an engine could take stay native."""
        self.native += [{"node": name, "op": self.nodes[name].op, "reason": reason} for name in nodes]

    def size(self, nodes):
        """How many of the nodes do something."""
        return sum(self.nodes[name].op not in IDLE for name in nodes)

    def find_ports(self, segment):
        inside = set(segment.nodes)
        inputs, outputs = {}, {}
        for node in self.graph_def.node:
            for edge in filter(None, map(parse, node.input)):
                if node.name in inside and edge[0] not in inside and self.nodes[edge[0]].op != "Const":
                    inputs[edge] = None
                if node.name not in inside and edge[0] in inside:
                    outputs[edge] = None
        for name in segment.nodes:
            if name in self.fetched:
                outputs.update(((name, i), None) for i in range(len(self.types[name])))
        segment.inputs, segment.outputs = list(inputs), list(outputs)

    def type_of(self, edge):
        return self.types[edge[0]][edge[1]]

    def shape_of(self, edge):
        return self.shapes[f"{edge[0]}:{edge[1]}"]

    def make_graph(self, segment):
        """The segment as a graph of its own, and as a function."""
        part = tf.compat.v1.GraphDef(versions=self.graph_def.versions)
        part.library.CopyFrom(self.graph_def.library)
        fed = {edge: f"in_{i}" for i, edge in enumerate(segment.inputs)}
        for edge, name in fed.items():
            node = part.node.add(name=name, op="Placeholder")
            node.attr["dtype"].type = self.type_of(edge).as_datatype_enum
            node.attr["shape"].shape.CopyFrom(self.shape_of(edge).as_proto())
        inside, constants = set(segment.nodes), {}
        for name in segment.nodes:
            node = part.node.add()
            node.CopyFrom(self.nodes[name])
            strip(node)
            for edge in filter(None, map(parse, self.nodes[name].input)):
                node.input.append(fed.get(edge) or spell(edge))
                if edge not in fed and edge[0] not in inside:
                    constants[edge[0]] = None
        for name in constants:
            node = part.node.add()
            node.CopyFrom(self.nodes[name])
            strip(node)
        segment.graph_def = part
        made = wrap_function.function_from_graph_def(
            part, [f"in_{i}:0" for i in range(len(segment.inputs))],
            [f"{node}:{output}" for node, output in segment.outputs])
        segment.function = made.function_def.__class__()
        segment.function.CopyFrom(made.function_def)
        segment.function.signature.name = f"{segment.name}_native_segment"

    def build(self, segment, **options):
        """Builds the engine of a segment."""
        segment.precision = options.get("precision", "fp32")
        segment.ops = {name: self.nodes[name].op for name in segment.nodes}
        segment.engine = hone.build(segment.graph_def.SerializeToString(), format="graph_def",
                                    **segment.ports(), **options)

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
        self.leave(segment.nodes, reason)

    def result(self, embed=False):
        """The graph with engines in place of the segments. With `embed` their bytes are constants in it;
        else each has a placeholder for the path of its file (Segment.path_input)."""
        out = tf.compat.v1.GraphDef(versions=self.graph_def.versions)
        out.library.CopyFrom(self.graph_def.library)
        home = {name: segment for segment in self.segments for name in segment.nodes}
        moved = {edge: f"{segment.name}_out_{i}" for segment in self.segments
                 for i, edge in enumerate(segment.outputs)}
        for node in self.graph_def.node:
            if node.name not in home:
                self.keep(out, node, moved, home)
        for segment in self.segments:
            out.library.function.add().CopyFrom(segment.function)
            self.add_engine(out, segment, moved, embed)
            for name in segment.nodes:
                if name in self.fetched:
                    self.add_fetched(out, name, moved)
        return out

    def keep(self, out, node, moved, home):
        kept = out.node.add()
        kept.CopyFrom(node)
        strip(kept)
        for text in node.input:
            edge = parse(text)
            if edge is None:
                segment = home.get(text[1:])
                kept.input.append(f"^{segment.name}" if segment else text)
            else:
                kept.input.append(moved.get(edge, text))

    def add_engine(self, out, segment, moved, embed):
        kind = tf.uint8 if embed else tf.string
        if embed:
            add_bytes(out, segment.path_input, segment.engine_bytes())
        else:
            source = out.node.add(name=segment.path_input, op="Placeholder")
            source.attr["dtype"].type = kind.as_datatype_enum
        node = out.node.add(name=segment.name, op=self.engine_op)
        node.input.extend(moved.get(edge, spell(edge)) for edge in segment.inputs)
        node.attr["InT"].list.type.extend(self.type_of(e).as_datatype_enum for e in segment.inputs)
        if not reads_functions():
            self.carry_segment(out, node, segment)
        node.input.append(segment.path_input)
        node.attr["OutT"].list.type.extend(self.type_of(e).as_datatype_enum for e in segment.outputs)
        if self.engine_op == "HoneEngine":
            node.attr["E"].type = kind.as_datatype_enum
        else:
            self.add_trt_attrs(node, segment, kind)
        node.attr["segment_func"].func.name = segment.function.signature.name
        for i, edge in enumerate(segment.outputs):
            shaped = out.node.add(name=f"{segment.name}_out_{i}", op="EnsureShape")
            shaped.input.append(spell((segment.name, i)))
            shaped.attr["T"].type = self.type_of(edge).as_datatype_enum
            shaped.attr["shape"].shape.CopyFrom(self.shape_of(edge).as_proto())

    def carry_segment(self, out, node, segment):
        """Gives the node its native segment as an input: the graph that calls its function on in_0, in_1, …"""
        graph = tf.compat.v1.GraphDef(versions=self.graph_def.versions)
        graph.library.CopyFrom(self.graph_def.library)
        graph.library.function.add().CopyFrom(segment.function)
        call = graph.node.add(name="call", op="StatefulPartitionedCall")
        call.attr["f"].func.name = segment.function.signature.name
        call.attr["Tout"].list.type.extend(self.type_of(e).as_datatype_enum for e in segment.outputs)
        call.attr["Tin"].list.SetInParent()
        for i, edge in enumerate(segment.inputs):
            graph.node.add(name=f"in_{i}", op="Placeholder").attr["dtype"].type = self.type_of(edge).as_datatype_enum
            call.input.append(f"in_{i}")
            call.attr["Tin"].list.type.append(self.type_of(edge).as_datatype_enum)
        add_bytes(out, f"{segment.name}_segment", graph.SerializeToString())
        node.input.append(f"{segment.name}_segment")
        node.attr["InT"].list.type.append(tf.uint8.as_datatype_enum)
        node.attr["carries_segment"].i = 1

    def add_trt_attrs(self, node, segment, kind):
        """What a TRTEngineOp has besides: its engine is the last of its inputs."""
        node.attr["InT"].list.type.append(kind.as_datatype_enum)
        for name, edges in (("input_shapes", segment.inputs), ("output_shapes", segment.outputs)):
            node.attr[name].list.shape.extend(self.shape_of(edge).as_proto() for edge in edges)
        for name, value in self.engine_attrs.items():
            node.attr[name].CopyFrom(value)

    def add_fetched(self, out, name, moved):
        """A node that callers know by name goes on under it."""
        types = [t.as_datatype_enum for t in self.types[name]]
        node = out.node.add(name=name, op="Identity" if len(types) == 1 else "IdentityN")
        node.input.extend(moved[(name, i)] for i in range(len(types)))
        if len(types) == 1:
            node.attr["T"].type = types[0]
        else:
            node.attr["T"].list.type.extend(types)
