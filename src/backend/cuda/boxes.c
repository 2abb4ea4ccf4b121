/* Describing boxes to the driver. Room: backend/cuda. */
#include "backend/cuda/boxes.h"

static uint32_t elements_of_row(hone_dtype dtype) {
  return (uint32_t)(8 * HONE_CUDA_BOX_BYTES / hone_dtype_bits(dtype));
}

static int map_type(hone_dtype dtype) {
  return dtype == HONE_F16    ? HONE_CU_MAP_F16
         : dtype == HONE_BF16 ? HONE_CU_MAP_BF16
                              : HONE_CU_MAP_TF32;
}

hone_cuda_boxes hone_cuda_boxes_of(hone_dtype dtype, int64_t columns, int64_t rows, int64_t layers,
                                   int64_t pitch, int64_t layer) {
  return (hone_cuda_boxes){.dtype = dtype,
                           .rank = 3,
                           .sizes = {(uint64_t)columns, (uint64_t)rows, (uint64_t)layers},
                           .strides = {(uint64_t)pitch, (uint64_t)layer},
                           .box = {elements_of_row(dtype), 1, 1},
                           .steps = {1, 1, 1, 1}};
}

hone_status *hone_cuda_boxes_map(const hone_gpu *gpu, const hone_cuda_boxes *b, void *address,
                                 hone_cuda_map *out) {
  int type = map_type(b->dtype);
  uint32_t rank = (uint32_t)b->rank;
  if (b->pixels)
    HONE_TRY_DRIVER(gpu->driver, "describing windows", map_windows, out, type, rank, address,
                    b->sizes, b->strides, b->low, b->high, elements_of_row(b->dtype), b->pixels,
                    b->steps, 0, HONE_CU_MAP_SWIZZLE_128, HONE_CU_MAP_PROMOTE_128, 0);
  else
    HONE_TRY_DRIVER(gpu->driver, "describing boxes", map_boxes, out, type, rank, address, b->sizes,
                    b->strides, b->box, b->steps, 0, HONE_CU_MAP_SWIZZLE_128,
                    HONE_CU_MAP_PROMOTE_128, 0);
  return NULL;
}
