// Depthwise convolution of bytes in exact integers, channels last: eight channels and PIXELS neighbours of a row a
// thread. Pointers as integer.cu's. n[0] threads' work; n[1] channels, a multiple of eight; n[2]…n[13] as for pooling;
// n[14] how many times PIXELS a row of y has; n[16] whether w has a zero point a filter. What lies outside of x counts
// as its zero point.
template <class B> __device__ __forceinline__ s32 byte_of(u64 eight, int e) {
  return (s32)(B)(eight >> 8 * e);
}
__device__ __forceinline__ u64 load_bytes(const void *p, bool whole) {
  if (whole) return *(const u64 *)p;
  u64 all = 0;
  for (int e = 0; e < 8; e++) all |= (u64)((const u8 *)p)[e] << 8 * e;
  return all;
}

// Adds a tap to the sums of all pixels; `row` is x's row, `left` the tap's column for the first of them.
__device__ __forceinline__ void add_tap(const Args &a, s32 (*sums)[8], const u8 *row, s64 left, const s32 *by, s32 zero,
                                        bool whole) {
#pragma unroll
  for (int p = 0; p < PIXELS; p++) {
    s64 column = left + p * a.n[9];
    if ((u64)column >= (u64)a.n[3]) continue;
    u64 eight = load_bytes(row + column * a.n[1], whole);
#pragma unroll
    for (int e = 0; e < 8; e++) sums[p][e] += (byte_of<X>(eight, e) - zero) * by[e];
  }
}

template <class Index> __device__ __forceinline__ void convolve(const Args &a, bool wide) {
  Index chunks = (Index)a.n[1] / 8, across = (Index)a.n[14], height = (Index)a.n[4];
  bool whole = (((u64)a.p[0] | (u64)a.p[1]) & 7) == 0;
  s32 zero = a.p[2] ? (s32)((const X *)a.p[2])[0] : 0;
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    Index c = (Index)i % chunks * 8, rest = (Index)i / chunks, first = rest % across * PIXELS, line = rest / across;
    s64 left = (s64)first * a.n[9] - a.n[13], top = (s64)(line % height) * a.n[8] - a.n[12];
    const u8 *image = (const u8 *)a.p[0] + (s64)(line / height) * a.n[2] * a.n[3] * a.n[1] + c;
    s32 sums[PIXELS][8] = {}, w_zeros[8];
#pragma unroll
    for (int e = 0; e < 8; e++) w_zeros[e] = a.p[3] ? (s32)((const W *)a.p[3])[a.n[16] ? c + e : 0] : 0;
    for (s64 r = 0; r < a.n[6]; r++) {
      s64 y = top + r * a.n[10];
      if ((u64)y >= (u64)a.n[2]) continue;
      for (s64 s = 0; s < a.n[7]; s++) {
        u64 eight = load_bytes((const u8 *)a.p[1] + (r * a.n[7] + s) * a.n[1] + c, whole);
        s32 by[8];
#pragma unroll
        for (int e = 0; e < 8; e++) by[e] = byte_of<W>(eight, e) - w_zeros[e];
        add_tap(a, sums, image + y * a.n[3] * a.n[1], left + s * a.n[11], by, zero, whole);
      }
    }
#pragma unroll
    for (int p = 0; p < PIXELS; p++) {
      R cores[8];
      s64 at = ((s64)line * a.n[5] + first + p) * a.n[1] + c;
      if ((s64)first + p >= a.n[5]) break;
#pragma unroll
      for (int e = 0; e < 8; e++) cores[e] = sums[p][e];
      if (wide) finish_eight(a, at, c, cores);
      else
        for (int e = 0; e < 8; e++) finish(a, at + e, c + e, cores[e]);
    }
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  bool wide = IS_WIDE(a, a.n[1]);
  if (IS_SMALL(a.n[0])) convolve<u32>(a, wide);
  else convolve<s64>(a, wide);
}
