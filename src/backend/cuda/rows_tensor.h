/* Products on tensor cores. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_ROWS_TENSOR_H
#define HONE_BACKEND_CUDA_ROWS_TENSOR_H

#include "backend/cuda/embed.h"
#include "backend/cuda/plan.h"

#define HONE_CUDA_TILE(m, n, warps_m, depth_bytes, stages)                                         \
  {hone_cuda_text_product_tensor,                                                                  \
   "#define TILE_M " #m "\n#define TILE_N " #n "\n#define WARPS_M " #warps_m                       \
   "\n#define DEPTH_BYTES " #depth_bytes "\n#define STAGES " #stages "\n"}
#define HONE_CUDA_BOXED_TILE(groups, height, n, stages, blocks)                                    \
  {hone_cuda_text_product_hopper,                                                                  \
   "#define WARPGROUPS " #groups "\n#define HEIGHT " #height "\n#define TILE_N " #n               \
   "\n#define TILE_M (64 * HEIGHT * WARPGROUPS)\n#define STAGES " #stages                          \
   "\n#define BLOCKS " #blocks "\n", true, hone_cuda_text_boxes}
#define HONE_CUDA_NARROW_TILE(rows, groups, stages, blocks)                                        \
  {hone_cuda_text_product_narrow,                                                                  \
   "#define TILE_M " #rows "\n#define TILE_N 64\n#define WARPGROUPS " #groups                      \
   "\n#define STAGES " #stages "\n#define BLOCKS " #blocks "\n", true, hone_cuda_text_boxes}
/* In the order of the tiles in rows_tensor.c, then of those in rows_boxed.c. */
#define HONE_CUDA_TILES                                                                            \
  {HONE_CUDA_TILE(32, 64, 2, 128, 4), HONE_CUDA_TILE(128, 64, 4, 64, 4),                           \
   HONE_CUDA_TILE(128, 128, 2, 64, 3), HONE_CUDA_BOXED_TILE(2, 1, 256, 4, 1),                      \
   HONE_CUDA_BOXED_TILE(1, 2, 64, 4, 2), HONE_CUDA_BOXED_TILE(1, 1, 64, 6, 2),                     \
   HONE_CUDA_BOXED_TILE(1, 1, 64, 3, 4), HONE_CUDA_NARROW_TILE(8, 2, 10, 2),                       \
   HONE_CUDA_NARROW_TILE(16, 2, 10, 2), HONE_CUDA_NARROW_TILE(32, 2, 8, 2),                        \
   HONE_CUDA_NARROW_TILE(64, 2, 6, 2)}
#define HONE_CUDA_BOXED_FORM 3 /* the first of the latter */

#define HONE_CUDA_BOXED_TILES 8

/* Tiles of heights that fit few rows, which builds try: candidates of their own, so that other products
 * do not compile them. The last four keep as many steps as shared memory holds. */
#define HONE_CUDA_FEW_FORMS                                                                        \
  {HONE_CUDA_TILE(32, 64, 2, 128, 4), HONE_CUDA_TILE(128, 64, 4, 64, 4),                           \
   HONE_CUDA_TILE(128, 128, 2, 64, 3), HONE_CUDA_NARROW_TILE(40, 2, 8, 2),                         \
   HONE_CUDA_NARROW_TILE(72, 2, 6, 2), HONE_CUDA_NARROW_TILE(104, 2, 4, 2),                        \
   HONE_CUDA_NARROW_TILE(32, 2, 12, 1), HONE_CUDA_NARROW_TILE(40, 2, 12, 1),                       \
   HONE_CUDA_NARROW_TILE(72, 2, 12, 1), HONE_CUDA_NARROW_TILE(104, 2, 10, 1)}
#define HONE_CUDA_FEW_TILES    7
#define HONE_CUDA_FEW_PARTS    6 /* at most */
#define HONE_CUDA_FEW_VARIANTS 42
#define HONE_CUDA_FEW_ROWS     512 /* at most */
/* The same of rows that are normed on the way. */
#define HONE_CUDA_NORMED_TILE(rows, stages, blocks)                                                \
  {hone_cuda_text_product_narrow,                                                                  \
   "#define TILE_M " #rows "\n#define TILE_N 64\n#define WARPGROUPS 2\n#define STAGES " #stages     \
   "\n#define BLOCKS " #blocks "\n#define NORMED 1\n#define LEFT_MORE (8 * CENTER)\n", true,          \
   hone_cuda_text_boxes}
#define HONE_CUDA_NORMED_FORMS                                                                     \
  {HONE_CUDA_TILE(32, 64, 2, 128, 4), HONE_CUDA_TILE(128, 64, 4, 64, 4),                           \
   HONE_CUDA_TILE(128, 128, 2, 64, 3), HONE_CUDA_NORMED_TILE(40, 12, 1),                           \
   HONE_CUDA_NORMED_TILE(72, 12, 1), HONE_CUDA_NORMED_TILE(104, 10, 1)}
#define HONE_CUDA_NORMED_TILES 3

/* The same of f32 as TF32, by a constant in an order of its own. */
#define HONE_CUDA_TF32_FORMS                                                                       \
  {HONE_CUDA_TILE(32, 64, 2, 128, 4), HONE_CUDA_TILE(128, 64, 4, 64, 4),                           \
   HONE_CUDA_TILE(128, 128, 2, 64, 3), HONE_CUDA_BOXED_TILE(2, 1, 256, 4, 1),                      \
   HONE_CUDA_BOXED_TILE(2, 1, 128, 6, 1), HONE_CUDA_BOXED_TILE(1, 2, 64, 4, 2),                    \
   HONE_CUDA_BOXED_TILE(1, 1, 64, 6, 2), HONE_CUDA_NARROW_TILE(8, 2, 10, 2),                       \
   HONE_CUDA_NARROW_TILE(16, 2, 10, 2), HONE_CUDA_NARROW_TILE(32, 2, 8, 2),                        \
   HONE_CUDA_NARROW_TILE(64, 2, 6, 2), HONE_CUDA_NARROW_TILE(64, 2, 12, 1)}
#define HONE_CUDA_TF32_TILES    9
#define HONE_CUDA_FIRST_TF32_TILE                                                                  \
  (HONE_CUDA_BOXED_TILES + HONE_CUDA_FEW_TILES + HONE_CUDA_NORMED_TILES)
#define HONE_CUDA_TF32_VARIANTS 72 /* in all numbers of parts that are offered */

/* Tiles of few rows whose parts are a cluster, which joins them. Of clusters with such rings an H200
 * runs 66 of two blocks at once, 39 of three, 30 of four, but 22 of five and 15 of eight. */
#define HONE_CUDA_JOINED_TILE(rows, stages, cluster)                                               \
  {hone_cuda_text_product_narrow,                                                                  \
   "#define TILE_M " #rows "\n#define TILE_N 64\n#define WARPGROUPS 2\n#define STAGES " #stages     \
   "\n#define BLOCKS 1\n#define CLUSTER " #cluster "\n", true, hone_cuda_text_boxes}
#define HONE_CUDA_JOINED_FORMS                                                                     \
  {HONE_CUDA_TILE(32, 64, 2, 128, 4), HONE_CUDA_TILE(128, 64, 4, 64, 4),                           \
   HONE_CUDA_TILE(128, 128, 2, 64, 3), HONE_CUDA_JOINED_TILE(32, 12, 2),                           \
   HONE_CUDA_JOINED_TILE(40, 12, 2), HONE_CUDA_JOINED_TILE(72, 12, 2),                             \
   HONE_CUDA_JOINED_TILE(72, 12, 3), HONE_CUDA_JOINED_TILE(104, 8, 4)}
#define HONE_CUDA_JOINED_TILES      5
#define HONE_CUDA_FIRST_JOINED_TILE (HONE_CUDA_FIRST_TF32_TILE + HONE_CUDA_TF32_TILES)

#define HONE_CUDA_TILE_VARIANTS 88 /* eleven tiles, eight ways to cut the depth */
#define HONE_CUDA_VECTOR_SHAPES 4 /* of a block of product_vector.cu: rows_vector.c */
#define HONE_CUDA_BYTE_TILES 5 /* of product_bytes.cu: rows_integer.c */

/* Of attention: for any GPU; by wgmma three tiles of keys, one or two groups of warps, in one or all
 * rounds; in small pieces of two sizes; whole heads of two sizes. */
#define HONE_CUDA_ATTENTION_VARIANTS 17

/* A tile whose operands are copied into shared memory, and what it takes on an H200 in us: beside its
 * steps; a step of depth_bytes of depth where a multiprocessor has enough to do, and where it waits.
 * Times only rank tiles. */
typedef struct hone_cuda_tile {
  int m, n, depth_bytes, threads;
  double begin, step, waits;
} hone_cuda_tile;

typedef struct hone_cuda_tile_choice {
  int form;
  int64_t x, columns, parts; /* tiles, of them beside each other, parts of the depth */
  double time;               /* us; 0: the sizes do not allow it */
} hone_cuda_tile_choice;

#define HONE_CUDA_PARTS_OFFERED 8
extern const int64_t hone_cuda_parts_offered[HONE_CUDA_PARTS_OFFERED];
#define HONE_CUDA_HOPELESS 3.0 /* times the estimate of the best: not worth a trial */

/* Tile `form` in so many parts of the depth, and the best of all, for sizes n[0], n[1], n[2]. */
hone_cuda_tile_choice hone_cuda_tile_in_parts(const hone_cuda_tile *all, int form, int64_t parts,
                                              const long long *n, int64_t batch, size_t element);
hone_cuda_tile_choice hone_cuda_choose_tile(const hone_cuda_tile *all, int count, const long long *n,
                                            int64_t batch, size_t element);
/* Grid and parts of the launch; the kernel's last two pointers are the parts' sums and counters. */
HONE_MUST_USE hone_status *hone_cuda_launch_copied(const hone_cuda_stage *stage,
                                                   hone_cuda_plan *plan, hone_cuda_launch *launch,
                                                   int64_t batch, const hone_cuda_tile *all,
                                                   hone_cuda_tile_choice choice);
/* The tile, the parts of the depth and the grid of a product whose sizes stand in n[0], n[1], n[2]. */
HONE_MUST_USE hone_status *hone_cuda_launch_tiles(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                                  hone_cuda_launch *launch, int64_t batch);

/* A product of boxes that the copy engine brings. */
typedef struct hone_cuda_boxed_product {
  bool possible;
  int64_t rows, columns;
  int reads; /* tensors of the result's shape that are read to finish it */
  int64_t chunks, taps; /* boxes along the depth: of a tap, taps; one where there is no window */
  hone_cuda_boxes left, right; /* but for how many rows a box has */
} hone_cuda_boxed_product;

typedef struct hone_cuda_boxed_choice {
  int tile;
  int64_t across, count, parts; /* tiles beside each other, all tiles */
  double time;                  /* us; 0: there is none */
} hone_cuda_boxed_choice;

/* Of a launch whose sizes stand in its args, and of `batch` products. */
void hone_cuda_boxed_product_of(const hone_cuda_stage *stage, const hone_cuda_launch *launch,
                                int64_t batch, hone_cuda_boxed_product *out);
/* The fastest by the estimate of the tiles (-1) or of one, in any parts (0) or so many. */
hone_cuda_boxed_choice hone_cuda_choose_boxed(const hone_cuda_stage *stage,
                                              const hone_cuda_boxed_product *product, int tile,
                                              int64_t parts);
/* The tile and the parts of a variant of a row with tiles of its own. */
hone_cuda_boxed_choice hone_cuda_choose_own(const hone_cuda_stage *stage,
                                            const hone_cuda_boxed_product *product);
/* A launch like `whole`, of boxes. */
HONE_MUST_USE hone_status *hone_cuda_launch_boxed(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                                  const hone_cuda_boxed_product *product,
                                                  const hone_cuda_boxed_choice *choice,
                                                  const hone_cuda_launch *whole,
                                                  const hone_cuda_launch **out);
/* The lines before product_tensor.cu and its like, and launches of a matrix product. */
void hone_cuda_define_tensor(const hone_node *node, hone_text *out);
HONE_MUST_USE hone_status *hone_cuda_plan_matmul(const hone_cuda_stage *stage,
                                                 const hone_group_view *view, hone_cuda_plan *plan);
/* Of a convolution of one group over up to two axes. */
HONE_MUST_USE hone_status *hone_cuda_plan_conv(const hone_cuda_stage *stage,
                                               const hone_group_view *view, hone_cuda_plan *plan);
/* Whether the right operand's columns lie in one piece, not its rows. */
bool hone_cuda_right_by_depth(const hone_node *node);
/* Whether the operands are f16, or else what tensor cores take from compute capability 8.0 on: bf16,
 * and f32 that may be multiplied as tf32. */
bool hone_cuda_on_tensor_cores(const hone_node *node, bool f16);
/* KIND, what the operands are multiplied as. */
void hone_cuda_define_kind(hone_dtype dtype, hone_text *out);

#endif
