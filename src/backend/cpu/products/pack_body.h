/* Packs one panel of a matrix for the tiles of one instruction set.
 * Room: backend/cpu/products. Included by
 * tile_f32_body.h; the packing is described in tile.h. */
#include "backend/cpu/simd/simd.h"

/* Up to VF_LANES columns of contiguous depth, transposed block by block; zeros beyond. */
HONE_INLINE void pack_across(const float *b, ptrdiff_t column_stride, size_t depth,
                             const int columns, size_t width, float *packed) {
  size_t k = 0;
  for (; k + VF_LANES <= depth; k += VF_LANES) {
    vf block[VF_LANES];
    HONE_UNROLL
    for (int j = 0; j < VF_LANES; j++)
      block[j] = j < columns ? vf_load(b + k + j * column_stride) : vf_set(0);
    vf_transpose(block);
    HONE_UNROLL
    for (int i = 0; i < VF_LANES; i++) vf_store(packed + (k + (size_t)i) * width, block[i]);
  }
  for (; k < depth; k++) {
    for (int j = 0; j < VF_LANES; j++)
      packed[k * width + (size_t)j] = j < columns ? b[(ptrdiff_t)k + j * column_stride] : 0;
  }
}

/* One vector of columns, which need not be full or lie in a row; zeros beyond. */
static void pack_rest(const float *b, ptrdiff_t depth_stride, ptrdiff_t column_stride, size_t depth,
                      int columns, size_t width, float *packed) {
  if (column_stride == 1) {
    for (size_t k = 0; k < depth; k++)
      vf_store(packed + k * width, vf_load_n(b + (ptrdiff_t)k * depth_stride, columns));
  } else if (depth_stride == 1) {
    pack_across(b, column_stride, depth, columns, width, packed);
  } else {
    for (size_t k = 0; k < depth; k++)
      for (int j = 0; j < VF_LANES; j++)
        packed[k * width + (size_t)j] =
            j < columns ? b[(ptrdiff_t)k * depth_stride + j * column_stride] : 0;
  }
}

/* `columns` columns, zeros up to `width`, whole vectors. */
static void pack_panel(const float *b, ptrdiff_t depth_stride, ptrdiff_t column_stride,
                       size_t depth, size_t columns, size_t width, float *packed) {
  for (size_t j = 0; j < width; j += VF_LANES) {
    const float *from = b + (ptrdiff_t)j * column_stride;
    int rest = j < columns ? (int)(columns - j < VF_LANES ? columns - j : VF_LANES) : 0;
    if (rest < VF_LANES) {
      pack_rest(from, depth_stride, column_stride, depth, rest, width, packed + j);
    } else if (column_stride == 1) {
      for (size_t k = 0; k < depth; k++)
        vf_store(packed + k * width + j, vf_load(from + (ptrdiff_t)k * depth_stride));
    } else if (depth_stride == 1) {
      pack_across(from, column_stride, depth, VF_LANES, width, packed + j);
    } else {
      pack_rest(from, depth_stride, column_stride, depth, VF_LANES, width, packed + j);
    }
  }
}
