/* A function of one byte as a table: what stands between a byte and a quantize to bytes, pointwise nodes
 * with one number each beside it (activations, their own quantisations), has 256 values. The references
 * compute them, so that the bits are what the graph says. Runs after pass integers, before quantize and
 * dequantize are taken apart. Room: passes. */
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { MOST_NODES = 32, MOST_DEPTH = 24, MOST_VISITS = 256, BYTES = 256, MOST_INPUTS = 4 };

/* The nodes from a leaf to a result, in topological order. */
typedef struct chain {
  hone_value *leaf;
  const hone_node *nodes[MOST_NODES];
  int count;
  int visits; /* left */
  bool deep;  /* looks behind bytes that such a chain makes itself */
} chain;

static bool is_byte(const hone_value *value) {
  return value->type.kind == HONE_KIND_TENSOR &&
         (value->type.dtype == HONE_U8 || value->type.dtype == HONE_S8);
}

static bool is_single(const hone_value *value) {
  size_t count;
  return !value || (value->constant && !hone_value_is_absent(value) &&
                    hone_shape_count(&value->type.shape, &count) && count == 1);
}

/* Each element of its result is a function of the same element of its only changing input. */
static bool is_step(const hone_node *node) {
  if (!node || node->output_count != 1 || node->input_count > MOST_INPUTS) return false;
  if (node->op == &hone_op_quantize || node->op == &hone_op_dequantize)
    return hone_node_int(node, "block") == 0 && is_single(hone_node_in(node, 1)) &&
           is_single(hone_node_in(node, 2));
  return node->op->facts & HONE_POINTWISE;
}

static bool contains(const chain *c, const hone_node *node) {
  for (int i = 0; i < c->count; i++)
    if (c->nodes[i] == node) return true;
  return false;
}

static bool trace(chain *c, hone_value *value, int depth);

static bool trace_node(chain *c, const hone_node *node, int depth) {
  if (!is_step(node)) return false;
  if (contains(c, node)) return true;
  for (int i = 0; i < node->input_count; i++) {
    hone_value *in = node->inputs[i].value;
    if (!in || (in->constant && is_single(in))) continue;
    if (!hone_shape_equal(&in->type.shape, &node->outputs[0]->type.shape) || !trace(c, in, depth))
      return false;
  }
  if (c->count == MOST_NODES) return false;
  c->nodes[c->count++] = node;
  return true;
}

/* Depth and visits are bounded. */
static bool trace(chain *c, hone_value *value, int depth) {
  if (value->constant || depth == 0 || --c->visits < 0) return false;
  if (!is_byte(value)) return trace_node(c, value->producer, depth - 1);
  chain before = *c;
  if (c->deep && trace_node(c, value->producer, depth - 1)) return true;
  before.visits = c->visits;
  *c = before;
  if (c->leaf && c->leaf != value) return false;
  c->leaf = value;
  return true;
}

/* The chain that ends in the quantize `node`, from the nearest bytes; from those behind them where that
 * is none, or where the nearest are a table's that nobody else reads. */
static bool find_chain(const hone_node *node, chain *c) {
  *c = (chain){.visits = MOST_VISITS};
  bool found = trace_node(c, node, MOST_DEPTH) && c->leaf;
  bool further = found && c->leaf->producer && c->leaf->producer->op == &hone_op_byte_table &&
                 hone_value_has_one_use(c->leaf);
  if (found && !further) return true;
  *c = (chain){.visits = MOST_VISITS, .deep = true};
  return trace_node(c, node, MOST_DEPTH) && c->leaf;
}

/* ---- The table ------------------------------------------------------------------------------- */

/* What the chain's values are, for all bytes. */
typedef struct run_of_bytes {
  const chain *chain;
  hone_datum leaf, results[MOST_NODES];
  hone_datum constants[MOST_INPUTS]; /* of the node at hand */
} run_of_bytes;

static const hone_datum *datum_of(run_of_bytes *r, const hone_value *value, int index) {
  if (!value) return NULL;
  if (value == r->chain->leaf) return &r->leaf;
  for (int i = 0; i < r->chain->count; i++)
    if (r->chain->nodes[i]->outputs[0] == value) return &r->results[i];
  r->constants[index] = hone_value_datum(value);
  return &r->constants[index];
}

static hone_status *tabulate(const chain *c, int64_t *table, hone_arena *memory) {
  uint8_t bytes[BYTES];
  int rank = c->leaf->type.shape.rank < 1 ? 1 : c->leaf->type.shape.rank;
  run_of_bytes r = {.chain = c, .leaf = {.kind = HONE_KIND_TENSOR, .dtype = c->leaf->type.dtype}};
  for (int i = 0; i < BYTES; i++) bytes[i] = (uint8_t)i;
  r.leaf.shape.rank = rank;
  for (int i = 0; i < rank; i++) r.leaf.shape.dim[i] = i == rank - 1 ? BYTES : 1;
  r.leaf.data = bytes;
  for (int i = 0; i < c->count; i++) {
    const hone_node *node = c->nodes[i];
    const hone_datum *in[MOST_INPUTS] = {NULL};
    for (int k = 0; k < node->input_count; k++) in[k] = datum_of(&r, node->inputs[k].value, k);
    HONE_TRY(hone_evaluate(node, in, &r.results[i], memory));
  }
  const hone_datum *last = &r.results[c->count - 1];
  if (hone_datum_count(last) != BYTES)
    return hone_error(HONE_INTERNAL, "a table of %zu entries", hone_datum_count(last));
  hone_load_ints(last->dtype, last->data, 0, BYTES, table);
  return NULL;
}

static hone_status *make_lookup(hone_node *node, const chain *c, const int64_t *table,
                                hone_value **out) {
  hone_node *lookup;
  hone_value *leaf = c->leaf;
  HONE_TRY(hone_node_start(node, &hone_op_byte_table, &leaf, 1, &lookup));
  HONE_TRY(hone_node_set_ints(lookup, "table", table, BYTES));
  HONE_TRY(hone_node_set_int(lookup, "dtype", node->outputs[0]->type.dtype));
  for (int i = 0; i < c->count; i++)
    if (c->nodes[i] != node) HONE_TRY(hone_node_add_sources(lookup, c->nodes[i]));
  HONE_TRY(hone_node_finish(lookup, out));
  (*out)->type.shape = node->outputs[0]->type.shape;
  return NULL;
}

static hone_status *quantize_node(hone_node *node, hone_pass_context *context) {
  chain c;
  int64_t table[BYTES];
  hone_value *to;
  if (node->op != &hone_op_quantize || !hone_node_out(node, 0) || !is_byte(node->outputs[0]) ||
      !find_chain(node, &c))
    return NULL;
  hone_arena memory = {0};
  hone_status *status = tabulate(&c, table, &memory);
  hone_arena_free(&memory);
  HONE_TRY(status);
  HONE_TRY(make_lookup(node, &c, table, &to));
  hone_pass_fired(context, "table of a byte's function");
  return hone_substitute(node, 0, to);
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_node(graph, context, quantize_node);
}

const hone_pass hone_pass_byte_tables = {"byte_tables", run};
