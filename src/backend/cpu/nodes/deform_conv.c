/* deform_conv nodes, f32. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/deform_conv_body.h"
