/* attention nodes that give their scores, or of f64: a query at a time, in double, over the keys an
 * d
 * values of its head, which a part turns into doubles once. Room: backend/cpu/nodes. */
#include <math.h>
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"

enum { Q, K, V, MASK, LENGTHS, OFFSET };
enum { Y, SCORES };

typedef struct attend {
  hone_dtype dtype, mask, scores; /* of q, k, v and y; none: absent */
  hone_dtype length, offset;
  size_t batch, heads, shared, queries, keys, width, value_width;
  double scale, softcap;
  bool causal;
  int64_t left, right;
  char stage;                       /* of the scores: r c m w */
  size_t mask_stride[4], mask_keys; /* strides 0 where it broadcasts */
  bool length_by_batch, offset_by_batch;
  size_t key_at, value_at,
      part_scratch; /* in a part's doubles: the query and its scores stand first */
} attend;

/* A number of the run, kept where sums with it cannot overflow. */
static int64_t number_of(const hone_kernel_io *io, int input, hone_dtype dtype, size_t at) {
  const int64_t far = (int64_t)1 << 48;
  int64_t value = hone_load_int(dtype, io->in[input], at);
  return value > far ? far : value < -far ? -far : value;
}

/* Keys that query `s` may look at, but for the mask: [begin, end). */
typedef struct sight {
  int64_t begin, end;
} sight;

static sight sight_of(const attend *a, const hone_kernel_io *io, size_t b, size_t s) {
  int64_t here = (int64_t)s;
  sight sees = {0, (int64_t)a->mask_keys};
  if (a->offset) here += number_of(io, OFFSET, a->offset, a->offset_by_batch ? b : 0);
  if (a->length) {
    int64_t length = number_of(io, LENGTHS, a->length, a->length_by_batch ? b : 0);
    if (length < sees.end) sees.end = length;
  }
  if (a->causal && here + 1 < sees.end) sees.end = here + 1;
  if (a->right >= 0 && here + a->right + 1 < sees.end) sees.end = here + a->right + 1;
  if (a->left >= 0 && here - a->left > sees.begin) sees.begin = here - a->left;
  return sees;
}

/* Keys go into rows of one feature each, so that neighbours are added up side by side. */
static void load_head(const attend *a, const hone_kernel_io *io, size_t head, double *space) {
  double *keys = space + a->key_at, *values = space + a->value_at;
  size_t shared = head / a->heads * a->shared + head % a->heads / (a->heads / a->shared);
  for (size_t t = 0; t < a->keys; t++) {
    double *query = space; /* its room is free between heads */
    hone_load_reals(a->dtype, io->in[K], (shared * a->keys + t) * a->width, a->width, query);
    for (size_t i = 0; i < a->width; i++) keys[i * a->keys + t] = query[i];
  }
  hone_load_reals(a->dtype, io->in[V], shared * a->keys * a->value_width, a->keys * a->value_width,
                  values);
}

/* What is given of a row of scores as it stands. */
static void give(const attend *a, const hone_kernel_io *io, size_t row, const double *scores,
                 char stage) {
  if (a->scores && a->stage == stage)
    hone_store_reals(a->scores, io->out[SCORES], row * a->keys, a->keys, scores);
}

static void add_mask(const attend *a, const hone_kernel_io *io, size_t head, size_t s,
                     double *scores) {
  size_t b = head / a->heads, h = head % a->heads;
  size_t first = b * a->mask_stride[0] + h * a->mask_stride[1] + s * a->mask_stride[2];
  sight sees = sight_of(a, io, b, s);
  for (size_t t = 0; t < a->keys; t++) {
    bool hidden = (int64_t)t < sees.begin || (int64_t)t >= sees.end;
    double extra = hidden || !a->mask
                       ? 0
                       : hone_load_real(a->mask, io->in[MASK], first + t * a->mask_stride[3]);
    if (hidden || (a->mask == HONE_BOOL && extra == 0) || extra == -INFINITY)
      scores[t] = -INFINITY;
    else if (a->mask != HONE_BOOL)
      scores[t] += extra;
  }
}

/* Scores become weights; a query that may look nowhere has none. */
static void soften(const attend *a, double *scores) {
  double most = -INFINITY, sum = 0;
  for (size_t t = 0; t < a->keys; t++)
    if (scores[t] > most || isnan(scores[t])) most = scores[t];
  bool blind = most == -INFINITY;
  for (size_t t = 0; t < a->keys; t++) sum += scores[t] = blind ? 0 : exp(scores[t] - most);
  for (size_t t = 0; t < a->keys && !blind; t++) scores[t] /= sum;
}

static void attend_query(const attend *a, const hone_kernel_io *io, size_t row, double *space) {
  size_t head = row / a->queries, s = row % a->queries;
  double *query = space, *scores = space + a->width, *out = scores + a->keys;
  const double *keys = space + a->key_at, *values = space + a->value_at;
  hone_load_reals(a->dtype, io->in[Q], row * a->width, a->width, query);
  memset(scores, 0, (a->keys + a->value_width) * sizeof *scores);
  for (size_t i = 0; i < a->width; i++)
    for (size_t t = 0; t < a->keys; t++) scores[t] += query[i] * keys[i * a->keys + t];
  for (size_t t = 0; t < a->keys; t++) scores[t] *= a->scale;
  give(a, io, row, scores, 'r');
  for (size_t t = 0; t < a->keys && a->softcap > 0; t++)
    scores[t] = tanh(scores[t] / a->softcap) * a->softcap;
  give(a, io, row, scores, 'c');
  add_mask(a, io, head, s, scores);
  give(a, io, row, scores, 'm');
  soften(a, scores);
  give(a, io, row, scores, 'w');
  for (size_t t = 0; t < a->keys; t++)
    for (size_t i = 0; i < a->value_width && scores[t] != 0; i++)
      out[i] += scores[t] * values[t * a->value_width + i];
  hone_store_reals(a->dtype, io->out[Y], row * a->value_width, a->value_width, out);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const attend *a = args;
  double *space = (double *)((char *)io->scratch + (size_t)part * a->part_scratch);
  size_t begin, end;
  hone_split(a->batch * a->heads * a->queries, 1, part, parts, &begin, &end);
  for (size_t row = begin; row < end; row++) {
    if (row == begin || row % a->queries == 0) load_head(a, io, row / a->queries, space);
    attend_query(a, io, row, space);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

/* What the tuned rows do not take. */
static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[Q].value->type.dtype;
  return hone_node_out(node, Y) && node->inputs[V].value->type.dtype == dtype &&
         (dtype == HONE_F64 || (dtype == HONE_F32 && hone_node_out(node, SCORES)));
}

static void set_mask(attend *a, const hone_type *type) {
  int64_t strides[HONE_MAX_RANK];
  const hone_shape *shape = &type->shape;
  hone_shape_strides(shape, strides);
  a->mask = type->dtype;
  for (int i = 0; i < shape->rank; i++)
    a->mask_stride[4 - shape->rank + i] = shape->dim[i] == 1 ? 0 : (size_t)strides[i];
  size_t last = shape->rank ? (size_t)shape->dim[shape->rank - 1] : 1;
  if (last != 1) a->mask_keys = last;
}

static hone_dtype type_of(const hone_node_view *view, int index, bool *by_batch) {
  size_t count = 0;
  if (!view->in[index]) return HONE_DTYPE_NONE;
  *by_batch = hone_shape_count(&view->in[index]->shape, &count) && count > 1;
  return view->in[index]->dtype;
}

static hone_status *lay_out_scratch(attend *a) {
  size_t k, v, all;
  if (!hone_mul(a->keys, a->width, &k) || !hone_mul(a->keys, a->value_width, &v) ||
      !hone_add(a->width + a->value_width, a->keys, &a->key_at) ||
      !hone_add(a->key_at, k, &a->value_at) || !hone_add(a->value_at, v, &all) ||
      all > SIZE_MAX / 2 / sizeof(double))
    return hone_error(HONE_LIMIT, "the scratch of an attention does not fit in memory");
  a->part_scratch = hone_align_up(all * sizeof(double), 64);
  return NULL;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_node *node = view->node;
  const int64_t *q = view->in[Q]->shape.dim, *k = view->in[K]->shape.dim;
  attend *a = HONE_NEW(arena, attend);
  HONE_TRY_MEMORY(a);
  *a =
      (attend){.dtype = view->in[Q]->dtype,
               .scores = node->output_count > SCORES && view->out[SCORES] ? view->out[SCORES]->dtype
                                                                          : HONE_DTYPE_NONE,
               .batch = (size_t)q[0],
               .heads = (size_t)q[1],
               .shared = (size_t)k[1],
               .queries = (size_t)q[2],
               .keys = (size_t)k[2],
               .width = (size_t)q[3],
               .value_width = (size_t)view->in[V]->shape.dim[3],
               .scale = hone_node_real(node, "scale"),
               .softcap = hone_node_real(node, "softcap"),
               .causal = hone_node_flag(node, "causal"),
               .left = hone_node_int(node, "left"),
               .right = hone_node_int(node, "right"),
               .stage = hone_node_text(node, "scores")[0],
               .mask_keys = (size_t)k[2]};
  if (a->scale == 0) a->scale = 1 / sqrt((double)a->width);
  if (view->in[MASK]) set_mask(a, view->in[MASK]);
  a->length = type_of(view, LENGTHS, &a->length_by_batch);
  a->offset = type_of(view, OFFSET, &a->offset_by_batch);
  HONE_TRY(lay_out_scratch(a));
  out->kernel = hone_one_phase(run, a);
  out->kernel.part_scratch = a->part_scratch;
  out->work = (double)a->batch * (double)a->heads * (double)a->queries * (double)a->keys *
              ((double)a->width + (double)a->value_width + 10) * 0.4;
  return NULL;
}

const hone_node_functions hone_node_attention_any = {.accepts = accepts, .plan = plan};
