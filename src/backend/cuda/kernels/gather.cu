// Slices picked by index. p[0] x, p[1] indices of type I, p[4] y, p[5] where a fault goes.
// n[0] elements of y, n[1] elements after the axis, n[2] indices, n[3] size of the axis.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  const T *x = (const T *)a.p[0];
  T *y = (T *)a.p[4];
  s64 after = a.n[1], indices = a.n[2], size = a.n[3];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    s64 inner = i % after, which = i / after % indices, outer = i / after / indices;
    s64 at = index_at(a, a.p[1], which, size);
    y[i] = at < 0 ? T(0) : x[(outer * size + at) * after + inner];
  }
}
