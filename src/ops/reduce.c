/* reduce: sums, products, extremes and norms over axes. Room: ops.
 *
 * Absent or empty axes mean all of them, or with empty_is_all=false none. Over nothing a sum is 0,
 * a product 1, a maximum the lowest value of the type. Integers wrap; those kinds that need roots
 * or logarithms compute in f64 and truncate. */
#include <math.h>
#include <string.h>

#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"

/* The elements of one set: x[base + offset[i]]. */
typedef struct elements {
  size_t count;
  const size_t *offset;
} elements;

#define EACH(i) for (size_t i = 0; i < set->count; i++)
#define X(i) x[set->offset[i]]

static double real_sum(const elements *set, const double *x) {
  double sum = 0;
  EACH(i) sum += X(i);
  return sum;
}
static double real_mean(const elements *set, const double *x) {
  return real_sum(set, x) / (double)set->count;
}
static double real_prod(const elements *set, const double *x) {
  double product = 1;
  EACH(i) product *= X(i);
  return product;
}
static double real_max(const elements *set, const double *x) {
  double most = -INFINITY;
  EACH(i) most = most != most || X(i) <= most ? most : X(i);
  return most;
}
static double real_min(const elements *set, const double *x) {
  double least = INFINITY;
  EACH(i) least = least != least || X(i) >= least ? least : X(i);
  return least;
}
static double real_l1(const elements *set, const double *x) {
  double sum = 0;
  EACH(i) sum += fabs(X(i));
  return sum;
}
static double real_sum_square(const elements *set, const double *x) {
  double sum = 0;
  EACH(i) sum += X(i) * X(i);
  return sum;
}
static double real_l2(const elements *set, const double *x) { return sqrt(real_sum_square(set, x)); }
static double real_log_sum(const elements *set, const double *x) { return log(real_sum(set, x)); }
/* Relative to the maximum, so that nothing overflows. */
static double real_log_sum_exp(const elements *set, const double *x) {
  double most = real_max(set, x), sum = 0;
  if (!(fabs(most) < INFINITY)) return most;
  EACH(i) sum += exp(X(i) - most);
  return most + log(sum);
}

static uint64_t int_sum(const elements *set, const int64_t *x, bool is_signed) {
  (void)is_signed;
  uint64_t sum = 0;
  EACH(i) sum += (uint64_t)X(i);
  return sum;
}
static uint64_t int_mean(const elements *set, const int64_t *x, bool is_signed) {
  uint64_t sum = int_sum(set, x, is_signed);
  if (set->count == 0) return 0;
  return is_signed ? (uint64_t)((int64_t)sum / (int64_t)set->count) : sum / set->count;
}
static uint64_t int_prod(const elements *set, const int64_t *x, bool is_signed) {
  (void)is_signed;
  uint64_t product = 1;
  EACH(i) product *= (uint64_t)X(i);
  return product;
}
static bool above(int64_t a, int64_t b, bool is_signed) {
  return is_signed ? a > b : (uint64_t)a > (uint64_t)b;
}
static uint64_t int_max(const elements *set, const int64_t *x, bool is_signed) {
  int64_t most = is_signed ? INT64_MIN : 0;
  EACH(i) if (above(X(i), most, is_signed)) most = X(i);
  return (uint64_t)most;
}
static uint64_t int_min(const elements *set, const int64_t *x, bool is_signed) {
  int64_t least = is_signed ? INT64_MAX : -1;
  EACH(i) if (above(least, X(i), is_signed)) least = X(i);
  return (uint64_t)least;
}
static uint64_t int_l1(const elements *set, const int64_t *x, bool is_signed) {
  uint64_t sum = 0;
  EACH(i) sum += is_signed && X(i) < 0 ? 0 - (uint64_t)X(i) : (uint64_t)X(i);
  return sum;
}
static uint64_t int_sum_square(const elements *set, const int64_t *x, bool is_signed) {
  (void)is_signed;
  uint64_t sum = 0;
  EACH(i) sum += (uint64_t)X(i) * (uint64_t)X(i);
  return sum;
}

/* In the order of the attribute's choices. */
static const struct kind {
  const char *name;
  double (*real)(const elements *, const double *);
  uint64_t (*integer)(const elements *, const int64_t *, bool is_signed); /* NULL: through f64 */
} kinds[] = {
    {"sum", real_sum, int_sum},
    {"mean", real_mean, int_mean},
    {"max", real_max, int_max},
    {"min", real_min, int_min},
    {"prod", real_prod, int_prod},
    {"l1", real_l1, int_l1},
    {"l2", real_l2, NULL},
    {"log_sum", real_log_sum, NULL},
    {"log_sum_exp", real_log_sum_exp, NULL},
    {"sum_square", real_sum_square, int_sum_square},
};

static const struct kind *kind_of(const hone_node *node) {
  const char *name = hone_node_text(node, "kind");
  size_t i = sizeof kinds / sizeof kinds[0] - 1; /* the schema lets no other name in */
  while (i > 0 && strcmp(kinds[i].name, name) != 0) i--;
  return &kinds[i];
}

/* Which axes go, as bits. */
static bool axes_of(const hone_node *node, const int64_t *axes, size_t count, int rank,
                    unsigned *out) {
  *out = 0;
  if (count == 0 && hone_node_flag(node, "empty_is_all")) *out = (1u << rank) - 1;
  for (size_t i = 0; i < count; i++) {
    int axis;
    if (!hone_axis(axes[i], rank, &axis)) return false;
    *out |= 1u << axis;
  }
  return true;
}

static hone_status *reduce_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  infer->out[0] = *infer->in[0];
  hone_shape *y = &infer->out[0].shape;
  int64_t axes[HONE_MAX_RANK];
  size_t count = 0;
  unsigned gone;
  bool keep = hone_node_flag(infer->node, "keep");
  bool given = infer->input_count > 1 && infer->in[1];
  if (x->rank < 0) return NULL;
  if (given && !hone_infer_ints(infer, 1, axes, HONE_MAX_RANK, &count)) {
    *y = keep ? hone_shape_of(x->rank, x->dim) : hone_shape_unknown();
    for (int i = 0; i < y->rank; i++) y->dim[i] = hone_infer_fresh(infer);
    return NULL;
  }
  if (!axes_of(infer->node, axes, count, x->rank, &gone))
    return hone_infer_fail(infer, "an axis is outside of %d dimensions", x->rank);
  y->rank = 0;
  for (int i = 0; i < x->rank; i++) {
    if (gone >> i & 1 && keep) y->dim[y->rank++] = 1;
    else if (!(gone >> i & 1)) y->dim[y->rank++] = x->dim[i];
  }
  return NULL;
}

/* The offsets of all elements along the axes in `which`, in order. */
static hone_status *offsets(const hone_shape *shape, unsigned which, hone_arena *scratch,
                            elements *out) {
  int64_t strides[HONE_MAX_RANK];
  hone_shape_strides(shape, strides);
  size_t count = 1, filled = 1;
  for (int i = 0; i < shape->rank; i++)
    if (which >> i & 1) count *= (size_t)shape->dim[i];
  size_t *offset = HONE_NEW_ARRAY(scratch, count + 1, size_t);
  HONE_TRY_MEMORY(offset);
  /* From the last axis on: what is there is repeated for each further position. */
  for (int i = HONE_MAX_RANK - 1; count && i >= 0; i--) {
    if (i >= shape->rank || !(which >> i & 1)) continue;
    for (int64_t at = 1; at < shape->dim[i]; at++)
      for (size_t j = 0; j < filled; j++)
        offset[(size_t)at * filled + j] = offset[j] + (size_t)(at * strides[i]);
    filled *= (size_t)shape->dim[i];
  }
  *out = (elements){count, offset};
  return NULL;
}

static hone_status *reduce_reals(hone_reference *ref, const elements *kept, const elements *gone) {
  const hone_datum *y = ref->out[0];
  const struct kind *kind = kind_of(ref->node);
  bool truncates = hone_dtype_class_of(y->dtype) != HONE_CLASS_FLOAT;
  double *x;
  HONE_TRY(hone_operand_reals(ref, 0, &x));
  for (size_t i = 0; i < kept->count; i++) {
    double value = kind->real(gone, x + kept->offset[i]);
    hone_store_real(y->dtype, y->data, i, truncates ? trunc(value) : value);
  }
  return NULL;
}

static hone_status *reduce_ints(hone_reference *ref, const elements *kept, const elements *gone) {
  const hone_datum *y = ref->out[0];
  bool is_signed = hone_dtype_class_of(y->dtype) == HONE_CLASS_SIGNED;
  int64_t *x;
  HONE_TRY(hone_operand_ints(ref, 0, &x));
  for (size_t i = 0; i < kept->count; i++) {
    uint64_t value = kind_of(ref->node)->integer(gone, x + kept->offset[i], is_signed);
    hone_store_int(y->dtype, y->data, i, (int64_t)value);
  }
  return NULL;
}

static hone_status *reduce_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *given = ref->input_count > 1 ? ref->in[1] : NULL;
  int64_t axes[HONE_MAX_RANK];
  size_t count = given ? hone_datum_count(given) : 0;
  unsigned which;
  elements kept, gone;
  for (size_t i = 0; i < count && i < HONE_MAX_RANK; i++)
    axes[i] = hone_load_int(given->dtype, given->data, i);
  if (!axes_of(ref->node, axes, count, x->shape.rank, &which)) which = 0;
  HONE_TRY(offsets(&x->shape, ~which, ref->scratch, &kept));
  HONE_TRY(offsets(&x->shape, which, ref->scratch, &gone));
  bool real = hone_dtype_class_of(x->dtype) == HONE_CLASS_FLOAT || !kind_of(ref->node)->integer;
  return real ? reduce_reals(ref, &kept, &gone) : reduce_ints(ref, &kept, &gone);
}

const hone_op hone_op_reduce = {
    .name = "reduce",
    .inputs = "x axes?",
    .outputs = "y",
    .attrs = {{"kind", HONE_ATTR_CHOICE, NULL,
               "sum|mean|max|min|prod|l1|l2|log_sum|log_sum_exp|sum_square"},
              {"keep", HONE_ATTR_FLAG, "true", NULL},
              {"empty_is_all", HONE_ATTR_FLAG, "true", NULL}},
    .facts = HONE_REDUCES,
    .shape_inputs = 1u << 1,
    .infer = reduce_infer,
    .reference = reduce_reference};
