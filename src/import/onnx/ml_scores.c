/* From scores to probabilities and labels, as the classifiers of ai.onnx.ml end. Room: import. */
#include <string.h>

#include "import/onnx/ml.h"

static hone_value *real(hone_call *call, const hone_value *like, double value) {
  return hone_emit_real(call, like->type.dtype, value);
}

static hone_value *along_row(hone_call *call, hone_value *x, const char *kind) {
  hone_node *node =
      HONE_EMIT_BEGIN(call, "reduce", x, hone_emit_ints(call, (int64_t[]){-1}, 1));
  hone_emit_set_text(call, node, "kind", kind);
  return hone_emit_end(call, node);
}

/* Softmax over the scores that are not 0; a 0 stays one. ONNX Runtime, whose answers are the
 * measure here, takes what is within 1e-7 of 0 for it. */
static hone_value *softmax_zero(hone_call *call, hone_value *x) {
  hone_value *most = along_row(call, x, "max");
  hone_value *counts = HONE_EMIT(call, "greater", HONE_EMIT(call, "abs", x), real(call, x, 1e-7));
  hone_value *power = HONE_EMIT(call, "exp", HONE_EMIT(call, "sub", x, most));
  hone_value *small =
      HONE_EMIT(call, "mul", x, HONE_EMIT(call, "exp", HONE_EMIT(call, "neg", most)));
  hone_value *sum =
      along_row(call, HONE_EMIT(call, "select", counts, power, real(call, x, 0)), "sum");
  return HONE_EMIT(call, "div", HONE_EMIT(call, "select", counts, power, small), sum);
}

/* sqrt(2) erfinv(2 x - 1), the inverse error function by S. Winitzki's formula with a = 0.147,
 * "A handy approximation for the error function and its inverse" (2008), as ONNX Runtime has it. */
static hone_value *probit(hone_call *call, hone_value *x) {
  const double pi = 3.14159265358979323846, a = 0.147;
  hone_value *one = real(call, x, 1), *half = real(call, x, 0.5);
  hone_value *z = HONE_EMIT(call, "sub", HONE_EMIT(call, "mul", x, real(call, x, 2)), one);
  hone_value *log =
      HONE_EMIT(call, "log", HONE_EMIT(call, "sub", one, HONE_EMIT(call, "mul", z, z)));
  hone_value *v =
      HONE_EMIT(call, "add", HONE_EMIT(call, "mul", log, half), real(call, x, 2 / (pi * a)));
  hone_value *under = HONE_EMIT(call, "sub", HONE_EMIT(call, "mul", v, v),
                                HONE_EMIT(call, "mul", log, real(call, x, 1 / a)));
  hone_value *size =
      HONE_EMIT(call, "sqrt", HONE_EMIT(call, "sub", HONE_EMIT(call, "sqrt", under), v));
  hone_value *y = HONE_EMIT(call, "mul", HONE_EMIT(call, "sign", z), size);
  return HONE_EMIT(call, "mul", y, real(call, x, 1.41421356));
}

hone_value *hone_onnx_post_transform(hone_call *call, hone_value *scores) {
  return hone_onnx_transformed(call, scores, hone_onnx_text(call, "post_transform", "NONE"));
}

hone_value *hone_onnx_transformed(hone_call *call, hone_value *scores, const char *name) {
  if (strcmp(name, "NONE") == 0) return scores;
  if (strcmp(name, "LOGISTIC") == 0) return HONE_EMIT(call, "sigmoid", scores);
  if (strcmp(name, "SOFTMAX_ZERO") == 0) return softmax_zero(call, scores);
  if (strcmp(name, "PROBIT") == 0) return probit(call, scores);
  if (strcmp(name, "SOFTMAX") != 0)
    hone_emit_fail(call, HONE_INVALID_MODEL, "post_transform '%.20s'", name);
  hone_node *node = HONE_EMIT_BEGIN(call, "softmax", scores);
  hone_emit_set_int(call, node, "axis", -1);
  return hone_emit_end(call, node);
}

hone_value *hone_onnx_labels(hone_call *call, const char *ints, const char *strings) {
  size_t count;
  if (hone_onnx_has(call, ints)) {
    const int64_t *values = hone_onnx_ints(call, ints, &count);
    if (count) return hone_emit_ints(call, values, count);
  }
  if (!hone_onnx_has(call, strings)) return NULL;
  const hone_string *texts = hone_onnx_strings(call, strings, &count);
  hone_shape shape = {.rank = 1, .dim = {(hone_dim)count}};
  return hone_emit_const(call, HONE_STR, shape, texts, count * sizeof *texts);
}

hone_value *hone_onnx_best_label(hone_call *call, hone_value *scores, hone_value *labels) {
  hone_node *node = HONE_EMIT_BEGIN(call, "arg_reduce", scores);
  hone_emit_set_text(call, node, "kind", "max");
  hone_emit_set_int(call, node, "axis", -1);
  hone_emit_set_int(call, node, "keep", false);
  return HONE_EMIT(call, "gather", labels, hone_emit_end(call, node));
}

hone_value *hone_onnx_either_label(hone_call *call, hone_value *positive, hone_value *labels) {
  int64_t all = -1;
  hone_value *index = hone_emit_cast(call, hone_emit_reshape(call, positive, &all, 1), HONE_S64);
  return HONE_EMIT(call, "gather", labels, index);
}

hone_value *hone_onnx_features(hone_call *call, hone_value *x) {
  hone_value *y = x->type.dtype == HONE_F64 ? x : hone_emit_cast(call, x, HONE_F32);
  if (hone_emit_rank(call, x) != 1) return y;
  return HONE_EMIT(call, "unsqueeze", y, hone_emit_ints(call, (int64_t[]){0}, 1));
}

hone_value *hone_onnx_matrix(hone_call *call, const char *attr, hone_dtype dtype, size_t rows,
                             size_t columns) {
  size_t count, wanted;
  const double *values = hone_onnx_reals(call, attr, &count);
  if (!hone_mul(rows, columns, &wanted) || count != wanted)
    hone_emit_fail(call, HONE_INVALID_MODEL, "%s has %zu numbers, not %zu times %zu", attr, count,
                   rows, columns);
  hone_shape shape = hone_shape_of(2, (hone_dim[]){(hone_dim)rows, (hone_dim)columns});
  return hone_emit_cast(
      call, hone_emit_const(call, HONE_F64, shape, values, count * sizeof *values), dtype);
}
