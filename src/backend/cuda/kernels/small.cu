// What convolutions of one group of few elements share, channels last: what takes long there is that one load, sum or
// kernel waits for the other. So nothing of them goes through shared memory, and every thread's loads are on their way at
// once. `shares` lanes of a warp share a pixel's depth: each keeps its filters in registers, WIDE columns of them, from
// before what other kernels leave, and the lanes add their sums. p[0] x, p[1] w, constant; n[2]…n[13] as for pooling, of
// which the window is TAPS_Y x TAPS_X.
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

// Where a pixel's chunks lie in x; -1 outside of the image, and all of a pixel that is not `there`.
struct Places {
  const T *image;
  int at[held];
};
__device__ __forceinline__ Places places_at(const Args &a, int share, u32 image, int row, int column, bool there) {
  Places p;
  int x_width = (int)a.n[3], x_height = (int)a.n[2];
  int left = column * (int)a.n[9] - (int)a.n[13], top = row * (int)a.n[8] - (int)a.n[12];
  p.image = (const T *)a.p[0] + (s64)image * x_height * x_width * CHANNELS;
#pragma unroll
  for (int j = 0; j < held; j++) {
    int k = (share + j * shares) * CHUNK, tap = k / CHANNELS;
    int y = top + tap / TAPS_X * (int)a.n[10], x = left + tap % TAPS_X * (int)a.n[11];
    bool inside = there && k < CHUNKS * CHUNK && (u32)y < (u32)x_height && (u32)x < (u32)x_width;
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

__device__ __forceinline__ void sum_pixel(const Filters &by, const Places &places, bool whole, int share, R *sum) {
  Pixels x = load_pixels(places, whole);
#pragma unroll
  for (int c = 0; c < WIDE; c++) sum[c] = 0;
#pragma unroll
  for (int j = 0; j < held; j++)
#pragma unroll
    for (int e = 0; e < CHUNK; e++)
#pragma unroll
      for (int c = 0; c < WIDE; c++) sum[c] += Element<T>::value(x.at[j].at[e]) * by.at[j][e][c];
  add_shares(sum, share);
}
