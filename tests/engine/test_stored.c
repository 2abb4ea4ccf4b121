/* A large engine file: each block is checked before its first use, and no damage gives an answer
 * that is wrong. */
#include <pthread.h>
#include <unistd.h>

#include "base/cpu.h"
#include "engine/format.h"
#include "engines.h"

#define WIDE     1024
#define MATRICES 5

/* Matrices of 4 MiB, each in a group of its own; three of them in branches. */
static const char net[] =
    "graph g(x: f32[n, 1024]) -> (y) {"
    " w0 = const f32[1024, 1024] @weights+0 w1 = const f32[1024, 1024] @weights+4194304"
    " w4 = const f32[1024, 1024] @weights+16777216 axes = const s64[2] [0, 1] zero = const f32[] 0"
    " bias = const f32[1024] @weights+0"
    " m = reduce(x, axes) {kind=sum, keep=false} t = greater(m, zero)"
    " a = matmul(x, w0) b = softmax(a) {axis=1} c = matmul(b, w1) d = softmax(c) {axis=1}"
    " e = if(t, d, w4)"
    " region then(p: f32[n, 1024], u: f32[1024, 1024]) -> (q) {"
    "  w2 = const f32[1024, 1024] @weights+8388608 q = matmul(p, w2) }"
    " region else(r: f32[n, 1024], v: f32[1024, 1024]) -> (s) {"
    "  w3 = const f32[1024, 1024] @weights+12582912 k = matmul(r, w3) s = matmul(k, v) }"
    " y = add(e, bias) }";

static char *file;
static size_t size;
static hone_format_view view;
static float wanted[2][WIDE]; /* by branch */

static hone_status *run(hone_context *context, int branch, float *out) {
  float data[WIDE];
  for (int i = 0; i < WIDE; i++) data[i] = (float)((branch ? -1 : 1) * (i % 7 + 1));
  hone_tensor y = {.struct_size = sizeof y};
  hone_tensor x = {.struct_size = sizeof x,
                   .dtype = HONE_F32,
                   .rank = 2,
                   .dims = {1, WIDE},
                   .data = data,
                   .size = sizeof data};
  HONE_TRY(hone_set_input(context, 0, &x));
  HONE_TRY(hone_run(context));
  HONE_TRY(hone_get_output(context, 0, &y));
  CHECK(y.size == sizeof data);
  memcpy(out, y.data, sizeof data);
  return NULL;
}

static hone_status *open_file(const char *verify, hone_engine **out) {
  hone_options *options = NULL;
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "verify", verify));
  hone_status *status = hone_engine_parse((hone_bytes){file, size}, options, out);
  hone_options_free(options);
  return status;
}

static hone_engine *build(const float *weights) {
  hone_graph *graph = NULL;
  hone_model *model = NULL;
  hone_bytes bytes = {weights, (size_t)MATRICES * WIDE * WIDE * sizeof *weights};
  CHECK_OK(hone_graph_parse(net, strlen(net), hone_op_find, bytes, &graph));
  CHECK_OK(hone_model_wrap(graph, &model));
  hone_options *options = NULL;
  hone_engine *engine = NULL;
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "measure", "false"));
  CHECK_OK(hone_build(model, options, &engine));
  hone_options_free(options);
  hone_model_free(model);
  return engine;
}

static void make_file(void) {
  size_t count = (size_t)MATRICES * WIDE * WIDE;
  float *weights = malloc(count * sizeof *weights);
  uint32_t state = 3;
  for (size_t i = 0; i < count; i++) weights[i] = engine_random(&state);
  hone_engine *engine = build(weights);
  hone_context *context = NULL;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  for (int branch = 0; branch < 2; branch++) CHECK_OK(run(context, branch, wanted[branch]));
  char path[64];
  snprintf(path, sizeof path, "/tmp/hone_test_stored_%d", (int)getpid());
  CHECK_OK(hone_engine_save(engine, path));
  CHECK_OK(hone_file_read(path, (size_t)1 << 30, &file, &size));
  CHECK_OK(hone_format_read((hone_bytes){file, size}, &view));
  unlink(path);
  hone_context_free(context);
  hone_engine_free(engine);
  free(weights);
}

static size_t place_of(hone_section_id id) {
  return (size_t)((const char *)view.sections[id].data - file);
}

/* Whether the status refuses, with the section named. */
static bool refuses(hone_status *status, const char *named) {
  bool right = hone_status_code(status) == HONE_CORRUPT &&
               strstr(hone_status_message(status), named) != NULL;
  if (status && !right) fprintf(stderr, "  %s: not %s\n", hone_status_message(status), named);
  CHECK(!status || right);
  hone_status_free(status);
  return right;
}

/* Opens and runs both branches: how many of the three are refused, the others being right. */
static int use(const char *verify, const char *named) {
  hone_engine *engine = NULL;
  hone_context *context = NULL;
  int refused = 0;
  float out[WIDE];
  if (refuses(open_file(verify, &engine), named)) return 3;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  for (int branch = 0; branch < 2; branch++) {
    memset(out, 0xff, sizeof out);
    if (refuses(run(context, branch, out), named))
      refused++;
    else
      CHECK(memcmp(out, wanted[branch], sizeof out) == 0);
  }
  char path[64];
  snprintf(path, sizeof path, "/tmp/hone_test_stored_%d", (int)getpid());
  CHECK(refuses(hone_engine_save(engine, path), named)); /* never saved under new sums */
  hone_context_free(context);
  hone_engine_free(engine);
  return refused;
}

/* Whether the packs' place is taken by new ones, out of weights that are all checked. */
static bool packs_again(const char *named) {
  hone_engine *engine = NULL;
  hone_cpu_limit(HONE_ISA_PLAIN);
  bool refused = refuses(open_file("used", &engine), named);
  if (!refused) hone_engine_free(engine);
  hone_cpu_limit(~0u);
  return !refused;
}

/* Calls `visit` with each block of a section damaged in turn, and what its refusal has to name. */
static void damage_each_block(hone_section_id id, void (*visit)(hone_section_id, const char *)) {
  size_t blocks = hone_format_blocks(view.sections[id].size);
  CHECK(blocks > 15);
  for (size_t b = 0; b < blocks; b++) {
    char named[80];
    snprintf(named, sizeof named, "section %s is damaged in block %zu (", hone_section_name(id), b);
    size_t at = b * HONE_FORMAT_BLOCK, left = view.sections[id].size - at;
    char *byte =
        file + place_of(id) + at + (left < HONE_FORMAT_BLOCK ? left : HONE_FORMAT_BLOCK) / 2;
    *byte ^= 0x10;
    visit(id, named);
    *byte ^= 0x10;
  }
}

static int by_count[4];

static void open_lazily(hone_section_id id, const char *named) {
  int refused = use("lazy", named);
  by_count[refused]++;
  CHECK(id == HONE_SECTION_WEIGHTS || refused > 0);
}

TEST(checks_each_block_before_its_first_use) {
  memset(by_count, 0, sizeof by_count);
  damage_each_block(HONE_SECTION_WEIGHTS, open_lazily);
  damage_each_block(HONE_SECTION_PACKS, open_lazily);
  /* Weights that only lie there; a branch's, refused in that branch alone; what all runs read. */
  CHECK(by_count[0] > 0 && by_count[1] > 0 && by_count[2] > 0);
}

static void open_used(hone_section_id id, const char *named) {
  int refused = use("used", named);
  by_count[refused]++;
  CHECK(refused == 3 || (refused == 0 && id == HONE_SECTION_WEIGHTS && !packs_again(named)));
}

/* Opening refuses what runs here read; what lies there for another processor is refused when saved or
 * packed again, and no run is wrong for it. */
TEST(checks_what_is_used_when_opened) {
  memset(by_count, 0, sizeof by_count);
  damage_each_block(HONE_SECTION_WEIGHTS, open_used);
  CHECK(by_count[0] > 0 && by_count[3] > 0);
  damage_each_block(HONE_SECTION_PACKS, open_used);
}

typedef struct caller {
  hone_engine *engine;
  int right, refused;
} caller;

static void *call(void *argument) {
  caller *c = argument;
  hone_context *context = NULL;
  float out[WIDE];
  CHECK_OK(hone_context_new(c->engine, NULL, &context));
  for (int turn = 0; turn < 4; turn++) {
    hone_status *status = run(context, turn % 2, out);
    c->refused += hone_status_code(status) == HONE_CORRUPT;
    c->right += !status && memcmp(out, wanted[turn % 2], sizeof out) == 0;
    hone_status_free(status);
  }
  hone_context_free(context);
  return NULL;
}

/* Contexts that come at once all wait for the checks that they need, and no damage slips by. */
TEST(checks_for_many_threads_at_once) {
  for (int damaged = 0; damaged < 2; damaged++) {
    char *byte = file + place_of(HONE_SECTION_PACKS) + 5 * HONE_FORMAT_BLOCK;
    hone_engine *engine = NULL;
    caller callers[4];
    pthread_t threads[4];
    if (damaged) *byte ^= 1;
    CHECK_OK(open_file("lazy", &engine));
    for (int i = 0; i < 4; i++) {
      callers[i] = (caller){.engine = engine};
      pthread_create(&threads[i], NULL, call, &callers[i]);
    }
    for (int i = 0; i < 4; i++) {
      pthread_join(threads[i], NULL);
      CHECK(callers[i].right + callers[i].refused == 4 && (callers[i].refused > 0) == damaged);
    }
    if (damaged) *byte ^= 1;
    hone_engine_free(engine);
  }
}

/* What a refusal of damage at `at` has to name. */
static const char *name_at(size_t at) {
  static char named[40];
  snprintf(named, sizeof named, "damaged");
  for (int s = 0; s < HONE_SECTION_COUNT; s++)
    if (at >= place_of((hone_section_id)s) &&
        (s + 1 == HONE_SECTION_COUNT || at < place_of((hone_section_id)(s + 1))))
      snprintf(named, sizeof named, "section %s", hone_section_name((hone_section_id)s));
  return named;
}

static void check_refused(const char *what, size_t at, bool in_front) {
  hone_engine *engine = NULL;
  hone_status *status = open_file("full", &engine);
  hone_code code = hone_status_code(status);
  bool right = in_front ? code == HONE_CORRUPT || code == HONE_MISMATCH
                        : code == HONE_CORRUPT && strstr(hone_status_message(status), name_at(at));
  if (!right) fprintf(stderr, "  %s at %zu: %s\n", what, at, hone_status_message(status));
  CHECK(right);
  hone_status_free(status);
  if (!status) hone_engine_free(engine);
}

static size_t anywhere(uint32_t *state, size_t begin, size_t end) {
  engine_random(state);
  uint64_t high = *state;
  engine_random(state);
  return begin + (size_t)((high << 32 | *state) % (end - begin));
}

/* Each byte of header, table and sums; places all over each section, both ends among them. */
TEST(refuses_flips_everywhere) {
  uint32_t state = 11;
  for (size_t at = 0; at < place_of(HONE_SECTION_META); at++) {
    file[at] ^= (char)(1 << (at % 8));
    check_refused("a flip", at, true);
    file[at] ^= (char)(1 << (at % 8));
  }
  for (int s = 0; s < HONE_SECTION_COUNT; s++) {
    size_t begin = place_of((hone_section_id)s), length = view.sections[s].size;
    for (int i = 0; i < 40 && length; i++) {
      size_t at = i == 0   ? begin
                  : i == 1 ? begin + length - 1
                           : anywhere(&state, begin, begin + length);
      file[at] ^= (char)(1 << (i % 8));
      check_refused("a flip", at, false);
      file[at] ^= (char)(1 << (i % 8));
    }
  }
}

static void swap(char *a, char *b, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char kept = a[i];
    a[i] = b[i];
    b[i] = kept;
  }
}

/* Pieces, whole blocks and two sections' bytes change places. */
TEST(refuses_swaps_everywhere) {
  uint32_t state = 12;
  for (int i = 0; i < 100; i++) {
    size_t count = i % 2 ? 64 : HONE_FORMAT_BLOCK;
    size_t a = anywhere(&state, place_of(HONE_SECTION_WEIGHTS), size - 2 * count) & ~(size_t)63;
    size_t b = anywhere(&state, a + count, size - count + 1) & ~(size_t)63;
    if (b < a + count || b + count > size || memcmp(file + a, file + b, count) == 0) continue;
    swap(file + a, file + b, count);
    check_refused("a swap", a, false);
    swap(file + a, file + b, count);
  }
}

TEST(refuses_cuts_everywhere) {
  uint32_t state = 13;
  size_t whole = size;
  for (int i = 0; i < 100; i++) {
    size = i < 64 ? (size_t)i : anywhere(&state, 0, whole);
    check_refused("a cut", size, true);
  }
  size = whole;
}

int main(void) {
  make_file();
  RUN(checks_each_block_before_its_first_use);
  RUN(checks_what_is_used_when_opened);
  RUN(checks_for_many_threads_at_once);
  RUN(refuses_flips_everywhere);
  RUN(refuses_swaps_everywhere);
  RUN(refuses_cuts_everywhere);
  hone_free(file);
  return check_report();
}
