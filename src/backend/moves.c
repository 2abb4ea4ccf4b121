/* Following layouts through the moves and views of a body. Room: backend. */
#include "backend/moves.h"

#include "ir/graph.h"
#include "ops/slice.h"

enum {
  MOST_MOVES = 8,  /* moves and views between a kernel and what it reads */
  SLICE_INPUTS = 5 /* data, starts, ends, axes, steps */
};

/* Those before an operand, the nearest first. */
typedef struct chain {
  const hone_group_view *view;
  const hone_node *nodes[MOST_MOVES];
  int count;
} chain;

bool hone_is_move(const hone_node *node) {
  return node && (node->op == &hone_op_transpose || node->op == &hone_op_slice);
}
static bool is_view(const hone_node *node) {
  return node && (node->op->facts & HONE_VIEW);
}

const int64_t *hone_move_perm(const hone_node *transpose) {
  size_t count;
  const int64_t *perm = hone_node_ints(transpose, "perm", &count);
  return count ? perm : NULL;
}

static const hone_shape *shape_of(const hone_group_view *view, const hone_value *value) {
  return &view->types[value->id].shape;
}

/* False where its bounds are not known, or it runs backwards. */
static bool slice(const hone_group_view *view, const hone_node *node, hone_layout *layout) {
  const hone_shape *y = shape_of(view, node->outputs[0]);
  const hone_datum *known[SLICE_INPUTS] = {0};
  hone_datum constants[SLICE_INPUTS];
  int64_t begin[HONE_MAX_RANK], step[HONE_MAX_RANK];
  for (int i = 1; i < node->input_count && i < SLICE_INPUTS; i++) {
    const hone_value *in = node->inputs[i].value;
    if (!in) continue;
    if (in->constant) constants[i] = hone_value_datum(in);
    known[i] = in->constant ? &constants[i] : in->producer ? NULL : view->known[in->index];
    if (!known[i]) return false;
  }
  if (!hone_slice_begin(node, shape_of(view, node->inputs[0].value), known, begin, step))
    return false;
  for (int i = 0; i < y->rank; i++) {
    if (step[i] < 0 && y->dim[i] > 1) return false;
    layout->at += begin[i] * layout->stride[i];
    layout->stride[i] *= y->dim[i] > 1 ? step[i] : 0;
  }
  return true;
}

/* Takes the steps of the node's input to those of its output; false: it needs a copy. */
static bool pass(const hone_group_view *view, const hone_node *node, hone_steps *steps) {
  const hone_shape *to = shape_of(view, node->outputs[0]);
  hone_layout layout;
  if (is_view(node)) return hone_steps_reshape(steps, to);
  if (node->op == &hone_op_slice) {
    if (!hone_steps_layout(steps, &layout) || !slice(view, node, &layout)) return false;
    *steps = hone_steps_of(&layout, to);
    return true;
  }
  hone_steps_transpose(steps, hone_move_perm(node));
  return true;
}

/* Takes the layout of what the chain's furthest move reads to that of what its nearest makes. Where
 * one tears it the copy is made after all, and the layout goes on from there. How many of the chain,
 * from the nearest on, need no copy. */
static int follow(const chain *moves, hone_layout *layout, const hone_shape *shape) {
  hone_steps steps = hone_steps_of(layout, shape);
  int left = moves->count, torn = -1;
  for (int i = moves->count - 1; i >= 0; i--) {
    bool passed = pass(moves->view, moves->nodes[i], &steps);
    if (passed && hone_steps_layout(&steps, layout)) {
      torn = -1;
      continue;
    }
    if (torn < 0) torn = i;
    if (passed && i > 0) continue; /* a later move may mend it */
    left = i = torn;
    torn = -1;
    shape = shape_of(moves->view, moves->nodes[i]->outputs[0]);
    *layout = hone_layout_dense(shape);
    steps = hone_steps_of(layout, shape);
  }
  return left;
}

bool hone_moves_trace(const hone_group_view *view, const hone_value *value, hone_strided *out) {
  chain moves = {.view = view};
  bool moved = false;
  while (moves.count < MOST_MOVES &&
         (hone_is_move(value->producer) || is_view(value->producer))) {
    moves.nodes[moves.count++] = value->producer;
    value = value->producer->inputs[0].value;
  }
  *out = (hone_strided){value, hone_layout_dense(shape_of(view, value))};
  int left = follow(&moves, &out->layout, shape_of(view, value));
  if (left < moves.count) out->base = moves.nodes[left]->outputs[0];
  for (int i = 0; i < left; i++) moved = moved || hone_is_move(moves.nodes[i]);
  return moved;
}
