/* random_uniform, random_normal, bernoulli, multinomial. Room: ops.
 *
 * The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC11): a function of a key and a counter, so that every element has its own number whoever
 * computes it. With a seed every run gives the same; without, each run draws a fresh key. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "ops/axes.h"
#include "ops/dims.h"
#include "ops/operand.h"
#include "ops/ops.h"

#define SEED {"seed", HONE_ATTR_REAL, "nan", NULL} /* NaN: none */

static uint64_t key_of(const hone_node *node) {
  static atomic_uint_fast64_t runs;
  double seed = hone_node_real(node, "seed");
  uint64_t key;
  memcpy(&key, &seed, sizeof key);
  if (seed == seed) return key;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  key = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
  return key ^ atomic_fetch_add(&runs, 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void philox(uint64_t key, uint64_t counter, uint32_t out[4]) {
  uint32_t x[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), 0, 0};
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t a = UINT64_C(0xd2511f53) * x[0], b = UINT64_C(0xcd9e8d57) * x[2];
    uint32_t next[4] = {(uint32_t)(b >> 32) ^ x[1] ^ k0, (uint32_t)b,
                        (uint32_t)(a >> 32) ^ x[3] ^ k1, (uint32_t)a};
    memcpy(x, next, sizeof x);
    k0 += UINT32_C(0x9e3779b9);
    k1 += UINT32_C(0xbb67ae85);
  }
  memcpy(out, x, sizeof x);
}

/* Number `index` in [0, 1), a multiple of 2^-24: below 1 in f32 as well. */
static double uniform(uint64_t key, uint64_t index) {
  uint32_t bits[4];
  philox(key, index, bits);
  return (double)(bits[0] >> 8) * 0x1p-24;
}

/* Box and Muller's transform of two numbers in (0, 1]. */
static double normal(uint64_t key, uint64_t index) {
  uint32_t bits[4];
  philox(key, index, bits);
  double radius = ((double)bits[0] + 1) * 0x1p-32, angle = (double)bits[1] * 0x1p-32;
  return sqrt(-2 * log(radius)) * cos(2 * M_PI * angle);
}

static hone_status *made_infer(hone_infer *infer) {
  hone_dtype dtype = hone_node_dtype(infer->node, "dtype");
  hone_known_int wanted[HONE_MAX_TRACED];
  size_t count;
  infer->out[0] = hone_tensor_type(dtype, hone_shape_unknown());
  hone_shape *y = &infer->out[0].shape;
  if (hone_dtype_class_of(dtype) != HONE_CLASS_FLOAT)
    return hone_infer_fail(infer, "cannot make %s", hone_dtype_name(dtype));
  if (!hone_infer_partial(infer, 0, wanted, &count)) return NULL;
  if (count > HONE_MAX_RANK) return hone_infer_fail(infer, "%zu dimensions", count);
  y->rank = (int)count;
  for (size_t i = 0; i < count; i++)
    if (!hone_known_dim(infer, wanted[i], &y->dim[i]))
      return hone_infer_fail(infer, "%lld in the shape", (long long)wanted[i].value);
  return NULL;
}

static hone_status *uniform_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0];
  double low = hone_node_real(ref->node, "low"), high = hone_node_real(ref->node, "high");
  uint64_t key = key_of(ref->node);
  size_t count = hone_datum_count(y);
  for (size_t i = 0; i < count; i++)
    hone_store_real(y->dtype, y->data, i, low + (high - low) * uniform(key, i));
  return NULL;
}

const hone_op hone_op_random_uniform = {.name = "random_uniform",
                                        .inputs = "shape",
                                        .outputs = "y",
                                        .attrs = {{"dtype", HONE_ATTR_DTYPE, "f32", NULL},
                                                  {"low", HONE_ATTR_REAL, "0", NULL},
                                                  {"high", HONE_ATTR_REAL, "1", NULL},
                                                  SEED},
                                        .facts = HONE_IMPURE,
                                        .shape_inputs = 1u << 0,
                                        .infer = made_infer,
                                        .reference = uniform_reference};

static hone_status *normal_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0];
  double mean = hone_node_real(ref->node, "mean"), scale = hone_node_real(ref->node, "scale");
  uint64_t key = key_of(ref->node);
  size_t count = hone_datum_count(y);
  for (size_t i = 0; i < count; i++)
    hone_store_real(y->dtype, y->data, i, mean + scale * normal(key, i));
  return NULL;
}

const hone_op hone_op_random_normal = {.name = "random_normal",
                                       .inputs = "shape",
                                       .outputs = "y",
                                       .attrs = {{"dtype", HONE_ATTR_DTYPE, "f32", NULL},
                                                 {"mean", HONE_ATTR_REAL, "0", NULL},
                                                 {"scale", HONE_ATTR_REAL, "1", NULL},
                                                 SEED},
                                       .facts = HONE_IMPURE,
                                       .shape_inputs = 1u << 0,
                                       .infer = made_infer,
                                       .reference = normal_reference};

static hone_status *bernoulli_infer(hone_infer *infer) {
  hone_dtype dtype = hone_node_dtype(infer->node, "dtype");
  infer->out[0] = *infer->in[0];
  if (dtype) infer->out[0].dtype = dtype;
  return hone_infer_class(infer, 0, HONE_FLOATS);
}

/* 1 where a number falls below the probability x. */
static hone_status *bernoulli_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0], *y = ref->out[0];
  bool real = hone_dtype_class_of(y->dtype) == HONE_CLASS_FLOAT;
  uint64_t key = key_of(ref->node);
  size_t count = hone_datum_count(x);
  for (size_t i = 0; i < count; i++) {
    bool hit = uniform(key, i) < hone_load_real(x->dtype, x->data, i);
    if (real) hone_store_real(y->dtype, y->data, i, hit);
    else hone_store_int(y->dtype, y->data, i, hit);
  }
  return NULL;
}

const hone_op hone_op_bernoulli = {.name = "bernoulli",
                                   .inputs = "x",
                                   .outputs = "y",
                                   .attrs = {{"dtype", HONE_ATTR_DTYPE, "none", NULL}, SEED},
                                   .facts = HONE_IMPURE,
                                   .infer = bernoulli_infer,
                                   .reference = bernoulli_reference};

static hone_status *multinomial_infer(hone_infer *infer) {
  const hone_shape *x = &infer->in[0]->shape;
  hone_shape y = {.rank = 2};
  HONE_TRY(hone_infer_class(infer, 0, HONE_FLOATS));
  int64_t samples = hone_node_int(infer->node, "samples");
  if (samples < 0) return hone_infer_fail(infer, "%lld samples", (long long)samples);
  if (x->rank >= 0 && x->rank != 2) return hone_infer_fail(infer, "x is no matrix");
  y.dim[0] = x->rank == 2 ? x->dim[0] : hone_infer_fresh(infer);
  y.dim[1] = samples;
  infer->out[0] = hone_tensor_type(hone_node_dtype(infer->node, "dtype"), y);
  return NULL;
}

/* Classes drawn with replacement; x holds logarithms of unscaled probabilities. */
static hone_status *multinomial_reference(hone_reference *ref) {
  const hone_datum *y = ref->out[0];
  size_t rows = (size_t)y->shape.dim[0], samples = (size_t)y->shape.dim[1];
  size_t classes = (size_t)ref->in[0]->shape.dim[1];
  uint64_t key = key_of(ref->node);
  double *x;
  if (classes == 0) return hone_error(HONE_INVALID_ARGUMENT, "there are no classes");
  HONE_TRY(hone_operand_reals(ref, 0, &x));
  for (size_t r = 0; r < rows; r++) {
    double *row = x + r * classes, most = row[0], sum = 0;
    for (size_t c = 1; c < classes; c++) most = row[c] > most ? row[c] : most;
    for (size_t c = 0; c < classes; c++) row[c] = sum += exp(row[c] - most);
    for (size_t i = 0; i < samples; i++) {
      double at = uniform(key, r * samples + i) * sum;
      size_t c = 0;
      while (c + 1 < classes && row[c] <= at) c++;
      hone_store_int(y->dtype, y->data, r * samples + i, (int64_t)c);
    }
  }
  return NULL;
}

const hone_op hone_op_multinomial = {.name = "multinomial",
                                     .inputs = "x",
                                     .outputs = "y",
                                     .attrs = {{"dtype", HONE_ATTR_DTYPE, "s32", NULL},
                                               {"samples", HONE_ATTR_INT, "1", NULL},
                                               SEED},
                                     .facts = HONE_IMPURE,
                                     .infer = multinomial_infer,
                                     .reference = multinomial_reference};
