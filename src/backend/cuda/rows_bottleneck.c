/* Bottlenecks: three convolutions in one kernel. Room: backend/cuda. */
#include "backend/cuda/boxes.h"
#include "backend/cuda/code.h"
#include "backend/cuda/rows_block.h"
#include "backend/cuda/rows_tensor.h"
#include "backend/cuda/windows.h"
#include "ops/conv_shape.h"

#define MOST_IN  1024 /* channels that the bottleneck reads, */
#define MOST_MID 128  /* has between, */
#define MOST_OUT 512  /* and makes */
#define ENOUGH   1024 /* blocks: lower tiles would only read more of the image */
#define WAVE     132  /* multiprocessors of a large GPU */
/* As in conv_bottleneck.cu. */
#define TAPS      3
#define THREADS   256
#define SLICE     64
#define STAGES    3
#define PASS      128
#define OWN_BYTES 1280 /* of a warp */

enum { REDUCE, WINDOWS, EXPAND };

typedef struct sizes {
  int64_t in, mid, out, stride;
} sizes;

typedef struct tile {
  int64_t wide, down; /* pixels of the result */
} tile;
static const tile tiles[] = {{8, 8}, {16, 8}, {8, 4}};
#define TILES (sizeof tiles / sizeof *tiles)
/* After those, conv_bottleneck_hopper.cu, which keeps the filters. */
#define KEPT        (TILES + 1)
#define KEPT_TILE   8   /* pixels, in both directions */
#define KEPT_GROUPS 2   /* of warps, a tile each */
#define KEPT_STAGES 2 /* of each group's ring */

static sizes sizes_of(const hone_node *const *convolutions) {
  const hone_dim *reduce = convolutions[REDUCE]->inputs[HONE_CONV_W].value->type.shape.dim;
  const hone_dim *expand = convolutions[EXPAND]->inputs[HONE_CONV_W].value->type.shape.dim;
  return (sizes){reduce[2], reduce[3], expand[3],
                 hone_cuda_along(convolutions[WINDOWS], "strides", 0)};
}

/* ---- What it takes ---------------------------------------------------------------------------- */

/* Windows of 3 x 3 over all channels. */
static bool is_dense(const hone_node *node, int64_t channels) {
  const hone_dim *w = node->inputs[HONE_CONV_W].value->type.shape.dim;
  int64_t stride = hone_cuda_along(node, "strides", 0);
  return hone_node_int(node, "groups") == 1 && w[0] == TAPS && w[1] == TAPS && w[2] == channels &&
         w[3] == channels && (stride == 1 || stride == 2) &&
         hone_cuda_along(node, "strides", 1) == stride &&
         hone_cuda_along(node, "dilations", 0) == 1 && hone_cuda_along(node, "dilations", 1) == 1;
}

/* Of eight channels each, up to `most`. */
static bool are_channels(int64_t count, int64_t most) {
  return count >= 8 && count % 8 == 0 && count <= most;
}

/* Whether three convolutions, each of which alone reads the one before, are a bottleneck. */
static bool is_bottleneck(const hone_node *const *convolutions) {
  if (!hone_cuda_are_block(convolutions)) return false;
  sizes s = sizes_of(convolutions);
  return is_dense(convolutions[WINDOWS], s.mid) &&
         convolutions[EXPAND]->inputs[HONE_CONV_W].value->type.shape.dim[2] == s.mid &&
         are_channels(s.in, MOST_IN) && are_channels(s.mid, MOST_MID) && are_channels(s.out, MOST_OUT);
}

static sizes sizes_of_stage(const hone_cuda_stage *last) {
  const hone_node *convolutions[] = {last->inner[REDUCE]->core, last->inner[WINDOWS]->core, last->core};
  return sizes_of(convolutions);
}

static void define_bottleneck(const hone_cuda_stage *last, hone_text *out) {
  sizes s = sizes_of_stage(last);
  hone_dtype dtype = last->core->outputs[0]->type.dtype;
  hone_cuda_define_types(dtype, out);
  hone_cuda_define_kind(dtype, out);
  hone_text_printf(out, "#define IN %d\n#define MID %d\n#define OUT %d\n#define STRIDE %d\n", (int)s.in,
                   (int)s.mid, (int)s.out, (int)s.stride);
}

/* ---- Shared memory ---------------------------------------------------------------------------- */

/* As conv_bottleneck.cu lays it out: MID channels before and after the windows, the ring, what is
 * padding. */
static int64_t shared_of(const sizes *s, const tile *t) {
  int64_t halo = hone_up(((t->wide - 1) * s->stride + TAPS) * ((t->down - 1) * s->stride + TAPS), 16);
  int64_t mid_pitch = hone_up(s->mid, 16) * 2 + 16, own = THREADS / 32 * OWN_BYTES;
  int64_t mid = halo * mid_pitch > own ? halo * mid_pitch : own;
  int64_t stage = (halo < PASS ? halo : PASS) * (SLICE * 2 + 16) + SLICE * mid_pitch;
  return mid + t->wide * t->down * mid_pitch + STAGES * stage + halo;
}

/* The same of conv_bottleneck_hopper.cu: filters by 64 of depth and 64 columns; each group's ring,
 * barriers and middle channels; it all begins at a multiple of 1024. 0 where it does not take them. */
static int64_t kept_shared_of(const sizes *s) {
  int64_t wide = KEPT_TILE + TAPS - 1, halo = wide * wide;
  int64_t filters = hone_parts(s->in, SLICE) + TAPS * TAPS + hone_parts(s->out, SLICE);
  if (s->mid > SLICE || s->stride != 1) return 0;
  return 1024 + filters * SLICE * 128 +
         KEPT_GROUPS * (KEPT_STAGES * (hone_up(halo * 128, 1024) + 2 * 8) + halo * SLICE * 2) + 3 * 8;
}

/* Nothing is found for the sizes; but a tile may need more memory than a block of the GPU has. */
static hone_status *settle(hone_cuda_stage *stage, const hone_cuda_body *body,
                           const hone_group_view *view, hone_bytes saved, hone_text *state) {
  sizes s = sizes_of_stage(stage);
  bool kept = stage->variant == KEPT;
  int64_t shared = kept ? kept_shared_of(&s) : shared_of(&s, &tiles[stage->variant - 1]);
  (void)view, (void)saved, (void)state;
  bool taken = shared > 0 && shared <= hone_cuda_most_shared(body->sm);
  if (taken && (!kept || body->sm == 90)) return NULL;
  return hone_error(HONE_NOT_FOUND, "a tile of the bottleneck does not fit the GPU's shared memory");
}

/* ---- Launching -------------------------------------------------------------------------------- */

/* Tiles of about the same size, as few as hold the image: n[14]…n[17] of the kernel. */
static void put_tiles(long long *n, const tile *t) {
  n[14] = hone_parts(n[5], t->wide);
  n[15] = hone_parts(n[4], t->down);
  n[16] = hone_parts(n[5], n[14]);
  n[17] = hone_parts(n[4], n[15]);
}

/* Whether a build should not try the tile: another is as good. */
static bool is_idle(const tile *t, const long long *n, int64_t images) {
  bool narrow = t->wide > tiles[0].wide && n[5] <= tiles[0].wide;
  int64_t higher = images * hone_parts(n[5], tiles[0].wide) * hone_parts(n[4], tiles[0].down);
  return narrow || (t->down < tiles[0].down && (n[4] <= t->down || higher > ENOUGH));
}

static hone_status *launch_tiles(const hone_cuda_stage *stage, int64_t images,
                                 hone_cuda_launch *launch) {
  const tile *t = &tiles[stage->variant - 1];
  sizes s = sizes_of_stage(stage);
  long long *n = launch->args.n;
  if (is_idle(t, n, images)) return hone_error(HONE_UNSUPPORTED, "a tile that is not for this size");
  put_tiles(n, t);
  int64_t blocks = images * n[14] * n[15];
  if (blocks > INT32_MAX) return hone_error(HONE_UNSUPPORTED, "the image is too large for a GPU");
  launch->threads = THREADS;
  launch->shared = (unsigned)shared_of(&s, t);
  launch->grid[0] = (unsigned)blocks;
  return NULL;
}

/* What a tile's windows cross, 64 channels at a time, and the filters, 64 of depth by 64 columns. */
static void set_boxes(const sizes *s, const hone_shape *x, hone_dtype dtype, hone_cuda_boxes *out) {
  const uint32_t wide = KEPT_TILE + TAPS - 1;
  const int64_t axes[] = {s->in, x->dim[2], x->dim[1], x->dim[0]};
  uint64_t stride = 2;
  out[0] = (hone_cuda_boxes){
      .dtype = dtype, .rank = 4, .box = {SLICE, wide, wide, 1}, .steps = {1, 1, 1, 1}};
  for (int d = 0; d < 4; d++) {
    out[0].sizes[d] = (uint64_t)axes[d];
    stride *= (uint64_t)axes[d];
    if (d < 3) out[0].strides[d] = stride;
  }
  out[1] = hone_cuda_boxes_of(dtype, s->mid, s->in, 1, 2 * s->mid, 2 * s->mid * s->in);
  out[2] = hone_cuda_boxes_of(dtype, s->mid, s->mid, TAPS * TAPS, 2 * s->mid, 2 * s->mid * s->mid);
  out[3] = hone_cuda_boxes_of(dtype, s->out, s->mid, 1, 2 * s->out, 2 * s->out * s->mid);
  for (int i = 1; i < 4; i++) out[i].box[1] = SLICE;
}

/* Images begin at multiples of 16 bytes, or else this does not run. */
static hone_status *launch_kept(const hone_cuda_stage *stage, const hone_shape *x, hone_cuda_plan *plan,
                                hone_cuda_launch *launch) {
  sizes s = sizes_of_stage(stage);
  long long *n = launch->args.n;
  n[14] = hone_parts(n[5], KEPT_TILE);
  n[15] = hone_parts(n[4], KEPT_TILE);
  if (n[2] * n[3] > 1 << 30 || x->dim[0] > INT32_MAX / 2 / (n[14] * n[15]))
    return hone_error(HONE_UNSUPPORTED, "the image is too large for a GPU");
  n[16] = x->dim[0] * n[14] * n[15];
  launch->threads = (KEPT_GROUPS + 1) * 128;
  launch->shared = (unsigned)kept_shared_of(&s);
  launch->grid[0] = (unsigned)(n[16] < WAVE ? n[16] : WAVE);
  set_boxes(&s, x, stage->core->outputs[0]->type.dtype, launch->boxes);
  launch->aligned = true;
  hone_cuda_launch *boxed = hone_arena_copy(plan->arena, launch, sizeof *launch);
  HONE_TRY_MEMORY(boxed);
  launch->boxed = boxed;
  return NULL;
}

static hone_status *plan_bottleneck(const hone_cuda_stage *stage, const hone_group_view *view,
                                    hone_cuda_plan *plan) {
  const hone_node *windows = stage->inner[WINDOWS]->core;
  const hone_shape *made = hone_cuda_shape(plan, windows->inputs[HONE_CONV_X].value);
  const hone_shape *x = hone_cuda_shape(plan, stage->inner[REDUCE]->core->inputs[HONE_CONV_X].value);
  hone_cuda_launch *launch;
  hone_spatial window;
  (void)view;
  const hone_shape *w = hone_cuda_shape(plan, windows->inputs[HONE_CONV_W].value);
  HONE_TRY(hone_cuda_window(windows, made, w->dim, false, &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  hone_cuda_put_block(plan, stage, launch);
  long long *n = launch->args.n;
  hone_cuda_put_window(&window, n + 2);
  if (n[4] < 1 || n[5] < 1 || x->dim[0] < 1 || n[2] > 1 << 24 || n[3] > 1 << 24)
    return hone_error(HONE_UNSUPPORTED, "an image of no size for a GPU");
  launch->function = stage->functions[stage->variant - 1];
  launch->grid[1] = launch->grid[2] = 1;
  if (stage->variant == KEPT) HONE_TRY(launch_kept(stage, x, plan, launch));
  else HONE_TRY(launch_tiles(stage, x->dim[0], launch));
  return hone_cuda_code_allow_shared(launch->function, launch->shared);
}

#define TILE(wide, down)                                                                           \
  {hone_cuda_text_conv_bottleneck, "#define WIDE " #wide "\n#define DOWN " #down "\n"}

const hone_cuda_kernel hone_cuda_kernel_conv_bottleneck = {
    .name = "conv_bottleneck",
    .candidate = "cuda.conv_bottleneck",
    .variants = KEPT,
    .only_chosen = true,
    .forms = {TILE(8, 8), TILE(16, 8), TILE(8, 4), /* in the order of `tiles` */
              {hone_cuda_text_conv_bottleneck_hopper, "", true}},
    .form_a_variant = true,
    .least_sm = 80,
    .on_tensor_cores = true,
    .pointers = 4,
    .finishes = true,
    .widely = true,
    .spans = is_bottleneck,
    .span = HONE_CUDA_SPAN,
    .define_span = define_bottleneck,
    .settle = settle,
    .plan = plan_bottleneck};
