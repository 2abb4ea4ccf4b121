// Bottleneck (He et al., ResNet): a 1x1 convolution of IN to MID channels, one of 3x3 to MID, a 1x1 convolution to OUT,
// each with the pointwise work that finishes it, in one launch, so that the MID channels never leave shared memory. A
// block makes a tile of the result: MID channels of the pixels that its windows cross, rounded as if stored, then those
// of its own pixels, rounded, then OUT, as many columns at a time as MID. All three are products of rows by slices of the
// filters, SLICE of depth and COLUMNS wide, which come through a ring in shared memory, the image's slices beside them.
// p[0] x, p[1] filters [IN, MID], p[2] filters [3, 3, MID, MID], p[3] filters [MID, OUT], constants.
// n[2]…n[13] as for pooling; n[14] tiles across, n[15] down, n[16] pixels of a tile across, n[17] down.
#define THREADS 256
#define TAPS 3
#define SLICE 64 // of depth
#define COLUMNS ((MID + 15) / 16 * 16)
// Sizes in shared memory are as in rows_bottleneck.c. Rows are an odd number of 16 bytes long: eight of them meet eight
// groups of banks.
#define STAGES 3 // of the ring
#define PIXELS (WIDE * DOWN)
#define HALO ((((WIDE - 1) * STRIDE + TAPS) * ((DOWN - 1) * STRIDE + TAPS) + 15) / 16 * 16)
#define PASS (HALO < 128 ? HALO : 128) // pixels of the image whose sums are held at once
#define X_PITCH (SLICE * 2 + 16)
#define MID_PITCH (COLUMNS * 2 + 16)
#define OWN_PITCH 20 // floats; of 16 x 16 sums that a warp exchanges between its lanes
#define OWN_BYTES (16 * OWN_PITCH * 4)
#define OWN_ALL (THREADS / 32 * OWN_BYTES)
#define MID_BYTES (HALO * MID_PITCH > OWN_ALL ? HALO * MID_PITCH : OWN_ALL)
#define STAGE_BYTES (PASS * X_PITCH + SLICE * MID_PITCH)
#define IN_SLICES ((IN + SLICE - 1) / SLICE)
#define MID_SLICES ((MID + SLICE - 1) / SLICE)
#define CHUNKS ((OUT + COLUMNS - 1) / COLUMNS)
// Warps beside each other, of up to two squares of 16 x 16 each where the columns are no more, and below each other.
#define SQUARES (COLUMNS / 16)
#define WARPS_ACROSS (SQUARES > (PIXELS > 32 ? 4 : 2) ? 4 : SQUARES > 1 ? 2 : 1)
#define WARPS_DOWN (THREADS / 32 / WARPS_ACROSS)
#define SUMS_ACROSS ((SQUARES + WARPS_ACROSS - 1) / WARPS_ACROSS)
#define SUMS_DOWN(rows) (((rows) / 16 + WARPS_DOWN - 1) / WARPS_DOWN)

#ifdef __CUDACC__
extern __shared__ __align__(128) char shared_pool[];
__device__ __forceinline__ char *aligned_pool() { return shared_pool; }
#endif

struct Tile {
  s64 image;
  int x, y, wide, high;           // its first pixel of the result, its size
  int left, top, halo_wide, halo; // where the image's begin, how wide they are, how many
  int passes;                     // over the image's pixels
  char *mid, *done, *ring;        // MID channels before and after the windows
  u8 *inside;                     // by pixel of the image: it is no padding
};
__device__ __forceinline__ Tile tile_of(const Args &a) {
  Tile t;
  u32 block = blockIdx.x, across = (u32)a.n[14], down = (u32)a.n[15];
  t.wide = (int)a.n[16], t.high = (int)a.n[17];
  t.x = (int)(block % across) * t.wide, block /= across;
  t.y = (int)(block % down) * t.high, t.image = block / down;
  t.left = t.x * STRIDE - (int)a.n[13], t.top = t.y * STRIDE - (int)a.n[12];
  t.halo_wide = (t.wide - 1) * STRIDE + TAPS, t.halo = t.halo_wide * ((t.high - 1) * STRIDE + TAPS);
  t.passes = (t.halo + PASS - 1) / PASS;
  t.mid = aligned_pool(), t.done = t.mid + MID_BYTES, t.ring = t.done + PIXELS * MID_PITCH;
  t.inside = (u8 *)(t.ring + STAGES * STAGE_BYTES);
  return t;
}
// Where pixel `pixel` of the tile's halo lies in the image.
struct Spot {
  int y, x;
  bool inside;
};
__device__ __forceinline__ Spot spot_of(const Args &a, const Tile &t, int pixel) {
  int row = pixel / t.halo_wide, y = t.top + row, x = t.left + pixel - row * t.halo_wide;
  return Spot{y, x, pixel < t.halo && (u32)y < (u32)a.n[2] && (u32)x < (u32)a.n[3]};
}
__device__ __forceinline__ void mark_inside(const Args &a, const Tile &t) {
  for (int pixel = threadIdx.x; pixel < HALO; pixel += THREADS) t.inside[pixel] = spot_of(a, t, pixel).inside;
}

// Steps are slices: IN_SLICES of each pass, MID_SLICES of each tap, MID_SLICES of each chunk of the result.
__device__ __forceinline__ int image_steps(const Tile &t) { return t.passes * IN_SLICES; }
#define WINDOW_STEPS (TAPS * TAPS * MID_SLICES)
#define LAST_STEPS (CHUNKS * MID_SLICES)
__device__ __forceinline__ char *stage_of(const Tile &t, int step) { return t.ring + step % STAGES * STAGE_BYTES; }
__device__ __forceinline__ char *filters_of(const Tile &t, int step) { return stage_of(t, step) + PASS * X_PITCH; }

// SLICE rows of a matrix of constants that begins at (row, column); zeros past its end.
__device__ __forceinline__ void bring_slice(char *to, const void *from, int row, int column, int rows, int columns) {
  for (int i = threadIdx.x; i < SLICE * (COLUMNS / 8); i += THREADS) {
    int r = i / (COLUMNS / 8), c = i % (COLUMNS / 8) * 8;
    bool inside = row + r < rows && column + c < columns;
    const T *source = (const T *)from + (inside ? (s64)(row + r) * columns + column + c : 0);
    copy_chunk(to + r * MID_PITCH + c * 2, source, inside ? 16 : 0);
  }
}
__device__ __forceinline__ void bring_filters(const Args &a, const Tile &t, int step) {
  char *to = filters_of(t, step);
  int windows = step - image_steps(t), last = windows - WINDOW_STEPS;
  if (windows < 0) {
    bring_slice(to, a.p[1], step % IN_SLICES * SLICE, 0, IN, MID);
  } else if (last < 0) {
    int tap = windows / MID_SLICES;
    bring_slice(to, a.p[2], tap * MID + windows % MID_SLICES * SLICE, 0, (tap + 1) * MID, MID);
  } else if (last < LAST_STEPS) {
    bring_slice(to, a.p[3], last % MID_SLICES * SLICE, last / MID_SLICES * COLUMNS, MID, OUT);
  }
}
__device__ __forceinline__ void bring_pixels(const Args &a, const Tile &t, int step) {
  bool whole = ((u64)a.p[0] & 15) == 0;
  if (step >= image_steps(t)) return;
  int first = step / IN_SLICES * PASS, channel = step % IN_SLICES * SLICE;
  char *stage = stage_of(t, step);
  for (int i = threadIdx.x; i < PASS * (SLICE / 8); i += THREADS) {
    int pixel = i / (SLICE / 8), c = i % (SLICE / 8) * 8;
    Spot s = spot_of(a, t, first + pixel);
    bool there = s.inside && channel + c < IN;
    const T *from = (const T *)a.p[0] + (there ? ((t.image * a.n[2] + s.y) * a.n[3] + s.x) * IN + channel + c : 0);
    char *to = stage + pixel * X_PITCH + c * 2;
    if (whole) copy_chunk(to, from, there ? 16 : 0);
    else
      for (int e = 0; e < 8; e++) ((T *)to)[e] = there ? from[e] : T{};
  }
}
// Waits for the step's slices, and has those come that take the place of the step before.
__device__ __forceinline__ void begin_step(const Args &a, const Tile &t, int step) {
  wait_for_copies<STAGES - 2>();
  __syncthreads();
  bring_filters(a, t, step + STAGES - 1);
  bring_pixels(a, t, step + STAGES - 1);
  end_batch();
}

__device__ __forceinline__ int sums_row(int i) { return ((int)threadIdx.x / 32 / WARPS_ACROSS + WARPS_DOWN * i) * 16; }
__device__ __forceinline__ int sums_column(int j) { return (threadIdx.x / 32 % WARPS_ACROSS + WARPS_ACROSS * j) * 16; }
// Adds a slice of `depth`: `left` are a lane's rows, of which `rows` are there.
template <int down>
__device__ __forceinline__ void add_slice(float (&sums)[down][SUMS_ACROSS][8], const char *const (&left)[down],
                                          const char *filters, int depth, int rows) {
  int lane = threadIdx.x % 32;
  const char *right = filters + lane % 16 * MID_PITCH + lane / 16 * 16;
#pragma unroll
  for (int k = 0; k < SLICE / 16; k++) {
    u32 by[SUMS_ACROSS][4];
    if (k * 16 >= depth) break;
#pragma unroll
    for (int j = 0; j < SUMS_ACROSS; j++)
      if (sums_column(j) < COLUMNS) load_transposed(by[j], right + k * 16 * MID_PITCH + sums_column(j) * 2);
#pragma unroll
    for (int i = 0; i < down; i++) {
      u32 of[4];
      if (sums_row(i) >= rows) continue;
      load_matrices(of, left[i] + k * 32);
#pragma unroll
      for (int j = 0; j < SUMS_ACROSS; j++) {
        if (sums_column(j) >= COLUMNS) continue;
        multiply<KIND>(sums[i][j], of, by[j]);
        multiply<KIND>(sums[i][j] + 4, of, by[j] + 2);
      }
    }
  }
}

// What finishes a channel, of the first convolution and of the second.
struct First {
  Inner0 own;
  __device__ __forceinline__ void get(const Args &a, int c) { own = load_inner0(a, c); }
  __device__ __forceinline__ float finish(float sum) const { return inner0(own, sum); }
};
struct Second {
  Inner1 own;
  __device__ __forceinline__ void get(const Args &a, int c) { own = load_inner1(a, c); }
  __device__ __forceinline__ float finish(float sum) const { return inner1(own, sum); }
};
// Of a square, two channels and the two eight after them.
template <class F> __device__ __forceinline__ void get_finishes(const Args &a, F (&finishes)[SUMS_ACROSS][4]) {
#pragma unroll
  for (int j = 0; j < SUMS_ACROSS; j++)
    for (int e = 0; e < 4; e++) {
      int c = sums_column(j) + threadIdx.x % 4 * 2 + e / 2 * 8 + e % 2;
      finishes[j][e].get(a, c < MID ? c : 0);
    }
}
// Rounded into rows of COLUMNS channels; 0 in rows that are not `inside`, where that is given, and past MID.
template <int down, class F>
__device__ __forceinline__ void keep_sums(const float (&sums)[down][SUMS_ACROSS][8], const F (&finishes)[SUMS_ACROSS][4],
                                          char *to, int rows, const u8 *inside) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < down; i++)
#pragma unroll
    for (int j = 0; j < SUMS_ACROSS; j++) {
      int c = sums_column(j) + lane % 4 * 2;
      if (sums_row(i) >= rows || sums_column(j) >= COLUMNS) continue;
#pragma unroll
      for (int q = 0; q < 4; q++) { // half the rows, half the columns
        int row = sums_row(i) + lane / 4 + q % 2 * 8, column = c + q / 2 * 8;
        const F *by = finishes[j] + q / 2 * 2;
        u32 pair = pair_of<KIND>(by[0].finish(sums[i][j][2 * q]), by[1].finish(sums[i][j][2 * q + 1]));
        *(u32 *)(to + row * MID_PITCH + column * 2) = column < MID && (!inside || inside[row]) ? pair : 0;
      }
    }
}

__device__ __forceinline__ int depth_of(int slice, int channels) { return channels - slice * SLICE; }
// A lane's part of a row.
__device__ __forceinline__ const char *part_of(const char *rows, int row, int pitch) {
  return rows + row * pitch + threadIdx.x % 32 / 16 * 16;
}
__device__ __forceinline__ void make_mid(const Args &a, const Tile &t, const First (&finishes)[SUMS_ACROSS][4]) {
  const int down = SUMS_DOWN(PASS);
  for (int pass = 0; pass < t.passes; pass++) {
    float sums[down][SUMS_ACROSS][8] = {};
    int rows = (t.halo + 15) / 16 * 16 - pass * PASS;
    if (rows > PASS) rows = PASS;
    for (int slice = 0; slice < IN_SLICES; slice++) {
      int step = pass * IN_SLICES + slice;
      const char *left[down];
      begin_step(a, t, step);
#pragma unroll
      for (int i = 0; i < down; i++) left[i] = part_of(stage_of(t, step), sums_row(i) + threadIdx.x % 16, X_PITCH);
      add_slice(sums, left, filters_of(t, step), depth_of(slice, IN), rows);
    }
    keep_sums(sums, finishes, t.mid + pass * PASS * MID_PITCH, rows, t.inside + pass * PASS);
  }
}
__device__ __forceinline__ void convolve(const Args &a, const Tile &t, const Second (&finishes)[SUMS_ACROSS][4]) {
  const int down = SUMS_DOWN(PIXELS);
  int first[down], count = t.wide * t.high;
  float sums[down][SUMS_ACROSS][8] = {};
#pragma unroll
  for (int i = 0; i < down; i++) {
    int pixel = sums_row(i) + threadIdx.x % 16, row = pixel / t.wide;
    first[i] = pixel < count ? (row * t.halo_wide + pixel - row * t.wide) * STRIDE : 0;
  }
  for (int tap = 0; tap < TAPS * TAPS; tap++)
    for (int slice = 0; slice < MID_SLICES; slice++) {
      int step = image_steps(t) + tap * MID_SLICES + slice, by = tap / TAPS * t.halo_wide + tap % TAPS;
      const char *left[down];
      begin_step(a, t, step);
#pragma unroll
      for (int i = 0; i < down; i++) left[i] = part_of(t.mid, first[i] + by, MID_PITCH) + slice * SLICE * 2;
      add_slice(sums, left, filters_of(t, step), depth_of(slice, MID), count);
    }
  keep_sums(sums, finishes, t.done, count, 0);
}

// Each lane gets eight neighbours of 16 x 16 sums, of pixel lane / 2 of them.
__device__ __forceinline__ void exchange(float *own, const float *sums, float *eight) {
  int lane = threadIdx.x % 32;
  __syncwarp();
  for (int i = 0; i < 4; i++)
    *(float2 *)(own + (lane / 4 + i % 2 * 8) * OWN_PITCH + lane % 4 * 2 + i / 2 * 8) =
        make_float2(sums[2 * i], sums[2 * i + 1]);
  __syncwarp();
  for (int i = 0; i < 2; i++) {
    float4 four = *(const float4 *)(own + lane / 2 * OWN_PITCH + lane % 2 * 8 + 4 * i);
    eight[4 * i] = four.x, eight[4 * i + 1] = four.y, eight[4 * i + 2] = four.z, eight[4 * i + 3] = four.w;
  }
}
// The eight of the result that a lane finishes.
struct Eighth {
  s64 at;
  int column;
  bool inside;
};
__device__ __forceinline__ Eighth place_of(const Args &a, const Tile &t, int chunk, int i, int j) {
  int pixel = sums_row(i) + threadIdx.x % 32 / 2, own = sums_column(j) + threadIdx.x % 2 * 8;
  int row = pixel / t.wide, y = t.y + row, x = t.x + pixel - row * t.wide, column = chunk * COLUMNS + own;
  return Eighth{((t.image * a.n[4] + y) * a.n[5] + x) * OUT + column, column,
               row < t.high && y < a.n[4] && x < a.n[5] && own < COLUMNS && column < OUT};
}
__device__ __forceinline__ void make_chunk(const Args &a, const Tile &t, int chunk) {
  const int down = SUMS_DOWN(PIXELS);
  float sums[down][SUMS_ACROSS][8] = {}, *own = (float *)(t.mid + threadIdx.x / 32 * OWN_BYTES), eight[8];
  Streams streams[down][SUMS_ACROSS];
  bool wide = IS_WIDE(a, OUT);
  int count = t.wide * t.high;
#pragma unroll
  for (int i = 0; i < down; i++)
#pragma unroll
    for (int j = 0; j < SUMS_ACROSS; j++) {
      Eighth p = place_of(a, t, chunk, i, j);
      if (p.inside && wide) streams[i][j] = load_streams(a, p.at, p.column);
    }
  for (int slice = 0; slice < MID_SLICES; slice++) {
    int step = image_steps(t) + WINDOW_STEPS + chunk * MID_SLICES + slice;
    const char *left[down];
    begin_step(a, t, step);
#pragma unroll
    for (int i = 0; i < down; i++)
      left[i] = part_of(t.done, sums_row(i) + threadIdx.x % 16, MID_PITCH) + slice * SLICE * 2;
    add_slice(sums, left, filters_of(t, step), depth_of(slice, MID), count);
  }
#pragma unroll
  for (int i = 0; i < down; i++)
#pragma unroll
    for (int j = 0; j < SUMS_ACROSS; j++) {
      if (sums_row(i) >= count || sums_column(j) >= COLUMNS) continue; // a whole warp
      Eighth p = place_of(a, t, chunk, i, j);
      exchange(own, sums[i][j], eight); // where `mid` was, which windows are read no more
      if (!p.inside) continue;
      if (wide) finish_eight(a, p.at, p.column, eight, streams[i][j]);
      else
        for (int e = 0; e < 8; e++) finish(a, p.at + e, p.column + e, eight[e]);
    }
}

// More do not fit the shared memory of a multiprocessor than the blocks that registers are left for.
#define BLOCKS (PIXELS > 64 || MID > 64 ? 1 : 2)
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) kernel(const __grid_constant__ Args a) {
  Tile t = tile_of(a);
  First first[SUMS_ACROSS][4];
  Second second[SUMS_ACROSS][4];
  for (int step = 0; step < STAGES - 1; step++) bring_filters(a, t, step);
  mark_inside(a, t);
  get_finishes(a, first);
  follow(a);
  for (int step = 0; step < STAGES - 1; step++) bring_pixels(a, t, step), end_batch();
  make_mid(a, t, first);
  get_finishes(a, second);
  convolve(a, t, second);
  for (int chunk = 0; chunk < CHUNKS; chunk++) make_chunk(a, t, chunk);
  wait_for_copies<0>();
}
