// Sums, means, products, extremes over axes: a block an output, or, where neighbours of an output lie side by side, a
// block for 64 of them, eight by a thread (n[4] is 2), or for 32 (1), whose other threads share the elements. p[0] x.
// n[0] outputs, n[1] elements each, n[2] kept axes, n[3] reduced axes; n[8…] and n[16…] sizes and
// strides of the kept ones, n[24…] and n[32…] of the reduced ones. With SHIFTED the greatest is found before.
__device__ __forceinline__ s64 reduced_place(const Args &a, s64 k) {
  return a.n[3] == 1 ? k * a.n[32] : place_in(a, (int)a.n[3], 24, 32, k);
}
struct Wanted {
  R shift;
  static __device__ __forceinline__ R start() { return START; }
  __device__ __forceinline__ R each(R x) const { return EACH; }
  static __device__ __forceinline__ R both(R x, R y) { return COMBINE; }
};
template <class F>
__device__ __forceinline__ R reduce_some(const Args &a, const F &f, s64 base, s64 first, s64 step) {
  R sum = F::start();
#pragma unroll 4
  for (s64 k = first; k < a.n[1]; k += step) sum = F::both(sum, f.each(load<T>(a.p[0], base + reduced_place(a, k))));
  return sum;
}
template <class F> __device__ __forceinline__ R by_block(const Args &a, const F &f, s64 base) {
  return block_reduce(reduce_some(a, f, base, threadIdx.x, 256), F::both);
}
// An output a lane.
template <class F> __device__ __forceinline__ R by_lanes(const Args &a, const F &f, s64 base, bool inside) {
  __shared__ R parts[8][32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  R sum = inside ? reduce_some(a, f, base, warp, 8) : F::start();
  __syncthreads();
  parts[warp][lane] = sum;
  __syncthreads();
  sum = parts[0][lane];
  for (int w = 1; w < 8; w++) sum = F::both(sum, parts[w][lane]);
  return sum;
}
#if SHIFTED
struct Greatest {
  static __device__ __forceinline__ R start() { return -INFINITY; }
  __device__ __forceinline__ R each(R x) const { return x; }
  static __device__ __forceinline__ R both(R x, R y) { return x > y || x != x ? x : y; }
};
// So that no difference is taken of infinities.
__device__ __forceinline__ R shift_of(R greatest) { return fabs(greatest) == INFINITY ? R(0) : greatest; }
#define SHIFT(by, ...) shift_of(by(a, Greatest(), __VA_ARGS__))
#else
#define SHIFT(by, ...) R(0)
#endif

// Eight outputs from `o` on; the first eight threads have them whole.
__device__ __forceinline__ void by_eights(const Args &a, s64 o, R *sums) {
  __shared__ R parts[8][64];
  Wanted f = {R(0)};
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = lane % 8 * 8;
  s64 base = o < a.n[0] ? place_in(a, (int)a.n[2], 8, 16, o) : 0;
#pragma unroll
  for (int e = 0; e < 8; e++) sums[e] = Wanted::start();
#pragma unroll 2
  for (s64 k = threadIdx.x / 8; k < a.n[1] && o < a.n[0]; k += 32) {
    Eight<T> eight = load_eight<T>(a.p[0], base + reduced_place(a, k));
#pragma unroll
    for (int e = 0; e < 8; e++) sums[e] = Wanted::both(sums[e], f.each(Element<T>::value(eight.at[e])));
  }
  __syncthreads();
#pragma unroll
  for (int e = 0; e < 8; e++) {
    sums[e] = Wanted::both(sums[e], lane_across(sums[e], 8));
    sums[e] = Wanted::both(sums[e], lane_across(sums[e], 16));
    if (lane < 8) parts[warp][column + e] = sums[e];
  }
  __syncthreads();
#pragma unroll
  for (int e = 0; e < 8 && threadIdx.x < 8; e++)
    for (int w = 1; w < 8; w++) sums[e] = Wanted::both(sums[e], parts[w][column + e]);
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 count = a.n[1];
  bool eights = !SHIFTED && a.n[4] == 2 && IS_WIDE(a, a.n[7 + a.n[2]]) && ((u64)a.p[0] & 15) == 0;
  for (s64 first = blockIdx.x * 64ll; eights && first < a.n[0]; first += gridDim.x * 64ll) {
    s64 o = first + threadIdx.x % 8 * 8;
    R sums[8], shift = R(0);
    by_eights(a, o, sums);
    if (threadIdx.x >= 8 || o >= a.n[0]) continue;
#pragma unroll
    for (int e = 0; e < 8; e++) {
      R sum = sums[e];
      sums[e] = END;
    }
    finish_eight(a, o, COLUMN(o), sums);
  }
  for (s64 o = blockIdx.x; !a.n[4] && o < a.n[0]; o += gridDim.x) {
    s64 base = place_in(a, (int)a.n[2], 8, 16, o);
    R shift = SHIFT(by_block, base);
    R sum = by_block(a, Wanted{shift}, base);
    if (threadIdx.x == 0) finish(a, o, COLUMN(o), END);
  }
  for (s64 first = blockIdx.x * 32ll; a.n[4] && !eights && first < a.n[0]; first += gridDim.x * 32ll) {
    s64 o = first + threadIdx.x % 32, base = place_in(a, (int)a.n[2], 8, 16, o);
    bool inside = o < a.n[0];
    R shift = SHIFT(by_lanes, base, inside);
    R sum = by_lanes(a, Wanted{shift}, base, inside);
    if (threadIdx.x < 32 && inside) finish(a, o, COLUMN(o), END);
  }
}
