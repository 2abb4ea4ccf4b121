// CUDA C on the host, for the stand-in compiler: a block's threads are fibres that run to the next
// barrier in turn, blocks run one after the other. Included before a kernel's text as C++.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#undef M_SQRT1_2
#undef M_2_SQRTPI
using std::exp, std::log, std::sqrt, std::fabs, std::tanh, std::log1p, std::expm1, std::erf, std::erfc;
using std::fmod, std::pow, std::sin, std::cos, std::tan, std::asin, std::acos, std::atan, std::atan2;
using std::sinh, std::cosh, std::asinh, std::acosh, std::atanh;
using std::floor, std::ceil, std::rint, std::trunc;

#define __global__
#define __device__
#define __shared__ static
#define __forceinline__ inline
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
struct Place { unsigned x, y, z; };
static Place threadIdx, blockIdx, blockDim, gridDim;

static ucontext_t scheduler, fibres[256];
static bool over[256];
static void __syncthreads() {
  unsigned self = threadIdx.x;
  swapcontext(&fibres[self], &scheduler);
  threadIdx.x = self;
}

static float __uint_as_float(unsigned bits) { float v; memcpy(&v, &bits, 4); return v; }
static unsigned __float_as_uint(float v) { unsigned bits; memcpy(&bits, &v, 4); return bits; }
static float half_value(unsigned short bits) {
  unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
  float v = exponent == 31 ? (fraction ? NAN : INFINITY)
            : exponent     ? std::ldexp(1024.0f + fraction, (int)exponent - 25)
                           : std::ldexp((float)fraction, -24);
  return bits & 0x8000 ? -v : v;
}
static unsigned short half_bits(float v) {
  unsigned short sign = __float_as_uint(v) >> 31 << 15;
  float a = std::fabs(v);
  if (a != a) return sign | 0x7e00;
  if (a >= 65520.0f) return sign | 0x7c00;
  int exponent;
  std::frexp(a, &exponent);
  if (a == 0 || exponent < -13) return sign | (unsigned short)std::nearbyint(std::ldexp(a, 24));
  unsigned rounded = (unsigned)std::nearbyint(std::ldexp(a, 11 - exponent));
  return (unsigned short)(sign + ((unsigned)(exponent + 13) << 10) + rounded);
}
static unsigned long long atomicCAS(unsigned long long *at, unsigned long long old,
                                    unsigned long long next) {
  unsigned long long was = *at;
  if (was == old) *at = next;
  return was;
}

#include HONE_KERNEL_TEXT

static Args the_args;
static void fibre() {
  unsigned self = threadIdx.x;
  kernel(the_args);
  over[self] = true;
  swapcontext(&fibres[self], &scheduler);
}

static void make_fibre(unsigned t, char *stacks, size_t size) {
  getcontext(&fibres[t]);
  fibres[t].uc_stack.ss_sp = stacks + t * size;
  fibres[t].uc_stack.ss_size = size;
  fibres[t].uc_link = nullptr;
  over[t] = false;
  makecontext(&fibres[t], fibre, 0);
}

static bool resume(unsigned t) {
  threadIdx.x = t;
  swapcontext(&scheduler, &fibres[t]);
  return !over[t];
}

// A block whose first thread meets no barrier has none, and its other threads need no fibres.
static void run_block(unsigned threads, char *stacks, size_t size) {
  make_fibre(0, stacks, size);
  bool barriers = resume(0);
  for (unsigned t = 1; t < threads && !barriers; t++) {
    threadIdx.x = t;
    kernel(the_args);
  }
  if (!barriers) return;
  unsigned running = 1;
  for (unsigned t = 1; t < threads; t++) {
    make_fibre(t, stacks, size);
    running += resume(t);
  }
  while (running) {
    running = 0;
    for (unsigned t = 0; t < threads; t++)
      if (!over[t]) running += resume(t);
  }
}

extern "C" __attribute__((visibility("default")))
void hone_stand_in_run(const void *args, unsigned x, unsigned y, unsigned z, unsigned threads) {
  const size_t size = 32768;
  char *stacks = (char *)malloc(threads * size);
  the_args = *(const Args *)args;
  gridDim = {x, y, z};
  blockDim = {threads, 1, 1};
  for (blockIdx.z = 0; blockIdx.z < z; blockIdx.z++)
    for (blockIdx.y = 0; blockIdx.y < y; blockIdx.y++)
      for (blockIdx.x = 0; blockIdx.x < x; blockIdx.x++) run_block(threads, stacks, size);
  free(stacks);
}
