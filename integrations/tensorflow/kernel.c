/* The ops' kernel: what a node's engine is, and its segment run natively where there is none. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "message.h"
#include "op.h"
#include "optimise.h"
#include "runner.h"

/* ABSENT: the node has no engine, and never had. LIVE: its engine is made here, from the segment
 * and the weights that the node is given. */
enum { UNOPENED = 0, OPEN, LIVE, REFUSED, ABSENT };

/* What every call reads comes first. */
typedef struct kernel {
  _Atomic int state;
  int values; /* how many of the node's inputs are the segment's; once it is not UNOPENED */
  hone_runner *runner; /* OPEN */
  hone_live *live;     /* LIVE */
  pthread_mutex_t opening;
  TF_Tensor *bytes; /* of the engine, where they are a tensor's: kept as long as the engine */
  hone_native *native;
  bool carries;     /* its segment is the input after its values */
  atomic_bool told; /* whether the log has the reason why it runs natively */
  char name[300];
} kernel;

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
  hone_runner_free(k->runner);
  hone_live_free(k->live);
  if (k->bytes) tf.TF_DeleteTensor(k->bytes);
  hone_native_free(k->native);
  pthread_mutex_destroy(&k->opening);
  free(k);
}

/* ---- Opening the engine ---- */

/* What no run reads of the file is never brought into memory. */
static hone_status *open_file(kernel *k, TF_Tensor *source, int outputs) {
  hone_engine *engine = NULL;
  hone_options *options = NULL;
  char *path = hone_tensor_text(source);
  hone_status *status =
      path ? hone_options_new(&options)
           : hone_status_new(HONE_INVALID_ARGUMENT, "the engine's path is none");
  if (!status) status = hone_options_set(options, "verify", "lazy");
  if (!status) status = hone_engine_open(path, options, &engine);
  hone_options_free(options);
  free(path);
  return status ? status : hone_runner_new(engine, k->values, outputs, &k->runner);
}

static hone_status *open_bytes(kernel *k, hone_bytes bytes, int outputs) {
  hone_engine *engine = NULL;
  hone_status *status = hone_engine_parse(bytes, NULL, &engine);
  return status ? status : hone_runner_new(engine, k->values, outputs, &k->runner);
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

static hone_status *open_engine(kernel *k, TF_Tensor *source, int outputs) {
  if (hone_is_disabled()) return hone_status_new(HONE_CANCELLED, "HONE_DISABLE is set");
  if (tf.TF_TensorType(source) != tf_of_hone(HONE_U8)) return open_file(k, source, outputs);
  hone_bytes bytes = {tf.TF_TensorData(source), tf.TF_TensorByteSize(source)};
  k->bytes = source;
  if (!hone_is_live(bytes)) return open_bytes(k, bytes, outputs);
  return hone_live_new(bytes, k->name, k->values, outputs, &k->live);
}

/* Opens the engine that the last input is; `source` is taken. */
static int open_source(kernel *k, TF_Tensor *source, int outputs) {
  hone_status *status = open_engine(k, source, outputs);
  if (status) tell_why(k, status);
  if (source != k->bytes) tf.TF_DeleteTensor(source);
  int state = status ? REFUSED : k->live ? LIVE : OPEN;
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

/* ---- Running ---- */

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
  else if (k->live)
    hone_native_run(hone_live_native(k->live), context, k->values, status);
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
  if (state == LIVE && hone_live_run(k->live, context, &published)) return;
  if (state == OPEN) {
    hone_status *status = hone_runner_run(k->runner, context, &published);
    if (!status) return;
    tell_why(k, status);
    /* What a call finds damaged, the next would. */
    if (hone_status_code(status) == HONE_CORRUPT) atomic_store(&k->state, REFUSED);
    hone_status_free(status);
  }
  run_native(k, context, published);
}
