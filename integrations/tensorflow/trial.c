/* An engine and its segment run in turns: their times, and their results side by side. */
#include "trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Rounds after the first, which opens and plans; the least time of each counts. */
#define ROUNDS 4
/* An engine stays where its time is at most this share of native's. */
#define NEVER_SLOWER 1.02
/* Results may differ by this share of the largest: wrong, not just rounded otherwise. What is small
 * beside the inputs may be all rounding. */
#define WRONG 1e-2
#define SMALL 1e-3

typedef struct trial {
  TF_Tensor **results; /* what the segment gave */
  int outputs;
  double scale; /* the least that counts as the largest value of a result */
  double error; /* the largest share by which a result differs; infinite for another shape */
} trial;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool same_shape(const TF_Tensor *native, const hone_tensor *mine) {
  if (tf_of_hone(mine->dtype) != tf.TF_TensorType(native)) return false;
  if (mine->rank != tf.TF_NumDims(native)) return false;
  for (int i = 0; i < mine->rank; i++)
    if (mine->dims[i] != tf.TF_Dim(native, i)) return false;
  return mine->size == tf.TF_TensorByteSize(native);
}

/* Other element types hold what is picked or counted, where a rounding may decide. */
static void compare(void *trial_, int output, const hone_tensor *mine) {
  trial *t = trial_;
  TF_Tensor *native = output < t->outputs ? t->results[output] : NULL;
  if (!native) return;
  if (!same_shape(native, mine)) {
    t->error = INFINITY;
    return;
  }
  if (mine->dtype != HONE_F32) return;
  const float *a = mine->data, *b = tf.TF_TensorData(native);
  double apart = 0, largest = t->scale;
  for (size_t i = 0; i < mine->size / sizeof *a; i++) {
    if (!isfinite(b[i]) || a[i] == b[i]) continue;
    apart = fmax(apart, isfinite(a[i]) ? fabs((double)a[i] - b[i]) : INFINITY);
  }
  for (size_t i = 0; i < mine->size / sizeof *a; i++)
    if (isfinite(b[i])) largest = fmax(largest, fabs((double)b[i]));
  t->error = fmax(t->error, apart / largest);
}

/* The time of the segment; negative where it does not run. */
static double run_segment(trial *t, hone_native *native, TF_OpKernelContext *context, int values) {
  for (int i = 0; i < t->outputs; i++) {
    if (t->results[i]) tf.TF_DeleteTensor(t->results[i]);
    t->results[i] = NULL;
  }
  TF_Status *status = tf.TF_NewStatus();
  double start = now();
  hone_native_call(native, context, values, t->results, status);
  double spent = now() - start;
  bool ran = tf.TF_GetCode(status) == TF_OK;
  tf.TF_DeleteStatus(status);
  return ran ? spent : -1;
}

static double largest_input(TF_OpKernelContext *context, int values) {
  TF_Status *status = tf.TF_NewStatus();
  double largest = 0;
  for (int i = 0; i < values; i++) {
    TF_Tensor *given = NULL;
    tf.TF_GetInput(context, i, &given, status);
    const float *data = given ? tf.TF_TensorData(given) : NULL;
    size_t count = given && tf.TF_TensorType(given) == TF_FLOAT ? tf.TF_TensorByteSize(given) : 0;
    for (size_t k = 0; k < count / sizeof *data; k++)
      if (isfinite(data[k])) largest = fmax(largest, fabs((double)data[k]));
    if (given) tf.TF_DeleteTensor(given);
  }
  tf.TF_DeleteStatus(status);
  return largest;
}

static bool run_rounds(trial *t, hone_runner *runner, hone_native *native,
                       TF_OpKernelContext *context, int values, char *why, size_t size) {
  double native_time = INFINITY, engine_time = INFINITY;
  for (int round = 0; round <= ROUNDS; round++) {
    double spent = native ? run_segment(t, native, context, values) : -1;
    bool first = round == 0;
    if (spent < 0) native = NULL;
    if (!first && native) native_time = fmin(native_time, spent);
    double start = now();
    hone_status *status = hone_runner_try(runner, context, first ? compare : NULL, t);
    if (!first) engine_time = fmin(engine_time, now() - start);
    if (status) {
      snprintf(why, size, "%s", hone_status_message(status));
      hone_status_free(status);
      return false;
    }
  }
  if (t->error > WRONG)
    snprintf(why, size, "its engine gives something else (%.1e of the largest value)", t->error);
  else if (engine_time > NEVER_SLOWER * native_time && !getenv("HONE_AUTO_ALWAYS"))
    snprintf(why, size, "its engine took %.2f of native's time", engine_time / native_time);
  else
    return true;
  return false;
}

bool hone_try_engine(hone_runner *runner, hone_native *native, TF_OpKernelContext *context,
                     int values, int outputs, char *why, size_t size) {
  trial t = {.results = calloc((size_t)outputs + 1, sizeof *t.results), .outputs = outputs,
             .scale = fmax(SMALL * largest_input(context, values), 1e-30)};
  if (!t.results) {
    snprintf(why, size, "out of memory");
    return false;
  }
  bool good = run_rounds(&t, runner, native, context, values, why, size);
  for (int i = 0; i < outputs; i++)
    if (t.results[i]) tf.TF_DeleteTensor(t.results[i]);
  free(t.results);
  return good;
}
