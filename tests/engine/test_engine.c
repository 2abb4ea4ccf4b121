/* Engines end to end on a small net: answers, shapes, plans, allocations, threads, files. */
#include "engines.h"

#include <pthread.h>
#include <unistd.h>

static hone_context *context_on(hone_engine *engine, const char *threads) {
  hone_options *options = NULL;
  hone_context *context = NULL;
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "threads", threads));
  CHECK_OK(hone_context_new(engine, options, &context));
  hone_options_free(options);
  return context;
}

/* The fast engine against one on references with no passes, at several shapes. */
TEST(answers_as_the_reference) {
  hone_model *model = engine_model(engine_net);
  hone_engine *fast = engine_build(model, NULL, NULL);
  hone_engine *plain = engine_build(model, "passes", "none");
  hone_context *a = context_on(fast, "2"), *b = context_on(plain, "1");
  const int shapes[][3] = {{1, 16, 16}, {2, 17, 9}, {3, 5, 31}, {1, 64, 48}, {1, 16, 16}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    picture p = picture_of(shapes[i][0], shapes[i][1], shapes[i][2]);
    hone_tensor y = engine_run(a, &p), want = engine_run(b, &p);
    CHECK(y.rank == 2 && y.dims[0] == shapes[i][0] && y.dims[1] == 10);
    CHECK(engine_error(&y, &want) < bound("model", "fp32"));
    free(p.data);
  }
  hone_context_free(a);
  hone_context_free(b);
  hone_engine_free(fast);
  hone_engine_free(plain);
  hone_model_free(model);
}

TEST(plans_once_a_shape) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = context_on(engine, "2");
  picture small = picture_of(1, 16, 16), large = picture_of(2, 32, 32);
  engine_run(context, &large);
  engine_run(context, &small);
  uint64_t plans = hone_plan_count();
  engine_run(context, &large);
  engine_run(context, &small);
  CHECK(hone_plan_count() == plans);
  free(small.data);
  free(large.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* From the second run on, with sizes no larger than seen, nothing is allocated. */
TEST(allocates_nothing_when_steady) {
  hone_model *model = engine_model(engine_kernels_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = context_on(engine, "2");
  picture p = picture_of(1, 32, 32);
  engine_run(context, &p);
  engine_run(context, &p);
  uint64_t before = hone_alloc_count();
  for (int i = 0; i < 10; i++) CHECK_OK(hone_run(context));
  CHECK(hone_alloc_count() == before);
  free(p.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

TEST(writes_into_the_callers_memory) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = context_on(engine, "1");
  picture p = picture_of(2, 16, 16);
  float mine[20] = {0};
  hone_tensor bound = {.struct_size = sizeof bound, .data = mine, .size = sizeof mine};
  hone_tensor own = engine_run(context, &p);
  float want[20];
  memcpy(want, own.data, sizeof want);
  CHECK_OK(hone_set_output(context, 0, &bound));
  hone_tensor out = engine_run(context, &p);
  CHECK(out.data == mine && memcmp(mine, want, sizeof want) == 0);
  bound.size = 16;
  CHECK_OK(hone_set_output(context, 0, &bound));
  CHECK_ERROR(hone_run(context), HONE_INVALID_ARGUMENT, "takes 80 bytes and was given 16");
  free(p.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* Memory by the run: one piece a call, counted. */
typedef struct giver {
  float memory[2][20];
  int calls;
  hone_tensor type;
} giver;

static void *give_memory(void *argument, size_t index, const hone_tensor *type) {
  giver *g = argument;
  if (index != 0 || g->calls == 2) return NULL;
  g->type = *type;
  return g->memory[g->calls++];
}

TEST(asks_for_the_outputs_memory_once_a_run) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = context_on(engine, "1");
  picture p = picture_of(2, 16, 16);
  hone_tensor own = engine_run(context, &p);
  float want[20];
  memcpy(want, own.data, sizeof want);
  giver g = {0};
  hone_set_output_memory(context, give_memory, &g);
  for (int i = 0; i < 2; i++) {
    hone_tensor out = engine_run(context, &p);
    CHECK(g.calls == i + 1 && out.data == g.memory[i]);
    CHECK(g.type.size == 80 && g.type.dtype == HONE_F32 && g.type.rank == 2 && g.type.dims[0] == 2);
    CHECK(memcmp(g.memory[i], want, sizeof want) == 0);
  }
  CHECK_ERROR(hone_run(context), HONE_OUT_OF_MEMORY, "no memory was given");
  hone_set_output_memory(context, NULL, NULL);
  CHECK_OK(hone_run(context));
  free(p.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

typedef struct worker {
  hone_engine *engine;
  float want[10];
  int wrong;
} worker;

static void *run_many(void *argument) {
  worker *w = argument;
  hone_context *context = context_on(w->engine, "2");
  picture p = picture_of(1, 24, 24);
  for (int i = 0; i < 30; i++) {
    hone_tensor y = engine_run(context, &p);
    w->wrong += memcmp(y.data, w->want, sizeof w->want) != 0;
  }
  free(p.data);
  hone_context_free(context);
  return NULL;
}

/* Any number of threads, any number of contexts: the same bits. */
TEST(gives_the_same_bits_on_any_threads) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  worker workers[8];
  float want[10];
  picture p = picture_of(1, 24, 24);
  const char *const counts[] = {"1", "2", "3", "7"};
  for (int i = 0; i < 4; i++) {
    hone_context *context = context_on(engine, counts[i]);
    hone_tensor y = engine_run(context, &p);
    if (i == 0)
      memcpy(want, y.data, sizeof want);
    else
      CHECK(memcmp(want, y.data, sizeof want) == 0);
    hone_context_free(context);
  }
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) {
    workers[i] = (worker){.engine = engine};
    memcpy(workers[i].want, want, sizeof want);
    pthread_create(&threads[i], NULL, run_many, &workers[i]);
  }
  for (int i = 0; i < 8; i++) {
    pthread_join(threads[i], NULL);
    CHECK(workers[i].wrong == 0);
  }
  free(p.data);
  hone_engine_free(engine);
  hone_model_free(model);
}

TEST(refuses_wrong_inputs) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = context_on(engine, "1");
  CHECK_ERROR(hone_run(context), HONE_INVALID_ARGUMENT, "'x' was not set");
  picture p = picture_of(1, 8, 8);
  hone_tensor bad = p.tensor;
  bad.rank = 3;
  CHECK_ERROR(hone_set_input(context, 0, &bad), HONE_INVALID_ARGUMENT, "rank 4");
  bad = p.tensor;
  bad.dims[3] = 4;
  CHECK_ERROR(hone_set_input(context, 0, &bad), HONE_INVALID_ARGUMENT, "bytes");
  bad = p.tensor;
  bad.dtype = HONE_F64;
  CHECK_ERROR(hone_set_input(context, 0, &bad), HONE_INVALID_ARGUMENT, "");
  bad = p.tensor;
  bad.dims[0] = -1;
  CHECK_ERROR(hone_set_input(context, 0, &bad), HONE_INVALID_ARGUMENT, "negative");
  CHECK_ERROR(hone_set_input(context, 1, &p.tensor), HONE_INVALID_ARGUMENT, "no input 1");
  free(p.data);
  hone_context_free(context);
  hone_options *options = engine_options("memory-limit", "1000");
  CHECK_OK(hone_context_new(engine, options, &context));
  p = picture_of(1, 64, 64);
  CHECK_OK(hone_set_input(context, 0, &p.tensor));
  CHECK_ERROR(hone_run(context), HONE_LIMIT, "the limit is 1000");
  free(p.data);
  hone_options_free(options);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

int main(void) {
  RUN(answers_as_the_reference);
  RUN(plans_once_a_shape);
  RUN(allocates_nothing_when_steady);
  RUN(writes_into_the_callers_memory);
  RUN(asks_for_the_outputs_memory_once_a_run);
  RUN(gives_the_same_bits_on_any_threads);
  RUN(refuses_wrong_inputs);
  return check_report();
}
