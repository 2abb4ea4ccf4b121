/* Running an engine for a node: inputs where they lie, results straight into TensorFlow's memory. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "op.h"

#define WORKERS_MOST 64

/* ABSENT: the node has no engine, and never had. */
enum { UNOPENED = 0, OPEN, REFUSED, ABSENT };

/* What every call reads comes first. */
typedef struct kernel {
  _Atomic int state;
  int values; /* how many of the node's inputs are the segment's; once it is not UNOPENED */
  int *input_place, *output_place; /* by the engine's port: which of the node's it is */
  size_t inputs, outputs;
  _Atomic(struct worker *) idle[WORKERS_MOST]; /* those that no call has now */
  pthread_mutex_t opening;
  TF_Tensor *bytes; /* of the engine, where they are a tensor's: kept as long as the engine */
  hone_engine *engine;
  hone_options *options; /* of contexts; NULL: the defaults */
  hone_native *native;
  bool carries;     /* its segment is the input after its values */
  atomic_bool told; /* whether the log has the reason why it runs natively */
  char name[300];
} kernel;

/* What one call at a time runs with. */
typedef struct worker {
  kernel *k;
  hone_context *run;
  TF_Status *status;
  TF_OpKernelContext *context; /* of the call under way */
  uint64_t given; /* bit i: the engine's output i has its memory */
  bool published; /* some output has: nothing else can give the outputs any more */
  TF_Tensor *held[]; /* the inputs, by the engine's port */
} worker;

static void worker_free(worker *w);

/* ---- Life ---- */

static void read_name(TF_OpKernelConstruction *construction, kernel *k) {
  snprintf(k->name, sizeof k->name, "a node");
  if (!tf.TF_OpKernelConstruction_GetName) return;
  TF_StringView name = tf.TF_OpKernelConstruction_GetName(construction);
  if (name.data && name.len < sizeof k->name)
    snprintf(k->name, sizeof k->name, "%.*s", (int)name.len, name.data);
}

/* Whether the node has its segment as an input. */
static void read_carried(TF_OpKernelConstruction *construction, TF_Status *status, kernel *k) {
  int32_t carries = 0;
  if (!tf.TF_OpKernelConstruction_GetAttrInt32) return;
  tf.TF_OpKernelConstruction_GetAttrInt32(construction, "carries_segment", &carries, status);
  k->carries = tf.TF_GetCode(status) == TF_OK && carries == 1;
  if (k->carries) k->native = hone_native_new(k->name, NULL);
  tf.TF_SetStatus(status, TF_OK, "");
}

/* The segment's function, a NameAttrList; one without a name is none. */
static void read_function(TF_OpKernelConstruction *construction, TF_Status *status, kernel *k) {
  if (!tf.TF_OpKernelConstruction_GetAttrFunction) return;
  TF_Buffer *function =
      tf.TF_OpKernelConstruction_GetAttrFunction(construction, "segment_func", status);
  if (function && tf.TF_GetCode(status) == TF_OK && function->length > 2)
    k->native = hone_native_new(k->name, function);
  if (function) tf.TF_DeleteBuffer(function);
}

/* The same as the first TF-TRTs wrote it: the name as text. */
static void read_function_name(TF_OpKernelConstruction *construction, TF_Status *status,
                               kernel *k) {
  static const char attr[] = "segment_funcdef_name";
  char name[512] = "";
  int32_t list, size = 0;
  tf.TF_SetStatus(status, TF_OK, "");
  if (!tf.TF_OpKernelConstruction_GetAttrSize || !tf.TF_OpKernelConstruction_GetAttrString) return;
  tf.TF_OpKernelConstruction_GetAttrSize(construction, attr, &list, &size, status);
  if (tf.TF_GetCode(status) != TF_OK || size <= 0 || size >= (int)sizeof name) return;
  tf.TF_OpKernelConstruction_GetAttrString(construction, attr, name, sizeof name - 1, status);
  if (tf.TF_GetCode(status) != TF_OK) return;
  hone_message function = {0};
  hone_add_text(&function, 1, name);
  TF_Buffer buffer = {function.data, function.size, NULL};
  if (!function.failed) k->native = hone_native_new(k->name, &buffer);
  free(function.data);
}

void *hone_kernel_create(TF_OpKernelConstruction *construction) {
  TF_Status *status = tf.TF_NewStatus();
  kernel *k = calloc(1, sizeof *k);
  if (k) {
    pthread_mutex_init(&k->opening, NULL);
    read_name(construction, k);
    read_carried(construction, status, k);
    if (!k->native) read_function(construction, status, k);
    if (!k->native) read_function_name(construction, status, k);
  } else {
    tf.TF_SetStatus(status, TF_INTERNAL, "out of memory");
    tf.TF_OpKernelConstruction_Failure(construction, status);
  }
  tf.TF_DeleteStatus(status);
  return k;
}

void hone_kernel_delete(void *kernel_) {
  kernel *k = kernel_;
  if (!k) return;
  for (size_t i = 0; i < WORKERS_MOST; i++) worker_free(atomic_load(&k->idle[i]));
  hone_engine_free(k->engine);
  hone_options_free(k->options);
  if (k->bytes) tf.TF_DeleteTensor(k->bytes);
  hone_native_free(k->native);
  free(k->input_place);
  free(k->output_place);
  pthread_mutex_destroy(&k->opening);
  free(k);
}

/* ---- Opening the engine ---- */

static _Atomic(hone_ask_threads *) ask_threads;

HONE_API void hone_tensorflow_threads_from(hone_ask_threads *ask);
void hone_tensorflow_threads_from(hone_ask_threads *ask) { atomic_store(&ask_threads, ask); }

/* As many threads as TensorFlow's own kernels may use; its C interface does not say. */
static hone_status *set_threads(kernel *k) {
  hone_ask_threads *ask = atomic_load(&ask_threads);
  int threads = ask ? ask() : 0;
  char text[20];
  if (threads <= 0) return NULL;
  snprintf(text, sizeof text, "%d", threads);
  hone_status *status = hone_options_new(&k->options);
  return status ? status : hone_options_set(k->options, "threads", text);
}

/* Whether strings are a table of offsets, each to a length (varint) and text: before 2.3. */
static bool strings_are_packed(void) {
  const char *version = tf.TF_Version();
  return version[0] == '1' || (version[0] == '2' && version[2] < '3' && version[3] == '.');
}

static char *packed_text(const uint8_t *data, size_t size) {
  uint64_t offset = 0, length = 0;
  if (size < sizeof offset) return NULL;
  memcpy(&offset, data, sizeof offset);
  size -= sizeof offset;
  data += sizeof offset;
  if (offset >= size) return NULL;
  for (int shift = 0; offset < size && shift < 63; shift += 7) {
    uint8_t byte = data[offset++];
    length |= (uint64_t)(byte & 127) << shift;
    if (!(byte & 128)) break;
  }
  return length <= size - offset ? strndup((const char *)data + offset, length) : NULL;
}

/* A string tensor's one element as text of its own; NULL where it is none. */
static char *tensor_text(const TF_Tensor *tensor) {
  const tf_string *string = tf.TF_TensorData(tensor);
  if (string && strings_are_packed())
    return packed_text((const uint8_t *)string, tf.TF_TensorByteSize(tensor));
  if (!string || tf.TF_TensorByteSize(tensor) < sizeof *string) return NULL;
  int kind = string->small.size & 3;
  if (kind == 0) return strndup(string->small.text, string->small.size >> 2);
  if (kind == 1) return strndup(string->large.text, string->large.size >> 2);
  return NULL; /* kinds that only views of mapped tensors have */
}

static hone_status *open_engine(kernel *k, TF_Tensor *source) {
  if (tf.TF_TensorType(source) == tf_of_hone(HONE_U8)) {
    k->bytes = source;
    hone_bytes bytes = {tf.TF_TensorData(source), tf.TF_TensorByteSize(source)};
    return hone_engine_parse(bytes, NULL, &k->engine);
  }
  char *path = tensor_text(source);
  hone_status *status = path ? hone_engine_open(path, NULL, &k->engine)
                             : hone_status_new(HONE_INVALID_ARGUMENT, "the engine's path is none");
  free(path);
  return status;
}

/* The number in a port's name, "in_7"; -1 for another name. */
static int place_of(const char *name, const char *prefix) {
  size_t size = strlen(prefix);
  char *end;
  if (strncmp(name, prefix, size) != 0) return -1;
  long place = strtol(name + size, &end, 10);
  return *end || end == name + size || place < 0 || place > 100000 ? -1 : (int)place;
}

static hone_status *match_ports(kernel *k, int node_inputs, int node_outputs) {
  hone_port port = {.struct_size = sizeof port};
  k->inputs = hone_input_count(k->engine);
  k->outputs = hone_output_count(k->engine);
  k->input_place = calloc(k->inputs + 1, sizeof *k->input_place);
  k->output_place = calloc(k->outputs + 1, sizeof *k->output_place);
  if (!k->input_place || !k->output_place)
    return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  for (size_t i = 0; i < k->inputs + k->outputs; i++) {
    bool input = i < k->inputs;
    hone_status *status = input ? hone_input_at(k->engine, i, &port)
                                : hone_output_at(k->engine, i - k->inputs, &port);
    if (status) return status;
    int place = place_of(port.name, input ? "in_" : "out_");
    if (place < 0 || place >= (input ? node_inputs : node_outputs))
      return hone_status_new(HONE_MISMATCH, "the engine's ports are not the node's");
    *(input ? &k->input_place[i] : &k->output_place[i - k->inputs]) = place;
  }
  return (int)k->outputs == node_outputs
             ? NULL
             : hone_status_new(HONE_MISMATCH, "the engine gives fewer outputs than the node");
}

static void tell_why(kernel *k, const hone_status *status) {
  if (atomic_exchange(&k->told, true)) return;
  const char *place = hone_status_place(status);
  fprintf(stderr, "hone: %s runs natively: %s%s%s\n", k->name, place ? place : "",
          place && *place ? ": " : "", hone_status_message(status));
}

/* Whether a node's last input is its engine. */
static bool is_source(const TF_Tensor *tensor) {
  int type = tf.TF_TensorType(tensor);
  return type == TF_STRING || type == tf_of_hone(HONE_U8);
}

/* Opens the engine that the last input is; `source` is taken. */
static int open_source(kernel *k, TF_Tensor *source, int outputs) {
  hone_status *status = open_engine(k, source);
  if (!status) status = match_ports(k, k->values, outputs);
  if (!status) status = set_threads(k);
  if (status) tell_why(k, status);
  if (source != k->bytes) tf.TF_DeleteTensor(source);
  int state = status ? REFUSED : OPEN;
  hone_status_free(status);
  return state;
}

static void tell_absent(kernel *k) {
  hone_status *why = hone_status_new(
      HONE_NOT_FOUND, "TF-TRT made it, and its engines are of another machine; convert the native "
                      "model, or build this one with hone build");
  tell_why(k, why);
  hone_status_free(why);
}

/* Finds the engine at the first call. */
static int open_once(kernel *k, TF_OpKernelContext *context) {
  TF_Status *status = tf.TF_NewStatus();
  pthread_mutex_lock(&k->opening);
  int state = atomic_load(&k->state);
  if (state == UNOPENED) {
    int inputs = tf.TF_NumInputs(context);
    TF_Tensor *last = NULL;
    if (inputs > 0) tf.TF_GetInput(context, inputs - 1, &last, status);
    bool has_engine = last && is_source(last);
    k->values = inputs - has_engine - k->carries;
    if (k->values < 0) k->values = 0;
    if (has_engine) {
      state = open_source(k, last, tf.TF_NumOutputs(context));
    } else {
      state = ABSENT;
      if (last) tf.TF_DeleteTensor(last);
      tell_absent(k);
    }
    atomic_store(&k->state, state);
  }
  pthread_mutex_unlock(&k->opening);
  tf.TF_DeleteStatus(status);
  return state;
}

/* ---- Workers ---- */

static void worker_free(worker *w) {
  if (!w) return;
  hone_context_free(w->run);
  tf.TF_DeleteStatus(w->status);
  free(w);
}

static void *give_output(void *worker_, size_t index, const hone_tensor *type);

static hone_status *worker_new(kernel *k, worker **out) {
  worker *w = calloc(1, sizeof *w + k->inputs * sizeof *w->held);
  if (!w) return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  w->k = k;
  w->status = tf.TF_NewStatus();
  hone_status *status = hone_context_new(k->engine, k->options, &w->run);
  if (status) {
    worker_free(w);
    return status;
  }
  hone_set_output_memory(w->run, give_output, w);
  *out = w;
  return NULL;
}

static hone_status *take_worker(kernel *k, worker **out) {
  for (size_t i = 0; i < WORKERS_MOST; i++) {
    if (!atomic_load_explicit(&k->idle[i], memory_order_relaxed)) continue;
    *out = atomic_exchange(&k->idle[i], NULL);
    if (*out) return NULL;
  }
  return worker_new(k, out);
}

static void put_back(kernel *k, worker *w) {
  for (size_t i = 0; i < WORKERS_MOST; i++) {
    worker *none = NULL;
    if (atomic_compare_exchange_strong(&k->idle[i], &none, w)) return;
  }
  worker_free(w);
}

/* ---- Running ---- */

/* TensorFlow's memory for a result. */
static void *give_output(void *worker_, size_t index, const hone_tensor *type) {
  worker *w = worker_;
  int place = w->k->output_place[index];
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
  tf.TF_GetInput(w->context, w->k->input_place[index], held, w->status);
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
  for (size_t i = 0; i < w->k->outputs; i++) {
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

/* A worker that fails is let go: `published` says how far it came. */
static hone_status *run_engine(kernel *k, TF_OpKernelContext *context, bool *published) {
  worker *w;
  hone_status *status = take_worker(k, &w);
  if (status) return status;
  w->context = context;
  w->given = 0;
  w->published = false;
  for (size_t i = 0; !status && i < k->inputs; i++) status = bind_input(w, i);
  if (!status) status = hone_run(w->run);
  if (!status) status = give_rest(w);
  for (size_t i = 0; i < k->inputs; i++) {
    if (w->held[i]) tf.TF_DeleteTensor(w->held[i]);
    w->held[i] = NULL;
  }
  *published = w->published;
  if (status)
    worker_free(w);
  else
    put_back(k, w);
  return status;
}

static bool native_allowed(void) {
  const char *text = getenv("HONE_ALLOW_NATIVE");
  if (!text) text = getenv("HONE_ALLOW_ENGINE_NATIVE_SEGMENT_EXECUTION");
  if (!text) text = getenv("TF_TRT_ALLOW_ENGINE_NATIVE_SEGMENT_EXECUTION");
  return !text || (strcmp(text, "0") != 0 && strcasecmp(text, "false") != 0);
}

static void run_native(kernel *k, TF_OpKernelContext *context, bool published) {
  TF_Status *status = tf.TF_NewStatus();
  if (published)
    tf.TF_SetStatus(status, TF_INTERNAL, "the engine failed while it ran; the log says why");
  else if (!native_allowed())
    tf.TF_SetStatus(status, TF_ABORTED, "the engine did not run, and running natively is off");
  else if (!k->native)
    tf.TF_SetStatus(status, TF_ABORTED, "the engine did not run, and the node has no segment");
  else
    hone_native_run(k->native, context, k->values, status);
  if (tf.TF_GetCode(status) != TF_OK) tf.TF_OpKernelContext_Failure(context, status);
  tf.TF_DeleteStatus(status);
}

void hone_kernel_compute(void *kernel_, TF_OpKernelContext *context) {
  kernel *k = kernel_;
  bool published = false;
  int state = atomic_load(&k->state);
  if (state == UNOPENED) state = open_once(k, context);
  if (state == OPEN) {
    hone_status *status = run_engine(k, context, &published);
    if (!status) return;
    tell_why(k, status);
    hone_status_free(status);
  }
  run_native(k, context, published);
}
