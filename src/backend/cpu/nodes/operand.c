/* What a kernel reads of a node: operands behind casts, constants as floats, integers known at plan
 * .
 * Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/nodes/node.h"

hone_status *hone_constant_floats(const hone_value *constant, hone_arena *arena,
                                  const float **out) {
  hone_dtype dtype = constant->type.dtype;
  *out = constant->constant;
  if (dtype == HONE_F32 && (uintptr_t)constant->constant % sizeof(float) == 0) return NULL;
  size_t count = 0;
  hone_shape_count(&constant->type.shape, &count);
  float *floats = HONE_NEW_ARRAY(arena, count + 1, float);
  HONE_TRY_MEMORY(floats);
  if (dtype == HONE_F32) memcpy(floats, constant->constant, constant->constant_size);
  for (size_t i = 0; dtype != HONE_F32 && i < count; i++)
    floats[i] = (float)hone_load_real(dtype, constant->constant, i);
  *out = floats;
  return NULL;
}

static bool is_cast(const hone_node *node, hone_dtype from, hone_dtype to) {
  return node && node->op == &hone_op_cast && node->inputs[0].value->type.dtype == from &&
         node->outputs[0]->type.dtype == to;
}

/* One filter a channel, in f32: the kernel widens what it loads. */
static bool is_depthwise(const hone_node *node) {
  if (node->op != &hone_op_conv) return false;
  const hone_value *weights = hone_node_in(node, 1), *bias = hone_node_in(node, 2);
  const hone_shape *shape = &weights->type.shape;
  return weights->constant && weights->type.dtype == HONE_F32 &&
         (!bias || (bias->constant && bias->type.dtype == HONE_F32)) && shape->rank >= 3 &&
         shape->dim[shape->rank - 2] == 1 &&
         shape->dim[shape->rank - 1] == hone_node_int(node, "groups");
}

const hone_value *hone_node_operand(const hone_node *node, int index) {
  const hone_value *in = hone_node_in(node, index);
  bool takes = node->op == &hone_op_conv || node->op == &hone_op_matmul;
  if (!takes || !in || !in->producer) return in;
  const hone_value *from = in->producer->inputs[0].value;
  bool bf16 = is_cast(in->producer, HONE_BF16, HONE_F32);
  bool widens = bf16 || is_cast(in->producer, HONE_F16, HONE_F32);
  if (widens && node->op == &hone_op_matmul && index == 1) return from->constant ? from : in;
  if (bf16 && index == 0 && is_depthwise(node)) return from;
  if (!is_cast(in->producer, HONE_F32, HONE_BF16)) return in;
  return hone_value_has_one_use(in) ? from : in;
}

bool hone_node_is_widened(const hone_node *node) {
  const hone_value *out = node->outputs[0];
  return out->type.dtype == HONE_BF16 && hone_value_has_one_use(out) &&
         is_cast(out->uses->user, HONE_BF16, HONE_F32);
}

bool hone_node_is_lowered(const hone_node *node) {
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = hone_node_operand(node, i);
    if (in && !in->constant && in->type.dtype != HONE_F32) return false;
  }
  return hone_node_is_widened(node);
}

bool hone_view_ints(const hone_node_view *view, int index, int64_t *out, size_t room,
                    size_t *count) {
  const hone_datum *datum = index < view->node->input_count ? view->known[index] : NULL;
  *count = 0;
  if (!datum) return false;
  *count = hone_datum_count(datum);
  if (*count > room) return false;
  hone_load_ints(datum->dtype, datum->data, 0, *count, out);
  return true;
}
