// Convolution of one group whose result is small, channels last: what takes long there is that one load, sum or kernel
// waits for the other. So nothing goes through shared memory, and every thread's loads are on their way at once.
// `shares` lanes of a warp share a pixel's depth: each keeps its filters in registers, WIDE columns of them, from
// before what other kernels leave, and the lanes add their sums. p[0] x, p[1] w, constant.
// n[0] pixels of the result; n[2]…n[13] as for pooling, of which the window is TAPS_Y x TAPS_X; n[14] pixels of a
// block at a time; n[15] times WIDE columns of a block.
// A thread's elements of the depth come in chunks of CHUNK channels, which are neighbours; WORDS registers hold an R.
#define CHUNKS (TAPS_Y * TAPS_X * CHANNELS / CHUNK)
#define HELD_BY(shares) ((CHUNKS + (shares) - 1) / (shares))
#define FITS(shares) (HELD_BY(shares) * CHUNK * WIDE * WORDS <= MOST_WORDS)
const int shares = FITS(1) ? 1 : FITS(2) ? 2 : FITS(4) ? 4 : FITS(8) ? 8 : FITS(16) ? 16 : 32;
const int held = HELD_BY(shares);                    // chunks of a thread
const int owned = shares < WIDE ? WIDE / shares : 1; // columns that a thread finishes
const int alike = shares > WIDE ? shares / WIDE : 1; // lanes that end with the same sum

struct __align__(CHUNK * sizeof(T)) Chunk {
  T at[CHUNK];
};
struct __align__(WIDE * sizeof(T)) Columns {
  T at[WIDE];
};

struct Filters {
  R at[held][CHUNK][WIDE];
};
__device__ __forceinline__ Filters filters_of(const Args &a, int share, int column) {
  Filters f;
#pragma unroll
  for (int j = 0; j < held; j++)
#pragma unroll
    for (int e = 0; e < CHUNK; e++) {
      int k = (share + j * shares) * CHUNK + e, at = k * FILTERS + column;
      bool there = share + j * shares < CHUNKS && column < FILTERS;
      Columns columns = {};
      if (FILTERS % WIDE == 0 && there) columns = *(const Columns *)((const T *)a.p[1] + at);
#pragma unroll
      for (int c = 0; c < WIDE; c++) {
        if (FILTERS % WIDE && there && column + c < FILTERS) columns.at[c] = ((const T *)a.p[1])[at + c];
        f.at[j][e][c] = Element<T>::value(columns.at[c]);
      }
    }
  return f;
}

// Where a pixel's chunks lie in x; -1 outside of the image.
struct Places {
  const T *image;
  int at[held];
};
__device__ __forceinline__ Places places_of(const Args &a, int share, u32 pixel) {
  Places p;
  u32 width = (u32)a.n[5], height = (u32)a.n[4];
  int x_width = (int)a.n[3], x_height = (int)a.n[2];
  int left = (int)(pixel % width) * (int)a.n[9] - (int)a.n[13];
  int top = (int)(pixel / width % height) * (int)a.n[8] - (int)a.n[12];
  p.image = (const T *)a.p[0] + (s64)(pixel / width / height) * x_height * x_width * CHANNELS;
#pragma unroll
  for (int j = 0; j < held; j++) {
    int k = (share + j * shares) * CHUNK, tap = k / CHANNELS;
    int y = top + tap / TAPS_X * (int)a.n[10], x = left + tap % TAPS_X * (int)a.n[11];
    bool inside = k < CHUNKS * CHUNK && pixel < a.n[0] && (u32)y < (u32)x_height && (u32)x < (u32)x_width;
    p.at[j] = inside ? (y * x_width + x) * CHANNELS + k % CHANNELS : -1;
  }
  return p;
}

struct Pixels {
  Chunk at[held];
};
__device__ __forceinline__ Pixels load_pixels(const Places &p, bool whole) {
  Pixels x;
#pragma unroll
  for (int j = 0; j < held; j++) {
    x.at[j] = Chunk{};
    if (p.at[j] < 0) continue;
    if (whole) x.at[j] = *(const Chunk *)(p.image + p.at[j]);
    else
      for (int e = 0; e < CHUNK; e++) x.at[j].at[e] = p.image[p.at[j] + e];
  }
  return x;
}

// The lanes' sums, always in the same order: while a lane has several columns it keeps half of them and gives the
// others away.
__device__ __forceinline__ void add_shares(R *sum, int share) {
  int count = WIDE;
#pragma unroll
  for (int bit = shares / 2; bit > 0; bit /= 2) {
    if (count == 1) {
      sum[0] += lane_across(sum[0], bit);
      continue;
    }
    bool upper = (share & bit) != 0;
    count /= 2;
#pragma unroll
    for (int c = 0; c < WIDE / 2; c++) {
      if (c >= count) continue;
      R given = upper ? sum[c] : sum[c + count], kept = upper ? sum[c + count] : sum[c];
      sum[c] = kept + lane_across(given, bit);
    }
  }
}
// The first of the columns that it has then.
__device__ __forceinline__ int first_owned(int share) {
  int first = 0;
#pragma unroll
  for (int bit = shares / 2, count = WIDE / 2; bit > 0 && count > 0; bit /= 2, count /= 2)
    if (share & bit) first += count;
  return first;
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  int share = threadIdx.x % shares, line = threadIdx.x / shares, across = (int)a.n[15], slot = line / across;
  int column = ((int)blockIdx.y * across + line % across) * WIDE, own = column + first_owned(share);
  bool whole = (u64)a.p[0] % sizeof(Chunk) == 0;
  Filters by = filters_of(a, share, column);
  Fixed fixed[owned];
#pragma unroll
  for (int c = 0; c < owned; c++) fixed[c] = load_fixed(a, own + c < FILTERS ? own + c : 0);
  // Threads beyond the block's or the last pixels have none: they only take part in the sums.
  u32 none = (u32)a.n[0], step = gridDim.x * (u32)a.n[14], first = blockIdx.x * (u32)a.n[14];
  u32 pixel = slot < a.n[14] ? first + slot : none;
  Places places = places_of(a, share, pixel);
  follow(a);
  while (first < none) {
    Pixels x = load_pixels(places, whole);
    R sum[WIDE] = {};
#pragma unroll
    for (int j = 0; j < held; j++)
#pragma unroll
      for (int e = 0; e < CHUNK; e++)
#pragma unroll
        for (int c = 0; c < WIDE; c++) sum[c] += Element<T>::value(x.at[j].at[e]) * by.at[j][e][c];
    add_shares(sum, share);
#pragma unroll
    for (int c = 0; c < owned; c++)
      if (pixel < none && share % alike == 0 && own + c < FILTERS)
        finish_fixed(a, (s64)pixel * FILTERS + own + c, own + c, sum[c], fixed[c]);
    first += step;
    if (first >= none) return;
    pixel = slot < a.n[14] ? pixel + step : none;
    places = places_of(a, share, pixel);
  }
}
