/* With f16 or bf16 asked for on a device: whatever its kernels compute is stored in that type, values
 * between layers and weights alike. The kernels compute and sum in f32, so that a result is rounded
 * once, where it is stored. Kept in f32: what overflows or loses its point in few bits (exponentials,
 * powers, reciprocals, sums over axes, what reads a constant that f16 does not hold), what is computed
 * of shapes alone, and what no kernel of the device takes. With tf32 values stay f32, and products are
 * marked. Each reader of a value that is stored otherwise gets a cast, which joins its group.
 * Room: passes. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

#define MOST_F16 65504.0

/* What became of a value that was there before the pass, by its id. */
typedef struct narrowed {
  bool data;        /* depends on more than shapes and constants */
  bool narrows;     /* of a node's first output: the node will be narrow */
  bool was_f32;     /* narrow now, f32 before */
  hone_value *low;  /* an f32 value in the narrow type */
  hone_value *back; /* a value that is narrow now as f32 */
} narrowed;

typedef struct narrower {
  hone_pass_context *context;
  narrowed *values;
  uint32_t count; /* ids before the pass */
} narrower;

typedef struct kept {
  const hone_op *op;
  const char *name; /* for the report */
} kept;

static const kept kept_ops[] = {
    {&hone_op_exp, "kept in f32: exp"},
    {&hone_op_pow, "kept in f32: pow"},
    {&hone_op_sinh, "kept in f32: sinh"},
    {&hone_op_cosh, "kept in f32: cosh"},
    {&hone_op_reciprocal, "kept in f32: reciprocal"},
    {&hone_op_rsqrt, "kept in f32: rsqrt"},
    {&hone_op_cumsum, "kept in f32: sums"},
    {&hone_op_grid_sample, "kept in f32: places"},
    {&hone_op_roi_align, "kept in f32: places"},
};

static bool is_f32(const hone_value *value) {
  return value && value->type.kind == HONE_KIND_TENSOR && value->type.dtype == HONE_F32;
}

static narrowed *of(const narrower *w, const hone_value *value) {
  return value && value->id < w->count ? &w->values[value->id] : NULL;
}

static hone_status *cast(hone_node *before, hone_value *value, hone_dtype to, hone_value **out) {
  hone_node *node;
  HONE_TRY(hone_node_new(value->graph, before, &hone_op_cast, &value, 1, 1, &node));
  if (before ? before : value->producer)
    HONE_TRY(hone_node_add_sources(node, before ? before : value->producer));
  HONE_TRY(hone_node_set_int(node, "to", to));
  return hone_node_finish(node, out);
}

/* ---- Which nodes ----------------------------------------------------------------------------- */

static bool holds_greater(const hone_value *constant, double most) {
  hone_datum datum = hone_value_datum(constant);
  size_t count = hone_datum_count(&datum);
  for (size_t i = 0; i < count; i++) {
    double v = fabs((double)((const float *)datum.data)[i]);
    if (v > most && v <= FLT_MAX) return true;
  }
  return false;
}

/* Where a mask hides by a number that f16 does not hold, infinity hides as well. */
static bool is_mask(const hone_node *node, int index) {
  enum { MASK = 3 };
  return node->op == &hone_op_attention && index == MASK;
}

/* Why a node that could be narrow is not; NULL: it is. */
static const char *kept_for(const hone_node *node, hone_dtype to) {
  for (size_t i = 0; i < sizeof kept_ops / sizeof *kept_ops; i++)
    if (kept_ops[i].op == node->op) return kept_ops[i].name;
  if (node->op == &hone_op_reduce) {
    const char *kind = hone_node_text(node, "kind");
    bool bounded = !strcmp(kind, "mean") || !strcmp(kind, "max") || !strcmp(kind, "min");
    if (!bounded) return "kept in f32: sums";
  }
  if (node->op == &hone_op_scatter_elements || node->op == &hone_op_scatter_nd) {
    const char *reduction = hone_node_text(node, "reduction");
    if (!strcmp(reduction, "add") || !strcmp(reduction, "mul")) return "kept in f32: sums";
  }
  for (int i = 0; to == HONE_F16 && i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    if (is_f32(in) && in->constant && !is_mask(node, i) && holds_greater(in, MOST_F16))
      return "kept in f32: a constant beyond f16";
  }
  return NULL;
}

static bool jumps(const hone_node *node) {
  if (node->op->facts & HONE_JUMPS) return true;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && hone_dtype_class_of(node->outputs[i]->type.dtype) != HONE_CLASS_FLOAT)
      return true;
  return false;
}

/* Whether the node computes data in f32 by a kernel of the device's. */
static bool narrows(const narrower *w, const hone_node *node) {
  const uint32_t never = HONE_HAS_REGIONS | HONE_OBJECTS | HONE_ANY_KIND | HONE_SHAPE_ONLY |
                         HONE_DATA_SHAPED | HONE_IMPURE | HONE_FIXED_TYPES;
  bool data = false;
  if ((node->op->facts & never) || node->op == &hone_op_cast || node->op == &hone_op_bitcast ||
      jumps(node))
    return false;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && !is_f32(node->outputs[i])) return false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    data = data || (in && !in->constant && (!of(w, in) || of(w, in)->data));
  }
  if (!data || !is_f32(hone_node_out(node, 0))) return false;
  return (node->op->facts & HONE_VIEW) || w->context->takes(node);
}

/* ---- Making them so -------------------------------------------------------------------------- */

static hone_status *widened(narrower *w, hone_node *before, hone_value *value, hone_value **out) {
  narrowed *known = of(w, value);
  if (!known->back) HONE_TRY(cast(before, value, HONE_F32, &known->back));
  *out = known->back;
  return NULL;
}

static hone_status *narrow_node(narrower *w, hone_node *node) {
  for (int i = 0; i < node->input_count; i++) {
    hone_value *in = node->inputs[i].value, *fresh = NULL;
    if (!is_f32(in)) continue;
    hone_value **low = of(w, in) ? &of(w, in)->low : &fresh;
    if (!*low) HONE_TRY(cast(node, in, w->context->compute, low));
    hone_node_set_input(node, i, *low);
  }
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    node->outputs[i]->type.dtype = w->context->compute;
    of(w, node->outputs[i])->was_f32 = true;
  }
  hone_pass_fired(w->context, w->context->compute == HONE_F16 ? "store in f16" : "store in bf16");
  return NULL;
}

/* Nodes that stay as they are read f32; a cast reads what there is. */
static hone_status *keep_node(narrower *w, hone_node *node) {
  for (int i = 0; i < node->input_count; i++) {
    hone_value *in = node->inputs[i].value, *back;
    if (!of(w, in) || !of(w, in)->was_f32 || node->op == &hone_op_cast) continue;
    HONE_TRY(widened(w, node, in, &back));
    hone_node_set_input(node, i, back);
  }
  return NULL;
}

static void mark_data(const narrower *w, const hone_node *node) {
  bool data = node->input_count == 0 || (node->op->facts & HONE_HAS_REGIONS);
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = node->inputs[i].value;
    data = data || (in && !in->constant && (!of(w, in) || of(w, in)->data));
  }
  if (node->op->facts & HONE_SHAPE_ONLY) data = false;
  for (int i = 0; i < node->output_count; i++)
    if (of(w, node->outputs[i])) of(w, node->outputs[i])->data = data;
}

static hone_status *keep_results(narrower *w, hone_graph *graph) {
  for (int i = 0; i < graph->output_count; i++) {
    hone_value *out = graph->outputs[i].value, *back;
    if (!of(w, out) || !of(w, out)->was_f32) continue;
    HONE_TRY(widened(w, NULL, out, &back));
    hone_graph_set_output(graph, i, back);
    HONE_TRY(hone_take_name(back, out));
  }
  return NULL;
}

/* While all types are still what they were. */
static void decide(narrower *w, hone_graph *graph) {
  for (int i = 0; i < graph->input_count; i++) of(w, graph->inputs[i])->data = true;
  for (hone_node *node = graph->first; node; node = node->next) {
    mark_data(w, node);
    if (!narrows(w, node)) continue;
    const char *why = hone_pass_keeps_f32(w->context, node)
                          ? "kept in f32: asked for"
                          : kept_for(node, w->context->compute);
    if (why) hone_pass_fired(w->context, why);
    of(w, node->outputs[0])->narrows = !why;
  }
}

static hone_status *narrow_nodes(narrower *w, hone_graph *graph) {
  decide(w, graph);
  for (hone_node *node = graph->first, *next; node; node = next) {
    const narrowed *first = of(w, hone_node_out(node, 0));
    next = node->next;
    HONE_TRY(first && first->narrows ? narrow_node(w, node) : keep_node(w, node));
  }
  return keep_results(w, graph);
}

static hone_status *narrow_graph(hone_graph *graph, hone_pass_context *context) {
  hone_arena arena = {0};
  narrower w = {.context = context, .count = graph->next_id};
  w.values = HONE_NEW_ARRAY(&arena, (size_t)w.count + 1, narrowed);
  hone_status *status = w.values ? narrow_nodes(&w, graph) : hone_error_memory();
  hone_arena_free(&arena);
  return status;
}

static hone_status *mark_tf32(hone_node *node, hone_pass_context *context) {
  bool multiplies = node->op == &hone_op_conv || node->op == &hone_op_matmul;
  if (!multiplies && node->op != &hone_op_attention) return NULL;
  if (!is_f32(node->outputs[0]) || !context->takes(node)) return NULL;
  if (hone_pass_keeps_f32(context, node)) return NULL;
  hone_pass_fired(context, "multiply in tf32");
  return hone_node_set_int(node, "tf32", true);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  if (!context->takes || context->strict) return NULL;
  if (context->tf32) return hone_each_node(graph, context, mark_tf32);
  if (context->compute != HONE_F16 && context->compute != HONE_BF16) return NULL;
  return hone_each_graph(graph, context, narrow_graph);
}

const hone_pass hone_pass_narrow = {"narrow", run};
