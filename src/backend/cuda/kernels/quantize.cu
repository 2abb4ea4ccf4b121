// quantize and dequantize with scales known at run, in blocks, of fewer than 8 bits. p[0] x, p[1] scales of type S, p[2]
// zero points or NULL, p[3] y. n[0] elements, n[1] extent of the scaled axis, n[2] elements after it, n[3] its positions
// that share a scale, n[4] scales along it, n[5] whether the other axes have scales too. D is what is computed in, P the
// precision of a quotient. WHOLE loads integers.
template <int bits, bool is_signed> __device__ __forceinline__ s32 packed(const void *p, s64 i) {
  s32 code = ((const u8 *)p)[i * bits / 8] >> i * bits % 8 & ((1 << bits) - 1);
  return is_signed && code >> (bits - 1) ? code - (1 << bits) : code;
}
__device__ __forceinline__ s64 scale_of(const Args &a, s64 i) {
  s64 inner = i % a.n[2], outer = i / a.n[2], at = outer % a.n[1] / a.n[3];
  return a.n[5] ? (outer / a.n[1] * a.n[4] + at) * a.n[2] + inner : at;
}
__device__ __forceinline__ D zero_of(const Args &a, s64 scale) { return a.p[2] ? (D)WHOLE(a.p[2], scale) : D(0); }

#if QUANTIZES
__device__ __forceinline__ s64 code_of(const Args &a, s64 i) {
  s64 scale = scale_of(a, i);
  D value = as<P>((D)load<T>(a.p[0], i) / (D)load<S>(a.p[1], scale));
  value = value != value ? D(0) : rint(value) + zero_of(a, scale);
  return (s64)(value < LOWEST ? LOWEST : value > HIGHEST ? HIGHEST : value);
}
#endif

extern "C" __global__ void __launch_bounds__(256) kernel(const __grid_constant__ Args a) {
  follow(a);
  s64 first = blockIdx.x * (s64)blockDim.x + threadIdx.x, step = gridDim.x * (s64)blockDim.x;
#if !QUANTIZES
  for (s64 i = first; i < a.n[0]; i += step) {
    s64 scale = scale_of(a, i);
    store<T>(a.p[3], i, (R)(((D)WHOLE(a.p[0], i) - zero_of(a, scale)) * (D)load<S>(a.p[1], scale)));
  }
#elif BITS >= 8
  for (s64 i = first; i < a.n[0]; i += step) store<WholeType>(a.p[3], i, code_of(a, i));
#else
  const int each = 8 / BITS; // a byte a thread
  for (s64 i = first * each; i < a.n[0]; i += step * each) {
    u32 byte = 0;
    for (int e = 0; e < each && i + e < a.n[0]; e++) byte |= ((u32)code_of(a, i + e) & ((1u << BITS) - 1)) << e * BITS;
    ((u8 *)a.p[3])[i / each] = (u8)byte;
  }
#endif
}
