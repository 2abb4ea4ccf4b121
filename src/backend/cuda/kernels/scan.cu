// Running sums or products along lines. p[0] x, p[1] y. n[0] lines, n[1] elements of a line, n[2] the step between them,
// n[3] whether a thread takes a line, else a block does, 256 elements a turn.
__device__ __forceinline__ R combine(R x, R y) { return COMBINE; }
__device__ __forceinline__ s64 place_of(const Args &a, s64 base, s64 k) {
  return base + (REVERSE ? a.n[1] - 1 - k : k) * a.n[2];
}

__device__ __forceinline__ void scan_by_thread(const Args &a, s64 base) {
  R sum = START;
  for (s64 k = 0; k < a.n[1]; k++) {
    s64 at = place_of(a, base, k);
    R before = sum;
    sum = combine(sum, load<T>(a.p[0], at));
    store<T>(a.p[1], at, EXCLUSIVE ? before : sum);
  }
}

__device__ __forceinline__ void scan_by_block(const Args &a, s64 base) {
  __shared__ R parts[256];
  int t = threadIdx.x;
  R carried = START;
  for (s64 first = 0; first < a.n[1]; first += 256) {
    s64 at = place_of(a, base, first + t);
    bool inside = first + t < a.n[1];
    R sum = inside ? load<T>(a.p[0], at) : START;
    for (int off = 1; off < 256; off *= 2) {
      __syncthreads();
      parts[t] = sum;
      __syncthreads();
      if (t >= off) sum = combine(parts[t - off], sum);
    }
    __syncthreads();
    parts[t] = sum;
    __syncthreads();
    if (EXCLUSIVE) sum = t > 0 ? parts[t - 1] : START;
    if (inside) store<T>(a.p[1], at, combine(carried, sum));
    carried = combine(carried, parts[255]);
  }
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 step = a.n[2];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; a.n[3] && i < a.n[0]; i += gridDim.x * (s64)blockDim.x)
    scan_by_thread(a, i / step * step * a.n[1] + i % step);
  for (s64 i = blockIdx.x; !a.n[3] && i < a.n[0]; i += gridDim.x)
    scan_by_block(a, i / step * step * a.n[1] + i % step);
}
