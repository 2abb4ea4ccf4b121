/* Convolutions and products of com.microsoft: with an activation, with weights of few bits.
 * Room: import. */
#include <string.h>

#include "import/onnx/windows.h"

static hone_value *ints(hone_call *call, int64_t value) {
  return hone_emit_ints(call, &value, 1);
}

/* The activation that a fused operator names; NULL or "" is none. Parameters in order. */
static hone_value *activate(hone_call *call, hone_value *x, const char *name, const double *params,
                            size_t count) {
  static const struct {
    const char *onnx, *hone, *attrs[2];
  } rows[] = {{"Relu", "relu", {NULL}},
              {"Tanh", "tanh", {NULL}},
              {"Sigmoid", "sigmoid", {NULL}},
              {"LeakyRelu", "leaky_relu", {"alpha", NULL}},
              {"HardSigmoid", "hard_sigmoid", {"alpha", "beta"}}};
  hone_dtype dtype = x->type.dtype;
  if (!*name) return x;
  if (strcmp(name, "Clip") == 0 && count == 2)
    return HONE_EMIT(call, "clip", x, hone_emit_real(call, dtype, params[0]),
                     hone_emit_real(call, dtype, params[1]));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (strcmp(name, rows[i].onnx) != 0) continue;
    hone_node *node = HONE_EMIT_BEGIN(call, rows[i].hone, x);
    for (size_t k = 0; k < 2 && k < count && rows[i].attrs[k]; k++)
      hone_emit_set_real(call, node, rows[i].attrs[k], params[k]);
    return hone_emit_end(call, node);
  }
  hone_emit_fail(call, HONE_UNSUPPORTED, "the activation '%.40s'", name);
  return x;
}

static hone_status *import_fused_conv(hone_call *call) {
  hone_value *w = hone_onnx_need(call, 1), *z = hone_onnx_in(call, 3);
  int rank = hone_emit_rank(call, w);
  hone_value *y = hone_onnx_convolve(call, hone_onnx_need(call, 0), w, hone_onnx_in(call, 2));
  if (z) y = HONE_EMIT(call, "add", y, hone_onnx_to_last(call, z, rank));
  size_t count;
  const double *params = hone_onnx_reals(call, "activation_params", &count);
  y = activate(call, y, hone_onnx_text(call, "activation", ""), params, count);
  hone_onnx_return(call, 0, hone_onnx_to_first(call, y, rank));
  return NULL;
}

static hone_status *import_fused_gemm(hone_call *call) {
  hone_value *c = hone_onnx_in(call, 2);
  double beta = hone_onnx_real(call, "beta", 1);
  if (c && beta != 1) c = HONE_EMIT(call, "mul", c, hone_emit_real(call, c->type.dtype, beta));
  hone_node *node =
      HONE_EMIT_BEGIN(call, "matmul", hone_onnx_need(call, 0), hone_onnx_need(call, 1), c);
  hone_emit_set_int(call, node, "transpose_a", hone_onnx_flag(call, "transA", false));
  hone_emit_set_int(call, node, "transpose_b", hone_onnx_flag(call, "transB", false));
  hone_emit_set_real(call, node, "alpha", hone_onnx_real(call, "alpha", 1));
  double params[2] = {hone_onnx_real(call, "activation_alpha", 0),
                      hone_onnx_real(call, "activation_beta", 0)};
  size_t given = hone_onnx_has(call, "activation_beta")    ? 2
                 : hone_onnx_has(call, "activation_alpha") ? 1
                                                           : 0;
  const char *name = hone_onnx_text(call, "activation", "");
  hone_onnx_return(call, 0, activate(call, hone_emit_end(call, node), name, params, given));
  return NULL;
}

/* A constant of `bits` a number in u8 rows as a tensor [rows, columns] of that type; `row_bytes`
 * is what a row takes, padding included. */
static hone_value *repack(hone_call *call, const hone_value *packed, hone_dtype dtype, size_t rows,
                          size_t columns, size_t row_bytes) {
  size_t bytes, least, unit = hone_dtype_bits(dtype);
  hone_shape shape = hone_shape_of(2, (hone_dim[]){(hone_dim)rows, (hone_dim)columns});
  bool fits = hone_shape_bytes(&shape, dtype, &bytes) && hone_mul(rows, row_bytes, &least) &&
              packed->constant && packed->constant_size >= least;
  if (!fits) {
    hone_emit_fail(call, HONE_UNSUPPORTED, "weights that are no constant of the right size");
    return NULL;
  }
  hone_value_fix(packed);
  uint8_t *copy = hone_alloc_zero(bytes + 1);
  if (!copy) {
    hone_emit_fail(call, HONE_OUT_OF_MEMORY, "no memory for weights");
    return NULL;
  }
  for (size_t row = 0; row < rows; row++)
    for (size_t i = 0; i < columns; i++) {
      const uint8_t *from = (const uint8_t *)packed->constant + row * row_bytes;
      hone_store_int(dtype, copy, row * columns + i, hone_load_int(dtype, from, i));
    }
  hone_value *value = unit ? hone_emit_const(call, dtype, shape, copy, bytes) : NULL;
  hone_free(copy);
  return value;
}

/* A tensor [rows, columns] of the middle of the type's range: the zero point where none is given.
 */
static hone_value *middle_of(hone_call *call, hone_dtype dtype, int64_t rows, int64_t columns) {
  int64_t middle = (int64_t)1 << (hone_dtype_bits(dtype) - 1);
  hone_value *one = hone_emit_cast(call, hone_emit_int(call, middle), dtype);
  return HONE_EMIT(call, "expand", one, hone_emit_ints(call, (int64_t[]){rows, columns}, 2));
}

/* b [n, blocks * block] minus one number a block, [n, blocks]. */
static hone_value *shift_blocks(hone_call *call, hone_value *b, hone_value *by, int64_t n,
                                int64_t blocks, int64_t block) {
  hone_value *whole = hone_emit_reshape(call, b, (const int64_t[]){n, blocks, block}, 3);
  by = HONE_EMIT(call, "unsqueeze", by, ints(call, 2));
  whole = HONE_EMIT(call, "sub", whole, by);
  return hone_emit_reshape(call, whole, (const int64_t[]){n, blocks * block}, 2);
}

static hone_status *import_matmul_bits(hone_call *call) {
  int64_t n = hone_onnx_int_in(call, "N", 0, 1, INT32_MAX);
  int64_t k = hone_onnx_int_in(call, "K", 0, 1, INT32_MAX);
  int64_t block = hone_onnx_int_in(call, "block_size", 0, 16, 1 << 20);
  int64_t bits = hone_onnx_int_in(call, "bits", 4, 2, 8);
  hone_dtype dtype = bits == 8 ? HONE_U8 : bits == 4 ? HONE_U4 : HONE_U2;
  hone_value *b = hone_onnx_need(call, 1), *scales = hone_onnx_need(call, 2);
  hone_value *zeros = hone_onnx_in(call, 3), *shift;
  if (call->status) return NULL;
  if (hone_onnx_in(call, 4) || hone_onnx_int(call, "weight_prepacked", 0) ||
      (bits != 2 && bits != 4 && bits != 8))
    return hone_emit_fail(call, HONE_UNSUPPORTED, "weights in this packing");
  int64_t blocks = (k + block - 1) / block, columns = blocks * block;
  b = repack(call, b, dtype, (size_t)n, (size_t)columns, (size_t)(columns * bits / 8));
  bool real_zeros = zeros && zeros->type.dtype != HONE_U8;
  scales = hone_emit_reshape(call, scales, (const int64_t[]){n, blocks}, 2);
  if (real_zeros)
    shift = HONE_EMIT(call, "mul", hone_emit_reshape(call, zeros, (const int64_t[]){n, blocks}, 2),
                      scales);
  else
    shift = NULL;
  zeros = real_zeros ? NULL
          : zeros    ? repack(call, zeros, dtype, (size_t)n, (size_t)blocks,
                              (size_t)((blocks * bits + 7) / 8))
                     : middle_of(call, dtype, n, blocks);
  if (!b || (!zeros && !real_zeros)) return NULL;
  hone_node *node = HONE_EMIT_BEGIN(call, "dequantize", b, scales, zeros);
  hone_emit_set_int(call, node, "axis", 1);
  hone_emit_set_int(call, node, "block", block);
  hone_emit_set_int(call, node, "dtype", scales->type.dtype);
  b = hone_emit_end(call, node);
  if (shift) b = shift_blocks(call, b, shift, n, blocks, block);
  if (columns != k) b = HONE_EMIT(call, "slice", b, ints(call, 0), ints(call, k), ints(call, 1));
  node = HONE_EMIT_BEGIN(call, "matmul", hone_onnx_need(call, 0), b, hone_onnx_in(call, 5));
  hone_emit_set_int(call, node, "transpose_b", true);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

const hone_onnx_row hone_onnx_contrib_fused[] = {
    {"com.microsoft", "FusedConv", 1, 0, .import = import_fused_conv},
    {"com.microsoft", "FusedGemm", 1, 0, .import = import_fused_gemm},
    {"com.microsoft", "MatMulNBits", 1, 0, .import = import_matmul_bits},
    {0}};
