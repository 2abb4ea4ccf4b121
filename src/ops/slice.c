/* slice: from start to end by steps on some axes, as NumPy's x[start:end:step]. Room: ops. */
#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/ops.h"
#include "ops/slice.h"

enum { X, STARTS, ENDS, AXES, STEPS };

/* One axis of a slice over a known dimension: where it begins and how many it takes. */
typedef struct cut {
  int64_t start, step, count;
} cut;

static cut cut_of(int64_t dim, int64_t start, int64_t end, int64_t step) {
  int64_t lowest = step > 0 ? 0 : -1, highest = step > 0 ? dim : dim - 1;
  int64_t *bound[2] = {&start, &end};
  for (int i = 0; i < 2; i++) {
    if (*bound[i] < 0) *bound[i] += dim;
    if (*bound[i] < lowest) *bound[i] = lowest;
    if (*bound[i] > highest) *bound[i] = highest;
  }
  int64_t way = step > 0 ? end - start : start - end;
  /* Steps are negated as unsigned: the least integer has no positive twin. */
  uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
  int64_t count = way > 0 ? (int64_t)(((uint64_t)way - 1) / stride) + 1 : 0;
  return (cut){start, step, count};
}

/* The size of a cut through a dimension that may be a symbol, with bounds that may be unknown. */
static hone_dim cut_dim(hone_infer *infer, hone_dim dim, hone_known_int start, hone_known_int end,
                        hone_known_int step) {
  bool numbers = start.kind == HONE_INT_NUMBER && step.kind == HONE_INT_NUMBER;
  if (numbers && end.kind == HONE_INT_NUMBER && hone_dim_known(dim))
    return cut_of(dim, start.value, end.value, step.value).count;
  bool from_first = numbers && start.value == 0 && step.value == 1;
  /* Exporters write the end of a whole axis as the largest integer of 32 or 64 bits. */
  if (from_first && end.kind == HONE_INT_NUMBER && end.value >= INT32_MAX) return dim;
  if (from_first && end.kind == HONE_INT_SYMBOL && end.value == dim) return dim;
  bool turned = numbers && start.value == -1 && step.value == -1;
  if (turned && end.kind == HONE_INT_NUMBER && end.value <= -INT32_MAX) return dim;
  return hone_infer_fresh(infer);
}

/* What is known of the optional input `index`, each element `fallback` when it is absent. */
static bool bounds(const hone_infer *infer, int index, int64_t fallback, size_t wanted,
                   hone_known_int *out) {
  size_t count = wanted;
  if (index >= infer->input_count || !infer->in[index]) {
    for (size_t i = 0; i < wanted; i++) out[i] = (hone_known_int){HONE_INT_NUMBER, fallback};
    return true;
  }
  return hone_infer_partial(infer, index, out, &count) && count == wanted;
}

static hone_status *slice_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[X]->shape;
  infer->out[0] = *infer->in[X];
  hone_shape *y = &infer->out[0].shape;
  if (x->rank < 0) return NULL;
  hone_known_int start[HONE_MAX_TRACED], end[HONE_MAX_TRACED], step[HONE_MAX_TRACED];
  int64_t axes[HONE_MAX_TRACED];
  size_t count, axis_count;
  bool given = infer->input_count > AXES && infer->in[AXES];
  if (!hone_infer_partial(infer, STARTS, start, &count) ||
      (given && !hone_infer_ints(infer, AXES, axes, HONE_MAX_TRACED, &axis_count)))
    return *y = hone_shape_fresh(infer, x->rank), NULL;
  if (!bounds(infer, ENDS, 0, count, end) || !bounds(infer, STEPS, 1, count, step) ||
      (given && axis_count != count))
    return hone_infer_fail(infer, "starts, ends, axes and steps of different lengths");
  unsigned seen = 0;
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (!hone_axis(given ? axes[i] : (int64_t)i, x->rank, &axis) || seen >> axis & 1)
      return hone_infer_fail(infer, "the axes do not name different ones of %d", x->rank);
    seen |= 1u << axis;
    if (step[i].kind == HONE_INT_NUMBER && step[i].value == 0)
      return hone_infer_fail(infer, "a step of 0");
    y->dim[axis] = cut_dim(infer, x->dim[axis], start[i], end[i], step[i]);
  }
  return NULL;
}

static int64_t element(const hone_datum *const *inputs, int count, int index, size_t i,
                       int64_t fallback) {
  const hone_datum *in = index < count ? inputs[index] : NULL;
  return in ? hone_load_int(in->dtype, in->data, i) : fallback;
}

/* The cut that entry `i` of the lists makes, and its axis. */
static cut nth_cut(const hone_shape *x, const hone_datum *const *in, int count, size_t i, int *axis) {
  if (!hone_axis(element(in, count, AXES, i, (int64_t)i), x->rank, axis)) *axis = 0;
  return cut_of(x->dim[*axis], element(in, count, STARTS, i, 0), element(in, count, ENDS, i, 0),
                element(in, count, STEPS, i, 1));
}

bool hone_slice_begin(const hone_node *node, const hone_shape *x, const hone_datum *const *known,
                      int64_t *begin, int64_t *step) {
  for (int i = 0; i < x->rank; i++) begin[i] = 0, step[i] = 1;
  for (int i = STARTS; i < node->input_count; i++)
    if (node->inputs[i].value && !known[i]) return false;
  for (size_t i = 0, entries = hone_datum_count(known[STARTS]); i < entries; i++) {
    int axis;
    cut one = nth_cut(x, known, node->input_count, i, &axis);
    begin[axis] = one.start;
    step[axis] = one.step;
  }
  return true;
}

static hone_status *slice_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[X], *y = ref->out[0];
  hone_box box = {.rank = x->shape.rank};
  hone_shape_strides(&x->shape, box.from_stride);
  hone_shape_strides(&y->shape, box.to_stride);
  for (int i = 0; i < box.rank; i++) box.size[i] = y->shape.dim[i];
  size_t count = hone_datum_count(ref->in[STARTS]);
  for (size_t i = 0; i < count; i++) {
    int axis;
    cut one = nth_cut(&x->shape, ref->in, ref->input_count, i, &axis);
    if (one.count == 0) return NULL;
    box.from += one.start * box.from_stride[axis];
    box.from_stride[axis] *= one.count > 1 ? one.step : 0;
  }
  hone_copy_box(x->dtype, y->data, x->data, &box);
  return NULL;
}

const hone_op hone_op_slice = {.name = "slice",
                               .inputs = "x starts ends axes? steps?",
                               .outputs = "y",
                               .facts = HONE_MOVES,
                               .shape_inputs = 1u << STARTS | 1u << ENDS | 1u << AXES | 1u << STEPS,
                               .infer = slice_infer,
                               .reference = slice_reference};
