/* The table of node kernels. Room: backend/cpu. */
#include "backend/cpu/node_kernel.h"

#define KERNEL(algorithm, suffix, ISA, op, functions) \
  extern const hone_node_functions hone_node_##functions;
#include "backend/cpu/kernels.def"
#undef KERNEL

const hone_cpu_kernel hone_cpu_kernels[] = {
#define KERNEL(algorithm, suffix, ISA, op, functions)                       \
  {#algorithm "_" #suffix, #algorithm, &hone_op_##op, HONE_ISA_##ISA,       \
   &hone_node_##functions},
#include "backend/cpu/kernels.def"
#undef KERNEL
};
const size_t hone_cpu_kernel_count = sizeof hone_cpu_kernels / sizeof *hone_cpu_kernels;

hone_status *hone_constant_floats(const hone_value *constant, hone_arena *arena,
                                  const float **out) {
  *out = constant->constant;
  if ((uintptr_t)constant->constant % sizeof(float) == 0) return NULL;
  *out = hone_arena_copy(arena, constant->constant, constant->constant_size);
  return *out ? NULL : hone_error_memory();
}
