// Matrix product and convolution of one group of bytes on tensor cores, channels last, in exact sums of 32 bits that
// wrap. p[0] x of type X, p[1] w of type W by depth and column, p[2] and p[3] their zero points or NULL. With several
// parts of the depth each leaves its sums at p[4], and the block that comes last, by the counters at p[5], adds them.
// n[0] rows; n[1] columns; n[2] depth; n[3] whether w has a zero point a column; n[4] whether p[2] is constant; of a
// CONVOLUTION n[16] channels, n[17…28] as product_tensor.cu; n[36] parts, n[37] depth of a part; n[38] tiles beside
// each other over the columns; n[39] whether p[1] is constant. LEFT_PIECE and RIGHT_PIECE of a row's bytes are always
// inside or outside together. X_ZERO and W_ZERO: whether there are zero points but 0. What lies outside of x counts as
// its zero point, so that (x - p)(w - q) is summed as x w - p w - q x + p q.
#define CHUNKS (DEPTH / 16)
#define WARPS_N (THREADS / 32 / WARPS_M)
#define WARP_M (TILE_M / WARPS_M)
#define WARP_N (TILE_N / WARPS_N)
#define ROWS_16 (WARP_M / 16)
#define COLUMNS_8 (WARP_N / 8)
#define LEFT_BYTES (TILE_M * DEPTH)
#define STAGE_BYTES (LEFT_BYTES + TILE_N * DEPTH)
#define LEFT_STEP (THREADS / CHUNKS)
#define LEFT_COPIES (TILE_M / LEFT_STEP)
#define RIGHT_CHUNKS (TILE_N / 16)
#define RIGHT_STEP (THREADS / RIGHT_CHUNKS)
#define RIGHT_COPIES (DEPTH / RIGHT_STEP)
static_assert(WARP_N % 32 == 0 && LEFT_STEP % 16 == 0 && RIGHT_STEP % 32 == 0, "lanes and copies fit");

// A piece of a chunk: a copy where it is inside, else four times `word`.
template <int piece> __device__ __forceinline__ void copy_or_fill(char *to, const u8 *from, bool inside, u32 word) {
  if (inside) copy_piece<piece>(to, from);
  else if (piece == 16) *(uint4 *)to = make_uint4(word, word, word, word);
  else *(u64 *)to = word | (u64)word << 32;
}
// A chunk of single bytes, in little code.
template <class F> __device__ __forceinline__ void gather_chunk(char *to, F byte) {
#pragma unroll 1
  for (int e = 0; e < 16; e += 4) {
    u32 word = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) word |= (u32)byte(e + i) << 8 * i;
    *(u32 *)(to + e) = word;
  }
}

// A thread copies one chunk of rows that lie LEFT_STEP apart. Past the depth is 0, on both sides.
#if CONVOLUTION
struct Left {
  const u8 *image; // x, which is below 2^31
  int first[LEFT_COPIES]; // where the window's first tap is there, inside or not
  int top[LEFT_COPIES], left[LEFT_COPIES];
  int k, end, c, y, x; // the chunk's place in the depth: channel, rows and columns from the first tap
  int channels, width, height, down, right, turn; // of x, the steps between taps, and where a row of them ends
  int to;
};
__device__ __forceinline__ void left_begin(const Args &a, Left &l, s64 m0, int begin, int end) {
  u32 width = (u32)a.n[20], height = (u32)a.n[19];
  l.channels = (int)a.n[16], l.width = (int)a.n[18], l.height = (int)a.n[17];
  l.down = (int)a.n[25], l.right = (int)a.n[26], l.turn = (int)a.n[22] * l.right;
#pragma unroll
  for (int j = 0; j < LEFT_COPIES; j++) {
    u32 m = (u32)m0 + threadIdx.x / CHUNKS + LEFT_STEP * j, pixel = m / width; // rows are below 2^31
    l.left[j] = (int)(m - pixel * width) * (int)a.n[24] - (int)a.n[28];
    l.top[j] = (int)(pixel % height) * (int)a.n[23] - (int)a.n[27];
    u32 row = pixel / height * (u32)l.height + (u32)l.top[j];
    l.first[j] = (int)((row * (u32)l.width + (u32)l.left[j]) * (u32)l.channels);
    if (m >= a.n[0]) l.left[j] = -(1 << 30);
  }
  l.image = (const u8 *)a.p[0];
  l.k = begin + (int)threadIdx.x % CHUNKS * 16;
  l.end = end;
  int tap = l.k / l.channels;
  l.c = l.k - tap * l.channels;
  l.y = tap / (int)a.n[22] * l.down;
  l.x = tap % (int)a.n[22] * l.right;
  l.to = chunk_of_row<DEPTH>(threadIdx.x / CHUNKS, threadIdx.x % CHUNKS);
}
__device__ __forceinline__ bool left_inside(const Left &l, int j, int y, int x) {
  return (u32)(l.top[j] + y) < (u32)l.height && (u32)(l.left[j] + x) < (u32)l.width;
}
__device__ __forceinline__ void next_tap(const Left &l, int &y, int &x) {
  x += l.right;
  if (x == l.turn) x = 0, y += l.down;
}
template <int piece> __device__ __forceinline__ void left_copy(Left &l, char *tile, u32 zeros) {
#pragma unroll
  for (int j = 0; j < LEFT_COPIES; j++) {
    char *to = tile + l.to + j * LEFT_STEP * DEPTH;
    int c = l.c, y = l.y, x = l.x;
    if constexpr (piece == 1) {
      gather_chunk(to, [&](int e) -> u8 {
        if (l.k + e >= l.end) return 0;
        u8 byte = left_inside(l, j, y, x) ? l.image[l.first[j] + (y * l.width + x) * l.channels + c] : (u8)zeros;
        if (++c == l.channels) c = 0, next_tap(l, y, x);
        return byte;
      });
    } else {
#pragma unroll
      for (int e = 0; e < 16; e += piece) {
        bool known = l.k + e < l.end;
        const u8 *from = l.image + (l.first[j] + (y * l.width + x) * l.channels + c);
        copy_or_fill<piece>(to + e, from, known && left_inside(l, j, y, x), known ? zeros : 0);
        if (piece < 16 && (c += piece) == l.channels) c = 0, next_tap(l, y, x);
      }
    }
  }
  l.k += DEPTH;
  l.c += DEPTH;
  while (l.c >= l.channels) l.c -= l.channels, next_tap(l, l.y, l.x);
}
#else
struct Left {
  const u8 *from;
  s64 step; // bytes from copy to copy
  int rows, k, end, to; // rows from the first copy's on
};
__device__ __forceinline__ void left_begin(const Args &a, Left &l, s64 m0, int begin, int end) {
  l.k = begin + (int)threadIdx.x % CHUNKS * 16;
  l.end = end;
  s64 m = m0 + threadIdx.x / CHUNKS;
  l.from = (const u8 *)a.p[0] + m * a.n[2] + l.k;
  l.step = LEFT_STEP * a.n[2];
  l.rows = (int)(a.n[0] - m);
  l.to = chunk_of_row<DEPTH>(threadIdx.x / CHUNKS, threadIdx.x % CHUNKS);
}
template <int piece> __device__ __forceinline__ void left_copy(Left &l, char *tile, u32 zeros) {
#pragma unroll
  for (int j = 0; j < LEFT_COPIES; j++) {
    char *to = tile + l.to + j * LEFT_STEP * DEPTH;
    const u8 *from = l.from + j * l.step;
    bool inside = j * LEFT_STEP < l.rows;
    if constexpr (piece == 1) {
      gather_chunk(to, [&](int e) -> u8 { return inside && l.k + e < l.end ? from[e] : 0; });
    } else {
#pragma unroll
      for (int e = 0; e < 16; e += piece) copy_or_fill<piece>(to + e, from + e, inside && l.k + e < l.end, 0);
    }
  }
  l.from += DEPTH;
  l.k += DEPTH;
}
#endif

// Of 16 rows of the right tile the eight with bit 1 clear come first, so that a transposed load, whose
// lanes get rows 2 i and 2 i + 1, gives lane i those from 4 i on, and the next one the other two.
__device__ __forceinline__ int place_of_row(int k) { return (k & ~15) + (k & 1) + (k >> 1 & 6) + (k << 2 & 8); }
struct Right {
  const u8 *from;
  int k, n, end, columns, to; // k and n of the chunk's first byte
};
__device__ __forceinline__ void right_begin(const Args &a, Right &r, s64 n0, int begin, int end) {
  int row = threadIdx.x / RIGHT_CHUNKS, chunk = threadIdx.x % RIGHT_CHUNKS;
  r.k = begin + row, r.n = (int)n0 + 16 * chunk;
  r.end = end, r.columns = (int)a.n[1];
  r.from = (const u8 *)a.p[1] + (s64)r.k * r.columns + r.n;
  r.to = chunk_of_row<TILE_N>(place_of_row(row), chunk);
}
template <int piece> __device__ __forceinline__ void right_copy(Right &r, char *tile) {
#pragma unroll
  for (int j = 0; j < RIGHT_COPIES; j++) {
    char *to = tile + r.to + j * RIGHT_STEP * TILE_N;
    const u8 *from = r.from + (s64)(j * RIGHT_STEP) * r.columns;
    bool known = r.k + j * RIGHT_STEP < r.end;
    if constexpr (piece == 1) {
      gather_chunk(to, [&](int e) -> u8 { return known && r.n + e < r.columns ? from[e] : 0; });
    } else {
#pragma unroll
      for (int e = 0; e < 16; e += piece) copy_or_fill<piece>(to + e, from + e, known && r.n + e < r.columns, 0);
    }
  }
  r.from += (s64)DEPTH * r.columns;
  r.k += DEPTH;
}

// Product j of a pair has the pair's even columns of 16, product j + 1 the odd ones: of row l / 4 and the
// one eight below, lane l has columns from l % 4 * 4 on, the first and third in j, the others in j + 1.
struct Sums {
  s32 of[ROWS_16][COLUMNS_8][4];
  s32 rows[ROWS_16][4];  // W_ZERO: of x, in every column
  u32 columns[COLUMNS_8]; // X_ZERO: of w, a lane's own bytes of column l / 4 of each product
};
__device__ __forceinline__ void left_operands(u32 (*x)[4], const char *tile, int row0, int step) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < ROWS_16; i++)
    load_matrices(x[i], tile + chunk_of_row<DEPTH>(row0 + 16 * i + lane % 16, 2 * step + lane / 16));
}
__device__ __forceinline__ void right_operands(u32 (*y)[2], const char *tile, int column0, int step) {
#pragma unroll
  for (int j = 0; j < COLUMNS_8; j += 2) {
    u32 four[4];
    load_transposed(four, tile + chunk_of_row<TILE_N>(32 * step + threadIdx.x % 32, column0 / 16 + j / 2));
#pragma unroll
    for (int half = 0; half < 2; half++) {
      y[j][half] = __byte_perm(four[2 * half], four[2 * half + 1], 0x6420);
      y[j + 1][half] = __byte_perm(four[2 * half], four[2 * half + 1], 0x7531);
    }
  }
}
__device__ __forceinline__ void multiply_stage(Sums &sums, const char *stage, int row0, int column0) {
  const u32 ones[2] = {0x01010101, 0x01010101};
#pragma unroll
  for (int step = 0; step < DEPTH / 32; step++) {
    u32 x[ROWS_16][4], y[COLUMNS_8][2];
    left_operands(x, stage, row0, step);
    right_operands(y, stage + LEFT_BYTES, column0, step);
#pragma unroll
    for (int i = 0; i < ROWS_16; i++) {
#pragma unroll
      for (int j = 0; j < COLUMNS_8; j++) multiply_bytes<IS_SIGNED(X), IS_SIGNED(W)>(sums.of[i][j], x[i], y[j]);
      if (W_ZERO) multiply_bytes<IS_SIGNED(X), IS_SIGNED(W)>(sums.rows[i], x[i], ones);
    }
#pragma unroll
    for (int j = 0; X_ZERO && j < COLUMNS_8; j++)
      sums.columns[j] = add_bytes<IS_SIGNED(W)>(y[j][0], add_bytes<IS_SIGNED(W)>(y[j][1], sums.columns[j]));
  }
}

__device__ __forceinline__ void copy_left(Left &left, char *tile, u32 zeros, bool aligned) {
  if (aligned) left_copy<LEFT_PIECE>(left, tile, zeros);
  else left_copy<1>(left, tile, zeros);
}
__device__ __forceinline__ void copy_right(Right &right, char *tile, bool aligned) {
  if (aligned) right_copy<RIGHT_PIECE>(right, tile);
  else right_copy<1>(right, tile);
}

// The sums of a tile, and x's zero point, which may be another kernel's: STAGES - 1 stages are on their way while one is
// multiplied. Constants come before what other kernels leave.
__device__ __forceinline__ s32 sum_tile(const Args &a, Left &left, Right &right, Sums &sums, char *pool, int turns,
                                        int row0, int column0) {
  bool left_aligned = ((u64)a.p[0] & (LEFT_PIECE - 1)) == 0, right_aligned = ((u64)a.p[1] & (RIGHT_PIECE - 1)) == 0;
  const X *zero_at = X_ZERO ? (const X *)a.p[2] : nullptr;
  bool known = a.n[4], constant = a.n[39];
  s32 zero = zero_at && known ? (s32)*zero_at : 0;
  if (!constant) follow(a);
#pragma unroll 1
  for (int stage = 0; stage < STAGES - 1; stage++)
    if (stage < turns) copy_right(right, pool + stage * STAGE_BYTES + LEFT_BYTES, right_aligned);
  if (constant) follow(a);
  if (zero_at && !known) zero = (s32)*zero_at;
  u32 zeros = (u32)(u8)zero * 0x01010101u;
#pragma unroll 1
  for (int stage = 0; stage < STAGES - 1; stage++) {
    if (stage < turns) copy_left(left, pool + stage * STAGE_BYTES, zeros, left_aligned);
    end_batch();
  }
  for (int turn = 0, slot = 0; turn < turns; turn++) {
    wait_for_copies<STAGES - 2>();
    __syncthreads();
    if (turn + STAGES - 1 < turns) {
      char *stage = pool + (slot ? slot - 1 : STAGES - 1) * STAGE_BYTES;
      copy_left(left, stage, zeros, left_aligned);
      copy_right(right, stage + LEFT_BYTES, right_aligned);
    }
    end_batch();
    multiply_stage(sums, pool + slot * STAGE_BYTES, row0, column0);
    if (++slot == STAGES) slot = 0;
  }
  wait_for_copies<0>();
  __syncthreads();
  return zero;
}

// What the zero points add over `depth` of the depth.
__device__ __forceinline__ void take_zeros_off(const Args &a, Sums &sums, u32 x_zero, u32 depth, s64 n0) {
  int quad = threadIdx.x % 4;
#pragma unroll
  for (int j = 0; j < COLUMNS_8; j++) {
    u32 whole = sums.columns[j];
    if (X_ZERO) whole += lane_across(whole, 1);
    if (X_ZERO) whole += lane_across(whole, 2);
#pragma unroll
    for (int e = 0; e < 2; e++) {
      s64 n = n0 + j / 2 * 16 + quad * 4 + 2 * e + j % 2;
      u32 w_zero = W_ZERO && n < a.n[1] ? (u32)(s32)((const W *)a.p[3])[a.n[3] ? n : 0] : 0;
      u32 column = X_ZERO ? lane_at(whole, 8 * quad + 4 * e) : 0, same = x_zero * (depth * w_zero - column);
#pragma unroll
      for (int i = 0; i < ROWS_16; i++)
        for (int half = 0; half < 2; half++) {
          s32 &sum = sums.of[i][j][2 * half + e];
          sum = (s32)((u32)sum + same - w_zero * (u32)sums.rows[i][2 * half]);
        }
    }
  }
}

// Leaves a part's sums, as the threads hold them; whether this block came last, and then has all.
__device__ __forceinline__ bool join_parts(const Args &a, Sums &sums, u32 *room, int parts, int part, s64 tile) {
  const int quads = ROWS_16 * COLUMNS_8;
  uint4 *first = (uint4 *)a.p[4] + tile * parts * quads * THREADS + threadIdx.x;
#pragma unroll
  for (int q = 0; q < quads; q++) {
    const s32 *s = sums.of[q / COLUMNS_8][q % COLUMNS_8];
    first[(s64)(part * quads + q) * THREADS] = make_uint4((u32)s[0], (u32)s[1], (u32)s[2], (u32)s[3]);
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) *room = atomicAdd((u32 *)a.p[5] + tile, 1u);
  __syncthreads();
  u32 came = *room;
  if (came + 1 < (u32)parts) return false;
  __threadfence();
  if (threadIdx.x == 0) ((u32 *)a.p[5])[tile] = 0;
#pragma unroll
  for (int q = 0; q < quads; q++) {
    uint4 sum = make_uint4(0, 0, 0, 0);
#pragma unroll 4
    for (int p = 0; p < parts; p++) {
      uint4 v = load_shared_words(first + (s64)(p * quads + q) * THREADS);
      sum = make_uint4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
    }
    s32 *s = sums.of[q / COLUMNS_8][q % COLUMNS_8];
    s[0] = (s32)sum.x, s[1] = (s32)sum.y, s[2] = (s32)sum.z, s[3] = (s32)sum.w;
  }
  return true;
}

// Of 32 columns, the four products `of`, and of the lane's row `half`: two lanes give each other four sums, after which
// each has eight neighbours, lane l % 4 those from 16 (l % 2) + 8 (l % 4 / 2) on.
__device__ __forceinline__ void gather_neighbours(const s32 (*of)[4], int half, R *eight) {
  bool odd = threadIdx.x & 1;
#pragma unroll
  for (int t = 0; t < 4; t++) {
    s32 low = of[t % 2][2 * half + t / 2], high = of[2 + t % 2][2 * half + t / 2];
    s32 other = lane_across(odd ? low : high, 1);
    eight[t] = odd ? other : low, eight[4 + t] = odd ? high : other;
  }
}

// One by one, in little code.
__device__ __forceinline__ void finish_each(const Args &a, s64 at, s64 n, const R *eight) {
  R all[8];
#pragma unroll
  for (int e = 0; e < 8; e++) all[e] = eight[e];
#pragma unroll 1
  for (int e = 0; e < 8 && n + e < a.n[1]; e++) finish(a, at + e, n + e, all[e]);
}

// `m0` and `n0` where the warp's part of the tile begins. What sums are finished with is on its way for two rows at once.
__device__ __forceinline__ void finish_tile(const Args &a, const Sums &sums, s64 m0, s64 n0) {
  int lane = threadIdx.x % 32;
  bool wide = IS_WIDE(a, a.n[1]);
#pragma unroll
  for (int p = 0; p < COLUMNS_8; p += 4)
#pragma unroll
    for (int i = 0; i < ROWS_16; i++) {
      s64 n = n0 + 8 * p + lane % 2 * 16 + lane % 4 / 2 * 8, row = m0 + 16 * i + lane / 4;
      Streams streams[2];
#pragma unroll
      for (int half = 0; half < 2; half++)
        if (wide && row + 8 * half < a.n[0] && n < a.n[1])
          streams[half] = load_streams(a, (row + 8 * half) * a.n[1] + n, n);
#pragma unroll
      for (int half = 0; half < 2; half++) {
        R eight[8];
        s64 at = (row + 8 * half) * a.n[1] + n;
        gather_neighbours(sums.of[i] + p, half, eight);
        if (row + 8 * half >= a.n[0] || n >= a.n[1]) continue;
        if (wide) finish_eight(a, at, n, eight, streams[half]);
        else finish_each(a, at, n, eight);
      }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) kernel(const __grid_constant__ Args a) {
  __shared__ __align__(128) char pool[STAGES * STAGE_BYTES];
  s64 m0 = blockIdx.x / (u32)a.n[38] * (s64)TILE_M, n0 = blockIdx.x % (u32)a.n[38] * (s64)TILE_N;
  int parts = (int)a.n[36], part = blockIdx.z;
  int begin = part * (int)a.n[37], end = begin + (int)a.n[37] < (int)a.n[2] ? begin + (int)a.n[37] : (int)a.n[2];
  int warp = threadIdx.x / 32, row0 = warp % WARPS_M * WARP_M, column0 = warp / WARPS_M * WARP_N;
  int turns = (end - begin + DEPTH - 1) / DEPTH;
  Left left;
  Right right;
  Sums sums = {};
  left_begin(a, left, m0, begin, end);
  right_begin(a, right, n0, begin, end);
  s32 zero = sum_tile(a, left, right, sums, pool, turns, row0, column0);
  if (X_ZERO || W_ZERO) take_zeros_off(a, sums, (u32)zero, (u32)(end - begin), n0 + column0);
  if (parts > 1 && !join_parts(a, sums, (u32 *)pool, parts, part, blockIdx.x)) return;
  finish_tile(a, sums, m0 + row0, n0 + column0);
}
