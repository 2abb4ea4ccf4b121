// What groups of four warps do that attend to 64 queries each by wgmma, on GPUs of compute capability 9.0: scores stay in
// registers, where their weights are the left operand of the product with the values; sums are rescaled when a greater
// score appears. KEYS are looked at together. Arguments as attention_tensor.cu, rows at multiples of 16 bytes.
#define BOXES(size) (((size) + 63) / 64) // of 64 columns
#define HEAD_STEPS ((HEAD + 15) / 16)
#define COLUMNS (VALUE <= 32 ? 32 : 64) // of a product with a box of values
#define KEY_BYTES (KEYS * 128 * BOXES(HEAD))
#define STAGE_BYTES (KEY_BYTES + KEYS * 128 * BOXES(VALUE))
#define QUERY_BYTES (64 * 128 * BOXES(HEAD)) // of a group
#define KEYS_AT_ONCE (KEYS > 128 ? KEYS / 2 : KEYS) // by one instruction
#define LOG2_E 1.44269504088896340736f
// Where greater scores come of greater products, products are scaled only as powers are taken.
#define SCALES_LATE (!MASKED && SCALE > 0)
#define POWER_SCALE (SCALES_LATE ? (float)SCALE * LOG2_E : 1.0f)

struct Rows { // what a block works on
  int first, end; // queries; keys up to there
  s64 batch, head, shared_head;
};
__device__ __forceinline__ s64 place_of(const Args &a, int operand, s64 batch, s64 head, s64 row) {
  const s64 *n = a.n + 13 + 4 * operand;
  return n[0] + batch * n[1] + head * n[2] + row * n[3];
}
#if MASKED
__device__ __forceinline__ float mask_at(const Args &a, s64 row, int key) {
  if (key >= a.n[7]) return -INFINITY;
  s64 at = row + key * a.n[11];
  if (MASK_IS_BOOL) return load<M>(a.p[3], at) != 0 ? 0 : -INFINITY;
  return (float)load<M>(a.p[3], at) * LOG2_E;
}
#endif

// Whether keys up to `end` need no look, for queries from `query` on.
__device__ __forceinline__ bool all_seen(int end, int keys, int query) {
  return !MASKED && end <= keys && !(CAUSAL && end > query);
}

// Products to scores: the mask, keys that are not there or not seen. `query` is the row of the thread's first.
__device__ __forceinline__ void mask_scores(const Args &a, const Rows &r, float *scores, int query, int k0) {
  int keys = (int)a.n[4];
#if MASKED
  int length = (int)a.n[3];
  s64 row[2];
  for (int half = 0; half < 2; half++) {
    int at = query + 8 * half < length ? query + 8 * half : length - 1;
    row[half] = r.batch * a.n[8] + r.head * a.n[9] + at * a.n[10];
  }
#endif
  if (!SCALES_LATE) {
#pragma unroll
    for (int i = 0; i < KEYS / 2; i++) scores[i] *= (float)SCALE * LOG2_E;
  }
#pragma unroll
  for (int i = 0; i < KEYS / 2; i += 32) { // up to 64 keys, of which mostly all are seen
    if (all_seen(k0 + 2 * i + 64, keys, query)) continue;
#pragma unroll
    for (int j = i; j < i + 32 && j < KEYS / 2; j += 4) {
      if (all_seen(k0 + 2 * j + 8, keys, query)) continue;
      int key = k0 + j * 2 + threadIdx.x % 4 * 2;
#pragma unroll
      for (int e = j; e < j + 2; e++, key++) {
#if MASKED
        float mask = key < keys ? mask_at(a, row[0], key) : 0;
        scores[e] += mask;
        scores[e + 2] += key < keys && a.n[10] ? mask_at(a, row[1], key) : mask;
#endif
        if (key >= keys || (CAUSAL && key > query)) scores[e] = -INFINITY;
        if (key >= keys || (CAUSAL && key > query + 8)) scores[e + 2] = -INFINITY;
      }
    }
  }
}

// Of both rows the greatest score, as powers take it, and what results so far are scaled by.
__device__ __forceinline__ void raise_most(const float *scores, float *most, float *shift, float *old) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float next = most[half];
#pragma unroll
    for (int i = 2 * half; i < KEYS / 2; i += 4) next = fmaxf(next, fmaxf(scores[i], scores[i + 1]));
    next = fmaxf(next, lane_across(next, 1));
    next = fmaxf(next, lane_across(next, 2));
    shift[half] = next == -INFINITY ? 0 : next * POWER_SCALE;
    old[half] = power_of_two(most[half] * POWER_SCALE - shift[half]);
    most[half] = next;
  }
}
// Weights out of scores, and this thread's part of their sum.
__device__ __forceinline__ void weigh(float *scores, const float *shift, float *sum) {
#pragma unroll
  for (int i = 0; i < KEYS / 2; i++) {
    scores[i] = power_of_two(scores[i] * POWER_SCALE - shift[i / 2 % 2]);
    sum[i / 2 % 2] += scores[i];
  }
}

// Barriers by which groups take powers in turn: that of the one before, or NULL, and its own.
struct Order {
  u64 *before;
  u32 parity;
  u64 *own;
};
__device__ __forceinline__ void wait_for(const Order &order, float *scores) {
  settle<KEYS / 2>(scores);
  if (order.before) wait_for_turn(order.before, order.parity);
}
__device__ __forceinline__ void pass_on(const Order &order, float *scores) {
  settle<KEYS / 2>(scores);
  if (order.own && threadIdx.x % 32 == 0) arrive(order.own);
}

// One tile of keys for a group's queries; `first` where there are no results before.
template <bool first>
__device__ __forceinline__ void attend(const Args &a, const Rows &r, const char *queries, const char *stage, int query,
                                       int k0, float *results, float *most, float *sum, const Order &order) {
  float scores[KEYS / 2], old[2], shift[2];
  u32 weights[KEYS / 4]; // four of every 16 keys
  u64 left = operand(queries, true), right = operand(stage, true), values = operand(stage + KEY_BYTES, false);
  bool there = query - (int)threadIdx.x % 32 / 4 < a.n[3]; // else the warp has no queries
  begin_products();
#pragma unroll
  for (int k = 0; k < KEYS; k += KEYS_AT_ONCE)
#pragma unroll
    for (int step = 0; step < HEAD_STEPS; step++)
      multiply_boxes<KEYS_AT_ONCE, KIND, true>(scores + k / 2, operand_at(left, step / 4 * 64 * 128 + step % 4 * 32),
                                               operand_at(right, (step / 4 * KEYS + k) * 128 + step % 4 * 32), step > 0);
  end_products();
  wait_for_products<0>();
  settle<KEYS / 2>(scores);
  if (there) {
    mask_scores(a, r, scores, query, k0);
    raise_most(scores, most, shift, old);
    for (int half = 0; half < 2; half++) sum[half] *= old[half];
#pragma unroll
    for (int i = 0; i < BOXES(VALUE) * COLUMNS / 2 && !first; i++) results[i] *= old[i / 2 % 2];
  }
  wait_for(order, scores);
  if (there) weigh(scores, shift, sum);
  pass_on(order, scores);
#pragma unroll
  for (int i = 0; i < KEYS / 4; i++) weights[i] = pair_of<KIND>(scores[2 * i], scores[2 * i + 1]);
  settle<KEYS / 4>(weights);
  settle<BOXES(VALUE) * COLUMNS / 2>(results);
  begin_products();
#pragma unroll
  for (int step = 0; step < KEYS / 16; step++)
#pragma unroll
    for (int box = 0; box < BOXES(VALUE); box++)
      multiply_rows<COLUMNS, KIND>(results + box * COLUMNS / 2, weights + 4 * step,
                                   operand_at(values, box * KEYS * 128 + step * 2048), !first || step > 0);
  end_products();
  wait_for_products<0>();
  settle<BOXES(VALUE) * COLUMNS / 2>(results);
}

// `query` is the row of the thread's first sums.
__device__ __forceinline__ void finish_rows(const Args &a, const Rows &r, const float *results, const float *sum, int query) {
  s64 place = place_of(a, 3, r.batch, r.head, query);
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float total = sum[half] + lane_across(sum[half], 1);
    total += lane_across(total, 2);
    float scale = total > 0 || total != total ? 1 / total : 0;
    int row = query + 8 * half;
    s64 first = place + 8 * half * a.n[28];
#pragma unroll
    for (int n = 0; n < BOXES(VALUE) * COLUMNS; n += 32) {
      float eight[8];
      int column = n + threadIdx.x % 4 * 8;
      gather_eight(results + n / 2 + 2 * half, scale, eight);
      if (row < a.n[3] && column < VALUE) finish_eight(a, first + column, column, eight);
    }
  }
}
