"""A frozen graph as TensorFlow runs it: what its edges carry, what its parts take."""
from __future__ import annotations

import os
import pathlib
from typing import Any, Callable, Optional, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.python.eager import wrap_function
from tensorflow.python.framework import convert_to_constants

v1 = tf.compat.v1
RUNS = 3  # of what is looked at part by part


def freeze(function: Any) -> tuple[Any, list[Any]]:
    """(the GraphDef of a function with constants in place of its variables, loops and branches as they are; the
    function's inputs that are left). Inputs and outputs keep their names."""
    read = getattr(convert_to_constants, "_FunctionConverterDataInEager",
                   getattr(convert_to_constants, "_FunctionConverterData", None))
    replace = getattr(convert_to_constants, "_replace_variables_by_constants", None)
    if read and replace:  # what the public function does, without a function of all weights that nobody calls
        graph_def, gone = replace(
            converter_data=read(func=function, lower_control_flow=False, aggressive_inlining=False))
        names = {function.graph.internal_captures[index].name for index in gone}
        return graph_def, [t for t in function.inputs if t.name not in names]
    frozen = convert_to_constants.convert_variables_to_constants_v2(function, lower_control_flow=False)
    return frozen.graph.as_graph_def(), list(frozen.inputs)


def lower_control_flow(graph_def: Any) -> bool:
    """Lets TensorFlow run loops and branches node by node, as it did before they were frozen: that is faster. Whether
    there are any."""
    found = False
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        for node in nodes:
            if "_lower_using_switch_merge" in node.attr:
                node.attr["_lower_using_switch_merge"].b = found = True
    return found


def as_graph_def(model: Any) -> Any:
    """The GraphDef that a model is, or that its file holds; None: it is something else."""
    if isinstance(model, v1.GraphDef):
        return model
    name = os.fspath(model) if isinstance(model, (str, os.PathLike)) else ""
    if name.endswith(".pbtxt") and os.path.isfile(name):
        return text_format.Parse(pathlib.Path(name).read_text(), v1.GraphDef())
    if name.endswith(".pb") and os.path.isfile(name):
        return v1.GraphDef.FromString(pathlib.Path(name).read_bytes())
    return None


def import_graph(graph_def: Any) -> Any:
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    return graph


class Native:
    """`types` and `shapes`: by node its outputs' types, by tensor the shape. `graph_def` has both in attributes, and
    `text` is that in the wire format. `tables`: by placeholder, resources that it takes beside its inputs."""

    def __init__(self, graph_def: Any, tables: Optional[dict[str, Any]] = None):
        self.tables = tables or {}
        self.graph, self.graph_def = import_graph(graph_def), graph_def
        operations = {op.name: op.outputs for op in self.graph.get_operations()}
        self.types = {name: [t.dtype for t in outputs] for name, outputs in operations.items()}
        self.shapes = {t.name: t.shape for outputs in operations.values() for t in outputs}
        for node in graph_def.node:
            node.attr["_output_types"].list.type.extend(t.as_datatype_enum for t in self.types[node.name])
            node.attr["_output_shapes"].list.shape.extend(t.shape.as_proto() for t in operations[node.name])
        self.text = graph_def.SerializeToString(deterministic=True)
        self.has_loops = any("_lower_using_switch_merge" in node.attr for node in graph_def.node)
        self.forget()

    def forget(self) -> None:
        """Lets go of the sessions, which hold the weights once more."""
        self._best = self._plain = None
        self._ready: set[Any] = set()  # the tensors of runs that `best` has been made ready for

    @property
    def best(self) -> Any:
        """A session that optimises."""
        if self._best is None:
            graph = self.graph
            if self.has_loops:
                lowered = v1.GraphDef.FromString(self.text)
                lower_control_flow(lowered)
                graph = import_graph(lowered)
            self._best = v1.Session(graph=graph)
        return self._best

    @property
    def plain(self) -> Any:
        """A session that runs the nodes as they are, and is ready sooner."""
        if self._plain is None:
            config = v1.ConfigProto()
            config.graph_options.rewrite_options.disable_meta_optimizer = True
            self._plain = v1.Session(graph=self.graph, config=config)
        return self._plain

    def values(self, items: Sequence[dict[str, Any]], wanted: Sequence[str],
               again: bool) -> list[dict[str, np.ndarray]]:
        """By tensor, what it is for each of the items (feeds by tensor). `again`: the same will be timed."""
        found = []
        for feeds in items:
            fetches = [name for name in wanted if name not in feeds]
            found.append({**feeds, **dict(zip(fetches, self._run(fetches, feeds, again) if fetches else []))})
        return found

    def _run(self, fetches: Sequence[str], feeds: dict[str, Any], again: bool) -> list[np.ndarray]:
        if self.tables:  # resources of the second TensorFlow, which a session is not fed
            run = wrap_function.function_from_graph_def(self.graph_def, [*feeds, *self.tables], list(fetches))
            return [t.numpy() for t in run(*map(tf.constant, feeds.values()), *self.tables.values())]
        if again:
            self._ready.add((frozenset(fetches), frozenset(feeds)))
        return (self.best if again else self.plain).run(fetches, feeds)

    def call(self, fetches: Sequence[str], feeds: Sequence[str]) -> Any:
        """A call of what was run already, on the values of `feeds`; None: it was not."""
        if (frozenset(fetches), frozenset(feeds)) not in self._ready:
            return None
        return runner(self.best, fetches, feeds)

    def spent(self, fetches: Sequence[str], feeds: dict[str, Any]) -> dict[str, float]:
        """Seconds of each node: the least of some runs, after one that warms up."""
        # Nodes that were joined are counted as one of them; loops that are lowered would not be counted at all.
        known = (frozenset(fetches), frozenset(feeds)) in self._ready and not self.has_loops
        session = self.best if known else self.plain
        options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE)
        session.run(fetches, feeds)
        least: dict[str, float] = {}
        for _ in range(RUNS):
            trace = v1.RunMetadata()
            session.run(fetches, feeds, options=options, run_metadata=trace)
            for device in trace.step_stats.dev_stats:
                for stat in device.node_stats:
                    seconds = (stat.op_end_rel_micros - stat.op_start_rel_micros) / 1e6
                    least[stat.node_name] = min(seconds, least.get(stat.node_name, seconds))
        return least


def runner(session: Any, fetches: Sequence[str], feeds: Sequence[str]) -> Callable[..., Any]:
    """A call that costs next to nothing beside what it runs. What `session` has run on these tensors is ready for it,
    as it would not be for one of make_callable."""
    if not hasattr(session, "_call_tf_sessionrun"):
        return lambda *values: session.run(list(fetches), dict(zip(feeds, values)))
    outputs, inputs = ([session.graph.get_tensor_by_name(name)._as_tf_output() for name in names]
                       for names in (fetches, feeds))
    return lambda *values: session._call_tf_sessionrun(None, dict(zip(inputs, values)), outputs, [], None)
