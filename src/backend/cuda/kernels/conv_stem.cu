// Convolution of few channels on tensor cores, channels last, of 16 bits steps of an even number of elements from
// window to window: a first layer. A row of a window lies in one piece, so that a block keeps the rows of an image
// that it needs in shared memory as they are, and a warp reads its left operand there: of a window's row 8
// elements at a time, GROUPS of them. The filters lie beside, filled up with zeros to such groups. The image may lie in
// memory by any strides, plane by plane, and in f32: it is put in order and rounded on the way. f32 is multiplied as
// TF32, and rounded where it was copied to.
// p[0] x, p[1] w.
// n[0] pieces of the result; n[1] filters; n[2]…n[13] as for pooling; n[14] rows and n[15] columns of a piece,
// columns a multiple of 16; n[16] elements from row to row in shared memory, n[17] rows there; n[18] 1 where a
// window's row begins at an odd element: it is read from the one before; 0 else, and where EVEN is 0, since then
// they do not begin alike; n[19] pieces beside each other, n[20] below each other; n[21] 0 where x lies in memory as T
// in this order, else the bytes of its elements, n[22]…n[25] those from image to image, row to row, column to column,
// channel to channel, and n[26] the first one.
#define THREADS 256
#define GROUPS ((WINDOW + 8) / 8)
#define COLUMNS_8 (TILE_N / 8)
#define ROW_BYTES (TILE_N * (int)sizeof(T)) // of filters
#define CHUNKS (TILE_N / ELEMENTS)
#if KIND == KIND_TF32
#define STEPS (TAPS * GROUPS) // of 8
#define DEPTH (STEPS * 8)
#define WORDS 2 // of two neighbours
#else
#define STEPS ((TAPS * GROUPS + 1) / 2) // of 16
#define DEPTH (STEPS * 16)
#define WORDS 1
#endif
#define FILTER_BYTES (DEPTH * ROW_BYTES)

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
  for (int c = threadIdx.x; c < DEPTH * CHUNKS; c += THREADS) {
    int row = c / CHUNKS, n = n0 + c % CHUNKS * ELEMENTS, tap = row / 8 / GROUPS;
    int e = row / 8 % GROUPS * 8 + row % 8 - (int)a.n[18];
    bool inside = tap < TAPS && e >= 0 && e < WINDOW && n < a.n[1];
    copy_chunk(filters + chunk_of_row<ROW_BYTES>(row, c % CHUNKS),
               (const T *)a.p[1] + (inside ? (tap * WINDOW + e) * a.n[1] + n : 0), inside ? 16 : 0);
  }
}
__device__ __forceinline__ void copy_image(const Args &a, const Piece &p, T *rows) {
  int chunks = (int)a.n[16] / ELEMENTS, size = (int)a.n[3] * CHANNELS, height = (int)a.n[2];
  int top = p.y * (int)a.n[8] - (int)a.n[12];
  bool whole = size % ELEMENTS == 0 && ((u64)a.p[0] & 15) == 0;
  for (int c = threadIdx.x; c < (int)a.n[17] * chunks; c += THREADS) {
    int row = c / chunks, y = top + row, e = p.first + (c - row * chunks) * ELEMENTS;
    const T *from = (const T *)a.p[0] + (p.image * height + y) * size + e;
    bool there = (u32)y < (u32)height;
    if (whole) {
      bool inside = there && (u32)e < (u32)size;
      copy_chunk(rows + c * ELEMENTS, inside ? from : (const T *)a.p[0], inside ? 16 : 0);
    } else {
      for (int i = 0; i < ELEMENTS; i++) rows[c * ELEMENTS + i] = there && (u32)(e + i) < (u32)size ? from[i] : T{};
    }
  }
}

// Of an image that lies by strides: what the windows of the piece reach, zeros beyond its border. Of 16 bits, where
// columns are neighbours four of them are loaded at once, by 64 threads of a row of a plane; of f32 each is copied
// alone, all at once.
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
#if KIND == KIND_TF32
__device__ __forceinline__ void gather_image(const Args &a, const Piece &p, T *rows) {
  Reach reach = reach_of(a, p);
  int top = p.y * (int)a.n[8] - (int)a.n[12];
  const T *image = (const T *)a.p[0] + a.n[26] + p.image * a.n[22];
  for (int column = threadIdx.x; column < reach.count; column += THREADS) {
    bool across = (u32)(reach.x + column) < (u32)a.n[3];
    T *to = rows + reach.shift + column * CHANNELS;
    for (int row = 0; row < (int)a.n[17]; row++, to += a.n[16]) {
      bool inside = across && (u32)(top + row) < (u32)a.n[2];
      const T *from = image + (inside ? (top + row) * a.n[23] + (reach.x + column) * a.n[24] : 0);
#pragma unroll
      for (int c = 0; c < CHANNELS; c++) copy_word(to + c, from + c * a.n[25], inside);
    }
  }
}
#else
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
template <class S> __device__ __forceinline__ void gather_from(const Args &a, const Piece &p, T *rows) {
  const S *image = (const S *)a.p[0] + a.n[26] + p.image * a.n[22];
  bool fours = a.n[24] == 1 && ((a.n[22] | a.n[23] | a.n[25] | a.n[26] | a.n[3]) & 3) == 0;
  if (fours && ((u64)a.p[0] & (4 * sizeof(S) - 1)) == 0) gather_planes<S>(a, p, image, rows);
  else gather_elements<S>(a, p, image, rows);
}
__device__ __forceinline__ void gather_image(const Args &a, const Piece &p, T *rows) {
  if (a.n[21] == 4) gather_from<float>(a, p, rows);
  else gather_from<T>(a, p, rows);
}
#endif

typedef float Sums[2][COLUMNS_8 * 4];
#if KIND == KIND_TF32
static_assert(TILE_N == 32, "a chunk of filters for every column of an operand");
__device__ __forceinline__ void round_chunks(char *chunks, int count) {
  for (int c = threadIdx.x; c < count; c += THREADS) {
    Four<u32> four = *(Four<u32> *)(chunks + c * 16);
#pragma unroll
    for (int i = 0; i < 4; i++) four.at[i] = to_tf32(four.at[i]);
    *(Four<u32> *)(chunks + c * 16) = four;
  }
}
// What all threads copied: rows of the image, which lie behind the filters, and these before the first piece.
__device__ __forceinline__ void round_copies(const Args &a, bool first, char *pool) {
  int skipped = first ? 0 : FILTER_BYTES;
  __syncthreads();
  round_chunks(pool + skipped, (FILTER_BYTES - skipped + (int)(a.n[17] * a.n[16]) * 4) / 16);
}

// Of a group the elements that are a window's: two of them are a thread's, a mask for each. WHOLE groups need none.
#define WHOLE(group) ((group) > 0 && (group) * 8 + 7 < WINDOW)
__device__ __forceinline__ void masks_of(const Args &a, int group, u32 *masks) {
  int e = group * 8 + threadIdx.x % 4 * 2 - (int)a.n[18];
#pragma unroll
  for (int i = 0; i < 2; i++) masks[i] = e + i >= 0 && e + i < WINDOW ? ~0u : 0;
}
__device__ __forceinline__ void load_two(const T *from, bool whole, const u32 *masks, u32 &low, u32 &high) {
  u32 two[2];
#if EVEN
  *(u64 *)two = *(const u64 *)from;
#else
  two[0] = __float_as_uint(from[0]), two[1] = __float_as_uint(from[1]);
#endif
  low = whole ? two[0] : two[0] & masks[0], high = whole ? two[1] : two[1] & masks[1];
}

// Two tiles of 16 pixels of a row; from their first elements in shared memory. The depth may come in any order, so
// that a thread's two of a step are neighbours, and the columns as well: column lane / 4 of the j-th operand is
// filter lane / 4 * 4 + j, so that a chunk is a thread's share of a row, and its sums are eight neighbours.
__device__ __forceinline__ void multiply_windows(const Args &a, Sums &sums, const T *const *first, const char *filters,
                                                 const u32 *masks) {
  int lane = threadIdx.x % 32, down = (int)a.n[10] * (int)a.n[16], right = 8 * (int)a.n[9] * CHANNELS;
#pragma unroll 1
  for (int tap = 0; tap < TAPS; tap++)
#pragma unroll
    for (int at = 0; at < GROUPS; at++) {
      u32 x[2][4];
#pragma unroll
      for (int i = 0; i < 2; i++)
#pragma unroll
        for (int k = 0; k < 2; k++)
          load_two(first[i] + k * right + tap * down + at * 8, WHOLE(at), masks + 2 * at, x[i][k], x[i][k + 2]);
      int row = (tap * GROUPS + at) * 8 + lane % 4 * 2;
      Four<u32> low = *(const Four<u32> *)(filters + chunk_of_row<ROW_BYTES>(row, lane / 4));
      Four<u32> high = *(const Four<u32> *)(filters + chunk_of_row<ROW_BYTES>(row + 1, lane / 4));
#pragma unroll
      for (int j = 0; j < 4; j++) {
        u32 column[2] = {low.at[j], high.at[j]};
        multiply<KIND>(sums[0] + 4 * j, x[0], column);
        multiply<KIND>(sums[1] + 4 * j, x[1], column);
      }
    }
}
__device__ __forceinline__ void neighbours_of(const float *sums, float *eight) {
#pragma unroll
  for (int j = 0; j < 4; j++) eight[j] = sums[4 * j], eight[4 + j] = sums[4 * j + 1];
}
#else
__device__ __forceinline__ void round_copies(const Args &, bool, char *) {}
// Of a group the elements that are a window's: two of them are a thread's.
__device__ __forceinline__ void masks_of(const Args &a, int group, u32 *masks) {
  int e = group * 8 + threadIdx.x % 4 * 2 - (int)a.n[18];
  *masks = (e >= 0 && e < WINDOW ? 0xffffu : 0) | (e + 1 >= 0 && e + 1 < WINDOW ? 0xffff0000u : 0);
}

// Two tiles of 16 pixels of a row; from their first elements in shared memory.
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
      load_transposed(four, filters + chunk_of_row<ROW_BYTES>(16 * step + lane % 16, j + lane / 16));
#pragma unroll
      for (int i = 0; i < 2; i++) {
        multiply<KIND>(sums[i] + 4 * j, x[i], four);
        multiply<KIND>(sums[i] + 4 * j + 4, x[i], four + 2);
      }
    }
  }
}
__device__ __forceinline__ void neighbours_of(const float *sums, float *eight) { gather_eight(sums, 1, eight); }
#endif

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
      neighbours_of(sums + 4 * j + 2 * half, eight);
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
  u32 masks[GROUPS * WORDS];
#pragma unroll
  for (int g = 0; g < GROUPS; g++) masks_of(a, g, masks + g * WORDS);
  copy_filters(a, pool, n0); // constants
  follow(a);
  for (s64 index = blockIdx.x; index < a.n[0]; index += gridDim.x) {
    Piece p = piece_at(a, index);
    __syncthreads();
    if (a.n[21] == 0) copy_image(a, p, rows);
    else gather_image(a, p, rows);
    end_batch();
    wait_for_copies<0>();
    round_copies(a, index == blockIdx.x, pool);
    __syncthreads();
    finish_piece(a, p, rows, pool, masks, n0);
  }
}
