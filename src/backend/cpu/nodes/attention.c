/* attention nodes on the kernel of attention.h. Room: backend/cpu/nodes. */
#include <math.h>

#include "backend/cpu/products/attention.h"
#include "backend/cpu/nodes/node.h"

enum { Q, K, V, MASK, LENGTHS, OFFSET };

static const hone_tile_set *tiles_of(const hone_cpu_kernel *row) {
  const hone_tile_set *const *set = hone_tile_sets_f32;
  while (*set && (*set)->isa != row->isa) set++;
  return *set;
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  if (!tiles_of(row) || hone_node_out(node, 1)) return false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (i <= V && (in->type.dtype != HONE_F32 || in->type.shape.rank != 4)) return false;
  }
  const hone_value *mask = hone_node_in(node, MASK);
  return !mask || ((mask->type.dtype == HONE_F32 || mask->type.dtype == HONE_BOOL) &&
                   mask->type.shape.rank >= 0 && mask->type.shape.rank <= 4);
}

/* The features of a token lie side by side; all else is anywhere. */
static bool strided(const hone_cpu_kernel *row, const hone_node *node, int operand,
                    const hone_shape *shape, const hone_layout *layout) {
  (void)row;
  (void)node;
  return operand <= V && (layout->stride[3] == 1 || shape->dim[3] == 1);
}

static hone_attention_strides strides_of(const hone_shape *shape, const hone_layout *layout) {
  hone_layout dense = hone_layout_dense(shape);
  const int64_t *stride = layout ? layout->stride : dense.stride;
  return (hone_attention_strides){(ptrdiff_t)stride[0], (ptrdiff_t)stride[1], (ptrdiff_t)stride[2]};
}

/* A mask that stops short of the keys forbids the rest. */
static void set_mask(const hone_type *type, hone_attention *out) {
  ptrdiff_t *const by_axis[4] = {&out->mask_batch, &out->mask_head, &out->mask_query,
                                 &out->mask_key};
  int64_t strides[HONE_MAX_RANK];
  const hone_shape *shape = &type->shape;
  hone_shape_strides(shape, strides);
  for (int i = 0; i < shape->rank; i++)
    *by_axis[4 - shape->rank + i] = shape->dim[i] == 1 ? 0 : (ptrdiff_t)strides[i];
  out->mask = MASK;
  out->mask_kind = type->dtype == HONE_BOOL ? HONE_MASK_KEEP : HONE_MASK_ADD;
  size_t last = shape->rank ? (size_t)shape->dim[shape->rank - 1] : 1;
  if (last != 1) out->mask_keys = last;
}

static hone_dtype type_of(const hone_node_view *view, int index, bool *by_batch) {
  if (index >= view->node->input_count || !view->in[index]) return HONE_DTYPE_NONE;
  const hone_shape *shape = &view->in[index]->shape;
  *by_batch = shape->rank > 0 && shape->dim[0] > 1;
  return view->in[index]->dtype;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  const hone_shape *q = &view->in[Q]->shape, *k = &view->in[K]->shape, *v = &view->in[V]->shape;
  hone_attention a = {.tiles = tiles_of(row),
                      .batch = (size_t)q->dim[0],
                      .heads = (size_t)q->dim[1],
                      .kv_heads = (size_t)k->dim[1],
                      .queries = (size_t)q->dim[2],
                      .keys = (size_t)k->dim[2],
                      .depth = (size_t)q->dim[3],
                      .value_depth = (size_t)v->dim[3],
                      .q = Q,
                      .k = K,
                      .v = V,
                      .mask = -1,
                      .q_strides = strides_of(q, view->in_layout[Q]),
                      .k_strides = strides_of(k, view->in_layout[K]),
                      .v_strides = strides_of(v, view->in_layout[V]),
                      .out_strides = strides_of(&view->out[0]->shape, view->out_layout),
                      .causal = hone_node_flag(view->node, "causal"),
                      .has_left = hone_node_int(view->node, "left") >= 0,
                      .has_right = hone_node_int(view->node, "right") >= 0,
                      .left = (ptrdiff_t)hone_node_int(view->node, "left"),
                      .right = (ptrdiff_t)hone_node_int(view->node, "right"),
                      .lengths = LENGTHS,
                      .offset = OFFSET,
                      .scale = (float)hone_node_real(view->node, "scale"),
                      .softcap = (float)hone_node_real(view->node, "softcap")};
  if (a.scale == 0) a.scale = 1 / sqrtf((float)a.depth);
  if (MASK < view->node->input_count && view->in[MASK]) set_mask(view->in[MASK], &a);
  a.lengths_type = type_of(view, LENGTHS, &a.lengths_by_batch);
  a.offset_type = type_of(view, OFFSET, &a.offset_by_batch);
  out->work = (double)a.batch * (double)a.heads * (double)a.queries * (double)a.keys *
              (double)(a.depth + a.value_depth) / 40;
  return hone_attention_plan(&a, arena, &out->kernel);
}

const hone_node_functions hone_node_attention = {
    .accepts = accepts, .plan = plan, .strided = strided};
