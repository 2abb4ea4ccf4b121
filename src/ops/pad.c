/* pad: more elements (or with negative pads fewer) around a tensor: a value, the edge, the
 * mirror image, or the far side. Room: ops. */
#include <string.h>

#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/ops.h"

enum { X, PADS, VALUE, AXES };

static hone_status *pad_dim(hone_infer *infer, hone_known_int before, hone_known_int after,
                            hone_dim dim, hone_dim *out) {
  bool numbers = before.kind == HONE_INT_NUMBER && after.kind == HONE_INT_NUMBER;
  *out = dim;
  if (numbers && before.value == 0 && after.value == 0) return NULL;
  if (!numbers || !hone_dim_known(dim)) return *out = hone_infer_fresh(infer), NULL;
  if (!hone_add_s64(dim, before.value, out) || !hone_add_s64(*out, after.value, out) || *out < 0)
    return hone_infer_fail(infer, "pads %lld and %lld around %lld", (long long)before.value,
                           (long long)after.value, (long long)dim);
  bool fills = strcmp(hone_node_text(infer->node, "mode"), "constant") == 0;
  if (dim == 0 && *out > 0 && !fills) return hone_infer_fail(infer, "nothing to repeat");
  return NULL;
}

static hone_status *pad_infer(hone_infer *infer) {
  const hone_type *value = infer->input_count > VALUE ? infer->in[VALUE] : NULL;
  const hone_shape *x = &infer->in[X]->shape;
  infer->out[0] = *infer->in[X];
  hone_shape *y = &infer->out[0].shape;
  hone_known_int pads[HONE_MAX_TRACED];
  int64_t axes[HONE_MAX_RANK];
  size_t count, axis_count = 0;
  bool given = infer->input_count > AXES && infer->in[AXES];
  if (value && value->dtype != infer->in[X]->dtype)
    return hone_infer_fail(infer, "a value of type %s", hone_dtype_name(value->dtype));
  if (x->rank < 0) return NULL;
  if (!hone_infer_partial(infer, PADS, pads, &count) ||
      (given && !hone_infer_ints(infer, AXES, axes, HONE_MAX_RANK, &axis_count)))
    return *y = hone_shape_fresh(infer, x->rank), NULL;
  if (!given) axis_count = (size_t)x->rank;
  if (count != 2 * axis_count)
    return hone_infer_fail(infer, "%zu pads for %zu axes", count, axis_count);
  unsigned seen = 0;
  for (size_t i = 0; i < axis_count; i++) {
    int axis;
    if (!hone_axis(given ? axes[i] : (int64_t)i, x->rank, &axis) || seen >> axis & 1)
      return hone_infer_fail(infer, "the axes do not name different ones of %d", x->rank);
    seen |= 1u << axis;
    HONE_TRY(pad_dim(infer, pads[i], pads[axis_count + i], x->dim[axis], &y->dim[axis]));
  }
  return NULL;
}

static void pads_before(const hone_reference *ref, int rank, int64_t *before) {
  const hone_datum *pads = ref->in[PADS];
  const hone_datum *given = ref->input_count > AXES ? ref->in[AXES] : NULL;
  size_t count = hone_datum_count(pads) / 2;
  for (int i = 0; i < rank; i++) before[i] = 0;
  for (size_t i = 0; i < count; i++) {
    int axis;
    int64_t wanted = given ? hone_load_int(given->dtype, given->data, i) : (int64_t)i;
    if (hone_axis(wanted, rank, &axis))
      before[axis] = hone_load_int(pads->dtype, pads->data, i);
  }
}

/* The value everywhere, then the part of x that stays. */
static void pad_constant(hone_reference *ref, const int64_t *before) {
  const hone_datum *x = ref->in[X], *y = ref->out[0];
  const hone_datum *value = ref->input_count > VALUE ? ref->in[VALUE] : NULL;
  static const hone_string nothing = {"", 0};
  static const char zero[16];
  const void *fill = value ? value->data : x->dtype == HONE_STR ? (const void *)&nothing : zero;
  hone_fill_run(y->dtype, y->data, 0, fill, 0, hone_datum_count(y));
  hone_box box = {.rank = x->shape.rank};
  hone_shape_strides(&x->shape, box.from_stride);
  hone_shape_strides(&y->shape, box.to_stride);
  for (int i = 0; i < box.rank; i++) {
    int64_t skipped = before[i] < 0 ? -before[i] : 0, lead = before[i] > 0 ? before[i] : 0;
    int64_t from = x->shape.dim[i] - skipped, room = y->shape.dim[i] - lead;
    box.size[i] = from < room ? from : room;
    if (box.size[i] <= 0) return;
    box.from += skipped * box.from_stride[i];
    box.to += lead * box.to_stride[i];
  }
  hone_copy_box(x->dtype, y->data, x->data, &box);
}

/* Where position `at` of the padded axis comes from. */
static int64_t source(char mode, int64_t at, int64_t size) {
  if (mode == 'e' || size == 1) return at < 0 ? 0 : at >= size ? size - 1 : at;
  int64_t period = mode == 'w' ? size : 2 * (size - 1);
  at = (at % period + period) % period;
  return at < size ? at : period - at;
}

static hone_status *pad_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[X], *y = ref->out[0];
  const char *mode = hone_node_text(ref->node, "mode");
  int rank = x->shape.rank;
  int64_t before[HONE_MAX_RANK] = {0}, strides[HONE_MAX_RANK], at[HONE_MAX_RANK] = {0};
  pads_before(ref, rank, before);
  if (*mode == 'c') return pad_constant(ref, before), NULL;
  hone_shape_strides(&x->shape, strides);
  size_t count = hone_datum_count(y);
  for (size_t i = 0; i < count; i++) {
    int64_t from = 0;
    for (int d = 0; d < rank; d++)
      from += source(*mode, at[d] - before[d], x->shape.dim[d]) * strides[d];
    hone_copy_run(x->dtype, y->data, i, x->data, (size_t)from, 1);
    for (int d = rank - 1; d >= 0 && ++at[d] == y->shape.dim[d]; d--) at[d] = 0;
  }
  return NULL;
}

const hone_op hone_op_pad = {.name = "pad",
                             .inputs = "x pads value? axes?",
                             .outputs = "y",
                             .attrs = {{"mode", HONE_ATTR_CHOICE, "constant",
                                        "constant|edge|reflect|wrap"}},
                             .shape_inputs = 1u << PADS | 1u << AXES,
                             .infer = pad_infer,
                             .reference = pad_reference};
