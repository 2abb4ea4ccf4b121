/* The table of convolution kernels. Room: backend/cpu. */
#include "backend/cpu/conv.h"

#include "backend/cpu/conv_direct.h"

/* X(suffix, isa) for each instruction set, the fastest first. */
#if defined(__x86_64__)
#define EACH_ISA(X) X(avx512, AVX512) X(avx2, AVX2) X(plain, PLAIN)
#else
#define EACH_ISA(X) X(plain, PLAIN)
#endif

#define SWEEPS(suffix, ISA)                                 \
  static const hone_conv_kernel gemm_##suffix = {           \
      "conv_gemm_" #suffix,     HONE_ISA_##ISA,             \
      &hone_tiles_f32_##suffix, NULL,                       \
      hone_conv_gemm_accepts,   hone_conv_direct_pack_size, \
      hone_conv_direct_pack,    hone_conv_gemm_plan};       \
  static const hone_conv_kernel direct_##suffix = {         \
      "conv_direct_" #suffix,   HONE_ISA_##ISA,             \
      &hone_tiles_f32_##suffix, NULL,                       \
      hone_conv_direct_accepts, hone_conv_direct_pack_size, \
      hone_conv_direct_pack,    hone_conv_direct_plan};     \
  static const hone_conv_kernel rows_##suffix = {           \
      "conv_rows_" #suffix,     HONE_ISA_##ISA,             \
      &hone_tiles_f32_##suffix, NULL,                       \
      hone_conv_rows_accepts,   hone_conv_direct_pack_size, \
      hone_conv_direct_pack,    hone_conv_rows_plan};
EACH_ISA(SWEEPS)

#define LISTED(suffix, ISA) &gemm_##suffix, &direct_##suffix, &rows_##suffix,
const hone_conv_kernel *const hone_conv_kernels[] = {EACH_ISA(LISTED) NULL};
