/* The equations of einsum, shared by the op and the pass that takes it apart. Room: ops. */
#ifndef HONE_OPS_EINSUM_H
#define HONE_OPS_EINSUM_H

#include "ir/op.h"

#define HONE_EINSUM_OPERANDS 16
#define HONE_EINSUM_ELLIPSIS 52 /* labels: A..Z, a..z, then the ellipsis's axes */
#define HONE_EINSUM_LABELS   (HONE_EINSUM_ELLIPSIS + HONE_MAX_RANK)

/* Which label each axis of an operand or of the result has. */
typedef struct hone_einsum_term {
  int rank;
  int label[HONE_MAX_RANK];
} hone_einsum_term;

typedef struct hone_einsum {
  int operands;
  hone_einsum_term in[HONE_EINSUM_OPERANDS], out;
  hone_dim size[HONE_EINSUM_LABELS]; /* of a label that comes up in an input */
  int uses[HONE_EINSUM_LABELS];      /* how often it does */
  int wide;                          /* axes that the widest ellipsis stands for */
} hone_einsum;

/* Reads the node's equation for operands of these shapes, whose ranks are known. */
HONE_MUST_USE hone_status *hone_einsum_read(const hone_node *node, int operands,
                                            const hone_shape *const *shapes, hone_einsum *e);

#endif
