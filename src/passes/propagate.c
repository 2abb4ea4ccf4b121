/* One walk from inputs to outputs that infers types, follows shape arithmetic with symbols, and
 * computes what is constant. Each node sees the best that is known of its inputs. Room: passes. */
#include <string.h>

#include "passes/anchors.h"
#include "passes/integers.h"
#include "passes/passes.h"
#include "passes/same_sizes.h"

/* A constant may be eight times its inputs, as 4-bit weights dequantised are, or this much larger in
 * bytes: repeating a small tensor costs more when read from memory than when done on the way. */
enum { GROWTH_ALLOWED = 1 << 16, MULTIPLE = 8 };

typedef struct propagation {
  hone_pass_context *context;
  hone_partials partials;
  hone_same_sizes same;
  hone_anchors anchors;
} propagation;

static hone_dim merge_dim(hone_dim before, hone_dim now, size_t symbols_before) {
  if (hone_dim_known(now)) return now;
  if (hone_dim_known(before)) return before;
  return (size_t)(-1 - now) >= symbols_before ? before : now;
}

/* What was known before is kept where the shape rule alone knows less. */
static void merge_type(const hone_type *before, hone_type *now, size_t symbols_before) {
  if (before->kind != now->kind || before->shape.rank == HONE_RANK_UNKNOWN) return;
  if (now->shape.rank == HONE_RANK_UNKNOWN) now->shape = before->shape;
  if (now->shape.rank != before->shape.rank) return;
  for (int i = 0; i < now->shape.rank; i++)
    now->shape.dim[i] = merge_dim(before->shape.dim[i], now->shape.dim[i], symbols_before);
}

static hone_status *infer(hone_node *node) {
  hone_arena scratch = {0};
  size_t symbols = node->graph->root->symbol_count;
  hone_type *before = HONE_NEW_ARRAY(&scratch, node->output_count + 1, hone_type);
  HONE_TRY_MEMORY(before);
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) before[i] = node->outputs[i]->type;
  hone_status *status = hone_node_infer(node);
  for (int i = 0; !status && i < node->output_count; i++)
    if (node->outputs[i]) merge_type(&before[i], &node->outputs[i]->type, symbols);
  hone_arena_free(&scratch);
  return status;
}

/* Sizes of a tensor as a known factor and how often each symbol divides what is left. */
typedef struct product {
  int64_t known;
  hone_dim symbols[HONE_MAX_RANK * 2];
  int count;
  bool fits;
} product;

static void multiply(product *p, hone_dim dim) {
  if (hone_dim_known(dim)) p->fits = p->fits && hone_mul_s64(p->known, dim, &p->known);
  else p->symbols[p->count++] = dim;
}

static void divide(product *p, hone_dim dim) {
  if (hone_dim_known(dim)) {
    p->fits = p->fits && dim > 0 && p->known % dim == 0;
    if (p->fits) p->known /= dim;
    return;
  }
  for (int i = 0; i < p->count; i++) {
    if (p->symbols[i] != dim) continue;
    p->symbols[i] = p->symbols[--p->count];
    return;
  }
  p->fits = false;
}

/* The size that -1 stands for, where the other sizes cancel; else `otherwise`. */
static hone_dim rest_of(const hone_shape *x, const hone_shape *out, int rest, hone_dim otherwise) {
  product p = {.known = 1, .fits = x->rank >= 0};
  for (int i = 0; i < x->rank; i++) multiply(&p, x->dim[i]);
  for (int i = 0; i < out->rank; i++)
    if (i != rest) divide(&p, out->dim[i]);
  if (!p.fits) return otherwise;
  if (p.count == 0) return p.known;
  return p.count == 1 && p.known == 1 ? p.symbols[0] : otherwise;
}

/* The result's shape from what is known of the wanted one: symbols, 0 (as in x) and -1. */
static hone_status *refine_reshape(hone_node *node, const hone_partial *wanted) {
  const hone_shape *x = &node->inputs[0].value->type.shape;
  hone_shape *out = &node->outputs[0]->type.shape;
  int rest = -1;
  if (wanted->count > HONE_MAX_RANK) return NULL;
  if (out->rank == HONE_RANK_UNKNOWN) {
    out->rank = (int)wanted->count;
    for (int i = 0; i < out->rank; i++)
      HONE_TRY(hone_graph_symbol(node->graph, NULL, &out->dim[i]));
  }
  for (int i = 0; i < out->rank; i++) {
    hone_item item = wanted->items[i];
    bool copies = item.kind == HONE_ITEM_INT && item.value == 0 &&
                  !hone_node_flag(node, "allow_zero");
    if (item.kind == HONE_ITEM_INT && item.value == -1) rest = i;
    else if (copies && i < x->rank) out->dim[i] = x->dim[i];
    else if (item.kind == HONE_ITEM_SYMBOL || (item.kind == HONE_ITEM_INT && item.value > 0))
      out->dim[i] = item.value;
  }
  if (rest >= 0) out->dim[rest] = rest_of(x, out, rest, out->dim[rest]);
  return NULL;
}

/* A shape that is made at run time only to say what the graph knows becomes a constant: sizes, 0
 * for a size of x in the same place, and one -1. */
static hone_status *fix_reshape(hone_node *node, propagation *p) {
  const hone_shape *x = &node->inputs[0].value->type.shape, *out = &node->outputs[0]->type.shape;
  int64_t wanted[HONE_MAX_RANK];
  int rest = 0;
  if (hone_value_is_constant(node->inputs[1].value) || out->rank < 0) return NULL;
  for (int i = 0; i < out->rank; i++) {
    if (out->dim[i] == 0) return NULL;
    wanted[i] = out->dim[i];
    if (hone_dim_known(out->dim[i])) continue;
    bool copies = i < x->rank && x->dim[i] == out->dim[i];
    wanted[i] = copies ? 0 : -1;
    rest += !copies;
  }
  if (rest > 1) return NULL;
  hone_value *shape, *old = node->inputs[1].value;
  HONE_TRY(hone_graph_ints(node->graph, NULL, 1, wanted, (size_t)out->rank, &shape));
  hone_node_set_input(node, 1, shape);
  if (hone_node_flag(node, "allow_zero")) HONE_TRY(hone_node_set_int(node, "allow_zero", 0));
  if (old->producer) hone_remove_unused(old->producer);
  hone_pass_fired(p->context, "reshape to a known shape");
  return NULL;
}

/* An expand takes its shape input's size wherever its operand has one element. */
static void refine_expand(hone_node *node, const hone_partial *wanted) {
  const hone_shape *x = &node->inputs[0].value->type.shape;
  hone_shape *out = &node->outputs[0]->type.shape;
  if (out->rank == HONE_RANK_UNKNOWN || x->rank < 0 || wanted->count > (size_t)out->rank) return;
  int lead = out->rank - (int)wanted->count;
  for (int i = lead; i < out->rank; i++) {
    hone_item item = wanted->items[i - lead];
    int own = i - (out->rank - x->rank);
    if (item.kind == HONE_ITEM_UNKNOWN || hone_dim_known(out->dim[i])) continue;
    if (own < 0 || x->dim[own] == 1 || (item.kind == HONE_ITEM_INT && item.value > 1))
      out->dim[i] = item.value;
  }
}

static hone_status *refine(hone_node *node, propagation *p) {
  if (node->op == &hone_op_reshape) {
    const hone_partial *wanted = hone_partial_of(&p->partials, hone_node_in(node, 1));
    if (wanted) HONE_TRY(refine_reshape(node, wanted));
    return fix_reshape(node, p);
  }
  if (node->op == &hone_op_expand) {
    const hone_partial *wanted = hone_partial_of(&p->partials, hone_node_in(node, 1));
    if (wanted) refine_expand(node, wanted);
  }
  return NULL;
}

/* A value all of whose elements are known by shape arithmetic becomes a constant. */
static hone_status *fold_partial(hone_node *node, propagation *p, bool *folded) {
  const hone_value *value = hone_node_out(node, 0);
  const hone_partial *partial = value ? hone_partial_of(&p->partials, value) : NULL;
  if (!partial || node->output_count != 1 || !hone_partial_is_known(partial)) return NULL;
  int64_t data[HONE_PARTIAL_ROOM] = {0};
  size_t size;
  hone_value *constant;
  for (size_t i = 0; i < partial->count; i++)
    hone_store_int(value->type.dtype, data, i, partial->items[i].value);
  if (!hone_dtype_bytes(value->type.dtype, partial->count, &size)) return NULL;
  HONE_TRY(hone_graph_constant_copy(node->graph, NULL, value->type.dtype, value->type.shape, data,
                                    size, &constant));
  if (hone_substitute_copies(value, constant)) return NULL;
  *folded = true;
  hone_pass_fired(p->context, "known sizes");
  return hone_substitute(node, 0, constant);
}

/* Bytes of all the inputs; false when one is not constant. */
static bool constant_inputs(const hone_node *node, size_t *bytes) {
  *bytes = 0;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    if (!input) continue;
    if (!input->constant) return false;
    *bytes += input->constant_size;
  }
  return true;
}

/* Whether the model's constants leave room for more: chains of small growth must not add up. */
static bool has_room(const hone_pass_context *context, size_t more) {
  size_t all = context->fold_limit / MULTIPLE + context->own_constants;
  return context->folded / MULTIPLE <= all && more / MULTIPLE <= all - context->folded / MULTIPLE;
}

/* `out`: the bytes that come of it. */
static bool may_fold(const hone_node *node, const hone_pass_context *context, size_t *out) {
  size_t before, after = 0;
  if (node->op->facts & (HONE_IMPURE | HONE_HAS_REGIONS | HONE_OBJECTS)) return false;
  if (!node->op->reference || !constant_inputs(node, &before)) return false;
  if (!context->integers_made && hone_is_byte_weight(node)) return false;
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *output = node->outputs[i];
    size_t bytes;
    if (!output) continue;
    if (output->type.kind != HONE_KIND_TENSOR) return false;
    for (const hone_use *use = output->uses; use; use = use->next)
      if (!use->user) return false;
    if (node->op->facts & HONE_DATA_SHAPED) continue;
    if (!hone_shape_bytes(&output->type.shape, output->type.dtype, &bytes)) return false;
    if (!hone_add(after, bytes, &after)) return false;
  }
  *out = after;
  if (!has_room(context, after)) return false;
  return after <= context->fold_limit && (after <= before || after - before <= GROWTH_ALLOWED ||
                                          after / 8 <= before);
}

static hone_status *keep_results(hone_node *node, const hone_datum *out) {
  for (int i = 0; i < node->output_count; i++) {
    hone_value *constant;
    size_t bytes;
    if (!node->outputs[i] || !node->outputs[i]->uses) continue;
    if (!hone_shape_bytes(&out[i].shape, out[i].dtype, &bytes))
      return hone_error(HONE_LIMIT, "a constant is too large");
    HONE_TRY(hone_graph_constant_copy(node->graph, NULL, out[i].dtype, out[i].shape, out[i].data,
                                      bytes, &constant));
    HONE_TRY(hone_substitute(node, i, constant));
  }
  return NULL;
}

static hone_status *fold(hone_node *node, hone_arena *scratch) {
  const hone_datum **in = HONE_NEW_ARRAY(scratch, node->input_count + 1, const hone_datum *);
  hone_datum *data = HONE_NEW_ARRAY(scratch, node->input_count + 1, hone_datum);
  hone_datum *out = HONE_NEW_ARRAY(scratch, node->output_count + 1, hone_datum);
  if (!in || !data || !out) return hone_error_memory();
  for (int i = 0; i < node->input_count; i++) {
    if (!node->inputs[i].value) continue;
    data[i] = hone_value_datum(node->inputs[i].value);
    in[i] = &data[i];
  }
  HONE_TRY(hone_evaluate(node, in, out, scratch));
  return keep_results(node, out);
}

/* A size that an earlier tensor has is read from that. */
static hone_status *read_anchor(hone_node *node, propagation *p, bool *replaced) {
  hone_value *to;
  HONE_TRY(hone_anchors_read(&p->anchors, &p->partials, node, &to));
  if (!to) return NULL;
  *replaced = true;
  hone_pass_fired(p->context, "size read earlier");
  return hone_substitute(node, 0, to);
}

static hone_status *propagate_node(hone_node *node, propagation *p) {
  bool folded = false;
  HONE_TRY(infer(node));
  HONE_TRY(refine(node, p));
  HONE_TRY(hone_same_sizes_node(&p->same, &p->partials, node));
  HONE_TRY(hone_partial_node(&p->partials, node));
  HONE_TRY(fold_partial(node, p, &folded));
  if (!folded) HONE_TRY(read_anchor(node, p, &folded));
  for (int i = 0; !folded && i < node->output_count; i++)
    HONE_TRY(hone_anchors_note(&p->anchors, node->outputs[i]));
  size_t bytes;
  if (folded || !may_fold(node, p->context, &bytes)) return NULL;
  p->context->folded += bytes;
  hone_arena scratch = {0};
  hone_status *status = fold(node, &scratch);
  hone_arena_free(&scratch);
  hone_pass_fired(p->context, "fold constants");
  return status;
}

static hone_status *propagate_graph(hone_graph *graph, hone_pass_context *context) {
  propagation p = {.context = context, .partials = {.graph = graph}};
  hone_status *status = NULL;
  for (int i = 0; i < graph->input_count && !status; i++)
    status = hone_anchors_note(&p.anchors, graph->inputs[i]);
  for (hone_node *node = graph->first, *next; node && !status; node = next) {
    next = node->next;
    status = propagate_node(node, &p);
  }
  if (!status && p.partials.failed) status = hone_error_memory();
  hone_arena_free(&p.partials.arena);
  hone_same_sizes_free(&p.same);
  hone_arena_free(&p.anchors.arena);
  return status;
}

static hone_status *count_constants(hone_graph *graph, hone_pass_context *context) {
  for (size_t i = 0; i < graph->constant_count; i++)
    context->own_constants += graph->constants[i]->constant_size;
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  if (!context->counted) HONE_TRY(hone_each_graph(graph, context, count_constants));
  context->counted = true;
  return hone_each_graph(graph, context, propagate_graph);
}

const hone_pass hone_pass_propagate = {"propagate", run};
