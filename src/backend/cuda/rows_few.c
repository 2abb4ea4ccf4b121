/* Products of few rows by constant matrices on compute capability 9.0, by tiles whose heights fit
 * them: one image of ViT has 197 rows, which are 5 tiles of 40, 3 of 72 or 2 of 104 where 64 take
 * 256. A multiprocessor brings some 112 bytes a nanosecond out of the second cache, so what counts
 * is that all of them have a tile, or a part of its depth, and none has two. Some tiles have a ring for
 * a whole depth of 768, so that all weights come before the wait: ViT took 0.380 ms with them on an
 * H200, and 0.430 with the others. Room: backend/cuda. */
#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"

int64_t hone_cuda_least_rows(const hone_shape *left, int64_t most) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < left->rank; i++) {
    if (!hone_dim_known(left->dim[i])) continue;
    if (left->dim[i] > most) return left->dim[i];
    rows *= left->dim[i] < 1 ? 1 : left->dim[i];
    if (rows > most) return rows;
  }
  return rows;
}

static bool accepts_few(const hone_node *node) {
  if (node->op != &hone_op_matmul || !hone_cuda_one_float(node)) return false;
  const hone_value *left = node->inputs[0].value, *right = node->inputs[1].value;
  return hone_dtype_bits(left->type.dtype) == 16 && hone_value_is_constant(right) &&
         right->type.shape.rank == 2 && !hone_node_flag(node, "transpose_a") &&
         left->type.shape.rank >= 2 &&
         hone_cuda_least_rows(&left->type.shape, HONE_CUDA_FEW_ROWS) <= HONE_CUDA_FEW_ROWS;
}

#define OF_FEW_ROWS                                                                                \
  .only_chosen = true, .least_sm = 90, .last_sm = 90, .on_tensor_cores = true, .pointers = 4,      \
  .finishes = true, .widely = true, .bias = 2, .accepts = accepts_few,                             \
  .define = hone_cuda_define_tensor, .plan = hone_cuda_plan_matmul

const hone_cuda_kernel hone_cuda_kernel_matmul_few = {.name = "matmul_few",
                                                      .candidate = "cuda.matmul_few",
                                                      .variants = HONE_CUDA_FEW_VARIANTS,
                                                      .forms = HONE_CUDA_FEW_FORMS,
                                                      .first_tile = HONE_CUDA_BOXED_TILES,
                                                      OF_FEW_ROWS};

/* Parts of the depth that are a cluster's blocks, and meet in its shared memory. */
const hone_cuda_kernel hone_cuda_kernel_matmul_joined = {.name = "matmul_joined",
                                                         .candidate = "cuda.matmul_joined",
                                                         .variants = HONE_CUDA_JOINED_TILES,
                                                         .forms = HONE_CUDA_JOINED_FORMS,
                                                         .first_tile = HONE_CUDA_FIRST_JOINED_TILE,
                                                         OF_FEW_ROWS};

/* ---- With the norm before it ------------------------------------------------------------------ */

/* A norm over the last axis, whole steps long, that one product alone reads. */
static bool is_taken_in(const hone_value *value) {
  const hone_node *norm = value->producer;
  const hone_shape *shape = &value->type.shape;
  int axis;
  if (!norm || (norm->op != &hone_op_layer_norm && norm->op != &hone_op_rms_norm) ||
      norm->outputs[0] != value || !hone_value_has_one_use(value) || !hone_cuda_one_float(norm) ||
      !hone_axis(hone_node_int(norm, "axis"), shape->rank, &axis))
    return false;
  bool bare = !hone_node_in(norm, 1) && !hone_node_in(norm, 2) && !hone_node_out(norm, 1) &&
              !hone_node_out(norm, 2);
  return bare && axis == shape->rank - 1 && hone_dim_known(shape->dim[axis]) &&
         shape->dim[axis] > 0 && shape->dim[axis] % 64 == 0;
}

static bool accepts_normed(const hone_node *node) {
  return accepts_few(node) && is_taken_in(node->inputs[0].value);
}

static void define_normed(const hone_node *node, hone_text *out) {
  hone_cuda_define_tensor(node, out);
  hone_cuda_define_norm(node->inputs[0].value->producer, out);
}

const hone_cuda_kernel hone_cuda_kernel_matmul_normed = {
    .name = "matmul_normed",
    .candidate = "cuda.matmul_normed",
    .variants = HONE_CUDA_NORMED_TILES,
    .only_chosen = true,
    .forms = HONE_CUDA_NORMED_FORMS,
    .first_tile = HONE_CUDA_BOXED_TILES + HONE_CUDA_FEW_TILES,
    .least_sm = 90,
    .last_sm = 90,
    .on_tensor_cores = true,
    .pointers = 4,
    .finishes = true,
    .widely = true,
    .norms = true,
    .bias = 2,
    .accepts = accepts_normed,
    .define = define_normed,
    .plan = hone_cuda_plan_matmul};
