/* What a CPU kernel is: a plain function over pointers. Room: backend/cpu.
 *
 * A kernel knows `base/` and plain pointers, no graph. Its arguments are a struct made at plan
 * time (sizes, strides, packed weights); addresses arrive at run time. A step of a plan is one or
 * more phases with a barrier between them; each phase is one of these functions, called once a
 * worker. It must be right for any 1 <= parts, and must give the same bits for every `parts`:
 * parts split outputs, never a reduction; reductions follow a fixed tree.
 *
 * `scratch` is 64-byte aligned and shared by the phases of the step: first what all parts share,
 * then a slice for each part (hone_kernel_plan).
 */
#ifndef HONE_BACKEND_CPU_KERNEL_H
#define HONE_BACKEND_CPU_KERNEL_H

#include <stddef.h>
#include <stdint.h>

typedef struct hone_kernel_io {
  void *const *in;  /* the group's inputs, in its order; NULL where absent */
  void *const *out; /* the group's outputs */
  void *scratch;
} hone_kernel_io;

typedef void hone_kernel_phase(const void *args, const hone_kernel_io *io, int part, int parts);

#define HONE_KERNEL_PHASES 4

/* A kernel made ready for known sizes: what a step of a plan needs of it. */
typedef struct hone_kernel_plan {
  hone_kernel_phase *phases[HONE_KERNEL_PHASES];
  int phase_count;
  const void *args;
  size_t shared_scratch, part_scratch; /* bytes, multiples of 64; for n parts shared + n * part */
} hone_kernel_plan;

#endif
