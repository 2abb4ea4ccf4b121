/* Models by path: remembered, and opened again. Room: engine. */
#include "engine/origin.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "engine/engine.h"
#include "ir/text.h"

/* The path from the root, for hone_free: a later process may stand in another folder. */
static hone_status *absolute(const char *path, char **out) {
  char *real = realpath(path, NULL);
  const char *from = real ? real : path;
  *out = hone_alloc(strlen(from) + 1);
  if (*out) memcpy(*out, from, strlen(from) + 1);
  free(real);
  HONE_TRY_MEMORY(*out);
  return NULL;
}

hone_status *hone_origin_new(const char *path, const hone_options *options, hone_origin **out) {
  hone_origin *origin = hone_alloc_zero(sizeof *origin);
  HONE_TRY_MEMORY(origin);
  atomic_init(&origin->references, 1);
  hone_status *status = absolute(path, &origin->path);
  if (!status) status = hone_options_some(HONE_OPTIONS_IMPORT, options, &origin->options);
  if (status)
    hone_origin_free(origin);
  else
    *out = origin;
  return status;
}

hone_origin *hone_origin_retain(hone_origin *origin) {
  if (origin) atomic_fetch_add(&origin->references, 1);
  return origin;
}

void hone_origin_free(hone_origin *origin) {
  if (!origin || atomic_fetch_sub(&origin->references, 1) != 1) return;
  hone_options_free(origin->options);
  hone_free(origin->path);
  hone_free(origin);
}

/* ---- Whether it is still the same model ------------------------------------------------------- */

static size_t add_constant(void *argument, const hone_value *constant) {
  uint64_t *sum = argument;
  *sum = XXH3_64bits_withSeed(constant->constant, constant->constant_size, *sum);
  return 0;
}

hone_status *hone_origin_sum(const hone_graph *graph, uint64_t *out) {
  hone_text text = {0};
  uint64_t sum = 0;
  hone_status *status = hone_graph_print(graph, 16, add_constant, &sum, &text);
  if (!status) status = hone_text_status(&text);
  if (!status) *out = XXH3_64bits_withSeed(text.data, text.size, sum);
  hone_text_free(&text);
  return status;
}

hone_status *hone_origin_open(const hone_origin *origin, uint64_t sum, hone_model **out) {
  uint64_t now;
  hone_model *model;
  HONE_TRY(hone_model_open(origin->path, origin->options, &model));
  hone_status *status = hone_origin_sum(model->graph, &now);
  if (!status && now != sum)
    status = hone_error(HONE_MISMATCH,
                        "the model '%.200s' is not the one that the engine was built from",
                        origin->path);
  if (status)
    hone_model_free(model);
  else
    *out = model;
  return status;
}
