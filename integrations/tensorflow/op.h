/* The op that runs an engine inside TensorFlow, under two names.
 *
 *   HoneEngine(inputs: InT, engine: E) -> outputs: OutT
 *   TRTEngineOp(in_tensor: InT) -> out_tensor: OutT, with TF-TRT's attributes
 *
 * `engine` (a constant) is the engine file's path (string, an asset of the SavedModel) or its bytes
 * (uint8). TRTEngineOp has it as the last of `in_tensor`; one that TF-TRT itself made has none (its
 * inputs are never strings or uint8). The engine's inputs are called in_0, in_1, … and its outputs
 * out_0, out_1, …: the places among the node's; an input that the engine does not have is not used.
 * `segment_func` is what the engine stands for: a function of the graph that runs natively where
 * the engine cannot, or where there is none. Its large weights are in a file, which it reads with
 *
 *   HoneWeight(path: string) -> output: dtype
 *
 * and whose path is then the last of the inputs that it and the node have in common. Kernels of older
 * TensorFlows (before 2.12 or so) cannot get at functions; there `carries_segment` is 1, and the input
 * before the engine (uint8) is a serialized GraphDef: placeholders in_0, in_1, … and the node `call`,
 * whose outputs are the node's.
 */
#ifndef HONE_TENSORFLOW_OP_H
#define HONE_TENSORFLOW_OP_H

#include <hone/hone.h>

#include "tf_api.h"

#define HONE_OP "HoneEngine"
#define TRT_OP  "TRTEngineOp"

/* The element type of a TF_DataType; HONE_DTYPE_NONE for those that engines do not take. */
hone_dtype hone_of_tf(int type);
int tf_of_hone(hone_dtype dtype);

/* op.c */
void hone_register_op(void);
/* Whether a kernel can get at the functions of its graph. */
HONE_API bool hone_tensorflow_reads_functions(void);

/* kernel.c */
void *hone_kernel_create(TF_OpKernelConstruction *construction);
void hone_kernel_compute(void *kernel, TF_OpKernelContext *context);
void hone_kernel_delete(void *kernel);

/* weight.c: a constant that lies in a file, mapped when first asked for. */
void *hone_weight_create(TF_OpKernelConstruction *construction);
void hone_weight_compute(void *kernel, TF_OpKernelContext *context);
void hone_weight_delete(void *kernel);

/* strings.c: a string tensor's one element, for free(); NULL where it is none. */
char *hone_tensor_text(const TF_Tensor *tensor);

/* resources.c: the ops that handle TF-TRT's caches of engines, in models that it saved. */
void *hone_handle_create(TF_OpKernelConstruction *construction);
void hone_handle_compute(void *kernel, TF_OpKernelContext *context);
void hone_handle_delete(void *kernel);
void hone_initialize_compute(void *kernel, TF_OpKernelContext *context);
void hone_calibration_compute(void *kernel, TF_OpKernelContext *context);

/* native.c: the segment's function, run in the calling thread by a session of its own. */
typedef struct hone_native hone_native;
/* `function`: its serialized NameAttrList; NULL where the node carries its segment. Opened when
 * first run. */
hone_native *hone_native_new(const char *node, const TF_Buffer *function);
/* The same of a GraphDef that the segment is; `fed` and `given` name its placeholders and its results
 * ("node" or "node:1"), one an input and one an output. All are lent. */
hone_native *hone_native_of_graph(const char *node, hone_bytes graph, const char *const *fed,
                                  const char *const *given);
/* Runs it on the op's first `input_count` inputs. The segment that the node carries is the input after
 * those. `results`: one an output, the caller's to delete, cleared before. */
void hone_native_call(hone_native *native, TF_OpKernelContext *context, int input_count,
                      TF_Tensor **results, TF_Status *status);
/* The same, the results given as the op's outputs. */
void hone_native_run(hone_native *native, TF_OpKernelContext *context, int input_count,
                     TF_Status *status);
void hone_native_free(hone_native *native);

#endif
