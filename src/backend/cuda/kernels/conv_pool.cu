// Convolution of one group and the pooling that alone reads it, both small, as small.cu says: each pixel of a window of
// the pooling has lanes of its own, whose sums, finished as the convolution's, meet in shared memory.
// n[0] pixels of the result; n[14] of them of a block at a time; n[15] times WIDE columns of a block; n[16], n[17] the
// result's height and width; n[18], n[19] the pooling's strides, n[20], n[21] dilations, n[22], n[23] pads before,
// n[24], n[25] after; its window is POOL_Y x POOL_X.
#define POSITIONS (POOL_Y * POOL_X)

// A pixel of the convolution's result: of the window of `pixel` the one at `position`.
struct Spot {
  u32 image;
  int y, x;
};
__device__ __forceinline__ Spot spot_of(const Args &a, u32 pixel, int position) {
  u32 width = (u32)a.n[17], height = (u32)a.n[16], row = pixel / width;
  int y = (int)(row % height) * (int)a.n[18] - (int)a.n[22], x = (int)(pixel % width) * (int)a.n[19] - (int)a.n[23];
  return Spot{row / height, y + position / POOL_X * (int)a.n[20], x + position % POOL_X * (int)a.n[21]};
}
__device__ __forceinline__ bool is_inside(const Args &a, const Spot &s) {
  return (u32)s.y < (u32)a.n[4] && (u32)s.x < (u32)a.n[5];
}
__device__ __forceinline__ Places places_of(const Args &a, int share, const Spot &s, bool there) {
  return places_at(a, share, s.image, s.y, s.x, there);
}

// What an average divides by: pads count, but not what rounding the size up reaches beyond them.
__device__ __forceinline__ R divisor(const Args &a, u32 pixel) {
  int count = 0;
  for (int p = 0; p < POSITIONS; p++) {
    Spot s = spot_of(a, pixel, p);
    count += COUNT_PADS ? s.y < a.n[4] + a.n[24] && s.x < a.n[5] + a.n[25] : is_inside(a, s);
  }
  return (R)count;
}

// The block's pixels from `first` on, of what lies in shared memory by pixel, position and column.
__device__ __forceinline__ void pool_pixels(const Args &a, const R *sums, u32 first) {
  int columns = (int)a.n[15] * WIDE, count = (int)a.n[14] * columns;
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    int slot = i / columns, column = (int)blockIdx.y * columns + i % columns;
    u32 pixel = first + slot;
    if (pixel >= a.n[0] || column >= FILTERS) continue;
    R result = MAXIMUM ? LEAST : R(0);
#pragma unroll
    for (int p = 0; p < POSITIONS; p++) {
      R v = sums[(slot * POSITIONS + p) * columns + i % columns];
      if (MAXIMUM) result = v > result || v != v ? v : result;
      else result += v;
    }
    if (!MAXIMUM) result /= divisor(a, pixel);
    finish(a, (s64)pixel * FILTERS + column, column, result);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) kernel(const __grid_constant__ Args a) {
  __shared__ R sums[THREADS / shares * WIDE];
  int share = threadIdx.x % shares, line = threadIdx.x / shares, across = (int)a.n[15];
  int group = line % across, position = line / across % POSITIONS, slot = line / across / POSITIONS;
  int column = ((int)blockIdx.y * across + group) * WIDE, owns = first_owned(share);
  bool whole = (u64)a.p[0] % sizeof(Chunk) == 0, takes = slot < a.n[14];
  R *own = sums + ((slot * POSITIONS + position) * across + group) * WIDE + owns;
  Filters by = filters_of(a, share, column);
  Inner0 constants[owned];
#pragma unroll
  for (int c = 0; c < owned; c++)
    constants[c] = load_inner0(a, column + owns + c < FILTERS ? column + owns + c : 0);
  // Threads beyond the block's or the last pixels only take part in the sums.
  u32 none = (u32)a.n[0], step = gridDim.x * (u32)a.n[14], first = blockIdx.x * (u32)a.n[14], pixel = first + slot;
  Spot spot = spot_of(a, pixel, position);
  bool inside = takes && pixel < none && is_inside(a, spot);
  Places places = places_of(a, share, spot, inside);
  follow(a);
  while (first < none) {
    R sum[WIDE];
    sum_pixel(by, places, whole, share, sum);
#pragma unroll
    for (int c = 0; c < owned; c++)
      if (takes && share % alike == 0)
        own[c] = inside ? as<T>(inner0(constants[c], sum[c])) : MAXIMUM ? LEAST : R(0);
    __syncthreads();
    pool_pixels(a, sums, first);
    first += step;
    if (first >= none) return;
    pixel += step;
    spot = spot_of(a, pixel, position);
    inside = takes && pixel < none && is_inside(a, spot);
    places = places_of(a, share, spot, inside);
    __syncthreads();
  }
}
