// Matrix product and convolution as one, tiles of 64 x 64 by 256 threads, sums in registers.
// Matmul: p[0] a, p[1] b; n[0] rows, n[1] columns, n[2] depth; n[3], n[4] a's strides from row to row and
// along the depth; n[5], n[6] b's along the depth and from column to column; n[7] batch axes, n[8…] their
// sizes, n[16…] a's strides, n[24…] b's. A block of the grid's z is one matrix of the batch.
// Convolution (one group): rows are y's pixels, columns filters, depth taps x channels; p[0] x, p[1] w;
// n[16] channels, n[17]…n[28] as pooling's n[2]…n[13].
#define TILE 64
#define DEPTH 16

#if CONVOLUTION
struct Row {
  s64 image;
  int top, left;
};
__device__ __forceinline__ Row row_of(const Args &a, s64 m) {
  Row row;
  s64 width = a.n[20], height = a.n[19];
  row.left = (int)(m % width * a.n[24] - a.n[28]);
  row.top = (int)(m / width % height * a.n[23] - a.n[27]);
  row.image = m / width / height * a.n[17] * a.n[18];
  return row;
}
__device__ __forceinline__ R left_at(const Args &a, const Row &row, s64 base, s64 k) {
  int channels = (int)a.n[16], tap = (int)k / channels, c = (int)k % channels;
  int y = row.top + tap / (int)a.n[22] * (int)a.n[25], x = row.left + tap % (int)a.n[22] * (int)a.n[26];
  if (y < 0 || y >= (int)a.n[17] || x < 0 || x >= (int)a.n[18]) return 0;
  return load<T>(a.p[0], (row.image + (s64)y * a.n[18] + x) * channels + c);
}
__device__ __forceinline__ R right_at(const Args &a, s64 base, s64 k, s64 n) {
  return load<T>(a.p[1], k * a.n[1] + n);
}
#else
struct Row {
  s64 at;
};
__device__ __forceinline__ Row row_of(const Args &a, s64 m) { return Row{m * a.n[3]}; }
__device__ __forceinline__ R left_at(const Args &a, const Row &row, s64 base, s64 k) {
  return load<T>(a.p[0], base + row.at + k * a.n[4]);
}
__device__ __forceinline__ R right_at(const Args &a, s64 base, s64 k, s64 n) {
  return load<T>(a.p[1], base + k * a.n[5] + n * a.n[6]);
}
#endif

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  __shared__ R left[DEPTH][TILE + 4], right[DEPTH][TILE + 4];
  s64 rows = a.n[0], columns = a.n[1], depth = a.n[2];
  s64 m0 = blockIdx.x * (s64)TILE, n0 = blockIdx.y * (s64)TILE, batch = blockIdx.z;
#if CONVOLUTION
  s64 left_base = 0, right_base = 0;
#else
  s64 left_base = place_in(a, (int)a.n[7], 8, 16, batch), right_base = place_in(a, (int)a.n[7], 8, 24, batch);
#endif
  int thread = threadIdx.x, tx = thread % 16, ty = thread / 16;
  // Neighbouring threads read neighbouring elements: along the depth of the left matrix unless its rows
  // are what lies side by side, along the columns of the right one likewise.
  const bool left_by_row = !CONVOLUTION && a.n[3] == 1, right_by_depth = !CONVOLUTION && a.n[5] == 1;
  R sum[4][4] = {};
  for (s64 k0 = 0; k0 < depth; k0 += DEPTH) {
    for (int e = thread; e < TILE * DEPTH; e += 256) {
      int m = left_by_row ? e % TILE : e / DEPTH, k = left_by_row ? e / TILE : e % DEPTH;
      bool inside = m0 + m < rows && k0 + k < depth;
      left[k][m] = inside ? left_at(a, row_of(a, m0 + m), left_base, k0 + k) : R(0);
      int n = right_by_depth ? e / DEPTH : e % TILE;
      k = right_by_depth ? e % DEPTH : e / TILE;
      inside = n0 + n < columns && k0 + k < depth;
      right[k][n] = inside ? right_at(a, right_base, k0 + k, n0 + n) : R(0);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
      R x[4], y[4];
      for (int i = 0; i < 4; i++) x[i] = left[k][ty * 4 + i];
      for (int j = 0; j < 4; j++) y[j] = right[k][tx * 4 + j];
      for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) sum[i][j] += x[i] * y[j];
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      s64 m = m0 + ty * 4 + i, n = n0 + tx * 4 + j;
      if (m < rows && n < columns) finish(a, (batch * rows + m) * columns + n, n, ALPHA * sum[i][j]);
    }
}
