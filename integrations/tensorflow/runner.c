/* Running an engine for a node: inputs where they lie, results straight into TensorFlow's memory. */
#include "runner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"

#define WORKERS_MOST 64

/* What every call reads comes first. */
struct hone_runner {
  int *input_place, *output_place; /* by the engine's port: which of the node's it is */
  size_t inputs, outputs;
  _Atomic(struct worker *) idle[WORKERS_MOST]; /* those that no call has now */
  hone_engine *engine;
  hone_options *options; /* of contexts; NULL: the defaults */
};

/* What one call at a time runs with. */
typedef struct worker {
  hone_runner *of;
  hone_context *run;
  TF_Status *status;
  TF_OpKernelContext *context; /* of the call under way */
  uint64_t given; /* bit i: the engine's output i has its memory */
  bool published; /* some output has: nothing else can give the outputs any more */
  TF_Tensor *held[]; /* the inputs, by the engine's port */
} worker;

static void worker_free(worker *w);

/* ---- Life ---- */

static _Atomic(hone_ask_threads *) ask_threads;

void hone_tensorflow_threads_from(hone_ask_threads *ask) { atomic_store(&ask_threads, ask); }

/* As many threads as TensorFlow's own kernels may use; its C interface does not say. */
hone_status *hone_set_threads(hone_options **options) {
  hone_ask_threads *ask = atomic_load(&ask_threads);
  const char *set = getenv("TF_NUM_INTRAOP_THREADS");
  int threads = ask ? ask() : set ? atoi(set) : 0;
  char text[20];
  if (threads <= 0) return NULL;
  snprintf(text, sizeof text, "%d", threads);
  hone_status *status = *options ? NULL : hone_options_new(options);
  return status ? status : hone_options_set(*options, "threads", text);
}

/* The number in a port's name, "in_7"; -1 for another name. */
static int place_of(const char *name, const char *prefix) {
  size_t size = strlen(prefix);
  char *end;
  if (strncmp(name, prefix, size) != 0) return -1;
  long place = strtol(name + size, &end, 10);
  return *end || end == name + size || place < 0 || place > 100000 ? -1 : (int)place;
}

static hone_status *match_ports(hone_runner *r, int node_inputs, int node_outputs) {
  hone_port port = {.struct_size = sizeof port};
  r->inputs = hone_input_count(r->engine);
  r->outputs = hone_output_count(r->engine);
  r->input_place = calloc(r->inputs + 1, sizeof *r->input_place);
  r->output_place = calloc(r->outputs + 1, sizeof *r->output_place);
  if (!r->input_place || !r->output_place)
    return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  for (size_t i = 0; i < r->inputs + r->outputs; i++) {
    bool input = i < r->inputs;
    hone_status *status = input ? hone_input_at(r->engine, i, &port)
                                : hone_output_at(r->engine, i - r->inputs, &port);
    if (status) return status;
    int place = place_of(port.name, input ? "in_" : "out_");
    if (place < 0 || place >= (input ? node_inputs : node_outputs))
      return hone_status_new(HONE_MISMATCH, "the engine's ports are not the node's");
    *(input ? &r->input_place[i] : &r->output_place[i - r->inputs]) = place;
  }
  return (int)r->outputs == node_outputs
             ? NULL
             : hone_status_new(HONE_MISMATCH, "the engine gives fewer outputs than the node");
}

void hone_runner_free(hone_runner *runner) {
  if (!runner) return;
  for (size_t i = 0; i < WORKERS_MOST; i++) worker_free(atomic_load(&runner->idle[i]));
  hone_engine_free(runner->engine);
  hone_options_free(runner->options);
  free(runner->input_place);
  free(runner->output_place);
  free(runner);
}

hone_status *hone_runner_new(hone_engine *engine, int node_inputs, int node_outputs,
                             hone_runner **out) {
  hone_runner *runner = calloc(1, sizeof *runner);
  if (!runner) {
    hone_engine_free(engine);
    return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  }
  runner->engine = engine;
  hone_status *status = match_ports(runner, node_inputs, node_outputs);
  if (!status) status = hone_set_threads(&runner->options);
  if (status)
    hone_runner_free(runner);
  else
    *out = runner;
  return status;
}

const hone_engine *hone_runner_engine(const hone_runner *runner) { return runner->engine; }

/* ---- Workers ---- */

static void worker_free(worker *w) {
  if (!w) return;
  hone_context_free(w->run);
  tf.TF_DeleteStatus(w->status);
  free(w);
}

static void *give_output(void *worker_, size_t index, const hone_tensor *type);

static hone_status *worker_new(hone_runner *r, worker **out) {
  worker *w = calloc(1, sizeof *w + r->inputs * sizeof *w->held);
  if (!w) return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  w->of = r;
  w->status = tf.TF_NewStatus();
  hone_status *status = hone_context_new(r->engine, r->options, &w->run);
  if (status) {
    worker_free(w);
    return status;
  }
  hone_set_output_memory(w->run, give_output, w);
  *out = w;
  return NULL;
}

static hone_status *take_worker(hone_runner *r, worker **out) {
  for (size_t i = 0; i < WORKERS_MOST; i++) {
    if (!atomic_load_explicit(&r->idle[i], memory_order_relaxed)) continue;
    *out = atomic_exchange(&r->idle[i], NULL);
    if (*out) return NULL;
  }
  return worker_new(r, out);
}

static void put_back(hone_runner *r, worker *w) {
  for (size_t i = 0; i < WORKERS_MOST; i++) {
    worker *none = NULL;
    if (atomic_compare_exchange_strong(&r->idle[i], &none, w)) return;
  }
  worker_free(w);
}

/* ---- Running ---- */

/* TensorFlow's memory for a result. */
static void *give_output(void *worker_, size_t index, const hone_tensor *type) {
  worker *w = worker_;
  int place = w->of->output_place[index];
  int64_t dims[HONE_MAX_RANK];
  for (int i = 0; i < type->rank; i++) dims[i] = type->dims[i];
  TF_Tensor *tensor = tf.TF_AllocateOutput(w->context, place, tf_of_hone(type->dtype), dims,
                                           type->rank, type->size, w->status);
  if (!tensor || tf.TF_GetCode(w->status) != TF_OK) return NULL;
  void *data = tf.TF_TensorData(tensor);
  /* The first TensorFlow does not publish what it allocates; later ones refuse to do so twice. */
  if (*tf.TF_Version() == '1') tf.TF_SetOutput(w->context, place, tensor, w->status);
  tf.TF_DeleteTensor(tensor);
  w->published = true;
  if (index < 64) w->given |= (uint64_t)1 << index;
  return data;
}

static hone_status *bind_input(worker *w, size_t index) {
  TF_Tensor **held = &w->held[index];
  tf.TF_GetInput(w->context, w->of->input_place[index], held, w->status);
  if (tf.TF_GetCode(w->status) != TF_OK)
    return hone_status_new(HONE_INVALID_ARGUMENT, tf.TF_Message(w->status));
  hone_tensor tensor = {.struct_size = sizeof tensor,
                        .dtype = hone_of_tf(tf.TF_TensorType(*held)),
                        .rank = tf.TF_NumDims(*held),
                        .data = tf.TF_TensorData(*held),
                        .size = tf.TF_TensorByteSize(*held)};
  if (tensor.rank > HONE_MAX_RANK)
    return hone_status_new(HONE_UNSUPPORTED, "an input of too many dimensions");
  for (int i = 0; i < tensor.rank; i++) tensor.dims[i] = tf.TF_Dim(*held, i);
  return hone_set_input(w->run, index, &tensor);
}

/* Results that needed no memory, or whose memory was not asked for. */
static hone_status *give_rest(worker *w) {
  for (size_t i = 0; i < w->of->outputs; i++) {
    hone_tensor out = {.struct_size = sizeof out};
    if (i < 64 && w->given >> i & 1) continue;
    hone_status *status = hone_get_output(w->run, i, &out);
    if (status) return status;
    void *memory = give_output(w, i, &out);
    if (!memory && out.size) return hone_status_new(HONE_OUT_OF_MEMORY, "no memory for a result");
    if (out.size) memcpy(memory, out.data, out.size);
  }
  return NULL;
}

/* Binds and runs; TensorFlow's tensors are let go of either way. */
static hone_status *run_worker(worker *w, TF_OpKernelContext *context) {
  hone_status *status = NULL;
  __builtin_prefetch(w->run); /* while TensorFlow makes its tensors */
  w->context = context;
  w->given = 0;
  w->published = false;
  for (size_t i = 0; !status && i < w->of->inputs; i++) status = bind_input(w, i);
  if (!status) status = hone_run(w->run);
  return status;
}

static void let_go(worker *w) {
  for (size_t i = 0; i < w->of->inputs; i++) {
    if (w->held[i]) tf.TF_DeleteTensor(w->held[i]);
    w->held[i] = NULL;
  }
}

/* A worker that fails is let go: `published` says how far it came. */
hone_status *hone_runner_run(hone_runner *r, TF_OpKernelContext *context, bool *published) {
  worker *w;
  hone_status *status = take_worker(r, &w);
  if (status) return status;
  status = run_worker(w, context);
  if (!status) status = give_rest(w);
  let_go(w);
  *published = w->published;
  if (status)
    worker_free(w);
  else
    put_back(r, w);
  return status;
}

hone_status *hone_runner_try(hone_runner *r, TF_OpKernelContext *context, hone_see_result *see,
                             void *argument) {
  worker *w;
  hone_status *status = take_worker(r, &w);
  if (status) return status;
  hone_set_output_memory(w->run, NULL, NULL);
  status = run_worker(w, context);
  for (size_t i = 0; see && !status && i < r->outputs; i++) {
    hone_tensor out = {.struct_size = sizeof out};
    status = hone_get_output(w->run, i, &out);
    if (!status) see(argument, r->output_place[i], &out);
  }
  let_go(w);
  hone_set_output_memory(w->run, give_output, w);
  if (status)
    worker_free(w);
  else
    put_back(r, w);
  return status;
}
