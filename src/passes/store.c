/* What lies in memory between two layers: with bf16 asked for, the results of convolutions are
 * stored in it where all that read them take it, so that layers exchange half the bytes.
 * Convolutions in bf16 do, depthwise ones, which compute in f32 behind a cast of their own, and
 * sums, whose other operand another convolution makes. Each such reader gets its own cast, for its
 * group to take in: the pass stands after the merging of equal nodes. Room: passes. */
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { MOST_STEPS = 16 }; /* of pointwise nodes behind one convolution */

/* Whether a convolution makes the value, with pointwise nodes behind it. */
static bool is_made_by_conv(const hone_value *value) {
  for (int step = 0; step < MOST_STEPS && value; step++) {
    const hone_node *node = value->producer;
    if (!node) return false;
    if (node->op == &hone_op_conv) return true;
    if (!(node->op->facts & HONE_POINTWISE)) return false;
    const hone_shape *shape = &value->type.shape;
    value = NULL;
    for (int i = 0; i < node->input_count && !value; i++) {
      hone_value *in = node->inputs[i].value;
      if (in && in->producer && hone_shape_equal(&in->type.shape, shape)) value = in;
    }
  }
  return false;
}

static bool is_depthwise(const hone_node *node) {
  const hone_shape *weights = &node->inputs[1].value->type.shape;
  const hone_value *bias = hone_node_in(node, 2);
  return hone_value_is_constant(node->inputs[1].value) && (!bias || hone_value_is_constant(bias)) &&
         weights->rank >= 3 && weights->dim[weights->rank - 2] == 1 &&
         weights->dim[weights->rank - 1] == hone_node_int(node, "groups");
}

typedef enum reader { READS_F32, READS_BF16, ROUNDS, ADDS } reader;

static reader reader_of(const hone_use *use, hone_dtype to) {
  const hone_node *node = use->user;
  if (!node) return READS_F32;
  if (node->op == &hone_op_cast) return hone_node_dtype(node, "to") == to ? ROUNDS : READS_F32;
  if (node->op == &hone_op_conv && node->inputs[0].value->type.dtype == HONE_F32)
    return node->inputs[0].value == use->value && is_depthwise(node) ? READS_BF16 : READS_F32;
  if (node->op != &hone_op_add) return READS_F32;
  const hone_value *other = node->inputs[node->inputs[0].value == use->value].value;
  bool like =
      other != use->value && !hone_value_is_constant(other) && hone_same_type(other, use->value);
  return like ? ADDS : READS_F32;
}

/* What the value is widened from, where it is stored already; else NULL. */
static hone_value *stored_as(const hone_value *value, hone_dtype to) {
  const hone_node *node = value->producer;
  bool widened = node->op == &hone_op_cast && node->inputs[0].value->type.dtype == to;
  return widened ? node->inputs[0].value : NULL;
}

static bool is_stored(const hone_value *value, hone_dtype to) {
  bool gains = false;
  if (value->type.kind != HONE_KIND_TENSOR || value->type.dtype != HONE_F32) return false;
  if (stored_as(value, to) && hone_value_has_one_use(value)) return false;
  for (const hone_use *use = value->uses; use; use = use->next) {
    reader r = reader_of(use, to);
    if (r == READS_F32) return false;
    gains = gains || r != ADDS;
  }
  return gains && is_made_by_conv(value);
}

static hone_status *cast(hone_node *from, hone_value *value, hone_dtype to, hone_value **out) {
  hone_node *node;
  HONE_TRY(hone_node_start(from, &hone_op_cast, &value, 1, &node));
  HONE_TRY(hone_node_set_int(node, "to", to));
  return hone_node_finish(node, out);
}

static hone_status *store(hone_value *value, hone_dtype to) {
  hone_value *stored = stored_as(value, to), *wide;
  if (!stored) HONE_TRY(cast(value->producer->next, value, to, &stored));
  for (hone_use *use = value->uses, *next; use; use = next) {
    hone_node *user = use->user;
    next = use->next;
    if (user == stored->producer) continue;
    if (reader_of(use, to) == ROUNDS) {
      HONE_TRY(hone_substitute(user, 0, stored));
      continue;
    }
    HONE_TRY(cast(user, stored, HONE_F32, &wide));
    hone_node_set_input(user, user->inputs[0].value == value ? 0 : 1, wide);
  }
  return NULL;
}

static hone_status *store_graph(hone_graph *graph, hone_pass_context *context) {
  for (hone_node *node = graph->first; node; node = node->next) {
    if (node->output_count != 1 || !is_stored(node->outputs[0], context->compute)) continue;
    HONE_TRY(store(node->outputs[0], context->compute));
    hone_pass_fired(context, "store in bf16");
  }
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  if (context->compute != HONE_BF16 || !context->stores_bf16) return NULL;
  return hone_each_graph(graph, context, store_graph);
}

const hone_pass hone_pass_store = {"store", run};
