// Convolution, channels last, an output a thread: any number of groups. p[0] x, p[1] w.
// n[0] outputs; n[1] channels; n[2]…n[13] as for pooling; n[14] filters; n[15] groups.
extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  s64 channels = a.n[1], filters = a.n[14], per_group = channels / a.n[15];
  s64 of_group = filters / a.n[15];
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    s64 m = i % filters, pixel = i / filters, first = m / of_group * per_group;
    s64 left = pixel % a.n[5] * a.n[9] - a.n[13];
    s64 top = pixel / a.n[5] % a.n[4] * a.n[8] - a.n[12];
    s64 image = pixel / a.n[5] / a.n[4] * a.n[2] * a.n[3];
    R sum = 0;
    for (s64 r = 0; r < a.n[6]; r++) {
      s64 y = top + r * a.n[10];
      if (y < 0 || y >= a.n[2]) continue;
      for (s64 s = 0; s < a.n[7]; s++) {
        s64 x = left + s * a.n[11];
        if (x < 0 || x >= a.n[3]) continue;
        s64 at = (image + y * a.n[3] + x) * channels + first;
        s64 tap = (r * a.n[7] + s) * per_group * filters + m;
        for (s64 c = 0; c < per_group; c++)
          sum += load<T>(a.p[0], at + c) * load<T>(a.p[1], tap + c * filters);
      }
    }
    finish(a, i, COLUMN(i), sum);
  }
}
