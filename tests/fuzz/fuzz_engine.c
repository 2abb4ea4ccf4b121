/* Fuzz target: engine files. The frame's sums are made good after each mutation, else nothing would
 * get past them: sections are hostile even when whole. */
#include <string.h>
#include <unistd.h>

#include <hone/refit.h>
#include <stdio.h>

#include "base/memory.h"
#include "engine/engine.h"
#include "engine/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quiet(void *argument, int severity, const char *message) {
  (void)argument, (void)severity, (void)message;
}

/* Cuts the input into sections at its zero bytes and writes a sound file of them. */
static hone_status *write_file(const char *path, const uint8_t *data, size_t size) {
  hone_section sections[HONE_SECTION_COUNT] = {0};
  for (int i = 0; i < HONE_SECTION_COUNT; i++) {
    const uint8_t *end = i + 1 < HONE_SECTION_COUNT ? memchr(data, 0, size) : NULL;
    size_t span = end ? (size_t)(end - data) : size;
    hone_section_add(&sections[i], data, span);
    size_t used = span + (end != NULL);
    data += used;
    size -= used;
  }
  hone_status *status = hone_format_write(path, sections);
  for (int i = 0; i < HONE_SECTION_COUNT; i++) hone_section_free(&sections[i]);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/dev/shm/hone_fuzz_%d", (int)getpid());
  hone_set_logger(quiet, NULL);
  hone_engine *engine = NULL;
  hone_status *status = write_file(path, data, size);
  if (!status) status = hone_engine_open(path, NULL, &engine);
  hone_model *source = NULL;
  if (!status) status = hone_engine_model(engine, &source);
  if (!status) (void)hone_weight_count(source);
  hone_status_free(status);
  hone_model_free(source);
  hone_engine_free(engine);
  unlink(path);
  return 0;
}
