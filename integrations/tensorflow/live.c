/* Engines made where they run: versions of one, each packed from weights that it keeps. */
#include "live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hone/refit.h>

#include "message.h"
#include "session.h"
#include "runner.h"
#include "trial.h"

/* Weights that stay for this many calls are packed anew; twice as many after each packing. */
#define CALLS_BEFORE_REPACKING 2
#define CALLS_AT_MOST          4096

/* Seconds that the measuring of a first build may take. */
#define BUILD_SECONDS "20"

static const char magic[] = "HONE SEGMENT\n";
#define MAGIC_SIZE (sizeof magic - 1)

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
  hone_bytes graph;
  char *wanted; /* the option "outputs" */
  char *fed, *given;  /* the options "inputs" and "outputs", their commas made ends */
  const char **ports; /* the entries of `fed`, "in_0=node", by the node's input */
  const char **nodes, **results; /* what comes after the =, by the node's input and output */
  hone_native *native;
  bool *is_weight; /* by the node's input */
  int values, outputs;
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

/* ---- Reading the segment ---- */

bool hone_is_live(hone_bytes engine) {
  return engine.size > MAGIC_SIZE && memcmp(engine.data, magic, MAGIC_SIZE) == 0;
}

/* The text after `key` in the line at *at, which is stepped over; NULL for another line. */
static char *read_line(const char **at, const char *end, const char *key) {
  const char *stop = memchr(*at, '\n', (size_t)(end - *at));
  size_t size = strlen(key);
  if (!stop || (size_t)(stop - *at) < size || memcmp(*at, key, size) != 0) return NULL;
  char *text = strndup(*at + size, (size_t)(stop - *at) - size);
  *at = stop + 1;
  return text;
}

static bool mark_weights(hone_live *live, const char *list) {
  while (*list) {
    char *end;
    long place = strtol(list, &end, 10);
    if (end == list || place < 0 || place >= live->values || (*end && *end != ',')) return false;
    live->is_weight[place] = true;
    list = end + (*end == ',');
  }
  return true;
}

/* Cuts an option into its entries, of which there must be `count`, and what they name. */
static bool split_ports(char *at, int count, const char **entries, const char **named) {
  for (int i = 0; i < count; i++) {
    if (!at || !*at) return false;
    const char *entry = at;
    at = strchr(at, ',');
    if (at) *at++ = 0;
    const char *equals = strchr(entry, '=');
    if (entries) entries[i] = entry;
    named[i] = equals ? equals + 1 : entry;
  }
  return !at || !*at;
}

static bool read_segment(hone_live *live, hone_bytes segment) {
  const char *at = (const char *)segment.data + MAGIC_SIZE;
  const char *end = (const char *)segment.data + segment.size;
  live->fed = read_line(&at, end, "inputs=");
  live->wanted = live->fed ? read_line(&at, end, "outputs=") : NULL;
  char *weights = live->wanted ? read_line(&at, end, "weights=") : NULL;
  live->given = weights ? strdup(live->wanted) : NULL;
  bool good = live->given && mark_weights(live, weights) && at < end && *at == '\n' &&
              split_ports(live->fed, live->values, live->ports, live->nodes) &&
              split_ports(live->given, live->outputs, NULL, live->results);
  free(weights);
  if (good) live->graph = (hone_bytes){at + 1, (size_t)(end - at - 1)};
  return good;
}

hone_status *hone_live_new(hone_bytes segment, const char *node, int values, int outputs,
                           hone_live **out) {
  hone_live *live = calloc(1, sizeof *live);
  if (!live) return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  snprintf(live->name, sizeof live->name, "%s", node);
  live->values = values;
  live->outputs = outputs;
  live->needed_calls = CALLS_BEFORE_REPACKING;
  pthread_mutex_init(&live->lock, NULL);
  live->is_weight = calloc((size_t)values + 1, sizeof *live->is_weight);
  live->seen = calloc((size_t)values + 1, sizeof *live->seen);
  hone_status *status = NULL;
  live->ports = calloc((size_t)values + 1, sizeof *live->ports);
  live->nodes = calloc((size_t)values + 1, sizeof *live->nodes);
  live->results = calloc((size_t)outputs + 1, sizeof *live->results);
  if (!live->is_weight || !live->seen || !live->ports || !live->nodes || !live->results)
    status = hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  else if (!read_segment(live, segment))
    status = hone_status_new(HONE_INVALID_ARGUMENT, "its segment cannot be read");
  if (!status) live->native = hone_native_of_graph(node, live->graph, live->nodes, live->results);
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
  if (v) v->held = calloc((size_t)live->values + 1, sizeof *v->held);
  for (int i = 0; v && v->held && i < live->values; i++)
    if (live->is_weight[i]) tf.TF_GetInput(context, i, &v->held[i], status);
  if (v && (!v->held || tf.TF_GetCode(status) != TF_OK)) {
    version_free(v, live->values);
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
  for (int i = 0; same && i < live->values; i++) {
    TF_Tensor *given = NULL;
    if (!live->is_weight[i]) continue;
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
  if (last) version_free(v, live->values);
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

/* ---- Building ---- */

static size_t varint_size(uint64_t value) {
  size_t size = 1;
  while (value >>= 7) size++;
  return size;
}

/* A field's key and size; its content is what is added next. */
static void open_field(hone_message *m, unsigned number, size_t size) {
  hone_add_varint(m, number << 3 | 2);
  hone_add_varint(m, size);
}

/* What a message of `size` bytes takes as a field below 16. */
static size_t field_size(size_t size) { return 1 + varint_size(size) + size; }

/* node { name, op: "Const", attr dtype, attr value { tensor { dtype, shape, content } } }, the content
 * last in each, so that it is copied once. */
static void add_weight(hone_message *graph, const char *name, size_t name_size,
                       const TF_Tensor *weight) {
  hone_message node = {0}, shape = {0}, tensor = {0}, entry = {0};
  size_t size = tf.TF_TensorByteSize(weight);
  hone_add_field(&node, 1, name, name_size);
  hone_add_text(&node, 2, "Const");
  hone_add_type_attr(&node, "dtype", tf.TF_TensorType(weight));
  for (int i = 0; i < tf.TF_NumDims(weight); i++) {
    hone_message dim = {0};
    hone_add_varint(&dim, 1 << 3);
    hone_add_varint(&dim, (uint64_t)tf.TF_Dim(weight, i));
    hone_add_message(&shape, 2, &dim);
  }
  hone_add_varint(&tensor, 1 << 3);
  hone_add_varint(&tensor, (uint64_t)tf.TF_TensorType(weight));
  hone_add_message(&tensor, 2, &shape);
  hone_add_text(&entry, 1, "value");
  size_t tensor_size = tensor.size + field_size(size);
  size_t value_size = field_size(tensor_size);
  size_t entry_size = entry.size + field_size(value_size);
  open_field(graph, 1, node.size + field_size(entry_size));
  hone_add_raw(graph, node.data, node.size);
  open_field(graph, 5, entry_size);
  hone_add_raw(graph, entry.data, entry.size);
  open_field(graph, 2, value_size);
  open_field(graph, 8, tensor_size);
  hone_add_raw(graph, tensor.data, tensor.size);
  hone_add_field(graph, 4, tf.TF_TensorData(weight), size);
  graph->failed |= node.failed | tensor.failed | entry.failed;
  free(node.data);
  free(tensor.data);
  free(entry.data);
}

/* The weight that a node of the segment is the placeholder of; NULL for another node. */
static const TF_Tensor *weight_of(const hone_live *live, const version *v,
                                  const hone_wire_field *node, hone_wire_field *name) {
  const char *at = node->bytes, *end = at + node->size;
  while (hone_read_field(&at, end, name))
    if (name->number == 1) break;
  if (name->number != 1 || !name->bytes) return NULL;
  for (int i = 0; i < live->values; i++) {
    if (!v->held[i]) continue;
    const char *fed = live->nodes[i];
    if (strlen(fed) == name->size && memcmp(fed, name->bytes, name->size) == 0) return v->held[i];
  }
  return NULL;
}

/* The segment with constants for its weights. */
static hone_status *write_model(const hone_live *live, version *v) {
  const char *at = live->graph.data, *end = at + live->graph.size, *start = at;
  hone_wire_field field, name;
  while (hone_read_field(&at, end, &field)) {
    const TF_Tensor *weight = field.number == 1 && field.bytes
                                  ? weight_of(live, v, &field, &name)
                                  : NULL;
    if (weight)
      add_weight(&v->model, name.bytes, name.size, weight);
    else
      hone_add_raw(&v->model, start, (size_t)(at - start));
    start = at;
  }
  if (v->model.failed) return hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  return at == end ? NULL : hone_status_new(HONE_INVALID_MODEL, "its segment cannot be read");
}

/* The option "inputs": what is fed at each call; and "shapes", what this call has (`context` may be
 * NULL). */
static void write_inputs(const hone_live *live, TF_OpKernelContext *context, hone_message *inputs,
                         hone_message *shapes) {
  TF_Status *status = tf.TF_NewStatus();
  char text[30];
  for (int i = 0; i < live->values; i++) {
    TF_Tensor *given = NULL;
    if (live->is_weight[i]) continue;
    if (inputs->size) hone_add_raw(inputs, ",", 1);
    hone_add_raw(inputs, live->ports[i], strlen(live->ports[i]));
    if (context) tf.TF_GetInput(context, i, &given, status);
    for (int d = 0; given && d < tf.TF_NumDims(given); d++) {
      if (d == 0) {
        snprintf(text, sizeof text, "%sin_%d:", shapes->size ? "," : "", i);
        hone_add_raw(shapes, text, strlen(text));
      }
      snprintf(text, sizeof text, "%s%lld", d ? "x" : "", (long long)tf.TF_Dim(given, d));
      hone_add_raw(shapes, text, strlen(text));
    }
    if (given) tf.TF_DeleteTensor(given);
  }
  hone_add_raw(inputs, "", 1);
  hone_add_raw(shapes, "", 1);
  tf.TF_DeleteStatus(status);
}

static hone_status *set_options(const hone_live *live, TF_OpKernelContext *context,
                                hone_options **options) {
  hone_message inputs = {0}, shapes = {0};
  hone_status *status = hone_options_new(options);
  write_inputs(live, context, &inputs, &shapes);
  if (!status && (inputs.failed || shapes.failed))
    status = hone_status_new(HONE_OUT_OF_MEMORY, "out of memory");
  if (!status) status = hone_options_set(*options, "format", "graph_def");
  if (!status) status = hone_options_set(*options, "inputs", inputs.data);
  if (!status) status = hone_options_set(*options, "outputs", live->wanted);
  if (!status) status = hone_options_set(*options, "shapes", shapes.data);
  if (!status) status = hone_options_set(*options, "build-seconds", BUILD_SECONDS);
  if (!status) status = hone_set_threads(options);
  free(inputs.data);
  free(shapes.data);
  return status;
}

/* Makes the engine of a version: with the kernels of `old`, or measured where that is NULL. */
static hone_status *pack(const hone_live *live, version *v, TF_OpKernelContext *context,
                         const version *old) {
  hone_options *options = NULL;
  hone_model *model = NULL;
  hone_engine *engine = NULL;
  hone_status *status = write_model(live, v);
  if (!status) status = set_options(live, context, &options);
  hone_bytes bytes = {v->model.data, v->model.size};
  if (!status) status = hone_model_parse(bytes, NULL, options, &model);
  if (!status)
    status = old ? hone_refit(hone_runner_engine(old->runner), model, &engine)
                 : hone_build(model, options, &engine);
  if (!status) status = hone_runner_new(engine, live->values, live->outputs, &v->runner);
  hone_model_free(model);
  hone_options_free(options);
  return status;
}

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
  for (int i = 0; i < live->values; i++) weights += live->is_weight[i];
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
      good = hone_try_engine(v->runner, live->native, context, live->values, live->outputs, why,
                             sizeof why);
    hone_status_free(status);
  }
  if (good)
    tell_built(live);
  else
    tell(live, why);
  if (!good) version_free(v, live->values);
  make_current(live, good ? v : NULL, good ? READY : NATIVE);
}

/* ---- Weights that changed ---- */

static void *pack_next(void *live_) {
  hone_live *live = live_;
  version *old = take_current(live), *v = live->next;
  hone_status *status = old ? pack(live, v, NULL, old) : NULL;
  if (status) {
    tell(live, hone_status_message(status));
    version_free(v, live->values);
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
  for (int i = 0; i < live->values; i++) {
    TF_Tensor *given = NULL;
    if (!live->is_weight[i]) continue;
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
    if (!live->packing) version_free(live->next, live->values);
  }
  pthread_mutex_unlock(&live->lock);
}

void hone_live_free(hone_live *live) {
  if (!live) return;
  if (live->to_join) pthread_join(live->thread, NULL);
  version_free(live->current, live->values);
  hone_native_free(live->native);
  pthread_mutex_destroy(&live->lock);
  free(live->wanted);
  free(live->fed);
  free(live->given);
  free(live->ports);
  free(live->nodes);
  free(live->results);
  free(live->is_weight);
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
