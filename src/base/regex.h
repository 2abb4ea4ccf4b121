/* Regular expressions in time linear in the text: no backtracking, so that no pattern of a model
 * can make a text take for ever. Room: base.
 *
 * The syntax is RE2's without captures (groups only group): . [] [^] | () (?:) (?i) * + ? {m,n} and
 * their lazy forms, ^ $ \b \B, \d \w \s and capitals, \x41, \x{20ac}, \t \n \r \f \v, [[:alpha:]].
 * Texts and patterns are UTF-8; bytes that are none stand for themselves.
 * Source of the method: Ken Thompson, "Regular Expression Search Algorithm", CACM 11(6), 1968.
 */
#ifndef HONE_BASE_REGEX_H
#define HONE_BASE_REGEX_H

#include <hone/types.h>

#include "base/memory.h"
#include "base/status.h"

typedef struct hone_regex hone_regex;

/* Compiles into `memory`. INVALID_MODEL for what is no pattern, UNSUPPORTED for what is not done
 * here (look-around, back references), LIMIT for one that unfolds into too much. */
HONE_MUST_USE hone_status *hone_regex_new(const char *pattern, hone_arena *memory,
                                          hone_regex **out);
/* Whether the whole text matches. Not for two threads at once. */
bool hone_regex_full_match(hone_regex *regex, const char *text, size_t size);

#endif
