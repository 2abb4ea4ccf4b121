/* What ops on sequences, optionals, strings and regions share. Room: ops. */
#ifndef HONE_OPS_OBJECTS_H
#define HONE_OPS_OBJECTS_H

#include "ir/op.h"

/* A copy in `memory` of a value and of all below it: items, elements, characters. */
HONE_MUST_USE hone_status *hone_datum_copy(hone_arena *memory, const hone_datum *from,
                                           hone_datum *out);

/* What a value is that is `a` in some runs and `b` in others: dims that differ become fresh, ranks
 * that differ unknown. Kinds and element types must agree. */
HONE_MUST_USE hone_status *hone_infer_either(hone_infer *infer, const hone_type *a,
                                             const hone_type *b, hone_type *out);

/* The one element of a tensor as a truth value or a number; an error when it has not one. */
HONE_MUST_USE hone_status *hone_datum_int(const hone_datum *datum, const char *what, int64_t *out);

#endif
