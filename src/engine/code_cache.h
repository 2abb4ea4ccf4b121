/* Machine code between builds, in a file beside the timing cache: FILE.code. Room: engine.
 *
 * An engine file of section code alone. It holds what the process had compiled or knew when a build
 * ended, by the text that it was made of, so that it suits any model and version: what a build does
 * not find there is compiled. Losing it costs that time and nothing else; a GPU of another kind
 * writes its own in its place.
 */
#ifndef HONE_ENGINE_CODE_CACHE_H
#define HONE_ENGINE_CODE_CACHE_H

#include "backend/backend.h"

/* Makes known what the file has. One that is not there is empty; one that is no such file is left alone,
 * and the log says so. */
HONE_MUST_USE hone_status *hone_code_cache_read(const hone_backend *device, const char *timing_cache);
HONE_MUST_USE hone_status *hone_code_cache_write(const hone_backend *device, const char *timing_cache);

#endif
