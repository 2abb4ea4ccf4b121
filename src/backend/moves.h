/* Moves (transposes, slices) and views between a kernel that takes strides and what it reads.
 * Room: backend. */
#ifndef HONE_BACKEND_MOVES_H
#define HONE_BACKEND_MOVES_H

#include "backend/backend.h"
#include "backend/layout.h"

/* How a value lies in the memory of another. */
typedef struct hone_strided {
  const hone_value *base; /* whose memory is read or written; NULL: the value's own, dense */
  hone_layout layout;
} hone_strided;

bool hone_is_move(const hone_node *node); /* NULL is none */
/* The axes of a transpose; NULL: reversed. */
const int64_t *hone_move_perm(const hone_node *transpose);

/* How `value` lies in the furthest one before it from where no copy is needed, at the sizes of
 * `view`; that is `value` itself where the move that makes it tears what it reads. Whether it was
 * moved on the way. */
bool hone_moves_trace(const hone_group_view *view, const hone_value *value, hone_strided *out);

#endif
