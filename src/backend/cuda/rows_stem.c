/* Convolutions of few channels on tensor cores: first layers. Room: backend/cuda. */
#include <stdlib.h>

#include "backend/cuda/reads.h"
#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"
#include "backend/cuda/windows.h"
#include "ops/conv_shape.h"

/* What conv_stem.cu keeps in shared memory: filters, and rows of the image. */
#define POOL        (48 << 10)
#define MOST_ROWS   4   /* of a piece */
#define MOST_ACROSS 128 /* pixels of a row of a piece */
#define WARPS       8   /* of a block */
#define WAVE        132 /* multiprocessors of a large GPU */

typedef struct filters {
  int64_t taps, row, channels, count; /* rows of a window, elements of one */
  int64_t bytes;                      /* of an element */
} filters;

/* Of weights whose sizes are known, channels last: [rows, columns, channels, filters]. */
static bool filters_of(const hone_node *node, filters *out) {
  const hone_value *w = node->inputs[HONE_CONV_W].value;
  const hone_shape *shape = &w->type.shape;
  for (int d = 0; d < shape->rank; d++)
    if (!hone_dim_known(shape->dim[d]) || shape->dim[d] < 1 || shape->dim[d] > 1 << 20) return false;
  if (!w->constant || shape->rank != 4) return false;
  *out = (filters){shape->dim[0], shape->dim[1] * shape->dim[2], shape->dim[2], shape->dim[3],
                   hone_dtype_bits(w->type.dtype) / 8};
  return true;
}

/* Filters of a block: of f32 not more, so that the image has room beside them. */
static int64_t tile_of(const filters *f) {
  return f->count <= 32 || f->bytes == 4 ? 32 : 64;
}
static int64_t tiles_of(const filters *f) {
  return (f->count + tile_of(f) - 1) / tile_of(f);
}
/* Blocks at once on a multiprocessor, by their registers; and on a GPU, of f32 those of a tile. */
static int64_t resident_of(const filters *f) {
  return tile_of(f) == 32 ? 3 : 2;
}
static int64_t blocks_of(const filters *f) {
  int64_t all = WAVE * resident_of(f);
  return f->bytes == 4 ? (all + tiles_of(f) - 1) / tiles_of(f) : all;
}
static int64_t groups_of(const filters *f) {
  return (f->row + 8) / 8;
}
static int64_t filter_bytes(const filters *f) {
  int64_t groups = f->taps * groups_of(f);
  return (f->bytes == 4 ? groups : (groups + 1) / 2 * 2) * 8 * tile_of(f) * f->bytes;
}

/* Elements of a row in shared memory from which `across` windows are read, and the rows there that
 * `rows` of the result need. */
static int64_t pitch_of(const filters *f, int64_t across, int64_t stride) {
  return (8 + (across - 1) * stride * f->channels + groups_of(f) * 8 + 7) / 8 * 8;
}
static int64_t rows_needed(const filters *f, int64_t rows, int64_t stride, int64_t dilation) {
  return (rows - 1) * stride + (f->taps - 1) * dilation + 1;
}

/* Whether windows begin at elements of one parity. */
static bool steps_evenly(const hone_node *node, const filters *f) {
  return hone_cuda_along(node, "strides", 1) * f->channels % 2 == 0;
}

/* What is more than one row of 16 pixels is planned for the sizes. */
static bool accepts_stem(const hone_node *node, hone_dtype dtype) {
  filters f;
  if (node->op != &hone_op_conv || !hone_cuda_on_tensor_cores(node, dtype == HONE_F16) ||
      node->inputs[0].value->type.dtype != dtype || hone_node_int(node, "groups") != 1 ||
      !filters_of(node, &f) || f.channels % 8 == 0 || f.count % 8 || f.row > 64 || f.taps > 16)
    return false;
  if (dtype == HONE_F32 ? f.channels > 4 : !steps_evenly(node, &f)) return false;
  int64_t stride = hone_cuda_along(node, "strides", 1), down = hone_cuda_along(node, "strides", 0);
  int64_t dilation = hone_cuda_along(node, "dilations", 0);
  if (hone_cuda_along(node, "dilations", 1) != 1 || stride * f.channels > 64 || down > 16 ||
      dilation > 16)
    return false;
  int64_t rows = rows_needed(&f, 1, down, dilation);
  return filter_bytes(&f) + f.bytes * pitch_of(&f, 16, stride) * rows <= POOL;
}
static bool accepts_stem_f16(const hone_node *node) {
  return accepts_stem(node, HONE_F16);
}
static bool accepts_stem_bf16(const hone_node *node) {
  return accepts_stem(node, HONE_BF16);
}
static bool accepts_stem_tf32(const hone_node *node) {
  return accepts_stem(node, HONE_F32);
}

static void define_stem(const hone_node *node, hone_text *out) {
  filters f;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  (void)filters_of(node, &f);
  hone_cuda_define_types(dtype, out);
  hone_cuda_define_kind(dtype, out);
  hone_text_printf(out,
                   "#define TAPS %lld\n#define WINDOW %lld\n#define CHANNELS %lld\n"
                   "#define TILE_N %lld\n#define BLOCKS %lld\n",
                   (long long)f.taps, (long long)f.row, (long long)f.channels,
                   (long long)tile_of(&f), (long long)resident_of(&f));
  if (dtype == HONE_F32) hone_text_printf(out, "#define EVEN %d\n", steps_evenly(node, &f));
}

/* About how long a multiprocessor takes for its share of the pieces, in us: a row of the image, and a
 * round in which each warp sums two tiles. */
#define PIECE_ROW   0.15
#define PIECE_ROUND 3.0
static double time_of(const filters *f, int64_t pieces, int64_t rows, const long long *n) {
  int64_t turns = (pieces + blocks_of(f) - 1) / blocks_of(f);
  int64_t tiles = n[15] / 16 * rows, rounds = (tiles + 2 * WARPS - 1) / (2 * WARPS);
  return (double)turns * (PIECE_ROW * (double)rows_needed(f, rows, n[8], n[10]) +
                          PIECE_ROUND * (double)rounds);
}

/* Pieces of as many columns as shared memory allows, and of as many rows as go well with the GPU's
 * size. */
static void choose_piece(const filters *f, int64_t images, long long *n) {
  int64_t room = POOL - filter_bytes(f), across = (n[5] + 15) / 16 * 16;
  double best = 0;
  n[15] = across < MOST_ACROSS ? across : MOST_ACROSS;
  while (n[15] > 16 &&
         f->bytes * pitch_of(f, n[15], n[9]) * rows_needed(f, 1, n[8], n[10]) > room)
    n[15] -= 16;
  n[19] = (n[5] + n[15] - 1) / n[15];
  n[16] = pitch_of(f, n[15], n[9]);
  for (int64_t rows = 1; rows <= MOST_ROWS; rows++) {
    int64_t below = (n[4] + rows - 1) / rows, needed = rows_needed(f, rows, n[8], n[10]);
    double time = time_of(f, images * n[19] * below, rows, n);
    if (rows > 1 && (f->bytes * n[16] * needed > room || time >= best)) continue;
    best = time;
    n[14] = rows;
    n[17] = needed;
    n[20] = below;
  }
}

static bool lies_dense(const hone_layout *layout, const hone_shape *shape) {
  hone_layout dense = hone_layout_dense(shape);
  for (int i = 0; i < shape->rank; i++)
    if (layout->stride[i] != dense.stride[i] && shape->dim[i] > 1) return false;
  return layout->at == 0;
}

/* Where the image is read: as it lies, or by strides. */
static void choose_source(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                          hone_cuda_launch *launch) {
  const hone_strided *in = &plan->reads[stage - plan->body->stages].in[0];
  const hone_value *x = stage->core->inputs[0].value;
  long long *n = launch->args.n;
  launch->slots[0] = hone_cuda_slot_of(plan, in->base);
  bool same = in->base->type.dtype == x->type.dtype;
  if (same && lies_dense(&in->layout, hone_cuda_shape(plan, x))) return;
  n[21] = hone_dtype_bits(in->base->type.dtype) / 8;
  for (int i = 0; i < 4; i++) n[22 + i] = in->layout.stride[i];
  n[26] = in->layout.at;
}

static hone_status *plan_stem(const hone_cuda_stage *stage, const hone_group_view *view,
                              hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[0].value);
  hone_cuda_launch *launch;
  hone_spatial window;
  filters f;
  (void)view;
  if (!filters_of(node, &f)) return hone_error(HONE_INTERNAL, "a first layer without its filters");
  HONE_TRY(hone_cuda_window(node, x, hone_cuda_shape(plan, node->inputs[HONE_CONV_W].value)->dim,
                            false, &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  long long *n = launch->args.n;
  n[1] = f.count;
  hone_cuda_put_window(&window, n + 2);
  if (n[2] > 1 << 20 || n[3] > 1 << 20 || llabs(n[12]) > 1 << 20 || llabs(n[13]) > 1 << 20)
    return hone_error(HONE_UNSUPPORTED, "the image is too large for a GPU");
  choose_piece(&f, x->dim[0], n);
  choose_source(stage, plan, launch);
  n[18] = steps_evenly(node, &f) ? n[13] * f.channels & 1 : 0;
  n[0] = x->dim[0] * n[19] * n[20];
  hone_cuda_launch_blocks(launch, n[0] < blocks_of(&f) ? n[0] : blocks_of(&f));
  launch->grid[1] = (unsigned)tiles_of(&f);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_conv_stem_f16 = {.name = "conv_stem_f16",
                                                         .forms = {{hone_cuda_text_conv_stem}},
                                                         .on_tensor_cores = true,
                                                         .pointers = 2,
                                                         .finishes = true,
                                                         .widely = true,
                                                         .gathers = true,
                                                         .bias = HONE_CONV_BIAS,
                                                         .accepts = accepts_stem_f16,
                                                         .define = define_stem,
                                                         .plan = plan_stem};

const hone_cuda_kernel hone_cuda_kernel_conv_stem_bf16 = {.name = "conv_stem_bf16",
                                                          .forms = {{hone_cuda_text_conv_stem}},
                                                          .least_sm = 80,
                                                          .on_tensor_cores = true,
                                                          .pointers = 2,
                                                          .finishes = true,
                                                          .widely = true,
                                                          .gathers = true,
                                                          .bias = HONE_CONV_BIAS,
                                                          .accepts = accepts_stem_bf16,
                                                          .define = define_stem,
                                                          .plan = plan_stem};

const hone_cuda_kernel hone_cuda_kernel_conv_stem_tf32 = {.name = "conv_stem_tf32",
                                                          .forms = {{hone_cuda_text_conv_stem}},
                                                          .least_sm = 80,
                                                          .on_tensor_cores = true,
                                                          .pointers = 2,
                                                          .finishes = true,
                                                          .widely = true,
                                                          .gathers = true,
                                                          .bias = HONE_CONV_BIAS,
                                                          .accepts = accepts_stem_tf32,
                                                          .define = define_stem,
                                                          .plan = plan_stem};
