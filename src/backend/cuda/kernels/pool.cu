// Pooling of windows over two spatial axes, channels last. p[0] x.
// n[0] outputs; n[1] channels; n[2], n[3] x's height and width; n[4], n[5] y's; n[6], n[7] the window;
// n[8], n[9] strides; n[10], n[11] dilations; n[12], n[13] pads before; n[14], n[15] pads after.
template <class Index> __device__ __forceinline__ void pool(const Args &a) {
  Index channels = (Index)a.n[1], width = (Index)a.n[5], height = (Index)a.n[4];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    Index c = (Index)i % channels, pixel = (Index)i / channels;
    s64 left = pixel % width * a.n[9] - a.n[13];
    s64 top = pixel / width % height * a.n[8] - a.n[12];
    s64 image = pixel / width / height * a.n[2] * a.n[3];
    R result = MAXIMUM ? LEAST : R(0);
    s64 counted = 0;
    for (s64 r = 0; r < a.n[6]; r++)
      for (s64 s = 0; s < a.n[7]; s++) {
        s64 y = top + r * a.n[10], x = left + s * a.n[11];
        // Pads count, but not what rounding the size up reaches beyond them.
        counted += COUNT_PADS ? y < a.n[2] + a.n[14] && x < a.n[3] + a.n[15]
                              : y >= 0 && y < a.n[2] && x >= 0 && x < a.n[3];
        if (y < 0 || y >= a.n[2] || x < 0 || x >= a.n[3]) continue;
        R v = load<T>(a.p[0], (image + y * a.n[3] + x) * channels + c);
        if (MAXIMUM) result = v > result || v != v ? v : result;
        else result += v;
      }
    finish(a, i, c, MAXIMUM ? result : result / (R)counted);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  if (IS_SMALL(a.n[0])) pool<u32>(a);
  else pool<s64>(a);
}
