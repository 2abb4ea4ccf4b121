// A chain of pointwise nodes: eight elements a turn where they lie so, else one.
// n[0]: elements.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 first = blockIdx.x * (s64)blockDim.x + threadIdx.x, step = gridDim.x * (s64)blockDim.x;
  if (a.n[0] % 8 == 0 && IS_WIDE(a, ROW(a.n[0]))) {
    for (s64 i = 8 * first; i < a.n[0]; i += 8 * step) finish_eight(a, i, COLUMN(i), 0);
    return;
  }
  for (s64 i = first; i < a.n[0]; i += step)
    finish(a, i, COLUMN(i), 0);
}
