/* A stand-in for cuBLASLt: products on the host, on the memory of the stand-in driver.
 *
 * It checks what it is given as the library's documentation asks for it, does the product when the
 * stream comes to it, and advises two algorithms, the second of which takes a workspace. What breaks a
 * rule is printed and ends the process: no test goes on after it. */
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/lt.h"
#include "stand_in_numbers.h"

#define SHOWN __attribute__((visibility("default")))
enum { INVALID = 7, NOT_SUPPORTED = 15 };

static void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "stand-in cuBLASLt: %s\n", what);
  abort();
}

struct hone_lt_handle_ {
  int alive;
};
struct hone_lt_desc_ {
  int compute, transpose[2], epilogue;
  const void *bias;
};
struct hone_lt_layout_ {
  int type;
  int64_t rows, columns, pitch, batch, stride;
};
struct hone_lt_wish_ {
  size_t workspace;
};

SHOWN size_t cublasLtGetVersion(void);
size_t cublasLtGetVersion(void) {
  const char *text = getenv("HONE_STAND_IN_LT_VERSION");
  return text ? (size_t)atol(text) : 130100;
}

SHOWN int cublasLtCreate(hone_lt_handle *handle);
int cublasLtCreate(hone_lt_handle *handle) {
  static struct hone_lt_handle_ the_handle = {1};
  *handle = &the_handle;
  return 0;
}

/* ---- Descriptors ------------------------------------------------------------------------------ */

SHOWN int cublasLtMatmulDescCreate(hone_lt_desc *desc, int compute, int scale);
int cublasLtMatmulDescCreate(hone_lt_desc *desc, int compute, int scale) {
  check(scale == HONE_LT_F32, "scales are of another type");
  check(compute == HONE_LT_COMPUTE_F32 || compute == HONE_LT_COMPUTE_TF32, "an unknown way to compute");
  *desc = calloc(1, sizeof **desc);
  **desc = (struct hone_lt_desc_){.compute = compute, .epilogue = HONE_LT_NO_EPILOGUE};
  return 0;
}
SHOWN int cublasLtMatmulDescDestroy(hone_lt_desc desc);
int cublasLtMatmulDescDestroy(hone_lt_desc desc) {
  free(desc);
  return 0;
}
SHOWN int cublasLtMatmulDescSetAttribute(hone_lt_desc d, int attribute, const void *value, size_t size);
int cublasLtMatmulDescSetAttribute(hone_lt_desc d, int attribute, const void *value, size_t size) {
  check(size == (attribute == HONE_LT_DESC_BIAS ? sizeof(void *) : sizeof(int)), "an attribute's size");
  switch (attribute) {
    case HONE_LT_DESC_TRANSPOSE_A:
    case HONE_LT_DESC_TRANSPOSE_B:
      memcpy(&d->transpose[attribute - HONE_LT_DESC_TRANSPOSE_A], value, size);
      return 0;
    case HONE_LT_DESC_EPILOGUE:
      memcpy(&d->epilogue, value, size);
      return 0;
    case HONE_LT_DESC_BIAS:
      memcpy(&d->bias, value, size);
      return 0;
  }
  return INVALID;
}

SHOWN int cublasLtMatrixLayoutCreate(hone_lt_layout *layout, int type, uint64_t rows, uint64_t columns,
                                     int64_t pitch);
int cublasLtMatrixLayoutCreate(hone_lt_layout *layout, int type, uint64_t rows, uint64_t columns,
                               int64_t pitch) {
  check(type == HONE_LT_F32 || type == HONE_LT_F16 || type == HONE_LT_BF16, "an unknown type");
  check(rows > 0 && columns > 0 && pitch >= (int64_t)rows, "columns that overlap");
  *layout = malloc(sizeof **layout);
  **layout = (struct hone_lt_layout_){type, (int64_t)rows, (int64_t)columns, pitch, 1, 0};
  return 0;
}
SHOWN int cublasLtMatrixLayoutDestroy(hone_lt_layout layout);
int cublasLtMatrixLayoutDestroy(hone_lt_layout layout) {
  free(layout);
  return 0;
}
SHOWN int cublasLtMatrixLayoutSetAttribute(hone_lt_layout l, int attribute, const void *value,
                                           size_t size);
int cublasLtMatrixLayoutSetAttribute(hone_lt_layout l, int attribute, const void *value, size_t size) {
  int batch;
  if (attribute == HONE_LT_LAYOUT_BATCH) {
    check(size == sizeof batch, "a batch's size");
    memcpy(&batch, value, size);
    l->batch = batch;
  } else {
    check(attribute == HONE_LT_LAYOUT_BATCH_STRIDE && size == sizeof l->stride, "a layout's attribute");
    memcpy(&l->stride, value, size);
  }
  return 0;
}

SHOWN int cublasLtMatmulPreferenceCreate(hone_lt_wish *wish);
int cublasLtMatmulPreferenceCreate(hone_lt_wish *wish) {
  *wish = calloc(1, sizeof **wish);
  return 0;
}
SHOWN int cublasLtMatmulPreferenceDestroy(hone_lt_wish wish);
int cublasLtMatmulPreferenceDestroy(hone_lt_wish wish) {
  free(wish);
  return 0;
}
SHOWN int cublasLtMatmulPreferenceSetAttribute(hone_lt_wish w, int attribute, const void *value,
                                               size_t size);
int cublasLtMatmulPreferenceSetAttribute(hone_lt_wish w, int attribute, const void *value, size_t size) {
  if (attribute == HONE_LT_WISH_WORKSPACE) memcpy(&w->workspace, value, size);
  else check(attribute >= HONE_LT_WISH_ALIGNMENT && size == sizeof(uint32_t), "an unknown preference");
  return 0;
}

static uint64_t advised, multiplied;

/* ---- Algorithms ------------------------------------------------------------------------------- */

static bool fits(hone_lt_desc desc, hone_lt_layout a, hone_lt_layout b, hone_lt_layout c,
                 hone_lt_layout d) {
  int64_t depth_a = desc->transpose[0] ? a->rows : a->columns;
  int64_t rows = desc->transpose[0] ? a->columns : a->rows;
  int64_t depth_b = desc->transpose[1] ? b->columns : b->rows;
  int64_t columns = desc->transpose[1] ? b->rows : b->columns;
  return depth_a == depth_b && d->rows == rows && d->columns == columns && c->rows == rows &&
         c->columns == columns && a->type == b->type && a->batch == b->batch && a->batch == d->batch;
}

static const hone_lt_advice algorithms[] = {
    {.algorithm = {{11}}, .workspace = 0}, {.algorithm = {{22}}, .workspace = 64}};

SHOWN int cublasLtMatmulAlgoGetHeuristic(hone_lt_handle handle, hone_lt_desc desc, hone_lt_layout a,
                                         hone_lt_layout b, hone_lt_layout c, hone_lt_layout d,
                                         hone_lt_wish wish, int room, hone_lt_advice *out, int *count);
int cublasLtMatmulAlgoGetHeuristic(hone_lt_handle handle, hone_lt_desc desc, hone_lt_layout a,
                                   hone_lt_layout b, hone_lt_layout c, hone_lt_layout d,
                                   hone_lt_wish wish, int room, hone_lt_advice *out, int *count) {
  check(handle && handle->alive, "no handle");
  check(fits(desc, a, b, c, d), "matrices that do not fit each other");
  advised++;
  *count = 0;
  for (int i = 0; i < 2 && i < room; i++)
    if (algorithms[i].workspace <= wish->workspace) out[(*count)++] = algorithms[i];
  return *count ? 0 : NOT_SUPPORTED;
}

SHOWN int cublasLtMatmulAlgoCheck(hone_lt_handle handle, hone_lt_desc desc, hone_lt_layout a,
                                  hone_lt_layout b, hone_lt_layout c, hone_lt_layout d,
                                  const hone_lt_algorithm *algorithm, hone_lt_advice *out);
int cublasLtMatmulAlgoCheck(hone_lt_handle handle, hone_lt_desc desc, hone_lt_layout a,
                            hone_lt_layout b, hone_lt_layout c, hone_lt_layout d,
                            const hone_lt_algorithm *algorithm, hone_lt_advice *out) {
  check(handle && handle->alive, "no handle");
  for (int i = 0; i < 2; i++) {
    if (algorithms[i].algorithm.data[0] != algorithm->data[0]) continue;
    *out = algorithms[i];
    return fits(desc, a, b, c, d) ? 0 : INVALID;
  }
  return INVALID;
}

/* ---- The product ------------------------------------------------------------------------------ */

typedef struct job {
  struct hone_lt_desc_ desc;
  struct hone_lt_layout_ a, b, c, d;
  const void *at[3];
  void *to;
  float alpha, beta;
  void *workspace;
  size_t workspace_size;
  struct job *next; /* kept, since a recording may do it again */
} job;

static stand_in_type type_of(int type) {
  return type == HONE_LT_F16 ? STAND_IN_F16 : type == HONE_LT_BF16 ? STAND_IN_BF16 : STAND_IN_F32;
}

static float load(int type, const void *p, int64_t i) {
  return stand_in_load(type_of(type), p, i);
}

static float finish(const job *j, float sum, float c, int64_t row) {
  float y = j->alpha * sum + (j->beta != 0 ? j->beta * c : 0);
  if (j->desc.epilogue & HONE_LT_BIAS) y += load(j->d.type, j->desc.bias, row);
  if (j->desc.epilogue & HONE_LT_RELU) y = y < 0 ? 0 : y;
  if (j->desc.epilogue & HONE_LT_GELU)
    y = 0.5f * y * (1 + tanhf(0.797884561f * (y + 0.044715f * y * y * y)));
  return y;
}

static void multiply_one(const job *j, int64_t n, int64_t row, int64_t column) {
  const struct hone_lt_layout_ *a = &j->a, *b = &j->b;
  int64_t depth = j->desc.transpose[0] ? a->rows : a->columns;
  float sum = 0;
  for (int64_t k = 0; k < depth; k++)
    sum += load(a->type, j->at[0], n * a->stride + (j->desc.transpose[0] ? row * a->pitch + k
                                                                         : k * a->pitch + row)) *
           load(b->type, j->at[1], n * b->stride + (j->desc.transpose[1] ? k * b->pitch + column
                                                                         : column * b->pitch + k));
  int64_t at = n * j->d.stride + column * j->d.pitch + row;
  float c = j->beta != 0 ? load(j->c.type, j->at[2], at) : 0;
  stand_in_store(type_of(j->d.type), j->to, at, finish(j, sum, c, row));
}

static void multiply(void *argument) {
  const job *j = argument;
  memset(j->workspace, 0xff, j->workspace_size);
  for (int64_t n = 0; n < j->d.batch; n++)
    for (int64_t column = 0; column < j->d.columns; column++)
      for (int64_t row = 0; row < j->d.rows; row++) multiply_one(j, n, row, column);
}

/* What was asked for so far. */
SHOWN void stand_in_read_lt(uint64_t *advice, uint64_t *products);
void stand_in_read_lt(uint64_t *advice, uint64_t *products) {
  *advice = advised;
  *products = multiplied;
}

static bool is_aligned(const void *p) {
  return p && ((uintptr_t)p & 15) == 0;
}

/* On the stream of the driver that is there. */
static int ask(void *stream, job *j) {
  static int (*host_call)(void *, void (*)(void *), void *);
  if (!host_call) {
    void *driver = dlopen(getenv("HONE_CUDA_DRIVER"), RTLD_NOW | RTLD_NOLOAD);
    void *symbol = driver ? dlsym(driver, "cuLaunchHostFunc") : NULL;
    check(symbol, "no driver is loaded");
    memcpy(&host_call, &symbol, sizeof symbol);
  }
  return host_call(stream, multiply, j) ? 13 : 0;
}

SHOWN int cublasLtMatmul(hone_lt_handle handle, hone_lt_desc desc, const void *alpha, const void *a,
                         hone_lt_layout a_layout, const void *b, hone_lt_layout b_layout,
                         const void *beta, const void *c, hone_lt_layout c_layout, void *d,
                         hone_lt_layout d_layout, const hone_lt_algorithm *algorithm, void *workspace,
                         size_t workspace_size, hone_cu_stream stream);
int cublasLtMatmul(hone_lt_handle handle, hone_lt_desc desc, const void *alpha, const void *a,
                   hone_lt_layout a_layout, const void *b, hone_lt_layout b_layout, const void *beta,
                   const void *c, hone_lt_layout c_layout, void *d, hone_lt_layout d_layout,
                   const hone_lt_algorithm *algorithm, void *workspace, size_t workspace_size,
                   hone_cu_stream stream) {
  static job *jobs;
  hone_lt_advice advice;
  check(cublasLtMatmulAlgoCheck(handle, desc, a_layout, b_layout, c_layout, d_layout, algorithm,
                                &advice) == 0,
        "an algorithm that was not advised");
  check(advice.workspace <= workspace_size && (!advice.workspace || workspace), "too little memory");
  check(is_aligned(a) && is_aligned(b) && is_aligned(c) && is_aligned(d), "memory that is not aligned");
  check(!(desc->epilogue & HONE_LT_BIAS) || is_aligned(desc->bias), "no bias");
  job *j = malloc(sizeof *j);
  *j = (job){*desc, *a_layout, *b_layout, *c_layout, *d_layout, {a, b, c}, d, 0, 0,
             workspace, advice.workspace, jobs};
  memcpy(&j->alpha, alpha, sizeof j->alpha);
  memcpy(&j->beta, beta, sizeof j->beta);
  jobs = j;
  multiplied++;
  return ask(stream, j);
}
