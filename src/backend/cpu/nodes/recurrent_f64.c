/* lstm, gru and rnn nodes, f64. Room: backend/cpu/nodes. */
#define HONE_REAL_F64
#include "backend/cpu/nodes/recurrent_body.h"
