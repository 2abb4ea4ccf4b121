"""The converters of TF-TRT, on Hone: `from hone.tensorflow import trt_convert as trt`.

Classes, arguments, defaults and errors are those that scripts for TF-TRT use, of every 2.x release and of
1.15. What only a GPU engine had (workspace, profiles, cached engines) is taken and has nothing to do here:
an engine runs every shape.
"""
from __future__ import annotations

import os
import sys
import tempfile
from typing import Any, Callable, Optional

import tensorflow as tf

from . import (Converted, _environment, _Original, _as_function, converted_that_wins, engine_op, feeds_of, first_item,
               item_tensors, save_options)
from ._params import (DEFAULT_MINIMUM_SEGMENT_SIZE, DEFAULT_TRT_CONVERSION_PARAMS,
                      DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES, DefaultSize,
                      PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE, PROFILE_STRATEGY_OPTIMAL,
                      PROFILE_STRATEGY_RANGE, PROFILE_STRATEGY_RANGE_OPTIMAL, TrtConversionParams, TrtPrecisionMode,
                      check_calibration, check_params, get_tensorrt_rewriter_config, is_params, own_params,
                      supported_profile_strategies)
from ._native import Native, freeze
from ._precision import placeholders
from ._report import graph_picture, print_native, print_summary
from ._surgery import Surgery
from ._whole import graph_that_wins
from ._worth import Times, keep_what_wins, with_cache

__all__ = ["DEFAULT_TRT_CONVERSION_PARAMS", "DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES",
           "PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE", "PROFILE_STRATEGY_OPTIMAL", "PROFILE_STRATEGY_RANGE",
           "PROFILE_STRATEGY_RANGE_OPTIMAL", "TrtConversionParams", "TrtGraphConverter", "TrtGraphConverterV2",
           "TrtPrecisionMode", "calib_graph_to_infer_graph", "create_inference_graph", "get_tensorrt_rewriter_config",
           "supported_profile_strategies"]

QUANTISED = {"QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4",
             "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVarsPerChannel"}


def _precision(params, graph_def):
    """The precision as hone.build has it: FP16 is bf16 products with fp32 sums; INT8 is what the model's own
    quantisation makes of it."""
    mode = params.precision_mode.upper()
    if mode == TrtPrecisionMode.INT8 and not any(node.op in QUANTISED for node in graph_def.node):
        raise ValueError("INT8 without calibration takes its ranges from the model, and this one has none: put "
                         "QuantizeAndDequantizeV3 or FakeQuantWithMinMaxVars around what is to be quantised, or "
                         "convert to FP16")
    return "bf16" if mode == TrtPrecisionMode.FP16 else "fp32"


def _engine_attrs(params, strategy):
    """The attributes of TF-TRT's op that say how it was converted. A static engine is one that was there when the
    conversion ended: all are, so this is what was asked for."""
    made = tf.compat.v1.AttrValue
    return {"serialized_segment": made(s=b"" if params.is_dynamic_op else b"in the last input"),
            "precision_mode": made(s=params.precision_mode.upper().encode()),
            "max_cached_engines_count": made(i=params.maximum_cached_engines),
            "workspace_size_bytes": made(i=params.max_workspace_size_bytes),
            "max_batch_size": made(i=params.max_batch_size or 0), "calibration_data": made(s=b""),
            "use_calibration": made(b=params.use_calibration),
            "static_engine": made(b=not params.is_dynamic_op), "profile_strategy": made(s=strategy.encode()),
            "_use_implicit_batch": made(b=False), "_allow_build_at_runtime": made(b=params.allow_build_at_runtime)}


def _measures(params):
    """Whether a segment has to be faster than its nodes: not where a size asks for every segment of it, nor where
    TF-TRT's own choice is asked for."""
    return isinstance(params.minimum_segment_size, DefaultSize) and not _environment.is_compatible() \
        and not _environment.keeps_all()


def _operate(known, outputs, params, items, data, options, times, strategy=""):
    """The surgery that the parameters ask for, its engines built, judged and timed on the items: feeds that `data` says
    the origin of."""
    denied = _environment.denied()
    if _environment.is_compatible():
        denied += sorted({node.op for node in known.graph_def.node} - _environment.TF_TRT_OPERATORS)
    least = sys.maxsize if params.minimum_segment_size == -1 else params.minimum_segment_size

    def operate(native=()):
        made = Surgery(known, outputs, most_engines=_environment.most_engines(), denied=denied, native=native,
                       prefix="TRTEngineOp", engine_op=engine_op(), engine_attrs=_engine_attrs(params, strategy),
                       like_tf_trt=_environment.is_compatible(), least_nodes=least)
        made.prepare(items, data, **options)
        return made

    surgery = operate()
    return keep_what_wins(surgery, times, operate) if _measures(params) else surgery


def _tell(surgery):
    """What the environment asks to be told of a conversion."""
    print_native(surgery, _environment.variable("SHOW_DETAILED_REPORT"))
    graph_picture(surgery, _environment.variable("EXPORT_GRAPH_VIZ_PATH"))


def _sizes(inputs):
    return tuple(tuple(t.shape.as_list()) for t in inputs)


class TrtGraphConverterV2:
    """Converts a SavedModel of the second TensorFlow: convert, perhaps build, save."""

    def __init__(self, input_saved_model_dir: Any = None, input_saved_model_tags: Any = None,
                 input_saved_model_signature_key: Optional[str] = None, use_dynamic_shape: Optional[bool] = None,
                 dynamic_shape_profile_strategy: Optional[str] = None,
                 max_workspace_size_bytes: int = DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
                 precision_mode: str = TrtPrecisionMode.FP32, minimum_segment_size: int = DEFAULT_MINIMUM_SEGMENT_SIZE,
                 maximum_cached_engines: int = 1, use_calibration: bool = True, allow_build_at_runtime: bool = True,
                 conversion_params: Optional[TrtConversionParams] = None, **earlier: Any):
        """`earlier`: what TrtConversionParams had up to 2.4, so that `**params._asdict()` can be passed on."""
        # Up to 2.4 the parameters were the fourth argument, in 2.5 the sixth.
        if is_params(use_dynamic_shape):
            use_dynamic_shape, conversion_params = None, use_dynamic_shape
        if is_params(max_workspace_size_bytes):
            conversion_params, max_workspace_size_bytes = max_workspace_size_bytes, DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES
        own = TrtConversionParams(max_workspace_size_bytes=max_workspace_size_bytes, precision_mode=precision_mode,
                                  minimum_segment_size=minimum_segment_size,
                                  maximum_cached_engines=maximum_cached_engines, use_calibration=use_calibration,
                                  allow_build_at_runtime=allow_build_at_runtime, **earlier)
        self._params = own if conversion_params is None else own_params(conversion_params)
        if conversion_params is not None and own != DEFAULT_TRT_CONVERSION_PARAMS:
            tf.get_logger().warning("conversion_params is given: it stands in place of the other arguments, and the "
                                    "minimum segment size is %d", self._params.minimum_segment_size)
        strategy = dynamic_shape_profile_strategy
        if strategy is not None and strategy.lower() not in (s.lower() for s in supported_profile_strategies()):
            raise ValueError(f"profile_strategy '{strategy}' is not supported; it should be one of "
                             f"{supported_profile_strategies()}")
        check_params(self._params)
        check_calibration(self._params)
        self._strategy = (strategy or PROFILE_STRATEGY_RANGE) if use_dynamic_shape else ""
        self._folder = input_saved_model_dir
        self._tags = input_saved_model_tags or ["serve"]
        self._signature = input_saved_model_signature_key or "serving_default"
        self._surgery: Optional[Surgery] = None
        self._converted: Optional[Converted] = None
        self._built = False

    def convert(self, calibration_input_fn: Optional[Callable[[], Any]] = None) -> Any:
        """The converted ConcreteFunction."""
        assert self._converted is None, "convert() may be called once"
        if calibration_input_fn is not None:
            raise ValueError("calibration_input_fn is for INT8 with use_calibration alone")
        function = _as_function(self._folder, self._signature, self._tags)
        graph_def, left = freeze(function)
        self._function, self._original = function, _Original(function, left)
        self._known = Native(graph_def, self._original.tables)
        self._work = tempfile.TemporaryDirectory(prefix="hone-")
        self._times = Times(None)
        self._options = {"precision": _precision(self._params, self._known.graph_def),
                         "timing_cache": os.path.join(self._work.name, "times.txt")}
        inputs, data = first_item(None, self._original)
        self._seen = {_sizes(inputs)}
        self._convert_for([inputs], data)
        return self._converted.function

    def _convert_for(self, items, data):
        self._surgery = _operate(self._known, [t.name for t in self._original.outputs], self._params,
                                 [feeds_of(self._original, inputs) for inputs in items], data, self._options,
                                 self._times, self._strategy)
        self._converted = converted_that_wins(
            self._original, self._surgery, self._function, items, self._times) \
            if _measures(self._params) else Converted(self._original, self._surgery)
        _tell(self._surgery)

    def _build_for(self, items):
        """Judges and times anew on these items, one of each size."""
        if _measures(self._params) and {_sizes(inputs) for inputs in items} != self._seen:
            self._convert_for(items, "input_fn")
        elif self._surgery.prepare_again([feeds_of(self._original, inputs) for inputs in items], "input_fn",
                                         **self._options):
            self._converted = Converted(self._original, self._surgery)

    def build(self, input_fn: Optional[Callable[[], Any]] = None) -> None:
        """Measures kernels, and what is worth an engine, on the items of `input_fn`, one of each size, and runs each of
        them. Other sizes run all the same. What convert() gave goes on as it is: save() writes what was built."""
        if self._built:
            raise NotImplementedError("build() is already called. It is not supported to call build() more than once.")
        if not input_fn:
            raise RuntimeError("input_fn is None. Method build() needs input_fn to be specified in order to build the "
                               "TensorRT engines")
        if self._converted is None:
            raise RuntimeError("convert() must be called before build()")
        items: dict[Any, Any] = {}
        for item in input_fn():
            try:
                inputs = item_tensors(item, self._original)
            except (KeyError, TypeError, ValueError) as error:
                raise RuntimeError(f"input_fn gives what is no input of the model: {error!r}") from error
            items.setdefault(_sizes(inputs), inputs)
        if items:
            self._build_for(list(items.values()))
        for inputs in items.values():
            self._converted.run(*inputs)
        self._built = True

    def save(self, output_saved_model_dir: Any, save_gpu_specific_engines: bool = True, options: Any = None) -> None:
        """Writes the SavedModel, the engines among its assets. They hold what another machine packs anew, so that
        `save_gpu_specific_engines` has nothing to leave out."""
        if self._converted is None:
            raise RuntimeError("convert() must be called before save()")
        tf.compat.v2.saved_model.save(self._converted, os.fspath(output_saved_model_dir),
                                      signatures={self._signature: self._converted.run}, **save_options(options))

    def summary(self, line_length: int = 160, detailed: bool = True, print_fn: Optional[Callable[[str], Any]] = None):
        """Prints one row a segment, with `detailed` the operators in it."""
        if self._surgery is None:
            raise RuntimeError("Impossible to call `summary()` before calling `convert()`.")
        if line_length < 160:
            raise ValueError(f"Invalid `line_length` value has been received: {line_length}. Minimum: 160.")
        print_summary(self._surgery, line_length, detailed, print_fn or print)

    def report(self, input_fn: Optional[Callable[[], Any]] = None) -> Any:
        """Every node with where it runs, why, and its time on the first item of `input_fn` or on seeded inputs."""
        if self._converted is None:
            raise RuntimeError("convert() must be called before report()")
        return self._converted.report(*first_item(input_fn, self._original))


class TrtGraphConverter:
    """Converts a frozen GraphDef of the first TensorFlow, or a SavedModel in graph mode."""

    def __init__(self, input_saved_model_dir: Any = None, input_saved_model_tags: Any = None,
                 input_saved_model_signature_key: Optional[str] = None, input_graph_def: Any = None,
                 nodes_denylist: Any = None, max_batch_size: Optional[int] = 1,
                 max_workspace_size_bytes: int = DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
                 precision_mode: str = TrtPrecisionMode.FP32, minimum_segment_size: int = DEFAULT_MINIMUM_SEGMENT_SIZE,
                 is_dynamic_op: bool = False, maximum_cached_engines: int = 1, use_calibration: bool = True,
                 nodes_blacklist: Any = None, session_config: Any = None):
        if tf.executing_eagerly():
            raise RuntimeError("TrtGraphConverter is for graph mode: with TensorFlow 2 use TrtGraphConverterV2 "
                               "(tf.experimental.tensorrt.Converter)")
        if bool(input_saved_model_dir) == (input_graph_def is not None):
            raise ValueError("Must specify one of input_graph_def and input_saved_model_dir")
        if not is_dynamic_op and not isinstance(max_batch_size, int):
            raise ValueError("max_batch_size has to be an integer for is_dynamic_op==False")
        self._params = TrtConversionParams(
            max_workspace_size_bytes=max_workspace_size_bytes, precision_mode=precision_mode,
            minimum_segment_size=minimum_segment_size, is_dynamic_op=is_dynamic_op, max_batch_size=max_batch_size,
            maximum_cached_engines=maximum_cached_engines, use_calibration=use_calibration)
        check_params(self._params)
        check_calibration(self._params)
        self._graph_def = input_graph_def
        self._folder, self._tags = input_saved_model_dir, input_saved_model_tags or ["serve"]
        self._signature = input_saved_model_signature_key or "serving_default"
        listed = nodes_denylist if nodes_denylist is not None else nodes_blacklist
        self._kept = [n.name if hasattr(n, "name") else n for n in listed or []]
        self._meta = None
        self._converted: Any = None

    def convert(self) -> Any:
        """The converted GraphDef."""
        assert self._converted is None, "convert() may be called once"
        outputs = list(self._kept)
        if self._folder:
            self._graph_def, names = self._freeze()
            outputs += names
        graph_def = tf.compat.v1.GraphDef()
        graph_def.CopyFrom(self._graph_def)
        known = Native(graph_def)
        times, items = Times(None), [placeholders(known.graph_def)]
        with with_cache({"precision": _precision(self._params, known.graph_def)}) as options:
            self._surgery = _operate(known, outputs, self._params, items, "seeded inputs", options, times)
        self._converted = graph_that_wins(self._surgery, outputs, items, times) if _measures(self._params) \
            else self._surgery.result(embed=True)
        _tell(self._surgery)
        return self._converted

    def calibrate(self, fetch_names: Any, num_runs: int, feed_dict_fn: Optional[Callable[[], Any]] = None,
                  input_map_fn: Optional[Callable[[], Any]] = None) -> Any:
        """Refuses, with the reason: nothing here is converted in a way that data could calibrate."""
        if bool(feed_dict_fn) == bool(input_map_fn):
            raise ValueError("Should specify one and only one of feed_dict_fn and input_map_fn.")
        for key, value in (input_map_fn() if input_map_fn else {}).items():
            if not isinstance(key, str):
                raise ValueError("Keys of input_map_fn must be of type str")
            if not isinstance(value, tf.Tensor):
                raise ValueError("Values of input_map_fn must be of type tf.Tensor")
        raise RuntimeError("the graph was not converted for calibration: INT8 takes its ranges from the model")

    def _freeze(self):
        """(the frozen GraphDef of the signature, the names of its outputs)."""
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            meta = tf.compat.v1.saved_model.load(session, self._tags, os.fspath(self._folder))
            self._meta = meta.signature_def[self._signature]
            names = [info.name for info in self._meta.outputs.values()]
            return tf.compat.v1.graph_util.convert_variables_to_constants(
                session, session.graph_def, [name.split(":")[0] for name in names]), names

    def save(self, output_saved_model_dir: Any) -> None:
        """Writes a SavedModel with the signature that was converted."""
        if self._meta is None:
            raise ValueError("Not able to save to a SavedModel since input is a GraphDef")
        builder = tf.compat.v1.saved_model.Builder(os.fspath(output_saved_model_dir))
        with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
            tf.import_graph_def(self._converted, name="")
            builder.add_meta_graph_and_variables(session, self._tags, signature_def_map={self._signature: self._meta})
            assert graph is session.graph
        builder.save()


def create_inference_graph(input_graph_def: Any, outputs: Any, max_batch_size: Optional[int] = 1,
                           max_workspace_size_bytes: int = DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
                           precision_mode: str = TrtPrecisionMode.FP32,
                           minimum_segment_size: int = DEFAULT_MINIMUM_SEGMENT_SIZE,
                           is_dynamic_op: bool = False, maximum_cached_engines: int = 1,
                           cached_engine_batches: Any = None, use_calibration: bool = False,
                           input_saved_model_dir: Any = None, input_saved_model_tags: Any = None,
                           input_saved_model_signature_key: Optional[str] = None,
                           output_saved_model_dir: Any = None, session_config: Any = None,
                           rewriter_config: Any = None) -> Any:
    """The GraphDef with engines in it, in one call."""
    with tf.Graph().as_default():  # graph mode, wherever it is called
        converter = TrtGraphConverter(
            input_saved_model_dir=input_saved_model_dir, input_saved_model_tags=input_saved_model_tags,
            input_saved_model_signature_key=input_saved_model_signature_key, input_graph_def=input_graph_def,
            nodes_denylist=outputs, max_batch_size=max_batch_size, max_workspace_size_bytes=max_workspace_size_bytes,
            precision_mode=precision_mode, minimum_segment_size=minimum_segment_size, is_dynamic_op=is_dynamic_op,
            maximum_cached_engines=maximum_cached_engines, use_calibration=use_calibration)
        converted = converter.convert()
        if output_saved_model_dir:
            converter.save(output_saved_model_dir)
    return converted


def calib_graph_to_infer_graph(calibration_graph_def: Any, is_dynamic_op: bool = False) -> Any:
    """Refuses, with the reason: a graph that TF-TRT would calibrate cannot be, and another has nothing to."""
    for node in calibration_graph_def.node:
        if node.op == "TRTEngineOp" and node.attr["precision_mode"].s in (b"INT8", b"INT8CALIB") \
                and not node.attr["calibration_data"].s:
            raise RuntimeError(f"{node.name} cannot be calibrated: calibration on data is not done here. Convert with "
                               "explicit quantisation and use_calibration=False, or to FP16")
    raise ValueError("Not a calib graph. Doesn't seem to contain any calibration nodes.")
