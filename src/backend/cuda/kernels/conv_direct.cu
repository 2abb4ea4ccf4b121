// Convolution, channels last, an output a thread: any number of groups; eight outputs a thread where every
// channel is a group of one filter. p[0] x, p[1] w.
// n[0] outputs; n[1] channels; n[2]…n[13] as for pooling; n[14] filters; n[15] groups.
template <class Index> __device__ __forceinline__ void convolve(const Args &a) {
  Index channels = (Index)a.n[1], filters = (Index)a.n[14], groups = (Index)a.n[15];
  Index per_group = channels / groups, of_group = filters / groups;
  Index width = (Index)a.n[5], height = (Index)a.n[4];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    Index m = (Index)i % filters, pixel = (Index)i / filters, first = m / of_group * per_group;
    s64 left = pixel % width * a.n[9] - a.n[13];
    s64 top = pixel / width % height * a.n[8] - a.n[12];
    s64 image = pixel / width / height * a.n[2] * a.n[3];
    R sum = 0;
    for (s64 r = 0; r < a.n[6]; r++) {
      s64 y = top + r * a.n[10];
      if (y < 0 || y >= a.n[2]) continue;
      for (s64 s = 0; s < a.n[7]; s++) {
        s64 x = left + s * a.n[11];
        if (x < 0 || x >= a.n[3]) continue;
        s64 at = (image + y * a.n[3] + x) * channels + first;
        s64 tap = (r * a.n[7] + s) * per_group * filters + m;
        for (Index c = 0; c < per_group; c++)
          sum += load<T>(a.p[0], at + c) * load<T>(a.p[1], tap + (s64)c * filters);
      }
    }
    finish(a, i, m, sum);
  }
}

// Windows of WINDOW squared: their loads are all on their way at once, and filters before what other kernels leave.
#define WINDOW 3
struct Filters {
  Eight<T> at[WINDOW * WINDOW];
};
__device__ __forceinline__ Filters filters_of(const Args &a, u32 c) {
  Filters f;
#pragma unroll
  for (int i = 0; i < WINDOW * WINDOW; i++) f.at[i] = load_eight<T>(a.p[1], (s64)i * a.n[1] + c);
  return f;
}
__device__ __forceinline__ void convolve_windows(const Args &a) {
  u32 channels = (u32)a.n[1], eights = channels / 8, width = (u32)a.n[5], height = (u32)a.n[4];
  u32 i = blockIdx.x * blockDim.x + threadIdx.x, step = gridDim.x * blockDim.x, count = (u32)(a.n[0] / 8);
  int x_width = (int)a.n[3], x_height = (int)a.n[2];
  if (!a.n[39]) follow(a);
  Filters by = filters_of(a, i % eights * 8);
  if (a.n[39]) follow(a);
  while (i < count) {
    u32 c = i % eights * 8, pixel = i / eights;
    int left = (int)(pixel % width) * (int)a.n[9] - (int)a.n[13];
    int top = (int)(pixel / width % height) * (int)a.n[8] - (int)a.n[12];
    const T *image = (const T *)a.p[0] + (s64)(pixel / width / height) * x_height * x_width * channels + c;
    Eight<T> from[WINDOW * WINDOW];
    R sum[8] = {};
#pragma unroll
    for (int t = 0; t < WINDOW * WINDOW; t++) {
      int y = top + t / WINDOW * (int)a.n[10], x = left + t % WINDOW * (int)a.n[11];
      bool inside = (u32)y < (u32)x_height && (u32)x < (u32)x_width;
      from[t] = inside ? load_eight<T>(image, (s64)(y * x_width + x) * channels) : Eight<T>{};
    }
    Streams streams = load_streams(a, (s64)i * 8, c);
#pragma unroll
    for (int t = 0; t < WINDOW * WINDOW; t++)
#pragma unroll
      for (int e = 0; e < 8; e++) sum[e] += Element<T>::value(from[t].at[e]) * Element<T>::value(by.at[t].at[e]);
    finish_eight(a, (s64)i * 8, c, sum, streams);
    i += step;
    if (i < count) by = filters_of(a, i % eights * 8);
  }
}

__device__ __forceinline__ void convolve_depthwise(const Args &a) {
  u32 channels = (u32)a.n[1], eights = channels / 8, width = (u32)a.n[5], height = (u32)a.n[4];
  int x_width = (int)a.n[3], x_height = (int)a.n[2], rows = (int)a.n[6], columns = (int)a.n[7];
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < a.n[0] / 8; i += gridDim.x * blockDim.x) {
    u32 c = i % eights * 8, pixel = i / eights;
    int left = (int)(pixel % width) * (int)a.n[9] - (int)a.n[13];
    int top = (int)(pixel / width % height) * (int)a.n[8] - (int)a.n[12];
    s64 image = (s64)(pixel / width / height) * x_height * x_width;
    R sum[8] = {};
    for (int r = 0; r < rows; r++) {
      int y = top + r * (int)a.n[10];
      if (y < 0 || y >= x_height) continue;
#pragma unroll 3
      for (int s = 0; s < columns; s++) {
        int x = left + s * (int)a.n[11];
        if (x < 0 || x >= x_width) continue;
        Eight<T> from = load_eight<T>(a.p[0], (image + y * x_width + x) * channels + c);
        Eight<T> by = load_eight<T>(a.p[1], (s64)(r * columns + s) * channels + c);
#pragma unroll
        for (int e = 0; e < 8; e++) sum[e] += Element<T>::value(from.at[e]) * Element<T>::value(by.at[e]);
      }
    }
    finish_eight(a, (s64)i * 8, c, sum);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  bool depthwise = a.n[15] == a.n[1] && a.n[14] == a.n[1] && (((u64)a.p[0] | (u64)a.p[1]) & 15) == 0;
  bool wide = depthwise && IS_SMALL(a.n[0]) && IS_WIDE(a, a.n[1]);
  if (sizeof(T) == 2 && wide && a.n[6] == WINDOW && a.n[7] == WINDOW) return convolve_windows(a);
  follow(a);
  if (wide) convolve_depthwise(a);
  else if (IS_SMALL(a.n[0])) convolve<u32>(a);
  else convolve<s64>(a);
}
