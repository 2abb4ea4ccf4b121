/* Options read back by the engine's parts. Room: engine. */
#ifndef HONE_ENGINE_OPTIONS_H
#define HONE_ENGINE_OPTIONS_H

#include <hone/hone.h>

#include "base/status.h"

typedef enum hone_option_id {
#define OPTION(id, name, kind, fallback, range, phase, help) HONE_OPTION_##id,
#include "engine/options.def"
#undef OPTION
  HONE_OPTION_COUNT
} hone_option_id;

/* `options` may be NULL: all defaults. */
const char *hone_option_text(const hone_options *options, hone_option_id id);
bool hone_option_is(const hone_options *options, hone_option_id id, const char *value);
bool hone_option_flag(const hone_options *options, hone_option_id id);
int64_t hone_option_int(const hone_options *options, hone_option_id id);
double hone_option_real(const hone_options *options, hone_option_id id);

/* Options that are kept together: those that decide what a build makes of a model, given the
 * kernels, and those that decide what importing reads. */
typedef enum hone_option_set { HONE_OPTIONS_REFIT, HONE_OPTIONS_IMPORT } hone_option_set;
/* A bag of its own with the options of the set. */
HONE_MUST_USE hone_status *hone_options_some(hone_option_set set, const hone_options *options,
                                             hone_options **out);
/* The name of row `index` of the set; NULL past the last. */
const char *hone_option_of(hone_option_set set, size_t index);

/* Calls the progress callback, if any; false when it asks to stop. */
bool hone_option_progress(const hone_options *options, const char *phase, size_t done, size_t total,
                          double seconds_left);
/* Whether there is one, and so whether a build can be cancelled. */
bool hone_option_has_progress(const hone_options *options);

#endif
