/* Kinds and axes of reduce nodes. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/reduce_axes.h"

#include <string.h>

size_t hone_reduce_offset(const hone_reduce_walk *w, size_t index) {
  size_t at = 0;
  for (int i = w->rank - 1; i >= 0; i--) {
    at += index % w->size[i] * w->stride[i];
    index /= w->size[i];
  }
  return at;
}

hone_reduce_kind hone_reduce_kind_of(const hone_node *node) {
  static const char *const names[] = {"sum", "mean", "max",     "min",         "prod",
                                      "l1",  "l2",   "log_sum", "log_sum_exp", "sum_square"};
  const char *name = hone_node_text(node, "kind");
  int i = HONE_REDUCE_SUM_SQUARE;
  while (i > 0 && strcmp(names[i], name) != 0) i--;
  return (hone_reduce_kind)i;
}

static bool gone_axes(const hone_node_view *view, unsigned *out) {
  int64_t axes[HONE_MAX_RANK];
  size_t count;
  int rank = view->in[0]->shape.rank;
  bool given = view->node->input_count > 1 && view->in[1];
  bool known = hone_view_ints(view, 1, axes, HONE_MAX_RANK, &count);
  *out = 0;
  if (given && !known) return false;
  if (count == 0 && hone_node_flag(view->node, "empty_is_all")) *out = (1u << rank) - 1;
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (hone_axis(axes[i], rank, &axis)) *out |= 1u << axis;
  }
  return true;
}

static void push(hone_reduce_walk *w, size_t size, size_t stride) {
  w->size[w->rank] = size;
  w->stride[w->rank++] = stride;
  w->count *= size;
}

/* Joins the axes and gives the innermost one a place of its own. */
static void set_axes(hone_reduce_axes *r, const hone_shape *x, unsigned gone) {
  size_t size[HONE_MAX_RANK], stride[HONE_MAX_RANK], step = 1;
  bool is_gone[HONE_MAX_RANK];
  int rank = 0;
  r->terms = 1;
  for (int i = x->rank - 1; i >= 0; i--) { /* from the inside */
    bool goes = gone >> i & 1;
    size_t dim = (size_t)x->dim[i];
    if (goes) r->terms *= (double)dim;
    if (rank > 0 && is_gone[rank - 1] == goes) {
      size[rank - 1] *= dim;
    } else if (dim != 1) {
      size[rank] = dim;
      stride[rank] = step;
      is_gone[rank++] = goes;
    }
    step *= dim;
  }
  r->kept.count = r->gone.count = 1;
  r->run = rank ? size[0] : 1;
  r->run_is_gone = rank ? is_gone[0] : true;
  for (int i = rank - 1; i > 0; i--) push(is_gone[i] ? &r->gone : &r->kept, size[i], stride[i]);
}

bool hone_reduce_read(const hone_node_view *view, hone_reduce_axes *out) {
  unsigned gone;
  *out = (hone_reduce_axes){.run = 0};
  if (!gone_axes(view, &gone)) return false;
  set_axes(out, &view->in[0]->shape, gone);
  return true;
}
