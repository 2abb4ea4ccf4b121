/* grid_sample, roi_align and max_roi_pool nodes, f32. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/sample_body.h"
