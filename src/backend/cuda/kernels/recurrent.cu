// lstm, gru and rnn, a launch a step. Of a direction: p[0] x [steps, batch, input], p[1] w [gates * hidden, input],
// p[2] r [gates * hidden, hidden], p[3] biases of w, then of r, or NULL, p[4] lengths of type I or NULL, p[5] and p[6]
// the first h and c or NULL, p[7] peepholes or NULL; p[8] y [steps, directions, batch, hidden], p[9] and p[10] the last
// h and c, NULL where unwanted. Of type R: p[11] x w' of all directions, steps and entries, p[12] h before and p[13]
// after the step, p[14] c, p[15] what the reset gate leaves of h. n[0] the step, n[1] steps, n[2] batch, n[3] hidden,
// n[4] directions, n[5] whether the first of them goes backwards.
// PHASE 0 begins, 1 steps. Gates from FIRST on are of a second launch of the step, which reads what the reset gate left;
// n[6] says that this is the first.
#define AT(pointer) ((R *)a.p[pointer])

struct Spot {
  s64 direction, entry, unit;
  s64 state; // its place in h and c
  s64 time;  // of the step in this sequence; -1: it is over
};
__device__ __forceinline__ Spot spot_of(const Args &a, s64 now, s64 direction, s64 entry, s64 unit) {
  Spot s = {direction, entry, unit, (direction * a.n[2] + entry) * a.n[3] + unit, now};
  s64 length = a.p[4] ? (s64)load<I>(a.p[4], entry) : a.n[1];
  if (length > a.n[1]) length = a.n[1];
  if (now >= length) s.time = -1;
  else if (direction == 1 || a.n[5]) s.time = length - 1 - now;
  return s;
}
// What gate `g` of a unit gets of the input, and as the bias of the state.
__device__ __forceinline__ R of_input(const Args &a, const Spot &s, int g) {
  s64 rows = GATES * a.n[3], row = g * a.n[3] + s.unit;
  R sum = AT(11)[((s.direction * a.n[1] + s.time) * a.n[2] + s.entry) * rows + row];
  return a.p[3] ? sum + load<T>(a.p[3], 2 * s.direction * rows + row) : sum;
}
__device__ __forceinline__ R state_bias(const Args &a, const Spot &s, int g) {
  return a.p[3] ? load<T>(a.p[3], ((2 * s.direction + 1) * GATES + g) * a.n[3] + s.unit) : R(0);
}
__device__ __forceinline__ R clipped(R x) { return CLIP > 0 ? fmax(-CLIP, fmin(CLIP, x)) : x; }
// Activation `which` of a direction.
__device__ __forceinline__ R active(const Spot &s, int which, R x) {
  return activate((int)s.direction * FUNCTIONS + which, clipped(x));
}

// What the gates get of the input, and from gate `first` on biases to the state's products with r.
__device__ __forceinline__ void take_inputs(const Args &a, const Spot &s, R *in) {
  for (int g = 0; g < GATES; g++) in[g] = of_input(a, s, g);
}
__device__ __forceinline__ void add_biases(const Args &a, const Spot &s, int first, int count, R *sums) {
  for (int g = 0; g < count; g++) sums[g] += state_bias(a, s, first + g);
}

// The new state of a unit, from the old one and the sums of input and state. `c` is the cell's; of a gru in two launches
// what its first left of gate z.
#if LSTM
enum { GATE_I, GATE_O, GATE_F, GATE_C };
__device__ __forceinline__ R peephole(const Args &a, const Spot &s, int g, R c) {
  return a.p[7] ? load<T>(a.p[7], (s.direction * 3 + g) * a.n[3] + s.unit) * c : R(0);
}
__device__ __forceinline__ R step(const Args &a, const Spot &s, const R *in, const R *sums, R, R &c) {
  R i = active(s, 0, in[GATE_I] + sums[GATE_I] + peephole(a, s, GATE_I, c));
  R f = COUPLED ? 1 - i : active(s, 0, in[GATE_F] + sums[GATE_F] + peephole(a, s, GATE_F, c));
  c = f * c + i * active(s, 1, in[GATE_C] + sums[GATE_C]);
  R o = active(s, 0, in[GATE_O] + sums[GATE_O] + peephole(a, s, GATE_O, c));
  return o * activate((int)s.direction * FUNCTIONS + 2, c);
}
#elif GRU
enum { GATE_Z, GATE_R, GATE_H };
__device__ __forceinline__ R step(const Args &a, const Spot &s, const R *in, const R *sums, R h, R &c) {
#if FIRST
  R z = c, fresh = in[GATE_H] + sums[0];
#else
  R z = active(s, 0, in[GATE_Z] + sums[GATE_Z]), reset = active(s, 0, in[GATE_R] + sums[GATE_R]);
  R fresh = in[GATE_H] + reset * sums[GATE_H];
#endif
  return (1 - z) * active(s, 1, fresh) + z * h;
}
#else
__device__ __forceinline__ R step(const Args &a, const Spot &s, const R *in, const R *sums, R, R &c) {
  return active(s, 0, in[0] + sums[0]);
}
#endif
// A unit's state goes where the node's results are.
__device__ __forceinline__ void put_state(const Args &a, const Spot &s, s64 now, R h, R c) {
  s64 time = s.time < 0 ? now : s.time, at = ((time * a.n[4] + s.direction) * a.n[2] + s.entry) * a.n[3] + s.unit;
  if (a.p[8]) store<T>(a.p[8], at, s.time < 0 ? R(0) : h);
  if (now + 1 < a.n[1]) return;
  if (a.p[9]) store<T>(a.p[9], s.state, h);
  if (a.p[10]) store<T>(a.p[10], s.state, c);
}

// Products of `state` with a unit's rows of r, for up to ENTRIES of the batch: lane j keeps those of the j-th.
#define ENTRIES 8
// Rows of the gates lie `apart`.
template <int count, int most>
__device__ __forceinline__ void multiply_some(const T *rows, s64 apart, const R *state, int hidden, int entries, R *mine) {
  int lane = threadIdx.x % 32;
  R sums[count][most] = {};
#pragma unroll 4
  for (int k = lane; k < hidden; k += 32) {
    R weights[count];
    for (int g = 0; g < count; g++) weights[g] = load<T>(rows, g * apart + k);
#pragma unroll
    for (int e = 0; e < most; e++) {
      if (e >= entries) continue;
      R x = state[e * hidden + k];
      for (int g = 0; g < count; g++) sums[g][e] += weights[g] * x;
    }
  }
#pragma unroll
  for (int e = 0; e < most; e++) {
    if (e >= entries) continue;
#pragma unroll
    for (int bit = 16; bit > 0; bit /= 2)
      for (int g = 0; g < count; g++) sums[g][e] += lane_across(sums[g][e], bit);
    for (int g = 0; g < count && lane == e; g++) mine[g] = sums[g][e];
  }
}
template <int count>
__device__ __forceinline__ void multiply(const T *rows, s64 apart, const R *state, s64 hidden, int entries, R *mine) {
  if (entries == 1) multiply_some<count, 1>(rows, apart, state, (int)hidden, 1, mine);
  else multiply_some<count, ENTRIES>(rows, apart, state, (int)hidden, entries, mine);
}

#if PHASE == 0
// Lengths are looked at here alone.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 first = blockIdx.x * (s64)blockDim.x + threadIdx.x, step = gridDim.x * (s64)blockDim.x;
  for (s64 i = first; a.p[4] && i < a.n[2]; i += step) count_at(a, a.p[4], i, a.n[1] + 1);
  for (s64 i = first; i < a.n[4] * a.n[2] * a.n[3]; i += step) {
    AT(12)[i] = a.p[5] ? load<T>(a.p[5], i) : R(0);
    AT(14)[i] = a.p[6] ? load<T>(a.p[6], i) : R(0);
  }
}
#elif PHASE == 1
// A warp a unit of up to ENTRIES of the batch: the grid's x, y and z are units, entries and directions.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 unit = blockIdx.x * 8ll + threadIdx.x / 32, entry = blockIdx.y * (s64)ENTRIES, direction = blockIdx.z;
  if (unit >= a.n[3]) return;
  int entries = a.n[2] - entry < ENTRIES ? (int)(a.n[2] - entry) : ENTRIES, lane = threadIdx.x % 32;
  s64 base = (direction * a.n[2] + entry) * a.n[3], apart = a.n[3] * a.n[3];
  const T *rows = (const T *)a.p[2] + direction * GATES * apart + unit * a.n[3];
  R sums[GATES] = {}, in[GATES];
  Spot s = spot_of(a, a.n[0], direction, entry + (lane < entries ? lane : 0), unit);
#if FIRST
  if (a.n[6]) {
    multiply<FIRST>(rows, apart, AT(12) + base, a.n[3], entries, sums);
    if (lane >= entries || s.time < 0) return;
    take_inputs(a, s, in);
    add_biases(a, s, 0, FIRST, sums);
    AT(13)[s.state] = active(s, 0, in[GATE_Z] + sums[GATE_Z]);
    AT(15)[s.state] = active(s, 0, in[GATE_R] + sums[GATE_R]) * AT(12)[s.state];
    return;
  }
#endif
  multiply<GATES - FIRST>(rows + FIRST * apart, apart, AT(FIRST ? 15 : 12) + base, a.n[3], entries, sums);
  if (lane >= entries) return;
  R h = AT(12)[s.state], c = AT(FIRST ? 13 : 14)[s.state];
  if (s.time >= 0) {
    take_inputs(a, s, in);
    add_biases(a, s, FIRST, GATES - FIRST, sums);
    h = step(a, s, in, sums, h, c);
  }
  AT(13)[s.state] = h;
  if (LSTM) AT(14)[s.state] = c;
  put_state(a, s, a.n[0], h, c);
}
#endif
