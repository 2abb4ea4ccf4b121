/* Choosing between the CPU and a device. Room: engine. */
#include "engine/backends.h"

#include <string.h>

#include "base/log.h"
#include "engine/user_op.h"

hone_status *hone_device_fits(const hone_backend *backend, const hone_bytes *code) {
  HONE_TRY(backend->device->usable());
  return code ? backend->code->fits(*code) : backend->code->can_make();
}

hone_status *hone_choose_device(const char *device, const hone_bytes *code,
                                const hone_backend **out) {
  *out = NULL;
  if (strcmp(device, "cpu") == 0) return NULL;
  hone_status *status = hone_device_fits(&hone_backend_cuda, code);
  if (status && strcmp(device, "cuda") == 0) return hone_error_at(status, "option device=cuda");
  if (hone_status_code(status) == HONE_OUT_OF_MEMORY) return status;
  if (!status) *out = &hone_backend_cuda;
  else if (hone_status_code(status) != HONE_NOT_FOUND) /* there is one, and it is of no use */
    hone_log(HONE_LOG_INFO, "the engine runs on the CPU: %s", hone_status_message(status));
  hone_status_free(status);
  return NULL;
}

const hone_backend *hone_backend_for(const hone_engine *engine, const hone_graph *body) {
  const hone_backend *device = engine->device;
  return device && device->candidates(body, NULL, 0) ? device : hone_backend_of(body);
}

const hone_backend *hone_backend_named(const char *candidate, const hone_graph *body) {
  bool device = strncmp(candidate, hone_backend_cuda.name, strlen(hone_backend_cuda.name)) == 0;
  return device ? &hone_backend_cuda : hone_backend_of(body);
}

typedef struct body_list {
  hone_arena memory;
  const hone_graph **items;
  size_t count;
} body_list;

static hone_status *count_body(void *argument, hone_unit *unit) {
  body_list *list = argument;
  list->count += unit->body != NULL;
  return NULL;
}

static hone_status *add_body(void *argument, hone_unit *unit) {
  body_list *list = argument;
  if (unit->body) list->items[list->count++] = unit->body;
  return NULL;
}

static hone_status *make_bodies(hone_engine *engine, bool all, body_list *list) {
  HONE_TRY(hone_visit_units(engine->program, count_body, list));
  list->items = HONE_NEW_ARRAY(&list->memory, list->count + 1, const hone_graph *);
  HONE_TRY_MEMORY(list->items);
  list->count = 0;
  HONE_TRY(hone_visit_units(engine->program, add_body, list));
  return engine->device->code->make(list->items, list->count, all);
}

hone_status *hone_engine_make_code(hone_engine *engine, bool all) {
  body_list list = {.count = 0};
  if (!engine->device || !engine->device->code) return NULL;
  hone_status *status = make_bodies(engine, all, &list);
  hone_arena_free(&list.memory);
  return status;
}
