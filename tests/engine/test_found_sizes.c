/* Sizes that only running tells, from kernels: as the reference, on any number of threads, with
 * memory that is there before. */
#include "engines.h"

typedef struct found_case {
  const char *text; /* x: f32[6, 7, 50], zero where seeded so; s: f32[2, 3, 60] scores; b: boxes */
  bool scores;
} found_case;

#define X "graph g(x: f32[6, 7, 50]) -> (y) {"
#define B "graph g(b: f32[2, 60, 4], s: f32[2, 3, 60]) -> (y) { o = const f32[] 0.3"

static const found_case cases[] = {
    {X " y = nonzero(x) }", false},
    {X " z = const f32[] 0 m = greater(x, z) y = nonzero(m) }", false},
    {X " i = cast(x) {to=s64} y = nonzero(i) }", false},
    {X " i = cast(x) {to=f16} y = nonzero(i) }", false},
    {X " z = const f32[] 0 m = greater(x, z) y = compress(x, m) }", false},
    {X " p = nonzero(x) t = transpose(p) y = gather_nd(x, t) }", false},
    {"graph g(x: f32[6, 7, 50]) -> (y) { c = const bool[5] [true, false, true, true, false]"
     " f = relu(x) y = compress(f, c) {flat=false, axis=1} }",
     false},
    {B " k = const s64[] 5 y = nms(b, s, k, o) }", true},
    {B " k = const s64[] 1000 l = const f32[] 0.2 y = nms(b, s, k, o, l) {center=true} }", true},
    {B " k = const s64[] 1000 l = const f32[] 9 y = nms(b, s, k, o, l) }", true},
};

static float data[2][2100];

static void fill(uint32_t seed) {
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < 2100; i++) {
      float value = engine_random(&seed);
      data[k][i] = value < -0.5f ? 0 : roundf(value * 8) / 4;
    }
}

static hone_engine *build(const char *text, const char *passes) {
  hone_options *options = NULL;
  hone_engine *engine = NULL;
  hone_model *model = engine_model(text);
  CHECK_OK(hone_options_new(&options));
  if (passes) CHECK_OK(hone_options_set(options, "passes", passes));
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

static hone_tensor run(hone_context *context, bool scores) {
  hone_tensor x = {.struct_size = sizeof x,
                   .dtype = HONE_F32,
                   .rank = 3,
                   .dims = {6, 7, 50},
                   .data = data[0],
                   .size = 2100 * 4};
  hone_tensor b = {.struct_size = sizeof b,
                   .dtype = HONE_F32,
                   .rank = 3,
                   .dims = {2, 60, 4},
                   .data = data[0],
                   .size = 480 * 4};
  hone_tensor s = {.struct_size = sizeof s,
                   .dtype = HONE_F32,
                   .rank = 3,
                   .dims = {2, 3, 60},
                   .data = data[1],
                   .size = 360 * 4};
  hone_tensor out = {.struct_size = sizeof out};
  CHECK_OK(hone_set_input(context, 0, scores ? &b : &x));
  if (scores) CHECK_OK(hone_set_input(context, 1, &s));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 0, &out));
  return out;
}

static bool same(const hone_tensor *a, const hone_tensor *b) {
  if (a->rank != b->rank || a->dtype != b->dtype || a->size != b->size) return false;
  for (int d = 0; d < a->rank; d++)
    if (a->dims[d] != b->dims[d]) return false;
  return a->size == 0 || memcmp(a->data, b->data, a->size) == 0;
}

static bool on_kernels(const hone_engine *engine) {
  for (size_t u = 0; u < engine->program->unit_count; u++)
    if (engine->program->units[u].kind == HONE_UNIT_PLAIN) return false;
  return true;
}

TEST(finds_as_the_reference) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hone_engine *fast = build(cases[i].text, NULL), *plain = build(cases[i].text, "none");
    CHECK(on_kernels(fast));
    for (const char *threads = "123"; *threads; threads++) {
      char count[2] = {*threads};
      hone_context *a = context_on(fast, count), *b = context_on(plain, "1");
      for (uint32_t seed = 1; seed < 5; seed++) {
        fill(seed);
        if (seed == 3) memset(data, 0, sizeof data);
        hone_tensor got = run(a, cases[i].scores), want = run(b, cases[i].scores);
        CHECK(same(&got, &want));
        if (!same(&got, &want)) fprintf(stderr, "  of %s, seed %u\n", cases[i].text, seed);
      }
      hone_context_free(a);
      hone_context_free(b);
    }
    hone_engine_free(fast);
    hone_engine_free(plain);
  }
}

TEST(allocates_nothing_when_steady) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hone_engine *engine = build(cases[i].text, NULL);
    hone_context *context = context_on(engine, "2");
    fill(1);
    run(context, cases[i].scores);
    run(context, cases[i].scores);
    uint64_t before = hone_alloc_count();
    run(context, cases[i].scores);
    CHECK(hone_alloc_count() == before);
    hone_context_free(context);
    hone_engine_free(engine);
  }
}

int main(void) {
  RUN(finds_as_the_reference);
  RUN(allocates_nothing_when_steady);
  return check_report();
}
