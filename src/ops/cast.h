/* What casts to 8-bit floats do before they store. Room: ops. */
#ifndef HONE_OPS_CAST_H
#define HONE_OPS_CAST_H

#include "ir/op.h"

/* Saturation, and f8e8m0's rounding: 'u'p, 'd'own or 'n'earest, as the attributes of cast say. Leaves
 * alone what goes to other types. */
void hone_cast_adjust(hone_dtype to, bool saturate, char round, double *x, size_t count);
/* u64 to a float type, of elements stored as if they were signed: those from 2^63 on, again. */
void hone_cast_large(hone_dtype to, const int64_t *x, size_t count, void *y, size_t at);

#endif
