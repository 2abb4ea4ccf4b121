/* f16 and bf16 are types of storage: what computes in them computes in f32, and what only moves them
 * moves them as they are. Values between two computing nodes stay f32 and are not rounded, as if the
 * two were one kernel, but where the reader jumps: an integer, a truth or a floor shows a rounding
 * whole. fp32-strict rounds every result. A cast by the user keeps its meaning.
 *
 * A model whose products are all bf16 is then computed in bf16 by the precision pass, since it asks
 * for no more. Room: passes. */
#include "passes/passes.h"
#include "passes/rewrite.h"

/* What became of a value that was there before the pass, by its id. */
typedef struct widened {
  hone_dtype was;   /* the narrow type of a value that is f32 now; else none */
  hone_value *wide; /* a narrow value as f32 */
  hone_value *back; /* a value that is f32 now in its old type */
  hone_value *rounded; /* and that as f32 again */
} widened;

typedef struct widener {
  hone_pass_context *context;
  widened *values;
  uint32_t count; /* ids before the pass */
} widener;

static bool is_narrow(hone_dtype dtype) { return dtype == HONE_F16 || dtype == HONE_BF16; }

static bool is_narrow_tensor(const hone_value *value) {
  return value && value->type.kind == HONE_KIND_TENSOR && is_narrow(value->type.dtype);
}

static hone_dtype was_type(const widener *w, const hone_value *value) {
  return value && value->id < w->count ? w->values[value->id].was : HONE_DTYPE_NONE;
}

/* A cast before `before`, or at the end of the graph. */
static hone_status *make_cast(hone_node *before, hone_value *value, hone_dtype to,
                              hone_value **out) {
  hone_node *cast;
  HONE_TRY(hone_node_new(value->graph, before, &hone_op_cast, &value, 1, 1, &cast));
  if (before ? before : value->producer)
    HONE_TRY(hone_node_add_sources(cast, before ? before : value->producer));
  HONE_TRY(hone_node_set_int(cast, "to", to));
  return hone_node_finish(cast, out);
}

/* Whether a rounding of what the node reads would show in its results as more than a rounding. */
static bool jumps(const hone_node *node) {
  if (node->op->facts & HONE_JUMPS) return true;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]->type.kind == HONE_KIND_TENSOR &&
        hone_dtype_class_of(node->outputs[i]->type.dtype) != HONE_CLASS_FLOAT)
      return true;
  return false;
}

/* A value that is f32 now in the type that it had. */
static hone_status *narrowed(widener *w, hone_node *before, hone_value *value, hone_value **out) {
  widened *known = &w->values[value->id];
  if (!known->back) HONE_TRY(make_cast(before, value, known->was, &known->back));
  *out = known->back;
  return NULL;
}

/* And rounded to it, but f32. */
static hone_status *rounded(widener *w, hone_node *before, hone_value *value, hone_value **out) {
  widened *known = &w->values[value->id];
  hone_value *back;
  HONE_TRY(narrowed(w, before, value, &back));
  if (!known->rounded) HONE_TRY(make_cast(before, back, HONE_F32, &known->rounded));
  *out = known->rounded;
  return NULL;
}

/* Whether the node computes with narrow values, or moves some that are f32 already. */
static bool widens(const widener *w, const hone_node *node) {
  const uint32_t never = HONE_HAS_REGIONS | HONE_OBJECTS | HONE_ANY_KIND | HONE_SHAPE_ONLY |
                         HONE_DATA_SHAPED | HONE_IMPURE | HONE_FIXED_TYPES;
  bool moves = node->op->facts & (HONE_MOVES | HONE_VIEW), narrow = false, wide = false;
  if ((node->op->facts & never) || node->op == &hone_op_cast || node->op == &hone_op_bitcast)
    return false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    bool decides = hone_op_shaped_by(node->op, i) && !hone_value_is_constant(in);
    if (decides && (is_narrow_tensor(in) || was_type(w, in))) return false;
    narrow = narrow || is_narrow_tensor(in);
    wide = wide || was_type(w, in);
  }
  return wide || (narrow && !moves);
}

static hone_status *widen_inputs(widener *w, hone_node *node) {
  for (int i = 0; i < node->input_count; i++) {
    hone_value *in = node->inputs[i].value, *fresh = NULL;
    if (was_type(w, in) && jumps(node)) {
      HONE_TRY(rounded(w, node, in, &in));
      hone_node_set_input(node, i, in);
    }
    if (!is_narrow_tensor(in)) continue;
    hone_value **wide = in->id < w->count ? &w->values[in->id].wide : &fresh;
    if (!*wide) HONE_TRY(make_cast(node, in, HONE_F32, wide));
    hone_node_set_input(node, i, *wide);
  }
  return NULL;
}

/* The result rounded to what it was; whoever read it reads that. */
static hone_status *round_result(hone_node *node, hone_value *result, hone_dtype to) {
  hone_value *rounded;
  HONE_TRY(make_cast(node->next, result, to, &rounded));
  HONE_TRY(hone_take_name(rounded, result));
  hone_value_replace(result, rounded);
  hone_node_set_input(rounded->producer, 0, result);
  return NULL;
}

static hone_status *widen_outputs(widener *w, hone_node *node) {
  for (int i = 0; i < node->output_count; i++) {
    hone_value *out = node->outputs[i];
    if (!is_narrow_tensor(out)) continue;
    hone_dtype was = out->type.dtype;
    out->type.dtype = HONE_F32;
    if (w->context->strict) HONE_TRY(round_result(node, out, was));
    else w->values[out->id].was = was;
  }
  return NULL;
}

/* Where the type is also an attribute. A quotient is rounded to the type that it had: a step more or
 * less would show in the integers. */
static hone_status *keep_attributes(const widener *w, hone_node *node) {
  if (node->op == &hone_op_dequantize && is_narrow(hone_node_dtype(node, "dtype")))
    return hone_node_set_int(node, "dtype", HONE_F32);
  if (node->op != &hone_op_quantize || hone_node_dtype(node, "precision")) return NULL;
  hone_dtype types[2];
  for (int i = 0; i < 2; i++) {
    const hone_value *in = node->inputs[i].value;
    types[i] = was_type(w, in) ? was_type(w, in) : in->type.dtype;
  }
  if (types[0] != types[1] || !is_narrow(types[0])) return NULL;
  return hone_node_set_int(node, "precision", types[0]);
}

/* Nodes that stay as they are read what they did before. */
static hone_status *narrow_inputs(widener *w, hone_node *node) {
  if (node->op == &hone_op_cast && !jumps(node)) return NULL;
  for (int i = 0; i < node->input_count; i++) {
    hone_value *in = node->inputs[i].value, *back;
    if (!was_type(w, in)) continue;
    HONE_TRY(narrowed(w, node, in, &back));
    hone_node_set_input(node, i, back);
  }
  return NULL;
}

static hone_status *narrow_results(widener *w, hone_graph *graph) {
  for (int i = 0; i < graph->output_count; i++) {
    hone_value *out = graph->outputs[i].value, *back;
    if (!was_type(w, out)) continue;
    HONE_TRY(narrowed(w, NULL, out, &back));
    hone_graph_set_output(graph, i, back);
    HONE_TRY(hone_take_name(back, out));
  }
  return NULL;
}

static hone_status *widen_nodes(widener *w, hone_graph *graph) {
  for (hone_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    if (!widens(w, node)) {
      HONE_TRY(narrow_inputs(w, node));
      continue;
    }
    HONE_TRY(keep_attributes(w, node));
    HONE_TRY(widen_inputs(w, node));
    HONE_TRY(widen_outputs(w, node));
    hone_pass_fired(w->context, "compute in f32");
  }
  return narrow_results(w, graph);
}

static hone_status *widen_graph(hone_graph *graph, hone_pass_context *context) {
  hone_arena arena = {0};
  widener w = {.context = context, .count = graph->next_id};
  w.values = HONE_NEW_ARRAY(&arena, (size_t)w.count + 1, widened);
  hone_status *status = w.values ? widen_nodes(&w, graph) : hone_error_memory();
  hone_arena_free(&arena);
  return status;
}

/* Counts the products whose results are bf16, and the others. */
static void count_products(const hone_graph *graph, size_t *low, size_t *full) {
  for (const hone_node *node = graph->first; node; node = node->next) {
    for (int i = 0; i < node->region_count; i++) count_products(node->regions[i], low, full);
    if (node->op != &hone_op_conv && node->op != &hone_op_matmul) continue;
    hone_dtype dtype = node->outputs[0]->type.dtype;
    *low += dtype == HONE_BF16;
    *full += dtype == HONE_F32 || dtype == HONE_F16;
  }
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  size_t low = 0, full = 0;
  count_products(graph, &low, &full);
  if (low && !full && !context->strict && context->compute == HONE_F32)
    context->compute = HONE_BF16;
  return hone_each_graph(graph, context, widen_graph);
}

const hone_pass hone_pass_widen = {"widen", run};
