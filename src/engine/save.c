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
  hone_map packed; /* by address: bodies whose weights are in packs, and so are left out */
  hone_map offsets; /* address and size to 1 + offset */
  hone_text bytes;
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
  static const char zeros[64];
  hone_text_add(&w->bytes, zeros, hone_align_up(w->bytes.size, 64) - w->bytes.size);
  size_t offset = w->bytes.size;
  hone_text_add(&w->bytes, constant->constant, constant->constant_size);
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
  hone_model *model;
  if (!hone_option_flag(engine->options, HONE_OPTION_refit)) return NULL;
  HONE_TRY(hone_engine_model(engine, &model));
  hone_status *status = hone_graph_print(model->graph, 0, place_weight, weights, out);
  if (!status) status = hone_text_status(&weights->bytes);
  hone_model_free(model);
  return status;
}

/* ---- Choices and packs
 * ---------------------------------------------------------------------------- */

typedef struct choice_writer {
  hone_text lines, packs;
} choice_writer;

static hone_status *write_choice(void *argument, hone_unit *unit) {
  choice_writer *w = argument;
  if (!unit->body) return NULL;
  hone_text_printf(&w->lines, "%s\t%d\t%d\t%d\t%.0f\t%d", unit->choice.candidate,
                   unit->choice.variant, unit->choice.candidate_count, unit->choice.measured,
                   unit->nanoseconds, unit->prepared.pack_count);
  for (int i = 0; i < unit->prepared.pack_count; i++) {
    static const char zeros[64];
    const hone_pack *pack = &unit->prepared.packs[i];
    hone_text_add(&w->packs, zeros, hone_align_up(w->packs.size, 64) - w->packs.size);
    hone_text_printf(&w->lines, "\t%zu+%zu", w->packs.size, pack->size);
    hone_text_add(&w->packs, pack->bytes, pack->size);
  }
  hone_text_puts(&w->lines, "\n");
  return NULL;
}

hone_status *hone_engine_save(const hone_engine *engine, const char *path) {
  weight_writer weights = {.bytes = {0}};
  choice_writer choices = {.lines = {0}};
  hone_text graph = {0}, meta = {0}, source = {0};
  HONE_TRY(hone_stored_check_rest(engine->stored)); /* new sums shall not hide damage */
  hone_status *status = NULL;
  if (!hone_option_is(engine->options, HONE_OPTION_portable, "embed"))
    status = hone_visit_units(engine->program, add_packed, &weights);
  place_parameters(&weights, engine->graph);
  if (!status)
    status = hone_graph_print(engine->graph, INLINE_LIMIT, place_weight, &weights, &graph);
  if (!status) status = print_source(engine, &weights, &source);
  if (!status) status = hone_visit_units(engine->program, write_choice, &choices);
  if (!status) status = hone_meta_write(engine, &meta);
  const hone_text *const texts[HONE_SECTION_COUNT] = {&meta, &graph, &choices.lines, &weights.bytes,
                                                      &choices.packs, &source};
  hone_bytes sections[HONE_SECTION_COUNT];
  for (int i = 0; i < HONE_SECTION_COUNT; i++) {
    if (!status) status = hone_text_status(texts[i]);
    sections[i] = (hone_bytes){texts[i]->data ? texts[i]->data : "", texts[i]->size};
  }
  if (!status) status = hone_format_write(path, sections);
  hone_text_free(&graph);
  hone_text_free(&meta);
  hone_text_free(&source);
  hone_text_free(&choices.lines);
  hone_text_free(&choices.packs);
  hone_text_free(&weights.bytes);
  hone_map_free(&weights.packed);
  hone_map_free(&weights.offsets);
  return status;
}
