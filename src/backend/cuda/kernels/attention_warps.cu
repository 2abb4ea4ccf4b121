// What warps do that attend to 16 queries each by mma.sync: scores and sums stay in registers in f32, sums are rescaled
// when a greater score appears, weights are rounded as KIND is for the product. KEYS are looked at together.
#define PADDED(size) ((size) <= 32 ? 32 : (size) <= 64 ? 64 : 128) // elements: rows of 64 to 512 bytes
#define VALUE_BYTES (PADDED(VALUE) * (int)sizeof(T))
#define VALUE_STEPS ((VALUE + 15) / 16)
#define MOST_OF(x, y) ((x) > (y) ? (x) : (y))

__device__ __forceinline__ s64 place_of(const Args &a, int operand, s64 batch, s64 head, s64 row) {
  const s64 *n = a.n + 13 + 4 * operand;
  return n[0] + batch * n[1] + head * n[2] + row * n[3];
}

// A word of q or k as the product takes it.
__device__ __forceinline__ u32 rounded(u32 word) { return KIND == KIND_TF32 ? to_tf32(word) : word; }

typedef float Scores[KEYS / 8][4];

// Products to scores in powers of two: the mask, keys that are not there or not seen. `query` is the warp's first.
__device__ __forceinline__ void mask_scores(const Args &a, Scores &scores, s64 batch, s64 head, int query, int k0) {
  int lane = threadIdx.x % 32, keys = (int)a.n[4];
#pragma unroll
  for (int j = 0; j < KEYS / 8; j++)
#pragma unroll
    for (int e = 0; e < 4; e++) {
      int key = k0 + 8 * j + lane % 4 * 2 + e % 2, at = query + lane / 4 + e / 2 * 8;
      float score = scores[j][e] * (SCALE * R(1.44269504088896340736));
#if MASKED
      bool seen = key < a.n[7] && key < keys && at < a.n[3];
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
      for (int e = 2 * half; e < 2 * half + 2; e++) next = fmaxf(next, scores[j][e]);
    for (int step = 1; step < 4; step *= 2) next = fmaxf(next, lane_across(next, step));
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

#if KIND == KIND_TF32
// A lane has the weights of two keys beside each other, and the product wants of keys l % 4 and l % 4 + 4: which key is
// which of eight does not matter where the values' rows are taken alike.
__device__ __forceinline__ void add_products(Results &results, const Scores &weights, const char *values) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int step = 0; step < KEYS / 8; step++) {
    u32 p[4];
    for (int e = 0; e < 4; e++) p[e] = to_tf32(__float_as_uint(weights[step][e % 2 * 2 + e / 2]));
#pragma unroll
    for (int j = 0; j < 2 * VALUE_STEPS; j++) {
      int row = 8 * step + lane % 4 * 2, column = 8 * j + lane / 4;
      u32 pair[2];
      for (int e = 0; e < 2; e++)
        pair[e] = to_tf32(*(const u32 *)(values + chunk_of_row<VALUE_BYTES>(row + e, column / 4) + column % 4 * 4));
      multiply<KIND>(results[j], p, pair);
    }
  }
}
#else
__device__ __forceinline__ u32 two(float low, float high) {
  return (u32)Element<T>::element(low).bits | (u32)Element<T>::element(high).bits << 16;
}

__device__ __forceinline__ void add_products(Results &results, const Scores &weights, const char *values) {
  int lane = threadIdx.x % 32;
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
#endif

__device__ __forceinline__ void add_values(Results &results, const Scores &weights, const float *old, const char *values) {
#pragma unroll
  for (int j = 0; j < 2 * VALUE_STEPS; j++)
    for (int e = 0; e < 4; e++) results[j][e] *= old[e / 2];
  add_products(results, weights, values);
}
