/* Packing an engine from a segment and weights. */
#ifndef HONE_TENSORFLOW_LIVE_PACK_H
#define HONE_TENSORFLOW_LIVE_PACK_H

#include "live_segment.h"
#include "message.h"
#include "runner.h"

/* `held`: the weights, by the node's input. `model` becomes what the engine is built from and may
 * read; it is the caller's, also where this fails. With the kernels of `old`, or measured where that
 * is NULL, on the sizes that `context` (may be NULL) has. */
hone_status *hone_live_pack(const hone_live_segment *segment, TF_Tensor *const *held,
                            TF_OpKernelContext *context, const hone_engine *old,
                            hone_message *model, hone_runner **out);

#endif
