/* grid_sample, roi_align and max_roi_pool nodes, f64. Room: backend/cpu/nodes. */
#define HONE_REAL_F64
#include "backend/cpu/nodes/sample_body.h"
