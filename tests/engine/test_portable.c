/* Engine files on another processor generation: packed again, said aloud, or refused by name. */
#include "engines.h"

#include <unistd.h>

#include "base/cpu.h"

/* Groups in the root, in a loop and in branches, and one of integers. */
static const char control_net[] =
    "graph g(x: f32[n, h, w, 3]) -> (y) { turns = const s64[] 3"
    " w1 = const f32[3, 3, 3, 48] @weights+0 w2 = const f32[48, 48] @weights+2368"
    " zero = const f32[] 0 axes = const s64[2] [1, 2] all = const s64[2] [0, 1]"
    " c = conv(x, w1) {pads=[1, 1, 1, 1]} r = relu(c) m = reduce(r, axes) {kind=mean, keep=false}"
    " l = loop(turns, _, m, w2) {carried=1}"
    " region body(i: s64[], k: bool[], v: f32[n, 48], b: f32[48, 48]) -> (d, q) {"
    "  d = identity(k) p = matmul(v, b) q = tanh(p) }"
    " s = reduce(l, all) {kind=sum, keep=false} g = greater(s, zero) y = if(g, l)"
    " region then(e: f32[n, 48]) -> (f) { w3 = const f32[48, 48] @weights+3392 f = matmul(e, w3) }"
    " region else(e2: f32[n, 48]) -> (f2) { w4 = const f32[48, 48] @weights+6400"
    "  f2 = matmul(e2, w4) } }";

static const char *const nets[] = {engine_net, control_net};
#define NET_COUNT (sizeof nets / sizeof *nets)

/* From one set of instructions to another, both ways. */
static const struct move {
  uint32_t from, to;
} moves[] = {{~0u, HONE_ISA_AVX2}, {~0u, HONE_ISA_PLAIN},           {HONE_ISA_AVX2, HONE_ISA_PLAIN},
             {HONE_ISA_AVX2, ~0u}, {HONE_ISA_PLAIN, HONE_ISA_AVX2}, {HONE_ISA_PLAIN, ~0u}};
#define MOVE_COUNT (sizeof moves / sizeof *moves)

static char path[64];
static char said[1000];

static void hear(void *argument, int severity, const char *message) {
  (void)argument;
  if (severity <= 1) snprintf(said, sizeof said, "%s", message);
}

/* Builds for the instructions of `isa` and saves. */
static void save_for(uint32_t isa, const char *net, const char *portable) {
  hone_cpu_limit(isa);
  hone_model *model = engine_model(net);
  hone_engine *engine = engine_build(model, "portable", portable);
  CHECK_OK(hone_engine_save(engine, path));
  hone_engine_free(engine);
  hone_model_free(model);
}

static hone_status *open_with(const char *verify, hone_engine **out) {
  hone_options *options = NULL;
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "verify", verify));
  said[0] = 0;
  hone_status *status = hone_engine_open(path, options, out);
  hone_options_free(options);
  return status;
}

/* Largest difference of the engines' answers to a positive and a negative picture. */
static double difference(hone_engine *a, hone_engine *b) {
  hone_context *x = NULL, *y = NULL;
  double worst = 0;
  CHECK_OK(hone_context_new(a, NULL, &x));
  CHECK_OK(hone_context_new(b, NULL, &y));
  for (int i = 0; i < 4; i++) {
    picture p = picture_of(1 + i, 11, 13);
    hone_tensor got = engine_run(x, &p), want = engine_run(y, &p);
    worst = fmax(worst, engine_error(&got, &want));
    free(p.data);
  }
  hone_context_free(x);
  hone_context_free(y);
  return worst;
}

static bool is_same(const struct move *m) {
  hone_cpu_limit(m->from);
  uint32_t from = hone_cpu_isa();
  hone_cpu_limit(m->to);
  return from == hone_cpu_isa();
}

TEST(opens_on_every_generation) {
  for (size_t n = 0; n < NET_COUNT; n++)
    for (size_t m = 0; m < MOVE_COUNT; m++) {
      if (is_same(&moves[m])) continue; /* this machine has no more */
      save_for(moves[m].from, nets[n], "embed");
      hone_cpu_limit(moves[m].to);
      CHECK_ERROR(hone_engine_check(path, NULL), HONE_MISMATCH, "packed again when opened");
      hone_model *model = engine_model(nets[n]);
      hone_engine *plain = engine_build(model, "kernels", "reference"), *engine = NULL;
      for (int lazy = 0; lazy < 2; lazy++) {
        CHECK_OK(open_with(lazy ? "lazy" : "full", &engine));
        CHECK(strstr(said, "packed again") && strstr(said, "it was made for a processor with"));
        CHECK(difference(engine, plain) < bound("model", "fp32"));
        hone_engine_free(engine);
      }
      hone_engine_free(plain);
      hone_model_free(model);
    }
  hone_cpu_limit(~0u);
  unlink(path);
}

/* Packed again and saved, it is an engine of this generation. */
TEST(settles_where_it_is_saved_again) {
  hone_engine *engine = NULL;
  save_for(~0u, engine_net, "embed");
  hone_cpu_limit(HONE_ISA_PLAIN);
  CHECK_OK(open_with("full", &engine));
  CHECK_OK(hone_engine_save(engine, path));
  CHECK_OK(hone_engine_check(path, NULL));
  hone_engine_free(engine);
  CHECK_OK(open_with("full", &engine));
  CHECK(said[0] == 0);
  hone_engine_free(engine);
  hone_cpu_limit(~0u);
  unlink(path);
}

static size_t file_size(void) {
  char *bytes = NULL;
  size_t size = 0;
  CHECK_OK(hone_file_read(path, (size_t)1 << 30, &bytes, &size));
  hone_free(bytes);
  return size;
}

TEST(leaves_the_weights_out) {
  hone_engine *engine = NULL;
  save_for(~0u, control_net, "embed");
  size_t whole = file_size();
  save_for(~0u, control_net, "none");
  size_t bare = file_size();
  CHECK(bare < whole);
  hone_model *model = engine_model(control_net);
  hone_engine *plain = engine_build(model, "kernels", "reference");
  CHECK_OK(hone_engine_check(path, NULL));
  CHECK_OK(open_with("lazy", &engine));
  CHECK(said[0] == 0 && difference(engine, plain) < bound("model", "fp32"));
  CHECK_OK(hone_engine_save(engine, path));
  CHECK(file_size() == bare);
  hone_engine_free(engine);
  hone_engine_free(plain);
  hone_model_free(model);
  uint32_t here = hone_cpu_isa();
  hone_cpu_limit(HONE_ISA_PLAIN);
  if (here != HONE_ISA_PLAIN) {
    CHECK_ERROR(hone_engine_check(path, NULL), HONE_MISMATCH, "portable=none");
    CHECK_ERROR(open_with("full", &engine), HONE_MISMATCH, "portable=none");
  }
  hone_cpu_limit(~0u);
  unlink(path);
}

/* What computes with weights that are not there is refused with their name: here a watched run that
 * also asks for the plain meaning. */
static bool watch(void *argument, const hone_watched *step) {
  (void)argument;
  return step != NULL;
}

TEST(never_computes_with_what_was_left_out) {
  hone_engine *engine = NULL;
  hone_context *context = NULL;
  save_for(~0u, control_net, "none");
  CHECK_OK(open_with("full", &engine));
  CHECK_OK(hone_context_new(engine, NULL, &context));
  hone_watch_runs(context, watch, NULL, true);
  picture p = picture_of(1, 16, 16);
  CHECK_OK(hone_set_input(context, 0, &p.tensor));
  CHECK_ERROR(hone_run(context), HONE_MISMATCH, "without the weights of");
  hone_watch_runs(context, NULL, NULL, false);
  CHECK_OK(hone_run(context));
  hone_context_free(context);
  hone_engine_free(engine);
  free(p.data);
  unlink(path);
}

TEST(refuses_what_contradicts) {
  hone_model *model = engine_model(engine_net);
  hone_options *options = engine_options("portable", "reference");
  hone_engine *engine = NULL;
  CHECK_ERROR(hone_build(model, options, &engine), HONE_INVALID_ARGUMENT, "opened by its path");
  CHECK_OK(hone_options_set(options, "portable", "none"));
  CHECK_OK(hone_options_set(options, "refit", "true"));
  CHECK_ERROR(hone_build(model, options, &engine), HONE_INVALID_ARGUMENT, "portable=none");
  hone_options_free(options);
  hone_model_free(model);
}

int main(void) {
  snprintf(path, sizeof path, "/tmp/hone_test_portable_%d", (int)getpid());
  hone_set_logger(hear, NULL);
  RUN(opens_on_every_generation);
  RUN(settles_where_it_is_saved_again);
  RUN(leaves_the_weights_out);
  RUN(never_computes_with_what_was_left_out);
  RUN(refuses_what_contradicts);
  return check_report();
}
