/* Reading a stage's tail as an epilogue of a library's. Room: backend/cuda. */
#include "backend/cuda/epilogue.h"

static bool is_column(const hone_value *value, const hone_shape *whole) {
  const hone_shape *shape = &value->type.shape;
  for (int i = 0; i + 1 < shape->rank; i++)
    if (shape->dim[i] != 1) return false;
  return value->constant && shape->rank > 0 && whole->rank > 0 && shape->dim[shape->rank - 1] > 1 &&
         shape->dim[shape->rank - 1] == whole->dim[whole->rank - 1];
}

static bool add_operand(hone_cuda_epilogue *e, const hone_shape *whole, const hone_value *operand) {
  if (is_column(operand, whole) && !e->bias) return (e->bias = operand) != NULL;
  if (!hone_shape_equal(&operand->type.shape, whole) || e->residual) return false;
  return (e->residual = operand) != NULL;
}

/* Adds a node that reads `last`; false where the library does not know it. */
static bool add_node(hone_cuda_epilogue *e, const hone_cuda_stage *stage, const hone_node *node,
                     const hone_value *last, hone_cuda_activation *number) {
  if (e->activated || node->outputs[0]->type.dtype != last->type.dtype) return false;
  if (node->op != &hone_op_add) {
    e->activated = node;
    return node->inputs[0].value == last && (e->activation = number(node)) != 0;
  }
  const hone_value *x = node->inputs[0].value, *y = node->inputs[1].value;
  const hone_value *other = x == last ? y : x;
  if ((x != last && y != last) || other == last || other->type.dtype != last->type.dtype)
    return false;
  return add_operand(e, &stage->shape->type.shape, other);
}

static const hone_value *bias_of(const hone_cuda_stage *stage) {
  for (int i = 0; i < stage->stream_count; i++)
    if (stage->streams[i].joins == '+') return stage->streams[i].value;
  return NULL;
}

hone_cuda_epilogue hone_cuda_epilogue_of(const hone_cuda_stage *stage,
                                         hone_cuda_activation *number) {
  hone_cuda_epilogue e = {.bias = bias_of(stage)};
  const hone_value *last = stage->core->outputs[0];
  e.known = !e.bias || is_column(e.bias, &stage->shape->type.shape);
  for (int i = 0; e.known && i < stage->tail_count; i++) {
    e.known = add_node(&e, stage, stage->tail[i], last, number);
    last = stage->tail[i]->outputs[0];
  }
  return e;
}

bool hone_cuda_epilogue_takes(const hone_cuda_stage *stage, const hone_node *node,
                              hone_cuda_activation *number) {
  hone_cuda_epilogue e = hone_cuda_epilogue_of(stage, number);
  const hone_value *last = stage->tail_count ? stage->tail[stage->tail_count - 1]->outputs[0]
                                             : stage->core->outputs[0];
  return e.known && add_node(&e, stage, node, last, number);
}

int hone_cuda_epilogue_residual(const hone_cuda_stage *stage, const hone_cuda_epilogue *e) {
  for (int i = 0; e->residual && i < stage->stream_count; i++)
    if (!stage->streams[i].joins && stage->streams[i].value == e->residual)
      return stage->streams[i].pointer;
  return -1;
}
