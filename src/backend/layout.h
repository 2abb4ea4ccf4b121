/* Where the elements of a tensor lie when a kernel reads it through the moves before it, or writes it
 * through the one after it, in the place of copies. Room: backend. */
#ifndef HONE_BACKEND_LAYOUT_H
#define HONE_BACKEND_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/type.h"

enum { HONE_STEPS = 2 * HONE_MAX_RANK };

/* In elements: where the first lies, and the step along each axis. */
typedef struct hone_layout {
  int64_t at;
  int64_t stride[HONE_MAX_RANK];
} hone_layout;

hone_layout hone_layout_dense(const hone_shape *shape);

/* A layout on its way through moves: between two views an axis may take several steps, where one merged
 * what lies apart (batch and heads of a projection, say) and a later one may part it again. */
typedef struct hone_steps {
  int64_t at;
  int rank, count;
  int first[HONE_MAX_RANK + 1]; /* axis i has the steps [first[i], first[i + 1]), the widest first */
  int64_t size[HONE_STEPS], stride[HONE_STEPS];
} hone_steps;

hone_steps hone_steps_of(const hone_layout *layout, const hone_shape *shape);
/* The same elements as `to`, of as many; false where that cuts a step unevenly. */
bool hone_steps_reshape(hone_steps *steps, const hone_shape *to);
void hone_steps_transpose(hone_steps *steps, const int64_t *perm); /* as hone_layout_transpose */
/* One step an axis; false where an axis needs more. */
bool hone_steps_layout(const hone_steps *steps, hone_layout *out);

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
