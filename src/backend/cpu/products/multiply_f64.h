/* Products and activations of doubles for kernels that compute blocks in their scratch, on the tiles
 * of product.h. Room: backend/cpu/products. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_MULTIPLY_F64_H
#define HONE_BACKEND_CPU_PRODUCTS_MULTIPLY_F64_H

#include "backend/cpu/products/finish.h"
#include "backend/cpu/products/product.h"

/* Doubles of a packed matrix [depth][columns], 64-byte aligned; 0 when they are too many. */
size_t hone_pack_size_f64(const hone_product_set *set, size_t depth, size_t columns);
void hone_pack_f64(const hone_product_set *set, size_t depth, size_t columns, const double *weights,
                   ptrdiff_t depth_step, ptrdiff_t column_step, double *packed);
/* out[rows][columns] = a[rows][depth] times the packed matrix, or that added to `out`. */
void hone_multiply_f64(const hone_product_set *set, size_t rows, size_t depth, size_t columns,
                       const double *a, ptrdiff_t a_stride, const double *packed, double *out,
                       ptrdiff_t out_stride, bool add);

typedef struct hone_activation_f64 {
  hone_activation_kind kind; /* of those that recurrent layers have */
  double a, b;
} hone_activation_f64;

/* In place, rows x columns: into -limit … limit, NaN stays; an activation. */
void hone_limit_f64(double limit, double *x, ptrdiff_t stride, size_t rows, size_t columns);
void hone_activate_f64(hone_activation_f64 activation, double *x, ptrdiff_t stride, size_t rows,
                       size_t columns);

#endif
