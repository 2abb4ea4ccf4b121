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
  if (x->constant || !hone_dim_known(size) || at < -size || at >= size) return NULL;
  if (at < 0) at += size;
  HONE_TRY(hone_make_slice(node, x, axis, at, at + 1, &part));
  if (index->type.shape.rank == 1) return *to = part, NULL;
  int64_t gone = axis;
  hone_value *inputs[2] = {part};
  HONE_TRY(hone_graph_ints(node->graph, NULL, 1, &gone, 1, &inputs[1]));
  return hone_make(node, &hone_op_squeeze, inputs, 2, to);
}

const hone_simplify_rule hone_part_rules[] = {{"gather of one", &hone_op_gather, gather_one}, {0}};

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
