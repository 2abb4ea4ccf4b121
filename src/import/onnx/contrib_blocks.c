/* Tables and weights of few bits in blocks, as com.microsoft packs them into bytes. What unpacks
 * them is emitted, so that constants fold and only rows that are looked up are unpacked.
 * Room: import. */
#include "import/onnx/map.h"

static hone_value *ints(hone_call *call, int64_t value) {
  return hone_emit_ints(call, &value, 1);
}

static hone_value *byte(hone_call *call, int64_t value) {
  return hone_emit_cast(call, hone_emit_int(call, value), HONE_U8);
}

/* u8 [..., n] as [..., n * 8 / bits] of the numbers in the bytes, the low bits first, or last. */
static hone_value *unpack(hone_call *call, hone_value *x, int64_t bits, bool high_first) {
  int rank = hone_emit_rank(call, x);
  int64_t shifts[8], count = 8 / bits;
  if (count == 1) return x;
  for (int64_t i = 0; i < count; i++) shifts[i] = bits * (high_first ? count - 1 - i : i);
  hone_value *by = hone_emit_cast(call, hone_emit_ints(call, shifts, (size_t)count), HONE_U8);
  hone_value *parts =
      HONE_EMIT(call, "shift_right", HONE_EMIT(call, "unsqueeze", x, ints(call, -1)), by);
  parts = HONE_EMIT(call, "bit_and", parts, byte(call, (1 << bits) - 1));
  hone_node *node =
      HONE_EMIT_BEGIN(call, "concat", hone_emit_dims(call, x, 0, rank - 1), ints(call, -1));
  hone_emit_set_int(call, node, "axis", 0);
  return HONE_EMIT(call, "reshape", parts, hone_emit_end(call, node));
}

static hone_value *rows_of(hone_call *call, hone_value *table, hone_value *indices) {
  return HONE_EMIT(call, "gather", table, indices);
}

/* Rows looked up in a table whose last axis is quantised in blocks, each with its scale. */
static hone_status *import_gather_block_quantized(hone_call *call) {
  hone_value *data = hone_onnx_need(call, 0), *indices = hone_onnx_need(call, 1);
  hone_value *scales = hone_onnx_need(call, 2), *zeros = hone_onnx_in(call, 3);
  int rank = hone_emit_rank(call, data);
  int64_t bits = hone_onnx_int_in(call, "bits", 4, 2, 8);
  int64_t block = hone_onnx_int_in(call, "block_size", 128, 16, INT32_MAX);
  int axis = hone_emit_axis(call, hone_onnx_int(call, "quantize_axis", 1), rank);
  if (hone_emit_axis(call, hone_onnx_int(call, "gather_axis", 0), rank) != 0 || axis != rank - 1)
    return hone_emit_fail(call, HONE_UNSUPPORTED,
                          "tables looked up by another axis than the first, or quantised along "
                          "another than the last");
  bool packed = data->type.dtype == HONE_U8;
  if (!packed && data->type.dtype != HONE_U4 && data->type.dtype != HONE_S4)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "tables of this type");
  scales = rows_of(call, scales, indices);
  data = rows_of(call, data, indices);
  if (packed) data = unpack(call, data, bits, false);
  int out = hone_emit_rank(call, scales);
  hone_value *shape = hone_emit_dims(call, scales, 0, out);
  if (zeros) {
    zeros = rows_of(call, zeros, indices);
    if (packed) zeros = unpack(call, zeros, bits, false);
    zeros = HONE_EMIT(call, "slice", zeros, ints(call, 0),
                      hone_emit_dims(call, scales, out - 1, out), ints(call, -1));
  } else if (packed) {
    zeros = HONE_EMIT(call, "expand", byte(call, 1 << (bits - 1)), shape);
  }
  hone_node *node = HONE_EMIT_BEGIN(call, "dequantize", data, scales, zeros);
  hone_emit_set_int(call, node, "axis", -1);
  hone_emit_set_int(call, node, "block", block);
  hone_emit_set_int(call, node, "dtype", scales->type.dtype);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

/* The sixteen numbers of bitsandbytes' FP4 and NF4; NF4 are quantiles of the normal distribution
 * (Dettmers et al., "QLoRA", 2023, appendix E), FP4 has one sign, two exponent bits and one bit of
 * mantissa, its largest number being 1. */
static const double bnb4_numbers[2][16] = {
    {0, 0.00520833333, 0.66666667, 1, 0.33333333, 0.5, 0.16666667, 0.25, -0.0, -0.00520833333,
     -0.66666667, -1, -0.33333333, -0.5, -0.16666667, -0.25},
    {-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
     -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
     0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
     0.7229568362236023, 1}};

static hone_status *import_matmul_bnb4(hone_call *call) {
  hone_value *a = hone_onnx_need(call, 0), *b = hone_onnx_need(call, 1);
  hone_value *most = hone_onnx_need(call, 2);
  int64_t n = hone_onnx_int_in(call, "N", 0, 1, INT32_MAX);
  int64_t k = hone_onnx_int_in(call, "K", 0, 1, INT32_MAX);
  int64_t block = hone_onnx_int_in(call, "block_size", 0, 16, INT32_MAX);
  int64_t kind = hone_onnx_int_in(call, "quant_type", 0, 0, 1);
  if (call->status) return NULL;
  if (n * k % block != 0)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "weights that are no whole number of blocks");
  hone_shape sixteen = {.rank = 1, .dim = {16}};
  hone_value *numbers = hone_emit_cast(
      call, hone_emit_const(call, HONE_F64, sixteen, bnb4_numbers[kind], sizeof bnb4_numbers[0]),
      a->type.dtype);
  hone_value *places = hone_emit_cast(call, unpack(call, b, 4, true), HONE_S32);
  hone_value *values = hone_emit_reshape(call, HONE_EMIT(call, "gather", numbers, places),
                                         (const int64_t[]){-1, block}, 2);
  values = HONE_EMIT(call, "mul", values, HONE_EMIT(call, "unsqueeze", most, ints(call, -1)));
  bool transposed = hone_onnx_flag(call, "transB", true);
  values =
      hone_emit_reshape(call, values, (const int64_t[]){transposed ? n : k, transposed ? k : n}, 2);
  hone_node *node = HONE_EMIT_BEGIN(call, "matmul", a, values);
  hone_emit_set_int(call, node, "transpose_b", transposed);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

const hone_onnx_row hone_onnx_contrib_blocks[] = {
    {"com.microsoft", "GatherBlockQuantized", 1, 0, .import = import_gather_block_quantized},
    {"com.microsoft", "MatMulBnb4", 1, 0, .import = import_matmul_bnb4},
    {0}};
