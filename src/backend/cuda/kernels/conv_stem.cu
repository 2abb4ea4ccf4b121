// Convolution of few channels on tensor cores, channels last, steps of an even number of elements from window
// to window: a first layer. A row of a window lies in one piece, so that a block keeps the rows of an image
// that it needs in shared memory as they are, and a warp reads its left operand there: of a window's row 8
// elements at a time, GROUPS of them. The filters lie beside, filled up with zeros to such groups. The image may lie in
// memory by any strides, plane by plane, and in f32: it is put in order and rounded on the way.
// p[0] x, p[1] w.
// n[0] pieces of the result; n[1] filters; n[2]…n[13] as for pooling; n[14] rows and n[15] columns of a piece,
// columns a multiple of 16; n[16] elements from row to row in shared memory, n[17] rows there; n[18] 1 where a
// window's row begins at an odd element, 0 else: it is read from the one before; n[19] pieces beside each
// other, n[20] below each other; n[21] 0 where x lies in memory as T in this order, else the bytes of its elements,
// n[22]…n[25] those from image to image, row to row, column to column, channel to channel, and n[26] the first one.
#define THREADS 256
#define GROUPS ((WINDOW + 8) / 8)
#define STEPS ((TAPS * GROUPS + 1) / 2) // of 16
#define FILTER_BYTES (STEPS * 16 * TILE_N * 2)
#define COLUMNS_8 (TILE_N / 8)

struct Piece {
  s64 image;
  int y, x, first; // its first pixel; the element of a row of the image that rows in shared memory begin with
};
__device__ __forceinline__ Piece piece_at(const Args &a, s64 index) {
  Piece p;
  p.image = index / (a.n[19] * a.n[20]);
  p.y = (int)(index / a.n[19] % a.n[20] * a.n[14]), p.x = (int)(index % a.n[19] * a.n[15]);
  p.first = (p.x * (int)a.n[9] - (int)a.n[13]) * CHANNELS - (int)a.n[18];
  p.first = p.first & ~7;
  return p;
}

__device__ __forceinline__ void copy_filters(const Args &a, char *filters, int n0) {
  for (int c = threadIdx.x; c < STEPS * 16 * COLUMNS_8; c += THREADS) {
    int row = c / COLUMNS_8, n = n0 + c % COLUMNS_8 * 8, tap = row / 8 / GROUPS;
    int e = row / 8 % GROUPS * 8 + row % 8 - (int)a.n[18];
    bool inside = tap < TAPS && e >= 0 && e < WINDOW && n < a.n[1];
    copy_chunk(filters + chunk_of_row<TILE_N * 2>(row, c % COLUMNS_8),
               (const T *)a.p[1] + (inside ? (tap * WINDOW + e) * a.n[1] + n : 0), inside ? 16 : 0);
  }
}
__device__ __forceinline__ void copy_image(const Args &a, const Piece &p, T *rows) {
  int chunks = (int)a.n[16] / 8, size = (int)a.n[3] * CHANNELS, height = (int)a.n[2];
  int top = p.y * (int)a.n[8] - (int)a.n[12];
  bool whole = size % 8 == 0 && ((u64)a.p[0] & 15) == 0;
  for (int c = threadIdx.x; c < (int)a.n[17] * chunks; c += THREADS) {
    int row = c / chunks, y = top + row, e = p.first + (c - row * chunks) * 8;
    const T *from = (const T *)a.p[0] + (p.image * height + y) * size + e;
    bool there = (u32)y < (u32)height;
    if (whole) {
      bool inside = there && (u32)e < (u32)size;
      copy_chunk(rows + c * 8, inside ? from : (const T *)a.p[0], inside ? 16 : 0);
    } else {
      for (int i = 0; i < 8; i++) rows[c * 8 + i] = there && (u32)(e + i) < (u32)size ? from[i] : T{};
    }
  }
}

// Of an image that lies by strides: what the windows of the piece reach, zeros beyond its border. Where columns are
// neighbours four of them are loaded at once, by 64 threads of a row of a plane.
struct Reach {
  int x, count, shift; // columns; the place of the first one's first channel in a row in shared memory
};
__device__ __forceinline__ Reach reach_of(const Args &a, const Piece &p) {
  int x = p.x * (int)a.n[9] - (int)a.n[13];
  return Reach{x, ((int)a.n[15] - 1) * (int)a.n[9] + WINDOW / CHANNELS, x * CHANNELS - p.first};
}
template <class S> struct __align__(4 * sizeof(S)) Four {
  S at[4];
};
template <class S> __device__ __forceinline__ void gather_planes(const Args &a, const Piece &p, const S *image, T *rows) {
  Reach reach = reach_of(a, p);
  int top = p.y * (int)a.n[8] - (int)a.n[12], begin = reach.x & ~3;
  for (int x = begin + threadIdx.x % 64 * 4; x < reach.x + reach.count; x += 256)
#pragma unroll 4
    for (int plane = threadIdx.x / 64; plane < (int)a.n[17] * CHANNELS; plane += THREADS / 64) {
      int row = plane / CHANNELS, c = plane % CHANNELS, y = top + row;
      Four<S> four = {};
      if ((u32)y < (u32)a.n[2] && (u32)x < (u32)a.n[3]) four = *(const Four<S> *)(image + y * a.n[23] + c * a.n[25] + x);
#pragma unroll
      for (int e = 0; e < 4; e++) {
        int column = x + e - reach.x;
        if ((u32)column < (u32)reach.count)
          rows[row * (int)a.n[16] + reach.shift + column * CHANNELS + c] = Element<T>::element(Element<S>::value(four.at[e]));
      }
    }
}
template <class S> __device__ __forceinline__ void gather_elements(const Args &a, const Piece &p, const S *image, T *rows) {
  Reach reach = reach_of(a, p);
  int top = p.y * (int)a.n[8] - (int)a.n[12], size = reach.count * CHANNELS;
  for (int row = 0; row < (int)a.n[17]; row++)
    for (int e = threadIdx.x; e < size; e += THREADS) {
      int y = top + row, x = reach.x + e / CHANNELS;
      bool inside = (u32)y < (u32)a.n[2] && (u32)x < (u32)a.n[3];
      const S *from = image + (inside ? y * a.n[23] + x * a.n[24] + e % CHANNELS * a.n[25] : 0);
      rows[row * (int)a.n[16] + reach.shift + e] = inside ? Element<T>::element(Element<S>::value(*from)) : T{};
    }
}
template <class S> __device__ __forceinline__ void gather_image(const Args &a, const Piece &p, T *rows) {
  const S *image = (const S *)a.p[0] + a.n[26] + p.image * a.n[22];
  bool fours = a.n[24] == 1 && ((a.n[22] | a.n[23] | a.n[25] | a.n[26] | a.n[3]) & 3) == 0;
  if (fours && ((u64)a.p[0] & (4 * sizeof(S) - 1)) == 0) gather_planes<S>(a, p, image, rows);
  else gather_elements<S>(a, p, image, rows);
}

// Of a group the elements that are a window's: two of them are a thread's.
__device__ __forceinline__ u32 mask_of(const Args &a, int group) {
  int e = group * 8 + threadIdx.x % 4 * 2 - (int)a.n[18];
  return (e >= 0 && e < WINDOW ? 0xffffu : 0) | (e + 1 >= 0 && e + 1 < WINDOW ? 0xffff0000u : 0);
}

// Two tiles of 16 pixels of a row; from their first elements in shared memory.
typedef float Sums[2][COLUMNS_8 * 4];
__device__ __forceinline__ void multiply_windows(const Args &a, Sums &sums, const T *const *first, const char *filters,
                                                 const u32 *masks) {
  int lane = threadIdx.x % 32, down = (int)a.n[10] * (int)a.n[16], right = 8 * (int)a.n[9] * CHANNELS;
#pragma unroll
  for (int step = 0; step < STEPS; step++) {
    u32 x[2][4];
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int group = 2 * step + half, tap = group / GROUPS, at = group % GROUPS;
#pragma unroll
      for (int i = 0; i < 2; i++)
#pragma unroll
        for (int k = 0; k < 2; k++)
          x[i][2 * half + k] =
              tap < TAPS ? *(const u32 *)(first[i] + k * right + tap * down + at * 8) & masks[at] : 0;
    }
#pragma unroll
    for (int j = 0; j < COLUMNS_8; j += 2) {
      u32 four[4];
      load_transposed(four, filters + chunk_of_row<TILE_N * 2>(16 * step + lane % 16, j + lane / 16));
#pragma unroll
      for (int i = 0; i < 2; i++) {
        multiply<KIND>(sums[i] + 4 * j, x[i], four);
        multiply<KIND>(sums[i] + 4 * j + 4, x[i], four + 2);
      }
    }
  }
}

__device__ __forceinline__ void finish_pixels(const Args &a, const float *sums, const Piece &p, int y, int x, int n0) {
  bool wide = IS_WIDE(a, a.n[1]);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int column = x + threadIdx.x % 32 / 4 + 8 * half;
    s64 pixel = (p.image * a.n[4] + y) * a.n[5] + column;
#pragma unroll
    for (int j = 0; j < COLUMNS_8; j += 4) {
      float eight[8];
      int n = n0 + 8 * j + threadIdx.x % 4 * 8;
      gather_eight(sums + 4 * j + 2 * half, 1, eight);
      if (y >= a.n[4] || column >= a.n[5] || n >= a.n[1]) continue;
      if (wide) finish_eight(a, pixel * a.n[1] + n, n, eight);
      else
        for (int e = 0; e < 8; e++) finish(a, pixel * a.n[1] + n + e, n + e, eight[e]);
    }
  }
}

// A piece's tiles by the warps, two at a time; all lanes finish both, since they exchange their sums.
__device__ __forceinline__ void finish_piece(const Args &a, const Piece &p, const T *rows, const char *filters,
                                             const u32 *masks, int n0) {
  int lane = threadIdx.x % 32, across = (int)a.n[15] / 16, tiles = across * (int)a.n[14];
  int step = (int)a.n[9] * CHANNELS, shift = (p.x * (int)a.n[9] - (int)a.n[13]) * CHANNELS - (int)a.n[18] - p.first;
  for (int tile = threadIdx.x / 32 * 2; tile < tiles; tile += THREADS / 32 * 2) {
    const T *first[2];
    int y[2], x[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
      int at = tile + i < tiles ? tile + i : tile;
      y[i] = at / across, x[i] = at % across * 16;
      first[i] = rows + y[i] * (int)a.n[8] * (int)a.n[16] + (x[i] + lane / 4) * step + shift + lane % 4 * 2;
    }
    Sums sums = {};
    multiply_windows(a, sums, first, filters, masks);
#pragma unroll
    for (int i = 0; i < 2; i++) finish_pixels(a, sums[i], p, tile + i < tiles ? p.y + y[i] : (int)a.n[4], p.x + x[i], n0);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) kernel(const __grid_constant__ Args a) {
  __shared__ __align__(128) char pool[48 << 10];
  T *rows = (T *)(pool + FILTER_BYTES);
  int n0 = blockIdx.y * TILE_N;
  u32 masks[GROUPS];
#pragma unroll
  for (int g = 0; g < GROUPS; g++) masks[g] = mask_of(a, g);
  copy_filters(a, pool, n0); // constants
  follow(a);
  for (s64 index = blockIdx.x; index < a.n[0]; index += gridDim.x) {
    Piece p = piece_at(a, index);
    __syncthreads();
    if (a.n[21] == 0) copy_image(a, p, rows);
    else if (a.n[21] == 4) gather_image<float>(a, p, rows);
    else gather_image<T>(a, p, rows);
    end_batch();
    wait_for_copies<0>();
    __syncthreads();
    finish_piece(a, p, rows, pool, masks, n0);
  }
}
