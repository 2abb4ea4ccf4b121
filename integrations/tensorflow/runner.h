/* An engine as a node runs it: its ports found among the node's, and contexts that wait for calls,
 * one for each call under way. */
#ifndef HONE_TENSORFLOW_RUNNER_H
#define HONE_TENSORFLOW_RUNNER_H

#include <hone/hone.h>

#include "tf_api.h"

typedef struct hone_runner hone_runner;

/* The engine is the runner's from then on, also where this fails. `node_inputs`, `node_outputs`: how
 * many the node has that ports may be. */
hone_status *hone_runner_new(hone_engine *engine, int node_inputs, int node_outputs,
                             hone_runner **out);
void hone_runner_free(hone_runner *runner);
const hone_engine *hone_runner_engine(const hone_runner *runner);

/* Inputs are read where they lie, results written into TensorFlow's memory. Any number of threads.
 * *published: whether some output has its memory, so that nothing else can give the outputs. */
hone_status *hone_runner_run(hone_runner *runner, TF_OpKernelContext *context, bool *published);

/* The same for a trial: nothing is given to the node. `see` (may be NULL) is shown each result, with
 * the node's output that it is, before the next run. */
typedef void hone_see_result(void *argument, int output, const hone_tensor *result);
hone_status *hone_runner_try(hone_runner *runner, TF_OpKernelContext *context,
                             hone_see_result *see, void *argument);

/* How many threads an engine may use, 0: as many as there are. Asked when a runner is made, on
 * whatever thread that happens. */
typedef int hone_ask_threads(void);
HONE_API void hone_tensorflow_threads_from(hone_ask_threads *ask);
/* Sets the option "threads" as the one asked says; *options is made where it is NULL. */
hone_status *hone_set_threads(hone_options **options);

#endif
