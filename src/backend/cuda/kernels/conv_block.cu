// Inverted residual (Sandler et al., MobileNetV2): a 1x1 convolution of IN to MID channels, one of every channel by
// itself in windows of TAPS x TAPS, a 1x1 convolution to OUT, each with the pointwise work that finishes it, in one
// launch, so that the MID channels never leave shared memory. A block makes a tile of the result. It keeps what the tile
// needs of the image, makes CHUNK of the MID channels of it at a time, rounds them as if stored, runs windows over them,
// rounds again and adds their products to the sums of the result, which stay in registers. Filters of the next chunk
// come meanwhile. Products are taken by warps of 16 columns beside each other, two below.
// p[0] x, p[1] filters [IN, MID], p[2] windows [TAPS, TAPS, MID], p[3] filters [MID, OUT], constants.
// n[2]…n[13] as for pooling; n[14] tiles across, n[15] down, n[16] pixels of a tile across, n[17] down.
// CLUSTER: blocks that share a tile, where it is not 1, each of which takes every CLUSTER-th chunk. They store their sums
// in each other's shared memory, each the share of the result that the other finishes.
#ifndef CLUSTER
#define CLUSTER 1
#endif
#define WARPS (CHUNK / 8)
#define WARPS_ACROSS (CHUNK / 16)
#define THREADS (32 * WARPS)
#define DEPTH ((IN + 15) / 16 * 16)
#define COLUMNS ((OUT + 15) / 16 * 16)
#define CHUNKS ((MID + CHUNK - 1) / CHUNK)
// Sizes in shared memory are as in rows_block.c. Rows are an odd number of 16 bytes long: eight of them meet eight
// groups of banks.
#define BESIDE 8 // strips of ACROSS pixels of a tile
#define PIXELS (BESIDE * ACROSS * DOWN)
#define HALO_DOWN ((DOWN - 1) * STRIDE + TAPS)
#define HALO ((((BESIDE * ACROSS - 1) * STRIDE + TAPS) * HALO_DOWN + 15) / 16 * 16)
#define X_PITCH (DEPTH * 2 + 16)
#define MID_PITCH (CHUNK * 2 + 16)
#define OUT_PITCH (COLUMNS * 2 + 16)
#define OWN_PITCH 20 // floats; of 16 x 16 sums that a warp exchanges between its lanes
#define OWN_BYTES (16 * OWN_PITCH * 4)
#define MID_BYTES (HALO * MID_PITCH > WARPS * OWN_BYTES ? HALO * MID_PITCH : WARPS * OWN_BYTES)
#define WINDOWS_AT (DEPTH * MID_PITCH + CHUNK * OUT_PITCH)
#define FILTER_BYTES (WINDOWS_AT + TAPS * TAPS * MID_PITCH)
#define BUFFERS (CHUNKS > CLUSTER ? 2 : 1)
#define EIGHTS (COLUMNS / 8)                               // of a pixel
#define SHARE ((PIXELS * EIGHTS + CLUSTER - 1) / CLUSTER) // of a tile's eights, at most
#define SUM_PITCH (COLUMNS + 4)                            // floats, of a pixel's sums for other blocks
#define SUM_BYTES (CLUSTER > 1 ? PIXELS * SUM_PITCH * 4 : 0) // where the image and all else was
#define OWN_POOL (HALO * X_PITCH + MID_BYTES + PIXELS * MID_PITCH + BUFFERS * FILTER_BYTES + HALO)
#define COME_AT (OWN_POOL > SUM_BYTES ? OWN_POOL : SUM_BYTES)

#if defined __CUDACC__ && CLUSTER == 1
#define __cluster_dims__(...)
extern __shared__ __align__(128) char shared_pool[];
__device__ __forceinline__ char *aligned_pool() { return shared_pool; }
#endif

struct Tile {
  s64 image;
  int x, y, wide, high;               // its first pixel of the result, its size
  int left, top, halo_wide, halo_high; // the same of the image
  char *pixels, *mid, *done, *filters; // the image; a chunk before and after the windows; one or two chunks' filters
  u8 *inside;                          // by pixel of the image: it is no padding
  int part;                            // of the cluster
};
__device__ __forceinline__ Tile tile_of(const Args &a) {
  Tile t;
  u32 block = blockIdx.x / CLUSTER, across = (u32)a.n[14], down = (u32)a.n[15];
  t.part = (int)(blockIdx.x % CLUSTER);
  t.wide = (int)a.n[16], t.high = (int)a.n[17];
  t.x = (int)(block % across) * t.wide, block /= across;
  t.y = (int)(block % down) * t.high, t.image = block / down;
  t.left = t.x * STRIDE - (int)a.n[13], t.top = t.y * STRIDE - (int)a.n[12];
  t.halo_wide = (t.wide - 1) * STRIDE + TAPS, t.halo_high = (t.high - 1) * STRIDE + TAPS;
  t.pixels = aligned_pool(), t.mid = t.pixels + HALO * X_PITCH, t.done = t.mid + MID_BYTES;
  t.filters = t.done + PIXELS * MID_PITCH, t.inside = (u8 *)(t.filters + BUFFERS * FILTER_BYTES);
  return t;
}

// Rows of `eights` chunks of 16 bytes, of a matrix of constants that begins at (row, column); zeros past its end.
__device__ __forceinline__ void bring_rows(char *to, int pitch, const void *from, int rows, int eights, int row,
                                           int column, int all_rows, int all_columns) {
  for (int i = threadIdx.x; i < rows * eights; i += THREADS) {
    int r = i / eights, c = i % eights * 8;
    bool inside = row + r < all_rows && column + c < all_columns;
    const T *source = (const T *)from + (inside ? (s64)(row + r) * all_columns + column + c : 0);
    copy_chunk(to + r * pitch + c * 2, source, inside ? 16 : 0);
  }
}
__device__ __forceinline__ char *filters_of(const Tile &t, int chunk) { return t.filters + chunk / CLUSTER % BUFFERS * FILTER_BYTES; }
__device__ __forceinline__ void bring_filters(const Args &a, const Tile &t, int chunk) {
  char *to = filters_of(t, chunk);
  bring_rows(to, MID_PITCH, a.p[1], DEPTH, CHUNK / 8, 0, chunk * CHUNK, IN, MID);
  bring_rows(to + DEPTH * MID_PITCH, OUT_PITCH, a.p[3], CHUNK, COLUMNS / 8, chunk * CHUNK, 0, MID, OUT);
  bring_rows(to + WINDOWS_AT, MID_PITCH, a.p[2], TAPS * TAPS, CHUNK / 8, 0, chunk * CHUNK, TAPS * TAPS, MID);
}
// Of a thread, what finishes its channels of a chunk: before the windows two and the two eight after them, then two.
struct Finishes {
  Inner0 before[4];
  Inner1 after[2];
};
__device__ __forceinline__ int widened_channel(int chunk) {
  return chunk * CHUNK + threadIdx.x / 32 % WARPS_ACROSS * 16 + threadIdx.x % 4 * 2;
}
__device__ __forceinline__ int window_channel(int chunk) { return chunk * CHUNK + threadIdx.x % (CHUNK / 2) * 2; }
__device__ __forceinline__ void load_finishes(const Args &a, int chunk, Finishes &f) {
  int before = widened_channel(chunk), after = window_channel(chunk);
#pragma unroll
  for (int i = 0; i < 4; i++) {
    int c = before + i / 2 * 8 + i % 2;
    f.before[i] = load_inner0(a, c < MID ? c : 0);
  }
#pragma unroll
  for (int i = 0; i < 2; i++) f.after[i] = load_inner1(a, after < MID ? after + i : 0);
}
__device__ __forceinline__ void bring_pixels(const Args &a, const Tile &t) {
  const int eights = DEPTH / 8;
  bool whole = ((u64)a.p[0] & 15) == 0;
  int count = t.halo_wide * t.halo_high, rows = (count + 15) / 16 * 16;
  for (int i = threadIdx.x; i < rows * eights; i += THREADS) {
    int pixel = i / eights, c = i % eights * 8, row = pixel / t.halo_wide;
    int y = t.top + row, x = t.left + pixel - row * t.halo_wide;
    bool inside = pixel < count && (u32)y < (u32)a.n[2] && (u32)x < (u32)a.n[3], there = inside && c < IN;
    const T *from = (const T *)a.p[0] + (there ? ((t.image * a.n[2] + y) * a.n[3] + x) * IN + c : 0);
    char *to = t.pixels + pixel * X_PITCH + c * 2;
    if (whole) copy_chunk(to, from, there ? 16 : 0);
    else
      for (int e = 0; e < 8; e++) ((T *)to)[e] = there ? from[e] : T{};
    if (c == 0) t.inside[pixel] = inside;
  }
}

// The chunk's channels of all pixels, 16 pixels and 16 channels a warp at a time; 0 in the padding, and past MID.
__device__ __forceinline__ void widen(const Tile &t, int chunk, const Inner0 *s) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, n = warp % WARPS_ACROSS * 16, c = widened_channel(chunk);
  const char *right_row = filters_of(t, chunk) + lane % 16 * MID_PITCH + n * 2 + lane / 16 * 16;
  const char *left_row = t.pixels + lane % 16 * X_PITCH + lane / 16 * 16;
  bool first = c < MID, second = c + 8 < MID;
  for (int m = warp / WARPS_ACROSS * 16; m < t.halo_wide * t.halo_high; m += 32) {
    float sums[8] = {};
#pragma unroll
    for (int k = 0; k < DEPTH / 16; k++) {
      u32 left[4], right[4];
      load_matrices(left, left_row + m * X_PITCH + k * 32);
      load_transposed(right, right_row + k * 16 * MID_PITCH);
      multiply<KIND>(sums, left, right);
      multiply<KIND>(sums + 4, left, right + 2);
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
      int pixel = m + lane / 4 + half * 8;
      bool inside = t.inside[pixel];
      u32 low = pair_of<KIND>(inner0(s[0], sums[2 * half]), inner0(s[1], sums[2 * half + 1]));
      u32 high = pair_of<KIND>(inner0(s[2], sums[4 + 2 * half]), inner0(s[3], sums[5 + 2 * half]));
      char *to = t.mid + pixel * MID_PITCH + (n + lane % 4 * 2) * 2;
      *(u32 *)to = inside && first ? low : 0;
      *(u32 *)(to + 16) = inside && second ? high : 0;
    }
  }
}

// A thread takes two channels of a strip: ACROSS columns of the tile, all rows. A row of the image adds to every row of
// the result whose windows it crosses.
#define STRIP ((ACROSS - 1) * STRIDE + TAPS)
__device__ __forceinline__ void convolve(const Tile &t, int chunk, const Inner1 *s) {
  int word = threadIdx.x % (CHUNK / 2), x = threadIdx.x / (CHUNK / 2) * ACROSS;
  bool there = window_channel(chunk) < MID;
  if (x >= t.wide) return;
  float by[TAPS * TAPS][2], sums[DOWN][ACROSS][2] = {};
  const char *windows = filters_of(t, chunk) + WINDOWS_AT + word * 4;
#pragma unroll
  for (int tap = 0; tap < TAPS * TAPS; tap++)
    pair_values<T>(*(const u32 *)(windows + tap * MID_PITCH), by[tap]);
  const char *from = t.mid + x * STRIDE * MID_PITCH + word * 4;
#pragma unroll
  for (int r = 0; r < HALO_DOWN; r++) {
    float row[STRIP][2];
    if (r >= t.halo_high) break;
#pragma unroll
    for (int i = 0; i < STRIP; i++) pair_values<T>(*(const u32 *)(from + i * MID_PITCH), row[i]);
    from += t.halo_wide * MID_PITCH;
#pragma unroll
    for (int y = 0; y < DOWN; y++) {
      if (r < y * STRIDE || r >= y * STRIDE + TAPS) continue;
#pragma unroll
      for (int i = 0; i < TAPS; i++)
#pragma unroll
        for (int u = 0; u < ACROSS; u++)
#pragma unroll
          for (int e = 0; e < 2; e++) sums[y][u][e] += row[u * STRIDE + i][e] * by[(r - y * STRIDE) * TAPS + i][e];
      if (r != y * STRIDE + TAPS - 1) continue;
#pragma unroll
      for (int u = 0; u < ACROSS; u++) {
        u32 pair = pair_of<KIND>(inner1(s[0], sums[y][u][0]), inner1(s[1], sums[y][u][1]));
        *(u32 *)(t.done + (y * t.wide + x + u) * MID_PITCH + word * 4) = there ? pair : 0;
      }
    }
  }
}

// A warp's sums of the result: 16 x 16 of them each.
#define SUMS_DOWN ((PIXELS + 31) / 32)
#define SUMS_ACROSS ((COLUMNS / 16 + WARPS_ACROSS - 1) / WARPS_ACROSS)
typedef float Sums[SUMS_DOWN][SUMS_ACROSS][8];
__device__ __forceinline__ int sums_row(int i) { return ((int)threadIdx.x / 32 / WARPS_ACROSS + 2 * i) * 16; }
__device__ __forceinline__ int sums_column(int j) { return (threadIdx.x / 32 % WARPS_ACROSS + WARPS_ACROSS * j) * 16; }

__device__ __forceinline__ void narrow(const Tile &t, int chunk, Sums &sums) {
  int lane = threadIdx.x % 32;
  const char *right_row = filters_of(t, chunk) + DEPTH * MID_PITCH + lane % 16 * OUT_PITCH + lane / 16 * 16;
  const char *left_row = t.done + lane % 16 * MID_PITCH + lane / 16 * 16;
#pragma unroll
  for (int i = 0; i < SUMS_DOWN; i++) {
    if (sums_row(i) >= t.wide * t.high) continue;
#pragma unroll
    for (int k = 0; k < CHUNK / 16; k++) {
      u32 left[4], right[4];
      load_matrices(left, left_row + sums_row(i) * MID_PITCH + k * 32);
#pragma unroll
      for (int j = 0; j < SUMS_ACROSS; j++) {
        if (sums_column(j) >= COLUMNS) continue;
        load_transposed(right, right_row + k * 16 * OUT_PITCH + sums_column(j) * 2);
        multiply<KIND>(sums[i][j], left, right);
        multiply<KIND>(sums[i][j] + 4, left, right + 2);
      }
    }
  }
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
__device__ __forceinline__ void finish_tile(const Args &a, const Tile &t, const Sums &sums) {
  float *own = (float *)(t.mid + threadIdx.x / 32 * OWN_BYTES), eight[8];
  bool wide = IS_WIDE(a, OUT);
#pragma unroll
  for (int i = 0; i < SUMS_DOWN; i++)
#pragma unroll
    for (int j = 0; j < SUMS_ACROSS; j++) {
      int pixel = sums_row(i) + threadIdx.x % 32 / 2, column = sums_column(j) + threadIdx.x % 2 * 8;
      if (sums_row(i) >= t.wide * t.high || sums_column(j) >= COLUMNS) continue; // a whole warp
      exchange(own, sums[i][j], eight);
      int row = pixel / t.wide, y = t.y + row, x = t.x + pixel - row * t.wide;
      if (row >= t.high || y >= a.n[4] || x >= a.n[5] || column >= OUT) continue;
      s64 at = ((t.image * a.n[4] + y) * a.n[5] + x) * OUT + column;
      if (wide) finish_eight(a, at, column, eight);
      else
        for (int e = 0; e < 8; e++) finish(a, at + e, column + e, eight[e]);
    }
}

#if CLUSTER > 1
#define BoxArgs Args // no boxes are read
// Eights of the tile that block `part` finishes.
struct Share {
  int first, count;
};
__device__ __forceinline__ Share share_of(const Tile &t, int part) {
  int all = t.wide * t.high * EIGHTS, each = (all + CLUSTER - 1) / CLUSTER, left = all - part * each;
  return Share{part * each, left < 0 ? 0 : left < each ? left : each};
}
// Before others store here, whose bytes count at `all`.
__device__ __forceinline__ void expect_sums(const Tile &t, u64 *all) {
  if (threadIdx.x == 0) {
    begin_barrier(all, 1), arrive_for(all, (CLUSTER - 1) * share_of(t, t.part).count * 32);
    show_barriers(), show_shared();
  }
}
__device__ __forceinline__ const float *eight_at(const float *room, int q) { return room + q / EIGHTS * SUM_PITCH + q % EIGHTS * 8; }
__device__ __forceinline__ void show_sums(const Tile &t, const Sums &sums, float *room) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < SUMS_DOWN; i++)
#pragma unroll
    for (int j = 0; j < SUMS_ACROSS; j++) {
      if (sums_row(i) >= t.wide * t.high || sums_column(j) >= COLUMNS) continue;
      float *to = room + (sums_row(i) + lane / 4) * SUM_PITCH + sums_column(j) + lane % 4 * 2;
#pragma unroll
      for (int k = 0; k < 4; k++)
        *(float2 *)(to + k % 2 * 8 * SUM_PITCH + k / 2 * 8) = make_float2(sums[i][j][2 * k], sums[i][j][2 * k + 1]);
    }
}
// Where sums come from the `from`-th block after this one, or for it from here: a half of each eight, then the other.
__device__ __forceinline__ float4 *place_of_share(char *come, int from) { return (float4 *)come + (from - 1) * 2 * SHARE; }
__device__ __forceinline__ void give_sums(const Tile &t, const float *room, char *come, u64 *all) {
  int each = share_of(t, 0).count;
  for (int i = threadIdx.x; i < (CLUSTER - 1) * each; i += THREADS) {
    int d = 1 + i / each, q = i - (d - 1) * each, part = (t.part + d) % CLUSTER;
    Share s = share_of(t, part);
    if (q >= s.count) continue;
    const float *from = eight_at(room, s.first + q);
    float4 *to = place_of_share(come, CLUSTER - d) + q;
    store_there(to, all, part, *(const float4 *)from);
    store_there(to + SHARE, all, part, *(const float4 *)(from + 4));
  }
}
__device__ __forceinline__ void add_four(float *to, float4 v) { to[0] += v.x, to[1] += v.y, to[2] += v.z, to[3] += v.w; }
// An eight that the block finishes, the `i`-th of its share.
struct Spot {
  s64 at;
  int place, column; // of the tile's eights; in the result
  bool inside;
};
__device__ __forceinline__ Spot spot_of(const Args &a, const Tile &t, int i) {
  Share s = share_of(t, t.part);
  int q = s.first + i, pixel = q / EIGHTS, column = q % EIGHTS * 8, row = pixel / t.wide;
  int y = t.y + row, x = t.x + pixel - row * t.wide;
  s64 at = ((t.image * a.n[4] + y) * a.n[5] + x) * OUT + column;
  return Spot{at, q, column, i < s.count && y < a.n[4] && x < a.n[5] && column < OUT};
}
__device__ __forceinline__ void finish_share(const Args &a, int i, const Spot &p, const float *room, char *come,
                                             const Streams &streams) {
  float eight[8] = {};
  for (int d = 0; d < CLUSTER; d++) {
    const float4 *four = d ? place_of_share(come, d) + i : (const float4 *)eight_at(room, p.place);
    add_four(eight, *four), add_four(eight + 4, four[d ? SHARE : 1]);
  }
  if (IS_WIDE(a, OUT)) finish_eight(a, p.at, p.column, eight, streams);
  else
    for (int e = 0; e < 8; e++) finish(a, p.at + e, p.column + e, eight[e]);
}
#define TURNS ((SHARE + THREADS - 1) / THREADS)
__device__ __forceinline__ void finish_together(const Args &a, const Tile &t, const Sums &sums, char *come, u64 *all) {
  float *room = (float *)t.pixels;
  Streams streams[TURNS];
  __syncthreads(); // nobody reads what lay there
#pragma unroll
  for (int turn = 0; turn < TURNS; turn++) {
    Spot p = spot_of(a, t, threadIdx.x + turn * THREADS);
    if (p.inside && IS_WIDE(a, OUT)) streams[turn] = load_streams(a, p.at, p.column);
  }
  show_sums(t, sums, room);
  __syncthreads();
  wait_for_cluster();
  give_sums(t, room, come, all);
  wait_for_stores(all, 0);
#pragma unroll
  for (int turn = 0; turn < TURNS; turn++) {
    int i = threadIdx.x + turn * THREADS;
    Spot p = spot_of(a, t, i);
    if (p.inside) finish_share(a, i, p, room, come, streams[turn]);
  }
}
#endif

// Warps of a multiprocessor that registers are left for: 80 of a thread's hold small strips and few sums.
#define WARPS_HELD (ACROSS == 1 && TAPS == 3 && SUMS_DOWN * SUMS_ACROSS <= 4 ? 24 : 2 * WARPS)
extern "C" __global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(THREADS, CLUSTER > 1 ? 1 : WARPS_HELD / WARPS)
    kernel(const __grid_constant__ Args a) {
  Tile t = tile_of(a);
  Sums sums = {};
  Finishes finishes;
#if CLUSTER > 1
  char *come = t.pixels + COME_AT;
  u64 *all = (u64 *)(come + (CLUSTER - 1) * SHARE * 32);
  expect_sums(t, all);
  __syncthreads();
  enter_cluster();
#endif
  bring_filters(a, t, t.part);
  load_finishes(a, t.part, finishes);
  follow(a);
  bring_pixels(a, t);
  end_batch();
  for (int chunk = t.part; chunk < CHUNKS; chunk += CLUSTER) {
    wait_for_copies<0>();
    __syncthreads(); // the chunk's filters are there, and nobody reads those of the one before
    if (chunk + CLUSTER < CHUNKS) bring_filters(a, t, chunk + CLUSTER);
    end_batch();
    widen(t, chunk, finishes.before);
    __syncthreads();
    convolve(t, chunk, finishes.after);
    load_finishes(a, chunk + CLUSTER, finishes);
    __syncthreads();
    narrow(t, chunk, sums);
  }
#if CLUSTER > 1
  wait_for_copies<0>(); // of a block without a chunk
  finish_together(a, t, sums, come, all);
#else
  finish_tile(a, t, sums); // where `mid` was, which windows are read no more
#endif
}
