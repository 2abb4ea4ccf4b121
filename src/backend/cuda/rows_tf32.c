/* Products and convolutions of f32 by constants that may be multiplied as TF32, by wgmma on compute
 * capability 9.0. Its instructions want both operands along the depth, so that the constant lies in an
 * order of its own. What is multiplied is rounded to nearest: the constant here, the rest by the copy
 * engine on its way. Room: backend/cuda. */
#include "backend/cuda/packs.h"
#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"
#include "backend/cuda/windows.h"
#include "ops/conv_shape.h"

/* The constant as [taps, depth, columns]; of a matrix that is transposed already, [columns, depth]. */
typedef struct filters {
  size_t taps, depth, columns;
  bool by_depth;
} filters;

static filters filters_of(const hone_node *node) {
  const hone_shape *w = &node->inputs[1].value->type.shape;
  bool by_depth = hone_cuda_right_by_depth(node);
  int depth = w->rank - (by_depth ? 1 : 2), columns = w->rank - (by_depth ? 2 : 1);
  filters f = {1, (size_t)w->dim[depth], (size_t)w->dim[columns], by_depth};
  for (int i = 0; i < w->rank - 2; i++) f.taps *= (size_t)w->dim[i];
  return f;
}

/* ---- The order -------------------------------------------------------------------------------- */

/* To 10 bits of fraction, to nearest, halves away from 0, as cvt.rna does; infinities and NaN stay. */
static uint32_t to_tf32(uint32_t bits) {
  return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & ~0x1fffu;
}

#define STRIP 16 /* columns that are written side by side: a line of the cache is read once */

static void turn_strip(const uint32_t *from, size_t depth, size_t columns, size_t count, uint32_t *to) {
  for (size_t k = 0; k < depth; k++)
    for (size_t n = 0; n < count; n++) to[n * depth + k] = to_tf32(from[k * columns + n]);
}

/* To [taps, columns, depth]. */
static void put_by_depth(const hone_node *node, const void *from, void *to) {
  filters f = filters_of(node);
  size_t each = f.depth * f.columns;
  const uint32_t *bits = from;
  uint32_t *out = to;
  for (size_t i = 0; f.by_depth && i < each; i++) out[i] = to_tf32(bits[i]);
  for (size_t tap = 0; !f.by_depth && tap < f.taps; tap++)
    for (size_t n = 0; n < f.columns; n += STRIP) {
      size_t count = f.columns - n < STRIP ? f.columns - n : STRIP;
      turn_strip(bits + tap * each + n, f.depth, f.columns, count, out + tap * each + n * f.depth);
    }
}

static size_t size_by_depth(const hone_node *node) {
  filters f = filters_of(node);
  return f.taps * f.depth * f.columns * sizeof(float);
}

#define MOST_TAPS (1 << 15) /* so that all sizes stand in one number */
#define MOST      (1 << 24)

static uint64_t key_by_depth(const hone_node *node) {
  filters f = filters_of(node);
  return (uint64_t)f.taps << 49 | (uint64_t)f.depth << 25 | (uint64_t)f.columns << 1 | f.by_depth;
}

static const hone_cuda_order by_depth = {
    .input = 1, .key = key_by_depth, .size = size_by_depth, .put = put_by_depth};

/* ---- The rows --------------------------------------------------------------------------------- */

/* A right operand whose rows lie at multiples of 16 bytes, by columns that are finished in eights. */
static bool has_filters(const hone_node *node) {
  const hone_value *w = node->inputs[1].value;
  if (node->inputs[0].value->type.dtype != HONE_F32 || !hone_value_is_constant(w)) return false;
  filters f = filters_of(node);
  return f.taps < MOST_TAPS && f.depth > 0 && f.depth < MOST && f.depth % 4 == 0 && f.columns > 0 &&
         f.columns < MOST && f.columns % 8 == 0;
}

static bool accepts_conv(const hone_node *node) {
  return node->op == &hone_op_conv && hone_cuda_on_tensor_cores(node, false) &&
         hone_cuda_has_two_axes(node->inputs[0].value) && hone_node_int(node, "groups") == 1 &&
         has_filters(node);
}

static bool accepts_matmul(const hone_node *node) {
  return node->op == &hone_op_matmul && hone_cuda_on_tensor_cores(node, false) &&
         node->inputs[0].value->type.shape.rank >= 2 && !hone_node_flag(node, "transpose_a") &&
         node->inputs[1].value->type.shape.rank == 2 && has_filters(node);
}

const hone_cuda_kernel hone_cuda_kernel_conv_tf32 = {.name = "conv_tf32",
                                                     .candidate = "cuda.conv_tf32",
                                                     .variants = HONE_CUDA_TF32_VARIANTS,
                                                     .only_chosen = true,
                                                     .forms = HONE_CUDA_TF32_FORMS,
                                                     .first_tile = HONE_CUDA_FIRST_TF32_TILE,
                                                     .least_sm = 90,
                                                     .last_sm = 90,
                                                     .on_tensor_cores = true,
                                                     .pointers = 4,
                                                     .finishes = true,
                                                     .widely = true,
                                                     .bias = HONE_CONV_BIAS,
                                                     .accepts = accepts_conv,
                                                     .define = hone_cuda_define_tensor,
                                                     .settle = hone_cuda_settle_arranged,
                                                     .drop = hone_cuda_drop_arranged,
                                                     .order = &by_depth,
                                                     .plan = hone_cuda_plan_conv};

const hone_cuda_kernel hone_cuda_kernel_matmul_tf32 = {.name = "matmul_tf32",
                                                       .candidate = "cuda.matmul_tf32",
                                                       .variants = HONE_CUDA_TF32_VARIANTS,
                                                       .only_chosen = true,
                                                       .forms = HONE_CUDA_TF32_FORMS,
                                                       .first_tile = HONE_CUDA_FIRST_TF32_TILE,
                                                       .least_sm = 90,
                                                       .last_sm = 90,
                                                       .on_tensor_cores = true,
                                                       .pointers = 4,
                                                       .finishes = true,
                                                       .widely = true,
                                                       .bias = 2,
                                                       .accepts = accepts_matmul,
                                                       .define = hone_cuda_define_tensor,
                                                       .settle = hone_cuda_settle_arranged,
                                                       .drop = hone_cuda_drop_arranged,
                                                       .order = &by_depth,
                                                       .plan = hone_cuda_plan_matmul};
