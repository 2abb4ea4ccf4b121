/* Whether a new engine is worth running in place of its segment, on the data of one call. */
#ifndef HONE_TENSORFLOW_TRIAL_H
#define HONE_TENSORFLOW_TRIAL_H

#include "op.h"
#include "runner.h"

/* Runs both in turns. False, with the reason in `why`, where the engine fails, is slower, or gives
 * something else. `values`, `outputs`: how many inputs and outputs the node has. Where the segment
 * itself cannot be run, the engine is taken. */
bool hone_try_engine(hone_runner *runner, hone_native *native, TF_OpKernelContext *context,
                     int values, int outputs, char *why, size_t size);

#endif
