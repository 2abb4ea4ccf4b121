// softmax(scale * q k' + mask) v where queries are few: a block takes 16 of a head, so that all multiprocessors have
// some, and its warps take KEYS keys each in turn and join their sums in shared memory. A thread reads its part of q
// and k from where they lie, 16 bytes at a time: in which order the depth is summed up is free. Arguments as
// attention_tensor.cu, rows at multiples of 16 bytes; one block for each 16 queries.
#define QUERIES 16
#define PAIRS ((HEAD * (int)sizeof(T) + 63) / 64) // of steps through the depth
#define PITCH (VALUE_STEPS * 16 + 8)
#define WARP_BYTES MOST_OF(KEYS * VALUE_BYTES, QUERIES * PITCH * 4) // its values, then its sums

// The chunk of 16 bytes of each 64 that is this lane's, of one row of q or k.
__device__ __forceinline__ void load_row(uint4 *chunks, const T *row, bool inside) {
#pragma unroll
  for (int pair = 0; pair < PAIRS; pair++) {
    int at = (4 * pair + threadIdx.x % 4) * ELEMENTS;
    chunks[pair] = make_uint4(0, 0, 0, 0);
    if (inside && at < HEAD) chunks[pair] = *(const uint4 *)(row + at);
  }
}
__device__ __forceinline__ void load_queries(const Args &a, const T *rows, int there, u32 (*q)[4]) {
  uint4 low[PAIRS], high[PAIRS];
  int row = threadIdx.x % 32 / 4;
  load_row(low, rows + row * a.n[16], row < there);
  load_row(high, rows + (row + 8) * a.n[16], row + 8 < there);
#pragma unroll
  for (int pair = 0; pair < PAIRS; pair++) {
    u32 steps[2][4] = {{low[pair].x, high[pair].x, low[pair].y, high[pair].y},
                       {low[pair].z, high[pair].z, low[pair].w, high[pair].w}};
    for (int i = 0; i < 8; i++) q[2 * pair + i / 4][i % 4] = rounded(steps[i / 4][i % 4]);
  }
}
typedef uint4 Keys[KEYS / 8][PAIRS];
__device__ __forceinline__ void load_keys(const Args &a, const T *rows, int there, Keys &k) {
#pragma unroll
  for (int j = 0; j < KEYS / 8; j++) {
    int row = 8 * j + threadIdx.x % 32 / 4;
    load_row(k[j], rows + row * a.n[20], row < there);
  }
}
__device__ __forceinline__ void copy_values(const Args &a, const T *rows, int there, char *to) {
  const int chunks = VALUE_STEPS * 16 / ELEMENTS;
#pragma unroll
  for (int c = threadIdx.x % 32; c < KEYS * chunks; c += 32) {
    int row = c / chunks, at = c % chunks * ELEMENTS;
    bool inside = row < there && at < VALUE;
    copy_chunk(to + chunk_of_row<VALUE_BYTES>(row, c % chunks), inside ? rows + row * a.n[24] + at : rows, inside ? 16 : 0);
  }
  end_batch();
}
__device__ __forceinline__ void score_keys(Scores &scores, const u32 (*q)[4], const Keys &k) {
#pragma unroll
  for (int j = 0; j < KEYS / 8; j++) {
    for (int e = 0; e < 4; e++) scores[j][e] = 0;
#pragma unroll
    for (int pair = 0; pair < PAIRS; pair++) {
      u32 low[2] = {rounded(k[j][pair].x), rounded(k[j][pair].y)};
      u32 high[2] = {rounded(k[j][pair].z), rounded(k[j][pair].w)};
      multiply<KIND>(scores[j], q[2 * pair], low);
      multiply<KIND>(scores[j], q[2 * pair + 1], high);
    }
  }
}

struct Top { // of a row, by one warp's keys
  float most, sum;
};
__device__ __forceinline__ void leave_sums(const Results &results, const float *most, const float *sum, float *room, Top *tops) {
  int lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int row = lane / 4 + 8 * half;
#pragma unroll
    for (int j = 0; j < 2 * VALUE_STEPS; j++)
      *(float2 *)(room + row * PITCH + 8 * j + lane % 4 * 2) = make_float2(results[j][2 * half], results[j][2 * half + 1]);
    if (lane % 4 == 0) tops[row] = Top{most[half], sum[half]};
  }
}
// Eight neighbours of a row, from all warps.
__device__ __forceinline__ void join_sums(const char *pool, const Top *tops, int warps, int row, int column, float *eight) {
  float most = -INFINITY, total = 0;
  for (int w = 0; w < warps; w++) most = fmaxf(most, tops[w * QUERIES + row].most);
  for (int e = 0; e < 8; e++) eight[e] = 0;
  for (int w = 0; w < warps; w++) {
    Top top = tops[w * QUERIES + row];
    const float *from = (const float *)(pool + w * WARP_BYTES) + row * PITCH + column;
    float scale = top.most == -INFINITY ? 0 : power_of_two(top.most - most);
    total += top.sum * scale;
    for (int e = 0; e < 8; e++) eight[e] += from[e] * scale;
  }
  float part = total > 0 || total != total ? 1 / total : 0;
  for (int e = 0; e < 8; e++) eight[e] *= part;
}

extern "C" __global__ void __launch_bounds__(256, KEYS * sizeof(T) > 64 ? 1 : 2) kernel(const __grid_constant__ BoxArgs b) {
  const Args &a = b.a;
  int warp = threadIdx.x / 32, warps = blockDim.x / 32, keys = (int)a.n[4];
  u32 across = (u32)a.n[12], heads = (u32)a.n[1], first = blockIdx.x % across * QUERIES;
  s64 head = blockIdx.x / across % heads, batch = blockIdx.x / across / heads;
  s64 shared_head = (u32)head / (heads / (u32)a.n[2]);
  int there = (int)a.n[3] - (int)first, end = CAUSAL && (int)first + QUERIES < keys ? (int)first + QUERIES : keys;
  char *pool = aligned_pool(), *own = pool + warp * WARP_BYTES;
  Top *tops = (Top *)(pool + warps * WARP_BYTES);
  const T *k_rows = (const T *)a.p[1] + place_of(a, 1, batch, shared_head, 0);
  const T *v_rows = (const T *)a.p[2] + place_of(a, 2, batch, shared_head, 0);
  float most[2] = {-INFINITY, -INFINITY}, sum[2] = {}, old[2];
  Results results = {};
  u32 q[2 * PAIRS][4];
  follow(a);
  load_queries(a, (const T *)a.p[0] + place_of(a, 0, batch, head, first), there, q);
  for (int k0 = warp * KEYS; k0 < end; k0 += warps * KEYS) {
    Keys k;
    Scores scores;
    load_keys(a, k_rows + k0 * a.n[20], keys - k0, k);
    __syncwarp();
    copy_values(a, v_rows + k0 * a.n[24], keys - k0, own);
    score_keys(scores, q, k);
    mask_scores(a, scores, batch, head, (int)first, k0);
    weigh(scores, most, sum, old);
    wait_for_copies<0>();
    __syncwarp();
    add_values(results, scores, old, own);
  }
  __syncwarp();
  leave_sums(results, most, sum, (float *)own, tops + warp * QUERIES);
  __syncthreads();
  for (int g = threadIdx.x; g < QUERIES * 2 * VALUE_STEPS; g += blockDim.x) {
    int row = g / (2 * VALUE_STEPS), column = g % (2 * VALUE_STEPS) * 8;
    float eight[8];
    join_sums(pool, tops, warps, row, column, eight);
    if (row < there && column < VALUE) finish_eight(a, place_of(a, 3, batch, head, first + row) + column, column, eight);
  }
}
