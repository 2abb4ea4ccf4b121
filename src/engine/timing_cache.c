/* Reading, writing and asking the timing cache. Room: engine. */
#include "engine/timing_cache.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#define HEADER     "# hone timing cache 1: key, kernel, variant, nanoseconds\n"
#define FILE_LIMIT ((size_t)64 << 20)

static int compose(char *out, size_t room, const char *key, const char *kernel, int variant) {
  return snprintf(out, room, "%s\t%s\t%d", key, kernel, variant);
}

static hone_status *put(hone_timing_cache *cache, const char *name, size_t size, double value) {
  double *old = hone_map_get(&cache->times, name, size);
  if (old) {
    if (value < *old) *old = value;
    return NULL;
  }
  double *kept = HONE_NEW(&cache->memory, double);
  HONE_TRY_MEMORY(kept);
  *kept = value;
  return hone_map_put(&cache->times, name, size, kept);
}

hone_status *hone_timing_cache_put(hone_timing_cache *cache, const char *key, const char *kernel,
                                   int variant, double nanoseconds) {
  char name[256];
  int size = compose(name, sizeof name, key, kernel, variant);
  if (size < 0 || (size_t)size >= sizeof name)
    return hone_error(HONE_INTERNAL, "a kernel's name is too long");
  /* As the file will say it, so that a build that measured and one that read choose alike. */
  return put(cache, name, (size_t)size, round(nanoseconds));
}

double hone_timing_cache_get(const hone_timing_cache *cache, const char *key, const char *kernel,
                             int variant) {
  char name[256];
  int size = compose(name, sizeof name, key, kernel, variant);
  if (size < 0 || (size_t)size >= sizeof name) return -1;
  const double *value = hone_map_get(&cache->times, name, (size_t)size);
  return value ? *value : -1;
}

/* Four fields without control characters, which a key would lose on its way to the file, and a time that
 * the file can hold. */
static bool is_measurement(const char *line, size_t size, double value) {
  int tabs = 0;
  for (size_t i = 0; i < size; i++) {
    tabs += line[i] == '\t';
    if ((unsigned char)line[i] < ' ' && line[i] != '\t') return false;
  }
  return tabs == 3 && value >= 0 && value <= HONE_TIMING_NEVER;
}

/* One line: everything before the last tab is the name, after it the time. */
static hone_status *read_line(hone_timing_cache *cache, const char *line, size_t size) {
  if (size == 0 || line[0] == '#') return NULL;
  const char *tab = memrchr(line, '\t', size);
  char number[32], *end = number;
  size_t digits = tab ? size - (size_t)(tab + 1 - line) : 0;
  double value = -1;
  if (tab && digits > 0 && digits < sizeof number) {
    memcpy(number, tab + 1, digits);
    number[digits] = 0;
    value = strtod(number, &end);
  }
  if (end == number || *end || !is_measurement(line, size, value) || tab - line > 250)
    return hone_error(HONE_CORRUPT, "no measurement stands there");
  return put(cache, line, (size_t)(tab - line), value);
}

hone_status *hone_timing_cache_read(hone_timing_cache *cache, const char *path) {
  char *text;
  size_t size;
  hone_status *status = hone_file_read(path, FILE_LIMIT, &text, &size);
  if (hone_status_code(status) == HONE_NOT_FOUND) {
    hone_status_free(status);
    return NULL;
  }
  HONE_TRY(status);
  int number = 1;
  for (const char *at = text, *stop = text + size; !status && at < stop; number++) {
    const char *end = memchr(at, '\n', (size_t)(stop - at));
    size_t span = end ? (size_t)(end - at) : (size_t)(stop - at);
    status = read_line(cache, at, span);
    at += span + 1;
  }
  hone_free(text);
  return hone_error_at(status, "timing cache '%.200s', line %d", path, number - 1);
}

static int by_key(const void *a, const void *b) {
  const hone_map_entry *x = *(const hone_map_entry *const *)a;
  const hone_map_entry *y = *(const hone_map_entry *const *)b;
  return strcmp(x->key, y->key);
}

hone_status *hone_timing_cache_write(const hone_timing_cache *cache, const char *path) {
  size_t count = cache->times.count, at = 0, i = 0;
  const hone_map_entry **sorted = hone_alloc((count + 1) * sizeof *sorted);
  HONE_TRY_MEMORY(sorted);
  for (const hone_map_entry *e; (e = hone_map_next(&cache->times, &at));) sorted[i++] = e;
  qsort(sorted, count, sizeof *sorted, by_key);
  hone_text text = {0};
  hone_text_puts(&text, HEADER);
  for (i = 0; i < count; i++)
    hone_text_printf(&text, "%s\t%.0f\n", sorted[i]->key, *(const double *)sorted[i]->value);
  hone_free(sorted);
  hone_status *status = hone_text_status(&text);
  hone_bytes part = {text.data, text.size};
  if (!status) status = hone_file_write(path, &part, 1);
  hone_text_free(&text);
  return status;
}

void hone_timing_cache_free(hone_timing_cache *cache) {
  hone_map_free(&cache->times);
  hone_arena_free(&cache->memory);
}
