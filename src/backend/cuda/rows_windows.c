/* Convolution and pooling on the GPU. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"
#include "backend/cuda/windows.h"
#include "ops/conv_shape.h"
#include "ops/spatial.h"

/* ---- Convolution ----------------------------------------------------------------------------- */

static bool accepts_any_conv(const hone_node *node) {
  return node->op == &hone_op_conv && hone_cuda_one_float(node) &&
         hone_cuda_has_two_axes(node->inputs[0].value);
}
static bool accepts_conv(const hone_node *node) {
  return accepts_any_conv(node) && hone_node_int(node, "groups") == 1;
}

static bool accepts_conv_f16(const hone_node *node) {
  return accepts_conv(node) && hone_cuda_on_tensor_cores(node, true);
}
static bool accepts_conv_tensor(const hone_node *node) {
  return accepts_conv(node) && hone_cuda_on_tensor_cores(node, false);
}

static bool all_are(const hone_node *node, const char *name, int64_t value) {
  size_t count;
  const int64_t *list = hone_node_ints(node, name, &count);
  for (size_t i = 0; i < count; i++)
    if (list[i] != value) return false;
  return true;
}

bool hone_cuda_is_plain_conv(const hone_node *node) {
  const hone_shape *w = &node->inputs[1].value->type.shape;
  for (int i = 0; i < w->rank - 2; i++)
    if (w->dim[i] != 1) return false;
  return all_are(node, "strides", 1) && all_are(node, "pads", 0);
}

static void define_product(const hone_node *node, hone_text *out) {
  hone_cuda_define_types(node->inputs[0].value->type.dtype, out);
  bool conv = node->op == &hone_op_conv;
  hone_text_printf(out, "#define CONVOLUTION %d\n#define ALPHA R(%.17g)\n",
                   conv && !hone_cuda_is_plain_conv(node),
                   conv ? 1 : hone_node_real(node, "alpha"));
}

void hone_cuda_define_tensor(const hone_node *node, hone_text *out) {
  define_product(node, out);
  hone_cuda_define_kind(node->inputs[0].value->type.dtype, out);
  hone_text_printf(out, "#define RIGHT_BY_DEPTH %d\n", hone_cuda_right_by_depth(node));
}

#define TILE        64
#define TILE_DEPTH  16
#define ENOUGH      256 /* blocks: twice the multiprocessors of a large GPU */
#define LEAST_DEPTH 64  /* of a part: below that its sums cost more than they save */
#define MOST_PARTS  16

/* How many parts the depth is cut into, so that a product of few tiles has work for the whole GPU.
 * A pure function of the sizes. */
static int64_t parts_of(int64_t blocks, int64_t depth) {
  int64_t parts = blocks ? ENOUGH / blocks : 1;
  if (parts > depth / LEAST_DEPTH) parts = depth / LEAST_DEPTH;
  return parts < 1 ? 1 : parts > MOST_PARTS ? MOST_PARTS : parts;
}

/* The grid of a product whose sizes stand in n[0], n[1] and n[2], and the sum of its parts. */
static hone_status *launch_product(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                   hone_cuda_launch *launch, int64_t batch) {
  if (stage->kernel->on_tensor_cores) return hone_cuda_launch_tiles(stage, plan, launch, batch);
  long long *n = launch->args.n;
  int64_t x = (n[0] + TILE - 1) / TILE, y = (n[1] + TILE - 1) / TILE;
  int64_t parts = parts_of(x * y * batch, n[2]);
  bool wide = stage->core->inputs[0].value->type.dtype == HONE_F64;
  hone_cuda_launch *sum;
  launch->slots[2] = (hone_cuda_slot){.from = HONE_CUDA_NOTHING};
  n[37] = ((n[2] + parts - 1) / parts + TILE_DEPTH - 1) / TILE_DEPTH * TILE_DEPTH;
  n[36] = parts = n[37] ? (n[2] + n[37] - 1) / n[37] : 1;
  if (n[0] > INT32_MAX || y > 65535 || batch * parts > 65535 || n[2] > INT32_MAX / 2)
    return hone_error(HONE_UNSUPPORTED, "the product is too large for a GPU");
  launch->grid[0] = (unsigned)x;
  launch->grid[1] = (unsigned)y;
  launch->grid[2] = (unsigned)(batch * parts);
  if (parts == 1) return NULL;
  size_t bytes = (size_t)(batch * parts * n[0] * n[1]) * (wide ? sizeof(double) : sizeof(float));
  HONE_TRY(hone_cuda_scratch(plan, bytes, &launch->slots[2]));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &sum));
  sum->function = stage->functions[1];
  sum->slots[2] = launch->slots[2];
  sum->args.n[0] = batch * n[0] * n[1];
  sum->args.n[36] = parts;
  sum->args.n[38] = n[0] * n[1];
  hone_cuda_launch_elements(sum, sum->args.n[0]);
  return NULL;
}

static hone_status *conv_window(const hone_cuda_plan *plan, const hone_node *node,
                                hone_spatial *out) {
  return hone_cuda_window(node, hone_cuda_shape(plan, node->inputs[0].value),
                   hone_cuda_shape(plan, node->inputs[1].value)->dim, false, out);
}

/* Windows that lie side by side, as of patches, are windows of one column over more channels. */
static int64_t fold_columns(hone_spatial *w, int64_t channels) {
  int64_t columns = w->kernel[1];
  if (columns == 1 || w->stride[1] != columns || w->dilation[1] != 1 || w->before[1] ||
      w->in[1] != w->out[1] * columns)
    return channels;
  w->in[1] = w->out[1];
  w->kernel[1] = w->stride[1] = 1;
  return channels * columns;
}

hone_status *hone_cuda_plan_conv(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  const hone_shape *w = hone_cuda_shape(plan, node->inputs[1].value);
  hone_cuda_launch *launch;
  hone_spatial window;
  (void)view;
  HONE_TRY(conv_window(plan, node, &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  long long *n = launch->args.n;
  n[0] = x->dim[0] * window.out[0] * window.out[1];
  n[1] = w->dim[w->rank - 1];
  n[2] = window.kernel[0] * window.kernel[1] * w->dim[w->rank - 2];
  if (hone_cuda_is_plain_conv(node)) {
    n[3] = n[2];
    n[4] = n[6] = 1;
    n[5] = n[1];
  } else {
    n[16] = w->dim[w->rank - 2];
    if (!stage->kernel->order) n[16] = fold_columns(&window, n[16]);
    hone_cuda_put_window(&window, n + 17);
  }
  return launch_product(stage, plan, launch, 1);
}

const hone_cuda_kernel hone_cuda_kernel_conv = {.name = "conv",
                                                .forms = {{hone_cuda_text_product},
                                                          {hone_cuda_text_product_sum}},
                                                .pointers = 3,
                                                .finishes = true,
                                                .bias = HONE_CONV_BIAS,
                                                .accepts = accepts_conv,
                                                .define = define_product,
                                                .plan = hone_cuda_plan_conv};

const hone_cuda_kernel hone_cuda_kernel_conv_f16 = {.name = "conv_f16",
                                                    .candidate = "cuda.conv_f16",
                                                    .variants = HONE_CUDA_TILE_VARIANTS,
                                                    .forms = HONE_CUDA_TILES,
                                                    .on_tensor_cores = true,
                                                    .pointers = 4,
                                                    .finishes = true,
                                                    .widely = true,
                                                    .bias = HONE_CONV_BIAS,
                                                    .accepts = accepts_conv_f16,
                                                    .define = hone_cuda_define_tensor,
                                                    .plan = hone_cuda_plan_conv};

const hone_cuda_kernel hone_cuda_kernel_conv_tensor = {.name = "conv_tensor",
                                                       .candidate = "cuda.conv_tensor",
                                                       .variants = HONE_CUDA_TILE_VARIANTS,
                                                       .forms = HONE_CUDA_TILES,
                                                       .least_sm = 80,
                                                       .on_tensor_cores = true,
                                                       .pointers = 4,
                                                       .finishes = true,
                                                       .widely = true,
                                                       .bias = HONE_CONV_BIAS,
                                                       .accepts = accepts_conv_tensor,
                                                       .define = hone_cuda_define_tensor,
                                                       .plan = hone_cuda_plan_conv};

static hone_status *plan_grouped(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  hone_cuda_launch *launch;
  hone_spatial window;
  (void)view;
  HONE_TRY(conv_window(plan, node, &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->args.n[0] = hone_cuda_count(y);
  launch->args.n[1] = x->dim[x->rank - 1];
  hone_cuda_put_window(&window, launch->args.n + 2);
  launch->args.n[14] = y->dim[y->rank - 1];
  launch->args.n[15] = hone_node_int(node, "groups");
  launch->args.n[39] = launch->slots[1].from == HONE_CUDA_PACK;
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_conv_grouped = {.name = "conv_grouped",
                                                        .candidate = "cuda.conv_grouped",
                                                        .variants = 1,
                                                        .forms = {{hone_cuda_text_conv_direct}},
                                                        .pointers = 2,
                                                        .finishes = true,
                                                        .widely = true,
                                                        .bias = HONE_CONV_BIAS,
                                                        .accepts = accepts_any_conv,
                                                        .define = hone_cuda_define_first,
                                                        .plan = plan_grouped};

/* ---- Matrix product -------------------------------------------------------------------------- */

static bool accepts_matmul(const hone_node *node) {
  return node->op == &hone_op_matmul && hone_cuda_one_float(node);
}

static bool accepts_matmul_f16(const hone_node *node) {
  return node->op == &hone_op_matmul && hone_cuda_on_tensor_cores(node, true);
}
static bool accepts_matmul_tensor(const hone_node *node) {
  return node->op == &hone_op_matmul && hone_cuda_on_tensor_cores(node, false);
}

/* An operand as [batch…, rows, columns]: sizes and strides after its transposition. */
typedef struct matrix {
  int64_t rows, columns, row_stride, column_stride;
  int batch_rank;
  const hone_shape *shape;
  int64_t strides[HONE_MAX_RANK];
} matrix;

static matrix matrix_of(const hone_shape *shape, bool transposed, bool left) {
  matrix m = {.shape = shape};
  hone_shape_strides(shape, m.strides);
  if (shape->rank == 1) {
    m.rows = left ? 1 : shape->dim[0];
    m.columns = left ? shape->dim[0] : 1;
    m.row_stride = left ? 0 : 1;
    m.column_stride = left ? 1 : 0;
    return m;
  }
  int row = shape->rank - (transposed ? 1 : 2), column = shape->rank - (transposed ? 2 : 1);
  m.batch_rank = shape->rank - 2;
  m.rows = shape->dim[row];
  m.columns = shape->dim[column];
  m.row_stride = m.strides[row];
  m.column_stride = m.strides[column];
  return m;
}

/* The batch axes of the result: sizes at n[8…], the operands' strides at n[16…] and n[24…]. */
static int64_t put_batch(const matrix *a, const matrix *b, long long *n) {
  int rank = a->batch_rank > b->batch_rank ? a->batch_rank : b->batch_rank;
  int64_t count = 1;
  n[7] = rank;
  for (int d = 0; d < rank; d++) {
    const matrix *both[] = {a, b};
    n[8 + d] = 1;
    for (int i = 0; i < 2; i++) {
      int at = d - (rank - both[i]->batch_rank);
      int64_t size = at < 0 ? 1 : both[i]->shape->dim[at];
      if (size != 1) n[8 + d] = size;
      n[16 + 8 * i + d] = size == 1 ? 0 : both[i]->strides[at];
    }
    count *= n[8 + d];
  }
  return count;
}

int64_t hone_cuda_matmul_sizes(const hone_node *node, const hone_shape *left,
                               const hone_shape *right, long long *n) {
  matrix a = matrix_of(left, hone_node_flag(node, "transpose_a"), true);
  matrix b = matrix_of(right, hone_node_flag(node, "transpose_b"), false);
  n[0] = a.rows;
  n[1] = b.columns;
  n[2] = a.columns;
  n[3] = a.row_stride;
  n[4] = a.column_stride;
  n[5] = b.row_stride;
  n[6] = b.column_stride;
  int64_t batch = put_batch(&a, &b, n);
  /* A batch on one matrix is a taller left one, where its rows go on from matrix to matrix. */
  if (batch > 1 && b.batch_rank == 0 && n[4] == 1 && n[3] == a.columns) {
    n[0] *= batch;
    n[7] = 0;
    batch = 1;
  }
  return batch;
}

hone_status *hone_cuda_plan_matmul(const hone_cuda_stage *stage, const hone_group_view *view,
                                   hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  int64_t batch = hone_cuda_matmul_sizes(node, hone_cuda_shape(plan, node->inputs[0].value),
                                         hone_cuda_shape(plan, node->inputs[1].value),
                                         launch->args.n);
  if (stage->kernel->norms) {
    const hone_node *norm = node->inputs[0].value->producer;
    launch->slots[0] = hone_cuda_slot_of(plan, norm->inputs[0].value);
    launch->aligned = true;
  }
  return launch_product(stage, plan, launch, batch);
}

const hone_cuda_kernel hone_cuda_kernel_matmul = {.name = "matmul",
                                                  .forms = {{hone_cuda_text_product},
                                                            {hone_cuda_text_product_sum}},
                                                  .pointers = 3,
                                                  .finishes = true,
                                                  .bias = 2,
                                                  .accepts = accepts_matmul,
                                                  .define = define_product,
                                                  .plan = hone_cuda_plan_matmul};

const hone_cuda_kernel hone_cuda_kernel_matmul_f16 = {.name = "matmul_f16",
                                                      .candidate = "cuda.matmul_f16",
                                                      .variants = HONE_CUDA_TILE_VARIANTS,
                                                      .forms = HONE_CUDA_TILES,
                                                      .on_tensor_cores = true,
                                                      .pointers = 4,
                                                      .finishes = true,
                                                      .widely = true,
                                                      .bias = 2,
                                                      .accepts = accepts_matmul_f16,
                                                      .define = hone_cuda_define_tensor,
                                                      .plan = hone_cuda_plan_matmul};

const hone_cuda_kernel hone_cuda_kernel_matmul_tensor = {.name = "matmul_tensor",
                                                         .candidate = "cuda.matmul_tensor",
                                                         .variants = HONE_CUDA_TILE_VARIANTS,
                                                         .forms = HONE_CUDA_TILES,
                                                         .least_sm = 80,
                                                         .on_tensor_cores = true,
                                                         .pointers = 4,
                                                         .finishes = true,
                                                         .widely = true,
                                                         .bias = 2,
                                                         .accepts = accepts_matmul_tensor,
                                                         .define = hone_cuda_define_tensor,
                                                         .plan = hone_cuda_plan_matmul};

/* ---- Pooling --------------------------------------------------------------------------------- */

static bool pools_bytes(const hone_node *node) {
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  return (dtype == HONE_U8 || dtype == HONE_S8) && strcmp(hone_node_text(node, "kind"), "max") == 0;
}

static bool accepts_pool(const hone_node *node) {
  return node->op == &hone_op_pool && (pools_bytes(node) || hone_cuda_one_float(node)) &&
         hone_cuda_has_two_axes(node->inputs[0].value) &&
         strcmp(hone_node_text(node, "kind"), "lp") != 0 && !hone_node_out(node, 1);
}

static void define_pool(const hone_node *node, hone_text *out) {
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  size_t axes;
  const int64_t *window = hone_node_ints(node, "window", &axes);
  if (pools_bytes(node))
    hone_text_printf(out, "typedef %s T;\ntypedef s32 R;\n#define LEAST %d\n", hone_cuda_type(dtype),
                     dtype == HONE_S8 ? -128 : 0);
  else hone_cuda_define_first(node, out);
  if (!pools_bytes(node)) hone_text_puts(out, "#define LEAST R(-INFINITY)\n");
  hone_text_printf(out, "#define MAXIMUM %d\n#define COUNT_PADS %d\n",
                   strcmp(hone_node_text(node, "kind"), "max") == 0,
                   hone_node_flag(node, "count_pads"));
  hone_text_printf(out, "#define TAPS_Y %lld\n#define TAPS_X %lld\n",
                   axes > 1 ? (long long)window[0] : 1, (long long)window[axes - 1]);
}

static hone_status *plan_pool(const hone_cuda_stage *stage, const hone_group_view *view,
                              hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  hone_cuda_launch *launch;
  hone_spatial window;
  size_t count;
  (void)view;
  HONE_TRY(hone_cuda_window(node, x, hone_node_ints(node, "window", &count),
                            hone_node_flag(node, "ceil"), &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->args.n[0] = hone_cuda_count(hone_cuda_shape(plan, node->outputs[0]));
  launch->args.n[1] = x->dim[x->rank - 1];
  hone_cuda_put_window(&window, launch->args.n + 2);
  launch->args.n[14] = window.after[0];
  launch->args.n[15] = window.after[1];
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_pool = {.name = "pool",
                                                .forms = {{hone_cuda_text_pool}},
                                                .pointers = 1,
                                                .finishes = true,
                                                .widely = true,
                                                .accepts = accepts_pool,
                                                .define = define_pool,
                                                .plan = plan_pool};
