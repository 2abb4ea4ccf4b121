/* conv_integer and matmul_integer nodes with constant weights. Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/products/depthwise_integer.h"
#include "backend/cpu/nodes/conv.h"

enum { X, WEIGHTS, X_ZERO, W_ZERO, BIAS };

static const hone_integer_set *set_of(const hone_cpu_kernel *row) {
  const hone_integer_set *const *set = hone_integer_sets;
  while (*set && (*set)->isa != row->isa) set++;
  return *set;
}

/* A product's rows as the pixels of a convolution of one tap; their number is known at plan. */
static bool geometry(const hone_node *node, hone_conv *out) {
  const hone_shape *w = &node->inputs[WEIGHTS].value->type.shape;
  if (node->op == &hone_op_conv_integer) return hone_conv_geometry(node, out);
  *out = (hone_conv){.kernel = {1, 1, 1},
                     .stride = {1, 1, 1},
                     .dilation = {1, 1, 1},
                     .in = {1, 1, 1},
                     .out = {1, 1, 1},
                     .groups = 1};
  out->in_channels = (size_t)w->dim[0];
  out->out_channels = (size_t)w->dim[1];
  return out->in_channels > 0 && out->out_channels > 0;
}

static bool is_constant_or_absent(const hone_node *node, int index) {
  return !hone_node_in(node, index) || node->inputs[index].value->constant;
}

static bool accepts_any(const hone_cpu_kernel *row, const hone_node *node) {
  hone_conv conv;
  return set_of(row) && node->inputs[WEIGHTS].value->constant && geometry(node, &conv) &&
         is_constant_or_absent(node, W_ZERO) && is_constant_or_absent(node, BIAS);
}

/* ---- Packing --------------------------------------------------------------------------------- */

/* The weights less their zero points, in the graph's order. */
static hone_status *centered(const hone_node *node, hone_arena *arena, int16_t **out,
                             size_t *count) {
  const hone_value *w = node->inputs[WEIGHTS].value, *zero = hone_node_in(node, W_ZERO);
  size_t zeros = 1;
  bool is_signed = w->type.dtype == HONE_S8;
  hone_shape_count(&w->type.shape, count);
  if (zero) hone_shape_count(&zero->type.shape, &zeros);
  const uint8_t *bytes = w->constant, *less = zero ? zero->constant : NULL;
  *out = HONE_NEW_ARRAY(arena, *count + 1, int16_t);
  HONE_TRY_MEMORY(*out);
  for (size_t i = 0; i < *count; i++) {
    int value = is_signed ? (int8_t)bytes[i] : bytes[i], off = 0;
    if (less) off = is_signed ? (int8_t)less[i % zeros] : less[i % zeros];
    (*out)[i] = (int16_t)(value - off);
  }
  return NULL;
}

/* All that packing and planning need of the weights; `arena` holds it. */
static hone_status *weights_of(const hone_node *node, hone_arena *arena, hone_integer_weights *out,
                               int *planes) {
  hone_conv conv;
  int16_t *data;
  size_t count;
  if (!geometry(node, &conv))
    return hone_error(HONE_INTERNAL, "'%s' has no integer kernel", hone_node_label(node));
  HONE_TRY(centered(node, arena, &data, &count));
  *planes = hone_integer_planes(data, count);
  HONE_TRY(hone_conv_integer_weights(&conv, data, arena, out));
  const hone_value *bias = hone_node_in(node, BIAS);
  if (!bias) return NULL;
  int32_t *copy = HONE_NEW_ARRAY(arena, conv.out_channels, int32_t);
  HONE_TRY_MEMORY(copy);
  memcpy(copy, bias->constant, conv.out_channels * sizeof *copy);
  out->bias = copy;
  return NULL;
}

/* How many planes the pack has lies before it, in a line of its own. */
enum { HEAD = 64 };

static size_t pack_size(const hone_cpu_kernel *row, const hone_node *node) {
  hone_arena arena = {0};
  hone_integer_weights w;
  int planes;
  hone_status *status = weights_of(node, &arena, &w, &planes);
  size_t bytes = status ? 0 : hone_integer_pack_size(set_of(row), &w, planes);
  hone_status_free(status);
  hone_arena_free(&arena);
  return bytes ? bytes + HEAD : 0;
}

static hone_status *pack(const hone_cpu_kernel *row, const hone_node *node, void *to) {
  hone_arena arena = {0};
  hone_integer_weights w;
  int planes = 1;
  hone_status *status = weights_of(node, &arena, &w, &planes);
  if (!status) {
    memcpy(to, &planes, sizeof planes);
    hone_integer_pack_weights(set_of(row), &w, planes, (char *)to + HEAD);
  }
  hone_arena_free(&arena);
  return status;
}

static size_t saved_size(const hone_cpu_kernel *row, const hone_node *node, const void *from,
                         size_t room) {
  hone_conv conv;
  int planes;
  if (room <= HEAD || !geometry(node, &conv)) return 0;
  memcpy(&planes, from, sizeof planes);
  if (planes < 1 || planes > 3) return 0;
  hone_integer_weights shape = hone_conv_integer_shape(&conv);
  size_t bytes = hone_integer_saved_size(set_of(row), &shape, planes, (const char *)from + HEAD,
                                         room - HEAD);
  return bytes ? bytes + HEAD : 0;
}

/* ---- Depthwise: the same, with packs of its own --------------------------------------------- */

static bool depthwise_accepts(const hone_cpu_kernel *row, const hone_node *node) {
  hone_conv conv;
  hone_arena arena = {0};
  hone_integer_weights w;
  int planes = 2;
  if (!accepts_any(row, node) || !geometry(node, &conv) || !hone_depthwise_integer_accepts(&conv))
    return false;
  hone_status_free(weights_of(node, &arena, &w, &planes));
  hone_arena_free(&arena);
  return planes == 1;
}

/* A tile of products is all but empty where the other row computes. */
static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  return accepts_any(row, node) && !depthwise_accepts(row, node);
}

static size_t depthwise_pack_size(const hone_cpu_kernel *row, const hone_node *node) {
  hone_conv conv;
  (void)row;
  return geometry(node, &conv) ? hone_depthwise_integer_pack_size(&conv) : 0;
}

static hone_status *depthwise_pack(const hone_cpu_kernel *row, const hone_node *node, void *to) {
  hone_conv conv;
  hone_arena arena = {0};
  hone_integer_weights w;
  int planes;
  hone_status *status = weights_of(node, &arena, &w, &planes);
  if (!status && geometry(node, &conv)) hone_depthwise_integer_pack(set_of(row), &conv, &w, to);
  hone_arena_free(&arena);
  return status;
}

/* ---- Planning -------------------------------------------------------------------------------- */

/* All but the pack. */
static hone_status *at_sizes(const hone_cpu_kernel *row, const hone_node_view *view,
                             hone_conv_integer *c, hone_node_plan *out) {
  hone_conv *conv = &c->conv;
  if (!geometry(view->node, conv))
    return hone_error(HONE_INTERNAL, "kernel %s was given a node it does not take", row->name);
  if (view->node->op == &hone_op_conv_integer) {
    HONE_TRY(hone_conv_at_sizes(view, conv));
  } else {
    const hone_shape *a = &view->in[X]->shape;
    conv->batch = hone_shape_span(a, 0, a->rank - 1);
    conv->x_stride = (ptrdiff_t)conv->in_channels;
    conv->y_stride = (ptrdiff_t)conv->out_channels;
  }
  c->sweep = (hone_integer_sweep){.set = set_of(row),
                                  .is_signed = view->in[X]->dtype == HONE_S8,
                                  .zero = view->in[X_ZERO] ? X_ZERO : -1,
                                  .finish = *view->integer};
  c->sweep.finish.lookup = hone_lookup_here(c->sweep.finish.table);
  hone_integer_slots(&c->sweep.finish);
  out->work = (double)hone_conv_pixels(conv) * (double)conv->out_channels *
              (double)(conv->in_channels / conv->groups) * (double)hone_conv_taps(conv) / 200;
  return NULL;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  hone_conv_integer c;
  int planes;
  HONE_TRY(at_sizes(row, view, &c, out));
  memcpy(&planes, view->packed, sizeof planes);
  if (planes < 1 || planes > 3) return hone_error(HONE_CORRUPT, "weights of %d planes", planes);
  hone_integer_weights shape = hone_conv_integer_shape(&c.conv);
  c.sweep.planes = planes;
  c.sweep.pack =
      hone_integer_unpack(c.sweep.set, &shape, planes, (const char *)view->packed + HEAD);
  return hone_conv_integer_plan(&c, arena, &out->kernel);
}

static hone_status *depthwise_plan(const hone_cpu_kernel *row, const hone_node_view *view,
                                   hone_arena *arena, hone_node_plan *out) {
  hone_conv_integer c;
  HONE_TRY(at_sizes(row, view, &c, out));
  c.sweep.pack = hone_depthwise_integer_unpack(&c.conv, view->packed);
  out->work *= 4;
  return hone_depthwise_integer_plan(&c, arena, &out->kernel);
}

/* Planes of channels, where lines are copied. */
static bool strided(const hone_cpu_kernel *row, const hone_node *node, int operand,
                    const hone_shape *shape, const hone_layout *layout) {
  (void)row;
  hone_conv conv;
  return operand == X && node->op == &hone_op_conv_integer && geometry(node, &conv) &&
         hone_conv_integer_copies_lines(&conv) && hone_layout_planar(layout, shape);
}

const hone_node_functions hone_node_integer = {
    .accepts = accepts,
    .plan = plan,
    .pack_size = pack_size,
    .pack = pack,
    .saved_size = saved_size,
    .packed_inputs = 1u << WEIGHTS | 1u << W_ZERO | 1u << BIAS,
    .finishes_integers = true,
    .strided = strided,
};
const hone_node_functions hone_node_integer_depthwise = {
    .accepts = depthwise_accepts,
    .plan = depthwise_plan,
    .pack_size = depthwise_pack_size,
    .pack = depthwise_pack,
    .packed_inputs = 1u << WEIGHTS | 1u << W_ZERO | 1u << BIAS,
    .finishes_integers = true,
};
