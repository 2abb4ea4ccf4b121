/* Slices, splits and concats without copies: values that lie inside others. Room: engine. */
#include "engine/planner.h"

#include "ops/slice.h"

/* The only node of a unit's body, where it is of this op. */
static const hone_node *only_node(const hone_graph *body, const hone_op *op) {
  const hone_node *node = body ? body->first : NULL;
  return node && node->op == op && !node->next ? node : NULL;
}

/* What the body's value is outside; NULL for what is made inside. */
static const hone_value *outside(const hone_unit *unit, const hone_value *value) {
  if (!value || value->producer || value->constant) return NULL;
  return unit->node->inputs[value->index].value;
}

static bool has_bytes(const hone_type *type) {
  return type->kind == HONE_KIND_TENSOR && type->dtype != HONE_STR &&
         hone_dtype_bits(type->dtype) >= 8;
}

/* Whether the graph gives the value away, itself or as one of `depth` views of views. */
static bool leaves_by(const hone_value *value, int depth) {
  for (const hone_use *use = value->uses; use; use = use->next) {
    if (!use->user || depth == 0) return true;
    if ((use->user->op->facts & HONE_VIEW) && use->user->outputs[0] &&
        leaves_by(use->user->outputs[0], depth - 1))
      return true;
  }
  return false;
}
static bool leaves(const hone_value *value) { return leaves_by(value, 8); }

/* ---- Parts ---------------------------------------------------------------------------------- */

/* Whether all of `part` is one run of the bytes of `x`: before the last axis that is cut it has but one
 * place on each. */
static bool is_run(const hone_shape *x, const hone_shape *part) {
  int cut = x->rank - 1;
  while (cut >= 0 && x->dim[cut] == part->dim[cut]) cut--;
  for (int i = 0; i < cut; i++)
    if (part->dim[i] != 1) return false;
  return true;
}

/* A tensor that may be looked into: its memory stays as it is while parts of it are read. */
static const hone_planned *container(const hone_planner *p, const hone_unit *unit,
                                     const hone_node *node) {
  const hone_value *x = outside(unit, node->inputs[0].value);
  const hone_planned *planned = x ? &p->values[x->id] : NULL;
  if (!planned || !has_bytes(&planned->type)) return NULL;
  bool in_memory = planned->at.kind == HONE_AT_ARENA || planned->at.kind == HONE_AT_INPUT ||
                   planned->at.kind == HONE_AT_OUTPUT;
  return in_memory ? planned : NULL;
}

static void place_part(hone_planner *p, const hone_value *value, const hone_type *type,
                       const hone_planned *x, int64_t element) {
  p->values[value->id] =
      (hone_planned){.type = *type,
                     .at = x->at,
                     .root = x->root,
                     .inside = x->inside + (size_t)element * (hone_dtype_bits(type->dtype) / 8),
                     .typed = true};
}

static bool part_of_slice(hone_planner *p, const hone_unit *unit, const hone_node *node,
                          const hone_type *type) {
  enum { INPUTS = 5 };
  const hone_planned *x = container(p, unit, node);
  const hone_datum *known[INPUTS] = {NULL};
  hone_datum constant[INPUTS];
  int64_t begin[HONE_MAX_RANK], step[HONE_MAX_RANK], stride[HONE_MAX_RANK], at = 0;
  if (!x || !unit->node->outputs[0] || !is_run(&x->type.shape, &type->shape)) return false;
  for (int i = 1; i < node->input_count && i < INPUTS; i++) {
    const hone_value *in = node->inputs[i].value, *out = outside(unit, in);
    if (in && in->constant) constant[i] = hone_value_datum(in);
    known[i] = in && in->constant ? &constant[i] : out ? p->values[out->id].known : NULL;
  }
  if (!hone_slice_begin(node, &x->type.shape, known, begin, step)) return false;
  hone_shape_strides(&x->type.shape, stride);
  for (int i = 0; i < type->shape.rank; i++) {
    if (step[i] != 1 && type->shape.dim[i] > 1) return false;
    at += begin[i] * stride[i];
  }
  place_part(p, unit->node->outputs[0], type, x, at);
  return true;
}

static bool parts_of_split(hone_planner *p, const hone_unit *unit, const hone_node *node,
                           const hone_type *types) {
  const hone_planned *x = container(p, unit, node);
  int64_t at = 0;
  size_t count = 0;
  for (int i = 0; x && i < node->output_count; i++)
    if (!unit->node->outputs[i] || !is_run(&x->type.shape, &types[i].shape)) return false;
  for (int i = 0; x && i < node->output_count; i++, at += (int64_t)count) {
    place_part(p, unit->node->outputs[i], &types[i], x, at);
    (void)hone_shape_count(&types[i].shape, &count);
  }
  return x != NULL;
}

void hone_inside_part(hone_planner *p, const hone_unit *unit, const hone_type *types, bool *done) {
  const hone_node *slice = only_node(unit->body, &hone_op_slice);
  const hone_node *split = only_node(unit->body, &hone_op_split);
  *done = false;
  if (!slice && !split) return;
  /* What is given away is written where it belongs, and does not keep the whole alive. */
  for (int i = 0; i < unit->node->output_count; i++)
    if (unit->node->outputs[i] && (leaves(unit->node->outputs[i]) || !hone_type_known(&types[i])))
      return;
  *done = slice ? part_of_slice(p, unit, slice, types) : parts_of_split(p, unit, split, types);
}

/* ---- Joints --------------------------------------------------------------------------------- */

/* The value whose memory this is so far. */
static uint32_t root_of(const hone_planner *p, uint32_t id, size_t *inside) {
  *inside = p->values[id].inside;
  uint32_t root = p->values[id].root;
  while (p->values[root].root != root) {
    *inside += p->values[root].inside;
    root = p->values[root].root;
  }
  return root;
}

/* The root of a value that this stage's kernels make and that may lie anywhere: it is all of its
 * memory, and no output of the graph. */
static bool is_free(const hone_planner *p, const hone_value *value, uint32_t *root) {
  size_t inside, own, whole;
  *root = root_of(p, value->id, &inside);
  const hone_planned *planned = &p->values[value->id], *memory = &p->values[*root];
  bool made_here = !p->before || p->before->values[*root].at.kind == HONE_AT_NOWHERE;
  return made_here && inside == 0 && memory->at.kind == HONE_AT_ARENA && has_bytes(&memory->type) &&
         hone_shape_bytes(&planned->type.shape, planned->type.dtype, &own) &&
         hone_shape_bytes(&memory->type.shape, memory->type.dtype, &whole) && own == whole &&
         !leaves(p->program->values[*root]);
}

static int body_uses(const hone_value *value) {
  int count = 0;
  for (const hone_use *use = value->uses; use; use = use->next) count++;
  return count;
}

/* Which of the node's inputs is `value`. */
static int input_of(const hone_node *node, const hone_value *value) {
  int input = 0;
  while (node->inputs[input].value != value) input++;
  return input;
}

/* Whether the node's body is a concat along the last of `rank` axes that joins `value` once. */
static bool joins_last(const hone_node *node, const hone_value *value, int rank) {
  const hone_node *concat = only_node(node->regions[0], &hone_op_concat);
  int axis;
  return concat && hone_axis(hone_node_int(concat, "axis"), rank, &axis) && axis == rank - 1 &&
         body_uses(node->regions[0]->inputs[input_of(node, value)]) == 1;
}

/* Whether the unit of `node`, which comes after `unit`, reads `value` by a kernel that takes a pitch. */
static bool takes_pitch(const hone_planner *p, const hone_unit *unit, const hone_node *node,
                        const hone_value *value) {
  const hone_unit *end = p->program->units + p->program->unit_count;
  while (unit < end && unit->node != node) unit++;
  const hone_backend *backend = unit < end ? unit->prepared.backend : NULL;
  return backend && unit->kind == HONE_UNIT_KERNEL && backend->reads_pitched &&
         backend->reads_pitched(&unit->prepared, input_of(node, value));
}

/* The group that joins the unit's only output, where all others that read it take a pitch; NULL if there
 * is none. */
static const hone_node *only_concat(const hone_planner *p, const hone_unit *unit, int rank,
                                    int *readers) {
  const hone_value *value = unit->node->output_count == 1 ? unit->node->outputs[0] : NULL;
  const hone_node *found = NULL;
  *readers = 0;
  for (const hone_use *use = value ? value->uses : NULL; use; use = use->next, ++*readers) {
    if (!use->user || use->user->op != &hone_op_group) return NULL;
    bool joins = !found && joins_last(use->user, value, rank);
    if (joins) found = use->user;
    else if (!takes_pitch(p, unit, use->user, value)) return NULL;
  }
  return found;
}

size_t hone_inside_pitch(const hone_planner *p, const hone_unit *unit, const hone_type *type,
                         int *readers) {
  const hone_backend *backend = unit->prepared.backend;
  const hone_shape *shape = &type->shape;
  if (!p->may_pitch || !backend->pitches || !backend->pitches(&unit->prepared)) return 0;
  if (!has_bytes(type) || !hone_type_known(type) || shape->rank < 2 ||
      hone_shape_span(shape, 0, shape->rank - 1) < 2)
    return 0;
  const hone_node *user = only_concat(p, unit, shape->rank, readers);
  const hone_node *concat = user ? user->regions[0]->first : NULL;
  int64_t pitch = 0;
  for (int i = 0; concat && i < concat->input_count; i++) {
    const hone_value *in = concat->inputs[i].value;
    const hone_value *out = in->constant ? in : user->inputs[in->index].value;
    const hone_shape *piece = p->values[out->id].typed ? &p->values[out->id].type.shape
                                                       : &out->type.shape;
    if (out == unit->node->outputs[0]) piece = shape;
    if (piece->rank != shape->rank || !hone_dim_known(piece->dim[shape->rank - 1]) ||
        !hone_add_s64(pitch, piece->dim[shape->rank - 1], &pitch))
      return 0;
  }
  return (size_t)pitch;
}

/* Whether `value`, one of the concat's, is made where it belongs in the result, of type `type`, or could
 * be: its rows were written so, or it is one run. */
static bool is_placeable(const hone_planner *p, const hone_value *value, const hone_type *type,
                         uint32_t *root) {
  const hone_planned *planned = &p->values[value->id];
  const hone_shape *whole = &type->shape;
  if (!is_free(p, value, root)) return false;
  if (planned->pitch) return planned->pitch == (size_t)whole->dim[whole->rank - 1];
  return is_run(whole, &planned->type.shape);
}

/* The inputs that are placeable, by bit of the body's inputs; a tensor that is joined twice lies in one
 * place only. With `commit` that is where they lie from now on. */
static uint64_t join(hone_planner *p, const hone_unit *unit, const hone_type *type, bool commit) {
  enum { MOST = 64 };
  const hone_node *node = only_node(unit->body, &hone_op_concat);
  uint32_t roots[MOST], root;
  int64_t strides[HONE_MAX_RANK], at = 0;
  uint64_t placed = 0;
  int count = 0, axis;
  if (!node || !has_bytes(type) || !hone_type_known(type) ||
      !hone_axis(hone_node_int(node, "axis"), type->shape.rank, &axis))
    return 0;
  hone_shape_strides(&type->shape, strides);
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value, *value = outside(unit, in);
    int64_t begin = at;
    at += value ? p->values[value->id].type.shape.dim[axis] : in->type.shape.dim[axis];
    if (!value || in->index >= MOST || count == MOST || body_uses(in) > 1 ||
        !is_placeable(p, value, type, &root))
      continue;
    bool again = false;
    for (int k = 0; k < count; k++) again = again || roots[k] == root;
    if (again) continue;
    roots[count++] = root;
    placed |= (uint64_t)1 << in->index;
    if (!commit) continue;
    p->pitched -= p->values[value->id].pitch != 0;
    p->values[root].root = unit->node->outputs[0]->id;
    p->values[root].inside = (size_t)(begin * strides[axis]) * (hone_dtype_bits(type->dtype) / 8);
  }
  return placed;
}

uint64_t hone_inside_join(hone_planner *p, const hone_unit *unit, const hone_type *type) {
  return join(p, unit, type, false);
}

bool hone_inside_is_all(const hone_unit *unit, uint64_t in_place) {
  const hone_node *node = unit->body->first;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in->constant || in->index >= 64 || !(in_place >> in->index & 1)) return false;
  }
  return true;
}

void hone_inside_commit(hone_planner *p, const hone_unit *unit) {
  (void)join(p, unit, &p->values[unit->node->outputs[0]->id].type, true);
}

void hone_inside_settle(hone_planner *p) {
  for (uint32_t id = 0; id < p->program->value_count; id++) {
    hone_planned *planned = &p->values[id];
    if (planned->at.kind == HONE_AT_NOWHERE) continue;
    size_t inside;
    planned->root = root_of(p, id, &inside);
    planned->inside = inside;
  }
}
