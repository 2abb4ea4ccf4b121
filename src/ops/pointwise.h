/* The meaning of the pointwise ops, block by block, for the reference and for kernels that have
 * nothing faster. Room: ops. */
#ifndef HONE_OPS_POINTWISE_H
#define HONE_OPS_POINTWISE_H

#include "ir/op.h"

#define HONE_BLOCK 256

/* Elements of one input or output in the widest type of their class. */
typedef union hone_block {
  double real[HONE_BLOCK];
  int64_t integer[HONE_BLOCK];
  uint64_t natural[HONE_BLOCK];
} hone_block;

/* `count` elements; `attrs` as hone_pointwise_attrs gives them; unused inputs may be any block. */
typedef void hone_block_loop(size_t count, const hone_block *x, const hone_block *y,
                             const hone_block *z, const double *attrs, hone_block *out);

typedef struct hone_pointwise_meaning {
  unsigned classes; /* 1u << hone_dtype_class */
  hone_block_loop *real, *integer, *natural;
} hone_pointwise_meaning;

/* NULL for an op that is no row of pointwise.def. */
const hone_pointwise_meaning *hone_pointwise_meaning_of(const hone_op *op);

/* The first two attributes as numbers: a choice is its place in the list; 0 where there is none. */
void hone_pointwise_attrs(const hone_node *node, double *out);

#endif
