"""Operators of com.microsoft, and attributes that onnx's own cases do not reach, one node at a time
against ONNX Runtime with the same inputs."""
import numerics
import numpy as np
import pytest
from onnx import helper, numpy_helper

ort = pytest.importorskip("onnxruntime")

MICROSOFT = "com.microsoft"
EXACT = numerics.PEER
LOOSE = numerics.element_bounds("peer", "int8")  # operands that were rounded to few bits
ONE_STEP = (0, 1)      # of the quantised result: ties round by the last bit of a float product
_random = np.random.default_rng(0)


def f32(*shape):
    return _random.standard_normal(shape).astype(np.float32)


def half(*shape):
    return f32(*shape).astype(np.float16)


def positive(*shape):
    return np.abs(f32(*shape)) + np.float32(0.01)


def u8(*shape):
    return _random.integers(0, 256, shape).astype(np.uint8)


def s8(*shape):
    return _random.integers(-128, 128, shape).astype(np.int8)


def one(value, dtype=np.float32):
    return np.array(value, dtype)


def scale(value, zero, dtype=np.uint8):
    """A scale and its zero point, as two inputs."""
    return [one(value), one(zero, dtype)]


def ids(*values):
    return np.array(values, np.int32)


KEYS = ids([1, 1, 1, 1, 1], [1, 1, 1, 0, 0])
TOKENS = _random.integers(0, 11, (2, 5)).astype(np.int32)
BOXES = np.concatenate([positive(2, 9, 2), positive(2, 9, 2) + 2], axis=2)
REGIONS = np.array([[0, 0, 3, 4], [1.5, 2, 6, 6.5], [-1, -1, 2, 2]], np.float32)
GATES = [f32(4, 3, 6), f32(2, 20, 6), f32(2, 20, 5), f32(2, 40)]
CACHE = [f32(20, 8), f32(20, 8)]


def bits_of(n, k, block, bits, with_zeros):
    """MatMulNBits: a, packed weights, scales, packed zero points."""
    blocks = -(-k // block)
    operands = [f32(3, k), u8(n, blocks, block * bits // 8), positive(n * blocks)]
    return operands + ([u8(n * ((blocks * bits + 7) // 8))] if with_zeros else [])


def rounded_lstm(directions):
    weights = [u8(directions, 6, 20), u8(directions, 5, 20), f32(directions, 40)]
    steps = [np.full(directions, 0.01, np.float32), np.full(directions, 128, np.uint8)]
    return [f32(4, 2, 6), *weights, None, None, None, None, *steps, *steps]


# name: operator, inputs, attributes, which outputs, tolerance, constants among the inputs
CASES = {
    "add": ("QLinearAdd", [u8(2, 3, 5), *scale(.02, 120), u8(5), *scale(.05, 3), *scale(.1, 100)],
            {}, [0], ONE_STEP),
    "mul": ("QLinearMul", [s8(2, 3, 5), *scale(.02, 12, np.int8), s8(3, 1), *scale(.05, 3, np.int8),
                           *scale(.1, 10, np.int8)], {}, [0], ONE_STEP),
    "concat": ("QLinearConcat", [*scale(.1, 9), u8(2, 3), *scale(.2, 1), u8(2, 2), *scale(.05, 7)],
               {"axis": 1}, [0], ONE_STEP),
    "global_average": ("QLinearGlobalAveragePool", [u8(2, 4, 5, 6), *scale(.1, 3), *scale(.05, 10)],
                       {"channels_last": 0}, [0], ONE_STEP),
    "global_average_last": ("QLinearGlobalAveragePool",
                            [u8(2, 4, 5, 6), *scale(.1, 3), *scale(.05, 10)],
                            {"channels_last": 1}, [0], ONE_STEP),
    "average": ("QLinearAveragePool", [u8(1, 4, 7, 6), *scale(.1, 3), *scale(.05, 10)],
                {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}, [0], ONE_STEP),
    "leaky_relu": ("QLinearLeakyRelu", [s8(3, 4), *scale(.1, 3, np.int8), *scale(.05, 10, np.int8)],
                   {"alpha": .1}, [0], ONE_STEP),
    "sigmoid": ("QLinearSigmoid", [u8(3, 4), *scale(.05, 128), *scale(1 / 256, 0)], {}, [0],
                ONE_STEP),
    "where": ("QLinearWhere", [u8(2, 3) > 100, u8(2, 3), *scale(.05, 3), u8(2, 3), *scale(.02, 0),
                               *scale(.03, 7)], {}, [0], ONE_STEP),
    "max_pool_nhwc": ("NhwcMaxPool", [u8(1, 7, 6, 4)],
                      {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}, [0], EXACT),
    "dynamic_matmul": ("DynamicQuantizeMatMul",
                       [f32(3, 8), u8(8, 5), *scale(.02, 120), f32(5)], {}, [0], LOOSE),
    "integer_to_float": ("MatMulIntegerToFloat",
                         [u8(2, 3, 8), s8(8, 5), one(.02), positive(5), one(7, np.uint8), s8(5),
                          f32(5)], {}, [0], LOOSE),
    "gemm": ("QGemm", [u8(3, 8), *scale(.02, 9), s8(8, 5), *scale(.05, 1, np.int8),
                       ids(5, -9, 40, 0, 7), *scale(.1, 120)], {}, [0], ONE_STEP),
    "gemm_to_float": ("QGemm", [u8(3, 8), *scale(.02, 9), s8(5, 8), positive(5), s8(5),
                                ids(5, -9, 40, 0, 7)], {"transB": 1, "alpha": 1.5}, [0], LOOSE),
    "fused_matmul": ("FusedMatMul", [f32(2, 8, 3), f32(2, 5, 8)],
                     {"transA": 1, "transB": 1, "alpha": .5}, [0], EXACT),
    "fused_conv": ("FusedConv", [f32(1, 4, 7, 7), f32(6, 4, 3, 3), f32(6), f32(1, 6, 5, 5)],
                   {"activation": "Relu", "kernel_shape": [3, 3]}, [0], EXACT),
    "fused_gemm": ("FusedGemm", [f32(3, 4), f32(5, 4), f32(5)],
                   {"transB": 1, "alpha": .5, "beta": 2., "activation": "LeakyRelu",
                    "activation_alpha": .3}, [0], EXACT),
    "skip_norm": ("SkipLayerNormalization",
                  [f32(2, 3, 8), f32(2, 3, 8), f32(8), f32(8), f32(8)], {"epsilon": 1e-5}, [0, 3],
                  EXACT),
    "embed_norm": ("EmbedLayerNormalization",
                   [TOKENS, TOKENS % 2, f32(11, 8), f32(7, 8), f32(2, 8), f32(8), f32(8),
                    (TOKENS > 2).astype(np.int32)], {"epsilon": 1e-5}, [0, 1], EXACT),
    "attention": ("Attention", [f32(2, 5, 8), f32(8, 24), f32(24)], {"num_heads": 2}, [0], EXACT),
    "attention_lengths": ("Attention", [f32(2, 5, 8), f32(8, 24), f32(24), ids(5, 3)],
                          {"num_heads": 2}, [0], EXACT),
    "attention_mask": ("Attention", [f32(2, 5, 8), f32(8, 24), f32(24), KEYS], {"num_heads": 2},
                       [0], EXACT),
    "attention_past": ("Attention", [f32(2, 5, 8), f32(8, 24), f32(24), None, f32(2, 2, 2, 3, 4)],
                       {"num_heads": 2, "unidirectional": 1}, [0, 1], EXACT),
    "attention_widths": ("Attention", [f32(2, 5, 8), f32(8, 20), f32(20)],
                         {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 4]}, [0], EXACT),
    "quantised_attention": ("QAttention", [u8(2, 5, 8), s8(8, 24), f32(24), one(.02), one(.02),
                                           None, one(128, np.uint8), one(3, np.int8)],
                            {"num_heads": 2}, [0], LOOSE),
    "multi_head": ("MultiHeadAttention", [f32(2, 5, 8), f32(2, 6, 8), f32(2, 6, 12), f32(28)],
                   {"num_heads": 2}, [0], EXACT),
    "multi_head_mask": ("MultiHeadAttention",
                        [f32(2, 5, 8), f32(2, 5, 8), f32(2, 5, 8), None, KEYS, f32(1, 2, 5, 5)],
                        {"num_heads": 2, "scale": .3}, [0], EXACT),
    "multi_head_past": ("MultiHeadAttention",
                        [f32(2, 5, 8), f32(2, 5, 8), f32(2, 5, 8), None, None, None,
                         f32(2, 2, 3, 4), f32(2, 2, 3, 4)],
                        {"num_heads": 2, "unidirectional": 1}, [0, 1, 2], EXACT),
    "group_query": ("GroupQueryAttention",
                    [f32(2, 5, 128), None, None, None, None, ids(4, 4), one(5, np.int32), *CACHE],
                    {"num_heads": 4, "kv_num_heads": 2, "do_rotary": 1}, [0, 1, 2], EXACT),
    "group_query_past": ("GroupQueryAttention",
                         [f32(2, 1, 64), f32(2, 1, 32), f32(2, 1, 32), f32(2, 2, 6, 16),
                          f32(2, 2, 6, 16), ids(6, 6), one(7, np.int32), *CACHE],
                         {"num_heads": 4, "kv_num_heads": 2, "do_rotary": 1,
                          "local_window_size": 4}, [0, 1, 2], EXACT),
    "group_query_sink": ("GroupQueryAttention",
                         [f32(2, 5, 64), f32(2, 5, 32), f32(2, 5, 32), None, None, ids(4, 4),
                          one(5, np.int32), *CACHE, None, f32(1, 4, 5, 5), f32(4)],
                         {"num_heads": 4, "kv_num_heads": 2, "softcap": 3.}, [0, 1, 2], EXACT),
    "group_query_sink_window": ("GroupQueryAttention",
                                [f32(2, 1, 64), f32(2, 1, 32), f32(2, 1, 32), f32(2, 2, 6, 16),
                                 f32(2, 2, 6, 16), ids(6, 6), one(7, np.int32), *CACHE, None,
                                 None, f32(4)],
                                {"num_heads": 4, "kv_num_heads": 2, "local_window_size": 3},
                                [0, 1, 2], EXACT),
    "group_query_smooth": ("GroupQueryAttention",
                           [f32(2, 5, 64), f32(2, 5, 32), f32(2, 5, 32), None, None, ids(4, 4),
                            one(5, np.int32), *CACHE],
                           {"num_heads": 4, "kv_num_heads": 2, "smooth_softmax": 1}, [0], EXACT),
    "group_query_bytes": ("GroupQueryAttention",
                          [f32(2, 1, 64), f32(2, 1, 32), f32(2, 1, 32), s8(2, 2, 6, 16),
                           s8(2, 2, 6, 16), ids(6, 6), one(7, np.int32), *CACHE, None, None, None,
                           positive(1) / 50, positive(1) / 50],
                          {"num_heads": 4, "kv_num_heads": 2, "k_quant_type": "PER_TENSOR",
                           "v_quant_type": "PER_TENSOR", "kv_cache_bit_width": 8}, [0, 1, 2],
                          LOOSE),
    "group_query_bytes_by_channel": (
        "GroupQueryAttention", [f32(2, 1, 64), f32(2, 1, 32), f32(2, 1, 32), s8(2, 2, 6, 16),
                                s8(2, 2, 6, 16), ids(6, 6), one(7, np.int32), *CACHE, None, None,
                                None, positive(1, 2, 1, 16) / 50, positive(1, 2, 1, 16) / 50],
        {"num_heads": 4, "kv_num_heads": 2, "k_quant_type": "PER_CHANNEL",
         "v_quant_type": "PER_CHANNEL", "kv_cache_bit_width": 8}, [0, 1, 2], LOOSE),
    "rotary": ("RotaryEmbedding", [f32(2, 5, 64), np.array([2]), *CACHE], {}, [0], EXACT),
    "rotary_interleaved": ("RotaryEmbedding",
                           [f32(2, 4, 5, 16), np.tile(np.arange(5), (2, 1)), *CACHE],
                           {"interleaved": 1}, [0], EXACT),
    "weights_of_4_bits": ("MatMulNBits", bits_of(5, 40, 16, 4, False),
                          {"N": 5, "K": 40, "block_size": 16, "bits": 4}, [0], LOOSE, (1, 2)),
    "weights_of_4_bits_zero": ("MatMulNBits", bits_of(5, 40, 16, 4, True),
                               {"N": 5, "K": 40, "block_size": 16, "bits": 4}, [0], LOOSE,
                               (1, 2, 3)),
    "weights_of_4_bits_real_zero": ("MatMulNBits", [*bits_of(5, 40, 16, 4, False), f32(5, 3)],
                                    {"N": 5, "K": 40, "block_size": 16, "bits": 4}, [0], LOOSE,
                                    (1, 2, 3)),
    "convolution_last": ("QLinearConv", [u8(1, 6, 7, 4), *scale(.02, 128), s8(5, 4, 3, 3),
                                         positive(5), np.zeros(5, np.int8), *scale(.5, 120),
                                         ids(9, -70, 3, 0, 55)],
                         {"pads": [1, 1, 1, 1], "channels_last": 1}, [0], ONE_STEP,
                         (3, 4, 5, 8)),
    "weights_of_8_bits": ("MatMulNBits", bits_of(5, 64, 32, 8, False),
                          {"N": 5, "K": 64, "block_size": 32, "bits": 8}, [0], LOOSE, (1, 2)),
    "gated_add": ("GatedAdd", [f32(2, 3, 8), f32(2, 3, 8), f32(2, 3, 1)], {}, [0], EXACT),
    "gated_norm": ("GatedRMSNorm", [f32(2, 3, 8), f32(4), f32(2, 3, 8)],
                   {"activation": "sigmoid", "epsilon": 1e-4}, [0], EXACT),
    "gated_norm_half": ("GatedRMSNorm", [half(2, 3, 8), half(8), half(2, 3, 8)], {}, [0],
                        LOOSE),
    "branches": ("BranchwiseRMSNorm", [f32(2, 3, 4, 5), f32(4, 5)], {}, [0], EXACT),
    "branches_flat": ("BranchwiseRMSNorm", [f32(2, 3, 20), f32(20)], {"num_branches": 4}, [0],
                      EXACT),
    "branches_one_scale": ("BranchwiseRMSNorm", [f32(2, 3, 20), f32(5)], {"num_branches": 4}, [0],
                           EXACT),
    "attention_gate": ("LinearAttentionGate", [f32(2, 3, 4), f32(4), f32(4), f32(2, 3, 4)], {},
                       [0, 1], EXACT),
    "linear_attention": ("LinearAttention",
                         [f32(2, 3, 16), f32(2, 3, 8), f32(2, 3, 6), f32(2, 2, 4, 3),
                          -positive(2, 3, 2), positive(2, 3, 2)],
                         {"q_num_heads": 4, "kv_num_heads": 2}, [0, 1], EXACT),
    "scaled_silu": ("ScaledSiLU", [f32(2, 7)], {"alpha": 1.7}, [0], EXACT),
    "scaled_silu_input": ("ScaledSiLU", [f32(2, 7), one(.6)], {}, [0], EXACT),
    "causal": ("CausalConvWithState", [f32(2, 3, 9), f32(3, 1, 4), f32(3), f32(2, 3, 3)],
               {"activation": "silu"}, [0, 1], EXACT),
    "causal_dilated": ("CausalConvWithState", [f32(2, 3, 9), f32(3, 1, 4), None, f32(2, 3, 6)],
                       {"dilation": 2}, [0, 1], EXACT),
    "distances": ("CDist", [f32(5, 4), f32(6, 4)], {"metric": "euclidean"}, [0], LOOSE),
    "distances_squared": ("CDist", [f32(5, 4), f32(6, 4)], {"metric": "sqeuclidean"}, [0], LOOSE),
    "pad": ("Pad", [f32(2, 3), np.array([0, 1, 2, 0]), one(.5)], {}, [0], EXACT),
    "range": ("Range", [one(2, np.int64), one(9, np.int64)], {}, [0], EXACT),
    "range_step": ("Range", [one(2.), one(-3.), one(-.5)], {}, [0], EXACT),
    "unfold": ("UnfoldTensor", [f32(2, 9, 3)], {"dim": 1, "size": 4, "step": 2}, [0], EXACT),
    "unfold_last": ("UnfoldTensor", [f32(2, 3, 9)], {"size": 3}, [0], EXACT),
    "unique": ("Unique", [np.array([2, 1, 1, 3, 4, 3], np.float32)], {}, [0, 1, 2], EXACT),
    "grid_sample": ("GridSample", [f32(1, 2, 5, 6), f32(1, 4, 3, 2)],
                    {"mode": "bilinear", "align_corners": 1}, [0], EXACT),
    "transpose_matmul": ("TransposeMatMul", [f32(2, 8, 3), f32(2, 8, 5)],
                         {"transA": 1, "alpha": .5}, [0], EXACT),
    "matmul_16": ("MatMulInteger16", [u8(3, 8).astype(np.int16) * 9, s8(8, 5).astype(np.int16) * 7],
                  {}, [0], EXACT),
    "gather_blocks": ("GatherBlockQuantized", [u8(11, 32), np.array([[3, 0], [10, -1]]),
                                               positive(11, 4), u8(11, 2)],
                      {"block_size": 16, "bits": 4, "quantize_axis": 1}, [0], EXACT, (0, 2, 3)),
    "gather_blocks_of_8": ("GatherBlockQuantized", [u8(11, 32), ids(3, 10), positive(11, 2)],
                           {"block_size": 16, "bits": 8, "quantize_axis": 1}, [0], EXACT, (0, 2)),
    "bnb_fp4": ("MatMulBnb4", [f32(3, 32), u8(80), positive(10)],
                {"N": 5, "K": 32, "block_size": 16, "quant_type": 0}, [0], LOOSE, (1, 2)),
    "bnb_nf4": ("MatMulBnb4", [f32(3, 32), u8(80), positive(10)],
                {"N": 5, "K": 32, "block_size": 16, "quant_type": 1}, [0], LOOSE, (1, 2)),
    "quantised_embed": ("QEmbedLayerNormalization",
                        [TOKENS, TOKENS % 2, u8(11, 8), u8(7, 8), u8(2, 8), u8(8), u8(8),
                         (TOKENS > 2).astype(np.int32), *[one(x) for x in (.02, .03, .01, .05, .04)],
                         *[one(x, np.uint8) for x in (120, 9, 30, 100, 128)]],
                        {"epsilon": 1e-5}, [0, 1], EXACT),
    "rounded_lstm": ("DynamicQuantizeLSTM", rounded_lstm(2),
                     {"hidden_size": 5, "direction": "bidirectional"}, [0, 1, 2], (.05, .02)),
}

# The same of the standard's domain; the operator's name carries the opset.
STANDARD = {
    "lstm": ("LSTM-14", [*GATES, ids(4, 2, 3), f32(2, 3, 5), f32(2, 3, 5), f32(2, 15)],
             {"hidden_size": 5, "direction": "bidirectional", "clip": .7}, [0, 1, 2], EXACT),
    "lstm_functions": ("LSTM-14", [GATES[0], GATES[1][:1], GATES[2][:1]],
                       {"hidden_size": 5, "direction": "reverse",
                        "activations": ["HardSigmoid", "ScaledTanh", "LeakyRelu"],
                        "activation_alpha": [.3, .9, .05], "activation_beta": [.4, .8]},
                       [0, 1, 2], EXACT),
    "gru": ("GRU-14", [GATES[0], f32(2, 15, 6), f32(2, 15, 5), f32(2, 30), ids(4, 2, 3),
                       f32(2, 3, 5)],
            {"hidden_size": 5, "direction": "bidirectional", "linear_before_reset": 1}, [0, 1],
            EXACT),
    "conv_transpose": ("ConvTranspose-11", [f32(1, 4, 5, 6), f32(4, 3, 3, 2), f32(6)],
                       {"group": 2, "strides": [2, 3], "pads": [1, 0, 0, 1],
                        "output_padding": [1, 1], "dilations": [1, 2]}, [0], EXACT),
    "conv_transpose_shape": ("ConvTranspose-11", [f32(1, 4, 5, 6), f32(4, 3, 3, 3)],
                             {"strides": [3, 2], "output_shape": [15, 12]}, [0], EXACT),
    "conv_same": ("Conv-11", [f32(1, 4, 5, 6, 7), f32(6, 2, 3, 2, 3), f32(6)],
                  {"group": 2, "strides": [2, 1, 2], "auto_pad": "SAME_LOWER"}, [0], EXACT),
    "max_pool_indices": ("MaxPool-12", [f32(1, 2, 7, 6)],
                         {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1,
                          "pads": [1, 0, 1, 0], "dilations": [1, 2]}, [0, 1], EXACT),
    "max_pool_columns": ("MaxPool-12", [f32(2, 2, 7, 6)],
                         {"kernel_shape": [3, 2], "storage_order": 1}, [0, 1], EXACT),
    "boxes": ("NonMaxSuppression-11", [BOXES, f32(2, 3, 9), np.array([4]),
                                       np.array([.3], np.float32), np.array([.1], np.float32)],
              {}, [0], EXACT),
    "regions": ("RoiAlign-16", [f32(2, 3, 7, 8), REGIONS, np.array([0, 1, 1])],
                {"output_height": 3, "output_width": 2, "spatial_scale": .8}, [0], EXACT),
    "region_maxima": ("MaxRoiPool-11", [f32(2, 3, 7, 8),
                                        np.array([[0, 0, 0, 3, 4], [1, 2, 2, 6, 6]], np.float32)],
                      {"pooled_shape": [3, 2], "spatial_scale": .9}, [0], EXACT),
    "convolution_of_bytes": ("QLinearConv-10", [u8(1, 4, 6, 6), *scale(.02, 128), s8(5, 4, 3, 3),
                                                positive(5), np.zeros(5, np.int8), *scale(.5, 120),
                                                ids(9, -70, 3, 0, 55)],
                             {"pads": [1, 1, 1, 1]}, [0], ONE_STEP),
}
for _equation, _left, _right in (("bhid,bhjd->bhij", (2, 3, 4, 5), (2, 3, 6, 5)),
                                 ("bihd,bjhd->bhij", (2, 4, 3, 5), (2, 6, 3, 5)),
                                 ("bhij,bjhd->bihd", (2, 3, 4, 6), (2, 6, 3, 5)),
                                 ("abc,cde->abde", (2, 3, 4), (4, 5, 6)),
                                 ("abcd,cdef->feba", (2, 3, 4, 5), (4, 5, 6, 7)),
                                 ("ab,ab->", (3, 4), (3, 4)), ("ab,b->a", (3, 4), (4,)),
                                 ("ba,cb->ca", (3, 4), (5, 3)), ("i,j->ij", (3,), (4,)),
                                 ("ab,bc->a", (3, 4), (4, 5)), ("aab,bc->ac", (3, 3, 4), (4, 5)),
                                 ("b...j,jk->b...k", (2, 3, 4), (4, 5)),
                                 ("ab,cb->ac", (3, 4), (5, 1))):
    STANDARD[f"einsum_{_equation}"] = ("Einsum-12", [f32(*_left), f32(*_right)],
                                       {"equation": _equation}, [0], EXACT)
for _mode in ("nearest", "linear", "cubic"):
    for _place in ("half_pixel", "pytorch_half_pixel", "asymmetric"):
        for _factors in ([1, 1, .6, 1.7], [1, 1, 2, 3], [1, 1, .5, .25]):
            STANDARD[f"resize_{_mode}_{_place}_{_factors[2]}"] = (
                "Resize-13", [f32(1, 2, 6, 7), None, np.array(_factors, np.float32)],
                {"mode": _mode, "coordinate_transformation_mode": _place, "nearest_mode": "floor"},
                [0], EXACT)
for _mode in ("bilinear", "nearest", "bicubic"):
    for _padding in ("zeros", "border", "reflection"):
        STANDARD[f"sample_{_mode}_{_padding}"] = (
            "GridSample-16", [f32(2, 3, 5, 6), f32(2, 4, 3, 2)],
            {"mode": _mode, "padding_mode": _padding, "align_corners": 0}, [0], EXACT)


def model_of(domain, opset, operator, inputs, attributes, outputs, constants):
    """A model of one node, and what to feed it."""
    names = [f"in{i}" if value is not None else "" for i, value in enumerate(inputs)]
    results = [f"out{i}" if i in outputs else "" for i in range(max(outputs) + 1)]
    given = {name: value for name, value in zip(names, inputs) if name}
    fixed = {name: given.pop(name) for name in [names[i] for i in constants]}
    graph = helper.make_graph(
        [helper.make_node(operator, names, results, domain=domain, **attributes)], "one",
        [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype),
                                       value.shape) for name, value in given.items()],
        [helper.make_empty_tensor_value_info(name) for name in results if name],
        [numpy_helper.from_array(value, name) for name, value in fixed.items()])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10), given


def check(open_engine, domain, opset, operator, inputs, attributes, outputs, tolerance,
          constants=()):
    model, feeds = model_of(domain, opset, operator, inputs, attributes, outputs, constants)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = dict(zip([port.name for port in session.get_outputs()], session.run(None, feeds)))
    got = open_engine(model).run(feeds)
    for name, want in wanted.items():
        assert got[name].dtype == want.dtype and got[name].shape == want.shape, name
        np.testing.assert_allclose(got[name].astype(np.float64), want.astype(np.float64),
                                   rtol=tolerance[0], atol=tolerance[1], err_msg=name)


@pytest.mark.parametrize("name", CASES)
def test_microsoft(name, open_engine):
    check(open_engine, MICROSOFT, 21, *CASES[name])


@pytest.mark.parametrize("name", STANDARD)
def test_standard(name, open_engine):
    operator, *rest = STANDARD[name]
    operator, opset = operator.split("-")
    check(open_engine, "", int(opset), operator, *rest)




def test_group_query_in_a_buffer(open_engine):
    """The past has room for what comes, and the sequences differ in length."""
    last = ids(6, 3)
    inputs = [f32(2, 1, 64), f32(2, 1, 32), f32(2, 1, 32), f32(2, 2, 9, 16), f32(2, 2, 9, 16), last,
              one(7, np.int32), *CACHE]
    model, feeds = model_of(MICROSOFT, 21, "GroupQueryAttention", inputs,
                            {"num_heads": 4, "kv_num_heads": 2, "do_rotary": 1}, [0, 1, 2], ())
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted, got = session.run(None, feeds), open_engine(model).run(feeds)
    np.testing.assert_allclose(got["out0"], wanted[0], rtol=EXACT[0], atol=EXACT[1])
    for name, want in zip(("out1", "out2"), wanted[1:]):
        assert got[name].shape == want.shape
        for ours, theirs, count in zip(got[name], want, last + 1):  # what lies behind is anybody's
            np.testing.assert_allclose(ours[:, :count], theirs[:, :count], rtol=EXACT[0], atol=EXACT[1])


def test_group_query_norms(open_engine):
    """ONNX Runtime normalises queries and keys on GPUs only: it gets them normalised."""
    q, k, scales = f32(2, 5, 4, 16), f32(2, 5, 2, 16), (f32(16), f32(16))
    rest = [f32(2, 5, 32), None, None, ids(4, 4), one(5, np.int32), *CACHE]
    said = {"num_heads": 4, "kv_num_heads": 2, "do_rotary": 1}
    normal = [x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * scale
              for x, scale in zip((q, k), scales)]
    flat = [[x.reshape(2, 5, -1) for x in pair] for pair in ((q, k), normal)]
    model, feeds = model_of(MICROSOFT, 21, "GroupQueryAttention", [*flat[1], *rest], said, [0, 1, 2],
                            ())
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = session.run(None, feeds)
    model, feeds = model_of(MICROSOFT, 21, "GroupQueryAttention",
                            [*flat[0], *rest, *[None] * 5, *scales], said, [0, 1, 2], ())
    got = open_engine(model).run(feeds)
    for name, want in zip(("out0", "out1", "out2"), wanted):
        np.testing.assert_allclose(got[name], want, rtol=EXACT[0], atol=EXACT[1])


# Operators that ONNX Runtime knows and runs on GPUs only, against their definition.
def test_skip_group_norm(open_engine):
    x, skip, gamma, beta, bias = f32(2, 3, 4, 8), f32(2, 8), f32(8), f32(8), f32(8)
    model, feeds = model_of(MICROSOFT, 21, "SkipGroupNorm", [x, gamma, beta, skip, bias],
                            {"groups": 2, "epsilon": 1e-5, "activation": 1}, [0, 1], ())
    total = x + skip[:, None, None] + bias
    rows = total.reshape(2, 12, 2, 4)
    rows = rows - rows.mean((1, 3), keepdims=True)
    want = (rows / np.sqrt(rows.var((1, 3), keepdims=True) + 1e-5)).reshape(x.shape) * gamma + beta
    got = open_engine(model).run(feeds)
    np.testing.assert_allclose(got["out0"], want / (1 + np.exp(-want)), rtol=EXACT[0], atol=EXACT[1])
    np.testing.assert_allclose(got["out1"], total, rtol=EXACT[0], atol=EXACT[1])


def test_gemm_fast_gelu(open_engine):
    x, w, bias = f32(3, 5), f32(5, 4), f32(4)
    model, feeds = model_of(MICROSOFT, 21, "GemmFastGelu", [x, w, bias], {}, [0], ())
    y = x @ w + bias
    want = y / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + .044715 * y ** 3)))
    np.testing.assert_allclose(open_engine(model).run(feeds)["out0"], want, rtol=EXACT[0], atol=EXACT[1])
