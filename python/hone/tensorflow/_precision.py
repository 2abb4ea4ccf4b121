"""Which segments may multiply in less than fp32: those whose results stay right on data."""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

# Of a segment's output range: docs/numerics.md, "TensorFlow segment".
BOUND = 1e-2


def seeded(shape: Any, dtype: Any) -> np.ndarray:
    """Something to measure with, where the user gives nothing: sizes that are open are 1."""
    sizes = [d or 1 for d in shape.as_list()] if shape.rank is not None else []
    kind = dtype.as_numpy_dtype
    if dtype == tf.string:
        return np.full(sizes, b"", object)
    return np.random.default_rng(0).uniform(0, 1, sizes).astype(kind) if dtype.is_floating else np.zeros(sizes, kind)


def observe(graph_def: Any, feeds: dict[str, Any], wanted: Sequence[str]) -> list[np.ndarray]:
    """The values of tensors, computed natively."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        return session.run(list(wanted), feeds)


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


def _segment_error(segment, values):
    """Of the results on the values that reach the segment, against what TensorFlow makes of them."""
    taken = {port.name for port in segment.engine.inputs}
    inputs = [values[f"{node}:{output}"] for node, output in segment.inputs]
    got = segment.engine.run({f"in_{i}": v for i, v in enumerate(inputs) if f"in_{i}" in taken})
    return max(_error(np.asarray(got[f"out_{i}"]), values[f"{node}:{output}"])
               for i, (node, output) in enumerate(segment.outputs))


def judge(surgery: Any, feeds: dict[str, Any], data: str, **options: Any) -> list[Any]:
    """Runs each segment that is not in fp32 on what reaches it when `feeds` are fed, and builds those anew in fp32
    that are further from native than BOUND, or all where the model cannot run on the feeds (seeded texts are no
    pictures). `data` says whose the feeds are. Gives the segments that changed."""
    judged = [s for s in surgery.segments if s.precision != "fp32"]
    edges = dict.fromkeys(f"{node}:{output}" for s in judged for node, output in s.inputs + s.outputs)
    try:
        values = dict(zip(edges, observe(surgery.graph_def, feeds, edges))) if judged else {}
    except tf.errors.OpError:
        values = {}
    changed = []
    for segment in judged:
        segment.error, segment.judged_by = _segment_error(segment, values) if values else float("inf"), data
        if segment.error > BOUND:
            surgery.build(segment, **{**options, "precision": "fp32"})
            changed.append(segment)
    return changed
