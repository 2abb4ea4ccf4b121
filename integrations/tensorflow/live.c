/* Engines made where they run: versions of one, each packed from weights that it keeps. */
#include "live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live_pack.h"
#include "trial.h"

/* Weights that stay for this many calls are packed anew; twice as many after each packing. */
#define CALLS_BEFORE_REPACKING 2
#define CALLS_AT_MOST          4096

/* An engine with the weights that it has packed. */
typedef struct version {
  int users; /* under the lock; the one that is current counts */
  TF_Tensor **held; /* by the node's input; NULL where it is no weight */
  hone_message model; /* what the engine was built from, and may read */
  hone_runner *runner;
} version;

/* FRESH: never called. BUSY: the first engine is being built. NATIVE: none will be. */
enum { FRESH = 0, BUSY, READY, NATIVE };

struct hone_live {
  char name[300];
  hone_live_segment segment;
  hone_native *native;
  pthread_mutex_t lock;
  /* Under it: */
  int state;
  version *current; /* of READY */
  const void **seen; /* where the weights of the last call were that was not current's */
  int same_calls, needed_calls; /* how many calls they have been there, and have to be */
  bool packing, to_join; /* the thread runs; it is to be joined */
  pthread_t thread;
  version *next; /* what the thread is to pack: its own until packing is false */
};

hone_status *hone_live_new(hone_bytes text, const char *node, int values, int outputs,
                           hone_live **out) {
  hone_live *live = calloc(1, sizeof *live);
  if (!live) return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  snprintf(live->name, sizeof live->name, "%s", node);
  live->needed_calls = CALLS_BEFORE_REPACKING;
  pthread_mutex_init(&live->lock, NULL);
  live->seen = calloc((size_t)values + 1, sizeof *live->seen);
  hone_status *status = hone_live_segment_read(text, values, outputs, &live->segment);
  if (!status && !live->seen) status = hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  if (!status)
    live->native = hone_native_of_graph(node, live->segment.graph, live->segment.nodes,
                                        live->segment.results);
  if (status)
    hone_live_free(live);
  else
    *out = live;
  return status;
}

hone_native *hone_live_native(const hone_live *live) { return live->native; }

/* ---- Versions ---- */

static void version_free(version *v, int values) {
  if (!v) return;
  hone_runner_free(v->runner);
  for (int i = 0; v->held && i < values; i++)
    if (v->held[i]) tf.TF_DeleteTensor(v->held[i]);
  free(v->held);
  free(v->model.data);
  free(v);
}

/* One that keeps the weights of this call; NULL without memory. */
static version *version_of(const hone_live *live, TF_OpKernelContext *context) {
  version *v = calloc(1, sizeof *v);
  TF_Status *status = tf.TF_NewStatus();
  if (v) v->held = calloc((size_t)live->segment.values + 1, sizeof *v->held);
  for (int i = 0; v && v->held && i < live->segment.values; i++)
    if (live->segment.is_weight[i]) tf.TF_GetInput(context, i, &v->held[i], status);
  if (v && (!v->held || tf.TF_GetCode(status) != TF_OK)) {
    version_free(v, live->segment.values);
    v = NULL;
  }
  tf.TF_DeleteStatus(status);
  return v;
}

static bool same_tensor(const TF_Tensor *a, const TF_Tensor *b) {
  if (tf.TF_TensorData(a) != tf.TF_TensorData(b) || tf.TF_TensorType(a) != tf.TF_TensorType(b) ||
      tf.TF_NumDims(a) != tf.TF_NumDims(b))
    return false;
  for (int i = 0; i < tf.TF_NumDims(a); i++)
    if (tf.TF_Dim(a, i) != tf.TF_Dim(b, i)) return false;
  return true;
}

/* Whether the call's weights are those that a version has packed. */
static bool is_packed(const hone_live *live, const version *v, TF_OpKernelContext *context) {
  TF_Status *status = tf.TF_NewStatus();
  bool same = true;
  for (int i = 0; same && i < live->segment.values; i++) {
    TF_Tensor *given = NULL;
    if (!live->segment.is_weight[i]) continue;
    tf.TF_GetInput(context, i, &given, status);
    same = tf.TF_GetCode(status) == TF_OK && same_tensor(given, v->held[i]);
    if (given) tf.TF_DeleteTensor(given);
  }
  tf.TF_DeleteStatus(status);
  return same;
}

static version *take_current(hone_live *live) {
  pthread_mutex_lock(&live->lock);
  version *v = live->current;
  if (v) v->users++;
  pthread_mutex_unlock(&live->lock);
  return v;
}

static void put_back(hone_live *live, version *v) {
  pthread_mutex_lock(&live->lock);
  bool last = --v->users == 0;
  pthread_mutex_unlock(&live->lock);
  if (last) version_free(v, live->segment.values);
}

/* Makes `v` (may be NULL) the current version. */
static void make_current(hone_live *live, version *v, int state) {
  pthread_mutex_lock(&live->lock);
  version *old = live->current;
  if (v) v->users++;
  live->current = v;
  live->state = state;
  pthread_mutex_unlock(&live->lock);
  if (old) put_back(live, old);
}

/* Makes the engine of a version: with the kernels of `old`, or measured where that is NULL. */
static hone_status *pack(const hone_live *live, version *v, TF_OpKernelContext *context,
                         const version *old) {
  return hone_live_pack(&live->segment, v->held, context,
                        old ? hone_runner_engine(old->runner) : NULL, &v->model, &v->runner);
}

/* ---- Building ---- */

static void tell(const hone_live *live, const char *why) {
  fprintf(stderr, "hone: %s stays native: %s\n", live->name, why);
}

/* Whether more than warnings is asked for. */
static bool tells_more(void) {
  const char *level = getenv("HONE_LOG");
  return level && atoi(level) >= 2;
}

static void tell_built(const hone_live *live) {
  int weights = 0;
  if (!tells_more()) return;
  for (int i = 0; i < live->segment.values; i++) weights += live->segment.is_weight[i];
  fprintf(stderr, "hone: %s runs on an engine, with %d weights of the graph's\n", live->name,
          weights);
}

/* The first call: builds, and keeps the engine where it is worth it. */
static void build_first(hone_live *live, TF_OpKernelContext *context) {
  char why[200] = "out of memory";
  version *v = version_of(live, context);
  bool good = false;
  if (v) {
    hone_status *status = pack(live, v, context, NULL);
    if (status)
      snprintf(why, sizeof why, "%s", hone_status_message(status));
    else
      good = hone_try_engine(v->runner, live->native, context, live->segment.values,
                             live->segment.outputs, why, sizeof why);
    hone_status_free(status);
  }
  if (good)
    tell_built(live);
  else
    tell(live, why);
  if (!good) version_free(v, live->segment.values);
  make_current(live, good ? v : NULL, good ? READY : NATIVE);
}

/* ---- Weights that changed ---- */

static void *pack_next(void *live_) {
  hone_live *live = live_;
  version *old = take_current(live), *v = live->next;
  hone_status *status = old ? pack(live, v, NULL, old) : NULL;
  if (status) {
    tell(live, hone_status_message(status));
    version_free(v, live->segment.values);
    make_current(live, NULL, NATIVE);
  } else {
    if (tells_more()) fprintf(stderr, "hone: %s: weights changed and were packed\n", live->name);
    make_current(live, v, READY);
  }
  hone_status_free(status);
  if (old) put_back(live, old);
  pthread_mutex_lock(&live->lock);
  live->next = NULL;
  live->packing = false;
  pthread_mutex_unlock(&live->lock);
  return NULL;
}

/* Whether the weights of this call have been where they are for long enough. Under the lock. */
static bool has_settled(hone_live *live, TF_OpKernelContext *context) {
  TF_Status *status = tf.TF_NewStatus();
  bool same = true;
  for (int i = 0; i < live->segment.values; i++) {
    TF_Tensor *given = NULL;
    if (!live->segment.is_weight[i]) continue;
    tf.TF_GetInput(context, i, &given, status);
    const void *data = given ? tf.TF_TensorData(given) : NULL;
    same &= data == live->seen[i];
    live->seen[i] = data;
    if (given) tf.TF_DeleteTensor(given);
  }
  tf.TF_DeleteStatus(status);
  live->same_calls = same ? live->same_calls + 1 : 1;
  return live->same_calls >= live->needed_calls;
}

/* Has weights that changed packed anew, on a thread of its own. */
static void repack_later(hone_live *live, TF_OpKernelContext *context) {
  pthread_mutex_lock(&live->lock);
  if (live->state == READY && !live->packing && has_settled(live, context)) {
    if (live->to_join) pthread_join(live->thread, NULL);
    live->to_join = false;
    live->same_calls = 0;
    if (live->needed_calls < CALLS_AT_MOST) live->needed_calls *= 2;
    live->next = version_of(live, context);
    live->packing = live->next && pthread_create(&live->thread, NULL, pack_next, live) == 0;
    live->to_join = live->packing;
    if (!live->packing) version_free(live->next, live->segment.values);
  }
  pthread_mutex_unlock(&live->lock);
}

void hone_live_free(hone_live *live) {
  if (!live) return;
  if (live->to_join) pthread_join(live->thread, NULL);
  version_free(live->current, live->segment.values);
  hone_native_free(live->native);
  pthread_mutex_destroy(&live->lock);
  hone_live_segment_free(&live->segment);
  free(live->seen);
  free(live);
}

/* ---- Running ---- */

/* Whether this is the call that builds. */
static bool is_first(hone_live *live) {
  pthread_mutex_lock(&live->lock);
  bool first = live->state == FRESH;
  if (first) live->state = BUSY;
  pthread_mutex_unlock(&live->lock);
  return first;
}

bool hone_live_run(hone_live *live, TF_OpKernelContext *context, bool *published) {
  version *v = take_current(live);
  if (!v && is_first(live)) {
    build_first(live, context);
    v = take_current(live);
  }
  if (!v) return false;
  hone_status *status = NULL;
  bool packed = is_packed(live, v, context);
  if (packed) status = hone_runner_run(v->runner, context, published);
  put_back(live, v);
  if (!packed) repack_later(live, context);
  if (!status) return packed;
  tell(live, hone_status_message(status));
  hone_status_free(status);
  make_current(live, NULL, NATIVE);
  return false;
}
