/* How a transpose sinks below a reshape: where the reshape only splits and merges axes that lie side
 * by side above, the pieces are the same in both spaces. Room: passes. */
#include <string.h>

#include "passes/layout.h"

/* Axes [in, in_end) of the input that become axes [out, out_end) of the output: the smallest runs of
 * equal size. */
typedef struct piece {
  int in, in_end, out, out_end;
  int place; /* of its first axis above */
} piece;

typedef struct pieces {
  piece list[HONE_MAX_RANK];
  int count;
} pieces;

/* Takes one piece of two shapes from where it begins; false where they do not fit. */
static bool next_piece(const hone_shape *in, const hone_shape *out, piece *p) {
  int64_t left = in->dim[p->in], right = out->dim[p->out];
  p->in_end = p->in + 1;
  p->out_end = p->out + 1;
  /* A symbol takes the ones before its twin along. */
  while (left == 1 && !hone_dim_known(right) && p->in_end < in->rank) left = in->dim[p->in_end++];
  while (right == 1 && !hone_dim_known(left) && p->out_end < out->rank)
    right = out->dim[p->out_end++];
  if (!hone_dim_known(left) || !hone_dim_known(right)) return left == right;
  while (left != right) {
    bool grow_in = left < right;
    const hone_shape *shape = grow_in ? in : out;
    int *end = grow_in ? &p->in_end : &p->out_end;
    if (*end == shape->rank || shape->dim[*end] <= 0) return false;
    if (!hone_mul_s64(grow_in ? left : right, shape->dim[*end], grow_in ? &left : &right))
      return false;
    ++*end;
  }
  return left > 0;
}

/* The same from where a piece ends, no further back than `first`. */
static bool piece_before(const hone_shape *in, const hone_shape *out, const piece *first, piece *p) {
  if (p->in_end == first->in || p->out_end == first->out) return false;
  p->in = p->in_end - 1;
  p->out = p->out_end - 1;
  int64_t left = in->dim[p->in], right = out->dim[p->out];
  if (!hone_dim_known(left) || !hone_dim_known(right)) return left == right;
  while (left != right) {
    bool grow_in = left < right;
    const hone_shape *shape = grow_in ? in : out;
    int *begin = grow_in ? &p->in : &p->out;
    if (*begin == (grow_in ? first->in : first->out) || shape->dim[*begin - 1] <= 0) return false;
    --*begin;
    if (!hone_mul_s64(grow_in ? left : right, shape->dim[*begin], grow_in ? &left : &right))
      return false;
  }
  return left > 0;
}

/* Pieces from the end to the one that `middle` begins, and what is left between: symbols of products. */
static bool cut_back(const hone_shape *in, const hone_shape *out, piece middle, pieces *all) {
  piece p = {.in_end = in->rank, .out_end = out->rank};
  middle.in_end = in->rank;
  middle.out_end = out->rank;
  while (piece_before(in, out, &middle, &p)) {
    all->list[all->count++] = p;
    middle.in_end = p.in_end = p.in;
    middle.out_end = p.out_end = p.out;
  }
  if (middle.in == middle.in_end || middle.out == middle.out_end) return false;
  all->list[all->count++] = middle;
  return true;
}

static bool cut(const hone_shape *in, const hone_shape *out, pieces *all) {
  int i = 0, o = 0;
  while (i < in->rank && o < out->rank) {
    piece *p = &all->list[all->count];
    *p = (piece){.in = i, .out = o};
    if (!next_piece(in, out, p)) return cut_back(in, out, *p, all);
    all->count++;
    i = p->in_end;
    o = p->out_end;
  }
  if (all->count == 0) return false;
  piece *last = &all->list[all->count - 1];
  for (; i < in->rank; i++, last->in_end++)
    if (in->dim[i] != 1) return false;
  for (; o < out->rank; o++, last->out_end++)
    if (out->dim[o] != 1) return false;
  return true;
}

/* Whether the piece's axes lie side by side and in order above; axes of size 1 lie anywhere. */
static bool in_order(piece *p, const hone_shape *in, const hone_turn *turn) {
  int last = -1;
  p->place = turn->perm[p->in];
  for (int i = p->in; i < p->in_end; i++) {
    if (in->dim[i] == 1) continue;
    if (last < 0) p->place = turn->perm[i];
    else if (turn->perm[i] < last) return false;
    last = turn->perm[i];
  }
  /* Nothing but ones of its own lies between its first and last axis above. */
  for (int i = 0; last >= 0 && i < in->rank; i++) {
    bool own = i >= p->in && i < p->in_end;
    if (!own && in->dim[i] != 1 && turn->perm[i] > p->place && turn->perm[i] < last) return false;
  }
  return true;
}

static void sort_by_place(pieces *all) {
  for (int i = 1; i < all->count; i++)
    for (int k = i; k > 0 && all->list[k].place < all->list[k - 1].place; k--) {
      piece swap = all->list[k];
      all->list[k] = all->list[k - 1];
      all->list[k - 1] = swap;
    }
}

/* Cuts `in` to `out` and sorts the pieces by where they lie above; false where one is torn there. */
static bool cut_above(const hone_shape *in, const hone_shape *out, const hone_turn *turn,
                      pieces *all) {
  if (in->rank < 1 || out->rank < 1 || !cut(in, out, all)) return false;
  for (int i = 0; i < all->count; i++)
    if (!in_order(&all->list[i], in, turn)) return false;
  sort_by_place(all);
  return true;
}

/* Whether a transpose that sinks from `value` on meets another before anything that stops it. */
static bool meets_transpose(const hone_value *value) {
  enum { MOST_STEPS = 16 };
  for (int i = 0; i < MOST_STEPS && hone_value_has_one_use(value) && value->uses->user; i++) {
    const hone_node *user = value->uses->user;
    if (user->op == &hone_op_transpose) return true;
    bool rows = user->op == &hone_op_matmul || (user->op->facts & HONE_POINTWISE);
    if (!rows && !(user->op->facts & HONE_VIEW)) return false;
    for (int k = 0; k < user->input_count; k++) {
      const hone_value *in = user->inputs[k].value;
      if (in && in != value && !in->constant) return false;
    }
    value = user->outputs[0];
  }
  return false;
}

/* Attention writes its heads in any order. Where a transpose of its result does two things at once,
 * brings what a view merges side by side and the merged axes into another order, it becomes two, of
 * which the second sinks to meet another: `*turn` is it then. */
static hone_status *part_turn(hone_node *node, hone_turn *turn) {
  hone_value *turned = node->inputs[0].value, *x = turned->producer->inputs[0].value;
  pieces all = {.count = 0};
  int together[HONE_MAX_RANK], count = 0;
  hone_turn rest = {.rank = turn->rank};
  bool moves = false;
  if (!x->producer || x->producer->op != &hone_op_attention || !hone_value_has_one_use(turned) ||
      !meets_transpose(node->outputs[0]) ||
      !cut(&turned->type.shape, &node->outputs[0]->type.shape, &all))
    return NULL;
  for (int i = 0; i < all.count; i++) all.list[i].place = turn->perm[all.list[i].in_end - 1];
  sort_by_place(&all);
  for (int i = 0; i < all.count; i++)
    for (int k = all.list[i].in; k < all.list[i].in_end; k++) {
      moves = moves || k != count;
      rest.perm[k] = count;
      together[count++] = turn->perm[k];
    }
  if (!moves || count != turn->rank || together[count - 1] != count - 1) return NULL;
  HONE_TRY(hone_make_transpose(node, x, together, &x));
  HONE_TRY(hone_make_transpose(node, x, rest.perm, &x));
  hone_node_set_input(node, 0, x);
  hone_remove_unused(turned->producer);
  *turn = rest;
  return NULL;
}

hone_status *hone_sink_view(hone_node *node, const hone_turn *turn, bool *done) {
  const hone_shape *out = &node->outputs[0]->type.shape;
  hone_turn parted = *turn;
  pieces all = {.count = 0};
  hone_shape above = {.rank = 0};
  int perm[HONE_MAX_RANK], symbols = 0;
  for (int i = 0; i < out->rank; i++) symbols += !hone_dim_known(out->dim[i]);
  if (symbols <= 1) HONE_TRY(part_turn(node, &parted));
  if (!cut_above(&node->inputs[0].value->type.shape, out, &parted, &all)) return NULL;
  for (int i = 0; i < all.count; i++)
    for (int o = all.list[i].out; o < all.list[i].out_end; o++) {
      perm[o] = above.rank;
      above.dim[above.rank++] = out->dim[o];
    }
  hone_value *x = node->inputs[0].value->producer->inputs[0].value, *view, *turned;
  if (!hone_can_reshape(&x->type.shape, &above)) return NULL;
  HONE_TRY(hone_make_reshape(node, x, &above, &view));
  HONE_TRY(hone_make_transpose(node, view, perm, &turned));
  *done = true;
  return hone_substitute(node, 0, turned);
}

/* transpose(view(transpose(x))): the outer transpose goes before the view, where the two meet. Seen
 * from the end this is a transpose that sinks below the view's inverse. */
hone_status *hone_lift_over_view(hone_node *node, bool *done) {
  hone_turn outer, inner;
  const hone_node *view = node->inputs[0].value->producer;
  if (!view || !(view->op->facts & HONE_VIEW) || !hone_turn_of(node->outputs[0], &outer)) return NULL;
  hone_value *x = view->inputs[0].value, *turned, *to;
  const hone_shape *out = &node->outputs[0]->type.shape;
  pieces all = {.count = 0};
  hone_turn back = hone_turn_inverse(&outer);
  hone_shape before = {.rank = 0};
  int perm[HONE_MAX_RANK], rank = 0;
  if (!hone_turn_of(x, &inner)) return NULL;
  if (!cut_above(&view->outputs[0]->type.shape, &x->type.shape, &back, &all)) return NULL;
  for (int i = 0; i < all.count; i++)
    for (int k = all.list[i].out; k < all.list[i].out_end; k++) {
      before.dim[before.rank++] = x->type.shape.dim[k];
      perm[rank++] = k;
    }
  if (!hone_can_reshape(&before, out)) return NULL;
  HONE_TRY(hone_make_transpose(node, x, perm, &turned));
  HONE_TRY(hone_make_reshape(node, turned, out, &to));
  *done = true;
  return hone_substitute(node, 0, to);
}
