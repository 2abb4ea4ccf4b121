/* Operands of integer products: bytes with their zero points taken off. Room: ops. */
#ifndef HONE_OPS_INTEGER_H
#define HONE_OPS_INTEGER_H

#include "ops/operand.h"

/* Inputs of conv_integer and matmul_integer. */
enum { HONE_INTEGER_X, HONE_INTEGER_W, HONE_INTEGER_X_ZERO, HONE_INTEGER_W_ZERO, HONE_INTEGER_BIAS };

/* The rules that both share: bytes with zero points of their own types, a bias of s32 with one number a
 * column; the result is s32. Its shape is left to the op. */
HONE_MUST_USE hone_status *hone_integer_infer(hone_infer *infer);
/* Inputs 0 and 1 less their zero points: one for all of x; one for all of w or one a column. */
HONE_MUST_USE hone_status *hone_integer_operands(hone_reference *ref, hone_numbers *x,
                                                 hone_numbers *w);

#endif
