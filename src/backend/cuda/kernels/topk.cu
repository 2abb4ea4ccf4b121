// The k first elements of lines in order, a block a line: k rounds, each finding what comes next after
// the last. p[0] x, p[1] values or NULL, p[2] positions or NULL. n[0] lines; n[1] elements of a line;
// n[2] k; n[3] elements after the axis. Equals go by position, NaN is greater than all.
__device__ __forceinline__ int order(R x, R y) {
  bool nx = x != x, ny = y != y;
  int way = nx || ny ? (int)nx - (int)ny : (int)(x > y) - (int)(x < y);
  return LARGEST ? -way : way;
}
__device__ __forceinline__ bool stands_before(R x, s64 at, R y, s64 other) {
  int way = order(x, y);
  return way < 0 || (way == 0 && at < other);
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  __shared__ R values[256];
  __shared__ s64 places[256];
  for (s64 line = blockIdx.x; line < a.n[0]; line += gridDim.x) {
    s64 outer = line / a.n[3], inner = line % a.n[3], first = outer * a.n[1] * a.n[3] + inner;
    R last = 0;
    s64 last_at = -1;
    for (s64 k = 0; k < a.n[2]; k++) {
      R best = 0;
      s64 best_at = -1;
      for (s64 i = threadIdx.x; i < a.n[1]; i += 256) {
        R x = load<T>(a.p[0], first + i * a.n[3]);
        if (last_at >= 0 && !stands_before(last, last_at, x, i)) continue;
        if (best_at < 0 || stands_before(x, i, best, best_at)) best = x, best_at = i;
      }
      __syncthreads();
      values[threadIdx.x] = best;
      places[threadIdx.x] = best_at;
      __syncthreads();
      for (int half = 128; half > 0; half /= 2) {
        if ((int)threadIdx.x < half) {
          int other = (int)threadIdx.x + half;
          bool takes = places[other] >= 0 &&
                       (places[threadIdx.x] < 0 || stands_before(values[other], places[other],
                                                                 values[threadIdx.x], places[threadIdx.x]));
          if (takes) values[threadIdx.x] = values[other], places[threadIdx.x] = places[other];
        }
        __syncthreads();
      }
      last = values[0];
      last_at = places[0];
      s64 to = (outer * a.n[2] + k) * a.n[3] + inner;
      if (threadIdx.x == 0 && a.p[1]) store<T>(a.p[1], to, last);
      if (threadIdx.x == 0 && a.p[2]) ((s64 *)a.p[2])[to] = last_at;
    }
  }
}
