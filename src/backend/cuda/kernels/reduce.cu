// Sums, means, products, extremes over axes: a block an output. p[0] x.
// n[0] outputs, n[1] elements each, n[2] kept axes, n[3] reduced axes; n[8…] and n[16…] sizes and
// strides of the kept ones, n[24…] and n[32…] of the reduced ones.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  s64 count = a.n[1];
  auto combine = [](R x, R y) { return COMBINE; };
  for (s64 o = blockIdx.x; o < a.n[0]; o += gridDim.x) {
    s64 base = place_in(a, (int)a.n[2], 8, 16, o);
    R sum = START;
    for (s64 k = threadIdx.x; k < count; k += 256) {
      R x = sum, y;
      {
        R x = load<T>(a.p[0], base + place_in(a, (int)a.n[3], 24, 32, k));
        y = EACH;
      }
      sum = COMBINE;
    }
    sum = block_reduce(sum, combine);
    if (threadIdx.x == 0) finish(a, o, COLUMN(o), END);
  }
}
