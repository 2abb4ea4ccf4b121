/* The table of convolution kernels. Room: backend/cpu. */
#include "backend/cpu/conv.h"

#include "backend/cpu/conv_direct.h"
#include "backend/cpu/depthwise.h"

/* X(suffix, isa) for each instruction set, the fastest first. */
#if defined(__x86_64__)
#define EACH_ISA(X) X(avx512, AVX512) X(avx2, AVX2) X(plain, PLAIN)
#else
#define EACH_ISA(X) X(plain, PLAIN)
#endif

#define KERNELS(suffix, ISA)                                                                 \
  static const hone_conv_kernel gemm_##suffix = {.name = "conv_gemm_" #suffix,               \
                                                 .isa = HONE_ISA_##ISA,                      \
                                                 .tiles = &hone_tiles_f32_##suffix,          \
                                                 .accepts = hone_conv_gemm_accepts,          \
                                                 .pack_size = hone_conv_direct_pack_size,    \
                                                 .pack = hone_conv_direct_pack,              \
                                                 .plan = hone_conv_gemm_plan};               \
  static const hone_conv_kernel direct_##suffix = {.name = "conv_direct_" #suffix,           \
                                                   .isa = HONE_ISA_##ISA,                    \
                                                   .tiles = &hone_tiles_f32_##suffix,        \
                                                   .accepts = hone_conv_direct_accepts,      \
                                                   .pack_size = hone_conv_direct_pack_size,  \
                                                   .pack = hone_conv_direct_pack,            \
                                                   .plan = hone_conv_direct_plan};           \
  static const hone_conv_kernel rows_##suffix = {.name = "conv_rows_" #suffix,               \
                                                 .isa = HONE_ISA_##ISA,                      \
                                                 .tiles = &hone_tiles_f32_##suffix,          \
                                                 .accepts = hone_conv_rows_accepts,          \
                                                 .pack_size = hone_conv_direct_pack_size,    \
                                                 .pack = hone_conv_direct_pack,              \
                                                 .plan = hone_conv_rows_plan};               \
  static const hone_conv_kernel depthwise_##suffix = {.name = "conv_depthwise_" #suffix,     \
                                                      .isa = HONE_ISA_##ISA,                 \
                                                      .functions = &hone_depthwise_##suffix, \
                                                      .accepts = hone_depthwise_accepts,     \
                                                      .pack_size = hone_depthwise_pack_size, \
                                                      .pack = hone_depthwise_pack,           \
                                                      .plan = hone_depthwise_plan};
EACH_ISA(KERNELS)

#define LISTED(suffix, ISA) &gemm_##suffix, &direct_##suffix, &rows_##suffix, &depthwise_##suffix,
const hone_conv_kernel *const hone_conv_kernels[] = {EACH_ISA(LISTED) NULL};
