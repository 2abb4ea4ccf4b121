/* What makes more pixels of fewer, on the GPU: transposed convolution, resize. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/windows.h"
#include "ops/conv_shape.h"
#include "ops/resize.h"

/* ---- Transposed convolution ------------------------------------------------------------------ */

static bool accepts_transposed(const hone_node *node) {
  return node->op == &hone_op_conv_transpose && hone_cuda_one_float(node) &&
         hone_cuda_has_two_axes(node->inputs[0].value);
}

static hone_status *plan_transposed(const hone_cuda_stage *stage, const hone_group_view *view,
                                    hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[HONE_CONV_X].value);
  const hone_shape *w = hone_cuda_shape(plan, node->inputs[HONE_CONV_W].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  hone_cuda_launch *launch;
  hone_spatial window;
  (void)view;
  HONE_TRY(hone_spatial_transposed(node, x->rank - 2, x->dim + 1, w->dim, &window));
  window = hone_cuda_two_axes(&window);
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->args.n[0] = hone_cuda_count(y);
  launch->args.n[1] = x->dim[x->rank - 1];
  hone_cuda_put_window(&window, launch->args.n + 2);
  launch->args.n[14] = y->dim[y->rank - 1];
  launch->args.n[15] = hone_node_int(node, "groups");
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_conv_transpose = {
    .name = "conv_transpose",
    .forms = {{hone_cuda_text_conv_transpose}},
    .pointers = 2,
    .finishes = true,
    .bias = HONE_CONV_BIAS,
    .accepts = accepts_transposed,
    .define = hone_cuda_define_first,
    .plan = plan_transposed};

/* ---- Resize ---------------------------------------------------------------------------------- */

enum { X, ROI, SCALES, SIZES };

/* Where `text` stands in the list; -1: nowhere. */
static int place_of(const char *const *list, int count, const char *text) {
  for (int i = 0; i < count; i++)
    if (strcmp(list[i], text) == 0) return i;
  return -1;
}

/* COORDINATES and NEAREST of the kernel. */
static int coordinates_of(const hone_node *node) {
  static const char *const known[] = {"half_pixel", "pytorch_half_pixel", "align_corners",
                                      "asymmetric", "tf_half_pixel_for_nn"};
  return place_of(known, 5, hone_node_text(node, "coordinates"));
}
static int nearest_of(const hone_node *node) {
  static const char *const known[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
  return place_of(known, 4, hone_node_text(node, "nearest"));
}

static bool accepts_resize(const hone_node *node) {
  if (node->op != &hone_op_resize) return false;
  const hone_type *x = &node->inputs[X].value->type;
  return hone_dtype_class_of(x->dtype) == HONE_CLASS_FLOAT && hone_cuda_type(x->dtype) &&
         x->shape.rank >= 1 && node->outputs[0] && coordinates_of(node) >= 0 &&
         strcmp(hone_node_text(node, "mode"), "cubic") != 0 &&
         !hone_node_flag(node, "antialias") && !hone_node_flag(node, "exclude_outside");
}

static void define_resize(const hone_node *node, hone_text *out) {
  hone_cuda_define_first(node, out);
  hone_text_printf(out, "#define COORDINATES %d\n#define NEAREST %d\n#define LINEAR %d\n",
                   coordinates_of(node), nearest_of(node),
                   strcmp(hone_node_text(node, "mode"), "linear") == 0);
}

/* The reals of a host input or a constant; none where it is absent or not known. */
static size_t reals_of(const hone_cuda_plan *plan, const hone_node *node, int index, double *out) {
  const hone_value *value = hone_node_in(node, index);
  hone_datum constant;
  const hone_datum *datum = NULL;
  size_t count;
  if (!value) return 0;
  if (value->constant) {
    constant = hone_value_datum(value);
    datum = &constant;
  } else if (!value->producer) {
    datum = plan->view->known[value->index];
  }
  if (!datum || !hone_shape_count(&datum->shape, &count) || count > HONE_MAX_RANK) return 0;
  bool whole = hone_dtype_class_of(datum->dtype) != HONE_CLASS_FLOAT;
  for (size_t i = 0; i < count; i++)
    out[i] = whole ? (double)hone_load_int(datum->dtype, datum->data, i)
                   : hone_load_real(datum->dtype, datum->data, i);
  return count;
}

static bool changes(const hone_resize_axis *a) {
  return a->in != a->out || a->scale != 1;
}

/* The axes that change, in order; false where there are more than two. */
static bool two_axes(const hone_resize *r, const hone_resize_axis *axes[2]) {
  int count = 0;
  axes[0] = axes[1] = NULL;
  for (int axis = 0; axis < HONE_MAX_RANK; axis++)
    for (int i = 0; i < r->count; i++) {
      if (r->axes[i].axis != axis || !changes(&r->axes[i])) continue;
      if (count == 2) return false;
      axes[count++] = &r->axes[i];
    }
  if (count == 1) axes[1] = axes[0], axes[0] = NULL;
  return true;
}

static long long bits_of(double scale) {
  float single = (float)scale;
  uint32_t bits;
  memcpy(&bits, &single, sizeof bits);
  return bits;
}

/* x as [outer, in 0, between, in 1, inner]; an axis that is not there has size 1. */
static void put_axes(const hone_shape *x, const hone_resize_axis *const axes[2], long long *n) {
  int first = axes[0] ? axes[0]->axis : 0, last = axes[1] ? axes[1]->axis : -1;
  n[1] = (int64_t)hone_shape_span(x, last + 1, x->rank);
  n[2] = axes[1] ? axes[1]->in : 1;
  n[3] = axes[1] ? axes[1]->out : 1;
  n[4] = axes[0] ? (int64_t)hone_shape_span(x, first + 1, last) : 1;
  n[5] = axes[0] ? axes[0]->in : 1;
  n[6] = axes[0] ? axes[0]->out : 1;
  n[7] = bits_of(axes[0] ? axes[0]->scale : 1);
  n[8] = bits_of(axes[1] ? axes[1]->scale : 1);
}

static hone_status *plan_resize(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  const hone_resize_axis *axes[2];
  double scales[HONE_MAX_RANK], sizes[HONE_MAX_RANK];
  size_t scale_count = reals_of(plan, node, SCALES, scales);
  size_t size_count = reals_of(plan, node, SIZES, sizes);
  hone_resize resize;
  hone_cuda_launch *launch;
  (void)view;
  if (scale_count + size_count == 0)
    return hone_error(HONE_UNSUPPORTED, "the sizes of a resize are not known");
  HONE_TRY(hone_resize_read(node, x, NULL, 0, scales, scale_count, sizes, size_count, &resize));
  if (!two_axes(&resize, axes))
    return hone_error(HONE_UNSUPPORTED, "a resize of more than two axes");
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  launch->args.n[0] = hone_cuda_count(hone_cuda_shape(plan, node->outputs[0]));
  put_axes(x, axes, launch->args.n);
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_resize = {.name = "resize",
                                                  .forms = {{hone_cuda_text_resize}},
                                                  .pointers = 1,
                                                  .finishes = true,
                                                  .accepts = accepts_resize,
                                                  .define = define_resize,
                                                  .plan = plan_resize};
