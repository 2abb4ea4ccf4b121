// Adds what product.cu left of each part of the depth. p[2] sums, part by part of every matrix.
// n[0] elements of y, n[36] parts, n[38] elements of a matrix.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 parts = a.n[36], size = a.n[38];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    const R *first = (const R *)a.p[2] + i / size * parts * size + i % size;
    R sum = 0;
    for (s64 part = 0; part < parts; part++) sum += first[part * size];
    finish(a, i, COLUMN(i), ALPHA * sum);
  }
}
