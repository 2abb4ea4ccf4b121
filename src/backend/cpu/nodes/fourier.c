/* dft and stft nodes, f32 and f64: lines or frames, eight at a time. Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/lines/fourier.h"
#include "backend/cpu/nodes/node.h"
#include "base/pool.h"

enum { X, LENGTH, AXIS };      /* of dft */
enum { STEP = 1, WINDOW = 2 }; /* of stft */
enum { LANES = HONE_FOURIER_LANES };

typedef struct spectrum {
  hone_lines_fourier fourier;
  hone_fourier_function *run;
  hone_dtype dtype, window;         /* window: none where absent */
  size_t lines, size, length, bins; /* size: elements of a line that there are */
  size_t from_parts, to_parts;      /* numbers of an element */
  size_t inner;                     /* dft: elements between neighbours of a line */
  size_t frames, samples, step;     /* stft: of a signal */
  size_t window_size;
  bool folded; /* half a spectrum in */
  double scale;
  size_t part_scratch;
} spectrum;

static inline double load(hone_dtype dtype, const void *x, size_t at) {
  return dtype == HONE_F32 ? (double)((const float *)x)[at] : ((const double *)x)[at];
}
static inline void store(hone_dtype dtype, void *y, size_t at, double value) {
  if (dtype == HONE_F32)
    ((float *)y)[at] = (float)value;
  else
    ((double *)y)[at] = value;
}

/* Element `i` of line `line` of x, in elements; where the line's bins go, and how far apart. */
static size_t element_at(const spectrum *s, size_t line, size_t i) {
  if (s->frames) return line / s->frames * s->samples + line % s->frames * s->step + i;
  return (line / s->inner * s->size + i) * s->inner + line % s->inner;
}
static size_t bin_at(const spectrum *s, size_t line, size_t k) {
  return (line / s->inner * s->bins + k) * s->inner + line % s->inner;
}

static double weight_of(const spectrum *s, const hone_kernel_io *io, size_t i) {
  if (!s->window) return 1;
  return i < s->window_size ? hone_load_real(s->window, io->in[WINDOW], i) : 0;
}

static void load_lines(const spectrum *s, const hone_kernel_io *io, size_t first, size_t count,
                       double *to) {
  memset(to, 0, s->length * 2 * LANES * sizeof *to);
  for (size_t i = 0; i < s->size && i < s->length; i++) {
    double weight = weight_of(s, io, i);
    for (size_t lane = 0; lane < count; lane++) {
      size_t at = element_at(s, first + lane, i) * s->from_parts;
      for (size_t part = 0; part < s->from_parts; part++)
        to[(2 * i + part) * LANES + lane] = load(s->dtype, io->in[X], at + part) * weight;
    }
  }
}

/* Completes the half of a spectrum whose other half is its conjugate. */
static void unfold(double *x, size_t length) {
  memset(x + LANES, 0, LANES * sizeof *x);
  if (length % 2 == 0) memset(x + (length + 1) * LANES, 0, LANES * sizeof *x);
  for (size_t i = length / 2 + 1; i < length; i++)
    for (size_t lane = 0; lane < LANES; lane++) {
      x[2 * i * LANES + lane] = x[2 * (length - i) * LANES + lane];
      x[(2 * i + 1) * LANES + lane] = -x[(2 * (length - i) + 1) * LANES + lane];
    }
}

static void store_lines(const spectrum *s, const hone_kernel_io *io, size_t first, size_t count,
                        const double *from) {
  for (size_t k = 0; k < s->bins; k++)
    for (size_t lane = 0; lane < count; lane++) {
      size_t at = bin_at(s, first + lane, k) * s->to_parts;
      for (size_t part = 0; part < s->to_parts; part++)
        store(s->dtype, io->out[0], at + part, from[(2 * k + part) * LANES + lane] * s->scale);
    }
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const spectrum *s = args;
  double *in = (double *)((char *)io->scratch + (size_t)part * s->part_scratch);
  double *out = in + s->length * 2 * LANES, *space = out + s->length * 2 * LANES;
  size_t begin, end;
  hone_split(s->lines, LANES, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i += LANES) {
    size_t count = end - i < LANES ? end - i : LANES;
    load_lines(s, io, i, count, in);
    if (s->folded) unfold(in, s->length);
    s->run(&s->fourier, in, out, space);
    store_lines(s, io, i, count, out);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[X].value->type.dtype;
  return dtype == HONE_F32 || dtype == HONE_F64;
}

/* A scalar input; `otherwise` where absent or empty. */
static hone_status *scalar(const hone_node_view *view, int index, int64_t otherwise, int64_t *out) {
  size_t count;
  *out = otherwise;
  if (index >= view->node->input_count || !view->in[index]) return NULL;
  if (hone_view_ints(view, index, out, 1, &count)) return NULL;
  return hone_error(HONE_UNSUPPORTED, "a length, step or axis that is not known");
}

static hone_status *finish_plan(spectrum *s, const hone_node_view *view, bool inverse,
                                hone_arena *arena, hone_node_plan *out) {
  size_t numbers;
  s->dtype = view->in[X]->dtype;
  s->run = hone_fourier_here();
  HONE_TRY(hone_fourier_plan(s->length, inverse, arena, &s->fourier));
  if (!hone_mul(2 * s->length + s->fourier.most, 2 * LANES * sizeof(double), &numbers))
    return hone_error(HONE_LIMIT, "a transform of too many elements");
  s->part_scratch = numbers;
  double steps = 0;
  for (int i = 0; i < s->fourier.factor_count; i++) steps += (double)s->fourier.factors[i];
  out->work = (double)s->lines * (double)s->length * (4 + steps / 4);
  out->kernel = hone_one_phase(run, s);
  out->kernel.part_scratch = s->part_scratch;
  return NULL;
}

static hone_status *dft_plan(const hone_cpu_kernel *row, const hone_node_view *view,
                             hone_arena *arena, hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[X]->shape, *y = &view->out[0]->shape;
  bool inverse = hone_node_flag(view->node, "inverse");
  int64_t where, length;
  int axis;
  spectrum *s = HONE_NEW(arena, spectrum);
  HONE_TRY_MEMORY(s);
  s->folded = inverse && hone_node_flag(view->node, "onesided");
  HONE_TRY(scalar(view, AXIS, -2, &where));
  if (!hone_axis(where, x->rank, &axis)) return hone_error(HONE_UNSUPPORTED, "no such axis");
  HONE_TRY(scalar(view, LENGTH, s->folded ? 2 * (x->dim[axis] - 1) : x->dim[axis], &length));
  if (length < 1) return hone_error(HONE_UNSUPPORTED, "a transform of nothing");
  s->length = (size_t)length;
  s->size = (size_t)x->dim[axis];
  s->bins = (size_t)y->dim[axis];
  s->inner = hone_shape_span(x, axis + 1, x->rank - 1);
  s->lines = hone_shape_span(x, 0, axis) * s->inner;
  s->from_parts = (size_t)x->dim[x->rank - 1];
  s->to_parts = (size_t)y->dim[y->rank - 1];
  s->scale = inverse ? 1 / (double)length : 1;
  return finish_plan(s, view, inverse, arena, out);
}

static hone_status *stft_plan(const hone_cpu_kernel *row, const hone_node_view *view,
                              hone_arena *arena, hone_node_plan *out) {
  (void)row;
  enum { FRAME_LENGTH = 3 };
  const hone_shape *x = &view->in[X]->shape, *y = &view->out[0]->shape;
  const hone_type *window = view->in[WINDOW];
  int64_t step, length;
  spectrum *s = HONE_NEW(arena, spectrum);
  HONE_TRY_MEMORY(s);
  if (window) s->window_size = (size_t)window->shape.dim[0];
  HONE_TRY(scalar(view, STEP, 1, &step));
  HONE_TRY(scalar(view, FRAME_LENGTH, window ? window->shape.dim[0] : x->dim[1], &length));
  if (step < 1 || length < 1 || y->dim[1] < 1)
    return hone_error(HONE_UNSUPPORTED, "frames of nothing");
  s->window = window ? window->dtype : HONE_DTYPE_NONE;
  s->length = s->size = (size_t)length;
  s->step = (size_t)step;
  s->samples = (size_t)x->dim[1];
  s->frames = (size_t)y->dim[1];
  s->lines = (size_t)y->dim[0] * s->frames;
  s->bins = (size_t)y->dim[2];
  s->inner = 1;
  s->from_parts = (size_t)x->dim[2];
  s->to_parts = 2;
  s->scale = 1;
  return finish_plan(s, view, false, arena, out);
}

const hone_node_functions hone_node_dft = {.accepts = accepts, .plan = dft_plan};
const hone_node_functions hone_node_stft = {.accepts = accepts, .plan = stft_plan};
