/* Layer norms by cuDNN's graphs: the heuristic's best guess alone, since the library compiles every plan
 * of a norm anew. Room: backend/cuda. */
#include <stddef.h>

#include "backend/cuda/cudnn_graph.h"
#include "backend/cuda/plan.h"
#include "backend/cuda/rows.h"

enum { INPUT, SCALE, BIAS }; /* of the node */

/* A row of constants, one for each element of the input's last axis. */
static bool is_row(const hone_value *value, const hone_type *x) {
  if (!value || !value->constant || value->type.dtype != x->dtype) return false;
  const hone_shape *shape = &value->type.shape;
  return shape->rank == 1 && shape->dim[0] == x->shape.dim[x->shape.rank - 1];
}

static bool accepts(const hone_node *node) {
  if (node->op != &hone_op_layer_norm || !hone_cuda_one_float(node)) return false;
  const hone_type *x = &node->inputs[INPUT].value->type;
  int64_t axis = hone_node_int(node, "axis");
  bool one_result = !hone_node_out(node, 1) && !hone_node_out(node, 2);
  return one_result && x->dtype != HONE_F64 && x->shape.rank >= 1 &&
         (axis == -1 || axis == x->shape.rank - 1) && is_row(hone_node_in(node, SCALE), x) &&
         is_row(hone_node_in(node, BIAS), x);
}

static bool joins(const hone_cuda_stage *stage, const hone_node *node) {
  (void)stage, (void)node;
  return false;
}

/* What engine files keep. */
typedef struct recipe {
  int64_t rows, columns;
  int32_t type;
  float epsilon;
} recipe;

typedef struct norm {
  hone_cudnn_graph graph;
  recipe recipe;
  const void *scale, *bias;
  int result_at; /* among the pointers */
} norm;
_Static_assert(offsetof(norm, recipe) == sizeof(hone_cudnn_graph), "what is kept comes next");

static hone_status *measure(void *own, const hone_cuda_stage *stage, const hone_cuda_body *body,
                            const hone_group_view *view) {
  recipe *r = &((norm *)own)->recipe;
  const hone_value *x = stage->core->inputs[INPUT].value;
  const hone_shape *shape = &view->types[x->id].shape;
  (void)body;
  r->rows = (int64_t)hone_shape_span(shape, 0, shape->rank - 1);
  r->columns = shape->dim[shape->rank - 1];
  r->type = hone_cudnn_type(x->type.dtype);
  r->epsilon = (float)hone_node_real(stage->core, "epsilon");
  return r->rows > 0 && r->columns > 0 ? NULL : hone_cudnn_not_taken("it is empty");
}

/* ---- The graph -------------------------------------------------------------------------------- */

enum { OF_X = 1, OF_SCALE, OF_BIAS, OF_EPSILON, OF_Y }; /* numbers of tensors */

static void describe(void *own) {
  hone_cudnn_graph *g = own;
  const recipe *r = &((norm *)own)->recipe;
  const int64_t whole[] = {r->rows, r->columns, 1, 1}, row[] = {1, r->columns, 1, 1};
  const int64_t strides[] = {r->columns, 1, r->columns, r->columns};
  hone_cudnn_desc x = hone_cudnn_tensor(g, OF_X, whole, strides, r->type);
  hone_cudnn_desc scale = hone_cudnn_tensor(g, OF_SCALE, row, strides, r->type);
  hone_cudnn_desc bias = hone_cudnn_tensor(g, OF_BIAS, row, strides, r->type);
  hone_cudnn_desc epsilon = hone_cudnn_scalar(g, OF_EPSILON);
  hone_cudnn_desc y = hone_cudnn_tensor(g, OF_Y, whole, strides, r->type);
  hone_cudnn_desc operation = hone_cudnn_begin(g, HONE_CUDNN_DO_NORM);
  hone_cudnn_put_number(g, operation, HONE_CUDNN_NORM_MODE, HONE_CUDNN_OF_NORM_MODE,
                        HONE_CUDNN_LAYER_NORM);
  hone_cudnn_put_number(g, operation, HONE_CUDNN_NORM_PHASE, HONE_CUDNN_OF_NORM_PHASE,
                        HONE_CUDNN_FOR_INFERENCE);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_NORM_X, x);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_NORM_SCALE, scale);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_NORM_BIAS, bias);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_NORM_EPSILON, epsilon);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_NORM_Y, y);
  hone_cudnn_add(g, operation);
}

/* ---- The row ---------------------------------------------------------------------------------- */

static hone_status *hold(void *own, const hone_cuda_stage *stage, const hone_cuda_body *body) {
  norm *n = own;
  n->scale = hone_cuda_constant_at(body, hone_node_in(stage->core, SCALE));
  n->bias = hone_cuda_constant_at(body, hone_node_in(stage->core, BIAS));
  n->result_at = stage->results[0].pointer;
  return NULL;
}

static const hone_cudnn_kind kind = {.size = sizeof(norm),
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

enum { WORKSPACE = 1, POINTERS }; /* among the pointers, after the input */

static hone_status *run(const void *own, void *const *pointers, void *stream) {
  const norm *n = own;
  const int64_t numbers[] = {OF_X, OF_SCALE, OF_BIAS, OF_EPSILON, OF_Y};
  const void *addresses[] = {pointers[INPUT], n->scale, n->bias, &n->recipe.epsilon,
                             pointers[n->result_at]};
  return hone_cudnn_execute(&n->graph, 5, numbers, addresses, pointers[WORKSPACE], stream);
}

static hone_status *plan_norm(const hone_cuda_stage *stage, const hone_group_view *view,
                              hone_cuda_plan *plan) {
  const norm *n = stage->own;
  (void)view;
  return hone_cuda_launch_library(plan, stage, run, (size_t)n->graph.workspace);
}

const hone_cuda_kernel hone_cuda_kernel_norm_cudnn = {.name = "norm_cudnn",
                                                      .candidate = "cuda.cudnn_norm",
                                                      .variants = 1,
                                                      .only_chosen = true,
                                                      .least_sm = 80,
                                                      .needs = "cuDNN 9.0",
                                                      .pointers = POINTERS,
                                                      .finishes = true,
                                                      .scale = SCALE,
                                                      .bias = BIAS,
                                                      .available = hone_cudnn_available,
                                                      .accepts = accepts,
                                                      .joins = joins,
                                                      .settle = settle,
                                                      .drop = drop,
                                                      .plan = plan_norm};
