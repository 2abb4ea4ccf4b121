// What every kernel begins with: types, loads and stores, the helpers that the expressions of
// pointwise.def call. R is the type that values have in registers: float for f32, f16 and bf16,
// double for f64, 64-bit integers for integers and bool.
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
#define int64_t s64
#define uint64_t u64
struct f16 { u16 bits; };
struct bf16 { u16 bits; };

struct Args {
  void *p[24];
  s64 n[80];
};

#ifdef __CUDACC__
#define INFINITY __int_as_float(0x7f800000)
__device__ __forceinline__ float half_value(u16 bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
__device__ __forceinline__ u16 half_bits(float value) {
  u16 bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
__device__ __forceinline__ float power_of_two(float exponent) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(exponent));
  return power;
}
__device__ __forceinline__ void half_values(u32 pair, float *values) {
  asm("{\n.reg .b16 low, high;\nmov.b32 {low, high}, %2;\ncvt.f32.f16 %0, low;\ncvt.f32.f16 %1, high;\n}"
      : "=f"(values[0]), "=f"(values[1]) : "r"(pair));
}
// The value that the lane whose number differs in bit `bit` has.
template <class R> __device__ __forceinline__ R lane_across(R value, int bit) {
  return __shfl_xor_sync(~0u, value, bit);
}
__device__ __forceinline__ void store_words(void *p, u32 x, u32 y, u32 z, u32 w) {
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
// From compute capability 9.0 on a kernel may begin while the one before it ends (PTX ISA: griddepcontrol). Until
// every thread that does so has called this, it reads constants alone, of memory that kernels write nothing, and
// writes nothing there. The next kernel may begin from then on, or, where n[78] is not 0, already when all have come here.
__device__ __forceinline__ void let_next_begin() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
__device__ __forceinline__ void follow(const Args &a) {
#if __CUDA_ARCH__ >= 900
  if (a.n[78]) let_next_begin();
  asm volatile("griddepcontrol.wait;" ::: "memory");
  let_next_begin();
#endif
}
#endif
__device__ __forceinline__ float bfloat_value(u16 bits) {
  return __uint_as_float((u32)bits << 16);
}
// Two neighbours in a word.
template <class T> __device__ __forceinline__ void pair_values(u32 pair, float *values);
template <> __device__ __forceinline__ void pair_values<f16>(u32 pair, float *values) { half_values(pair, values); }
template <> __device__ __forceinline__ void pair_values<bf16>(u32 pair, float *values) {
  values[0] = bfloat_value((u16)pair), values[1] = bfloat_value((u16)(pair >> 16));
}
// Half to even; a NaN stays one.
__device__ __forceinline__ u16 bfloat_bits(float value) {
  u32 bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (u16)(bits >> 16 | 0x40);
  return (u16)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

// What an element is in registers, and back.
template <class T> struct Element {};
#define ELEMENT(T, Register, get, put)                                             \
  template <> struct Element<T> {                                                  \
    typedef Register R;                                                            \
    static __device__ __forceinline__ R value(T x) { return get; }                 \
    static __device__ __forceinline__ T element(R v) { return put; }               \
  };
ELEMENT(float, float, x, v)
ELEMENT(double, double, x, v)
ELEMENT(f16, float, half_value(x.bits), (f16{half_bits(v)}))
ELEMENT(bf16, float, bfloat_value(x.bits), (bf16{bfloat_bits(v)}))
ELEMENT(s8, s64, x, (s8)v)
ELEMENT(s16, s64, x, (s16)v)
ELEMENT(s32, s64, x, (s32)v)
ELEMENT(s64, s64, x, v)
ELEMENT(u8, u64, x, (u8)v)
ELEMENT(u16, u64, x, (u16)v)
ELEMENT(u32, u64, x, (u32)v)
ELEMENT(u64, u64, x, v)
struct truth { u8 holds; };
ELEMENT(truth, u64, (u64)(x.holds != 0), (truth{(u8)(v != 0)}))

template <class T> __device__ __forceinline__ typename Element<T>::R load(const void *p, s64 i) {
  return Element<T>::value(((const T *)p)[i]);
}
template <class T> __device__ __forceinline__ void store(void *p, s64 i, typename Element<T>::R v) {
  ((T *)p)[i] = Element<T>::element(v);
}
// Eight neighbours, moved by accesses of 16 bytes where they are so large; i is a multiple of eight and p of
// 16 bytes.
template <class T> struct __align__(sizeof(T) < 2 ? 8 : 16) Eight {
  T at[8];
};
template <class T> __device__ __forceinline__ Eight<T> load_eight(const void *p, s64 i) {
  return *(const Eight<T> *)((const T *)p + i);
}
// By instructions of 16 bytes, which the compiler would take apart; what is wider than a word lies as it is.
template <class T> __device__ __forceinline__ void store_eight(void *p, s64 i, const Eight<T> &v) {
  T *to = (T *)p + i;
  const u8 *bytes = (const u8 *)v.at;
  const u16 *halves = (const u16 *)v.at;
  const u32 *words = (const u32 *)v.at;
  if (sizeof(T) == 1) {
    u64 all = 0;
    for (int e = 0; e < 8; e++) all |= (u64)bytes[e] << 8 * e;
    *(u64 *)to = all;
  } else if (sizeof(T) == 2) {
    store_words(to, halves[0] | (u32)halves[1] << 16, halves[2] | (u32)halves[3] << 16,
                halves[4] | (u32)halves[5] << 16, halves[6] | (u32)halves[7] << 16);
  } else if (sizeof(T) == 4) {
    store_words(to, words[0], words[1], words[2], words[3]);
    store_words(to + 4, words[4], words[5], words[6], words[7]);
  } else {
    *(Eight<T> *)to = v;
  }
}
// Whether counts up to `n` can be divided in 32 bits, which costs a quarter of 64.
#define IS_SMALL(n) ((n) < 0x7fffffffll)

__device__ __forceinline__ s64 remainder_of(s64 x, s64 y) { return IS_SMALL(x | y) ? (s64)((u32)x % (u32)y) : x % y; }

// As if stored and loaded: integers wrap, narrow floats round.
template <class T> __device__ __forceinline__ typename Element<T>::R as(typename Element<T>::R v) {
  return Element<T>::value(Element<T>::element(v));
}

#define WRAP(x, operation, y) ((s64)((u64)(x) operation (u64)(y)))
#define QUOTIENT(x, y) ((x) / (y))
#define M_SQRT1_2 R(0.707106781186547524401)
#define M_2_SQRTPI R(1.12837916709551257390)
#define clip_high(x, high) ((x) > (high) ? (high) : (x))
template <class R> __device__ R sigmoid(R x) { return R(1) / (R(1) + exp(-x)); }
template <class R> __device__ R softplus(R x) { return (x > 0 ? x : R(0)) + log1p(exp(-fabs(x))); }
template <class R> __device__ R unit_clamp(R x) { return x < 0 ? R(0) : x > 1 ? R(1) : x; }
template <class R> __device__ R shrink(R x, R bias, R lambd) {
  return x < -lambd ? x + bias : x > lambd ? x - bias : x != x ? x : R(0);
}
// For what is stored in 16 bits: of a relative error of 1.4e-5 up to 5, beyond which it goes on falling. The exponent
// is a polynomial, fitted to log2(erfc) by least squares that were weighted until all peaks were alike.
__device__ __forceinline__ float short_erfc(float x) {
  float z = fabs(x), sum = -1.76993872e-5f;
  sum = sum * z + 4.448377e-4f;
  sum = sum * z - 4.96819802e-3f;
  sum = sum * z + 3.31244096e-2f;
  sum = sum * z - 0.151181504f;
  sum = sum * z - 0.918038785f;
  sum = sum * z - 1.62777853f;
  float y = power_of_two(sum * z - 1.53712099e-5f);
  return x >= 0 ? y : 2 - y;
}
template <class R> __device__ R gelu_tanh(R x) {
  return R(0.5) * x * (R(1) + tanh(M_2_SQRTPI * M_SQRT1_2 * (x + R(0.044715) * x * x * x)));
}
template <class R> __device__ R floor_mod(R x, R y) {
  R rest = fmod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
__device__ __forceinline__ s64 floor_mod_int(s64 x, s64 y) {
  s64 rest = x % y;
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}
__device__ __forceinline__ u64 power_uint(u64 x, u64 y) {
  u64 result = 1;
  for (; y; y >>= 1, x *= x)
    if (y & 1) result *= x;
  return result;
}
__device__ __forceinline__ s64 power_int(s64 x, s64 y) {
  if (y >= 0) return (s64)power_uint((u64)x, (u64)y);
  return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
}

// The element of an operand that stands at element `i` of a box: sizes at n[sizes], the operand's
// strides at n[strides], 0 where it broadcasts.
template <int rank> __device__ __forceinline__ s64 place(const Args &a, int sizes, int strides, s64 i) {
  s64 at = 0;
#pragma unroll
  for (int d = rank - 1; d >= 0; d--) {
    s64 size = a.n[sizes + d];
    bool small = IS_SMALL(i | size);
    s64 next = small ? (s64)((u32)i / (u32)size) : i / size;
    at += (i - next * size) * a.n[strides + d];
    i = next;
  }
  return at;
}
// The same for a rank that only running tells.
__device__ __forceinline__ s64 place_in(const Args &a, int rank, int sizes, int strides, s64 i) {
  s64 at = 0;
  for (int d = rank - 1; d >= 0; d--) {
    s64 size = a.n[sizes + d];
    at += i % size * a.n[strides + d];
    i /= size;
  }
  return at;
}

// Sums and extremes of a block: every thread gives one value and gets the result. The tree is fixed.
template <class R, class F> __device__ __forceinline__ R block_reduce(R value, F combine) {
  __shared__ R parts[256];
  __syncthreads();
  parts[threadIdx.x] = value;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if ((int)threadIdx.x < half) parts[threadIdx.x] = combine(parts[threadIdx.x], parts[threadIdx.x + half]);
    __syncthreads();
  }
  return parts[0];
}
