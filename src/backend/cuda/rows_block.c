/* Inverted residuals: three convolutions in one kernel. Room: backend/cuda. */
#include "backend/cuda/rows_block.h"

#include "backend/cuda/code.h"
#include "backend/cuda/rows_tensor.h"
#include "backend/cuda/windows.h"
#include "ops/conv_shape.h"

#define MOST_IN       192 /* channels that the block reads, and makes */
#define MOST_OUT      320
#define MOST_CHUNK    128 /* of the expanded ones at a time */
#define MOST_SUMS     64  /* registers of a thread for the sums of a tile: more and few blocks fit */
#define ENOUGH        1024 /* blocks: lower tiles would only read more of the image */
#define MOST_CLUSTERED 264 /* blocks of clusters: two for a multiprocessor */
#define BESIDE        8   /* strips of a tile, as in conv_block.cu */
#define OWN_BYTES     1280

enum { EXPAND, DEPTHWISE, PROJECT };

typedef struct sizes {
  int64_t in, mid, out, taps, stride, chunk;
} sizes;

typedef struct tile {
  int64_t across, down; /* pixels of a strip beside each other, of a tile below each other */
  int64_t cluster;      /* blocks that share it */
} tile;
static const tile tiles[] = {{1, 8, 1}, {2, 8, 1}, {1, 4, 1}, {1, 8, 2},
                             {1, 8, 4}, {1, 8, 8}, {1, 4, 4}, {1, 4, 8}};
#define TILES (sizeof tiles / sizeof *tiles)

/* As many channels at a time as leave each of `blocks` the fewest, those that the last chunk lacks
 * among them. A block of a cluster has a multiprocessor for itself, and so may have more threads. */
static int64_t chunk_of(int64_t mid, int64_t blocks) {
  int64_t best = blocks > 1 ? MOST_CHUNK : 64;
  for (int64_t chunk = best - 16; chunk >= 32; chunk -= 16)
    if (hone_up(mid, chunk * blocks) < hone_up(mid, best * blocks)) best = chunk;
  return best;
}

static sizes sizes_of(const hone_node *const *convolutions, int64_t blocks) {
  const hone_dim *expand = convolutions[EXPAND]->inputs[HONE_CONV_W].value->type.shape.dim;
  const hone_dim *window = convolutions[DEPTHWISE]->inputs[HONE_CONV_W].value->type.shape.dim;
  const hone_dim *project = convolutions[PROJECT]->inputs[HONE_CONV_W].value->type.shape.dim;
  return (sizes){expand[2], expand[3], project[3], window[0],
                 hone_cuda_along(convolutions[DEPTHWISE], "strides", 0), chunk_of(expand[3], blocks)};
}

/* ---- What it takes ---------------------------------------------------------------------------- */

static bool has_filters(const hone_node *node, hone_dtype dtype) {
  if (node->op != &hone_op_conv || !hone_cuda_one_float(node)) return false;
  const hone_value *w = node->inputs[HONE_CONV_W].value, *x = node->inputs[HONE_CONV_X].value;
  return w->constant && w->type.dtype == dtype && w->type.shape.rank == 4 && x->type.shape.rank == 4;
}

static bool is_plain(const hone_node *node) {
  return hone_node_int(node, "groups") == 1 && hone_cuda_is_plain_conv(node);
}

/* Square windows over every channel by itself. */
static bool is_depthwise(const hone_node *node, int64_t channels) {
  const hone_dim *w = node->inputs[HONE_CONV_W].value->type.shape.dim;
  int64_t stride = hone_cuda_along(node, "strides", 0);
  return hone_node_int(node, "groups") == channels && w[2] == 1 && w[3] == channels && w[0] == w[1] &&
         (w[0] == 3 || w[0] == 5) && (stride == 1 || stride == 2) &&
         hone_cuda_along(node, "strides", 1) == stride &&
         hone_cuda_along(node, "dilations", 0) == 1 && hone_cuda_along(node, "dilations", 1) == 1;
}

bool hone_cuda_are_block(const hone_node *const *convolutions) {
  const hone_node *expand = convolutions[EXPAND];
  if (expand->op != &hone_op_conv || !expand->outputs[0]) return false;
  hone_dtype dtype = expand->outputs[0]->type.dtype;
  if (dtype != HONE_F16 && dtype != HONE_BF16) return false;
  for (int i = 0; i < HONE_CUDA_SPAN; i++)
    if (!has_filters(convolutions[i], dtype)) return false;
  return is_plain(expand) && is_plain(convolutions[PROJECT]);
}

/* Whether three convolutions, each of which alone reads the one before, are an inverted residual. */
static bool is_block(const hone_node *const *convolutions) {
  const hone_node *project = convolutions[PROJECT];
  if (!hone_cuda_are_block(convolutions)) return false;
  sizes s = sizes_of(convolutions, 1);
  return is_depthwise(convolutions[DEPTHWISE], s.mid) &&
         project->inputs[HONE_CONV_W].value->type.shape.dim[2] == s.mid && s.in >= 8 && s.in % 8 == 0 &&
         s.in <= MOST_IN && s.mid >= 32 && s.mid % 8 == 0 && s.out >= 8 && s.out % 8 == 0 &&
         s.out <= MOST_OUT;
}

static sizes sizes_of_stage(const hone_cuda_stage *last) {
  const hone_node *convolutions[] = {last->inner[EXPAND]->core, last->inner[DEPTHWISE]->core,
                                     last->core};
  return sizes_of(convolutions, tiles[last->variant - 1].cluster);
}

static void define_block(const hone_cuda_stage *last, hone_text *out) {
  sizes s = sizes_of_stage(last);
  hone_dtype dtype = last->core->outputs[0]->type.dtype;
  hone_cuda_define_types(dtype, out);
  hone_cuda_define_kind(dtype, out);
  hone_text_printf(out,
                   "#define IN %d\n#define MID %d\n#define OUT %d\n#define TAPS %d\n#define STRIDE %d\n"
                   "#define CHUNK %d\n",
                   (int)s.in, (int)s.mid, (int)s.out, (int)s.taps, (int)s.stride, (int)s.chunk);
}

/* ---- Shared memory ---------------------------------------------------------------------------- */

/* CUDA C++ Programming Guide, table of technical specifications. */
int64_t hone_cuda_most_shared(int sm) {
  static const struct {
    int sm;
    int64_t kilobytes;
  } rows[] = {{120, 99}, {100, 227}, {90, 227}, {89, 99}, {87, 163}, {86, 99}, {80, 163}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (sm >= rows[i].sm) return rows[i].kilobytes << 10;
  return 48 << 10;
}

/* As conv_block.cu lays it out: the image, the chunk, the chunk after the windows, one or two chunks'
 * filters, what is padding; of a cluster's, what its others store here, and their barrier. */
static int64_t shared_of(const sizes *s, const tile *t) {
  int64_t wide = (BESIDE * t->across - 1) * s->stride + s->taps;
  int64_t halo = hone_up(wide * ((t->down - 1) * s->stride + s->taps), 16);
  int64_t depth = hone_up(s->in, 16), mid_pitch = s->chunk * 2 + 16, strips = s->chunk / 8 * OWN_BYTES;
  int64_t mid = halo * mid_pitch > strips ? halo * mid_pitch : strips;
  int64_t filters = (depth + s->taps * s->taps) * mid_pitch + s->chunk * (hone_up(s->out, 16) * 2 + 16);
  int64_t pixels = BESIDE * t->across * t->down, columns = hone_up(s->out, 16);
  int64_t buffers = hone_parts(s->mid, s->chunk) > t->cluster ? 2 : 1;
  int64_t own = halo * (depth * 2 + 16) + mid + pixels * mid_pitch + buffers * filters + halo;
  if (t->cluster == 1) return own;
  int64_t sums = pixels * (columns + 4) * 4, share = hone_parts(pixels * columns / 8, t->cluster);
  return 1024 + (own > sums ? own : sums) + (t->cluster - 1) * share * 32 + 8;
}

/* Registers of a thread for sums. */
static int64_t sums_of(const sizes *s, const tile *t) {
  int64_t down = hone_parts(BESIDE * t->across * t->down, 32);
  return down * hone_parts(hone_parts(s->out, 16), s->chunk / 16) * 8;
}

/* Nothing is found for the sizes; but a GPU with less memory than the one that it was chosen on keeps
 * the stages. */
static hone_status *settle(hone_cuda_stage *stage, const hone_cuda_body *body,
                           const hone_group_view *view, hone_bytes saved, hone_text *state) {
  sizes s = sizes_of_stage(stage);
  (void)view, (void)saved, (void)state;
  if (shared_of(&s, &tiles[stage->variant - 1]) <= hone_cuda_most_shared(body->sm)) return NULL;
  return hone_error(HONE_NOT_FOUND, "a tile of the block does not fit the GPU's shared memory");
}

/* ---- Launching -------------------------------------------------------------------------------- */

void hone_cuda_put_block(hone_cuda_plan *plan, const hone_cuda_stage *last, hone_cuda_launch *launch) {
  launch->slots[0] = hone_cuda_slot_of(plan, last->inner[EXPAND]->core->inputs[HONE_CONV_X].value);
  for (int i = 0; i < HONE_CUDA_SPAN; i++) {
    const hone_cuda_stage *stage = i == PROJECT ? last : last->inner[i];
    launch->slots[1 + i] = hone_cuda_slot_of(plan, stage->core->inputs[HONE_CONV_W].value);
    for (int k = 0; i < PROJECT && k < stage->stream_count; k++)
      launch->slots[stage->streams[k].pointer] = hone_cuda_slot_of(plan, stage->streams[k].value);
  }
}

/* Tiles of about the same size, as few as hold the image: n[14]…n[17] of the kernel. */
static void put_tiles(long long *n, const tile *t) {
  n[14] = hone_parts(n[5], BESIDE * t->across);
  n[15] = hone_parts(n[4], t->down);
  n[16] = hone_up(hone_parts(n[5], n[14]), t->across);
  n[17] = hone_parts(n[4], n[15]);
  n[14] = hone_parts(n[5], n[16]);
}

/* Of clusters, more than a GPU has multiprocessors for, or blocks without channels. */
static bool are_too_many(const sizes *s, const tile *t, const long long *n, int64_t images) {
  int64_t count = images * hone_parts(n[5], BESIDE * t->across) * hone_parts(n[4], t->down) * t->cluster;
  return t->cluster > 1 && (count > MOST_CLUSTERED || hone_parts(s->mid, s->chunk) <= t->cluster / 2);
}

/* Whether a build should not try the tile: another is as good. */
static bool is_idle(const sizes *s, const tile *t, const long long *n, int64_t images) {
  bool narrow = t->across > 1 && n[5] <= BESIDE;
  int64_t higher = images * hone_parts(n[5], BESIDE) * hone_parts(n[4], tiles[0].down);
  bool low = t->down < tiles[0].down && (n[4] <= t->down || higher > ENOUGH);
  return narrow || low || are_too_many(s, t, n, images) || sums_of(s, t) > MOST_SUMS;
}

static hone_status *plan_block(const hone_cuda_stage *stage, const hone_group_view *view,
                               hone_cuda_plan *plan) {
  const hone_node *windows = stage->inner[DEPTHWISE]->core;
  const hone_shape *x = hone_cuda_shape(plan, windows->inputs[HONE_CONV_X].value);
  const tile *t = &tiles[stage->variant - 1];
  sizes s = sizes_of_stage(stage);
  hone_cuda_launch *launch;
  hone_spatial window;
  (void)view;
  HONE_TRY(hone_cuda_window(windows, x, hone_cuda_shape(plan, windows->inputs[HONE_CONV_W].value)->dim,
                            false, &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  hone_cuda_put_block(plan, stage, launch);
  long long *n = launch->args.n;
  hone_cuda_put_window(&window, n + 2);
  if (n[4] < 1 || n[5] < 1 || x->dim[0] < 1 || is_idle(&s, t, n, x->dim[0]))
    return hone_error(HONE_UNSUPPORTED, "a tile that is not for this size");
  put_tiles(n, t);
  int64_t blocks = x->dim[0] * n[14] * n[15] * t->cluster;
  if (blocks > INT32_MAX || n[2] > 1 << 24 || n[3] > 1 << 24)
    return hone_error(HONE_UNSUPPORTED, "the image is too large for a GPU");
  launch->function = stage->functions[stage->variant - 1];
  launch->threads = (unsigned)(s.chunk * 4);
  launch->shared = (unsigned)shared_of(&s, t);
  launch->grid[0] = (unsigned)blocks;
  launch->grid[1] = launch->grid[2] = 1;
  return hone_cuda_code_allow_shared(launch->function, launch->shared);
}

#define SHAPE(across, down) "#define ACROSS " #across "\n#define DOWN " #down "\n"
#define TILE(across, down)  {hone_cuda_text_conv_block, SHAPE(across, down)}
#define CLUSTERED(across, down, cluster)                                                           \
  {hone_cuda_text_conv_block, SHAPE(across, down) "#define CLUSTER " #cluster "\n", true}

const hone_cuda_kernel hone_cuda_kernel_conv_block = {
    .name = "conv_block",
    .candidate = "cuda.conv_block",
    .variants = TILES,
    .only_chosen = true,
    .forms = {TILE(1, 8), TILE(2, 8), TILE(1, 4), CLUSTERED(1, 8, 2), CLUSTERED(1, 8, 4),
              CLUSTERED(1, 8, 8), CLUSTERED(1, 4, 4), CLUSTERED(1, 4, 8)}, /* in the order of `tiles` */
    .form_a_variant = true,
    .least_sm = 80,
    .on_tensor_cores = true,
    .pointers = 4,
    .finishes = true,
    .widely = true,
    .spans = is_block,
    .span = HONE_CUDA_SPAN,
    .define_span = define_block,
    .settle = settle,
    .plan = plan_block};
