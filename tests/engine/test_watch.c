/* Watched runs: every value is shown, beside its plain meaning, and nothing else changes. */
#include "engines.h"

typedef struct seen {
  int steps, kernels, stop_after;
  double worst;
  bool finite, named;
  char last[64];
} seen;

static bool look(void *argument, const hone_watched *step) {
  seen *s = argument;
  s->steps++;
  s->named = s->named || (step->source_count && strcmp(step->sources[0], "first") == 0);
  snprintf(s->last, sizeof s->last, "%s", step->name);
  if (step->reference) {
    s->kernels++;
    s->worst = fmax(s->worst, engine_error(&step->value, step->reference));
  }
  return s->steps != s->stop_after;
}

TEST(shows_every_value_beside_its_meaning) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = NULL;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  picture p = picture_of(2, 17, 9);
  hone_tensor y = engine_run(context, &p);
  float before[20];
  memcpy(before, y.data, sizeof before);
  seen s = {0};
  hone_watch_runs(context, look, &s, true);
  y = engine_run(context, &p);
  CHECK(s.steps >= 5 && s.kernels >= 4 && s.named && strcmp(s.last, "y") == 0);
  CHECK(s.worst < bound("model", "fp32"));
  CHECK(memcmp(before, y.data, sizeof before) == 0);
  int steps = s.steps;
  hone_watch_runs(context, NULL, NULL, false);
  y = engine_run(context, &p);
  CHECK(s.steps == steps && memcmp(before, y.data, sizeof before) == 0);
  free(p.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

TEST(the_watcher_may_stop_the_run) {
  hone_model *model = engine_model(engine_net);
  hone_engine *engine = engine_build(model, "kernels", "reference");
  hone_context *context = NULL;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  picture p = picture_of(1, 16, 16);
  seen s = {.stop_after = 2};
  CHECK_OK(hone_set_input(context, 0, &p.tensor));
  hone_watch_runs(context, look, &s, true);
  CHECK_ERROR(hone_run(context), HONE_CANCELLED, "watcher");
  CHECK(s.steps == 2 && s.kernels == 0);
  hone_watch_runs(context, NULL, NULL, false);
  CHECK_OK(hone_run(context));
  free(p.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* The values of bodies come once a turn, deeper than those of the graph. */
static bool count_depths(void *argument, const hone_watched *step) {
  ((int *)argument)[step->depth < 2 ? step->depth : 2]++;
  return true;
}

TEST(shows_what_bodies_do) {
  hone_model *model = engine_model(
      "graph g(x: f32[4]) -> (y) { n = const s64[] 3 y = loop(n, _, x) {carried=1}"
      " region body(i: s64[], c: bool[], v: f32[4]) -> (d, w) { d = identity(c) w = exp(v) } }");
  hone_options *options = NULL;
  hone_engine *engine = NULL;
  hone_context *context = NULL;
  CHECK_OK(hone_options_new(&options));
  CHECK_OK(hone_options_set(options, "measure", "false"));
  CHECK_OK(hone_build(model, options, &engine));
  CHECK_OK(hone_context_new(engine, NULL, &context));
  float data[4] = {0, -1, 1, 2};
  hone_tensor x = {.struct_size = sizeof x,
                   .dtype = HONE_F32,
                   .rank = 1,
                   .dims = {4},
                   .data = data,
                   .size = sizeof data};
  CHECK_OK(hone_set_input(context, 0, &x));
  int depths[3] = {0};
  hone_watch_runs(context, count_depths, depths, true);
  CHECK_OK(hone_run(context));
  CHECK(depths[0] >= 1 && depths[1] >= 3 && depths[1] % 3 == 0 && depths[2] == 0);
  hone_options_free(options);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

int main(void) {
  RUN(shows_every_value_beside_its_meaning);
  RUN(the_watcher_may_stop_the_run);
  RUN(shows_what_bodies_do);
  return check_report();
}
