/* Depthwise tiles for AVX-512. Room: backend/cpu. */
#define PIXELS 7
#include "backend/cpu/depthwise_body.h"

#define WINDOWS(width, stride) \
  WINDOW(1, width, stride)     \
  WINDOW(2, width, stride)     \
  WINDOW(3, width, stride)     \
  WINDOW(4, width, stride)     \
  WINDOW(5, width, stride) WINDOW(6, width, stride) WINDOW(7, width, stride)
#define ROW(width, stride)                                                                       \
  {                                                                                              \
    NULL, window_1_##width##_##stride, window_2_##width##_##stride, window_3_##width##_##stride, \
        window_4_##width##_##stride, window_5_##width##_##stride, window_6_##width##_##stride,   \
        window_7_##width##_##stride                                                              \
  }

WINDOWS(1, 1)
WINDOWS(3, 1)
WINDOWS(3, 2)
WINDOWS(5, 1)
WINDOWS(5, 2)

const hone_depthwise_set hone_depthwise_avx512 = {
    .lanes = VF_LANES,
    .pixels = PIXELS,
    .run = {ROW(1, 1), ROW(3, 1), ROW(3, 2), ROW(5, 1), ROW(5, 2)}};
