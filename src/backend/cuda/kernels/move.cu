// Elements moved from strides to strides: transpose, slice, expand, concat, split.
// p[0] from, p[1] to. n[0] elements, n[1] rank, n[2] and n[3] where each begins, n[8…] sizes,
// n[16…] strides of `from`, n[24…] strides of `to`. T has the elements' width.
template <class Index> __device__ __forceinline__ void move(const Args &a) {
  const T *from = (const T *)a.p[0] + a.n[2];
  T *to = (T *)a.p[1] + a.n[3];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    Index rest = (Index)i;
    s64 source = 0, target = 0;
    for (int d = (int)a.n[1] - 1; d >= 0; d--) {
      Index size = (Index)a.n[8 + d], at = rest % size;
      rest /= size;
      source += at * a.n[16 + d];
      target += at * a.n[24 + d];
    }
    to[target] = from[source];
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow();
  if (IS_SMALL(a.n[0])) move<u32>(a);
  else move<s64>(a);
}
