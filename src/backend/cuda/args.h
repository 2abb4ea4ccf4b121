/* The one parameter of every kernel. Room: backend/cuda. The same struct stands in
 * kernels/common.cu. */
#ifndef HONE_BACKEND_CUDA_ARGS_H
#define HONE_BACKEND_CUDA_ARGS_H

#define HONE_CUDA_POINTERS 24
#define HONE_CUDA_NUMBERS  72

typedef struct hone_cuda_args {
  void *p[HONE_CUDA_POINTERS];    /* in the GPU's memory; NULL where unused */
  long long n[HONE_CUDA_NUMBERS]; /* sizes, strides, choices */
} hone_cuda_args;

#endif
