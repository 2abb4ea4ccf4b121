/* The ops whose output is the input's bytes in another shape or place: identity, to_host, reshape,
 * flatten, squeeze, unsqueeze, bitcast. Room: ops. */
#include "ops/dims.h"
#include "ops/elements.h"
#include "ops/ops.h"

static hone_status *view_reference(hone_reference *ref) {
  hone_copy_tensor(ref->out[0], ref->in[0]);
  return NULL;
}

/* A sequence or an optional shares its items with the input. */
static hone_status *identity_reference(hone_reference *ref) {
  if (ref->in[0]->kind == HONE_KIND_TENSOR) return view_reference(ref);
  *ref->out[0] = *ref->in[0];
  return NULL;
}

const hone_op hone_op_identity = {.name = "identity",
                                  .inputs = "x",
                                  .outputs = "y",
                                  .facts = HONE_VIEW | HONE_MOVES | HONE_ANY_KIND,
                                  .infer = hone_infer_same,
                                  .reference = identity_reference};

/* Like identity, but from the device to the host: see graph.h on places. */
const hone_op hone_op_to_host = {.name = "to_host",
                                 .inputs = "x",
                                 .outputs = "y",
                                 .facts = HONE_VIEW | HONE_MOVES | HONE_CROSSES,
                                 .infer = hone_infer_same,
                                 .reference = view_reference};

/* A product of dimensions: the known ones multiplied, and the symbols. */
typedef struct factors {
  int64_t number;
  int symbols;
  hone_dim symbol[HONE_MAX_RANK];
} factors;

static bool factor(const hone_dim *dims, int rank, factors *out) {
  *out = (factors){.number = 1};
  for (int i = 0; i < rank; i++) {
    if (!hone_dim_known(dims[i])) out->symbol[out->symbols++] = dims[i];
    else if (!hone_mul_s64(out->number, dims[i], &out->number)) return false;
  }
  return true;
}

/* Strikes out, pair by pair, what is in both: also sizes of 0, which could not be divided away. */
static void cancel(hone_shape *x, hone_shape *y) {
  for (int i = 0; i < y->rank;) {
    int at = 0;
    while (at < x->rank && x->dim[at] != y->dim[i]) at++;
    if (at == x->rank) {
      i++;
    } else {
      x->dim[at] = x->dim[--x->rank];
      y->dim[i] = y->dim[--y->rank];
    }
  }
}

/* The dimension that makes `rest` (the others) as large as `x`: exact where all is known, a symbol
 * where all else cancels, otherwise fresh. */
static hone_status *missing_dim(hone_infer *infer, const hone_shape *x, const hone_dim *rest,
                                int count, hone_dim *out) {
  factors whole, part;
  hone_shape left = *x, right = hone_shape_of(count, rest);
  bool known = x->rank >= 0;
  if (known) cancel(&left, &right);
  known = known && factor(left.dim, left.rank, &whole) && factor(right.dim, right.rank, &part) &&
          part.symbols == 0;
  if (known && whole.symbols == 0 && part.number > 0) {
    if (whole.number % part.number != 0)
      return hone_infer_fail(infer, "%lld elements do not divide by %lld", (long long)whole.number,
                             (long long)part.number);
    *out = whole.number / part.number;
  } else if (known && whole.symbols == 0) {
    *out = 0; /* nothing over nothing */
  } else if (known && whole.symbols == 1 && whole.number == part.number) {
    *out = whole.symbol[0];
  } else {
    *out = hone_infer_fresh(infer);
  }
  return NULL;
}

/* One element of reshape's shape as a dimension; -1 is left to the end and remembered. */
static hone_status *reshape_dim(hone_infer *infer, const hone_shape *x, hone_known_int wanted,
                                int axis, int *inferred, hone_dim *out) {
  if (wanted.kind == HONE_INT_NUMBER && wanted.value == -1) {
    if (*inferred >= 0) return hone_infer_fail(infer, "more than one -1 in the shape");
    *inferred = axis;
    return NULL;
  }
  if (wanted.kind == HONE_INT_NUMBER && wanted.value == 0 &&
      !hone_node_flag(infer->node, "allow_zero")) {
    if (x->rank >= 0 && axis >= x->rank)
      return hone_infer_fail(infer, "the 0 at place %d copies a dimension that is not there", axis);
    *out = x->rank >= 0 ? x->dim[axis] : hone_infer_fresh(infer);
    return NULL;
  }
  if (!hone_known_dim(infer, wanted, out))
    return hone_infer_fail(infer, "%lld in the shape", (long long)wanted.value);
  return NULL;
}

/* Counts that are known on both sides have to agree. */
static hone_status *same_count(hone_infer *infer, const hone_shape *x, const hone_shape *y) {
  size_t from, to;
  if (!hone_shape_known(x) || !hone_shape_known(y)) return NULL;
  if (!hone_shape_count(x, &from) || !hone_shape_count(y, &to) || from != to)
    return hone_infer_fail(infer, "the shapes hold different numbers of elements");
  return NULL;
}

/* While all elements of the shape stay unknown, a lone unknown one may still be told. */
static int lone_unknown(const hone_known_int *wanted, size_t count) {
  int at = -1;
  for (size_t i = 0; i < count; i++) {
    if (wanted[i].kind == HONE_INT_NUMBER && wanted[i].value == -1) return -1;
    if (wanted[i].kind != HONE_INT_UNKNOWN) continue;
    if (at >= 0) return -1;
    at = (int)i;
  }
  return at;
}

static hone_status *reshape_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  *y = hone_shape_unknown();
  hone_known_int wanted[HONE_MAX_TRACED];
  size_t count;
  if (!hone_infer_partial(infer, 1, wanted, &count)) return NULL;
  if (count > HONE_MAX_RANK)
    return hone_infer_fail(infer, "%zu dimensions; %d are the most", count, HONE_MAX_RANK);
  int lone = lone_unknown(wanted, count), inferred = -1;
  if (lone >= 0) wanted[lone] = (hone_known_int){HONE_INT_NUMBER, -1};
  y->rank = (int)count;
  for (int i = 0; i < y->rank; i++)
    HONE_TRY(reshape_dim(infer, x, wanted[i], i, &inferred, &y->dim[i]));
  if (inferred >= 0) {
    hone_dim rest[HONE_MAX_RANK];
    for (int i = 0, n = 0; i < y->rank; i++)
      if (i != inferred) rest[n++] = y->dim[i];
    HONE_TRY(missing_dim(infer, x, rest, y->rank - 1, &y->dim[inferred]));
  }
  return same_count(infer, x, y);
}

const hone_op hone_op_reshape = {.name = "reshape",
                                 .inputs = "x shape",
                                 .outputs = "y",
                                 .attrs = {{"allow_zero", HONE_ATTR_FLAG, "false", NULL}},
                                 .facts = HONE_VIEW | HONE_MOVES,
                                 .shape_inputs = 1u << 1,
                                 .infer = reshape_infer,
                                 .reference = view_reference};

/* Two dimensions out of all: those before `axis` and those from it on. */
static hone_status *flatten_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  if (x->rank < 0) return *y = hone_shape_fresh(infer, 2), NULL;
  int64_t axis = hone_node_int(infer->node, "axis");
  if (axis < 0) axis += x->rank;
  if (axis < 0 || axis > x->rank)
    return hone_infer_fail(infer, "axis %lld of %d dimensions", (long long)axis, x->rank);
  hone_shape before = hone_shape_of((int)axis, x->dim);
  hone_shape after = hone_shape_of(x->rank - (int)axis, x->dim + axis);
  y->rank = 2;
  HONE_TRY(missing_dim(infer, &before, NULL, 0, &y->dim[0]));
  return missing_dim(infer, &after, NULL, 0, &y->dim[1]);
}

const hone_op hone_op_flatten = {.name = "flatten",
                                 .inputs = "x",
                                 .outputs = "y",
                                 .attrs = {{"axis", HONE_ATTR_INT, "1", NULL}},
                                 .facts = HONE_VIEW | HONE_MOVES,
                                 .infer = flatten_infer,
                                 .reference = view_reference};

/* The axes of input 1 as a set of bits over `rank` axes. */
static hone_status *axis_set(hone_infer *infer, const int64_t *axes, size_t count, int rank,
                             unsigned *out) {
  *out = 0;
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (!hone_axis(axes[i], rank, &axis))
      return hone_infer_fail(infer, "axis %lld of %d dimensions", (long long)axes[i], rank);
    if (*out >> axis & 1) return hone_infer_fail(infer, "axis %d twice", axis);
    *out |= 1u << axis;
  }
  return NULL;
}

/* Without axes every dimension of 1 goes; then all dimensions have to be known. */
static hone_status *squeeze_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  int64_t axes[HONE_MAX_RANK];
  size_t count = 0;
  bool given = infer->input_count > 1 && infer->in[1];
  bool known = x->rank >= 0 && (given ? hone_infer_ints(infer, 1, axes, HONE_MAX_RANK, &count)
                                      : hone_shape_known(x));
  *y = hone_shape_unknown();
  if (!known) return NULL;
  unsigned gone = 0;
  if (given) HONE_TRY(axis_set(infer, axes, count, x->rank, &gone));
  for (int i = 0; i < x->rank; i++) {
    if (!given && x->dim[i] == 1) gone |= 1u << i;
    if ((gone >> i & 1) && hone_dim_known(x->dim[i]) && x->dim[i] != 1)
      return hone_infer_fail(infer, "dimension %d is %lld, not 1", i, (long long)x->dim[i]);
  }
  y->rank = 0;
  for (int i = 0; i < x->rank; i++)
    if (!(gone >> i & 1)) y->dim[y->rank++] = x->dim[i];
  return NULL;
}

const hone_op hone_op_squeeze = {.name = "squeeze",
                                 .inputs = "x axes?",
                                 .outputs = "y",
                                 .facts = HONE_VIEW | HONE_MOVES,
                                 .shape_inputs = 1u << 1,
                                 .infer = squeeze_infer,
                                 .reference = view_reference};

static hone_status *unsqueeze_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  int64_t axes[HONE_MAX_RANK];
  size_t count;
  *y = hone_shape_unknown();
  if (x->rank < 0 || !hone_infer_ints(infer, 1, axes, HONE_MAX_RANK, &count)) return NULL;
  if (x->rank + (int)count > HONE_MAX_RANK)
    return hone_infer_fail(infer, "%zu more dimensions than %d; %d are the most", count, x->rank,
                           HONE_MAX_RANK);
  unsigned made;
  y->rank = x->rank + (int)count;
  HONE_TRY(axis_set(infer, axes, count, y->rank, &made));
  for (int i = 0, from = 0; i < y->rank; i++) y->dim[i] = made >> i & 1 ? 1 : x->dim[from++];
  return NULL;
}

const hone_op hone_op_unsqueeze = {.name = "unsqueeze",
                                   .inputs = "x axes",
                                   .outputs = "y",
                                   .facts = HONE_VIEW | HONE_MOVES,
                                   .shape_inputs = 1u << 1,
                                   .infer = unsqueeze_infer,
                                   .reference = view_reference};

/* The same bits as elements of another type of the same width. */
static hone_status *bitcast_infer(hone_infer *infer) {
  infer->out[0] = *infer->in[0];
  hone_dtype from = infer->in[0]->dtype, to = hone_node_dtype(infer->node, "to");
  if (from == HONE_STR || to == HONE_STR || hone_dtype_bits(from) != hone_dtype_bits(to))
    return hone_infer_fail(infer, "from %s to %s", hone_dtype_name(from), hone_dtype_name(to));
  infer->out[0].dtype = to;
  return NULL;
}

const hone_op hone_op_bitcast = {.name = "bitcast",
                                 .inputs = "x",
                                 .outputs = "y",
                                 .attrs = {{"to", HONE_ATTR_DTYPE, NULL, NULL}},
                                 .infer = bitcast_infer,
                                 .reference = view_reference};
