/* Where a model was read from, so that an engine without weights can find them again. Room: engine. */
#ifndef HONE_ENGINE_ORIGIN_H
#define HONE_ENGINE_ORIGIN_H

#include <stdatomic.h>

#include "engine/options.h"
#include "ir/graph.h"

/* Immutable; counted by reference. */
typedef struct hone_origin {
  _Atomic int references;
  char *path;            /* absolute */
  hone_options *options; /* that it is imported with */
} hone_origin;

/* Takes the options of importing out of `options`. */
HONE_MUST_USE hone_status *hone_origin_new(const char *path, const hone_options *options,
                                           hone_origin **out);
hone_origin *hone_origin_retain(hone_origin *origin); /* NULL allowed */
void hone_origin_free(hone_origin *origin);           /* NULL allowed */

/* Of all that a graph says and of every constant's bytes. */
HONE_MUST_USE hone_status *hone_origin_sum(const hone_graph *graph, uint64_t *out);
/* Opens the model; MISMATCH where it is another one now. */
HONE_MUST_USE hone_status *hone_origin_open(const hone_origin *origin, uint64_t sum,
                                            hone_model **out);

#endif
