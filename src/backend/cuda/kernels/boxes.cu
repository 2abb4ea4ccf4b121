// Bringing the boxes of a product's tiles, for kernels on compute capability 9.0: TILE_M rows of the left operand and
// TILE_N columns of the right, 128 bytes of depth a step, STAGES steps in shared memory. LEFT_MORE rows follow the left
// operand's there that are not brought: where they are products' too, the file before this one says how many. f32 is
// rounded to TF32 on its way; no instruction turns it, so that its constants lie by depth, [tap, column, channel].
#ifndef LEFT_MORE
#define LEFT_MORE 0
#endif
#if KIND == KIND_TF32
#undef RIGHT_BY_DEPTH
#define RIGHT_BY_DEPTH 1
#endif
#define DEPTH ((int)(128 / sizeof(T)))
#define PRODUCTS 4 // of a step, of 32 bytes of depth each
#define LEFT_ROWS (TILE_M + LEFT_MORE)
#define LEFT_BYTES (LEFT_ROWS * 128)
#define RIGHT_BYTES (TILE_N * 128)
#define STAGE_BYTES (LEFT_BYTES + RIGHT_BYTES)
#define BROUGHT_BYTES (TILE_M * 128 + RIGHT_BYTES)

struct Work {
  int m0, n0, part, tile;
  int begin, end; // steps
};
__device__ __forceinline__ Work work_at(const Args &a, u32 index) {
  Work w;
  u32 parts = (u32)a.n[36], tile = index / parts, columns = (u32)a.n[38];
  w.tile = (int)tile, w.part = (int)(index - tile * parts);
  w.m0 = (int)(tile / columns) * TILE_M, w.n0 = (int)(tile % columns) * TILE_N;
  w.begin = w.part * (int)a.n[37];
  w.end = w.begin + (int)a.n[37] < (int)a.n[33] ? w.begin + (int)a.n[37] : (int)a.n[33];
  return w;
}

// The stages, in turn: `parity` is that of the turn in which the slot is filled.
struct Slot {
  int number;
  u32 parity;
};
__device__ __forceinline__ void next_slot(Slot &s) {
  if (++s.number == STAGES) s.number = 0, s.parity ^= 1;
}

// A step of the depth: which tap, and the chunk of DEPTH channels; of a convolution the tap's place in the window, and
// where the tile's first window begins. One thread brings all boxes: nothing is divided from step to step.
struct Step {
  int tap, chunk, chunks;
  int right, down, taps; // in the window; taps of a row of it
  int x, y, image;
};
__device__ __forceinline__ Step step_at(const Args &a, const Work &w) {
  Step s = {};
  s.chunks = (int)a.n[34], s.tap = w.begin / s.chunks, s.chunk = w.begin - s.tap * s.chunks;
#if CONVOLUTION
  int width = (int)a.n[20], height = (int)a.n[19], pixel = w.m0 / width;
  s.taps = (int)a.n[22], s.down = s.tap / s.taps, s.right = s.tap - s.down * s.taps;
  s.image = pixel / height;
  s.x = (w.m0 - pixel * width) * (int)a.n[24] - (int)a.n[28];
  s.y = (pixel - s.image * height) * (int)a.n[23] - (int)a.n[27];
#endif
  return s;
}
__device__ __forceinline__ void next_step(Step &s) {
  if (++s.chunk < s.chunks) return;
  s.chunk = 0, s.tap++;
  if (++s.right == s.taps) s.right = 0, s.down++;
}
__device__ __forceinline__ void bring_left(const BoxArgs &b, const Work &w, char *stage, u64 *full, const Step &s) {
#if CONVOLUTION
  copy_pixels(stage, b.left, full, s.chunk * DEPTH, s.x, s.y, s.image, s.right * (int)b.a.n[26], s.down * (int)b.a.n[25]);
#else
  copy_box(stage, b.left, full, s.chunk * DEPTH, w.m0, 0);
#endif
}
__device__ __forceinline__ void bring_right(const BoxArgs &b, const Work &w, char *stage, u64 *full, const Step &s) {
  arrive_for(full, BROUGHT_BYTES);
#if RIGHT_BY_DEPTH
  copy_box(stage + LEFT_BYTES, b.right, full, s.chunk * DEPTH, w.n0, s.tap);
#else
#pragma unroll
  for (int n = 0; n < TILE_N; n += 64)
    copy_box(stage + LEFT_BYTES + n * 128, b.right, full, w.n0 + n, s.chunk * DEPTH, s.tap);
#endif
}
// Has it in the second cache.
__device__ __forceinline__ void expect_right(const BoxArgs &b, const Work &w, const Step &s) {
#if RIGHT_BY_DEPTH
  expect_box(b.right, s.chunk * DEPTH, w.n0, s.tap);
#else
#pragma unroll
  for (int n = 0; n < TILE_N; n += 64) expect_box(b.right, w.n0 + n, s.chunk * DEPTH, s.tap);
#endif
}
// Constants on the right for as many stages as there are come before what other kernels leave; how many steps.
__device__ __forceinline__ int bring_constants(const BoxArgs &b, const Work &w, Step s, char *pool, u64 *full) {
  int count = w.end - w.begin < STAGES ? w.end - w.begin : STAGES;
  if (!b.a.n[39]) return 0;
  for (int i = 0; i < count; i++, next_step(s)) bring_right(b, w, pool + i * STAGE_BYTES, &full[i], s);
  for (int i = w.begin + count; i < w.end && w.m0 == 0; i++, next_step(s)) expect_right(b, w, s);
  return count;
}
__device__ __forceinline__ void bring_boxes(const BoxArgs &b, char *pool, u64 *full, u64 *empty) {
  Slot slot = {0, 0};
  u32 index = blockIdx.x;
  Work w = work_at(b.a, index);
  Step s = step_at(b.a, w);
  expect_map(b.left);
  int there = bring_constants(b, w, s, pool, full);
  follow(b.a);
  while (true) {
    for (int step = w.begin; step < w.end; step++, next_step(s), next_slot(slot)) {
      char *stage = pool + slot.number * STAGE_BYTES;
      wait_for_turn(&empty[slot.number], slot.parity ^ 1);
      if (there > 0) there--;
      else bring_right(b, w, stage, &full[slot.number], s);
      bring_left(b, w, stage, &full[slot.number], s);
    }
    index += gridDim.x;
    if (index >= (u32)b.a.n[35]) return;
    w = work_at(b.a, index);
    s = step_at(b.a, w);
  }
}
