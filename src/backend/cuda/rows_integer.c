/* Products of bytes on the GPU. Room: backend/cuda. */
#include "backend/cuda/rows_tensor.h"
#include "backend/cuda/windows.h"

enum { X, W, X_ZERO, W_ZERO, BIAS }; /* inputs of both ops */

static bool is_byte(const hone_value *value) {
  return value && (value->type.dtype == HONE_U8 || value->type.dtype == HONE_S8);
}

static bool accepts(const hone_node *node) {
  const hone_value *x = node->inputs[X].value, *w = node->inputs[W].value;
  if (!is_byte(x) || !is_byte(w) || !node->outputs[0] || w->type.shape.rank < 0) return false;
  if (node->op == &hone_op_matmul_integer) return x->type.shape.rank >= 1;
  return node->op == &hone_op_conv_integer && hone_cuda_has_two_axes(x);
}

static void define(const hone_node *node, hone_text *out) {
  hone_text_printf(out, "typedef %s X;\ntypedef %s W;\ntypedef s64 R;\n",
                   hone_cuda_type(node->inputs[X].value->type.dtype),
                   hone_cuda_type(node->inputs[W].value->type.dtype));
}

static hone_status *window_of(const hone_cuda_plan *plan, const hone_node *node, hone_spatial *out) {
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  const hone_shape *w = hone_cuda_shape(plan, node->inputs[W].value);
  return hone_cuda_window(node, x, w->dim, false, out);
}

static hone_status *launch_integer(const hone_cuda_stage *stage, hone_cuda_plan *plan,
                                   hone_cuda_launch **out) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  const hone_value *w_zero = hone_node_in(node, W_ZERO);
  hone_spatial window;
  HONE_TRY(window_of(plan, node, &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, out));
  long long *n = (*out)->args.n;
  n[0] = hone_cuda_count(y);
  n[1] = x->dim[x->rank - 1];
  hone_cuda_put_window(&window, n + 2);
  n[14] = y->dim[y->rank - 1];
  n[15] = hone_node_int(node, "groups");
  n[16] = w_zero && hone_cuda_count(hone_cuda_shape(plan, w_zero)) > 1;
  return NULL;
}

static hone_status *plan_integer(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(launch_integer(stage, plan, &launch));
  hone_cuda_launch_elements(launch, launch->args.n[0]);
  return NULL;
}

/* Groups that are not one channel each: what the rows before do not take. */
static bool accepts_grouped(const hone_node *node) {
  return node->op == &hone_op_conv_integer && accepts(node);
}

const hone_cuda_kernel hone_cuda_kernel_integer = {.name = "integer",
                                                   .forms = {{hone_cuda_text_integer}},
                                                   .pointers = 4,
                                                   .finishes = true,
                                                   .bias = BIAS,
                                                   .accepts = accepts_grouped,
                                                   .define = define,
                                                   .plan = plan_integer};

/* ---- Depthwise ------------------------------------------------------------------------------- */

/* One filter a channel, eight channels side by side. */
static bool accepts_depthwise(const hone_node *node) {
  if (node->op != &hone_op_conv_integer || !accepts(node)) return false;
  const hone_shape *w = &node->inputs[W].value->type.shape;
  const hone_shape *y = &node->outputs[0]->type.shape;
  int64_t groups = hone_node_int(node, "groups");
  return w->rank > 2 && y->rank > 0 && w->dim[w->rank - 2] == 1 && w->dim[w->rank - 1] == groups &&
         groups % 8 == 0;
}

static const int pixels_of_form[] = {1, 4};
#define PIXELS(count) {hone_cuda_text_depthwise_bytes, "#define PIXELS " #count "\n"}

static hone_status *plan_depthwise(const hone_cuda_stage *stage, const hone_group_view *view,
                                   hone_cuda_plan *plan) {
  int form = stage->variant ? stage->variant - 1 : 0;
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(launch_integer(stage, plan, &launch));
  long long *n = launch->args.n;
  n[14] = (n[5] + pixels_of_form[form] - 1) / pixels_of_form[form];
  n[0] = n[5] ? n[0] / n[5] * n[14] / 8 : 0;
  launch->function = stage->functions[form];
  hone_cuda_launch_elements(launch, n[0]);
  return NULL;
}

const hone_cuda_kernel hone_cuda_kernel_integer_depthwise = {
    .name = "integer_depthwise",
    .candidate = "cuda.integer_depthwise",
    .variants = 2,
    .forms = {PIXELS(1), PIXELS(4)},
    .pointers = 4,
    .finishes = true,
    .widely = true,
    .bias = BIAS,
    .accepts = accepts_depthwise,
    .define = define,
    .plan = plan_depthwise};

/* ---- On tensor cores ------------------------------------------------------------------------- */

#define TILE(m, n, warps_m, threads, depth, stages, blocks)                                        \
  {hone_cuda_text_product_bytes,                                                                   \
   "#define TILE_M " #m "\n#define TILE_N " #n "\n#define WARPS_M " #warps_m                       \
   "\n#define THREADS " #threads "\n#define DEPTH " #depth "\n#define STAGES " #stages            \
   "\n#define BLOCKS " #blocks "\n"}
#define FORMS                                                                                      \
  {TILE(32, 64, 2, 128, 128, 4, 3), TILE(64, 64, 2, 128, 64, 4, 4), TILE(128, 32, 4, 128, 64, 4, 4), \
   TILE(128, 64, 4, 256, 64, 4, 2), TILE(128, 128, 2, 256, 64, 3, 2)}

/* By form. A step is taken to multiply as many bytes as one of product_tensor.cu's in as much time:
 * these are its times. */
static const hone_cuda_tile tiles[] = {{32, 64, 128, 128, 0.9, 0.19, 0.28},
                                       {64, 64, 64, 128, 1.1, 0.13, 0.25},
                                       {128, 32, 64, 128, 1.1, 0.13, 0.25},
                                       {128, 64, 64, 256, 1.6, 0.21, 0.29},
                                       {128, 128, 64, 256, 2.9, 0.345, 0.42}};
#define TILES HONE_CUDA_BYTE_TILES
_Static_assert(TILES == sizeof tiles / sizeof *tiles, "a tile is a form");

static bool accepts_tensor(const hone_node *node) {
  return accepts(node) &&
         (node->op != &hone_op_conv_integer || hone_node_int(node, "groups") == 1);
}

static bool is_plain(const hone_node *node) {
  return node->op == &hone_op_matmul_integer || hone_cuda_is_plain_conv(node);
}

/* Whether there is a zero point that may not be 0. */
static bool has_zero(const hone_node *node, int input) {
  const hone_value *zero = hone_node_in(node, input);
  size_t count = 0;
  if (!zero || !zero->constant || !hone_shape_count(&zero->type.shape, &count)) return zero != NULL;
  for (size_t i = 0; i < count; i++)
    if (hone_load_int(zero->type.dtype, zero->constant, i) != 0) return true;
  return false;
}

/* Bytes at multiples of which rows of the value are cut: a chunk, half of one, or any. */
static int piece_of(const hone_value *value) {
  hone_dim row = value->type.shape.dim[value->type.shape.rank - 1];
  return !hone_dim_known(row) || row % 8 || row == 0 ? 1 : row % 16 ? 8 : 16;
}

static void define_tensor(const hone_node *node, hone_text *out) {
  define(node, out);
  hone_text_printf(out, "typedef u8 T;\n#define CONVOLUTION %d\n#define X_ZERO %d\n#define W_ZERO %d\n",
                   !is_plain(node), has_zero(node, X_ZERO), has_zero(node, W_ZERO));
  hone_text_printf(out, "#define LEFT_PIECE %d\n#define RIGHT_PIECE %d\n",
                   piece_of(node->inputs[X].value), piece_of(node->inputs[W].value));
}

/* Variant 0 is what the estimates find best; the others are that tile and parts, where they are worth a
 * trial beside it. */
static bool choose_tile(const hone_cuda_stage *stage, const long long *n,
                        hone_cuda_tile_choice *out) {
  hone_cuda_tile_choice best = *out = hone_cuda_choose_tile(tiles, TILES, n, 1, 1);
  if (!stage->variant) return true;
  int64_t parts = hone_cuda_parts_offered[(stage->variant - 1) / TILES];
  *out = hone_cuda_tile_in_parts(tiles, (stage->variant - 1) % TILES, parts, n, 1, 1);
  return out->time > 0 && out->time <= HONE_CUDA_HOPELESS * best.time;
}

/* What is multiplied: n[0…2], and a convolution's window. */
static hone_status *put_sizes(const hone_cuda_plan *plan, const hone_node *node, long long *n) {
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[X].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  hone_spatial window;
  n[1] = y->dim[y->rank - 1];
  n[0] = n[1] ? hone_cuda_count(y) / n[1] : 0;
  n[2] = n[16] = x->dim[x->rank - 1];
  if (is_plain(node)) return NULL;
  HONE_TRY(window_of(plan, node, &window));
  if (n[16] == 0 || hone_cuda_count(x) > INT32_MAX)
    return hone_error(HONE_UNSUPPORTED, "images of no channel or beyond 2 GiB");
  n[2] *= window.kernel[0] * window.kernel[1];
  hone_cuda_put_window(&window, n + 17);
  return NULL;
}

static hone_status *plan_tensor(const hone_cuda_stage *stage, const hone_group_view *view,
                                hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_value *w_zero = hone_node_in(node, W_ZERO);
  hone_cuda_tile_choice choice;
  hone_cuda_launch *launch;
  (void)view;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  long long *n = launch->args.n;
  HONE_TRY(put_sizes(plan, node, n));
  n[3] = w_zero && hone_cuda_count(hone_cuda_shape(plan, w_zero)) > 1;
  n[4] = launch->slots[X_ZERO].from == HONE_CUDA_PACK;
  n[39] = launch->slots[W].from == HONE_CUDA_PACK;
  if (!choose_tile(stage, n, &choice))
    return hone_error(HONE_UNSUPPORTED, "a tile that is not worth a trial");
  return hone_cuda_launch_copied(stage, plan, launch, 1, tiles, choice);
}

const hone_cuda_kernel hone_cuda_kernel_integer_tensor = {.name = "integer_tensor",
                                                          .candidate = "cuda.integer_tensor",
                                                          .variants = TILES * HONE_CUDA_PARTS_OFFERED,
                                                          .forms = FORMS,
                                                          .on_tensor_cores = true,
                                                          .pointers = 6,
                                                          .finishes = true,
                                                          .widely = true,
                                                          .bias = BIAS,
                                                          .accepts = accepts_tensor,
                                                          .define = define_tensor,
                                                          .plan = plan_tensor};
