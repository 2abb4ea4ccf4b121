/* The table of convolution kernels. Room: backend/cpu/products. */
#include "backend/cpu/products/conv.h"

#include "backend/cpu/products/conv_direct.h"
#include "backend/cpu/products/depthwise.h"
#include "backend/cpu/products/winograd.h"

#define SWEEP(name, suffix, ISA)                           \
  {"conv_" #name "_" #suffix,  HONE_ISA_##ISA,             \
   &hone_tiles_f32_##suffix,   NULL,                       \
   hone_conv_##name##_accepts, hone_conv_direct_pack_size, \
   hone_conv_direct_pack,      hone_conv_##name##_plan},
#define BFLOAT16(name, suffix, ISA)                             \
  {"conv_" #name "_bf16_" #suffix,  ISA,                        \
   &hone_tiles_bf16_##suffix,       NULL,                       \
   hone_conv_##name##_bf16_accepts, hone_conv_direct_pack_size, \
   hone_conv_direct_pack,           hone_conv_##name##_plan},
#define DEPTHWISE(suffix, ISA)                                                  \
  {"conv_depthwise_" #suffix, HONE_ISA_##ISA,         NULL,                     \
   &hone_depthwise_##suffix,  hone_depthwise_accepts, hone_depthwise_pack_size, \
   hone_depthwise_pack,       hone_depthwise_plan},
#define DEPTHWISE_BFLOAT16(suffix, ISA)                                        \
  {"conv_depthwise_" #suffix, ISA,                         NULL,               \
   &hone_depthwise_##suffix,  hone_depthwise_bf16_accepts, hone_depthwise_pack_size, \
   hone_depthwise_pack,       hone_depthwise_plan},
#define GROUPS(suffix, ISA)      \
  {"conv_groups_" #suffix,       \
   HONE_ISA_##ISA,               \
   NULL,                         \
   &hone_depthwise_##suffix,     \
   hone_groups_accepts_##suffix, \
   hone_depthwise_pack_size,     \
   hone_depthwise_pack,          \
   hone_depthwise_plan},
#define WINOGRAD(m, suffix, ISA)   \
  {"conv_winograd" #m "_" #suffix, \
   HONE_ISA_##ISA,                 \
   &hone_tiles_f32_##suffix,       \
   &hone_winograd##m##_##suffix,   \
   hone_winograd_accepts,          \
   hone_winograd_pack_size,        \
   hone_winograd_pack,             \
   hone_winograd_plan},
#define WINOGRAD_STRIDED(m, suffix, ISA)    \
  {"conv_winograd" #m "_strided_" #suffix, \
   HONE_ISA_##ISA,                         \
   &hone_tiles_f32_##suffix,               \
   &hone_winograd##m##_strided_##suffix,   \
   hone_winograd_strided_accepts,          \
   hone_winograd_pack_size,                \
   hone_winograd_pack,                     \
   hone_winograd_plan},

#define WINOGRAD_BFLOAT16(suffix, ISA, transforms) \
  {"conv_winograd2_bf16_" #suffix,     \
   ISA,                                \
   &hone_tiles_bf16_##suffix,          \
   &hone_winograd2_bf16_##transforms,  \
   hone_winograd_bf16_accepts,         \
   hone_winograd_pack_size,            \
   hone_winograd_pack,                 \
   hone_winograd_plan},
#define ALL_BFLOAT16(suffix, ISA, transforms) \
  BFLOAT16(gemm, suffix, ISA)     \
  BFLOAT16(direct, suffix, ISA)   \
  BFLOAT16(rows, suffix, ISA)     \
  WINOGRAD_BFLOAT16(suffix, ISA, transforms)

#define ALL(suffix, ISA)     \
  SWEEP(gemm, suffix, ISA)   \
  SWEEP(direct, suffix, ISA) \
  SWEEP(rows, suffix, ISA)   \
  DEPTHWISE(suffix, ISA)     \
  GROUPS(suffix, ISA)        \
  WINOGRAD(4, suffix, ISA)   \
  WINOGRAD(2, suffix, ISA)   \
  WINOGRAD_STRIDED(4, suffix, ISA) \
  WINOGRAD_STRIDED(2, suffix, ISA)

const hone_conv_kernel hone_conv_kernels[] = {
#if defined(__x86_64__)
    ALL(avx512, AVX512) ALL(avx2, AVX2)
    ALL_BFLOAT16(amx, HONE_ISA_AVX512 | HONE_ISA_BF16 | HONE_ISA_AMX, avx512bf16)
    ALL_BFLOAT16(avx512bf16, HONE_ISA_AVX512 | HONE_ISA_BF16, avx512bf16)
    DEPTHWISE_BFLOAT16(avx512bf16, HONE_ISA_AVX512 | HONE_ISA_BF16)
#endif
        ALL(plain, PLAIN) ALL_BFLOAT16(plain, HONE_ISA_PLAIN, plain){.name = NULL}};
