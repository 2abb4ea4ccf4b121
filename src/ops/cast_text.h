/* Numbers as text and back, for cast. Room: ops. */
#ifndef HONE_OPS_CAST_TEXT_H
#define HONE_OPS_CAST_TEXT_H

#include "ir/op.h"

/* Elements of any number type as strings whose characters lie in `objects`: integers in decimal,
 * floats as the shortest decimal that reads back the same, always with a point or an exponent. */
HONE_MUST_USE hone_status *hone_cast_to_text(const hone_datum *from, const hone_datum *to,
                                             hone_arena *objects);
/* Strings as numbers: decimal, scientific, "INF" and "NaN" in any case; another text is an error. */
HONE_MUST_USE hone_status *hone_cast_from_text(const hone_datum *from, const hone_datum *to);

#endif
