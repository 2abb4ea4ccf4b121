/* What a CPU kernel is: a plain function over pointers. Room: backend/cpu.
 *
 * A kernel knows `base/` and plain pointers, no graph. Its arguments are a struct made at plan
 * time (sizes, strides, packed weights); addresses arrive at run time. A step of a plan is one or
 * more phases with a barrier between them; each phase is one of these functions, called once a
 * worker. It must be right for any 1 <= parts, and must give the same bits for every `parts`:
 * parts split outputs, never a reduction; reductions follow a fixed tree.
 *
 * `scratch` is `scratch_size(args) * parts` bytes in all, 64-byte aligned, shared by the phases of
 * the step: a kernel that wants private scratch takes its own slice by `part`.
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

#endif
