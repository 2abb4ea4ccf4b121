/* rotary_embedding nodes, f64. Room: backend/cpu/nodes. */
#define HONE_REAL_F64
#include "backend/cpu/nodes/rotary_body.h"
