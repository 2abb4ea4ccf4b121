/* Loading NVRTC and compiling with it. Room: backend/cuda. */
#include "backend/cuda/nvrtc.h"

#include <pthread.h>
#include <stdio.h>

#include "base/memory.h"

static const hone_library_spec spec = {
    "HONE_NVRTC", {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}};

static const hone_library_symbol symbols[] = {
    {"nvrtcVersion", offsetof(hone_nvrtc, version)},
    {"nvrtcGetErrorString", offsetof(hone_nvrtc, error_text)},
    {"nvrtcCreateProgram", offsetof(hone_nvrtc, create)},
    {"nvrtcCompileProgram", offsetof(hone_nvrtc, compile)},
    {"nvrtcGetProgramLogSize", offsetof(hone_nvrtc, log_size)},
    {"nvrtcGetProgramLog", offsetof(hone_nvrtc, log)},
    {"nvrtcGetCUBINSize", offsetof(hone_nvrtc, cubin_size)},
    {"nvrtcGetCUBIN", offsetof(hone_nvrtc, cubin)},
    {"nvrtcDestroyProgram", offsetof(hone_nvrtc, destroy)},
};

static hone_status *fail(const hone_nvrtc *nvrtc, int result, const char *what) {
  return hone_error(HONE_DEVICE, "NVRTC failed at %s: %s", what, nvrtc->error_text(result));
}

static hone_status *load(hone_nvrtc *nvrtc) {
  HONE_TRY(hone_library_open(&spec, &nvrtc->library));
  HONE_TRY(hone_library_bind(&nvrtc->library, symbols, sizeof symbols / sizeof *symbols, nvrtc));
  int result = nvrtc->version(&nvrtc->major, &nvrtc->minor);
  if (result) return fail(nvrtc, result, "asking for its version");
  if (nvrtc->major >= 12) return NULL;
  return hone_error(HONE_UNSUPPORTED, "NVRTC is %d.%d; the least is 12.0", nvrtc->major,
                    nvrtc->minor);
}

static hone_nvrtc the_nvrtc;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the three below */
static bool tried;
static hone_code failed;
static char failure[600];

static void load_once(void) {
  hone_status *status = load(&the_nvrtc);
  failed = hone_status_code(status);
  tried = failed != HONE_OUT_OF_MEMORY;
  if (status) snprintf(failure, sizeof failure, "%s", hone_status_message(status));
  hone_status_free(status);
}

hone_status *hone_nvrtc_get(const hone_nvrtc **out) {
  pthread_mutex_lock(&lock);
  if (!tried) load_once();
  hone_status *status = failed ? hone_error(failed, "%s", failure) : NULL;
  pthread_mutex_unlock(&lock);
  if (!status) *out = &the_nvrtc;
  return status;
}

/* ---- Compiling ------------------------------------------------------------------------------ */

static hone_status *log_status(const hone_nvrtc *nvrtc, hone_nvrtc_program program, int result,
                               const char *name) {
  size_t size = 0;
  if (nvrtc->log_size(program, &size) || size == 0) return fail(nvrtc, result, name);
  char *text = hone_alloc(size + 1);
  HONE_TRY_MEMORY(text);
  text[0] = text[size] = 0;
  bool told = nvrtc->log(program, text) == 0;
  hone_status *status =
      hone_error(HONE_DEVICE, "NVRTC does not compile %s: %.700s", name, told ? text : "");
  hone_free(text);
  return status;
}

static hone_status *take_cubin(const hone_nvrtc *nvrtc, hone_nvrtc_program program, void **cubin,
                               size_t *size) {
  int result = nvrtc->cubin_size(program, size);
  if (result) return fail(nvrtc, result, "asking for the machine code's size");
  *cubin = hone_alloc(*size + 1);
  HONE_TRY_MEMORY(*cubin);
  result = nvrtc->cubin(program, *cubin);
  if (!result) return NULL;
  hone_free(*cubin);
  return fail(nvrtc, result, "asking for the machine code");
}

hone_status *hone_nvrtc_compile(const hone_nvrtc *nvrtc, const char *source, const char *name,
                                int sm, void **cubin, size_t *size) {
  char target[40];
  const char *options[] = {target, "--std=c++17"};
  hone_nvrtc_program program = NULL;
  snprintf(target, sizeof target, "--gpu-architecture=sm_%d", sm);
  int result = nvrtc->create(&program, source, name, 0, NULL, NULL);
  if (result) return fail(nvrtc, result, "taking a source");
  result = nvrtc->compile(program, 2, options);
  hone_status *status = result ? log_status(nvrtc, program, result, name)
                               : take_cubin(nvrtc, program, cubin, size);
  nvrtc->destroy(&program);
  return status;
}
