// layer_norm and rms_norm. p[0] x. n[0] rows, n[1] elements of a row, n[2] what takes a row: BY_BLOCK; BY_WARP, which
// keeps it in registers; BY_EIGHTS, a block with a thread for each eight of it, whose code is short: few rows wait
// for code as well.
#define BY_BLOCK 0
#define BY_WARP 1
#define BY_EIGHTS 2
#define KEPT 4 // eights a lane
__device__ __forceinline__ R norm_scale(R square, s64 size) { return R(1) / sqrt(square / (R)size + EPSILON); }

__device__ __forceinline__ void norm_by_block(const Args &a) {
  s64 size = a.n[1];
  auto add = [](R x, R y) { return x + y; };
  for (s64 row = blockIdx.x; row < a.n[0]; row += gridDim.x) {
    s64 base = row * size;
    R mean = 0, square = 0;
    if (CENTER) {
      for (s64 k = threadIdx.x; k < size; k += 256) mean += load<T>(a.p[0], base + k);
      mean = block_reduce(mean, add) / (R)size;
    }
    for (s64 k = threadIdx.x; k < size; k += 256) {
      R x = load<T>(a.p[0], base + k) - mean;
      square += x * x;
    }
    R scale = norm_scale(block_reduce(square, add), size);
    for (s64 k = threadIdx.x; k < size; k += 256) {
      s64 i = base + k;
      finish(a, i, COLUMN(i), (load<T>(a.p[0], i) - mean) * scale);
    }
  }
}

__device__ __forceinline__ R warp_sum(R value) {
  for (int bit = 16; bit > 0; bit /= 2) value += lane_across(value, bit);
  return value;
}

__device__ __forceinline__ void norm_by_warp(const Args &a, bool wide) {
  int size = (int)a.n[1], lane = threadIdx.x % 32;
  for (s64 row = blockIdx.x * (s64)(blockDim.x / 32) + threadIdx.x / 32; row < a.n[0]; row += gridDim.x * (s64)(blockDim.x / 32)) {
    s64 base = row * size;
    R x[KEPT][8], mean = 0, square = 0;
#pragma unroll
    for (int g = 0; g < KEPT; g++) {
      int k = (lane + 32 * g) * 8;
      Eight<T> eight = {};
      if (k < size && wide) eight = load_eight<T>(a.p[0], base + k);
      for (int e = 0; e < 8; e++) {
        if (k < size && !wide) eight.at[e] = ((const T *)a.p[0])[base + k + e];
        x[g][e] = Element<T>::value(eight.at[e]);
        mean += x[g][e];
      }
    }
    mean = CENTER ? warp_sum(mean) / (R)size : R(0);
#pragma unroll
    for (int g = 0; g < KEPT; g++)
      for (int e = 0; e < 8; e++) {
        x[g][e] -= mean;
        if ((lane + 32 * g) * 8 < size) square += x[g][e] * x[g][e];
      }
    R scale = norm_scale(warp_sum(square), size);
#pragma unroll
    for (int g = 0; g < KEPT; g++) {
      int k = (lane + 32 * g) * 8;
      s64 i = base + k;
      if (k >= size) continue;
      for (int e = 0; e < 8; e++) x[g][e] *= scale;
      if (wide) finish_eight(a, i, COLUMN(i), x[g]);
      else
        for (int e = 0; e < 8; e++) finish(a, i + e, COLUMN(i + e), x[g][e]);
    }
  }
}

// The mean of a row and the sum of squares about it; without CENTER 0 and the sum of squares.
struct Moments {
  R mean, square;
};
// Those of `count` elements each become those of both (Chan, Golub and LeVeque 1983).
__device__ __forceinline__ void join_moments(Moments &m, R mean, R square, R count) {
  R apart = mean - m.mean;
  m.square += square + apart * apart * count * R(0.5);
  m.mean = (m.mean + mean) * R(0.5);
}
// Of a block's eights, of which the first `threads` threads have one: one way through the lanes for both, and one meeting
// of the warps, of which at most the last is not full; that one sums, then squares. `part` is 1 by the elements.
__device__ __forceinline__ Moments moments_of_block(const R *x, u32 threads, R part) {
  __shared__ Moments room[8];
  u32 warp = threadIdx.x / 32, there = threads - warp * 32;
  Moments m = {};
  for (int e = 0; CENTER && e < 8; e++) m.mean += x[e];
  if (CENTER) m.mean = there >= 32 ? m.mean * R(0.125) : warp_sum(m.mean) / (R)(8 * there);
  for (int e = 0; e < 8 && threadIdx.x < threads; e++) m.square += (x[e] - m.mean) * (x[e] - m.mean);
  if (CENTER && there >= 32)
    for (int bit = 1; bit < 32; bit *= 2)
      join_moments(m, lane_across(m.mean, bit), lane_across(m.square, bit), (R)(8 * bit));
  else m.square = warp_sum(m.square);
  if (threadIdx.x % 32 == 0) room[warp] = m;
  __syncthreads();
  m = Moments{};
  for (u32 w = 0; CENTER && w * 32 < threads; w++)
    m.mean += room[w].mean * ((R)(threads - w * 32 < 32 ? 8 * (threads - w * 32) : 256) * part);
  for (u32 w = 0; w * 32 < threads; w++) {
    R apart = room[w].mean - m.mean, count = (R)(threads - w * 32 < 32 ? 8 * (threads - w * 32) : 256);
    m.square += CENTER ? room[w].square + apart * apart * count : room[w].square;
  }
  return m;
}
__device__ __forceinline__ void norm_by_eights(const Args &a) {
  int size = (int)a.n[1], k = threadIdx.x * 8;
  s64 i = (s64)blockIdx.x * size + k, column = COLUMN(i);
  bool inside = k < size;
  R x[8] = {}, part = R(1) / (R)size;
  Streams streams;
  let_next_begin();
  follow(a);
  if (inside) {
    Eight<T> eight = load_eight<T>(a.p[0], i);
    streams = load_streams(a, i, column);
    for (int e = 0; e < 8; e++) x[e] = Element<T>::value(eight.at[e]);
  }
  Moments m = moments_of_block(x, (u32)size / 8, part);
  R scale = R(1) / sqrt(m.square * part + EPSILON);
  for (int e = 0; e < 8; e++) x[e] = (x[e] - m.mean) * scale;
  if (inside) finish_eight(a, i, column, x, streams);
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  bool wide = IS_WIDE(a, ROW(a.n[1])) && ((u64)a.p[0] & 15) == 0;
  if (a.n[2] == BY_EIGHTS && wide) return norm_by_eights(a);
  follow(a);
  if (a.n[2]) norm_by_warp(a, wide);
  else norm_by_block(a);
}
