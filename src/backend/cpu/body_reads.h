/* Which moves of a body need no copy, at known sizes: kernels that take strides read through
 * transposes, slices and views, or write through a transpose. Room: backend/cpu. */
#ifndef HONE_BACKEND_CPU_BODY_READS_H
#define HONE_BACKEND_CPU_BODY_READS_H

#include "backend/cpu/body.h"
#include "backend/moves.h"

typedef struct hone_stage_reads {
  bool runs; /* false: nothing needs what the stage would move */
  hone_strided in[HONE_NODE_STRIDED], out;
} hone_stage_reads;

/* Fills `reads`, one a stage. */
void hone_body_choose_reads(const hone_body *body, const hone_group_view *view,
                            hone_stage_reads *reads);

#endif
