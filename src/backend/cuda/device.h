/* The GPU as the engine sees it: memory, streams, recordings. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_DEVICE_H
#define HONE_BACKEND_CUDA_DEVICE_H

#include "backend/backend.h"

extern const hone_device hone_cuda_device;

/* 90 for compute capability 9.0. */
HONE_MUST_USE hone_status *hone_cuda_capability(int *out);
/* The kernel of this text for this machine's GPU, compiled when it is new to the process. */
HONE_MUST_USE hone_status *hone_cuda_compile(const char *text, void **out);
/* A copy of `bytes` in the GPU's memory, for hone_cuda_device.give. */
HONE_MUST_USE hone_status *hone_cuda_put(const void *bytes, size_t size, void **out);

#endif
