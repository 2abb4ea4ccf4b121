/* matmul nodes: rows gemm (a constant right side, packed) and matmul (any two operands).
 * Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/products/conv.h"
#include "backend/cpu/products/gemm.h"
#include "backend/cpu/products/matmul.h"
#include "backend/cpu/products/thin.h"
#include "backend/cpu/nodes/node.h"

enum { A, B, BIAS };

static const hone_tile_set *tiles_of(const hone_cpu_kernel *row) {
  const hone_tile_set *const *set = hone_tile_sets_f32;
  while (*set && (*set)->isa != row->isa) set++;
  return *set;
}

static double macs(const hone_shape *a, const hone_shape *y, bool transpose_a) {
  size_t count = 0;
  hone_shape_count(y, &count);
  return (double)count * (double)a->dim[a->rank - (transpose_a ? 2 : 1)];
}

/* A bias is one number a column, or has the result's shape. */
static bool accepts_bias(const hone_node *node) {
  const hone_value *bias = hone_node_in(node, BIAS);
  if (!bias) return true;
  const hone_shape *shape = &bias->type.shape, *y = &node->outputs[0]->type.shape;
  if (bias->type.dtype != HONE_F32 || shape->rank < 1) return false;
  if (hone_shape_equal(shape, y)) return !bias->constant;
  for (int i = 0; i < shape->rank - 1; i++)
    if (shape->dim[i] != 1) return false;
  return shape->dim[shape->rank - 1] == y->dim[y->rank - 1];
}

/* f32, or bf16 that nothing but casts shows. */
static bool accepts_common(const hone_node *node) {
  bool lowered = hone_node_is_lowered(node);
  for (int i = A; i <= B; i++) {
    const hone_value *in = hone_node_operand(node, i);
    bool is_own = in == node->inputs[i].value;
    bool rounded = i == B && in->constant &&
                   (is_own ? lowered && in->type.dtype == HONE_BF16 : in->type.dtype != HONE_F32);
    int rank = in->type.shape.rank;
    if ((in->type.dtype != HONE_F32 && !rounded) || rank < 2 || rank > HONE_MATMUL_BATCH + 2)
      return false;
  }
  return (node->outputs[0]->type.dtype == HONE_F32 || lowered) && accepts_bias(node);
}

static hone_status *check_result(const hone_cpu_kernel *row, const hone_node_view *view) {
  if (view->out[0]->dtype == HONE_F32) return NULL;
  return hone_error(HONE_UNSUPPORTED, "a cast after kernel %s is not its own", row->name);
}

static hone_status *set_bias(const hone_node_view *view, hone_finish *finish) {
  *finish = *view->finish;
  const hone_type *bias = BIAS < view->node->input_count ? view->in[BIAS] : NULL;
  if (!bias) return NULL;
  if (view->constant[BIAS]) {
    finish->bias = view->constant[BIAS];
    return NULL;
  }
  if (finish->residual >= 0)
    return hone_error(HONE_UNSUPPORTED, "a matmul with a computed bias and a residual");
  size_t columns = (size_t)bias->shape.dim[bias->shape.rank - 1], count = 0;
  finish->residual = BIAS;
  hone_shape_count(&bias->shape, &count);
  finish->residual_stride = count == columns ? 0 : (ptrdiff_t)columns;
  return NULL;
}

/* ---- gemm ----------------------------------------------------------------------------------- */

static bool gemm_accepts(const hone_cpu_kernel *row, const hone_node *node) {
  const hone_value *b = hone_node_operand(node, B);
  return accepts_common(node) && b->constant && b->type.shape.rank == 2 &&
         !hone_node_flag(node, "transpose_a") && tiles_of(row);
}

static void weight_sizes(const hone_node *node, size_t *depth, size_t *columns) {
  const hone_shape *b = &node->inputs[B].value->type.shape;
  bool transposed = hone_node_flag(node, "transpose_b");
  *depth = (size_t)b->dim[transposed];
  *columns = (size_t)b->dim[!transposed];
}

static size_t gemm_pack_size(const hone_cpu_kernel *row, const hone_node *node) {
  size_t depth, columns, bytes = 0;
  weight_sizes(node, &depth, &columns);
  if (!hone_mul(hone_pack_size(tiles_of(row), 1, 1, depth, columns), sizeof(float), &bytes))
    return 0;
  return bytes ? bytes : depth && columns ? 0 : 64; /* nothing to pack is no failure */
}

static hone_status *gemm_pack(const hone_cpu_kernel *row, const hone_node *node, void *to) {
  size_t depth, columns;
  hone_arena copy = {0};
  const float *data;
  HONE_TRY(hone_constant_floats(hone_node_operand(node, B), &copy, &data));
  weight_sizes(node, &depth, &columns);
  hone_weight_strides strides = {0, 0, (ptrdiff_t)columns, 1};
  if (hone_node_flag(node, "transpose_b"))
    strides = (hone_weight_strides){0, 0, 1, (ptrdiff_t)depth};
  hone_pack_weights(tiles_of(row), 1, 1, depth, columns, data, strides, to);
  hone_arena_free(&copy);
  float alpha = (float)hone_node_real(node, "alpha"), *packed = to;
  size_t count = hone_pack_size(tiles_of(row), 1, 1, depth, columns);
  for (size_t i = 0; alpha != 1 && i < count; i++) packed[i] *= alpha;
  return NULL;
}

static bool gemm_strided(const hone_cpu_kernel *row, const hone_node *node, int operand,
                         const hone_shape *shape, const hone_layout *layout) {
  (void)row;
  ptrdiff_t pitch;
  (void)node;
  return operand == A && hone_layout_pitch(layout, shape, &pitch);
}

static hone_status *gemm_plan(const hone_cpu_kernel *row, const hone_node_view *view,
                              hone_arena *arena, hone_node_plan *out) {
  const hone_shape *a = &view->in[A]->shape, *y = &view->out[0]->shape;
  hone_gemm *args = HONE_NEW(arena, hone_gemm);
  HONE_TRY_MEMORY(args);
  size_t depth, columns;
  HONE_TRY(check_result(row, view));
  weight_sizes(view->node, &depth, &columns);
  *args = (hone_gemm){.sweep = {.tiles = tiles_of(row),
                                .rows = hone_shape_span(a, 0, a->rank - 1),
                                .groups = 1,
                                .columns = columns,
                                .taps = 1,
                                .depth = depth,
                                .weights = view->packed,
                                .out_stride = (ptrdiff_t)columns},
                      .a = A,
                      .a_stride = (ptrdiff_t)depth};
  if (view->in_layout[A]) (void)hone_layout_pitch(view->in_layout[A], a, &args->a_stride);
  if (view->out_layout) (void)hone_layout_pitch(view->out_layout, y, &args->sweep.out_stride);
  HONE_TRY(set_bias(view, &args->sweep.finish));
  hone_sweep_plan(&args->sweep);
  out->kernel = hone_one_phase(hone_gemm_run, args);
  out->kernel.part_scratch = hone_sweep_scratch(&args->sweep);
  out->work = macs(a, y, false) / 50;
  return NULL;
}

const hone_node_functions hone_node_gemm = {
    .accepts = gemm_accepts,
    .plan = gemm_plan,
    .pack_size = gemm_pack_size,
    .pack = gemm_pack,
    .packed_inputs = 1u << B,
    .finishes = true,
    .pitches = true,
    .row_inputs = 1u << A,
    .strided = gemm_strided,
};

/* ---- gemm in bf16: a convolution of one tap whose pixels are the rows ------------------------ */

static const hone_conv_kernel *conv_kernel(const hone_cpu_kernel *row) {
  const hone_conv_kernel *k = hone_conv_kernels;
  while (k->name && (strncmp(k->name, "conv_gemm_bf16", 14) != 0 || k->isa != row->isa)) k++;
  return k->name ? k : NULL;
}

static bool low_accepts(const hone_cpu_kernel *row, const hone_node *node) {
  /* Vectors of floats beat bfloat16 without vectors. */
  if (row->isa == HONE_ISA_PLAIN && hone_isa_runs(HONE_ISA_AVX2) && hone_node_is_lowered(node))
    return false;
  const hone_value *a = hone_node_operand(node, A), *b = node->inputs[B].value;
  bool types = (a->type.dtype == HONE_F32 || a->type.dtype == HONE_BF16) &&
               b->type.dtype == HONE_BF16 && node->outputs[0]->type.dtype == HONE_BF16;
  return types && conv_kernel(row) && accepts_bias(node) && b->constant &&
         a->type.shape.rank >= 2 && b->type.shape.rank == 2 &&
         !hone_node_flag(node, "transpose_a") && hone_node_real(node, "alpha") == 1;
}

static hone_conv low_conv(const hone_node *node) {
  hone_conv conv = {.kernel = {1, 1, 1},
                    .stride = {1, 1, 1},
                    .dilation = {1, 1, 1},
                    .in = {1, 1, 1},
                    .out = {1, 1, 1},
                    .groups = 1,
                    .bf16 = true};
  weight_sizes(node, &conv.in_channels, &conv.out_channels);
  return conv;
}

static size_t low_pack_size(const hone_cpu_kernel *row, const hone_node *node) {
  hone_conv conv = low_conv(node);
  size_t bytes = 0;
  if (!hone_mul(conv_kernel(row)->pack_size(conv_kernel(row), &conv), sizeof(float), &bytes))
    return 0;
  return bytes;
}

static hone_status *low_pack(const hone_cpu_kernel *row, const hone_node *node, void *to) {
  hone_conv conv = low_conv(node);
  hone_arena copy = {0};
  const float *data;
  HONE_TRY(hone_constant_floats(node->inputs[B].value, &copy, &data));
  hone_conv_weights weights = {data, 1, (ptrdiff_t)conv.out_channels, 0};
  if (hone_node_flag(node, "transpose_b"))
    weights = (hone_conv_weights){data, (ptrdiff_t)conv.in_channels, 1, 0};
  conv_kernel(row)->pack(conv_kernel(row), &conv, weights, to);
  hone_arena_free(&copy);
  return NULL;
}

static hone_status *low_plan(const hone_cpu_kernel *row, const hone_node_view *view,
                             hone_arena *arena, hone_node_plan *out) {
  const hone_shape *a = &view->in[A]->shape;
  hone_conv conv = low_conv(view->node);
  conv.x_bf16 = view->in[A]->dtype == HONE_BF16;
  conv.y_bf16 = view->out[0]->dtype == HONE_BF16;
  conv.batch = hone_shape_span(a, 0, a->rank - 1);
  conv.x = A;
  conv.x_stride = (ptrdiff_t)conv.in_channels;
  if (view->in_layout[A]) (void)hone_layout_pitch(view->in_layout[A], a, &conv.x_stride);
  conv.y_stride = (ptrdiff_t)conv.out_channels;
  if (view->out_layout)
    (void)hone_layout_pitch(view->out_layout, &view->out[0]->shape, &conv.y_stride);
  conv.threads = view->threads;
  HONE_TRY(set_bias(view, &conv.finish));
  out->work = macs(a, &view->out[0]->shape, false) / 100;
  return conv_kernel(row)->plan(conv_kernel(row), &conv, view->packed, arena, &out->kernel);
}

const hone_node_functions hone_node_gemm_bf16 = {
    .accepts = low_accepts,
    .plan = low_plan,
    .pack_size = low_pack_size,
    .pack = low_pack,
    .packed_inputs = 1u << B,
    .finishes = true,
    .stores_bf16 = true,
    .pitches = true,
    .row_inputs = 1u << A,
    .strided = gemm_strided,
};

/* ---- matmul --------------------------------------------------------------------------------- */

/* A vector of floats on the left is a row. */
static bool accepts_vector(const hone_node *node) {
  const hone_value *a = hone_node_in(node, A), *b = hone_node_in(node, B);
  return a->type.shape.rank == 1 && b->type.shape.rank == 2 && !hone_node_in(node, BIAS) &&
         a->type.dtype == HONE_F32 && b->type.dtype == HONE_F32 &&
         node->outputs[0]->type.dtype == HONE_F32 && hone_node_operand(node, A) == a &&
         hone_node_operand(node, B) == b;
}

/* Constant right sides of rank 2 are gemm's. */
static bool matmul_accepts(const hone_cpu_kernel *row, const hone_node *node) {
  const hone_value *b = hone_node_operand(node, B);
  if (accepts_vector(node)) return hone_node_real(node, "alpha") == 1 && tiles_of(row);
  return accepts_common(node) && hone_node_real(node, "alpha") == 1 &&
         (!b->constant || b->type.dtype == HONE_F32) && !gemm_accepts(row, node) && tiles_of(row);
}

/* Strides of an operand's batch dims as broadcast to the result's. */
static void batch_strides(const hone_shape *operand, const hone_layout *own, const hone_shape *y,
                          ptrdiff_t *strides) {
  for (int i = 0; i < y->rank - 2; i++) {
    int axis = i - (y->rank - operand->rank);
    strides[i] = axis < 0 || operand->dim[axis] == 1 ? 0 : (ptrdiff_t)own->stride[axis];
  }
}

static bool matmul_strided(const hone_cpu_kernel *row, const hone_node *node, int operand,
                           const hone_shape *shape, const hone_layout *layout) {
  (void)row;
  (void)node, (void)layout;
  return (operand == A || operand == B) && shape->rank > 1;
}

/* A vector's shape as that of one row. */
static hone_shape as_rows(const hone_shape *shape) {
  hone_shape row = {.rank = 2, .dim = {1, shape->dim[0]}};
  return shape->rank == 1 ? row : *shape;
}

static hone_layout layout_of(const hone_node_view *view, int operand, const hone_shape *shape) {
  const hone_layout *layout = view->in_layout[operand];
  return layout ? *layout : hone_layout_dense(shape);
}

static hone_status *matmul_plan(const hone_cpu_kernel *row, const hone_node_view *view,
                                hone_arena *arena, hone_node_plan *out) {
  const hone_shape left = as_rows(&view->in[A]->shape), result = as_rows(&view->out[0]->shape);
  const hone_shape *a = &left, *b = &view->in[B]->shape, *y = &result;
  bool at = hone_node_flag(view->node, "transpose_a") && view->in[A]->shape.rank > 1;
  bool bt = hone_node_flag(view->node, "transpose_b");
  hone_layout a_lies = layout_of(view, A, a), b_lies = layout_of(view, B, b),
              dense = hone_layout_dense(y);
  const int64_t *a_step = &a_lies.stride[a->rank - 2], *b_step = &b_lies.stride[b->rank - 2];
  hone_matmul matmul = {.tiles = tiles_of(row),
                        .batch_rank = y->rank - 2,
                        .rows = (size_t)y->dim[y->rank - 2],
                        .columns = (size_t)y->dim[y->rank - 1],
                        .depth = (size_t)a->dim[a->rank - (at ? 2 : 1)],
                        .a = A,
                        .b = B,
                        .a_row = (ptrdiff_t)a_step[at],
                        .a_depth = (ptrdiff_t)a_step[!at],
                        .b_depth = (ptrdiff_t)b_step[bt],
                        .b_column = (ptrdiff_t)b_step[!bt],
                        .out_row = (ptrdiff_t)y->dim[y->rank - 1]};
  for (int i = 0; i < matmul.batch_rank; i++) matmul.batch[i] = (size_t)y->dim[i];
  batch_strides(a, &a_lies, y, matmul.a_batch);
  batch_strides(b, &b_lies, y, matmul.b_batch);
  batch_strides(y, &dense, y, matmul.out_batch);
  HONE_TRY(check_result(row, view));
  HONE_TRY(set_bias(view, &matmul.finish));
  out->work = macs(a, y, at) / (hone_matmul_is_thin(&matmul) ? 15 : 50); /* memory's pace */
  return hone_matmul_plan(&matmul, arena, &out->kernel);
}

const hone_node_functions hone_node_matmul = {
    .accepts = matmul_accepts,
    .plan = matmul_plan,
    .finishes = true,
    .strided = matmul_strided,
};
