"""The converters of TF-TRT, on Hone: `from hone.tensorflow import trt_convert as trt`.

Classes, arguments, defaults and errors are those that scripts for TF-TRT use, of every 2.x release and of
1.15. What only a GPU engine had (workspace, profiles, cached engines) is taken and has nothing to do here:
an engine runs every shape.
"""
from __future__ import annotations

import collections
import os
import sys
from typing import Any, Callable, Optional

import tensorflow as tf

from . import Converted, _Original, _as_function, engine_op
from ._surgery import Surgery
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES = sys.maxsize - 512


class TrtPrecisionMode:
    FP32 = "FP32"
    FP16 = "FP16"
    INT8 = "INT8"

    @staticmethod
    def supported_precision_modes():
        modes = [TrtPrecisionMode.FP32, TrtPrecisionMode.FP16, TrtPrecisionMode.INT8]
        return modes + [mode.lower() for mode in modes]


PROFILE_STRATEGIES = ("Range", "Optimal", "Range+Optimal", "ImplicitBatchModeCompatible")


def supported_profile_strategies():
    return list(PROFILE_STRATEGIES)


TrtConversionParams = collections.namedtuple(
    "TrtConversionParams",
    ["rewriter_config_template", "max_workspace_size_bytes", "precision_mode", "minimum_segment_size",
     "is_dynamic_op", "maximum_cached_engines", "use_calibration", "max_batch_size", "allow_build_at_runtime"],
    defaults=[None, DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES, TrtPrecisionMode.FP32, 3, True, 1, True, 1, True])
DEFAULT_TRT_CONVERSION_PARAMS = TrtConversionParams()


def _check_params(params):
    """Errors as TF-TRT raises them; the precision as hone.build has it."""
    mode = params.precision_mode
    if mode not in TrtPrecisionMode.supported_precision_modes():
        raise ValueError(f"precision mode '{mode}' is not supported; it should be one of "
                         f"{TrtPrecisionMode.supported_precision_modes()}")
    if params.minimum_segment_size == 0 or params.minimum_segment_size < -1:
        raise ValueError(f"minimum segment size should be positive or -1 (to disable main graph conversion), "
                         f"but it is {params.minimum_segment_size}")
    if mode.upper() == TrtPrecisionMode.INT8 and params.use_calibration:
        raise ValueError("INT8 needs a model with explicit quantisation (QuantizeAndDequantize, FakeQuant) and "
                         "use_calibration=False: calibration on data is not done here")
    return "bf16" if mode.upper() == TrtPrecisionMode.FP16 else "fp32"


def _table(surgery):
    """The rows of summary(): one a segment."""
    def shown(values):
        return str([str(v) for v in values]).replace("'", "")

    for segment in surgery.segments:
        ops = collections.Counter(surgery.nodes[name].op for name in segment.nodes)
        yield [segment.name, "CPU:0", str(len(segment.nodes)), str(len(segment.inputs)), str(len(segment.outputs)),
               shown(surgery.type_of(e).name for e in segment.inputs),
               shown(surgery.type_of(e).name for e in segment.outputs),
               shown(surgery.shape_of(e) for e in segment.inputs),
               shown(surgery.shape_of(e) for e in segment.outputs)], ops


COLUMNS = {"TRTEngineOP Name": .20, "Device": .09, "# Nodes": .05, "# Inputs": .09, "# Outputs": .09,
           "Input DTypes": .12, "Output Dtypes": .12, "Input Shapes": .12, "Output Shapes": .12}


def _print_summary(surgery, line_length, detailed, print_fn):
    widths = [int(share * line_length) for share in COLUMNS.values()]

    def line(cells):
        cut = [c if len(c) < w else c[:w - 5] + " ..." for c, w in zip(cells, widths)]
        print_fn("".join(c.ljust(w) for c, w in zip(cut, widths)).rstrip())

    line(COLUMNS)
    print_fn("=" * line_length)
    inside = 0
    for cells, ops in _table(surgery):
        inside += sum(ops.values())
        line(cells)
        if detailed:
            print_fn("")
            for op, count in sorted(ops.items()):
                print_fn(f"\t- {op}: {count}x")
        print_fn("-" * 40)
    whole = sum(node.op not in ("Const", "Placeholder", "NoOp") for node in surgery.graph_def.node)
    print_fn(f"[*] Total number of TensorRT engines: {len(surgery.segments)}")
    print_fn(f"[*] % of OPs Converted: {100 * inside / max(1, whole):.2f}% [{inside}/{whole}]")


def _denied():
    listed = os.environ.get("HONE_OP_DENYLIST", os.environ.get("TF_TRT_OP_DENYLIST", ""))
    return [op.strip() for op in listed.split(",") if op.strip()]


def _most_engines():
    return int(os.environ.get("HONE_MAX_ALLOWED_ENGINES", os.environ.get("TF_TRT_MAX_ALLOWED_ENGINES", "20")))


def _engine_attrs(params):
    """The attributes of TF-TRT's op that say how it was converted."""
    made = tf.compat.v1.AttrValue
    return {"serialized_segment": made(s=b""), "precision_mode": made(s=params.precision_mode.upper().encode()),
            "max_cached_engines_count": made(i=params.maximum_cached_engines),
            "workspace_size_bytes": made(i=params.max_workspace_size_bytes),
            "max_batch_size": made(i=params.max_batch_size or 0), "calibration_data": made(s=b""),
            "use_calibration": made(b=params.use_calibration), "static_engine": made(b=True),
            "profile_strategy": made(s=b""), "_use_implicit_batch": made(b=False),
            "_allow_build_at_runtime": made(b=params.allow_build_at_runtime)}


def _operate(graph, outputs, params, precision, denied=()):
    """The surgery that the parameters ask for, its engines built."""
    surgery = Surgery(graph, outputs, most_engines=_most_engines(), denied=[*_denied(), *denied],
                      prefix="TRTEngineOp", engine_op=engine_op(), engine_attrs=_engine_attrs(params),
                      least_nodes=sys.maxsize if params.minimum_segment_size == -1 else params.minimum_segment_size)
    for segment in surgery.segments:
        surgery.build(segment, precision=precision)
    _report(surgery)
    return surgery


def _report(surgery):
    """What stayed native and why, where the environment asks for it."""
    wanted = os.environ.get("HONE_SHOW_DETAILED_REPORT", os.environ.get("TF_TRT_SHOW_DETAILED_REPORT", ""))
    if not wanted:
        return
    reasons = collections.Counter((row["op"], row["reason"]) for row in surgery.native
                                  if row["op"] not in ("Placeholder", "NoOp"))
    if wanted.isdigit():
        print("#" * 80 + "\nunsupported/non-converted OP Report:", file=sys.stderr)
        for (op, reason), count in reasons.most_common():
            print(f"\t- {op} -> {count}x\n\t\t- [Count: {count}x] {reason}", file=sys.stderr)
        return
    with open(wanted, "w", encoding="utf-8") as file:
        file.write("OP Name|Reason|Count\n")
        file.writelines(f"{op}|{reason}|{count}\n" for (op, reason), count in reasons.most_common())


class TrtGraphConverterV2:
    """Converts a SavedModel of the second TensorFlow: convert, perhaps build, save."""

    def __init__(self, input_saved_model_dir: Any = None, input_saved_model_tags: Any = None,
                 input_saved_model_signature_key: Optional[str] = None, use_dynamic_shape: Optional[bool] = None,
                 dynamic_shape_profile_strategy: Optional[str] = None,
                 max_workspace_size_bytes: int = DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
                 precision_mode: str = TrtPrecisionMode.FP32, minimum_segment_size: int = 3,
                 maximum_cached_engines: int = 1, use_calibration: bool = True, allow_build_at_runtime: bool = True,
                 conversion_params: Optional[TrtConversionParams] = None):
        own = TrtConversionParams(max_workspace_size_bytes=max_workspace_size_bytes, precision_mode=precision_mode,
                                  minimum_segment_size=minimum_segment_size,
                                  maximum_cached_engines=maximum_cached_engines, use_calibration=use_calibration,
                                  allow_build_at_runtime=allow_build_at_runtime)
        self._params = conversion_params if conversion_params is not None else own
        strategy = dynamic_shape_profile_strategy
        if strategy is not None and strategy.lower() not in (s.lower() for s in PROFILE_STRATEGIES):
            raise ValueError(f"profile_strategy '{strategy}' is not supported; it should be one of "
                             f"{supported_profile_strategies()}")
        self._precision = _check_params(self._params)
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
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
        self._surgery = _operate(frozen.graph, [t.name for t in frozen.outputs], self._params, self._precision)
        self._converted = Converted(_Original(frozen, function), self._surgery)
        return self._converted.function

    def build(self, input_fn: Optional[Callable[[], Any]] = None) -> None:
        """Runs every item of `input_fn`: new shapes are planned, nothing has to be built for them."""
        if self._built:
            raise NotImplementedError("build() is already called. It is not supported to call build() more than once.")
        if not input_fn:
            raise RuntimeError("input_fn is None. Method build() needs input_fn to be specified in order to build the "
                               "TensorRT engines")
        if self._converted is None:
            raise RuntimeError("convert() must be called before build()")
        for item in input_fn():
            if isinstance(item, dict):
                self._converted.run(**{name: tf.convert_to_tensor(value) for name, value in item.items()})
            else:
                values = item if isinstance(item, (list, tuple)) else [item]
                self._converted.run(*map(tf.convert_to_tensor, values))
        self._built = True

    def save(self, output_saved_model_dir: Any, save_gpu_specific_engines: bool = True, options: Any = None) -> None:
        """Writes the SavedModel, the engines among its assets."""
        if self._converted is None:
            raise RuntimeError("convert() must be called before save()")
        tf.saved_model.save(self._converted, os.fspath(output_saved_model_dir),
                            signatures={self._signature: self._converted.run}, options=options)

    def summary(self, line_length: int = 160, detailed: bool = True, print_fn: Optional[Callable[[str], Any]] = None):
        """Prints one row a segment, with `detailed` the operators in it."""
        if self._surgery is None:
            raise RuntimeError("Impossible to call `summary()` before calling `convert()`.")
        if line_length < 160:
            raise ValueError(f"Invalid `line_length` value has been received: {line_length}. Minimum: 160.")
        _print_summary(self._surgery, line_length, detailed, print_fn or print)


class TrtGraphConverter:
    """Converts a frozen GraphDef of the first TensorFlow, or a SavedModel in graph mode."""

    def __init__(self, input_saved_model_dir: Any = None, input_saved_model_tags: Any = None,
                 input_saved_model_signature_key: Optional[str] = None, input_graph_def: Any = None,
                 nodes_denylist: Any = None, max_batch_size: Optional[int] = 1,
                 max_workspace_size_bytes: int = DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
                 precision_mode: str = TrtPrecisionMode.FP32, minimum_segment_size: int = 3,
                 is_dynamic_op: bool = False, maximum_cached_engines: int = 1, use_calibration: bool = True,
                 nodes_blacklist: Any = None, session_config: Any = None):
        if bool(input_saved_model_dir) == (input_graph_def is not None):
            raise ValueError("Must specify one of input_graph_def and input_saved_model_dir")
        if not is_dynamic_op and not isinstance(max_batch_size, int):
            raise ValueError("max_batch_size has to be an integer for is_dynamic_op==False")
        self._params = TrtConversionParams(
            max_workspace_size_bytes=max_workspace_size_bytes, precision_mode=precision_mode,
            minimum_segment_size=minimum_segment_size, is_dynamic_op=is_dynamic_op, max_batch_size=max_batch_size,
            maximum_cached_engines=maximum_cached_engines, use_calibration=use_calibration)
        self._precision = _check_params(self._params)
        self._graph_def = input_graph_def
        self._folder, self._tags = input_saved_model_dir, input_saved_model_tags or ["serve"]
        self._signature = input_saved_model_signature_key or "serving_default"
        listed = nodes_denylist if nodes_denylist is not None else nodes_blacklist
        self._kept = [n.name if hasattr(n, "name") else n for n in listed or []]
        self._meta = None

    def convert(self) -> Any:
        """The converted GraphDef."""
        outputs = list(self._kept)
        if self._folder:
            self._graph_def, names = self._freeze()
            outputs += names
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(self._graph_def, name="")
        surgery = _operate(graph, outputs, self._params, self._precision)
        self._converted = surgery.result(embed=True)
        return self._converted

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
                           precision_mode: str = TrtPrecisionMode.FP32, minimum_segment_size: int = 3,
                           is_dynamic_op: bool = False, maximum_cached_engines: int = 1,
                           cached_engine_batches: Any = None, use_calibration: bool = False,
                           input_saved_model_dir: Any = None, input_saved_model_tags: Any = None,
                           input_saved_model_signature_key: Optional[str] = None,
                           output_saved_model_dir: Any = None, session_config: Any = None,
                           rewriter_config: Any = None) -> Any:
    """The GraphDef with engines in it, in one call."""
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
