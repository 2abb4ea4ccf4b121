// Matrix product and convolution of f16, bf16 and tf32 with few rows on GPUs of compute capability 9.0: the right operand's
// columns are the 64 rows of a product by a group of warps, the left one's rows its TILE_M columns, 8 to 104 of them.
// Tiles are small enough that the depth of most needs no cutting into parts: WARPGROUPS groups of four warps take its
// steps in turn and add their sums in shared memory, where a thread then has eight neighbours. A block has one tile, or
// a part of its depth. Arguments as product_hopper.cu's.
// CLUSTER: the parts of a tile, where it is not 1, are a cluster's blocks, each of which finishes a share of the tile's
// eights, whose sums the others store in its shared memory. Else parts meet in memory.
// NORMED: the left operand's rows are to be brought to mean 0, where CENTER, and variance 1 before, with EPSILON. That is
// done to the sums, (x w - mean (1 w)) / deviation, so that rows are multiplied as they lie:
// LEFT_MORE rows, of which the first is of ones, stand under each box, and while a step is multiplied threads look at
// its rows for their means and squares. What cancels there in f32 is less than what rows lost when they were stored in
// 16 bits. The depth is one part, of whole steps.
#ifndef NORMED
#define NORMED 0
#endif
#ifndef CLUSTER
#define CLUSTER 1
#endif
#define THREADS (128 * WARPGROUPS) // that sum
#define SUMS (LEFT_ROWS / 2)       // of a thread
#define PITCH (TILE_N + 4)         // of a row of sums in shared memory: its even fours, four idle floats, its odd ones
#define EIGHTS (TILE_M * TILE_N / 8)
#define SHARE (EIGHTS / CLUSTER)                // of a block
#define TURNS ((SHARE + THREADS - 1) / THREADS) // eights of a thread
#define COME_BYTES ((CLUSTER - 1) * SHARE * 32) // of sums that other blocks store here
static_assert(EIGHTS % CLUSTER == 0, "shares are of one size");

#ifdef __CUDACC__
#if CLUSTER == 1
#define __cluster_dims__(...)
#endif
#define ROW_SUMS_4(i) "+f"(s[i]), "+f"(s[i + 1]), "+f"(s[i + 2]), "+f"(s[i + 3])
#define ROW_SUMS_8(i) ROW_SUMS_4(i), ROW_SUMS_4(i + 4)
#define ROW_SUMS_16(i) ROW_SUMS_8(i), ROW_SUMS_8(i + 8)
#define ROW_NAMES_4 "%0, %1, %2, %3"
#define ROW_NAMES_8 ROW_NAMES_4 ", %4, %5, %6, %7"
#define ROW_NAMES_16 ROW_NAMES_8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define ROW_NAMES_20 ROW_NAMES_16 ", %16, %17, %18, %19"
#define ROW_NAMES_24 ROW_NAMES_20 ", %20, %21, %22, %23"
#define ROW_NAMES_32 ROW_NAMES_24 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define ROW_NAMES_36 ROW_NAMES_32 ", %32, %33, %34, %35"
#define ROW_NAMES_40 ROW_NAMES_36 ", %36, %37, %38, %39"
#define ROW_NAMES_52 ROW_NAMES_40 ", %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51"
#define ROW_NAMES_56 ROW_NAMES_52 ", %52, %53, %54, %55"
#define TURNED_MMA(n, names, k, type, x, y, by_depth, sums)                                                 \
  asm volatile("{\n.reg .pred adds;\nsetp.eq.b32 adds, 0, 0;\n"                                            \
               "wgmma.mma_async.sync.aligned.m64n" #n "k" #k ".f32." type "." type " {" names "}, " x ", " y \
               ", adds, 1, 1" TURNS_##k(by_depth, "0") ";\n}"                                              \
               : sums : "l"(columns), "l"(rows), "n"(!right_by_depth))
#define ROW_SUMS_20 ROW_SUMS_16(0), ROW_SUMS_4(16)
#define ROW_SUMS_24 ROW_SUMS_20, ROW_SUMS_4(20)
#define ROW_SUMS_32 ROW_SUMS_16(0), ROW_SUMS_16(16)
#define ROW_SUMS_36 ROW_SUMS_32, ROW_SUMS_4(32)
#define ROW_SUMS_40 ROW_SUMS_36, ROW_SUMS_4(36)
#define ROW_SUMS_52 ROW_SUMS_36, ROW_SUMS_16(36)
#define ROW_SUMS_56 ROW_SUMS_52, ROW_SUMS_4(52)
// s += (left right)' over 32 bytes of depth: of 64 columns thread t has t / 32 * 16 + t % 32 / 4 at s[4 j] and the eighth
// after it at s[4 j + 2], of each 8 rows j two from t % 4 * 2 on.
template <int count, int kind, bool right_by_depth>
__device__ __forceinline__ void multiply_turned(float *s, u64 rows, u64 columns) {
#define TURNED_MMA_OF(k, type)                                                                                  \
  if constexpr (count == 8) TURNED_MMA(8, ROW_NAMES_4, k, type, "%4", "%5", "%6", ROW_SUMS_4(0));               \
  if constexpr (count == 16) TURNED_MMA(16, ROW_NAMES_8, k, type, "%8", "%9", "%10", ROW_SUMS_8(0));            \
  if constexpr (count == 32) TURNED_MMA(32, ROW_NAMES_16, k, type, "%16", "%17", "%18", ROW_SUMS_16(0));        \
  if constexpr (count == 40) TURNED_MMA(40, ROW_NAMES_20, k, type, "%20", "%21", "%22", ROW_SUMS_20);             \
  if constexpr (count == 48) TURNED_MMA(48, ROW_NAMES_24, k, type, "%24", "%25", "%26", ROW_SUMS_24);             \
  if constexpr (count == 64) TURNED_MMA(64, ROW_NAMES_32, k, type, "%32", "%33", "%34", ROW_SUMS_32);             \
  if constexpr (count == 72) TURNED_MMA(72, ROW_NAMES_36, k, type, "%36", "%37", "%38", ROW_SUMS_36);             \
  if constexpr (count == 80) TURNED_MMA(80, ROW_NAMES_40, k, type, "%40", "%41", "%42", ROW_SUMS_40);             \
  if constexpr (count == 104) TURNED_MMA(104, ROW_NAMES_52, k, type, "%52", "%53", "%54", ROW_SUMS_52);           \
  if constexpr (count == 112) TURNED_MMA(112, ROW_NAMES_56, k, type, "%56", "%57", "%58", ROW_SUMS_56)
  static_assert(kind != KIND_TF32 || right_by_depth, "TF32 is not turned");
  if constexpr (kind == KIND_F16) { TURNED_MMA_OF(16, "f16"); }
  if constexpr (kind == KIND_BF16) { TURNED_MMA_OF(16, "bf16"); }
  if constexpr (kind == KIND_TF32) { TURNED_MMA_OF(8, "tf32"); }
}
#endif

// A lane takes an eight of a row as two fours, neighbours neighbouring eights: the fours of one turn lie side by side,
// and neither they nor single sums on their way here meet in a bank.
#define ODD_FOURS (TILE_N / 2 + 4)
__device__ __forceinline__ int place_of_column(int column) {
  return column / 4 % 2 * ODD_FOURS + column / 8 * 4 + column % 4;
}
__device__ __forceinline__ void add_four(float *to, float4 v) { to[0] += v.x, to[1] += v.y, to[2] += v.z, to[3] += v.w; }
__device__ __forceinline__ void add_eight(float *to, const float *row, int column) {
  const float *from = row + place_of_column(column);
  add_four(to, *(const float4 *)from), add_four(to + 4, *(const float4 *)(from + ODD_FOURS));
}

#if NORMED
#define LOOKS ((TILE_M + 15) / 16) // rows that a thread looks at; eight threads share one
struct Looks {
  float first[LOOKS], sum[LOOKS], square[LOOKS]; // of differences from the first element that was met
};
// At eight columns of the step's 64 of 16 bits. What lies there is read as the products read it: nobody writes before both.
__device__ __forceinline__ void look_at(Looks &l, const char *stage, bool begins) {
#pragma unroll
  for (int i = 0; i < LOOKS; i++) {
    int row = threadIdx.x % 128 / 8 + 16 * i;
    if (row >= TILE_M) continue;
    uint4 words = *(const uint4 *)(stage + chunk_of_row<128>(row, threadIdx.x % 8));
    float x[8];
    pair_values<T>(words.x, x), pair_values<T>(words.y, x + 2), pair_values<T>(words.z, x + 4), pair_values<T>(words.w, x + 6);
    if (CENTER && begins) l.first[i] = x[0];
#pragma unroll
    for (int e = 0; e < 8; e++) {
      float d = x[e] - l.first[i];
      l.sum[i] += d, l.square[i] += d * d;
    }
  }
  __syncwarp(); // one lane says for all that the step is free
}
// Of a group: steps that it takes.
__device__ __forceinline__ int steps_of(const Work &w, int group) {
  int steps = w.end - w.begin - group;
  return steps > 0 ? (steps + WARPGROUPS - 1) / WARPGROUPS : 0;
}
// Of each row the mean and the sum of squares about it, of the group's steps.
__device__ __forceinline__ void show_looks(const Looks &l, const Work &w, float2 *room) {
  int group = threadIdx.x / 128, steps = steps_of(w, group);
#pragma unroll
  for (int i = 0; i < LOOKS; i++) {
    int row = threadIdx.x % 128 / 8 + 16 * i;
    float count = 8.f * (float)steps, mean = 0, square = l.square[i];
    if (CENTER && steps) mean = l.sum[i] / count, square -= l.sum[i] * mean, mean += l.first[i];
#pragma unroll
    for (int bit = 1; bit < 8; bit *= 2, count *= 2) {
      float other = lane_across(mean, bit), apart = other - mean;
      square += lane_across(square, bit) + apart * apart * count * 0.5f;
      mean = (mean + other) * 0.5f;
    }
    if (threadIdx.x % 8 == 0 && row < TILE_M) room[group * TILE_M + row] = make_float2(mean, square);
  }
}
// Eight sums of a row, from column `n` of the tile on, as if its elements had been brought to mean 0 and variance 1.
__device__ __forceinline__ void bring_to_norm(float *eight, const Work &w, const float *room, int row, int n) {
  const float2 *looks = (const float2 *)(room + WARPGROUPS * LEFT_ROWS * PITCH) + row;
  float mean = 0, square = 0, count = 0;
#pragma unroll
  for (int g = 0; g < WARPGROUPS; g++) {
    float more = (float)(DEPTH * steps_of(w, g)), apart = looks[g * TILE_M].x - mean;
    if (more == 0) continue;
    square += looks[g * TILE_M].y + apart * apart * (count * more / (count + more));
    mean += apart * (more / (count + more)), count += more;
  }
  float scale = R(1) / sqrt((square > 0 ? square : 0) / count + EPSILON);
  float ones[8] = {};
  for (int g = 0; CENTER && g < WARPGROUPS; g++) add_eight(ones, room + (g * LEFT_ROWS + TILE_M) * PITCH, n);
#pragma unroll
  for (int e = 0; e < 8; e++) eight[e] = (eight[e] - mean * ones[e]) * scale;
}
#endif
// The row of ones under each box, in either type, and seven of zeros; before products read them.
__device__ __forceinline__ void put_ones(char *pool) {
#if LEFT_MORE
  for (int i = threadIdx.x; i < STAGES * LEFT_MORE * 8; i += THREADS + 32) {
    int stage = i / (LEFT_MORE * 8), chunk = i % (LEFT_MORE * 8);
    u32 pair = chunk >= 8 ? 0 : KIND == KIND_F16 ? 0x3c003c00u : 0x3f803f80u;
    *(uint4 *)(pool + stage * STAGE_BYTES + TILE_M * 128 + chunk * 16) = make_uint4(pair, pair, pair, pair);
  }
  show_shared();
#endif
}

// A slot's turns are all of one group, which waits for each: the parity that it waits for tells a turn from the one
// before, not from the one before that. Were a slot another group's from turn to turn, a group could take its turn for
// over while the one before, whose boxes may come later than those of turns after it, is not.
static_assert(STAGES % WARPGROUPS == 0, "a slot is one group's");
// What a group sums of the tile: every WARPGROUPS-th step. A step is free when the next one's products are asked for
// and its own are there. `look` is called for each while it is multiplied, and then the next one's wait for its own:
// the compiler would let them wait for more. Sums are settled before the first, or it would clear them between products
// and let all of those wait for each other.
template <class Look>
__device__ __forceinline__ void sum_steps(float *sums, const Work &w, const char *pool, u64 *full, u64 *empty, Look look) {
  int before = -1;
  settle<SUMS>(sums);
  for (int turn = threadIdx.x / 128; turn < w.end - w.begin; turn += WARPGROUPS) {
    int slot = turn % STAGES;
    const char *stage = pool + slot * STAGE_BYTES;
    u64 rows = operand(stage, true), columns = operand(stage + LEFT_BYTES, RIGHT_BY_DEPTH);
    wait_for_turn(&full[slot], turn / STAGES & 1);
    begin_products();
#pragma unroll
    for (int k = 0; k < PRODUCTS; k++)
      multiply_turned<LEFT_ROWS, KIND, RIGHT_BY_DEPTH>(sums, operand_at(rows, 32 * k),
                                                       operand_at(columns, (RIGHT_BY_DEPTH ? 32 : 2048) * k));
    end_products();
    look(stage, turn < WARPGROUPS);
    wait_for_products<NORMED ? 0 : 1>();
    if (NORMED) before = slot;
    if (before >= 0 && threadIdx.x % 32 == 0) arrive(&empty[before]);
    before = NORMED ? -1 : slot;
  }
  wait_for_products<0>();
  settle<SUMS>(sums);
  if (before >= 0 && threadIdx.x % 32 == 0) arrive(&empty[before]);
}

// Of a thread's sums that of 8 rows of the left operand four, from here on: those of two rows by two columns.
__device__ __forceinline__ float *place_of_four(float *room, int e) {
  int lane = threadIdx.x % 32, column = threadIdx.x % 128 / 32 * 16 + lane / 4;
  return room + (lane % 4 * 2 + e % 2) * PITCH + place_of_column(column) + e / 2 * 4;
}
// The groups' sums, row by row, in `room`, which held boxes, and what `show` leaves behind them.
template <class Show> __device__ __forceinline__ void show_sums(const float *sums, float *room, Show show) {
  float *own = room + threadIdx.x / 128 * LEFT_ROWS * PITCH;
  meet(1, THREADS);
  show(room + WARPGROUPS * LEFT_ROWS * PITCH);
#pragma unroll
  for (int j = 0; j < SUMS / 4; j++)
    for (int e = 0; e < 4; e++) place_of_four(own, e)[8 * j * PITCH] = sums[4 * j + e];
  meet(1, THREADS);
}
#if CLUSTER == 1
#define PART_BYTES (EIGHTS * 32)                              // the sums of a part
#define PARTS_AT_ONCE (STAGES * STAGE_BYTES / PART_BYTES) // that fit where boxes were
// A half of eight `q` of a part's sums, in fours: lanes lie side by side.
__device__ __forceinline__ int four_of(int part, int half, int q) { return (2 * part + half) * EIGHTS + q; }

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
#endif

// Eight `t` of a thread: which of the tile's, its row and first column there; and whether the block has it.
struct Eighth {
  int row, column;
  bool own;
};
__device__ __forceinline__ Eighth eighth_of(const Work &w, int t) {
  int at = threadIdx.x + t * THREADS, q = (CLUSTER > 1 ? w.part * SHARE : 0) + at;
  return Eighth{q / (TILE_N / 8), q % (TILE_N / 8) * 8, at < SHARE && q < EIGHTS};
}
// Where it stands; and whether it is of the result.
struct Spot {
  int row, n;
  bool inside;
};
__device__ __forceinline__ Spot spot_of(const Args &a, const Work &w, int t) {
  Eighth e = eighth_of(w, t);
  int row = w.m0 + e.row, n = w.n0 + e.column;
  return Spot{row, n, e.own && row < a.n[0] && n < a.n[1]};
}
// Adds the groups' sums of it.
__device__ __forceinline__ void add_groups(float *eight, const Eighth &e, const float *room) {
#pragma unroll
  for (int g = 0; g < WARPGROUPS; g++) add_eight(eight, room + (g * LEFT_ROWS + e.row) * PITCH, e.column);
}
#if CLUSTER > 1
// Where sums come from the `from`-th block after this one, or for it from here: a half of each eight, then the other.
__device__ __forceinline__ float4 *place_of_share(char *come, int from) { return (float4 *)come + (from - 1) * 2 * SHARE; }
// Stores in each other block the block's sums of its share.
__device__ __forceinline__ void give_sums(const Work &w, const float *room, char *come, u64 *all) {
#pragma unroll
  for (int d = 1; d < CLUSTER; d++) {
    Work there = w;
    there.part = (w.part + d) % CLUSTER;
    float4 *to = place_of_share(come, CLUSTER - d);
#pragma unroll
    for (int t = 0; t < TURNS; t++) {
      Eighth e = eighth_of(there, t);
      float v[8] = {};
      int at = threadIdx.x + t * THREADS;
      if (!e.own) continue;
      add_groups(v, e, room);
      store_there(to + at, all, there.part, make_float4(v[0], v[1], v[2], v[3]));
      store_there(to + SHARE + at, all, there.part, make_float4(v[4], v[5], v[6], v[7]));
    }
  }
}
// Adds what other blocks stored here, all of which has come.
__device__ __forceinline__ void take_sums(float *eight, int t, char *come) {
  int at = threadIdx.x + t * THREADS;
#pragma unroll
  for (int d = 1; d < CLUSTER; d++)
    add_four(eight, place_of_share(come, d)[at]), add_four(eight + 4, place_of_share(come, d)[SHARE + at]);
}
#endif
__device__ __forceinline__ void finish_tile(const Args &a, const Work &w, char *pool, u64 *full, u64 *empty) {
  float sums[SUMS] = {}, eights[TURNS][8] = {};
#if CLUSTER > 1
  char *come = pool + STAGES * STAGE_BYTES;
  u64 *all = empty + STAGES;
#endif
  Streams streams[TURNS];
#pragma unroll
  for (int t = 0; t < TURNS; t++) {
    Spot p = spot_of(a, w, t);
    if (p.inside) streams[t] = load_streams(a, p.row * a.n[1] + p.n, p.n);
  }
#if NORMED
  Looks looks = {};
  sum_steps(sums, w, pool, full, empty, [&](const char *stage, bool begins) { look_at(looks, stage, begins); });
  show_sums(sums, (float *)pool, [&](float *room) { show_looks(looks, w, (float2 *)room); });
#else
  sum_steps(sums, w, pool, full, empty, [](const char *, bool) {});
  show_sums(sums, (float *)pool, [](float *) {});
#endif
#if CLUSTER > 1
  wait_for_cluster();
  give_sums(w, (const float *)pool, come, all);
#endif
#pragma unroll
  for (int t = 0; t < TURNS; t++) {
    Eighth e = eighth_of(w, t);
    if (!e.own) continue;
    add_groups(eights[t], e, (const float *)pool);
#if NORMED
    bring_to_norm(eights[t], w, (const float *)pool, e.row, e.column);
#endif
  }
#if CLUSTER > 1
  wait_for_stores(all, 0);
#pragma unroll
  for (int t = 0; t < TURNS; t++)
    if (eighth_of(w, t).own) take_sums(eights[t], t, come);
#else
  if (a.n[36] > 1 && !join_parts(a, eights, pool, (u32 *)(empty + STAGES), w)) return;
#endif
#pragma unroll
  for (int t = 0; t < TURNS; t++) {
    Spot p = spot_of(a, w, t);
    for (int e = 0; e < 8; e++) eights[t][e] *= ALPHA;
    if (p.inside) finish_eight(a, p.row * a.n[1] + p.n, p.n, eights[t], streams[t]);
  }
}

extern "C" __global__ void __cluster_dims__(CLUSTER, 1, 1) __launch_bounds__(THREADS + 32, BLOCKS) kernel(const __grid_constant__ BoxArgs b) {
  char *pool = aligned_pool();
  u64 *full = (u64 *)(pool + STAGES * STAGE_BYTES + COME_BYTES), *empty = full + STAGES;
  if (threadIdx.x == THREADS) {
    for (int i = 0; i < STAGES; i++) begin_barrier(&full[i], 1), begin_barrier(&empty[i], 4);
#if CLUSTER > 1
    begin_barrier(empty + STAGES, 1), arrive_for(empty + STAGES, COME_BYTES);
    show_barriers();
#endif
    show_shared();
  }
  put_ones(pool);
  __syncthreads();
  if (threadIdx.x >= THREADS) {
    if (threadIdx.x == THREADS) bring_boxes(b, pool, full, empty);
    return;
  }
#if CLUSTER > 1
  enter_cluster();
#endif
  Work w = work_at(b.a, blockIdx.x);
  follow(b.a);
  finish_tile(b.a, w, pool, full, empty);
}
