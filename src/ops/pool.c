/* pool: the maximum, average or p-norm of sliding windows, channels last; the maxima's places on
 * demand. Pooling over a whole picture is `reduce`. Room: ops. */
#include <math.h>
#include <string.h>

#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/spatial.h"

enum { Y, INDICES };

static hone_status *window_of(const hone_node *node, const hone_shape *x, hone_spatial *out) {
  size_t count;
  const int64_t *kernel = hone_node_ints(node, "window", &count);
  if (count + 2 != (size_t)x->rank)
    return hone_error(HONE_INVALID_MODEL, "pool: a window of %zu axes over %d dimensions", count,
                      x->rank);
  for (size_t i = 0; i < count; i++)
    if (kernel[i] < 1)
      return hone_error(HONE_INVALID_MODEL, "pool: a window of size %lld", (long long)kernel[i]);
  return hone_spatial_window(node, x->rank - 2, x->dim + 1, kernel, hone_node_flag(node, "ceil"),
                             out);
}

static hone_status *pool_infer(hone_infer *infer) {
  const hone_node *node = infer->node;
  bool max = strcmp(hone_node_text(node, "kind"), "max") == 0;
  HONE_TRY(hone_infer_class(infer, 0, max ? HONE_FLOATS | HONE_INTEGERS : HONE_FLOATS));
  if (hone_node_int(node, "p") < 1) return hone_infer_fail(infer, "p is below 1");
  if (!max && infer->output_count > 1 && node->outputs[INDICES])
    return hone_infer_fail(infer, "only a maximum has indices");
  const hone_shape *x = &infer->in[0]->shape;
  hone_type type = hone_tensor_type(infer->in[0]->dtype, hone_shape_unknown());
  if (x->rank >= 0) {
    hone_spatial window;
    HONE_TRY(window_of(node, x, &window));
    type.shape = *x;
    for (int i = 0; i < window.rank; i++)
      type.shape.dim[1 + i] =
          window.out[i] == HONE_DIM_FRESH ? hone_infer_fresh(infer) : window.out[i];
  }
  infer->out[Y] = type;
  if (infer->output_count > 1) infer->out[INDICES] = hone_tensor_type(HONE_S64, type.shape);
  return NULL;
}

/* Everything that pooling one pixel needs. */
typedef struct pooling {
  hone_spatial window;
  char kind; /* m, a, l */
  bool count_pads, column_major, is_signed;
  double p;
  size_t channels, image; /* elements of a pixel; pixels of an image */
  hone_numbers x, y;
  int64_t *indices; /* NULL: not wanted */
} pooling;

/* The place of spatial offset `pixel` in ONNX's order of the axes, first axis fastest when
 * column-major. */
static size_t spatial_order(const pooling *p, size_t pixel) {
  if (!p->column_major) return pixel;
  size_t place = 0;
  int64_t at[HONE_MAX_SPATIAL];
  for (int i = p->window.rank - 1; i >= 0; i--) {
    at[i] = (int64_t)(pixel % (size_t)p->window.in[i]);
    pixel /= (size_t)p->window.in[i];
  }
  for (int i = p->window.rank - 1; i >= 0; i--)
    place = place * (size_t)p->window.in[i] + (size_t)at[i];
  return place;
}

static bool is_greater(const pooling *p, size_t a, size_t b) {
  if (!p->x.whole) return p->x.real[a] > p->x.real[b] || isnan(p->x.real[a]);
  if (p->is_signed) return (int64_t)p->x.integer[a] > (int64_t)p->x.integer[b];
  return p->x.integer[a] > p->x.integer[b];
}

/* The maximum of one channel; the first of equals, a NaN over all. */
static void pool_max(pooling *p, size_t n, size_t c, const int64_t *at, size_t to,
                     uint64_t lowest) {
  size_t best = SIZE_MAX, best_pixel = 0, offset;
  int64_t tap[HONE_MAX_SPATIAL] = {0};
  do {
    if (!hone_spatial_tap(&p->window, at, tap, &offset)) continue;
    size_t i = (n * p->image + offset) * p->channels + c;
    if (best != SIZE_MAX && (!is_greater(p, i, best) || (!p->x.whole && isnan(p->x.real[best]))))
      continue;
    best = i;
    best_pixel = offset;
  } while (hone_step(p->window.rank, p->window.kernel, tap));
  if (best != SIZE_MAX)
    p->y.integer[to] = p->x.integer[best];
  else if (p->x.whole)
    p->y.integer[to] = lowest;
  else
    p->y.real[to] = -INFINITY;
  if (p->indices)
    p->indices[to] =
        best == SIZE_MAX
            ? -1
            : (int64_t)((n * p->channels + c) * p->image + spatial_order(p, best_pixel));
}

/* Whether a tap counts in the average: inside the input, or in the padding that counts. What a
 * rounded-up last window has beyond the padding never does. */
static bool counts(const pooling *p, const int64_t *at, const int64_t *tap) {
  const hone_spatial *w = &p->window;
  for (int i = 0; i < w->rank; i++)
    if (at[i] * w->stride[i] - w->before[i] + tap[i] * w->dilation[i] >= w->in[i] + w->after[i])
      return false;
  return true;
}

static void pool_sum(pooling *p, size_t n, size_t c, const int64_t *at, size_t to) {
  double sum = 0, count = 0;
  int64_t tap[HONE_MAX_SPATIAL] = {0};
  size_t offset;
  do {
    bool inside = hone_spatial_tap(&p->window, at, tap, &offset);
    if (inside || (p->count_pads && counts(p, at, tap))) count++;
    if (!inside) continue;
    double x = p->x.real[(n * p->image + offset) * p->channels + c];
    sum += p->kind == 'l' ? pow(fabs(x), p->p) : x;
  } while (hone_step(p->window.rank, p->window.kernel, tap));
  p->y.real[to] = p->kind == 'l' ? pow(sum, 1 / p->p) : sum / count;
}

/* The lowest value of an integer type, in the form of hone_numbers. */
static uint64_t lowest_of(hone_dtype dtype) {
  if (hone_dtype_class_of(dtype) != HONE_CLASS_SIGNED) return 0;
  return ~(uint64_t)0 << (hone_dtype_bits(dtype) - 1);
}

static void pool_all(pooling *p, size_t images, uint64_t lowest) {
  size_t to = 0;
  for (size_t n = 0; n < images; n++) {
    int64_t at[HONE_MAX_SPATIAL] = {0};
    do {
      for (size_t c = 0; c < p->channels; c++, to++) {
        if (p->kind == 'm')
          pool_max(p, n, c, at, to, lowest);
        else
          pool_sum(p, n, c, at, to);
      }
    } while (hone_step(p->window.rank, p->window.out, at));
  }
}

static hone_status *pool_reference(hone_reference *ref) {
  const hone_datum *in = ref->in[0];
  pooling p = {.kind = hone_node_text(ref->node, "kind")[0],
               .count_pads = hone_node_flag(ref->node, "count_pads"),
               .column_major = hone_node_flag(ref->node, "column_major"),
               .is_signed = hone_dtype_class_of(in->dtype) == HONE_CLASS_SIGNED,
               .p = (double)hone_node_int(ref->node, "p"),
               .channels = (size_t)in->shape.dim[in->shape.rank - 1]};
  HONE_TRY(window_of(ref->node, &in->shape, &p.window));
  p.image = hone_spatial_count(p.window.rank, p.window.in);
  HONE_TRY(hone_operand(ref, 0, &p.x));
  HONE_TRY(hone_result(ref, Y, &p.y));
  if (p.y.count == 0) return NULL;
  hone_datum *indices = hone_ref_out(ref, INDICES);
  if (indices) {
    p.indices = HONE_NEW_ARRAY(ref->scratch, p.y.count, int64_t);
    HONE_TRY_MEMORY(p.indices);
  }
  pool_all(&p, (size_t)in->shape.dim[0], lowest_of(in->dtype));
  hone_result_store(ref, Y, &p.y);
  for (size_t i = 0; indices && i < p.y.count; i++)
    hone_store_int(HONE_S64, indices->data, i, p.indices[i]);
  return NULL;
}

const hone_op hone_op_pool = {
    .name = "pool",
    .inputs = "x",           /* [n, spatial…, c] */
    .outputs = "y indices?", /* places in x as if it were [n, c, spatial…] */
    .attrs = {{"kind", HONE_ATTR_CHOICE, NULL, "max|avg|lp"},
              {"window", HONE_ATTR_INTS, NULL, NULL},
              {"strides", HONE_ATTR_INTS, "[]", NULL},
              {"dilations", HONE_ATTR_INTS, "[]", NULL},
              {"pads", HONE_ATTR_INTS, "[]", NULL}, /* before each axis, then after each */
              {"padding", HONE_ATTR_CHOICE, "explicit", "explicit|same_upper|same_lower|valid"},
              {"ceil", HONE_ATTR_FLAG, "false", NULL},
              {"count_pads", HONE_ATTR_FLAG, "false", NULL},
              {"column_major", HONE_ATTR_FLAG, "false", NULL}, /* of the indices' spatial part */
              {"p", HONE_ATTR_INT, "2", NULL}},
    .infer = pool_infer,
    .reference = pool_reference,
};
