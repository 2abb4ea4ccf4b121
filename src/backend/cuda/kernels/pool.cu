// Pooling of windows of TAPS_Y x TAPS_X over two spatial axes, channels last, eight channels a thread where they lie so,
// else one. p[0] x.
// n[0] outputs; n[1] channels; n[2], n[3] x's height and width; n[4], n[5] y's; n[6], n[7] the window;
// n[8], n[9] strides; n[10], n[11] dilations; n[12], n[13] pads before; n[14], n[15] pads after.
const int at_once = TAPS_X <= 4 ? TAPS_X : 1; // elements of a row that are on their way together
const int rows_at_once = TAPS_Y * TAPS_X <= 16 ? TAPS_Y : 1;

__device__ __forceinline__ R pooled(R result, R v) {
  if (MAXIMUM) return v > result || v != v ? v : result;
  return result + v;
}
template <class Index, int width> __device__ __forceinline__ void pool(const Args &a) {
  Index channels = (Index)a.n[1] / width, columns = (Index)a.n[5], height = (Index)a.n[4];
  Index in_y = (Index)a.n[2], in_x = (Index)a.n[3], down = (Index)a.n[10], right = (Index)a.n[11];
  s64 count = a.n[0] / width;
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < count; i += gridDim.x * (s64)blockDim.x) {
    Index c = (Index)i % channels * width, pixel = (Index)i / channels;
    Index left = pixel % columns * (Index)a.n[9] - (Index)a.n[13];
    Index top = pixel / columns % height * (Index)a.n[8] - (Index)a.n[12];
    s64 image = pixel / columns / height * a.n[2] * a.n[3];
    R result[width];
    for (int e = 0; e < width; e++) result[e] = MAXIMUM ? LEAST : R(0);
    Index counted = 0;
#pragma unroll rows_at_once
    for (int r = 0; r < TAPS_Y; r++)
#pragma unroll at_once
      for (int s = 0; s < TAPS_X; s++) {
        Index y = top + r * down, x = left + s * right;
        bool inside = y >= 0 && y < in_y && x >= 0 && x < in_x;
        // Pads count, but not what rounding the size up reaches beyond them.
        counted += COUNT_PADS ? y < in_y + (Index)a.n[14] && x < in_x + (Index)a.n[15] : inside;
        s64 at = (image + (inside ? y * (s64)in_x + x : 0)) * a.n[1] + c;
        Eight<T> several;
        if (width == 8) several = load_eight<T>(a.p[0], at);
        else several.at[0] = ((const T *)a.p[0])[at];
#pragma unroll
        for (int e = 0; e < width; e++) {
          R all = pooled(result[e], Element<T>::value(several.at[e]));
          result[e] = inside ? all : result[e];
        }
      }
    for (int e = 0; e < width && !MAXIMUM; e++) result[e] /= (R)counted;
    if (width == 8) finish_eight(a, width * i, c, result);
    else finish(a, i, c, result[0]);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  bool wide = IS_WIDE(a, a.n[1]) && ((u64)a.p[0] & 15) == 0;
  if (!IS_SMALL(a.n[0]) || !IS_SMALL(a.n[2] * a.n[3])) pool<s64, 1>(a);
  else if (wide) pool<s32, 8>(a);
  else pool<s32, 1>(a);
}
