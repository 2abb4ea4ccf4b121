/* Loading the CUDA driver, and its errors. Room: backend/cuda. */
#include "backend/cuda/driver.h"

static const hone_library_spec spec = {"HONE_CUDA_DRIVER", {"libcuda.so.1", "libcuda.so"}};

static const hone_library_symbol symbols[] = {
#define DRIVER(member, symbol, arguments) {symbol, offsetof(hone_driver, member)},
#include "backend/cuda/driver.def"
#undef DRIVER
};

static hone_status *load(void *what) {
  hone_driver *driver = what;
  HONE_TRY(hone_library_open(&spec, &driver->library));
  HONE_TRY(hone_library_bind(&driver->library, symbols, sizeof symbols / sizeof *symbols, driver));
  HONE_TRY_DRIVER(driver, "asking for the driver's version", driver_version, &driver->version);
  if (driver->version >= HONE_DRIVER_LEAST) return NULL;
  return hone_error(HONE_UNSUPPORTED,
                    "the NVIDIA driver runs CUDA %d.%d; the least is %d.%d: install a newer driver",
                    driver->version / 1000, driver->version % 1000 / 10, HONE_DRIVER_LEAST / 1000,
                    HONE_DRIVER_LEAST % 1000 / 10);
}

hone_status *hone_driver_get(const hone_driver **out) {
  static hone_driver the_driver;
  static hone_once once = HONE_ONCE;
  *out = &the_driver;
  return hone_do_once(&once, load, &the_driver);
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
