/* Kernels chosen by whole runs, on the stand-ins: a clock of the test's says what work takes. */
#include <unistd.h>

#include "../engine/engines.h"
#include "on_stand_in.h"

/* A library's products are faster between marks, kernels that follow each other inside a run. */
static const stand_in_clock early_clock = {.launch = 100000, .early = 20000, .call = 90000};
/* The same, in a run that is too long. */
static const stand_in_clock long_clock = {.launch = 1000000, .early = 200000, .call = 900000};
/* And more so where the one before lets them begin at once. */
static const stand_in_clock ready_clock = {
    .launch = 100000, .early = 20000, .ready = 5000, .call = 90000};
/* Here marks are right. */
static const stand_in_clock plain_clock = {.launch = 100000, .early = 100000, .call = 90000};

/* Three layers of one kind: one alone on a kernel has none before it that it may begin early after. */
static const char net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " w0 = const f32[1, 1, 3, 16] @weights+0 w1 = const f32[1, 1, 16, 16] @weights+64"
    " w2 = const f32[1, 1, 16, 16] @weights+1728 w3 = const f32[1, 1, 16, 16] @weights+2368"
    " a = conv(x, w0) b = relu(a) c = conv(b, w1) d = relu(c) e = conv(d, w2) f = relu(e)"
    " g = conv(f, w3) y = relu(g) }";

typedef struct cache_file {
  char path[64];
} cache_file;

static cache_file new_cache(void) {
  static int count;
  cache_file made;
  snprintf(made.path, sizeof made.path, "/tmp/hone-inside-%d-%d.txt", (int)getpid(), count++);
  return made;
}

static void drop_cache(const cache_file *cache) {
  char code[80];
  snprintf(code, sizeof code, "%s.code", cache->path);
  unlink(cache->path);
  unlink(code);
}

static hone_options *options_with(const cache_file *cache, const char *name, const char *value) {
  hone_options *options = engine_options("device", "cuda");
  CHECK_OK(hone_options_set(options, "measure", "true"));
  CHECK_OK(hone_options_set(options, "shapes", "x:1x4x4x3"));
  CHECK_OK(hone_options_set(options, "timing-cache", cache->path));
  if (name) CHECK_OK(hone_options_set(options, name, value));
  return options;
}

static hone_engine *build_as(const hone_model *model, hone_options *options) {
  hone_engine *engine = NULL;
  CHECK_OK(hone_build(model, options, &engine));
  hone_options_free(options);
  return engine;
}

static bool holds(const cache_file *cache, const char *words) {
  static char text[1 << 16];
  FILE *file = fopen(cache->path, "r");
  size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file) fclose(file);
  text[size] = 0;
  return strstr(text, words) != NULL;
}

typedef struct expected {
  bool library;  /* the layers are on it */
  bool measured; /* something was, */
  bool whole;    /* and whole runs */
} expected;

static void check_build(const hone_model *model, const cache_file *cache, const char *name,
                        const char *value, expected want) {
  uint64_t before = now().timed_whole;
  hone_engine *engine = build_as(model, options_with(cache, name, value));
  CHECK(engine_reports(engine, "cuda.cublaslt") == want.library);
  CHECK(engine_reports(engine, "\"measured\": 0,") == !want.measured);
  CHECK((now().timed_whole > before) == want.whole);
  hone_engine_free(engine);
}

static void check_output(const hone_model *model, hone_engine *engine) {
  hone_engine *plain = engine_build(model, "kernels", "reference");
  hone_context *context = NULL, *reference = NULL;
  picture p = picture_of(1, 4, 4);
  CHECK_OK(hone_context_new(engine, NULL, &context));
  CHECK_OK(hone_context_new(plain, NULL, &reference));
  hone_tensor want = engine_run(reference, &p);
  for (int run = 0; run < 3; run++) {
    hone_tensor got = engine_run(context, &p);
    CHECK(engine_error(&got, &want) < bound("model", "fp32"));
  }
  free(p.data);
  hone_context_free(context);
  hone_context_free(reference);
  hone_engine_free(plain);
}

/* Who knows the cache chooses the same and times nothing, whatever the clock says by then. */
TEST(what_makes_runs_shorter) {
  cache_file cache = new_cache();
  hone_model *model = engine_model(net);
  set_clock(&early_clock);
  uint64_t before = now().timed_whole;
  hone_engine *engine = build_as(model, options_with(&cache, NULL, NULL));
  CHECK(!engine_reports(engine, "cuda.cublaslt"));
  CHECK(engine_reports(engine, "\"nanoseconds\": 100000"));
  CHECK(now().timed_whole > before);
  CHECK(holds(&cache, "+") && holds(&cache, "\trun\t0\t"));
  set_clock(&plain_clock);
  check_output(model, engine);
  hone_engine_free(engine);
  check_build(model, &cache, NULL, NULL, (expected){.library = false});
  check_build(model, &cache, "frozen-cache", "true", (expected){.library = false});
  check_build(model, &cache, "measure", "false", (expected){.library = false});
  drop_cache(&cache);
  hone_model_free(model);
}

static hone_engine *loaded_from_file(const hone_engine *engine) {
  char path[64];
  hone_engine *loaded = NULL;
  snprintf(path, sizeof path, "/tmp/hone-inside-%d.hone", (int)getpid());
  CHECK_OK(hone_engine_save(engine, path));
  CHECK_OK(hone_engine_open(path, NULL, &loaded));
  unlink(path);
  return loaded;
}

/* Whether a group's variant is 4096 and another: what follows may begin at once. */
static bool lets_others_begin(const hone_engine *engine) {
  char *report = NULL;
  bool found = false;
  CHECK_OK(hone_engine_report(engine, &report));
  for (const char *at = report; (at = strstr(at, "\"variant\": ")); at++)
    found |= strtol(at + strlen("\"variant\": "), NULL, 10) >= 4096;
  hone_text_release(report);
  return found;
}

/* What follows may begin at once where that makes runs shorter, and only there; the file says it. */
TEST(what_lets_others_begin) {
  cache_file cache = new_cache();
  hone_model *model = engine_model(net);
  set_clock(&ready_clock);
  hone_engine *engine = build_as(model, options_with(&cache, NULL, NULL));
  CHECK(lets_others_begin(engine));
  check_output(model, engine);
  hone_engine *loaded = loaded_from_file(engine);
  CHECK(lets_others_begin(loaded));
  check_output(model, loaded);
  hone_engine_free(loaded);
  hone_engine_free(engine);
  check_build(model, &cache, "frozen-cache", "true", (expected){.library = false});
  drop_cache(&cache);
  cache = new_cache();
  set_clock(&early_clock);
  engine = build_as(model, options_with(&cache, NULL, NULL));
  CHECK(!lets_others_begin(engine));
  hone_engine_free(engine);
  drop_cache(&cache);
  hone_model_free(model);
}

TEST(what_marks_are_right_of) {
  cache_file cache = new_cache();
  hone_model *model = engine_model(net);
  set_clock(&plain_clock);
  check_build(model, &cache, NULL, NULL, (expected){.library = true, .measured = true, .whole = true});
  CHECK(holds(&cache, "+") && holds(&cache, "\trun\t0\t"));
  check_build(model, &cache, NULL, NULL, (expected){.library = true});
  drop_cache(&cache);
  hone_model_free(model);
}

/* It is looked at once, and then known to be too long. */
TEST(a_long_run) {
  cache_file cache = new_cache();
  hone_model *model = engine_model(net);
  set_clock(&long_clock);
  check_build(model, &cache, NULL, NULL, (expected){.library = true, .measured = true, .whole = true});
  CHECK(!holds(&cache, "+") && holds(&cache, "\trun\t0\t"));
  check_build(model, &cache, NULL, NULL, (expected){.library = true});
  drop_cache(&cache);
  hone_model_free(model);
}

/* ---- Stopped ------------------------------------------------------------------------------------ */

static bool stop_at_runs(void *argument, const char *phase, size_t done, size_t total, double left) {
  int *runs = argument;
  (void)done, (void)total, (void)left;
  *runs -= strcmp(phase, "measuring runs") == 0;
  return *runs > 0;
}

/* Stopped when it has asked so often. */
static hone_status *build_stopped(const hone_model *model, const cache_file *cache, int runs,
                                  const char *cancel, hone_engine **out) {
  hone_options *options = options_with(cache, "cancel", cancel);
  hone_options_set_progress(options, stop_at_runs, &runs);
  hone_status *status = hone_build(model, options, out);
  hone_options_free(options);
  return status;
}

/* What marks told stays; who may not measure chooses by that, and who may goes on from there. */
TEST(a_build_that_is_stopped) {
  hone_model *model = engine_model(net);
  set_clock(&early_clock);
  for (int runs = 1; runs < 12; runs += 5) {
    cache_file cache = new_cache();
    hone_engine *engine = NULL;
    CHECK_OK(build_stopped(model, &cache, runs, "keep", &engine));
    CHECK(engine_reports(engine, "cuda.cublaslt"));
    hone_engine_free(engine);
    CHECK(!holds(&cache, "+") && !holds(&cache, "\trun\t0\t"));
    check_build(model, &cache, "frozen-cache", "true", (expected){.library = true});
    check_build(model, &cache, "measure", "false", (expected){.library = true});
    check_build(model, &cache, NULL, NULL,
                (expected){.library = false, .measured = true, .whole = true});
    check_build(model, &cache, NULL, NULL, (expected){.library = false});
    drop_cache(&cache);
  }
  hone_model_free(model);
}

TEST(a_build_that_is_to_fail) {
  cache_file cache = new_cache();
  hone_model *model = engine_model(net);
  hone_engine *engine = NULL;
  stand_in_state before = now();
  set_clock(&early_clock);
  CHECK_ERROR(build_stopped(model, &cache, 3, "fail", &engine), HONE_CANCELLED, "cancelled");
  CHECK(!engine && now().objects == before.objects);
  drop_cache(&cache);
  hone_model_free(model);
}

/* A build that knows all but whole runs, in which something fails: an error, and nothing stays. */
static void check_failing(const hone_model *model, void (*fail)(uint64_t), uint64_t number) {
  cache_file cache = new_cache();
  hone_engine *engine = NULL;
  CHECK_OK(build_stopped(model, &cache, 1, "keep", &engine));
  hone_engine_free(engine);
  engine = NULL;
  hone_options *options = options_with(&cache, NULL, NULL);
  stand_in_state before = now();
  fail(number);
  hone_status *status = hone_build(model, options, &engine);
  fail(0);
  if (!status) hone_engine_free(engine);
  CHECK(now().objects == before.objects);
  hone_status_free(status);
  hone_options_free(options);
  drop_cache(&cache);
}

static void fail_call(uint64_t number) {
  set_failure(number, number ? 699 : 0);
}

static void fail_memory(uint64_t number) {
  hone_alloc_fail_at(number, false);
}

TEST(anything_may_fail) {
  hone_model *model = engine_model(net);
  set_clock(&early_clock);
  for (uint64_t i = 32; i <= 4096; i *= 2) check_failing(model, fail_call, i);
  for (uint64_t i = 50; i <= 450; i += 50) check_failing(model, fail_memory, i);
  hone_model_free(model);
}

int main(void) {
  int code;
  if (!stand_in_is_there(&code)) return code;
  RUN(what_makes_runs_shorter);
  RUN(what_lets_others_begin);
  RUN(what_marks_are_right_of);
  RUN(a_long_run);
  RUN(a_build_that_is_stopped);
  RUN(a_build_that_is_to_fail);
  RUN(anything_may_fail);
  CHECK(now().violations == 0);
  return check_report();
}
