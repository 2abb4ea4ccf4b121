/* Products on tensor cores: which nodes, and which tile for which sizes. Room: backend/cuda. */
#include "backend/cuda/rows_tensor.h"

#include "backend/cuda/rows.h"

/* The tiles of product_tensor.cu, by form, and what they take on an H200 in us: a tile beside its steps;
 * a step of DEPTH_BYTES of depth where a multiprocessor has enough to do, and where it waits. They only
 * rank the tiles. */
typedef struct tile {
  int m, n, depth_bytes;
  double begin, step, waits;
} tile;

static const tile tiles[] = {{32, 64, 128, 0.9, 0.19, 0.28},
                             {128, 64, 64, 1.6, 0.21, 0.29},
                             {128, 128, 64, 2.9, 0.345, 0.42}};
#define TILES (sizeof tiles / sizeof *tiles)
#define WAVE       132  /* multiprocessors of a large GPU */
#define MOST_PARTS 16
#define JOIN       2.0  /* us for parts to find each other, */
#define JOIN_PART  0.06 /* and for each of them to be added */

/* A pure function of the sizes: how long a product would take with these tiles and parts. */
static double estimate(const tile *t, int64_t blocks, int64_t steps, int64_t parts) {
  double waves = (double)((blocks * parts + WAVE - 1) / WAVE);
  double each = (double)((steps + parts - 1) / parts);
  double full = waves * (t->begin + each * t->step), alone = t->begin + each * t->waits;
  return (full > alone ? full : alone) + (parts > 1 ? JOIN + JOIN_PART * (double)parts : 0);
}

typedef struct choice {
  int form;
  int64_t x, columns, parts;
  double time;
} choice;

/* Its time is 0 where the sizes do not allow it. */
static choice choice_of(int form, int64_t parts, const long long *n, int64_t batch, size_t element) {
  const tile *t = &tiles[form];
  int64_t columns = (n[1] + t->n - 1) / t->n, x = (n[0] + t->m - 1) / t->m * columns;
  int64_t depth = t->depth_bytes / (int64_t)element, steps = (n[2] + depth - 1) / depth;
  bool allowed = parts == 1 || (parts <= steps && x * batch <= HONE_CUDA_COUNTERS);
  return (choice){form, x, columns, parts, allowed ? estimate(t, x * batch, steps, parts) : 0};
}

static choice choose(const long long *n, int64_t batch, size_t element) {
  choice best = {.time = 0};
  for (int i = 0; i < (int)TILES; i++) {
    for (int64_t parts = 1; parts <= MOST_PARTS; parts++) {
      choice c = choice_of(i, parts, n, batch, element);
      if (c.time > 0 && (best.time <= 0 || c.time < best.time)) best = c;
    }
  }
  return best;
}

static const int64_t parts_offered[] = {1, 2, 3, 4, 6, 8, 12, 16};
_Static_assert(TILES * sizeof parts_offered / sizeof *parts_offered == HONE_CUDA_TILE_VARIANTS,
               "a variant is a tile and a number of parts");
#define HOPELESS 3.0 /* times the estimate of the best */

/* Variant `variant`, where it is worth a trial beside what the estimate finds best. */
static bool offered(int variant, const long long *n, int64_t batch, size_t element, choice *out) {
  choice best = choose(n, batch, element);
  int form = (variant - 1) % (int)TILES;
  int64_t parts = parts_offered[(variant - 1) / (int)TILES];
  choice c = choice_of(form, parts, n, batch, element);
  *out = c;
  return c.time > 0 && c.time <= HOPELESS * best.time &&
         !(c.form == best.form && c.parts == best.parts);
}

hone_status *hone_cuda_launch_tiles(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                    hone_cuda_launch *launch, int64_t batch) {
  size_t element = hone_dtype_bits(stage->core->inputs[0].value->type.dtype) / 8;
  long long *n = launch->args.n;
  choice c;
  if (stage->variant == 0) c = choose(n, batch, element);
  else if (!offered(stage->variant, n, batch, element, &c))
    return hone_error(HONE_UNSUPPORTED, "a tile that is not worth a trial");
  const tile *t = &tiles[c.form];
  int64_t depth = t->depth_bytes / (int64_t)element;
  launch->slots[2] = launch->slots[3] = (hone_cuda_slot){.from = HONE_CUDA_NOTHING};
  n[37] = ((n[2] + c.parts - 1) / c.parts + depth - 1) / depth * depth;
  n[36] = c.parts = n[37] ? (n[2] + n[37] - 1) / n[37] : 1;
  n[38] = c.columns;
  if (n[0] > INT32_MAX || c.x > INT32_MAX || batch * c.parts > 65535 || n[2] > INT32_MAX / 2)
    return hone_error(HONE_UNSUPPORTED, "the product is too large for a GPU");
  launch->function = stage->functions[c.form];
  launch->grid[0] = (unsigned)c.x;
  launch->grid[1] = 1;
  launch->grid[2] = (unsigned)(batch * c.parts);
  if (c.parts == 1) return NULL;
  launch->slots[3] = (hone_cuda_slot){.from = HONE_CUDA_COUNTS};
  size_t sums = (size_t)(t->m * t->n) * sizeof(float);
  return hone_cuda_scratch(plan, (size_t)(c.x * batch * c.parts) * sums, &launch->slots[2]);
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
