/* What the stand-in driver writes into a map of boxes, and the kernels on the host read. */
#ifndef HONE_TESTS_CUDA_STAND_IN_MAP_H
#define HONE_TESTS_CUDA_STAND_IN_MAP_H

typedef struct stand_in_map {
  const void *address;
  int element; /* its bytes: 2, or 4 of f32 that becomes TF32 */
  unsigned long long strides[3]; /* bytes */
  unsigned sizes[4], box[4], steps[4];
  short low[2], high[2];
  unsigned pixels; /* 0: boxes, no windows */
} stand_in_map;

#endif
