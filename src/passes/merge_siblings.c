/* Products that read one tensor become one wide product, whose results are slices of its channels:
 * queries, keys and values of attention, the narrow convolutions at the head of parallel branches. The
 * tensor is read once and the tiles are full.
 *
 * It pays only where the slices cost nothing. So each result must have a single reader that takes rows
 * at a pitch: a convolution, a product, or attention, behind views and, for attention, transposes; the
 * unary work between (an activation that all siblings share) moves before the slices. A branch that is
 * read twice, or goes into a concat (which it can write in place by itself), stays out. So do wide
 * weights, which fill their tiles alone: measured on Zen 4, four 1x1 convolutions of 16 channels each
 * with the 3x3 ones behind them gain 3 %, of 64 1 %, of 128 nothing; all-MiniLM (384 columns) gains
 * 1 % on one thread, more on two, where it saves barriers. Room: passes. */
#include <string.h>

#include "passes/passes.h"
#include "passes/reading.h"

enum { X, WEIGHTS, BIAS };
enum { MOST_SIBLINGS = 16, MOST_TAIL = 4 };
enum { MOST_CHANNELS = 64, MOST_COLUMNS = 1024 }; /* of one convolution, of one matrix product */

typedef struct sibling {
  hone_node *node;
  hone_node *tail[MOST_TAIL]; /* the unary nodes after it */
  int tail_count;
  hone_value *end; /* what the last of them makes */
} sibling;

typedef struct family {
  sibling members[MOST_SIBLINGS];
  int count;
  int axis; /* of the weights' columns */
} family;

/* ---- Who may join --------------------------------------------------------------------------- */

static bool is_product(const hone_node *node) {
  if (node->op != &hone_op_conv && node->op != &hone_op_matmul) return false;
  const hone_value *w = node->inputs[WEIGHTS].value, *bias = hone_node_in(node, BIAS);
  const hone_value *y = node->outputs[0];
  int rank = w->type.shape.rank;
  if (!w->constant || !hone_is_float(w) || hone_dtype_bits(w->type.dtype) < 8) return false;
  if (y->type.shape.rank < 2 || !hone_dim_known(y->type.shape.dim[y->type.shape.rank - 1]))
    return false;
  if (node->op == &hone_op_conv ? rank < 3 || hone_node_int(node, "groups") != 1
                                : rank != 2 || hone_node_flag(node, "transpose_a"))
    return false;
  return !bias || (bias->constant && bias->type.dtype == w->type.dtype &&
                   bias->type.shape.rank == 1 &&
                   bias->type.shape.dim[0] == y->type.shape.dim[y->type.shape.rank - 1]);
}

static int column_axis(const hone_node *product) {
  int rank = product->inputs[WEIGHTS].value->type.shape.rank;
  bool turned = product->op == &hone_op_matmul && hone_node_flag(product, "transpose_b");
  return turned ? rank - 2 : rank - 1;
}

/* Input 0 computed on, all else the same number everywhere. */
static bool is_unary(const hone_node *node, const hone_value *x) {
  if (!node || !(node->op->facts & HONE_POINTWISE) || node->output_count != 1 ||
      node->inputs[0].value != x || !hone_same_type(x, node->outputs[0]))
    return false;
  for (int i = 1; i < node->input_count; i++) {
    double number;
    if (node->inputs[i].value && !hone_uniform(node->inputs[i].value, &number)) return false;
  }
  return true;
}

/* Whether two unary nodes do the same. */
static bool same_unary(const hone_node *a, const hone_node *b) {
  if (a->op != b->op || a->input_count != b->input_count || !hone_same_attrs(a, b)) return false;
  for (int i = 1; i < a->input_count; i++) {
    const hone_value *p = a->inputs[i].value, *q = b->inputs[i].value;
    double x = 0, y = 0;
    if (!p != !q) return false;
    if (p && (!hone_uniform(p, &x) || !hone_uniform(q, &y) || x != y || !hone_same_type(p, q)))
      return false;
  }
  return true;
}

static sibling sibling_of(hone_node *node) {
  sibling s = {.node = node, .end = node->outputs[0]};
  while (s.tail_count < MOST_TAIL && hone_value_has_one_use(s.end) &&
         is_unary(s.end->uses->user, s.end)) {
    s.tail[s.tail_count] = s.end->uses->user;
    s.end = s.tail[s.tail_count++]->outputs[0];
  }
  return s;
}

/* The windows are the same, and so is what is done with the results. */
static bool are_alike(const sibling *a, const sibling *b) {
  const hone_value *v = a->node->inputs[WEIGHTS].value, *w = b->node->inputs[WEIGHTS].value;
  int axis = column_axis(a->node);
  if (a->node->op != b->node->op || !hone_same_attrs(a->node, b->node)) return false;
  if (v->type.dtype != w->type.dtype || v->type.shape.rank != w->type.shape.rank) return false;
  for (int i = 0; i < v->type.shape.rank; i++)
    if (i != axis && v->type.shape.dim[i] != w->type.shape.dim[i]) return false;
  if (a->tail_count != b->tail_count) return false;
  for (int i = 0; i < a->tail_count; i++)
    if (!same_unary(a->tail[i], b->tail[i])) return false;
  return true;
}

static bool may_join(const hone_node *node) {
  if (!is_product(node)) return false;
  const hone_shape *w = &node->inputs[WEIGHTS].value->type.shape;
  return w->dim[column_axis(node)] <= (node->op == &hone_op_conv ? MOST_CHANNELS : MOST_COLUMNS);
}

/* All siblings of `first` after it, in the order of the graph, as long as their weights together stay
 * within the limit. */
static void find_family(hone_node *first, size_t limit, family *f) {
  size_t bytes = first->inputs[WEIGHTS].value->constant_size;
  f->count = 0;
  f->axis = column_axis(first);
  f->members[f->count++] = sibling_of(first);
  if (bytes > limit || hone_reading_of(f->members[0].end) == HONE_READS_DENSE) return;
  for (hone_node *node = first->next; node && f->count < MOST_SIBLINGS; node = node->next) {
    if (node->op != first->op || node->inputs[X].value != first->inputs[X].value) continue;
    if (!may_join(node)) continue;
    sibling s = sibling_of(node);
    size_t size = node->inputs[WEIGHTS].value->constant_size;
    if (!are_alike(&f->members[0], &s) || hone_reading_of(s.end) == HONE_READS_DENSE) continue;
    if (size > limit - bytes) continue;
    bytes += size;
    f->members[f->count++] = s;
  }
}

/* ---- The wide product ----------------------------------------------------------------------- */

static hone_status *make_wide(const family *f, const int64_t *sizes, hone_value **out) {
  const hone_value *weights[MOST_SIBLINGS], *biases[MOST_SIBLINGS];
  hone_node *first = f->members[0].node, *wide;
  hone_value *inputs[3] = {first->inputs[X].value, NULL, NULL};
  const hone_value *bias = NULL;
  for (int i = 0; i < f->count; i++) {
    weights[i] = f->members[i].node->inputs[WEIGHTS].value;
    biases[i] = hone_node_in(f->members[i].node, BIAS);
    if (biases[i]) bias = biases[i];
  }
  HONE_TRY(hone_join_constants(first->graph, weights, sizes, f->count, weights[0], f->axis,
                               &inputs[WEIGHTS]));
  if (bias) HONE_TRY(hone_join_constants(first->graph, biases, sizes, f->count, bias, 0, &inputs[BIAS]));
  HONE_TRY(hone_node_start(first, first->op, inputs, bias ? 3 : 2, &wide));
  hone_copy_attrs(wide, first);
  for (int i = 1; i < f->count; i++) HONE_TRY(hone_node_add_sources(wide, f->members[i].node));
  return hone_node_finish(wide, out);
}

/* The tail that all have, once. */
static hone_status *make_tail(const family *f, hone_value **x) {
  const sibling *first = &f->members[0];
  for (int t = 0; t < first->tail_count; t++) {
    hone_node *old = first->tail[t], *node;
    hone_value *inputs[HONE_MAX_RANK] = {*x};
    int count = old->input_count;
    if (count > HONE_MAX_RANK) return hone_error(HONE_INTERNAL, "too many inputs to move");
    for (int i = 1; i < count; i++) inputs[i] = old->inputs[i].value;
    HONE_TRY(hone_node_new(first->node->graph, first->node, old->op, inputs, count, 1, &node));
    for (int i = 0; i < f->count; i++)
      HONE_TRY(hone_node_add_sources(node, f->members[i].tail[t]));
    hone_copy_attrs(node, old);
    HONE_TRY(hone_node_finish(node, x));
  }
  return NULL;
}

/* The first member is removed last: the slices stand before it. */
static hone_status *merge(const family *f) {
  hone_node *first = f->members[0].node;
  hone_value *wide, *slices[MOST_SIBLINGS];
  int64_t sizes[MOST_SIBLINGS], at = 0;
  for (int i = 0; i < f->count; i++) {
    const hone_value *w = f->members[i].node->inputs[WEIGHTS].value;
    sizes[i] = w->type.shape.dim[f->axis];
  }
  HONE_TRY(make_wide(f, sizes, &wide));
  HONE_TRY(make_tail(f, &wide));
  for (int i = 0; i < f->count; i++) {
    HONE_TRY(hone_make_slice(first, wide, wide->type.shape.rank - 1, at, at + sizes[i], &slices[i]));
    slices[i]->type = f->members[i].end->type;
    at += sizes[i];
  }
  for (int i = f->count - 1; i >= 0; i--)
    HONE_TRY(hone_substitute(f->members[i].end->producer, 0, slices[i]));
  return NULL;
}

static hone_status *merge_graph(hone_graph *graph, hone_pass_context *context) {
  family f;
  for (hone_node *node = graph->first, *next; node; node = next) {
    next = node->next;
    if (!may_join(node)) continue;
    find_family(node, context->fold_limit, &f);
    if (f.count < 2) continue;
    /* Members stand anywhere behind: what comes next is what follows the new nodes. */
    hone_node *before = node->previous;
    HONE_TRY(merge(&f));
    hone_pass_fired(context, "merge siblings");
    next = before ? before->next : graph->first;
  }
  return NULL;
}

static hone_status *run(hone_graph *graph, hone_pass_context *context) {
  return hone_each_graph(graph, context, merge_graph);
}

const hone_pass hone_pass_merge_siblings = {"merge_siblings", run};
