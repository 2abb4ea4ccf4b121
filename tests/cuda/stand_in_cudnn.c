/* A stand-in for cuDNN's graphs: convolutions with pointwise work after them, on the host, on the memory
 * of the stand-in driver.
 *
 * A descriptor holds what it is given; finishing an operation or a graph reads it and checks that all
 * is there. The heuristic gives two configurations, a plan's text is the work itself, and executing does
 * the work when the stream comes to it. What breaks a rule is printed and ends the process. */
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cudnn.h"
#include "stand_in_numbers.h"

#define SHOWN __attribute__((visibility("default")))
#define MOST  16 /* attributes of a descriptor */
enum { NOT_SUPPORTED = 3000, BAD = 2000 };

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "stand-in cuDNN: %s\n", what);
  abort();
}

typedef struct attribute {
  int name, type;
  int64_t count;
  char bytes[512];
} attribute;

/* What a plan does: numbers of tensors are places in `sizes`. */
typedef struct pointwise {
  int mode;
  int64_t operand; /* 0: none */
  double lower, upper;
} pointwise;
typedef struct work {
  int type, pointwise_count;
  int64_t x[4], w[4], y[4], before[2], strides[2], dilations[2];
  pointwise after[4];
} work;

typedef struct descriptor {
  int kind, count;
  bool finished;
  attribute attributes[MOST];
  work work; /* of graphs and of what is made of them */
} descriptor;

SHOWN size_t cudnnGetVersion(void);
size_t cudnnGetVersion(void) {
  return 91400;
}
SHOWN const char *cudnnGetErrorString(int result);
const char *cudnnGetErrorString(int result) {
  return result ? "said the stand-in" : "success";
}

typedef struct handle {
  void *stream;
  struct handle *next;
} handle;

SHOWN int cudnnCreate(hone_cudnn_handle *out);
int cudnnCreate(hone_cudnn_handle *out) {
  static handle *all;
  static int count;
  handle *made = calloc(1, sizeof *made);
  check(count++ < 64, "handles are not given back");
  made->next = all;
  all = made;
  *out = (hone_cudnn_handle)(void *)made;
  return 0;
}
SHOWN int cudnnSetStream(hone_cudnn_handle h, hone_cu_stream stream);
int cudnnSetStream(hone_cudnn_handle h, hone_cu_stream stream) {
  ((handle *)(void *)h)->stream = stream;
  return 0;
}

/* ---- Descriptors ------------------------------------------------------------------------------ */

SHOWN int cudnnBackendCreateDescriptor(int type, hone_cudnn_desc *out);
int cudnnBackendCreateDescriptor(int type, hone_cudnn_desc *out) {
  descriptor *d = calloc(1, sizeof *d);
  d->kind = type;
  *out = d;
  return 0;
}
SHOWN int cudnnBackendDestroyDescriptor(hone_cudnn_desc d);
int cudnnBackendDestroyDescriptor(hone_cudnn_desc d) {
  free(d);
  return 0;
}

static size_t size_of(int type) {
  switch (type) {
    case HONE_CUDNN_OF_INT64: return sizeof(int64_t);
    case HONE_CUDNN_OF_DOUBLE: return sizeof(double);
    case HONE_CUDNN_OF_HANDLE:
    case HONE_CUDNN_OF_ADDRESS:
    case HONE_CUDNN_OF_DESC: return sizeof(void *);
    case HONE_CUDNN_OF_BOOL:
    case HONE_CUDNN_OF_CHAR: return 1;
    default: return sizeof(int);
  }
}

SHOWN int cudnnBackendSetAttribute(hone_cudnn_desc desc, int name, int type, int64_t count,
                                   const void *values);
int cudnnBackendSetAttribute(hone_cudnn_desc desc, int name, int type, int64_t count,
                             const void *values) {
  descriptor *d = desc;
  check(d && !d->finished && d->count < MOST, "an attribute of a finished descriptor");
  attribute *a = &d->attributes[d->count++];
  *a = (attribute){.name = name, .type = type, .count = count};
  check((size_t)count * size_of(type) <= sizeof a->bytes, "an attribute is too long");
  memcpy(a->bytes, values, (size_t)count * size_of(type));
  return 0;
}

static const attribute *find(const descriptor *d, int name) {
  for (int i = 0; d && i < d->count; i++)
    if (d->attributes[i].name == name) return &d->attributes[i];
  return NULL;
}

static const void *need(const descriptor *d, int name, int type, int64_t count) {
  const attribute *a = find(d, name);
  check(a && a->type == type && (count == 0 || a->count == count), "an attribute is missing or wrong");
  return a->bytes;
}

static descriptor *need_desc(const descriptor *d, int name, int kind) {
  descriptor *of;
  memcpy(&of, need(d, name, HONE_CUDNN_OF_DESC, 1), sizeof of);
  check(of && of->kind == kind && of->finished, "a descriptor of another kind, or not finished");
  return of;
}

static int64_t number_of(const descriptor *tensor) {
  return *(const int64_t *)need(tensor, HONE_CUDNN_TENSOR_NUMBER, HONE_CUDNN_OF_INT64, 1);
}

static void finish_tensor(const descriptor *d) {
  const int64_t *n = need(d, HONE_CUDNN_TENSOR_SIZES, HONE_CUDNN_OF_INT64, 4);
  const int64_t *s = need(d, HONE_CUDNN_TENSOR_STRIDES, HONE_CUDNN_OF_INT64, 4);
  need(d, HONE_CUDNN_TENSOR_TYPE, HONE_CUDNN_OF_DATA_TYPE, 1);
  need(d, HONE_CUDNN_TENSOR_VIRTUAL, HONE_CUDNN_OF_BOOL, 1);
  check(s[1] == 1 && s[3] == n[1] && s[2] == n[1] * n[3] && s[0] == n[1] * n[2] * n[3],
        "channels are not last");
}

static void read_convolution(work *w, const descriptor *operation) {
  const descriptor *x = need_desc(operation, HONE_CUDNN_CONVOLUTION_X, HONE_CUDNN_TENSOR);
  const descriptor *f = need_desc(operation, HONE_CUDNN_CONVOLUTION_W, HONE_CUDNN_TENSOR);
  const descriptor *y = need_desc(operation, HONE_CUDNN_CONVOLUTION_Y, HONE_CUDNN_TENSOR);
  const descriptor *of = need_desc(operation, HONE_CUDNN_CONVOLUTION_OF, HONE_CUDNN_CONVOLUTION);
  memcpy(w->x, need(x, HONE_CUDNN_TENSOR_SIZES, HONE_CUDNN_OF_INT64, 4), sizeof w->x);
  memcpy(w->w, need(f, HONE_CUDNN_TENSOR_SIZES, HONE_CUDNN_OF_INT64, 4), sizeof w->w);
  memcpy(w->y, need(y, HONE_CUDNN_TENSOR_SIZES, HONE_CUDNN_OF_INT64, 4), sizeof w->y);
  memcpy(w->before, need(of, HONE_CUDNN_CONVOLUTION_BEFORE, HONE_CUDNN_OF_INT64, 2), sizeof w->before);
  memcpy(w->strides, need(of, HONE_CUDNN_CONVOLUTION_STRIDES, HONE_CUDNN_OF_INT64, 2),
         sizeof w->strides);
  memcpy(w->dilations, need(of, HONE_CUDNN_CONVOLUTION_DILATIONS, HONE_CUDNN_OF_INT64, 2),
         sizeof w->dilations);
  const int64_t *after = need(of, HONE_CUDNN_CONVOLUTION_AFTER, HONE_CUDNN_OF_INT64, 2);
  memcpy(&w->type, need(x, HONE_CUDNN_TENSOR_TYPE, HONE_CUDNN_OF_DATA_TYPE, 1), sizeof w->type);
  check(number_of(x) == 1 && number_of(f) == 2, "other numbers than are given");
  check(w->x[1] == w->w[1] && w->y[1] == w->w[0] && w->x[0] == w->y[0], "channels do not fit");
  for (int i = 0; i < 2; i++) {
    int64_t span = (w->w[2 + i] - 1) * w->dilations[i] + 1;
    int64_t out = (w->x[2 + i] + w->before[i] + after[i] - span) / w->strides[i] + 1;
    check(out == w->y[2 + i], "the result has another size");
  }
}

static void read_pointwise(work *w, const descriptor *operation) {
  const descriptor *of = need_desc(operation, HONE_CUDNN_POINTWISE_OF, HONE_CUDNN_POINTWISE);
  pointwise *p = &w->after[w->pointwise_count++];
  need_desc(operation, HONE_CUDNN_POINTWISE_X, HONE_CUDNN_TENSOR);
  need_desc(operation, HONE_CUDNN_POINTWISE_Y, HONE_CUDNN_TENSOR);
  memcpy(&p->mode, need(of, HONE_CUDNN_POINTWISE_MODE, HONE_CUDNN_OF_POINTWISE_MODE, 1), sizeof p->mode);
  p->lower = 0, p->upper = INFINITY;
  if (find(of, HONE_CUDNN_POINTWISE_UPPER)) {
    p->lower = *(const double *)need(of, HONE_CUDNN_POINTWISE_LOWER, HONE_CUDNN_OF_DOUBLE, 1);
    p->upper = *(const double *)need(of, HONE_CUDNN_POINTWISE_UPPER, HONE_CUDNN_OF_DOUBLE, 1);
  }
  check((p->mode == HONE_CUDNN_ADD) == (find(operation, HONE_CUDNN_POINTWISE_B) != NULL),
        "an operand too many or too few");
  if (p->mode == HONE_CUDNN_ADD)
    p->operand = number_of(need_desc(operation, HONE_CUDNN_POINTWISE_B, HONE_CUDNN_TENSOR));
}

static void finish_graph(descriptor *d) {
  const attribute *list = find(d, HONE_CUDNN_GRAPH_OPERATIONS);
  check(list && list->count >= 1 && list->count <= 5, "a graph without operations");
  descriptor *const *operations = (descriptor *const *)(const void *)list->bytes;
  check(operations[0]->kind == HONE_CUDNN_DO_CONVOLUTION, "no convolution comes first");
  read_convolution(&d->work, operations[0]);
  for (int64_t i = 1; i < list->count; i++) read_pointwise(&d->work, operations[i]);
}

static int finish_plan(descriptor *d) {
  const attribute *text = find(d, HONE_CUDNN_PLAN_JSON);
  if (text) {
    if (text->count != sizeof d->work) return NOT_SUPPORTED;
    memcpy(&d->work, text->bytes, sizeof d->work);
    return 0;
  }
  d->work = need_desc(d, HONE_CUDNN_PLAN_CONFIG, HONE_CUDNN_ENGINE_CONFIG)->work;
  return 0;
}

SHOWN int cudnnBackendFinalize(hone_cudnn_desc desc);
int cudnnBackendFinalize(hone_cudnn_desc desc) {
  descriptor *d = desc;
  check(d && !d->finished, "finished twice");
  d->finished = true;
  if (d->kind == HONE_CUDNN_TENSOR) finish_tensor(d);
  if (d->kind == HONE_CUDNN_GRAPH) finish_graph(d);
  if (d->kind == HONE_CUDNN_HEURISTIC)
    d->work = need_desc(d, HONE_CUDNN_HEURISTIC_GRAPH, HONE_CUDNN_GRAPH)->work;
  return d->kind == HONE_CUDNN_PLAN ? finish_plan(d) : 0;
}

SHOWN int cudnnBackendGetAttribute(hone_cudnn_desc desc, int name, int type, int64_t room,
                                   int64_t *count, void *values);
int cudnnBackendGetAttribute(hone_cudnn_desc desc, int name, int type, int64_t room, int64_t *count,
                             void *values) {
  const descriptor *d = desc;
  check(d && d->finished, "asked before it is finished");
  if (name == HONE_CUDNN_HEURISTIC_RESULTS) {
    descriptor **configs = values;
    *count = room < 2 ? room : 2;
    for (int64_t i = 0; i < *count; i++) {
      configs[i]->work = d->work;
      configs[i]->finished = true;
    }
    return 0;
  }
  if (name == HONE_CUDNN_PLAN_WORKSPACE && type == HONE_CUDNN_OF_INT64) {
    *count = 1;
    *(int64_t *)values = 64;
    return 0;
  }
  if (name != HONE_CUDNN_PLAN_JSON || type != HONE_CUDNN_OF_CHAR) return BAD;
  *count = sizeof d->work;
  if (room >= *count) memcpy(values, &d->work, sizeof d->work);
  return 0;
}

/* ---- The work --------------------------------------------------------------------------------- */

typedef struct job {
  work work;
  const void *at[6]; /* by number; 5 is the result */
  void *workspace;
  struct job *next;
} job;

static stand_in_type type_of(int type) {
  return type == HONE_CUDNN_F16 ? STAND_IN_F16 : type == HONE_CUDNN_BF16 ? STAND_IN_BF16 : STAND_IN_F32;
}

static float load(int type, const void *p, int64_t i) {
  return stand_in_load(type_of(type), p, i);
}

static float finish(const job *j, float v, int64_t at, int64_t channel) {
  for (int i = 0; i < j->work.pointwise_count; i++) {
    const pointwise *p = &j->work.after[i];
    if (p->mode == HONE_CUDNN_ADD)
      v += load(j->work.type, j->at[p->operand], p->operand == 3 ? channel : at);
    if (p->mode == HONE_CUDNN_RELU) v = fminf(fmaxf(v, (float)p->lower), (float)p->upper);
    if (p->mode == HONE_CUDNN_SWISH) v = v / (1 + expf(-v));
    if (p->mode == HONE_CUDNN_GELU) v = 0.5f * v * erfcf(-v * 0.707106781f);
  }
  return v;
}

static float sum_at(const job *j, int64_t n, int64_t k, int64_t row, int64_t column) {
  const work *w = &j->work;
  float sum = 0;
  for (int64_t r = 0; r < w->w[2]; r++)
    for (int64_t s = 0; s < w->w[3]; s++) {
      int64_t y = row * w->strides[0] - w->before[0] + r * w->dilations[0];
      int64_t x = column * w->strides[1] - w->before[1] + s * w->dilations[1];
      if (y < 0 || x < 0 || y >= w->x[2] || x >= w->x[3]) continue;
      for (int64_t c = 0; c < w->x[1]; c++)
        sum += load(w->type, j->at[1], ((n * w->x[2] + y) * w->x[3] + x) * w->x[1] + c) *
               load(w->type, j->at[2], ((k * w->w[2] + r) * w->w[3] + s) * w->w[1] + c);
    }
  return sum;
}

static void convolve(void *argument) {
  const job *j = argument;
  const int64_t *y = j->work.y;
  memset(j->workspace, 0xff, 64);
  for (int64_t n = 0, at = 0; n < y[0]; n++)
    for (int64_t row = 0; row < y[2]; row++)
      for (int64_t column = 0; column < y[3]; column++)
        for (int64_t k = 0; k < y[1]; k++, at++)
          stand_in_store(type_of(j->work.type), (void *)(uintptr_t)j->at[5], at,
                finish(j, sum_at(j, n, k, row, column), at, k));
}

static int ask(void *stream, job *j) {
  static int (*host_call)(void *, void (*)(void *), void *);
  if (!host_call) {
    void *driver = dlopen(getenv("HONE_CUDA_DRIVER"), RTLD_NOW | RTLD_NOLOAD);
    void *symbol = driver ? dlsym(driver, "cuLaunchHostFunc") : NULL;
    check(symbol, "no driver is loaded");
    memcpy(&host_call, &symbol, sizeof symbol);
  }
  return host_call(stream, convolve, j) ? 4000 : 0;
}

SHOWN int cudnnBackendExecute(hone_cudnn_handle h, hone_cudnn_desc plan, hone_cudnn_desc pack);
int cudnnBackendExecute(hone_cudnn_handle h, hone_cudnn_desc plan, hone_cudnn_desc pack) {
  static job *jobs; /* kept, since a recording may do them again */
  const descriptor *p = plan, *given = pack;
  check(p && p->finished && p->kind == HONE_CUDNN_PLAN && given && given->finished, "no plan or pack");
  const attribute *numbers = find(given, HONE_CUDNN_PACK_NUMBERS);
  check(numbers != NULL, "a pack without numbers");
  const int64_t *number = need(given, HONE_CUDNN_PACK_NUMBERS, HONE_CUDNN_OF_INT64, 0);
  void *const *address = need(given, HONE_CUDNN_PACK_ADDRESSES, HONE_CUDNN_OF_ADDRESS, numbers->count);
  job *j = calloc(1, sizeof *j);
  j->work = p->work;
  for (int64_t i = 0; i < numbers->count; i++) {
    check(number[i] >= 1 && number[i] <= 5, "a number that no tensor has");
    check(address[i] && ((uintptr_t)address[i] & 15) == 0, "memory that is not aligned");
    j->at[number[i]] = address[i];
  }
  for (int i = 0; i < j->work.pointwise_count; i++)
    check(!j->work.after[i].operand || j->at[j->work.after[i].operand], "an operand is not given");
  memcpy(&j->workspace, need(given, HONE_CUDNN_PACK_WORKSPACE, HONE_CUDNN_OF_ADDRESS, 1),
         sizeof j->workspace);
  check(j->at[1] && j->at[2] && j->at[5] && j->workspace, "memory is missing");
  j->next = jobs;
  jobs = j;
  return ask(((handle *)(void *)h)->stream, j);
}
