// softmax and log_softmax along one axis: a block a line. p[0] x.
// n[0] lines, n[1] elements of a line, n[2] the step between them.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 size = a.n[1], step = a.n[2];
  for (s64 line = blockIdx.x; line < a.n[0]; line += gridDim.x) {
    s64 base = line / step * step * size + line % step;
    R most = -INFINITY, sum = 0;
    for (s64 k = threadIdx.x; k < size; k += 256) {
      R x = load<T>(a.p[0], base + k * step);
      most = x > most || x != x ? x : most;
    }
    most = block_reduce(most, [](R x, R y) { return x > y || x != x ? x : y; });
    for (s64 k = threadIdx.x; k < size; k += 256) sum += exp(load<T>(a.p[0], base + k * step) - most);
    sum = block_reduce(sum, [](R x, R y) { return x + y; });
    R scale = LOG ? log(sum) : R(1) / sum;
    for (s64 k = threadIdx.x; k < size; k += 256) {
      s64 i = base + k * step;
      R x = load<T>(a.p[0], i) - most;
      finish(a, i, COLUMN(i), LOG ? x - scale : exp(x) * scale);
    }
  }
}
