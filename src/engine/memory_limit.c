/* Refusing a plan that takes more memory than is allowed, with numbers. Room: engine. */
#include <string.h>

#include "base/text.h"
#include "engine/plan.h"

#define NAMED 3 /* of the largest values, how many a refusal names */

typedef struct largest {
  const char *name;
  size_t bytes;
} largest;

/* Bytes of a value that has memory of its own in a run; 0 for views, constants, what is the
 * caller's and what only running tells. */
static size_t own_bytes(const hone_plan *plan, uint32_t id) {
  const hone_planned *planned = &plan->values[id];
  hone_location_kind kind = planned->at.kind;
  bool own = kind == HONE_AT_ARENA || kind == HONE_AT_OUTPUT || kind == HONE_AT_GROWN ||
             kind == HONE_AT_DEVICE;
  size_t bytes;
  if (!own || planned->root != id || !planned->typed || planned->type.kind != HONE_KIND_TENSOR)
    return 0;
  return hone_shape_bytes(&planned->type.shape, planned->type.dtype, &bytes) ? bytes : SIZE_MAX;
}

static size_t add(size_t a, size_t b) {
  size_t sum;
  return hone_add(a, b, &sum) ? sum : SIZE_MAX;
}

/* The arena, the outputs, and what references put beside them; what a device takes. */
static size_t total_bytes(const hone_plan *plan) {
  size_t total = add(plan->arena_size, add(plan->device_size, plan->pinned_size));
  for (int i = 0; i < plan->program->graph->output_count; i++)
    total = add(total, plan->output_bytes[i]);
  for (uint32_t id = 0; id < plan->program->value_count; id++)
    if (plan->values[id].at.kind == HONE_AT_GROWN) total = add(total, own_bytes(plan, id));
  return total;
}

static void find_largest(const hone_plan *plan, largest *top) {
  for (uint32_t id = 0; id < plan->program->value_count; id++) {
    largest one = {NULL, own_bytes(plan, id)};
    if (one.bytes) one.name = plan->program->values[id]->name;
    for (int i = 0; i < NAMED && one.bytes; i++) {
      if (one.bytes <= top[i].bytes) continue;
      largest smaller = top[i];
      top[i] = one;
      one = smaller;
    }
  }
}

hone_status *hone_plan_check_limit(const hone_plan *plan, size_t limit) {
  size_t total = limit ? total_bytes(plan) : 0;
  largest top[NAMED] = {{NULL, 0}};
  hone_text text = {0};
  if (total <= limit) return NULL;
  find_largest(plan, top);
  for (int i = 0; i < NAMED && top[i].name; i++) {
    hone_text_puts(&text, i ? ", " : "; the largest are ");
    hone_text_quote(&text, top[i].name, strlen(top[i].name));
    hone_text_printf(&text, " with %zu", top[i].bytes);
  }
  size_t scratch = plan->arena_size - plan->scratch_offset;
  if (scratch) hone_text_printf(&text, "; scratch memory of kernels %zu", scratch);
  if (plan->device_size)
    hone_text_printf(&text, "; on the device %zu, pinned for it %zu", plan->device_size,
                     plan->pinned_size);
  hone_status *status = hone_error(HONE_LIMIT, "these shapes take %zu bytes and the limit is %zu%s",
                                   total, limit, text.data ? text.data : "");
  hone_text_free(&text);
  return status;
}
