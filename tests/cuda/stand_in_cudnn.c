/* A stand-in for cuDNN's graphs, on the host, on the memory of the stand-in driver.
 *
 * A descriptor holds what it is given; finishing a graph reads its operations and checks that all is
 * there and fits. The heuristic gives two configurations, a plan's text is the graph itself, and
 * executing does one operation after the other, in f32, when the stream comes to it. What breaks a rule
 * is printed and ends the process. */
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/cudnn.h"
#include "stand_in_numbers.h"

#define SHOWN __attribute__((visibility("default")))
#define MOST  20 /* attributes of a descriptor */
enum { NOT_SUPPORTED = 3000, BAD = 2000 };

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "stand-in cuDNN: %s\n", what);
  abort();
}

typedef struct attribute {
  int name, type;
  int64_t count;
  void *bytes;
} attribute;

typedef struct tensor {
  int64_t number, sizes[4], strides[4];
  int type;
  bool between, by_value;
} tensor;

/* Its tensors are places in the graph's; -1: none. */
typedef struct operation {
  int kind, mode, axis;
  int x, b, t, e, y; /* e: a norm's epsilon */
  bool clips;
  double lower, upper;
  int64_t before[2], strides[2], dilations[2];
} operation;

/* What a plan does. */
typedef struct work {
  int tensor_count, operation_count;
  tensor tensors[24];
  operation operations[16];
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
int cudnnBackendDestroyDescriptor(hone_cudnn_desc desc) {
  descriptor *d = desc;
  for (int i = 0; i < d->count; i++) free(d->attributes[i].bytes);
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
  a->bytes = malloc((size_t)count * size_of(type) + 1);
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

static int number_in(const descriptor *d, int name, int type) {
  int value;
  memcpy(&value, need(d, name, type, 1), sizeof value);
  return value;
}

static bool flag_in(const descriptor *d, int name) {
  return find(d, name) && *(const bool *)need(d, name, HONE_CUDNN_OF_BOOL, 1);
}

/* ---- Graphs ----------------------------------------------------------------------------------- */

static tensor tensor_of(const descriptor *d) {
  tensor t;
  memset(&t, 0, sizeof t); /* what is between its members too: tensors are compared as bytes */
  t.number = *(const int64_t *)need(d, HONE_CUDNN_TENSOR_NUMBER, HONE_CUDNN_OF_INT64, 1);
  memcpy(t.sizes, need(d, HONE_CUDNN_TENSOR_SIZES, HONE_CUDNN_OF_INT64, 4), sizeof t.sizes);
  memcpy(t.strides, need(d, HONE_CUDNN_TENSOR_STRIDES, HONE_CUDNN_OF_INT64, 4), sizeof t.strides);
  t.type = number_in(d, HONE_CUDNN_TENSOR_TYPE, HONE_CUDNN_OF_DATA_TYPE);
  t.between = flag_in(d, HONE_CUDNN_TENSOR_VIRTUAL);
  t.by_value = flag_in(d, HONE_CUDNN_TENSOR_BY_VALUE);
  for (int i = 0; i < 4; i++) check(t.sizes[i] > 0 && t.strides[i] > 0, "an empty tensor");
  return t;
}

/* The tensor's place in the graph: what has its number is the same. */
static int place_of(work *w, const descriptor *operation, int name) {
  if (!find(operation, name)) return -1;
  tensor t = tensor_of(need_desc(operation, name, HONE_CUDNN_TENSOR));
  for (int i = 0; i < w->tensor_count; i++)
    if (w->tensors[i].number == t.number) {
      check(memcmp(&w->tensors[i], &t, sizeof t) == 0, "two tensors of one number");
      return i;
    }
  check(w->tensor_count < 24, "a graph of too many tensors");
  w->tensors[w->tensor_count] = t;
  return w->tensor_count++;
}

static void check_channels_last(const tensor *t) {
  const int64_t *n = t->sizes, *s = t->strides;
  check(s[1] == 1 && s[3] == n[1] && s[2] == n[1] * n[3] && s[0] == n[1] * n[2] * n[3],
        "channels are not last");
}

static void read_convolution(work *w, operation *o, const descriptor *d) {
  const descriptor *of = need_desc(d, HONE_CUDNN_CONVOLUTION_OF, HONE_CUDNN_CONVOLUTION);
  o->x = place_of(w, d, HONE_CUDNN_CONVOLUTION_X);
  o->b = place_of(w, d, HONE_CUDNN_CONVOLUTION_W);
  o->y = place_of(w, d, HONE_CUDNN_CONVOLUTION_Y);
  const tensor *x = &w->tensors[o->x], *f = &w->tensors[o->b], *y = &w->tensors[o->y];
  const int64_t *after = need(of, HONE_CUDNN_CONVOLUTION_AFTER, HONE_CUDNN_OF_INT64, 2);
  memcpy(o->before, need(of, HONE_CUDNN_CONVOLUTION_BEFORE, HONE_CUDNN_OF_INT64, 2), sizeof o->before);
  memcpy(o->strides, need(of, HONE_CUDNN_CONVOLUTION_STRIDES, HONE_CUDNN_OF_INT64, 2),
         sizeof o->strides);
  memcpy(o->dilations, need(of, HONE_CUDNN_CONVOLUTION_DILATIONS, HONE_CUDNN_OF_INT64, 2),
         sizeof o->dilations);
  check_channels_last(x), check_channels_last(f), check_channels_last(y);
  check(x->sizes[1] == f->sizes[1] && y->sizes[1] == f->sizes[0] && x->sizes[0] == y->sizes[0],
        "channels do not fit");
  for (int i = 0; i < 2; i++) {
    int64_t span = (f->sizes[2 + i] - 1) * o->dilations[i] + 1;
    int64_t out = (x->sizes[2 + i] + o->before[i] + after[i] - span) / o->strides[i] + 1;
    check(out == y->sizes[2 + i], "the result has another size");
  }
}

static void read_pointwise(work *w, operation *o, const descriptor *d) {
  const descriptor *of = need_desc(d, HONE_CUDNN_POINTWISE_OF, HONE_CUDNN_POINTWISE);
  o->mode = number_in(of, HONE_CUDNN_POINTWISE_MODE, HONE_CUDNN_OF_POINTWISE_MODE);
  o->x = place_of(w, d, HONE_CUDNN_POINTWISE_X);
  o->b = place_of(w, d, HONE_CUDNN_POINTWISE_B);
  o->t = place_of(w, d, HONE_CUDNN_POINTWISE_T);
  o->y = place_of(w, d, HONE_CUDNN_POINTWISE_Y);
  o->clips = find(of, HONE_CUDNN_POINTWISE_UPPER) != NULL;
  if (o->clips) {
    o->lower = *(const double *)need(of, HONE_CUDNN_POINTWISE_LOWER, HONE_CUDNN_OF_DOUBLE, 1);
    o->upper = *(const double *)need(of, HONE_CUDNN_POINTWISE_UPPER, HONE_CUDNN_OF_DOUBLE, 1);
  }
  if (o->mode == HONE_CUDNN_INDEX)
    o->axis = (int)*(const int64_t *)need(of, HONE_CUDNN_POINTWISE_AXIS, HONE_CUDNN_OF_INT64, 1);
  bool alone = o->mode == HONE_CUDNN_EXP || o->mode == HONE_CUDNN_LOG ||
               o->mode == HONE_CUDNN_INDEX ||
               (o->mode >= HONE_CUDNN_RELU && o->mode <= HONE_CUDNN_SWISH);
  check(alone == (o->b < 0) && (o->mode == HONE_CUDNN_SELECT) == (o->t >= 0),
        "an operand too many or too few");
}

static void read_matmul(work *w, operation *o, const descriptor *d) {
  (void)need_desc(d, HONE_CUDNN_MATMUL_OF, HONE_CUDNN_MATMUL);
  o->x = place_of(w, d, HONE_CUDNN_MATMUL_A);
  o->b = place_of(w, d, HONE_CUDNN_MATMUL_B);
  o->y = place_of(w, d, HONE_CUDNN_MATMUL_C);
  const int64_t *a = w->tensors[o->x].sizes, *b = w->tensors[o->b].sizes, *c = w->tensors[o->y].sizes;
  check(a[3] == b[2] && a[2] == c[2] && b[3] == c[3] && a[1] == c[1] && a[1] % b[1] == 0 &&
            a[0] == c[0] && b[0] == c[0],
        "matrices do not fit");
}

static void read_reduction(work *w, operation *o, const descriptor *d) {
  const descriptor *of = need_desc(d, HONE_CUDNN_REDUCTION_OF, HONE_CUDNN_REDUCTION);
  o->mode = number_in(of, HONE_CUDNN_REDUCTION_OPERATOR, HONE_CUDNN_OF_REDUCTION_OPERATOR);
  o->x = place_of(w, d, HONE_CUDNN_REDUCTION_X);
  o->y = place_of(w, d, HONE_CUDNN_REDUCTION_Y);
}

static void read_norm(work *w, operation *o, const descriptor *d) {
  check(number_in(d, HONE_CUDNN_NORM_MODE, HONE_CUDNN_OF_NORM_MODE) == HONE_CUDNN_LAYER_NORM &&
            number_in(d, HONE_CUDNN_NORM_PHASE, HONE_CUDNN_OF_NORM_PHASE) == HONE_CUDNN_FOR_INFERENCE,
        "another norm");
  o->x = place_of(w, d, HONE_CUDNN_NORM_X);
  o->b = place_of(w, d, HONE_CUDNN_NORM_SCALE);
  o->t = place_of(w, d, HONE_CUDNN_NORM_BIAS);
  o->e = place_of(w, d, HONE_CUDNN_NORM_EPSILON);
  o->y = place_of(w, d, HONE_CUDNN_NORM_Y);
  check(o->b >= 0 && o->t >= 0 && o->e >= 0 && w->tensors[o->e].by_value, "a norm lacks something");
}

static void read_operation(work *w, const descriptor *d) {
  operation *o = &w->operations[w->operation_count++];
  *o = (operation){.kind = d->kind, .x = -1, .b = -1, .t = -1, .e = -1, .y = -1};
  check(d->finished, "an operation that is not finished");
  switch (d->kind) {
    case HONE_CUDNN_DO_CONVOLUTION: read_convolution(w, o, d); break;
    case HONE_CUDNN_DO_POINTWISE: read_pointwise(w, o, d); break;
    case HONE_CUDNN_DO_MATMUL: read_matmul(w, o, d); break;
    case HONE_CUDNN_DO_REDUCTION: read_reduction(w, o, d); break;
    case HONE_CUDNN_DO_NORM: read_norm(w, o, d); break;
    default: check(false, "no operation");
  }
  check(o->x >= 0 && o->y >= 0, "an operation without tensors");
}

/* Every tensor between operations is made once, before it is read. */
static void check_order(const work *w) {
  bool made[24] = {false};
  for (int i = 0; i < w->operation_count; i++) {
    const operation *o = &w->operations[i];
    const int read[] = {o->x, o->b, o->t, o->e};
    for (int k = 0; k < 4; k++)
      check(read[k] < 0 || !w->tensors[read[k]].between || made[read[k]], "read before it is made");
    check(!made[o->y], "made twice");
    made[o->y] = true;
  }
}

static void finish_graph(descriptor *d) {
  const attribute *list = find(d, HONE_CUDNN_GRAPH_OPERATIONS);
  check(list && list->count >= 1 && list->count <= 16, "a graph without operations");
  descriptor *const *operations = list->bytes;
  for (int64_t i = 0; i < list->count; i++) read_operation(&d->work, operations[i]);
  check_order(&d->work);
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
  if (d->kind == HONE_CUDNN_TENSOR) (void)tensor_of(d);
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
  const void *at[24]; /* of the tensors */
  float values[24];   /* of those that are given by value */
  float *parts[24];   /* their elements while it runs, one after the other */
  void *workspace;
  struct job *next;
} job;

static stand_in_type type_of(int type) {
  return type == HONE_CUDNN_F16 ? STAND_IN_F16 : type == HONE_CUDNN_BF16 ? STAND_IN_BF16 : STAND_IN_F32;
}

static int64_t count_of(const tensor *t) {
  return t->sizes[0] * t->sizes[1] * t->sizes[2] * t->sizes[3];
}

/* The index of element i on each axis. */
static void unravel(const tensor *t, int64_t i, int64_t *index) {
  for (int d = 3; d >= 0; d--) index[d] = i % t->sizes[d], i /= t->sizes[d];
}

/* Of memory. */
static int64_t offset_of(const tensor *t, int64_t i) {
  int64_t index[4], at = 0;
  unravel(t, i, index);
  for (int d = 0; d < 4; d++) at += index[d] * t->strides[d];
  return at;
}

/* The element of a tensor that may broadcast. */
static float at(const job *j, int place, const int64_t *index) {
  const tensor *t = &j->work.tensors[place];
  int64_t i = 0;
  for (int d = 0; d < 4; d++) {
    check(t->sizes[d] == 1 || index[d] < t->sizes[d], "an index beyond its tensor");
    i = i * t->sizes[d] + (t->sizes[d] == 1 ? 0 : index[d]);
  }
  return j->parts[place][i];
}

static float convolved(const job *j, const operation *o, const int64_t *y) {
  const int64_t *w = j->work.tensors[o->b].sizes, *x = j->work.tensors[o->x].sizes;
  float sum = 0;
  for (int64_t r = 0; r < w[2]; r++)
    for (int64_t s = 0; s < w[3]; s++) {
      int64_t row = y[2] * o->strides[0] - o->before[0] + r * o->dilations[0];
      int64_t column = y[3] * o->strides[1] - o->before[1] + s * o->dilations[1];
      if (row < 0 || column < 0 || row >= x[2] || column >= x[3]) continue;
      const float *left = j->parts[o->x] + ((y[0] * x[1]) * x[2] + row) * x[3] + column;
      const float *right = j->parts[o->b] + ((y[1] * w[1]) * w[2] + r) * w[3] + s;
      for (int64_t c = 0; c < x[1]; c++) sum += left[c * x[2] * x[3]] * right[c * w[2] * w[3]];
    }
  return sum;
}

static float multiplied(const job *j, const operation *o, const int64_t *y) {
  const tensor *a = &j->work.tensors[o->x], *b = &j->work.tensors[o->b];
  float sum = 0;
  for (int64_t k = 0; k < a->sizes[3]; k++) {
    const int64_t left[] = {y[0], y[1], y[2], k};
    const int64_t right[] = {y[0], y[1] / (a->sizes[1] / b->sizes[1]), k, y[3]};
    sum += at(j, o->x, left) * at(j, o->b, right);
  }
  return sum;
}

static float pointwise(const job *j, const operation *o, const int64_t *y) {
  float x = at(j, o->x, y), b = o->b < 0 ? 0 : at(j, o->b, y);
  switch (o->mode) {
    case HONE_CUDNN_ADD: return x + b;
    case HONE_CUDNN_MUL: return x * b;
    case HONE_CUDNN_DIV: return x / b;
    case HONE_CUDNN_SUB: return x - b;
    case HONE_CUDNN_EXP: return expf(x);
    case HONE_CUDNN_LOG: return logf(x);
    case HONE_CUDNN_RELU:
      return o->clips ? fminf(fmaxf(x, (float)o->lower), (float)o->upper) : fmaxf(x, 0);
    case HONE_CUDNN_SWISH: return x / (1 + expf(-x));
    case HONE_CUDNN_GELU: return 0.5f * x * erfcf(-x * 0.707106781f);
    case HONE_CUDNN_AT_LEAST: return x >= b;
    case HONE_CUDNN_INDEX: return (float)y[o->axis];
    case HONE_CUDNN_SELECT: return at(j, o->t, y) != 0 ? x : b;
    default: check(false, "an unknown mode"); return 0;
  }
}

/* All of x that falls together in y. */
static float reduced(const job *j, const operation *o, const int64_t *y) {
  const tensor *x = &j->work.tensors[o->x], *to = &j->work.tensors[o->y];
  float result = o->mode == HONE_CUDNN_MOST ? -INFINITY : 0;
  for (int64_t i = 0; i < count_of(x); i++) {
    int64_t index[4];
    bool falls = true;
    unravel(x, i, index);
    for (int d = 0; d < 4; d++) falls = falls && (to->sizes[d] == 1 || index[d] == y[d]);
    if (!falls) continue;
    float v = j->parts[o->x][i];
    result = o->mode == HONE_CUDNN_MOST ? fmaxf(result, v) : result + v;
  }
  return result;
}

static float normed(const job *j, const operation *o, const int64_t *y) {
  const tensor *x = &j->work.tensors[o->x];
  int64_t size = x->sizes[1] * x->sizes[2] * x->sizes[3];
  const float *row = j->parts[o->x] + y[0] * size;
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < size; i++) mean += row[i] / (double)size;
  for (int64_t i = 0; i < size; i++) squares += (row[i] - mean) * (row[i] - mean);
  double inverse = 1 / sqrt(squares / (double)size + j->parts[o->e][0]);
  return (float)((at(j, o->x, y) - mean) * inverse) * at(j, o->b, y) + at(j, o->t, y);
}

static float element(const job *j, const operation *o, const int64_t *y) {
  switch (o->kind) {
    case HONE_CUDNN_DO_CONVOLUTION: return convolved(j, o, y);
    case HONE_CUDNN_DO_MATMUL: return multiplied(j, o, y);
    case HONE_CUDNN_DO_REDUCTION: return reduced(j, o, y);
    case HONE_CUDNN_DO_NORM: return normed(j, o, y);
    default: return pointwise(j, o, y);
  }
}

/* As the tensor's type has it. */
static float rounded(int type, float value) {
  uint16_t bits[2];
  stand_in_type to = type_of(type);
  if (to == STAND_IN_F32) return value;
  stand_in_store(to, bits, 0, value);
  return stand_in_load(to, bits, 0);
}

static void load_tensor(job *j, int i) {
  const tensor *t = &j->work.tensors[i];
  for (int64_t e = 0; e < count_of(t); e++)
    j->parts[i][e] =
        t->by_value ? j->values[i] : stand_in_load(type_of(t->type), j->at[i], offset_of(t, e));
}

static void do_operation(job *j, const operation *o) {
  const tensor *y = &j->work.tensors[o->y];
  for (int64_t i = 0; i < count_of(y); i++) {
    int64_t index[4];
    unravel(y, i, index);
    j->parts[o->y][i] = rounded(y->type, element(j, o, index));
    if (!y->between)
      stand_in_store(type_of(y->type), (void *)(uintptr_t)j->at[o->y], offset_of(y, i),
                     j->parts[o->y][i]);
  }
}

static void do_all(void *argument) {
  job *j = argument;
  bool made[24] = {false};
  memset(j->workspace, 0xff, 64);
  for (int i = 0; i < j->work.operation_count; i++) made[j->work.operations[i].y] = true;
  for (int i = 0; i < j->work.tensor_count; i++) {
    j->parts[i] = malloc((size_t)count_of(&j->work.tensors[i]) * sizeof(float));
    if (!made[i]) load_tensor(j, i);
  }
  for (int i = 0; i < j->work.operation_count; i++) do_operation(j, &j->work.operations[i]);
  for (int i = 0; i < j->work.tensor_count; i++) free(j->parts[i]);
}

static int ask(void *stream, job *j) {
  static int (*host_call)(void *, void (*)(void *), void *);
  if (!host_call) {
    void *driver = dlopen(getenv("HONE_CUDA_DRIVER"), RTLD_NOW | RTLD_NOLOAD);
    void *symbol = driver ? dlsym(driver, "cuLaunchHostFunc") : NULL;
    check(symbol, "no driver is loaded");
    memcpy(&host_call, &symbol, sizeof symbol);
  }
  return host_call(stream, do_all, j) ? 4000 : 0;
}

static void give(job *j, int64_t number, const void *address) {
  int i = 0;
  while (i < j->work.tensor_count && j->work.tensors[i].number != number) i++;
  check(i < j->work.tensor_count && !j->work.tensors[i].between, "a number that no tensor has");
  j->at[i] = address;
  if (j->work.tensors[i].by_value) memcpy(&j->values[i], address, sizeof(float));
  else check(address && ((uintptr_t)address & 15) == 0, "memory that is not aligned");
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
  for (int64_t i = 0; i < numbers->count; i++) give(j, number[i], address[i]);
  for (int i = 0; i < j->work.tensor_count; i++)
    check(j->work.tensors[i].between || j->at[i], "memory of a tensor is missing");
  memcpy(&j->workspace, need(given, HONE_CUDNN_PACK_WORKSPACE, HONE_CUDNN_OF_ADDRESS, 1),
         sizeof j->workspace);
  check(j->workspace != NULL, "no memory to work in");
  j->next = jobs;
  jobs = j;
  return ask(((handle *)(void *)h)->stream, j);
}
