/* Choosing between the CPU and a device. Room: engine. */
#include "engine/backends.h"

#include <string.h>

#include "base/log.h"
#include "engine/user_op.h"

hone_status *hone_engine_choose_device(hone_engine *engine, const char *device) {
  engine->device = NULL;
  if (strcmp(device, "cpu") == 0) return NULL;
  hone_status *status = hone_backend_cuda.device->usable();
  if (status && strcmp(device, "cuda") == 0) return hone_error_at(status, "option device=cuda");
  if (hone_status_code(status) == HONE_OUT_OF_MEMORY) return status;
  if (!status) engine->device = &hone_backend_cuda;
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
  return strcmp(candidate, hone_backend_cuda.name) == 0 ? &hone_backend_cuda : hone_backend_of(body);
}
