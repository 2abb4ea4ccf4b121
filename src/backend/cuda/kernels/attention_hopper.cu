// softmax(scale * q k' + mask) v on GPUs of compute capability 9.0: each group of four warps takes 64 queries
// of a head, the block keeps tiles of KEYS keys and their values in shared memory for all its groups. Scores
// stay in registers, where their weights are the left operand of the product with the values; sums are
// rescaled when a greater score appears. Keys of up to two tiles are brought once for n[29] rounds of
// queries, more in turn for one round. Arguments as attention_tensor.cu, rows at multiples of 16 bytes; and
// n[29] rounds, n[30] tiles of keys that shared memory has room for.
#define BOXES(size) (((size) + 63) / 64) // of 64 columns
#define HEAD_STEPS ((HEAD + 15) / 16)
#define COLUMNS (VALUE <= 32 ? 32 : 64) // of a product with a box of values
#define KEY_BYTES (KEYS * 128 * BOXES(HEAD))
#define STAGE_BYTES (KEY_BYTES + KEYS * 128 * BOXES(VALUE))
#define QUERY_BYTES (64 * 128 * BOXES(HEAD)) // of a group
#define LOG2_E 1.44269504088896340736f
// Where greater scores come of greater products, products are scaled only as powers are taken.
#define SCALES_LATE (!MASKED && SCALE > 0)

struct Rows { // what a block works on
  int first, end; // queries; keys up to there
  s64 batch, head, shared_head;
};
__device__ __forceinline__ s64 place_of(const Args &a, int operand, s64 batch, s64 head, s64 row) {
  const s64 *n = a.n + 13 + 4 * operand;
  return n[0] + batch * n[1] + head * n[2] + row * n[3];
}
__device__ __forceinline__ Rows rows_at(const Args &a, s64 block, int span) {
  Rows r;
  r.first = (int)(block % a.n[12]) * span;
  r.head = block / a.n[12] % a.n[1], r.batch = block / a.n[12] / a.n[1];
  r.shared_head = r.head / (a.n[1] / a.n[2]);
  r.end = CAUSAL && r.first + span < a.n[4] ? r.first + span : (int)a.n[4];
  return r;
}

// `rows` rows of `size` elements as boxes of `box_rows` rows; columns up to a multiple of 16 and rows from
// `there` on are zeros.
template <int size> __device__ __forceinline__ void copy_rows(char *to, const void *from, s64 first, s64 step, int rows,
                                                              int box_rows, int there) {
  const int chunks = (size + 15) / 16 * 2;
  const T *source = (const T *)from + first;
  for (int c = threadIdx.x; c < rows * chunks; c += blockDim.x) {
    int row = c / chunks, chunk = c % chunks, box = row / box_rows * BOXES(size) + chunk / 8;
    bool inside = row < there && chunk * ELEMENTS < size;
    copy_chunk(to + box * box_rows * 128 + chunk_of_row<128>(row % box_rows, chunk % 8),
               inside ? source + row * step + chunk * ELEMENTS : (const T *)from, inside ? 16 : 0);
  }
}
__device__ __forceinline__ void bring_keys(const Args &a, const Rows &r, char *pool, int tile) {
  int k0 = tile * KEYS;
  char *stage = pool + tile % 2 * STAGE_BYTES;
  if (k0 < r.end) {
    copy_rows<HEAD>(stage, a.p[1], place_of(a, 1, r.batch, r.shared_head, k0), a.n[20], KEYS, KEYS, (int)a.n[4] - k0);
    copy_rows<VALUE>(stage + KEY_BYTES, a.p[2], place_of(a, 2, r.batch, r.shared_head, k0), a.n[24], KEYS, KEYS,
                     (int)a.n[4] - k0);
  }
  end_batch();
}

#if MASKED
__device__ __forceinline__ float mask_at(const Args &a, s64 row, int key) {
  if (key >= a.n[7]) return -INFINITY;
  s64 at = row + key * a.n[11];
  if (MASK_IS_BOOL) return load<M>(a.p[3], at) != 0 ? 0 : -INFINITY;
  return (float)load<M>(a.p[3], at) * LOG2_E;
}
#endif

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
  if (!MASKED && k0 + KEYS <= keys && !(CAUSAL && k0 + KEYS > query)) return;
#pragma unroll
  for (int i = 0; i < KEYS / 2; i += 4)
#pragma unroll
    for (int e = 0; e < 2; e++) {
      int key = k0 + i * 2 + threadIdx.x % 4 * 2 + e;
#if MASKED
      float mask = key < keys ? mask_at(a, row[0], key) : 0;
      scores[i + e] += mask;
      scores[i + 2 + e] += key < keys && a.n[10] ? mask_at(a, row[1], key) : mask;
#endif
      if (key >= keys || (CAUSAL && key > query)) scores[i + e] = -INFINITY;
      if (key >= keys || (CAUSAL && key > query + 8)) scores[i + 2 + e] = -INFINITY;
    }
}

// Weights out of scores; of both rows the greatest score, this thread's part of the sum, and what results so
// far are scaled by.
__device__ __forceinline__ void weigh(float *scores, float *most, float *sum, float *old) {
  const float scale = SCALES_LATE ? (float)SCALE * LOG2_E : 1.0f;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float next = most[half], added = 0;
#pragma unroll
    for (int i = 2 * half; i < KEYS / 2; i += 4) next = fmaxf(next, fmaxf(scores[i], scores[i + 1]));
    next = fmaxf(next, lane_across(next, 1));
    next = fmaxf(next, lane_across(next, 2));
    float shift = next == -INFINITY ? 0 : next * scale;
#pragma unroll
    for (int i = 2 * half; i < KEYS / 2; i += 4)
#pragma unroll
      for (int e = i; e < i + 2; e++) {
        scores[e] = power_of_two(scores[e] * scale - shift);
        added += scores[e];
      }
    old[half] = power_of_two(most[half] * scale - shift);
    sum[half] = sum[half] * old[half] + added;
    most[half] = next;
  }
}

// One tile of keys for a group's queries.
__device__ __forceinline__ void attend(const Args &a, const Rows &r, const char *queries, const char *stage, int query,
                                       int k0, float *results, float *most, float *sum) {
  float scores[KEYS / 2], old[2];
  u64 left = operand(queries, true), right = operand(stage, true), values = operand(stage + KEY_BYTES, false);
  begin_products();
#pragma unroll
  for (int step = 0; step < HEAD_STEPS; step++)
    multiply_boxes<KEYS, KIND, true>(scores, operand_at(left, step / 4 * 64 * 128 + step % 4 * 32),
                                     operand_at(right, step / 4 * KEYS * 128 + step % 4 * 32), step > 0);
  end_products();
  wait_for_products<0>();
  settle<KEYS / 2>(scores);
  if (query - (int)threadIdx.x % 32 / 4 < a.n[3]) { // else the warp has no queries
    mask_scores(a, r, scores, query, k0);
    weigh(scores, most, sum, old);
#pragma unroll
    for (int i = 0; i < BOXES(VALUE) * COLUMNS / 2; i++) results[i] *= old[i / 2 % 2];
  }
  u32 weights[KEYS / 4]; // four of every 16 keys
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
                                   operand_at(values, box * KEYS * 128 + step * 2048), true);
  end_products();
  wait_for_products<0>();
  settle<BOXES(VALUE) * COLUMNS / 2>(results);
}

// `query` is the row of the thread's first sums.
__device__ __forceinline__ void finish_rows(const Args &a, const Rows &r, const float *results, const float *sum, int query) {
#pragma unroll
  for (int half = 0; half < 2; half++) {
    float total = sum[half] + lane_across(sum[half], 1);
    total += lane_across(total, 2);
    float scale = total > 0 || total != total ? 1 / total : 0;
    int row = query + 8 * half;
    s64 first = place_of(a, 3, r.batch, r.head, row);
#pragma unroll
    for (int n = 0; n < BOXES(VALUE) * COLUMNS; n += 32) {
      float eight[8];
      int column = n + threadIdx.x % 4 * 8;
      gather_eight(results + n / 2 + 2 * half, scale, eight);
      if (row < a.n[3] && column < VALUE) finish_eight(a, first + column, column, eight);
    }
  }
}

extern "C" __global__ void __launch_bounds__(256, BOXES(HEAD) + BOXES(VALUE) > 2 ? 1 : 2)
kernel(const __grid_constant__ BoxArgs b) {
  const Args &a = b.a;
  int groups = blockDim.x / 128, group = threadIdx.x / 128, rounds = (int)a.n[29], span = 64 * groups * rounds;
  char *pool = aligned_pool(), *queries = pool + a.n[30] * STAGE_BYTES;
  follow();
  for (s64 block = blockIdx.x; block < a.n[0]; block += gridDim.x) {
    Rows r = rows_at(a, block, span);
    int tiles = (r.end + KEYS - 1) / KEYS;
    __syncthreads();
    copy_rows<HEAD>(queries, a.p[0], place_of(a, 0, r.batch, r.head, r.first), a.n[16], span, 64, (int)a.n[3] - r.first);
    bring_keys(a, r, pool, 0);
    bring_keys(a, r, pool, 1);
    for (int round = 0; round < rounds; round++) {
      int part = round * groups + group, query = r.first + 64 * part;
      int row = query + threadIdx.x / 32 % 4 * 16 + threadIdx.x % 32 / 4;
      float results[BOXES(VALUE) * COLUMNS / 2] = {}, most[2] = {-INFINITY, -INFINITY}, sum[2] = {};
      for (int tile = 0; tile < tiles; tile++) {
        if (round == 0) {
          wait_for_copies<1>();
          show_shared();
          __syncthreads();
        }
        if (query < a.n[3] && !(CAUSAL && tile * KEYS > query + 63))
          attend(a, r, queries + part * QUERY_BYTES, pool + tile % 2 * STAGE_BYTES, row, tile * KEYS, results, most, sum);
        if (tile + 2 < tiles) __syncthreads();
        if (round == 0) bring_keys(a, r, pool, tile + 2);
      }
      if (query < a.n[3]) finish_rows(a, r, results, sum, row);
    }
  }
}
