/* Where the elements of a tensor lie when a kernel reads it through the moves before it, or writes it
 * through the one after it, in the place of copies. Room: backend/cpu. */
#ifndef HONE_BACKEND_CPU_LAYOUT_H
#define HONE_BACKEND_CPU_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/type.h"

/* In elements: where the first lies, and the step along each axis. */
typedef struct hone_layout {
  int64_t at;
  int64_t stride[HONE_MAX_RANK];
} hone_layout;

hone_layout hone_layout_dense(const hone_shape *shape);
/* The layout of the same elements as `to`; false, and unchanged, where steps of one size do not
 * reach them. Both shapes are known and hold as many elements. */
bool hone_layout_reshape(hone_layout *layout, const hone_shape *from, const hone_shape *to);
/* Axis i of the result is axis `perm[i]`; NULL reverses the axes. */
void hone_layout_transpose(hone_layout *layout, int rank, const int64_t *perm);
/* The layout that hone_layout_transpose would make this one of. */
void hone_layout_untranspose(hone_layout *layout, int rank, const int64_t *perm);
/* Elements from row to row, a row being the last axis; false unless rows lie at one pitch with
 * their elements side by side. */
bool hone_layout_pitch(const hone_layout *layout, const hone_shape *shape, ptrdiff_t *pitch);
/* Whether pictures lie plane by plane, side by side: the last axis of `shape`, their channels, steps
 * over all the axes between it and the first. */
bool hone_layout_planar(const hone_layout *layout, const hone_shape *shape);

#endif
