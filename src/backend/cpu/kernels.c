/* The table of node kernels. Room: backend/cpu. */
#include <string.h>

#include "backend/cpu/node_kernel.h"

#define KERNEL(algorithm, suffix, ISA, op, functions) \
  extern const hone_node_functions hone_node_##functions;
#include "backend/cpu/kernels.def"
#undef KERNEL

const hone_cpu_kernel hone_cpu_kernels[] = {
#define KERNEL(algorithm, suffix, ISA, op, functions)                       \
  {#algorithm "_" #suffix, #algorithm, &hone_op_##op, ISA, &hone_node_##functions},
#include "backend/cpu/kernels.def"
#undef KERNEL
};
const size_t hone_cpu_kernel_count = sizeof hone_cpu_kernels / sizeof *hone_cpu_kernels;

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

const hone_value *hone_node_operand(const hone_node *node, int index) {
  const hone_value *in = hone_node_in(node, index);
  bool takes = node->op == &hone_op_conv || node->op == &hone_op_matmul;
  if (!takes || !in) return in;
  bool widens = is_cast(in->producer, HONE_F16, HONE_F32) ||
                is_cast(in->producer, HONE_BF16, HONE_F32);
  if (widens && node->op == &hone_op_matmul && index == 1) {
    const hone_value *weights = in->producer->inputs[0].value;
    return weights->constant ? weights : in;
  }
  if (!is_cast(in->producer, HONE_F32, HONE_BF16)) return in;
  return hone_value_has_one_use(in) ? in->producer->inputs[0].value : in;
}

bool hone_node_is_lowered(const hone_node *node) {
  const hone_value *out = node->outputs[0];
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *in = hone_node_operand(node, i);
    if (in && !in->constant && in->type.dtype != HONE_F32) return false;
  }
  return out->type.dtype == HONE_BF16 && hone_value_has_one_use(out) &&
         is_cast(out->uses->user, HONE_BF16, HONE_F32);
}
