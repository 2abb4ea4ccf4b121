/* Watched runs: every step's values shown to the caller, beside what its ops plainly mean for the
 * same inputs. Room: engine. */
#include "engine/watch.h"

#include <string.h>

#include "base/text.h"
#include "engine/frame.h"
#include "ops/objects.h"

static bool is_impure(const hone_unit *unit) {
  if (unit->node->op->facts & HONE_IMPURE) return true;
  for (const hone_node *n = unit->body ? unit->body->first : NULL; n; n = n->next)
    if (n->op->facts & HONE_IMPURE) return true;
  return false;
}

/* The value with its rows side by side: a copy where they are not. */
static hone_status *read_value(hone_frame *frame, const hone_value *value, hone_datum *out) {
  const hone_planned *planned = &frame->plan->values[value->id];
  *out = frame->data[value->id];
  if (!planned->pitch) return NULL;
  const hone_shape *shape = &planned->type.shape;
  size_t element = hone_dtype_bits(planned->type.dtype) / 8;
  size_t row = (size_t)shape->dim[shape->rank - 1] * element;
  size_t rows = hone_shape_span(shape, 0, shape->rank - 1);
  const char *from = out->data;
  char *to = hone_arena_alloc(&frame->run->watch.memory, rows * row + 1);
  HONE_TRY_MEMORY(to);
  for (size_t i = 0; i < rows; i++)
    memcpy(to + i * row, from + i * planned->pitch * element, row);
  out->data = to;
  return NULL;
}

hone_status *hone_watch_before(hone_frame *frame, const hone_unit *unit, hone_datum **reference) {
  hone_watch *watch = &frame->run->watch;
  *reference = NULL;
  hone_arena_reset(&watch->memory);
  if (!watch->reference || unit->kind != HONE_UNIT_KERNEL || is_impure(unit)) return NULL;
  const hone_node *node = unit->node;
  HONE_TRY(hone_plan_check_node(frame->program, node));
  const hone_datum **in = HONE_NEW_ARRAY(&watch->memory, node->input_count + 1, const hone_datum *);
  *reference = HONE_NEW_ARRAY(&watch->memory, node->output_count + 1, hone_datum);
  if (!in || !*reference) return hone_error_memory();
  hone_datum *data = HONE_NEW_ARRAY(&watch->memory, node->input_count + 1, hone_datum);
  HONE_TRY_MEMORY(data);
  for (int i = 0; i < node->input_count; i++) {
    if (!node->inputs[i].value) continue;
    HONE_TRY(read_value(frame, node->inputs[i].value, &data[i]));
    in[i] = &data[i];
  }
  HONE_TRY(hone_interpret(unit->body, in, *reference, &watch->memory));
  /* A view of an input would change with it when the step writes over it. */
  for (int i = 0; i < node->output_count; i++) {
    hone_datum view = (*reference)[i];
    HONE_TRY(hone_datum_copy(&watch->memory, &view, &(*reference)[i]));
  }
  return NULL;
}

/* "conv+relu" */
static hone_status *ops_text(const hone_unit *unit, hone_text *out) {
  if (!unit->body) {
    hone_text_puts(out, unit->node->op->name);
  } else {
    for (const hone_node *n = unit->body->first; n; n = n->next) {
      if (n->previous) hone_text_puts(out, "+");
      hone_text_puts(out, n->op->name);
    }
  }
  return hone_text_status(out);
}

/* The names of the unit's inputs, without constants. */
static hone_status *list_inputs(hone_arena *memory, const hone_node *node, hone_watched *out) {
  const char **names = HONE_NEW_ARRAY(memory, node->input_count + 1, const char *);
  HONE_TRY_MEMORY(names);
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *value = node->inputs[i].value;
    if (value && !value->constant) names[out->input_count++] = value->name;
  }
  out->inputs = names;
  return NULL;
}

static hone_status *show(hone_frame *frame, const hone_unit *unit, const char *ops,
                         const hone_datum *reference) {
  hone_watch *watch = &frame->run->watch;
  const hone_node *node = unit->node;
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *value = node->outputs[i];
    if (!value) continue;
    hone_tensor wanted;
    hone_watched step = {.struct_size = sizeof step,
                         .sources = node->sources,
                         .source_count = (size_t)node->source_count,
                         .ops = ops,
                         .kernel = hone_unit_kernel(unit),
                         .name = value->name,
                         .depth = frame->depth};
    hone_datum datum;
    HONE_TRY(read_value(frame, value, &datum));
    HONE_TRY(hone_tensor_of(&watch->memory, &datum, &step.value));
    HONE_TRY(list_inputs(&watch->memory, node, &step));
    if (reference) HONE_TRY(hone_tensor_of(&watch->memory, &reference[i], &wanted));
    if (reference) step.reference = &wanted;
    if (!watch->call(watch->argument, &step))
      return hone_error(HONE_CANCELLED, "the watcher stopped the run");
  }
  return NULL;
}

hone_status *hone_watch_after(hone_frame *frame, const hone_unit *unit,
                              const hone_datum *reference) {
  hone_text ops = {0};
  hone_status *status = ops_text(unit, &ops);
  if (!status) status = show(frame, unit, ops.data, reference);
  hone_text_free(&ops);
  return status;
}

hone_status *hone_watch_passive(hone_frame *frame, size_t first, size_t end) {
  for (size_t u = first; u < end; u++) {
    hone_arena_reset(&frame->run->watch.memory);
    HONE_TRY(hone_watch_after(frame, &frame->program->units[u], NULL));
  }
  return NULL;
}

void hone_watch_runs(hone_context *context, hone_watcher *watcher, void *argument, bool reference) {
  hone_watch *watch = &context->run.watch;
  watch->call = watcher;
  watch->argument = argument;
  watch->reference = reference;
  if (!watcher) hone_arena_free(&watch->memory);
}
