/* Spatial ops compute channels-last; importers of channels-first formats put a transpose before and
 * after each. Here every transpose sinks towards the outputs, through whatever does not care about
 * the order of axes, until it meets its inverse and both vanish. What stays is at the graph's ends
 * or before an op that needs the order. Room: passes. */
#include "passes/layout.h"

#include <string.h>

#include "passes/passes.h"

bool hone_turn_of(const hone_value *value, hone_turn *turn) {
  const hone_node *node = value ? value->producer : NULL;
  size_t count;
  if (!node || node->op != &hone_op_transpose) return false;
  const int64_t *perm = hone_node_ints(node, "perm", &count);
  turn->rank = node->inputs[0].value->type.shape.rank;
  if (turn->rank < 2) return false;
  for (int i = 0; i < turn->rank; i++) turn->perm[i] = count ? (int)perm[i] : turn->rank - 1 - i;
  return true;
}

bool hone_turn_equal(const hone_turn *a, const hone_turn *b) {
  return a->rank == b->rank && memcmp(a->perm, b->perm, (size_t)a->rank * sizeof *a->perm) == 0;
}

hone_turn hone_turn_inverse(const hone_turn *turn) {
  hone_turn inverse = {.rank = turn->rank};
  for (int i = 0; i < turn->rank; i++) inverse.perm[turn->perm[i]] = i;
  return inverse;
}

hone_status *hone_copy_above(hone_node *node, hone_value *const *inputs, int count,
                             hone_node **out) {
  HONE_TRY(hone_node_new(node->graph, node, node->op, inputs, count, node->output_count, out));
  hone_copy_attrs(*out, node);
  for (int i = 0; i < node->output_count; i++)
    if (!node->outputs[i]) hone_node_drop_output(*out, i);
  return hone_node_add_sources(*out, node);
}

hone_status *hone_turn_outputs(hone_node *node, hone_node *above, const hone_turn *turn) {
  HONE_TRY(hone_node_finish(above, NULL));
  for (int i = 0; i < above->output_count; i++) {
    hone_value *turned;
    if (!above->outputs[i] || !node->outputs[i] || !node->outputs[i]->uses) continue;
    HONE_TRY(hone_make_transpose(node, above->outputs[i], turn->perm, &turned));
    turned->type.shape = node->outputs[i]->type.shape;
    HONE_TRY(hone_substitute(node, i, turned));
  }
  return NULL;
}

/* transpose(transpose(x)) as one, or none. */
static hone_status *sink_transpose(hone_node *node, const hone_turn *turn, bool *done) {
  hone_turn outer, both = {.rank = turn->rank};
  hone_value *x = node->inputs[0].value->producer->inputs[0].value, *to = x;
  bool nothing = true;
  if (!hone_turn_of(node->outputs[0], &outer)) return NULL;
  for (int i = 0; i < turn->rank; i++) {
    both.perm[i] = turn->perm[outer.perm[i]];
    nothing = nothing && both.perm[i] == i;
  }
  if (nothing && hone_substitute_copies(node->outputs[0], x)) return NULL;
  if (!nothing) HONE_TRY(hone_make_transpose(node, x, both.perm, &to));
  *done = true;
  return hone_substitute(node, 0, to);
}

static const struct {
  const hone_op *op;
  hone_sink *sink;
} sinks[] = {
    {&hone_op_transpose, sink_transpose},      {&hone_op_concat, hone_sink_alike},
    {&hone_op_softmax, hone_sink_axis},        {&hone_op_log_softmax, hone_sink_axis},
    {&hone_op_split, hone_sink_axis},          {&hone_op_quantize, hone_sink_axis},
    {&hone_op_dequantize, hone_sink_axis},     {&hone_op_reduce, hone_sink_reduce},
    {&hone_op_slice, hone_sink_slice},         {&hone_op_pad, hone_sink_pad},
    {&hone_op_resize, hone_sink_resize},       {&hone_op_reshape, hone_sink_view},
    {&hone_op_squeeze, hone_sink_view},        {&hone_op_unsqueeze, hone_sink_view},
    {&hone_op_flatten, hone_sink_view},        {&hone_op_matmul, hone_sink_matmul},
    {&hone_op_layer_norm, hone_sink_norm},     {&hone_op_rms_norm, hone_sink_norm},
};

static hone_sink *sink_for(const hone_op *op) {
  for (size_t i = 0; i < sizeof sinks / sizeof *sinks; i++)
    if (sinks[i].op == op) return sinks[i].sink;
  return op->facts & HONE_POINTWISE ? hone_sink_alike : NULL;
}

/* The first input that a transpose makes. Only ops whose inputs are alike look past the first. */
static bool find_turn(const hone_node *node, hone_sink *sink, hone_turn *turn) {
  bool alike = sink == hone_sink_alike || sink == hone_sink_matmul;
  for (int i = 0; i < node->input_count && (alike || i == 0); i++)
    if (hone_turn_of(node->inputs[i].value, turn)) return true;
  return false;
}

/* A transpose that reads none. */
static hone_status *lift(hone_node *node, bool *done) {
  HONE_TRY(hone_lift_over_view(node, done));
  return *done ? NULL : hone_lift_over_pad(node, done);
}

static hone_status *sink_node(hone_node *node, hone_pass_context *context) {
  hone_turn turn;
  bool done = false;
  hone_sink *sink = sink_for(node->op);
  if (!sink || !hone_node_out(node, 0)) return NULL;
  if (find_turn(node, sink, &turn)) HONE_TRY(sink(node, &turn, &done));
  else if (node->op == &hone_op_transpose) HONE_TRY(lift(node, &done));
  else HONE_TRY(hone_turn_weights(node, context, &done));
  if (done) hone_pass_fired(context, "sink transpose");
  return NULL;
}

/* One walk in order is enough: what sinks below a node is met again at the nodes after it. */
static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_node(graph, context, sink_node);
}

const hone_pass hone_pass_layout = {"layout", run};
