/* lstm, gru and rnn nodes, f32. Room: backend/cpu/nodes. */
#include "backend/cpu/nodes/recurrent_body.h"
