/* Groups whose sizes only a run tells get kernels by time too: in loops, in both branches, and
 * after what is found. */
#include "engines.h"

#include <unistd.h>

#include "engine/tune.h"

/* Convolutions have several candidates. */
static const struct net {
  const char *text;
  int groups; /* with more than one candidate, at least */
} nets[] = {
    /* a body, what it carries, what it takes from outside */
    {"graph g(x: f32[n, 12, 12, 16]) -> (y) { turns = const s64[] 3 y = loop(turns, _, x, x)"
     " {carried=1}"
     " region body(i: s64[], c: bool[], v: f32[n, 12, 12, 16], b: f32[n, 12, 12, 16]) -> (d, q) {"
     "  d = identity(c) k = const f32[3, 3, 16, 16] @weights+256"
     "  p = conv(v, k) {pads=[1, 1, 1, 1]} h = const f32[] 0.05 s = mul(p, h)"
     "  r = add(s, b) q = tanh(r) } }",
     1},
    /* the branch that the run does not take is measured like the other; a loop inside it */
    {"graph g(x: f32[n, 12, 12, 16]) -> (y) { z = const s64[4] [0, 1, 2, 3] o = const f32[] 1e9"
     " m = reduce(x, z) {kind=sum, keep=false} c = greater(m, o) y = if(c, x)"
     " region then(a: f32[n, 12, 12, 16]) -> (r) { t = const s64[] 2 r = loop(t, _, a) {carried=1}"
     "  region body(i: s64[], k: bool[], v: f32[n, 12, 12, 16]) -> (d, q) {"
     "   d = identity(k) w = const f32[3, 3, 16, 16] @weights+0"
     "   q = conv(v, w) {pads=[1, 1, 1, 1]} } }"
     " region else(e: f32[n, 12, 12, 16]) -> (q2) { w2 = const f32[3, 3, 16, 16] @weights+512"
     "  q2 = conv(e, w2) {pads=[1, 1, 1, 1]} } }",
     2},
    /* beyond sizes that are found */
    {"graph g(x: f32[n, 12, 12, 16]) -> (y) { z = const f32[] -9 w = const f32[3, 3, 16, 16]"
     " @weights+0 m = greater(x, z) p = nonzero(m) t = transpose(p) v = gather_nd(x, t)"
     " u = const s64[4] [-1, 12, 12, 16] g = reshape(v, u) y = conv(g, w) {pads=[1, 1, 1, 1]} }",
     1},
};
#define NET_COUNT (sizeof nets / sizeof *nets)

static char path[64], cache[80];

static hone_engine *build(const char *text, bool frozen, hone_code wanted) {
  hone_options *options = NULL;
  hone_engine *engine = NULL;
  hone_model *model = engine_model(text);
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "shapes", "x:2x12x12x16"));
  CHECK_OK(hone_options_set(options, "timing-cache", cache));
  CHECK_OK(hone_options_set(options, "frozen-cache", frozen ? "true" : "false"));
  hone_status *status = hone_build(model, options, &engine);
  CHECK(hone_status_code(status) == wanted);
  hone_status_free(status);
  hone_options_free(options);
  hone_model_free(model);
  return engine;
}

typedef struct counts {
  int several, measured;
} counts;

static hone_status *count(void *argument, hone_unit *unit) {
  counts *c = argument;
  if (!unit->body || unit->choice.candidate_count < 2) return NULL;
  c->several++;
  c->measured += unit->choice.measured;
  if (!unit->choice.measured)
    fprintf(stderr, "  not measured: %s on %s\n", hone_node_label(unit->node),
            unit->choice.candidate);
  return NULL;
}

static hone_tensor run(hone_context *context, int pictures) {
  static float data[4 * 12 * 12 * 16];
  uint32_t state = 9;
  size_t count = (size_t)pictures * 12 * 12 * 16;
  for (size_t i = 0; i < count; i++) data[i] = engine_random(&state);
  hone_tensor x = {.struct_size = sizeof x,
                   .dtype = HONE_F32,
                   .rank = 4,
                   .dims = {pictures, 12, 12, 16},
                   .data = data,
                   .size = count * sizeof(float)};
  hone_tensor out = {.struct_size = sizeof out};
  CHECK_OK(hone_set_input(context, 0, &x));
  CHECK_OK(hone_run(context));
  CHECK_OK(hone_get_output(context, 0, &out));
  return out;
}

static void check_answers(hone_engine *engine, const char *text) {
  hone_model *model = engine_model(text);
  hone_engine *plain = engine_build(model, "kernels", "reference");
  hone_context *a = NULL, *b = NULL;
  CHECK_OK(hone_context_new(engine, NULL, &a));
  CHECK_OK(hone_context_new(plain, NULL, &b));
  for (int pictures = 1; pictures <= 4; pictures++) {
    hone_tensor got = run(a, pictures), want = run(b, pictures);
    CHECK(engine_error(&got, &want) < bound("model", "fp32"));
  }
  hone_context_free(a);
  hone_context_free(b);
  hone_engine_free(plain);
  hone_model_free(model);
}

TEST(every_group_is_measured) {
  for (size_t i = 0; i < NET_COUNT; i++) {
    counts c = {0, 0};
    unlink(cache);
    hone_engine *engine = build(nets[i].text, false, HONE_OK);
    CHECK_OK(hone_visit_units(engine->program, count, &c));
    CHECK(c.several >= nets[i].groups && c.measured == c.several);
    check_answers(engine, nets[i].text);
    hone_engine_free(engine);
  }
}

/* The cache that such a build leaves answers the next one: nothing is timed, the bytes are the
 * same. */
TEST(a_full_cache_makes_it_a_function) {
  for (size_t i = 0; i < NET_COUNT; i++) {
    char *bytes[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    unlink(cache);
    for (int turn = 0; turn < 2; turn++) {
      uint64_t before = hone_timing_count();
      hone_engine *engine = build(nets[i].text, turn == 1, HONE_OK);
      CHECK(turn == 0 || hone_timing_count() == before);
      CHECK_OK(hone_engine_save(engine, path));
      CHECK_OK(hone_file_read(path, (size_t)1 << 30, &bytes[turn], &sizes[turn]));
      hone_engine_free(engine);
    }
    CHECK(sizes[0] == sizes[1] && memcmp(bytes[0], bytes[1], sizes[0]) == 0);
    hone_free(bytes[0]);
    hone_free(bytes[1]);
  }
  unlink(path);
  unlink(cache);
}

static bool stop_while_running(void *argument, const char *phase, size_t done, size_t total,
                               double left) {
  (void)done, (void)total, (void)left;
  *(int *)argument += strcmp(phase, "running once") == 0;
  return strcmp(phase, "running once") != 0;
}

/* A loop of ever so many turns: asked while it runs, the build ends with what it has, or fails. */
TEST(a_long_run_can_be_stopped) {
  static const char text[] =
      "graph g(x: f32[n, 12, 12, 16]) -> (y) { turns = const s64[] 1000000000000"
      " y = loop(turns, _, x) {carried=1}"
      " region body(i: s64[], c: bool[], v: f32[n, 12, 12, 16]) -> (d, q) { d = identity(c)"
      "  k = const f32[3, 3, 16, 16] @weights+256 p = conv(v, k) {pads=[1, 1, 1, 1]} q = tanh(p) } "
      "}";
  for (int fails = 0; fails < 2; fails++) {
    hone_options *options = NULL;
    hone_engine *engine = NULL;
    hone_model *model = engine_model(text);
    int asked = 0;
    CHECK_OK(hone_options_new(&options));
    CHECK_OK(hone_options_set(options, "cancel", fails ? "fail" : "keep"));
    hone_options_set_progress(options, stop_while_running, &asked);
    hone_status *status = hone_build(model, options, &engine);
    CHECK(hone_status_code(status) == (fails ? HONE_CANCELLED : HONE_OK) && asked > 0);
    hone_status_free(status);
    if (!status) hone_engine_free(engine);
    hone_options_free(options);
    hone_model_free(model);
  }
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/hone_test_trial_%d", (int)getpid());
  snprintf(cache, sizeof cache, "%s.cache", path);
  RUN(every_group_is_measured);
  RUN(a_full_cache_makes_it_a_function);
  RUN(a_long_run_can_be_stopped);
  return check_report();
}
