// Slices picked by index. p[0] x, p[1] indices of type I, p[2] y, p[3] where a fault goes.
// n[0] elements of y, n[1] elements after the axis, n[2] indices, n[3] size of the axis, n[71] the step.
// A fault is {set, step, element, value, bound}; the first to come is kept.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow();
  const T *x = (const T *)a.p[0];
  T *y = (T *)a.p[2];
  s64 after = a.n[1], indices = a.n[2], size = a.n[3];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    s64 inner = i % after, which = i / after % indices, outer = i / after / indices;
    s64 index = (s64)load<I>(a.p[1], which), at = index < 0 ? index + size : index;
    if (at < 0 || at >= size) {
      u64 *fault = (u64 *)a.p[3];
      if (atomicCAS(fault, 0ull, 1ull) == 0) {
        fault[1] = (u64)a.n[71];
        fault[2] = (u64)which;
        fault[3] = (u64)index;
        fault[4] = (u64)size;
      }
      at = 0;
    }
    y[i] = x[(outer * size + at) * after + inner];
  }
}
