// Convolution and matrix product of bytes in exact integers, channels last, an output a thread: any
// number of groups. p[0] x of type X, p[1] w of type W, p[2] and p[3] their zero points or NULL.
// n[0] outputs; n[1] channels; n[2]…n[13] as for pooling; n[14] filters; n[15] groups; n[16] whether
// w has a zero point a filter. What lies outside of x counts as its zero point.
template <class Index> __device__ __forceinline__ void multiply(const Args &a) {
  const X *x = (const X *)a.p[0];
  const W *w = (const W *)a.p[1];
  s32 x_zero = a.p[2] ? (s32)((const X *)a.p[2])[0] : 0;
  Index channels = (Index)a.n[1], filters = (Index)a.n[14], groups = (Index)a.n[15];
  Index per_group = channels / groups, of_group = filters / groups;
  Index width = (Index)a.n[5], height = (Index)a.n[4];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    Index m = (Index)i % filters, pixel = (Index)i / filters, first = m / of_group * per_group;
    s32 w_zero = a.p[3] ? (s32)((const W *)a.p[3])[a.n[16] ? m : 0] : 0;
    s64 left = pixel % width * a.n[9] - a.n[13];
    s64 top = pixel / width % height * a.n[8] - a.n[12];
    s64 image = pixel / width / height * a.n[2] * a.n[3];
    u32 sum = 0;
    for (s64 r = 0; r < a.n[6]; r++) {
      s64 row = top + r * a.n[10];
      if (row < 0 || row >= a.n[2]) continue;
      for (s64 s = 0; s < a.n[7]; s++) {
        s64 column = left + s * a.n[11];
        if (column < 0 || column >= a.n[3]) continue;
        const X *from = x + (image + row * a.n[3] + column) * channels + first;
        const W *by = w + (r * a.n[7] + s) * per_group * filters + m;
        for (Index c = 0; c < per_group; c++)
          sum += (u32)(((s32)from[c] - x_zero) * ((s32)by[(s64)c * filters] - w_zero));
      }
    }
    finish(a, i, m, (s64)(s32)sum);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  if (IS_SMALL(a.n[0])) multiply<u32>(a);
  else multiply<s64>(a);
}
