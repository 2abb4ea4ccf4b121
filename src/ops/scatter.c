/* scatter_elements, scatter_nd, tensor_scatter: a copy with some elements replaced, or combined
 * with what is there. Updates are taken in order, so that the last of equal indices wins. Room: ops. */
#include <string.h>

#include "ops/axes.h"
#include "ops/elements.h"
#include "ops/ops.h"
#include "ops/scatter.h"

#define REDUCTION {"reduction", HONE_ATTR_CHOICE, "none", "none|add|mul|max|min"}

void hone_scatter_combine(const char *reduction, hone_dtype dtype, void *y, size_t to,
                          const void *updates, size_t from, size_t count) {
  bool real = hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT;
  bool natural = hone_dtype_class_of(dtype) == HONE_CLASS_UNSIGNED;
  char kind = reduction[1]; /* add mul max min */
  for (size_t i = 0; i < count; i++) {
    if (real) {
      double a = hone_load_real(dtype, y, to + i);
      double b = hone_load_real(dtype, updates, from + i);
      double most = a != a || a > b ? a : b, least = a != a || a < b ? a : b;
      hone_store_real(dtype, y, to + i,
                      kind == 'd' ? a + b : kind == 'u' ? a * b : kind == 'a' ? most : least);
    } else {
      int64_t a = hone_load_int(dtype, y, to + i);
      int64_t b = hone_load_int(dtype, updates, from + i);
      bool above = natural ? (uint64_t)a > (uint64_t)b : a > b;
      int64_t sum = (int64_t)((uint64_t)a + (uint64_t)b);
      int64_t product = (int64_t)((uint64_t)a * (uint64_t)b);
      hone_store_int(dtype, y, to + i,
                     kind == 'd' ? sum : kind == 'u' ? product : above == (kind == 'a') ? a : b);
    }
  }
}

/* Puts `count` updates to y[to …]: as they are, or combined. */
static void put(const char *reduction, const hone_datum *y, size_t to, const hone_datum *updates,
                size_t from, size_t count) {
  if (strcmp(reduction, "none") == 0)
    hone_copy_run(y->dtype, y->data, to, updates->data, from, count);
  else
    hone_scatter_combine(reduction, y->dtype, y->data, to, updates->data, from, count);
}

static hone_status *same_dtype(hone_infer *infer, int index) {
  infer->out[0] = *infer->in[0];
  if (infer->in[index]->dtype == infer->in[0]->dtype) return NULL;
  return hone_infer_fail(infer, "updates of type %s to %s",
                         hone_dtype_name(infer->in[index]->dtype),
                         hone_dtype_name(infer->in[0]->dtype));
}

static hone_status *scatter_elements_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape, *at = &infer->in[1]->shape;
  const hone_shape *updates = &infer->in[2]->shape;
  int axis;
  HONE_TRY(same_dtype(infer, 2));
  if (x->rank < 0) return NULL;
  HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
  if (at->rank < 0 || updates->rank < 0) return NULL;
  if (at->rank != x->rank || updates->rank != x->rank)
    return hone_infer_fail(infer, "x, indices and updates of %d, %d and %d dimensions", x->rank,
                           at->rank, updates->rank);
  for (int i = 0; i < x->rank; i++) {
    if (hone_dim_known(at->dim[i]) && hone_dim_known(updates->dim[i]) &&
        at->dim[i] != updates->dim[i])
      return hone_infer_fail(infer, "indices and updates differ in dimension %d", i);
    if (i != axis && hone_dim_known(x->dim[i]) && at->dim[i] > x->dim[i])
      return hone_infer_fail(infer, "the indices are larger than x in dimension %d", i);
  }
  return NULL;
}

static hone_status *scatter_elements_reference(hone_reference *ref) {
  const hone_datum *indices = ref->in[1], *y = ref->out[0];
  int rank = y->shape.rank, axis = hone_ref_axis(ref, "axis", rank);
  int64_t strides[HONE_MAX_RANK], position[HONE_MAX_RANK] = {0}, at;
  const char *reduction = hone_node_text(ref->node, "reduction");
  hone_copy_tensor(y, ref->in[0]);
  hone_shape_strides(&y->shape, strides);
  size_t count = hone_datum_count(indices);
  for (size_t i = 0; i < count; i++) {
    HONE_TRY(hone_ref_index(indices, i, y->shape.dim[axis], &at));
    int64_t to = at * strides[axis];
    for (int d = 0; d < rank; d++)
      if (d != axis) to += position[d] * strides[d];
    put(reduction, y, (size_t)to, ref->in[2], i, 1);
    for (int d = rank - 1; d >= 0 && ++position[d] == indices->shape.dim[d]; d--) position[d] = 0;
  }
  return NULL;
}

const hone_op hone_op_scatter_elements = {.name = "scatter_elements",
                                          .inputs = "x indices updates",
                                          .outputs = "y",
                                          .attrs = {{"axis", HONE_ATTR_INT, "0", NULL}, REDUCTION},
                                          .infer = scatter_elements_infer,
                                          .reference = scatter_elements_reference};

/* The last axis of the indices holds a position in x's first axes; updates are the slices. */
static hone_status *scatter_nd_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape, *at = &infer->in[1]->shape;
  const hone_shape *updates = &infer->in[2]->shape;
  HONE_TRY(same_dtype(infer, 2));
  if (at->rank == 0) return hone_infer_fail(infer, "the indices are a scalar");
  if (x->rank < 0 || at->rank < 0 || !hone_dim_known(at->dim[at->rank - 1])) return NULL;
  int64_t depth = at->dim[at->rank - 1];
  if (depth > x->rank)
    return hone_infer_fail(infer, "indices of depth %lld into %d dimensions", (long long)depth,
                           x->rank);
  if (updates->rank < 0) return NULL;
  int lead = at->rank - 1;
  if (updates->rank != lead + x->rank - (int)depth)
    return hone_infer_fail(infer, "updates of %d dimensions", updates->rank);
  for (int i = 0; i < updates->rank; i++) {
    hone_dim wanted = i < lead ? at->dim[i] : x->dim[(int)depth + i - lead];
    if (hone_dim_known(wanted) && hone_dim_known(updates->dim[i]) && wanted != updates->dim[i])
      return hone_infer_fail(infer, "dimension %d of the updates is %lld, not %lld", i,
                             (long long)updates->dim[i], (long long)wanted);
  }
  return NULL;
}

static hone_status *scatter_nd_reference(hone_reference *ref) {
  const hone_datum *indices = ref->in[1], *y = ref->out[0];
  int last = indices->shape.rank - 1, depth = (int)indices->shape.dim[last];
  size_t picks = hone_shape_span(&indices->shape, 0, last);
  size_t run = hone_shape_span(&y->shape, depth, y->shape.rank);
  hone_copy_tensor(y, ref->in[0]);
  for (size_t i = 0; i < picks; i++) {
    size_t to = 0;
    for (int d = 0; d < depth; d++) {
      int64_t size = y->shape.dim[d], at;
      HONE_TRY(hone_ref_index(indices, i * (size_t)depth + (size_t)d, size, &at));
      to = to * (size_t)size + (size_t)at;
    }
    put(hone_node_text(ref->node, "reduction"), y, to * run, ref->in[2], i * run, run);
  }
  return NULL;
}

const hone_op hone_op_scatter_nd = {.name = "scatter_nd",
                                    .inputs = "x indices updates",
                                    .outputs = "y",
                                    .attrs = {REDUCTION},
                                    .infer = scatter_nd_infer,
                                    .reference = scatter_nd_reference};

/* A cache [batch, …, length, …] takes a shorter update on `axis` from a start per batch entry on;
 * circular: positions past the end begin again at the front. */
static hone_status *tensor_scatter_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape, *update = &infer->in[1]->shape;
  const hone_type *start = infer->input_count > 2 ? infer->in[2] : NULL;
  int axis;
  HONE_TRY(same_dtype(infer, 1));
  if (x->rank < 0) return NULL;
  HONE_TRY(hone_infer_axis(infer, "axis", x->rank, &axis));
  if (axis == 0) return hone_infer_fail(infer, "the axis is the batch");
  if (start && start->shape.rank > 1) return hone_infer_fail(infer, "the starts are no vector");
  if (update->rank < 0) return NULL;
  if (update->rank != x->rank) return hone_infer_fail(infer, "an update of another rank");
  for (int i = 0; i < x->rank; i++) {
    bool known = hone_dim_known(x->dim[i]) && hone_dim_known(update->dim[i]);
    if (known && (i == axis ? update->dim[i] > x->dim[i] : update->dim[i] != x->dim[i]))
      return hone_infer_fail(infer, "dimension %d of the update does not fit", i);
  }
  return NULL;
}

static hone_status *tensor_scatter_reference(hone_reference *ref) {
  const hone_datum *update = ref->in[1], *y = ref->out[0];
  const hone_datum *starts = ref->input_count > 2 ? ref->in[2] : NULL;
  int axis = hone_ref_axis(ref, "axis", y->shape.rank);
  bool circular = strcmp(hone_node_text(ref->node, "mode"), "circular") == 0;
  hone_line line = hone_line_of(&update->shape, axis);
  int64_t size = y->shape.dim[axis];
  size_t per_batch = hone_shape_span(&y->shape, 1, axis);
  hone_copy_tensor(y, ref->in[0]);
  for (size_t o = 0; o < line.outer; o++) {
    size_t batch = o / per_batch;
    if (starts && batch >= hone_datum_count(starts))
      return hone_error(HONE_INVALID_ARGUMENT, "fewer starts than batch entries");
    int64_t start = starts ? hone_load_int(starts->dtype, starts->data, batch) : 0;
    HONE_TRY(hone_ref_place(start, hone_tensor_scatter_starts(circular, size, (int64_t)line.size)));
    for (size_t i = 0; i < line.size; i++) {
      int64_t at = (start + (int64_t)i) % size;
      hone_copy_run(y->dtype, y->data, (o * (size_t)size + (size_t)at) * line.inner, update->data,
                    (o * line.size + i) * line.inner, line.inner);
    }
  }
  return NULL;
}

const hone_op hone_op_tensor_scatter = {
    .name = "tensor_scatter",
    .inputs = "x update starts?",
    .outputs = "y",
    .attrs = {{"axis", HONE_ATTR_INT, "-2", NULL},
              {"mode", HONE_ATTR_CHOICE, "linear", "linear|circular"}},
    .infer = tensor_scatter_infer,
    .reference = tensor_scatter_reference};
