/* 1x1 convolutions of a small depth on tensor cores. Room: backend/cuda. */
#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"
#include "ops/conv_shape.h"

#define MOST_DEPTH  160
#define MOST_SHARED (40 << 10) /* bytes of filters */
#define STEP_BYTES  1024       /* of 32 columns, and 16 of depth */
#define MOST_GROUPS 12
#define ROWS        128 /* of a block at a time, as in product_thin.cu */
#define BLOCKS      396 /* three a multiprocessor of a large GPU */

/* Of filters whose sizes are known: they are constants. */
static bool accepts_thin(const hone_node *node, bool f16) {
  if (node->op != &hone_op_conv || !hone_cuda_on_tensor_cores(node, f16) ||
      hone_node_int(node, "groups") != 1 || !hone_cuda_is_plain_conv(node))
    return false;
  const hone_value *w = node->inputs[HONE_CONV_W].value;
  const hone_shape *shape = &w->type.shape;
  int64_t depth = shape->dim[shape->rank - 2];
  return w->constant && hone_dtype_bits(w->type.dtype) == 16 && depth >= 8 && depth <= MOST_DEPTH &&
         depth % 8 == 0 && shape->dim[shape->rank - 1] % 8 == 0;
}
static bool accepts_thin_f16(const hone_node *node) {
  return accepts_thin(node, true);
}
static bool accepts_thin_bf16(const hone_node *node) {
  return accepts_thin(node, false);
}

static int64_t parts(int64_t count, int64_t size) {
  return (count + size - 1) / size;
}

/* Times 32 columns of a block: all of them, or about as many in each of few blocks. */
static int64_t groups_of(const hone_node *node) {
  const hone_shape *w = &node->inputs[HONE_CONV_W].value->type.shape;
  int64_t all = parts(w->dim[w->rank - 1], 32), steps = parts(w->dim[w->rank - 2], 16);
  int64_t most = MOST_SHARED / (steps * STEP_BYTES);
  if (most > MOST_GROUPS) most = MOST_GROUPS;
  return parts(all, parts(all, most));
}

static void define_thin(const hone_node *node, hone_text *out) {
  const hone_type *w = &node->inputs[HONE_CONV_W].value->type;
  hone_cuda_define_types(w->dtype, out);
  hone_cuda_define_kind(w->dtype, out);
  hone_text_printf(out, "#define DEPTH %d\n#define GROUPS %d\n", (int)w->shape.dim[w->shape.rank - 2],
                   (int)groups_of(node));
}

static hone_status *plan_thin(const hone_cuda_stage *stage, const hone_group_view *view,
                              hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  int64_t columns = y->dim[y->rank - 1], rows = columns ? hone_cuda_count(y) / columns : 0;
  int64_t chunks = parts(columns, 32 * groups_of(node)), most = parts(BLOCKS, chunks ? chunks : 1);
  if (columns == 0) return hone_error(HONE_UNSUPPORTED, "a product without columns");
  launch->args.n[0] = rows;
  launch->args.n[1] = columns;
  hone_cuda_launch_blocks(launch, parts(rows, ROWS) < most ? parts(rows, ROWS) : most);
  launch->grid[1] = (unsigned)chunks;
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_conv_thin_f16 = {.name = "conv_thin_f16",
                                                         .candidate = "cuda.conv_thin_f16",
                                                         .variants = 1,
                                                         .only_chosen = true,
                                                         .forms = {{hone_cuda_text_product_thin}},
                                                         .on_tensor_cores = true,
                                                         .pointers = 2,
                                                         .finishes = true,
                                                         .widely = true,
                                                         .bias = HONE_CONV_BIAS,
                                                         .accepts = accepts_thin_f16,
                                                         .define = define_thin,
                                                         .plan = plan_thin};

const hone_cuda_kernel hone_cuda_kernel_conv_thin_bf16 = {.name = "conv_thin_bf16",
                                                          .candidate = "cuda.conv_thin_bf16",
                                                          .variants = 1,
                                                          .only_chosen = true,
                                                          .forms = {{hone_cuda_text_product_thin}},
                                                          .least_sm = 80,
                                                          .on_tensor_cores = true,
                                                          .pointers = 2,
                                                          .finishes = true,
                                                          .widely = true,
                                                          .bias = HONE_CONV_BIAS,
                                                          .accepts = accepts_thin_bf16,
                                                          .define = define_thin,
                                                          .plan = plan_thin};
