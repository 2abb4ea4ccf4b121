/* Bodies around a convolution: rows of the family conv. Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/body.h"
#include "backend/cpu/conv.h"
#include "backend/cpu/rows.h"
#include "ops/spatial.h"

enum { X, W, B };

typedef struct conv_state {
  const hone_conv_kernel *kernel;
  hone_conv shape; /* what is known at build */
  const float *packed;
  hone_kept_finish finish;
  int x;           /* the body's input */
} conv_state;

static const hone_conv_kernel *kernel_of(const hone_cpu_row *row) {
  for (const hone_conv_kernel *k = hone_conv_kernels; k->name; k++)
    if (strcmp(k->name, row->name) == 0) return k;
  return NULL;
}

static const hone_node *core_of(const hone_graph *body) {
  const hone_node *core = hone_body_core(body);
  return core && core->op == &hone_op_conv ? core : NULL;
}

/* Axes of a convolution of fewer dimensions are the last ones of depth, height, width. */
static bool known_at_build(const hone_node *core, hone_conv *out) {
  const hone_type *x = &core->inputs[X].value->type, *w = &core->inputs[W].value->type;
  int spatial = w->shape.rank - 2;
  if (x->dtype != HONE_F32 || w->dtype != HONE_F32 || x->shape.rank != w->shape.rank ||
      spatial < 1 || spatial > HONE_CONV_DIMENSIONS || !hone_shape_known(&w->shape))
    return false;
  hone_dim unknown[HONE_MAX_SPATIAL] = {-1, -1, -1};
  hone_spatial window;
  hone_status *status =
      hone_spatial_window(core, spatial, unknown, w->shape.dim, false, &window);
  hone_status_free(status);
  if (status) return false;
  memset(out, 0, sizeof *out);
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) {
    int axis = i - (HONE_CONV_DIMENSIONS - spatial);
    out->kernel[i] = axis < 0 ? 1 : (size_t)w->shape.dim[axis];
    out->stride[i] = axis < 0 ? 1 : (size_t)window.stride[axis];
    out->dilation[i] = axis < 0 ? 1 : (size_t)window.dilation[axis];
    out->pad[i] = axis < 0 ? 0 : (ptrdiff_t)window.before[axis];
    if (out->kernel[i] == 0) return false;
    /* Kernels may look at paddings while building; those of 'same' depend on the size. */
    const char *padding = hone_node_text(core, "padding");
    if (axis >= 0 && out->kernel[i] > 1 && strncmp(padding, "same", 4) == 0) out->pad[i] = 1;
  }
  out->groups = (size_t)hone_node_int(core, "groups");
  out->in_channels = (size_t)w->shape.dim[spatial] * out->groups;
  out->out_channels = (size_t)w->shape.dim[spatial + 1];
  return out->in_channels > 0 && out->out_channels > 0 && out->out_channels % out->groups == 0;
}

static bool conv_accepts(const hone_cpu_row *row, const hone_graph *body) {
  const hone_node *core = core_of(body);
  const hone_conv_kernel *kernel = kernel_of(row);
  hone_conv conv;
  hone_body_finish finish;
  return core && kernel && hone_body_constant(core->inputs[W].value) &&
         hone_body_input(body, core->inputs[X].value) >= 0 && known_at_build(core, &conv) &&
         kernel->accepts(&conv) && kernel->pack_size(kernel, &conv) > 0 &&
         hone_body_finish_of(body, core, hone_node_in(core, B), &finish);
}

/* Weights are [taps][channels of a group][out channels]. */
static hone_status *pack_weights(conv_state *state, const hone_value *w, hone_arena *arena,
                                 hone_prepared *prepared) {
  void *fresh;
  const void *packed;
  size_t floats = state->kernel->pack_size(state->kernel, &state->shape);
  HONE_TRY(hone_cpu_pack(prepared, arena, floats * sizeof(float), &fresh, &packed));
  state->packed = packed;
  if (!fresh) return NULL;
  hone_arena aligned = {0}; /* the file's weights may lie at any address */
  size_t count;
  const float *data = hone_body_floats(w, &aligned, &count);
  if (!data) {
    hone_arena_free(&aligned);
    return hone_error_memory();
  }
  ptrdiff_t m = (ptrdiff_t)state->shape.out_channels;
  ptrdiff_t c = (ptrdiff_t)(state->shape.in_channels / state->shape.groups);
  hone_conv_weights weights = {data, 1, m, m * c};
  state->kernel->pack(state->kernel, &state->shape, weights, fresh);
  hone_arena_free(&aligned);
  return NULL;
}

static hone_status *conv_prepare(const hone_cpu_row *row, hone_arena *arena,
                                 hone_prepared *prepared) {
  const hone_graph *body = prepared->body;
  const hone_node *core = core_of(body);
  conv_state *state = HONE_NEW(arena, conv_state);
  HONE_TRY_MEMORY(state);
  state->kernel = kernel_of(row);
  state->x = hone_body_input(body, core->inputs[X].value);
  hone_body_finish finish;
  if (!known_at_build(core, &state->shape) ||
      !hone_body_finish_of(body, core, hone_node_in(core, B), &finish))
    return hone_error(HONE_INTERNAL, "kernel %s was given a body it does not accept", row->name);
  HONE_TRY(hone_body_finish_keep(body, &finish, arena, &state->finish));
  prepared->state = state;
  return pack_weights(state, core->inputs[W].value, arena, prepared);
}

static hone_status *set_sizes(const hone_node *core, const hone_group_view *view,
                              hone_conv *conv) {
  const hone_shape *x = &view->types[core->inputs[X].value->id].shape;
  const hone_shape *w = &core->inputs[W].value->type.shape;
  int spatial = w->rank - 2;
  hone_spatial window;
  HONE_TRY(hone_spatial_window(core, spatial, x->dim + 1, w->dim, false, &window));
  for (int i = 0; i < HONE_CONV_DIMENSIONS; i++) {
    int axis = i - (HONE_CONV_DIMENSIONS - spatial);
    conv->in[i] = axis < 0 ? 1 : (size_t)window.in[axis];
    conv->out[i] = axis < 0 ? 1 : (size_t)window.out[axis];
    conv->pad[i] = axis < 0 ? 0 : (ptrdiff_t)window.before[axis];
  }
  conv->batch = (size_t)x->dim[0];
  return NULL;
}

static hone_status *conv_plan(const hone_cpu_row *row, const hone_prepared *prepared,
                              const hone_group_view *view, hone_arena *arena, hone_step *out) {
  (void)row;
  const conv_state *state = prepared->state;
  hone_conv conv = state->shape;
  HONE_TRY(set_sizes(core_of(prepared->body), view, &conv));
  conv.x = state->x;
  conv.y = 0;
  conv.x_stride = (ptrdiff_t)conv.in_channels;
  conv.y_stride = (ptrdiff_t)conv.out_channels;
  conv.threads = view->threads;
  HONE_TRY(hone_body_finish_plan(&state->finish, view->types, arena, &conv.finish));
  hone_kernel_plan plan = {.phase_count = 0};
  HONE_TRY(state->kernel->plan(state->kernel, &conv, state->packed, arena, &plan));
  double work = (double)hone_conv_pixels(&conv) * (double)conv.out_channels *
                (double)hone_conv_taps(&conv) * (double)(conv.in_channels / conv.groups);
  hone_cpu_step(&plan, work, view->threads, out);
  return NULL;
}

const hone_cpu_family hone_cpu_conv = {conv_accepts, conv_prepare, conv_plan};
