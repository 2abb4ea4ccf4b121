/* Vector forms of the pointwise ops, a function for each over a run of elements.
 * Room: backend/cpu/lines. The rows are in lanes.def. */
#ifndef HONE_BACKEND_CPU_LINES_LANES_H
#define HONE_BACKEND_CPU_LINES_LANES_H

#include "backend/cpu/simd/isa.h"
#include "ops/ops.h"

/* out[i] = f(x[i], y[i], z[i]) for i < count, floats but where lanes.def says bools. Unused operands
 * may be any readable run; `out` may be an operand of the same type. An element's bits do not depend
 * on its place. */
typedef void hone_lane_function(size_t count, const void *x, const void *y, const void *z, float a,
                                float b, void *out);

typedef enum hone_lane {
#define LANE(op, value) HONE_LANE_##op,
#include "backend/cpu/lines/lanes.def"
#undef LANE
  HONE_LANES
} hone_lane;

extern hone_lane_function *const hone_lanes_plain[HONE_LANES];
#if defined(__x86_64__)
extern hone_lane_function *const hone_lanes_avx512[HONE_LANES];
extern hone_lane_function *const hone_lanes_avx2[HONE_LANES];
#endif

/* The fastest set that runs here. */
hone_lane_function *const *hone_lanes(void);
/* Which lane computes `op`; HONE_LANES if none. */
hone_lane hone_lane_of(const hone_op *op);

#endif
