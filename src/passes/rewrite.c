/* What passes share. Room: passes. */
#include "passes/rewrite.h"

#include <string.h>

hone_status *hone_each_graph(hone_graph *graph, hone_pass_context *context,
                             hone_graph_rewrite *run) {
  for (hone_node *node = graph->first; node; node = node->next)
    for (int i = 0; node->op != &hone_op_group && i < node->region_count; i++)
      HONE_TRY(hone_each_graph(node->regions[i], context, run));
  return run(graph, context);
}

hone_status *hone_each_node(hone_graph *graph, hone_pass_context *context,
                            hone_node_rewrite *run) {
  for (hone_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    for (int i = 0; node->op != &hone_op_group && i < node->region_count; i++)
      HONE_TRY(hone_each_node(node->regions[i], context, run));
    HONE_TRY(run(node, context));
  }
  return NULL;
}

hone_status *hone_node_start(hone_node *from, const hone_op *op, hone_value *const *inputs,
                             int input_count, hone_node **out) {
  HONE_TRY(hone_node_new(from->graph, from, op, inputs, input_count, 1, out));
  return hone_node_add_sources(*out, from);
}

hone_status *hone_node_finish(hone_node *node, hone_value **out) {
  HONE_TRY(hone_node_check(node));
  HONE_TRY(hone_node_infer(node));
  if (out) *out = node->outputs[0];
  return NULL;
}

hone_status *hone_make(hone_node *from, const hone_op *op, hone_value *const *inputs,
                       int input_count, hone_value **out) {
  hone_node *node;
  HONE_TRY(hone_node_start(from, op, inputs, input_count, &node));
  return hone_node_finish(node, out);
}

/* What reshape is told: sizes; for one symbol -1; of several 0 where x has the same at that axis, which
 * leaves one at most. False where that does not say it. */
static bool reshape_dims(const hone_shape *x, const hone_shape *shape, int64_t *dims) {
  int symbols = 0, left = 0;
  bool empty = false;
  for (int i = 0; i < shape->rank; i++) {
    symbols += !hone_dim_known(shape->dim[i]);
    empty = empty || shape->dim[i] == 0;
  }
  for (int i = 0; i < shape->rank; i++) {
    bool known = hone_dim_known(shape->dim[i]);
    bool same = symbols > 1 && !empty && i < x->rank && x->dim[i] == shape->dim[i];
    dims[i] = known ? shape->dim[i] : same ? 0 : -1;
    left += !known && !same;
  }
  return left <= 1;
}

bool hone_can_reshape(const hone_shape *x, const hone_shape *shape) {
  int64_t dims[HONE_MAX_RANK];
  return reshape_dims(x, shape, dims);
}

hone_status *hone_make_reshape(hone_node *from, hone_value *x, const hone_shape *shape,
                               hone_value **out) {
  int64_t dims[HONE_MAX_RANK];
  bool empty = false;
  (void)reshape_dims(&x->type.shape, shape, dims); /* the caller has asked */
  for (int i = 0; i < shape->rank; i++) empty = empty || shape->dim[i] == 0;
  hone_node *node;
  hone_value *inputs[2] = {x};
  HONE_TRY(hone_graph_ints(from->graph, NULL, 1, dims, (size_t)shape->rank, &inputs[1]));
  HONE_TRY(hone_node_start(from, &hone_op_reshape, inputs, 2, &node));
  if (empty) HONE_TRY(hone_node_set_int(node, "allow_zero", 1));
  HONE_TRY(hone_node_finish(node, out));
  (*out)->type.shape = *shape;
  return NULL;
}

hone_status *hone_make_transpose(hone_node *from, hone_value *x, const int *perm,
                                 hone_value **out) {
  hone_node *node;
  int64_t wide[HONE_MAX_RANK];
  for (int i = 0; i < x->type.shape.rank; i++) wide[i] = perm[i];
  HONE_TRY(hone_node_start(from, &hone_op_transpose, &x, 1, &node));
  HONE_TRY(hone_node_set_ints(node, "perm", wide, (size_t)x->type.shape.rank));
  return hone_node_finish(node, out);
}

static bool is_graph_output(const hone_value *value) {
  for (const hone_use *use = value->uses; use; use = use->next)
    if (!use->user) return true;
  return false;
}

bool hone_substitute_copies(const hone_value *from, const hone_value *to) {
  return is_graph_output(from) && (!to->producer || is_graph_output(to));
}

/* The uses of `from` as a graph output. */
static void move_outputs(hone_value *from, hone_value *to) {
  hone_graph *graph = from->graph;
  for (int i = 0; i < graph->output_count; i++)
    if (graph->outputs[i].value == from) hone_graph_set_output(graph, i, to);
}

static bool is_made_up(const char *name) {
  return name[0] == '_' && name[1] >= '0' && name[1] <= '9';
}

hone_status *hone_take_name(hone_value *to, hone_value *from) {
  const char *name = from->name;
  HONE_TRY(hone_value_rename(from, *name == '~' ? "" : "~")); /* any but the name itself */
  return hone_value_rename(to, name);
}

hone_status *hone_substitute(hone_node *node, int index, hone_value *to) {
  hone_value *from = node->outputs[index];
  bool output = is_graph_output(from);
  if (to->type.kind == HONE_KIND_TENSOR && to->type.shape.rank == HONE_RANK_UNKNOWN)
    to->type.shape = from->type.shape;
  if (hone_substitute_copies(from, to)) {
    hone_value *copy;
    HONE_TRY(hone_make(node, &hone_op_identity, &to, 1, &copy));
    move_outputs(from, copy);
    HONE_TRY(hone_take_name(copy, from));
  } else if (output || (is_made_up(to->name) && !is_made_up(from->name))) {
    HONE_TRY(hone_take_name(to, from));
  }
  hone_value_replace(from, to);
  hone_remove_unused(node);
  return NULL;
}

static bool has_uses(const hone_node *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && node->outputs[i]->uses) return true;
  return false;
}

/* Walks a stack of nodes that lost a use; `mark` links the stack. */
void hone_remove_unused(hone_node *node) {
  if (has_uses(node)) return;
  hone_node *stack = node;
  node->mark = NULL;
  while (stack) {
    hone_node *gone = stack;
    stack = gone->mark;
    for (int i = 0; i < gone->input_count; i++) {
      hone_value *input = gone->inputs[i].value;
      if (!input) continue;
      hone_node_set_input(gone, i, NULL);
      if (!input->producer || input->producer == gone || has_uses(input->producer)) continue;
      input->producer->mark = stack;
      stack = input->producer;
    }
    hone_node_remove(gone);
  }
}

bool hone_uniform(const hone_value *value, double *out) {
  if (!hone_value_is_constant(value)) return false;
  hone_dtype dtype = value->type.dtype;
  hone_dtype_class class = hone_dtype_class_of(dtype);
  size_t count;
  if (class == HONE_CLASS_STRING || class == HONE_CLASS_COMPLEX || class == HONE_CLASS_NONE)
    return false;
  if (!hone_shape_count(&value->type.shape, &count) || count == 0) return false;
  *out = hone_load_real(dtype, value->constant, 0);
  for (size_t i = 1; i < count; i++)
    if (hone_load_real(dtype, value->constant, i) != *out) return false;
  return true;
}

bool hone_constant_ints(const hone_value *value, int64_t *out, size_t room, size_t *count) {
  if (!hone_value_is_constant(value)) return false;
  hone_dtype_class class = hone_dtype_class_of(value->type.dtype);
  if (class != HONE_CLASS_SIGNED && class != HONE_CLASS_UNSIGNED) return false;
  if (!hone_shape_count(&value->type.shape, count) || *count > room) return false;
  for (size_t i = 0; i < *count; i++)
    out[i] = hone_load_int(value->type.dtype, value->constant, i);
  return true;
}

bool hone_same_type(const hone_value *a, const hone_value *b) {
  return a->type.kind == HONE_KIND_TENSOR && b->type.kind == HONE_KIND_TENSOR &&
         a->type.dtype == b->type.dtype && a->type.shape.rank != HONE_RANK_UNKNOWN &&
         hone_shape_equal(&a->type.shape, &b->type.shape);
}

bool hone_used_only_by(const hone_value *value, const hone_node *user) {
  for (const hone_use *use = value->uses; use; use = use->next)
    if (use->user != user) return false;
  return value->uses != NULL;
}

bool hone_reduce_axes(const hone_node *node, bool *axes) {
  const hone_value *x = node->inputs[0].value, *list = hone_node_in(node, 1);
  int rank = x->type.shape.rank;
  int64_t given[HONE_MAX_RANK];
  size_t count = 0;
  memset(axes, 0, HONE_MAX_RANK * sizeof *axes);
  if (rank == HONE_RANK_UNKNOWN) return false;
  if (list && !hone_constant_ints(list, given, HONE_MAX_RANK, &count)) return false;
  if (count == 0) {
    for (int i = 0; i < rank; i++) axes[i] = hone_node_flag(node, "empty_is_all");
    return true;
  }
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (!hone_axis(given[i], rank, &axis)) return false;
    axes[axis] = true;
  }
  return true;
}

bool hone_is_float(const hone_value *value) {
  return hone_dtype_class_of(value->type.dtype) == HONE_CLASS_FLOAT;
}

static bool same_text(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_attr(const hone_attr *a, const hone_attr *b) {
  if (a->integer != b->integer || a->real != b->real || a->count != b->count ||
      !same_text(a->text, b->text))
    return false;
  for (size_t i = 0; i < a->count; i++) {
    if (a->integers && a->integers[i] != b->integers[i]) return false;
    if (a->reals && a->reals[i] != b->reals[i]) return false;
    if (a->texts && !same_text(a->texts[i], b->texts[i])) return false;
  }
  return true;
}

bool hone_same_attrs(const hone_node *a, const hone_node *b) {
  if (a->op != b->op) return false;
  for (int i = 0; i < HONE_MAX_ATTRS && a->op->attrs[i].name; i++)
    if (!same_attr(&a->attrs[i], &b->attrs[i])) return false;
  return true;
}

void hone_copy_attrs(hone_node *to, const hone_node *from) {
  for (int i = 0; i < HONE_MAX_ATTRS && from->op->attrs[i].name; i++) to->attrs[i] = from->attrs[i];
}

hone_status *hone_join_constants(hone_graph *graph, const hone_value *const *parts,
                                 const int64_t *sizes, int count, const hone_value *like, int axis,
                                 hone_value **out) {
  hone_shape shape = like->type.shape;
  size_t outer = hone_shape_span(&shape, 0, axis), step = 0, bytes;
  size_t element = hone_dtype_bits(like->type.dtype) / 8;
  size_t inner = hone_shape_span(&shape, axis + 1, shape.rank) * element;
  shape.dim[axis] = 0;
  for (int i = 0; i < count; i++) shape.dim[axis] += sizes[i];
  step = (size_t)shape.dim[axis] * inner;
  if (!hone_shape_bytes(&shape, like->type.dtype, &bytes))
    return hone_error(HONE_LIMIT, "the weights of merged nodes are too large");
  char *data = hone_graph_bytes(graph, bytes), *to = data;
  HONE_TRY_MEMORY(data);
  memset(data, 0, bytes);
  for (int i = 0; i < count; i++) {
    size_t part = (size_t)sizes[i] * inner;
    for (size_t o = 0; o < outer && parts[i]; o++)
      memcpy(to + o * step, (const char *)parts[i]->constant + o * part, part);
    to += part;
  }
  return hone_graph_constant(graph, NULL, like->type.dtype, shape, data, bytes, out);
}
