// Bottlenecks as conv_bottleneck.cu's, of step 1 and up to 64 middle channels, on GPUs of compute capability 9.0: a block
// keeps all three filters in shared memory and goes from tile to tile of 8 x 8 pixels. Two groups of four warps have a
// tile each, and for each of them one more thread keeps a ring filled with what the windows cross, 64 channels a stage.
// Middle channels lie in shared memory eight by eight, [eighth][pixel]: the eight pixels of a row of the tile are then a
// matrix of the left operand at any tap, and no copy is made of a window. What the windows become stays in registers, the
// left operand of the last product. Arguments as conv_bottleneck.cu's but
//   n[14] tiles across;  n[15] down;  n[16] of all images; and boxes of the image and of the filters.
#define GROUPS 2
#define THREADS (128 * GROUPS) // that sum; a third group brings the image, and gives its registers to them
#define TAPS 3
#define TILE 8
#define WIDE (TILE + TAPS - 1)
#define HALO (WIDE * WIDE)
// Sizes in shared memory are as in rows_bottleneck.c.
#define STAGES 2 // of a group's ring
#define STAGE_BYTES ((HALO * 128 + 1023) / 1024 * 1024) // products read some rows past the halo, whose sums nobody takes
#define FILTER_BYTES (64 * 128)                         // of 64 of depth by 64 columns
#define IN_SLICES ((IN + 63) / 64)
#define OUT_SLICES ((OUT + 63) / 64)
#define FILTERS (IN_SLICES + TAPS * TAPS + OUT_SLICES)
#define MID_BYTES (8 * HALO * 16) // of a group
#define MID_STEPS ((MID + 15) / 16)

struct Tile {
  s64 image;
  int x, y; // its first pixel of the result
};
__device__ __forceinline__ Tile tile_of(const Args &a, u32 index) {
  u32 across = (u32)a.n[14], down = (u32)a.n[15], row = index / across;
  return Tile{row / down, (int)(index % across) * TILE, (int)(row % down) * TILE};
}
// A group's ring, and its barriers: slots are filled in turn.
struct Ring {
  char *stages;
  u64 *full, *empty;
  int slot;
  u32 parity; // of the turn in which the slot is filled
  __device__ __forceinline__ char *stage() const { return stages + slot * STAGE_BYTES; }
  __device__ __forceinline__ void next() {
    if (++slot == STAGES) slot = 0, parity ^= 1;
  }
};

// The filters of all three, as slices of 64 of depth by 64 columns, and a barrier of each.
struct Filters {
  char *image, *windows, *result;
  u64 *there;
};
__device__ __forceinline__ void bring_filters(const BoxArgs &b, const Filters &f) {
  arrive_for(&f.there[0], IN_SLICES * FILTER_BYTES);
  for (int i = 0; i < IN_SLICES; i++) copy_box(f.image + i * FILTER_BYTES, b.right, &f.there[0], 0, 64 * i, 0);
  arrive_for(&f.there[1], TAPS * TAPS * FILTER_BYTES);
  for (int i = 0; i < TAPS * TAPS; i++) copy_box(f.windows + i * FILTER_BYTES, b.third, &f.there[1], 0, 0, i);
  arrive_for(&f.there[2], OUT_SLICES * FILTER_BYTES);
  for (int i = 0; i < OUT_SLICES; i++) copy_box(f.result + i * FILTER_BYTES, b.fourth, &f.there[2], 64 * i, 0, 0);
}

__device__ __forceinline__ void bring_tile(const BoxArgs &b, Ring &ring, const Tile &t, int x, int y) {
  for (int slice = 0; slice < IN_SLICES; slice++, ring.next()) {
    u64 *full = &ring.full[ring.slot];
    wait_for_turn(&ring.empty[ring.slot], ring.parity ^ 1);
    arrive_for(full, HALO * 128);
    copy_box(ring.stage(), b.left, full, slice * 64, x, y, (int)t.image);
  }
}
// The filters, and each tile, whose boxes come into the second cache while the one before is brought.
__device__ __forceinline__ void bring_images(const BoxArgs &b, const Filters &f, Ring ring, u32 group) {
  const Args &a = b.a;
  u32 step = GROUPS * gridDim.x;
  if (group == 0) bring_filters(b, f);
  expect_map(b.left);
  follow(a);
  for (u32 index = blockIdx.x + group * gridDim.x; index < (u32)a.n[16]; index += step) {
    Tile t = tile_of(a, index), next = tile_of(a, index + step);
    int left = (int)a.n[13], top = (int)a.n[12];
    for (int slice = 0; slice < IN_SLICES && index + step < (u32)a.n[16]; slice++)
      expect_box(b.left, slice * 64, next.x - left, next.y - top, (int)next.image);
    bring_tile(b, ring, t, t.x - left, t.y - top);
  }
}

// A thread's rows of 64, the second eight after the first, and of eight columns its two.
__device__ __forceinline__ int own_row() { return threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4; }
__device__ __forceinline__ int own_column() { return threadIdx.x % 4 * 2; }

// What finishes a thread's channels, of the first convolution and of the second.
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
template <class F> __device__ __forceinline__ void get_finishes(const Args &a, F *finishes) {
#pragma unroll
  for (int i = 0; i < 16; i++) {
    int c = i / 2 * 8 + own_column() + i % 2;
    finishes[i].get(a, c < MID ? c : 0);
  }
}
// Of channels past MID there are none.
template <class F> __device__ __forceinline__ u32 finished_pair(const F *finishes, const float *sums, int eighth) {
  u32 pair = pair_of<KIND>(finishes[2 * eighth].finish(sums[0]), finishes[2 * eighth + 1].finish(sums[1]));
  return eighth * 8 + own_column() < MID ? pair : 0;
}

__device__ __forceinline__ void sum_image(float *sums, Ring &ring, const Filters &f) {
  for (int slice = 0; slice < IN_SLICES; slice++, ring.next()) {
    u64 left = operand(ring.stage(), true), right = operand(f.image + slice * FILTER_BYTES, false);
    wait_for_turn(&ring.full[ring.slot], ring.parity);
    begin_products();
#pragma unroll
    for (int k = 0; k < 4; k++)
#pragma unroll
      for (int r = 0; r < 2; r++)
        multiply_boxes<64, KIND, false>(sums + 32 * r, operand_at(left, 8192 * r + 32 * k), operand_at(right, 2048 * k),
                                        slice > 0 || k > 0);
    end_products();
    wait_for_products<0>();
    if (threadIdx.x % 32 == 0) arrive(&ring.empty[ring.slot]);
  }
  settle<64>(sums);
}
// Rounded as if stored; 0 where the image is padded.
__device__ __forceinline__ void keep_mid(const Args &a, const Tile &t, const float *sums, const First *finishes, char *mid) {
#pragma unroll
  for (int half = 0; half < 4; half++) {
    int pixel = half * 8 + half / 2 * 48 + own_row(), y = t.y - (int)a.n[12] + pixel / WIDE, x = t.x - (int)a.n[13] + pixel % WIDE;
    bool inside = (u32)y < (u32)a.n[2] && (u32)x < (u32)a.n[3];
    if (pixel >= HALO) continue;
#pragma unroll
    for (int j = 0; j < 8; j++) {
      u32 pair = finished_pair(finishes, sums + half / 2 * 32 + 4 * j + half % 2 * 2, j);
      *(u32 *)(mid + j * HALO * 16 + pixel * 16 + own_column() * 2) = inside ? pair : 0;
    }
  }
}
__device__ __forceinline__ void sum_windows(float *sums, const char *mid, const Filters &f) {
  u64 left = operand_of_eighths(mid, HALO * 16, WIDE * 16), right = operand(f.windows, false);
  wait_for_turn(&f.there[1], 0);
  begin_products();
#pragma unroll
  for (int tap = 0; tap < TAPS * TAPS; tap++)
#pragma unroll
    for (int k = 0; k < MID_STEPS; k++)
      multiply_boxes<64, KIND, false>(sums, operand_at(left, (tap / TAPS * WIDE + tap % TAPS) * 16 + 2 * k * HALO * 16),
                                      operand_at(right, tap * FILTER_BYTES + 2048 * k), tap > 0 || k > 0);
  end_products();
  wait_for_products<0>();
  settle<32>(sums);
}

__device__ __forceinline__ void begin_slice(float *sums, const u32 *words, const Filters &f, int slice) {
  u64 right = operand(f.result + slice * FILTER_BYTES, false);
  begin_products();
#pragma unroll
  for (int k = 0; k < MID_STEPS; k++) multiply_rows<64, KIND>(sums, words + 4 * k, operand_at(right, 2048 * k), k > 0);
  end_products();
}
// The eights of a slice's columns that a thread finishes: 32 columns, then the row eight on, then the other 32 columns.
struct Eighth {
  s64 at;
  int column;
  bool inside;
};
__device__ __forceinline__ Eighth eighth_of(const Args &a, const Tile &t, int slice, int i) {
  int row = own_row() + i % 2 * 8, y = t.y + row / TILE, x = t.x + row % TILE;
  int column = slice * 64 + i / 2 * 32 + threadIdx.x % 4 * 8;
  return Eighth{((t.image * a.n[4] + y) * a.n[5] + x) * OUT + column, column, y < a.n[4] && x < a.n[5] && column < OUT};
}
__device__ __forceinline__ void load_slice(const Args &a, const Tile &t, int slice, Streams *streams) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    Eighth e = eighth_of(a, t, slice, i);
    if (e.inside) streams[i] = load_streams(a, e.at, e.column);
  }
}
__device__ __forceinline__ void finish_slice(const Args &a, const Tile &t, int slice, const float *sums, const Streams *streams) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    Eighth e = eighth_of(a, t, slice, i);
    float eight[8];
    gather_eight(sums + i / 2 * 16 + i % 2 * 2, 1, eight);
    if (e.inside) finish_eight(a, e.at, e.column, eight, streams[i]);
  }
}
// A slice is multiplied while the one before is finished.
__device__ __forceinline__ void make_result(const Args &a, const Tile &t, const u32 *words, const Filters &f,
                                            const Streams (*streams)[4]) {
  float sums[2][32];
  wait_for_turn(&f.there[2], 0);
  begin_slice(sums[0], words, f, 0);
#pragma unroll
  for (int slice = 0; slice < OUT_SLICES; slice++) {
    if (slice + 1 < OUT_SLICES) {
      begin_slice(sums[(slice + 1) % 2], words, f, slice + 1);
      wait_for_products<1>();
    } else {
      wait_for_products<0>();
    }
    settle<32>(sums[slice % 2]);
    finish_slice(a, t, slice, sums[slice % 2], streams[slice]);
  }
}

__device__ __forceinline__ void make_tiles(const Args &a, const Filters &f, Ring ring, char *mid, u32 group) {
  First first[16];
  Second second[16];
  get_finishes(a, first);
  get_finishes(a, second);
  wait_for_turn(&f.there[0], 0);
  follow(a);
  for (u32 index = blockIdx.x + group * gridDim.x; index < (u32)a.n[16]; index += GROUPS * gridDim.x) {
    Tile t = tile_of(a, index);
    float sums[64];
    u32 words[16];
    Streams streams[OUT_SLICES][4];
    sum_image(sums, ring, f);
    keep_mid(a, t, sums, first, mid);
    show_shared();
    meet(1 + group, 128);
#pragma unroll
    for (int slice = 0; slice < OUT_SLICES; slice++) load_slice(a, t, slice, streams[slice]);
    sum_windows(sums, mid, f);
    meet(1 + group, 128); // before the next tile's take their place
#pragma unroll
    for (int i = 0; i < 16; i++) words[i] = finished_pair(second, sums + 2 * i, i / 2);
    settle<16>(words);
    make_result(a, t, words, f, streams);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS + 128, 1) kernel(const __grid_constant__ BoxArgs b) {
  char *pool = aligned_pool(), *rings = pool + FILTERS * FILTER_BYTES, *mids = rings + GROUPS * STAGES * STAGE_BYTES;
  u64 *barriers = (u64 *)(mids + GROUPS * MID_BYTES);
  u32 group = threadIdx.x < THREADS ? threadIdx.x / 128 : (threadIdx.x - THREADS) / 32;
  Filters f = {pool, pool + IN_SLICES * FILTER_BYTES, pool + (IN_SLICES + TAPS * TAPS) * FILTER_BYTES, barriers};
  Ring ring = {rings + group * STAGES * STAGE_BYTES, barriers + 3 + group * 2 * STAGES, barriers + 3 + (group * 2 + 1) * STAGES,
               0, 0};
  if (threadIdx.x % 128 == 0 && threadIdx.x < THREADS) {
    for (int i = 0; i < 3 && group == 0; i++) begin_barrier(&f.there[i], 1);
    for (int i = 0; i < STAGES; i++) begin_barrier(&ring.full[i], 1), begin_barrier(&ring.empty[i], 4);
    show_shared();
  }
  __syncthreads();
  if (threadIdx.x >= THREADS) {
    give_registers<40>();
    if (threadIdx.x % 32 == 0 && group < GROUPS) bring_images(b, f, ring, group);
  } else {
    take_registers<232>();
    make_tiles(b.a, f, ring, mids + group * MID_BYTES, group);
  }
}
