"""Hone inside TensorFlow: models whose parts run on engines, called, saved and loaded as any other.

Importing this registers the ops that converted models need: `HoneEngine`, and TF-TRT's own where TensorFlow has none.
"""
from __future__ import annotations

import os
import tempfile
from typing import Any, Callable, Iterable, Optional, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import wrap_function
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ._auto import disable, enable
from ._library import Asset, engine_op, library_path, objects_below, op_library
from ._places import install
from ._native import Native, as_graph_def, freeze, import_graph
from ._precision import placeholders, seeded
from ._report import Report, make_report
from ._surgery import Surgery
from ._whole import graph_that_wins, is_told, leave_what_loses, ratio
from ._worth import Times, keep_what_wins, with_cache

__all__ = ["convert", "convert_graph_def", "Converted", "Report", "disable", "enable", "engine_op", "install",
           "library_path"]


class Converted(tf.Module):
    """A function whose segments run on engines. Call it, or save it as a SavedModel."""

    def __init__(self, original, surgery):
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="hone-")  # of the engines; goes with the object
        self._surgery, self._original = surgery, original
        self.segments = surgery.segments
        self.native = surgery.native
        graph_def = surgery.result()
        files = surgery.save_files(self._folder.name, graph_def)
        self._files = {name: Asset(path) for name, path in files.items()}
        self._tables = original.holders()
        feeds = [t.name for t in original.inputs] + list(original.tables) + [f"{name}:0" for name in files]
        inner = wrap_function.function_from_graph_def(graph_def, feeds, [t.name for t in original.outputs])
        shapes = [t.shape for t in original.outputs]
        self._structure = original.structured_outputs

        def run(*tensors):
            graph = tf.compat.v1.get_default_graph()  # captures have names here, which viewers show
            paths = [graph.capture(asset.asset_path, name=name) for name, asset in self._files.items()]
            results = tf.nest.flatten(inner(*tensors, *original.tables.values(), *paths))
            # EnsureShape with no rank refuses what has one.
            results = [r if shape.rank is None else tf.ensure_shape(r, shape) for r, shape in zip(results, shapes)]
            return tf.nest.pack_sequence_as(self._structure, results, expand_composites=True)

        names = _input_names(original)
        specs = [tf.TensorSpec(t.shape, t.dtype, name) for t, name in zip(original.inputs, names)]
        self.run = tf.function(run, input_signature=specs, autograph=False)
        self.function = self.run.get_concrete_function()

    def __call__(self, *tensors, **named):
        return self.function(*tensors, **named)

    def report(self, inputs: Optional[Sequence[Any]] = None, data: str = "given inputs") -> Report:
        """Every node with where it runs, why, and its time on `inputs`, or on seeded ones."""
        if inputs is None:
            inputs, data = first_item(None, self._original)
        paths = {f"{name}:0": asset.asset_path.numpy() for name, asset in self._files.items()}
        return make_report(self._surgery, self._surgery.result(), feeds_of(self._original, inputs), paths,
                           [t.name for t in self._original.outputs], data)

    def save(self, folder: Any, signature: str = "serving_default") -> None:
        """Writes a SavedModel, the engines and the native segments'
        weights among its assets. Its one signature is this function."""
        tf.compat.v2.saved_model.save(self, os.fspath(folder), signatures={signature: self.run}, **save_options())


def save_options(given: Any = None) -> dict[str, Any]:
    """Arguments of saved_model.save: `given`, or that nothing is said of gradients. Engines have none, and TensorFlow
    refuses to write those of a frozen function's nodes."""
    if given is not None:
        return {"options": given}
    try:
        return {"options": tf.saved_model.SaveOptions(experimental_custom_gradients=False)}
    except (AttributeError, TypeError):  # TensorFlow before 2.6 does not write them
        return {}


def _input_names(function):
    """The names that callers give the inputs: those of the signature where it has any."""
    _, named = function.structured_input_signature or ((), {})
    by_tensor = [t.op.name for t in function.inputs]
    return sorted(named) if len(named) == len(by_tensor) else by_tensor


def _as_function(model, signature, tags):
    """The ConcreteFunction that a model, a folder or a function stands for."""
    if isinstance(model, (str, os.PathLike)) and os.path.isfile(model):
        model = tf.keras.models.load_model(os.fspath(model), compile=False)
    if isinstance(model, (str, os.PathLike)):
        loaded = tf.compat.v2.saved_model.load(os.fspath(model), tags=list(tags) if tags else None)
        if signature not in loaded.signatures:
            raise ValueError(f"no signature '{signature}'; there are {sorted(loaded.signatures)}")
        function = loaded.signatures[signature]
        function.loaded_from = loaded  # keeps its variables
        return function
    if hasattr(model, "inputs") and hasattr(model, "graph"):
        return model
    if hasattr(model, "get_concrete_function"):
        return model.get_concrete_function()
    if isinstance(model, tf.keras.Model):
        specs = [tf.TensorSpec(t.shape, t.dtype, t.name) for t in model.inputs]
        one = len(specs) == 1
        function = tf.function(lambda *x: model(x[0] if one else list(x), training=False), input_signature=specs,
                               autograph=False).get_concrete_function()
        function.loaded_from = model
        return function
    raise TypeError("a folder of a SavedModel, a Keras file or model, a frozen graph, a ConcreteFunction or a "
                    f"tf.function with an input_signature is wanted, not {type(model).__name__}")


def _graph_function(graph_def, outputs):
    """A function of a frozen graph, from its placeholders to `outputs` or to what nobody in it takes."""
    graph = import_graph(graph_def)
    feeds = [t.name for op in graph.get_operations() if op.type == "Placeholder" for t in op.outputs]
    ends = [t.name for op in graph.get_operations() if op.type not in ("Const", "Placeholder") for t in op.outputs
            if not any(other.consumers() for other in op.outputs)]
    wanted = {name[:-2] if name.endswith(":0") else name: name
              for name in (name if ":" in name else f"{name}:0" for name in outputs or ends)}
    if not wanted:
        raise ValueError("the graph gives nothing: name what is wanted of it in `outputs`")
    return wrap_function.function_from_graph_def(graph_def, feeds, wanted)


def convert(model: Any, *, signature: str = "serving_default", tags: Optional[Sequence[str]] = None,
            outputs: Optional[Sequence[str]] = None, minimum_segment_size: Optional[int] = None,
            denied: Iterable[str] = (), input_fn: Optional[Callable[[], Iterable[Any]]] = None,
            **options: Any) -> Converted:
    """Replaces what engines run faster in a model: a SavedModel's folder, a Keras file (.keras, .h5), a Keras model,
    a ConcreteFunction, a tf.function with one signature, or a frozen graph (a GraphDef or its .pb or .pbtxt file), of
    which `outputs` are wanted or, where none are named, what no node takes.

    Each segment is timed on the first item of `input_fn` or on seeded data, and one whose engine is slower than
    TensorFlow stays native; so does a model that is slower as a whole. `minimum_segment_size` asks for every
    segment of that size, timed or not. `options` are those of hone.build; the times are in its `timing_cache`,
    if there is one. Operators in `denied` stay native."""
    graph = as_graph_def(model)
    if outputs and graph is None:
        raise ValueError("outputs are named of a frozen graph; other models have their own")
    function = _as_function(model, signature, tags) if graph is None else _graph_function(graph, outputs)
    graph_def, left = freeze(function)
    original = _Original(function, left)
    known = Native(graph_def, original.tables)
    inputs, data = first_item(input_fn, original)
    surgery, times = _operate(known, [t.name for t in original.outputs], feeds_of(original, inputs), data,
                              minimum_segment_size, options, denied=denied)
    return converted_that_wins(original, surgery, function, [inputs], times) if times else Converted(original, surgery)


def _operate(known, outputs, feeds, data, minimum_segment_size, options, **how):
    """(the surgery, the times that judged its segments; None: every segment of a size was asked for)."""
    with with_cache(options) as building:
        def operate(native=()):
            made = Surgery(known, outputs, native=native,
                           least_nodes=1 if minimum_segment_size is None else minimum_segment_size, **how)
            made.prepare([feeds], data, **building)
            return made

        surgery = operate()
        if minimum_segment_size is not None:
            return surgery, None
        times = Times(options.get("timing_cache"), frozen=bool(options.get("frozen_cache")))
        return keep_what_wins(surgery, times, operate), times


def converted_that_wins(original: Any, surgery: Any, function: Any, items: Any, times: Any) -> Converted:
    """The converted function; without engines where it is slower than native as a whole."""
    converted = Converted(original, surgery)
    if not surgery.segments or is_told(surgery):
        return converted
    frozen = convert_variables_to_constants_v2(function)
    calls = [lambda *inputs: frozen(*inputs, *original.tables.values()), converted]
    return Converted(original, surgery) if leave_what_loses(surgery, ratio(surgery, calls, items, times)) else converted


def first_item(input_fn, function):
    """(tensors of the first item that `input_fn` gives, or seeded ones; whose data that is)."""
    if not input_fn:
        return [tf.constant(seeded(t.shape, t.dtype)) for t in function.inputs], "seeded inputs"
    return item_tensors(next(iter(input_fn())), function), "input_fn"


def item_tensors(item, function):
    """The inputs of one item: an array, a list or tuple, or a dict by the names that callers use."""
    if isinstance(item, dict):
        values = [item[name] for name in _input_names(function)]
    else:
        values = item if isinstance(item, (list, tuple)) else [item]
    return [tf.convert_to_tensor(value) for value in values]


def feeds_of(frozen, inputs):
    return {t.name: value.numpy() for t, value in zip(frozen.inputs, inputs)}


class _Original:
    """What callers know of a function: the names and the structure. `tables`: by placeholder, the resources that it
    takes beside its inputs and that are no variables."""

    def __init__(self, function, left):
        taken = {inside.name: outside for inside, outside in zip(function.graph.internal_captures,
                                                                 function.captured_inputs)}
        self.inputs = [t for t in left if t.name not in taken]
        self.tables = {t.name: taken[t.name] for t in left if t.name in taken}
        self._root = getattr(function, "loaded_from", None)
        self.outputs = list(function.outputs)
        self.structured_outputs = function.structured_outputs
        self.structured_input_signature = function.structured_input_signature

    def holders(self):
        """The objects that have the tables, so that what holds these is saved with them."""
        if not self.tables or self._root is None:
            return []
        return [each for each in objects_below(self._root)
                if any(getattr(each, "resource_handle", None) is table for table in self.tables.values())]


def convert_graph_def(graph_def: Any, outputs: Sequence[str], *, minimum_segment_size: Optional[int] = None,
                      denied: Iterable[str] = (), prefix: str = "HoneEngine",
                      feeds: Optional[dict[str, Any]] = None, **options: Any) -> Any:
    """A frozen GraphDef with engines in place of its segments, their bytes inside. `outputs` keep their names. What is
    worth an engine is judged as in `convert`, on `feeds` (arrays by placeholder) or on seeded ones."""
    copy = tf.compat.v1.GraphDef()
    copy.CopyFrom(graph_def)
    given = {name if ":" in name else f"{name}:0": np.asarray(value) for name, value in (feeds or {}).items()}
    known, feeds = Native(copy), {**placeholders(copy), **given}
    surgery, times = _operate(known, outputs, feeds, "given inputs" if given else "seeded inputs",
                              minimum_segment_size, options, denied=denied, prefix=prefix)
    return graph_that_wins(surgery, outputs, [feeds], times) if times else surgery.result(embed=True)
