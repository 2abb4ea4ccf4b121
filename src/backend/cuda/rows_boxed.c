/* Products of boxes that the copy engine brings, on compute capability 9.0: which operands it can bring,
 * and which tile for which sizes. Room: backend/cuda. */
#include "backend/cuda/boxes.h"
#include "backend/cuda/rows_tensor.h"

#define WAVE       132
#define MOST_PARTS 16

/* The tiles of product_hopper.cu, then of product_narrow.cu, by form, then those of few rows, and what
 * they take on an H200 in us: a block until its first step; a step and the end of a tile where a
 * multiprocessor has enough to do, and what each tensor adds to the end that has the result's shape
 * and is read there; a step and the end where it waits. They only rank the tiles. A step is 128 bytes
 * of depth: f32 has half the elements there, which take as long. */
typedef struct boxed_tile {
  int groups, height, n, stages, blocks, narrow; /* narrow: its rows; 0: a group's are 64 * height */
  double begin, step, finish, read, waits, ends;
  int cluster; /* the number of parts, which are its blocks; 0: parts meet in memory */
} boxed_tile;

static const boxed_tile tiles[] = {{2, 1, 256, 4, 1, 0, 2.5, 0.76, 2.7, 8.0, 0.60, 3.2},
                                   {1, 2, 64, 4, 2, 0, 2.0, 0.24, 0.7, 1.4, 0.20, 1.5},
                                   {1, 1, 64, 6, 2, 0, 1.8, 0.164, 0.5, 0.35, 0.145, 1.1},
                                   {1, 1, 64, 3, 4, 0, 1.8, 0.160, 0.5, 0.18, 0.20, 1.1},
                                   {2, 1, 64, 10, 2, 8, 1.8, 0.09, 0.5, 0.1, 0.06, 0.9},
                                   {2, 1, 64, 10, 2, 16, 1.8, 0.10, 0.5, 0.1, 0.065, 0.9},
                                   {2, 1, 64, 8, 2, 32, 1.8, 0.12, 0.5, 0.15, 0.08, 1.0},
                                   {2, 1, 64, 6, 2, 64, 1.8, 0.164, 0.6, 0.3, 0.11, 1.1},
                                   {2, 1, 64, 8, 2, 40, 1.8, 0.13, 0.5, 0.2, 0.089, 1.0},
                                   {2, 1, 64, 6, 2, 72, 1.8, 0.175, 0.65, 0.3, 0.116, 1.1},
                                   {2, 1, 64, 4, 2, 104, 1.8, 0.215, 0.75, 0.4, 0.143, 1.2},
                                   {2, 1, 64, 12, 1, 32, 1.8, 0.12, 0.5, 0.15, 0.06, 1.0},
                                   {2, 1, 64, 12, 1, 40, 1.8, 0.13, 0.5, 0.2, 0.066, 1.0},
                                   {2, 1, 64, 12, 1, 72, 1.8, 0.175, 0.65, 0.3, 0.088, 1.1},
                                   {2, 1, 64, 10, 1, 104, 1.8, 0.215, 0.75, 0.4, 0.115, 1.2},
                                   {2, 1, 64, 12, 1, 40, 1.8, 0.13, 0.5, 0.2, 0.066, 1.0},
                                   {2, 1, 64, 12, 1, 72, 1.8, 0.175, 0.65, 0.3, 0.088, 1.1},
                                   {2, 1, 64, 10, 1, 104, 1.8, 0.215, 0.75, 0.4, 0.115, 1.2},
                                   {2, 1, 256, 4, 1, 0, 2.5, 0.76, 3.6, 12.0, 0.60, 3.8},
                                   {2, 1, 128, 6, 1, 0, 2.0, 0.40, 2.4, 5.0, 0.32, 2.8},
                                   {1, 2, 64, 4, 2, 0, 2.0, 0.24, 1.0, 1.6, 0.20, 1.8},
                                   {1, 1, 64, 6, 2, 0, 1.8, 0.164, 0.6, 0.5, 0.145, 1.2},
                                   {2, 1, 64, 10, 2, 8, 1.8, 0.09, 0.5, 0.1, 0.06, 0.9},
                                   {2, 1, 64, 10, 2, 16, 1.8, 0.10, 0.5, 0.15, 0.065, 0.9},
                                   {2, 1, 64, 8, 2, 32, 1.8, 0.12, 0.5, 0.2, 0.08, 1.0},
                                   {2, 1, 64, 6, 2, 64, 1.8, 0.164, 0.6, 0.5, 0.11, 1.2},
                                   {2, 1, 64, 12, 1, 64, 1.8, 0.164, 0.6, 0.5, 0.10, 1.2},
                                   {2, 1, 64, 12, 1, 32, 1.8, 0.12, 0.5, 0.15, 0.06, 1.0, 2},
                                   {2, 1, 64, 12, 1, 40, 1.8, 0.13, 0.5, 0.2, 0.066, 1.0, 2},
                                   {2, 1, 64, 12, 1, 72, 1.8, 0.175, 0.65, 0.3, 0.088, 1.1, 2},
                                   {2, 1, 64, 12, 1, 72, 1.8, 0.175, 0.65, 0.3, 0.088, 1.1, 3},
                                   {2, 1, 64, 8, 1, 104, 1.8, 0.215, 0.75, 0.4, 0.115, 1.2, 4}};
#define TILES (int)(sizeof tiles / sizeof *tiles)
_Static_assert(TILES == HONE_CUDA_FIRST_JOINED_TILE + HONE_CUDA_JOINED_TILES,
               "a tile is a form of a row");
#define MORE_ROWS 8 /* under a box of the left operand, where a norm is taken in */
#define JOIN      3.0  /* us for parts to find each other, */
#define JOIN_PART 0.15 /* and for each of them to be added */
#define JOIN_HERE 1.0  /* us, of a cluster's */

static int rows_of(const boxed_tile *t) {
  return t->narrow ? t->narrow : 64 * t->groups * t->height;
}

/* Where two groups sum 256 columns, a third brings the boxes and gives its registers away. */
static unsigned threads_of(const boxed_tile *t) {
  return (unsigned)(128 * t->groups + (t->groups == 2 && t->n == 256 ? 128 : 32));
}

/* Of sums that the other blocks of a cluster store in one. */
static unsigned come_bytes(const boxed_tile *t) {
  return t->cluster ? (unsigned)((t->cluster - 1) * (t->narrow * t->n / t->cluster) * 4) : 0;
}

static double join_of(const boxed_tile *t, int64_t parts) {
  if (t->cluster) return JOIN_HERE;
  return parts > 1 ? JOIN + JOIN_PART * (double)parts : 0;
}

static double estimate(const boxed_tile *t, int64_t count, int64_t steps, int64_t parts, int reads) {
  int64_t works = count * parts;
  double each = (double)((steps + parts - 1) / parts);
  double busy = (double)((works + WAVE - 1) / WAVE) * (each * t->step + t->finish + reads * t->read);
  double turns = (double)((works + WAVE * t->blocks - 1) / (WAVE * t->blocks));
  double alone = turns * (each * t->waits + t->ends);
  return t->begin + (busy > alone ? busy : alone) + join_of(t, parts);
}

static hone_cuda_boxed_choice choice_of(const hone_cuda_boxed_product *p, int index, int64_t parts) {
  const boxed_tile *t = &tiles[index];
  int64_t across = (p->columns + t->n - 1) / t->n, high = rows_of(t), steps = p->chunks * p->taps;
  int64_t count = (p->rows + high - 1) / high * across;
  bool allowed = count <= INT32_MAX / MOST_PARTS &&
                 (parts == 1 || (parts <= steps && count <= HONE_CUDA_COUNTERS));
  return (hone_cuda_boxed_choice){index, across, count, parts,
                                  allowed ? estimate(t, count, steps, parts, p->reads) : 0};
}

/* The stage's kernel of a tile; NULL: its row has none. */
static void *function_of(const hone_cuda_stage *stage, int tile) {
  int form = HONE_CUDA_BOXED_FORM + tile - stage->kernel->first_tile;
  bool has = form >= HONE_CUDA_BOXED_FORM && form < HONE_CUDA_FORMS;
  return has ? stage->functions[form] : NULL;
}

hone_cuda_boxed_choice hone_cuda_choose_boxed(const hone_cuda_stage *stage,
                                              const hone_cuda_boxed_product *product, int tile,
                                              int64_t parts) {
  hone_cuda_boxed_choice best = {.time = 0};
  for (int i = 0; product->possible && i < TILES; i++) {
    if ((tile >= 0 && tile != i) || !function_of(stage, i)) continue;
    for (int64_t p = parts ? parts : 1; p <= (parts ? parts : MOST_PARTS); p++) {
      hone_cuda_boxed_choice c = choice_of(product, i, p);
      if (c.time > 0 && (best.time <= 0 || c.time < best.time)) best = c;
    }
  }
  return best;
}

_Static_assert(HONE_CUDA_FEW_TILES * HONE_CUDA_FEW_PARTS == HONE_CUDA_FEW_VARIANTS &&
                   HONE_CUDA_TF32_TILES * HONE_CUDA_PARTS_OFFERED == HONE_CUDA_TF32_VARIANTS,
               "a variant is a tile and a number of parts");

/* A number of parts that the steps do not fill is another variant's. */
static hone_cuda_boxed_choice in_parts(const hone_cuda_stage *stage,
                                       const hone_cuda_boxed_product *product, int tile,
                                       int64_t parts) {
  int64_t steps = product->chunks * product->taps, each = (steps + parts - 1) / parts;
  if (each == 0 || (steps + each - 1) / each != parts)
    return (hone_cuda_boxed_choice){.time = 0};
  return hone_cuda_choose_boxed(stage, product, stage->kernel->first_tile + tile, parts);
}

hone_cuda_boxed_choice hone_cuda_choose_own(const hone_cuda_stage *stage,
                                            const hone_cuda_boxed_product *product) {
  int index = stage->variant - 1, cluster = tiles[stage->kernel->first_tile].cluster;
  if (!product->possible) return (hone_cuda_boxed_choice){.time = 0};
  if (stage->kernel->order)
    return in_parts(stage, product, index % HONE_CUDA_TF32_TILES,
                    hone_cuda_parts_offered[index / HONE_CUDA_TF32_TILES]);
  if (product->rows > HONE_CUDA_FEW_ROWS ||
      (stage->kernel->norms && product->left.sizes[0] % product->left.box[0]))
    return (hone_cuda_boxed_choice){.time = 0};
  if (cluster)
    return in_parts(stage, product, index, tiles[stage->kernel->first_tile + index].cluster);
  return in_parts(stage, product, index % HONE_CUDA_FEW_TILES, 1 + index / HONE_CUDA_FEW_TILES);
}

/* ---- What the copy engine can bring: rows at multiples of 16 bytes ---------------------------- */

static int64_t size_of(hone_dtype dtype) {
  return (int64_t)hone_dtype_bits(dtype) / 8;
}
/* Whether rows that lie so many elements apart do so. */
static bool lies_well(hone_dtype dtype, int64_t pitch) {
  return pitch > 0 && pitch * size_of(dtype) % HONE_CUDA_BOX_ALIGNMENT == 0;
}

static bool left_matrix(const long long *n, hone_dtype dtype, hone_cuda_boxes *out) {
  int64_t pitch = size_of(dtype) * n[3];
  *out = hone_cuda_boxes_of(dtype, n[2], n[0], 1, pitch, pitch * n[0]);
  return n[4] == 1 && lies_well(dtype, n[3]);
}

static bool within(int64_t value, int64_t low, int64_t high) {
  return value >= low && value <= high;
}

/* Windows begin at the corners' places: from -before on, the last where the last window does. */
static bool left_windows(const long long *n, hone_dtype dtype, hone_cuda_boxes *out) {
  const long long size[] = {n[18], n[17]}, windows[] = {n[20], n[19]}, taps[] = {n[22], n[21]};
  const long long step[] = {n[24], n[23]}, dilation[] = {n[26], n[25]}, before[] = {n[28], n[27]};
  *out = (hone_cuda_boxes){.dtype = dtype, .rank = 4};
  out->sizes[0] = (uint64_t)n[16];
  out->sizes[3] = (uint64_t)(n[0] / (n[19] * n[20]));
  out->steps[0] = out->steps[3] = 1;
  out->strides[0] = (uint64_t)(size_of(dtype) * n[16]);
  for (int i = 0; i < 2; i++) {
    int64_t last = (windows[i] - 1) * step[i] - before[i] - (size[i] - 1);
    if (!within(before[i], -127, 128) || !within(last, -128, 127) || !within(step[i], 1, 8) ||
        !within((taps[i] - 1) * dilation[i], 0, 255))
      return false;
    out->sizes[1 + i] = (uint64_t)size[i];
    out->strides[1 + i] = out->strides[i] * (uint64_t)size[i];
    out->steps[1 + i] = (uint32_t)step[i];
    out->low[i] = (int)-before[i];
    out->high[i] = (int)last;
  }
  return lies_well(dtype, n[16]);
}

static bool right_by_depth(const hone_cuda_stage *stage) {
  return stage->kernel->order || hone_cuda_right_by_depth(stage->core);
}

/* Filters lie by columns, [tap, channel, filter], or, where the row has that order, by depth, [tap,
 * filter, channel], as its matrices do. */
static bool right_matrix(const hone_cuda_stage *stage, const long long *n, bool windowed,
                         hone_dtype dtype, hone_cuda_boxes *out) {
  int64_t depth = windowed ? n[16] : n[2], taps = windowed ? n[21] * n[22] : 1;
  int64_t columns = n[1], size = size_of(dtype);
  if (right_by_depth(stage)) {
    int64_t pitch = stage->kernel->order ? depth : n[6];
    *out = hone_cuda_boxes_of(dtype, depth, columns, taps, size * pitch, size * pitch * columns);
    return (stage->kernel->order || n[5] == 1) && lies_well(dtype, pitch);
  }
  int64_t pitch = windowed ? columns : n[5];
  *out = hone_cuda_boxes_of(dtype, columns, depth, taps, size * pitch, size * pitch * depth);
  return (windowed || n[6] == 1) && lies_well(dtype, pitch);
}

void hone_cuda_boxed_product_of(const hone_cuda_stage *stage, const hone_cuda_launch *launch,
                                int64_t batch, hone_cuda_boxed_product *out) {
  const hone_node *node = stage->core;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  const long long *n = launch->args.n;
  bool windowed = node->op == &hone_op_conv && n[16] > 0;
  *out = (hone_cuda_boxed_product){.rows = n[0], .columns = n[1]};
  for (int i = 0; i < stage->stream_count; i++)
    out->reads += stage->streams[i].reach == HONE_CUDA_EQUAL;
  if (!stage->functions[HONE_CUDA_BOXED_FORM] || batch != 1 || n[0] < 1 || n[2] < 1 || n[1] % 8)
    return;
  out->taps = windowed ? n[21] * n[22] : 1;
  int64_t depth = HONE_CUDA_BOX_BYTES / size_of(dtype);
  out->chunks = ((windowed ? n[16] : n[2]) + depth - 1) / depth;
  out->possible = windowed ? left_windows(n, dtype, &out->left) : left_matrix(n, dtype, &out->left);
  out->possible = out->possible && right_matrix(stage, n, windowed, dtype, &out->right);
}

/* ---- The launch ------------------------------------------------------------------------------- */

static void set_boxes(const hone_cuda_stage *stage, const hone_cuda_boxed_product *p,
                      const boxed_tile *t, hone_cuda_boxes *boxes) {
  boxes[0] = p->left;
  boxes[1] = p->right;
  if (p->left.rank == 4) boxes[0].pixels = (uint32_t)rows_of(t);
  else boxes[0].box[1] = (uint32_t)rows_of(t);
  boxes[1].box[1] = right_by_depth(stage) ? (uint32_t)t->n : p->right.box[0];
}

hone_status *hone_cuda_launch_boxed(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                    const hone_cuda_boxed_product *product,
                                    const hone_cuda_boxed_choice *choice,
                                    const hone_cuda_launch *whole, const hone_cuda_launch **out) {
  const boxed_tile *t = &tiles[choice->tile];
  int64_t steps = product->chunks * product->taps, most = WAVE * t->blocks;
  hone_cuda_launch *boxed = hone_arena_copy(plan->arena, whole, sizeof *whole);
  HONE_TRY_MEMORY(boxed);
  set_boxes(stage, product, t, boxed->boxes);
  long long *n = boxed->args.n;
  n[33] = steps;
  n[34] = product->chunks;
  n[37] = (steps + choice->parts - 1) / choice->parts;
  n[36] = (steps + n[37] - 1) / n[37];
  n[35] = choice->count * n[36];
  n[38] = choice->across;
  boxed->function = function_of(stage, choice->tile);
  boxed->threads = threads_of(t);
  int rows = rows_of(t) + (stage->kernel->norms ? MORE_ROWS : 0);
  boxed->shared = (unsigned)(t->stages * ((rows + t->n) * HONE_CUDA_BOX_BYTES + 16) + 1024 + 64) +
                  come_bytes(t);
  boxed->grid[0] = (unsigned)(n[35] < most || t->narrow ? n[35] : most);
  boxed->grid[1] = boxed->grid[2] = 1;
  boxed->slots[2] = boxed->slots[3] = (hone_cuda_slot){.from = HONE_CUDA_NOTHING};
  *out = boxed;
  if (n[36] == 1 || t->cluster) return NULL;
  boxed->slots[3] = (hone_cuda_slot){.from = HONE_CUDA_COUNTS};
  return hone_cuda_scratch(plan, (size_t)n[35] * (size_t)(rows_of(t) * t->n) * sizeof(float),
                           &boxed->slots[2]);
}
