/* unique: the different elements, or slices along an axis, with where each was first, which one
 * each element is, and how often. Sorted, or in the order of first appearance. Room: ops. */
#include <string.h>

#include "ops/elements.h"
#include "ops/ops.h"
#include "ops/order.h"
#include "ops/unique.h"

enum { Y, INDICES, INVERSE, COUNTS };

/* How many there are at most. */
static bool most(const hone_shape *x, bool flat, int axis, hone_dim *out) {
  size_t count;
  if (!flat) return *out = x->dim[axis], hone_dim_known(*out);
  if (!hone_shape_count(x, &count)) return false;
  return *out = (hone_dim)count, true;
}

static hone_status *unique_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  bool flat = hone_node_flag(infer->node, "flat");
  hone_shape one = {.rank = 1}, y = flat ? one : *x;
  int axis = 0;
  hone_dim all = -1;
  if (!flat && x->rank >= 0) HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
  bool bounded = x->rank >= 0 && most(x, flat, axis, &all);
  hone_dim found = infer->graph || !bounded ? hone_infer_fresh(infer) : all;
  if (y.rank >= 0) y.dim[axis] = found;
  infer->out[Y] = hone_tensor_type(infer->in[0]->dtype, y);
  for (int i = 1; i < infer->output_count; i++) {
    infer->out[i] = hone_tensor_type(HONE_S64, one);
    infer->out[i].shape.dim[0] = found;
  }
  if (infer->output_count > INVERSE)
    infer->out[INVERSE].shape.dim[0] = bounded ? all : hone_infer_fresh(infer);
  return NULL;
}

static int compare_one(const hone_slices *x, size_t a, size_t b) {
  if (x->dtype == HONE_STR) {
    hone_string s[2];
    memcpy(&s[0], (const char *)x->data + a * sizeof s[0], sizeof s[0]);
    memcpy(&s[1], (const char *)x->data + b * sizeof s[1], sizeof s[1]);
    size_t least = s[0].size < s[1].size ? s[0].size : s[1].size;
    int way = least ? memcmp(s[0].data, s[1].data, least) : 0;
    return way ? way : (s[0].size > s[1].size) - (s[0].size < s[1].size);
  }
  if (hone_dtype_class_of(x->dtype) == HONE_CLASS_FLOAT) {
    double va = hone_load_real(x->dtype, x->data, a), vb = hone_load_real(x->dtype, x->data, b);
    bool na = va != va, nb = vb != vb;
    return na || nb ? na - nb : (va > vb) - (va < vb);
  }
  int64_t va = hone_load_int(x->dtype, x->data, a), vb = hone_load_int(x->dtype, x->data, b);
  if (x->dtype == HONE_U64) va ^= INT64_MIN, vb ^= INT64_MIN;
  return (va > vb) - (va < vb);
}

int hone_compare_slices(const void *slices, size_t a, size_t b) {
  const hone_slices *s = slices;
  for (size_t o = 0; o < s->line.outer; o++)
    for (size_t n = 0; n < s->line.inner; n++) {
      int way = compare_one(s, (o * s->line.size + a) * s->line.inner + n,
                            (o * s->line.size + b) * s->line.inner + n);
      if (way) return way;
    }
  return 0;
}

static int compare_places(const void *elements, size_t a, size_t b) {
  const size_t *place = elements;
  return (place[a] > place[b]) - (place[a] < place[b]);
}

/* The groups of equal slices. */
typedef struct groups {
  size_t count;
  size_t *first;  /* of each group: its first slice */
  size_t *size;   /* of each group: its number of slices */
  size_t *member; /* of each slice: its group */
  size_t *rank;   /* of each group: its place in the result */
  size_t *shown;  /* of each place: its group */
} groups;

static hone_status *find_groups(hone_reference *ref, const hone_slices *s, groups *g) {
  size_t total = s->line.size;
  size_t *order = HONE_NEW_ARRAY(ref->scratch, total + 1, size_t);
  size_t **lists[] = {&g->first, &g->size, &g->member, &g->rank, &g->shown};
  HONE_TRY_MEMORY(order);
  for (int i = 0; i < 5; i++) {
    *lists[i] = HONE_NEW_ARRAY(ref->scratch, total + 1, size_t);
    HONE_TRY_MEMORY(*lists[i]);
  }
  for (size_t i = 0; i < total; i++) order[i] = i;
  hone_order(order, total, hone_compare_slices, s);
  g->count = 0;
  for (size_t i = 0; i < total; i++) {
    /* Equals come in the order of their positions: the first of a run is the first of all. */
    if (i == 0 || hone_compare_slices(s, order[i - 1], order[i]) != 0) g->first[g->count++] = order[i];
    g->member[order[i]] = g->count - 1;
    g->size[g->count - 1]++;
  }
  for (size_t i = 0; i < g->count; i++) g->shown[i] = i;
  if (!hone_node_flag(ref->node, "sorted"))
    hone_order(g->shown, g->count, compare_places, g->first);
  for (size_t i = 0; i < g->count; i++) g->rank[g->shown[i]] = i;
  return NULL;
}

static void store_list(hone_reference *ref, int index, size_t count, const size_t *values,
                       const size_t *through) {
  hone_datum *out = index < ref->output_count ? ref->out[index] : NULL;
  if (!out) return;
  out->shape.dim[0] = (hone_dim)count;
  for (size_t i = 0; i < count; i++)
    hone_store_int(HONE_S64, out->data, i, (int64_t)values[through[i]]);
}

static hone_status *unique_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0];
  hone_slices s = {x->dtype, x->data, {1, hone_datum_count(x), 1}};
  int axis = 0;
  groups g;
  if (!hone_node_flag(ref->node, "flat")) {
    axis = hone_ref_axis(ref, "axis", x->shape.rank);
    s.line = hone_line_of(&x->shape, axis);
  }
  HONE_TRY(find_groups(ref, &s, &g));
  hone_datum *y = ref->out[Y];
  if (y) {
    y->shape.dim[axis] = (hone_dim)g.count;
    for (size_t o = 0; o < s.line.outer; o++)
      for (size_t i = 0; i < g.count; i++)
        hone_copy_run(y->dtype, y->data, (o * g.count + i) * s.line.inner, x->data,
                      (o * s.line.size + g.first[g.shown[i]]) * s.line.inner, s.line.inner);
  }
  store_list(ref, INDICES, g.count, g.first, g.shown);
  store_list(ref, INVERSE, s.line.size, g.rank, g.member);
  store_list(ref, COUNTS, g.count, g.size, g.shown);
  return NULL;
}

const hone_op hone_op_unique = {.name = "unique",
                                .inputs = "x",
                                .outputs = "y? indices? inverse? counts?",
                                .attrs = {{"flat", HONE_ATTR_FLAG, "true", NULL},
                                          {"axis", HONE_ATTR_INT, "0", NULL},
                                          {"sorted", HONE_ATTR_FLAG, "true", NULL}},
                                .facts = HONE_DATA_SHAPED,
                                .infer = unique_infer,
                                .reference = unique_reference};
