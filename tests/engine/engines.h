/* What the engine's tests share: a small net in the text form, models and contexts made of it. */
#ifndef HONE_TESTS_ENGINES_H
#define HONE_TESTS_ENGINES_H

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "ir/text.h"
#include "numerics.h"
#include "ops/ops.h"

/* Seeded weights for @weights+N; enough for every net here. */
#define WEIGHT_COUNT 8192
static float engine_weights[WEIGHT_COUNT];

static inline float engine_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return (float)(int32_t)*state / 2147483648.0f;
}

/* A convolution, a depthwise one, a pool, a dense layer, softmax: any batch, any picture size. */
static const char engine_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " w1 = const f32[3, 3, 3, 16] @weights+0 b1 = const f32[16] @weights+1728"
    " w2 = const f32[3, 3, 1, 16] @weights+1792 w3 = const f32[1, 1, 16, 16] @weights+2368"
    " w4 = const f32[16, 10] @weights+3392 axes = const s64[2] [1, 2]"
    " c = conv(x, w1, b1) {strides=[2, 2], pads=[1, 1, 1, 1]} # from \"first\"\n"
    " r = relu(c) # from \"first_relu\"\n"
    " d = conv(r, w2) {pads=[1, 1, 1, 1], groups=16} e = relu(d) p = conv(e, w3)"
    " s = add(p, r) m = reduce(s, axes) {kind=mean, keep=false} f = matmul(m, w4)"
    " y = softmax(f) {axis=1} }";

/* All on kernels of the CPU backend: the reference is allowed to allocate. */
static const char engine_kernels_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " w1 = const f32[3, 3, 3, 16] @weights+0 b1 = const f32[16] @weights+1728"
    " w2 = const f32[3, 3, 1, 16] @weights+1792 w3 = const f32[1, 1, 16, 16] @weights+2368"
    " c = conv(x, w1, b1) {strides=[2, 2], pads=[1, 1, 1, 1]} r = relu(c)"
    " d = conv(r, w2) {pads=[1, 1, 1, 1], groups=16} e = relu(d) p = conv(e, w3) y = add(p, r) }";

static inline hone_model *engine_model(const char *text) {
  uint32_t state = 7;
  for (int i = 0; i < WEIGHT_COUNT; i++) engine_weights[i] = engine_random(&state) * 0.5f;
  hone_graph *graph = NULL;
  hone_bytes weights = {engine_weights, sizeof engine_weights};
  CHECK_OK(hone_graph_parse(text, strlen(text), hone_op_find, weights, &graph));
  if (!graph) return NULL;
  hone_model *model = NULL;
  CHECK_OK(hone_model_wrap(graph, &model));
  return model;
}

static inline hone_options *engine_options(const char *name, const char *value) {
  hone_options *options = NULL;
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "shapes", "x:1x16x16x3"));
  CHECK_OK(hone_options_set(options, "measure", "false"));
  if (name) CHECK_OK(hone_options_set(options, name, value));
  return options;
}

static inline hone_engine *engine_build(const hone_model *model, const char *name,
                                        const char *value) {
  hone_options *options = engine_options(name, value);
  hone_engine *engine = NULL;
  CHECK_OK(hone_build(model, options, &engine));
  hone_options_free(options);
  return engine;
}

typedef struct picture {
  hone_tensor tensor;
  float *data;
} picture;

static inline picture picture_of(int n, int h, int w) {
  picture p = {
      .tensor = {
          .struct_size = sizeof(hone_tensor), .dtype = HONE_F32, .rank = 4, .dims = {n, h, w, 3}}};
  uint32_t state = (uint32_t)(n * 1000003 + h * 1009 + w);
  size_t count = (size_t)n * (size_t)h * (size_t)w * 3;
  p.data = malloc(count * sizeof(float) + 1);
  for (size_t i = 0; i < count; i++) p.data[i] = engine_random(&state);
  p.tensor.data = p.data;
  p.tensor.size = count * sizeof(float);
  return p;
}

/* Runs the picture and gives the output, lent. */
static inline hone_tensor engine_run(hone_context *context, const picture *p) {
  hone_tensor out = {.struct_size = sizeof out};
  CHECK_OK(hone_set_input(context, 0, &p->tensor));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 0, &out));
  return out;
}

/* max |a - b| / max |b| */
static inline double engine_error(const hone_tensor *a, const hone_tensor *b) {
  const float *x = a->data, *y = b->data;
  double worst = 0, top = DBL_MIN;
  CHECK(a->size == b->size && a->rank == b->rank);
  for (size_t i = 0; i < b->size / sizeof(float); i++) {
    worst = fmax(worst, fabs((double)x[i] - y[i]));
    top = fmax(top, fabs((double)y[i]));
    if (isnan(x[i])) worst = INFINITY;
  }
  return worst / top;
}

/* Whether its report has these words. */
static inline bool engine_reports(const hone_engine *engine, const char *words) {
  char *report = NULL;
  CHECK_OK(hone_engine_report(engine, &report));
  bool found = strstr(report, words) != NULL;
  hone_text_release(report);
  return found;
}

#endif
