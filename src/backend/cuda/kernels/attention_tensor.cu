// softmax(scale * q k' + mask) v on tensor cores: a block of four warps takes 64 queries of a head, a warp 16
// of them, and goes through the keys by 64 with sums that are rescaled when a greater score appears, as
// attention_tiles.cu. Scores and sums stay in registers in f32; weights are rounded to T for the product.
// Arguments as attention_tiles.cu; and at n[13 + 4 i] of q, k, v and the result where each begins, then its
// steps from batch to batch, head to head and row to row. A result whose elements a tail finishes is dense.
#define QUERIES 64
#define KEYS 64
#define THREADS 128
#define PADDED(size) ((size) <= 32 ? 32 : (size) <= 64 ? 64 : 128) // rows of 64, 128 or 256 bytes
#define HEAD_BYTES (PADDED(HEAD) * 2)
#define VALUE_BYTES (PADDED(VALUE) * 2)
#define HEAD_STEPS ((HEAD + 15) / 16)
#define VALUE_STEPS ((VALUE + 15) / 16)
#define STAGES (PADDED(HEAD) + PADDED(VALUE) > 128 ? 1 : 2)
#define STAGE_BYTES (KEYS * (HEAD_BYTES + VALUE_BYTES))
#define SUM_PITCH (VALUE_STEPS * 16 + 4)
#define SUM_BYTES (4 * 16 * SUM_PITCH * 4)
#define MOST_OF(x, y) ((x) > (y) ? (x) : (y))
#define POOL_BYTES MOST_OF(MOST_OF(STAGES * STAGE_BYTES, QUERIES * HEAD_BYTES), SUM_BYTES)

__device__ __forceinline__ s64 place_of(const Args &a, int operand, s64 batch, s64 head, s64 row) {
  const s64 *n = a.n + 13 + 4 * operand;
  return n[0] + batch * n[1] + head * n[2] + row * n[3];
}

// `rows` rows of `size` elements from element `first` on, `step` apart; rows from `there` on are zeros.
template <int rows, int size, int bytes>
__device__ __forceinline__ void copy_rows(char *tile, const void *from, s64 first, s64 step, int there) {
  const T *source = (const T *)from + first;
  bool fast = size % ELEMENTS == 0 && step % ELEMENTS == 0 && ((u64)source & 15) == 0;
  for (int c = threadIdx.x; c < rows * (bytes / 16); c += THREADS) {
    int row = c / (bytes / 16), at = c % (bytes / 16) * ELEMENTS;
    char *to = tile + chunk_of_row<bytes>(row, c % (bytes / 16));
    bool inside = row < there && at < size;
    if (fast) {
      copy_chunk(to, inside ? source + row * step + at : (const T *)from, inside ? 16 : 0);
      continue;
    }
    __align__(16) T chunk[ELEMENTS];
    for (int e = 0; e < ELEMENTS; e++) chunk[e] = inside && at + e < size ? source[row * step + at + e] : T{};
    *(uint4 *)to = *(const uint4 *)chunk;
  }
}
__device__ __forceinline__ u32 two(float low, float high) {
  return (u32)Element<T>::element(low).bits | (u32)Element<T>::element(high).bits << 16;
}

typedef float Scores[KEYS / 8][4];

// Scores of a warp's 16 queries with a tile of keys, in powers of two.
__device__ __forceinline__ void score_tile(const Args &a, Scores &scores, const u32 (*q)[4], const char *keys_tile,
                                           s64 batch, s64 head, int query, int k0) {
  int lane = threadIdx.x % 32, length = (int)a.n[3], keys = (int)a.n[4];
#pragma unroll
  for (int j = 0; j < KEYS / 8; j += 2) {
    for (int e = 0; e < 4; e++) scores[j][e] = scores[j + 1][e] = 0;
#pragma unroll
    for (int step = 0; step < HEAD_STEPS; step++) {
      u32 four[4];
      load_matrices(four, keys_tile + chunk_of_row<HEAD_BYTES>(8 * j + lane % 8 + lane / 16 * 8, 2 * step + lane / 8 % 2));
      multiply<KIND>(scores[j], q[step], four);
      multiply<KIND>(scores[j + 1], q[step], four + 2);
    }
  }
#pragma unroll
  for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      int key = k0 + 8 * j + lane % 4 * 2 + e % 2, at = query + lane / 4 + e / 2 * 8;
      float score = scores[j][e] * (SCALE * R(1.44269504088896340736));
#if MASKED
      bool seen = key < a.n[7] && key < keys && at < length;
      s64 place = batch * a.n[8] + head * a.n[9] + at * a.n[10] + key * a.n[11];
      if (!seen) score = -INFINITY;
      else if (MASK_IS_BOOL) score = load<M>(a.p[3], place) != 0 ? score : -INFINITY;
      else score += (R)load<M>(a.p[3], place) * R(1.44269504088896340736);
#endif
      scores[j][e] = key >= keys || (CAUSAL && key > at) ? -INFINITY : score;
    }
}

// Weights out of scores; rows' greatest scores and sums, and what the results so far are scaled by.
__device__ __forceinline__ void weigh(Scores &scores, float *most, float *sum, float *old) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float next = most[half];
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
      for (int e = 2 * half; e < 2 * half + 2; e++) next = scores[j][e] > next || scores[j][e] != scores[j][e] ? scores[j][e] : next;
    for (int step = 1; step < 4; step *= 2) {
      float other = lane_across(next, step);
      next = other > next || other != other ? other : next;
    }
    float shift = next == -INFINITY ? 0 : next, added = 0;
#pragma unroll
    for (int j = 0; j < KEYS / 8; j++)
      for (int e = 2 * half; e < 2 * half + 2; e++) {
        scores[j][e] = power_of_two(scores[j][e] - shift);
        added += scores[j][e];
      }
    old[half] = power_of_two(most[half] - shift);
    for (int step = 1; step < 4; step *= 2) added += lane_across(added, step);
    sum[half] = sum[half] * old[half] + added;
    most[half] = next;
  }
}

typedef float Results[2 * VALUE_STEPS][4];

__device__ __forceinline__ void add_values(Results &results, const Scores &weights, const float *old, const char *values) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int j = 0; j < 2 * VALUE_STEPS; j++)
    for (int e = 0; e < 4; e++) results[j][e] *= old[e / 2];
#pragma unroll
  for (int step = 0; step < KEYS / 16; step++) {
    const float *low = weights[2 * step], *high = weights[2 * step + 1];
    u32 p[4] = {two(low[0], low[1]), two(low[2], low[3]), two(high[0], high[1]), two(high[2], high[3])};
#pragma unroll
    for (int j = 0; j < 2 * VALUE_STEPS; j += 2) {
      u32 four[4];
      load_transposed(four, values + chunk_of_row<VALUE_BYTES>(16 * step + lane % 16, j + lane / 16));
      multiply<KIND>(results[j], p, four);
      multiply<KIND>(results[j + 1], p, four + 2);
    }
  }
}

__device__ __forceinline__ void finish_rows(const Args &a, const Results &results, const float *sum, float *room,
                                            s64 first, int query) {
  int lane = threadIdx.x % 32;
  bool wide = IS_WIDE(a, (s64)VALUE) && a.n[28] % 8 == 0 && first % 8 == 0;
#pragma unroll
  for (int j = 0; j < 2 * VALUE_STEPS; j++)
    for (int e = 0; e < 4; e++) {
      float total = sum[e / 2];
      room[(lane / 4 + e / 2 * 8) * SUM_PITCH + 8 * j + lane % 4 * 2 + e % 2] =
          total > 0 || total != total ? results[j][e] / total : 0;
    }
  __syncwarp();
  for (int g = lane; g < 16 * 2 * VALUE_STEPS; g += 32) {
    int row = g / (2 * VALUE_STEPS), e0 = g % (2 * VALUE_STEPS) * 8;
    const float *result = room + row * SUM_PITCH + e0;
    s64 i = first + row * a.n[28] + e0;
    if (query + row >= a.n[3] || e0 >= VALUE) continue;
    if (wide) finish_eight(a, i, e0, result);
    else
      for (int e = 0; e < 8 && e0 + e < VALUE; e++) finish(a, i + e, e0 + e, result[e]);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const __grid_constant__ Args a) {
  follow();
  __shared__ __align__(128) char pool[POOL_BYTES];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, length = (int)a.n[3], keys = (int)a.n[4];
  for (s64 block = blockIdx.x; block < a.n[0]; block += gridDim.x) {
    int first = (int)(block % a.n[12]) * QUERIES, query = first + 16 * warp;
    s64 head = block / a.n[12] % a.n[1], batch = block / a.n[12] / a.n[1];
    s64 shared_head = head / (a.n[1] / a.n[2]);
    u32 q[HEAD_STEPS][4];
    float most[2] = {-INFINITY, -INFINITY}, sum[2] = {}, old[2];
    Results results = {};
    int end = CAUSAL && first + QUERIES < keys ? first + QUERIES : keys;
    auto copy = [&](int k0) {
      char *stage = pool + k0 / KEYS % STAGES * STAGE_BYTES;
      if (k0 < end) {
        copy_rows<KEYS, HEAD, HEAD_BYTES>(stage, a.p[1], place_of(a, 1, batch, shared_head, k0), a.n[20], keys - k0);
        copy_rows<KEYS, VALUE, VALUE_BYTES>(stage + KEYS * HEAD_BYTES, a.p[2], place_of(a, 2, batch, shared_head, k0),
                                            a.n[24], keys - k0);
      }
      end_batch();
    };
    __syncthreads();
    copy_rows<QUERIES, HEAD, HEAD_BYTES>(pool, a.p[0], place_of(a, 0, batch, head, first), a.n[16], length - first);
    end_batch();
    wait_for_copies<0>();
    __syncthreads();
#pragma unroll
    for (int step = 0; step < HEAD_STEPS; step++)
      load_matrices(q[step], pool + chunk_of_row<HEAD_BYTES>(16 * warp + lane % 16, 2 * step + lane / 16));
    __syncthreads();
    copy(0);
    for (int k0 = 0; k0 < end; k0 += KEYS) {
      if (STAGES > 1) copy(k0 + KEYS);
      wait_for_copies<STAGES - 1>();
      __syncthreads();
      const char *stage = pool + k0 / KEYS % STAGES * STAGE_BYTES;
      Scores scores;
      score_tile(a, scores, q, stage, batch, head, query, k0);
      weigh(scores, most, sum, old);
      add_values(results, scores, old, stage + KEYS * HEAD_BYTES);
      __syncthreads();
      if (STAGES == 1) copy(k0 + KEYS);
    }
    finish_rows(a, results, sum, (float *)pool + warp * 16 * SUM_PITCH, place_of(a, 3, batch, head, query), query);
  }
}
