"""Which segments are worth an engine: each is timed against the nodes that it stands for, crossings included."""
from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pathlib
import statistics
import tempfile
import time
from typing import Any, Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

import hone
from hone import _hone

from ._library import op_library
from ._native import RUNS, import_graph, lower_control_flow

# A segment is an engine where that takes at most this share of native's time.
NEVER_SLOWER = 1.0
# Of a race, after two that warm up; only FEWEST where these took SECONDS and one was faster by a tenth in each.
ROUNDS, FEWEST, SECONDS, CLEAR = 9, 3, 0.5, 1.1
# What another engine in the graph costs, in seconds: its node, and the nodes that keep the shapes of its results.
CROSSING = 10e-6
# A segment is cut only for more than this share of its time.
LEAST_GAIN = 0.1


class Times:
    """Seconds by key; in a timing cache's file where there is one: lines of key, kernel, variant and nanoseconds.

    A key says what was timed, where, and with what."""

    def __init__(self, path: Any, frozen: bool = False):
        self.path, self.frozen = pathlib.Path(path) if path else None, frozen
        self.here = f"{_hone.version} {tf.__version__} {os.cpu_count()} " \
                    f"{tf.config.threading.get_intra_op_parallelism_threads()} {_processor()}"
        self.known: dict[str, float] = {}
        if self.path and self.path.exists():
            for line in self.path.read_text().splitlines():
                cells = line.split("\t")
                if len(cells) == 4 and cells[0].startswith("tensorflow "):
                    self.known["\t".join(cells[:3])] = float(cells[3]) / 1e9

    def get(self, content: bytes, kind: str, measure: Callable[[], Sequence[float]]) -> list[float]:
        """Some seconds: as written down, or measured now."""
        key = f"tensorflow {hashlib.sha256(self.here.encode() + content).hexdigest()}\t{kind}"
        found: list[float] = []
        while f"{key}\t{len(found)}" in self.known:
            found.append(self.known[f"{key}\t{len(found)}"])
        if not found and self.frozen:
            raise hone.NotFoundError(7, f"the timing cache is frozen and has no times of a segment ({kind})")
        if not found:
            found = [round(seconds * 1e9) / 1e9 for seconds in measure()]
            self._write({f"{key}\t{i}": seconds for i, seconds in enumerate(found)})
        return found

    def _write(self, found: dict[str, float]) -> None:
        self.known.update(found)
        if not self.path:
            return
        old = self.path.read_text().splitlines() if self.path.exists() else []
        lines = sorted({*old, *(f"{key}\t{seconds * 1e9:.0f}" for key, seconds in found.items())})
        self.path.write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def with_cache(options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The options with a timing cache: one of this conversion alone where the caller has none, so that what is built
    once more is not measured once more."""
    if options.get("timing_cache"):
        yield options
        return
    with tempfile.TemporaryDirectory(prefix="hone-") as folder:
        yield {**options, "timing_cache": os.path.join(folder, "times.txt")}


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line
    return ""


def _native_call(surgery: Any, segment: Any) -> Any:
    """A call of the segment's nodes on its inputs, in order: of the whole graph's where it has just these results."""
    fetches, feeds = ([f"{node}:{output}" for node, output in edges] for edges in (segment.outputs, segment.inputs))
    call = surgery.known.call(fetches, feeds)
    if call:
        return call
    model, _, _ = surgery.model(segment)
    graph_def = tf.compat.v1.GraphDef.FromString(model)
    lower_control_flow(graph_def)
    graph = import_graph(graph_def)
    places = [op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"][:len(segment.inputs)]
    return tf.compat.v1.Session(graph=graph).make_callable(fetches, places)


def _engine_call(surgery: Any, segment: Any, path: str) -> Any:
    with tf.Graph().as_default() as graph:
        nothing = tf.function(lambda: tf.constant(0.0), autograph=False).get_concrete_function()
        feeds = [tf.compat.v1.placeholder(surgery.type_of(edge)) for edge in segment.inputs]
        out = op_library.hone_engine(inputs=feeds, engine=tf.constant(path), segment_func=nothing,
                                     OutT=[surgery.type_of(edge) for edge in segment.outputs])
    return tf.compat.v1.Session(graph=graph).make_callable(list(out), feeds)


def race(calls: list[Callable[..., Any]], values: list[Any]) -> list[float]:
    """The median time of each of two, taking turns."""
    spent: list[list[float]] = [[] for _ in calls]
    begun = 0.0
    for turn in range(ROUNDS + 2):  # the first two warm up
        begun = time.perf_counter() if turn == 2 else begun
        for call, times in zip(calls, spent):
            start = time.perf_counter()
            call(*values)
            times.append(time.perf_counter() - start)
        if turn >= 1 + FEWEST and time.perf_counter() - begun > SECONDS and _is_clear(*(times[2:] for times in spent)):
            break
    return [statistics.median(times[2:]) for times in spent]


def _is_clear(first: list[float], second: list[float]) -> bool:
    ratios = [a / b for a, b in zip(first, second)]
    return min(ratios) > CLEAR or max(ratios) < 1 / CLEAR


def _measure(surgery: Any, segment: Any, values: list[Any]) -> list[float]:
    return race([_native_call(surgery, segment), _engine_call(surgery, segment, surgery.engine_file(segment))], values)


def time_segments(surgery: Any, times: Times) -> None:
    """Sets each segment's `native_time` and `engine_time`: for all items together."""
    for segment in surgery.segments:
        segment.times = []
        for item in range(len(surgery.values)):
            given = surgery.reaching(segment, item)
            segment.times.append(times.get(content(surgery, segment, given), "race",
                                           functools.partial(_measure, surgery, segment, given)))
        segment.native_time, segment.engine_time = map(sum, zip(*segment.times))


def content(surgery: Any, segment: Any, values: list[Any]) -> bytes:
    """All that a segment's times depend on: the model, what it gives, in which precision, on which sizes."""
    sizes = [(np.shape(value), str(np.asarray(value).dtype)) for value in values]
    return f"{segment.precision} {segment.kept} {sizes}".encode() + surgery.digest(segment)


# ---- Cutting ----

def _trace(surgery: Any, segment: Any, values: list[Any]) -> list[float]:
    """Seconds of each node of a segment in one run, in the order of their names."""
    fetches, feeds = ([f"{node}:{output}" for node, output in edges] for edges in (segment.outputs, segment.inputs))
    spent = surgery.known.spent(fetches, dict(zip(feeds, values)))
    return [spent.get(name, 0.0) for name in sorted(segment.ops)]


def _native_nodes(surgery: Any, segment: Any, values: list[Any], times: Times) -> dict[str, float]:
    """Seconds of each node on the first item, scaled so that their sum is the segment's native time."""
    spent = times.get(content(surgery, segment, values), "nodes",
                      functools.partial(_trace, surgery, segment, values))
    whole = sum(spent) or 1.0
    return {name: seconds * segment.times[0][0] / whole for name, seconds in zip(sorted(segment.ops), spent)}


def _parts(steps: list[set[str]], spent: list[float]) -> Iterator[tuple[set[str], float]]:
    """(nodes, the engine's seconds) of steps that share no node with others."""
    parts: list[tuple[set[str], float]] = []
    for nodes, seconds in zip(steps, spent):
        apart = []
        for other, more in parts:
            if other & nodes:
                nodes, seconds = nodes | other, seconds + more
            else:
                apart.append((other, more))
        parts = [*apart, (nodes, seconds)]
    yield from parts


def _losing_nodes(surgery: Any, segment: Any, values: list[Any], native: dict[str, float], times: Times) -> list[str]:
    """The nodes of a segment that TensorFlow runs faster, by so much that a cut pays."""
    taken = {port.name for port in segment.engine.inputs}
    try:
        runs = min(10, max(RUNS, int(SECONDS / segment.times[0][1])))
        steps = segment.engine.profile({f"in_{i}": v for i, v in enumerate(values) if f"in_{i}" in taken}, runs)
    except hone.Error:
        return []  # what does not run here is judged as a whole
    spent = times.get(content(surgery, segment, values), "steps",
                      lambda: [step["least"] / 1e9 for step in steps])
    losing, gain = [], 0.0
    for nodes, seconds in _parts([set(step["sources"]) for step in steps], spent):
        inside = [name for name in nodes if name in segment.ops]
        won = seconds - sum(native[name] for name in inside) - 2 * CROSSING
        if inside and won > 0:
            losing += inside
            gain += won
    return sorted(losing) if gain > LEAST_GAIN * segment.times[0][1] and len(losing) < len(segment.ops) else []


def _total(surgery: Any) -> float:
    """What the segments take where each is what is faster."""
    return sum(min(segment.native_time, segment.engine_time + CROSSING) for segment in surgery.segments)


def _cut(surgery: Any, times: Times, again: Callable[[list[str]], Any]) -> Any:
    """The surgery, or another in which parts that lose are native, if that is faster."""
    if surgery.known.tables:  # what waits for them cannot be timed node by node
        return surgery
    losing, kept = [], 0.0
    for segment in surgery.segments:
        given = surgery.reaching(segment)
        native = _native_nodes(surgery, segment, given, times)
        nodes = _losing_nodes(surgery, segment, given, native, times)
        kept += sum(native[name] for name in nodes) * segment.native_time / segment.times[0][0]
        losing += nodes
    if not losing:
        return surgery
    other = again(losing)
    if other.segments and not other.values:
        return surgery
    time_segments(other, times)
    return other if _total(other) + kept < (1 - LEAST_GAIN) * _total(surgery) else surgery


def keep_what_wins(surgery: Any, times: Times, again: Callable[[list[str]], Any]) -> Any:
    """A surgery whose engines each beat the nodes that they stand for. `again`: makes one with these nodes native."""
    if not surgery.values:
        return surgery
    time_segments(surgery, times)
    surgery = _cut(surgery, times, again)
    for segment in list(surgery.segments):
        if segment.engine_time > NEVER_SLOWER * segment.native_time:
            surgery.drop(segment, f"its engine took {segment.engine_time * 1e6:.0f} us, TensorFlow "
                                  f"{segment.native_time * 1e6:.0f} us")
    return surgery
