// softmax(scale * q k' + mask) v on GPUs of compute capability 9.0: each group of four warps takes 64 queries
// of a head, the block keeps tiles of KEYS keys and their values in shared memory for all its groups. Scores
// stay in registers, where their weights are the left operand of the product with the values; sums are
// rescaled when a greater score appears. Keys of up to two tiles are brought once for n[29] rounds of
// queries, more in turn for one round. Arguments as attention_tensor.cu, rows at multiples of 16 bytes; and
// n[29] rounds, n[30] tiles of keys that shared memory has room for.
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

extern "C" __global__ void __launch_bounds__(256, BOXES(HEAD) + BOXES(VALUE) > 2 ? 1 : 2)
kernel(const __grid_constant__ BoxArgs b) {
  const Args &a = b.a;
  int groups = blockDim.x / 128, group = threadIdx.x / 128, rounds = (int)a.n[29], span = 64 * groups * rounds;
  char *pool = aligned_pool(), *queries = pool + a.n[30] * STAGE_BYTES;
  follow(a);
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
          attend<false>(a, r, queries + part * QUERY_BYTES, pool + tile % 2 * STAGE_BYTES, row, tile * KEYS, results, most, sum, Order{});
        if (tile + 2 < tiles) __syncthreads();
        if (round == 0) bring_keys(a, r, pool, tile + 2);
      }
      if (query < a.n[3]) finish_rows(a, r, results, sum, row);
    }
  }
}
