/* couple_pairs: probabilities of k classes out of those of each pair of them, as support vector
 * classifiers with probabilities end. The second method of Wu, Lin and Weng, "Probability
 * Estimates for Multi-class Classification by Pairwise Coupling" (2004), which stops where LIBSVM
 * stops: an error below 0.005 / k, or max(100, k) rounds. Room: ops. */
#include <math.h>

#include "ops/couple_pairs.h"
#include "ops/operand.h"
#include "ops/ops.h"

/* Column (i, j) of r, i < j, is the probability of class i where it is one of the two. */
static hone_status *couple_infer(hone_infer *infer) {
  const hone_shape *r = &infer->in[0]->shape;
  int64_t classes = hone_node_int(infer->node, "classes");
  HONE_TRY(hone_infer_class(infer, 0, HONE_FLOATS));
  if (classes < 2 || classes > INT16_MAX)
    return hone_infer_fail(infer, "%lld classes", (long long)classes);
  infer->out[0] = *infer->in[0];
  if (r->rank < 0) return NULL;
  if (r->rank != 2) return hone_infer_fail(infer, "pairs of %d dimensions", r->rank);
  if (hone_dim_known(r->dim[1]) && r->dim[1] != classes * (classes - 1) / 2)
    return hone_infer_fail(infer, "%lld pairs of %lld classes", (long long)r->dim[1],
                           (long long)classes);
  infer->out[0].shape.dim[1] = classes;
  return NULL;
}

/* Q of the paper's equation 21, k x k. */
static void form(const double *r, size_t k, double *q) {
  for (size_t i = 0; i < k; i++) q[i * k + i] = 0;
  for (size_t i = 0, pair = 0; i < k; i++)
    for (size_t j = i + 1; j < k; j++, pair++) {
      double ij = r[pair], ji = 1 - ij;
      q[i * k + i] += ji * ji;
      q[j * k + j] += ij * ij;
      q[i * k + j] = q[j * k + i] = -ij * ji;
    }
}

static double product(const double *q, const double *p, size_t k, double *qp) {
  double sum = 0;
  for (size_t i = 0; i < k; i++) {
    qp[i] = 0;
    for (size_t j = 0; j < k; j++) qp[i] += q[i * k + j] * p[j];
    sum += p[i] * qp[i];
  }
  return sum;
}

/* One round of the paper's algorithm 2: each p in turn, then all made to sum to 1. */
static void improve(const double *q, size_t k, double sum, double *p, double *qp) {
  for (size_t t = 0; t < k; t++) {
    double own = q[t * k + t], step = (sum - qp[t]) / own, whole = 1 + step;
    p[t] += step;
    sum = (sum + step * (step * own + 2 * qp[t])) / whole / whole;
    for (size_t j = 0; j < k; j++) {
      qp[j] = (qp[j] + step * q[t * k + j]) / whole;
      p[j] /= whole;
    }
  }
}

static void couple(const double *q, size_t k, double *p, double *qp) {
  size_t rounds = k > 100 ? k : 100;
  for (size_t i = 0; i < k; i++) p[i] = 1 / (double)k;
  for (size_t round = 0; round < rounds; round++) {
    double sum = product(q, p, k, qp), error = 0;
    for (size_t i = 0; i < k; i++) error = fmax(error, fabs(qp[i] - sum));
    if (error < 0.005 / (double)k) return;
    improve(q, k, sum, p, qp);
  }
}

void hone_couple_pairs(const double *r, size_t k, double *p, double *space) {
  form(r, k, space);
  couple(space, k, p, space + k * k);
}

static hone_status *couple_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0];
  size_t rows = (size_t)y->shape.dim[0], k = (size_t)y->shape.dim[1], pairs = k * (k - 1) / 2;
  double *r, *p = hone_arena_array(ref->scratch, k, sizeof *p);
  double *space = hone_arena_array(ref->scratch, k * (k + 1), sizeof *space);
  if (!p || !space) return hone_error_memory();
  HONE_TRY(hone_operand_reals(ref, 0, &r));
  for (size_t row = 0; row < rows; row++) {
    hone_couple_pairs(r + row * pairs, k, p, space);
    for (size_t i = 0; i < k; i++) hone_store_real(y->dtype, y->data, row * k + i, p[i]);
  }
  return NULL;
}

const hone_op hone_op_couple_pairs = {.name = "couple_pairs",
                                      .inputs = "r",
                                      .outputs = "p",
                                      .attrs = {{"classes", HONE_ATTR_INT, NULL, NULL}},
                                      .infer = couple_infer,
                                      .reference = couple_reference};
