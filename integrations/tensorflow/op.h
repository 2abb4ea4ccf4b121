/* The op that runs an engine inside TensorFlow.
 *
 *   HoneEngine(inputs: InT, engine: E) -> outputs: OutT
 *
 * `engine` (a constant) is the engine file's path (string, an asset of the SavedModel) or its bytes
 * (uint8). The engine's inputs are called in_0, in_1, … and its outputs out_0, out_1, …: the places
 * in `inputs` and `outputs`; an input that the engine does not have is not used. `segment_func` is
 * what the engine stands for: a function of the graph that runs natively where the engine cannot.
 */
#ifndef HONE_TENSORFLOW_OP_H
#define HONE_TENSORFLOW_OP_H

#include <hone/hone.h>

#include "tf_api.h"

#define HONE_OP "HoneEngine"

/* The element type of a TF_DataType; HONE_DTYPE_NONE for those that engines do not take. */
hone_dtype hone_of_tf(int type);
int tf_of_hone(hone_dtype dtype);

/* op.c */
void hone_register_op(void);

/* kernel.c */
void *hone_kernel_create(TF_OpKernelConstruction *construction);
void hone_kernel_compute(void *kernel, TF_OpKernelContext *context);
void hone_kernel_delete(void *kernel);

/* native.c: the segment's function, run in the calling thread by a session of its own. */
typedef struct hone_native hone_native;
/* `function`: its serialized NameAttrList. Opened when first run. */
hone_native *hone_native_new(const char *node, const TF_Buffer *function);
/* Runs it on the op's inputs and sets the op's outputs. */
void hone_native_run(hone_native *native, TF_OpKernelContext *context, int input_count,
                     TF_Status *status);
void hone_native_free(hone_native *native);

#endif
