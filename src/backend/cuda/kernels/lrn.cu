// x over a power of the squares of the channels around: channels last, an element a thread. p[0] x. n[0] elements,
// n[1] channels, n[2] and n[3] how many of them count before and after.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    s64 channel = remainder_of(i, a.n[1]), first = channel - a.n[2], last = channel + a.n[3];
    R sum = 0;
    for (s64 c = first < 0 ? 0 : first; c <= last && c < a.n[1]; c++) {
      R x = load<T>(a.p[0], i - channel + c);
      sum += x * x;
    }
    finish(a, i, COLUMN(i), load<T>(a.p[0], i) / pow(BIAS + ALPHA * sum, BETA));
  }
}
