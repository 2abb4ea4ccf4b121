/* Scales and shifts along one axis, as numbers. Room: passes. */
#ifndef HONE_PASSES_AFFINE_H
#define HONE_PASSES_AFFINE_H

#include "passes/rewrite.h"

/* The elements of a float constant as doubles in `arena`, `count` of them; NULL without memory. */
double *hone_constant_reals(const hone_value *constant, hone_arena *arena, size_t *count);
/* A constant of `dtype` from doubles, each rounded once. */
HONE_MUST_USE hone_status *hone_constant_from(hone_graph *graph, hone_dtype dtype,
                                              const hone_shape *shape, const double *data,
                                              hone_value **out);

#endif
