/* Matrix products, and convolutions that are such, by cuBLASLt. Room: backend/cuda.
 *
 * Its variants are the algorithms that the library advises for the sizes, best guess first. Bias,
 * residual and activation join the product where an epilogue of the library's computes the same; what it
 * does not know follows as a stage of its own. */
#include <string.h>

#include "backend/cuda/epilogue.h"
#include "backend/cuda/gpu.h"
#include "backend/cuda/lt.h"
#include "backend/cuda/rows.h"
#include "base/memory.h"
#include "ops/conv_shape.h"

#define VARIANTS        8 /* it never advises more */
#define WORKSPACE_LIMIT ((size_t)32 << 20)
#define ALIGNMENT       16

/* ---- Which products --------------------------------------------------------------------------- */

static bool accepts(const hone_node *node) {
  if (node->op != &hone_op_matmul &&
      !(node->op == &hone_op_conv && hone_node_int(node, "groups") == 1 &&
        hone_cuda_is_plain_conv(node)))
    return false;
  return hone_cuda_one_float(node) && node->inputs[0].value->type.dtype != HONE_F64;
}

static hone_status *available(void) {
  const hone_lt *lt;
  return hone_lt_get(&lt);
}

static int activation_of(const hone_node *node) {
  if (node->op == &hone_op_relu) return HONE_LT_RELU;
  bool by_tanh = node->op == &hone_op_gelu && strcmp(hone_node_text(node, "approximate"), "tanh") == 0;
  return by_tanh ? HONE_LT_GELU : 0;
}

static bool joins(const hone_cuda_stage *stage, const hone_node *node) {
  return hone_cuda_epilogue_takes(stage, node, activation_of);
}

/* ---- One product ------------------------------------------------------------------------------ */

/* An operand as the library sees it: columns of `rows` elements, `pitch` apart. */
typedef struct side {
  int64_t rows, columns, pitch, stride; /* stride: from product to product of a batch */
  int64_t transposed;
} side;

/* What makes the product again, as engine files keep it. */
typedef struct recipe {
  uint64_t version; /* of the library that chose the algorithm */
  side a, b, d;     /* ours from right to left */
  int64_t batch;
  double alpha;
  int32_t type, compute, epilogue, residual, variant, unused;
  hone_lt_algorithm algorithm;
  uint64_t workspace;
} recipe;

typedef struct product {
  recipe recipe;
  const hone_lt *lt;
  hone_lt_desc desc;
  hone_lt_layout a, b, d;
  int c_at, d_at; /* the residual's and the result's places among the pointers */
  float alpha, beta;
} product;

static void drop(void *own) {
  product *p = own;
  if (p->a) (void)p->lt->layout_free(p->a);
  if (p->b) (void)p->lt->layout_free(p->b);
  if (p->d) (void)p->lt->layout_free(p->d);
  if (p->desc) (void)p->lt->desc_free(p->desc);
  hone_free(p);
}

static hone_status *not_taken(const char *why) {
  return hone_error(HONE_NOT_FOUND, "cuBLASLt does not take the product: %s", why);
}

/* Ours by rows is theirs by columns: the same memory, transposed. */
static bool put_side(side *out, int64_t rows, int64_t columns, int64_t row_stride,
                     int64_t column_stride) {
  bool by_rows = column_stride == 1 || columns == 1;
  if (!by_rows && row_stride != 1 && rows != 1) return false;
  *out = by_rows ? (side){.rows = columns, .columns = rows, .pitch = row_stride}
                 : (side){.rows = rows, .columns = columns, .pitch = column_stride, .transposed = 1};
  if (out->pitch < out->rows) out->pitch = out->rows;
  return true;
}

/* The axes of a batch as one, where each operand goes on by one stride. */
static bool put_batch(recipe *r, const long long *n, int64_t batch) {
  const int rank = (int)n[7];
  r->batch = batch;
  r->d.stride = r->d.rows * r->d.columns;
  for (int i = 0; i < 2 && rank > 0; i++) {
    const long long *strides = n + 16 + 8 * i;
    for (int d = 0; d + 1 < rank; d++)
      if (n[8 + d] > 1 && strides[d] != n[8 + d + 1] * strides[d + 1]) return false;
    (i ? &r->a : &r->b)->stride = strides[rank - 1];
  }
  return true;
}

static void conv_sizes(const hone_cuda_stage *stage, const hone_group_view *view, long long *n) {
  const hone_shape *x = &view->types[stage->core->inputs[0].value->id].shape;
  const hone_shape *w = &view->types[stage->core->inputs[1].value->id].shape;
  n[1] = n[5] = w->dim[w->rank - 1];
  n[2] = n[3] = w->dim[w->rank - 2];
  n[4] = n[6] = 1;
  n[0] = 1;
  for (int d = 0; d + 1 < x->rank; d++) n[0] *= x->dim[d];
}

static hone_status *put_sizes(const hone_cuda_stage *stage, const hone_group_view *view,
                              recipe *r) {
  const hone_node *node = stage->core;
  long long n[40] = {0};
  int64_t batch = 1;
  if (node->op == &hone_op_conv) conv_sizes(stage, view, n);
  else
    batch = hone_cuda_matmul_sizes(node, &view->types[node->inputs[0].value->id].shape,
                                   &view->types[node->inputs[1].value->id].shape, n);
  if (n[0] < 1 || n[1] < 1 || n[2] < 1 || batch < 1) return not_taken("it is empty");
  r->d = (side){.rows = n[1], .columns = n[0], .pitch = n[1]};
  if (!put_side(&r->b, n[0], n[2], n[3], n[4]) || !put_side(&r->a, n[2], n[1], n[5], n[6]) ||
      !put_batch(r, n, batch))
    return not_taken("its strides");
  return NULL;
}

static hone_status *put_recipe(const hone_cuda_stage *stage, const hone_group_view *view,
                               const hone_cuda_epilogue *e, recipe *r) {
  const hone_node *node = stage->core;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  bool tf32 = dtype == HONE_F32 && hone_node_flag(node, "tf32");
  *r = (recipe){.alpha = node->op == &hone_op_conv ? 1 : hone_node_real(node, "alpha"),
                .type = dtype == HONE_F16    ? HONE_LT_F16
                        : dtype == HONE_BF16 ? HONE_LT_BF16
                                             : HONE_LT_F32,
                .compute = tf32 ? HONE_LT_COMPUTE_TF32 : HONE_LT_COMPUTE_F32,
                .epilogue = (e->bias ? HONE_LT_BIAS : 0) | e->activation,
                .residual = e->residual != NULL,
                .variant = stage->variant};
  if (r->epilogue == 0) r->epilogue = HONE_LT_NO_EPILOGUE;
  return put_sizes(stage, view, r);
}

/* ---- Its descriptors -------------------------------------------------------------------------- */

#define TRY_LT(what, call) HONE_TRY(hone_lt_status((call), what))

static hone_status *make_layout(const product *p, const side *s, hone_lt_layout *out) {
  int32_t batch = (int32_t)p->recipe.batch;
  TRY_LT("describing a matrix",
         p->lt->layout_new(out, p->recipe.type, (uint64_t)s->rows, (uint64_t)s->columns, s->pitch));
  if (batch == 1) return NULL;
  TRY_LT("describing a batch", p->lt->layout_set(*out, HONE_LT_LAYOUT_BATCH, &batch, sizeof batch));
  TRY_LT("describing a batch",
         p->lt->layout_set(*out, HONE_LT_LAYOUT_BATCH_STRIDE, &s->stride, sizeof s->stride));
  return NULL;
}

static hone_status *set_desc(const product *p, int attribute, int32_t value) {
  return hone_lt_status(p->lt->desc_set(p->desc, attribute, &value, sizeof value),
                        "describing a product");
}

static hone_status *describe(product *p, const void *bias) {
  const recipe *r = &p->recipe;
  TRY_LT("describing a product", p->lt->desc_new(&p->desc, r->compute, HONE_LT_F32));
  if (r->a.transposed) HONE_TRY(set_desc(p, HONE_LT_DESC_TRANSPOSE_A, HONE_LT_TRANSPOSE));
  if (r->b.transposed) HONE_TRY(set_desc(p, HONE_LT_DESC_TRANSPOSE_B, HONE_LT_TRANSPOSE));
  HONE_TRY(set_desc(p, HONE_LT_DESC_EPILOGUE, r->epilogue));
  if (bias)
    TRY_LT("describing a bias", p->lt->desc_set(p->desc, HONE_LT_DESC_BIAS, &bias, sizeof bias));
  HONE_TRY(make_layout(p, &r->a, &p->a));
  HONE_TRY(make_layout(p, &r->b, &p->b));
  return make_layout(p, &r->d, &p->d);
}

static hone_status *set_wishes(const hone_lt *lt, hone_lt_wish wish) {
  const size_t workspace = WORKSPACE_LIMIT;
  const uint32_t alignment = ALIGNMENT;
  TRY_LT("limiting memory",
         lt->wish_set(wish, HONE_LT_WISH_WORKSPACE, &workspace, sizeof workspace));
  for (int s = 0; s < 4; s++)
    TRY_LT("saying an alignment",
           lt->wish_set(wish, HONE_LT_WISH_ALIGNMENT + s, &alignment, sizeof alignment));
  return NULL;
}

/* The algorithm that the variant stands for. */
static hone_status *take_advice(product *p) {
  hone_lt_advice advice[VARIANTS] = {0};
  hone_lt_wish wish;
  int count = 0, at = p->recipe.variant - 1;
  TRY_LT("asking for advice", p->lt->wish_new(&wish));
  hone_status *status = set_wishes(p->lt, wish);
  int result = status ? 0
                      : p->lt->advise(p->lt->handle, p->desc, p->a, p->b, p->d, p->d, wish, VARIANTS,
                                      advice, &count);
  (void)p->lt->wish_free(wish);
  HONE_TRY(status);
  if (result || at >= count || advice[at].state || advice[at].workspace > WORKSPACE_LIMIT)
    return not_taken("it advises no such algorithm");
  p->recipe.algorithm = advice[at].algorithm;
  p->recipe.workspace = advice[at].workspace;
  p->recipe.version = p->lt->version;
  return NULL;
}

/* A saved algorithm, where this version of the library still takes it for the product; else the one that
 * this version advises first. */
static hone_status *take_saved(product *p) {
  hone_lt_advice advice = {.state = 0};
  bool same = p->recipe.version == p->lt->version &&
              p->lt->check(p->lt->handle, p->desc, p->a, p->b, p->d, p->d, &p->recipe.algorithm,
                           &advice) == 0 &&
              advice.workspace <= p->recipe.workspace;
  if (same) return NULL;
  p->recipe.variant = 1;
  return take_advice(p);
}

static hone_status *make(product *p, const hone_cuda_stage *stage, const hone_cuda_body *body,
                         const hone_group_view *view, hone_bytes saved) {
  hone_cuda_epilogue e = hone_cuda_epilogue_of(stage, activation_of);
  if (!e.known || stage->result_count != 1) return not_taken("what follows it");
  const void *bias = e.bias ? hone_cuda_constant_at(body, e.bias) : NULL;
  if (!view && saved.size != sizeof p->recipe)
    return hone_error(HONE_CORRUPT, "a product's recipe is damaged");
  if (view) HONE_TRY(put_recipe(stage, view, &e, &p->recipe));
  else memcpy(&p->recipe, saved.data, sizeof p->recipe);
  p->alpha = (float)p->recipe.alpha;
  p->beta = e.residual ? 1 : 0;
  p->d_at = p->c_at = stage->results[0].pointer;
  if (e.residual) p->c_at = hone_cuda_epilogue_residual(stage, &e);
  HONE_TRY(describe(p, bias));
  return view ? take_advice(p) : take_saved(p);
}

/* A library that does not start is as good as none. */
static hone_status *not_there(hone_status *why) {
  hone_status *status = hone_error(HONE_NOT_FOUND, "%s", hone_status_message(why));
  hone_status_free(why);
  return status;
}

static hone_status *make_here(const hone_gpu *gpu, product *p, const hone_cuda_stage *stage,
                              const hone_cuda_body *body, const hone_group_view *view,
                              hone_bytes saved) {
  HONE_TRY(hone_gpu_enter(gpu));
  hone_status *status = hone_lt_open(&p->lt);
  if (!status) status = make(p, stage, body, view, saved);
  else if (hone_status_code(status) != HONE_OUT_OF_MEMORY)
    status = not_there(status);
  hone_gpu_leave(gpu);
  return status;
}

static hone_status *settle(hone_cuda_stage *stage, const hone_cuda_body *body,
                           const hone_group_view *view, hone_bytes saved, hone_text *state) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  product *p = hone_alloc_zero(sizeof *p);
  HONE_TRY_MEMORY(p);
  hone_status *status = make_here(gpu, p, stage, body, view, saved);
  if (status) {
    drop(p);
    return status;
  }
  stage->own = p;
  hone_text_add(state, (const char *)&p->recipe, sizeof p->recipe);
  return NULL;
}

/* ---- Running ---------------------------------------------------------------------------------- */

enum { LEFT, RIGHT, WORKSPACE, POINTERS };

static hone_status *multiply(const void *own, void *const *pointers, void *stream) {
  const product *p = own;
  return hone_lt_status(
      p->lt->multiply(p->lt->handle, p->desc, &p->alpha, pointers[RIGHT], p->a, pointers[LEFT], p->b,
                      &p->beta, pointers[p->c_at], p->d, pointers[p->d_at], p->d,
                      &p->recipe.algorithm, pointers[WORKSPACE], p->recipe.workspace, stream),
      "a product");
}

static hone_status *plan_product(const hone_cuda_stage *stage, const hone_group_view *view,
                                 hone_cuda_plan *plan) {
  const product *p = stage->own;
  (void)view;
  return hone_cuda_launch_library(plan, stage, multiply, p->recipe.workspace);
}

const hone_cuda_kernel hone_cuda_kernel_product_lt = {.name = "product_lt",
                                                      .candidate = "cuda.cublaslt",
                                                      .variants = VARIANTS,
                                                      .only_chosen = true,
                                                      .needs = "cuBLASLt 12.0",
                                                      .pointers = POINTERS,
                                                      .finishes = true,
                                                      .bias = HONE_CONV_BIAS,
                                                      .available = available,
                                                      .accepts = accepts,
                                                      .joins = joins,
                                                      .settle = settle,
                                                      .drop = drop,
                                                      .plan = plan_product};
