/* The variants behind hone_activate. Room: backend/cpu/products. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_ACTIVATION_H
#define HONE_BACKEND_CPU_PRODUCTS_ACTIVATION_H

#include "backend/cpu/products/finish.h"

typedef void hone_activate_function(hone_activation activation, float *x, ptrdiff_t stride,
                                    size_t rows, size_t columns);
hone_activate_function hone_activate_avx512, hone_activate_avx2, hone_activate_plain;

#endif
