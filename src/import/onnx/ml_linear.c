/* Linear models and the preparation of features of ai.onnx.ml. Room: import. */
#include <string.h>

#include "import/onnx/ml.h"

static size_t length(hone_call *call, const char *attr) {
  size_t count;
  (void)hone_onnx_reals(call, attr, &count);
  return count;
}

/* x times the coefficients [targets, features] transposed, plus the intercepts. */
static hone_value *linear(hone_call *call, size_t targets) {
  hone_value *x = hone_onnx_features(call, hone_onnx_need(call, 0));
  hone_dtype dtype = x->type.dtype;
  size_t count = length(call, "coefficients"), biases = length(call, "intercepts");
  if (!targets || count % targets) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "%zu coefficients for %zu targets", count, targets);
    return x;
  }
  hone_value *w = hone_onnx_matrix(call, "coefficients", dtype, targets, count / targets);
  hone_value *b = biases ? hone_onnx_matrix(call, "intercepts", dtype, 1, targets) : NULL;
  hone_node *node = HONE_EMIT_BEGIN(call, "matmul", x, w, b);
  hone_emit_set_int(call, node, "transpose_b", true);
  return hone_emit_end(call, node);
}

static hone_status *import_linear_regressor(hone_call *call) {
  int64_t targets = hone_onnx_int_in(call, "targets", 1, 1, INT32_MAX);
  hone_value *y = linear(call, (size_t)targets);
  hone_onnx_return(call, 0, hone_emit_cast(call, hone_onnx_post_transform(call, y), HONE_F32));
  return NULL;
}

/* Two classes may share one row of coefficients: the score of the second, and 1 minus it. */
static hone_status *import_linear_classifier(hone_call *call) {
  size_t targets = length(call, "intercepts");
  hone_value *labels = hone_onnx_labels(call, "classlabels_ints", "classlabels_strings");
  if (!labels) return hone_emit_fail(call, HONE_INVALID_MODEL, "the classes have no labels");
  int64_t classes = labels->type.shape.dim[0];
  if (!targets) targets = (size_t)classes;
  hone_value *scores = linear(call, targets);
  if (targets == 1 && classes == 2) {
    if (strcmp(hone_onnx_text(call, "post_transform", "NONE"), "NONE") != 0)
      return hone_emit_fail(call, HONE_UNSUPPORTED, "a transform of one score for two classes");
    hone_value *zero = hone_emit_real(call, scores->type.dtype, 0);
    hone_value *one = hone_emit_real(call, scores->type.dtype, 1);
    hone_onnx_return(
        call, 0, hone_onnx_either_label(call, HONE_EMIT(call, "greater", scores, zero), labels));
    hone_node *both = HONE_EMIT_BEGIN(call, "concat", HONE_EMIT(call, "sub", one, scores), scores);
    hone_emit_set_int(call, both, "axis", 1);
    scores = hone_emit_end(call, both);
  } else if ((int64_t)targets != classes) {
    return hone_emit_fail(call, HONE_UNSUPPORTED, "%zu scores for %lld classes", targets,
                          (long long)classes);
  } else {
    hone_onnx_return(call, 0, hone_onnx_best_label(call, scores, labels));
    scores = hone_onnx_post_transform(call, scores);
  }
  hone_onnx_return(call, 1, hone_emit_cast(call, scores, HONE_F32));
  return NULL;
}

/* A vector of the list, that broadcasts along the last axis. */
static hone_value *list(hone_call *call, const char *attr, hone_dtype dtype) {
  size_t count = length(call, attr);
  return count ? hone_onnx_matrix(call, attr, dtype, 1, count) : NULL;
}

static hone_status *import_scaler(hone_call *call) {
  hone_value *x = hone_emit_cast(call, hone_onnx_need(call, 0), HONE_F32);
  hone_value *offset = list(call, "offset", HONE_F32), *scale = list(call, "scale", HONE_F32);
  if (offset) x = HONE_EMIT(call, "sub", x, offset);
  hone_onnx_return(call, 0, scale ? HONE_EMIT(call, "mul", x, scale) : x);
  return NULL;
}

/* Rows by their largest, sum of sizes or length; a row of zeros stays. */
static hone_status *import_normalizer(hone_call *call) {
  static const char *const kinds[][2] = {{"MAX", "max"}, {"L1", "l1"}, {"L2", "l2"}};
  const char *norm = hone_onnx_text(call, "norm", "MAX"), *kind = NULL;
  for (int i = 0; i < 3; i++)
    if (strcmp(norm, kinds[i][0]) == 0) kind = kinds[i][1];
  if (!kind) return hone_emit_fail(call, HONE_INVALID_MODEL, "norm '%.20s'", norm);
  hone_value *x = hone_emit_cast(call, hone_onnx_need(call, 0), HONE_F32);
  hone_node *node =
      HONE_EMIT_BEGIN(call, "reduce", x, hone_emit_ints(call, (int64_t[]){-1}, 1));
  hone_emit_set_text(call, node, "kind", kind);
  hone_value *size = hone_emit_end(call, node), *zero = hone_emit_real(call, HONE_F32, 0);
  size = HONE_EMIT(call, "select", HONE_EMIT(call, "equal", size, zero),
                   hone_emit_real(call, HONE_F32, 1), size);
  hone_onnx_return(call, 0, HONE_EMIT(call, "div", x, size));
  return NULL;
}

static hone_status *import_imputer(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0), *with, *lost;
  if (hone_dtype_class_of(x->type.dtype) == HONE_CLASS_FLOAT) {
    double marker = hone_onnx_real(call, "replaced_value_float", 0);
    with = list(call, "imputed_value_floats", x->type.dtype);
    lost = marker != marker
               ? HONE_EMIT(call, "is_nan", x)
               : HONE_EMIT(call, "equal", x, hone_emit_real(call, x->type.dtype, marker));
  } else {
    size_t count;
    const int64_t *values = hone_onnx_ints(call, "imputed_value_int64s", &count);
    int64_t marker = hone_onnx_int(call, "replaced_value_int64", 0);
    with = count ? hone_emit_ints(call, values, count) : NULL;
    lost = HONE_EMIT(call, "equal", x,
                     hone_emit_cast(call, hone_emit_int(call, marker), x->type.dtype));
  }
  if (!with) return hone_emit_fail(call, HONE_INVALID_MODEL, "nothing to put in for what is lost");
  with = hone_emit_cast(call, with, x->type.dtype);
  hone_onnx_return(call, 0, HONE_EMIT(call, "select", lost, with, x));
  return NULL;
}

/* ONNX Runtime refuses an unknown category where `zeros` is off; here it gives zeros either way. */
static hone_status *import_one_hot(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  hone_value *cats = hone_onnx_labels(call, "cats_int64s", "cats_strings");
  if (!cats) return hone_emit_fail(call, HONE_INVALID_MODEL, "there are no categories");
  if (x->type.dtype != HONE_STR) x = hone_emit_cast(call, x, HONE_S64);
  x = HONE_EMIT(call, "unsqueeze", x, hone_emit_ints(call, (int64_t[]){-1}, 1));
  hone_onnx_return(call, 0, hone_emit_cast(call, HONE_EMIT(call, "equal", x, cats), HONE_F32));
  return NULL;
}

static hone_status *import_feature_vectorizer(hone_call *call) {
  enum { MOST = 256 };
  hone_value *parts[MOST];
  int count = hone_onnx_input_count(call);
  if (count < 1 || count > MOST) return hone_emit_fail(call, HONE_UNSUPPORTED, "%d inputs", count);
  for (int i = 0; i < count; i++)
    parts[i] = hone_emit_cast(call, hone_onnx_need(call, i), HONE_F32);
  hone_node *node = hone_emit_begin(call, "concat", parts, count, 1);
  hone_emit_set_int(call, node, "axis", -1);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

const hone_onnx_row hone_onnx_ml_linear[] = {
    {HONE_ONNX_ML, "FeatureVectorizer", 1, 0, .import = import_feature_vectorizer},
    {HONE_ONNX_ML, "Imputer", 1, 0, .import = import_imputer},
    {HONE_ONNX_ML, "LinearClassifier", 1, 0, .import = import_linear_classifier},
    {HONE_ONNX_ML, "LinearRegressor", 1, 0, .import = import_linear_regressor},
    {HONE_ONNX_ML, "Normalizer", 1, 0, .import = import_normalizer},
    {HONE_ONNX_ML, "OneHotEncoder", 1, 0, .import = import_one_hot},
    {HONE_ONNX_ML, "Scaler", 1, 0, .import = import_scaler},
    {0},
};
