// 1x1 convolution of f16 and bf16 of a small depth, which only streams: the filters lie in shared memory as the warps
// take them, rows of the image go from memory into registers once, 16 a warp, and to all columns of the block from
// there. Both operands' depth is taken in an order in which a lane's elements of a row lie side by side, and the
// filters in one in which its columns of the result do. p[0] x, p[1] w, constant.
// n[0] rows; n[1] columns; DEPTH of the depth, a multiple of 8; a block has GROUPS times 32 columns.
#define WHOLE (DEPTH / 32) // pieces of 32 of the depth, of which a lane loads 16 bytes: two steps of 16
#define HAS_16 (DEPTH % 32 >= 16)
#define HAS_8 (DEPTH % 16 >= 8)
#define STEPS (2 * WHOLE + HAS_16 + HAS_8)
#define THREADS 256
#define ROWS (THREADS / 2) // of a block at a time

// Where a lane's words `part` of a step begin in a row; DEPTH past its end.
__device__ __forceinline__ int depth_of(int step, int part) {
  int q = threadIdx.x % 4;
  if (step < 2 * WHOLE) return step / 2 * 32 + q * 8 + step % 2 * 4 + part * 2;
  if (HAS_16 && step == 2 * WHOLE) return 32 * WHOLE + q * 4 + part * 2;
  return part ? DEPTH : DEPTH - 8 + q * 2;
}

// Of 32 columns four products of eight: column c of the j-th stands at c / 2 * 8 + 2 j + c % 2.
__device__ __forceinline__ u32 filter_words(const Args &a, int n0, int step, int part, int j) {
  int column = threadIdx.x % 32 / 4, n = n0 + column / 2 * 8 + 2 * j + column % 2, k = depth_of(step, part);
  const u16 *from = (const u16 *)a.p[1] + (s64)k * a.n[1] + n;
  return k < DEPTH && n < a.n[1] ? from[0] | (u32)from[a.n[1]] << 16 : 0;
}
__device__ __forceinline__ void arrange_filters(const Args &a, uint4 *filters, int n0) {
  for (int at = threadIdx.x / 32; at < GROUPS * STEPS * 2; at += THREADS / 32) {
    int step = at / 2 % STEPS, n = n0 + at / 2 / STEPS * 32, j = at % 2 * 2;
    uint4 words = {filter_words(a, n, step, 0, j), filter_words(a, n, step, 1, j), filter_words(a, n, step, 0, j + 1),
                   filter_words(a, n, step, 1, j + 1)};
    filters[at * 32 + threadIdx.x % 32] = words;
  }
}

// A lane's part of two rows, eight apart.
typedef u32 Rows[STEPS][4];
__device__ __forceinline__ void load_row(const T *row, bool whole, int half, Rows &rows) {
  int q = threadIdx.x % 4;
  if (!whole) {
#pragma unroll
    for (int step = 0; step < STEPS; step++)
      for (int part = 0; part < 2; part++) {
        const u16 *from = (const u16 *)row + depth_of(step, part);
        rows[step][half + 2 * part] = depth_of(step, part) < DEPTH ? from[0] | (u32)from[1] << 16 : 0;
      }
    return;
  }
#pragma unroll
  for (int i = 0; i < WHOLE; i++) {
    uint4 words = *(const uint4 *)(row + 32 * i + 8 * q);
    rows[2 * i][half] = words.x, rows[2 * i][half + 2] = words.y;
    rows[2 * i + 1][half] = words.z, rows[2 * i + 1][half + 2] = words.w;
  }
  if (HAS_16) {
    u64 words = *(const u64 *)(row + 32 * WHOLE + 4 * q);
    rows[2 * WHOLE][half] = (u32)words, rows[2 * WHOLE][half + 2] = (u32)(words >> 32);
  }
  if (HAS_8) rows[STEPS - 1][half] = *(const u32 *)(row + DEPTH - 8 + 2 * q), rows[STEPS - 1][half + 2] = 0;
}

__device__ __forceinline__ void finish_row(const Args &a, bool wide, s64 row, int n, const float *sums) {
  float eight[8];
  if (row >= a.n[0] || n >= a.n[1]) return;
#pragma unroll
  for (int e = 0; e < 8; e++) eight[e] = sums[e / 2 * 4 + e % 2];
  if (wide) finish_eight(a, row * a.n[1] + n, n, eight);
  else
    for (int e = 0; e < 8; e++) finish(a, row * a.n[1] + n + e, n + e, eight[e]);
}

extern "C" __global__ void __launch_bounds__(THREADS, 3) kernel(const __grid_constant__ Args a) {
  __shared__ __align__(16) uint4 filters[GROUPS * STEPS * 64];
  int lane = threadIdx.x % 32, n0 = blockIdx.y * GROUPS * 32;
  bool whole = ((u64)a.p[0] & 15) == 0, wide = IS_WIDE(a, a.n[1]);
  arrange_filters(a, filters, n0);
  follow(a);
  __syncthreads();
  for (s64 first = blockIdx.x * (s64)ROWS + threadIdx.x / 32 * 16; first < a.n[0]; first += gridDim.x * (s64)ROWS) {
    s64 row = first + lane / 4, last = a.n[0] - 1;
    Rows rows;
    load_row((const T *)a.p[0] + (row < last ? row : last) * DEPTH, whole, 0, rows);
    load_row((const T *)a.p[0] + (row + 8 < last ? row + 8 : last) * DEPTH, whole, 1, rows);
    for (int g = 0; g < GROUPS && n0 + 32 * g < a.n[1]; g++) {
      float sums[16] = {};
#pragma unroll
      for (int step = 0; step < STEPS; step++)
#pragma unroll
        for (int j = 0; j < 2; j++) {
          uint4 words = filters[((g * STEPS + step) * 2 + j) * 32 + lane];
          u32 low[2] = {words.x, words.y}, high[2] = {words.z, words.w};
          multiply<KIND>(sums + 8 * j, rows[step], low);
          multiply<KIND>(sums + 8 * j + 4, rows[step], high);
        }
      finish_row(a, wide, row, n0 + 32 * g + lane % 4 * 8, sums);
      finish_row(a, wide, row + 8, n0 + 32 * g + lane % 4 * 8, sums + 2);
    }
  }
}
