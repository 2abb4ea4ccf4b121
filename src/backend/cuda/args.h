/* The one parameter of every kernel. Room: backend/cuda. The same structs stand in
 * kernels/common.cu and kernels/hopper.cu. */
#ifndef HONE_BACKEND_CUDA_ARGS_H
#define HONE_BACKEND_CUDA_ARGS_H

#define HONE_CUDA_POINTERS 24
#define HONE_CUDA_NUMBERS  80
#define HONE_CUDA_AT_ONCE  78 /* of the numbers: whether the next kernel may begin already */
#define HONE_CUDA_STEP     79 /* of the numbers, the last: which step it is (kernels/places.cu) */
#define HONE_CUDA_BOXED    4

typedef struct hone_cuda_args {
  void *p[HONE_CUDA_POINTERS];    /* in the GPU's memory; NULL where unused */
  long long n[HONE_CUDA_NUMBERS]; /* sizes, strides, choices */
} hone_cuda_args;

/* How the copy engine finds boxes of a tensor: the driver's words. */
typedef struct hone_cuda_map {
  _Alignas(64) unsigned long long words[16];
} hone_cuda_map;

/* What a launch hands over. Kernels that read no boxes take the args alone. */
typedef struct hone_cuda_parameter {
  hone_cuda_args args;
  hone_cuda_map maps[HONE_CUDA_BOXED];
} hone_cuda_parameter;

#endif
