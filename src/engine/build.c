/* Building: passes, candidates, choices, packs. Room: engine. */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "engine/choices.h"
#include "engine/plan.h"
#include "engine/timing_cache.h"
#include "engine/tune.h"
#include "engine/typical.h"
#include "engine/user_op.h"

/* What one build carries along. */
typedef struct builder {
  const hone_options *options;
  hone_engine *engine;
  hone_timing_cache cache;
  bool measure, frozen, stopped;
  uint64_t start;
  double seconds;           /* budget */
  size_t done, total;       /* groups */
  const hone_plan *typical; /* types at the typical sizes; NULL where they could not be told */
  hone_choices *like;       /* kernels are taken from there; NULL: they are measured */
} builder;

hone_status *hone_engine_wrap(hone_graph *graph, hone_engine **out) {
  hone_engine *engine = hone_alloc_zero(sizeof *engine);
  if (!engine) {
    hone_graph_free(graph);
    return hone_error_memory();
  }
  atomic_init(&engine->references, 1);
  engine->graph = graph;
  hone_status *status = hone_program_make(graph, &engine->memory, &engine->program);
  if (!status) status = hone_options_some(HONE_OPTIONS_REFIT, NULL, &engine->options);
  if (status) {
    hone_engine_free(engine);
    return status;
  }
  *out = engine;
  return NULL;
}

void hone_engine_free(hone_engine *engine) {
  if (!engine || atomic_fetch_sub(&engine->references, 1) != 1) return;
  hone_program_drop(engine->program);
  hone_graph_free(engine->graph);
  hone_arena_free(&engine->memory);
  hone_stored_free(engine->stored);
  hone_file_release(engine->file);
  hone_options_free(engine->options);
  hone_origin_free(engine->origin);
  hone_free(engine);
}

hone_status *hone_visit_units(hone_program *program, hone_unit_visit *visit, void *argument) {
  for (size_t u = 0; u < program->unit_count; u++) {
    hone_unit *unit = &program->units[u];
    HONE_TRY(visit(argument, unit));
    for (int r = 0; unit->regions && r < unit->node->region_count; r++)
      HONE_TRY(hone_visit_units(unit->regions[r], visit, argument));
  }
  return NULL;
}

/* ---- Choosing ------------------------------------------------------------------------------- */

/* Asks the caller to go on; a build told to stop keeps what it has, or fails where asked to. */
static hone_status *progress(builder *b, const char *phase) {
  double spent = (double)(hone_now() - b->start) / 1e9;
  double left = b->done ? spent / (double)b->done * (double)(b->total - b->done) : -1;
  if (spent > b->seconds) b->stopped = true;
  if (hone_option_progress(b->options, phase, b->done, b->total, left)) return NULL;
  b->stopped = true;
  if (hone_option_is(b->options, HONE_OPTION_cancel, "fail"))
    return hone_error(HONE_CANCELLED, "the build was cancelled");
  return NULL;
}

/* The group at its typical types; `known` is false when they are not (beyond a stage, in a region). */
static hone_status *typical_group(const builder *b, const hone_unit *unit, hone_arena *memory,
                                  hone_bench_group *out, bool *known) {
  const hone_node *node = unit->node;
  *known = false;
  if (!b->typical || node->graph != b->engine->graph) return NULL;
  hone_type *types = HONE_NEW_ARRAY(memory, node->input_count + 1, hone_type);
  const hone_datum **data = HONE_NEW_ARRAY(memory, node->input_count + 1, const hone_datum *);
  if (!types || !data) return hone_error_memory();
  for (int i = 0; i < node->input_count; i++) {
    const hone_planned *planned = &b->typical->values[node->inputs[i].value->id];
    if (planned->at.kind == HONE_AT_NOWHERE || !planned->typed ||
        planned->type.kind != HONE_KIND_TENSOR)
      return NULL;
    types[i] = planned->type;
    data[i] = planned->known;
  }
  *out = (hone_bench_group){unit->body, types, data, b->engine->threads};
  *known = true;
  return NULL;
}

/* Fills in the times that the cache does not have. False when there will be none. */
static hone_status *get_times(builder *b, const hone_bench_group *group, const char *key,
                              const hone_candidate *candidates, size_t count, double *times,
                              bool *have) {
  size_t missing = 0;
  for (size_t i = 0; i < count; i++) {
    times[i] = hone_timing_cache_get(&b->cache, key, candidates[i].name, candidates[i].variant);
    missing += times[i] < 0;
  }
  *have = true;
  b->engine->cached += count - missing;
  if (missing == 0) return NULL;
  if (b->frozen)
    return hone_error(HONE_NOT_FOUND, "the timing cache is frozen and has no time of kernel %s",
                      candidates[0].name);
  *have = b->measure && !b->stopped;
  if (!*have) return NULL;
  HONE_TRY(hone_time_candidates(group, &hone_backend_cpu, candidates, count, times));
  b->engine->measured += count;
  for (size_t i = 0; i < count; i++)
    if (times[i] >= 0)
      HONE_TRY(hone_timing_cache_put(&b->cache, key, candidates[i].name, candidates[i].variant,
                                     times[i]));
  return NULL;
}

/* A challenger replaces the one before it only by 3 %, so that noise does not change engines. */
static size_t fastest(const double *times, size_t count) {
  size_t best = 0;
  for (size_t i = 1; i < count; i++)
    if (times[i] >= 0 && (times[best] < 0 || times[i] < times[best] * 0.97)) best = i;
  return best;
}

static hone_status *choose(builder *b, hone_unit *unit, const hone_candidate *candidates,
                           size_t count, size_t *chosen) {
  hone_arena memory = {0};
  hone_bench_group group;
  char key[HONE_TIMING_KEY];
  double times[HONE_MAX_CANDIDATES];
  bool have = false;
  bool known = false;
  hone_status *status = NULL;
  *chosen = 0;
  unit->choice.candidate_count = (int)count;
  if (count > 1) status = typical_group(b, unit, &memory, &group, &known);
  if (known) {
    status = hone_timing_key(&group, key);
    if (!status) status = get_times(b, &group, key, candidates, count, times, &have);
    if (!status && have) {
      *chosen = fastest(times, count);
      unit->nanoseconds = times[*chosen] > 0 ? round(times[*chosen]) : 0;
      unit->choice.measured = true;
    }
  }
  hone_arena_free(&memory);
  return status;
}

hone_status *hone_unit_prepare(hone_engine *engine, hone_unit *unit, const char *name, int variant,
                               const hone_pack *saved, int saved_count) {
  HONE_TRY(hone_backend_of(unit->body)
               ->prepare(unit->body, name, variant, saved, saved_count, &engine->memory,
                         &unit->prepared));
  unit->kind = HONE_UNIT_KERNEL;
  unit->choice.candidate = name;
  unit->choice.variant = variant;
  return NULL;
}

/* The kernel that the other engine has for the same group, where it is still offered. */
static hone_status *choose_alike(builder *b, hone_unit *unit, const hone_candidate *candidates,
                                 size_t count, size_t *chosen) {
  const hone_unit *like;
  *chosen = 0;
  unit->choice.candidate_count = (int)count;
  HONE_TRY(hone_choices_find(b->like, unit, &like));
  for (size_t i = 0; like && i < count; i++) {
    if (strcmp(candidates[i].name, like->choice.candidate) != 0 ||
        candidates[i].variant != like->choice.variant)
      continue;
    *chosen = i;
    unit->choice.measured = like->choice.measured;
    unit->nanoseconds = like->nanoseconds;
    return NULL;
  }
  if (like) b->like->missed++;
  return NULL;
}

static hone_status *build_unit(void *argument, hone_unit *unit) {
  builder *b = argument;
  if (!unit->body) return NULL;
  HONE_TRY(progress(b, "measuring kernels"));
  b->done++;
  unit->choice.candidate = "reference";
  if (hone_option_is(b->options, HONE_OPTION_kernels, "reference")) return NULL;
  hone_candidate candidates[HONE_MAX_CANDIDATES];
  size_t count =
      hone_backend_of(unit->body)->candidates(unit->body, candidates, HONE_MAX_CANDIDATES);
  if (count > HONE_MAX_CANDIDATES) count = HONE_MAX_CANDIDATES;
  if (count == 0) return NULL;
  size_t chosen;
  hone_status *status = (b->like ? choose_alike : choose)(b, unit, candidates, count, &chosen);
  if (!status)
    status = hone_unit_prepare(b->engine, unit, candidates[chosen].name, candidates[chosen].variant,
                               NULL, 0);
  return hone_error_at(status, "node '%s'", hone_node_label(unit->node));
}

static hone_status *count_unit(void *argument, hone_unit *unit) {
  builder *b = argument;
  b->total += unit->body != NULL;
  return NULL;
}

/* ---- Building ------------------------------------------------------------------------------- */

/* Types at typical sizes: a plan in which nothing is on a kernel yet. Where they cannot be told,
 * the cost model chooses, and the log says why. */
static hone_status *plan_typical(builder *b, hone_plan **out) {
  const hone_graph *graph = b->engine->graph;
  hone_arena memory = {0};
  hone_datum *data = HONE_NEW_ARRAY(&memory, b->engine->program->value_count + 1, hone_datum);
  hone_datum *inputs = HONE_NEW_ARRAY(&memory, graph->input_count + 1, hone_datum);
  hone_status *status = data && inputs ? NULL : hone_error_memory();
  if (!status)
    status = hone_typical_inputs(graph, hone_option_text(b->options, HONE_OPTION_shapes), &memory,
                                 inputs);
  if (status) {
    hone_arena_free(&memory);
    return status;
  }
  for (int i = 0; i < graph->input_count; i++) data[graph->inputs[i]->id] = inputs[i];
  status = hone_plan_get(b->engine->program, NULL, data, b->engine->threads, out);
  if (status && hone_status_code(status) != HONE_OUT_OF_MEMORY) {
    hone_log(HONE_LOG_INFO, "kernels are chosen without measuring: %s; option shapes helps",
             hone_status_message(status));
    hone_status_free(status);
    status = NULL;
    *out = NULL;
  }
  hone_arena_free(&memory);
  return status;
}

static hone_status *choose_all(builder *b) {
  hone_plan *typical = NULL;
  HONE_TRY(hone_visit_units(b->engine->program, count_unit, b));
  if (!b->like) HONE_TRY(plan_typical(b, &typical));
  b->typical = typical;
  hone_status *status = hone_visit_units(b->engine->program, build_unit, b);
  hone_plan_release(typical);
  /* That plan ran nothing on a kernel: it is none for running. */
  hone_plans_drop(b->engine->program);
  if (!status) status = progress(b, "measuring kernels");
  return status;
}

static hone_status *read_cache(builder *b, const char *path) {
  return *path ? hone_timing_cache_read(&b->cache, path) : NULL;
}

/* Passes are short: a build that keeps what it has lets them end, and then measures nothing. */
static bool pass_cancelled(void *argument) {
  builder *b = argument;
  if (hone_option_progress(b->options, "optimising the graph", 0, 1, -1)) return false;
  b->stopped = true;
  return hone_option_is(b->options, HONE_OPTION_cancel, "fail");
}

static hone_status *optimise(builder *b, hone_graph *graph, hone_pass_log *log) {
  const char *precision = hone_option_text(b->options, HONE_OPTION_precision);
  hone_pass_context context = {
      .compute = strcmp(precision, "bf16") == 0 ? HONE_BF16 : HONE_F32,
      .strict = strcmp(precision, "fp32-strict") == 0,
      .fold_limit = (size_t)hone_option_int(b->options, HONE_OPTION_fold_limit),
      .cancelled = hone_option_has_progress(b->options) ? pass_cancelled : NULL,
      .cancel_argument = b,
      .log = log};
  if (hone_option_is(b->options, HONE_OPTION_passes, "none")) return NULL;
  return hone_run_passes(graph, &context);
}

static void release_model(void *model) {
  hone_model_free(model);
}

/* A copy of the model's graph that keeps the model, and so its weights, alive. */
static hone_status *own_graph(const hone_model *model, hone_graph **out) {
  HONE_TRY(hone_graph_copy(model->graph, out));
  hone_model *kept = hone_model_retain(model);
  hone_status *status = hone_graph_keep(*out, release_model, kept);
  if (!status) return NULL;
  hone_model_free(kept);
  hone_graph_free(*out);
  return status;
}

/* What the engine's file will say of the model, where it does not hold its weights. */
static hone_status *take_origin(builder *b, const hone_model *model) {
  hone_engine *engine = b->engine;
  if (hone_option_is(b->options, HONE_OPTION_portable, "embed")) return NULL;
  if (hone_option_flag(b->options, HONE_OPTION_refit))
    return hone_error(HONE_INVALID_ARGUMENT, "option refit keeps all weights in the engine file, and "
                                             "portable=%s leaves them out",
                      hone_option_text(b->options, HONE_OPTION_portable));
  if (hone_option_is(b->options, HONE_OPTION_portable, "none")) return NULL;
  if (!model->origin)
    return hone_error(HONE_INVALID_ARGUMENT,
                      "portable=reference needs a model that was opened by its path");
  engine->origin = hone_origin_retain(model->origin);
  return hone_origin_sum(model->graph, &engine->model_sum);
}

static hone_status *build(builder *b, const hone_model *model, hone_engine **out) {
  const char *cache_path = hone_option_text(b->options, HONE_OPTION_timing_cache);
  HONE_TRY(read_cache(b, cache_path));
  hone_graph *graph;
  hone_pass_log log = {.count = 0};
  HONE_TRY(own_graph(model, &graph));
  hone_status *status = optimise(b, graph, &log);
  if (status) {
    hone_graph_free(graph);
    return status;
  }
  HONE_TRY(hone_engine_wrap(graph, &b->engine));
  int64_t threads = hone_option_int(b->options, HONE_OPTION_threads);
  b->engine->threads = threads ? (int)threads : hone_pool_default_threads();
  b->engine->log = log;
  b->engine->model = (hone_model *)(uintptr_t)model; /* its graph keeps it */
  strncpy(b->engine->precision, hone_option_text(b->options, HONE_OPTION_precision),
          sizeof b->engine->precision - 1);
  hone_options_free(b->engine->options);
  b->engine->options = NULL;
  status = hone_options_some(HONE_OPTIONS_REFIT, b->options, &b->engine->options);
  if (!status) status = take_origin(b, model);
  if (!status) status = choose_all(b);
  if (!status && *cache_path && b->engine->measured)
    status = hone_timing_cache_write(&b->cache, cache_path);
  if (status) {
    hone_engine_free(b->engine);
    return status;
  }
  b->engine->build_seconds = (double)(hone_now() - b->start) / 1e9;
  *out = b->engine;
  return NULL;
}

hone_status *hone_build(const hone_model *model, const hone_options *options, hone_engine **out) {
  builder b = {.options = options,
               .measure = hone_option_flag(options, HONE_OPTION_measure),
               .frozen = hone_option_flag(options, HONE_OPTION_frozen_cache),
               .seconds = hone_option_real(options, HONE_OPTION_build_seconds),
               .start = hone_now()};
  hone_status *status = build(&b, model, out);
  hone_timing_cache_free(&b.cache);
  return status;
}

hone_status *hone_build_like(const hone_engine *engine, const hone_model *model,
                             hone_choices *choices, hone_engine **out) {
  builder b = {
      .options = engine->options, .seconds = INFINITY, .start = hone_now(), .like = choices};
  HONE_TRY(build(&b, model, out));
  (*out)->threads = engine->threads;
  return NULL;
}
