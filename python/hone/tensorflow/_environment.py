"""TF-TRT's environment variables, under its names and under Hone's."""
from __future__ import annotations

import os

# The operators that TF-TRT converted, by name; HONE_TRT_COMPAT=1 takes no others. Source: the converters that its last
# release registered (two of the 123 names are no operators).
TF_TRT_OPERATORS = frozenset("""
    Conv2D Conv2DBackpropInput DepthwiseConv2dNative Conv3D Conv3DBackpropInputV2 FusedConv2DBiasActivation MatMul
    BatchMatMul BatchMatMulV2 Einsum MaxPool AvgPool MaxPool3D AvgPool3D FusedBatchNorm FusedBatchNormV2
    FusedBatchNormV3 BiasAdd AddN Relu Relu6 LeakyRelu Elu Selu Sigmoid Tanh Softplus Softsign Softmax LogSoftmax Abs
    Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Log Neg Reciprocal Rsqrt Sin Sinh Sqrt Tan Round Sign
    Square LogicalNot Add AddV2 Sub Mul Div RealDiv FloorDiv Pow Maximum Minimum SquaredDifference Greater GreaterEqual
    Less LessEqual Equal LogicalAnd LogicalOr ClipByValue Select SelectV2 Cast Sum Prod Max Min Mean ArgMax ArgMin
    TopKV2 Reshape Transpose Squeeze ExpandDims Pack Unpack Shape Pad Tile DepthToSpace SpaceToDepth
    DataFormatVecPermute Fill Range ZerosLike OnesLike zeros_like ones_like Slice StridedSlice Split ConcatV2 GatherV2
    ResizeBilinear ResizeNearestNeighbor CombinedNonMaxSuppression QuantizeAndDequantizeV2 QuantizeAndDequantizeV3
    FakeQuantWithMinMaxVars FakeQuantWithMinMaxArgs Const VariableV2 ReadVariableOp Identity IdentityN Snapshot
    StopGradient _CopyFromHostToGpu""".split())


def variable(name: str, fallback: str = "") -> str:
    """HONE_<name> where it is set, else TF_TRT_<name>."""
    return os.environ.get(f"HONE_{name}", os.environ.get(f"TF_TRT_{name}", fallback))


def denied() -> list[str]:
    return [op.strip() for op in variable("OP_DENYLIST").split(",") if op.strip()]


def most_engines() -> int:
    """0: any number."""
    return max(0, int(variable("MAX_ALLOWED_ENGINES", "20")))


def is_compatible() -> bool:
    """Whether exactly TF-TRT's operators are to be taken, in its clusters."""
    return os.environ.get("HONE_TRT_COMPAT", "0").lower() not in ("", "0", "false")


def keeps_all() -> bool:
    """Whether segments that are slower than their nodes are kept too: for tests."""
    return os.environ.get("HONE_TRT_ALWAYS", "0") == "1"
