/* resize nodes that the row before does not take: doubles, integers, crops. Each element of the
 * resul
 * t
 * is the sum of its taps, in doubles. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/nodes/resize.h"
#include "base/pool.h"

enum { X, MOST_TAPS = 256 };

/* One axis of the result: its taps, [out][taps]; NULL where the axis stays. */
typedef struct axis_taps {
  size_t taps;
  const int64_t *index;
  const double *weight;
  const bool *outside;
} axis_taps;

typedef struct resizing {
  int rank;
  hone_dtype dtype;
  size_t count, size[HONE_MAX_RANK], stride[HONE_MAX_RANK]; /* of the result; of x */
  axis_taps axes[HONE_MAX_RANK];
  double extrapolation;
  bool nearest, real;
} resizing;

/* Places of x that make an element. */
typedef struct sources {
  size_t count, at[MOST_TAPS];
  double weight[MOST_TAPS];
} sources;

/* The sources of element `index` of the result; false where it is extrapolated. */
static bool find_sources(const resizing *r, size_t index, sources *s) {
  s->count = 1;
  s->at[0] = 0;
  s->weight[0] = 1;
  bool inside = true;
  for (int d = r->rank - 1; d >= 0; d--) {
    const axis_taps *a = &r->axes[d];
    size_t at = index % r->size[d], have = s->count;
    index /= r->size[d];
    if (!a->index) {
      for (size_t k = 0; k < have; k++) s->at[k] += at * r->stride[d];
      continue;
    }
    inside = inside && !a->outside[at];
    for (size_t t = a->taps; t-- > 0;) /* the first tap last: it replaces what is there */
      for (size_t k = 0; k < have; k++) {
        s->at[t * have + k] = s->at[k] + (size_t)a->index[at * a->taps + t] * r->stride[d];
        s->weight[t * have + k] = s->weight[k] * a->weight[at * a->taps + t];
      }
    s->count = have * a->taps;
  }
  return inside;
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const resizing *r = args;
  const void *x = io->in[X];
  sources s;
  size_t begin, end;
  hone_split(r->count, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    bool inside = find_sources(r, i, &s);
    double sum = inside ? 0 : r->extrapolation;
    if (r->nearest && !r->real) { /* 64 bits do not go through doubles */
      int64_t whole = inside ? hone_load_int(r->dtype, x, s.at[0]) : (int64_t)sum;
      hone_store_int(r->dtype, io->out[0], i, whole);
      continue;
    }
    for (size_t k = 0; inside && k < s.count; k++)
      sum += s.weight[k] * hone_load_real(r->dtype, x, s.at[k]);
    hone_store_reals(r->dtype, io->out[0], i, 1, &sum);
  }
}

extern const hone_node_functions hone_node_resize;

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  hone_dtype dtype = node->inputs[X].value->type.dtype;
  return hone_dtype_bits(dtype) >= 8 && dtype != HONE_STR && !hone_node_resize.accepts(row, node);
}

static hone_status *make_taps(const hone_node *node, const hone_resize_axis *from,
                              hone_arena *arena, axis_taps *out) {
  size_t all, positions = (size_t)from->out;
  out->taps = hone_resize_taps(node, from);
  if (out->taps > MOST_TAPS || !hone_mul(out->taps, positions, &all))
    return hone_error(HONE_UNSUPPORTED, "a resize of very many taps");
  int64_t *index = HONE_NEW_ARRAY(arena, all + 1, int64_t);
  double *weight = HONE_NEW_ARRAY(arena, all + 1, double);
  bool *outside = HONE_NEW_ARRAY(arena, positions + 1, bool);
  if (!index || !weight || !outside) return hone_error_memory();
  for (size_t o = 0; o < positions; o++)
    outside[o] =
        !hone_resize_tap(node, from, (int64_t)o, index + o * out->taps, weight + o * out->taps);
  out->index = index;
  out->weight = weight;
  out->outside = outside;
  return NULL;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[X]->shape, *y = &view->out[0]->shape;
  hone_resize resize;
  size_t step = 1, taps = 1;
  resizing *r = HONE_NEW(arena, resizing);
  HONE_TRY_MEMORY(r);
  HONE_TRY(hone_resize_of(view, &resize));
  r->rank = x->rank;
  r->dtype = view->in[X]->dtype;
  r->extrapolation = hone_node_real(view->node, "extrapolation");
  r->nearest = hone_node_text(view->node, "mode")[0] == 'n';
  r->real = hone_dtype_class_of(r->dtype) == HONE_CLASS_FLOAT;
  hone_shape_count(y, &r->count);
  for (int d = x->rank - 1; d >= 0; d--) {
    r->size[d] = (size_t)y->dim[d];
    r->stride[d] = step;
    step *= (size_t)x->dim[d];
  }
  for (int i = 0; r->count && i < resize.count; i++) {
    const hone_resize_axis *a = &resize.axes[i];
    if (a->in == a->out && a->scale == 1 && a->begin == 0 && a->end == 1) continue;
    HONE_TRY(make_taps(view->node, a, arena, &r->axes[a->axis]));
    taps *= r->axes[a->axis].taps;
    if (taps > MOST_TAPS) return hone_error(HONE_UNSUPPORTED, "a resize of very many taps");
  }
  out->work = (double)r->count * (10 + (double)taps * 5);
  out->kernel = hone_one_phase(run, r);
  return NULL;
}

const hone_node_functions hone_node_resize_any = {.accepts = accepts, .plan = plan};
