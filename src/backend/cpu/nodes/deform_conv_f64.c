/* deform_conv nodes, f64. Room: backend/cpu/nodes. */
#define HONE_REAL_F64
#include "backend/cpu/nodes/deform_conv_body.h"
