/* Runs on a GPU: the caller's memory, streams, runs that are only asked for.
 *
 * A tensor whose `memory` is HONE_ON_DEVICE lies on the GPU that the engine runs on (its primary
 * context, as the CUDA runtime and PyTorch use it), at a multiple of 16 bytes: kernels read and write
 * it where it is. HONE_ON_HOST_PINNED is the host's memory that CUDA has pinned: copies go straight to
 * and from it. Memory that is neither is copied by way of pinned memory of the context's.
 *
 * With a stream of the caller's, a run begins after what was asked for on it before, and what is asked
 * for on it later begins after the run.
 */
#ifndef HONE_GPU_H
#define HONE_GPU_H

#include <hone/hone.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Has the context's runs done on `stream`, a CUstream or cudaStream_t (1: the legacy default stream, 2:
 * the thread's own default), which outlives its use here. NULL: the context's own again. Waits for what
 * was asked for before. UNSUPPORTED where the engine runs on the CPU. */
HONE_API hone_status *hone_set_stream(hone_context *context, void *stream);

/* Asks for a run and returns. Inputs and outputs, which are not to be touched before it is over, are on
 * the device or pinned, and the whole model runs on the device; where that is not so the call waits, as
 * hone_run does. `done` (or NULL) is then called with `argument`, on a thread of CUDA's, which may not
 * call CUDA or Hone; other work on the stream may just as well follow. */
typedef void hone_done(void *argument);
HONE_API hone_status *hone_enqueue(hone_context *context, hone_done *done, void *argument);
/* Waits for runs that were asked for, and says what became of the last. */
HONE_API hone_status *hone_wait(hone_context *context);

/* Memory of the host's that CUDA has pinned. */
HONE_API hone_status *hone_pinned_new(size_t size, void **out);
HONE_API void hone_pinned_free(void *memory);

/* Has the context take its memory on the device from `take`, 256-byte aligned; NULL refuses. What it
 * holds is given back with `give`. Before the first run; both NULL: the driver. */
typedef void *hone_device_take(void *argument, size_t size);
typedef void hone_device_give(void *argument, void *memory);
HONE_API hone_status *hone_set_device_memory(hone_context *context, hone_device_take *take,
                                             hone_device_give *give, void *argument);

#ifdef __cplusplus
}
#endif
#endif
