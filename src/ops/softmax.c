/* softmax, log_softmax, hardmax: along one axis. Room: ops. */
#include <math.h>

#include "ops/axes.h"
#include "ops/operand.h"
#include "ops/ops.h"

static hone_status *softmax_infer(hone_infer *infer) {
  int axis;
  infer->out[0] = *infer->in[0];
  HONE_TRY(hone_infer_class(infer, 0, HONE_FLOATS));
  if (infer->in[0]->shape.rank < 0) return NULL;
  return hone_infer_axis(infer, "axis", infer->in[0]->shape.rank, &axis);
}

/* x[0], x[step], …: `count` elements become the result, in place. */
typedef void line_function(double *x, size_t count, size_t step);

static hone_status *along_axis(hone_reference *ref, line_function *function) {
  const hone_datum *in = ref->in[0], *y = ref->out[0];
  hone_line line = hone_line_of(&in->shape, hone_ref_axis(ref, "axis", in->shape.rank));
  double *x;
  HONE_TRY(hone_operand_reals(ref, 0, &x));
  for (size_t o = 0; o < line.outer; o++)
    for (size_t n = 0; n < line.inner && line.size; n++)
      function(x + o * line.size * line.inner + n, line.size, line.inner);
  hone_store_reals(y->dtype, y->data, 0, hone_datum_count(y), x);
  return NULL;
}

static double greatest(const double *x, size_t count, size_t step) {
  double most = x[0];
  for (size_t i = 1; i < count; i++)
    if (x[i * step] > most || x[i * step] != x[i * step]) most = x[i * step];
  return most;
}

static void softmax_line(double *x, size_t count, size_t step) {
  double most = greatest(x, count, step), sum = 0;
  for (size_t i = 0; i < count; i++) sum += x[i * step] = exp(x[i * step] - most);
  for (size_t i = 0; i < count; i++) x[i * step] /= sum;
}

static void log_softmax_line(double *x, size_t count, size_t step) {
  double most = greatest(x, count, step), sum = 0;
  for (size_t i = 0; i < count; i++) sum += exp(x[i * step] - most);
  for (size_t i = 0; i < count; i++) x[i * step] = x[i * step] - most - log(sum);
}

/* 1 at the first maximum, which a NaN is, 0 elsewhere. */
static void hardmax_line(double *x, size_t count, size_t step) {
  size_t best = 0;
  for (size_t i = 1; i < count; i++) {
    double most = x[best * step], now = x[i * step];
    if (now > most || (now != now && most == most)) best = i;
  }
  for (size_t i = 0; i < count; i++) x[i * step] = i == best;
}

#define LINE_OP(name_, facts_)                                                                     \
  static hone_status *name_##_reference(hone_reference *ref) {                                     \
    return along_axis(ref, name_##_line);                                                          \
  }                                                                                                \
  const hone_op hone_op_##name_ = {.name = #name_,                                                 \
                                   .inputs = "x",                                                  \
                                   .outputs = "y",                                                 \
                                   .attrs = {{"axis", HONE_ATTR_INT, "-1", NULL}},                 \
                                   .facts = HONE_REDUCES | (facts_),                               \
                                   .infer = softmax_infer,                                         \
                                   .reference = name_##_reference}

LINE_OP(softmax, 0);
LINE_OP(log_softmax, 0);
LINE_OP(hardmax, HONE_JUMPS);
