/* Building: passes, candidates, choices, packs. Room: engine. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/log.h"
#include "base/pool.h"
#include "engine/backends.h"
#include "engine/builder.h"
#include "engine/code_cache.h"
#include "ops/batch.h"

hone_status *hone_engine_wrap(hone_graph *graph, hone_engine **out) {
  hone_engine *engine = hone_alloc_zero(sizeof *engine);
  if (!engine) {
    hone_graph_free(graph);
    return hone_error_memory();
  }
  atomic_init(&engine->references, 1);
  engine->graph = graph;
  hone_status *status = hone_program_make(graph, &engine->memory, &engine->program);
  if (!status) status = hone_batch_symbol(graph, &engine->program->batch);
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

hone_status *hone_unit_prepare(hone_arena *memory, hone_unit *unit, const hone_backend *backend,
                               const char *name, int variant, const hone_pack *saved,
                               int saved_count, const hone_tuning *tuning) {
  hone_prepared prepared;
  HONE_TRY(backend->prepare(unit->body, name, variant, saved, saved_count, tuning, memory,
                            &prepared));
  hone_unit_release(unit);
  unit->prepared = prepared;
  unit->kind = HONE_UNIT_KERNEL;
  unit->choice.candidate = name;
  unit->choice.variant = variant;
  return NULL;
}

/* ---- Building ------------------------------------------------------------------------------- */

static hone_status *read_cache(hone_builder *b, const char *path) {
  return *path ? hone_timing_cache_read(&b->cache, path) : NULL;
}

static bool has_code(const hone_backend *device) {
  return device && device->code;
}

/* Kernels compiled so far in this process. */
static uint64_t compiled_by(const hone_backend *device) {
  return has_code(device) ? device->code->compiled() : 0;
}

static hone_status *write_caches(const hone_builder *b, const char *path, uint64_t compiled_before) {
  const hone_backend *device = b->engine->device;
  bool measured = b->engine->measured > 0, compiled = compiled_by(device) > compiled_before;
  if (!*path) return NULL;
  if (measured) HONE_TRY(hone_timing_cache_write(&b->cache, path));
  return has_code(device) && (measured || compiled) ? hone_code_cache_write(device, path) : NULL;
}

/* Passes are short: a build that keeps what it has lets them end, and then measures nothing. */
static bool pass_cancelled(void *argument) {
  hone_builder *b = argument;
  if (hone_option_progress(b->options, "optimising the graph", 0, 1, -1)) return false;
  b->stopped = true;
  return hone_option_is(b->options, HONE_OPTION_cancel, "fail");
}

static hone_dtype compute_type(const char *precision) {
  if (strcmp(precision, "fp16") == 0) return HONE_F16;
  return strcmp(precision, "bf16") == 0 ? HONE_BF16 : HONE_F32;
}

/* f16 and tf32 are a device's: the CPU computes in f32, which is no slower there. */
static hone_status *optimise(hone_builder *b, const hone_backend *device, hone_graph *graph,
                             hone_pass_log *log, hone_pass_blocks *blocks) {
  const char *precision = hone_option_text(b->options, HONE_OPTION_precision);
  hone_dtype compute = compute_type(precision);
  hone_pass_context context = {
      .compute = compute == HONE_F16 && !device ? HONE_F32 : compute,
      .fp32_layers = hone_option_text(b->options, HONE_OPTION_fp32_layers),
      .tf32 = strcmp(precision, "tf32") == 0,
      .takes = device ? device->takes : NULL,
      .joins = device ? device->joins : NULL,
      .blocks = blocks,
      .stores_bf16 = hone_cpu_isa() & HONE_ISA_BF16,
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
static hone_status *take_origin(hone_builder *b, const hone_model *model) {
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

hone_status *hone_build_graph(hone_builder *b, const hone_model *model, const hone_backend *device,
                              hone_pass_log *log, hone_pass_blocks *blocks, hone_graph **out) {
  hone_graph *graph;
  HONE_TRY(own_graph(model, &graph));
  hone_status *status = optimise(b, device, graph, log, blocks);
  hone_graph_unload(model->graph);
  hone_memory_trim();
  if (status) hone_graph_free(graph);
  else *out = graph;
  return status;
}

hone_status *hone_build_engine(hone_builder *b, const hone_model *model, const hone_backend *device,
                               hone_pass_blocks *blocks) {
  hone_graph *graph;
  hone_pass_log log = {.count = 0};
  HONE_TRY(hone_build_graph(b, model, device, &log, blocks, &graph));
  HONE_TRY(hone_engine_wrap(graph, &b->engine));
  snprintf(b->engine->wish, sizeof b->engine->wish, "%s",
           hone_option_text(b->options, HONE_OPTION_device));
  b->engine->device = device;
  int64_t threads = hone_option_int(b->options, HONE_OPTION_threads);
  b->engine->threads = threads ? (int)threads : hone_pool_default_threads();
  b->engine->log = log;
  b->engine->model = (hone_model *)(uintptr_t)model; /* its graph keeps it */
  strncpy(b->engine->precision, hone_option_text(b->options, HONE_OPTION_precision),
          sizeof b->engine->precision - 1);
  hone_options_free(b->engine->options);
  b->engine->options = NULL;
  hone_status *status = hone_options_some(HONE_OPTIONS_REFIT, b->options, &b->engine->options);
  if (!status) status = take_origin(b, model);
  if (!status) status = hone_choose_all(b);
  hone_graph_unload(model->graph);
  hone_memory_trim();
  if (!status) return NULL;
  hone_engine_free(b->engine);
  b->engine = NULL;
  return status;
}

static hone_status *build(hone_builder *b, const hone_model *model, hone_engine **out) {
  const char *cache_path = hone_option_text(b->options, HONE_OPTION_timing_cache);
  HONE_TRY(read_cache(b, cache_path));
  const hone_backend *device;
  HONE_TRY(hone_choose_device(hone_option_text(b->options, HONE_OPTION_device), NULL, &device));
  if (*cache_path && has_code(device)) HONE_TRY(hone_code_cache_read(device, cache_path));
  uint64_t compiled = compiled_by(device);
  hone_status *status = hone_build_in_blocks(b, model, device);
  if (!status) status = write_caches(b, cache_path, compiled);
  if (status) {
    hone_engine_free(b->engine);
    return status;
  }
  b->engine->build_seconds = (double)(hone_now() - b->start) / 1e9;
  *out = b->engine;
  return NULL;
}

hone_status *hone_build(const hone_model *model, const hone_options *options, hone_engine **out) {
  hone_builder b = {.options = options,
               .measure = hone_option_flag(options, HONE_OPTION_measure),
               .frozen = hone_option_flag(options, HONE_OPTION_frozen_cache),
               .seconds = hone_option_real(options, HONE_OPTION_build_seconds),
               .start = hone_now()};
  hone_status *status = build(&b, model, out);
  hone_timing_cache_free(&b.cache);
  hone_map_free(&b.later);
  hone_arena_free(&b.trial);
  return status;
}

hone_status *hone_build_like(const hone_engine *engine, const hone_model *model,
                             hone_choices *choices, hone_engine **out) {
  hone_builder b = {
      .options = engine->options, .seconds = INFINITY, .start = hone_now(), .like = choices};
  HONE_TRY(build(&b, model, out));
  (*out)->threads = engine->threads;
  return NULL;
}
