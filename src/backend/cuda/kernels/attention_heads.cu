// softmax(scale * q k' + mask) v on GPUs of compute capability 9.0 where all KEYS of a head are looked at together: blocks
// are persistent, a thread has the copy engine bring the next head's rows while three groups of warps attend to this
// one's, 64 queries each in turn, so that one's weights are worked out under another's products. n[0] heads of the
// batch, n[29] turns of 64 queries a head; boxes of 64 queries, of KEYS keys and of their values, by row, head and
// batch; other arguments as attention_groups.cu.
#define GROUPS 3

struct Stages { // two, and barriers for each: there, and free again; and for each group: it has taken its powers
  char *pool;
  int bytes;
  u64 *full, *empty, *weighed;
};
__device__ __forceinline__ Rows rows_at(const Args &a, u32 index) {
  u32 heads = (u32)a.n[1], head = index % heads;
  return Rows{0, (int)a.n[4], index / heads, head, head / (heads / (u32)a.n[2])};
}

__device__ __forceinline__ void bring_heads(const BoxArgs &b, const Stages &s) {
  u32 turn = 0;
  follow(b.a);
  for (u32 index = blockIdx.x; index < b.a.n[0]; index += gridDim.x, turn++) {
    Rows r = rows_at(b.a, index);
    char *stage = s.pool + turn % 2 * s.bytes;
    u64 *full = &s.full[turn % 2];
    wait_for_turn(&s.empty[turn % 2], turn / 2 % 2 ^ 1);
    arrive_for(full, s.bytes);
    for (int box = 0; box < BOXES(HEAD); box++) {
      copy_box(stage + box * KEYS * 128, b.right, full, 64 * box, 0, (int)r.shared_head, (int)r.batch);
      for (int part = 0; part < b.a.n[29]; part++)
        copy_box(stage + STAGE_BYTES + part * QUERY_BYTES + box * 64 * 128, b.left, full, 64 * box, 64 * part, (int)r.head, (int)r.batch);
    }
    for (int box = 0; box < BOXES(VALUE); box++)
      copy_box(stage + KEY_BYTES + box * KEYS * 128, b.third, full, 64 * box, 0, (int)r.shared_head, (int)r.batch);
  }
}

// The groups take powers one after the other, else all would do so at once and no products under it. A group waits
// for every head and frees it, even one that it has no part of, so that no barrier runs ahead of it.
__device__ __forceinline__ void attend_heads(const Args &a, const Stages &s) {
  u32 parts = (u32)a.n[29], group = threadIdx.x / 128, turn = 0, item = group;
  follow(a);
  for (u32 index = blockIdx.x; index < a.n[0]; index += gridDim.x, turn++) {
    Rows r = rows_at(a, index);
    const char *stage = s.pool + turn % 2 * s.bytes;
    wait_for_turn(&s.full[turn % 2], turn / 2 % 2);
    if (item >= (turn + 1) * parts && threadIdx.x % 32 == 0) arrive(&s.empty[turn % 2]);
    for (; item < (turn + 1) * parts; item += GROUPS) {
      u32 part = item - turn * parts;
      int query = (int)part * 64 + threadIdx.x / 32 % 4 * 16 + threadIdx.x % 32 / 4;
      float results[BOXES(VALUE) * COLUMNS / 2], most[2] = {-INFINITY, -INFINITY}, sum[2] = {};
      Order order = {item ? &s.weighed[(item - 1) % GROUPS] : nullptr, (item - 1) / GROUPS % 2, &s.weighed[group]};
      attend<true>(a, r, stage + STAGE_BYTES + part * QUERY_BYTES, stage, query, 0, results, most, sum, order);
      if (item + GROUPS >= (turn + 1) * parts && threadIdx.x % 32 == 0) arrive(&s.empty[turn % 2]);
      finish_rows(a, r, results, sum, query);
    }
  }
}

// A fourth group brings the boxes and gives its registers away.
extern "C" __global__ void __launch_bounds__(128 * GROUPS + 128, 1) kernel(const __grid_constant__ BoxArgs b) {
  Stages s;
  s.pool = aligned_pool(), s.bytes = STAGE_BYTES + (int)b.a.n[29] * QUERY_BYTES;
  s.full = (u64 *)(s.pool + 2 * s.bytes), s.empty = s.full + 2, s.weighed = s.full + 4;
  if (threadIdx.x == 0) {
    for (int i = 0; i < 2; i++) begin_barrier(&s.full[i], 1), begin_barrier(&s.empty[i], 4 * GROUPS);
    for (int i = 0; i < GROUPS; i++) begin_barrier(&s.weighed[i], 4);
    show_shared();
  }
  __syncthreads();
  if (threadIdx.x >= 128 * GROUPS) {
    give_registers<32>();
    if (threadIdx.x == 128 * GROUPS) bring_heads(b, s);
  } else {
    take_registers<160>();
    attend_heads(b.a, s);
  }
}
