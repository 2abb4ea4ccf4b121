/* grid_sample: reads a picture at positions that a grid gives, in -1..1 of each axis; any number
 * of spatial axes, channels last. Room: ops. */
#include <math.h>
#include <string.h>

#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/sampling.h"

enum { X, GRID };

static hone_status *grid_sample_infer(hone_infer *infer) {
  HONE_TRY(hone_infer_class(infer, X, HONE_FLOATS | HONE_INTEGERS));
  HONE_TRY(hone_infer_class(infer, GRID, HONE_FLOATS));
  const hone_shape *x = &infer->in[X]->shape, *grid = &infer->in[GRID]->shape;
  infer->out[0] = hone_tensor_type(infer->in[X]->dtype, hone_shape_unknown());
  if (x->rank < 0 || grid->rank < 0) return NULL;
  hone_dim batch, axes;
  if (x->rank < 3 || grid->rank != x->rank ||
      !hone_dim_unify(grid->dim[grid->rank - 1], x->rank - 2, &axes) ||
      !hone_dim_unify(x->dim[0], grid->dim[0], &batch))
    return hone_infer_fail(infer, "the grid does not fit x");
  hone_shape *out = &infer->out[0].shape;
  *out = *grid;
  out->dim[0] = batch;
  out->dim[out->rank - 1] = x->dim[x->rank - 1];
  return NULL;
}

hone_sampler hone_sampler_of(const hone_node *node, const hone_shape *x) {
  hone_sampler s = {.rank = x->rank - 2,
                    .mode = hone_node_text(node, "mode")[0],
                    .padding = hone_node_text(node, "padding")[0],
                    .align = hone_node_flag(node, "align_corners")};
  s.taps = s.mode == 'n' ? 1 : s.mode == 'l' ? 2 : HONE_SAMPLER_TAPS;
  for (int i = 0; i < s.rank; i++) s.size[i] = x->dim[1 + i];
  return s;
}

/* `x` mirrored at the borders until it lies between them. */
static double reflect(double x, double least, double most) {
  double range = most - least;
  if (range <= 0) return least;
  if (x >= least && x <= most) return x;
  double beyond = x < least ? least - x : x - most, turns = floor(beyond / range);
  double rest = beyond - turns * range;
  return (fmod(turns, 2) == 0) == (x < least) ? least + rest : most - rest;
}

static double pad_position(const hone_sampler *s, double x, double size) {
  double least = s->align ? 0 : -0.5;
  if (s->padding == 'b') return fmax(0, fmin(size - 1, x));
  return s->padding == 'r' ? reflect(x, least, size - 1 - least) : x;
}

/* A position that is no number, or too far to count in integers, lies outside. */
static double tame(double x) {
  return fabs(x) < 1e15 ? x : -1e15;
}

/* Of a number that is tame; quicker than the library's floor. */
static int64_t floor_of(double x) {
  int64_t whole = (int64_t)x;
  return whole - ((double)whole > x);
}

/* Keys' cubic kernel with a = -0.75 at distance `x`. */
static double cubic(double x) {
  const double a = -0.75;
  x = fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

void hone_sampler_taps(const hone_sampler *s, int axis, double g, int64_t *index, double *weight) {
  double size = (double)s->size[axis];
  double x = s->align ? (g + 1) / 2 * (size - 1) : ((g + 1) * size - 1) / 2;
  x = tame(x);
  if (s->mode == 'n') x = nearbyint(x);
  if (s->mode != 'c') x = pad_position(s, x, size); /* cubic taps are padded one by one */
  int64_t base = s->mode == 'n' ? (int64_t)nearbyint(x) : floor_of(x) - (s->mode == 'c');
  for (int i = 0; i < s->taps; i++) {
    double place = (double)(base + i);
    int64_t padded = (int64_t)pad_position(s, place, size);
    weight[i] = s->mode == 'n' ? 1 : s->mode == 'l' ? 1 - fabs(x - place) : cubic(x - place);
    bool inside = padded >= 0 && padded < s->size[axis];
    index[i] = inside ? padded : 0;
    if (!inside) weight[i] = 0;
  }
}

/* All channels of one output pixel. */
static void sample_pixel(const hone_sampler *s, const double *image, const double *grid,
                         size_t channels, double *out) {
  int64_t index[HONE_MAX_SPATIAL][HONE_SAMPLER_TAPS];
  int64_t limit[HONE_MAX_SPATIAL], at[HONE_MAX_SPATIAL] = {0};
  double weight[HONE_MAX_SPATIAL][HONE_SAMPLER_TAPS];
  for (int i = 0; i < s->rank; i++) {
    hone_sampler_taps(s, i, grid[s->rank - 1 - i], index[i], weight[i]);
    limit[i] = s->taps;
  }
  do {
    double product = 1;
    size_t offset = 0;
    for (int i = 0; i < s->rank; i++) {
      product *= weight[i][at[i]];
      offset = offset * (size_t)s->size[i] + (size_t)index[i][at[i]];
    }
    for (size_t c = 0; product != 0 && c < channels; c++)
      out[c] += product * image[offset * channels + c];
  } while (hone_step(s->rank, limit, at));
}

static hone_status *grid_sample_reference(hone_reference *ref) {
  const hone_shape *x = &ref->in[X]->shape;
  hone_sampler s = hone_sampler_of(ref->node, x);
  double *data, *grid, *y;
  size_t channels = (size_t)x->dim[x->rank - 1], image = hone_shape_span(x, 1, x->rank);
  size_t count = hone_datum_count(ref->out[0]);
  HONE_TRY(hone_operand_reals(ref, X, &data));
  HONE_TRY(hone_operand_reals(ref, GRID, &grid));
  HONE_TRY(hone_scratch_reals(ref, count, &y));
  size_t pixels = hone_shape_span(&ref->out[0]->shape, 1, x->rank - 1);
  for (size_t n = 0; image && count && n < (size_t)x->dim[0]; n++)
    for (size_t p = n * pixels; p < (n + 1) * pixels; p++)
      sample_pixel(&s, data + n * image, grid + p * (size_t)s.rank, channels, y + p * channels);
  hone_store_reals(ref->out[0]->dtype, ref->out[0]->data, 0, count, y);
  return NULL;
}

const hone_op hone_op_grid_sample = {
    .name = "grid_sample",
    .inputs = "x grid", /* [n, s…, c]; [n, o…, axes], the last axis's coordinate first */
    .outputs = "y",     /* [n, o…, c] */
    .attrs = {{"mode", HONE_ATTR_CHOICE, "linear", "nearest|linear|cubic"},
              {"padding", HONE_ATTR_CHOICE, "zeros", "zeros|border|reflection"},
              {"align_corners", HONE_ATTR_FLAG, "false", NULL}}, /* -1, 1: centres of the corners */
    .infer = grid_sample_infer,
    .reference = grid_sample_reference,
};
