/* The list of a model's weights. Room: engine. */
#ifndef HONE_ENGINE_WEIGHTS_H
#define HONE_ENGINE_WEIGHTS_H

#include "engine/engine.h"

typedef struct hone_weights hone_weights;

void hone_weights_free(hone_weights *list); /* NULL allowed */

/* Gives constants that only bodies use the names that the user knows them by. */
HONE_MUST_USE hone_status *hone_weights_name(hone_graph *graph);

#endif
