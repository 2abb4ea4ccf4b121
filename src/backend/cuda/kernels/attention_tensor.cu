// softmax(scale * q k' + mask) v on tensor cores: a block of four warps takes 64 queries of a head, a warp 16
// of them, and goes through the keys by KEYS with sums that are rescaled when a greater score appears, as
// attention_tiles.cu. Scores and sums stay in registers in f32; weights are rounded as KIND is for the product.
// Arguments as attention_tiles.cu; and at n[13 + 4 i] of q, k, v and the result where each begins, then its
// steps from batch to batch, head to head and row to row. A result whose elements a tail finishes is dense.
#define QUERIES 64
#define THREADS 128
#define HEAD_BYTES (PADDED(HEAD) * (int)sizeof(T))
#define HEAD_STEPS ((HEAD * (int)sizeof(T) + 31) / 32)
#define STAGES (PADDED(HEAD) + PADDED(VALUE) > 128 ? 1 : 2)
#define STAGE_BYTES (KEYS * (HEAD_BYTES + VALUE_BYTES))
#define SUM_PITCH (VALUE_STEPS * 16 + 4)
#define SUM_BYTES (4 * 16 * SUM_PITCH * 4)
#define POOL_BYTES MOST_OF(MOST_OF(STAGES * STAGE_BYTES, QUERIES * HEAD_BYTES), SUM_BYTES)

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

// Scores of a warp's 16 queries with a tile of keys, in powers of two.
__device__ __forceinline__ void score_tile(const Args &a, Scores &scores, const u32 (*q)[4], const char *keys_tile,
                                           s64 batch, s64 head, int query, int k0) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int j = 0; j < KEYS / 8; j += 2) {
    for (int e = 0; e < 4; e++) scores[j][e] = scores[j + 1][e] = 0;
#pragma unroll
    for (int step = 0; step < HEAD_STEPS; step++) {
      u32 four[4];
      load_matrices(four, keys_tile + chunk_of_row<HEAD_BYTES>(8 * j + lane % 8 + lane / 16 * 8, 2 * step + lane / 8 % 2));
      for (int e = 0; e < 4; e++) four[e] = rounded(four[e]);
      multiply<KIND>(scores[j], q[step], four);
      multiply<KIND>(scores[j + 1], q[step], four + 2);
    }
  }
  mask_scores(a, scores, batch, head, query, k0);
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
  follow(a);
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
    for (int step = 0; step < HEAD_STEPS; step++) {
      load_matrices(q[step], pool + chunk_of_row<HEAD_BYTES>(16 * warp + lane % 16, 2 * step + lane / 16));
      for (int e = 0; e < 4; e++) q[step][e] = rounded(q[step][e]);
    }
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
