/* Graphs optimised as TensorFlow runs them: segments become nodes whose engines are made at their
 * first call. */
#ifndef HONE_TENSORFLOW_OPTIMISE_H
#define HONE_TENSORFLOW_OPTIMISE_H

#include <hone/status.h>

#include "tf_api.h"

/* Whether HONE_AUTO says so and HONE_DISABLE does not; asked for each graph. */
bool hone_is_wanted(void);
bool hone_is_disabled(void);

void *hone_optimiser_new(void);
void hone_optimiser_free(void *optimiser);
/* ABORTED: the graph stays as it is; so does one that cannot be read. */
void hone_optimise(void *optimiser, const TF_Buffer *graph, const TF_GrapplerItem *item,
                   TF_Buffer *result, TF_Status *status);

/* plugin.c: what TensorFlow asks a plug-in for. */
HONE_API void TF_InitGraph(TP_OptimizerRegistrationParams *params, TF_Status *status);

#endif
