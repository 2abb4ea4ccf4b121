// layer_norm and rms_norm: a block a row. p[0] x. n[0] rows, n[1] elements of a row.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  s64 size = a.n[1];
  auto add = [](R x, R y) { return x + y; };
  for (s64 row = blockIdx.x; row < a.n[0]; row += gridDim.x) {
    s64 base = row * size;
    R mean = 0, square = 0;
    if (CENTER) {
      for (s64 k = threadIdx.x; k < size; k += 256) mean += load<T>(a.p[0], base + k);
      mean = block_reduce(mean, add) / (R)size;
    }
    for (s64 k = threadIdx.x; k < size; k += 256) {
      R x = load<T>(a.p[0], base + k) - mean;
      square += x * x;
    }
    R scale = R(1) / sqrt(block_reduce(square, add) / (R)size + EPSILON);
    for (s64 k = threadIdx.x; k < size; k += 256) {
      s64 i = base + k;
      finish(a, i, COLUMN(i), (load<T>(a.p[0], i) - mean) * scale);
    }
  }
}
