// Lines divided by their norm: a block a line. p[0] x. n[0] lines, n[1] elements of a line, n[2] the step between them.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 size = a.n[1], step = a.n[2];
  for (s64 line = blockIdx.x; line < a.n[0]; line += gridDim.x) {
    s64 base = line / step * step * size + line % step;
    R norm = 0;
    for (s64 k = threadIdx.x; k < size; k += 256) {
      R x = load<T>(a.p[0], base + k * step);
      norm += SQUARES ? x * x : fabs(x);
    }
    norm = block_reduce(norm, [](R x, R y) { return x + y; });
    norm = (norm < FLOOR ? FLOOR : norm) + EPSILON;
    if (SQUARES) norm = sqrt(norm);
    for (s64 k = threadIdx.x; k < size; k += 256) {
      s64 i = base + k * step;
      R x = load<T>(a.p[0], i);
      finish(a, i, COLUMN(i), norm != 0 ? x / norm : x);
    }
  }
}
