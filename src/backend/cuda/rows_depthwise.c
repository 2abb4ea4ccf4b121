/* Convolutions whose every channel is a group of one filter. Room: backend/cuda. */
#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"
#include "backend/cuda/windows.h"
#include "ops/conv_shape.h"

#define MOST_TAPS   5 /* of a side of the window: loops over them are unrolled */
#define MOST_EIGHTS 8 /* of a block */
#define SPOTS       32 /* threads of each of them */
#define LEAST_BESIDE 2
#define MOST_BESIDE 8
#define POOL        (40 << 10) /* bytes of shared memory for the image */
#define ACROSS      2 /* pixels of a thread, beside each other, as in conv_depthwise.cu */

static bool accepts_depthwise(const hone_node *node) {
  if (node->op != &hone_op_conv || !hone_cuda_one_float(node)) return false;
  const hone_type *w = &node->inputs[HONE_CONV_W].value->type;
  const hone_dim *size = w->shape.dim;
  if (w->shape.rank != 4 || hone_dtype_bits(w->dtype) != 16 || size[2] != 1 || size[3] < 1 ||
      size[3] % 8 || size[3] != hone_node_int(node, "groups"))
    return false;
  for (int axis = 0; axis < 2; axis++)
    if (size[axis] < 1 || size[axis] > MOST_TAPS || hone_cuda_along(node, "strides", axis) > 2 ||
        hone_cuda_along(node, "dilations", axis) != 1)
      return false;
  return true;
}

static int64_t parts(int64_t count, int64_t size) {
  return (count + size - 1) / size;
}

/* Pixels of a thread below each other: DOWN of conv_depthwise.cu. */
static int64_t down_of(const hone_node *node) {
  return hone_cuda_along(node, "strides", 0) == 1 ? 2 : 1;
}

/* Pixels of the image that a block needs. */
static int64_t tile_pixels(const hone_node *node, int64_t beside) {
  const hone_dim *taps = node->inputs[HONE_CONV_W].value->type.shape.dim;
  int64_t width = (beside * ACROSS - 1) * hone_cuda_along(node, "strides", 1) + taps[1];
  int64_t rows = SPOTS / beside * down_of(node) - 1;
  return width * (rows * hone_cuda_along(node, "strides", 0) + taps[0]);
}

static int64_t most_pixels(const hone_node *node) {
  int64_t most = 0;
  for (int64_t beside = LEAST_BESIDE; beside <= MOST_BESIDE; beside *= 2)
    if (tile_pixels(node, beside) > most) most = tile_pixels(node, beside);
  return most;
}

static int64_t eights_of(const hone_node *node) {
  int64_t all = node->inputs[HONE_CONV_W].value->type.shape.dim[3] / 8, eights = MOST_EIGHTS;
  while (eights > 1 && (all % eights || most_pixels(node) * eights * 16 > POOL)) eights--;
  return eights;
}

static void define_depthwise(const hone_node *node, hone_text *out) {
  const hone_type *w = &node->inputs[HONE_CONV_W].value->type;
  hone_cuda_define_types(w->dtype, out);
  hone_cuda_define_kind(w->dtype, out);
  hone_text_printf(out,
                   "#define TAPS_Y %d\n#define TAPS_X %d\n#define STRIDE_Y %d\n#define STRIDE_X %d\n"
                   "#define EIGHTS %d\n#define POOL_BYTES %d\n",
                   (int)w->shape.dim[0], (int)w->shape.dim[1],
                   (int)hone_cuda_along(node, "strides", 0), (int)hone_cuda_along(node, "strides", 1),
                   (int)eights_of(node), (int)(most_pixels(node) * eights_of(node) * 16));
}

static hone_status *plan_depthwise(const hone_cuda_stage *stage, const hone_group_view *view,
                                   hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[HONE_CONV_X].value);
  hone_cuda_launch *launch;
  hone_spatial window;
  (void)view;
  HONE_TRY(hone_cuda_window(node, x, hone_cuda_shape(plan, node->inputs[HONE_CONV_W].value)->dim,
                            false, &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  long long *n = launch->args.n;
  n[1] = x->dim[x->rank - 1];
  hone_cuda_put_window(&window, n + 2);
  for (n[14] = MOST_BESIDE; n[14] > LEAST_BESIDE && n[14] / 2 >= parts(n[5], ACROSS);) n[14] /= 2;
  n[15] = SPOTS / n[14];
  n[16] = n[1] / 8 / eights_of(node);
  n[17] = parts(n[5], ACROSS * n[14]);
  n[18] = parts(n[4], down_of(node) * n[15]);
  n[0] = x->dim[0] * n[16] * n[17] * n[18];
  if (n[0] > INT32_MAX || n[2] > 1 << 24 || n[3] > 1 << 24)
    return hone_error(HONE_UNSUPPORTED, "the image is too large for a GPU");
  launch->threads = (unsigned)(eights_of(node) * SPOTS);
  launch->grid[0] = (unsigned)n[0];
  launch->grid[1] = launch->grid[2] = 1;
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_conv_depthwise = {.name = "conv_depthwise",
                                                          .forms = {{hone_cuda_text_conv_depthwise}},
                                                          .least_sm = 80,
                                                          .on_tensor_cores = true,
                                                          .pointers = 2,
                                                          .finishes = true,
                                                          .widely = true,
                                                          .bias = HONE_CONV_BIAS,
                                                          .accepts = accepts_depthwise,
                                                          .define = define_depthwise,
                                                          .plan = plan_depthwise};
