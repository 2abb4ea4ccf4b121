/* Quantised weights that pass `integers` wants as they are. Room: passes. */
#ifndef HONE_PASSES_INTEGERS_H
#define HONE_PASSES_INTEGERS_H

#include "passes/rewrite.h"

/* Whether `node` dequantizes weights of a product whose other operand is dequantized too: folding it
 * would lose the bytes that the product can be computed with. */
bool hone_is_byte_weight(const hone_node *node);

#endif
