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

__device__ __forceinline__ R sum_of_block(R value, R *room) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) room[threadIdx.x / 32] = value;
  __syncthreads();
  value = 0;
  for (u32 w = 0; w < blockDim.x / 32; w++) value += room[w];
  return value;
}
__device__ __forceinline__ void norm_by_eights(const Args &a) {
  __shared__ R room[2][8];
  int size = (int)a.n[1], k = threadIdx.x * 8;
  s64 i = (s64)blockIdx.x * size + k, column = COLUMN(i);
  bool inside = k < size;
  R x[8] = {}, mean = 0, square = 0;
  Streams streams;
  let_next_begin();
  follow(a);
  if (inside) {
    Eight<T> eight = load_eight<T>(a.p[0], i);
    streams = load_streams(a, i, column);
    for (int e = 0; e < 8; e++) x[e] = Element<T>::value(eight.at[e]), mean += x[e];
  }
  mean = CENTER ? sum_of_block(mean, room[0]) / (R)size : R(0);
  for (int e = 0; e < 8; e++) {
    x[e] -= mean;
    if (inside) square += x[e] * x[e];
  }
  R scale = norm_scale(sum_of_block(square, room[1]), size);
  for (int e = 0; e < 8; e++) x[e] *= scale;
  if (inside) finish_eight(a, i, column, x, streams);
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  bool wide = IS_WIDE(a, ROW(a.n[1])) && ((u64)a.p[0] & 15) == 0;
  if (a.n[2] == BY_EIGHTS && wide) return norm_by_eights(a);
  follow(a);
  if (a.n[2]) norm_by_warp(a, wide);
  else norm_by_block(a);
}
