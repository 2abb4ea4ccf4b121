/* Which backend runs a group of an engine. Room: engine. */
#ifndef HONE_ENGINE_BACKENDS_H
#define HONE_ENGINE_BACKENDS_H

#include "engine/engine.h"

/* What option `device` comes to on this machine: with "cuda" an error where there is no GPU, with
 * "auto" the GPU where there is one; NULL is the CPU. `code`: the kernels' machine code, out of an
 * engine file; NULL: they will have to be compiled. */
HONE_MUST_USE hone_status *hone_choose_device(const char *device, const hone_bytes *code,
                                              const hone_backend **out);
/* Why kernels of this code, or compiled ones, do not run on the backend's device here. */
HONE_MUST_USE hone_status *hone_device_fits(const hone_backend *backend, const hone_bytes *code);
/* Compiles, on all threads, the kernels of all groups that the engine's device takes: of the first
 * candidates, or of all. */
HONE_MUST_USE hone_status *hone_engine_make_code(hone_engine *engine, bool all);
/* The one that candidates come from: the engine's device where it has a kernel, else the CPU. */
const hone_backend *hone_backend_for(const hone_engine *engine, const hone_graph *body);
/* The one that has a candidate of this name. */
const hone_backend *hone_backend_named(const char *candidate, const hone_graph *body);

#endif
