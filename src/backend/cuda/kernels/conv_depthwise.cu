// Convolution of 16-bit elements where every channel is a group of one filter, channels last: a block brings a
// tile of the image and its filters into shared memory, EIGHTS times eight channels beside each other, from
// where a thread computes eight channels of ACROSS x DOWN neighbouring pixels. p[0] x, p[1] w.
// n[0] blocks; n[1] channels; n[2]…n[13] as for pooling; n[14] threads that stand beside each other over the
// image, n[15] below each other; n[16] blocks that make the channels, n[17] and n[18] those across and down.
#define ACROSS 2
#define DOWN (STRIDE_Y == 1 ? 2 : 1)
#define IN_ACROSS ((ACROSS - 1) * STRIDE_X + TAPS_X)
#define IN_DOWN ((DOWN - 1) * STRIDE_Y + TAPS_Y)
#define FILTER_BYTES (TAPS_Y * TAPS_X * EIGHTS * 16)

struct Tile {
  s64 image;
  int c, y, x; // its first channel and pixel of the result,
  int top, left, width, height; // the first pixel of the image, how many are in shared memory
};
__device__ __forceinline__ Tile tile_of(const Args &a) {
  Tile t;
  u32 block = blockIdx.x, beside = (u32)a.n[14], below = (u32)a.n[15];
  t.c = (int)(block % (u32)a.n[16]) * EIGHTS * 8, block /= (u32)a.n[16];
  t.x = (int)(block % (u32)a.n[17] * beside) * ACROSS, block /= (u32)a.n[17];
  t.y = (int)(block % (u32)a.n[18] * below) * DOWN;
  t.image = block / (u32)a.n[18];
  t.top = t.y * STRIDE_Y - (int)a.n[12], t.left = t.x * STRIDE_X - (int)a.n[13];
  t.width = ((int)beside * ACROSS - 1) * STRIDE_X + TAPS_X;
  t.height = ((int)below * DOWN - 1) * STRIDE_Y + TAPS_Y;
  return t;
}

// Eight elements to shared memory, zeros where they are not `inside`.
__device__ __forceinline__ void bring(char *to, const void *from, s64 i, bool inside, bool whole) {
  const T *source = (const T *)from + (inside ? i : 0);
  if (whole) copy_chunk(to, source, inside ? 16 : 0);
  else
    for (int e = 0; e < 8; e++) ((T *)to)[e] = inside ? source[e] : T{};
}
__device__ __forceinline__ void bring_tile(const Args &a, const Tile &t, char *filters, char *pixels) {
  bool whole = (((u64)a.p[0] | (u64)a.p[1]) & 15) == 0;
  int channels = (int)a.n[1], eight = threadIdx.x % EIGHTS, step = blockDim.x / EIGHTS;
  for (int tap = threadIdx.x / EIGHTS; tap < TAPS_Y * TAPS_X; tap += step)
    bring(filters + (tap * EIGHTS + eight) * 16, a.p[1], (s64)tap * channels + t.c + eight * 8, true, whole);
  for (int i = threadIdx.x / EIGHTS; i < t.width * t.height; i += step) {
    int row = i / t.width, y = t.top + row, x = t.left + i - row * t.width;
    bool inside = (u32)y < (u32)a.n[2] && (u32)x < (u32)a.n[3];
    s64 pixel = (t.image * a.n[2] + y) * a.n[3] + x;
    bring(pixels + (i * EIGHTS + eight) * 16, a.p[0], pixel * channels + t.c + eight * 8, inside, whole);
  }
  end_batch();
  wait_for_copies<0>();
  __syncthreads();
}

__device__ __forceinline__ void take_eight(const char *from, float *values) {
  uint4 words = *(const uint4 *)from;
  pair_values<T>(words.x, values), pair_values<T>(words.y, values + 2);
  pair_values<T>(words.z, values + 4), pair_values<T>(words.w, values + 6);
}

// A row of the image adds to every row of the result whose windows it crosses.
typedef float Sums[DOWN][ACROSS][8];
__device__ __forceinline__ void convolve(Sums &sums, const char *pixels, int row_bytes, const char *filters) {
#pragma unroll
  for (int r = 0; r < IN_DOWN; r++) {
    float row[IN_ACROSS][8];
#pragma unroll
    for (int s = 0; s < IN_ACROSS; s++) take_eight(pixels + r * row_bytes + s * EIGHTS * 16, row[s]);
#pragma unroll
    for (int y = 0; y < DOWN; y++) {
      if (r - y * STRIDE_Y < 0 || r - y * STRIDE_Y >= TAPS_Y) continue;
#pragma unroll
      for (int s = 0; s < TAPS_X; s++) {
        float by[8];
        take_eight(filters + ((r - y * STRIDE_Y) * TAPS_X + s) * EIGHTS * 16, by);
#pragma unroll
        for (int x = 0; x < ACROSS; x++)
#pragma unroll
          for (int e = 0; e < 8; e++) sums[y][x][e] += row[x * STRIDE_X + s][e] * by[e];
      }
    }
  }
}

extern "C" __global__ void __launch_bounds__(EIGHTS * 32, (DOWN == 1 ? 28 : 20) / EIGHTS) kernel(const __grid_constant__ Args a) {
  __shared__ __align__(128) char pool[FILTER_BYTES + POOL_BYTES];
  Tile t = tile_of(a);
  follow(a);
  bring_tile(a, t, pool, pool + FILTER_BYTES);
  int eight = threadIdx.x % EIGHTS, spot = threadIdx.x / EIGHTS, c = t.c + eight * 8;
  int x = spot % (int)a.n[14] * ACROSS, y = spot / (int)a.n[14] * DOWN;
  if (t.y + y >= a.n[4] || t.x + x >= a.n[5]) return;
  Sums sums = {};
  convolve(sums, pool + FILTER_BYTES + ((y * STRIDE_Y * t.width + x * STRIDE_X) * EIGHTS + eight) * 16,
           t.width * EIGHTS * 16, pool + eight * 16);
  bool wide = IS_WIDE(a, a.n[1]);
#pragma unroll
  for (int v = 0; v < DOWN; v++)
#pragma unroll
    for (int u = 0; u < ACROSS; u++) {
      if (t.y + y + v >= a.n[4] || t.x + x + u >= a.n[5]) continue;
      s64 i = ((t.image * a.n[4] + t.y + y + v) * a.n[5] + t.x + x + u) * a.n[1] + c;
      if (wide) finish_eight(a, i, c, sums[v][u]);
      else
        for (int e = 0; e < 8; e++) finish(a, i + e, c + e, sums[v][u][e]);
    }
}
