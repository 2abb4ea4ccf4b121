/* Engines on the GPU: the host's part of a run, on the stand-in driver. */
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../engine/engines.h"
#include <hone/gpu.h>

#include "backend/cuda/code.h"
#include "engine/frame.h"
#include "stand_in.h"

static void (*read_state)(stand_in_state *);
static void (*set_failure)(uint64_t call, int result);

static stand_in_state now(void) {
  stand_in_state state;
  read_state(&state);
  return state;
}

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

/* cumsum has no kernel there: the values go to the host and come back. */
static const char crossing_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y, z) {"
    " axis = const s64[] 1 w1 = const f32[1, 1, 3, 4] @weights+0"
    " a = relu(x) b = cumsum(a, axis) c = conv(b, w1) d = tanh(c) e = cumsum(d, axis)"
    " y = softmax(e) {axis=3} z = add(d, e) }";
/* Parts that lie inside something larger, made on both sides. */
static const char inside_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " axis = const s64[] 1 s = const s64[1] [0] e = const s64[1] [1] t = const s64[1] [0]"
    " a = exp(x) b = cumsum(x, axis) c = concat(a, b, x) {axis=0} d = slice(c, s, e, t)"
    " f = cumsum(d, axis) y = add(f, c) }";

TEST(values_that_cross) {
  check_net(crossing_net);
  check_net(inside_net);
}

/* At typical sizes each cumsum reads what the GPU made and gives it back what it makes. */
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

static const char gather_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " i = cast(x) {to=s64} t = const f32[4, 2] @weights+0 y = gather(t, i) }";

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

/* ---- The caller's memory and streams ---------------------------------------------------------- */

static hone_gpu *the_gpu;

/* Memory on the device with these bytes in it (NULL: whatever is there). */
static void *on_device(const void *bytes, size_t size) {
  hone_cu_address at = 0;
  CHECK_OK(hone_gpu_enter(the_gpu));
  CHECK(the_gpu->driver->memory_take(&at, size) == 0);
  if (bytes) CHECK(the_gpu->driver->upload(at, bytes, size, NULL) == 0);
  hone_gpu_leave(the_gpu);
  return (void *)(uintptr_t)at;
}

static void off_device(void *memory) {
  CHECK_OK(hone_gpu_enter(the_gpu));
  CHECK(the_gpu->driver->memory_free((hone_cu_address)(uintptr_t)memory) == 0);
  hone_gpu_leave(the_gpu);
}

/* A net's answer to a picture by plain host memory. */
static hone_tensor answer_of(hone_engine *engine, hone_context **context, const picture *p) {
  CHECK_OK(hone_context_new(engine, NULL, context));
  return engine_run(*context, p);
}

/* Inputs and outputs on the device, others each run: five of each in turn. */
static void check_callers_memory(const char *text) {
  hone_model *model = engine_model(text);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *plain, *context = NULL;
  picture p = picture_of(1, 16, 16), q = picture_of(1, 16, 16);
  for (size_t i = 0; i < q.tensor.size / sizeof(float); i++) q.data[i] = -q.data[i];
  CHECK_OK(hone_context_new(engine, NULL, &context));
  for (int run = 0; run < 6; run++) {
    const picture *now_given = run % 2 ? &q : &p;
    hone_tensor want = answer_of(engine, &plain, now_given), got = {.struct_size = sizeof got};
    hone_tensor in = now_given->tensor, out = want;
    float *back = NULL;
    in.memory = out.memory = HONE_ON_DEVICE;
    in.data = on_device(now_given->data, in.size);
    out.data = on_device(NULL, out.size);
    CHECK_OK(hone_set_input(context, 0, &in));
    CHECK_OK(hone_set_output(context, 0, &out));
    CHECK_OK(hone_run(context));
    CHECK_OK(hone_get_output(context, 0, &got));
    CHECK(got.memory == HONE_ON_DEVICE && got.data == out.data);
    CHECK_OK(hone_pinned_new(out.size, (void **)&back));
    CHECK_OK(hone_frame_device_fetch(context->frame, out.data, back, out.size));
    CHECK(memcmp(back, want.data, out.size) == 0);
    hone_pinned_free(back);
    off_device(in.data);
    off_device(out.data);
    hone_context_free(plain);
  }
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
  free(p.data);
  free(q.data);
}

/* An input that the host reads too, and that is an output. */
static const char shown_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y, z, x) {"
    " axis = const s64[] 1 a = relu(x) b = cumsum(x, axis) y = add(a, b) z = cumsum(y, axis) }";

TEST(memory_of_the_callers_on_the_device) {
  uint64_t replays = now().replays;
  check_callers_memory(engine_kernels_net);
  check_callers_memory(engine_net);
  check_callers_memory(crossing_net);
  check_callers_memory(inside_net);
  check_callers_memory(shown_net);
  CHECK(now().replays >= replays + 8);
}

TEST(memory_that_is_not_there) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, "device", "cpu");
  hone_context *context = NULL;
  picture p = picture_of(1, 4, 4);
  hone_tensor in = p.tensor;
  in.memory = HONE_ON_DEVICE;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  CHECK_ERROR(hone_set_input(context, 0, &in), HONE_UNSUPPORTED, "the engine runs on the CPU");
  CHECK_ERROR(hone_set_stream(context, &p), HONE_UNSUPPORTED, "the engine runs on the CPU");
  in.memory = 7;
  CHECK_ERROR(hone_set_input(context, 0, &in), HONE_INVALID_ARGUMENT, "no memory of kind 7");
  hone_context_free(context);
  hone_engine_free(engine);
  engine = engine_build(model, "device", "cuda");
  CHECK_OK(hone_context_new(engine, NULL, &context));
  in.memory = HONE_ON_DEVICE;
  in.data = p.data + 1;
  CHECK_ERROR(hone_set_input(context, 0, &in), HONE_INVALID_ARGUMENT, "a multiple of 16");
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
  free(p.data);
}

static void count_done(void *argument) {
  ++*(int *)argument;
}

/* Asked for on the caller's stream, with pinned memory: nothing is done before the stream is waited
 * for, and then all of it in order. */
TEST(asked_for_on_a_stream) {
  hone_model *model = engine_model(engine_kernels_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *plain, *context = NULL;
  picture p = picture_of(1, 16, 16);
  hone_tensor want = answer_of(engine, &plain, &p), in = p.tensor, out = want;
  hone_cu_stream stream = NULL;
  int done = 0;
  in.memory = out.memory = HONE_ON_HOST_PINNED;
  CHECK_OK(hone_pinned_new(in.size, &in.data));
  CHECK_OK(hone_pinned_new(out.size, &out.data));
  CHECK_OK(hone_gpu_enter(the_gpu));
  CHECK(the_gpu->driver->stream_new(&stream, 0) == 0);
  hone_gpu_leave(the_gpu);
  CHECK_OK(hone_context_new(engine, NULL, &context));
  CHECK_OK(hone_set_stream(context, stream));
  CHECK_OK(hone_set_input(context, 0, &in));
  CHECK_OK(hone_set_output(context, 0, &out));
  for (int run = 0; run < 4; run++) {
    memcpy(in.data, p.data, in.size);
    memset(out.data, 0xee, out.size);
    CHECK_OK(hone_enqueue(context, count_done, &done));
    CHECK_OK(hone_enqueue(context, count_done, &done));
    CHECK(done == 2 * run && memcmp(out.data, want.data, out.size) != 0);
    if (run % 2) {
      CHECK_OK(hone_wait(context));
    } else {
      CHECK_OK(hone_gpu_enter(the_gpu));
      CHECK(the_gpu->driver->stream_wait(stream) == 0);
      hone_gpu_leave(the_gpu);
    }
    CHECK(done == 2 * run + 2 && memcmp(out.data, want.data, out.size) == 0);
  }
  CHECK_OK(hone_enqueue(context, NULL, NULL));
  CHECK_OK(hone_set_stream(context, NULL)); /* waits */
  hone_context_free(context);
  hone_context_free(plain);
  CHECK_OK(hone_gpu_enter(the_gpu));
  CHECK(the_gpu->driver->stream_free(stream) == 0);
  hone_gpu_leave(the_gpu);
  hone_pinned_free(in.data);
  hone_pinned_free(out.data);
  hone_engine_free(engine);
  hone_model_free(model);
  free(p.data);
}

/* Where a part runs on the CPU, or memory is plain, the call waits and then says that all is done. */
TEST(asked_for_and_waited_for) {
  hone_model *model = engine_model(crossing_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *plain, *context = NULL;
  picture p = picture_of(1, 16, 16);
  hone_tensor want = answer_of(engine, &plain, &p), got = {.struct_size = sizeof got};
  int done = 0;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  CHECK_OK(hone_set_input(context, 0, &p.tensor));
  for (int run = 1; run < 4; run++) {
    CHECK_OK(hone_enqueue(context, count_done, &done));
    CHECK(done == run);
    CHECK_OK(hone_get_output(context, 0, &got));
    CHECK(memcmp(got.data, want.data, want.size) == 0);
  }
  hone_context_free(context);
  hone_context_free(plain);
  hone_engine_free(engine);
  hone_model_free(model);
  free(p.data);
}

/* Large tensors go in chunks. */
TEST(large_tensors) {
  static const char net[] = "graph net(x: f32[n, h, w, 3]) -> (y) { y = relu(x) }";
  hone_model *model = engine_model(net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *context = NULL;
  picture p = picture_of(5, 407, 401);
  CHECK_OK(hone_context_new(engine, NULL, &context));
  for (int run = 0; run < 3; run++) {
    hone_tensor got = engine_run(context, &p);
    const float *y = got.data;
    size_t wrong = 0;
    for (size_t i = 0; i < got.size / sizeof *y; i++)
      wrong += y[i] != (p.data[i] > 0 ? p.data[i] : 0);
    CHECK(wrong == 0);
    memset(got.data, 0xee, got.size);
  }
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
  free(p.data);
}

/* ---- Memory ----------------------------------------------------------------------------------- */

typedef struct lender {
  int taken, given;
  bool refuses;
} lender;

static void *lend(void *argument, size_t size) {
  lender *l = argument;
  if (l->refuses) return NULL;
  l->taken++;
  return on_device(NULL, size);
}

static void take_back(void *argument, void *memory) {
  ((lender *)argument)->given++;
  off_device(memory);
}

TEST(memory_of_the_callers_making) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *context = NULL;
  lender l = {.refuses = true};
  picture p = picture_of(1, 8, 8);
  CHECK_OK(hone_context_new(engine, NULL, &context));
  CHECK_OK(hone_set_device_memory(context, lend, take_back, &l));
  CHECK_OK(hone_set_input(context, 0, &p.tensor));
  CHECK_ERROR(hone_run(context), HONE_OUT_OF_MEMORY, "no memory on the device was given");
  l.refuses = false;
  CHECK_OK(hone_run(context));
  CHECK(l.taken == 1 && l.given == 0);
  CHECK_ERROR(hone_set_device_memory(context, NULL, NULL, NULL), HONE_INVALID_ARGUMENT, "already");
  hone_context_free(context);
  CHECK(l.given == 1);
  hone_engine_free(engine);
  hone_model_free(model);
  free(p.data);
}

TEST(too_much_for_the_limit) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *context = NULL;
  hone_options *options = engine_options("memory-limit", "20000");
  picture small = picture_of(1, 4, 4), large = picture_of(4, 32, 32);
  CHECK_OK(hone_context_new(engine, options, &context));
  CHECK_OK(hone_set_input(context, 0, &large.tensor));
  uint64_t objects = now().objects;
  CHECK_ERROR(hone_run(context), HONE_LIMIT, "; on the device ");
  CHECK(now().objects == objects);
  CHECK_OK(hone_set_input(context, 0, &small.tensor));
  CHECK_OK(hone_run(context));
  hone_context_free(context);
  hone_options_free(options);
  hone_engine_free(engine);
  hone_model_free(model);
  free(small.data);
  free(large.data);
}

/* Builds, runs three times; the first failure, if any. */
static hone_status *whole_life(const hone_model *model, const picture *p) {
  hone_options *options = engine_options("device", "cuda");
  hone_engine *engine = NULL;
  hone_context *context = NULL;
  hone_status *status = hone_build(model, options, &engine);
  if (!status) status = hone_context_new(engine, NULL, &context);
  if (!status) status = hone_set_input(context, 0, &p->tensor);
  for (int run = 0; !status && run < 3; run++) status = hone_run(context);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_options_free(options);
  return status;
}

/* Each call of the driver fails in turn: an error, nothing kept, and the next life goes well. Where
 * giving back fails there is nobody to tell, and what was to be given back stays. */
TEST(every_call_may_fail) {
  hone_model *model = engine_model(crossing_net);
  picture p = picture_of(1, 4, 4);
  CHECK_OK(whole_life(model, &p));
  uint64_t first = now().calls;
  CHECK_OK(whole_life(model, &p));
  uint64_t calls = now().calls - first;
  for (uint64_t call = 1; call <= calls; call++) {
    stand_in_state before = now();
    set_failure(call, 699);
    hone_status *status = whole_life(model, &p);
    set_failure(0, 0);
    if (status) CHECK(hone_status_code(status) == HONE_DEVICE);
    if ((status && now().objects != before.objects) || now().violations != before.violations) {
      fprintf(stderr, "call %llu of %llu fails: %lld objects stay\n", (unsigned long long)call,
              (unsigned long long)calls, (long long)(now().objects - before.objects));
      check_failed++;
    }
    hone_status_free(status);
  }
  CHECK_OK(whole_life(model, &p));
  free(p.data);
  hone_model_free(model);
}

/* After an illegal access nothing works any more: every run says so, and freeing is still right. */
TEST(an_error_that_stays) {
  hone_model *model = engine_model(engine_kernels_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  picture p = picture_of(1, 8, 8);
  for (uint64_t call = 1; call < 40; call += 3) {
    hone_context *context = NULL;
    CHECK_OK(hone_context_new(engine, NULL, &context));
    CHECK_OK(hone_set_input(context, 0, &p.tensor));
    CHECK_OK(hone_run(context));
    uint64_t violations = now().violations;
    set_failure(call, 700);
    hone_status *status = NULL;
    while (!status) status = hone_run(context);
    CHECK_ERROR(status, HONE_DEVICE, "the process must restart before it can use the GPU");
    CHECK_ERROR(hone_run(context), HONE_DEVICE, "the process must restart");
    hone_context_free(context);
    set_failure(0, 0);
    CHECK(now().violations == violations);
  }
  free(p.data);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* Whichever call for memory it is that fails, a context that could not run runs later. */
TEST(no_memory_on_the_device) {
  hone_model *model = engine_model(engine_kernels_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  picture p = picture_of(1, 8, 8);
  bool refused = false;
  for (uint64_t call = 1; call < 8; call++) {
    hone_context *context = NULL;
    CHECK_OK(hone_context_new(engine, NULL, &context));
    CHECK_OK(hone_set_input(context, 0, &p.tensor));
    set_failure(call, 2);
    hone_status *status = hone_run(context);
    set_failure(0, 0);
    CHECK(hone_status_code(status) == HONE_OUT_OF_MEMORY);
    refused = refused || strstr(hone_status_message(status), "are needed");
    hone_status_free(status);
    CHECK_OK(hone_run(context));
    hone_context_free(context);
  }
  CHECK(refused);
  free(p.data);
  hone_engine_free(engine);
  hone_model_free(model);
}

int main(int count, char **arguments) {
  const char *stand_in = getenv("HONE_CUDA_DRIVER");
  void *driver = stand_in ? dlopen(stand_in, RTLD_NOW | RTLD_LOCAL) : NULL;
  void *state = driver ? dlsym(driver, "stand_in_read_state") : NULL;
  void *failure = driver ? dlsym(driver, "stand_in_set_failure") : NULL;
  if (!state || !failure) {
    printf("%s\n",
           stand_in ? "the stand-in driver does not load" : "skipped: no stand-in driver is named");
    return stand_in != NULL;
  }
  memcpy(&read_state, &state, sizeof state);
  memcpy(&set_failure, &failure, sizeof failure);
  snprintf(own_path, sizeof own_path, "%s", arguments[0]);
  if (count == 3) return play(arguments);
  CHECK_OK(hone_gpu_get(&the_gpu));
  RUN(a_net_on_the_gpu);
  RUN(values_that_cross);
  RUN(what_crosses_is_in_the_report);
  RUN(an_index_outside);
  RUN(watched_and_profiled);
  RUN(saved_and_opened);
  RUN(opened_elsewhere);
  RUN(new_sizes_cost_a_plan);
  RUN(memory_of_the_callers_on_the_device);
  RUN(memory_that_is_not_there);
  RUN(asked_for_on_a_stream);
  RUN(asked_for_and_waited_for);
  RUN(large_tensors);
  RUN(memory_of_the_callers_making);
  RUN(too_much_for_the_limit);
  RUN(every_call_may_fail);
  RUN(an_error_that_stays);
  RUN(no_memory_on_the_device);
  CHECK(now().violations == 0);
  return check_report();
}
