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
#include "ops/random.h"

#define BLOCK 64 /* numbers made side by side */

#define SEED {"seed", HONE_ATTR_REAL, "nan", NULL} /* NaN: none */

uint64_t hone_random_key(const hone_node *node) {
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

/* The first two words of the block of each counter. Written in columns, for vectors. */
static void random_words(uint64_t key, uint64_t first, uint32_t words[2][BLOCK]) {
  uint32_t x[4][BLOCK], k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int i = 0; i < BLOCK; i++) {
    uint64_t counter = first + (uint64_t)i;
    x[0][i] = (uint32_t)counter;
    x[1][i] = (uint32_t)(counter >> 32);
    x[2][i] = x[3][i] = 0;
  }
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < BLOCK; i++) {
      uint64_t a = UINT64_C(0xd2511f53) * x[0][i], b = UINT64_C(0xcd9e8d57) * x[2][i];
      x[0][i] = (uint32_t)(b >> 32) ^ x[1][i] ^ k0;
      x[1][i] = (uint32_t)b;
      x[2][i] = (uint32_t)(a >> 32) ^ x[3][i] ^ k1;
      x[3][i] = (uint32_t)a;
    }
    k0 += UINT32_C(0x9e3779b9);
    k1 += UINT32_C(0xbb67ae85);
  }
  memcpy(words[0], x[0], sizeof x[0]);
  memcpy(words[1], x[1], sizeof x[1]);
}

void hone_random_uniform(uint64_t key, uint64_t first, size_t count, double *out) {
  uint32_t words[2][BLOCK];
  for (size_t at = 0; at < count; at += BLOCK) {
    size_t size = count - at < BLOCK ? count - at : BLOCK;
    random_words(key, first + at, words);
    for (size_t i = 0; i < size; i++) out[at + i] = (double)(words[0][i] >> 8) * 0x1p-24;
  }
}

/* Box and Muller's transform of two numbers in (0, 1] and [0, 1). */
void hone_random_normal(uint64_t key, uint64_t first, size_t count, double *out) {
  uint32_t words[2][BLOCK];
  for (size_t at = 0; at < count; at += BLOCK) {
    size_t size = count - at < BLOCK ? count - at : BLOCK;
    random_words(key, first + at, words);
    for (size_t i = 0; i < size; i++) {
      double radius = ((double)words[0][i] + 1) * 0x1p-32, angle = (double)words[1][i] * 0x1p-32;
      out[at + i] = sqrt(-2 * log(radius)) * cos(2 * M_PI * angle);
    }
  }
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
  size_t count = hone_datum_count(y);
  double *numbers;
  HONE_TRY(hone_scratch_reals(ref, count, &numbers));
  hone_random_uniform(hone_random_key(ref->node), 0, count, numbers);
  for (size_t i = 0; i < count; i++) numbers[i] = low + (high - low) * numbers[i];
  hone_store_reals(y->dtype, y->data, 0, count, numbers);
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
  size_t count = hone_datum_count(y);
  double *numbers;
  HONE_TRY(hone_scratch_reals(ref, count, &numbers));
  hone_random_normal(hone_random_key(ref->node), 0, count, numbers);
  for (size_t i = 0; i < count; i++) numbers[i] = mean + scale * numbers[i];
  hone_store_reals(y->dtype, y->data, 0, count, numbers);
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
  size_t count = hone_datum_count(x);
  double *numbers;
  HONE_TRY(hone_scratch_reals(ref, count, &numbers));
  hone_random_uniform(hone_random_key(ref->node), 0, count, numbers);
  for (size_t i = 0; i < count; i++) {
    bool hit = numbers[i] < hone_load_real(x->dtype, x->data, i);
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
  double *x, *numbers;
  if (classes == 0) return hone_error(HONE_INVALID_ARGUMENT, "there are no classes");
  HONE_TRY(hone_operand_reals(ref, 0, &x));
  HONE_TRY(hone_scratch_reals(ref, rows * samples, &numbers));
  hone_random_uniform(hone_random_key(ref->node), 0, rows * samples, numbers);
  for (size_t r = 0; r < rows; r++) {
    double *row = x + r * classes, most = row[0], sum = 0;
    for (size_t c = 1; c < classes; c++) most = row[c] > most ? row[c] : most;
    for (size_t c = 0; c < classes; c++) row[c] = sum += exp(row[c] - most);
    for (size_t i = 0; i < samples; i++) {
      double at = numbers[r * samples + i] * sum;
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
