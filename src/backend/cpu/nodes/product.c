/* matmul, conv and conv_transpose nodes that no tuned row takes, on the tiles of product.h.
 * Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/node.h"
#include "backend/cpu/products/product.h"
#include "ops/spatial.h"

enum { A, B, BIAS };

static hone_product_tile *tile_of(const hone_product_set *set, hone_dtype dtype) {
  switch (dtype) {
    case HONE_F32:
      return set->f32;
    case HONE_F64:
      return set->f64;
    case HONE_S8:
    case HONE_U8:
      return set->u8;
    case HONE_S16:
    case HONE_U16:
      return set->u16;
    case HONE_S32:
    case HONE_U32:
      return set->u32;
    case HONE_S64:
    case HONE_U64:
      return set->u64;
    default:
      return NULL;
  }
}

/* Whether another row computes the node here. */
static bool is_taken(const hone_cpu_kernel *row, const hone_node *node) {
  for (const hone_cpu_kernel *k = hone_cpu_kernels; k < row; k++)
    if (k->op == node->op && k->functions != row->functions && hone_isa_runs(k->isa) &&
        k->functions->accepts(k, node))
      return true;
  return false;
}

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  hone_dtype dtype = node->outputs[0]->type.dtype;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = hone_node_in(node, i);
    if (in && (in->type.dtype != dtype || hone_node_operand(node, i) != in)) return false;
  }
  return tile_of(hone_product_here(), dtype) && !is_taken(row, node);
}

static hone_status *finish_plan(hone_product *p, const hone_node_view *view, hone_node_plan *out) {
  size_t scratch;
  p->dtype = view->out[0]->dtype;
  p->set = hone_product_here();
  p->tile = tile_of(p->set, p->dtype);
  p->element = hone_dtype_bits(p->dtype) / 8;
  p->a = A, p->b = B;
  p->bias = view->in[BIAS] ? BIAS : -1;
  scratch = hone_product_scratch(p);
  if (scratch == 0) return hone_error(HONE_LIMIT, "a product of too large operands");
  out->kernel = hone_one_phase(hone_product_run, p);
  out->kernel.part_scratch = scratch;
  out->work = (double)p->outer * (double)p->rows * (double)p->columns * (double)p->depth *
              (double)p->taps / (p->element == 8 ? 10 : 20);
  return NULL;
}

/* ---- matmul --------------------------------------------------------------------------------- */

/* An operand as a matrix; a vector is a row on the left and a column on the right. */
typedef struct matrix {
  int batch; /* axes before the matrix */
  int64_t rows, columns;
  ptrdiff_t row, column;
} matrix;

static matrix matrix_of(const hone_shape *shape, bool transposed, bool left) {
  const int64_t *last = shape->dim + shape->rank;
  if (shape->rank == 1)
    return left ? (matrix){0, 1, last[-1], 0, 1} : (matrix){0, last[-1], 1, 1, 0};
  matrix m = {shape->rank - 2, last[-2], last[-1], (ptrdiff_t)last[-1], 1};
  if (transposed) m = (matrix){m.batch, m.columns, m.rows, m.column, m.row};
  return m;
}

/* Strides of the first `batch` axes of `shape`, as broadcast to `rank` axes. */
static void batch_strides(const hone_shape *shape, int batch, int rank, ptrdiff_t *out) {
  int64_t own[HONE_MAX_RANK];
  hone_shape_strides(shape, own);
  for (int i = 0; i < rank; i++) {
    int axis = i - (rank - batch);
    out[i] = axis < 0 || shape->dim[axis] == 1 ? 0 : (ptrdiff_t)own[axis];
  }
}

static void locate_rows(const hone_product *p, const char *a, size_t outer, size_t row, size_t live,
                        const char *zeros, const void **table) {
  (void)outer, (void)zeros;
  for (size_t i = 0; i < live; i++)
    table[i] = a + (ptrdiff_t)(row + i) * p->a_row * (ptrdiff_t)p->element;
}

/* The bias broadcasts to the result, whose missing axes of vectors count as sizes of 1. */
static void set_bias(hone_product *p, const hone_shape *bias, bool has_rows, bool has_columns) {
  int64_t own[HONE_MAX_RANK];
  int last = bias->rank - 1;
  hone_shape_strides(bias, own);
  if (has_columns && last >= 0) {
    p->bias_column = bias->dim[last] == 1 ? 0 : (ptrdiff_t)own[last];
    last--;
  }
  if (has_rows && last >= 0) {
    p->bias_row = bias->dim[last] == 1 ? 0 : (ptrdiff_t)own[last];
    last--;
  }
  batch_strides(bias, last + 1, p->rank, p->bias_outer);
}

static hone_status *plan_matmul(const hone_node_view *view, hone_product *p) {
  const hone_shape *a = &view->in[A]->shape, *b = &view->in[B]->shape, *y = &view->out[0]->shape;
  matrix left = matrix_of(a, hone_node_flag(view->node, "transpose_a"), true);
  matrix right = matrix_of(b, hone_node_flag(view->node, "transpose_b"), false);
  p->rank = left.batch > right.batch ? left.batch : right.batch;
  p->outer = hone_shape_span(y, 0, p->rank);
  for (int i = 0; i < p->rank; i++) p->size[i] = (size_t)y->dim[i];
  batch_strides(a, left.batch, p->rank, p->a_outer);
  batch_strides(b, right.batch, p->rank, p->b_outer);
  p->rows = (size_t)left.rows;
  p->columns = (size_t)right.columns;
  p->depth = (size_t)left.columns;
  p->taps = 1;
  p->locate = locate_rows;
  p->a_row = left.row;
  p->a_step = left.column;
  p->b_depth = right.row;
  p->b_column = right.column;
  p->y_row = (ptrdiff_t)p->columns;
  p->y_outer = (ptrdiff_t)(p->rows * p->columns);
  p->alpha = hone_node_real(view->node, "alpha");
  if (view->in[BIAS]) set_bias(p, &view->in[BIAS]->shape, a->rank > 1, b->rank > 1);
  return NULL;
}

/* ---- conv, conv_transpose ------------------------------------------------------------------- */

typedef struct windows {
  hone_spatial spatial;
  bool transposed;
  size_t pixels, image; /* of an output image; of an input image */
  size_t channels;
  const int64_t *taps; /* the coordinates of each */
} windows;

/* Where the operand of tap `tap` of output position `at` lies; false: nowhere. */
static bool tap_offset(const windows *w, const int64_t *at, const int64_t *tap, size_t *offset) {
  const hone_spatial *s = &w->spatial;
  if (!w->transposed) return hone_spatial_tap(s, at, tap, offset);
  *offset = 0;
  for (int i = 0; i < s->rank; i++) {
    int64_t from = at[i] + s->before[i] - tap[i] * s->dilation[i];
    if (from < 0 || from % s->stride[i] != 0 || from / s->stride[i] >= s->in[i]) return false;
    *offset = *offset * (size_t)s->in[i] + (size_t)(from / s->stride[i]);
  }
  return true;
}

/* Number `index` of a box of `size`, last axis fastest. */
static void position_of(size_t index, int rank, const int64_t *size, int64_t *at) {
  for (int i = rank - 1; i >= 0; i--) {
    at[i] = (int64_t)(index % (size_t)size[i]);
    index /= (size_t)size[i];
  }
}

static void locate_pixels(const hone_product *p, const char *a, size_t outer, size_t row,
                          size_t live, const char *zeros, const void **table) {
  const windows *w = p->locate_state;
  int64_t at[HONE_MAX_SPATIAL];
  (void)outer;
  for (size_t i = 0; i < live; i++) {
    size_t image = (row + i) / w->pixels * w->image, offset;
    position_of((row + i) % w->pixels, w->spatial.rank, w->spatial.out, at);
    for (size_t t = 0; t < p->taps; t++) {
      bool inside = tap_offset(w, at, w->taps + t * (size_t)w->spatial.rank, &offset);
      table[t * HONE_PRODUCT_ROWS + i] =
          inside ? a + (image + offset) * w->channels * p->element : zeros;
    }
  }
}

static hone_status *list_taps(windows *w, size_t count, hone_arena *arena) {
  size_t rank = (size_t)w->spatial.rank, numbers;
  if (!hone_mul(count, rank, &numbers)) return hone_error_memory();
  int64_t *taps = HONE_NEW_ARRAY(arena, numbers + 1, int64_t);
  HONE_TRY_MEMORY(taps);
  for (size_t t = 0; t < count; t++)
    position_of(t, w->spatial.rank, w->spatial.kernel, taps + t * rank);
  w->taps = taps;
  return NULL;
}

static hone_status *plan_windows(const hone_node_view *view, hone_arena *arena, hone_product *p) {
  const hone_shape *x = &view->in[A]->shape, *k = &view->in[B]->shape, *y = &view->out[0]->shape;
  windows *w = HONE_NEW(arena, windows);
  HONE_TRY_MEMORY(w);
  int rank = x->rank - 2;
  w->transposed = view->node->op == &hone_op_conv_transpose;
  if (w->transposed)
    HONE_TRY(hone_spatial_transposed(view->node, rank, x->dim + 1, k->dim, &w->spatial));
  else
    HONE_TRY(hone_spatial_window(view->node, rank, x->dim + 1, k->dim, false, &w->spatial));
  size_t groups = (size_t)hone_node_int(view->node, "groups");
  size_t filters = (size_t)y->dim[rank + 1];
  w->channels = (size_t)x->dim[rank + 1];
  w->pixels = hone_spatial_count(rank, w->spatial.out);
  w->image = hone_spatial_count(rank, w->spatial.in);
  p->locate = locate_pixels;
  p->locate_state = w;
  p->rank = 1;
  p->outer = p->size[0] = groups;
  p->rows = (size_t)x->dim[0] * w->pixels;
  p->columns = filters / groups;
  p->depth = w->channels / groups;
  p->taps = hone_shape_span(k, 0, rank);
  HONE_TRY(list_taps(w, p->taps, arena));
  p->a_step = 1;
  p->a_outer[0] = (ptrdiff_t)p->depth;
  p->b_outer[0] = (ptrdiff_t)(w->transposed ? p->depth : p->columns);
  p->b_tap = (ptrdiff_t)(w->transposed ? p->columns * w->channels : p->depth * filters);
  p->b_depth = w->transposed ? 1 : (ptrdiff_t)filters;
  p->b_column = w->transposed ? (ptrdiff_t)w->channels : 1;
  p->bias_outer[0] = p->y_outer = (ptrdiff_t)p->columns;
  p->bias_column = 1;
  p->y_row = (ptrdiff_t)filters;
  p->alpha = 1;
  return NULL;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  hone_product *p = HONE_NEW(arena, hone_product);
  HONE_TRY_MEMORY(p);
  if (row->op == &hone_op_matmul)
    HONE_TRY(plan_matmul(view, p));
  else
    HONE_TRY(plan_windows(view, arena, p));
  return finish_plan(p, view, out);
}

const hone_node_functions hone_node_product = {.accepts = accepts, .plan = plan};
