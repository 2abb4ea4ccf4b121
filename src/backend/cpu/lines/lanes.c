/* Choosing the vector forms of pointwise ops. Room: backend/cpu/lines. */
#include "backend/cpu/lines/lanes.h"

hone_lane_function *const *hone_lanes(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) return hone_lanes_avx512;
  if (hone_isa_runs(HONE_ISA_AVX2)) return hone_lanes_avx2;
#endif
  return hone_lanes_plain;
}

hone_lane hone_lane_of(const hone_op *op) {
  static const hone_op *const ops[] = {
#define LANE(op, value) &hone_op_##op,
#define PAIR(name, value)
#include "backend/cpu/lines/lanes.def"
#undef LANE
  };
  const int count = sizeof ops / sizeof *ops;
  int lane = 0;
  while (lane < count && ops[lane] != op) lane++;
  return lane < count ? (hone_lane)lane : HONE_LANES;
}
