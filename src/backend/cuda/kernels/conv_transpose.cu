// Transposed convolution, channels last, an output a thread that gathers what would be scattered to it,
// in one order: any number of groups. p[0] x, p[1] w of [kernel…, filters / groups, channels].
// n[0] outputs; n[1] channels; n[2]…n[13] as for pooling; n[14] filters; n[15] groups.
template <class Index> __device__ __forceinline__ void gather(const Args &a) {
  Index channels = (Index)a.n[1], filters = (Index)a.n[14], groups = (Index)a.n[15];
  Index per_group = channels / groups, of_group = filters / groups;
  Index width = (Index)a.n[5], height = (Index)a.n[4];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    Index m = (Index)i % filters, pixel = (Index)i / filters, first = m / of_group * per_group;
    s64 right = (s64)(pixel % width) + a.n[13], below = (s64)(pixel / width % height) + a.n[12];
    s64 image = pixel / width / height * a.n[2] * a.n[3];
    R sum = 0;
    for (s64 r = 0; r < a.n[6]; r++) {
      s64 y = below - r * a.n[10];
      if (y < 0 || y % a.n[8] || y / a.n[8] >= a.n[2]) continue;
      for (s64 s = 0; s < a.n[7]; s++) {
        s64 x = right - s * a.n[11];
        if (x < 0 || x % a.n[9] || x / a.n[9] >= a.n[3]) continue;
        s64 at = (image + y / a.n[8] * a.n[3] + x / a.n[9]) * channels + first;
        s64 tap = ((r * a.n[7] + s) * of_group + m % of_group) * channels + first;
        for (Index c = 0; c < per_group; c++)
          sum += load<T>(a.p[0], at + c) * load<T>(a.p[1], tap + c);
      }
    }
    finish(a, i, m, sum);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  if (IS_SMALL(a.n[0])) gather<u32>(a);
  else gather<s64>(a);
}
