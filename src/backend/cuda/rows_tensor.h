/* Products on tensor cores. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_ROWS_TENSOR_H
#define HONE_BACKEND_CUDA_ROWS_TENSOR_H

#include "backend/cuda/embed.h"
#include "backend/cuda/plan.h"

#define HONE_CUDA_TILE(m, n, warps_m, depth_bytes, stages)                                         \
  {hone_cuda_text_product_tensor,                                                                  \
   "#define TILE_M " #m "\n#define TILE_N " #n "\n#define WARPS_M " #warps_m                       \
   "\n#define DEPTH_BYTES " #depth_bytes "\n#define STAGES " #stages "\n"}
/* In the order of the tiles in rows_tensor.c. */
#define HONE_CUDA_TILES                                                                            \
  {HONE_CUDA_TILE(32, 64, 2, 128, 4), HONE_CUDA_TILE(128, 64, 4, 64, 4),                           \
   HONE_CUDA_TILE(128, 128, 2, 64, 3)}

#define HONE_CUDA_TILE_VARIANTS 24 /* three tiles, eight ways to cut the depth */

/* The tile, the parts of the depth and the grid of a product whose sizes stand in n[0], n[1], n[2]. */
HONE_MUST_USE hone_status *hone_cuda_launch_tiles(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                                  hone_cuda_launch *launch, int64_t batch);
/* Whether the operands are f16, or else what tensor cores take from compute capability 8.0 on: bf16,
 * and f32 that may be multiplied as tf32. */
bool hone_cuda_on_tensor_cores(const hone_node *node, bool f16);
/* KIND, what the operands are multiplied as. */
void hone_cuda_define_kind(hone_dtype dtype, hone_text *out);

#endif
