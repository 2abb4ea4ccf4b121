/* Products of which one side is a few rows or one column: the other side's elements are each used
 * that few times, so they are read where they lie; to pack them would cost more than the product.
 * fp32. Room: backend/cpu/products. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_THIN_H
#define HONE_BACKEND_CPU_PRODUCTS_THIN_H

#include "backend/cpu/products/matmul.h"

/* Whether the product is thin, and its operands lie so that vectors can read them. */
bool hone_matmul_is_thin(const hone_matmul *matmul);
/* Plans such a product; no scratch. */
hone_status *hone_thin_plan(const hone_matmul *matmul, hone_arena *arena, hone_kernel_plan *out);

#endif
