/* Real numbers as text and back, exactly and whatever the process's locale. Room: base. */
#ifndef HONE_BASE_REAL_H
#define HONE_BASE_REAL_H

#include <stdbool.h>

#include "base/text.h"

/* The shortest decimal that hone_parse_real reads back as the same f64: "1", "0.1", "1e-05",
 * "inf", "-inf"; every NaN is "nan". */
void hone_text_real(hone_text *text, double value);
/* The same for a value that is an f32: the shortest that rounds back to it. */
void hone_text_real32(hone_text *text, float value);
/* All of a zero-terminated text as a number, rounded to nearest; false when it is none. */
bool hone_parse_real(const char *text, double *out);

#endif
