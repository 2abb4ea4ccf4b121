// Where along lines the greatest or least element is. p[0] x, p[1] y. n[0] lines, n[1] elements of a line, n[2] the step
// between them, n[3] whether a thread takes a line, else a block does. NaN is beyond all; of equals the first counts, or
// the last.
struct Best {
  R value;
  s64 at;
};
__device__ __forceinline__ Best better(const Best &x, const Best &y) {
  bool nx = x.value != x.value, ny = y.value != y.value, later = x.at > y.at;
  bool equal = (nx && ny) || x.value == y.value;
  bool beyond = equal ? later == LAST : nx || (!ny && (MOST ? x.value > y.value : x.value < y.value));
  return beyond ? x : y;
}
__device__ __forceinline__ Best best_of(const Args &a, s64 base, s64 first, s64 step) {
  s64 start = first < a.n[1] ? first : 0;
  Best best = {load<T>(a.p[0], base + start * a.n[2]), start};
  for (s64 k = start + step; k < a.n[1]; k += step) {
    Best next = {load<T>(a.p[0], base + k * a.n[2]), k};
    best = better(best, next);
  }
  return best;
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 *y = (s64 *)a.p[1], step = a.n[2];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; a.n[3] && i < a.n[0]; i += gridDim.x * (s64)blockDim.x)
    y[i] = best_of(a, i / step * step * a.n[1] + i % step, 0, 1).at;
  for (s64 i = blockIdx.x; !a.n[3] && i < a.n[0]; i += gridDim.x) {
    Best best = best_of(a, i / step * step * a.n[1] + i % step, threadIdx.x, 256);
    best = block_reduce(best, better);
    if (threadIdx.x == 0) y[i] = best.at;
  }
}
