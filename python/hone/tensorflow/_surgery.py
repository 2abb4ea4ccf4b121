"""Graphs of TensorFlow with segments replaced by engine nodes: the core's conversion, seen from Python."""
from __future__ import annotations

import hashlib
import itertools
import json
import os
import pathlib
import shutil
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

import hone
from hone import _hone

from ._library import reads_functions
from ._native import lower_control_flow
from ._precision import judge

# Bytes of engines in a graph of one file: protobuf ends at 2 GB, and the native segments are in it too.
EMBED_MOST = 1 << 30
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
    kept: Any = ()                 # layers that are in fp32 for it
    sizes: Any = None              # by input, that its kernels were measured with
    times: Any = ()                # seconds of its nodes in TensorFlow and of its engine, for each item
    native_time: Any = None        # their sums; None: not timed
    engine_time: Any = None
    file: Any = None               # the engine's, once it was written

    @property
    def nodes(self):
        return list(self.ops)

    @property
    def path_input(self):
        """The placeholder that is fed the engine's path."""
        return f"{self.name}_path"


def parse(text):
    """("node", output) of a tensor's name."""
    node, _, output = text.partition(":")
    return node, int(output or 0)


def spell(edge):
    """A tensor's name."""
    return f"{edge[0]}:{edge[1]}"


def write_attrs(attrs):
    """Attributes as the wire format has them in a NodeDef."""
    node = tf.compat.v1.NodeDef()
    for name, value in attrs.items():
        node.attr[name].CopyFrom(value)
    return node.SerializeToString()


def link_or_copy(source, target):
    """The same file at another place; those of engines are never written to again."""
    if os.path.exists(target):
        os.remove(target)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


class Surgery:
    """A frozen graph, the segments that engines can take, and the graph with engines in their place."""

    def __init__(self, known, outputs, least_nodes=3, most_engines=None, denied=(), prefix="HoneEngine",
                 engine_op="HoneEngine", engine_attrs=(), like_tf_trt=False, native=()):
        """`known`: the graph, a Native; `engine_op`: the type of the engines' nodes; `engine_attrs`: (name, AttrValue)
        that each of them has; `like_tf_trt`: segments are grown and counted as TF-TRT's; `native`: nodes that stay
        so."""
        self.engine_op, self.engine_attrs = engine_op, dict(engine_attrs)
        self.known, self.graph_def = known, known.graph_def
        prefix = f"{prefix}_{next(SEQUENCE):03d}"
        self.weights_input = f"{prefix}_weights"  # the placeholder that is fed the path of the segments' weights
        self.conversion = _hone.convert(
            known.text, ",".join(outputs), ",".join(denied),
            ",".join(native), prefix, max(1, least_nodes), most_engines or 0, like_tf_trt)
        self._models, self._digests = {}, {}  # by the segment's index
        self.values = []  # by item: what edges carry
        self._folder = tempfile.TemporaryDirectory(prefix="hone-")  # of the engines' files
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
        return self.known.types[edge[0]][edge[1]]

    def shape_of(self, edge):
        return self.known.shapes[f"{edge[0]}:{edge[1]}"]

    def look(self, items):
        """Computes natively what reaches the segments and what they give, for each of the items (feeds by name). There
        are no values where the model does not run on them: seeded texts are no pictures."""
        edges = list(dict.fromkeys(edge for s in self.segments for edge in s.inputs + s.outputs))
        whole = len(self.segments) == 1 and set(map(spell, self.segments[0].inputs)) == set(items[0])
        try:
            found = self.known.values(items, list(map(spell, edges)), again=whole) if edges else []
        except tf.errors.OpError:
            found = []
        self.values = [{edge: item[spell(edge)] for edge in edges} for item in found]

    def reaching(self, segment, item=0):
        """The values of a segment's inputs."""
        return [self.values[item][edge] for edge in segment.inputs]

    def _sizes(self, segment):
        """What kernels are measured with: the sizes of the largest item."""
        found = [[np.shape(value) for value in self.reaching(segment, item)] for item in range(len(self.values))]
        largest = max(found, key=lambda shapes: sum(map(np.prod, shapes)), default=[])
        return {f"in_{i}": shape for i, shape in enumerate(largest) if 0 not in shape}

    def model(self, segment):
        """(the segment as a GraphDef, its inputs and its outputs as hone.build has them). Kept until there is a result:
        it is as large as its weights."""
        if segment.index not in self._models:
            self._models[segment.index] = self.conversion.model(segment.index)
        return self._models[segment.index]

    def digest(self, segment):
        """Of the segment's model and of what it gives."""
        if segment.index not in self._digests:
            model, _, outputs = self.model(segment)
            self._digests[segment.index] = hashlib.sha256(outputs.encode() + model).digest()
        return self._digests[segment.index]

    def build(self, segment, **options):
        """Builds the engine of a segment."""
        segment.precision, segment.file, segment.kept = options.get("precision", "fp32"), None, ()
        segment.sizes = self._sizes(segment)
        model, inputs, outputs = self.model(segment)
        segment.engine = hone.build(model, format="graph_def", inputs=inputs, outputs=outputs,
                                    **{"shapes": segment.sizes, **options})

    def engine_file(self, segment):
        """The path of the engine's file, which is written when first asked for."""
        if segment.file is None:
            segment.file = os.path.join(self._folder.name, f"{segment.name}.hone")
            segment.engine.save(segment.file)
        return segment.file

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

    def prepare(self, items, data, **options):
        """Builds every engine; `data` says whose the items are."""
        self.look(items)
        self.build_all(**options)
        judge(self, data, **options)

    def prepare_again(self, items, data, **options):
        """The same for other items: engines that these measure with other sizes are built anew. Whether any changed."""
        self.look(items)
        stale = [segment for segment in self.segments if self.values and segment.sizes != self._sizes(segment)]
        for segment in stale:
            self.build(segment, **{**options, "precision": segment.precision})
        return bool(judge(self, data, **options) or stale)

    def _engines_folder(self):
        """Where the engines of a graph of one file go that cannot hold them; None: it can."""
        whole = sum(os.path.getsize(self.engine_file(segment)) for segment in self.segments)
        if whole <= EMBED_MOST:
            return None
        folder = os.environ.get("HONE_ENGINES_PATH", "")
        if not folder:
            raise hone.LimitError(
                5, f"the engines are {whole >> 20} MiB, and a frozen graph holds {EMBED_MOST >> 20} at most: name a "
                "folder for them in HONE_ENGINES_PATH, which the graph will then refer to, or convert a SavedModel "
                "with TrtGraphConverterV2, which has them as assets")
        os.makedirs(folder, exist_ok=True)
        return os.path.abspath(folder)

    def result(self, embed=False):
        """The graph with engines in place of the segments. With `embed` their bytes are constants in it, or their paths
        where the bytes are too many; else each has
        a placeholder for the path of its file (Segment.path_input), and where native segments have large weights
        there is one for the path of theirs (`weights_input`; save_weights writes the file)."""
        folder = self._engines_folder() if embed else None
        for segment in self.segments:
            place = None
            if folder:
                place = os.path.join(folder, f"{segment.name}.hone")
                link_or_copy(self.engine_file(segment), place)
            elif embed:
                place = pathlib.Path(self.engine_file(segment)).read_bytes()
            self.conversion.place(segment.index, place)
        made = tf.compat.v1.GraphDef.FromString(
            self.conversion.result(self.engine_op, write_attrs(self.engine_attrs), not reads_functions(),
                                   None if embed else self.weights_input))
        lower_control_flow(made)
        self._models = {}
        self.known.forget()
        return made

    def save_files(self, folder, graph_def):
        """Writes what `result` reads from files: {the placeholder of its path: the file}."""
        files = {segment.path_input: os.path.join(folder, f"{segment.name}.hone") for segment in self.segments}
        for segment in self.segments:
            link_or_copy(self.engine_file(segment), files[segment.path_input])
        if any(node.name == self.weights_input for node in graph_def.node):
            files[self.weights_input] = os.path.join(folder, self.weights_input)
            self.conversion.save_weights(files[self.weights_input])
        return files
