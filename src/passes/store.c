/* What lies in memory between two layers: with bf16 asked for, the results of convolutions are
 * stored in it where all that read them take it, so that layers exchange half the bytes.
 * Convolutions in bf16 do, depthwise ones, which compute in f32 behind a cast of their own, sums,
 * whose other operand another convolution makes, and maxima of windows, which rounding commutes
 * with. Each such reader gets its own cast, for its group to take in: the pass stands after the
 * merging of equal nodes. Room: passes. */
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { MOST_STEPS = 16 }; /* of pointwise nodes behind one convolution */

/* The maximum of windows, without the places where it is. */
static bool is_max_pool(const hone_node *node) {
  return node->op == &hone_op_pool && hone_node_text(node, "kind")[0] == 'm' &&
         !hone_node_out(node, 1);
}

/* The convolution that makes the value, with pointwise nodes and maxima behind it; or NULL. With
 * `alone` it makes it for one reader only, in one group. */
static const hone_node *conv_behind(const hone_value *value, bool alone) {
  for (int step = 0; step < MOST_STEPS && value; step++) {
    if (alone && !hone_value_has_one_use(value)) return NULL;
    const hone_node *node = value->producer;
    if (!node || node->op == &hone_op_conv) return node;
    const hone_shape *shape = &value->type.shape;
    value = NULL;
    if (!alone && is_max_pool(node)) value = node->inputs[0].value;
    if (!(node->op->facts & HONE_POINTWISE)) continue;
    for (int i = 0; i < node->input_count && !value; i++) {
      hone_value *in = node->inputs[i].value;
      if (in && in->producer && hone_shape_equal(&in->type.shape, shape)) value = in;
    }
  }
  return NULL;
}

static bool is_depthwise(const hone_node *node) {
  const hone_shape *weights = &node->inputs[1].value->type.shape;
  const hone_value *bias = hone_node_in(node, 2);
  return hone_value_is_constant(node->inputs[1].value) && (!bias || hone_value_is_constant(bias)) &&
         weights->rank >= 3 && weights->dim[weights->rank - 2] == 1 &&
         weights->dim[weights->rank - 1] == hone_node_int(node, "groups");
}

typedef enum reader { READS_F32, READS_BF16, ROUNDS, POOLS, ADDS, JOINS } reader;

/* Whether a convolution before that of `value` makes `other` for this sum alone: it takes the sum
 * into its registers, and reads `value` from memory. */
static bool joins_earlier(const hone_value *value, const hone_value *other) {
  const hone_node *own = conv_behind(value, false), *node = conv_behind(other, true);
  if (own == node) return false;
  while (own && node && node != own) node = node->next;
  return own && node;
}

static reader reader_of(const hone_use *use, hone_dtype to) {
  const hone_node *node = use->user;
  if (!node) return READS_F32;
  if (node->op == &hone_op_cast) return hone_node_dtype(node, "to") == to ? ROUNDS : READS_F32;
  if (node->op == &hone_op_conv && node->inputs[0].value->type.dtype == HONE_F32)
    return node->inputs[0].value == use->value && is_depthwise(node) ? READS_BF16 : READS_F32;
  if (is_max_pool(node)) return POOLS;
  if (node->op != &hone_op_add) return READS_F32;
  const hone_value *other = node->inputs[node->inputs[0].value == use->value].value;
  bool like =
      other != use->value && !hone_value_is_constant(other) && hone_same_type(other, use->value);
  if (!like) return READS_F32;
  return joins_earlier(use->value, other) ? JOINS : ADDS;
}

/* What the value is widened from, where it is stored already; else NULL. */
static hone_value *stored_as(const hone_value *value, hone_dtype to) {
  const hone_node *node = value->producer;
  bool widened = node->op == &hone_op_cast && node->inputs[0].value->type.dtype == to;
  return widened ? node->inputs[0].value : NULL;
}

/* Whether all that read the result of a pool take it rounded. */
static bool takes_low(const hone_value *value, hone_dtype to) {
  for (const hone_use *use = value->uses; use; use = use->next) {
    reader r = reader_of(use, to);
    if (r != ROUNDS && r != READS_BF16) return false;
  }
  return value->uses != NULL;
}

static bool is_stored(const hone_value *value, hone_dtype to) {
  bool gains = false;
  if (value->type.kind != HONE_KIND_TENSOR || value->type.dtype != HONE_F32) return false;
  if (stored_as(value, to) && hone_value_has_one_use(value) &&
      reader_of(value->uses, to) != ROUNDS)
    return false; /* a reader's own cast */
  for (const hone_use *use = value->uses; use; use = use->next) {
    reader r = reader_of(use, to);
    if (r == READS_F32) return false;
    if (r == POOLS && !takes_low(use->user->outputs[0], to)) return false;
    gains = gains || r != ADDS;
  }
  return gains && conv_behind(value, false);
}

static hone_status *cast(hone_node *from, hone_value *value, hone_dtype to, hone_value **out) {
  hone_node *node;
  HONE_TRY(hone_node_start(from, &hone_op_cast, &value, 1, &node));
  HONE_TRY(hone_node_set_int(node, "to", to));
  return hone_node_finish(node, out);
}

/* The pool of what is stored, which the pool's readers widen or take as it is. */
static hone_status *pool_stored(hone_node *pool, hone_value *stored) {
  hone_node *low;
  hone_value *value;
  HONE_TRY(hone_node_start(pool, pool->op, &stored, 1, &low));
  hone_copy_attrs(low, pool);
  HONE_TRY(hone_node_finish(low, &value));
  value->type.shape = pool->outputs[0]->type.shape;
  HONE_TRY(cast(pool, value, HONE_F32, &value));
  return hone_substitute(pool, 0, value);
}

/* Gives the node that makes what is stored. The value's own may be gone. */
static hone_status *store(hone_value *value, hone_dtype to, hone_node **maker) {
  hone_value *stored = stored_as(value, to), *wide;
  if (!stored) HONE_TRY(cast(value->producer->next, value, to, &stored));
  *maker = stored->producer;
  for (hone_use *use = value->uses, *next; use; use = next) {
    hone_node *user = use->user;
    next = use->next;
    if (user == stored->producer) continue;
    reader r = reader_of(use, to);
    if (r == ROUNDS || r == POOLS) {
      HONE_TRY(r == POOLS ? pool_stored(user, stored) : hone_substitute(user, 0, stored));
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
    HONE_TRY(store(node->outputs[0], context->compute, &node));
    hone_pass_fired(context, "store in bf16");
  }
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  if (context->compute != HONE_BF16 || !context->stores_bf16 || context->takes) return NULL;
  return hone_each_graph(graph, context, store_graph);
}

const hone_pass hone_pass_store = {"store", run};
