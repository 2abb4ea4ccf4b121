/* resize nodes: nearest for every type of whole bytes, linear and cubic for f32.
 * Room: backend/cpu/nodes.
 *
 * Up to three axes change. Runs of elements that no axis cuts are blended whole; where the last
 * axis itself changes, rows are blended first and taps taken along the row then. */
#include <string.h>

#include "backend/cpu/nodes/resize.h"
#include "backend/cpu/lines/strips.h"
#include "base/pool.h"

enum { X, ROI, SCALES, SIZES };
enum { MOST_AXES = 3, MOST_ROWS = 64 };

/* One axis that changes: [out][taps] positions and weights. */
typedef struct axis_taps {
  int axis;
  size_t in, out, taps;
  const size_t *at;
  const float *weight;
  const bool *outside; /* which outputs are extrapolated */
} axis_taps;

typedef struct resizing {
  int rank, count; /* of x; axes that change */
  axis_taps axes[MOST_AXES];
  int changes[HONE_MAX_RANK];                           /* by axis: 1 + the place in axes, or 0 */
  size_t in_stride[HONE_MAX_RANK], size[HONE_MAX_RANK]; /* elements; sizes of the output */
  int runs;                                             /* axes before the run */
  size_t run, element;                                  /* elements of a run, bytes of one */
  size_t row_runs, pitch; /* runs to a row of the output; elements from row to row */
  const axis_taps *along; /* the last axis, where it changes and weights are used */
  size_t row;             /* elements of the input's row then */
  float extrapolation;
  bool nearest;
  const hone_strips *strips;
  size_t part_scratch;
} resizing;

/* The rows of x that make run `index` of the output, whose place on the first `axes` axes that is,
 * with their weights. False outside. */
static bool find_rows(const resizing *r, const char *x, int axes, size_t index, const void **rows,
                      float *weights, size_t *count) {
  size_t base = 0;
  bool inside = true;
  *count = 1;
  rows[0] = x;
  weights[0] = 1;
  for (int i = axes - 1; i >= 0; i--) {
    size_t at = index % r->size[i], have = *count;
    index /= r->size[i];
    if (!r->changes[i]) {
      base += at * r->in_stride[i];
      continue;
    }
    const axis_taps *a = &r->axes[r->changes[i] - 1];
    inside = inside && !a->outside[at];
    for (size_t t = a->taps; t-- > 0;) /* the first tap last: it replaces what is there */
      for (size_t k = 0; k < have; k++) {
        size_t to = t * have + k, tap = at * a->taps + t;
        rows[to] = (const char *)rows[k] + a->at[tap] * r->in_stride[i] * r->element;
        weights[to] = weights[k] * a->weight[tap];
      }
    *count = have * a->taps;
  }
  for (size_t k = 0; k < *count; k++) rows[k] = (const char *)rows[k] + base * r->element;
  return inside;
}

/* Where run `index` of the output begins, in elements. */
static size_t run_begin(const resizing *r, size_t index) {
  if (r->row_runs == 1) return index * r->pitch;
  return index / r->row_runs * r->pitch + index % r->row_runs * r->run;
}

static void take_along(const resizing *r, const float *row, float *out) {
  const axis_taps *a = r->along;
  for (size_t x = 0; x < a->out; x++) {
    float sum = 0;
    for (size_t t = 0; t < a->taps; t++)
      sum += a->weight[x * a->taps + t] * row[a->at[x * a->taps + t]];
    out[x] = a->outside[x] ? r->extrapolation : sum;
  }
}

static void fill(float *out, size_t count, float value) {
  for (size_t i = 0; i < count; i++) out[i] = value;
}

static void run_blended(const void *args, const hone_kernel_io *io, int part, int parts) {
  const resizing *r = args;
  float *scratch = (float *)((char *)io->scratch + (size_t)part * r->part_scratch);
  const void *rows[MOST_ROWS];
  float weights[MOST_ROWS];
  size_t total = 1, begin, end, count;
  for (int i = 0; i < r->runs; i++) total *= r->size[i];
  hone_split(total, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    float *out = (float *)io->out[0] + run_begin(r, i);
    if (!find_rows(r, io->in[X], r->runs, i, rows, weights, &count)) {
      fill(out, r->run, r->extrapolation);
      continue;
    }
    float *blended = r->along ? scratch : out;
    r->strips->blend_rows((const float *const *)rows, weights, count, r->along ? r->row : r->run,
                          blended);
    if (r->along) take_along(r, blended, out);
  }
}

/* Runs at[i] * step bytes from x on, side by side. */
static void take_runs(const char *x, const size_t *at, size_t step, size_t count, size_t bytes,
                      char *y, size_t pitch) {
#define TAKE(size) \
  for (size_t i = 0; i < count; i++, y += pitch) memcpy(y, x + at[i] * step, size)
  if (bytes == 1)
    TAKE(1);
  else if (bytes == 4)
    TAKE(4);
  else
    TAKE(bytes);
#undef TAKE
}

/* Line by line of the last axis before the run, where that changes; else run by run. */
static void run_nearest(const void *args, const hone_kernel_io *io, int part, int parts) {
  const resizing *r = args;
  const void *x = io->in[X], *row[MOST_ROWS];
  float weight[MOST_ROWS];
  bool changes = r->runs > 0 && r->changes[r->runs - 1];
  int axes = r->runs - changes;
  const axis_taps *a = changes ? &r->axes[r->changes[axes] - 1] : NULL;
  size_t lines = 1, begin, end, count, each = a ? a->out : 1, bytes = r->run * r->element;
  size_t pitch = (r->row_runs == 1 ? r->pitch : r->run) * r->element;
  for (int i = 0; i < axes; i++) lines *= r->size[i];
  hone_split(lines, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    char *y = (char *)io->out[0] + run_begin(r, i * each) * r->element;
    find_rows(r, x, axes, i, row, weight, &count);
    if (a)
      take_runs(row[0], a->at, r->in_stride[axes] * r->element, each, bytes, y, pitch);
    else
      memcpy(y, row[0], bytes);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[X].value->type.dtype;
  bool nearest = hone_node_text(node, "mode")[0] == 'n';
  bool crops = strcmp(hone_node_text(node, "coordinates"), "tf_crop_and_resize") == 0;
  if (nearest) return hone_dtype_bits(dtype) >= 8 && dtype != HONE_STR && !crops;
  return dtype == HONE_F32;
}

/* Input `index` as doubles; none where it is absent or empty. */
static hone_status *reals(const hone_node_view *view, int index, double *out, size_t *count) {
  *count = 0;
  if (index >= view->node->input_count || !view->in[index]) return NULL;
  const hone_datum *known = view->known[index];
  if (!known) return hone_error(HONE_UNSUPPORTED, "a resize by sizes that are not known");
  *count = hone_datum_count(known);
  if (*count > 2 * HONE_MAX_RANK) return hone_error(HONE_UNSUPPORTED, "a resize of many axes");
  hone_load_reals(known->dtype, known->data, 0, *count, out);
  return NULL;
}

hone_status *hone_resize_of(const hone_node_view *view, hone_resize *out) {
  double roi[2 * HONE_MAX_RANK], scales[2 * HONE_MAX_RANK], sizes[2 * HONE_MAX_RANK];
  size_t roi_count, scale_count, size_count;
  HONE_TRY(reals(view, ROI, roi, &roi_count));
  HONE_TRY(reals(view, SCALES, scales, &scale_count));
  HONE_TRY(reals(view, SIZES, sizes, &size_count));
  return hone_resize_read(view->node, &view->in[X]->shape, roi, roi_count, scales, scale_count,
                          sizes, size_count, out);
}

static hone_status *make_taps(const hone_node *node, const hone_resize_axis *from,
                              hone_arena *arena, axis_taps *out) {
  size_t taps = hone_resize_taps(node, from), positions = (size_t)from->out, all;
  if (taps > MOST_ROWS || !hone_mul(taps, positions, &all))
    return hone_error(HONE_UNSUPPORTED, "a resize of very many taps");
  size_t *at = HONE_NEW_ARRAY(arena, all + 1, size_t);
  float *weight = HONE_NEW_ARRAY(arena, all + 1, float);
  bool *outside = HONE_NEW_ARRAY(arena, positions + 1, bool);
  if (!at || !weight || !outside) return hone_error_memory();
  for (size_t o = 0; o < positions; o++) {
    int64_t index[MOST_ROWS];
    double weights[MOST_ROWS];
    outside[o] = !hone_resize_tap(node, from, (int64_t)o, index, weights);
    for (size_t t = 0; t < taps; t++) {
      at[o * taps + t] = (size_t)index[t];
      weight[o * taps + t] = (float)weights[t];
    }
  }
  *out = (axis_taps){from->axis, (size_t)from->in, positions, taps, at, weight, outside};
  return NULL;
}

/* Cuts the axes into those that are walked and the run, which is within a row of the output where
 * rows lie apart. */
static hone_status *set_runs(resizing *r, const hone_shape *x, const hone_shape *y,
                             const hone_layout *apart) {
  size_t step = 1, rows = 1;
  for (int i = x->rank - 1; i >= 0; i--) {
    r->in_stride[i] = step;
    r->size[i] = (size_t)y->dim[i];
    step *= (size_t)x->dim[i];
  }
  r->run = 1;
  r->runs = x->rank;
  int least = apart ? x->rank - 1 : 0;
  while (r->runs > least && !r->changes[r->runs - 1]) r->run *= r->size[--r->runs];
  if (!r->nearest && r->runs == x->rank && x->rank > 0) {
    r->along = &r->axes[r->changes[x->rank - 1] - 1];
    r->row = r->along->in;
    r->run = r->along->out;
    r->runs--;
  }
  r->row_runs = apart && r->run ? r->size[x->rank - 1] / r->run : 1;
  ptrdiff_t pitch = (ptrdiff_t)r->run;
  if (apart) (void)hone_layout_pitch(apart, y, &pitch);
  r->pitch = (size_t)pitch;
  for (int i = 0; i < r->count; i++)
    if (&r->axes[i] != r->along) rows *= r->axes[i].taps;
  return rows <= MOST_ROWS ? NULL : hone_error(HONE_UNSUPPORTED, "a resize of very many taps");
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  hone_resize resize;
  size_t elements = 0;
  resizing *r = HONE_NEW(arena, resizing);
  HONE_TRY_MEMORY(r);
  HONE_TRY(hone_resize_of(view, &resize));
  r->element = hone_dtype_bits(view->in[X]->dtype) / 8;
  r->nearest = hone_node_text(view->node, "mode")[0] == 'n';
  r->extrapolation = (float)hone_node_real(view->node, "extrapolation");
  r->strips = hone_strips_here();
  hone_shape_count(&view->out[0]->shape, &elements);
  for (int i = 0; elements && i < resize.count; i++) {
    const hone_resize_axis *a = &resize.axes[i];
    if (a->in == a->out && a->scale == 1 && a->begin == 0 && a->end == 1) continue;
    if (r->count == MOST_AXES) return hone_error(HONE_UNSUPPORTED, "a resize of many axes");
    HONE_TRY(make_taps(view->node, a, arena, &r->axes[r->count++]));
    r->changes[a->axis] = r->count;
  }
  HONE_TRY(set_runs(r, &view->in[X]->shape, &view->out[0]->shape, view->out_layout));
  r->part_scratch = r->along ? hone_align_up(r->row * sizeof(float), 64) : 0;
  out->work = (double)elements * (r->nearest ? 0.2 : 1);
  out->kernel = hone_one_phase(r->nearest ? run_nearest : run_blended, r);
  out->kernel.part_scratch = r->part_scratch;
  return NULL;
}

/* Rows of the result at an even pitch. */
static bool strided(const hone_cpu_kernel *row, const hone_node *node, int operand,
                    const hone_shape *shape, const hone_layout *layout) {
  (void)row;
  ptrdiff_t pitch;
  (void)node;
  return operand < 0 && hone_layout_pitch(layout, shape, &pitch);
}

const hone_node_functions hone_node_resize = {
    .accepts = accepts, .plan = plan, .pitches = true, .strided = strided};
