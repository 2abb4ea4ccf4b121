/* deform_conv nodes of floats: pixels are sampled into columns, which are multiplied by the
 * weights. Room: backend/cpu/nodes.
 *
 * The first phase packs the weights, which may be computed; the second takes blocks of pixels. */
#include <math.h>
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "backend/cpu/products/real.h"
#include "base/pool.h"
#include "ops/spatial.h"

enum { X, W, OFFSET, BIAS, MASK };
enum { BLOCK = 32 }; /* pixels */

typedef struct deformed {
  hone_spatial window;
  size_t images, image, pixels; /* elements of an input image; pixels of an output one */
  size_t channels, filters, groups, sets, taps;
  size_t depth, panel; /* of a group: elements of a column; of its pack */
  const hone_real_tiles *tiles;
  const hone_real_lines *lines;
  size_t shared_scratch, part_scratch;
} deformed;

static void pack(const void *args, const hone_kernel_io *io, int part, int parts) {
  const deformed *d = args;
  size_t outer = d->filters / d->groups, begin, end;
  hone_split(d->groups, 1, part, parts, &begin, &end);
  for (size_t g = begin; g < end; g++)
    hone_real_pack(d->tiles, d->depth, outer, (const real *)io->in[W] + g * outer,
                   (ptrdiff_t)d->filters, 1, (real *)io->scratch + g * d->panel);
}

/* What of the four neighbours of (y, x) lies inside: rows of channels and their weights. */
static size_t neighbours(const deformed *d, const real *image, double y, double x, double factor,
                         const real **rows, real *weights) {
  double height = (double)d->window.in[0], width = (double)d->window.in[1];
  size_t count = 0;
  if (!(y > -1 && y < height && x > -1 && x < width)) return 0;
  double top = floor(y), left = floor(x);
  for (int i = 0; i < 4; i++) {
    double py = top + i / 2, px = left + i % 2;
    if (py < 0 || py >= height || px < 0 || px >= width) continue;
    rows[count] = image + ((size_t)py * (size_t)width + (size_t)px) * d->channels;
    weights[count++] = (real)((1 - fabs(y - py)) * (1 - fabs(x - px)) * factor);
  }
  return count;
}

/* The channels [from, to) of one tap, which lie in one set and one group. */
static void blend(const deformed *d, const real *const *rows, const real *weights, size_t count,
                  size_t from, size_t to, real *out) {
  const real *at[4];
  for (size_t i = 0; i < count; i++) at[i] = rows[i] + from;
  d->lines->blend_rows(at, weights, count, to - from, out);
}

/* The columns of one output pixel: `columns` is that pixel's of the first group. */
static void sample_pixel(const deformed *d, const hone_kernel_io *io, size_t pixel, real *columns) {
  const hone_spatial *w = &d->window;
  const real *image = (const real *)io->in[X] + pixel / d->pixels * d->image;
  const real *offset = io->in[OFFSET], *mask = io->in[MASK], *rows[4];
  int64_t inside = (int64_t)(pixel % d->pixels);
  double row = (double)(inside / w->out[1] * w->stride[0] - w->before[0]);
  double column = (double)(inside % w->out[1] * w->stride[1] - w->before[1]);
  size_t inner = d->channels / d->groups, share = d->channels / d->sets;
  real weights[4];
  for (size_t tap = 0; tap < d->taps; tap++)
    for (size_t set = 0; set < d->sets; set++) {
      size_t field = (pixel * d->sets + set) * d->taps + tap, end = (set + 1) * share;
      double y = row + (double)((int64_t)tap / w->kernel[1] * w->dilation[0]);
      double x = column + (double)((int64_t)tap % w->kernel[1] * w->dilation[1]);
      size_t count =
          neighbours(d, image, y + (double)offset[2 * field], x + (double)offset[2 * field + 1],
                     mask ? (double)mask[field] : 1, rows, weights);
      for (size_t c = set * share, to; c < end; c = to) {
        size_t group = c / inner;
        to = (group + 1) * inner < end ? (group + 1) * inner : end;
        blend(d, rows, weights, count, c, to,
              columns + group * BLOCK * d->depth + tap * inner + c % inner);
      }
    }
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const deformed *d = args;
  char *own = (char *)io->scratch + d->shared_scratch + (size_t)part * d->part_scratch;
  real *columns = (real *)(void *)own;
  const real *bias = io->in[BIAS];
  size_t begin, end, outer = d->filters / d->groups;
  hone_split(d->images * d->pixels, BLOCK, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i += BLOCK) {
    size_t count = end - i < BLOCK ? end - i : BLOCK;
    real *y = (real *)io->out[0] + i * d->filters;
    for (size_t k = 0; k < count; k++) {
      sample_pixel(d, io, i + k, columns + k * d->depth);
      if (bias) memcpy(y + k * d->filters, bias, d->filters * sizeof *y);
    }
    for (size_t g = 0; g < d->groups; g++)
      hone_real_multiply(d->tiles, count, d->depth, outer, columns + g * BLOCK * d->depth,
                         (ptrdiff_t)d->depth, (const real *)io->scratch + g * d->panel,
                         y + g * outer, (ptrdiff_t)d->filters, bias != NULL);
  }
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  return node->inputs[X].value->type.dtype == HONE_REAL_DTYPE;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[X]->shape, *w = &view->in[W]->shape;
  deformed *d = HONE_NEW(arena, deformed);
  size_t columns, weights;
  HONE_TRY_MEMORY(d);
  HONE_TRY(hone_spatial_window(view->node, 2, x->dim + 1, w->dim, false, &d->window));
  d->images = (size_t)x->dim[0];
  d->image = hone_shape_span(x, 1, 4);
  d->pixels = hone_spatial_count(2, d->window.out);
  d->channels = (size_t)x->dim[3];
  d->filters = (size_t)w->dim[3];
  d->groups = (size_t)hone_node_int(view->node, "groups");
  d->sets = (size_t)hone_node_int(view->node, "offset_groups");
  d->taps = (size_t)(w->dim[0] * w->dim[1]);
  d->depth = d->taps * (d->channels / d->groups);
  d->lines = hone_real_lines_here();
  d->tiles = hone_real_tiles_here();
  d->panel = hone_align_up(hone_real_pack_size(d->tiles, d->depth, d->filters / d->groups), 16);
  if (d->depth == 0 || d->panel == 0 || d->image == 0)
    return hone_error(HONE_UNSUPPORTED, "a deformable convolution of nothing");
  if (!hone_mul(d->depth, BLOCK * sizeof(real) * d->groups, &columns) ||
      !hone_mul(d->panel, sizeof(real) * d->groups, &weights))
    return hone_error(HONE_LIMIT, "a deformable convolution of too many channels");
  d->part_scratch = hone_align_up(columns, 64);
  d->shared_scratch = weights;
  out->work = (double)d->images * (double)d->pixels * (double)d->taps * (double)d->channels *
              ((double)d->filters / (double)d->groups / 50 + 0.3);
  out->kernel = (hone_kernel_plan){.phases = {pack, run},
                                   .phase_count = 2,
                                   .args = d,
                                   .shared_scratch = d->shared_scratch,
                                   .part_scratch = d->part_scratch};
  return NULL;
}

const hone_node_functions HONE_REAL_NAME(hone_node_deform_conv) = {.accepts = accepts,
                                                                   .plan = plan};
