/* What this machine has and what this library stands on, as JSON. Room: engine. */
#include <jansson.h>
#include <xxhash.h>
#include <zlib.h>
#ifdef HONE_HAVE_PNG
#include <png.h>
#endif

#include "base/cpu.h"
#include "base/pool.h"
#include "engine/engine.h"

/* A library that pictures are read with, or null where it was not found at build time. */
static json_t *optional(const char *version) {
  return version ? json_string(version) : json_null();
}

static json_t *libraries(void) {
  const char *png = NULL, *jpeg = NULL;
#ifdef HONE_HAVE_PNG
  png = png_get_libpng_ver(NULL);
#endif
#ifdef HONE_HAVE_TURBOJPEG
  jpeg = HONE_HAVE_TURBOJPEG; /* has no call that tells: as pkg-config said */
#endif
  char xxhash[16];
  unsigned number = XXH_versionNumber();
  snprintf(xxhash, sizeof xxhash, "%u.%u.%u", number / 10000, number / 100 % 100, number % 100);
  return json_pack("{s:s, s:s, s:s, s:o, s:o}", "jansson", jansson_version_str(), "zlib",
                   zlibVersion(), "xxhash", xxhash, "turbojpeg", optional(jpeg), "png",
                   optional(png));
}

hone_status *hone_machine(char **out) {
  char isa[64];
  return hone_give_json(
      json_pack("{s:s, s:s, s:i, s:i, s:[I, I, I], s:o, s:{s:b, s:s}}", "processor",
                hone_cpu_name(), "instruction_sets",
                hone_cpu_isa_text(hone_cpu_isa(), isa, sizeof isa), "processors", hone_cpu_count(),
                "threads", hone_pool_default_threads(), "cache_bytes",
                (json_int_t)hone_cpu_cache(1), (json_int_t)hone_cpu_cache(2),
                (json_int_t)hone_cpu_cache(3), "libraries", libraries(), "cuda", "used", 0, "why",
                "this version runs on the CPU only"),
      out);
}
