/* Loading NVRTC and compiling with it. Room: backend/cuda. */
#include "backend/cuda/nvrtc.h"

#include <stdio.h>
#include <string.h>

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
    {"nvrtcGetPTXSize", offsetof(hone_nvrtc, ptx_size)},
    {"nvrtcGetPTX", offsetof(hone_nvrtc, ptx)},
    {"nvrtcDestroyProgram", offsetof(hone_nvrtc, destroy)},
};

static hone_status *fail(const hone_nvrtc *nvrtc, int result, const char *what) {
  return hone_error(HONE_DEVICE, "NVRTC failed at %s: %s", what, nvrtc->error_text(result));
}

static hone_status *load(void *what) {
  hone_nvrtc *nvrtc = what;
  HONE_TRY(hone_library_open(&spec, &nvrtc->library));
  HONE_TRY(hone_library_bind(&nvrtc->library, symbols, sizeof symbols / sizeof *symbols, nvrtc));
  int result = nvrtc->version(&nvrtc->major, &nvrtc->minor);
  if (result) return fail(nvrtc, result, "asking for its version");
  if (nvrtc->major >= 12) return NULL;
  return hone_error(HONE_UNSUPPORTED, "NVRTC is %d.%d; the least is 12.0", nvrtc->major,
                    nvrtc->minor);
}

hone_status *hone_nvrtc_get(const hone_nvrtc **out) {
  static hone_nvrtc the_nvrtc;
  static hone_once once = HONE_ONCE;
  *out = &the_nvrtc;
  return hone_do_once(&once, load, &the_nvrtc);
}

/* ---- Compiling ------------------------------------------------------------------------------ */

/* What the compiler said, for hone_free; NULL: nothing. */
static hone_status *take_log(const hone_nvrtc *nvrtc, hone_nvrtc_program program, char **out) {
  size_t size = 0;
  *out = NULL;
  if (nvrtc->log_size(program, &size) || size <= 1) return NULL;
  char *text = hone_alloc(size + 1);
  HONE_TRY_MEMORY(text);
  text[0] = text[size] = 0;
  *out = text;
  if (nvrtc->log(program, text)) text[0] = 0;
  return NULL;
}

static hone_status *log_status(const hone_nvrtc *nvrtc, hone_nvrtc_program program, int result,
                               const char *name) {
  char *text;
  HONE_TRY(take_log(nvrtc, program, &text));
  if (!text) return fail(nvrtc, result, name);
  hone_status *status = hone_error(HONE_DEVICE, "NVRTC does not compile %s: %.700s", name, text);
  hone_free(text);
  return status;
}

static hone_status *take_cubin(const hone_nvrtc *nvrtc, hone_nvrtc_program program,
                               hone_nvrtc_code *out) {
  int result = nvrtc->cubin_size(program, &out->cubin_size);
  if (result) return fail(nvrtc, result, "asking for the machine code's size");
  out->cubin = hone_alloc(out->cubin_size + 1);
  HONE_TRY_MEMORY(out->cubin);
  result = nvrtc->cubin(program, out->cubin);
  return result ? fail(nvrtc, result, "asking for the machine code") : NULL;
}

static hone_status *take_ptx(const hone_nvrtc *nvrtc, hone_nvrtc_program program,
                             hone_nvrtc_code *out) {
  int result = nvrtc->ptx_size(program, &out->ptx_size);
  if (result) return fail(nvrtc, result, "asking for the PTX's size");
  out->ptx = hone_alloc_zero(out->ptx_size + 1);
  HONE_TRY_MEMORY(out->ptx);
  result = nvrtc->ptx(program, out->ptx);
  return result ? fail(nvrtc, result, "asking for the PTX") : NULL;
}

static hone_status *take_code(const hone_nvrtc *nvrtc, hone_nvrtc_program program,
                              hone_nvrtc_code *out) {
  char *text;
  *out = (hone_nvrtc_code){NULL, 0, NULL, 0, false};
  HONE_TRY(take_log(nvrtc, program, &text));
  out->serial = text && strstr(text, "wgmma.mma_async instructions are serialized");
  hone_free(text);
  hone_status *status = take_cubin(nvrtc, program, out);
  if (!status) status = take_ptx(nvrtc, program, out);
  if (!status) return NULL;
  hone_free(out->cubin);
  hone_free(out->ptx);
  return status;
}

hone_status *hone_nvrtc_compile(const hone_nvrtc *nvrtc, const char *source, const char *name,
                                int sm, bool alone, hone_nvrtc_code *out) {
  char target[40];
  const char *options[] = {target, "--std=c++17"};
  hone_nvrtc_program program = NULL;
  snprintf(target, sizeof target, "--gpu-architecture=sm_%d%s", sm, alone ? "a" : "");
  int result = nvrtc->create(&program, source, name, 0, NULL, NULL);
  if (result) return fail(nvrtc, result, "taking a source");
  result = nvrtc->compile(program, 2, options);
  hone_status *status = result ? log_status(nvrtc, program, result, name)
                               : take_code(nvrtc, program, out);
  nvrtc->destroy(&program);
  return status;
}
