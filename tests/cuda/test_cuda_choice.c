/* Candidates on the GPU, on the stand-ins: timed inside the run, chosen, kept, and done without. */
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../engine/engines.h"

#include <hone/refit.h>

#include "backend/cuda/code.h"
#include "engine/plan.h"
#include "engine/timing_cache.h"
#include "stand_in.h"

static void (*read_state)(stand_in_state *);
static void (*set_failure)(uint64_t call, int result);
static void (*read_lt)(uint64_t *advice, uint64_t *products);

static stand_in_state now(void) {
  stand_in_state state;
  read_state(&state);
  return state;
}

static uint64_t products(void) {
  uint64_t advice, count = 0;
  if (read_lt) read_lt(&advice, &count);
  return count;
}

static uint64_t advice_asked(void) {
  uint64_t advice = 0, count;
  if (read_lt) read_lt(&advice, &count);
  return advice;
}

/* Products with a bias, a residual, an activation that the library has and one that it has not. */
static const char net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " w1 = const f32[1, 1, 3, 16] @weights+0 b1 = const f32[16] @weights+1728"
    " w2 = const f32[1, 1, 16, 16] @weights+2368 w3 = const f32[1, 1, 16, 8] @weights+64"
    " c = conv(x, w1, b1) r = relu(c) d = conv(r, w2, b1) e = add(d, r) f = relu(e)"
    " g = conv(f, w3) y = gelu(g) }";

static hone_engine *build(const hone_model *model, const char *name, const char *value) {
  hone_options *options = engine_options("device", "cuda");
  hone_engine *engine = NULL;
  CHECK_OK(hone_options_set(options, "measure", "true"));
  if (name) CHECK_OK(hone_options_set(options, name, value));
  CHECK_OK(hone_build(model, options, &engine));
  hone_options_free(options);
  return engine;
}

/* Runs pictures of the size on both engines, several times each. */
static void check_within(const hone_model *model, hone_engine *engine, int n, int h, int w,
                         double tolerance) {
  hone_engine *plain = engine_build(model, "kernels", "reference");
  hone_context *context = NULL, *reference = NULL;
  picture p = picture_of(n, h, w);
  CHECK_OK(hone_context_new(engine, NULL, &context));
  CHECK_OK(hone_context_new(plain, NULL, &reference));
  hone_tensor want = engine_run(reference, &p);
  for (int run = 0; run < 3; run++) {
    hone_tensor got = engine_run(context, &p);
    CHECK(engine_error(&got, &want) < tolerance);
  }
  free(p.data);
  hone_context_free(context);
  hone_context_free(reference);
  hone_engine_free(plain);
}
static void check_alike(const hone_model *model, hone_engine *engine, int n, int h, int w) {
  check_within(model, engine, n, h, w, bound("model", "fp32"));
}

/* The stand-in's products are done by plain loops, ours by fibres in its place: it is faster. */
TEST(the_fastest_is_chosen) {
  hone_model *model = engine_model(net);
  hone_engine *engine = build(model, NULL, NULL);
  CHECK(engine_reports(engine, "\"kernel\": \"cuda.cublaslt\""));
  CHECK(engine_reports(engine, "\"needs\": \"cuBLASLt 12.0\""));
  uint64_t before = products();
  check_alike(model, engine, 1, 16, 16);
  CHECK(products() > before);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* What was chosen for some sizes is for those alone, and planning others asks nobody. */
TEST(other_sizes_run_without) {
  hone_model *model = engine_model(net);
  hone_engine *engine = build(model, NULL, NULL);
  uint64_t before = products(), advice = advice_asked(), compiled = hone_cuda_code_compile_count();
  check_alike(model, engine, 2, 9, 13);
  check_alike(model, engine, 1, 3, 5);
  CHECK(products() == before);
  CHECK(advice_asked() == advice);
  CHECK(hone_cuda_code_compile_count() == compiled);
  hone_engine_free(engine);
  hone_model_free(model);
}

TEST(the_driver_alone) {
  hone_model *model = engine_model(net);
  hone_engine *engine = build(model, "needs", "driver");
  CHECK(!engine_reports(engine, "cublaslt"));
  uint64_t before = products();
  check_alike(model, engine, 1, 16, 16);
  CHECK(products() == before);
  hone_engine_free(engine);
  hone_model_free(model);
}

TEST(a_cache_that_knows_all) {
  char path[64];
  snprintf(path, sizeof path, "/tmp/hone-choice-%d.txt", (int)getpid());
  hone_model *model = engine_model(net);
  hone_engine *first = build(model, "timing-cache", path);
  hone_engine *second = build(model, "timing-cache", path);
  CHECK(!engine_reports(first, "\"measured\": 0,"));
  CHECK(engine_reports(second, "\"measured\": 0,"));
  CHECK(engine_reports(second, "\"kernel\": \"cuda.cublaslt\""));
  check_alike(model, second, 1, 16, 16);
  hone_engine_free(first);
  hone_engine_free(second);
  hone_model_free(model);
  unlink(path);
  snprintf(path + strlen(path), sizeof path - strlen(path), ".code");
  CHECK(unlink(path) == 0);
}

/* ---- Bytes -------------------------------------------------------------------------------------- */

/* Layers that exchange bytes: a first one, a pooling, a depthwise one with a function of bytes after it,
 * a residual, a mean, a dense layer; zero points of every kind. */
static const char net_of_bytes[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " s0 = const f32[] 0.0078 z0 = const u8[] 117 s1 = const f32[] 0.05 z1 = const u8[] 0"
    " s2 = const f32[] 0.11 z2 = const u8[] 9 s3 = const f32[] 0.3 z3 = const u8[] 131"
    " s4 = const f32[] 0.02"
    " v1 = const s8[3, 3, 3, 16] @weights+0 t1 = const f32[] 0.004 w1 = dequantize(v1, t1)"
    " v2 = const s8[3, 3, 1, 16] @weights+1792 w2 = dequantize(v2, t1) b1 = const f32[16] @weights+1728"
    " v3 = const s8[1, 1, 16, 16] @weights+2368 w3 = dequantize(v3, t1)"
    " b4 = const f32[10] @weights+4096"
    " v4 = const u8[16, 10] @weights+3392 k4 = const u8[] 121 w4 = dequantize(v4, t1, k4)"
    " axes = const s64[2] [1, 2]"
    " q0 = quantize(x, s0, z0) d0 = dequantize(q0, s0, z0)"
    " c1 = conv(d0, w1, b1) {strides=[2, 2], pads=[1, 1, 1, 1]} r1 = relu(c1)"
    " q1 = quantize(r1, s1, z1) d1 = dequantize(q1, s1, z1)"
    " p1 = pool(d1) {kind=max, window=[3, 3], pads=[1, 1, 1, 1]}"
    " q2 = quantize(p1, s1, z1) d2 = dequantize(q2, s1, z1)"
    " c2 = conv(d2, w2) {pads=[1, 1, 1, 1], groups=16}"
    " q3 = quantize(c2, s2, z2) d3 = dequantize(q3, s2, z2) h3 = hard_swish(d3)"
    " q4 = quantize(h3, s1, z2) d4 = dequantize(q4, s1, z2)"
    " c3 = conv(d4, w3, b1) a3 = add(c3, d2) q5 = quantize(a3, s3, z3) d5 = dequantize(q5, s3, z3)"
    " m = reduce(d5, axes) {kind=mean, keep=false}"
    " q6 = quantize(m, s4, z3) d6 = dequantize(q6, s4, z3)"
    " f = matmul(d6, w4) y = add(f, b4) }";

/* Adds to a cache that all variants of the kernels which ran take a nanosecond. */
static void prefer(const char *path, const char *const *kernels, int count) {
  char line[400];
  FILE *from = fopen(path, "r"), *to = fopen(path, "a");
  long end = 0;
  CHECK(from && to && fseek(from, 0, SEEK_END) == 0 && (end = ftell(from)) > 0);
  for (rewind(from); ftell(from) < end && fgets(line, sizeof line, from);) {
    char *time = strrchr(line, '\t');
    for (int k = 0; k < count && time; k++)
      if (strstr(line, kernels[k]) && strtod(time, NULL) < HONE_TIMING_NEVER)
        fprintf(to, "%.*s\t1\n", (int)(time - line), line);
  }
  fclose(from);
  fclose(to);
}

/* Everything on the GPU, by the first rows and, where a cache says that these were faster, by chosen
 * tiles: the same output either way, with other sizes too. */
TEST(bytes_by_their_own_kernels) {
  static const char *const kernels[] = {"cuda.integer_tensor", "cuda.integer_depthwise"};
  char path[64];
  snprintf(path, sizeof path, "/tmp/hone-bytes-%d.txt", (int)getpid());
  hone_model *model = engine_model(net_of_bytes);
  hone_engine *first = build(model, "timing-cache", path);
  CHECK(!engine_reports(first, "no kernel") && !engine_reports(first, "\"kernel\": \"reference\""));
  CHECK(engine_reports(first, "conv_integer") && engine_reports(first, "matmul_integer"));
  CHECK(engine_reports(first, "byte_table"));
  check_alike(model, first, 1, 16, 16);
  prefer(path, kernels, 2);
  hone_engine *second = build(model, "timing-cache", path);
  CHECK(engine_reports(second, "\"measured\": 0,"));
  for (int k = 0; k < 2; k++) {
    char words[64];
    snprintf(words, sizeof words, "\"kernel\": \"%s\"", kernels[k]);
    CHECK(engine_reports(second, words));
  }
  check_alike(model, second, 1, 16, 16);
  check_alike(model, second, 2, 9, 13);
  hone_engine_free(first);
  hone_engine_free(second);
  hone_model_free(model);
  unlink(path);
  snprintf(path + strlen(path), sizeof path - strlen(path), ".code");
  unlink(path);
}

/* ---- Kernels' code beside the cache, in other processes ------------------------------------------ */

static char own_path[512];
enum { COMPILED = 20, RECALLED = 21 };

/* Builds with that cache; whether that compiled anything. */
static int build_there(const char *cache) {
  hone_model *model = engine_model(net);
  hone_engine *engine = build(model, "timing-cache", cache);
  check_alike(model, engine, 1, 16, 16);
  hone_engine_free(engine);
  hone_model_free(model);
  return check_failed ? 1 : hone_cuda_code_compile_count() ? COMPILED : RECALLED;
}

static int built_in_another(const char *cache) {
  pid_t child = fork();
  if (child == 0) {
    execl(own_path, own_path, "build", cache, (char *)NULL);
    _exit(99);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(code_beside_the_cache) {
  char cache[64], code[80];
  snprintf(cache, sizeof cache, "/tmp/hone-code-%d.txt", (int)getpid());
  snprintf(code, sizeof code, "%s.code", cache);
  CHECK(built_in_another(cache) == COMPILED);
  CHECK(built_in_another(cache) == RECALLED);
  CHECK(truncate(code, 5000) == 0);
  CHECK(built_in_another(cache) == COMPILED);
  CHECK(built_in_another(cache) == RECALLED);
  unlink(cache);
  unlink(code);
}

/* ---- An engine's file in another process ------------------------------------------------------- */

static int in_another(const char *path, const char *variable, const char *value) {
  pid_t child = fork();
  if (child == 0) {
    setenv(variable, value, 1);
    execl(own_path, own_path, path, (char *)NULL);
    _exit(99);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Opens the file and runs it; 10 where the library is missing, which check and report say. */
static int open_there(const char *path) {
  hone_model *model = engine_model(net);
  hone_engine *engine = NULL;
  char *report = NULL;
  CHECK_OK(hone_engine_check(path, &report));
  CHECK_OK(hone_engine_open(path, NULL, &engine));
  bool named = report && strstr(report, "HONE_CUBLASLT names /nowhere.so");
  bool missing = engine_reports(engine, "HONE_CUBLASLT names /nowhere.so");
  check_alike(model, engine, 1, 16, 16);
  check_alike(model, engine, 2, 5, 6);
  CHECK(strstr(report, "cuBLASLt 12.0") && named == missing);
  CHECK((products() > 0) == !missing);
  hone_text_release(report);
  hone_engine_free(engine);
  hone_model_free(model);
  return check_failed ? 12 : missing ? 10 : 0;
}

TEST(opened_elsewhere) {
  char path[64];
  snprintf(path, sizeof path, "/tmp/hone-choice-%d.hone", (int)getpid());
  hone_model *model = engine_model(net);
  hone_engine *engine = build(model, NULL, NULL);
  CHECK_OK(hone_engine_save(engine, path));
  CHECK(in_another(path, "HONE_STAND_IN_LT_VERSION", "130100") == 0);
  CHECK(in_another(path, "HONE_STAND_IN_LT_VERSION", "140200") == 0);
  CHECK(in_another(path, "HONE_CUBLASLT", "/nowhere.so") == 10);
  hone_engine_free(engine);
  hone_model_free(model);
  unlink(path);
}

/* ---- Blocks of layers --------------------------------------------------------------------------- */

/* Two inverted residuals; the windows of the second step by two. */
static const char blocks[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " s = const f32[3, 3, 3, 16] @weights+0 e1 = const f32[1, 1, 16, 48] @weights+1728"
    " d1 = const f32[3, 3, 1, 48] @weights+4800 p1 = const f32[1, 1, 48, 16] @weights+6528"
    " e2 = const f32[1, 1, 16, 32] @weights+9600 d2 = const f32[3, 3, 1, 32] @weights+11648"
    " p2 = const f32[1, 1, 32, 24] @weights+12800 q = const f32[1, 1, 24, 16] @weights+15872"
    " c = conv(x, s) {pads=[1, 1, 1, 1]} r = relu(c)"
    " a = conv(r, e1) b = relu(a) f = conv(b, d1) {groups=48, pads=[1, 1, 1, 1]} g = relu(f)"
    " i = conv(g, p1) j = add(i, r)"
    " k = conv(j, e2) l = relu(k) m = conv(l, d2) {groups=32, pads=[1, 1, 1, 1], strides=[2, 2]}"
    " o = relu(m) t = conv(o, p2) y = conv(t, q) }";

static hone_engine *build_for(const hone_model *model, const char *precision, const char *cache,
                              const char *measure) {
  hone_options *options = engine_options("device", "cuda");
  hone_engine *engine = NULL;
  CHECK_OK(hone_options_set(options, "precision", precision));
  CHECK_OK(hone_options_set(options, "timing-cache", cache));
  CHECK_OK(hone_options_set(options, "measure", measure));
  CHECK_OK(hone_build(model, options, &engine));
  hone_options_free(options);
  return engine;
}

/* Whether it is of whole runs: of a kind inside them, whose key has a run's behind its own, or of a
 * run. */
static bool is_of_runs(const char *line, const char *end) {
  const char *key = memchr(line, '\t', (size_t)(end - line));
  return key && (memchr(line, '+', (size_t)(key - line)) || strncmp(key, "\trun\t", 5) == 0);
}

/* Has the cache say that a kernel takes these times, in the first group that it is offered and in all
 * others, and nothing of whole runs, which may have been short enough to be timed; how many there
 * are. */
static int set_times(const char *path, const char *name, const double *times) {
  static char text[1 << 20];
  char last[256] = "", words[64];
  snprintf(words, sizeof words, "\t%s\t", name);
  int block = -1;
  FILE *file = fopen(path, "r");
  size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file) fclose(file);
  CHECK(size > 0 && size < sizeof text - 1);
  text[size] = 0;
  file = fopen(path, "w");
  for (char *line = text; file && *line;) {
    char *end = strchr(line, '\n'), *kernel = strstr(line, words);
    int length = end ? (int)(end - line) : (int)strlen(line);
    if (is_of_runs(line, line + length)) {
      line += length + (end != NULL);
      continue;
    }
    if (!kernel || kernel > line + length) {
      fprintf(file, "%.*s\n", length, line);
    } else {
      int variant = atoi(kernel + strlen(words));
      if (strncmp(last, line, (size_t)(kernel - line)) != 0 || !*last) block++;
      snprintf(last, sizeof last, "%.*s", (int)(kernel - line), line);
      fprintf(file, "%s%s%d\t%.0f\n", last, words, variant, times[block != 0]);
    }
    line += length + (end != NULL);
  }
  if (file) fclose(file);
  return block + 1;
}

static int count_words(const hone_engine *engine, const char *words) {
  char *report = NULL;
  int count = 0;
  CHECK_OK(hone_engine_report(engine, &report));
  for (const char *at = report; at && (at = strstr(at, words)); at++) count++;
  hone_text_release(report);
  return count;
}

/* Two small convolutions, each with its pooling, and a layer after them. */
static const char pools[] =
    "graph net(x: f32[n, 16, 16, 3]) -> (y) {"
    " s = const f32[5, 5, 3, 8] @weights+0 b = const f32[8] @weights+2400"
    " v = const f32[3, 3, 8, 16] @weights+4800 q = const f32[1, 1, 16, 8] @weights+9600"
    " c = conv(x, s, b) {pads=[2, 2, 2, 2]} r = relu(c)"
    " p = pool(r) {kind=max, window=[2, 2], strides=[2, 2]} d = conv(p, v) {pads=[1, 1, 1, 1]}"
    " e = relu(d) g = pool(e) {kind=avg, window=[3, 3], strides=[3, 3]} y = conv(g, q) }";

/* Two bottlenecks, the second beside a convolution that makes its residual. */
static const char bottlenecks[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " s = const f32[3, 3, 3, 16] @weights+0 e1 = const f32[1, 1, 16, 8] @weights+1728"
    " d1 = const f32[3, 3, 8, 8] @weights+4800 p1 = const f32[1, 1, 8, 16] @weights+7168"
    " e2 = const f32[1, 1, 16, 16] @weights+7680 d2 = const f32[3, 3, 16, 16] @weights+1024"
    " p2 = const f32[1, 1, 16, 24] @weights+10240 z = const f32[1, 1, 16, 24] @weights+12800"
    " q = const f32[1, 1, 24, 16] @weights+15872"
    " c = conv(x, s) {pads=[1, 1, 1, 1]} r = relu(c)"
    " a = conv(r, e1) b = relu(a) f = conv(b, d1) {pads=[1, 1, 1, 1]} g = relu(f)"
    " i = conv(g, p1) j = add(i, r) u = relu(j)"
    " k = conv(u, e2) l = relu(k) m = conv(l, d2) {pads=[1, 1, 1, 1]}"
    " o = relu(m) t = conv(o, p2) v = conv(u, z) aa = add(t, v) ab = relu(aa)"
    " y = conv(ab, q) }";

/* Models of two blocks of layers. */
static const struct layered {
  const char *text, *kernel, *precision;
  int layers, each; /* all of them, those of a block */
  int sizes[2][3];
} layered[] = {
    {blocks, "cuda.conv_block", "fp16", 8, 3, {{1, 16, 16}, {2, 9, 7}}},
    {pools, "cuda.conv_pool", "fp32", 5, 2, {{1, 16, 16}, {3, 16, 16}}},
    {bottlenecks, "cuda.conv_bottleneck", "fp16", 9, 3, {{1, 16, 16}, {2, 9, 7}}},
};

static void check_blocks(const struct layered *l, const hone_model *model, hone_engine *engine,
                         int in_blocks) {
  char kernel[64];
  snprintf(kernel, sizeof kernel, "\"kernel\": \"%s\"", l->kernel);
  CHECK(count_words(engine, kernel) == in_blocks);
  CHECK(count_words(engine, "\"kernel\": \"cuda") == l->layers - (l->each - 1) * in_blocks);
  for (int i = 0; i < 2; i++)
    check_within(model, engine, l->sizes[i][0], l->sizes[i][1], l->sizes[i][2],
                 bound("model", l->precision));
}

/* Every layer is a group, unless the clock, or what the cache has of it, speaks for blocks of them, one
 * by one. */
static void check_layered(const struct layered *l) {
  static const struct {
    double times[2];
    int in_blocks;
  } rows[] = {{{1e12, 1e12}, 0}, {{1, 1}, 2}, {{1, 1e12}, 1}, {{1e12, 1}, 1}};
  char cache[64], path[80];
  snprintf(cache, sizeof cache, "/tmp/hone-blocks-%d.txt", (int)getpid());
  snprintf(path, sizeof path, "%s.hone", cache);
  hone_model *model = engine_model(l->text);
  hone_engine *measured = build_for(model, l->precision, cache, "true");
  CHECK(!engine_reports(measured, "\"measured\": 0,"));
  hone_engine_free(measured);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    hone_engine *again = NULL, *opened = NULL;
    CHECK(set_times(cache, l->kernel, rows[i].times) == 2);
    hone_engine *engine = build_for(model, l->precision, cache, "false");
    check_blocks(l, model, engine, rows[i].in_blocks);
    CHECK_OK(hone_refit(engine, model, &again));
    check_blocks(l, model, again, rows[i].in_blocks);
    CHECK_OK(hone_engine_save(engine, path));
    hone_engine_free(engine);
    check_blocks(l, model, again, rows[i].in_blocks);
    CHECK_OK(hone_engine_open(path, NULL, &opened));
    check_blocks(l, model, opened, rows[i].in_blocks);
    hone_engine_free(again);
    hone_engine_free(opened);
  }
  hone_model_free(model);
  unlink(path);
  unlink(cache);
  snprintf(path, sizeof path, "%s.code", cache);
  unlink(path);
}

TEST(blocks_where_they_are_faster) {
  for (size_t i = 0; i < sizeof layered / sizeof *layered; i++) check_layered(&layered[i]);
}

/* The keys of the two whole runs that the cache has, of 16 characters. */
static int read_runs(const char *path, char keys[2][17]) {
  char line[512];
  int count = 0;
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line + strcspn(line, "\t"), "\trun\t", 5) == 0 && count < 2)
      snprintf(keys[count++], 17, "%.16s", line);
  if (file) fclose(file);
  return count;
}

static void add_runs(const char *path, char keys[2][17], double first, double second) {
  FILE *file = fopen(path, "a");
  CHECK(file != NULL);
  if (!file) return;
  fprintf(file, "%s\trun\t0\t%.0f\n%s\trun\t0\t%.0f\n", keys[0], first, keys[1], second);
  fclose(file);
}

/* Marks speak for both blocks, but runs with them are as much longer, or shorter, as the cache says:
 * which run is of which engine the keys do not tell. */
TEST(whole_runs_speak_for_blocks) {
  const struct layered *l = &layered[1];
  char cache[64], keys[2][17], path[80];
  const double times[2] = {1, 1};
  int in_blocks[2] = {0, 0};
  snprintf(cache, sizeof cache, "/tmp/hone-runs-%d.txt", (int)getpid());
  hone_model *model = engine_model(l->text);
  hone_engine_free(build_for(model, l->precision, cache, "true"));
  CHECK(read_runs(cache, keys) == 2);
  for (int i = 0; i < 2; i++) {
    CHECK(set_times(cache, l->kernel, times) == 2);
    add_runs(cache, keys, i ? 1e3 : 1e14, i ? 1e14 : 1e3);
    hone_engine *engine = build_for(model, l->precision, cache, "false");
    in_blocks[i] = count_words(engine, "\"kernel\": \"cuda.conv_pool\"");
    check_blocks(l, model, engine, in_blocks[i]);
    hone_engine_free(engine);
  }
  CHECK(in_blocks[0] + in_blocks[1] == 2 && in_blocks[0] * in_blocks[1] == 0);
  hone_model_free(model);
  unlink(cache);
  snprintf(path, sizeof path, "%s.code", cache);
  unlink(path);
}

/* ---- A constant in an order of its own ----------------------------------------------------------- */

/* Filters of 3 channels have none; two layers share theirs. */
static const char turned[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " s = const f32[3, 3, 3, 16] @weights+0 v = const f32[3, 3, 16, 16] @weights+1728"
    " q = const f32[1, 1, 16, 8] @weights+15872"
    " c = conv(x, s) {pads=[1, 1, 1, 1]} r = relu(c) d = conv(r, v) {pads=[1, 1, 1, 1]} e = add(d, r)"
    " f = conv(e, v) {strides=[2, 2]} g = relu(f) y = conv(g, q) }";

static void check_turned(const hone_model *model, hone_engine *engine) {
  CHECK(count_words(engine, "\"kernel\": \"cuda.conv_tf32\"") == 3);
  check_within(model, engine, 1, 16, 16, bound("model", "tf32"));
  check_within(model, engine, 2, 9, 7, bound("model", "tf32"));
}

/* Built, with new weights, saved and opened. */
TEST(constants_in_another_order) {
  const double times[2] = {1, 1};
  char cache[64], path[80];
  hone_engine *again = NULL, *opened = NULL;
  snprintf(cache, sizeof cache, "/tmp/hone-turned-%d.txt", (int)getpid());
  snprintf(path, sizeof path, "%s.hone", cache);
  hone_model *model = engine_model(turned);
  hone_engine *measured = build_for(model, "tf32", cache, "true");
  hone_engine_free(measured);
  CHECK(set_times(cache, "cuda.conv_tf32", times) == 3);
  hone_engine *engine = build_for(model, "tf32", cache, "false");
  check_turned(model, engine);
  CHECK_OK(hone_refit(engine, model, &again));
  check_turned(model, again);
  CHECK_OK(hone_engine_save(engine, path));
  hone_engine_free(engine);
  CHECK_OK(hone_engine_open(path, NULL, &opened));
  check_turned(model, opened);
  hone_engine_free(again);
  hone_engine_free(opened);
  hone_model_free(model);
  unlink(path);
  unlink(cache);
  snprintf(path, sizeof path, "%s.code", cache);
  unlink(path);
}

/* ---- What goes wrong ---------------------------------------------------------------------------- */

/* Calls spread over a build that measures fail: an error, and nothing stays. */
TEST(calls_may_fail) {
  hone_model *model = engine_model(net);
  hone_options *options = engine_options("device", "cuda");
  CHECK_OK(hone_options_set(options, "measure", "true"));
  for (uint64_t call = 1; call < 4000; call += 1 + call / 3) {
    hone_engine *engine = NULL;
    stand_in_state before = now();
    set_failure(call, 699);
    hone_status *status = hone_build(model, options, &engine);
    set_failure(0, 0);
    hone_engine_free(engine);
    if (status) CHECK(now().objects == before.objects);
    hone_status_free(status);
  }
  hone_options_free(options);
  hone_model_free(model);
}

static void *symbol_of(const char *variable, const char *name) {
  const char *path = getenv(variable);
  void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  return library ? dlsym(library, name) : NULL;
}

int main(int count, char **arguments) {
  void *state = symbol_of("HONE_CUDA_DRIVER", "stand_in_read_state");
  void *failure = symbol_of("HONE_CUDA_DRIVER", "stand_in_set_failure");
  void *lt = symbol_of("HONE_CUBLASLT", "stand_in_read_lt");
  if (!state || !failure) {
    puts("skipped: no stand-in driver is named");
    return getenv("HONE_CUDA_DRIVER") != NULL;
  }
  memcpy(&read_state, &state, sizeof state);
  memcpy(&set_failure, &failure, sizeof failure);
  memcpy(&read_lt, &lt, sizeof lt);
  snprintf(own_path, sizeof own_path, "%s", arguments[0]);
  if (count == 2) return open_there(arguments[1]);
  if (count == 3) return build_there(arguments[2]);
  RUN(the_fastest_is_chosen);
  RUN(other_sizes_run_without);
  RUN(the_driver_alone);
  RUN(a_cache_that_knows_all);
  RUN(bytes_by_their_own_kernels);
  RUN(code_beside_the_cache);
  RUN(opened_elsewhere);
  RUN(blocks_where_they_are_faster);
  RUN(whole_runs_speak_for_blocks);
  RUN(constants_in_another_order);
  RUN(calls_may_fail);
  CHECK(now().violations == 0);
  return check_report();
}
