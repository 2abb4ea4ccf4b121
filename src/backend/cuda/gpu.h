/* The GPU that this process uses: the first one, its primary context.
 * Room: backend/cuda.
 *
 * There is one a process, opened when first asked for and kept until the process ends, since a
 * primary context is. Calls may come from any thread; each makes the context the thread's own while
 * it lasts. A child after fork cannot use it: CUDA refuses.
 */
#ifndef HONE_BACKEND_CUDA_GPU_H
#define HONE_BACKEND_CUDA_GPU_H

#include "backend/cuda/driver.h"

typedef struct hone_gpu {
  const hone_driver *driver;
  hone_cu_device device;
  hone_cu_context context;
  char name[128];
  int sm; /* 90 for compute capability 9.0 */
  int multiprocessors;
  size_t memory; /* bytes */
} hone_gpu;

/* An error says what is missing, and is the same at every call. */
HONE_MUST_USE hone_status *hone_gpu_get(hone_gpu **out);

/* Between them the context is the calling thread's. */
HONE_MUST_USE hone_status *hone_gpu_enter(const hone_gpu *gpu);
void hone_gpu_leave(const hone_gpu *gpu);

#endif
