/* Kernels for groups: candidates, their times, the fastest. Room: engine. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "engine/backends.h"
#include "engine/builder.h"
#include "engine/portions.h"
#include "engine/tune.h"
#include "engine/typical.h"

hone_status *hone_build_progress(hone_builder *b, const char *phase) {
  double spent = (double)(hone_now() - b->start) / 1e9;
  double left = b->done ? spent / (double)b->done * (double)(b->total - b->done) : -1;
  if (spent > b->seconds) b->stopped = true;
  if (hone_option_progress(b->options, phase, b->done, b->total, left)) return NULL;
  b->stopped = true;
  if (hone_option_is(b->options, HONE_OPTION_cancel, "fail"))
    return hone_error(HONE_CANCELLED, "the build was cancelled");
  return NULL;
}

hone_status *hone_typical_group(const hone_builder *b, const hone_unit *unit,
                                const hone_plan *plan, hone_arena *memory, hone_bench_group *out,
                                bool *known) {
  const hone_node *node = unit->node;
  *known = false;
  if (!plan) return NULL;
  hone_type *types = HONE_NEW_ARRAY(memory, node->input_count + 1, hone_type);
  const hone_datum **data = HONE_NEW_ARRAY(memory, node->input_count + 1, const hone_datum *);
  if (!types || !data) return hone_error_memory();
  for (int i = 0; i < node->input_count; i++) {
    const hone_planned *planned = &plan->values[node->inputs[i].value->id];
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
static hone_status *get_times(hone_builder *b, const hone_bench_group *group, const char *key,
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

size_t hone_fastest(const double *times, size_t count) {
  size_t best = 0;
  for (size_t i = 1; i < count; i++)
    if (times[i] >= 0 && (times[best] < 0 || times[i] < times[best] * 0.97)) best = i;
  return best;
}

/* By time where the sizes are known, else by the cost model. */
static hone_status *choose(hone_builder *b, hone_unit *unit, const hone_plan *plan,
                           const hone_candidate *candidates, size_t count, size_t *chosen,
                           bool *known) {
  hone_arena memory = {0};
  hone_bench_group group;
  char key[HONE_TIMING_KEY];
  double times[HONE_MAX_CANDIDATES];
  bool have = false;
  hone_status *status = hone_typical_group(b, unit, plan, &memory, &group, known);
  if (!status && *known) {
    status = hone_timing_key(&group, &hone_backend_cpu, key);
    if (!status) status = get_times(b, &group, key, candidates, count, times, &have);
    if (!status && have) {
      *chosen = hone_fastest(times, count);
      unit->nanoseconds = times[*chosen] > 0 ? round(times[*chosen]) : 0;
      unit->choice.measured = true;
    }
  }
  hone_arena_free(&memory);
  return status;
}

/* What a device's group is tuned for is in its last pack. The other engine may go. */
static hone_status *take_tuning(hone_builder *b, const hone_unit *like, const hone_pack *pack,
                                hone_tuning *out) {
  if (!like->prepared.backend->device || !like->choice.variant) return NULL;
  out->saved.bytes = hone_arena_copy(&b->engine->memory, pack->bytes, pack->size);
  out->saved.size = pack->size;
  return out->saved.bytes ? NULL : hone_error_memory();
}

/* The kernel that the other engine has for the same group, where it is still offered. */
static hone_status *choose_alike(hone_builder *b, hone_unit *unit, const hone_candidate *candidates,
                                 size_t count, size_t *chosen, hone_tuning *tuning) {
  const hone_unit *like;
  HONE_TRY(hone_choices_find(b->like, unit, &like));
  for (size_t i = 0; like && i < count; i++) {
    if (strcmp(candidates[i].name, like->choice.candidate) != 0 ||
        candidates[i].variant != like->choice.variant)
      continue;
    *chosen = i;
    if (like->prepared.pack_count)
      HONE_TRY(take_tuning(b, like, &like->prepared.packs[like->prepared.pack_count - 1], tuning));
    unit->choice.measured = like->choice.measured;
    unit->nanoseconds = like->nanoseconds;
    return NULL;
  }
  if (like) b->like->missed++;
  return NULL;
}

/* Until a trial run has told the sizes, packs are made where they will be freed. */
static hone_status *prepare(hone_builder *b, hone_unit *unit, const hone_backend *backend,
                            const hone_candidate *chosen, const hone_tuning *tuning, bool later) {
  if (later) HONE_TRY(hone_map_put(&b->later, (const char *)&unit, sizeof unit, unit));
  return hone_unit_prepare(later ? &b->trial : &b->engine->memory, unit, backend, chosen->name,
                           chosen->variant, NULL, 0, tuning);
}

hone_status *hone_choose_unit(hone_builder *b, hone_unit *unit, const hone_plan *plan) {
  hone_candidate candidates[HONE_MAX_CANDIDATES];
  const hone_backend *backend = hone_backend_for(b->engine, unit->body);
  size_t chosen = 0, count = backend->candidates(unit->body, candidates, HONE_MAX_CANDIDATES);
  if (count > HONE_MAX_CANDIDATES) count = HONE_MAX_CANDIDATES;
  if (count == 0) return NULL;
  unit->choice.candidate_count = (int)count;
  bool known = true;
  hone_tuning tuning = {.view = NULL};
  hone_status *status = NULL;
  if (b->like)
    status = choose_alike(b, unit, candidates, count, &chosen, &tuning);
  else if (count > 1 && !backend->device)
    status = choose(b, unit, plan, candidates, count, &chosen, &known);
  if (!status) status = prepare(b, unit, backend, &candidates[chosen], &tuning, b->tries && !known);
  return hone_error_at(status, "node '%s'", hone_node_label(unit->node));
}

static hone_status *build_unit(hone_builder *b, hone_unit *unit) {
  HONE_TRY(hone_build_progress(b, "measuring kernels"));
  b->done++;
  unit->choice.candidate = "reference";
  if (hone_option_is(b->options, HONE_OPTION_kernels, "reference")) return NULL;
  return hone_choose_unit(b, unit, unit->node->graph == b->engine->graph ? b->typical : NULL);
}

/* Units, those with the most bytes of constants first: the packs of all candidates of a large one
 * are held while few are held for good. */
typedef struct sized_unit {
  hone_unit *unit;
  size_t bytes, order;
} sized_unit;

typedef struct unit_list {
  sized_unit *all;
  size_t count;
} unit_list;

static size_t constant_bytes(const hone_graph *body) {
  size_t total = 0, bytes;
  for (size_t i = 0; i < body->constant_count; i++) {
    const hone_type *type = &body->constants[i]->type;
    if (hone_shape_bytes(&type->shape, type->dtype, &bytes)) total += bytes;
  }
  return total;
}

static int by_bytes(const void *a, const void *b) {
  const sized_unit *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static hone_status *count_unit(void *argument, hone_unit *unit) {
  hone_builder *b = argument;
  b->total += unit->body != NULL;
  return NULL;
}

static hone_status *list_unit(void *argument, hone_unit *unit) {
  unit_list *list = argument;
  if (!unit->body) return NULL;
  list->all[list->count] = (sized_unit){unit, constant_bytes(unit->body), list->count};
  list->count++;
  return NULL;
}

static hone_status *build_units(hone_builder *b) {
  unit_list list = {hone_alloc((b->total + 1) * sizeof *list.all), 0};
  HONE_TRY_MEMORY(list.all);
  hone_status *status = hone_visit_units(b->engine->program, list_unit, &list);
  if (!status) qsort(list.all, list.count, sizeof *list.all, by_bytes);
  for (size_t i = 0; !status && i < list.count; i++) status = build_unit(b, list.all[i].unit);
  hone_free(list.all);
  return status;
}

static hone_status *plan_inputs(const hone_builder *b, const hone_datum *inputs, hone_datum *data,
                                hone_plan **out) {
  const hone_graph *graph = b->engine->graph;
  for (int i = 0; i < graph->input_count; i++) data[graph->inputs[i]->id] = inputs[i];
  return hone_plan_get(b->engine->program, NULL, data, b->engine->threads, out);
}

/* A batch is run in portions: kernels are chosen for one of them. */
static hone_status *cut_batch(const hone_builder *b, hone_datum *inputs, hone_datum *data) {
  hone_program *program = b->engine->program;
  size_t rows = hone_batch_rows(program, inputs);
  if (rows < 2 || b->engine->device) return NULL;
  hone_plan *plan;
  HONE_TRY(plan_inputs(b, inputs, data, &plan));
  size_t portions = (size_t)hone_portion_count(plan, rows, b->engine->threads);
  hone_batch_cut(program, inputs, 0, (rows + portions - 1) / portions, inputs);
  hone_plan_release(plan);
  return NULL;
}

/* Types at typical sizes: a plan in which nothing is on a kernel yet. Where they cannot be told,
 * the cost model chooses, and the log says why. */
static hone_status *plan_typical(hone_builder *b, hone_plan **out) {
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
  status = cut_batch(b, inputs, data);
  if (!status) status = plan_inputs(b, inputs, data, out);
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

/* Those plans hold kernels that are chosen no more. */
static void drop_plans(hone_program *program) {
  hone_plans_drop(program);
  for (size_t u = 0; u < program->unit_count; u++) {
    const hone_unit *unit = &program->units[u];
    for (int r = 0; unit->regions && r < unit->node->region_count; r++)
      drop_plans(unit->regions[r]);
  }
}

hone_status *hone_choose_all(hone_builder *b) {
  hone_plan *typical = NULL;
  HONE_TRY(hone_visit_units(b->engine->program, count_unit, b));
  if (!hone_option_is(b->options, HONE_OPTION_kernels, "reference"))
    HONE_TRY(hone_engine_make_code(b->engine, b->measure));
  if (!b->like) HONE_TRY(plan_typical(b, &typical));
  b->typical = typical;
  b->tries = !b->like && (b->measure || b->cache.times.count > 0);
  hone_status *status = build_units(b);
  drop_plans(b->engine->program);
  if (!status) status = hone_choose_on_device(b);
  b->typical = NULL;
  hone_plan_release(typical);
  drop_plans(b->engine->program);
  if (!status) status = hone_choose_later(b);
  drop_plans(b->engine->program);
  if (!status) status = hone_build_progress(b, "measuring kernels");
  return status;
}
