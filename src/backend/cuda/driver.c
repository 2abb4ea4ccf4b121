/* Loading the CUDA driver, and its errors. Room: backend/cuda. */
#include "backend/cuda/driver.h"

#include <pthread.h>
#include <stdio.h>

static const hone_library_spec spec = {"HONE_CUDA_DRIVER", {"libcuda.so.1", "libcuda.so"}};

static const hone_library_symbol symbols[] = {
#define DRIVER(member, symbol, arguments) {symbol, offsetof(hone_driver, member)},
#include "backend/cuda/driver.def"
#undef DRIVER
};

static hone_status *load(hone_driver *driver) {
  HONE_TRY(hone_library_open(&spec, &driver->library));
  HONE_TRY(hone_library_bind(&driver->library, symbols, sizeof symbols / sizeof *symbols, driver));
  HONE_TRY_DRIVER(driver, "asking for the driver's version", driver_version, &driver->version);
  if (driver->version >= HONE_DRIVER_LEAST) return NULL;
  return hone_error(HONE_UNSUPPORTED,
                    "the NVIDIA driver runs CUDA %d.%d; the least is %d.%d: install a newer driver",
                    driver->version / 1000, driver->version % 1000 / 10, HONE_DRIVER_LEAST / 1000,
                    HONE_DRIVER_LEAST % 1000 / 10);
}

/* What loading came to, kept as code and text: a status belongs to who asked. */
static hone_driver the_driver;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the three below */
static bool tried;
static hone_code failed;
static char failure[600];

static void load_once(void) {
  hone_status *status = load(&the_driver);
  failed = hone_status_code(status);
  tried = failed != HONE_OUT_OF_MEMORY;
  if (status) snprintf(failure, sizeof failure, "%s", hone_status_message(status));
  hone_status_free(status);
}

hone_status *hone_driver_get(const hone_driver **out) {
  pthread_mutex_lock(&lock);
  if (!tried) load_once();
  hone_status *status = failed ? hone_error(failed, "%s", failure) : NULL;
  pthread_mutex_unlock(&lock);
  if (!status) *out = &the_driver;
  return status;
}

static hone_code code_of(hone_cu_result result) {
  switch (result) {
    case HONE_CU_OUT_OF_MEMORY:
      return HONE_OUT_OF_MEMORY;
    case HONE_CU_NO_DEVICE:
      return HONE_NOT_FOUND;
    case HONE_CU_NO_IMAGE_FOR_DEVICE:
      return HONE_MISMATCH;
    default:
      return HONE_DEVICE;
  }
}

/* From an illegal access on every call in the process fails: CUDA says that only a restart helps. */
static bool needs_restart(hone_cu_result result) {
  return result >= HONE_CU_ILLEGAL_ADDRESS && result <= HONE_CU_LAUNCH_FAILED;
}

hone_status *hone_driver_status(const hone_driver *driver, hone_cu_result result,
                                const char *what) {
  const char *name = NULL, *text = NULL;
  if (result == 0) return NULL;
  if (driver->error_name(result, &name) || !name) name = "unknown error";
  if (driver->error_text(result, &text) || !text) text = "";
  return hone_error(code_of(result), "CUDA failed at %s: %s (%d) %s%s", what, name, result, text,
                    needs_restart(result) ? "; the process must restart before it can use the GPU"
                                          : "");
}
