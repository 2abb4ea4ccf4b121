/* Small convolutions with the pooling of their result, in one kernel. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/rows.h"
#include "backend/cuda/rows_small.h"
#include "ops/conv_shape.h"

#define SPAN           2
#define WARP           32
#define MOST_POSITIONS 16 /* of a window of the pooling */

/* Threads of a block at most, by form: their registers are a multiprocessor's. */
static const int threads[HONE_CUDA_SMALL_FORMS] = {512, 384, 256};

static int64_t parts(int64_t count, int64_t size) {
  return (count + size - 1) / size;
}

static int64_t positions_of(const hone_node *pool) {
  size_t axes;
  const int64_t *window = hone_node_ints(pool, "window", &axes);
  int64_t count = 1;
  for (size_t i = 0; i < axes; i++)
    if (window[i] > MOST_POSITIONS || !hone_mul_s64(count, window[i], &count)) return INT64_MAX;
  return count;
}

/* Whether the convolution, and the pooling that alone reads it, are small. */
static bool is_pooled(const hone_node *const *layers) {
  const hone_node *conv = layers[0], *pool = layers[1];
  if (!hone_cuda_is_small(conv) || pool->op != &hone_op_pool || !hone_cuda_one_float(pool) ||
      !hone_cuda_has_two_axes(pool->inputs[0].value) || hone_node_out(pool, 1) ||
      strcmp(hone_node_text(pool, "kind"), "lp") == 0 ||
      pool->inputs[0].value->type.dtype != conv->outputs[0]->type.dtype)
    return false;
  int64_t positions = positions_of(pool);
  int64_t products = hone_cuda_small_products(conv, &pool->outputs[0]->type.shape);
  return positions > 1 && positions <= MOST_POSITIONS && products > 0 &&
         products <= HONE_CUDA_SMALL_ONE / positions;
}

static void define_pooled(const hone_cuda_stage *last, hone_text *out) {
  const hone_node *pool = last->core;
  size_t axes;
  const int64_t *window = hone_node_ints(pool, "window", &axes);
  hone_cuda_define_small(last->inner[0]->core, out);
  hone_text_printf(out,
                   "#define LEAST R(-INFINITY)\n#define MAXIMUM %d\n#define COUNT_PADS %d\n"
                   "#define POOL_Y %d\n#define POOL_X %d\n",
                   strcmp(hone_node_text(pool, "kind"), "max") == 0,
                   hone_node_flag(pool, "count_pads"), axes > 1 ? (int)window[0] : 1,
                   (int)window[axes - 1]);
}

static void put_pointers(hone_cuda_plan *plan, const hone_cuda_stage *last, hone_cuda_launch *launch) {
  const hone_cuda_stage *first = last->inner[0];
  launch->slots[0] = hone_cuda_slot_of(plan, first->core->inputs[HONE_CONV_X].value);
  launch->slots[1] = hone_cuda_slot_of(plan, first->core->inputs[HONE_CONV_W].value);
  for (int i = 0; i < first->stream_count; i++)
    launch->slots[first->streams[i].pointer] = hone_cuda_slot_of(plan, first->streams[i].value);
}

/* Blocks of few pixels and few columns, as long as there are enough of them. */
static hone_status *put_grid(const hone_cuda_cut *c, int64_t positions, int most,
                             hone_cuda_launch *launch) {
  long long *n = launch->args.n;
  int64_t lanes = c->shares * positions, groups = parts(c->filters, c->wide), across = 1, pixels = 1;
  if (lanes > most) return hone_error(HONE_UNSUPPORTED, "a window has too many lanes");
  while (across < groups && 2 * across * lanes <= most &&
         (across * lanes < WARP || n[0] * parts(groups, 2 * across) >= HONE_CUDA_SMALL_ENOUGH))
    across *= 2;
  across = parts(groups, across);
  n[15] = parts(groups, across);
  lanes *= n[15];
  while (2 * pixels * lanes <= most &&
         (pixels * lanes < WARP || parts(n[0], 2 * pixels) * across >= HONE_CUDA_SMALL_ENOUGH))
    pixels *= 2;
  n[14] = pixels;
  hone_cuda_launch_small(launch, parts(n[0], pixels), across, pixels * lanes);
  return NULL;
}

static hone_status *plan_pooled(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  const hone_node *conv = stage->inner[0]->core, *pool = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, conv->inputs[HONE_CONV_X].value);
  const hone_shape *w = hone_cuda_shape(plan, conv->inputs[HONE_CONV_W].value);
  const hone_shape *y = hone_cuda_shape(plan, pool->outputs[0]);
  int form = stage->variant - 1;
  hone_cuda_cut c;
  hone_cuda_launch *launch;
  hone_spatial window, pools;
  size_t axes;
  int64_t products;
  (void)view;
  HONE_TRY(hone_cuda_window(conv, x, w->dim, false, &window));
  HONE_TRY(hone_cuda_window(pool, hone_cuda_shape(plan, pool->inputs[0].value),
                            hone_node_ints(pool, "window", &axes), hone_node_flag(pool, "ceil"),
                            &pools));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  put_pointers(plan, stage, launch);
  if (!hone_cuda_small_cut(conv, form, &c))
    return hone_error(HONE_UNSUPPORTED, "the same lanes as in another variant");
  if (!hone_mul_s64(hone_cuda_small_products(conv, y), y->dim[0], &products) ||
      products > HONE_CUDA_SMALL_ALL / positions_of(pool) ||
      hone_cuda_is_long(&window, w->dim[w->rank - 2]) || hone_cuda_is_long(&pools, c.filters))
    return hone_error(HONE_UNSUPPORTED, "the layers are not small");
  long long *n = launch->args.n;
  n[0] = y->dim[0] * pools.out[0] * pools.out[1];
  hone_cuda_put_window(&window, n + 2);
  for (int i = 0; i < 2; i++) {
    n[16 + i] = pools.out[i];
    n[18 + i] = pools.stride[i];
    n[20 + i] = pools.dilation[i];
    n[22 + i] = pools.before[i];
    n[24 + i] = pools.after[i];
  }
  launch->function = stage->functions[form];
  return put_grid(&c, positions_of(pool), threads[form], launch);
}

#define FORM(most, threads)                                                                        \
  {hone_cuda_text_conv_pool, "#define MOST_WORDS " #most "\n#define THREADS " #threads "\n",        \
   .before = hone_cuda_text_small}

const hone_cuda_kernel hone_cuda_kernel_conv_pool = {
    .name = "conv_pool",
    .candidate = "cuda.conv_pool",
    .variants = HONE_CUDA_SMALL_FORMS,
    .only_chosen = true,
    .forms = {FORM(32, 512), FORM(64, 384), FORM(112, 256)}, /* in the order of `threads` */
    .pointers = 2,
    .finishes = true,
    .spans = is_pooled,
    .span = SPAN,
    .define_span = define_pooled,
    .plan = plan_pooled};
