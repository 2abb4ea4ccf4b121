/* Saving an engine. Room: engine. */
#include <hone/refit.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "engine/engine.h"
#include "engine/format.h"
#include "engine/meta.h"
#include "engine/plan.h"
#include "ir/text.h"

/* Constants of more elements than this go to the section of weights. */
#define INLINE_LIMIT 16

/* Where each constant's bytes go: the same bytes (by address) are written once. */
typedef struct weight_writer {
  hone_map packed;  /* by address: bodies whose weights are in packs, and so are left out */
  hone_map offsets; /* address and size to 1 + offset */
  hone_section bytes;
  hone_model *source; /* lends bytes; NULL without the option refit */
} weight_writer;

static bool is_left_out(const weight_writer *w, const hone_value *constant) {
  return hone_value_is_absent(constant) ||
         (hone_map_get(&w->packed, (const char *)&constant->graph, sizeof constant->graph) &&
          !hone_planning_reads(constant));
}

/* Without a portable part: only the reference and planning read weights. */
static hone_status *add_packed(void *argument, hone_unit *unit) {
  weight_writer *w = argument;
  if (unit->kind != HONE_UNIT_KERNEL) return NULL;
  return hone_map_put(&w->packed, (const char *)&unit->body, sizeof unit->body, unit);
}

static size_t place_weight(void *argument, const hone_value *constant) {
  weight_writer *w = argument;
  if (is_left_out(w, constant)) return HONE_WEIGHT_ABSENT;
  struct {
    const void *bytes;
    size_t size;
  } key = {constant->constant, constant->constant_size};
  size_t known = (size_t)(uintptr_t)hone_map_get(&w->offsets, (const char *)&key, sizeof key);
  if (known) return known - 1;
  hone_section_align(&w->bytes);
  size_t offset = w->bytes.size;
  hone_section_add(&w->bytes, constant->constant, constant->constant_size);
  hone_status *status =
      hone_map_put(&w->offsets, (const char *)&key, sizeof key, (void *)(uintptr_t)(offset + 1));
  if (status) w->bytes.failed = true;
  hone_status_free(status);
  return offset;
}

/* What planning reads comes first, so that opening checks few blocks for it. */
static void place_parameters(weight_writer *w, const hone_graph *graph) {
  for (size_t i = 0; i < graph->constant_count; i++) {
    const hone_value *constant = graph->constants[i];
    size_t count = 0;
    (void)hone_shape_count(&constant->type.shape, &count);
    if (count > INLINE_LIMIT && constant->type.dtype != HONE_STR && hone_planning_reads(constant))
      place_weight(w, constant);
  }
  for (const hone_node *node = graph->first; node; node = node->next)
    for (int r = 0; r < node->region_count; r++) place_parameters(w, node->regions[r]);
}

/* Every constant among the weights: those that share bytes share them again when it is read. */
static hone_status *print_source(const hone_engine *engine, weight_writer *weights,
                                 hone_text *out) {
  if (!hone_option_flag(engine->options, HONE_OPTION_refit)) return NULL;
  HONE_TRY(hone_engine_model(engine, &weights->source));
  return hone_graph_print(weights->source->graph, 0, place_weight, weights, out);
}

/* ---- Choices and packs ---------------------------------------------------------------------- */

typedef struct choice_writer {
  hone_text lines;
  hone_section packs;
} choice_writer;

static hone_status *write_choice(void *argument, hone_unit *unit) {
  choice_writer *w = argument;
  if (!unit->body) return NULL;
  hone_text_printf(&w->lines, "%s\t%d\t%d\t%d\t%.0f\t%d", unit->choice.candidate,
                   unit->choice.variant, unit->choice.candidate_count, unit->choice.measured,
                   unit->nanoseconds, unit->prepared.pack_count);
  for (int i = 0; i < unit->prepared.pack_count; i++) {
    const hone_pack *pack = &unit->prepared.packs[i];
    hone_section_align(&w->packs);
    hone_text_printf(&w->lines, "\t%zu+%zu", w->packs.size, pack->size);
    hone_section_add(&w->packs, pack->bytes, pack->size);
  }
  hone_text_puts(&w->lines, "\n");
  return NULL;
}

/* ---- Machine code --------------------------------------------------------------------------- */

typedef struct group_list {
  hone_arena memory;
  const hone_prepared **items;
  size_t count;
} group_list;

static bool is_on_device(const hone_unit *unit) {
  return unit->kind == HONE_UNIT_KERNEL && unit->prepared.backend->code;
}

static hone_status *count_group(void *argument, hone_unit *unit) {
  group_list *list = argument;
  list->count += is_on_device(unit);
  return NULL;
}

static hone_status *add_group(void *argument, hone_unit *unit) {
  group_list *list = argument;
  if (is_on_device(unit)) list->items[list->count++] = &unit->prepared;
  return NULL;
}

static hone_status *write_groups(const hone_engine *engine, group_list *list, hone_text *out) {
  HONE_TRY(hone_visit_units(engine->program, count_group, list));
  if (list->count == 0) return NULL;
  list->items = HONE_NEW_ARRAY(&list->memory, list->count, const hone_prepared *);
  HONE_TRY_MEMORY(list->items);
  list->count = 0;
  HONE_TRY(hone_visit_units(engine->program, add_group, list));
  return list->items[0]->backend->code->save(list->items, list->count, out);
}

static hone_status *write_code(const hone_engine *engine, hone_text *out) {
  group_list list = {.count = 0};
  hone_status *status = write_groups(engine, &list, out);
  hone_arena_free(&list.memory);
  return status;
}

/* ---- The file ------------------------------------------------------------------------------- */

/* The sections; what they lend is the engine's and the writers'. */
static hone_status *fill(const hone_engine *engine, weight_writer *weights, choice_writer *choices,
                         hone_text *graph, hone_text *meta, hone_text *code, hone_text *source) {
  if (!hone_option_is(engine->options, HONE_OPTION_portable, "embed"))
    HONE_TRY(hone_visit_units(engine->program, add_packed, weights));
  place_parameters(weights, engine->graph);
  HONE_TRY(hone_graph_print(engine->graph, INLINE_LIMIT, place_weight, weights, graph));
  HONE_TRY(print_source(engine, weights, source));
  HONE_TRY(hone_visit_units(engine->program, write_choice, choices));
  HONE_TRY(write_code(engine, code));
  return hone_meta_write(engine, meta);
}

static hone_status *write(const char *path, const weight_writer *weights,
                          const choice_writer *choices, const hone_text *graph,
                          const hone_text *meta, const hone_text *code,
                          const hone_text *source) {
  const hone_text *const texts[HONE_SECTION_COUNT] = {
      [HONE_SECTION_META] = meta,
      [HONE_SECTION_GRAPH] = graph,
      [HONE_SECTION_CHOICES] = &choices->lines,
      [HONE_SECTION_CODE] = code,
      [HONE_SECTION_SOURCE] = source,
  };
  hone_section sections[HONE_SECTION_COUNT] = {
      [HONE_SECTION_WEIGHTS] = weights->bytes, [HONE_SECTION_PACKS] = choices->packs};
  hone_status *status = NULL;
  for (int i = 0; i < HONE_SECTION_COUNT && !status; i++) {
    if (!texts[i]) continue;
    status = hone_text_status(texts[i]);
    hone_section_add(&sections[i], texts[i]->data, texts[i]->size);
  }
  if (!status) status = hone_format_write(path, sections);
  for (int i = 0; i < HONE_SECTION_COUNT; i++)
    if (texts[i]) hone_section_free(&sections[i]);
  return status;
}

hone_status *hone_engine_save(const hone_engine *engine, const char *path) {
  weight_writer weights = {.bytes = {0}};
  choice_writer choices = {.lines = {0}};
  hone_text graph = {0}, meta = {0}, code = {0}, source = {0};
  HONE_TRY(hone_stored_check_rest(engine->stored)); /* new sums shall not hide damage */
  hone_status *status = fill(engine, &weights, &choices, &graph, &meta, &code, &source);
  if (!status) status = write(path, &weights, &choices, &graph, &meta, &code, &source);
  hone_text_free(&graph);
  hone_text_free(&meta);
  hone_text_free(&code);
  hone_text_free(&source);
  hone_text_free(&choices.lines);
  hone_section_free(&choices.packs);
  hone_section_free(&weights.bytes);
  hone_model_free(weights.source);
  hone_map_free(&weights.packed);
  hone_map_free(&weights.offsets);
  return status;
}
