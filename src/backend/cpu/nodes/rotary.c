/* rotary_embedding nodes, f32. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/rotary_body.h"
