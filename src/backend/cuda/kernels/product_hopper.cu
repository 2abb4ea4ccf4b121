// Matrix product and convolution of f16, bf16 and tf32 on GPUs of compute capability 9.0. Each of WARPGROUPS
// groups of four warps sums 64 * HEIGHT rows of a tile; one more thread keeps STAGES stages of shared memory
// filled ahead of them, also with the next tile's boxes while this one is finished. Arguments as
// product_tensor.cu's, and the boxes of both operands; besides
//   n[33] the steps of DEPTH, taps times n[34] a tap;  n[35] tiles times parts;
//   n[37] the steps of a part;  n[38] tiles beside each other over the columns;  n[39] whether p[1] is constant.
#define THREADS (128 * WARPGROUPS) // that sum
#define SUMS (TILE_N / 2)          // of a thread, by 64 rows
// Two groups with 128 sums a thread need the registers of the others: those come as a group as well.
#define MANY_SUMS (WARPGROUPS == 2 && SUMS == 128)
#define PRODUCERS (MANY_SUMS ? 128 : 32)

// A tile's sums. One step is multiplied while the next one's products are asked for; the slot before is free
// only then.
__device__ __forceinline__ void sum_boxes(float *sums, const Work &w, const char *pool, u64 *full, u64 *empty, Slot &slot) {
  int group = threadIdx.x / 128, before = -1;
  for (int step = w.begin; step < w.end; step++, next_slot(slot)) {
    const char *stage = pool + slot.number * STAGE_BYTES;
    u64 left = operand(stage + group * HEIGHT * 64 * 128, true), right = operand(stage + LEFT_BYTES, RIGHT_BY_DEPTH);
    wait_for_turn(&full[slot.number], slot.parity);
    begin_products();
#pragma unroll
    for (int k = 0; k < PRODUCTS; k++)
#pragma unroll
      for (int r = 0; r < HEIGHT; r++)
        multiply_boxes<TILE_N, KIND, RIGHT_BY_DEPTH>(sums + r * SUMS, operand_at(left, 8192 * r + 32 * k),
                                                     operand_at(right, (RIGHT_BY_DEPTH ? 32 : 2048) * k),
                                                     step > w.begin || k > 0);
    end_products();
    wait_for_products<1>();
    if (before >= 0 && threadIdx.x % 32 == 0) arrive(&empty[before]);
    before = slot.number;
  }
  wait_for_products<0>();
  settle<HEIGHT * SUMS>(sums);
  if (before >= 0 && threadIdx.x % 32 == 0) arrive(&empty[before]);
}

// Leaves a part's sums, as the threads hold them; whether this block came last, and then has all.
__device__ __forceinline__ bool join_parts(const Args &a, float *sums, u32 *room, const Work &w) {
  const int quads = HEIGHT * SUMS / 4;
  int parts = (int)a.n[36];
  float4 *first = (float4 *)a.p[2] + (s64)w.tile * parts * quads * THREADS + threadIdx.x;
#pragma unroll
  for (int q = 0; q < quads; q++)
    first[(w.part * quads + q) * THREADS] = make_float4(sums[4 * q], sums[4 * q + 1], sums[4 * q + 2], sums[4 * q + 3]);
  __threadfence();
  meet(1, THREADS);
  if (threadIdx.x == 0) *room = atomicAdd((u32 *)a.p[3] + w.tile, 1u);
  meet(1, THREADS);
  u32 came = *room;
  meet(1, THREADS);
  if (came + 1 < (u32)parts) return false;
  __threadfence();
  if (threadIdx.x == 0) ((u32 *)a.p[3])[w.tile] = 0;
#pragma unroll
  for (int i = 0; i < 4 * quads; i++) sums[i] = 0;
  for (int p = 0; p < parts; p++) {
#pragma unroll
    for (int q = 0; q < quads; q++) {
      float4 v = load_shared_sums(first + (p * quads + q) * THREADS);
      sums[4 * q] += v.x, sums[4 * q + 1] += v.y, sums[4 * q + 2] += v.z, sums[4 * q + 3] += v.w;
    }
  }
  return true;
}

// A thread finishes eight neighbours at once, TOGETHER such groups by groups: what the next ones are finished
// with is on its way meanwhile. Rows are multiples of eight long, and all addresses of 16 bytes.
#define TOGETHER 2
#define ACROSS (TILE_N / 32 / TOGETHER) // such groups of a row
struct Corner {
  int row, n; // of the first group
};
__device__ __forceinline__ Corner place_of(const Work &w, int turn) {
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, half = turn / ACROSS;
  int row = warp / 4 * HEIGHT * 64 + warp % 4 * 16 + lane / 4 + half / 2 * 64 + half % 2 * 8;
  return Corner{w.m0 + row, w.n0 + lane % 4 * 8 + turn % ACROSS * TOGETHER * 32};
}
__device__ __forceinline__ void load_turn(const Args &a, const Work &w, int turn, Streams *streams) {
  Corner p = place_of(w, turn);
#pragma unroll
  for (int j = 0; j < TOGETHER; j++) {
    int n = p.n + 32 * j;
    if (p.row < a.n[0] && n < a.n[1]) streams[j] = load_streams(a, p.row * a.n[1] + n, n);
  }
}
__device__ __forceinline__ void finish_boxes(const Args &a, const float *sums, const Work &w, Streams (*streams)[TOGETHER]) {
#pragma unroll
  for (int turn = 0; turn < 2 * HEIGHT * ACROSS; turn++) {
    Corner p = place_of(w, turn);
    int half = turn / ACROSS;
    if (turn + 1 < 2 * HEIGHT * ACROSS) load_turn(a, w, turn + 1, streams[(turn + 1) % 2]);
#pragma unroll
    for (int j = 0; j < TOGETHER; j++) {
      float eight[8];
      int n = p.n + 32 * j;
      gather_eight(sums + half / 2 * SUMS + 16 * (turn % ACROSS * TOGETHER + j) + half % 2 * 2, ALPHA, eight);
      if (p.row < a.n[0] && n < a.n[1]) finish_eight(a, p.row * a.n[1] + n, n, eight, streams[turn % 2][j]);
    }
  }
}

__device__ __forceinline__ void sum_tiles(const BoxArgs &b, char *pool, u64 *full, u64 *empty) {
  Slot slot = {0, 0};
  float sums[HEIGHT * SUMS];
  follow(b.a);
  for (u32 index = blockIdx.x; index < (u32)b.a.n[35]; index += gridDim.x) {
    Work w = work_at(b.a, index);
    Streams streams[2][TOGETHER];
    load_turn(b.a, w, 0, streams[0]);
    sum_boxes(sums, w, pool, full, empty, slot);
    if (b.a.n[36] == 1 || join_parts(b.a, sums, (u32 *)(empty + STAGES), w)) finish_boxes(b.a, sums, w, streams);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS + PRODUCERS, BLOCKS) kernel(const __grid_constant__ BoxArgs b) {
  char *pool = aligned_pool();
  u64 *full = (u64 *)(pool + STAGES * STAGE_BYTES), *empty = full + STAGES;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; i++) begin_barrier(&full[i], 1), begin_barrier(&empty[i], THREADS / 32);
    show_shared();
  }
  __syncthreads();
  if (threadIdx.x >= THREADS) {
    if (MANY_SUMS) give_registers<40>();
    if (threadIdx.x == THREADS) bring_boxes(b, pool, full, empty);
  } else {
    if (MANY_SUMS) take_registers<232>();
    sum_tiles(b, pool, full, empty);
  }
}
