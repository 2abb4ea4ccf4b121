/* conv and conv_transpose nodes on the kernels of conv.h. Room: backend/cpu/nodes. */
#include <math.h>
#include <string.h>

#include "backend/cpu/products/conv_transposed.h"
#include "backend/cpu/nodes/conv.h"
#include "backend/cpu/products/conv_direct.h"
#include "backend/cpu/products/winograd.h"
#include "base/log.h"
#include "ops/spatial.h"

enum { X, W, BIAS };

static bool is_transposed(const hone_node *node) {
  return node->op == &hone_op_conv_transpose;
}

static const hone_conv_kernel *conv_kernel(const hone_cpu_kernel *row) {
  const hone_conv_kernel *k =
      row->op == &hone_op_conv ? hone_conv_kernels : hone_conv_transposed_kernels;
  while (k->name && strcmp(k->name, row->name) != 0) k++;
  return k->name ? k : NULL;
}

static hone_status *window_of(const hone_node *node, const hone_dim *in, hone_spatial *out) {
  const hone_shape *w = &node->inputs[W].value->type.shape;
  if (is_transposed(node)) return hone_spatial_transposed(node, w->rank - 2, in, w->dim, out);
  return hone_spatial_window(node, w->rank - 2, in, w->dim, false, out);
}

/* The axis of the window that dimension `i` of a hone_conv is; negative where it has none. */
static int axis_of(int i, int spatial) {
  return i - (HONE_CONV_DIMENSIONS - spatial);
}

/* What is known without the sizes of x. Paddings that depend on them count as 1, and so do those
 * at the end only: a kernel that asks must not take its input for unpadded. */
static void set_window(const hone_spatial *window, hone_conv *out) {
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) {
    int axis = axis_of(i, window->rank);
    out->kernel[i] = axis < 0 ? 1 : (size_t)window->kernel[axis];
    out->stride[i] = axis < 0 ? 1 : (size_t)window->stride[axis];
    out->dilation[i] = axis < 0 ? 1 : (size_t)window->dilation[axis];
    out->pad[i] = 0;
    if (axis >= 0 && (window->before[axis] || window->after[axis])) out->pad[i] = 1;
  }
}

/* Products of f32 or, by rows of their own, of bf16. Those of f32 stand in for bf16 where nothing
 * but casts shows it. What y becomes after the tail is known at plan. */
static bool set_types(const hone_cpu_kernel *row, const hone_node *node, hone_conv *out) {
  hone_dtype x = hone_node_operand(node, X)->type.dtype, w = node->inputs[W].value->type.dtype;
  hone_dtype y = node->outputs[0]->type.dtype;
  bool low = strstr(row->algorithm, "_bf16") != NULL;
  out->bf16 = low;
  out->x_bf16 = x == HONE_BF16;
  if (x != HONE_F32 && (x != HONE_BF16 || is_transposed(node))) return false;
  if (w == HONE_F32) return !low && y == HONE_F32;
  return w == HONE_BF16 && y == HONE_BF16 && (low || hone_node_is_widened(node));
}

bool hone_conv_geometry(const hone_node *node, hone_conv *out) {
  const hone_value *x = hone_node_operand(node, X), *w = node->inputs[W].value;
  int spatial = w->type.shape.rank - 2;
  if (x->type.shape.rank != w->type.shape.rank || spatial < 1 || spatial > HONE_CONV_DIMENSIONS)
    return false;
  hone_dim in[HONE_MAX_SPATIAL];
  hone_spatial window;
  for (int i = 0; i < spatial; i++) in[i] = -1;
  hone_status *status = window_of(node, in, &window);
  hone_status_free(status);
  if (status) return false;
  memset(out, 0, sizeof *out);
  set_window(&window, out);
  if (hone_node_text(node, "padding")[0] == 's')
    for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) out->pad[i] = out->kernel[i] > 1;
  size_t inner = (size_t)w->type.shape.dim[spatial], outer = (size_t)w->type.shape.dim[spatial + 1];
  out->groups = (size_t)hone_node_int(node, "groups");
  out->in_channels = is_transposed(node) ? outer : inner * out->groups;
  out->out_channels = is_transposed(node) ? inner * out->groups : outer;
  return hone_conv_taps(out) > 0 && out->in_channels > 0 && out->out_channels > 0 &&
         out->in_channels % out->groups == 0 && out->out_channels % out->groups == 0;
}

hone_status *hone_conv_at_sizes(const hone_node_view *view, hone_conv *out) {
  hone_spatial window;
  const hone_shape *x = &view->in[X]->shape;
  HONE_TRY(window_of(view->node, x->dim + 1, &window));
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) {
    int axis = axis_of(i, window.rank);
    out->in[i] = axis < 0 ? 1 : (size_t)window.in[axis];
    out->out[i] = axis < 0 ? 1 : (size_t)window.out[axis];
    out->pad[i] = axis < 0 ? 0 : (ptrdiff_t)window.before[axis];
  }
  out->batch = (size_t)x->dim[0];
  out->x_stride = (ptrdiff_t)out->in_channels;
  if (view->in_layout[X]) out->x_planar = !hone_layout_pitch(view->in_layout[X], x, &out->x_stride);
  out->y_stride = (ptrdiff_t)out->out_channels;
  if (view->out_layout)
    (void)hone_layout_pitch(view->out_layout, &view->out[0]->shape, &out->y_stride);
  out->threads = view->threads;
  return NULL;
}

/* Fills in what the weights and attributes say; false when no kernel can have this node. */
static bool build_conv(const hone_cpu_kernel *row, const hone_node *node, hone_conv *out) {
  const hone_value *bias = hone_node_in(node, BIAS);
  if (!node->inputs[W].value->constant) return false;
  if (bias && (!bias->constant || bias->type.dtype != HONE_F32)) return false;
  return hone_conv_geometry(node, out) && set_types(row, node, out);
}

/* conv_gemm tells padding only when the sizes are known. */
static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  hone_conv conv;
  const hone_conv_kernel *kernel = conv_kernel(row);
  if (!kernel || !build_conv(row, node, &conv) || !kernel->accepts(&conv)) return false;
  bool padded = conv.pad[0] || conv.pad[1] || conv.pad[2];
  if (padded && strncmp(row->algorithm, "conv_gemm", 9) == 0) return false;
  return kernel->pack_size(kernel, &conv) > 0;
}

static size_t pack_size(const hone_cpu_kernel *row, const hone_node *node) {
  hone_conv conv;
  size_t bytes = 0;
  const hone_conv_kernel *kernel = conv_kernel(row);
  if (!build_conv(row, node, &conv) ||
      !hone_mul(kernel->pack_size(kernel, &conv), sizeof(float), &bytes))
    return 0;
  return bytes;
}

/* conv has w as [taps][C / g][M], conv_transpose as [taps][M / g][C]. */
hone_conv_weights hone_conv_weights_of(const hone_node *node, const float *data) {
  const hone_shape *w = &node->inputs[W].value->type.shape;
  ptrdiff_t inner = (ptrdiff_t)w->dim[w->rank - 2], outer = (ptrdiff_t)w->dim[w->rank - 1];
  if (is_transposed(node)) return (hone_conv_weights){data, outer, 1, inner * outer};
  return (hone_conv_weights){data, 1, outer, inner * outer};
}

/* Whether conv_gemm does the same with less. */
static bool is_gemm(const hone_conv *conv) {
  bool padded = conv->pad[0] || conv->pad[1] || conv->pad[2];
  return !padded && (hone_conv_gemm_accepts(conv) || hone_conv_gemm_bf16_accepts(conv));
}

/* Winograd's transforms are left out where the node is to be exact, and on weights that lose more
 * by them than docs/numerics.md allows. */
static bool holds(const hone_cpu_kernel *row, const hone_node *node) {
  hone_conv conv;
  hone_arena copy = {0};
  const float *data;
  if (strncmp(row->algorithm, "conv_direct", 11) == 0)
    return !build_conv(row, node, &conv) || !is_gemm(&conv);
  if (strncmp(row->algorithm, "conv_winograd", 13) != 0) return true;
  if (hone_node_flag(node, "exact") || !build_conv(row, node, &conv)) return false;
  hone_status *status = hone_constant_floats(node->inputs[W].value, &copy, &data);
  double error = INFINITY;
  if (!status) error = hone_winograd_error(conv_kernel(row), &conv, hone_conv_weights_of(node, data));
  hone_status_free(status);
  hone_arena_free(&copy);
  double bound = conv.bf16 ? HONE_WINOGRAD_ERROR_BF16 : HONE_WINOGRAD_ERROR;
  if (error <= bound) return true;
  hone_log(HONE_LOG_INFO, "node '%s': %s left out, its error on these weights is %.1e, above %.0e",
           hone_node_label(node), row->algorithm, error, bound);
  return false;
}

static hone_status *pack(const hone_cpu_kernel *row, const hone_node *node, void *to) {
  hone_conv conv;
  const hone_conv_kernel *kernel = conv_kernel(row);
  hone_arena copy = {0};
  const float *data;
  if (!build_conv(row, node, &conv))
    return hone_error(HONE_INTERNAL, "kernel %s was given a node it does not take", row->name);
  HONE_TRY(hone_constant_floats(node->inputs[W].value, &copy, &data));
  kernel->pack(kernel, &conv, hone_conv_weights_of(node, data), to);
  hone_arena_free(&copy);
  return NULL;
}

static double macs_of(const hone_conv *conv) {
  return (double)hone_conv_pixels(conv) * (double)conv->out_channels *
         (double)(conv->in_channels / conv->groups) * (double)hone_conv_taps(conv);
}

double hone_conv_work(const hone_conv *conv) {
  return macs_of(conv) / (conv->groups > 1 ? 25 : 50);
}

/* Nanoseconds an operation at 50 multiply-adds each nanosecond, by algorithm. */
static double estimate(const hone_cpu_kernel *row, const hone_node *node) {
  hone_conv conv;
  if (!build_conv(row, node, &conv)) return 0;
  conv.batch = conv.out[0] = conv.out[1] = conv.out[2] = 1;
  size_t depth = conv.in_channels / conv.groups;
  double time = macs_of(&conv) / 50;
  const char *name = row->algorithm;
  if (strcmp(name, "conv_winograd4") == 0) time /= depth >= 32 ? 2.5 : 1.5;
  if (strstr(name, "_strided"))
    time /= depth >= 32 ? 1.2 : 0.8;
  else if (strncmp(name, "conv_winograd2", 14) == 0)
    time /= depth >= 16 ? 1.8 : 1.2;
  if (strncmp(name, "conv_gemm", 9) == 0) time *= 0.95;
  if (strncmp(name, "conv_direct", 11) == 0 && depth < 8) time *= 2;
  if (conv.bf16) time *= 0.55;
  if (row->isa & HONE_ISA_AMX) time /= 4;
  if (strncmp(name, "conv_rows", 9) == 0 && depth >= 8) time *= 1.2;
  if (strcmp(name, "conv_depthwise") == 0) time /= 4;
  if (strcmp(name, "conv_groups") == 0) time /= depth < 16 ? 4 : 1;
  if (strcmp(name, "conv_transposed_blocks") == 0) time /= 3;
  if (row->isa == HONE_ISA_PLAIN) time *= 8;
  return time;
}

/* Pixels at an even pitch; what copies its rows takes planes too. */
static bool strided(const hone_cpu_kernel *row, const hone_node *node, int operand,
                    const hone_shape *shape, const hone_layout *layout) {
  ptrdiff_t pitch;
  (void)node;
  if (operand != X) return false;
  bool planes = strncmp(row->algorithm, "conv_rows", 9) == 0 && hone_layout_planar(layout, shape);
  return planes || hone_layout_pitch(layout, shape, &pitch);
}

/* In another place than the model says: on the weights. */
static bool gates(const hone_cpu_kernel *row, const hone_node *node) {
  return strcmp(row->algorithm, "conv_gemm") == 0 && !hone_node_flag(node, "exact");
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  hone_conv conv;
  const hone_conv_kernel *kernel = conv_kernel(row);
  if (!build_conv(row, view->node, &conv))
    return hone_error(HONE_INTERNAL, "kernel %s was given a node it does not take", row->name);
  HONE_TRY(hone_conv_at_sizes(view, &conv));
  conv.y_bf16 = view->out[0]->dtype == HONE_BF16;
  conv.finish = *view->finish;
  conv.gate = view->gate;
  conv.gate_stride = view->gate_pictures > 1 ? (ptrdiff_t)conv.in_channels : 0;
  if (view->constant[BIAS]) conv.finish.bias = view->constant[BIAS];
  out->work = hone_conv_work(&conv);
  return kernel->plan(kernel, &conv, view->packed, arena, &out->kernel);
}

const hone_node_functions hone_node_conv = {
    .accepts = accepts,
    .holds = holds,
    .plan = plan,
    .pack_size = pack_size,
    .pack = pack,
    .packed_inputs = 1u << W,
    .finishes = true,
    .stores_bf16 = true,
    .estimate = estimate,
    .pitches = true,
    .row_inputs = 1u << X,
    .strided = strided,
    .gates = gates,
};
const hone_node_functions hone_node_conv_transposed = {
    .accepts = accepts,
    .plan = plan,
    .pack_size = pack_size,
    .pack = pack,
    .packed_inputs = 1u << W,
    .finishes = true,
    .pitches = true,
    .row_inputs = 1u << X,
    .strided = strided,
};
