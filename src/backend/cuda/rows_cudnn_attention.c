/* Attention by cuDNN's graphs: products, scale, mask and softmax, which the library runs as one kernel.
 * Room: backend/cuda. */
#include <math.h>
#include <stddef.h>

#include "backend/cuda/cudnn_graph.h"
#include "backend/cuda/reads.h"
#include "backend/cuda/rows.h"

#define VARIANTS 2 /* others of the heuristic's guesses have not won */

enum { Q, K, V, RESULT, PLACES }; /* what lies by strides */
enum { MASK = 3 };                /* among the node's inputs */

/* A mask of numbers is added as it is; keys that lie at other lengths are another kernel's. */
static bool accepts(const hone_node *node) {
  if (!hone_cuda_is_attention(node)) return false;
  hone_dtype dtype = node->inputs[Q].value->type.dtype;
  const hone_value *mask = hone_node_in(node, MASK);
  return (dtype == HONE_F16 || dtype == HONE_BF16) && (!mask || mask->type.dtype == dtype);
}

static bool joins(const hone_cuda_stage *stage, const hone_node *node) {
  (void)stage, (void)node;
  return false;
}

typedef struct place {
  int64_t at, sizes[4], strides[4]; /* elements: batch, head, row, column */
} place;

/* What engine files keep. */
typedef struct recipe {
  place places[PLACES], mask;
  int32_t type, masked, causal;
  float scale;
} recipe;

typedef struct attention {
  hone_cudnn_graph graph;
  recipe recipe;
  int result_at; /* among the pointers */
} attention;
_Static_assert(offsetof(attention, recipe) == sizeof(hone_cudnn_graph), "what is kept comes next");

/* ---- Sizes ------------------------------------------------------------------------------------ */

static place place_of(const hone_shape *shape, const hone_strided *in) {
  place p = {.at = in->layout.at};
  for (int d = 0; d < 4; d++) p.sizes[d] = shape->dim[d], p.strides[d] = in->layout.stride[d];
  return p;
}

static bool is_aligned(const place *p) {
  const int64_t chunk = HONE_CUDNN_ALIGNMENT / 2; /* elements */
  bool whole = p->at % chunk == 0 && p->sizes[3] % chunk == 0 && p->strides[3] == 1;
  for (int d = 0; d < 3; d++) whole = whole && p->sizes[d] > 0 && p->strides[d] % chunk == 0;
  return whole;
}

/* False where it does not have a number for every key. */
static bool put_mask(const hone_shape *shape, int64_t keys, place *p) {
  int lead = 4 - shape->rank;
  int64_t step = 1;
  for (int d = 3; d >= 0; d--) {
    p->sizes[d] = d < lead ? 1 : shape->dim[d - lead];
    p->strides[d] = step;
    step *= p->sizes[d];
  }
  return lead >= 0 && p->sizes[3] == keys;
}

/* Of the stage in a plan for these sizes. */
static hone_status *find_reads(const hone_cuda_stage *stage, const hone_cuda_body *body,
                               const hone_group_view *view, hone_cuda_reads *out) {
  hone_cuda_reads reads[HONE_CUDA_STAGES] = {0};
  hone_cuda_plan plan = {.body = body, .view = view, .reads = reads};
  hone_cuda_choose_reads(&plan);
  *out = reads[stage - body->stages];
  return out->runs ? NULL : hone_cudnn_not_taken("nothing needs it");
}

static hone_status *measure(void *own, const hone_cuda_stage *stage, const hone_cuda_body *body,
                            const hone_group_view *view) {
  recipe *r = &((attention *)own)->recipe;
  const hone_node *node = stage->core;
  hone_cuda_reads reads;
  HONE_TRY(find_reads(stage, body, view, &reads));
  for (int i = 0; i < PLACES; i++) {
    const hone_value *value = i < RESULT ? node->inputs[i].value : node->outputs[0];
    r->places[i] = place_of(&view->types[value->id].shape, i < RESULT ? &reads.in[i] : &reads.out);
    if (!is_aligned(&r->places[i])) return hone_cudnn_not_taken("rows do not lie at multiples of 16");
  }
  const hone_value *mask = hone_node_in(node, MASK);
  r->masked = mask != NULL;
  if (mask && !put_mask(&view->types[mask->id].shape, r->places[K].sizes[2], &r->mask))
    return hone_cudnn_not_taken("its mask is of another length");
  r->type = hone_cudnn_type(node->inputs[Q].value->type.dtype);
  r->causal = hone_node_flag(node, "causal");
  r->scale = (float)hone_node_real(node, "scale");
  if (r->scale == 0) r->scale = 1 / sqrtf((float)r->places[Q].sizes[3]);
  return NULL;
}

/* ---- The graph -------------------------------------------------------------------------------- */

/* Numbers of tensors: 1 + which place it is, then these. */
enum { OF_MASK = PLACES + 1, OF_SCALE, OF_LEAST };

typedef struct maker {
  attention *a;
  int64_t made; /* tensors between operations */
  hone_cudnn_desc scores;
} maker;

static hone_cudnn_desc tensor_at(maker *m, int which) {
  const recipe *r = &m->a->recipe;
  return hone_cudnn_tensor(&m->a->graph, 1 + which, r->places[which].sizes, r->places[which].strides,
                           r->type);
}

/* Of the scores' sizes, or of their rows'. */
static hone_cudnn_desc between(maker *m, int type, bool rows) {
  const int64_t *q = m->a->recipe.places[Q].sizes, keys = rows ? 1 : m->a->recipe.places[K].sizes[2];
  const int64_t sizes[] = {q[0], q[1], q[2], keys};
  const int64_t strides[] = {q[1] * q[2] * keys, q[2] * keys, keys, 1};
  return hone_cudnn_tensor(&m->a->graph, HONE_CUDNN_BETWEEN + m->made++, sizes, strides, type);
}

static void multiply(maker *m, hone_cudnn_desc left, hone_cudnn_desc right, hone_cudnn_desc result) {
  hone_cudnn_graph *g = &m->a->graph;
  hone_cudnn_desc of = hone_cudnn_begin(g, HONE_CUDNN_MATMUL);
  hone_cudnn_put_number(g, of, HONE_CUDNN_MATMUL_PRECISION, HONE_CUDNN_OF_DATA_TYPE, HONE_CUDNN_F32);
  hone_cudnn_end(g, of);
  hone_cudnn_desc operation = hone_cudnn_begin(g, HONE_CUDNN_DO_MATMUL);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_MATMUL_OF, of);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_MATMUL_A, left);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_MATMUL_B, right);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_MATMUL_C, result);
  hone_cudnn_add(g, operation);
}

static hone_cudnn_desc reduce(maker *m, int how, hone_cudnn_desc x) {
  hone_cudnn_graph *g = &m->a->graph;
  hone_cudnn_desc of = hone_cudnn_begin(g, HONE_CUDNN_REDUCTION), y = between(m, HONE_CUDNN_F32, true);
  hone_cudnn_put_number(g, of, HONE_CUDNN_REDUCTION_OPERATOR, HONE_CUDNN_OF_REDUCTION_OPERATOR, how);
  hone_cudnn_put_number(g, of, HONE_CUDNN_REDUCTION_PRECISION, HONE_CUDNN_OF_DATA_TYPE,
                        HONE_CUDNN_F32);
  hone_cudnn_end(g, of);
  hone_cudnn_desc operation = hone_cudnn_begin(g, HONE_CUDNN_DO_REDUCTION);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_REDUCTION_OF, of);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_REDUCTION_X, x);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_REDUCTION_Y, y);
  hone_cudnn_add(g, operation);
  return y;
}

/* Pointwise work to a result of a type of its own. */
static hone_cudnn_desc each(maker *m, int type, bool rows, hone_cudnn_pointwise p) {
  p.y = between(m, type, rows);
  hone_cudnn_add_pointwise(&m->a->graph, &p);
  return p.y;
}

/* In f32, `b` NULL where the mode takes none: of scores; of their rows. */
static hone_cudnn_desc scores_of(maker *m, int mode, hone_cudnn_desc x, hone_cudnn_desc b) {
  return each(m, HONE_CUDNN_F32, false,
              (hone_cudnn_pointwise){.mode = mode, .precision = HONE_CUDNN_F32, .x = x, .b = b});
}
static hone_cudnn_desc rows_of(maker *m, int mode, hone_cudnn_desc x, hone_cudnn_desc b) {
  return each(m, HONE_CUDNN_F32, true,
              (hone_cudnn_pointwise){.mode = mode, .precision = HONE_CUDNN_F32, .x = x, .b = b});
}

static hone_cudnn_desc index_of(maker *m, int axis) {
  return each(m, HONE_CUDNN_I32, false,
              (hone_cudnn_pointwise){.mode = HONE_CUDNN_INDEX, .precision = HONE_CUDNN_I32,
                                     .axis = axis, .x = m->scores});
}

/* Keys after the query's own place get the least score. */
static void hide_later(maker *m) {
  hone_cudnn_desc row = index_of(m, 2), column = index_of(m, 3);
  hone_cudnn_desc seen = each(m, HONE_CUDNN_BOOL, false,
                              (hone_cudnn_pointwise){.mode = HONE_CUDNN_AT_LEAST,
                                                     .precision = HONE_CUDNN_BOOL,
                                                     .x = row, .b = column});
  hone_cudnn_pointwise select = {.mode = HONE_CUDNN_SELECT, .precision = HONE_CUDNN_F32,
                                 .x = m->scores, .t = seen};
  select.b = hone_cudnn_scalar(&m->a->graph, OF_LEAST);
  m->scores = each(m, HONE_CUDNN_F32, false, select);
}

/* Weights of the scores, rounded as the product with the values takes them. The library knows its kernel
 * for attention by the logarithms of the sums too, which nothing reads here. */
static hone_cudnn_desc weigh(maker *m) {
  hone_cudnn_desc most = reduce(m, HONE_CUDNN_MOST, m->scores);
  hone_cudnn_desc below = scores_of(m, HONE_CUDNN_SUB, m->scores, most);
  hone_cudnn_desc power = scores_of(m, HONE_CUDNN_EXP, below, NULL);
  hone_cudnn_desc sum = reduce(m, HONE_CUDNN_SUM, power);
  hone_cudnn_desc logarithm = rows_of(m, HONE_CUDNN_LOG, sum, NULL);
  (void)rows_of(m, HONE_CUDNN_ADD, most, logarithm);
  return each(m, m->a->recipe.type, false,
              (hone_cudnn_pointwise){.mode = HONE_CUDNN_DIV, .precision = HONE_CUDNN_F32, .x = power,
                                     .b = sum});
}

/* Keys lie across for the library: a column for each. */
static hone_cudnn_desc keys_across(maker *m) {
  const place *p = &m->a->recipe.places[K];
  const int64_t sizes[] = {p->sizes[0], p->sizes[1], p->sizes[3], p->sizes[2]};
  const int64_t strides[] = {p->strides[0], p->strides[1], p->strides[3], p->strides[2]};
  return hone_cudnn_tensor(&m->a->graph, 1 + K, sizes, strides, m->a->recipe.type);
}

static void describe(void *own) {
  maker m = {own, 0, NULL};
  const recipe *r = &m.a->recipe;
  hone_cudnn_graph *g = &m.a->graph;
  m.scores = between(&m, HONE_CUDNN_F32, false);
  multiply(&m, tensor_at(&m, Q), keys_across(&m), m.scores);
  m.scores = scores_of(&m, HONE_CUDNN_MUL, m.scores, hone_cudnn_scalar(g, OF_SCALE));
  if (r->masked)
    m.scores = scores_of(&m, HONE_CUDNN_ADD, m.scores,
                         hone_cudnn_tensor(g, OF_MASK, r->mask.sizes, r->mask.strides, r->type));
  if (r->causal) hide_later(&m);
  hone_cudnn_desc weights = weigh(&m);
  multiply(&m, weights, tensor_at(&m, V), tensor_at(&m, RESULT));
}

/* ---- The row ---------------------------------------------------------------------------------- */

static hone_status *hold(void *own, const hone_cuda_stage *stage, const hone_cuda_body *body) {
  (void)body;
  ((attention *)own)->result_at = stage->results[0].pointer;
  return NULL;
}

static const hone_cudnn_kind kind = {.size = sizeof(attention),
                                     .kept = sizeof(recipe),
                                     .measure = measure,
                                     .describe = describe,
                                     .hold = hold};

static hone_status *settle(hone_cuda_stage *stage, const hone_cuda_body *body,
                           const hone_group_view *view, hone_bytes saved, hone_text *state) {
  return hone_cudnn_settle(&kind, stage, body, view, saved, state);
}

static void drop(void *own) {
  hone_cudnn_drop(&kind, own);
}

enum { WORKSPACE = MASK + 1, POINTERS }; /* among the pointers, after the inputs */

static hone_status *attend(const void *own, void *const *pointers, void *stream) {
  static const float least = -INFINITY;
  const attention *a = own;
  const recipe *r = &a->recipe;
  int64_t numbers[PLACES + 3], count = 0;
  const void *addresses[PLACES + 3];
  for (int i = 0; i < PLACES; i++) {
    numbers[count] = 1 + i;
    addresses[count++] = (const char *)pointers[i < RESULT ? i : a->result_at] + 2 * r->places[i].at;
  }
  numbers[count] = OF_SCALE;
  addresses[count++] = &r->scale;
  if (r->masked) numbers[count] = OF_MASK, addresses[count++] = pointers[MASK];
  if (r->causal) numbers[count] = OF_LEAST, addresses[count++] = &least;
  return hone_cudnn_execute(&a->graph, count, numbers, addresses, pointers[WORKSPACE], stream);
}

static hone_status *plan_attention(const hone_cuda_stage *stage, const hone_group_view *view,
                                   hone_cuda_plan *plan) {
  const attention *a = stage->own;
  (void)view;
  return hone_cuda_launch_library(plan, stage, attend, (size_t)a->graph.workspace);
}

const hone_cuda_kernel hone_cuda_kernel_attention_cudnn = {.name = "attention_cudnn",
                                                           .candidate = "cuda.cudnn_attention",
                                                           .variants = VARIANTS,
                                                           .only_chosen = true,
                                                           .least_sm = 80,
                                                           .needs = "cuDNN 9.0",
                                                           .pointers = POINTERS,
                                                           .finishes = true,
                                                           .strided = true,
                                                           .available = hone_cudnn_available,
                                                           .accepts = accepts,
                                                           .joins = joins,
                                                           .settle = settle,
                                                           .drop = drop,
                                                           .plan = plan_attention};
