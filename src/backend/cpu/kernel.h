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

/* What makes a run invalid that only its data could tell: a value that is no place. */
typedef struct hone_kernel_fault {
  const char *what, *where; /* static: an "index" outside of "a dimension"; NULL: no fault */
  int input;                /* of the node, and the element of it */
  size_t element;
  int64_t value, bound;
  const void *node; /* the hone_node; set by who runs the kernel */
} hone_kernel_fault;

typedef struct hone_kernel_io {
  void *const *in;  /* the group's inputs, in its order; NULL where absent */
  void *const *out; /* the group's outputs */
  void *scratch;
  void *const *dims; /* of a data-shaped op, by output: its dimensions, for hone_kernel_found */
  hone_kernel_fault *fault; /* this worker's own, for hone_kernel_fail; NULL: nobody asks */
  size_t turn;      /* of a phase that repeats: from 0 */
} hone_kernel_io;

/* Reports a value that the kernel cannot follow; the first of a worker counts, and of workers the
 * one of the least step and element. The kernel goes on with any value that is safe: the outputs
 * of a run with a fault are nobody's. */
static inline void hone_kernel_fail(const hone_kernel_io *io, const hone_kernel_fault *fault) {
  if (io->fault && !io->fault->what) *io->fault = *fault;
}

/* Says that dimension `axis` of an output is `size`, not the bound that its memory is made for. The
 * last phase says it, on one part. */
static inline void hone_kernel_found(const hone_kernel_io *io, int output, int axis, size_t size) {
  if (io->dims && io->dims[output]) ((int64_t *)io->dims[output])[axis] = (int64_t)size;
}

typedef void hone_kernel_phase(const void *args, const hone_kernel_io *io, int part, int parts);

#define HONE_KERNEL_PHASES 4

/* A kernel made ready for known sizes: what a step of a plan needs of it. */
typedef struct hone_kernel_plan {
  hone_kernel_phase *phases[HONE_KERNEL_PHASES];
  int phase_count;
  size_t repeats[HONE_KERNEL_PHASES]; /* of each phase: turns after its first, each behind a barrier */
  const void *args;
  size_t shared_scratch, part_scratch; /* bytes, multiples of 64; for n parts shared + n * part */
} hone_kernel_plan;

#endif
