// Sums, means, products, extremes over axes: a block an output, or, where n[4] says that neighbours of an output
// lie side by side, a block for 32 of them, whose warps share the elements. p[0] x.
// n[0] outputs, n[1] elements each, n[2] kept axes, n[3] reduced axes; n[8…] and n[16…] sizes and
// strides of the kept ones, n[24…] and n[32…] of the reduced ones.
__device__ __forceinline__ s64 reduced_place(const Args &a, s64 k) {
  return a.n[3] == 1 ? k * a.n[32] : place_in(a, (int)a.n[3], 24, 32, k);
}
__device__ __forceinline__ R combine(R x, R y) { return COMBINE; }
__device__ __forceinline__ R each(R x) { return EACH; }
__device__ __forceinline__ R reduce_some(const Args &a, s64 base, s64 first, s64 step) {
  R sum = START;
#pragma unroll 4
  for (s64 k = first; k < a.n[1]; k += step) sum = combine(sum, each(load<T>(a.p[0], base + reduced_place(a, k))));
  return sum;
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow();
  __shared__ R parts[8][32];
  s64 count = a.n[1];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (s64 o = blockIdx.x; !a.n[4] && o < a.n[0]; o += gridDim.x) {
    R sum = reduce_some(a, place_in(a, (int)a.n[2], 8, 16, o), threadIdx.x, 256);
    sum = block_reduce(sum, combine);
    if (threadIdx.x == 0) finish(a, o, COLUMN(o), END);
  }
  for (s64 first = blockIdx.x * 32ll; a.n[4] && first < a.n[0]; first += gridDim.x * 32ll) {
    s64 o = first + lane;
    bool inside = o < a.n[0];
    R sum = inside ? reduce_some(a, place_in(a, (int)a.n[2], 8, 16, o), warp, 8) : START;
    __syncthreads();
    parts[warp][lane] = sum;
    __syncthreads();
    for (int w = 1; warp == 0 && w < 8; w++) sum = combine(sum, parts[w][lane]);
    if (warp == 0 && inside) finish(a, o, COLUMN(o), END);
  }
}
