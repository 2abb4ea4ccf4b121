"""Which layers may multiply in less than fp32: those with which a segment's results stay right on data."""
from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

import hone

# Of a segment's output range: docs/numerics.md, "TensorFlow segment".
BOUND = 1e-2


def seeded(shape: Any, dtype: Any) -> np.ndarray:
    """Something to measure with, where the user gives nothing: sizes that are open are 1."""
    sizes = [d or 1 for d in shape.as_list()] if shape.rank is not None else []
    kind = dtype.as_numpy_dtype
    if dtype == tf.string:
        return np.full(sizes, b"", object)
    return np.random.default_rng(0).uniform(0, 1, sizes).astype(kind) if dtype.is_floating else np.zeros(sizes, kind)


def placeholders(graph_def: Any) -> dict[str, np.ndarray]:
    """Seeded values for every placeholder."""
    made = {}
    for node in graph_def.node:
        if node.op == "Placeholder":
            shape = tf.TensorShape(node.attr["shape"].shape)
            made[f"{node.name}:0"] = seeded(shape, tf.as_dtype(node.attr["dtype"].type))
    return made


def _error(got, want):
    if got.dtype.kind != "f":
        return 0.0 if np.array_equal(got, want) else float("inf")
    scale = float(np.abs(want).max(initial=0)) or 1.0
    worst = float(np.abs(got.astype(np.float64) - want).max(initial=0)) / scale
    return worst if worst == worst else float("inf")


# ---- Layer by layer ----

# The operators of which a product comes.
PRODUCTS = {"Conv2D", "Conv2DBackpropInput", "Conv3D", "Conv3DBackpropInputV2", "MatMul", "BatchMatMul",
            "BatchMatMulV2", "BatchMatMulV3", "Einsum"}
# What the rest of the layers may do, by their own errors' root of squares, before it is tried.
HOPE = 0.7


class _Layers:
    """The products of a segment, each by itself in the lower precision while all others are native."""

    def __init__(self, surgery, segment):
        self.model, _, _ = surgery.model(segment)
        self.graph_def = tf.compat.v1.GraphDef.FromString(self.model)
        self.precision = segment.precision
        with tf.Graph().as_default() as self.graph:
            tf.import_graph_def(self.graph_def, name="")
        config = tf.compat.v1.ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True  # any tensor can be fed
        self.session = tf.compat.v1.Session(graph=self.graph, config=config)
        places = [op.outputs[0] for op in self.graph.get_operations() if op.type == "Placeholder"]
        self.feeds = dict(zip(places, surgery.reaching(segment)))
        self.results = [f"{node}:{output}" for node, output in segment.outputs]
        self.right = [surgery.values[0][edge] for edge in segment.outputs]
        self.nodes = [node for node in self.graph_def.node if node.op in PRODUCTS]

    def _moving(self):
        """The nodes that an input reaches."""
        moving: set[str] = set()
        for op in self.graph.get_operations():
            if op.type == "Placeholder" or any(source.op.name in moving for source in op.inputs):
                moving.add(op.name)
        return moving

    def _lowered(self, node, inputs, values):
        """The node's result on its inputs, in the lower precision."""
        ports = ",".join(f"x{i}={name}[{','.join(map(str, value.shape))}]" for i, (name, value)
                         in enumerate(zip(inputs, values)))
        engine = hone.build(self.model, format="graph_def", inputs=ports, outputs=f"y={node.name}", measure=False,
                            precision=self.precision)
        return engine.run({f"x{i}": value for i, value in enumerate(values)})["y"]

    def errors(self):
        """By layer, what the segment's results are off by where this one alone is in the lower precision."""
        found, moving = {}, self._moving()
        for node in self.nodes:
            inputs = [tensor.name for tensor in self.graph.get_operation_by_name(node.name).inputs
                      if tensor.op.name in moving]
            values = self.session.run(inputs, self.feeds)
            feeds = {**self.feeds, f"{node.name}:0": self._lowered(node, inputs, values)}
            got = self.session.run(self.results, feeds)
            found[node.name] = max(map(_error, got, self.right))
        return found


def _keep_layers(surgery, segment, options):
    """Builds the segment with the layers in fp32 that make most of the error, more of them until the rest stays within
    BOUND; whether any stays lower."""
    errors = _Layers(surgery, segment).errors()
    order = sorted(errors, key=errors.__getitem__, reverse=True)
    left = [sum(errors[name] ** 2 for name in order[i:]) ** 0.5 for i in range(len(order))]
    kept = next((i for i, rest in enumerate(left) if rest <= HOPE * BOUND), len(order))
    while 0 < kept < len(order):
        surgery.build(segment, **{**options, "precision": segment.precision, "fp32_layers": ",".join(order[:kept])})
        error = _segment_error(surgery, segment)
        if error <= BOUND:
            segment.error, segment.kept = error, order[:kept]
            return True
        kept *= 2
    return False


# ---- Segment by segment ----

def _segment_error(surgery, segment):
    """Of the results on what reaches the segment, against what TensorFlow makes of it."""
    values = surgery.values[0]
    taken = {port.name for port in segment.engine.inputs}
    got = segment.engine.run({f"in_{i}": v for i, v in enumerate(surgery.reaching(segment)) if f"in_{i}" in taken})
    return max(_error(np.asarray(got[f"out_{i}"]), values[edge]) for i, edge in enumerate(segment.outputs))


def judge(surgery: Any, data: str, **options: Any) -> list[Any]:
    """Runs each segment that is not in fp32 on what reaches it, and builds those anew that are further from native
    than BOUND: with those layers in fp32 that make most of the error, or all of it in fp32, as where nothing is known
    to run on. `data` says whose the values are. Gives the segments that changed."""
    changed = []
    for segment in [s for s in surgery.segments if s.precision != "fp32"]:
        segment.error = _segment_error(surgery, segment) if surgery.values else float("inf")
        segment.judged_by = data
        if segment.error > BOUND:
            if not surgery.values or not _keep_layers(surgery, segment, options):
                surgery.build(segment, **{**options, "precision": "fp32"})
            changed.append(segment)
    return changed
