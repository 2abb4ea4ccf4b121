/* Support vector machines of ai.onnx.ml: products with the support vectors, the kernel's function,
 * weighted sums. Room: import. */
#include <string.h>

#include "import/onnx/importer.h"
#include "import/onnx/ml.h"

typedef struct machine {
  hone_value *x; /* [n, features] */
  size_t vectors, features;
  hone_value *kernels; /* [n, vectors]: how near each row is to each vector */
} machine;

static hone_value *real(hone_call *call, const hone_value *like, double value) {
  return hone_emit_real(call, like->type.dtype, value);
}

static hone_value *times(hone_call *call, hone_value *x, double factor) {
  return factor == 1 ? x : HONE_EMIT(call, "mul", x, real(call, x, factor));
}

static hone_value *squares(hone_call *call, hone_value *x) {
  hone_node *node = HONE_EMIT_BEGIN(call, "reduce", x, hone_emit_ints(call, (int64_t[]){-1}, 1));
  hone_emit_set_text(call, node, "kind", "sum_square");
  return hone_emit_end(call, node);
}

/* |x|^2 - 2 x v + |v|^2, which is what ONNX Runtime sums too. */
static hone_value *distances(hone_call *call, hone_value *x, hone_value *dots, hone_value *v) {
  hone_value *turned = hone_emit_transpose(call, squares(call, v), 2, (const int64_t[]){1, 0});
  hone_value *sum = HONE_EMIT(call, "add", times(call, dots, -2), squares(call, x));
  return HONE_EMIT(call, "add", sum, turned);
}

/* The kernel of every row of x with every row of v. */
static hone_value *kernels(hone_call *call, hone_value *x, hone_value *v) {
  size_t count;
  const double *given = hone_onnx_reals(call, "kernel_params", &count);
  const double gamma = count > 0 ? given[0] : 0, coef0 = count > 1 ? given[1] : 0;
  const double degree = count > 2 ? given[2] : 0;
  const char *type = hone_onnx_text(call, "kernel_type", "LINEAR");
  hone_node *node = HONE_EMIT_BEGIN(call, "matmul", x, v);
  hone_emit_set_int(call, node, "transpose_b", true);
  hone_value *dots = hone_emit_end(call, node);
  if (strcmp(type, "LINEAR") == 0) return dots;
  if (strcmp(type, "RBF") == 0)
    return HONE_EMIT(call, "exp", times(call, distances(call, x, dots, v), -gamma));
  hone_value *y = HONE_EMIT(call, "add", times(call, dots, gamma), real(call, dots, coef0));
  if (strcmp(type, "SIGMOID") == 0) return HONE_EMIT(call, "tanh", y);
  if (strcmp(type, "POLY") != 0)
    hone_emit_fail(call, HONE_INVALID_MODEL, "kernel_type '%.20s'", type);
  return HONE_EMIT(call, "pow", y, real(call, y, degree));
}

static bool read_machine(hone_call *call, size_t vectors, machine *m) {
  size_t count;
  (void)hone_onnx_reals(call, "support_vectors", &count);
  if (!vectors || !count || count % vectors) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "%zu numbers for %zu support vectors", count, vectors);
    return false;
  }
  m->vectors = vectors;
  m->features = count / vectors;
  m->x = hone_emit_cast(call, hone_onnx_features(call, hone_onnx_need(call, 0)), HONE_F32);
  hone_value *v = hone_onnx_matrix(call, "support_vectors", HONE_F32, vectors, m->features);
  m->kernels = kernels(call, m->x, v);
  return !call->status;
}

static double first_rho(hone_call *call) {
  size_t count;
  const double *rho = hone_onnx_reals(call, "rho", &count);
  return count ? rho[0] : 0;
}

/* ---- Regression ---- */

static hone_value *regress(hone_call *call) {
  int64_t vectors = hone_onnx_int_in(call, "n_supports", 0, 0, INT32_MAX);
  size_t count;
  machine m;
  (void)hone_onnx_reals(call, "coefficients", &count);
  hone_value *w = hone_onnx_matrix(call, "coefficients", HONE_F32, 1, count), *y;
  if (vectors) {
    if (!read_machine(call, (size_t)vectors, &m)) return call->placeholder;
    hone_node *node = HONE_EMIT_BEGIN(call, "matmul", m.kernels, w);
    hone_emit_set_int(call, node, "transpose_b", true);
    y = hone_emit_end(call, node);
  } else {
    hone_value *x = hone_onnx_features(call, hone_onnx_need(call, 0));
    y = kernels(call, hone_emit_cast(call, x, HONE_F32), w);
  }
  return HONE_EMIT(call, "add", y, real(call, y, first_rho(call)));
}

/* What belongs to the one class is 1, the rest -1. */
static hone_status *import_svm_regressor(hone_call *call) {
  hone_value *y = regress(call);
  if (hone_onnx_flag(call, "one_class", false)) {
    hone_value *inside = HONE_EMIT(call, "greater", y, real(call, y, 0));
    y = HONE_EMIT(call, "select", inside, real(call, y, 1), real(call, y, -1));
  } else {
    y = hone_onnx_post_transform(call, y);
  }
  hone_onnx_return(call, 0, y);
  return NULL;
}

/* ---- Classification: every two classes against each other ---- */

typedef struct contest {
  size_t classes, pairs;
  double *weights; /* [vectors, pairs] */
  double *first,
      *second; /* [pairs, classes]: who has the vote where the score is above 0, or not */
} contest;

static double *room(hone_call *call, size_t rows, size_t columns) {
  size_t count;
  double *memory =
      hone_mul(rows, columns, &count)
          ? hone_arena_array(&onnx_own(call)->importer->scratch, count + 1, sizeof *memory)
          : NULL;
  if (!memory) hone_emit_fail(call, HONE_OUT_OF_MEMORY, "no memory for support vectors");
  return memory;
}

/* Row j - 1 of the coefficients has those of class i's vectors against class j, row i those of
 * class j's against class i: the order of LIBSVM. */
static bool read_contest(hone_call *call, size_t vectors, contest *c) {
  size_t count, wanted, classes;
  const int64_t *per_class = hone_onnx_ints(call, "vectors_per_class", &classes);
  const double *a = hone_onnx_reals(call, "coefficients", &count);
  if (classes != c->classes || !hone_mul(classes - 1, vectors, &wanted) || count != wanted) {
    hone_emit_fail(call, HONE_INVALID_MODEL, "%zu coefficients for %zu classes", count, classes);
    return false;
  }
  c->pairs = classes * (classes - 1) / 2;
  c->weights = room(call, vectors, c->pairs);
  c->first = room(call, c->pairs, classes);
  c->second = room(call, c->pairs, classes);
  if (call->status) return false;
  size_t pair = 0;
  for (size_t i = 0, begin = 0; i < classes; begin += (size_t)per_class[i++])
    for (size_t j = i + 1, other = begin + (size_t)per_class[i]; j < classes; j++, pair++) {
      for (size_t v = begin; v < begin + (size_t)per_class[i]; v++)
        c->weights[v * c->pairs + pair] = a[(j - 1) * vectors + v];
      for (size_t v = other; v < other + (size_t)per_class[j]; v++)
        c->weights[v * c->pairs + pair] = a[i * vectors + v];
      c->first[pair * classes + i] = c->second[pair * classes + j] = 1;
      other += (size_t)per_class[j];
    }
  return true;
}

static size_t count_vectors(hone_call *call) {
  size_t classes, total = 0;
  const int64_t *per_class = hone_onnx_ints(call, "vectors_per_class", &classes);
  for (size_t i = 0; i < classes; i++) {
    if (per_class[i] < 0 || per_class[i] > INT32_MAX) {
      hone_emit_fail(call, HONE_INVALID_MODEL, "a class of %lld vectors", (long long)per_class[i]);
      return 0;
    }
    total += (size_t)per_class[i];
  }
  return total;
}

static hone_value *matrix(hone_call *call, const double *values, size_t rows, size_t columns) {
  hone_shape shape = hone_shape_of(2, (hone_dim[]){(hone_dim)rows, (hone_dim)columns});
  hone_value *whole =
      hone_emit_const(call, HONE_F64, shape, values, rows * columns * sizeof *values);
  return hone_emit_cast(call, whole, HONE_F32);
}

/* Probabilities by each pair's logistic function of its score, coupled. */
static hone_value *probabilities(hone_call *call, const contest *c, hone_value *scores) {
  hone_value *a = hone_onnx_matrix(call, "prob_a", HONE_F32, 1, c->pairs);
  hone_value *b = hone_onnx_matrix(call, "prob_b", HONE_F32, 1, c->pairs);
  hone_value *z = HONE_EMIT(call, "add", HONE_EMIT(call, "mul", scores, a), b);
  hone_value *r = HONE_EMIT(call, "sigmoid", HONE_EMIT(call, "neg", z));
  r = HONE_EMIT(call, "clip", r, real(call, r, 1e-7), real(call, r, 1 - 1e-7));
  hone_node *node = HONE_EMIT_BEGIN(call, "couple_pairs", r);
  hone_emit_set_int(call, node, "classes", (int64_t)c->classes);
  return hone_emit_end(call, node);
}

/* One score for two classes is shown as -s and s, as ONNX Runtime does; what the other transforms
 * make of it is no rule that could be kept. */
static hone_value *of_both(hone_call *call, hone_value *score) {
  const char *name = hone_onnx_text(call, "post_transform", "NONE");
  if (strcmp(name, "NONE") != 0 && strcmp(name, "LOGISTIC") != 0)
    hone_emit_fail(call, HONE_UNSUPPORTED, "%.20s of one score for two classes", name);
  hone_node *node = HONE_EMIT_BEGIN(call, "concat", HONE_EMIT(call, "neg", score), score);
  hone_emit_set_int(call, node, "axis", 1);
  return hone_emit_end(call, node);
}

static hone_status *import_svm_classifier(hone_call *call) {
  hone_value *labels = hone_onnx_labels(call, "classlabels_ints", "classlabels_strings");
  if (!labels) return hone_emit_fail(call, HONE_INVALID_MODEL, "the classes have no labels");
  contest c = {.classes = (size_t)labels->type.shape.dim[0]};
  machine m;
  size_t vectors = count_vectors(call);
  if (!vectors) return hone_emit_fail(call, HONE_UNSUPPORTED, "a classifier without vectors");
  if (c.classes < 2) return hone_emit_fail(call, HONE_INVALID_MODEL, "%zu classes", c.classes);
  if (!read_machine(call, vectors, &m) || !read_contest(call, vectors, &c)) return NULL;
  hone_value *scores =
      HONE_EMIT(call, "matmul", m.kernels, matrix(call, c.weights, vectors, c.pairs),
                hone_onnx_matrix(call, "rho", HONE_F32, 1, c.pairs));
  hone_value *above = HONE_EMIT(call, "greater", scores, real(call, scores, 0));
  hone_value *yes = hone_emit_cast(call, above, HONE_F32);
  hone_value *no = HONE_EMIT(call, "sub", real(call, scores, 1), yes);
  hone_value *votes = HONE_EMIT(
      call, "add", HONE_EMIT(call, "matmul", yes, matrix(call, c.first, c.pairs, c.classes)),
      HONE_EMIT(call, "matmul", no, matrix(call, c.second, c.pairs, c.classes)));
  hone_onnx_return(call, 0, hone_onnx_best_label(call, votes, labels));
  if (hone_onnx_has(call, "prob_a"))
    scores = probabilities(call, &c, scores);
  else if (c.classes == 2)
    scores = of_both(call, scores);
  hone_onnx_return(call, 1, hone_onnx_post_transform(call, scores));
  return NULL;
}

const hone_onnx_row hone_onnx_ml_svm[] = {
    {HONE_ONNX_ML, "SVMClassifier", 1, 0, .import = import_svm_classifier},
    {HONE_ONNX_ML, "SVMRegressor", 1, 0, .import = import_svm_regressor},
    {0},
};
