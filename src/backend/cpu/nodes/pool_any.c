/* pool nodes that pool.c does not take: p-norms, places of maxima, doubles and wide integers,
 * large windows. Room: backend/cpu/nodes.
 *
 * Pixel by pixel, channels in blocks of doubles or 64-bit integers, tap after tap. */
#include <math.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/spatial.h"

enum { WIDTH = 256 }; /* channels in a block */

typedef struct pooling {
  hone_spatial window;
  char kind; /* m, a, l */
  bool count_pads, column_major, real, is_signed;
  double p;
  hone_dtype dtype;
  size_t images, taps, channels, image, pixels; /* pixels of an input image, of an output one */
} pooling;

typedef union block {
  double real[WIDTH];
  int64_t whole[WIDTH];
} block;

static void position_of(size_t index, int rank, const int64_t *size, int64_t *at) {
  for (int i = rank - 1; i >= 0; i--) {
    at[i] = (int64_t)(index % (size_t)size[i]);
    index /= (size_t)size[i];
  }
}

/* Whether a tap outside the input counts in the average: in the padding, not beyond it. */
static bool counts(const pooling *p, const int64_t *at, const int64_t *tap) {
  const hone_spatial *w = &p->window;
  if (!p->count_pads) return false;
  for (int i = 0; i < w->rank; i++)
    if (at[i] * w->stride[i] - w->before[i] + tap[i] * w->dilation[i] >= w->in[i] + w->after[i])
      return false;
  return true;
}

/* The place of input pixel `pixel` in the order that indices count in. */
static int64_t place_of(const pooling *p, size_t pixel) {
  int64_t at[HONE_MAX_SPATIAL], place = 0;
  if (!p->column_major) return (int64_t)pixel;
  position_of(pixel, p->window.rank, p->window.in, at);
  for (int i = p->window.rank - 1; i >= 0; i--) place = place * p->window.in[i] + at[i];
  return place;
}

static bool is_greater(const pooling *p, const block *x, const block *best, size_t c) {
  if (p->real) {
    double a = x->real[c], b = best->real[c];
    return b == b && (a > b || a != a);
  }
  uint64_t flip = p->is_signed ? (uint64_t)1 << 63 : 0; /* orders as unsigned */
  return ((uint64_t)x->whole[c] ^ flip) > ((uint64_t)best->whole[c] ^ flip);
}

static void take_most(const pooling *p, const block *x, size_t count, bool first, int64_t place,
                      block *best, int64_t *places) {
  for (size_t c = 0; c < count; c++) {
    if (!first && !is_greater(p, x, best, c)) continue;
    best->whole[c] = x->whole[c]; /* a double's bits, too */
    places[c] = place;
  }
}

static void take_sum(const pooling *p, const double *x, size_t count, double *sum) {
  if (p->kind == 'a')
    for (size_t c = 0; c < count; c++) sum[c] += x[c];
  else if (p->p == 2)
    for (size_t c = 0; c < count; c++) sum[c] += x[c] * x[c];
  else
    for (size_t c = 0; c < count; c++) sum[c] += pow(fabs(x[c]), p->p);
}

static void start(const pooling *p, size_t count, block *total, int64_t *places) {
  int64_t lowest = p->is_signed ? -((int64_t)1 << (hone_dtype_bits(p->dtype) - 1)) : 0;
  for (size_t c = 0; c < count; c++) {
    places[c] = -1;
    if (p->real)
      total->real[c] = p->kind == 'm' ? -INFINITY : 0;
    else
      total->whole[c] = lowest;
  }
}

static void finish_sum(const pooling *p, double counted, size_t count, double *sum) {
  for (size_t c = 0; c < count; c++) {
    if (p->kind == 'a')
      sum[c] /= counted;
    else
      sum[c] = p->p == 2 ? sqrt(sum[c]) : pow(sum[c], 1 / p->p);
  }
}

/* Channels [from, from + count) of output pixel `pixel` of image `n`. */
static void pool_block(const pooling *p, const hone_kernel_io *io, size_t n, size_t pixel,
                       size_t from, size_t count) {
  int64_t at[HONE_MAX_SPATIAL], tap[HONE_MAX_SPATIAL], places[WIDTH];
  block total, x;
  double counted = 0;
  bool first = true;
  start(p, count, &total, places);
  position_of(pixel, p->window.rank, p->window.out, at);
  for (size_t t = 0; t < p->taps; t++) {
    size_t offset;
    position_of(t, p->window.rank, p->window.kernel, tap);
    bool inside = hone_spatial_tap(&p->window, at, tap, &offset);
    counted += inside || counts(p, at, tap);
    if (!inside) continue;
    size_t begin = (n * p->image + offset) * p->channels + from;
    if (p->real)
      hone_load_reals(p->dtype, io->in[0], begin, count, x.real);
    else
      hone_load_ints(p->dtype, io->in[0], begin, count, x.whole);
    if (p->kind == 'm')
      take_most(p, &x, count, first, place_of(p, offset), &total, places);
    else
      take_sum(p, x.real, count, total.real);
    first = false;
  }
  if (p->kind != 'm') finish_sum(p, counted, count, total.real);
  size_t to = (n * p->pixels + pixel) * p->channels + from;
  if (p->real)
    hone_store_reals(p->dtype, io->out[0], to, count, total.real);
  else
    hone_store_ints(p->dtype, io->out[0], to, count, total.whole);
  int64_t *indices = io->out[1];
  for (size_t c = 0; indices && c < count; c++) /* as if channels stood before the pixels */
    indices[to + c] =
        places[c] < 0 ? -1 : (int64_t)((n * p->channels + from + c) * p->image) + places[c];
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const pooling *p = args;
  size_t blocks = (p->channels + WIDTH - 1) / WIDTH, begin, end;
  hone_split(p->images * p->pixels * blocks, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t from = i % blocks * WIDTH, left = p->channels - from, pixel = i / blocks;
    pool_block(p, io, pixel / p->pixels, pixel % p->pixels, from, left < WIDTH ? left : WIDTH);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  hone_dtype_class klass = hone_dtype_class_of(dtype);
  for (const hone_cpu_kernel *k = hone_cpu_kernels; k < row; k++)
    if (k->op == node->op && k->functions->accepts(k, node)) return false;
  return dtype == HONE_F32 || dtype == HONE_F64 ||
         ((klass == HONE_CLASS_SIGNED || klass == HONE_CLASS_UNSIGNED) &&
          hone_dtype_bits(dtype) >= 8);
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_node *node = view->node;
  const hone_shape *x = &view->in[0]->shape;
  size_t count;
  const int64_t *kernel = hone_node_ints(node, "window", &count);
  pooling *p = HONE_NEW(arena, pooling);
  HONE_TRY_MEMORY(p);
  HONE_TRY(hone_spatial_window(node, x->rank - 2, x->dim + 1, kernel, hone_node_flag(node, "ceil"),
                               &p->window));
  p->kind = hone_node_text(node, "kind")[0];
  p->count_pads = hone_node_flag(node, "count_pads");
  p->column_major = hone_node_flag(node, "column_major");
  p->dtype = view->in[0]->dtype;
  p->real = hone_dtype_class_of(p->dtype) == HONE_CLASS_FLOAT;
  p->is_signed = hone_dtype_class_of(p->dtype) == HONE_CLASS_SIGNED;
  p->p = (double)hone_node_int(node, "p");
  p->images = (size_t)x->dim[0];
  p->taps = hone_spatial_count(p->window.rank, p->window.kernel);
  p->channels = (size_t)x->dim[x->rank - 1];
  p->image = hone_spatial_count(p->window.rank, p->window.in);
  p->pixels = hone_spatial_count(p->window.rank, p->window.out);
  out->work = (double)p->images * (double)p->pixels * (double)p->taps * (10 + (double)p->channels);
  out->kernel = hone_one_phase(run, p);
  return NULL;
}

const hone_node_functions hone_node_pool_any = {.accepts = accepts, .plan = plan};
