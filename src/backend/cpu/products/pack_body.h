/* Packs one panel of a matrix for the tiles of one instruction set.
 * Room: backend/cpu/products. Included by
 * tile_f32_body.h; the packing is described in tile.h. */
#include "backend/cpu/simd/simd.h"

/* VF_LANES columns of contiguous depth, transposed block by block. */
static void pack_across(const float *b, ptrdiff_t column_stride, size_t depth, size_t width,
                        float *packed) {
  size_t k = 0;
  for (; k + VF_LANES <= depth; k += VF_LANES) {
    vf block[VF_LANES];
    HONE_UNROLL
    for (int j = 0; j < VF_LANES; j++) block[j] = vf_load(b + k + j * column_stride);
    vf_transpose(block);
    HONE_UNROLL
    for (int i = 0; i < VF_LANES; i++) vf_store(packed + (k + (size_t)i) * width, block[i]);
  }
  for (; k < depth; k++) {
    for (int j = 0; j < VF_LANES; j++)
      packed[k * width + (size_t)j] = b[(ptrdiff_t)k + j * column_stride];
  }
}

/* `columns` columns, zeros up to `width`. */
static void pack_panel(const float *b, ptrdiff_t depth_stride, ptrdiff_t column_stride,
                       size_t depth, size_t columns, size_t width, float *packed) {
  size_t j = 0;
  for (; j + VF_LANES <= columns; j += VF_LANES) {
    const float *from = b + (ptrdiff_t)j * column_stride;
    if (column_stride == 1) {
      for (size_t k = 0; k < depth; k++)
        vf_store(packed + k * width + j, vf_load(from + (ptrdiff_t)k * depth_stride));
    } else if (depth_stride == 1) {
      pack_across(from, column_stride, depth, width, packed + j);
    } else {
      break;
    }
  }
  for (; j < width; j++) {
    const float *from = b + (ptrdiff_t)j * column_stride;
    for (size_t k = 0; k < depth; k++)
      packed[k * width + j] = j < columns ? from[(ptrdiff_t)k * depth_stride] : 0;
  }
}
