// Nearest and linear interpolation along two axes, an output a thread: x of [outer, in 0, between, in 1,
// inner]. p[0] x. n[0] outputs; n[1] inner; n[2], n[3] sizes of axis 1 in x and y; n[4] between;
// n[5], n[6] of axis 0; n[7], n[8] the scales of axes 0 and 1, bits of a float. Places are computed in
// single precision, each operation rounded, as ONNX's reference does: which pixel is nearest hangs on it.
__device__ __forceinline__ float source(s64 at, s64 in, s64 out, float scale) {
  float y = (float)at;
#if COORDINATES == 0
  return (y + 0.5f) / scale - 0.5f;
#elif COORDINATES == 1
  return out == 1 ? 0.0f : (y + 0.5f) / scale - 0.5f;
#elif COORDINATES == 2
  float whole = scale * (float)in;
  return whole == 1.0f ? 0.0f : y * ((float)in - 1.0f) / (whole - 1.0f);
#elif COORDINATES == 3
  return y / scale;
#else
  return (y + 0.5f) / scale;
#endif
}
__device__ __forceinline__ s64 within(double place, s64 size) {
  return !(place > 0) ? 0 : place < (double)size ? (s64)place : size - 1;
}
__device__ __forceinline__ double nearest(double x) {
#if NEAREST == 0
  return ceil(x - 0.5);
#elif NEAREST == 1
  return floor(x + 0.5);
#elif NEAREST == 2
  return floor(x);
#else
  return ceil(x);
#endif
}

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  float scale0 = __uint_as_float((u32)a.n[7]), scale1 = __uint_as_float((u32)a.n[8]);
  for (s64 i = blockIdx.x * (s64)blockDim.x + threadIdx.x; i < a.n[0]; i += gridDim.x * (s64)blockDim.x) {
    s64 inner = i % a.n[1], rest = i / a.n[1], at1 = rest % a.n[3];
    rest /= a.n[3];
    s64 between = rest % a.n[4];
    rest /= a.n[4];
    s64 at0 = rest % a.n[6], outer = rest / a.n[6];
    double x0 = source(at0, a.n[5], a.n[6], scale0), x1 = source(at1, a.n[2], a.n[3], scale1);
#define ELEMENT_AT(p0, p1) \
  load<T>(a.p[0], (((outer * a.n[5] + (p0)) * a.n[4] + between) * a.n[2] + (p1)) * a.n[1] + inner)
#if LINEAR
    double base0 = ceil(x0) - 1, base1 = ceil(x1) - 1;
    s64 low0 = within(base0, a.n[5]), high0 = within(base0 + 1, a.n[5]);
    s64 low1 = within(base1, a.n[2]), high1 = within(base1 + 1, a.n[2]);
    R by0 = (R)(x0 - base0), by1 = (R)(x1 - base1);
    R low = ELEMENT_AT(low0, low1) * (1 - by1) + ELEMENT_AT(low0, high1) * by1;
    R high = ELEMENT_AT(high0, low1) * (1 - by1) + ELEMENT_AT(high0, high1) * by1;
    R value = low * (1 - by0) + high * by0;
#else
    R value = ELEMENT_AT(within(nearest(x0), a.n[5]), within(nearest(x1), a.n[2]));
#endif
    finish(a, i, COLUMN(i), value);
  }
}
