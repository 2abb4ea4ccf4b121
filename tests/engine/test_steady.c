/* Steady runs of control flow, sequences and found sizes: no allocation, the same bits on any
 * threads and in any number of contexts at once. */
#include <pthread.h>

#include "engine/frame.h"
#include "engines.h"

#define ROWS 40

static const char *const nets[] = {
    /* both branches compute; which one depends on the data */
    "graph g(x: f32[n, 64]) -> (y) { w = const f32[64, 64] @weights+0 z = const s64[2] [0, 1]"
    " o = const f32[] 0 m = reduce(x, z) {kind=sum, keep=false} c = greater(m, o)"
    " y = if(c, x, w)"
    " region then(a: f32[n, 64], b: f32[64, 64]) -> (r) { r = matmul(a, b) }"
    " region else(e: f32[n, 64], f: f32[64, 64]) -> (q) { q = exp(e) } }",
    /* carries one value, stacks another */
    "graph g(x: f32[n, 64]) -> (y, s) { turns = const s64[] 5 w = const f32[64, 64] @weights+0"
    " y, s = loop(turns, _, x, w) {carried=1}"
    " region body(i: s64[], c: bool[], v: f32[n, 64], b: f32[64, 64]) -> (d, q, t) {"
    " d = identity(c) p = matmul(v, b) q = tanh(p) t = exp(q) } }",
    /* what it carries grows every turn: another plan each */
    "graph g(x: f32[n, 64]) -> (y) { turns = const s64[] 6 y = loop(turns, _, x, x) {carried=1}"
    " region body(i: s64[], c: bool[], v: f32[m, 64], a: f32[n, 64]) -> (d, q) {"
    " d = identity(c) r = tanh(v) q = concat(r, a) {axis=0} } }",
    /* the same in more turns than a program keeps plans for */
    ("graph g(x: f32[n, 64]) -> (y) { turns = const s64[] 150 row = const f32[1, 64] @weights+64"
     " y = loop(turns, _, x, row) {carried=1}"
     " region body(i: s64[], c: bool[], v: f32[m, 64], a: f32[1, 64]) -> (d, q) {"
     " d = identity(c) r = tanh(v) q = concat(r, a) {axis=0} } }"),
    /* found sizes after a kernel */
    "graph g(x: f32[n, 64]) -> (y) { r = relu(x) z = const f32[] 0.5 m = greater(r, z)"
    " p = nonzero(m) t = transpose(p) y = gather_nd(r, t) }",
};
#define NET_COUNT (sizeof nets / sizeof *nets)

static hone_engine *build(const char *text) {
  hone_options *options = NULL;
  hone_engine *engine = NULL;
  hone_model *model = engine_model(text);
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "measure", "false"));
  CHECK_OK(hone_build(model, options, &engine));
  hone_options_free(options);
  hone_model_free(model);
  return engine;
}

static hone_context *context_on(hone_engine *engine, const char *threads) {
  hone_options *options = NULL;
  hone_context *context = NULL;
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "threads", threads));
  CHECK_OK(hone_context_new(engine, options, &context));
  hone_options_free(options);
  return context;
}

/* The first output of a run over seeded rows, lent. */
static hone_tensor run(hone_context *context, int rows, uint32_t seed) {
  static _Thread_local float data[ROWS * 64];
  for (int i = 0; i < rows * 64; i++) data[i] = engine_random(&seed);
  hone_tensor x = {.struct_size = sizeof x,
                   .dtype = HONE_F32,
                   .rank = 2,
                   .dims = {rows, 64},
                   .data = data,
                   .size = (size_t)rows * 64 * sizeof(float)};
  hone_tensor out = {.struct_size = sizeof out};
  CHECK_OK(hone_set_input(context, 0, &x));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 0, &out));
  return out;
}

/* Seeds 1 to 6 take both branches; after one round of them nothing is new. */
TEST(allocates_nothing_when_steady) {
  for (size_t i = 0; i < NET_COUNT; i++) {
    hone_engine *engine = build(nets[i]);
    hone_context *context = context_on(engine, "2");
    for (int round = 0; round < 2; round++)
      for (uint32_t seed = 1; seed < 7; seed++) {
        run(context, ROWS, seed);
        run(context, 7, seed);
      }
    uint64_t before = hone_alloc_count();
    for (uint32_t seed = 1; seed < 7; seed++) {
      run(context, 7, seed);
      run(context, ROWS, seed);
    }
    CHECK(hone_alloc_count() == before);
    if (hone_alloc_count() != before)
      fprintf(stderr, "  %d of %s\n", (int)(hone_alloc_count() - before), nets[i]);
    hone_context_free(context);
    hone_engine_free(engine);
  }
}

/* A loop of 1000 turns of as many sizes: a run after the first makes no plan. */
TEST(plans_each_turn_once) {
  hone_engine *engine = build(
      "graph g(x: f32[n, 64]) -> (y) { turns = const s64[] 1000 row = const f32[1, 64] @weights+64"
      " y = loop(turns, _, x, row) {carried=1}"
      " region body(i: s64[], c: bool[], v: f32[m, 64], a: f32[1, 64]) -> (d, q) {"
      " d = identity(c) r = tanh(v) q = concat(r, a) {axis=0} } }");
  hone_context *context = context_on(engine, "2");
  for (int warm = 0; warm < 2; warm++) run(context, 7, 1);
  uint64_t plans = hone_plan_count(), allocations = hone_alloc_count();
  hone_tensor y = run(context, 7, 2);
  CHECK(y.dims[0] == 1007);
  CHECK(hone_plan_count() == plans && hone_alloc_count() == allocations);
  hone_context_free(context);
  hone_engine_free(engine);
}

/* Runs of ever new sizes do not pile up. */
TEST(forgets_what_it_does_not_use) {
  hone_engine *engine = build("graph g(x: f32[n, 64]) -> (y) { y = tanh(x) }");
  hone_context *context = context_on(engine, "1");
  static float data[700 * 64];
  for (int rows = 1; rows <= 700; rows++) {
    hone_tensor x = {.struct_size = sizeof x,
                     .dtype = HONE_F32,
                     .rank = 2,
                     .dims = {rows, 64},
                     .data = data,
                     .size = (size_t)rows * 64 * sizeof(float)};
    CHECK_OK(hone_set_input(context, 0, &x));
    CHECK_OK(hone_run(context));
    CHECK(context->frame->seen.count <= 192);
  }
  hone_context_free(context);
  hone_engine_free(engine);
}

typedef struct caller {
  hone_engine *engine;
  const char *threads;
  const hone_tensor *want; /* by seed from 1 */
  int wrong;
} caller;

static void *call(void *argument) {
  caller *c = argument;
  hone_context *context = context_on(c->engine, c->threads);
  for (uint32_t seed = 1; seed < 7; seed++) {
    hone_tensor got = run(context, ROWS, seed);
    const hone_tensor *want = &c->want[seed - 1];
    c->wrong += got.size != want->size || memcmp(got.data, want->data, want->size) != 0;
  }
  hone_context_free(context);
  return NULL;
}

TEST(gives_the_same_bits_on_any_threads) {
  static const char *const counts[8] = {"1", "2", "3", "4", "1", "2", "5", "7"};
  for (size_t i = 0; i < NET_COUNT; i++) {
    hone_engine *engine = build(nets[i]);
    hone_context *alone[6];
    hone_tensor want[6];
    for (uint32_t seed = 1; seed < 7; seed++) {
      alone[seed - 1] = context_on(engine, "1");
      want[seed - 1] = run(alone[seed - 1], ROWS, seed);
    }
    caller callers[8];
    pthread_t threads[8];
    for (int k = 0; k < 8; k++) {
      callers[k] = (caller){.engine = engine, .threads = counts[k], .want = want};
      pthread_create(&threads[k], NULL, call, &callers[k]);
    }
    for (int k = 0; k < 8; k++) {
      pthread_join(threads[k], NULL);
      CHECK(callers[k].wrong == 0);
    }
    for (int k = 0; k < 6; k++) hone_context_free(alone[k]);
    hone_engine_free(engine);
  }
}

int main(void) {
  RUN(allocates_nothing_when_steady);
  RUN(plans_each_turn_once);
  RUN(forgets_what_it_does_not_use);
  RUN(gives_the_same_bits_on_any_threads);
  return check_report();
}
