/* How far a value is from its reference. */
#include <math.h>

#include "compare.h"

bool is_finite_tensor(const hone_tensor *tensor) {
  size_t count = has_numbers(tensor->dtype) ? tensor_count(tensor) : 0;
  for (size_t i = 0; i < count; i++)
    if (!isfinite(tensor_value(tensor, i))) return false;
  return true;
}

/* Steps through y in the order of the reference's elements. */
typedef struct walk {
  int rank;
  size_t at, index[HONE_MAX_RANK], dims[HONE_MAX_RANK], stride[HONE_MAX_RANK];
} walk;

static walk start_walk(const hone_tensor *y, const int *order) {
  walk w = {.rank = order ? y->rank : 0};
  for (int i = 0; i < w.rank; i++) {
    w.dims[i] = (size_t)y->dims[order[i]];
    w.stride[i] = 1;
    for (int j = order[i] + 1; j < y->rank; j++) w.stride[i] *= (size_t)y->dims[j];
  }
  return w;
}

static void step_walk(walk *w) {
  if (!w->rank) {
    w->at++;
    return;
  }
  for (int i = w->rank - 1; i >= 0; i--) {
    w->at += w->stride[i];
    if (++w->index[i] < w->dims[i]) return;
    w->at -= w->stride[i] * w->dims[i];
    w->index[i] = 0;
  }
}

difference differ(const hone_tensor *y, const hone_tensor *reference, const int *order) {
  difference d = {.known = false, .reference_finite = true};
  size_t count = tensor_count(reference);
  if (!has_numbers(y->dtype) || !has_numbers(reference->dtype) || tensor_count(y) != count)
    return d;
  d.known = true;
  double top = 0;
  walk w = start_walk(y, order);
  for (size_t i = 0; i < count; i++, step_walk(&w)) {
    double a = tensor_value(y, w.at), b = tensor_value(reference, i);
    if (!isfinite(b)) d.reference_finite = false;
    if (isfinite(b)) top = fmax(top, fabs(b));
    if (a == b || (isnan(a) && isnan(b))) continue;
    d.absolute = isfinite(a) && isfinite(b) ? fmax(d.absolute, fabs(a - b)) : (double)INFINITY;
  }
  d.relative = d.absolute > 0 ? d.absolute / (top > 0 ? top : 1) : 0;
  return d;
}

double bound_of(const command_line *line, hone_dtype dtype, bool coarse) {
  if (line->tolerance >= 0) return line->tolerance;
  switch (dtype) {
    case HONE_F32:
    case HONE_F64:
      return coarse ? 4e-2 : 1e-4;
    case HONE_F16:
    case HONE_BF16:
    case HONE_S8:
    case HONE_U8:
      return 4e-2;
    default:
      return coarse ? 4e-2 : 0;
  }
}
