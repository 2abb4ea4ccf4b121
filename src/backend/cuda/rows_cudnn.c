/* Convolutions with bias, residual and activation by cuDNN's graphs, and products with a matrix of
 * weights as convolutions of one pixel. Room: backend/cuda.
 *
 * Its variants are the engine configurations that the library's heuristic gives for the sizes, best
 * guess first. A plan takes the library a third of a second to make, and is kept as the text that it
 * gives of it. Filters lie by output channel there, in a copy that the plans of a layer share. */
#include <string.h>

#include "backend/cuda/cudnn.h"
#include "backend/cuda/epilogue.h"
#include "backend/cuda/gpu.h"
#include "backend/cuda/packs.h"
#include "backend/cuda/rows.h"
#include "backend/cuda/windows.h"
#include "base/memory.h"
#include "ops/conv_shape.h"

#define VARIANTS        6
#define WORKSPACE_LIMIT ((int64_t)256 << 20)
#define ALIGNMENT       16

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

static hone_status *available(void) {
  const hone_cudnn *cudnn;
  return hone_cudnn_get(&cudnn);
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

/* What is made, as engine files keep it before the plan's text. Sizes are images, channels, rows,
 * columns; of filters outputs, inputs, rows, columns. */
typedef struct recipe {
  uint64_t version;
  int64_t x[4], w[4], y[4];
  int64_t before[2], after[2], strides[2], dilations[2];
  int64_t workspace;
  double lower, upper; /* of an activation that clips */
  int32_t type, variant, bias, residual, activation, clips;
} recipe;

#define MOST_DESCS 40

typedef struct convolution {
  recipe recipe;
  const hone_cudnn *cudnn;
  hone_cudnn_desc descs[MOST_DESCS];
  int desc_count;
  hone_status *failed; /* while making: the first failure, after which nothing more is done */
  hone_cudnn_desc plan;
  void *filters; /* on the GPU */
  const void *bias;
  int residual_at, result_at; /* among the pointers */
} convolution;

static void drop(void *own) {
  convolution *c = own;
  for (int i = c->desc_count; i-- > 0;) (void)c->cudnn->desc_free(c->descs[i]);
  hone_cuda_unshare(c->filters);
  hone_free(c);
}

static hone_status *not_taken(const char *why) {
  return hone_error(HONE_NOT_FOUND, "cuDNN does not take the convolution: %s", why);
}

/* ---- Descriptors ------------------------------------------------------------------------------ */

static void keep(convolution *c, int result, const char *what) {
  if (!c->failed) c->failed = hone_cudnn_status(c->cudnn, result, what);
}

static hone_cudnn_desc begin(convolution *c, int kind) {
  hone_cudnn_desc desc = NULL;
  if (!c->failed && c->desc_count == MOST_DESCS)
    c->failed = hone_error(HONE_LIMIT, "a convolution takes too many descriptors");
  if (c->failed) return NULL;
  keep(c, c->cudnn->desc_new(kind, &desc), "making a descriptor");
  if (!c->failed) c->descs[c->desc_count++] = desc;
  return desc;
}

static void put(convolution *c, hone_cudnn_desc desc, int name, int type, int64_t count,
                const void *values) {
  if (!c->failed) keep(c, c->cudnn->set(desc, name, type, count, values), "describing");
}
static void put_int(convolution *c, hone_cudnn_desc desc, int name, int64_t value) {
  put(c, desc, name, HONE_CUDNN_OF_INT64, 1, &value);
}
static void put_number(convolution *c, hone_cudnn_desc desc, int name, int type, int value) {
  put(c, desc, name, type, 1, &value);
}
static void put_desc(convolution *c, hone_cudnn_desc desc, int name, hone_cudnn_desc value) {
  put(c, desc, name, HONE_CUDNN_OF_DESC, 1, &value);
}

static hone_cudnn_desc end(convolution *c, hone_cudnn_desc desc) {
  if (!c->failed) keep(c, c->cudnn->finish(desc), "finishing a descriptor");
  return desc;
}

enum { X = 1, W, BIAS, RESIDUAL, Y, BETWEEN = 10 }; /* numbers of tensors */

/* Channels last, as all of ours are. */
static hone_cudnn_desc tensor(convolution *c, int64_t number, const int64_t *sizes, int type) {
  hone_cudnn_desc desc = begin(c, HONE_CUDNN_TENSOR);
  const int64_t strides[] = {sizes[1] * sizes[2] * sizes[3], 1, sizes[1] * sizes[3], sizes[1]};
  bool between = number >= BETWEEN;
  put_number(c, desc, HONE_CUDNN_TENSOR_TYPE, HONE_CUDNN_OF_DATA_TYPE, type);
  put(c, desc, HONE_CUDNN_TENSOR_SIZES, HONE_CUDNN_OF_INT64, 4, sizes);
  put(c, desc, HONE_CUDNN_TENSOR_STRIDES, HONE_CUDNN_OF_INT64, 4, strides);
  put_int(c, desc, HONE_CUDNN_TENSOR_NUMBER, number);
  put_int(c, desc, HONE_CUDNN_TENSOR_ALIGNMENT, ALIGNMENT);
  put(c, desc, HONE_CUDNN_TENSOR_VIRTUAL, HONE_CUDNN_OF_BOOL, 1, &between);
  return end(c, desc);
}

typedef struct chain {
  hone_cudnn_desc operations[8];
  int count, left; /* made, and to come */
  hone_cudnn_desc last;
} chain;

/* Where the next operation writes: between two in f32, at the end the result. */
static hone_cudnn_desc next_tensor(convolution *c, chain *k) {
  bool end = --k->left == 0;
  return k->last = tensor(c, end ? Y : BETWEEN + k->left, c->recipe.y,
                          end ? c->recipe.type : HONE_CUDNN_F32);
}

static void add_convolution(convolution *c, chain *k) {
  const recipe *r = &c->recipe;
  const float one = 1, zero = 0;
  hone_cudnn_desc of = begin(c, HONE_CUDNN_CONVOLUTION);
  put_number(c, of, HONE_CUDNN_CONVOLUTION_TYPE, HONE_CUDNN_OF_DATA_TYPE, HONE_CUDNN_F32);
  put_number(c, of, HONE_CUDNN_CONVOLUTION_MODE, HONE_CUDNN_OF_CONVOLUTION_MODE,
             HONE_CUDNN_CORRELATION);
  put_int(c, of, HONE_CUDNN_CONVOLUTION_RANK, 2);
  put(c, of, HONE_CUDNN_CONVOLUTION_BEFORE, HONE_CUDNN_OF_INT64, 2, r->before);
  put(c, of, HONE_CUDNN_CONVOLUTION_AFTER, HONE_CUDNN_OF_INT64, 2, r->after);
  put(c, of, HONE_CUDNN_CONVOLUTION_STRIDES, HONE_CUDNN_OF_INT64, 2, r->strides);
  put(c, of, HONE_CUDNN_CONVOLUTION_DILATIONS, HONE_CUDNN_OF_INT64, 2, r->dilations);
  end(c, of);
  hone_cudnn_desc x = tensor(c, X, r->x, r->type), w = tensor(c, W, r->w, r->type);
  hone_cudnn_desc y = next_tensor(c, k), operation = begin(c, HONE_CUDNN_DO_CONVOLUTION);
  put_desc(c, operation, HONE_CUDNN_CONVOLUTION_OF, of);
  put_desc(c, operation, HONE_CUDNN_CONVOLUTION_X, x);
  put_desc(c, operation, HONE_CUDNN_CONVOLUTION_W, w);
  put_desc(c, operation, HONE_CUDNN_CONVOLUTION_Y, y);
  put(c, operation, HONE_CUDNN_CONVOLUTION_ALPHA, HONE_CUDNN_OF_FLOAT, 1, &one);
  put(c, operation, HONE_CUDNN_CONVOLUTION_BETA, HONE_CUDNN_OF_FLOAT, 1, &zero);
  k->operations[k->count++] = end(c, operation);
}

/* The mode of the element's work: `operand` NULL for an activation. */
static void add_pointwise(convolution *c, chain *k, int mode, hone_cudnn_desc operand) {
  const recipe *r = &c->recipe;
  hone_cudnn_desc of = begin(c, HONE_CUDNN_POINTWISE), x = k->last;
  put_number(c, of, HONE_CUDNN_POINTWISE_MODE, HONE_CUDNN_OF_POINTWISE_MODE, mode);
  put_number(c, of, HONE_CUDNN_POINTWISE_PRECISION, HONE_CUDNN_OF_DATA_TYPE, HONE_CUDNN_F32);
  if (mode == HONE_CUDNN_RELU && r->clips) {
    put(c, of, HONE_CUDNN_POINTWISE_LOWER, HONE_CUDNN_OF_DOUBLE, 1, &r->lower);
    put(c, of, HONE_CUDNN_POINTWISE_UPPER, HONE_CUDNN_OF_DOUBLE, 1, &r->upper);
  }
  end(c, of);
  hone_cudnn_desc y = next_tensor(c, k), operation = begin(c, HONE_CUDNN_DO_POINTWISE);
  put_desc(c, operation, HONE_CUDNN_POINTWISE_OF, of);
  put_desc(c, operation, HONE_CUDNN_POINTWISE_X, x);
  if (operand) put_desc(c, operation, HONE_CUDNN_POINTWISE_B, operand);
  put_desc(c, operation, HONE_CUDNN_POINTWISE_Y, y);
  k->operations[k->count++] = end(c, operation);
}

static hone_cudnn_desc make_graph(convolution *c, hone_cudnn_handle handle) {
  const recipe *r = &c->recipe;
  const int64_t columns[] = {1, r->y[1], 1, 1};
  chain k = {.left = 1 + (r->bias != 0) + (r->residual != 0) + (r->activation != 0)};
  add_convolution(c, &k);
  if (r->bias) add_pointwise(c, &k, HONE_CUDNN_ADD, tensor(c, BIAS, columns, r->type));
  if (r->residual) add_pointwise(c, &k, HONE_CUDNN_ADD, tensor(c, RESIDUAL, r->y, r->type));
  if (r->activation) add_pointwise(c, &k, r->activation, NULL);
  hone_cudnn_desc graph = begin(c, HONE_CUDNN_GRAPH);
  put(c, graph, HONE_CUDNN_GRAPH_HANDLE, HONE_CUDNN_OF_HANDLE, 1, &handle);
  put(c, graph, HONE_CUDNN_GRAPH_OPERATIONS, HONE_CUDNN_OF_DESC, k.count, k.operations);
  return end(c, graph);
}

/* ---- Plans ------------------------------------------------------------------------------------ */

static int64_t get_int(convolution *c, hone_cudnn_desc desc, int name) {
  int64_t value = 0, count = 0;
  if (!c->failed)
    keep(c, c->cudnn->get(desc, name, HONE_CUDNN_OF_INT64, 1, &count, &value), "asking a plan");
  return value;
}

/* The configuration that the variant stands for; NULL: there are not so many. */
static hone_cudnn_desc find_config(convolution *c, hone_cudnn_desc graph) {
  hone_cudnn_desc heuristic = begin(c, HONE_CUDNN_HEURISTIC), configs[VARIANTS] = {NULL};
  int64_t count = 0;
  put_desc(c, heuristic, HONE_CUDNN_HEURISTIC_GRAPH, graph);
  put_number(c, heuristic, HONE_CUDNN_HEURISTIC_MODE, HONE_CUDNN_OF_HEURISTIC_MODE,
             HONE_CUDNN_MODE_A);
  end(c, heuristic);
  for (int i = 0; i < c->recipe.variant; i++) configs[i] = begin(c, HONE_CUDNN_ENGINE_CONFIG);
  if (!c->failed)
    keep(c, c->cudnn->get(heuristic, HONE_CUDNN_HEURISTIC_RESULTS, HONE_CUDNN_OF_DESC,
                          c->recipe.variant, &count, configs),
         "asking the heuristic");
  return count >= c->recipe.variant ? configs[c->recipe.variant - 1] : NULL;
}

static void make_plan(convolution *c, hone_cudnn_handle handle) {
  hone_cudnn_desc graph = make_graph(c, handle), config = find_config(c, graph);
  if (!c->failed && !config) c->failed = not_taken("there are no more ways");
  hone_cudnn_desc plan = begin(c, HONE_CUDNN_PLAN);
  put(c, plan, HONE_CUDNN_PLAN_HANDLE, HONE_CUDNN_OF_HANDLE, 1, &handle);
  put_desc(c, plan, HONE_CUDNN_PLAN_CONFIG, config);
  c->plan = end(c, plan);
  c->recipe.workspace = get_int(c, plan, HONE_CUDNN_PLAN_WORKSPACE);
  if (!c->failed && (c->recipe.workspace < 0 || c->recipe.workspace > WORKSPACE_LIMIT))
    c->failed = not_taken("it wants too much memory");
}

static void resume_plan(convolution *c, hone_cudnn_handle handle, hone_bytes text) {
  hone_cudnn_desc plan = begin(c, HONE_CUDNN_PLAN);
  put(c, plan, HONE_CUDNN_PLAN_HANDLE, HONE_CUDNN_OF_HANDLE, 1, &handle);
  put(c, plan, HONE_CUDNN_PLAN_JSON, HONE_CUDNN_OF_CHAR, (int64_t)text.size, text.data);
  c->plan = end(c, plan);
  int64_t workspace = get_int(c, plan, HONE_CUDNN_PLAN_WORKSPACE);
  if (!c->failed && workspace > c->recipe.workspace) c->failed = not_taken("its memory has changed");
}

/* The recipe, then the text of the plan. */
static hone_status *put_state(convolution *c, hone_text *state) {
  int64_t size = 0;
  HONE_TRY(hone_cudnn_status(
      c->cudnn, c->cudnn->get(c->plan, HONE_CUDNN_PLAN_JSON, HONE_CUDNN_OF_CHAR, 0, &size, NULL),
      "asking for a plan's size"));
  char *text = hone_alloc((size_t)size + 1);
  HONE_TRY_MEMORY(text);
  int result = c->cudnn->get(c->plan, HONE_CUDNN_PLAN_JSON, HONE_CUDNN_OF_CHAR, size, &size, text);
  hone_text_add(state, (const char *)&c->recipe, sizeof c->recipe);
  hone_text_add(state, text, (size_t)size);
  hone_free(text);
  return hone_cudnn_status(c->cudnn, result, "asking for a plan");
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
  return crops ? not_taken("it crops") : NULL;
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

static hone_status *put_recipe(const hone_cuda_stage *stage, const hone_group_view *view,
                               const hone_cuda_epilogue *e, recipe *r) {
  const hone_node *node = stage->core;
  const hone_shape *x = &view->types[node->inputs[0].value->id].shape;
  const hone_shape *w = &view->types[node->inputs[1].value->id].shape;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  if (is_product(node)) put_rows(x, w, r);
  else HONE_TRY(put_window(node, x, w, r));
  r->type = dtype == HONE_F16    ? HONE_CUDNN_F16
            : dtype == HONE_BF16 ? HONE_CUDNN_BF16
                                 : HONE_CUDNN_F32;
  r->variant = stage->variant;
  r->bias = e->bias != NULL;
  r->residual = e->residual != NULL;
  r->activation = e->activation;
  for (int i = 0; i < 4; i++)
    if (r->x[i] < 1 || r->y[i] < 1) return not_taken("it is empty");
  if (e->activated && e->activated->op == &hone_op_clip) {
    const hone_value *low = hone_node_in(e->activated, 1), *high = hone_node_in(e->activated, 2);
    r->clips = 1;
    r->lower = hone_load_real(low->type.dtype, low->constant, 0);
    r->upper = hone_load_real(high->type.dtype, high->constant, 0);
  }
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

/* ---- Making and resuming ---------------------------------------------------------------------- */

static hone_status *take_recipe(convolution *c, hone_bytes *saved) {
  if (saved->size < sizeof c->recipe)
    return hone_error(HONE_CORRUPT, "a convolution's recipe is damaged");
  memcpy(&c->recipe, saved->data, sizeof c->recipe);
  *saved = (hone_bytes){(const char *)saved->data + sizeof c->recipe, saved->size - sizeof c->recipe};
  return c->recipe.version == c->cudnn->version ? NULL
                                                : not_taken("it was chosen for another version");
}

static hone_status *plan_with(convolution *c, hone_cudnn_handle handle, bool fresh, hone_bytes saved) {
  if (fresh) make_plan(c, handle);
  else resume_plan(c, handle, saved);
  hone_status *failed = c->failed;
  c->failed = NULL;
  return failed;
}

static hone_status *make(convolution *c, const hone_cuda_stage *stage, const hone_cuda_body *body,
                         const hone_group_view *view, hone_bytes saved) {
  hone_cuda_epilogue e = hone_cuda_epilogue_of(stage, activation_of);
  hone_cudnn_handle handle;
  if (!e.known || stage->result_count != 1) return not_taken("what follows it");
  c->bias = e.bias ? hone_cuda_constant_at(body, e.bias) : NULL;
  c->residual_at = hone_cuda_epilogue_residual(stage, &e);
  c->result_at = stage->results[0].pointer;
  HONE_TRY(view ? put_recipe(stage, view, &e, &c->recipe) : take_recipe(c, &saved));
  c->recipe.version = c->cudnn->version;
  HONE_TRY(hone_cudnn_take(c->cudnn, &handle));
  hone_status *status = plan_with(c, handle, view != NULL, saved);
  hone_cudnn_give(handle);
  HONE_TRY(status);
  return hone_cuda_share_arranged(&by_output, body, stage->core, &c->filters);
}

/* Whatever the library does not do, another candidate does. */
static hone_status *or_not_taken(hone_status *status) {
  hone_code code = hone_status_code(status);
  if (code != HONE_UNSUPPORTED && code != HONE_DEVICE) return status;
  hone_status *softer = hone_error(HONE_NOT_FOUND, "%s", hone_status_message(status));
  hone_status_free(status);
  return softer;
}

static hone_status *settle(hone_cuda_stage *stage, const hone_cuda_body *body,
                           const hone_group_view *view, hone_bytes saved, hone_text *state) {
  hone_gpu *gpu;
  const hone_cudnn *cudnn;
  HONE_TRY(hone_gpu_get(&gpu));
  HONE_TRY(hone_cudnn_get(&cudnn));
  convolution *c = hone_alloc_zero(sizeof *c);
  HONE_TRY_MEMORY(c);
  c->cudnn = cudnn;
  hone_status *status = hone_gpu_enter(gpu);
  if (!status) {
    status = make(c, stage, body, view, saved);
    if (!status && view) status = put_state(c, state);
    hone_gpu_leave(gpu);
  }
  if (!status) stage->own = c;
  else drop(c);
  return or_not_taken(status);
}

/* ---- Running ---------------------------------------------------------------------------------- */

enum { INPUT, FILTERS, WORKSPACE, POINTERS }; /* among the pointers */

static hone_status *fill_pack(const convolution *c, hone_cudnn_desc pack, void *const *pointers) {
  int64_t numbers[] = {X, W, Y, BIAS, RESIDUAL}, count = 3;
  const void *addresses[] = {pointers[INPUT], c->filters, pointers[c->result_at], NULL, NULL};
  if (c->recipe.bias) addresses[count++] = c->bias;
  if (c->recipe.residual) {
    numbers[count] = RESIDUAL;
    addresses[count++] = pointers[c->residual_at];
  }
  const hone_cudnn *d = c->cudnn;
  int result = d->set(pack, HONE_CUDNN_PACK_NUMBERS, HONE_CUDNN_OF_INT64, count, numbers);
  if (!result)
    result = d->set(pack, HONE_CUDNN_PACK_ADDRESSES, HONE_CUDNN_OF_ADDRESS, count, addresses);
  if (!result)
    result = d->set(pack, HONE_CUDNN_PACK_WORKSPACE, HONE_CUDNN_OF_ADDRESS, 1, &pointers[WORKSPACE]);
  if (!result) result = d->finish(pack);
  return hone_cudnn_status(d, result, "giving a convolution its memory");
}

static hone_status *execute(const convolution *c, hone_cudnn_desc pack, void *stream) {
  hone_cudnn_handle handle;
  HONE_TRY(hone_cudnn_take(c->cudnn, &handle));
  int result = c->cudnn->set_stream(handle, stream);
  if (!result) result = c->cudnn->execute(handle, c->plan, pack);
  hone_cudnn_give(handle);
  return hone_cudnn_status(c->cudnn, result, "a convolution");
}

static hone_status *convolve(const void *own, void *const *pointers, void *stream) {
  const convolution *c = own;
  hone_cudnn_desc pack = NULL;
  HONE_TRY(hone_cudnn_status(c->cudnn, c->cudnn->desc_new(HONE_CUDNN_PACK, &pack),
                             "making a descriptor"));
  hone_status *status = fill_pack(c, pack, pointers);
  if (!status) status = execute(c, pack, stream);
  (void)c->cudnn->desc_free(pack);
  return status;
}

static hone_status *plan_convolution(const hone_cuda_stage *stage, const hone_group_view *view,
                                     hone_cuda_plan *plan) {
  const convolution *c = stage->own;
  (void)view;
  return hone_cuda_launch_library(plan, stage, convolve, (size_t)c->recipe.workspace);
}

const hone_cuda_kernel hone_cuda_kernel_conv_cudnn = {.name = "conv_cudnn",
                                                      .candidate = "cuda.cudnn",
                                                      .variants = VARIANTS,
                                                      .only_chosen = true,
                                                      .least_sm = 80,
                                                      .needs = "cuDNN 9.0",
                                                      .pointers = POINTERS,
                                                      .finishes = true,
                                                      .bias = HONE_CONV_BIAS,
                                                      .available = available,
                                                      .accepts = accepts,
                                                      .joins = joins,
                                                      .settle = settle,
                                                      .drop = drop,
                                                      .plan = plan_convolution};
