/* Taking parts of tensors: spellings that become slices, which views and strides can stand for.
 * Room: passes. */
#include "passes/reading.h"
#include "passes/simplify.h"

/* gather of one constant index is a slice, and without its axis where the index has none. */
static hone_status *gather_one(hone_node *node, const hone_pass_context *context, hone_value **to) {
  enum { X, INDEX };
  (void)context;
  hone_value *x = node->inputs[X].value, *index = node->inputs[INDEX].value, *part;
  const hone_shape *shape = &x->type.shape;
  int64_t at;
  size_t count;
  int axis;
  /* Of a vector it is shape arithmetic, which partial.c understands as it is. */
  if (shape->rank < 2 || index->type.shape.rank > 1 || !hone_constant_ints(index, &at, 1, &count) ||
      count != 1 || !hone_axis(hone_node_int(node, "axis"), shape->rank, &axis))
    return NULL;
  int64_t size = shape->dim[axis];
  /* The first and the last are there, whatever the size; where it is 0 the shapes do not fit. */
  bool there = hone_dim_known(size) ? at >= -size && at < size : at == 0 || at == -1;
  if (x->constant || !there) return NULL;
  HONE_TRY(hone_make_slice(node, x, axis, at, at == -1 ? INT64_MAX : at + 1, &part));
  part->type.shape.dim[axis] = 1;
  if (index->type.shape.rank == 1) return *to = part, NULL;
  int64_t gone = axis;
  hone_value *inputs[2] = {part};
  HONE_TRY(hone_graph_ints(node->graph, NULL, 1, &gone, 1, &inputs[1]));
  return hone_make(node, &hone_op_squeeze, inputs, 2, to);
}

/* concat of concats along one axis is one concat: what the inner ones joined is copied once, or not at
 * all. */
static hone_status *flatten_concat(hone_node *node, const hone_pass_context *context,
                                   hone_value **to) {
  enum { MOST = 64 };
  (void)context;
  hone_value *inputs[MOST];
  int count = 0, rank = node->outputs[0]->type.shape.rank, axis, own;
  if (rank < 1 || !hone_axis(hone_node_int(node, "axis"), rank, &axis)) return NULL;
  for (int i = 0; i < node->input_count; i++) {
    hone_value *x = node->inputs[i].value;
    const hone_node *inner = x->producer;
    bool joins = inner && inner->op == node->op && hone_value_has_one_use(x) &&
                 hone_axis(hone_node_int(inner, "axis"), rank, &own) && own == axis;
    int more = joins ? inner->input_count : 1;
    if (count + more > MOST) return NULL;
    for (int k = 0; k < more; k++) inputs[count++] = joins ? inner->inputs[k].value : x;
  }
  if (count == node->input_count) return NULL;
  hone_node *flat;
  HONE_TRY(hone_node_start(node, node->op, inputs, count, &flat));
  HONE_TRY(hone_node_set_int(flat, "axis", axis));
  return hone_node_finish(flat, to);
}

/* The cuts of a slice as numbers, an entry an axis; false where they are not known. */
typedef struct cuts {
  int64_t start[HONE_MAX_RANK], end[HONE_MAX_RANK], axis[HONE_MAX_RANK], step[HONE_MAX_RANK];
  size_t count;
} cuts;

static bool add_cuts(const hone_node *slice, cuts *c) {
  int64_t given[4][HONE_MAX_RANK];
  size_t count[4] = {0};
  int rank = slice->inputs[0].value->type.shape.rank;
  for (int i = 0; i < 4; i++) {
    const hone_value *list = hone_node_in(slice, i + 1);
    if (list ? !hone_constant_ints(list, given[i], HONE_MAX_RANK, &count[i]) : i < 2) return false;
    if (list && count[i] != count[0]) return false;
  }
  for (size_t i = 0; i < count[0]; i++) {
    int axis;
    if (c->count == HONE_MAX_RANK || !hone_axis(count[2] ? given[2][i] : (int64_t)i, rank, &axis))
      return false;
    for (size_t k = 0; k < c->count; k++)
      if (c->axis[k] == axis) return false;
    c->start[c->count] = given[0][i];
    c->end[c->count] = given[1][i];
    c->axis[c->count] = axis;
    c->step[c->count++] = count[3] ? given[3][i] : 1;
  }
  return true;
}

/* slice of a slice along other axes: one copy of what both leave. */
static hone_status *merge_slices(hone_node *node, const hone_pass_context *context,
                                 hone_value **to) {
  (void)context;
  const hone_node *inner = node->inputs[0].value->producer;
  cuts c = {.count = 0};
  if (!inner || inner->op != node->op || !hone_value_has_one_use(node->inputs[0].value)) return NULL;
  if (!add_cuts(inner, &c) || !add_cuts(node, &c)) return NULL;
  hone_value *inputs[5] = {inner->inputs[0].value};
  const int64_t *const lists[] = {c.start, c.end, c.axis, c.step};
  for (int i = 0; i < 4; i++)
    HONE_TRY(hone_graph_ints(node->graph, NULL, 1, lists[i], c.count, &inputs[i + 1]));
  return hone_make(node, node->op, inputs, 5, to);
}

const hone_simplify_rule hone_part_rules[] = {{"gather of one", &hone_op_gather, gather_one},
                                              {"flatten concat", &hone_op_concat, flatten_concat},
                                              {"merge slices", &hone_op_slice, merge_slices},
                                              {0}};

/* Whether a slice of `value` along `axis` would be read where it lies. */
static bool is_free_part(const hone_value *value, int axis) {
  hone_reading reading = hone_reading_of(value);
  return reading == HONE_READS_STRIDES ||
         (reading == HONE_READS_ROWS && axis == value->type.shape.rank - 1);
}

/* split of known sizes, of which every part is read where it lies. */
static hone_status *split_to_slices(hone_node *node, const hone_pass_context *context,
                                    hone_value **to) {
  (void)context;
  hone_value *x = node->inputs[0].value, *part;
  int axis;
  if (!hone_axis(hone_node_int(node, "axis"), x->type.shape.rank, &axis)) return NULL;
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *out = node->outputs[i];
    if (!out || !out->uses || !hone_dim_known(out->type.shape.dim[axis]) || !is_free_part(out, axis))
      return NULL;
  }
  int64_t at = 0, size;
  for (int i = 0; i < node->output_count; i++, at += size) {
    size = node->outputs[i]->type.shape.dim[axis];
    HONE_TRY(hone_make_slice(node, x, axis, at, at + size, &part));
    part->type = node->outputs[i]->type;
    if (i == 0) *to = part;
    else HONE_TRY(hone_substitute(node, i, part));
  }
  return NULL;
}

const hone_simplify_rule hone_late_part_rules[] = {
    {"split to slices", &hone_op_split, split_to_slices}, {0}};
