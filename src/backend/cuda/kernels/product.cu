// Matrix product and convolution as one, tiles of 64 x 64 by 256 threads, sums in registers, the next
// tiles on their way while these are multiplied.
// Matmul: p[0] a, p[1] b; n[0] rows, n[1] columns, n[2] depth; n[3], n[4] a's strides from row to row and
// along the depth; n[5], n[6] b's along the depth and from column to column; n[7] batch axes, n[8…] their
// sizes, n[16…] a's strides, n[24…] b's.
// Convolution (one group): rows are y's pixels, columns filters, depth taps x channels; p[0] x, p[1] w;
// n[16] channels, n[17]…n[28] as pooling's n[2]…n[13].
// The grid's z is the batch's matrices times n[36] parts of the depth, n[37] each; with several parts
// their sums go to p[2] and product_sum.cu adds them, always in the same order.
#define TILE 64
#define DEPTH 16

// Four rows of the left matrix at one place of the depth each, or one row at four.
#if CONVOLUTION
struct Left {
  const T *image[4];
  int top[4], left[4];
};
__device__ __forceinline__ void left_begin(const Args &a, Left &l, s64 m0, s64 base) {
  u32 width = (u32)a.n[20], height = (u32)a.n[19];
  for (int j = 0; j < 4; j++) {
    u32 m = (u32)m0 + threadIdx.x / 16 + 16 * j; // rows are below 2^31
    l.left[j] = m < a.n[0] ? (int)(m % width) * (int)a.n[24] - (int)a.n[28] : -(1 << 30);
    l.top[j] = (int)(m / width % height) * (int)a.n[23] - (int)a.n[27];
    l.image[j] = (const T *)a.p[0] + m / width / height * a.n[17] * a.n[18] * a.n[16];
  }
}
__device__ __forceinline__ void left_fetch(const Args &a, const Left &l, int k0, int end, R *out) {
  int channels = (int)a.n[16], width = (int)a.n[18];
  int k = k0 + threadIdx.x % 16, tap = k / channels, c = k % channels;
  int dy = tap / (int)a.n[22] * (int)a.n[25], dx = tap % (int)a.n[22] * (int)a.n[26];
  for (int j = 0; j < 4; j++) {
    int y = l.top[j] + dy, x = l.left[j] + dx;
    bool inside = k < end && y >= 0 && y < (int)a.n[17] && x >= 0 && x < width;
    out[j] = inside ? load<T>(l.image[j], (s64)(y * width + x) * channels + c) : R(0);
  }
}
#define LEFT_BY_ROW false
#define RIGHT_BY_DEPTH false
#define RIGHT_ROW a.n[1]
#define RIGHT_COLUMN 1
#else
struct Left {
  const T *first;
  s64 m;
};
#define LEFT_BY_ROW (a.n[3] == 1)
#define RIGHT_BY_DEPTH (a.n[5] == 1 && a.n[6] != 1)
#define RIGHT_ROW a.n[5]
#define RIGHT_COLUMN a.n[6]
__device__ __forceinline__ void left_begin(const Args &a, Left &l, s64 m0, s64 base) {
  l.m = m0 + (LEFT_BY_ROW ? threadIdx.x % 64 : threadIdx.x / 16);
  l.first = (const T *)a.p[0] + base + l.m * a.n[3];
}
__device__ __forceinline__ void left_fetch(const Args &a, const Left &l, int k0, int end, R *out) {
  if (LEFT_BY_ROW) {
    for (int j = 0; j < 4; j++) {
      int k = k0 + threadIdx.x / 64 + 4 * j;
      out[j] = k < end && l.m < a.n[0] ? load<T>(l.first, k * a.n[4]) : R(0);
    }
    return;
  }
  int k = k0 + threadIdx.x % 16;
  for (int j = 0; j < 4; j++)
    out[j] = k < end && l.m + 16 * j < a.n[0] ? load<T>(l.first, 16 * j * a.n[3] + k * a.n[4]) : R(0);
}
#endif

__device__ __forceinline__ void right_fetch(const Args &a, s64 n0, s64 base, int k0, int end, R *out) {
  for (int j = 0; j < 4; j++) {
    int k = k0 + (RIGHT_BY_DEPTH ? threadIdx.x % 16 : threadIdx.x / 64 + 4 * j);
    s64 n = n0 + (RIGHT_BY_DEPTH ? threadIdx.x / 16 + 16 * j : threadIdx.x % 64);
    out[j] = k < end && n < a.n[1] ? load<T>(a.p[1], base + k * RIGHT_ROW + n * RIGHT_COLUMN) : R(0);
  }
}

typedef R Tiles[2][DEPTH][TILE + 4]; // left, right; rows 16-byte aligned
__device__ __forceinline__ void put_tiles(const Args &a, Tiles &to, const R *left, const R *right) {
  int t = threadIdx.x;
  for (int j = 0; j < 4; j++) {
    if (LEFT_BY_ROW) to[0][t / 64 + 4 * j][t % 64] = left[j];
    else to[0][t % 16][t / 16 + 16 * j] = left[j];
    if (RIGHT_BY_DEPTH) to[1][t % 16][t / 16 + 16 * j] = right[j];
    else to[1][t / 64 + 4 * j][t % 64] = right[j];
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  __shared__ __align__(16) Tiles tiles[2];
  s64 m0 = blockIdx.x * (s64)TILE, n0 = blockIdx.y * (s64)TILE;
  int parts = (int)a.n[36], part = blockIdx.z % parts, batch = blockIdx.z / parts;
  int begin = part * (int)a.n[37], end = begin + (int)a.n[37] < (int)a.n[2] ? begin + (int)a.n[37] : (int)a.n[2];
#if CONVOLUTION
  s64 left_base = 0, right_base = 0;
#else
  s64 left_base = place_in(a, (int)a.n[7], 8, 16, batch), right_base = place_in(a, (int)a.n[7], 8, 24, batch);
#endif
  int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  Left rows;
  R left[4], right[4], sum[4][4] = {};
  left_begin(a, rows, m0, left_base);
  left_fetch(a, rows, begin, end, left);
  right_fetch(a, n0, right_base, begin, end, right);
  put_tiles(a, tiles[0], left, right);
  __syncthreads();
  for (int k0 = begin, turn = 0; k0 < end; k0 += DEPTH, turn ^= 1) {
    bool more = k0 + DEPTH < end;
    if (more) left_fetch(a, rows, k0 + DEPTH, end, left);
    if (more) right_fetch(a, n0, right_base, k0 + DEPTH, end, right);
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
      R x[4], y[4];
      for (int i = 0; i < 4; i++) x[i] = tiles[turn][0][k][ty * 4 + i];
      for (int j = 0; j < 4; j++) y[j] = tiles[turn][1][k][tx * 4 + j];
      for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) sum[i][j] += x[i] * y[j];
    }
    if (more) put_tiles(a, tiles[turn ^ 1], left, right);
    __syncthreads();
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      s64 m = m0 + ty * 4 + i, n = n0 + tx * 4 + j;
      if (m >= a.n[0] || n >= a.n[1]) continue;
      if (parts == 1) finish(a, (batch * a.n[0] + m) * a.n[1] + n, n, ALPHA * sum[i][j]);
      else ((R *)a.p[2])[(blockIdx.z * a.n[0] + m) * a.n[1] + n] = sum[i][j];
    }
}
