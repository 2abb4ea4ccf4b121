/* Every allocation failing in turn, from text to answer: an error each time, or all that there
 * would have been, and nothing left behind (the sanitizers' run counts leaks). Small nets that
 * together reach every room. */
#include "engines.h"
#include "import/import.h"

#include <unistd.h>
#include <xxhash.h>

typedef struct small_net {
  const char *name, *text;
} small_net;

static const small_net nets[] = {
    {"convolutions", engine_net},
    {"transformer",
     "graph net(x: f32[n, h, w, 3]) -> (y) {"
     " to = const s64[4] [1, 1, -1, 16] wq = const f32[16, 16] @weights+0"
     " wk = const f32[16, 16] @weights+1024 wv = const f32[16, 16] @weights+2048"
     " s = const f32[16] @weights+4096 b = const f32[16] @weights+4160"
     " t = reshape(x, to) n = layer_norm(t, s, b) {axis=3} q = matmul(n, wq) k = matmul(n, wk)"
     " v = matmul(n, wv) a = attention(q, k, v) r = add(a, t) m = layer_norm(r, s, b) {axis=3}"
     " g = gelu(m) y = softmax(g) {axis=3} }"},
    {"branches, loops and sequences",
     "graph net(x: f32[n, h, w, 3]) -> (y, length) {"
     " zero = const f32[] 0 trips = const s64[] 3 yes = const bool[] true"
     " axes = const s64[4] [0, 1, 2, 3] total = reduce(x, axes) {kind=sum, keep=false}"
     " c = greater(total, zero)"
     " p = if(c, x) region t(a: f32[n, h, w, 3]) -> (d) { d = neg(a) }"
     "   region e(f: f32[n, h, w, 3]) -> (g) { g = relu(f) }"
     " l = loop(trips, yes, p) {carried=1}"
     "   region b(i: s64[], u: bool[], o: f32[n, h, w, 3]) -> (u, z) { z = tanh(o) }"
     " q = sequence_make(l, p, x) length = sequence_length(q)"
     " y = sequence_concat(q) {axis=0} }"},
    {"strings",
     "graph net(x: f32[n, h, w, 3]) -> (y, joined) {"
     " a = const str[2] [\"a\", \"b\"] b = const str[2] [\"c\", \"d\"] k = cast(x) {to=str}"
     " joined = string_concat(a, b) y = relu(x) }"},
    {"integers",
     "graph net(x: f32[n, h, w, 3]) -> (y) {"
     " s = const f32[] 0.01 z = const u8[] 128 q = quantize(x, s, z) y = dequantize(q, s, z) }"},
};

static char path[64];
static uint64_t file_sum; /* of the engine file that whole_way wrote */

static hone_status *sum_file(void) {
  char *bytes;
  size_t size;
  HONE_TRY(hone_file_read(path, (size_t)1 << 24, &bytes, &size));
  file_sum = XXH3_64bits(bytes, size);
  hone_free(bytes);
  return NULL;
}

/* Parses, builds, saves, opens, plans and runs; whatever was made is freed. */
static hone_status *whole_way(const char *text, const hone_options *options) {
  hone_bytes weights = {engine_weights, sizeof engine_weights};
  hone_graph *graph = NULL;
  hone_model *model = NULL;
  hone_engine *built = NULL, *opened = NULL;
  hone_context *context = NULL;
  static float pixels[12 * 8 * 3];
  hone_tensor in = {.struct_size = sizeof in,
                    .dtype = HONE_F32,
                    .rank = 4,
                    .dims = {1, 12, 8, 3},
                    .data = pixels,
                    .size = sizeof pixels};
  hone_tensor out = {.struct_size = sizeof out};
  hone_status *status = hone_graph_parse(text, strlen(text), hone_op_find, weights, &graph);
  if (!status) status = hone_model_wrap(graph, &model);
  if (!status) status = hone_build(model, options, &built);
  if (!status) status = hone_engine_save(built, path);
  if (!status) status = sum_file();
  if (!status) status = hone_engine_open(path, NULL, &opened);
  if (!status) status = hone_context_new(opened, NULL, &context);
  if (!status) status = hone_set_input(context, 0, &in);
  if (!status) status = hone_run(context);
  if (!status) status = hone_get_output(context, 0, &out);
  hone_context_free(context);
  hone_engine_free(opened);
  hone_engine_free(built);
  hone_model_free(model);
  unlink(path);
  return status;
}

/* `HONE_TEST_FULL` fails each allocation; else the first hundred and ever fewer of the rest. No
 * failure ends in an engine that lacks something: its file is that of a calm build. */
static void sweep(const small_net *net, bool from_then_on) {
  hone_options *options = engine_options(NULL, NULL);
  bool full = getenv("HONE_TEST_FULL") != NULL;
  CHECK_OK(whole_way(net->text, options)); /* what is made once in a process */
  uint64_t before = hone_alloc_count();
  CHECK_OK(whole_way(net->text, options));
  uint64_t end = hone_alloc_count() - before, calm = file_sum;
  for (uint64_t number = 1; number <= end && !check_failed;
       number += full || number < 100 ? 1 : 1 + number / (from_then_on ? 16 : 64)) {
    hone_alloc_fail_at(number, from_then_on);
    hone_status *status = whole_way(net->text, options);
    hone_alloc_fail_at(0, false);
    bool told = status ? hone_status_code(status) == HONE_OUT_OF_MEMORY : file_sum == calm;
    if (!told) {
      fprintf(stderr, "%s, allocation %llu of %llu: %s: %s\n", net->name,
              (unsigned long long)number, (unsigned long long)end,
              hone_code_name(hone_status_code(status)), hone_status_message(status));
      CHECK(false);
    }
    hone_status_free(status);
  }
  /* As good as before, whatever failed. */
  CHECK_OK(whole_way(net->text, options));
  hone_options_free(options);
}

TEST(each_allocation_fails_once) {
  for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) sweep(&nets[i], false);
}

TEST(each_allocation_and_all_after_it_fail) {
  for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) sweep(&nets[i], true);
}

static hone_status *import_graph_def(hone_bytes bytes) {
  hone_graph *graph = NULL;
  hone_model_source source = {.bytes = bytes, .format = "graph_def"};
  hone_status *status = hone_import(&source, &graph);
  if (!status) hone_graph_free(graph);
  return status;
}

TEST(each_allocation_of_a_tensorflow_import_fails) {
  static const char *const names[] = {"net", "conv", "cond", "while", "old_loop"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char file[80], *bytes = NULL;
    size_t size = 0;
    snprintf(file, sizeof file, "tests/fuzz/corpus/fuzz_graph_def/%s", names[i]);
    CHECK_OK(hone_file_read(file, (size_t)1 << 20, &bytes, &size));
    CHECK_OK(import_graph_def((hone_bytes){bytes, size}));
    uint64_t before = hone_alloc_count();
    CHECK_OK(import_graph_def((hone_bytes){bytes, size}));
    uint64_t end = hone_alloc_count() - before;
    for (uint64_t number = 1; number <= end; number += number < 300 ? 1 : 1 + number / 64) {
      hone_alloc_fail_at(number, number % 2);
      hone_status *status = import_graph_def((hone_bytes){bytes, size});
      hone_alloc_fail_at(0, false);
      CHECK(!status || hone_status_code(status) == HONE_OUT_OF_MEMORY);
      hone_status_free(status);
    }
    CHECK_OK(import_graph_def((hone_bytes){bytes, size}));
    hone_free(bytes);
  }
}

int main(void) {
  uint32_t state = 7;
  for (int i = 0; i < WEIGHT_COUNT; i++) engine_weights[i] = engine_random(&state) * 0.5f;
  snprintf(path, sizeof path, "/tmp/hone_test_faults_%d", (int)getpid());
  hone_set_logger(NULL, NULL);
  RUN(each_allocation_fails_once);
  RUN(each_allocation_and_all_after_it_fail);
  RUN(each_allocation_of_a_tensorflow_import_fails);
  return check_report();
}
