/* Batches: one walk over the nodes, a rule an op. Room: ops. */
#include "ops/batch.h"

#include "ops/ops.h"

/* What a value follows from, in order of how little it is: all rules answer with the larger. */
typedef enum follows {
  SAME = 0, /* no row: constants, inputs without the symbol */
  COUNT,    /* how many rows there are, and no row */
  ROWS,     /* row i, along the first axis, from row i */
  MIXED     /* anything */
} follows;

typedef struct walk {
  hone_dim symbol;
  follows *of; /* by value id */
} walk;

static follows of_input(const walk *w, const hone_node *node, int index) {
  const hone_value *value = hone_node_in(node, index);
  return value && !value->constant ? w->of[value->id] : SAME;
}

/* Whether the rows are the first axis of a tensor, and no other. */
static bool has_rows(const walk *w, const hone_value *value) {
  const hone_type *type = &value->type;
  if (type->kind != HONE_KIND_TENSOR || type->shape.rank < 1) return false;
  for (int i = 0; i < type->shape.rank; i++)
    if ((type->shape.dim[i] == w->symbol) != (i == 0)) return false;
  return true;
}

static bool counts_rows(const walk *w, const hone_value *value) {
  const hone_shape *shape = &value->type.shape;
  if (value->type.kind != HONE_KIND_TENSOR || shape->rank < 0) return true;
  for (int i = 0; i < shape->rank; i++)
    if (shape->dim[i] == w->symbol) return true;
  return false;
}

/* Whether broadcasting input `index` to `rank` axes leaves rows on rows, and gives every row the same of
 * what has none. */
static bool broadcasts(const walk *w, const hone_node *node, int index, int rank) {
  const hone_value *value = hone_node_in(node, index);
  if (!value) return true;
  const hone_shape *shape = &value->type.shape;
  if (of_input(w, node, index) == ROWS) return shape->rank == rank;
  return shape->rank >= 0 && (shape->rank < rank || (rank > 0 && shape->dim[0] == 1));
}

/* The attribute `axis`, for the first input, is another than the rows'. */
static bool is_beside_rows(int64_t axis, const hone_node *node) {
  int place;
  return hone_axis(axis, node->inputs[0].value->type.shape.rank, &place) && place > 0;
}

/* The elements of a constant input are axes, none of them the rows'. */
static bool are_beside_rows(const hone_node *node, int index) {
  const hone_value *axes = hone_node_in(node, index);
  if (!axes || !axes->constant || hone_value_is_absent(axes)) return false;
  hone_datum datum = hone_value_datum(axes);
  size_t count = hone_datum_count(&datum);
  for (size_t i = 0; i < count; i++)
    if (!is_beside_rows(hone_load_int(datum.dtype, datum.data, i), node)) return false;
  return count > 0;
}

/* ---- Rules: whether outputs have rows of the same rows; that their shapes do is checked already -- */

static bool first_alone(const walk *w, const hone_node *node) {
  for (int i = 1; i < node->input_count; i++)
    if (of_input(w, node, i) == ROWS) return false;
  return true;
}

static bool pointwise(const walk *w, const hone_node *node) {
  int rank = node->outputs[0]->type.shape.rank;
  for (int i = 0; i < node->input_count; i++)
    if (!broadcasts(w, node, i, rank)) return false;
  return true;
}

/* Indices of maxima count through the pictures before. */
static bool pool(const walk *w, const hone_node *node) {
  (void)w;
  return !hone_node_out(node, 1);
}

static bool along_axis(const walk *w, const hone_node *node) {
  return first_alone(w, node) && is_beside_rows(hone_node_int(node, "axis"), node);
}

static bool over_axes(const walk *w, const hone_node *node) {
  return first_alone(w, node) && are_beside_rows(node, 1);
}

static bool slice(const walk *w, const hone_node *node) {
  return first_alone(w, node) && are_beside_rows(node, 3);
}

static bool concat(const walk *w, const hone_node *node) {
  for (int i = 0; i < node->input_count; i++)
    if (of_input(w, node, i) != ROWS) return false;
  return is_beside_rows(hone_node_int(node, "axis"), node);
}

static bool transpose(const walk *w, const hone_node *node) {
  size_t count;
  const int64_t *perm = hone_node_ints(node, "perm", &count);
  int rank = node->inputs[0].value->type.shape.rank, place;
  (void)w;
  return count > 0 && hone_axis(perm[0], rank, &place) && place == 0;
}

/* Rows are looked up in a table, or things in each row. */
static bool gather(const walk *w, const hone_node *node) {
  int axis, rank = node->inputs[0].value->type.shape.rank;
  if (!hone_axis(hone_node_int(node, "axis"), rank, &axis)) return false;
  bool rows = of_input(w, node, 0) == ROWS, indices = of_input(w, node, 1) == ROWS;
  return rows != indices && (axis > 0) == rows;
}

static bool expand(const walk *w, const hone_node *node) {
  return broadcasts(w, node, 0, node->outputs[0]->type.shape.rank);
}

static bool resize(const walk *w, const hone_node *node) {
  size_t count;
  const int64_t *axes = hone_node_ints(node, "axes", &count);
  for (size_t i = 0; i < count; i++)
    if (!is_beside_rows(axes[i], node)) return false;
  return count > 0 && first_alone(w, node);
}

/* Rows are on an axis that products of matrices go along, or rows of the left matrix. */
static bool matmul(const walk *w, const hone_node *node) {
  enum { A, B, BIAS };
  const hone_shape *a = &node->inputs[A].value->type.shape;
  const hone_shape *b = &node->inputs[B].value->type.shape;
  int rank = node->outputs[0]->type.shape.rank;
  if (!broadcasts(w, node, BIAS, rank)) return false;
  if (a->rank == 2 && rank == 2)
    return of_input(w, node, A) == ROWS && of_input(w, node, B) != ROWS && b->rank == 2 &&
           !hone_node_flag(node, "transpose_a");
  return rank >= 3 && a->rank >= 2 && b->rank >= 2 && broadcasts(w, node, A, rank) &&
         broadcasts(w, node, B, rank);
}

static bool attention(const walk *w, const hone_node *node) {
  enum { Q, K, V, MASK };
  for (int i = Q; i <= V; i++)
    if (of_input(w, node, i) != ROWS) return false;
  for (int i = MASK + 1; i < node->input_count; i++) /* numbers, or one a row */
    if (!broadcasts(w, node, i, 1)) return false;
  return broadcasts(w, node, MASK, node->outputs[0]->type.shape.rank);
}

static const struct {
  const hone_op *op;
  bool (*holds)(const walk *w, const hone_node *node);
} rules[] = {
    {&hone_op_conv, first_alone},
    {&hone_op_conv_integer, first_alone},
    {&hone_op_conv_transpose, first_alone},
    {&hone_op_matmul_integer, first_alone},
    {&hone_op_byte_mean, first_alone},
    {&hone_op_reshape, first_alone},
    {&hone_op_flatten, first_alone},
    {&hone_op_squeeze, first_alone},
    {&hone_op_unsqueeze, first_alone},
    {&hone_op_identity, first_alone},
    {&hone_op_select, pointwise},
    {&hone_op_pool, pool},
    {&hone_op_softmax, along_axis},
    {&hone_op_log_softmax, along_axis},
    {&hone_op_layer_norm, along_axis},
    {&hone_op_rms_norm, along_axis},
    {&hone_op_batch_norm, along_axis},
    {&hone_op_group_norm, along_axis},
    {&hone_op_instance_norm, along_axis},
    {&hone_op_quantize, along_axis},
    {&hone_op_dequantize, along_axis},
    {&hone_op_split, along_axis},
    {&hone_op_arg_reduce, along_axis},
    {&hone_op_reduce, over_axes},
    {&hone_op_slice, slice},
    {&hone_op_concat, concat},
    {&hone_op_transpose, transpose},
    {&hone_op_gather, gather},
    {&hone_op_expand, expand},
    {&hone_op_resize, resize},
    {&hone_op_matmul, matmul},
    {&hone_op_attention, attention},
};

static bool rule_holds(const walk *w, const hone_node *node) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (rules[i].op == node->op) return rules[i].holds(w, node);
  return (node->op->facts & HONE_POINTWISE) && pointwise(w, node);
}

/* ---- The walk -------------------------------------------------------------------------------- */

static bool has_bit(uint32_t bits, int index) {
  return bits >> (index < 31 ? index : 31) & 1;
}

/* Shapes follow from no row's elements; how many rows there are shows in shapes alone. */
static bool reads_apart(const walk *w, const hone_node *node) {
  for (int i = 0; i < node->input_count; i++) {
    bool shapes = has_bit(node->op->shape_inputs, i);
    follows from = of_input(w, node, i);
    if (from == (shapes ? ROWS : COUNT)) return false;
    if (from == ROWS && has_bit(node->op->host_inputs, i)) return false;
  }
  return true;
}

static follows node_follows(const walk *w, const hone_node *node) {
  follows most = SAME;
  for (int i = 0; i < node->input_count; i++)
    if (of_input(w, node, i) > most) most = of_input(w, node, i);
  if (node->op->facts & (HONE_IMPURE | HONE_DATA_SHAPED | HONE_OBJECTS | HONE_HAS_REGIONS))
    return MIXED;
  if (most == SAME || most == MIXED) return most;
  if (node->op->facts & HONE_SHAPE_ONLY) return COUNT;
  bool rows = node->output_count > 0;
  for (int i = 0; i < node->output_count; i++)
    rows = rows && (!node->outputs[i] || has_rows(w, node->outputs[i]));
  rows = rows && node->outputs[0] && reads_apart(w, node);
  if (most == COUNT) /* one thing as often as there are rows */
    return rows && node->op == &hone_op_expand && expand(w, node) ? ROWS : COUNT;
  return rows && rule_holds(w, node) ? ROWS : MIXED;
}

static hone_status *walk_graph(const walk *w, const hone_graph *graph, hone_arena *memory);

static hone_status *walk_group(const walk *w, const hone_node *node, hone_arena *memory) {
  const hone_graph *body = node->regions[0];
  walk inside = {w->symbol, HONE_NEW_ARRAY(memory, body->next_id + 1, follows)};
  HONE_TRY_MEMORY(inside.of);
  for (int i = 0; i < body->input_count; i++) {
    follows from = of_input(w, node, i);
    bool lost = from == ROWS && !has_rows(w, body->inputs[i]);
    inside.of[body->inputs[i]->id] = lost ? MIXED : from;
  }
  HONE_TRY(walk_graph(&inside, body, memory));
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *made = body->outputs[i].value, *out = node->outputs[i];
    if (!out) continue;
    follows from = made->constant ? SAME : inside.of[made->id];
    w->of[out->id] = from == ROWS && !has_rows(w, out) ? MIXED : from;
  }
  return NULL;
}

static hone_status *walk_graph(const walk *w, const hone_graph *graph, hone_arena *memory) {
  for (const hone_node *node = graph->first; node; node = node->next) {
    if (node->op == &hone_op_group) {
      HONE_TRY(walk_group(w, node, memory));
      continue;
    }
    follows from = node_follows(w, node);
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i]) w->of[node->outputs[i]->id] = from;
  }
  return NULL;
}

/* What the first input that begins with a symbol begins with. */
static hone_dim first_symbol(const hone_graph *graph) {
  for (int i = 0; i < graph->input_count; i++) {
    const hone_shape *shape = &graph->inputs[i]->type.shape;
    if (shape->rank > 0 && !hone_dim_known(shape->dim[0])) return shape->dim[0];
  }
  return 0;
}

hone_status *hone_batch_symbol(const hone_graph *graph, hone_dim *out) {
  hone_arena memory = {0};
  walk w = {first_symbol(graph), HONE_NEW_ARRAY(&memory, graph->next_id + 1, follows)};
  *out = 0;
  HONE_TRY_MEMORY(w.of);
  for (int i = 0; i < graph->input_count; i++) {
    const hone_value *input = graph->inputs[i];
    w.of[input->id] = has_rows(&w, input) ? ROWS : counts_rows(&w, input) ? MIXED : SAME;
  }
  hone_status *status = w.symbol ? walk_graph(&w, graph, &memory) : NULL;
  bool rows = !status && w.symbol && graph->output_count > 0;
  for (int i = 0; i < graph->output_count; i++) {
    const hone_value *value = graph->outputs[i].value;
    rows = rows && !value->constant && w.of[value->id] == ROWS;
  }
  if (rows) *out = w.symbol;
  hone_arena_free(&memory);
  return status;
}
