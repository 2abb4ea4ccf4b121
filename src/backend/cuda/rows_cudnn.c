/* Convolutions with bias, residual and activation by cuDNN's graphs, and products with a matrix of
 * weights as convolutions of one pixel. Room: backend/cuda.
 *
 * Its variants are the engine configurations that the library's heuristic gives for the sizes, best
 * guess first. Filters lie by output channel there, in a copy that the plans of a layer share. */
#include <stddef.h>
#include <string.h>

#include "backend/cuda/cudnn_graph.h"
#include "backend/cuda/epilogue.h"
#include "backend/cuda/packs.h"
#include "backend/cuda/rows.h"
#include "backend/cuda/windows.h"
#include "ops/conv_shape.h"

/* ---- Which convolutions ----------------------------------------------------------------------- */

static bool is_convolution(const hone_node *node) {
  return node->op == &hone_op_conv && node->inputs[0].value->type.shape.rank == 4 &&
         hone_node_int(node, "groups") == 1;
}

static bool is_product(const hone_node *node) {
  return node->op == &hone_op_matmul && node->inputs[0].value->type.shape.rank >= 2 &&
         node->inputs[1].value->type.shape.rank == 2 && !hone_node_flag(node, "transpose_a") &&
         !hone_node_flag(node, "transpose_b") && hone_node_real(node, "alpha") == 1;
}

static bool accepts(const hone_node *node) {
  if ((!is_convolution(node) && !is_product(node)) || !hone_cuda_one_float(node)) return false;
  const hone_value *w = node->inputs[1].value;
  const hone_shape *shape = &w->type.shape;
  bool narrow = w->type.dtype == HONE_F16 || w->type.dtype == HONE_BF16;
  int64_t chunk = narrow ? 8 : 4;
  return w->constant && shape->dim[shape->rank - 2] % chunk == 0 &&
         shape->dim[shape->rank - 1] % chunk == 0 &&
         (narrow || (w->type.dtype == HONE_F32 && hone_node_flag(node, "tf32")));
}

static int activation_of(const hone_node *node) {
  if (node->op == &hone_op_relu) return HONE_CUDNN_RELU;
  if (node->op == &hone_op_silu) return HONE_CUDNN_SWISH;
  if (node->op == &hone_op_clip && hone_node_in(node, 1) && hone_node_in(node, 2)) {
    bool fixed = hone_node_in(node, 1)->constant && hone_node_in(node, 2)->constant;
    return fixed ? HONE_CUDNN_RELU : 0;
  }
  bool by_erf = node->op == &hone_op_gelu && strcmp(hone_node_text(node, "approximate"), "none") == 0;
  return by_erf ? HONE_CUDNN_GELU : 0;
}

static bool joins(const hone_cuda_stage *stage, const hone_node *node) {
  return hone_cuda_epilogue_takes(stage, node, activation_of);
}

/* ---- One convolution -------------------------------------------------------------------------- */

/* What engine files keep. Sizes are images, channels, rows, columns; of filters outputs, inputs, rows,
 * columns. */
typedef struct recipe {
  int64_t x[4], w[4], y[4];
  int64_t before[2], after[2], strides[2], dilations[2];
  double lower, upper; /* of an activation that clips */
  int32_t type, bias, residual, activation, clips, unused;
} recipe;

typedef struct convolution {
  hone_cudnn_graph graph;
  recipe recipe;
  void *filters; /* on the GPU */
  const void *bias;
  int residual_at, result_at; /* among the pointers */
} convolution;
_Static_assert(offsetof(convolution, recipe) == sizeof(hone_cudnn_graph), "what is kept comes next");

/* ---- The graph -------------------------------------------------------------------------------- */

enum { X = 1, W, BIAS, RESIDUAL, Y }; /* numbers of tensors */

/* Channels last, as all of ours are. */
static hone_cudnn_desc tensor(convolution *c, int64_t number, const int64_t *sizes, int type) {
  const int64_t strides[] = {sizes[1] * sizes[2] * sizes[3], 1, sizes[1] * sizes[3], sizes[1]};
  return hone_cudnn_tensor(&c->graph, number, sizes, strides, type);
}

typedef struct chain {
  int left; /* operations to come */
  hone_cudnn_desc last;
} chain;

/* Where the next operation writes: between two in f32, at the end the result. */
static hone_cudnn_desc next_tensor(convolution *c, chain *k) {
  bool end = --k->left == 0;
  return k->last = tensor(c, end ? Y : HONE_CUDNN_BETWEEN + k->left, c->recipe.y,
                          end ? c->recipe.type : HONE_CUDNN_F32);
}

static void add_convolution(convolution *c, chain *k) {
  const recipe *r = &c->recipe;
  const float one = 1, zero = 0;
  hone_cudnn_graph *g = &c->graph;
  hone_cudnn_desc of = hone_cudnn_begin(g, HONE_CUDNN_CONVOLUTION);
  hone_cudnn_put_number(g, of, HONE_CUDNN_CONVOLUTION_TYPE, HONE_CUDNN_OF_DATA_TYPE, HONE_CUDNN_F32);
  hone_cudnn_put_number(g, of, HONE_CUDNN_CONVOLUTION_MODE, HONE_CUDNN_OF_CONVOLUTION_MODE,
                        HONE_CUDNN_CORRELATION);
  hone_cudnn_put_int(g, of, HONE_CUDNN_CONVOLUTION_RANK, 2);
  hone_cudnn_put(g, of, HONE_CUDNN_CONVOLUTION_BEFORE, HONE_CUDNN_OF_INT64, 2, r->before);
  hone_cudnn_put(g, of, HONE_CUDNN_CONVOLUTION_AFTER, HONE_CUDNN_OF_INT64, 2, r->after);
  hone_cudnn_put(g, of, HONE_CUDNN_CONVOLUTION_STRIDES, HONE_CUDNN_OF_INT64, 2, r->strides);
  hone_cudnn_put(g, of, HONE_CUDNN_CONVOLUTION_DILATIONS, HONE_CUDNN_OF_INT64, 2, r->dilations);
  hone_cudnn_end(g, of);
  hone_cudnn_desc x = tensor(c, X, r->x, r->type), w = tensor(c, W, r->w, r->type);
  hone_cudnn_desc y = next_tensor(c, k), operation = hone_cudnn_begin(g, HONE_CUDNN_DO_CONVOLUTION);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_CONVOLUTION_OF, of);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_CONVOLUTION_X, x);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_CONVOLUTION_W, w);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_CONVOLUTION_Y, y);
  hone_cudnn_put(g, operation, HONE_CUDNN_CONVOLUTION_ALPHA, HONE_CUDNN_OF_FLOAT, 1, &one);
  hone_cudnn_put(g, operation, HONE_CUDNN_CONVOLUTION_BETA, HONE_CUDNN_OF_FLOAT, 1, &zero);
  hone_cudnn_add(g, operation);
}

/* `operand` NULL: an activation. */
static void add_pointwise(convolution *c, chain *k, int mode, hone_cudnn_desc operand) {
  hone_cudnn_pointwise p = {.mode = mode, .precision = HONE_CUDNN_F32, .x = k->last, .b = operand};
  p.clips = !operand && c->recipe.clips;
  p.lower = c->recipe.lower;
  p.upper = c->recipe.upper;
  p.y = next_tensor(c, k);
  hone_cudnn_add_pointwise(&c->graph, &p);
}

static void describe(void *own) {
  convolution *c = own;
  const recipe *r = &c->recipe;
  const int64_t columns[] = {1, r->y[1], 1, 1};
  chain k = {.left = 1 + (r->bias != 0) + (r->residual != 0) + (r->activation != 0)};
  add_convolution(c, &k);
  if (r->bias) add_pointwise(c, &k, HONE_CUDNN_ADD, tensor(c, BIAS, columns, r->type));
  if (r->residual) add_pointwise(c, &k, HONE_CUDNN_ADD, tensor(c, RESIDUAL, r->y, r->type));
  if (r->activation) add_pointwise(c, &k, r->activation, NULL);
}

/* ---- Settling --------------------------------------------------------------------------------- */

static hone_status *put_window(const hone_node *node, const hone_shape *x, const hone_shape *w,
                               recipe *r) {
  hone_spatial s;
  HONE_TRY(hone_cuda_window(node, x, w->dim, false, &s));
  *r = (recipe){.x = {x->dim[0], x->dim[3], s.in[0], s.in[1]},
                .w = {w->dim[3], w->dim[2], s.kernel[0], s.kernel[1]},
                .y = {x->dim[0], w->dim[3], s.out[0], s.out[1]},
                .before = {s.before[0], s.before[1]},
                .after = {s.after[0], s.after[1]},
                .strides = {s.stride[0], s.stride[1]},
                .dilations = {s.dilation[0], s.dilation[1]}};
  bool crops = s.before[0] < 0 || s.before[1] < 0 || s.after[0] < 0 || s.after[1] < 0;
  return crops ? hone_cudnn_not_taken("it crops") : NULL;
}

/* The left operand's rows are the pixels of one column. */
static void put_rows(const hone_shape *x, const hone_shape *w, recipe *r) {
  int64_t rows = 1;
  for (int d = 0; d + 1 < x->rank; d++) rows *= x->dim[d];
  *r = (recipe){.x = {1, w->dim[0], rows, 1},
                .w = {w->dim[1], w->dim[0], 1, 1},
                .y = {1, w->dim[1], rows, 1},
                .strides = {1, 1},
                .dilations = {1, 1}};
}

static void put_epilogue(const hone_cuda_epilogue *e, recipe *r) {
  r->bias = e->bias != NULL;
  r->residual = e->residual != NULL;
  r->activation = e->activation;
  if (!e->activated || e->activated->op != &hone_op_clip) return;
  const hone_value *low = hone_node_in(e->activated, 1), *high = hone_node_in(e->activated, 2);
  r->clips = 1;
  r->lower = hone_load_real(low->type.dtype, low->constant, 0);
  r->upper = hone_load_real(high->type.dtype, high->constant, 0);
}

static hone_status *measure(void *own, const hone_cuda_stage *stage, const hone_cuda_body *body,
                            const hone_group_view *view) {
  recipe *r = &((convolution *)own)->recipe;
  const hone_node *node = stage->core;
  const hone_shape *x = &view->types[node->inputs[0].value->id].shape;
  const hone_shape *w = &view->types[node->inputs[1].value->id].shape;
  hone_cuda_epilogue e = hone_cuda_epilogue_of(stage, activation_of);
  (void)body;
  if (!e.known) return hone_cudnn_not_taken("what follows it");
  if (is_product(node)) put_rows(x, w, r);
  else HONE_TRY(put_window(node, x, w, r));
  r->type = hone_cudnn_type(node->inputs[0].value->type.dtype);
  put_epilogue(&e, r);
  for (int i = 0; i < 4; i++)
    if (r->x[i] < 1 || r->y[i] < 1) return hone_cudnn_not_taken("it is empty");
  return NULL;
}

/* ---- Filters ---------------------------------------------------------------------------------- */

/* Of filters [rows, columns, inputs, outputs], or a matrix [inputs, outputs]. */
typedef struct filters {
  size_t taps, outputs, element; /* taps: times inputs; element: bytes */
} filters;

static filters filters_of(const hone_node *node) {
  const hone_type *type = &node->inputs[1].value->type;
  filters f = {1, (size_t)type->shape.dim[type->shape.rank - 1], hone_dtype_bits(type->dtype) / 8};
  for (int i = 0; i + 1 < type->shape.rank; i++) f.taps *= (size_t)type->shape.dim[i];
  return f;
}

static uint64_t key_by_output(const hone_node *node) {
  filters f = filters_of(node);
  return (uint64_t)f.taps << 32 | (uint64_t)f.outputs << 1 | (f.element == 4);
}

static size_t size_by_output(const hone_node *node) {
  filters f = filters_of(node);
  return f.taps * f.outputs * f.element;
}

#define STRIP 16 /* outputs that are written side by side: a line of the cache is read once */

static void put_by_output(const hone_node *node, const void *from, void *to) {
  filters f = filters_of(node);
  for (size_t begin = 0; begin < f.outputs; begin += STRIP) {
    size_t end = begin + STRIP < f.outputs ? begin + STRIP : f.outputs;
    for (size_t t = 0; t < f.taps; t++)
      for (size_t o = begin; o < end; o++)
        memcpy((char *)to + (o * f.taps + t) * f.element,
               (const char *)from + (t * f.outputs + o) * f.element, f.element);
  }
}

/* Outputs, rows, columns, inputs. */
static const hone_cuda_order by_output = {
    .input = 1, .key = key_by_output, .size = size_by_output, .put = put_by_output};

/* ---- Holding and running ---------------------------------------------------------------------- */

static hone_status *hold(void *own, const hone_cuda_stage *stage, const hone_cuda_body *body) {
  convolution *c = own;
  hone_cuda_epilogue e = hone_cuda_epilogue_of(stage, activation_of);
  c->bias = e.bias ? hone_cuda_constant_at(body, e.bias) : NULL;
  c->residual_at = hone_cuda_epilogue_residual(stage, &e);
  c->result_at = stage->results[0].pointer;
  return hone_cuda_share_arranged(&by_output, body, stage->core, &c->filters);
}

static void release(void *own) {
  hone_cuda_unshare(((convolution *)own)->filters);
}

static const hone_cudnn_kind kind = {.size = sizeof(convolution),
                                     .kept = sizeof(recipe),
                                     .measure = measure,
                                     .describe = describe,
                                     .hold = hold,
                                     .release = release};

static hone_status *settle(hone_cuda_stage *stage, const hone_cuda_body *body,
                           const hone_group_view *view, hone_bytes saved, hone_text *state) {
  return hone_cudnn_settle(&kind, stage, body, view, saved, state);
}

static void drop(void *own) {
  hone_cudnn_drop(&kind, own);
}

enum { INPUT, FILTERS, WORKSPACE, POINTERS }; /* among the pointers */

static hone_status *convolve(const void *own, void *const *pointers, void *stream) {
  const convolution *c = own;
  int64_t numbers[] = {X, W, Y, BIAS, RESIDUAL}, count = 3;
  const void *addresses[] = {pointers[INPUT], c->filters, pointers[c->result_at], NULL, NULL};
  if (c->recipe.bias) addresses[count++] = c->bias;
  if (c->recipe.residual) {
    numbers[count] = RESIDUAL;
    addresses[count++] = pointers[c->residual_at];
  }
  return hone_cudnn_execute(&c->graph, count, numbers, addresses, pointers[WORKSPACE], stream);
}

static hone_status *plan_convolution(const hone_cuda_stage *stage, const hone_group_view *view,
                                     hone_cuda_plan *plan) {
  const convolution *c = stage->own;
  (void)view;
  return hone_cuda_launch_library(plan, stage, convolve, (size_t)c->graph.workspace);
}

const hone_cuda_kernel hone_cuda_kernel_conv_cudnn = {.name = "conv_cudnn",
                                                      .candidate = "cuda.cudnn",
                                                      .variants = HONE_CUDNN_VARIANTS,
                                                      .only_chosen = true,
                                                      .least_sm = 80,
                                                      .needs = "cuDNN 9.0",
                                                      .pointers = POINTERS,
                                                      .finishes = true,
                                                      .bias = HONE_CONV_BIAS,
                                                      .available = hone_cudnn_available,
                                                      .accepts = accepts,
                                                      .joins = joins,
                                                      .settle = settle,
                                                      .drop = drop,
                                                      .plan = plan_convolution};
