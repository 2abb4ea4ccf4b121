/* Which moves of a body need no kernel, at known sizes: those that a kernel which takes strides reads or
 * writes through; and which norms: those that a product takes in. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_READS_H
#define HONE_BACKEND_CUDA_READS_H

#include "backend/cuda/plan.h"
#include "backend/moves.h"

#define HONE_CUDA_STRIDED 3 /* inputs of a core that may lie by strides, from the first on */

struct hone_cuda_reads {
  bool runs; /* false: nothing needs what the stage would move */
  hone_strided in[HONE_CUDA_STRIDED], out; /* of stages whose kernel is strided */
};

/* Fills plan->reads, one a stage. */
void hone_cuda_choose_reads(hone_cuda_plan *plan);

#endif
