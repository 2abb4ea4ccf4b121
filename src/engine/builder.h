/* What one build carries along. Room: engine. */
#ifndef HONE_ENGINE_BUILDER_H
#define HONE_ENGINE_BUILDER_H

#include "engine/choices.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "engine/timing_cache.h"
#include "passes/pass.h"

struct hone_bench_group;

typedef struct hone_builder {
  const hone_options *options;
  hone_engine *engine;
  hone_timing_cache cache;
  bool measure, frozen, stopped;
  uint64_t start;
  double seconds;           /* budget */
  size_t done, total;       /* groups */
  const hone_plan *typical; /* types at the typical sizes; NULL where they could not be told */
  hone_choices *like;       /* kernels are taken from there; NULL: they are measured */
  bool tries;               /* a trial run may follow */
  double run;               /* nanoseconds of a whole run on the engine's device; negative: not known */
  hone_map later;           /* by address: units whose sizes only a trial run tells */
  hone_arena trial;         /* packs of what they run on until then */
} hone_builder;

/* Asks the caller to go on; a build told to stop keeps what it has, or fails where asked to. */
HONE_MUST_USE hone_status *hone_build_progress(hone_builder *b, const char *phase);
/* A kernel for every group, packed (choose.c). */
HONE_MUST_USE hone_status *hone_choose_all(hone_builder *b);
/* Chooses and packs for a group that has the sizes that `plan` knows (NULL: none). */
HONE_MUST_USE hone_status *hone_choose_unit(hone_builder *b, hone_unit *unit,
                                            const hone_plan *plan);
/* The group at the types that `plan` knows; `known` is false where it does not. */
HONE_MUST_USE hone_status *hone_typical_group(const hone_builder *b, const hone_unit *unit,
                                              const hone_plan *plan, hone_arena *memory,
                                              struct hone_bench_group *out, bool *known);
/* The candidate that the times (negative: none) speak for: a challenger replaces the one before it only
 * by 3 %, so that noise does not change engines. */
size_t hone_fastest(const double *times, size_t count);
/* An engine of the model in b->engine, its kernels chosen; of the blocks that the device may run as one
 * group those that are `joined` become one, and all are listed (build.c). */
HONE_MUST_USE hone_status *hone_build_engine(hone_builder *b, const hone_model *model,
                                             const hone_backend *device, hone_pass_blocks *blocks);
/* The optimised graph of the model, by itself. */
HONE_MUST_USE hone_status *hone_build_graph(hone_builder *b, const hone_model *model,
                                            const hone_backend *device, hone_pass_log *log,
                                            hone_pass_blocks *blocks, hone_graph **out);
/* The same engine, with those blocks as one group each that run faster so on its device (blocks.c). */
HONE_MUST_USE hone_status *hone_build_in_blocks(hone_builder *b, const hone_model *model,
                                                const hone_backend *device);
/* Times the candidates of the groups on the engine's device, all inside one run at the typical sizes,
 * and puts each group on its fastest (choose_device.c). */
HONE_MUST_USE hone_status *hone_choose_on_device(hone_builder *b);
/* A context that ran once, on seeded inputs of typical sizes; NULL where that came to nothing, which the
 * log says (trial.c). */
HONE_MUST_USE hone_status *hone_run_typical(hone_builder *b, hone_context **out);
/* Runs the engine once on seeded inputs of typical sizes, so that the groups in `later` get sizes,
 * then chooses for them: groups in regions, and those after what only running tells (trial.c). */
HONE_MUST_USE hone_status *hone_choose_later(hone_builder *b);

#endif
