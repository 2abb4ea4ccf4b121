/* What this machine has and what this library stands on, as JSON. Room: engine. */
#include <jansson.h>
#include <xxhash.h>
#include <zlib.h>
#ifdef HONE_HAVE_PNG
#include <png.h>
#endif
#ifdef HONE_HAVE_OPENJPEG
#include <openjpeg.h>
#endif

#include "base/cpu.h"
#include "backend/cuda/cudnn.h"
#include "backend/cuda/gpu.h"
#include "backend/cuda/lt.h"
#include "backend/cuda/nvrtc.h"
#include "base/pool.h"
#include "engine/engine.h"

/* A library that pictures are read with, or null where it was not found at build time. */
static json_t *optional(const char *version) {
  return version ? json_string(version) : json_null();
}

static json_t *libraries(void) {
  const char *png = NULL, *jpeg = NULL, *webp = NULL, *openjpeg = NULL;
#ifdef HONE_HAVE_PNG
  png = png_get_libpng_ver(NULL);
#endif
#ifdef HONE_HAVE_TURBOJPEG
  jpeg = HONE_HAVE_TURBOJPEG; /* has no call that tells: as pkg-config said */
#endif
#ifdef HONE_HAVE_WEBP
  webp = HONE_HAVE_WEBP; /* as pkg-config said too: it tells the version of its decoder alone */
#endif
#ifdef HONE_HAVE_OPENJPEG
  openjpeg = opj_version();
#endif
  char xxhash[16];
  unsigned number = XXH_versionNumber();
  snprintf(xxhash, sizeof xxhash, "%u.%u.%u", number / 10000, number / 100 % 100, number % 100);
  return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "jansson", jansson_version_str(), "zlib",
                   zlibVersion(), "xxhash", xxhash, "turbojpeg", optional(jpeg), "png",
                   optional(png), "webp", optional(webp), "openjpeg", optional(openjpeg));
}

/* Where a library of NVIDIA's is and its version, or why it is of no use. */
static json_t *library_json(hone_status *status, const hone_library *library, int major, int minor) {
  if (status) {
    json_t *object = json_pack("{s:n, s:n, s:s}", "found", "version", "why",
                               hone_status_message(status));
    hone_status_free(status);
    return object;
  }
  char version[32];
  snprintf(version, sizeof version, "%d.%d", major, minor);
  return json_pack("{s:s, s:s, s:n}", "found", library->path, "version", version, "why");
}

static json_t *driver_json(void) {
  const hone_driver *driver = NULL;
  hone_status *status = hone_driver_get(&driver);
  int version = status ? 0 : driver->version;
  return library_json(status, status ? NULL : &driver->library, version / 1000, version % 1000 / 10);
}

static json_t *nvrtc_json(void) {
  const hone_nvrtc *nvrtc = NULL;
  hone_status *status = hone_nvrtc_get(&nvrtc);
  return library_json(status, status ? NULL : &nvrtc->library, status ? 0 : nvrtc->major,
                      status ? 0 : nvrtc->minor);
}

static json_t *lt_json(void) {
  const hone_lt *lt = NULL;
  hone_status *status = hone_lt_get(&lt);
  int version = status ? 0 : (int)lt->version;
  return library_json(status, status ? NULL : &lt->library, version / 10000, version / 100 % 100);
}

static json_t *cudnn_json(void) {
  const hone_cudnn *cudnn = NULL;
  hone_status *status = hone_cudnn_get(&cudnn);
  int version = status ? 0 : (int)cudnn->version;
  return library_json(status, status ? NULL : &cudnn->library, version / 10000, version / 100 % 100);
}

static json_t *cuda_json(void) {
  hone_gpu *gpu;
  hone_status *status = hone_gpu_get(&gpu);
  json_t *object =
      status ? json_pack("{s:b, s:s, s:n, s:n, s:n}", "used", 0, "why", hone_status_message(status),
                         "gpu", "compute_capability", "memory_bytes")
             : json_pack("{s:b, s:n, s:s, s:i, s:I}", "used", 1, "why", "gpu", gpu->name,
                         "compute_capability", gpu->sm, "memory_bytes", (json_int_t)gpu->memory);
  hone_status_free(status);
  json_object_set_new(object, "driver", driver_json());
  json_object_set_new(object, "nvrtc", nvrtc_json());
  json_object_set_new(object, "cublaslt", lt_json());
  json_object_set_new(object, "cudnn", cudnn_json());
  return object;
}

hone_status *hone_machine(char **out) {
  char isa[64];
  return hone_give_json(
      json_pack("{s:s, s:s, s:i, s:i, s:[I, I, I], s:o, s:o}", "processor", hone_cpu_name(),
                "instruction_sets", hone_cpu_isa_text(hone_cpu_isa(), isa, sizeof isa), "processors",
                hone_cpu_count(), "threads", hone_pool_default_threads(), "cache_bytes",
                (json_int_t)hone_cpu_cache(1), (json_int_t)hone_cpu_cache(2),
                (json_int_t)hone_cpu_cache(3), "libraries", libraries(), "cuda", cuda_json()),
      out);
}
