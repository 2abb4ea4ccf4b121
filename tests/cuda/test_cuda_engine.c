/* Engines on the GPU: the host's part of a run, on the stand-in driver. */
#include <sys/wait.h>
#include <unistd.h>

#include "../engine/engines.h"

#include "backend/cuda/code.h"
#include "crossing.h"
#include "on_stand_in.h"

/* The same output on the CPU by the plain meaning of every op. */
static void check_against_reference(const hone_model *model, hone_context *context,
                                    const picture *p) {
  hone_engine *plain = engine_build(model, "kernels", "reference");
  hone_context *reference = NULL;
  CHECK_OK(hone_context_new(plain, NULL, &reference));
  hone_tensor want = engine_run(reference, p);
  for (int run = 0; run < 4; run++) {
    hone_tensor got = engine_run(context, p);
    CHECK(engine_error(&got, &want) < bound("model", "fp32"));
  }
  hone_context_free(reference);
  hone_engine_free(plain);
}

static void check_net(const char *text) {
  hone_model *model = engine_model(text);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *context = NULL;
  stand_in_state before = now();
  CHECK_OK(hone_context_new(engine, NULL, &context));
  const int sizes[][3] = {{1, 16, 16}, {2, 9, 13}, {1, 16, 16}};
  for (int i = 0; i < 3; i++) {
    picture p = picture_of(sizes[i][0], sizes[i][1], sizes[i][2]);
    check_against_reference(model, context, &p);
    free(p.data);
  }
  CHECK(now().launches > before.launches);
  CHECK(now().replays > before.replays);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

TEST(a_net_on_the_gpu) {
  stand_in_state before = now();
  check_net(engine_net);
  CHECK(now().early > before.early);
  check_net(engine_kernels_net);
}

TEST(values_that_cross) {
  check_net(crossing_net);
  check_net(inside_net);
}

/* At typical sizes each hardmax reads what the GPU made and gives it back what it makes. */
TEST(what_crosses_is_in_the_report) {
  hone_model *model = engine_model(crossing_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  char *report = NULL;
  int crossing = 0;
  CHECK_OK(hone_engine_report(engine, &report));
  for (const char *at = report; (at = strstr(at, "\"crossing_bytes\": ")); at += 18)
    crossing += atoll(at + 18) > 0;
  CHECK(crossing == 2);
  hone_text_release(report);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* A recurrent layer, pads, scattered updates, norms of groups, running sums: all of it stays there. */
static const char staying_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " w = const f32[1, 24, 3] @weights+0 r = const f32[1, 24, 6] @weights+512"
    " f = const s64[3] [-1, 2, 3] p = const s64[8] [0, 1, 0, 0, 0, 0, 2, 0]"
    " i = const s64[1, 1, 2, 1] [1, 0] u = const f32[1, 1, 2, 1] [0.5, -2] axis = const s64[] 1"
    " a = reshape(x, f) b, c = lstm(a, w, r) d = reduce(c) {kind=log_sum_exp, keep=false}"
    " e = pad(x, p) {mode=reflect} g = group_norm(e) {groups=3}"
    " k = scatter_elements(g, i, u) {axis=2, reduction=add} l = mul(k, d) y = cumsum(l, axis) }";

TEST(nothing_on_the_cpu) {
  hone_model *model = engine_model(staying_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  char *report = NULL;
  CHECK_OK(hone_engine_report(engine, &report));
  CHECK(strstr(report, "\"place\": \"cuda\"") != NULL);
  CHECK(strstr(report, "no kernel") == NULL);
  hone_text_release(report);
  hone_engine_free(engine);
  hone_model_free(model);
  check_net(staying_net);
}

/* What planning makes of the sizes is on the host, and is what kernels read. */
static const char keeping_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " t = const f32[1, 1, 1, 3] @weights+0 s = shape(x) e = expand(t, s)"
    " y = concat(x, e) {axis=0} }";

TEST(what_planning_knows_crosses_once) {
  hone_model *model = engine_model(keeping_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *context = NULL;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  for (int turn = 0; turn < 4; turn++) {
    int n = 1 + turn % 2;
    picture p = picture_of(n, 3, 5);
    check_against_reference(model, context, &p);
    for (int run = 0; run < 3; run++) {
      stand_in_state before = now();
      hone_tensor y = engine_run(context, &p);
      CHECK(y.size == 2 * p.tensor.size && memcmp(y.data, p.data, p.tensor.size) == 0);
      CHECK(now().uploads == before.uploads + 1);
    }
    check_against_reference(model, context, &p);
    free(p.data);
  }
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* Small inputs that one kernel reads are read on the host, and small results stored there that nothing
 * on the device reads. Of the others one is read twice, one read on, one made of parts, one large. */
static const struct {
  const char *text;
  uint64_t uploads, downloads;
} stored[] = {
    {"graph net(x: f32[n, h, w, 3]) -> (y) { y = exp(x) }", 0, 0},
    {"graph net(x: f32[n, h, w, 3]) -> (y, z) { y = exp(x) z = softmax(x) {axis=3} }", 1, 0},
    {"graph net(x: f32[n, h, w, 3]) -> (y, z) { y = softmax(x) {axis=3} z = softmax(y) {axis=1} }", 0,
     1},
    {"graph net(x: f32[n, h, w, 3]) -> (y) { a = softmax(x) {axis=3} b = softmax(x) {axis=1}"
     " y = concat(a, b) {axis=0} }", 1, 1},
    {"graph net(x: f32[n, h, w, 3]) -> (y) { t = const s64[4] [1, 9, 8, 30] y = tile(x, t) }", 0, 1},
};

TEST(small_values_cost_no_copy) {
  for (size_t i = 0; i < sizeof stored / sizeof *stored; i++) {
    hone_model *model = engine_model(stored[i].text);
    hone_engine *engine = engine_build(model, "device", "cuda");
    hone_context *context = NULL;
    picture p = picture_of(1, 5, 7);
    CHECK_OK(hone_context_new(engine, NULL, &context));
    check_against_reference(model, context, &p);
    for (int run = 0; run < 4; run++) {
      stand_in_state before = now();
      (void)engine_run(context, &p);
      CHECK(now().uploads == before.uploads + stored[i].uploads);
      CHECK(now().downloads == before.downloads + stored[i].downloads);
    }
    free(p.data);
    hone_context_free(context);
    hone_engine_free(engine);
    hone_model_free(model);
  }
}

TEST(an_index_outside) {
  hone_model *model = engine_model(gather_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *context = NULL;
  picture p = picture_of(1, 2, 2);
  CHECK_OK(hone_context_new(engine, NULL, &context));
  for (int run = 0; run < 4; run++) {
    for (int i = 0; i < 12; i++) p.data[i] = (float)(i % 4);
    p.data[7] = run % 2 ? 9.0f : -4.0f;
    CHECK_OK(hone_set_input(context, 0, &p.tensor));
    hone_status *status = hone_run(context);
    if (run % 2)
      CHECK_ERROR(status, HONE_INVALID_ARGUMENT, "index 9 is outside of a dimension of 4");
    else
      CHECK_OK(status);
  }
  free(p.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

static bool count_steps(void *argument, const hone_watched *step) {
  CHECK(step->value.data != NULL);
  if (step->reference && step->value.dtype == HONE_F32)
    CHECK(engine_error(&step->value, step->reference) < bound("model", "fp32"));
  ++*(int *)argument;
  return true;
}

TEST(watched_and_profiled) {
  hone_model *model = engine_model(crossing_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *context = NULL;
  picture p = picture_of(1, 8, 5);
  int steps = 0;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  hone_watch_runs(context, count_steps, &steps, true);
  (void)engine_run(context, &p);
  CHECK(steps >= 5);
  hone_watch_runs(context, NULL, NULL, false);
  hone_profile(context, true);
  check_against_reference(model, context, &p);
  free(p.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

static void engine_path(char *path, size_t room) {
  snprintf(path, room, "/tmp/hone_cuda_%d.hone", (int)getpid());
}

static void check_opened(const char *path, const hone_model *model) {
  hone_engine *opened = NULL;
  hone_context *context = NULL;
  picture p = picture_of(2, 8, 8);
  CHECK_OK(hone_engine_open(path, NULL, &opened));
  CHECK(opened && opened->device == &hone_backend_cuda);
  CHECK_OK(hone_context_new(opened, NULL, &context));
  check_against_reference(model, context, &p);
  free(p.data);
  hone_context_free(context);
  hone_engine_free(opened);
}

TEST(saved_and_opened) {
  char path[64];
  engine_path(path, sizeof path);
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  CHECK_OK(hone_engine_save(engine, path));
  hone_engine_free(engine);
  uint64_t compiled = hone_cuda_code_compile_count();
  check_opened(path, model);
  CHECK(hone_cuda_code_compile_count() == compiled);
  hone_model_free(model);
  unlink(path);
}

/* ---- An engine's file in another process, on another GPU ------------------------------------- */

static char own_path[512];

/* Runs this program again as `role` on a GPU of compute capability `sm`; its exit status. */
static int in_another(const char *role, const char *path, const char *sm, bool compiler) {
  pid_t child = fork();
  if (child == 0) {
    setenv("HONE_STAND_IN_SM", sm, 1);
    if (!compiler) setenv("HONE_NVRTC", "/nowhere/libnvrtc.so", 1);
    execl(own_path, own_path, role, path, (char *)NULL);
    _exit(99);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Opens the file and runs it; 10: it does not open. */
static int open_there(const char *path, uint64_t compiled, bool ptx) {
  hone_model *model = engine_model(engine_net);
  hone_engine *opened = NULL;
  hone_status *status = hone_engine_open(path, NULL, &opened);
  if (status) {
    bool named = strstr(hone_status_message(status), "/nowhere/libnvrtc.so") != NULL;
    hone_status_free(status);
    hone_model_free(model);
    return named ? 10 : 11;
  }
  CHECK((hone_cuda_code_compile_count() > 0) == (compiled > 0));
  check_opened(path, model);
  CHECK((now().ptx > 0) == ptx);
  hone_engine_free(opened);
  hone_model_free(model);
  return check_failed ? 12 : 0;
}

/* What `hone check` says: names what is missing, and where nothing is, that it fits. */
static int check_there(const char *path) {
  char *report = NULL;
  hone_status *status = hone_engine_check(path, &report);
  bool needs = report && strstr(report, "\"compute_capability\": \"9.0\"") &&
               strstr(report, "\"driver_cuda\": \"13.0\"");
  bool missing = status && strstr(hone_status_message(status), "/nowhere/libnvrtc.so");
  hone_text_release(report);
  int code = !needs ? 11 : !status ? 0 : missing ? 10 : 12;
  hone_status_free(status);
  return code;
}

static int play(char **arguments) {
  const char *role = arguments[1], *path = arguments[2];
  if (strcmp(role, "as-it-is") == 0) return open_there(path, 0, false);
  if (strcmp(role, "from-ptx") == 0) return open_there(path, 0, true);
  if (strcmp(role, "compiled") == 0) return open_there(path, 1, false);
  return check_there(path);
}

TEST(opened_elsewhere) {
  char path[64];
  engine_path(path, sizeof path);
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  CHECK_OK(hone_engine_save(engine, path));
  CHECK(in_another("as-it-is", path, "90", false) == 0);
  CHECK(in_another("from-ptx", path, "120", false) == 0);
  CHECK(in_another("compiled", path, "80", true) == 0);
  CHECK(in_another("compiled", path, "80", false) == 10);
  CHECK(in_another("check", path, "90", false) == 0);
  CHECK(in_another("check", path, "80", false) == 10);
  hone_engine_free(engine);
  hone_model_free(model);
  unlink(path);
}

/* Planning neither compiles nor packs nor takes the device's time. */
TEST(new_sizes_cost_a_plan) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *context = NULL;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  uint64_t compiled = hone_cuda_code_compile_count(), plans = hone_plan_count();
  for (int size = 4; size < 9; size++) {
    picture p = picture_of(1, size, size);
    (void)engine_run(context, &p);
    free(p.data);
  }
  CHECK(hone_cuda_code_compile_count() == compiled);
  CHECK(hone_plan_count() == plans + 5);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

int main(int count, char **arguments) {
  int code;
  if (!stand_in_is_there(&code)) return code;
  snprintf(own_path, sizeof own_path, "%s", arguments[0]);
  if (count == 3) return play(arguments);
  RUN(a_net_on_the_gpu);
  RUN(values_that_cross);
  RUN(what_crosses_is_in_the_report);
  RUN(nothing_on_the_cpu);
  RUN(what_planning_knows_crosses_once);
  RUN(small_values_cost_no_copy);
  RUN(an_index_outside);
  RUN(watched_and_profiled);
  RUN(saved_and_opened);
  RUN(opened_elsewhere);
  RUN(new_sizes_cost_a_plan);
  CHECK(now().violations == 0);
  return check_report();
}
