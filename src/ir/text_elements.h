/* The elements of a constant in the text form. Room: ir. */
#ifndef HONE_IR_TEXT_ELEMENTS_H
#define HONE_IR_TEXT_ELEMENTS_H

#include "base/text.h"
#include "ir/lexer.h"
#include "ir/type.h"

/* "[1, 2]", or the element alone for rank 0. Floats are the shortest decimals that read back
 * exactly; a NaN with a payload is its bits in hex. `data` holds what `type`'s known shape says. */
void hone_print_elements(hone_text *out, const hone_type *type, const void *data);

/* Reads what hone_print_elements wrote, at the lexer's current token, into memory from `arena`. */
HONE_MUST_USE hone_status *hone_parse_elements(hone_lexer *lexer, const hone_type *type,
                                               hone_arena *arena, void **data, size_t *size);

#endif
