/* Products on tensor cores: which nodes, and which tile for which sizes. Room: backend/cuda. */
#include "backend/cuda/rows_tensor.h"

#include "backend/cuda/rows.h"

/* The tiles of product_tensor.cu, by form, as measured on an H200. LAUNCH passes before and after all of
 * them. */
static const hone_cuda_tile tiles[] = {{32, 64, 128, 256, 0.9, 0.19, 0.28},
                                       {128, 64, 64, 256, 1.6, 0.21, 0.29},
                                       {128, 128, 64, 256, 2.9, 0.345, 0.42}};
#define TILES (int)(sizeof tiles / sizeof *tiles)
#define WAVE       132  /* multiprocessors of a large GPU */
#define MOST_PARTS 16
#define LAUNCH     1.4
#define JOIN       2.0  /* us for parts to find each other, */
#define JOIN_PART  0.06 /* and for each of them to be added */

/* A pure function of the sizes: how long a product would take with these tiles and parts. */
static double estimate(const hone_cuda_tile *t, int64_t blocks, int64_t steps, int64_t parts) {
  double waves = (double)((blocks * parts + WAVE - 1) / WAVE);
  double each = (double)((steps + parts - 1) / parts);
  double full = waves * (t->begin + each * t->step), alone = t->begin + each * t->waits;
  return LAUNCH + (full > alone ? full : alone) + (parts > 1 ? JOIN + JOIN_PART * (double)parts : 0);
}

hone_cuda_tile_choice hone_cuda_tile_in_parts(const hone_cuda_tile *all, int form, int64_t parts,
                                              const long long *n, int64_t batch, size_t element) {
  const hone_cuda_tile *t = &all[form];
  int64_t columns = (n[1] + t->n - 1) / t->n, x = (n[0] + t->m - 1) / t->m * columns;
  int64_t depth = t->depth_bytes / (int64_t)element, steps = (n[2] + depth - 1) / depth;
  bool allowed = parts == 1 || (parts <= steps && x * batch <= HONE_CUDA_COUNTERS);
  double time = allowed ? estimate(t, x * batch, steps, parts) : 0;
  return (hone_cuda_tile_choice){form, x, columns, parts, time};
}

hone_cuda_tile_choice hone_cuda_choose_tile(const hone_cuda_tile *all, int count, const long long *n,
                                            int64_t batch, size_t element) {
  hone_cuda_tile_choice best = {.time = 0};
  for (int i = 0; i < count; i++) {
    for (int64_t parts = 1; parts <= MOST_PARTS; parts++) {
      hone_cuda_tile_choice c = hone_cuda_tile_in_parts(all, i, parts, n, batch, element);
      if (c.time > 0 && (best.time <= 0 || c.time < best.time)) best = c;
    }
  }
  return best;
}

const int64_t hone_cuda_parts_offered[HONE_CUDA_PARTS_OFFERED] = {1, 2, 3, 4, 6, 8, 12, 16};
#define ALL_TILES (HONE_CUDA_BOXED_FORM + HONE_CUDA_BOXED_TILES)
_Static_assert(TILES == HONE_CUDA_BOXED_FORM &&
                   ALL_TILES * HONE_CUDA_PARTS_OFFERED == HONE_CUDA_TILE_VARIANTS,
               "a variant is a tile and a number of parts");

hone_status *hone_cuda_launch_copied(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                     hone_cuda_launch *launch, int64_t batch,
                                     const hone_cuda_tile *all, hone_cuda_tile_choice c) {
  size_t element = hone_dtype_bits(stage->core->inputs[0].value->type.dtype) / 8;
  int joins = stage->kernel->pointers - 2;
  long long *n = launch->args.n;
  const hone_cuda_tile *t = &all[c.form];
  int64_t depth = t->depth_bytes / (int64_t)element;
  launch->slots[joins] = launch->slots[joins + 1] = (hone_cuda_slot){.from = HONE_CUDA_NOTHING};
  n[37] = ((n[2] + c.parts - 1) / c.parts + depth - 1) / depth * depth;
  n[36] = c.parts = n[37] ? (n[2] + n[37] - 1) / n[37] : 1;
  n[38] = c.columns;
  if (n[0] > INT32_MAX || c.x > INT32_MAX || batch * c.parts > 65535 || n[2] > INT32_MAX / 2)
    return hone_error(HONE_UNSUPPORTED, "the product is too large for a GPU");
  launch->function = stage->functions[c.form];
  launch->threads = (unsigned)t->threads;
  launch->grid[0] = (unsigned)c.x;
  launch->grid[1] = 1;
  launch->grid[2] = (unsigned)(batch * c.parts);
  if (c.parts == 1) return NULL;
  launch->slots[joins + 1] = (hone_cuda_slot){.from = HONE_CUDA_COUNTS};
  size_t sums = (size_t)(t->m * t->n) * sizeof(float);
  return hone_cuda_scratch(plan, (size_t)(c.x * batch * c.parts) * sums, &launch->slots[joins]);
}

/* What the stage's variant runs: a tile of boxes where the second is not 0. 0 is what the estimates find
 * best; the others are that tile and parts, where they are worth a trial beside it. */
static bool chosen(const hone_cuda_stage *stage, const long long *n, size_t element, int64_t batch,
                   const hone_cuda_boxed_product *product, hone_cuda_tile_choice *copied,
                   hone_cuda_boxed_choice *boxed) {
  hone_cuda_tile_choice best = hone_cuda_choose_tile(tiles, TILES, n, batch, element);
  hone_cuda_boxed_choice other = hone_cuda_choose_boxed(stage, product, -1, 0);
  double least = other.time > 0 && other.time < best.time ? other.time : best.time;
  int form = (stage->variant - 1) % ALL_TILES;
  int64_t parts = stage->variant ? hone_cuda_parts_offered[(stage->variant - 1) / ALL_TILES] : 0;
  *copied = best;
  *boxed = (hone_cuda_boxed_choice){.time = 0};
  if (stage->kernel->first_tile) {
    *boxed = hone_cuda_choose_own(stage, product);
    return boxed->time > 0 && boxed->time <= HONE_CUDA_HOPELESS * least;
  }
  if (stage->variant == 0) {
    if (other.time > 0 && other.time < best.time) *boxed = other;
    return true;
  }
  if (form < TILES) {
    *copied = hone_cuda_tile_in_parts(tiles, form, parts, n, batch, element);
    return copied->time > 0 && copied->time <= HONE_CUDA_HOPELESS * least &&
           (best.time > least || !(form == best.form && parts == best.parts));
  }
  *boxed = hone_cuda_choose_boxed(stage, product, form - TILES, parts);
  return boxed->time > 0 && boxed->time <= HONE_CUDA_HOPELESS * least &&
         (other.time > least || !(boxed->tile == other.tile && parts == other.parts));
}

hone_status *hone_cuda_launch_tiles(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                    hone_cuda_launch *launch, int64_t batch) {
  size_t element = hone_dtype_bits(stage->core->inputs[0].value->type.dtype) / 8;
  hone_cuda_boxed_product product;
  hone_cuda_boxed_choice boxed;
  hone_cuda_tile_choice copied;
  hone_cuda_from right = launch->slots[1].from;
  launch->args.n[39] = right == HONE_CUDA_PACK || right == HONE_CUDA_HELD;
  launch->aligned = launch->aligned || stage->kernel->order; /* tiles that are copied are not for it */
  hone_cuda_boxed_product_of(stage, launch, batch, &product);
  if (!chosen(stage, launch->args.n, element, batch, &product, &copied, &boxed))
    return hone_error(HONE_UNSUPPORTED, "a tile that is not worth a trial");
  hone_cuda_launch whole = *launch;
  HONE_TRY(hone_cuda_launch_copied(stage, plan, launch, batch, tiles, copied));
  if (boxed.time <= 0) return NULL;
  return hone_cuda_launch_boxed(stage, plan, &product, &boxed, &whole, &launch->boxed);
}

bool hone_cuda_right_by_depth(const hone_node *node) {
  return node->op == &hone_op_matmul && hone_node_flag(node, "transpose_b") &&
         node->inputs[1].value->type.shape.rank > 1;
}

bool hone_cuda_on_tensor_cores(const hone_node *node, bool f16) {
  if (!hone_cuda_one_float(node)) return false;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  if (f16) return dtype == HONE_F16;
  return dtype == HONE_BF16 || (dtype == HONE_F32 && hone_node_flag(node, "tf32"));
}

void hone_cuda_define_kind(hone_dtype dtype, hone_text *out) {
  hone_text_printf(out, "#define KIND KIND_%s\n",
                   dtype == HONE_F16 ? "F16" : dtype == HONE_BF16 ? "BF16" : "TF32");
}
