// All steps of kernels/recurrent.cu in one launch, for up to ENTRIES of the batch: a cluster of blocks a direction, which
// may read and write each other's shared memory. Each block keeps the rows of r of its units there, with the state of
// all: its warps compute new states of their units and give them to every block. The pool holds rows of T, then of R two
// states in turn, what a reset gate leaves of one, and the block's cells.
typedef Args BoxArgs; // no boxes are read
#define BLOCKS 8      // of a cluster
#define WARPS 16
#ifdef __CUDACC__
extern __shared__ __align__(1024) char shared_pool[];
__device__ __forceinline__ char *aligned_pool() { return shared_pool; }
__device__ __forceinline__ int cluster_blocks() { return BLOCKS; }
__device__ __forceinline__ void meet_cluster() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}
// The same place in block `block` of the cluster.
__device__ __forceinline__ R *in_block(R *place, int block) {
  u64 there;
  asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(place), "r"(block));
  return (R *)there;
}
#endif

struct Cluster {
  s64 direction, hidden, first; // of the block's units
  int units, blocks, entries;
  T *rows; // of r: [units, GATES, hidden]
  R *state[2], *kept, *cell;
};
__device__ __forceinline__ Cluster cluster_of(const Args &a) {
  Cluster c;
  c.blocks = cluster_blocks(), c.direction = blockIdx.z, c.hidden = a.n[3], c.entries = (int)a.n[2];
  int each = (int)((c.hidden + c.blocks - 1) / c.blocks);
  c.first = (s64)each * blockIdx.x;
  c.units = c.hidden - c.first < each ? (int)(c.hidden - c.first) : each;
  c.rows = (T *)aligned_pool();
  c.state[0] = (R *)(aligned_pool() + (each * GATES * c.hidden * sizeof(T) + 15) / 16 * 16);
  c.state[1] = c.state[0] + ENTRIES * c.hidden;
  c.kept = c.state[1] + ENTRIES * c.hidden;
  c.cell = c.kept + (FIRST ? ENTRIES * c.hidden : 0);
  return c;
}
__device__ __forceinline__ void give_all(const Cluster &c, R *state, s64 entry, s64 unit, R value) {
  for (int block = 0; block < c.blocks; block++) in_block(state, block)[entry * c.hidden + unit] = value;
}

__device__ __forceinline__ void begin(const Args &a, const Cluster &c) {
  s64 base = c.direction * a.n[2] * c.hidden;
  for (s64 i = threadIdx.x; i < c.units * GATES * c.hidden; i += 32 * WARPS) {
    s64 k = i % c.hidden, gate = i / c.hidden % GATES, unit = c.first + i / c.hidden / GATES;
    c.rows[i] = ((const T *)a.p[2])[((c.direction * GATES + gate) * c.hidden + unit) * c.hidden + k];
  }
  for (s64 i = threadIdx.x; i < c.entries * c.hidden; i += 32 * WARPS) c.state[0][i] = AT(12)[base + i];
  for (s64 i = threadIdx.x; i < c.entries * c.units; i += 32 * WARPS)
    c.cell[i] = AT(14)[base + i / c.units * c.hidden + c.first + i % c.units];
}

#if FIRST
__device__ __forceinline__ void reset_units(const Args &a, const Cluster &c, s64 now, const R *state) {
  int lane = threadIdx.x % 32, entry = lane < c.entries ? lane : 0;
  for (int u = threadIdx.x / 32; u < c.units; u += WARPS) {
    Spot s = spot_of(a, now, c.direction, entry, c.first + u);
    R sums[GATES] = {}, in[GATES];
    if (s.time >= 0) take_inputs(a, s, in);
    multiply<FIRST>(c.rows + u * GATES * c.hidden, c.hidden, state, c.hidden, c.entries, sums);
    if (lane >= c.entries || s.time < 0) continue;
    add_biases(a, s, 0, FIRST, sums);
    c.cell[entry * c.units + u] = active(s, 0, in[GATE_Z] + sums[GATE_Z]);
    R reset = active(s, 0, in[GATE_R] + sums[GATE_R]);
    give_all(c, c.kept, entry, s.unit, reset * state[entry * c.hidden + s.unit]);
  }
}
#endif
__device__ __forceinline__ void step_units(const Args &a, const Cluster &c, s64 now, const R *state, R *next) {
  int lane = threadIdx.x % 32, entry = lane < c.entries ? lane : 0;
  for (int u = threadIdx.x / 32; u < c.units; u += WARPS) {
    Spot s = spot_of(a, now, c.direction, entry, c.first + u);
    R sums[GATES] = {}, in[GATES];
    if (s.time >= 0) take_inputs(a, s, in);
    multiply<GATES - FIRST>(c.rows + (u * GATES + FIRST) * c.hidden, c.hidden, FIRST ? c.kept : state, c.hidden, c.entries,
                            sums);
    if (lane >= c.entries) continue;
    R h = state[entry * c.hidden + s.unit], cell = c.cell[entry * c.units + u];
    if (s.time >= 0) {
      add_biases(a, s, FIRST, GATES - FIRST, sums);
      h = step(a, s, in, sums, h, cell);
    }
    c.cell[entry * c.units + u] = cell;
    give_all(c, next, entry, s.unit, h);
    put_state(a, s, now, h, cell);
  }
}

extern "C" __global__ void __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(32 * WARPS)
kernel(const __grid_constant__ BoxArgs a) {
  follow(a);
  Cluster c = cluster_of(a);
  if ((int)blockIdx.x >= c.blocks) return;
  begin(a, c);
  meet_cluster();
  for (s64 now = 0; now < a.n[1]; now++) {
    const R *state = c.state[now % 2];
#if FIRST
    reset_units(a, c, now, state);
    meet_cluster();
#endif
    step_units(a, c, now, state, c.state[(now + 1) % 2]);
    meet_cluster();
  }
}
