/* Bodies of one attention op: the family attention. Room: backend/cpu. */
#include <math.h>
#include <string.h>

#include "backend/cpu/attention.h"
#include "backend/cpu/body.h"
#include "backend/cpu/rows.h"

enum { Q, K, V, MASK };

static const hone_tile_set *tiles_of(const hone_cpu_row *row) {
  for (const hone_tile_set *const *set = hone_tile_sets_f32; *set; set++)
    if ((*set)->isa == row->isa) return *set;
  return NULL;
}

static const hone_node *core_of(const hone_graph *body) {
  const hone_node *node = body->first;
  return node && !node->next && node->op == &hone_op_attention ? node : NULL;
}

static bool attention_accepts(const hone_cpu_row *row, const hone_graph *body) {
  const hone_node *core = core_of(body);
  if (!core || !tiles_of(row) || body->output_count != 1 || core->input_count > 4) return false;
  if (hone_node_int(core, "left") >= 0 || hone_node_int(core, "right") >= 0) return false;
  for (int i = Q; i <= V; i++)
    if (core->inputs[i].value->type.dtype != HONE_F32 ||
        core->inputs[i].value->type.shape.rank != 4 ||
        hone_body_input(body, core->inputs[i].value) < 0)
      return false;
  const hone_value *mask = hone_node_in(core, MASK);
  return !mask || ((mask->type.dtype == HONE_F32 || mask->type.dtype == HONE_BOOL) &&
                   mask->type.shape.rank >= 0 && mask->type.shape.rank <= 4 &&
                   hone_body_input(body, mask) >= 0);
}

static hone_attention_strides strides_of(const hone_shape *shape) {
  ptrdiff_t token = (ptrdiff_t)shape->dim[3], head = token * (ptrdiff_t)shape->dim[2];
  return (hone_attention_strides){head * (ptrdiff_t)shape->dim[1], head, token};
}

static void set_mask(const hone_type *type, hone_attention *out) {
  ptrdiff_t *const by_axis[4] = {&out->mask_batch, &out->mask_head, &out->mask_query,
                                 &out->mask_key};
  int64_t strides[HONE_MAX_RANK];
  hone_shape_strides(&type->shape, strides);
  for (int i = 0; i < type->shape.rank; i++)
    *by_axis[4 - type->shape.rank + i] = type->shape.dim[i] == 1 ? 0 : (ptrdiff_t)strides[i];
  out->mask_kind = type->dtype == HONE_BOOL ? HONE_MASK_KEEP : HONE_MASK_ADD;
}

static hone_status *attention_plan(const hone_cpu_row *row, const hone_prepared *prepared,
                                   const hone_group_view *view, hone_arena *arena,
                                   hone_step *out) {
  const hone_graph *body = prepared->body;
  const hone_node *core = core_of(body);
  const hone_shape *q = &view->types[core->inputs[Q].value->id].shape;
  const hone_shape *k = &view->types[core->inputs[K].value->id].shape;
  const hone_shape *v = &view->types[core->inputs[V].value->id].shape;
  const hone_shape *y = &view->types[core->outputs[0]->id].shape;
  hone_attention a = {.tiles = tiles_of(row),
                      .batch = (size_t)q->dim[0],
                      .heads = (size_t)q->dim[1],
                      .kv_heads = (size_t)k->dim[1],
                      .queries = (size_t)q->dim[2],
                      .keys = (size_t)k->dim[2],
                      .depth = (size_t)q->dim[3],
                      .value_depth = (size_t)v->dim[3],
                      .q = hone_body_input(body, core->inputs[Q].value),
                      .k = hone_body_input(body, core->inputs[K].value),
                      .v = hone_body_input(body, core->inputs[V].value),
                      .mask = -1,
                      .q_strides = strides_of(q),
                      .k_strides = strides_of(k),
                      .v_strides = strides_of(v),
                      .out_strides = strides_of(y),
                      .causal = hone_node_flag(core, "causal"),
                      .scale = (float)hone_node_real(core, "scale"),
                      .softcap = (float)hone_node_real(core, "softcap")};
  if (a.scale == 0) a.scale = 1 / sqrtf((float)a.depth);
  const hone_value *mask = hone_node_in(core, MASK);
  if (mask) {
    a.mask = hone_body_input(body, mask);
    set_mask(&view->types[mask->id], &a);
  }
  hone_kernel_plan plan = {.phase_count = 0};
  HONE_TRY(hone_attention_plan(&a, arena, &plan));
  double work = (double)a.batch * (double)a.heads * (double)a.queries * (double)a.keys *
                (double)(a.depth + a.value_depth);
  hone_cpu_step(&plan, work, view->threads, out);
  return NULL;
}

const hone_cpu_family hone_cpu_attention = {attention_accepts, NULL, attention_plan};
