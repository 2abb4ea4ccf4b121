/* Products of bytes on the GPU. Room: backend/cuda. */
#include "backend/cuda/windows.h"

enum { X, W, X_ZERO, W_ZERO, BIAS }; /* inputs of both ops */

static bool is_byte(const hone_value *value) {
  return value && (value->type.dtype == HONE_U8 || value->type.dtype == HONE_S8);
}

static bool accepts(const hone_node *node) {
  const hone_value *x = node->inputs[X].value, *w = node->inputs[W].value;
  if (!is_byte(x) || !is_byte(w) || !node->outputs[0] || w->type.shape.rank < 0) return false;
  if (node->op == &hone_op_matmul_integer) return x->type.shape.rank >= 1;
  return node->op == &hone_op_conv_integer && hone_cuda_has_two_axes(x);
}

static void define(const hone_node *node, hone_text *out) {
  hone_text_printf(out, "typedef %s X;\ntypedef %s W;\ntypedef s64 R;\n",
                   hone_cuda_type(node->inputs[X].value->type.dtype),
                   hone_cuda_type(node->inputs[W].value->type.dtype));
}

/* A product with a matrix is a convolution of rows that are pictures of one pixel. */
static hone_status *window_of(const hone_cuda_plan *plan, const hone_node *node, hone_spatial *out) {
  static const hone_spatial pixel = {.rank = 0};
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  const hone_shape *w = hone_cuda_shape(plan, node->inputs[W].value);
  if (node->op == &hone_op_conv_integer) return hone_cuda_window(node, x, w->dim, false, out);
  *out = hone_cuda_two_axes(&pixel);
  return NULL;
}

static hone_status *plan_integer(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  const hone_value *w_zero = hone_node_in(node, W_ZERO);
  hone_cuda_launch *launch;
  hone_spatial window;
  (void)view;
  HONE_TRY(window_of(plan, node, &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  long long *n = launch->args.n;
  n[0] = hone_cuda_count(y);
  n[1] = x->dim[x->rank - 1];
  hone_cuda_put_window(&window, n + 2);
  n[14] = y->dim[y->rank - 1];
  n[15] = node->op == &hone_op_conv_integer ? hone_node_int(node, "groups") : 1;
  n[16] = w_zero && hone_cuda_count(hone_cuda_shape(plan, w_zero)) > 1;
  hone_cuda_launch_elements(launch, n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_integer = {.name = "integer",
                                                   .forms = {{hone_cuda_text_integer}},
                                                   .pointers = 4,
                                                   .finishes = true,
                                                   .bias = BIAS,
                                                   .accepts = accepts,
                                                   .define = define,
                                                   .plan = plan_integer};
