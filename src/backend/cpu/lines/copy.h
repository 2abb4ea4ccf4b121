/* Copying boxes of elements between strided layouts: transpose, concat, slice, pad and their kind.
 * Room: backend/cpu/lines.
 *
 * A plan is a list of boxes. Each is brought to its simplest form at plan time (axes of size 1
 * dropped, neighbours joined) and done by runs, by blocked transposition, or element by element.
 */
#ifndef HONE_BACKEND_CPU_LINES_COPY_H
#define HONE_BACKEND_CPU_LINES_COPY_H

#include "backend/cpu/kernel.h"
#include "base/memory.h"
#include "base/status.h"
#include "ops/elements.h"

/* Bytes that an input of -1 is read as: zeros. */
#define HONE_COPY_ZEROS (-1)

typedef enum hone_copy_way { HONE_COPY_RUNS, HONE_COPY_TRANSPOSED, HONE_COPY_SINGLE } hone_copy_way;

/* Sizes in elements, strides and offsets in bytes; the last axis is the innermost. */
typedef struct hone_box_copy {
  hone_copy_way way;
  int in, out, rank;
  size_t size[HONE_MAX_BOX];
  ptrdiff_t from_stride[HONE_MAX_BOX], to_stride[HONE_MAX_BOX];
  ptrdiff_t from, to;
} hone_box_copy;

typedef struct hone_copies {
  size_t element; /* bytes: 1, 2, 4, 8, 16 */
  hone_box_copy *boxes;
  size_t count, room;
} hone_copies;

/* A list for up to `room` boxes of elements of `element` bytes. */
hone_status *hone_copies_new(hone_arena *arena, size_t element, size_t room, hone_copies **out);
/* Adds a box (in elements) from io->in[in] to io->out[out]. Empty boxes add nothing. */
void hone_copies_add(hone_copies *copy, int in, int out, const hone_box *box);
hone_kernel_phase hone_copies_run;

#endif
