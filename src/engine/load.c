/* Opening and checking an engine file. Room: engine. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/backends.h"
#include "engine/choices.h"
#include "engine/format.h"
#include "engine/meta.h"
#include "engine/plan.h"
#include "engine/user_op.h"
#include "ir/text.h"

/* ---- Choices
 * ------------------------------------------------------------------------------------- */

typedef struct choice_reader {
  hone_engine *engine;
  const char *at, *end; /* of the lines */
  hone_bytes packs;
  bool repack;
  int line;
} choice_reader;

static hone_status *bad_line(const choice_reader *r) {
  return hone_error(HONE_CORRUPT, "section choices is damaged in line %d", r->line);
}

/* The next field of the line, up to a tab or its end. */
static bool field(const char **at, const char *end, char *out, size_t room) {
  const char *stop = *at;
  while (stop < end && *stop != '\t') stop++;
  size_t size = (size_t)(stop - *at);
  if (size == 0 || size >= room) return false;
  memcpy(out, *at, size);
  out[size] = 0;
  *at = stop < end ? stop + 1 : stop;
  return true;
}

static bool number(const char **at, const char *end, double *out) {
  char text[40], *stop;
  if (!field(at, end, text, sizeof text)) return false;
  *out = strtod(text, &stop);
  return *stop == 0 && *out >= 0 && *out < 1e15;
}

static bool pack_range(const char **at, const char *end, hone_bytes packs, hone_pack *out) {
  char text[64], *stop;
  if (!field(at, end, text, sizeof text)) return false;
  unsigned long long offset = strtoull(text, &stop, 10);
  if (*stop != '+') return false;
  unsigned long long size = strtoull(stop + 1, &stop, 10);
  if (*stop || offset % 64 || offset > packs.size || size > packs.size - offset) return false;
  *out = (hone_pack){(const char *)packs.data + offset, size};
  return true;
}

/* A kernel of this machine, chosen by the cost model, packed from the raw weights. */
static hone_status *repack(choice_reader *r, hone_unit *unit) {
  hone_candidate candidate;
  unit->choice = (hone_choice){.candidate = "reference"};
  const hone_backend *backend = hone_backend_for(r->engine, unit->body);
  if (backend->candidates(unit->body, &candidate, 1) == 0) return NULL;
  return hone_unit_prepare(&r->engine->memory, unit, backend, candidate.name,
                           candidate.variant, NULL, 0, NULL);
}

/* What goes to a device's memory is read now, not when a plan first needs it. */
static hone_status *check_packs(hone_stored *stored, const hone_pack *packs, size_t count) {
  hone_bytes bytes[HONE_MAX_PACKS];
  for (size_t i = 0; i < count; i++) bytes[i] = (hone_bytes){packs[i].bytes, packs[i].size};
  return hone_stored_check(stored, bytes, count);
}

static hone_status *read_choice(void *argument, hone_unit *unit) {
  choice_reader *r = argument;
  if (!unit->body) return NULL;
  r->line++;
  const char *at = r->at, *end = memchr(at, '\n', (size_t)(r->end - at));
  if (!end) return bad_line(r);
  r->at = end + 1;
  char name[80];
  double variant, candidates, measured, nanoseconds, packs;
  if (!field(&at, end, name, sizeof name) || !number(&at, end, &variant) ||
      !number(&at, end, &candidates) || !number(&at, end, &measured) ||
      !number(&at, end, &nanoseconds) || !number(&at, end, &packs) || packs > HONE_MAX_PACKS)
    return bad_line(r);
  hone_pack saved[HONE_MAX_PACKS];
  for (int i = 0; i < (int)packs; i++)
    if (!pack_range(&at, end, r->packs, &saved[i])) return bad_line(r);
  if (strcmp(name, "reference") == 0) {
    unit->choice = (hone_choice){.candidate = "reference", .candidate_count = (int)candidates};
    return NULL;
  }
  if (r->repack) return repack(r, unit);
  const char *kept = hone_arena_text(&r->engine->memory, name, strlen(name));
  HONE_TRY_MEMORY(kept);
  unit->choice = (hone_choice){.candidate_count = (int)candidates, .measured = measured > 0};
  unit->nanoseconds = nanoseconds;
  const hone_backend *backend = hone_backend_named(kept, unit->body);
  if (backend->device) HONE_TRY(check_packs(r->engine->stored, saved, (size_t)packs));
  return hone_unit_prepare(&r->engine->memory, unit, backend, kept, (int)variant, saved,
                           (int)packs, NULL);
}

/* ---- Opening
 * --------------------------------------------------------------------------------------- */

/* The graph's constants hold the file from now on: it outlives every reference to it. */
static hone_status *open_graph(const hone_format_view *view, hone_engine **out) {
  hone_bytes text = view->sections[HONE_SECTION_GRAPH];
  hone_graph *graph;
  HONE_TRY(hone_graph_parse(text.data, text.size, hone_op_find,
                            view->sections[HONE_SECTION_WEIGHTS], &graph));
  hone_status *status = hone_graph_verify_places(graph);
  if (status) {
    hone_graph_free(graph);
    return status;
  }
  return hone_engine_wrap(graph, out);
}

/* The small sections, which are read whichever way the engine runs. */
static hone_status *verify_small(hone_stored *stored) {
  for (int i = 0; i < HONE_SECTION_COUNT; i++)
    if (i != HONE_SECTION_WEIGHTS && i != HONE_SECTION_PACKS)
      HONE_TRY(hone_stored_check_section(stored, (hone_section_id)i));
  return NULL;
}

/* All weights, or those that choosing kernels and planning read: the first blocks, as they are
 * saved. */
static hone_status *verify_constants(hone_stored *stored, const hone_graph *graph, bool planned) {
  hone_arena memory = {0};
  hone_stored_list list = {.items = NULL};
  hone_status *status = hone_stored_add_constants(&list, graph, planned, &memory);
  if (!status) status = hone_stored_check(stored, list.items, list.count);
  hone_arena_free(&memory);
  return status;
}

static void attach(hone_program *program, hone_stored *stored) {
  program->stored = stored;
  for (size_t u = 0; u < program->unit_count; u++) {
    const hone_unit *unit = &program->units[u];
    for (int r = 0; unit->regions && r < unit->node->region_count; r++)
      attach(unit->regions[r], stored);
  }
}

typedef struct missing_list {
  size_t count;
  const hone_prepared *first;
} missing_list;

static hone_status *count_missing(void *argument, hone_unit *unit) {
  missing_list *list = argument;
  if (unit->kind != HONE_UNIT_KERNEL || !unit->prepared.missing[0]) return NULL;
  if (list->count++ == 0) list->first = &unit->prepared;
  return NULL;
}

/* Groups whose kernels do not run here run on the ones that every group has: said once. */
static hone_status *tell_missing(const hone_engine *engine) {
  missing_list list = {.count = 0};
  HONE_TRY(hone_visit_units(engine->program, count_missing, &list));
  if (list.count)
    hone_log(HONE_LOG_WARNING, "%zu groups run on Hone's own kernels in place of %s: %s", list.count,
             list.first->needs ? list.first->needs : "those that were chosen", list.first->missing);
  return NULL;
}

/* Kernels and packs for every group: those that were saved, or others where they do not fit. */
static hone_status *read_choices(hone_engine *engine, const hone_format_view *view, bool repack) {
  hone_bytes lines = view->sections[HONE_SECTION_CHOICES];
  choice_reader reader = {engine,
                          lines.data,
                          (const char *)lines.data + lines.size,
                          view->sections[HONE_SECTION_PACKS],
                          repack,
                          0};
  if (repack && engine->device) HONE_TRY(hone_engine_make_code(engine, false));
  if (repack) HONE_TRY(verify_constants(engine->stored, engine->graph, false));
  HONE_TRY(hone_visit_units(engine->program, read_choice, &reader));
  HONE_TRY(tell_missing(engine));
  return reader.at == reader.end ? NULL : bad_line(&reader);
}

/* An engine of this processor in place of one whose packs do not serve: out of the model. */
static hone_status *rebuild(const hone_engine *engine, hone_engine **out) {
  hone_model *model;
  hone_choices none = {.missed = 0};
  HONE_TRY(hone_origin_open(engine->origin, engine->model_sum, &model));
  hone_status *status = hone_build_like(engine, model, &none, out);
  hone_choices_free(&none);
  hone_model_free(model);
  return status;
}

/* How an engine opens whose packs do not serve here, since `why`: said aloud. */
static hone_status *adapt(hone_engine *engine, const hone_format_view *view, const hone_target *t,
                          const char *why, hone_engine **replaced) {
  if (engine->origin) {
    hone_log(HONE_LOG_WARNING, "the engine is built again from '%s': %s", engine->origin->path,
             why);
    return rebuild(engine, replaced);
  }
  if (hone_target_is_bare(t)) return hone_error(HONE_MISMATCH, HONE_TARGET_BARE, why);
  hone_log(HONE_LOG_WARNING, "the engine is packed again: %s", why);
  return read_choices(engine, view, true);
}

static hone_status *load_code(hone_engine *engine, hone_bytes code) {
  bool make = false;
  if (!engine->device) return NULL;
  HONE_TRY(engine->device->code->load(code, &make));
  return make ? hone_engine_make_code(engine, false) : NULL;
}

/* `*replaced` is the engine to go on with where it is another one. `used`: what its
 * runs read is checked now. */
static hone_status *fill_engine(hone_engine *engine, const hone_format_view *view, bool used,
                                hone_engine **replaced) {
  hone_target t;
  hone_bytes code = view->sections[HONE_SECTION_CODE];
  char reason[400];
  HONE_TRY(verify_constants(engine->stored, engine->graph, true));
  HONE_TRY(hone_meta_read(view->sections[HONE_SECTION_META], &t, engine));
  engine->threads = t.threads;
  memcpy(engine->precision, t.precision, sizeof engine->precision);
  HONE_TRY(hone_choose_device(t.device, &code, &engine->device));
  HONE_TRY(load_code(engine, code));
  const char *why = hone_target_unfit(&t, code, reason, sizeof reason);
  HONE_TRY(why ? adapt(engine, view, &t, why, replaced) : read_choices(engine, view, false));
  return used && !*replaced ? hone_program_check_stored(engine->program) : NULL;
}

/* Weights and packs of an engine that is checked whole though only what is used was asked for: that
 * takes about 2 ms. */
#define SMALL_ENGINE ((size_t)32 << 20)

static bool is_small(const hone_format_view *view) {
  return view->sections[HONE_SECTION_WEIGHTS].size <= SMALL_ENGINE &&
         view->sections[HONE_SECTION_PACKS].size <=
             SMALL_ENGINE - view->sections[HONE_SECTION_WEIGHTS].size;
}

/* Takes `stored`, whatever comes of it. */
static hone_status *open_stored(hone_file *file, const hone_format_view *view, hone_stored *stored,
                                const hone_options *options, hone_engine **out) {
  hone_engine *engine, *replaced = NULL;
  bool used = hone_option_is(options, HONE_OPTION_verify, "used");
  bool full = hone_option_is(options, HONE_OPTION_verify, "full") || (used && is_small(view));
  hone_status *status = full ? hone_stored_check_rest(stored) : verify_small(stored);
  if (!status) status = open_graph(view, &engine);
  if (status) {
    hone_stored_free(stored);
    return status;
  }
  engine->file = hone_file_retain(file);
  engine->stored = stored;
  attach(engine->program, stored);
  status = fill_engine(engine, view, used, &replaced);
  if (status || replaced) hone_engine_free(engine);
  if (!status) *out = replaced ? replaced : engine;
  return status;
}

static hone_status *open_engine(hone_file *file, const hone_options *options, hone_engine **out) {
  hone_format_view view;
  hone_stored *stored;
  HONE_TRY(hone_format_read(hone_file_bytes(file), &view));
  HONE_TRY(hone_stored_new(&view, &stored));
  return open_stored(file, &view, stored, options, out);
}

hone_status *hone_engine_open(const char *path, const hone_options *options, hone_engine **out) {
  hone_file *file;
  HONE_TRY(hone_file_open(path, &file));
  hone_status *status = open_engine(file, options, out);
  hone_file_release(file);
  return hone_error_at(status, "engine '%.200s'", path);
}

hone_status *hone_engine_parse(hone_bytes bytes, const hone_options *options, hone_engine **out) {
  hone_file *file;
  HONE_TRY(hone_file_wrap(bytes, &file));
  hone_status *status = open_engine(file, options, out);
  hone_file_release(file);
  return status;
}

/* ---- Checking
 * -------------------------------------------------------------------------------------- */

/* The library that the line's candidate needs, counted in `libraries` by name. */
static void add_library(const char *candidate, json_t *libraries) {
  hone_status *missing;
  const char *name = hone_backend_cuda.code->library(candidate, &missing);
  if (name) {
    json_t *entry = json_object_get(libraries, name);
    json_int_t groups = json_integer_value(json_object_get(entry, "groups"));
    json_object_set_new(libraries, name,
                        json_pack("{s:I, s:s?}", "groups", groups + 1, "missing",
                                  missing ? hone_status_message(missing) : NULL));
  }
  hone_status_free(missing);
}

/* By the first field of each line of section choices. */
static json_t *libraries_of(hone_bytes choices) {
  json_t *libraries = json_object();
  const char *at = choices.data, *end = at + choices.size;
  while (at < end) {
    char name[80];
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop) stop = end;
    if (field(&at, stop, name, sizeof name)) add_library(name, libraries);
    at = stop + 1;
  }
  return libraries;
}

/* What the kernels of a device run on; null where all runs on the CPU. */
static hone_status *report_needs(const hone_target *t, hone_bytes code, hone_bytes choices,
                                 json_t *report) {
  hone_code_needs needs;
  char gpu[16], driver[16];
  json_object_set_new(report, "needs", json_null());
  if (!t->used_device) return NULL;
  HONE_TRY(hone_backend_cuda.code->needs(code, &needs));
  snprintf(gpu, sizeof gpu, "%d.%d", needs.architecture / 10, needs.architecture % 10);
  snprintf(driver, sizeof driver, "%d.%d", needs.driver / 1000, needs.driver % 1000 / 10);
  json_object_set_new(report, "needs", json_pack("{s:s, s:s, s:I, s:o}", "compute_capability",
                                                 gpu, "driver_cuda", driver, "kernels",
                                                 (json_int_t)needs.kernels, "libraries",
                                                 libraries_of(choices)));
  return NULL;
}

/* What becomes of an engine that does not fit. */
static const char *what_then(const hone_target *t, const hone_bytes *code) {
  hone_status *device = t->used_device ? hone_device_fits(&hone_backend_cuda, code) : NULL;
  bool refused = device && strcmp(t->device, hone_backend_cuda.name) == 0;
  const char *other = refused ? "refused" : device ? "packed again for the CPU" : "packed again";
  hone_status_free(device);
  return !refused && strcmp(t->portable, "reference") == 0 ? "built again from the model's file" : other;
}

static hone_status *check(hone_bytes bytes, json_t *report) {
  hone_format_view view;
  hone_target t;
  char reason[400];
  HONE_TRY(hone_format_read(bytes, &view));
  json_t *sections = json_array();
  json_object_set_new(report, "sections", sections);
  for (int i = 0; i < HONE_SECTION_COUNT; i++) {
    hone_status *damage = hone_format_verify(&view, (hone_section_id)i, NULL);
    json_array_append_new(
        sections, json_pack("{s:s, s:I, s:b}", "name", hone_section_name((hone_section_id)i),
                            "bytes", (json_int_t)view.sections[i].size, "whole", damage == NULL));
    HONE_TRY(damage);
  }
  HONE_TRY(hone_meta_read(view.sections[HONE_SECTION_META], &t, NULL));
  json_object_set_new(report, "target",
                      json_pack("{s:s, s:s, s:i, s:s, s:s}", "isa", t.isa, "processor", t.processor,
                                "threads", t.threads, "precision", t.precision, "portable", t.portable));
  hone_bytes code = view.sections[HONE_SECTION_CODE];
  HONE_TRY(report_needs(&t, code, view.sections[HONE_SECTION_CHOICES], report));
  const char *why = hone_target_unfit(&t, code, reason, sizeof reason);
  if (!why) return NULL;
  if (hone_target_is_bare(&t)) return hone_error(HONE_MISMATCH, HONE_TARGET_BARE, why);
  return hone_error(HONE_MISMATCH, "%s; it will be %s when opened", why, what_then(&t, &code));
}

hone_status *hone_engine_check(const char *path, char **report) {
  hone_file *file;
  if (report) *report = NULL;
  HONE_TRY(hone_file_open(path, &file));
  json_t *root = json_object();
  hone_status *status = root ? check(hone_file_bytes(file), root) : hone_error_memory();
  hone_file_release(file);
  json_object_set_new(root, "verdict",
                      json_string(status ? hone_code_name(hone_status_code(status)) : "fits"));
  json_object_set_new(root, "reason", json_string(hone_status_message(status)));
  char *text = report ? json_dumps(root, JSON_INDENT(1)) : NULL;
  json_decref(root);
  if (text) {
    hone_text copy = {0};
    hone_text_puts(&copy, text);
    free(text);
    *report = copy.data;
  }
  return hone_error_at(status, "engine '%.200s'", path);
}
