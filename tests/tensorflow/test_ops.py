"""Operators of TensorFlow against TensorFlow itself."""
import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

import native
import numerics

raw = tf.raw_ops
rng = np.random.default_rng(5)


def f32(*shape, low=-2.0, high=2.0):
    return rng.uniform(low, high, shape).astype(np.float32)


def s32(*shape, low=-5, high=6):
    return rng.integers(low, high, shape).astype(np.int32)


CASES = {}
CLOSED = set()  # cases that make no sense with every size open


def case(name, function, *arrays, closed=False):
    assert name not in CASES, name
    CASES[name] = (function, arrays)
    if closed:
        CLOSED.add(name)


# -- pointwise -------------------------------------------------------------------------------------------

POSITIVE = f32(3, 5, low=0.1, high=3)
for op in ("Abs Ceil Cos Erf Erfc Exp Expm1 Floor Neg Rint Round Sigmoid Sign Sin Sinh Cosh Softplus Softsign"
           " Square Tan Tanh Relu Relu6 Elu Selu Atan Asinh IsFinite IsInf IsNan Reciprocal").split():
    key = "features" if op in ("Softplus", "Softsign", "Relu", "Relu6", "Elu", "Selu") else "x"
    case(op, lambda x, op=op, key=key: raw.__dict__[op](**{key: x}), f32(3, 5, low=-8, high=8))
for op in "Log Log1p Rsqrt Sqrt Inv".split():
    case(op, lambda x, op=op: raw.__dict__[op](x=x), POSITIVE)
for op in "Acos Asin Atanh".split():
    case(op, lambda x, op=op: raw.__dict__[op](x=x), f32(3, 5, low=-0.9, high=0.9))
case("Acosh", lambda x: raw.Acosh(x=x), f32(7, low=1.1, high=4))
case("Log1p near 0", lambda x: raw.Log1p(x=x), f32(64, low=-1e-6, high=1e-6))
case("Expm1 near 0", lambda x: raw.Expm1(x=x), f32(64, low=-1e-6, high=1e-6))
case("Expm1 far", lambda x: raw.Expm1(x=x), np.array([-200, -20, 80, 200, 0], np.float32))
case("LeakyRelu", lambda x: raw.LeakyRelu(features=x), f32(4, 4))
case("LeakyRelu alpha", lambda x: raw.LeakyRelu(features=x, alpha=0.3), f32(4, 4))
for op in "Add AddV2 Sub Mul Maximum Minimum SquaredDifference Div RealDiv FloorDiv FloorMod Mod".split():
    case(op, lambda x, y, op=op: raw.__dict__[op](x=x, y=y), f32(4, 1, 5), f32(3, 1, low=0.5))
for op in "Add AddV2 Sub Mul Maximum Minimum SquaredDifference Div FloorDiv FloorMod TruncateDiv".split():
    case(f"{op} s32", lambda x, y, op=op: raw.__dict__[op](x=x, y=y), s32(4, 5), s32(5, low=1))
case("FloorDiv negative", lambda x, y: raw.FloorDiv(x=x, y=y), s32(4, 5), s32(5, low=-4, high=0))
case("Pow", lambda x, y: raw.Pow(x=x, y=y), POSITIVE, f32(5))
case("Atan2", lambda x, y: raw.Atan2(y=x, x=y), f32(3, 4), f32(3, 4))
case("DivNoNan", lambda x, y: raw.DivNoNan(x=x, y=y), f32(2, 3), np.array([[0, 1, 2]], np.float32))
case("MulNoNan", lambda x, y: raw.MulNoNan(x=x, y=y), np.array([np.inf, 1, 2], np.float32),
     np.array([0, 0, 3], np.float32))
case("Xlogy", lambda x, y: raw.Xlogy(x=x, y=y), np.array([0, 1, 2], np.float32), np.array([0, 2, 3], np.float32))
case("Xdivy", lambda x, y: raw.Xdivy(x=x, y=y), np.array([0, 1, 2], np.float32), np.array([0, 2, 3], np.float32))
for op in "Equal NotEqual Less LessEqual Greater GreaterEqual".split():
    case(op, lambda x, y, op=op: raw.__dict__[op](x=x, y=y), s32(4, 5), s32(5))
for op in "LogicalAnd LogicalOr".split():
    case(op, lambda x, y, op=op: raw.__dict__[op](x=x, y=y), s32(4, 5) > 0, s32(5) > 0)
case("LogicalNot", lambda x: raw.LogicalNot(x=x), s32(4, 5) > 0)
for op in "BitwiseAnd BitwiseOr BitwiseXor".split():
    case(op, lambda x, y, op=op: raw.__dict__[op](x=x, y=y), s32(4, 5), s32(5))
case("LeftShift", lambda x, y: raw.LeftShift(x=x, y=y), s32(5, low=0), s32(5, low=0))
case("ClipByValue", lambda x: raw.ClipByValue(t=x, clip_value_min=-1.0, clip_value_max=0.5), f32(4, 5))
case("AddN", lambda x, y, z: raw.AddN(inputs=[x, y, z]), f32(3, 4), f32(3, 4), f32(3, 4))
case("Cast f32 s32", lambda x: raw.Cast(x=x, DstT=tf.int32), f32(4, 5, low=-9, high=9))
case("Cast s32 f32", lambda x: raw.Cast(x=x, DstT=tf.float32), s32(4, 5))
case("Cast bool f32", lambda x: raw.Cast(x=x, DstT=tf.float32), s32(4, 5) > 0)
case("Cast f32 f16", lambda x: raw.Cast(x=x, DstT=tf.float16), f32(4, 5))
case("Select", lambda c, x, y: raw.Select(condition=c, x=x, y=y), s32(4, 5) > 0, f32(4, 5), f32(4, 5))
case("Select rows", lambda c, x, y: raw.Select(condition=c, x=x, y=y), s32(4) > 0, f32(4, 5), f32(4, 5))
case("SelectV2", lambda c, x, y: raw.SelectV2(condition=c, t=x, e=y), s32(4, 1) > 0, f32(5), f32(4, 5))
case("ZerosLike", lambda x: raw.ZerosLike(x=x), f32(4, 5))
case("OnesLike", lambda x: raw.OnesLike(x=x), f32(4, 5))

# -- shapes and movement ----------------------------------------------------------------------------------

case("Reshape", lambda x: tf.reshape(x, [-1, 6]), f32(4, 3, 2))
case("Reshape by shape", lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], -1])), f32(4, 3, 2))
case("Shape", lambda x: raw.Shape(input=x), f32(4, 3, 2))
case("Shape s64", lambda x: raw.Shape(input=x, out_type=tf.int64), f32(4, 3, 2))
case("ShapeN", lambda x, y: raw.ShapeN(input=[x, y]), f32(4, 3, 2), f32(5))
case("Size", lambda x: raw.Size(input=x), f32(4, 3, 2))
case("Rank", lambda x: tf.raw_ops.Rank(input=x), f32(4, 3, 2))
case("Squeeze", lambda x: raw.Squeeze(input=x, axis=[0, 2]), f32(1, 3, 1, 2))
case("Squeeze from the end", lambda x: raw.Squeeze(input=x, axis=[-2]), f32(1, 3, 1, 2))
case("ExpandDims", lambda x: raw.ExpandDims(input=x, axis=-2), f32(3, 4))
case("Transpose", lambda x: raw.Transpose(x=x, perm=[2, 0, 1]), f32(3, 4, 5))
case("BroadcastTo", lambda x: raw.BroadcastTo(input=x, shape=[4, 3, 5]), f32(3, 1))
case("Fill", lambda x: raw.Fill(dims=tf.shape(x), value=2.5), f32(3, 4))
case("Range", lambda x: raw.Range(start=2, limit=tf.shape(x)[0], delta=3), f32(17))
case("Tile", lambda x: raw.Tile(input=x, multiples=[2, 1, 3]), f32(2, 3, 4))
case("ConcatV2", lambda x, y: raw.ConcatV2(values=[x, y], axis=-1), f32(2, 3), f32(2, 4))
case("Concat", lambda x, y: raw.Concat(concat_dim=0, values=[x, y]), f32(2, 3), f32(4, 3))
case("Pack", lambda x, y: raw.Pack(values=[x, y], axis=1), f32(2, 3), f32(2, 3))
case("Pack last", lambda x, y: raw.Pack(values=[x, y], axis=-1), f32(2, 3), f32(2, 3))
case("Unpack", lambda x: raw.Unpack(value=x, num=3, axis=1), f32(2, 3, 4))
case("Split", lambda x: raw.Split(axis=1, value=x, num_split=3), f32(2, 6))
case("Split once", lambda x: raw.Split(axis=1, value=x, num_split=1), f32(2, 6))
case("SplitV", lambda x: raw.SplitV(value=x, size_splits=[1, 2, 3], axis=1, num_split=3), f32(2, 6))
case("Slice", lambda x: raw.Slice(input=x, begin=[1, 0, 2], size=[1, -1, 2]), f32(3, 4, 5))
case("Slice by value", lambda x, b: raw.Slice(input=x, begin=b, size=[2, 2]), f32(5, 4), np.array([1, 2], np.int32))
case("StridedSlice", lambda x: x[1:, ::2, -3:-1], f32(3, 5, 6))
case("StridedSlice shrink", lambda x: x[1, :, -1], f32(3, 5, 6))
case("StridedSlice new axis", lambda x: x[:, tf.newaxis, 1:3], f32(3, 5, 6))
case("StridedSlice ellipsis", lambda x: x[..., 2], f32(3, 5, 6))
case("StridedSlice ellipsis in the middle", lambda x: x[1, ..., tf.newaxis, 2:4], f32(3, 5, 4, 6))
case("StridedSlice backwards", lambda x: x[::-1, 4:1:-2], f32(3, 6))
case("StridedSlice of a shape", lambda x: tf.shape(x)[1], f32(3, 6))
case("ReverseV2", lambda x: raw.ReverseV2(tensor=x, axis=[0, -1]), f32(3, 2, 4))
case("ReverseSequence", lambda x, n: raw.ReverseSequence(input=x, seq_lengths=n, seq_dim=1, batch_dim=0),
     f32(3, 5, 2), np.array([2, 5, 1], np.int32))
case("Pad", lambda x: raw.Pad(input=x, paddings=[[1, 2], [0, 3]]), f32(3, 4))
case("PadV2", lambda x: raw.PadV2(input=x, paddings=[[1, 0], [2, 1]], constant_values=7.0), f32(3, 4))
case("MirrorPad reflect", lambda x: raw.MirrorPad(input=x, paddings=[[1, 2], [2, 1]], mode="REFLECT"), f32(4, 5))
case("MirrorPad symmetric", lambda x: raw.MirrorPad(input=x, paddings=[[1, 2], [2, 0]], mode="SYMMETRIC"), f32(4, 5))
case("Gather", lambda x, i: raw.Gather(params=x, indices=i), f32(5, 3), s32(2, 4, low=0, high=5))
case("GatherV2", lambda x, i: raw.GatherV2(params=x, indices=i, axis=1), f32(4, 5, 3), s32(2, 2, low=0, high=5))
case("GatherV2 batched", lambda x, i: raw.GatherV2(params=x, indices=i, axis=1, batch_dims=1), f32(4, 5, 3),
     s32(4, 2, low=0, high=5))
case("GatherNd", lambda x, i: raw.GatherNd(params=x, indices=i), f32(4, 5, 3), s32(6, 2, low=0, high=4))
case("ScatterNd", lambda i, u: raw.ScatterNd(indices=i, updates=u, shape=[6, 3]), np.array([[1], [4], [1]], np.int32),
     f32(3, 3))
case("TensorScatterUpdate", lambda x, i, u: raw.TensorScatterUpdate(tensor=x, indices=i, updates=u), f32(5, 3),
     np.array([[1], [4]], np.int32), f32(2, 3))
case("TensorScatterAdd", lambda x, i, u: raw.TensorScatterAdd(tensor=x, indices=i, updates=u), f32(5, 3),
     np.array([[1], [1]], np.int32), f32(2, 3))
case("Where", lambda x: raw.Where(condition=x), s32(4, 5) > 0)
case("OneHot", lambda i: raw.OneHot(indices=i, depth=5, on_value=2.0, off_value=-1.0),
     np.array([[0, 3], [-1, 7]], np.int32))
case("OneHot axis 0", lambda i: raw.OneHot(indices=i, depth=5, on_value=1, off_value=0, axis=0), s32(4, low=0, high=5))
case("InvertPermutation", lambda x: tf.transpose(x, tf.math.invert_permutation([2, 0, 1])), f32(3, 4, 5))

# -- windows ----------------------------------------------------------------------------------------------

W = f32(3, 3, 4, 6)
for padding in ("SAME", "VALID"):
    for stride in (1, 2):
        case(f"Conv2D {padding} {stride}",
             lambda x, p=padding, s=stride: raw.Conv2D(input=x, filter=tf.constant(W), strides=[1, s, s, 1], padding=p),
             f32(2, 9, 8, 4))
        case(f"Depthwise {padding} {stride}",
             lambda x, p=padding, s=stride: raw.DepthwiseConv2dNative(
                 input=x, filter=tf.constant(W[:, :, :, :2]), strides=[1, s, s, 1], padding=p), f32(2, 9, 8, 4))
        case(f"MaxPool {padding} {stride}",
             lambda x, p=padding, s=stride: raw.MaxPool(input=x, ksize=[1, 3, 2, 1], strides=[1, s, s, 1], padding=p),
             f32(2, 9, 8, 4))
        case(f"AvgPool {padding} {stride}",
             lambda x, p=padding, s=stride: raw.AvgPool(value=x, ksize=[1, 3, 2, 1], strides=[1, s, s, 1], padding=p),
             f32(2, 9, 8, 4))
        case(f"Conv2DBackpropInput {padding} {stride}",
             lambda x, p=padding, s=stride: raw.Conv2DBackpropInput(
                 input_sizes=[2, 7 * s + (2 if p == "VALID" else 0), 7 * s + (2 if p == "VALID" else 0), 4]
                 if s == 2 else [2, 9 if p == "VALID" else 7, 9 if p == "VALID" else 7, 4],
                 filter=tf.constant(W), out_backprop=x, strides=[1, s, s, 1], padding=p), f32(2, 7, 7, 6))
case("Conv2D dilated", lambda x: raw.Conv2D(input=x, filter=tf.constant(W), strides=[1, 1, 1, 1], padding="SAME",
                                            dilations=[1, 2, 2, 1]), f32(2, 9, 8, 4))
case("Conv2D explicit", lambda x: raw.Conv2D(input=x, filter=tf.constant(W), strides=[1, 2, 1, 1], padding="EXPLICIT",
                                             explicit_paddings=[0, 0, 1, 2, 0, 1, 0, 0]), f32(2, 9, 8, 4))
case("Conv2D grouped", lambda x: raw.Conv2D(input=x, filter=tf.constant(W), strides=[1, 1, 1, 1], padding="SAME"),
     f32(2, 5, 6, 8), closed=True)
case("Conv2D filter as input", lambda x, w: raw.Conv2D(input=x, filter=w, strides=[1, 1, 1, 1], padding="SAME"),
     f32(2, 5, 6, 4), f32(3, 3, 4, 5))
case("Conv3D", lambda x: raw.Conv3D(input=x, filter=tf.constant(f32(2, 3, 3, 3, 4)), strides=[1, 1, 2, 1, 1],
                                    padding="SAME"), f32(1, 5, 6, 7, 3))
case("MaxPool3D", lambda x: raw.MaxPool3D(input=x, ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="SAME"),
     f32(1, 5, 6, 7, 3))
case("AvgPool3D", lambda x: raw.AvgPool3D(input=x, ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="VALID"),
     f32(1, 5, 6, 7, 3))
case("MaxPoolV2", lambda x: raw.MaxPoolV2(input=x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID"),
     f32(1, 6, 7, 3))

# -- products, normalisations, reductions, selections -----------------------------------------------------

case("MatMul", lambda x: raw.MatMul(a=x, b=tf.constant(f32(5, 7))), f32(4, 5))
case("MatMul transposed", lambda x, y: raw.MatMul(a=x, b=y, transpose_a=True, transpose_b=True), f32(5, 4), f32(7, 5))
case("BatchMatMulV2", lambda x, y: raw.BatchMatMulV2(x=x, y=y, adj_y=True), f32(2, 1, 4, 5), f32(3, 7, 5))
case("BatchMatMul", lambda x, y: raw.BatchMatMul(x=x, y=y, adj_x=True), f32(2, 5, 4), f32(2, 5, 3))
case("Einsum", lambda x, y: raw.Einsum(inputs=[x, y], equation="abc,cde->abde"), f32(2, 3, 4), f32(4, 5, 6))
case("Einsum ellipsis", lambda x, y: tf.einsum("...ij,...jk->...ik", x, y), f32(2, 3, 4), f32(2, 4, 5))
case("BiasAdd", lambda x: raw.BiasAdd(value=x, bias=tf.constant(f32(5))), f32(2, 3, 4, 5))
case("BatchNorm", lambda x: raw.FusedBatchNormV3(
    x=x, scale=f32(5), offset=f32(5), mean=f32(5), variance=f32(5, low=0.2), is_training=False).y, f32(2, 3, 4, 5))
case("BatchNorm of itself", lambda x: raw.FusedBatchNormV3(
    x=x, scale=f32(5), offset=f32(5), mean=[], variance=[], is_training=True, epsilon=1e-3).y, f32(2, 3, 4, 5))
case("BatchNorm f16", lambda x: raw.FusedBatchNormV3(
    x=x, scale=f32(5), offset=f32(5), mean=f32(5), variance=f32(5, low=0.2), is_training=False).y,
     f32(2, 3, 4, 5).astype(np.float16))
case("LRN", lambda x: raw.LRN(input=x, depth_radius=2, bias=1.5, alpha=0.3, beta=0.7), f32(2, 3, 4, 9))
case("L2Loss", lambda x: raw.L2Loss(t=x), f32(3, 4))
case("Softmax", lambda x: raw.Softmax(logits=x), f32(3, 7, low=-9, high=9))
case("LogSoftmax", lambda x: raw.LogSoftmax(logits=x), f32(3, 7, low=-9, high=9))
for op in "Sum Mean Max Min Prod EuclideanNorm".split():
    case(op, lambda x, op=op: raw.__dict__[op](input=x, axis=[0, -1]), f32(3, 4, 5))
    case(f"{op} keeping", lambda x, op=op: raw.__dict__[op](input=x, axis=1, keep_dims=True), f32(3, 4, 5))
case("Sum s32", lambda x: raw.Sum(input=x, axis=[1]), s32(3, 4))
case("Sum of nothing", lambda x: raw.Sum(input=x, axis=tf.constant([], tf.int32)), f32(3, 4))
case("All", lambda x: raw.All(input=x, axis=[1]), s32(3, 4) > -3)
case("Any", lambda x: raw.Any(input=x, axis=[0]), s32(3, 4) > 3)
case("ArgMax", lambda x: raw.ArgMax(input=x, dimension=-1), f32(3, 9))
case("ArgMin s32", lambda x: raw.ArgMin(input=x, dimension=0, output_type=tf.int32), f32(3, 9))
case("Cumsum", lambda x: raw.Cumsum(x=x, axis=1, exclusive=True, reverse=True), f32(3, 9))
case("Cumprod", lambda x: raw.Cumprod(x=x, axis=0), f32(3, 4))
case("TopKV2", lambda x: raw.TopKV2(input=x, k=4), f32(3, 9))


# -- pictures ---------------------------------------------------------------------------------------------

PICTURE = f32(2, 5, 7, 3)
for flags in ({}, {"align_corners": True}, {"half_pixel_centers": True}):
    for size in ([10, 14], [3, 4], [1, 9]):
        label = f"{' '.join(flags)} {size[0]}x{size[1]}"
        case(f"ResizeBilinear {label}",
             lambda x, f=flags, s=size: raw.ResizeBilinear(images=x, size=s, **f), PICTURE)
        case(f"ResizeNearestNeighbor {label}",
             lambda x, f=flags, s=size: raw.ResizeNearestNeighbor(images=x, size=s, **f), PICTURE)
    picture = f32(2, 5, 9, 3)
    for size in ([9, 17], [10, 18], [7, 4], [23, 41]):
        case(f"ResizeBicubic {' '.join(flags)} {size}",
             lambda x, f=flags, s=size: raw.ResizeBicubic(images=x, size=s, **f), picture)
case("ResizeBilinear bytes", lambda x: raw.ResizeBilinear(images=x, size=[6, 6], half_pixel_centers=True),
     s32(1, 4, 5, 3, low=0, high=255).astype(np.uint8))
case("ResizeNearestNeighbor bytes", lambda x: raw.ResizeNearestNeighbor(images=x, size=[6, 6]),
     s32(1, 4, 5, 3, low=0, high=255).astype(np.uint8))
case("ResizeBilinear by shape", lambda x: raw.ResizeBilinear(images=x, size=2 * tf.shape(x)[1:3]), PICTURE)
BOXES = np.array([[0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9], [0.8, 0.9, 0.1, 0.3], [-0.3, 0.5, 0.4, 1.6]], np.float32)
for method in ("bilinear", "nearest"):
    for size in ([4, 3], [1, 1]):
        case(f"CropAndResize {method} {size[0]}x{size[1]}",
             lambda x, b, i, m=method, s=size: raw.CropAndResize(image=x, boxes=b, box_ind=i, crop_size=s, method=m,
                                                                 extrapolation_value=-3.0),
             PICTURE, BOXES, np.array([0, 1, 1, 0], np.int32))

# -- blocks, series, bands --------------------------------------------------------------------------------

case("DepthToSpace", lambda x: raw.DepthToSpace(input=x, block_size=2), f32(2, 3, 5, 12))
case("SpaceToDepth", lambda x: raw.SpaceToDepth(input=x, block_size=3), f32(2, 3, 6, 4))
case("SpaceToBatchND", lambda x: raw.SpaceToBatchND(input=x, block_shape=[2, 3], paddings=[[1, 0], [2, 1]]),
     f32(2, 5, 6, 3))
case("SpaceToBatchND of rows", lambda x: raw.SpaceToBatchND(input=x, block_shape=[2], paddings=[[1, 0]]), f32(2, 5))
case("BatchToSpaceND", lambda x: raw.BatchToSpaceND(input=x, block_shape=[2, 3], crops=[[1, 0], [2, 1]]),
     f32(12, 3, 4, 2))
case("Convolution with holes", lambda x: tf.nn.convolution(x, tf.constant(W), padding="SAME", dilations=[2, 2]),
     f32(2, 9, 8, 4))
for lower, upper in ((0, -1), (-1, 0), (1, 2), (0, 0), (-1, -1)):
    case(f"MatrixBandPart {lower} {upper}",
         lambda x, a=lower, b=upper: raw.MatrixBandPart(input=x, num_lower=a, num_upper=b), f32(2, 5, 6))
case("LinSpace", lambda x: raw.LinSpace(start=x, stop=3.0, num=7), np.array(-1.25, np.float32))
case("LinSpace of one", lambda x: raw.LinSpace(start=x, stop=3.0, num=1), np.array(-1.25, np.float32))
case("LinSpace by shape", lambda x: raw.LinSpace(start=0.0, stop=1.0, num=tf.shape(x)[0]), f32(6))
case("Unique", lambda x: raw.Unique(x=x), s32(20))
case("Unique s64", lambda x: raw.Unique(x=x, out_idx=tf.int64), s32(20))
case("UniqueWithCounts", lambda x: raw.UniqueWithCounts(x=x), s32(20))
case("DataFormatVecPermute", lambda x: raw.DataFormatVecPermute(x=x), s32(4))
case("DataFormatVecPermute back", lambda x: raw.DataFormatVecPermute(x=x, src_format="NCHW", dst_format="NHWC"),
     s32(4, 2), closed=True)
case("DataFormatVecPermute spatial", lambda x: raw.DataFormatVecPermute(x=x), s32(2), closed=True)
case("DataFormatDimMap", lambda x: raw.DataFormatDimMap(x=x), np.array([0, 1, 2, 3, -1, -2], np.int32))


# -- boxes that suppress each other -----------------------------------------------------------------------

CORNERS = np.concatenate([c := f32(60, 2, low=0, high=0.8), c + f32(60, 2, low=0.1, high=0.3)], 1)
SCORES = f32(60, low=0, high=1)
case("NonMaxSuppression", lambda b, s: raw.NonMaxSuppression(boxes=b, scores=s, max_output_size=12), CORNERS, SCORES)
case("NonMaxSuppressionV2", lambda b, s: raw.NonMaxSuppressionV2(boxes=b, scores=s, max_output_size=50,
                                                                 iou_threshold=0.1), CORNERS, SCORES)
case("NonMaxSuppressionV3", lambda b, s: raw.NonMaxSuppressionV3(boxes=b, scores=s, max_output_size=50,
                                                                 iou_threshold=0.3, score_threshold=0.4),
     CORNERS, SCORES)
for padded in (False, True):
    case(f"NonMaxSuppressionV4 {padded}", lambda b, s, p=padded: raw.NonMaxSuppressionV4(
        boxes=b, scores=s, max_output_size=50, iou_threshold=0.3, score_threshold=0.4, pad_to_max_output_size=p),
        CORNERS, SCORES)
    case(f"NonMaxSuppressionV5 {padded}", lambda b, s, p=padded: raw.NonMaxSuppressionV5(
        boxes=b, scores=s, max_output_size=50, iou_threshold=0.3, score_threshold=0.4, soft_nms_sigma=0.0,
        pad_to_max_output_size=p), CORNERS, SCORES)
for name, own, options in (("shared", 1, {}), ("of a class", 3, {}), ("padded", 1, {"pad_per_class": True}),
                           ("not clipped", 3, {"clip_boxes": False})):
    case(f"CombinedNonMaxSuppression {name}", lambda b, s, o=options: raw.CombinedNonMaxSuppression(
        boxes=tf.ensure_shape(b, [None, None, b.shape[2], 4]), scores=s, max_output_size_per_class=5,
        max_total_size=20, iou_threshold=0.3, score_threshold=0.4, **o),
        (CORNERS.reshape(2, 30 // own, own, 4) * 1.2).astype(np.float32), f32(2, 30 // own, 3, low=0, high=1),
        closed=True)


# -- sound ------------------------------------------------------------------------------------------------

RECORDING = np.array(tf.audio.encode_wav(f32(700, 2, low=-1, high=1), 16000).numpy(), object)
case("DecodeWav", lambda b: raw.DecodeWav(contents=b), RECORDING)
case("DecodeWav more", lambda b: raw.DecodeWav(contents=b, desired_channels=3, desired_samples=900), RECORDING)
case("DecodeWav less", lambda b: raw.DecodeWav(contents=b, desired_channels=1, desired_samples=300), RECORDING)
for squared in (False, True):
    case(f"AudioSpectrogram {squared}",
         lambda x, q=squared: raw.AudioSpectrogram(input=x, window_size=100, stride=37, magnitude_squared=q),
         f32(700, 2, low=-1, high=1))
case("Mfcc", lambda x, r: raw.Mfcc(spectrogram=x, sample_rate=r), f32(2, 6, 257, low=0, high=9),
     np.array(16000, np.int32))
case("Mfcc of few", lambda x, r: raw.Mfcc(spectrogram=x, sample_rate=r, upper_frequency_limit=3000.0,
                                          lower_frequency_limit=50.0, filterbank_channel_count=20,
                                          dct_coefficient_count=7), f32(1, 3, 129, low=0, high=9),
     np.array(8000, np.int32))


# -- fake quantisation ------------------------------------------------------------------------------------

for bits, narrow in ((8, False), (8, True), (5, False), (16, False)):
    case(f"FakeQuantWithMinMaxArgs {bits} {narrow}", lambda x, b=bits, n=narrow: raw.FakeQuantWithMinMaxArgs(
        inputs=x, min=-1.3, max=1.9, num_bits=b, narrow_range=n), f32(3, 4, 5))
case("FakeQuantWithMinMaxVars", lambda x, a, b: raw.FakeQuantWithMinMaxVars(inputs=x, min=a, max=b), f32(3, 4, 5),
     np.array(-1.1, np.float32), np.array(1.7, np.float32))
case("FakeQuantWithMinMaxVarsPerChannel", lambda x, a, b: raw.FakeQuantWithMinMaxVarsPerChannel(
    inputs=x, min=a, max=b), f32(3, 4, 5), f32(5, low=-2, high=-0.1), f32(5, low=0.1, high=2))

for mode in ("MIN_COMBINED", "MIN_FIRST", "SCALED"):
    for kind in (tf.quint8, tf.qint8):
        for narrow in (False, True) if mode == "SCALED" else (False,):
            def there_and_back(x, m=mode, k=kind, n=narrow):
                y = raw.QuantizeV2(input=x, min_range=-1.3, max_range=1.9, T=k, mode=m, narrow_range=n,
                                   round_mode="HALF_TO_EVEN" if m == "SCALED" else "HALF_AWAY_FROM_ZERO")
                return raw.Dequantize(input=y.output, min_range=y.output_min, max_range=y.output_max, mode=m,
                                      narrow_range=n), y.output_min, y.output_max, tf.bitcast(
                                          y.output, tf.uint8 if k == tf.quint8 else tf.int8)
            case(f"QuantizeV2 {mode} {kind.name} {narrow}", there_and_back, f32(3, 4, 5))
case("QuantizeV2 of a point",
     lambda x: raw.QuantizeV2(input=x, min_range=0.0, max_range=0.0, T=tf.quint8)[1:], f32(3))
case("Dequantize axis", lambda x, a, b: raw.Dequantize(
    input=tf.bitcast(x, tf.qint8), min_range=a, max_range=b, mode="SCALED", axis=1),
     rng.integers(-128, 128, (3, 4, 2)).astype(np.int8), f32(4, low=-3, high=-1), f32(4, low=1, high=3))
for signed in (False, True):
    for rounding in ("HALF_TO_EVEN", "HALF_UP"):
        case(f"QuantizeAndDequantizeV2 {signed} {rounding}",
             lambda x, s=signed, r=rounding: raw.QuantizeAndDequantizeV2(
                 input=x, input_min=-1.5 if s else 0.0, input_max=1.25, signed_input=s, range_given=True, round_mode=r),
             f32(3, 4, 5))
    case(f"QuantizeAndDequantizeV4 {signed}", lambda x, s=signed: raw.QuantizeAndDequantizeV4(
        input=x, input_min=0.0, input_max=0.0, signed_input=s, num_bits=6, narrow_range=True),
         f32(3, 4, 5, low=-1 if signed else 0))
case("QuantizeAndDequantizeV3", lambda x: raw.QuantizeAndDequantizeV3(
    input=x, input_min=-1.0, input_max=1.5, num_bits=7), f32(3, 4, 5))
case("QuantizeAndDequantizeV4 axis of its own", lambda x: raw.QuantizeAndDequantizeV4(
    input=x, input_min=[0.0] * 4, input_max=[0.0] * 4, range_given=False, axis=1), f32(3, 4, 5))

# -- what TensorFlow's optimiser fuses ----------------------------------------------------------------------

CHANNELS = [tf.constant(f32(6, low=0.2)) for _ in range(4)]
CONV = dict(T=tf.float32, strides=[1, 2, 1, 1], padding="SAME", use_cudnn_on_gpu=False)


def fused_conv(x, fused, args):
    return native.node("_FusedConv2D", [x, W, args], [tf.float32], num_args=len(args), num_host_args=0,
                       TArgs=[tf.float32] * len(args), fused_ops=fused, leakyrelu_alpha=0.3, **CONV)


for fused in ("BiasAdd", "BiasAdd Relu", "BiasAdd Relu6", "BiasAdd Elu", "BiasAdd LeakyRelu"):
    case(f"_FusedConv2D {fused}", lambda x, f=fused.split(): fused_conv(x, f, CHANNELS[:1]), f32(2, 9, 8, 4))
for fused in ("FusedBatchNorm", "FusedBatchNorm Relu"):
    case(f"_FusedConv2D {fused}", lambda x, f=fused.split(): fused_conv(x, f, CHANNELS), f32(2, 9, 8, 4))
case("_FusedConv2D BiasAdd Add Relu", lambda x, y: fused_conv(x, ["BiasAdd", "Add", "Relu"], [CHANNELS[0], y]),
     f32(2, 9, 8, 4), f32(2, 5, 8, 6))
for fused in ("BiasAdd", "BiasAdd Relu", "BiasAdd Tanh", "BiasAdd Sigmoid", "BiasAdd Elu", "BiasAdd LeakyRelu"):
    case(f"_FusedMatMul {fused}", lambda x, f=fused.split(): native.node(
        "_FusedMatMul", [x, f32(5, 6), CHANNELS[:1]], [tf.float32], T=tf.float32, num_args=1, fused_ops=f,
        transpose_a=True, transpose_b=False), f32(5, 4))
# -- steps of recurrent nets ----------------------------------------------------------------------------------

PEEPHOLES = [f32(6) for _ in range(3)]


def lstm_arguments(options):
    return dict(w=f32(10, 24) * 0.5, b=f32(24), wci=PEEPHOLES[0], wcf=PEEPHOLES[1], wco=PEEPHOLES[2], **options)


for options in ({}, {"forget_bias": 0.5, "cell_clip": 0.3}, {"use_peephole": True, "cell_clip": -1.0}):
    label, arguments = " ".join(options), lstm_arguments(options)
    case(f"LSTMBlockCell {label}", lambda x, c, h, a=arguments: raw.LSTMBlockCell(x=x, cs_prev=c, h_prev=h, **a),
         f32(3, 4), f32(3, 6), f32(3, 6))
    for longest in (7, 5):
        # Of steps beyond the longest sequence TensorFlow leaves all but cs and h as they are in memory.
        case(f"BlockLSTM {label} {longest}", lambda x, c, h, a=arguments, n=longest: [
            y if n == 7 or i in (1, 6) else y[:n] for i, y in enumerate(raw.BlockLSTM(
                seq_len_max=tf.constant(n, tf.int64), x=x, cs_prev=c, h_prev=h, **a))],
            f32(7, 3, 4), f32(3, 6), f32(3, 6))
    second = {k: v for k, v in arguments.items() if k != "forget_bias"}
    case(f"BlockLSTMV2 {label}", lambda x, c, h, a=second: raw.BlockLSTMV2(
        seq_len_max=tf.constant(7, tf.int64), x=x, cs_prev=c, h_prev=h, **a), f32(7, 3, 4), f32(3, 6), f32(3, 6))
case("BlockLSTM only h", lambda x, c, h, a=lstm_arguments({"cell_clip": -1.0}): raw.BlockLSTM(
    seq_len_max=tf.constant(7, tf.int64), x=x, cs_prev=c, h_prev=h, **a).h, f32(7, 3, 4), f32(3, 6), f32(3, 6))
case("GRUBlockCell", lambda x, h: raw.GRUBlockCell(
    x=x, h_prev=h, w_ru=f32(10, 12), w_c=f32(10, 6), b_ru=f32(12), b_c=f32(6)), f32(3, 4), f32(3, 6))

# -- spectra ----------------------------------------------------------------------------------------------------


def halves(spectrum):
    return tf.math.real(spectrum), tf.math.imag(spectrum)


for length in (16, 11):
    case(f"RFFT {length}", lambda x, n=length: halves(raw.RFFT(input=x, fft_length=[n])), f32(3, 16))
    case(f"IRFFT {length}", lambda x, y, n=length: raw.IRFFT(input=tf.complex(x, y), fft_length=[n]),
         f32(3, 9), f32(3, 9))
case("RFFT2D", lambda x: halves(raw.RFFT2D(input=x, fft_length=[4, 7])), f32(2, 5, 8))
case("IRFFT2D", lambda x, y: raw.IRFFT2D(input=tf.complex(x, y), fft_length=[5, 8]), f32(2, 5, 5), f32(2, 5, 5))
for op in "FFT IFFT FFT2D IFFT2D FFT3D".split():
    case(op, lambda x, y, op=op: halves(raw.__dict__[op](input=tf.complex(x, y))), f32(2, 3, 5, 4), f32(2, 3, 5, 4))
case("ComplexAbs", lambda x, y: raw.ComplexAbs(x=tf.complex(x, y)), f32(3, 4), f32(3, 4))
case("Angle", lambda x, y: raw.Angle(input=tf.complex(x, y)), f32(3, 4), f32(3, 4))
case("Conj", lambda x, y: halves(tf.math.conj(tf.complex(x, y))), f32(3, 4), f32(3, 4))
case("complex in and out", lambda x: raw.FFT(input=x), (f32(3, 4) + 1j * f32(3, 4)).astype(np.complex64))
case("stft", lambda x: tf.abs(tf.signal.stft(x, 64, 32)), f32(2, 400))

# -- files of pictures --------------------------------------------------------------------------------------

COLOURS = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
ROWS, COLUMNS = np.mgrid[:40, :48]
SMOOTH = np.stack([COLUMNS * 5, ROWS * 6, ROWS + COLUMNS * 2], -1).astype(np.uint8)
PNG = np.array(tf.io.encode_png(COLOURS).numpy(), object)
JPEG = np.array(tf.io.encode_jpeg(SMOOTH, quality=95).numpy(), object)
case("DecodePng", lambda b: raw.DecodePng(contents=b, channels=3), PNG)
case("DecodeImage", lambda b: raw.DecodeImage(contents=b, channels=3, expand_animations=False), PNG)
case("DecodeImage f32", lambda b: raw.DecodeImage(
    contents=b, channels=3, dtype=tf.float32, expand_animations=False), PNG)
case("DecodeJpeg", lambda b: raw.DecodeJpeg(contents=b, channels=3, dct_method="INTEGER_ACCURATE"), JPEG)
case("DecodeJpeg and resize", lambda b: tf.image.resize(raw.DecodeJpeg(
    contents=b, channels=3, dct_method="INTEGER_ACCURATE"), [16, 20]), JPEG)

for sigma in (0.2, 0.8):
    for least in (0.0, 0.3):
        case(f"NonMaxSuppressionV5 soft {sigma} {least}", lambda b, s, g=sigma, m=least: raw.NonMaxSuppressionV5(
            boxes=b, scores=s, max_output_size=20, iou_threshold=0.5, score_threshold=m, soft_nms_sigma=g),
            CORNERS, SCORES)


@pytest.mark.parametrize("name,sizes", [(name, sizes) for name in CASES for sizes in ("known", "open")
                                        if sizes == "known" or name not in CLOSED])
def test_operator(name, sizes):
    function, arrays = CASES[name]
    got, want, engine = native.on_hone(function, arrays, open_sizes=sizes == "open")
    for mine, theirs in zip(got, want, strict=True):
        kind = "f16" if theirs.dtype == np.float16 else "fp32"
        assert native.error(mine, theirs) <= numerics.bound("TensorFlow operator", kind)


# -- what TensorFlow fuses only where there is another device -------------------------------------------------


def elsewhere(op, inputs, attrs):
    """Hone's answer of a node that has no kernel here; arrays are constants but the first, which is fed."""
    with tf.Graph().as_default() as graph:
        fed = tf.compat.v1.placeholder(tf.float32, inputs[0].shape, name="x")
        outputs = native.node(op, [fed, *inputs[1:]], [tf.float32] * (6 if "Norm" in op else 1), **attrs)
    definition = graph.as_graph_def()
    engine = native.hone.build(definition.SerializeToString(), format="graph_def", outputs=outputs[0].op.name,
                               measure=False)
    return engine.run({"x": inputs[0]})[outputs[0].op.name]


ACTIVATIONS = {"Identity": tf.identity, "Relu": tf.nn.relu, "Tanh": tf.tanh, "Sigmoid": tf.sigmoid,
               "GeluExact": tf.nn.gelu, "GeluApproximate": lambda x: tf.nn.gelu(x, approximate=True)}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_fused_product(activation):
    x, w, b = f32(4, 5), f32(5, 6), f32(6)
    got = elsewhere("_FusedMatMul", [x, w, b], dict(T=tf.float32, num_args=1, fused_ops=["BiasAdd", activation]))
    want = ACTIVATIONS[activation](x @ w + b).numpy()
    assert native.error(got, want) <= numerics.bound("TensorFlow operator", "fp32")


@pytest.mark.parametrize("activation", ["Identity", "Relu"])
@pytest.mark.parametrize("sides", [0, 1])
def test_fused_batch_norm_ex(activation, sides):
    x, side, stats = f32(2, 3, 4, 8), f32(2, 3, 4, 8), [f32(8, low=0.2) for _ in range(4)]
    got = elsewhere("_FusedBatchNormEx", [x, *stats, *[side] * sides], dict(
        T=tf.float32, U=tf.float32, epsilon=1e-3, num_side_inputs=sides, activation_mode=activation, is_training=False))
    want = ACTIVATIONS[activation](tf.nn.batch_normalization(x, stats[2], stats[3], stats[1], stats[0],
                                                             variance_epsilon=1e-3)
                                   + (side if sides else 0)).numpy()
    assert native.error(got, want) <= numerics.bound("TensorFlow operator", "fp32")


@pytest.mark.parametrize("layout", ["NHWC HWIO", "NCHW OIHW"])
def test_fused_conv_bias_activation(layout):
    data, filters = layout.split()
    x, w, b, side = f32(2, 7, 6, 4), f32(3, 3, 4, 5), f32(5), f32(2, 7, 6, 5)
    want = tf.nn.relu(tf.nn.conv2d(x, w, 1, "SAME") * 0.5 + side * 2.0 + b).numpy()
    order = (0, 3, 1, 2)
    if data == "NCHW":
        x, side, want, w = x.transpose(order), side.transpose(order), want.transpose(order), w.transpose(3, 2, 0, 1)
    arrays = [w, b, side, np.float32(0.5), np.float32(2)]
    with tf.Graph().as_default() as graph:
        tf.compat.v1.placeholder(tf.float32, x.shape, name="x")
        for i, array in enumerate(arrays):
            tf.constant(array, name=f"c{i}")
    definition = graph.as_graph_def()
    conv = definition.node.add(name="y", op="FusedConv2DBiasActivation", input=["x", *[f"c{i}" for i in range(5)]])
    for name, text in (("padding", "SAME"), ("data_format", data), ("filter_format", filters),
                       ("activation_mode", "Relu")):
        conv.attr[name].s = text.encode()
    conv.attr["strides"].list.i.extend([1, 1, 1, 1])
    got = native.hone.build(definition.SerializeToString(), outputs="y", measure=False).run({"x": x})["y"]
    assert native.error(got, want) <= numerics.bound("model", "fp32")


def test_jpegs_are_near_the_fast_transform_of_tensorflow():
    got, want, _ = native.on_hone(lambda b: raw.DecodeJpeg(contents=b, channels=3), [JPEG])
    assert np.abs(got[0].astype(int) - want[0]).max() <= 4
