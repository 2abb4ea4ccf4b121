/* pool nodes, channels last: maximum of f32, bf16, u8 and s8, average of f32. Room:
 * backend/cpu/nodes.
 *
 * Each output pixel is made of the rows of channels under its window, all at once. */
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"
#include "ops/spatial.h"

enum { D, H, W, AXES };

#define MOST_TAPS 256 /* rows taken at once; larger windows are not for this kernel */

/* Which taps of a window lie in the input, and how many count in an average. */
typedef struct span {
  size_t first, taps; /* the first input position, and how many there are */
  size_t counted;
} span;

typedef struct pooling {
  bool max;
  hone_dtype dtype;
  size_t element; /* bytes */
  size_t batch, channels;
  size_t in_pixel, out_pixel; /* bytes from pixel to pixel */
  size_t in[AXES], out[AXES], dilation[AXES];
  const span *spans[AXES]; /* by output position */
  const hone_strips *strips;
} pooling;

static size_t find_rows(const pooling *p, const char *image, const span *d, const span *h,
                        const span *w, const void **rows) {
  size_t count = 0;
  for (size_t i = 0; i < d->taps; i++)
    for (size_t j = 0; j < h->taps; j++)
      for (size_t k = 0; k < w->taps; k++) {
        size_t z = d->first + i * p->dilation[D], y = h->first + j * p->dilation[H];
        size_t x = w->first + k * p->dilation[W];
        size_t pixel = (z * p->in[H] + y) * p->in[W] + x;
        rows[count++] = image + pixel * p->in_pixel;
      }
  return count;
}

static void run_pixel(const pooling *p, const void *const *rows, size_t count, double counted,
                      void *out) {
  const float *const *floats = (const float *const *)rows;
  if (p->dtype == HONE_U8)
    p->strips->max_rows_u8(rows, count, p->channels, out);
  else if (p->dtype == HONE_S8)
    p->strips->max_rows_s8(rows, count, p->channels, out);
  else if (p->dtype == HONE_BF16)
    p->strips->max_rows_bf16(rows, count, p->channels, out);
  else if (p->max)
    p->strips->max_rows(floats, count, p->channels, out);
  else
    p->strips->sum_rows(floats, count, p->channels, (float)(1 / counted), out);
}

static void run_line(const pooling *p, const char *image, size_t z, size_t y, char *out) {
  const void *rows[MOST_TAPS];
  const span *d = &p->spans[D][z], *h = &p->spans[H][y];
  for (size_t x = 0; x < p->out[W]; x++, out += p->out_pixel) {
    const span *w = &p->spans[W][x];
    size_t count = find_rows(p, image, d, h, w, rows);
    double counted = (double)d->counted * (double)h->counted * (double)w->counted;
    run_pixel(p, rows, count, counted, out);
  }
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const pooling *p = args;
  size_t line = p->out[W] * p->out_pixel;
  size_t image = p->in[D] * p->in[H] * p->in[W] * p->in_pixel;
  size_t begin, end;
  hone_split(p->batch * p->out[D] * p->out[H], 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t y = i % p->out[H], z = i / p->out[H] % p->out[D], n = i / p->out[H] / p->out[D];
    run_line(p, (const char *)io->in[0] + n * image, z, y, (char *)io->out[0] + i * line);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  const hone_type *x = &node->inputs[0].value->type;
  size_t count, taps = 1;
  const int64_t *window = hone_node_ints(node, "window", &count);
  for (size_t i = 0; i < count; i++)
    if (!hone_mul(taps, (size_t)window[i], &taps)) return false;
  bool moves = x->dtype == HONE_U8 || x->dtype == HONE_S8 || x->dtype == HONE_BF16;
  if (moves && hone_node_text(node, "kind")[0] != 'm') return false;
  return (x->dtype == HONE_F32 || moves) && !hone_node_out(node, 1) && count >= 1 &&
         count <= AXES && hone_node_text(node, "kind")[0] != 'l' && taps <= MOST_TAPS;
}

static hone_status *make_spans(const hone_spatial *w, int axis, bool count_pads, hone_arena *arena,
                               const span **out) {
  span *spans = HONE_NEW_ARRAY(arena, (size_t)w->out[axis] + 1, span);
  HONE_TRY_MEMORY(spans);
  for (int64_t o = 0; o < w->out[axis]; o++) {
    span *s = &spans[o];
    for (int64_t t = 0; t < w->kernel[axis]; t++) {
      int64_t at = o * w->stride[axis] - w->before[axis] + t * w->dilation[axis];
      bool inside = at >= 0 && at < w->in[axis];
      if (inside && s->taps++ == 0) s->first = (size_t)at;
      if (inside || (count_pads && at < w->in[axis] + w->after[axis])) s->counted++;
    }
  }
  *out = spans;
  return NULL;
}

/* Pixels at an even pitch. */
static bool strided(const hone_cpu_kernel *row, const hone_node *node, int operand,
                    const hone_shape *shape, const hone_layout *layout) {
  (void)row;
  ptrdiff_t pitch;
  (void)node;
  return operand <= 0 && hone_layout_pitch(layout, shape, &pitch);
}

static size_t pixel_bytes(const pooling *p, const hone_shape *shape, const hone_layout *layout) {
  ptrdiff_t pitch = (ptrdiff_t)p->channels;
  if (layout) (void)hone_layout_pitch(layout, shape, &pitch);
  return (size_t)pitch * p->element;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_node *node = view->node;
  const hone_shape *x = &view->in[0]->shape;
  static const span one = {0, 1, 1};
  hone_spatial window;
  size_t count, elements = 0;
  const int64_t *kernel = hone_node_ints(node, "window", &count);
  pooling *p = HONE_NEW(arena, pooling);
  HONE_TRY_MEMORY(p);
  HONE_TRY(hone_spatial_window(node, (int)count, x->dim + 1, kernel, hone_node_flag(node, "ceil"),
                               &window));
  p->max = hone_node_text(node, "kind")[0] == 'm';
  p->dtype = view->in[0]->dtype;
  p->element = hone_dtype_bits(p->dtype) / 8;
  p->batch = (size_t)x->dim[0];
  p->channels = (size_t)x->dim[x->rank - 1];
  p->in_pixel = pixel_bytes(p, x, view->in_layout[0]);
  p->out_pixel = pixel_bytes(p, &view->out[0]->shape, view->out_layout);
  p->strips = hone_strips_here();
  double taps = 1;
  for (int i = 0; i < AXES; i++) {
    int axis = i - (AXES - window.rank);
    p->in[i] = axis < 0 ? 1 : (size_t)window.in[axis];
    p->out[i] = axis < 0 ? 1 : (size_t)window.out[axis];
    p->dilation[i] = axis < 0 ? 1 : (size_t)window.dilation[axis];
    p->spans[i] = &one;
    if (axis < 0) continue;
    taps *= (double)window.kernel[axis];
    HONE_TRY(make_spans(&window, axis, hone_node_flag(node, "count_pads"), arena, &p->spans[i]));
  }
  hone_shape_count(&view->out[0]->shape, &elements);
  out->work = (double)elements * taps * 0.05;
  out->kernel = hone_one_phase(run, p);
  return NULL;
}

const hone_node_functions hone_node_pool = {
    .accepts = accepts, .plan = plan, .pitches = true, .row_inputs = 1, .strided = strided};
