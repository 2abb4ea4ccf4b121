/* What models, engines and contexts are inside. Room: engine. */
#ifndef HONE_ENGINE_ENGINE_H
#define HONE_ENGINE_ENGINE_H

#include <stdatomic.h>

#include <hone/gpu.h>

#include "base/file.h"
#include "engine/options.h"
#include "engine/origin.h"
#include "engine/portions.h"
#include "engine/program.h"
#include "engine/stored.h"
#include "engine/watch.h"
#include "passes/pass.h"

struct hone_model {
  _Atomic int references; /* engines built from it share its weights */
  hone_graph *graph;
  hone_origin *origin;          /* NULL for one that was in memory */
  pthread_mutex_t lock;         /* of `weights` */
  struct hone_weights *weights; /* made when first asked for */
};

struct hone_engine {
  _Atomic int references;
  hone_graph *graph; /* optimised; owns the kept files */
  hone_program *program;
  hone_arena memory; /* of programs and packs */
  hone_pass_log log;
  char wish[8]; /* option `device` */
  const hone_backend *device; /* whose kernels are preferred; NULL: the CPU alone */
  int threads; /* that it was built for */
  double build_seconds;
  size_t measured, cached; /* candidates timed, and found in the cache */
  char precision[16];
  hone_file *file;         /* the mapped engine file; NULL when built here */
  hone_stored *stored;     /* what of it was checked; NULL when built here */
  hone_options *options;   /* that a refit needs */
  hone_origin *origin;     /* with portable=reference: the model that has the weights */
  uint64_t model_sum;      /* of that model */
  hone_model *model;       /* that it was built from, kept by the graph; NULL when opened */
};

/* What all frames of a context share. */
typedef struct hone_run_state {
  int threads;
  uint64_t number; /* of this run among the context's */
  size_t memory_limit;
  uint64_t deadline; /* hone_now() at which the run stops; 0: never */
  bool profiled;
  _Atomic bool cancelled;
  const struct hone_run_state *whole; /* of which this is a portion; or NULL */
  hone_poll *poll; /* asked by the calling thread; NULL: never */
  void *poll_argument;
  const hone_device *device; /* the engine's; NULL: it runs on the host */
  hone_stream *stream;       /* the caller's; NULL: each frame's own */
  bool asynchronous;         /* a run that may be left under way */
  hone_device_take *take_device;
  hone_device_give *give_device; /* NULL: the driver's memory */
  void *device_argument;
  hone_output_memory *give; /* asked for the memory of outputs; or NULL */
  void *give_argument;
  uint64_t next_poll;
  hone_watch watch;
} hone_run_state;

struct hone_context {
  hone_engine *engine;
  const hone_graph *graph; /* of the engine's program */
  struct hone_frame *frame;
  hone_datum *inputs;
  bool *input_given;
  hone_arena *input_items; /* by input: the items of the sequence that is bound */
  int32_t *input_memory; /* by input: HONE_ON_… */
  double deadline_seconds;
  hone_run_state run;
  hone_tensor *bound;
  hone_arena memory; /* of the arrays */
  hone_portions portions;
  hone_arena items;  /* what the last hone_get_output lent of sequences */
  bool ran;
};

/* hone_run, or a run that may be left under way. */
HONE_MUST_USE hone_status *hone_context_run(hone_context *context, bool asynchronous);
/* A value of the run as callers see it; `memory` takes the items of sequences. */
HONE_MUST_USE hone_status *hone_tensor_of(hone_arena *memory, const hone_datum *datum,
                                          hone_tensor *out);
/* What runs the unit: its kernel's name, or "reference", "view", "control". */
const char *hone_unit_kernel(const hone_unit *unit);

struct json_t;
/* The text of `root`, which is freed, in memory of ours for hone_text_release. */
HONE_MUST_USE hone_status *hone_give_json(struct json_t *root, char **out);

hone_model *hone_model_retain(const hone_model *model);
/* The model of a graph, which is freed where that fails. */
HONE_MUST_USE hone_status *hone_model_wrap(hone_graph *graph, hone_model **out);
/* Reads a caller's struct, of whatever version; data stays where it is, the list of a sequence's
 * items comes from `memory`. INVALID_ARGUMENT where it does not hold what it says. */
HONE_MUST_USE hone_status *hone_tensor_read(const hone_tensor *tensor, hone_arena *memory,
                                            hone_datum *out);

/* Builds `model` as `engine` was built, its kernels from `choices` instead of by time. */
struct hone_choices;
HONE_MUST_USE hone_status *hone_build_like(const hone_engine *engine, const hone_model *model,
                                           struct hone_choices *choices, hone_engine **out);

/* The engine around an optimised graph, no kernel chosen yet. Takes the graph. */
HONE_MUST_USE hone_status *hone_engine_wrap(hone_graph *graph, hone_engine **out);
/* Puts a group on the backend's kernel of this name; packs come from `saved` where given, else from
 * `memory`. `tuning`: as backends' prepare has it, or NULL. */
HONE_MUST_USE hone_status *hone_unit_prepare(hone_arena *memory, hone_unit *unit,
                                             const hone_backend *backend, const char *name,
                                             int variant, const hone_pack *saved, int saved_count,
                                             const hone_tuning *tuning);
/* Calls `visit` for every unit of every program, parents first, in a fixed order. */
typedef hone_status *hone_unit_visit(void *argument, hone_unit *unit);
HONE_MUST_USE hone_status *hone_visit_units(hone_program *program, hone_unit_visit *visit,
                                            void *argument);

#endif
