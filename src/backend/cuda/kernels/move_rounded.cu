// A transpose of rows, the last axis, that rounds as it moves: pictures in f32 put in the order in which layers of 16
// bits read them. p[0] from, p[1] to, whose elements lie side by side. n[0] elements, n[1] rank, n[2] where `from`
// begins, n[3] whether it is f32, else it is T already, n[4] whether rows are whole eights in both. n[8…] sizes of
// `to`, n[16…] strides of `from`.
template <class Index> __device__ __forceinline__ s64 source_of(const Args &a, s64 i) {
  Index rest = (Index)i;
  s64 at = 0;
#pragma unroll 1
  for (int d = (int)a.n[1] - 1; d >= 0; d--) {
    Index size = (Index)a.n[8 + d], next = rest / size;
    at += (s64)(rest - next * size) * a.n[16 + d];
    rest = next;
  }
  return at;
}
template <class From, class Index> __device__ __forceinline__ void round_moved(const Args &a) {
  const From *from = (const From *)a.p[0] + a.n[2];
  s64 first = blockIdx.x * (s64)blockDim.x + threadIdx.x, step = gridDim.x * (s64)blockDim.x;
  if (!a.n[4] || (((u64)from | (u64)a.p[1]) & 15)) {
    for (s64 i = first; i < a.n[0]; i += step)
      ((T *)a.p[1])[i] = Element<T>::element(Element<From>::value(from[source_of<Index>(a, i)]));
    return;
  }
  for (s64 i = 8 * first; i < a.n[0]; i += 8 * step) {
    Eight<From> in = load_eight<From>(from, source_of<Index>(a, i));
    Eight<T> out;
#pragma unroll
    for (int e = 0; e < 8; e++) out.at[e] = Element<T>::element(Element<From>::value(in.at[e]));
    store_eight<T>(a.p[1], i, out);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  bool small = IS_SMALL(a.n[0]);
  if (a.n[3] && small) round_moved<float, u32>(a);
  else if (a.n[3]) round_moved<float, s64>(a);
  else if (small) round_moved<T, u32>(a);
  else round_moved<T, s64>(a);
}
