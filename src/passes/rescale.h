/* x * factor without a multiplication of its own. Room: passes. */
#ifndef HONE_PASSES_RESCALE_H
#define HONE_PASSES_RESCALE_H

#include "passes/rewrite.h"

/* x with `factor` (positive) in the constants that it is multiplied by already, behind sums, relu and
 * clip; `*out` NULL where there are none or somebody else reads what is between. New nodes stand
 * beside those that they copy. */
HONE_MUST_USE hone_status *hone_rescale(hone_value *x, double factor, hone_value **out);

#endif
