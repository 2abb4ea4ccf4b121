// Product of up to eight rows by a constant matrix, which reads that once and does little else: a thread takes
// 16 bytes of the rows' depth by eight columns at a time, eight loads of 16 bytes that are on their way together, the
// first of them before what other kernels leave is there and the next while these are multiplied. Sums are f32, added
// over the lanes of a warp, then over the warps in shared memory, always in the same order.
// p[0] left, its rows one after the other; p[1] right, constant, [depth, columns] or, RIGHT_BY_DEPTH, turned.
// n[0] rows, four of them for each of the grid's y; n[1] columns, n[2] depth; a block has 1 << n[36] times eight
// columns: beside each other in a warp, or, RIGHT_BY_DEPTH, of a warp each. The elements of p[1] are below 2^31.
// WHOLE_COLUMNS and WHOLE_DEPTH say whether the columns are whole eights and the depth whole PIECEs.
#define THREADS 256
#define MOST_EIGHTS 8 // of a block
#define PIECE ((int)(16 / sizeof(T))) // of the depth
#define WHOLE_RIGHT (RIGHT_BY_DEPTH ? WHOLE_DEPTH : WHOLE_COLUMNS)

struct Spot {
  int eights, eight; // of the block, of them this thread's
  int part, parts;   // of the depth, by warps
  int first, column; // of the block, of the thread
  int begin, step;   // along the depth
};
__device__ __forceinline__ Spot spot_of(const Args &a) {
  Spot s;
  int t = threadIdx.x, shift = (int)a.n[36];
  s.eights = 1 << shift;
  s.eight = (RIGHT_BY_DEPTH ? t / 32 : t) & (s.eights - 1);
  s.part = RIGHT_BY_DEPTH ? t / 32 >> shift : t / 32;
  s.parts = RIGHT_BY_DEPTH ? THREADS / 32 >> shift : THREADS / 32;
  s.first = (int)(blockIdx.x << shift) * 8;
  s.column = s.first + s.eight * 8;
  s.begin = (RIGHT_BY_DEPTH ? s.part * 32 + t % 32 : t >> shift) * PIECE;
  s.step = (THREADS >> shift) * PIECE;
  return s;
}

// 16 bytes of which the first `count` elements are there; zeros for the others. Whole ones have all or none.
template <bool whole> __device__ __forceinline__ uint4 words_at(const T *from, int count) {
  u32 words[4] = {};
  if (whole) return count > 0 ? *(const uint4 *)from : make_uint4(0, 0, 0, 0);
#pragma unroll
  for (int e = 0; e < PIECE; e++) {
    u32 bits = e >= count ? 0 : sizeof(T) == 2 ? ((const u16 *)from)[e] : ((const u32 *)from)[e];
    words[e * sizeof(T) / 4] |= bits << e * sizeof(T) % 4 * 8;
  }
  return make_uint4(words[0], words[1], words[2], words[3]);
}
template <class E> __device__ __forceinline__ void values_of(const uint4 &words, float *values) {
  pair_values<E>(words.x, values), pair_values<E>(words.y, values + 2);
  pair_values<E>(words.z, values + 4), pair_values<E>(words.w, values + 6);
}
template <> __device__ __forceinline__ void values_of<float>(const uint4 &words, float *values) {
  values[0] = __uint_as_float(words.x), values[1] = __uint_as_float(words.y);
  values[2] = __uint_as_float(words.z), values[3] = __uint_as_float(words.w);
}

// What a thread has of the right matrix: by depth a column's in each, else PIECE columns at one place of the depth.
struct Right {
  uint4 at[8];
};
__device__ __forceinline__ Right right_of(const Args &a, const Spot &s, int k) {
  int columns = (int)a.n[1], depth = (int)a.n[2];
  Right right;
#pragma unroll
  for (int j = 0; j < 8; j++) {
    int column = s.column + (RIGHT_BY_DEPTH ? j : j * PIECE % 8), place = k + (RIGHT_BY_DEPTH ? 0 : j * PIECE / 8);
    u32 at = RIGHT_BY_DEPTH ? (u32)column * depth + place : (u32)place * columns + column;
    int count = RIGHT_BY_DEPTH ? depth - place : columns - column;
    right.at[j] = words_at<WHOLE_RIGHT>((const T *)a.p[1] + at, column < columns && place < depth ? count : 0);
  }
  return right;
}

template <int ROWS> struct Left {
  uint4 at[ROWS];
};
template <int ROWS> __device__ __forceinline__ Left<ROWS> left_of(const Args &a, int first, int k, bool whole) {
  int rows = (int)a.n[0] - first, depth = (int)a.n[2];
  Left<ROWS> left;
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    const T *from = (const T *)a.p[0] + (u32)(first + r) * depth + k;
    int count = r < rows ? depth - k : 0;
    left.at[r] = whole ? words_at<WHOLE_DEPTH>(from, count) : words_at<false>(from, count);
  }
  return left;
}

template <int ROWS>
__device__ __forceinline__ void add_products(float (&sums)[ROWS][8], const Left<ROWS> &left, const Right &right) {
  float x[ROWS][PIECE], y[PIECE];
#pragma unroll
  for (int r = 0; r < ROWS; r++) values_of<T>(left.at[r], x[r]);
#pragma unroll
  for (int j = 0; j < 8; j++) {
    values_of<T>(right.at[j], y);
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
      for (int e = 0; e < PIECE; e++)
        if (RIGHT_BY_DEPTH) sums[r][j] += x[r][e] * y[e];
        else sums[r][j * PIECE % 8 + e] += x[r][j * PIECE / 8] * y[e];
  }
}

// Of the first `count` sums half stay, with what the lane across bit `bit` had of them, and half go there.
template <int ROWS> __device__ __forceinline__ void halve(float (&sums)[ROWS][8], int count, int bit) {
  bool high = threadIdx.x & bit;
#pragma unroll
  for (int r = 0; r < ROWS; r++)
#pragma unroll
    for (int e = 0; e < count / 2; e++) {
      float low = sums[r][e], up = sums[r][e + count / 2];
      sums[r][e] = (high ? up : low) + lane_across(high ? low : up, bit);
    }
}
// Afterwards a lane has the warp's sums of two columns, in `parts` of its own ones: [part, row, column].
template <int ROWS> __device__ __forceinline__ void join_lanes(const Spot &s, float (&sums)[ROWS][8], float *parts) {
  int lane = threadIdx.x % 32, beside = RIGHT_BY_DEPTH ? 1 : s.eights;
  halve<ROWS>(sums, 8, 16);
  halve<ROWS>(sums, 4, 8);
  for (int bit = 4; bit >= beside; bit /= 2)
#pragma unroll
    for (int r = 0; r < ROWS; r++)
      for (int e = 0; e < 2; e++) sums[r][e] += lane_across(sums[r][e], bit);
  if (lane % 8 >= beside) return;
  int column = s.eight * 8 + lane / 16 * 4 + lane / 8 % 2 * 2;
#pragma unroll
  for (int r = 0; r < ROWS; r++)
    *(float2 *)(parts + (s.part * ROWS + r) * s.eights * 8 + column) = make_float2(sums[r][0], sums[r][1]);
}

template <int ROWS> __device__ __forceinline__ void take_rows(const Args &a, float *parts) {
  Spot s = spot_of(a);
  int first = blockIdx.y * ROWS, rows = (int)a.n[0] - first < ROWS ? (int)a.n[0] - first : ROWS;
  int depth = (int)a.n[2], across = s.eights * 8, t = threadIdx.x, row = t >> (int)a.n[36];
  int eight = t & (s.eights - 1), column = s.first + eight * 8;
  s64 i = (first + row) * a.n[1] + column;
  // Who finishes eight columns of a row loads what that takes before it multiplies; of one column the constants alone,
  // then before it waits.
  bool wide = WHOLE_COLUMNS && IS_WIDE(a, a.n[1]), ends = wide && row < rows && column < a.n[1];
  bool whole = WHOLE_DEPTH && ((u64)a.p[0] & 15) == 0;
  float sums[ROWS][8] = {};
  Streams streams = {};
  Fixed fixed = {};
  Right now = right_of(a, s, s.begin);
  int single = s.first + t % across;
  if (!wide && single < a.n[1]) fixed = load_fixed(a, single);
  follow(a);
  Left<ROWS> left = left_of<ROWS>(a, first, s.begin, whole);
  if (ends) streams = load_streams(a, i, column);
  for (int k = s.begin; k < depth; k += s.step) {
    Right next = right_of(a, s, k + s.step);
    Left<ROWS> next_left = left_of<ROWS>(a, first, k + s.step, whole);
    add_products<ROWS>(sums, left, now);
    now = next, left = next_left;
  }
  join_lanes<ROWS>(s, sums, parts);
  __syncthreads();
  if (ends) {
    R cores[8] = {};
    for (int part = 0; part < s.parts; part++)
#pragma unroll
      for (int e = 0; e < 8; e++) cores[e] += parts[(part * ROWS + row) * across + eight * 8 + e];
#pragma unroll
    for (int e = 0; e < 8; e++) cores[e] = ALPHA * cores[e];
    finish_eight(a, i, column, cores, streams);
  }
  if (!wide && t < rows * across && single < a.n[1]) { // rows * across is THREADS at most
    R sum = 0;
    for (int part = 0; part < s.parts; part++) sum += parts[part * ROWS * across + t];
    finish_fixed(a, (first + t / across) * a.n[1] + single, single, ALPHA * sum, fixed);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const __grid_constant__ Args a) {
  __shared__ __align__(16) float parts[MOST_ROWS * (THREADS / 32) * MOST_EIGHTS * 8];
#if MOST_ROWS > 2
  if (a.n[0] > 2) return take_rows<4>(a, parts);
#endif
#if MOST_ROWS > 1
  if (a.n[0] > 1) return take_rows<2>(a, parts);
#endif
  take_rows<1>(a, parts);
}
