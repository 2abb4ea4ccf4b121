"""What TF-TRT's converters are told: modes, parameters, their checks, and the rewriter's configuration."""
from __future__ import annotations

import collections
import sys
from typing import Any, Optional

import tensorflow as tf
from tensorflow.core.protobuf import rewriter_config_pb2

DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES = sys.maxsize - 512


class TrtPrecisionMode:
    FP32 = "FP32"
    FP16 = "FP16"
    INT8 = "INT8"

    @staticmethod
    def supported_precision_modes():
        modes = [TrtPrecisionMode.FP32, TrtPrecisionMode.FP16, TrtPrecisionMode.INT8]
        return modes + [mode.lower() for mode in modes]


PROFILE_STRATEGY_RANGE = "Range"
PROFILE_STRATEGY_OPTIMAL = "Optimal"
PROFILE_STRATEGY_RANGE_OPTIMAL = "Range+Optimal"
PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE = "ImplicitBatchModeCompatible"
PROFILE_STRATEGIES = (PROFILE_STRATEGY_RANGE, PROFILE_STRATEGY_OPTIMAL, PROFILE_STRATEGY_RANGE_OPTIMAL,
                      PROFILE_STRATEGY_IMPLICIT_BATCH_MODE_COMPATIBLE)


def supported_profile_strategies():
    return list(PROFILE_STRATEGIES)


class DefaultSize(int):
    """The minimum segment size of who gives none: told from the same number given."""


DEFAULT_MINIMUM_SEGMENT_SIZE = DefaultSize(3)
_FIELDS = {"rewriter_config_template": None, "max_workspace_size_bytes": DEFAULT_TRT_MAX_WORKSPACE_SIZE_BYTES,
           "precision_mode": TrtPrecisionMode.FP32, "minimum_segment_size": DEFAULT_MINIMUM_SEGMENT_SIZE,
           "is_dynamic_op": True, "maximum_cached_engines": 1, "use_calibration": True, "max_batch_size": 1,
           "allow_build_at_runtime": True}
_LATER = [name for name in _FIELDS if name not in ("rewriter_config_template", "is_dynamic_op", "max_batch_size")]


class TrtConversionParams(collections.namedtuple("TrtConversionParams", _FIELDS, defaults=_FIELDS.values())):
    """The fields of every release. By position they are those of releases up to 2.4, which begin with a template, or
    those of later ones, which begin with the workspace."""
    __slots__ = ()

    def __new__(cls, *positional: Any, **named: Any):
        if positional and isinstance(positional[0], int):
            if len(positional) > len(_LATER):
                raise TypeError(f"TrtConversionParams takes at most {len(_LATER)} values: {', '.join(_LATER)}")
            named = {**dict(zip(_LATER, positional)), **named}
            positional = ()
        return super().__new__(cls, *positional, **named)


DEFAULT_TRT_CONVERSION_PARAMS = TrtConversionParams()


def own_params(given: Any) -> TrtConversionParams:
    """Ours of whatever namedtuple the caller has, TensorFlow's own included; there the default size is a plain 3."""
    if isinstance(given, TrtConversionParams):
        return given
    fields = {name: value for name, value in given._asdict().items() if name in _FIELDS}
    if fields.get("minimum_segment_size") == DEFAULT_MINIMUM_SEGMENT_SIZE:
        del fields["minimum_segment_size"]
    return TrtConversionParams(**fields)


def is_params(value: Any) -> bool:
    return hasattr(value, "_asdict") and hasattr(value, "precision_mode")


def check_params(params: Any) -> None:
    """Errors as TF-TRT raises them."""
    mode = params.precision_mode
    if mode not in TrtPrecisionMode.supported_precision_modes():
        raise ValueError(f"precision mode '{mode}' is not supported; it should be one of "
                         f"{TrtPrecisionMode.supported_precision_modes()}")
    if params.minimum_segment_size == 0 or params.minimum_segment_size < -1:
        raise ValueError(f"minimum segment size should be positive or -1 (to disable main graph conversion), "
                         f"but it is {params.minimum_segment_size}")


def check_calibration(params: Any) -> None:
    """INT8 takes its ranges from the model; without a GPU's calibrator there is nothing else to take them from."""
    if params.precision_mode.upper() == TrtPrecisionMode.INT8 and params.use_calibration:
        raise ValueError("INT8 needs a model with explicit quantisation (QuantizeAndDequantize, FakeQuant) and "
                         "use_calibration=False: calibration on data is not done here")


def get_tensorrt_rewriter_config(conversion_params: Any, is_dynamic_op: Optional[bool] = None,
                                 max_batch_size: Optional[int] = None, is_v2: bool = False,
                                 disable_non_trt_optimizers: bool = False) -> Any:
    """The configuration that asks Grappler for TF-TRT's pass, for scripts that read or change it. A TensorFlow without
    that pass ignores it."""
    check_params(conversion_params)
    if is_v2 and is_dynamic_op is not None and not is_dynamic_op:
        raise ValueError("is_dynamic_op is either None or True for TF2")
    if not is_v2 and is_dynamic_op is None:
        raise ValueError("is_dynamic_op can't be None for TF1")
    is_dynamic = is_dynamic_op is None or is_dynamic_op
    if is_dynamic and max_batch_size is not None:
        raise ValueError("max_batch_size has to be None for TF2 or when is_dynamic_op == True in TF1")
    if not is_dynamic and not isinstance(max_batch_size, int):
        raise ValueError("max_batch_size has to be an integer for is_dynamic_op==False in TF1")
    made = rewriter_config_pb2.RewriterConfig()
    made.remapping = rewriter_config_pb2.RewriterConfig.OFF
    made.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
    if not disable_non_trt_optimizers:
        made.optimizers.extend(["pruning", "debug_stripper", "layout", "dependency", "constfold",
                                "common_subgraph_elimination"])
    asked = made.custom_optimizers.add(name="TensorRTOptimizer").parameter_map
    if not disable_non_trt_optimizers:
        made.custom_optimizers.add(name="constfold")
    for name in ("minimum_segment_size", "max_workspace_size_bytes", "maximum_cached_engines"):
        asked[name].i = getattr(conversion_params, name)
    asked["precision_mode"].s = tf.compat.as_bytes(conversion_params.precision_mode)
    asked["use_calibration"].b = conversion_params.use_calibration
    asked["allow_build_at_runtime"].b = conversion_params.allow_build_at_runtime
    asked["is_dynamic_op"].b = is_dynamic
    asked["use_implicit_batch"].b = True
    if max_batch_size is not None:
        asked["max_batch_size"].i = max_batch_size
    return made
