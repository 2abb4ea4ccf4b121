/* Convolutions of so few elements that what takes long is not their sums. Room: backend/cuda. */
#include "backend/cuda/rows_small.h"

#include "backend/cuda/rows.h"
#include "backend/cuda/rows_tensor.h"
#include "ops/conv_shape.h"

#define MOST_SHARES 32  /* lanes of a warp, which share a pixel's depth */
#define THREADS     256 /* of a block at most */
#define WARP        32
#define MOST_BLOCKS 1056      /* beyond that blocks take several pixels, one after the other */
#define MOST_ALONG  (1 << 24) /* pixels of an image along an axis, with its borders */

/* Registers of a thread for filters, by form: few and a pixel has many lanes, more and it has few. */
static const int words[HONE_CUDA_SMALL_FORMS] = {HONE_CUDA_SMALL_WORDS};

static int64_t parts(int64_t count, int64_t size) {
  return (count + size - 1) / size;
}

/* Chunks of a thread's are neighbouring channels, at most 16 bytes. */
static hone_cuda_cut cut_of(const hone_node *node) {
  const hone_type *w = &node->inputs[HONE_CONV_W].value->type;
  int64_t depth = 1, bytes = hone_dtype_bits(w->dtype) / 8;
  int last = w->shape.rank - 1;
  hone_cuda_cut c = {.filters = w->shape.dim[last], .chunk = 16 / bytes, .words = bytes > 4 ? 2 : 1};
  for (int i = 0; i < last; i++) depth *= w->shape.dim[i];
  while (w->shape.dim[last - 1] % c.chunk) c.chunk /= 2;
  c.chunks = depth / c.chunk;
  c.wide = c.filters >= 4 ? 4 : c.filters >= 2 ? 2 : 1;
  return c;
}

/* Registers that its filters take where so many lanes share them. */
static int64_t words_of(const hone_cuda_cut *c, int64_t shares) {
  return parts(c->chunks, shares) * c->chunk * c->wide * c->words;
}

static int64_t shares_of(const hone_cuda_cut *c, int form) {
  int64_t shares = 1;
  while (shares < MOST_SHARES && words_of(c, shares) > words[form]) shares *= 2;
  return shares;
}

bool hone_cuda_small_cut(const hone_node *node, int form, hone_cuda_cut *out) {
  *out = cut_of(node);
  out->shares = shares_of(out, form);
  return form == 0 || out->shares != shares_of(out, form - 1);
}

int64_t hone_cuda_small_products(const hone_node *node, const hone_shape *y) {
  const hone_shape *w = &node->inputs[HONE_CONV_W].value->type.shape;
  int64_t count = 1;
  for (int i = 1; i < y->rank; i++)
    if (!hone_dim_known(y->dim[i]) || !hone_mul_s64(count, y->dim[i], &count)) return 0;
  for (int i = 0; i + 1 < w->rank; i++)
    if (!hone_mul_s64(count, w->dim[i], &count)) return 0;
  return count;
}

/* Of filters whose sizes are known: they are constants. */
bool hone_cuda_is_small(const hone_node *node) {
  if (node->op != &hone_op_conv || !hone_cuda_one_float(node) ||
      !hone_cuda_has_two_axes(node->inputs[HONE_CONV_X].value) || hone_node_int(node, "groups") != 1)
    return false;
  const hone_value *w = node->inputs[HONE_CONV_W].value;
  if (!w->constant || w->type.shape.rank != node->inputs[HONE_CONV_X].value->type.shape.rank)
    return false;
  int64_t products = hone_cuda_small_products(node, &node->outputs[0]->type.shape);
  if (products < 1 || products > HONE_CUDA_SMALL_ONE) return false;
  hone_cuda_cut c = cut_of(node);
  return words_of(&c, MOST_SHARES) <= words[HONE_CUDA_SMALL_FORMS - 1];
}

void hone_cuda_define_small(const hone_node *node, hone_text *out) {
  const hone_type *w = &node->inputs[HONE_CONV_W].value->type;
  const hone_dim *taps = w->shape.dim;
  int last = w->shape.rank - 1;
  hone_cuda_cut c = cut_of(node);
  hone_cuda_define_types(w->dtype, out);
  hone_text_printf(out,
                   "#define TAPS_Y %d\n#define TAPS_X %d\n#define CHANNELS %d\n#define FILTERS %d\n"
                   "#define CHUNK %d\n#define WIDE %d\n#define WORDS %d\n",
                   last == 3 ? (int)taps[0] : 1, (int)taps[last - 2], (int)taps[last - 1],
                   (int)c.filters, (int)c.chunk, (int)c.wide, (int)c.words);
}

bool hone_cuda_is_long(const hone_spatial *w, int64_t channels) {
  for (int i = 0; i < 2; i++)
    if (w->in[i] > MOST_ALONG || w->before[i] > MOST_ALONG || w->before[i] < -MOST_ALONG ||
        w->after[i] > MOST_ALONG)
      return true;
  return w->in[0] * w->in[1] > INT32_MAX / channels;
}

/* Blocks: columns of several threads, and so many pixels that there are enough blocks. */
static void put_grid(const hone_cuda_cut *c, hone_cuda_launch *launch) {
  long long *n = launch->args.n;
  int64_t groups = parts(c->filters, c->wide), across = parts(groups, THREADS / c->shares);
  n[15] = parts(groups, across);
  across = parts(groups, n[15]);
  int64_t lanes = c->shares * n[15], pixels = 1;
  while (2 * pixels * lanes <= THREADS &&
         (pixels * lanes < WARP || parts(n[0], 2 * pixels) * across >= HONE_CUDA_SMALL_ENOUGH))
    pixels *= 2;
  n[14] = pixels;
  hone_cuda_launch_small(launch, parts(n[0], pixels), across, pixels * lanes);
}

void hone_cuda_launch_small(hone_cuda_launch *launch, int64_t blocks, int64_t across, int64_t lanes) {
  launch->threads = (unsigned)(parts(lanes, WARP) * WARP);
  launch->grid[0] = (unsigned)(blocks < 1 ? 1 : blocks > MOST_BLOCKS ? MOST_BLOCKS : blocks);
  launch->grid[1] = (unsigned)across;
  launch->grid[2] = 1;
}

static hone_status *plan_small(const hone_cuda_stage *stage, const hone_group_view *view,
                               hone_cuda_plan *plan) {
  const hone_node *node = stage->core;
  const hone_shape *x = hone_cuda_shape(plan, node->inputs[HONE_CONV_X].value);
  const hone_shape *w = hone_cuda_shape(plan, node->inputs[HONE_CONV_W].value);
  const hone_shape *y = hone_cuda_shape(plan, node->outputs[0]);
  hone_cuda_cut c;
  hone_cuda_launch *launch;
  hone_spatial window;
  int64_t products;
  (void)view;
  HONE_TRY(hone_cuda_window(node, x, w->dim, false, &window));
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  if (!hone_cuda_small_cut(node, stage->variant - 1, &c))
    return hone_error(HONE_UNSUPPORTED, "the same lanes as in another variant");
  if (!hone_mul_s64(hone_cuda_small_products(node, y), y->dim[0], &products) ||
      products > HONE_CUDA_SMALL_ALL || hone_cuda_is_long(&window, w->dim[w->rank - 2]))
    return hone_error(HONE_UNSUPPORTED, "the convolution is not small");
  launch->args.n[0] = y->dim[0] * window.out[0] * window.out[1];
  hone_cuda_put_window(&window, launch->args.n + 2);
  launch->function = stage->functions[stage->variant - 1];
  put_grid(&c, launch);
  return NULL;
}

#define FORM(most)                                                                                 \
  {hone_cuda_text_conv_small, "#define MOST_WORDS " #most "\n", .before = hone_cuda_text_small}

const hone_cuda_kernel hone_cuda_kernel_conv_small = {
    .name = "conv_small",
    .candidate = "cuda.conv_small",
    .variants = HONE_CUDA_SMALL_FORMS,
    .only_chosen = true,
    .forms = {FORM(32), FORM(64), FORM(112)}, /* in the order of `words` */
    .pointers = 2,
    .finishes = true,
    .fixes = true,
    .bias = HONE_CONV_BIAS,
    .accepts = hone_cuda_is_small,
    .define = hone_cuda_define_small,
    .plan = plan_small};
