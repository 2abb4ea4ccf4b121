// Matrix product and convolution on tensor cores. Arguments as product.cu's, but that with several parts
// of the depth each part leaves its sums at p[2], and the block that finishes last, by the counters at
// p[3], adds them in order and finishes the tile.
// The grid's x counts tiles, n[38] of them beside each other over the columns; n[39] whether p[1] is constant.
// The rows of the left tile, and of the right where it lies by depth, are DEPTH_BYTES long; a right one by
// columns has rows of TILE_N elements.
#define DEPTH ((int)(DEPTH_BYTES / sizeof(T)))
#define CHUNKS (DEPTH_BYTES / 16)
#define THREADS 256
#define WARPS_N (8 / WARPS_M)
#define WARP_M (TILE_M / WARPS_M)
#define WARP_N (TILE_N / WARPS_N)
#define ROWS_16 (WARP_M / 16)
#define COLUMNS_8 (WARP_N / 8)
#define LEFT_BYTES (TILE_M * DEPTH_BYTES)
#define RIGHT_BYTES (TILE_N * DEPTH_BYTES)
#define STAGE_BYTES (LEFT_BYTES + RIGHT_BYTES)
#define LEFT_COPIES (TILE_M * CHUNKS / THREADS)
#define SUM_PITCH (WARP_N + 4)
#define SLAB (WARP_M < 32 ? WARP_M : 32)
#define GROUPS (SLAB * COLUMNS_8 / 32)
#define SUM_BYTES (8 * SLAB * SUM_PITCH * 4)
#define POOL_BYTES (STAGES * STAGE_BYTES > SUM_BYTES ? STAGES * STAGE_BYTES : SUM_BYTES)

// Elements one by one where a chunk is not in one piece or not at a multiple of 16 bytes.
template <class F> __device__ __forceinline__ void gather_chunk(char *to, F element) {
  __align__(16) T chunk[ELEMENTS];
#pragma unroll
  for (int e = 0; e < ELEMENTS; e++) chunk[e] = element(e);
  *(uint4 *)to = *(const uint4 *)chunk;
}
__device__ __forceinline__ bool is_aligned(const void *p) { return ((u64)p & 15) == 0; }
// A thread copies one chunk of rows that lie a step apart; `whole` where all chunks are in one piece, at
// multiples of 16 bytes, and inside or outside as a whole. What is outside is not read.
#define LEFT_STEP (THREADS / CHUNKS)
#if CONVOLUTION
struct Left {
  const T *first[LEFT_COPIES]; // the element at the window's first tap, inside or not
  int top[LEFT_COPIES], left[LEFT_COPIES];
  int k, end, c, y, x; // the chunk's place in the depth: channel, rows and columns from the first tap
  int channels, width, height, down, right, turn; // of x, the steps between taps, and where a row of them ends
  int to;
};
__device__ __forceinline__ bool left_is_whole(const Args &a, s64 base) {
  return a.n[16] % ELEMENTS == 0 && is_aligned(a.p[0]);
}
__device__ __forceinline__ void left_begin(const Args &a, Left &l, s64 m0, s64 base, int begin, int end) {
  u32 width = (u32)a.n[20], height = (u32)a.n[19];
  l.channels = (int)a.n[16], l.width = (int)a.n[18], l.height = (int)a.n[17];
  l.down = (int)a.n[25], l.right = (int)a.n[26], l.turn = (int)a.n[22] * l.right;
#pragma unroll
  for (int j = 0; j < LEFT_COPIES; j++) {
    u32 m = (u32)m0 + threadIdx.x / CHUNKS + LEFT_STEP * j, pixel = m / width; // rows are below 2^31
    l.left[j] = m < a.n[0] ? (int)(m - pixel * width) * (int)a.n[24] - (int)a.n[28] : -(1 << 30);
    l.top[j] = (int)(pixel % height) * (int)a.n[23] - (int)a.n[27];
    l.first[j] = (const T *)a.p[0] + (((s64)(pixel / height) * l.height + l.top[j]) * l.width + l.left[j]) * l.channels;
  }
  l.k = begin + (int)threadIdx.x % CHUNKS * ELEMENTS;
  l.end = end;
  int tap = l.k / l.channels;
  l.c = l.k - tap * l.channels;
  l.y = tap / (int)a.n[22] * l.down;
  l.x = tap % (int)a.n[22] * l.right;
  l.to = chunk_of_row<DEPTH_BYTES>(threadIdx.x / CHUNKS, threadIdx.x % CHUNKS);
}
__device__ __forceinline__ bool left_inside(const Left &l, int j, int y, int x) {
  return (u32)(l.top[j] + y) < (u32)l.height && (u32)(l.left[j] + x) < (u32)l.width;
}
__device__ __forceinline__ void next_tap(const Left &l, int &y, int &x) {
  x += l.right;
  if (x == l.turn) x = 0, y += l.down;
}
template <bool whole> __device__ __forceinline__ void left_copy(Left &l, char *tile) {
  int from = (l.y * l.width + l.x) * l.channels + l.c; // an image is below 2^31
#pragma unroll
  for (int j = 0; j < LEFT_COPIES; j++) {
    char *to = tile + l.to + j * LEFT_STEP * DEPTH_BYTES;
    if (whole) {
      copy_chunk(to, l.first[j] + from, l.k < l.end && left_inside(l, j, l.y, l.x) ? 16 : 0);
    } else {
      int c = l.c, y = l.y, x = l.x;
      gather_chunk(to, [&](int e) {
        bool inside = l.k + e < l.end && left_inside(l, j, y, x);
        T value = inside ? l.first[j][(y * l.width + x) * l.channels + c] : T{};
        if (++c == l.channels) c = 0, next_tap(l, y, x);
        return value;
      });
    }
  }
  l.k += DEPTH;
  l.c += DEPTH;
  while (l.c >= l.channels) l.c -= l.channels, next_tap(l, l.y, l.x);
}
#define RIGHT_ROW a.n[1]
#define RIGHT_COLUMN 1
#else
struct Left {
  const T *from[LEFT_COPIES];
  bool inside[LEFT_COPIES];
  int k, end, to;
  s64 step; // from element to element along the depth
};
#define RIGHT_ROW a.n[5]
#define RIGHT_COLUMN a.n[6]
__device__ __forceinline__ bool left_is_whole(const Args &a, s64 base) {
  return a.n[4] == 1 && a.n[3] % ELEMENTS == 0 && a.n[2] % ELEMENTS == 0 && is_aligned((const T *)a.p[0] + base);
}
__device__ __forceinline__ void left_begin(const Args &a, Left &l, s64 m0, s64 base, int begin, int end) {
  l.k = begin + (int)threadIdx.x % CHUNKS * ELEMENTS;
  l.end = end;
  l.step = a.n[4];
#pragma unroll
  for (int j = 0; j < LEFT_COPIES; j++) {
    s64 m = m0 + threadIdx.x / CHUNKS + j * LEFT_STEP;
    l.from[j] = (const T *)a.p[0] + base + m * a.n[3] + l.k * l.step;
    l.inside[j] = m < a.n[0];
  }
  l.to = chunk_of_row<DEPTH_BYTES>(threadIdx.x / CHUNKS, threadIdx.x % CHUNKS);
}
template <bool whole> __device__ __forceinline__ void left_copy(Left &l, char *tile) {
#pragma unroll
  for (int j = 0; j < LEFT_COPIES; j++) {
    char *to = tile + l.to + j * LEFT_STEP * DEPTH_BYTES;
    const T *from = l.from[j];
    if (whole) copy_chunk(to, from, l.inside[j] && l.k < l.end ? 16 : 0);
    else gather_chunk(to, [&](int e) { return l.inside[j] && l.k + e < l.end ? from[e * l.step] : T{}; });
    l.from[j] += whole ? DEPTH : DEPTH * l.step;
  }
  l.k += DEPTH;
}
#endif

#if RIGHT_BY_DEPTH
#define RIGHT_CHUNKS CHUNKS
#define RIGHT_PLACE(row, chunk) chunk_of_row<DEPTH_BYTES>(row, chunk)
#define RIGHT_ROW_BYTES DEPTH_BYTES
#else
#define RIGHT_CHUNKS (TILE_N / ELEMENTS)
#define RIGHT_ROW_BYTES ((int)(TILE_N * sizeof(T)))
// Words of four rows are read at once where they are not turned by the loads: they lie two chunks apart.
#define RIGHT_PLACE(row, chunk) \
  ((row) * RIGHT_ROW_BYTES + ((chunk) ^ ((KIND == KIND_TF32 ? 2 * (row) : (row)) & 7)) * 16)
#endif
#define RIGHT_STEP (THREADS / RIGHT_CHUNKS)
#define RIGHT_COPIES (RIGHT_BYTES / 16 / THREADS)
struct Right {
  const T *from[RIGHT_COPIES];
  int k, n, end, columns, to; // k and n of the chunk's first element
  s64 row, column; // steps along the depth and from column to column
};
__device__ __forceinline__ bool right_is_whole(const Args &a, s64 base) {
  bool sizes = a.n[RIGHT_BY_DEPTH ? 2 : 1] % ELEMENTS == 0 && is_aligned((const T *)a.p[1] + base);
  return sizes && (RIGHT_BY_DEPTH ? RIGHT_ROW == 1 && RIGHT_COLUMN % ELEMENTS == 0
                                  : RIGHT_COLUMN == 1 && RIGHT_ROW % ELEMENTS == 0);
}
__device__ __forceinline__ void right_begin(const Args &a, Right &r, s64 n0, s64 base, int begin, int end) {
  int row = threadIdx.x / RIGHT_CHUNKS, element = threadIdx.x % RIGHT_CHUNKS * ELEMENTS;
  r.k = begin + (RIGHT_BY_DEPTH ? element : row);
  r.n = (int)n0 + (RIGHT_BY_DEPTH ? row : element);
  r.end = end, r.columns = (int)a.n[1];
  r.row = RIGHT_ROW, r.column = RIGHT_COLUMN;
#pragma unroll
  for (int j = 0; j < RIGHT_COPIES; j++)
    r.from[j] = (const T *)a.p[1] + base + r.k * r.row + r.n * r.column +
                j * RIGHT_STEP * (RIGHT_BY_DEPTH ? r.column : r.row);
  r.to = RIGHT_PLACE(row, threadIdx.x % RIGHT_CHUNKS);
}
template <bool whole> __device__ __forceinline__ void right_copy(Right &r, char *tile) {
  s64 next = DEPTH * (RIGHT_BY_DEPTH && whole ? 1 : r.row);
#pragma unroll
  for (int j = 0; j < RIGHT_COPIES; j++) {
    char *to = tile + r.to + j * RIGHT_STEP * RIGHT_ROW_BYTES;
    int k = r.k + (RIGHT_BY_DEPTH ? 0 : j * RIGHT_STEP), n = r.n + (RIGHT_BY_DEPTH ? j * RIGHT_STEP : 0);
    const T *from = r.from[j];
    if (whole) copy_chunk(to, from, k < r.end && n < r.columns ? 16 : 0);
    else
      gather_chunk(to, [&](int e) {
        bool inside = k + (RIGHT_BY_DEPTH ? e : 0) < r.end && n + (RIGHT_BY_DEPTH ? 0 : e) < r.columns;
        return inside ? from[e * (RIGHT_BY_DEPTH ? r.row : r.column)] : T{};
      });
    r.from[j] += next;
  }
  r.k += DEPTH;
}

// Both operands of 32 bytes of depth, from chunk 2 * step on.
__device__ __forceinline__ void left_operands(u32 (*x)[4], const char *tile, int row0, int step) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < ROWS_16; i++) {
    load_matrices(x[i], tile + chunk_of_row<DEPTH_BYTES>(row0 + 16 * i + lane % 16, 2 * step + lane / 16));
    for (int j = 0; KIND == KIND_TF32 && j < 4; j++) x[i][j] = to_tf32(x[i][j]);
  }
}
__device__ __forceinline__ void right_operands(u32 (*y)[2], const char *tile, int column0, int step) {
  int lane = threadIdx.x % 32;
#if !RIGHT_BY_DEPTH && KIND == KIND_TF32
#pragma unroll
  for (int j = 0; j < COLUMNS_8; j++)
    for (int half = 0; half < 2; half++) {
      int row = 8 * step + lane % 4 + 4 * half, n = column0 + 8 * j + lane / 4;
      y[j][half] = to_tf32(*(const u32 *)(tile + RIGHT_PLACE(row, n / 4) + n % 4 * 4));
    }
#else
#pragma unroll
  for (int j = 0; j < COLUMNS_8; j += 2) {
    u32 four[4];
    int n = column0 + 8 * j;
#if RIGHT_BY_DEPTH
    load_matrices(four, tile + RIGHT_PLACE(n + lane % 8 + lane / 16 * 8, 2 * step + lane / 8 % 2));
#else
    load_transposed(four, tile + RIGHT_PLACE(16 * step + lane % 16, n / 8 + lane / 16));
#endif
    for (int e = 0; e < 4; e++) y[j + e / 2][e % 2] = KIND == KIND_TF32 ? to_tf32(four[e]) : four[e];
  }
#endif
}

typedef float Sums[ROWS_16][COLUMNS_8][4];

__device__ __forceinline__ void multiply_stage(Sums &sums, const char *stage, int row0, int column0) {
#pragma unroll
  for (int step = 0; step < DEPTH_BYTES / 32; step++) {
    u32 x[ROWS_16][4], y[COLUMNS_8][2];
    left_operands(x, stage, row0, step);
    right_operands(y, stage + LEFT_BYTES, column0, step);
#pragma unroll
    for (int i = 0; i < ROWS_16; i++)
#pragma unroll
      for (int j = 0; j < COLUMNS_8; j++) multiply<KIND>(sums[i][j], x[i], y[j]);
  }
}

// The sums of a tile: STAGES - 1 stages are on their way while one is multiplied. Constants on the right come
// before what other kernels leave.
template <bool whole>
__device__ __forceinline__ void sum_tile(const Args &a, Left &left, Right &right, Sums &sums, char *pool, int turns, int row0,
                                         int column0, bool constant) {
  if (!constant) follow(a);
#pragma unroll
  for (int stage = 0; stage < STAGES - 1; stage++)
    if (stage < turns) right_copy<whole>(right, pool + stage * STAGE_BYTES + LEFT_BYTES);
  if (constant) follow(a);
#pragma unroll
  for (int stage = 0; stage < STAGES - 1; stage++) {
    if (stage < turns) left_copy<whole>(left, pool + stage * STAGE_BYTES);
    end_batch();
  }
  for (int turn = 0, slot = 0; turn < turns; turn++) {
    wait_for_copies<STAGES - 2>();
    __syncthreads();
    if (turn + STAGES - 1 < turns) {
      char *stage = pool + (slot ? slot - 1 : STAGES - 1) * STAGE_BYTES;
      left_copy<whole>(left, stage);
      right_copy<whole>(right, stage + LEFT_BYTES);
    }
    end_batch();
    multiply_stage(sums, pool + slot * STAGE_BYTES, row0, column0);
    if (++slot == STAGES) slot = 0;
  }
  wait_for_copies<0>();
  __syncthreads();
}

// Leaves a part's sums, as the threads hold them; whether this block came last, and then has all.
__device__ __forceinline__ bool join_parts(const Args &a, Sums &sums, u32 *room, int parts, int part, s64 tile) {
  const int quads = ROWS_16 * COLUMNS_8;
  float4 *first = (float4 *)a.p[2] + tile * parts * quads * THREADS + threadIdx.x;
#pragma unroll
  for (int q = 0; q < quads; q++) {
    const float *s = sums[q / COLUMNS_8][q % COLUMNS_8];
    first[(s64)(part * quads + q) * THREADS] = make_float4(s[0], s[1], s[2], s[3]);
  }
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) *room = atomicAdd((u32 *)a.p[3] + tile, 1u);
  __syncthreads();
  u32 came = *room;
  __syncthreads();
  if (came + 1 < (u32)parts) return false;
  __threadfence();
  if (threadIdx.x == 0) ((u32 *)a.p[3])[tile] = 0;
#pragma unroll
  for (int q = 0; q < quads; q++) {
    float *s = sums[q / COLUMNS_8][q % COLUMNS_8];
    for (int e = 0; e < 4; e++) s[e] = 0;
#pragma unroll 4
    for (int p = 0; p < parts; p++) {
      float4 v = load_shared_sums(first + (s64)(p * quads + q) * THREADS);
      s[0] += v.x, s[1] += v.y, s[2] += v.z, s[3] += v.w;
    }
  }
  return true;
}

// A slab of rows at a time goes through shared memory, so that a thread finishes eight neighbours; what
// they are finished with is on its way meanwhile.
__device__ __forceinline__ void finish_tile(const Args &a, const Sums &sums, float *room, s64 m0, s64 n0, int batch) {
  int lane = threadIdx.x % 32;
  bool wide = IS_WIDE(a, a.n[1]);
#pragma unroll
  for (int slab = 0; slab < WARP_M; slab += SLAB) {
    Streams streams[GROUPS];
    s64 n = n0 + lane % COLUMNS_8 * 8, row = m0 + slab + lane / COLUMNS_8, first = (batch * a.n[0] + row) * a.n[1] + n;
    const int step = 32 / COLUMNS_8; // rows between a lane's groups
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
      if (wide && row + g * step < a.n[0] && n < a.n[1]) streams[g] = load_streams(a, first + g * step * a.n[1], n);
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < SLAB / 16; i++)
      for (int j = 0; j < COLUMNS_8; j++)
        for (int e = 0; e < 4; e += 2) {
          const float *sum = sums[slab / 16 + i][j] + e;
          float *to = room + (16 * i + lane / 4 + e * 4) * SUM_PITCH + 8 * j + lane % 4 * 2;
          *(float2 *)to = make_float2(ALPHA * sum[0], ALPHA * sum[1]);
        }
    __syncwarp();
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
      const float4 *of = (const float4 *)(room + (lane + 32 * g) / COLUMNS_8 * SUM_PITCH + lane % COLUMNS_8 * 8);
      float4 low = of[0], high = of[1];
      const float sum[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
      s64 at = first + g * step * a.n[1];
      if (row + g * step >= a.n[0] || n >= a.n[1]) continue;
      if (wide) finish_eight(a, at, n, sum, streams[g]);
      else
        for (int e = 0; e < 8 && n + e < a.n[1]; e++) finish(a, at + e, n + e, sum[e]);
    }
  }
}

extern "C" __global__ void __launch_bounds__(256, 2) kernel(const __grid_constant__ Args a) {
  __shared__ __align__(128) char pool[POOL_BYTES];
  s64 m0 = blockIdx.x / (u32)a.n[38] * (s64)TILE_M, n0 = blockIdx.x % (u32)a.n[38] * (s64)TILE_N;
  int parts = (int)a.n[36], part = blockIdx.z % parts, batch = blockIdx.z / parts;
  int begin = part * (int)a.n[37], end = begin + (int)a.n[37] < (int)a.n[2] ? begin + (int)a.n[37] : (int)a.n[2];
#if CONVOLUTION
  s64 left_base = 0, right_base = 0;
#else
  s64 left_base = place_in(a, (int)a.n[7], 8, 16, batch), right_base = place_in(a, (int)a.n[7], 8, 24, batch);
#endif
  int warp = threadIdx.x / 32, row0 = warp % WARPS_M * WARP_M, column0 = warp / WARPS_M * WARP_N;
  int turns = (end - begin + DEPTH - 1) / DEPTH;
  Left left;
  Right right;
  Sums sums = {};
  left_begin(a, left, m0, left_base, begin, end);
  right_begin(a, right, n0, right_base, begin, end);
  if (left_is_whole(a, left_base) && right_is_whole(a, right_base))
    sum_tile<true>(a, left, right, sums, pool, turns, row0, column0, a.n[39]);
  else sum_tile<false>(a, left, right, sums, pool, turns, row0, column0, a.n[39]);
  s64 tile = (s64)batch * gridDim.x + blockIdx.x;
  if (parts > 1 && !join_parts(a, sums, (u32 *)pool, parts, part, tile)) return;
  finish_tile(a, sums, (float *)pool + warp * SLAB * SUM_PITCH, m0 + row0, n0 + column0, batch);
}
