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

static bool cut(const hone_shape *in, const hone_shape *out, pieces *all) {
  int i = 0, o = 0;
  while (i < in->rank && o < out->rank) {
    piece *p = &all->list[all->count++];
    *p = (piece){.in = i, .out = o};
    if (!next_piece(in, out, p)) return false;
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

hone_status *hone_sink_view(hone_node *node, const hone_turn *turn, bool *done) {
  const hone_shape *in = &node->inputs[0].value->type.shape;
  const hone_shape *out = &node->outputs[0]->type.shape;
  pieces all = {.count = 0};
  hone_shape above = {.rank = 0};
  int perm[HONE_MAX_RANK], symbols = 0;
  if (!cut_above(in, out, turn, &all)) return NULL;
  for (int i = 0; i < all.count; i++)
    for (int o = all.list[i].out; o < all.list[i].out_end; o++) {
      symbols += !hone_dim_known(out->dim[o]);
      perm[o] = above.rank;
      above.dim[above.rank++] = out->dim[o];
    }
  if (symbols > 1) return NULL;
  hone_value *x = node->inputs[0].value->producer->inputs[0].value, *view, *turned;
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
  int perm[HONE_MAX_RANK], rank = 0, symbols = 0;
  if (!hone_turn_of(x, &inner)) return NULL;
  if (!cut_above(&view->outputs[0]->type.shape, &x->type.shape, &back, &all)) return NULL;
  for (int i = 0; i < all.count; i++)
    for (int k = all.list[i].out; k < all.list[i].out_end; k++) perm[rank++] = k;
  for (int i = 0; i < out->rank; i++) symbols += !hone_dim_known(out->dim[i]);
  if (symbols > 1) return NULL;
  HONE_TRY(hone_make_transpose(node, x, perm, &turned));
  HONE_TRY(hone_make_reshape(node, turned, out, &to));
  *done = true;
  return hone_substitute(node, 0, to);
}
