/* The table of node kernels. Room: backend/cpu. */
#include "backend/cpu/nodes/node.h"

#define KERNEL(algorithm, suffix, ISA, op, functions) \
  extern const hone_node_functions hone_node_##functions;
#include "backend/cpu/kernels.def"
#undef KERNEL

const hone_cpu_kernel hone_cpu_kernels[] = {
#define KERNEL(algorithm, suffix, ISA, op, functions) \
  {#algorithm "_" #suffix, #algorithm, &hone_op_##op, ISA, &hone_node_##functions},
#include "backend/cpu/kernels.def"
#undef KERNEL
};
const size_t hone_cpu_kernel_count = sizeof hone_cpu_kernels / sizeof *hone_cpu_kernels;

const hone_cpu_kernel *hone_cpu_kernel_next(const hone_node *node, const hone_cpu_kernel *after) {
  size_t i = after ? (size_t)(after - hone_cpu_kernels) + 1 : 0;
  for (; i < hone_cpu_kernel_count; i++) {
    const hone_cpu_kernel *k = &hone_cpu_kernels[i];
    if (k->op != node->op || !hone_isa_runs(k->isa)) continue;
    if (k->functions->accepts(k, node)) return k;
  }
  return NULL;
}
