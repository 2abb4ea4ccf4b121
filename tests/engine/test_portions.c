/* Batches in portions: the bits of the rows by themselves, wherever outputs go. */
#include "engine/frame.h"
#include "engine/portions.h"
#include "engines.h"

enum { ROWS = 15, CLASSES = 10, PIXELS = 16 * 16 * 3 };

static hone_context *context_of(hone_engine *engine, const char *threads) {
  hone_options *options = engine_options("threads", threads);
  hone_context *context = NULL;
  CHECK_OK(hone_context_new(engine, options, &context));
  hone_options_free(options);
  return context;
}

static hone_context *context_on(hone_engine *engine) {
  return context_of(engine, "2");
}

/* What the rows give one by one. */
static void run_rows(hone_engine *engine, const picture *all, float *out) {
  hone_context *context = context_on(engine);
  for (int row = 0; row < ROWS; row++) {
    picture one = *all;
    one.tensor.dims[0] = 1;
    one.tensor.data = all->data + (size_t)row * PIXELS;
    one.tensor.size = PIXELS * sizeof(float);
    hone_tensor y = engine_run(context, &one);
    CHECK(y.size == CLASSES * sizeof(float));
    memcpy(out + row * CLASSES, y.data, y.size);
  }
  hone_context_free(context);
}

static void check_rows(const hone_tensor *y, const float *wanted) {
  CHECK(y->rank == 2 && y->dims[0] == ROWS && y->dims[1] == CLASSES);
  CHECK(y->size == ROWS * CLASSES * sizeof(float));
  CHECK(memcmp(y->data, wanted, y->size) == 0);
}

static void *given;
static int times_asked;
static void *give(void *argument, size_t index, const hone_tensor *type) {
  (void)argument;
  CHECK(index == 0 && type->dims[0] == ROWS && type->size == ROWS * CLASSES * sizeof(float));
  times_asked++;
  return given;
}

/* Memory of the context's own, the caller's, and what is asked for. */
static void check_outputs(hone_engine *engine, const picture *all, const float *wanted) {
  float out[ROWS * CLASSES + 1];
  hone_context *context = context_on(engine);
  hone_tensor y = engine_run(context, all);
  check_rows(&y, wanted);
  for (int i = 0; i <= ROWS * CLASSES; i++) out[i] = NAN;
  hone_tensor bound = {.struct_size = sizeof bound, .data = out, .size = sizeof out};
  CHECK_OK(hone_set_output(context, 0, &bound));
  y = engine_run(context, all);
  CHECK(y.data == out && isnan(out[ROWS * CLASSES]));
  check_rows(&y, wanted);
  bound.size = ROWS * CLASSES * sizeof(float) - 1;
  CHECK_OK(hone_set_output(context, 0, &bound));
  hone_status *status = hone_run(context);
  CHECK(hone_status_code(status) == HONE_INVALID_ARGUMENT);
  hone_status_free(status);
  given = out;
  times_asked = 0;
  hone_set_output_memory(context, give, NULL);
  for (int i = 0; i < ROWS * CLASSES; i++) out[i] = NAN;
  y = engine_run(context, all);
  CHECK(times_asked == 1 && y.data == out);
  check_rows(&y, wanted);
  hone_context_free(context);
}

TEST(same_bits_as_row_by_row) {
  static const size_t limits[] = {0, 1, 100000, 200000, 100000000};
  hone_model *model = engine_model(engine_net);
  float wanted[ROWS * CLASSES];
  picture all = picture_of(ROWS, 16, 16);
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    hone_portions_limit(limits[i]);
    hone_engine *engine = engine_build(model, NULL, NULL);
    CHECK(engine->program->batch != 0);
    run_rows(engine, &all, wanted);
    check_outputs(engine, &all, wanted);
    hone_engine_free(engine);
  }
  hone_portions_limit(0);
  free(all.data);
  hone_model_free(model);
}

TEST(as_many_for_each_thread) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  picture all = picture_of(8, 16, 16);
  static const struct {
    size_t limit;
    int threads, count;
  } cases[] = {
      {1, 1, 8},  {1, 2, 8}, {1, 3, 8}, {1, 4, 8}, {1, 5, 1}, {1, 8, 8}, {1, 16, 1}, {0, 2, 1},
      {3 * 3 * 8 * 8 * 16 * sizeof(float), 2, 4}, /* 3 rows of the last sum */
      {8 * 3 * 8 * 8 * 16 * sizeof(float), 2, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hone_context *context = context_on(engine);
    context->run.threads = cases[i].threads;
    hone_portions_limit(cases[i].limit);
    engine_run(context, &all);
    CHECK(context->portions.count == cases[i].count);
    hone_context_free(context);
  }
  hone_portions_limit(0);
  free(all.data);
  hone_engine_free(engine);
  hone_model_free(model);
}

static bool stop(void *argument) {
  return ++*(int *)argument > 0;
}

/* A run that is stopped says so, and the next one is whole. */
TEST(stops) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = context_on(engine);
  picture all = picture_of(8, 16, 16);
  hone_portions_limit(1);
  engine_run(context, &all);
  hone_cancel(context);
  hone_status *status = hone_run(context);
  CHECK(hone_status_code(status) == HONE_CANCELLED);
  hone_status_free(status);
  CHECK_OK(hone_run(context));
  int asked = 0;
  hone_set_poll(context, stop, &asked);
  status = hone_run(context);
  CHECK(!status || (asked && hone_status_code(status) == HONE_CANCELLED));
  hone_status_free(status);
  hone_portions_limit(0);
  hone_context_free(context);
  free(all.data);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* Of rows with an index outside the table the first portion is told, however threads come. */
TEST(first_fault) {
  hone_engine *engine = NULL;
  hone_model *model = engine_model(
      "graph g(i: s64[n, 2]) -> (y) { t = const f32[9, 64] @weights+0 e = gather(t, i)"
      " y = tanh(e) }");
  CHECK_OK(hone_build(model, NULL, &engine));
  hone_context *context = context_on(engine);
  int64_t places[2 * ROWS] = {[8] = 9, [27] = -77};
  hone_tensor in = {.struct_size = sizeof in,
                    .dtype = HONE_S64,
                    .rank = 2,
                    .dims = {ROWS, 2},
                    .data = places,
                    .size = sizeof places};
  hone_portions_limit(1);
  CHECK_OK(hone_set_input(context, 0, &in));
  for (int i = 0; i < 20; i++) {
    hone_status *status = hone_run(context);
    CHECK(context->portions.count == ROWS);
    CHECK(hone_status_code(status) == HONE_INVALID_ARGUMENT);
    CHECK(status && strstr(hone_status_message(status), "9 is outside"));
    hone_status_free(status);
  }
  places[8] = places[27] = 8;
  CHECK_OK(hone_run(context));
  hone_portions_limit(0);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* What the lanes hold after one run of all rows on so many threads. */
static size_t memory_on(hone_engine *engine, const char *threads, picture *all, int lanes) {
  hone_context *context = context_of(engine, threads);
  engine_run(context, all);
  CHECK(context->portions.count == ROWS && context->portions.lane_count == lanes);
  size_t bytes = hone_portions_memory(&context->portions);
  hone_context_free(context);
  return bytes;
}

/* A lane that nobody came to has its memory as well: a later run may need it. */
TEST(lanes_are_ready) {
  hone_model *model = engine_model(engine_kernels_net);
  hone_engine *engine = engine_build(model, "threads", "5");
  picture all = picture_of(ROWS, 16, 16);
  hone_portions_limit(1);
  size_t one = memory_on(engine, "1", &all, 1);
  CHECK(one > 0 && memory_on(engine, "5", &all, 5) == 5 * one);
  hone_portions_limit(0);
  free(all.data);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* Nothing is allocated when sizes come back, and a profile counts a run once. */
TEST(steady) {
  hone_model *model = engine_model(engine_kernels_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = context_on(engine);
  picture many = picture_of(ROWS, 16, 16), few = picture_of(2, 16, 16);
  hone_portions_limit(1);
  for (int i = 0; i < 2; i++) engine_run(context, &many), engine_run(context, &few);
  uint64_t allocations = hone_alloc_count(), plans = hone_plan_count();
  for (int i = 0; i < 2; i++) engine_run(context, &few), engine_run(context, &many);
  CHECK(hone_alloc_count() == allocations && hone_plan_count() == plans);
  hone_profile(context, true);
  engine_run(context, &many);
  for (size_t u = 0; u < engine->program->unit_count; u++)
    CHECK(context->frame->times[u].runs <= 1);
  hone_portions_limit(0);
  hone_context_free(context);
  free(many.data);
  free(few.data);
  hone_engine_free(engine);
  hone_model_free(model);
}

int main(void) {
  RUN(same_bits_as_row_by_row);
  RUN(as_many_for_each_thread);
  RUN(stops);
  RUN(first_fault);
  RUN(lanes_are_ready);
  RUN(steady);
  return check_report();
}
