// A chain of pointwise nodes: one element a turn.
// n[0]: elements.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x)
    finish(a, i, COLUMN(i), 0);
}
