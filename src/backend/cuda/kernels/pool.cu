// Pooling of windows over two spatial axes, channels last, eight channels a thread where they lie so, else
// one. p[0] x.
// n[0] outputs; n[1] channels; n[2], n[3] x's height and width; n[4], n[5] y's; n[6], n[7] the window;
// n[8], n[9] strides; n[10], n[11] dilations; n[12], n[13] pads before; n[14], n[15] pads after.
template <class Index, int width> __device__ __forceinline__ void pool(const Args &a) {
  Index channels = (Index)a.n[1] / width, columns = (Index)a.n[5], height = (Index)a.n[4];
  s64 count = a.n[0] / width;
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < count; i += gridDim.x * (s64)blockDim.x) {
    Index c = (Index)i % channels * width, pixel = (Index)i / channels;
    s64 left = pixel % columns * a.n[9] - a.n[13];
    s64 top = pixel / columns % height * a.n[8] - a.n[12];
    s64 image = pixel / columns / height * a.n[2] * a.n[3];
    R result[width];
    for (int e = 0; e < width; e++) result[e] = MAXIMUM ? LEAST : R(0);
    s64 counted = 0;
    for (s64 r = 0; r < a.n[6]; r++)
      for (s64 s = 0; s < a.n[7]; s++) {
        s64 y = top + r * a.n[10], x = left + s * a.n[11];
        // Pads count, but not what rounding the size up reaches beyond them.
        counted += COUNT_PADS ? y < a.n[2] + a.n[14] && x < a.n[3] + a.n[15]
                              : y >= 0 && y < a.n[2] && x >= 0 && x < a.n[3];
        if (y < 0 || y >= a.n[2] || x < 0 || x >= a.n[3]) continue;
        s64 at = (image + y * a.n[3] + x) * a.n[1] + c;
        Eight<T> several;
        if (width == 8) several = load_eight<T>(a.p[0], at);
        else several.at[0] = ((const T *)a.p[0])[at];
#pragma unroll
        for (int e = 0; e < width; e++) {
          R v = Element<T>::value(several.at[e]);
          if (MAXIMUM) result[e] = v > result[e] || v != v ? v : result[e];
          else result[e] += v;
        }
      }
    for (int e = 0; e < width && !MAXIMUM; e++) result[e] /= (R)counted;
    if (width == 8) finish_eight(a, width * i, c, result);
    else finish(a, i, c, result[0]);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow();
  bool wide = IS_WIDE(a, a.n[1]) && ((u64)a.p[0] & 15) == 0;
  if (!IS_SMALL(a.n[0])) pool<s64, 1>(a);
  else if (wide) pool<u32, 8>(a);
  else pool<u32, 1>(a);
}
