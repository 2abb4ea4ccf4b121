/* The parts of the text form that stand by themselves too: each is read from the lexer's current
 * token on. What they give lies in the lexer's arena, or is the graph's. Room: ir. */
#ifndef HONE_IR_TEXT_PARTS_H
#define HONE_IR_TEXT_PARTS_H

#include "ir/graph.h"
#include "ir/lexer.h"

/* A name, quoted or not. */
HONE_MUST_USE hone_status *hone_parse_name(hone_lexer *lexer, const char **out);
/* "f32", or "?" for HONE_DTYPE_NONE. */
HONE_MUST_USE hone_status *hone_parse_dtype(hone_lexer *lexer, hone_dtype *out);
/* "host"? then "f32[2, n]", "seq(…)", "opt(…)" or "opt(seq(…))". */
HONE_MUST_USE hone_status *hone_parse_type(hone_lexer *lexer, hone_graph *graph, hone_type *type,
                                           hone_place *place);
/* "{name=value, …}", or nothing, into the node's attributes. */
HONE_MUST_USE hone_status *hone_parse_attrs(hone_lexer *lexer, hone_node *node);

#endif
