/* Fuzz target: timing caches. What is read is written, and what was written reads and writes the
 * same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "engine/timing_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];

/* Reads the cache and writes it in its place; false where it is refused. */
static bool pass_on(char **text, size_t *size) {
  hone_timing_cache cache = {0};
  hone_status *status = hone_timing_cache_read(&cache, path);
  bool good = status == NULL;
  if (good) status = hone_timing_cache_write(&cache, path);
  if (good && status) abort();
  hone_status_free(status);
  hone_timing_cache_free(&cache);
  if (good && hone_file_read(path, SIZE_MAX, text, size)) abort();
  return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!path[0]) snprintf(path, sizeof path, "/dev/shm/hone_fuzz_times_%d", (int)getpid());
  FILE *file = fopen(path, "wb");
  if (!file) return 0;
  fwrite(data, 1, size, file);
  fclose(file);
  char *first = NULL, *second = NULL;
  size_t first_size = 0, second_size = 0;
  if (pass_on(&first, &first_size)) {
    if (!pass_on(&second, &second_size)) abort();
    if (first_size != second_size || memcmp(first, second, first_size) != 0) abort();
  }
  hone_free(first);
  hone_free(second);
  unlink(path);
  return 0;
}
