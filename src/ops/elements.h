/* Moving elements of any type, packed ones and strings included. Room: ops. */
#ifndef HONE_OPS_ELEMENTS_H
#define HONE_OPS_ELEMENTS_H

#include "ir/op.h"

/* A copy of a box of elements from one strided layout to another, in elements. Strides may be 0
 * (repeat) or negative. Tiles need twice the rank of a tensor. */
#define HONE_MAX_BOX (2 * HONE_MAX_RANK)
typedef struct hone_box {
  int rank;
  int64_t size[HONE_MAX_BOX];
  int64_t from_stride[HONE_MAX_BOX], to_stride[HONE_MAX_BOX];
  int64_t from, to; /* where the first element lies */
} hone_box;

/* Copies `count` elements that lie side by side; the two runs do not overlap. */
void hone_copy_run(hone_dtype dtype, void *to, size_t to_at, const void *from, size_t from_at,
                   size_t count);
/* Copies a box; sizes of 0 copy nothing. The caller proves the bounds. */
void hone_copy_box(hone_dtype dtype, void *to, const void *from, const hone_box *box);
/* `count` copies of element `from_at` side by side. */
void hone_fill_run(hone_dtype dtype, void *to, size_t to_at, const void *from, size_t from_at,
                   size_t count);
/* All of `from` into `to`, which has as many elements of the same type. */
void hone_copy_tensor(const hone_datum *to, const hone_datum *from);

#endif
