// Matrix product and convolution of f16 and bf16 with few rows on GPUs of compute capability 9.0: the right operand's
// columns are the 64 rows of a product by a group of warps, the left one's rows its TILE_M columns, 8 to 104 of them.
// Tiles are small enough that the depth of most needs no cutting into parts: WARPGROUPS groups of four warps take its
// steps in turn and add their sums in shared memory, where a thread then has eight neighbours. A block has one tile, or
// a part of its depth.
// Arguments as product_hopper.cu's.
#define THREADS (128 * WARPGROUPS) // that sum
#define SUMS (TILE_M / 2)          // of a thread
#define PITCH (TILE_N + 4)         // of a row of sums in shared memory
#define EIGHTS (TILE_M * TILE_N / 8)
#define TURNS ((EIGHTS + THREADS - 1) / THREADS) // eights of a thread

#ifdef __CUDACC__
#define ROW_SUMS_4(i) "+f"(s[i]), "+f"(s[i + 1]), "+f"(s[i + 2]), "+f"(s[i + 3])
#define ROW_SUMS_8(i) ROW_SUMS_4(i), ROW_SUMS_4(i + 4)
#define ROW_SUMS_16(i) ROW_SUMS_8(i), ROW_SUMS_8(i + 8)
#define ROW_NAMES_4 "%0, %1, %2, %3"
#define ROW_NAMES_8 ROW_NAMES_4 ", %4, %5, %6, %7"
#define ROW_NAMES_16 ROW_NAMES_8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define ROW_NAMES_20 ROW_NAMES_16 ", %16, %17, %18, %19"
#define ROW_NAMES_32 ROW_NAMES_20 ", %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define ROW_NAMES_36 ROW_NAMES_32 ", %32, %33, %34, %35"
#define ROW_NAMES_52 \
  ROW_NAMES_36 ", %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51"
#define TURNED_MMA(n, names, type, x, y, by_depth, sums)                                            \
  asm volatile("{\n.reg .pred adds;\nsetp.eq.b32 adds, 0, 0;\n"                                            \
               "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" names "}, " x ", " y    \
               ", adds, 1, 1, " by_depth ", 0;\n}" : sums : "l"(columns), "l"(rows), "n"(!right_by_depth))
#define ROW_SUMS_20 ROW_SUMS_16(0), ROW_SUMS_4(16)
#define ROW_SUMS_32 ROW_SUMS_16(0), ROW_SUMS_16(16)
#define ROW_SUMS_36 ROW_SUMS_32, ROW_SUMS_4(32)
#define ROW_SUMS_52 ROW_SUMS_36, ROW_SUMS_16(36)
// s += (left right)' over 16 of depth: of 64 columns thread t has t / 32 * 16 + t % 32 / 4 at s[4 j] and the eighth
// after it at s[4 j + 2], of each 8 rows j two from t % 4 * 2 on.
template <int count, int kind, bool right_by_depth>
__device__ __forceinline__ void multiply_turned(float *s, u64 rows, u64 columns) {
#define TURNED_MMA_OF(type)                                                                                  \
  if constexpr (count == 8) TURNED_MMA(8, ROW_NAMES_4, type, "%4", "%5", "%6", ROW_SUMS_4(0));               \
  if constexpr (count == 16) TURNED_MMA(16, ROW_NAMES_8, type, "%8", "%9", "%10", ROW_SUMS_8(0));            \
  if constexpr (count == 32) TURNED_MMA(32, ROW_NAMES_16, type, "%16", "%17", "%18", ROW_SUMS_16(0));        \
  if constexpr (count == 40) TURNED_MMA(40, ROW_NAMES_20, type, "%20", "%21", "%22", ROW_SUMS_20);             \
  if constexpr (count == 64) TURNED_MMA(64, ROW_NAMES_32, type, "%32", "%33", "%34", ROW_SUMS_32);             \
  if constexpr (count == 72) TURNED_MMA(72, ROW_NAMES_36, type, "%36", "%37", "%38", ROW_SUMS_36);             \
  if constexpr (count == 104) TURNED_MMA(104, ROW_NAMES_52, type, "%52", "%53", "%54", ROW_SUMS_52)
  if constexpr (kind == KIND_F16) { TURNED_MMA_OF("f16"); }
  if constexpr (kind == KIND_BF16) { TURNED_MMA_OF("bf16"); }
}
#endif

// What a group sums of the tile: every WARPGROUPS-th step. A step is free when the next one's products are asked for
// and its own are there.
__device__ __forceinline__ void sum_steps(float *sums, const Work &w, const char *pool, u64 *full, u64 *empty) {
  int before = -1;
  for (int turn = threadIdx.x / 128; turn < w.end - w.begin; turn += WARPGROUPS) {
    int slot = turn % STAGES;
    const char *stage = pool + slot * STAGE_BYTES;
    u64 rows = operand(stage, true), columns = operand(stage + LEFT_BYTES, RIGHT_BY_DEPTH);
    wait_for_turn(&full[slot], turn / STAGES & 1);
    begin_products();
#pragma unroll
    for (int k = 0; k < DEPTH / 16; k++)
      multiply_turned<TILE_M, KIND, RIGHT_BY_DEPTH>(sums, operand_at(rows, 32 * k),
                                                    operand_at(columns, (RIGHT_BY_DEPTH ? 32 : 2048) * k));
    end_products();
    wait_for_products<1>();
    if (before >= 0 && threadIdx.x % 32 == 0) arrive(&empty[before]);
    before = slot;
  }
  wait_for_products<0>();
  settle<SUMS>(sums);
  if (before >= 0 && threadIdx.x % 32 == 0) arrive(&empty[before]);
}

// The groups' sums, row by row, in `room`, which held boxes.
__device__ __forceinline__ void show_sums(const float *sums, float *room) {
  int lane = threadIdx.x % 32, column = threadIdx.x % 128 / 32 * 16 + lane / 4;
  float *to = room + threadIdx.x / 128 * TILE_M * PITCH + column;
  meet(1, THREADS);
#pragma unroll
  for (int j = 0; j < SUMS / 4; j++)
    for (int e = 0; e < 4; e++) to[(8 * j + lane % 4 * 2 + e % 2) * PITCH + e / 2 * 8] = sums[4 * j + e];
  meet(1, THREADS);
}

#define PART_BYTES (EIGHTS * 32)                              // the sums of a part
#define PARTS_AT_ONCE (STAGES * STAGE_BYTES / PART_BYTES) // that fit where boxes were
// A half of eight `q` of a part's sums, in fours: lanes lie side by side.
__device__ __forceinline__ int four_of(int part, int half, int q) { return (2 * part + half) * EIGHTS + q; }
__device__ __forceinline__ void add_four(float *to, float4 v) { to[0] += v.x, to[1] += v.y, to[2] += v.z, to[3] += v.w; }

// Adds the parts from `begin` on, up to `end`, in their order. A thread copies what it adds, all at once.
__device__ __forceinline__ void add_parts(float (*eights)[8], const float4 *first, int begin, int end, float4 *pool) {
#pragma unroll
  for (int t = 0; t < TURNS; t++) {
    int q = threadIdx.x + t * THREADS;
    for (int p = begin; p < end && q < EIGHTS; p++)
      for (int half = 0; half < 2; half++)
        copy_chunk(pool + four_of(p - begin, half, q), first + four_of(p, half, q), 16);
  }
  end_batch();
  wait_for_copies<0>();
#pragma unroll
  for (int t = 0; t < TURNS; t++) {
    int q = threadIdx.x + t * THREADS;
    for (int p = begin; p < end && q < EIGHTS; p++)
      for (int half = 0; half < 2; half++) add_four(eights[t] + 4 * half, pool[four_of(p - begin, half, q)]);
  }
}
// Leaves a part's sums; whether this block came last, and then has all. One thread's fences are the block's, whose
// threads have met before and meet after: what others wrote is seen in the second cache, from where copies come.
__device__ __forceinline__ bool join_parts(const Args &a, float (*eights)[8], char *pool, u32 *room, const Work &w) {
  int parts = (int)a.n[36];
  float4 *first = (float4 *)a.p[2] + (s64)w.tile * parts * 2 * EIGHTS;
#pragma unroll
  for (int t = 0; t < TURNS; t++) {
    int q = threadIdx.x + t * THREADS;
    const float *v = eights[t];
    if (q >= EIGHTS) continue;
    first[four_of(w.part, 0, q)] = make_float4(v[0], v[1], v[2], v[3]);
    first[four_of(w.part, 1, q)] = make_float4(v[4], v[5], v[6], v[7]);
  }
  meet(1, THREADS);
  if (threadIdx.x == 0) {
    __threadfence();
    *room = atomicAdd((u32 *)a.p[3] + w.tile, 1u);
    __threadfence();
  }
  meet(1, THREADS);
  if (*room + 1 < (u32)parts) return false;
  if (threadIdx.x == 0) ((u32 *)a.p[3])[w.tile] = 0;
#pragma unroll
  for (int t = 0; t < TURNS; t++)
    for (int e = 0; e < 8; e++) eights[t][e] = 0;
  for (int p = 0; p < parts; p += PARTS_AT_ONCE)
    add_parts(eights, first, p, p + PARTS_AT_ONCE < parts ? p + PARTS_AT_ONCE : parts, (float4 *)pool);
  return true;
}

// Where eight `t` of a thread stands: its row and first column; and whether it is of the result.
struct Spot {
  int row, n;
  bool inside;
};
__device__ __forceinline__ Spot spot_of(const Args &a, const Work &w, int t) {
  int q = threadIdx.x + t * THREADS, row = w.m0 + q / (TILE_N / 8), n = w.n0 + q % (TILE_N / 8) * 8;
  return Spot{row, n, q < EIGHTS && row < a.n[0] && n < a.n[1]};
}
__device__ __forceinline__ void finish_tile(const Args &a, const Work &w, char *pool, u64 *full, u64 *empty) {
  float sums[SUMS] = {}, eights[TURNS][8] = {};
  Streams streams[TURNS];
#pragma unroll
  for (int t = 0; t < TURNS; t++) {
    Spot p = spot_of(a, w, t);
    if (p.inside) streams[t] = load_streams(a, p.row * a.n[1] + p.n, p.n);
  }
  sum_steps(sums, w, pool, full, empty);
  show_sums(sums, (float *)pool);
#pragma unroll
  for (int t = 0; t < TURNS; t++) {
    int q = threadIdx.x + t * THREADS, at = q / (TILE_N / 8) * PITCH + q % (TILE_N / 8) * 8;
    for (int g = 0; g < WARPGROUPS && q < EIGHTS; g++) {
      const float *of = (const float *)pool + g * TILE_M * PITCH + at;
#pragma unroll
      for (int e = 0; e < 8; e++) eights[t][e] += of[e];
    }
  }
  if (a.n[36] > 1 && !join_parts(a, eights, pool, (u32 *)(empty + STAGES), w)) return;
#pragma unroll
  for (int t = 0; t < TURNS; t++) {
    Spot p = spot_of(a, w, t);
    for (int e = 0; e < 8; e++) eights[t][e] *= ALPHA;
    if (p.inside) finish_eight(a, p.row * a.n[1] + p.n, p.n, eights[t], streams[t]);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS + 32, BLOCKS) kernel(const __grid_constant__ BoxArgs b) {
  char *pool = aligned_pool();
  u64 *full = (u64 *)(pool + STAGES * STAGE_BYTES), *empty = full + STAGES;
  if (threadIdx.x == THREADS) {
    for (int i = 0; i < STAGES; i++) begin_barrier(&full[i], 1), begin_barrier(&empty[i], 4);
    show_shared();
  }
  __syncthreads();
  if (threadIdx.x >= THREADS) {
    if (threadIdx.x == THREADS) bring_boxes(b, pool, full, empty);
    return;
  }
  Work w = work_at(b.a, blockIdx.x);
  follow();
  finish_tile(b.a, w, pool, full, empty);
}
