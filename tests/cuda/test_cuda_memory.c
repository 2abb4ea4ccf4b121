/* Engines on the GPU: memory and streams of the caller's, limits, calls that fail; on the stand-in
 * driver. */
#include "../engine/engines.h"
#include <hone/gpu.h>

#include "backend/cuda/gpu.h"
#include "crossing.h"
#include "engine/frame.h"
#include "on_stand_in.h"

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

/* Pinned memory of the caller's for a picture and what the net makes of it. */
static void give_pinned(hone_context *context, picture *p, hone_tensor *out) {
  hone_tensor in = p->tensor;
  in.memory = out->memory = HONE_ON_HOST_PINNED;
  in.data = p->data;
  CHECK_OK(hone_pinned_new(out->size, &out->data));
  CHECK_OK(hone_set_input(context, 0, &in));
  CHECK_OK(hone_set_output(context, 0, out));
}

static picture pinned_picture(int n, float value) {
  picture p = picture_of(n, 2, 2);
  free(p.data);
  CHECK_OK(hone_pinned_new(p.tensor.size, (void **)&p.data));
  p.tensor.data = p.data;
  for (size_t i = 0; i < p.tensor.size / sizeof(float); i++) p.data[i] = value;
  return p;
}

#define TOLD "index 9 is outside of a dimension of 4"

/* No run waits for the one before it to know whether all indices were places. */
TEST(faults_that_are_met_later) {
  hone_model *model = engine_model(gather_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *context = NULL;
  picture good = pinned_picture(1, 3), bad = pinned_picture(1, 9), larger = pinned_picture(2, 1);
  picture *given[] = {&good, &bad, &larger};
  hone_tensor out[3];
  CHECK_OK(hone_context_new(engine, NULL, &context));
  for (int i = 0; i < 3; i++) {
    size_t size = given[i]->tensor.size * 2;
    out[i] = (hone_tensor){.struct_size = sizeof *out, .dtype = HONE_F32, .size = size};
    give_pinned(context, given[i], &out[i]);
    hone_status *status = hone_run(context);
    if (i == 1) CHECK_ERROR(status, HONE_INVALID_ARGUMENT, TOLD);
    else CHECK_OK(status);
    hone_pinned_free(out[i].data);
  }
  for (int run = 0; run < 4; run++) {
    give_pinned(context, &good, &out[0]);
    CHECK_OK(hone_enqueue(context, NULL, NULL));
    give_pinned(context, &bad, &out[1]);
    CHECK_OK(hone_enqueue(context, NULL, NULL));
    CHECK_OK(hone_enqueue(context, NULL, NULL));
    if (run % 2) {
      give_pinned(context, &larger, &out[2]);
      CHECK_ERROR(hone_enqueue(context, NULL, NULL), HONE_INVALID_ARGUMENT, TOLD);
      CHECK_OK(hone_enqueue(context, NULL, NULL));
      CHECK_OK(hone_wait(context));
      hone_pinned_free(out[2].data);
    }
    else CHECK_ERROR(hone_wait(context), HONE_INVALID_ARGUMENT, TOLD);
    CHECK_OK(hone_wait(context));
    hone_pinned_free(out[0].data);
    hone_pinned_free(out[1].data);
  }
  hone_context_free(context);
  for (int i = 0; i < 3; i++) hone_pinned_free(given[i]->data);
  hone_engine_free(engine);
  hone_model_free(model);
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
/* Of a chain no more is there at once than what a step reads and makes, and the input. */
static const char chain_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " a = softmax(x) {axis=1} b = softmax(a) {axis=2} c = softmax(b) {axis=1} d = softmax(c) {axis=2}"
    " e = softmax(d) {axis=1} f = softmax(e) {axis=2} g = softmax(f) {axis=1} y = softmax(g) {axis=2} }";

TEST(memory_that_is_used_again) {
  hone_model *model = engine_model(chain_net);
  hone_engine *engine = engine_build(model, "device", "cuda");
  hone_context *plain, *context = NULL;
  picture p = picture_of(1, 32, 32);
  hone_tensor want = answer_of(engine, &plain, &p);
  CHECK_OK(hone_context_new(engine, NULL, &context));
  for (int run = 0; run < 3; run++) {
    hone_tensor y = engine_run(context, &p);
    CHECK(memcmp(y.data, want.data, y.size) == 0);
  }
  CHECK(context->frame->plan->device_size >= 2 * p.tensor.size);
  CHECK(context->frame->plan->device_size <= 3 * p.tensor.size + 4096);
  hone_context_free(context);
  hone_context_free(plain);
  hone_engine_free(engine);
  hone_model_free(model);
  free(p.data);
}

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

int main(void) {
  int code;
  if (!stand_in_is_there(&code)) return code;
  CHECK_OK(hone_gpu_get(&the_gpu));
  RUN(memory_of_the_callers_on_the_device);
  RUN(memory_that_is_not_there);
  RUN(asked_for_on_a_stream);
  RUN(asked_for_and_waited_for);
  RUN(faults_that_are_met_later);
  RUN(large_tensors);
  RUN(memory_that_is_used_again);
  RUN(memory_of_the_callers_making);
  RUN(too_much_for_the_limit);
  RUN(every_call_may_fail);
  RUN(an_error_that_stays);
  RUN(no_memory_on_the_device);
  CHECK(now().violations == 0);
  return check_report();
}
