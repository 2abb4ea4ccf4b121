/* The backend contract. Room: backend.
 *
 * A backend runs groups. A group is a node of op `group` whose region (the body) is a convex piece
 * of the graph in canonical ops. Constants lie inside the body, so that a group's inputs and
 * outputs are only what changes from run to run. Prepare copies whatever a kernel needs of them
 * into packs: no kernel reads a body's constants at run, so that the raw weights of a loaded engine
 * stay untouched on disk. (The reference does; the engine runs those groups itself, by
 * hone_interpret.) Life: candidates and prepare at build, plan when shapes are met,
 * the phases at run. Read with docs/architecture.md.
 */
#ifndef HONE_BACKEND_BACKEND_H
#define HONE_BACKEND_BACKEND_H

#include "backend/cpu/kernel.h"
#include "base/text.h"
#include "ops/ops.h"

/* One way to run a group. `name` is static and unique in the backend: timing cache and engine file
 * store it. A device's begin with the backend's name. */
typedef struct hone_candidate {
  const char *name;
  int variant;     /* a tuning choice within the kernel (tile, split); 0 where there is none */
  double estimate; /* cost model's nanoseconds at `sizes` of the group; ranks before timing */
  const char *needs; /* a library that may be absent where the engine runs; NULL: none */
  bool inside;       /* it differs from candidate `like` in what only whole runs tell; such come last */
  size_t like;
} hone_candidate;

/* Weights as a kernel wants them, made at build, saved in the engine as they are. The bytes are
 * 64-byte aligned. A pack is a pure function of body, candidate and packing version. */
typedef struct hone_pack {
  const void *bytes;
  size_t size;
} hone_pack;

#define HONE_MAX_PACKS 8

typedef struct hone_group_view hone_group_view;

/* The sizes that a candidate was chosen at, on a backend whose candidates are for sizes: as they are met
 * at build (`view`), or as the last pack of a group that was prepared for them (`saved`). */
typedef struct hone_tuning {
  const hone_group_view *view; /* NULL: `saved` */
  hone_pack saved;
} hone_tuning;

/* A group made ready by one candidate. Immutable; shared by threads and plans. */
typedef struct hone_prepared {
  const struct hone_backend *backend;
  const hone_graph *body;
  const void *kernel; /* the backend's row for the candidate */
  int variant;
  hone_pack packs[HONE_MAX_PACKS];
  int pack_count;
  void *state; /* what else prepare made, from the arena it was given */
  const char *needs; /* the library that the candidate needs; NULL: none */
  char missing[160]; /* why it is not run here, and the first candidate in its place; empty: it is */
} hone_prepared;

/* What plan sees: concrete types for every value of the body, and elements where known. */
struct hone_group_view {
  const hone_graph *body;
  const hone_type *types;         /* by value id of the body; all shapes known, or bounds of what
                                     a data-shaped op makes, which is then the only node */
  const hone_datum *const *known; /* by body input: elements known now (host values), or NULL */
  int threads;                    /* workers the context will use at most */
  uint64_t in_place;              /* of a concat: body inputs, by bit, already in the output */
  size_t pitch;                   /* elements from row to row of output 0; 0: side by side */
  const size_t *in_pitch;         /* the same by body input; NULL: all side by side */
};

#define HONE_MAX_PHASES 8

/* A step of a plan: phases with a barrier between each two. */
typedef struct hone_step {
  hone_kernel_phase *phases[HONE_MAX_PHASES];
  int phase_count;
  size_t repeats[HONE_MAX_PHASES]; /* of each phase: turns after its first, each behind a barrier */
  const void *args; /* from the plan's arena; shared by the phases */
  size_t scratch;   /* bytes for hone_kernel_io.scratch, for view->threads parts */
  int parts;        /* workers it is worth: 1..view->threads */
  bool finds;       /* only running tells the outputs' sizes: hone_kernel_found does */
  bool on_device;   /* runs where the backend's device is; then there are no phases, and `scratch` lies
                       in the device's memory */
  bool faults;      /* on a device: may find a value that is no place */
  bool stores_once; /* on a device: stores each element of its outputs once, and reads none of them, so
                       that they may lie in the host's pinned memory */
  bool reads_near;  /* on a device: small inputs may lie there too */
} hone_step;

/* Whether there is anything to run: a step without is left to the reference. */
static inline bool hone_step_runs(const hone_step *step) {
  return step->phase_count > 0 || step->on_device;
}

/* What a step on a device runs on: addresses in the device's memory. */
typedef struct hone_device_io {
  void *const *in, *const *out; /* the group's, in its order; NULL where absent */
  void *scratch;
  void *fault; /* a hone_device_fault in the host's pinned memory, cleared by who reads it */
  int step;    /* what a fault of this step says it was */
} hone_device_io;

/* The first value that was no place, as device code writes it. */
typedef struct hone_device_fault {
  uint64_t set, step, element;
  int64_t value, bound;
} hone_device_fault;

/* Work in order on a device, and what it was recorded as. Each is used by one thread at a time. */
typedef struct hone_stream hone_stream;
typedef struct hone_recording hone_recording;
/* A moment of a stream's work, to be asked for its time. */
typedef struct hone_mark hone_mark;

/* A device: memory that is not the host's, and work that the host only asks for. What is asked on one
 * stream is done in order, and is over when `wait` returns; memory of the host's that an upload reads
 * or a download writes is not touched before that, and is pinned. */
typedef struct hone_device {
  hone_status *(*usable)(void);                           /* why not */
  hone_status *(*open)(hone_stream **out);
  hone_status *(*adopt)(void *native, hone_stream **out); /* the caller's; closing leaves it open */
  void (*close)(hone_stream *stream);                     /* NULL allowed */
  hone_status *(*take)(size_t bytes, void **out);         /* the device's memory, 256-byte aligned */
  void (*give)(void *memory);                             /* NULL allowed */
  hone_status *(*take_pinned)(size_t bytes, void **out);  /* the host's, that it copies to and from */
  void (*give_pinned)(void *memory);                      /* NULL allowed */
  hone_status *(*upload)(hone_stream *stream, void *to, const void *from, size_t bytes);
  hone_status *(*download)(hone_stream *stream, void *to, const void *from, size_t bytes);
  hone_status *(*run)(hone_stream *stream, const hone_step *step, const hone_device_io *io);
  hone_status *(*wait)(hone_stream *stream);
  /* Calls `done` when all is over that was asked for, on a thread of the device's. */
  hone_status *(*tell)(hone_stream *stream, void (*done)(void *argument), void *argument);
  /* Between them work is not done but written down, to be asked for again and again as one. */
  hone_status *(*record)(hone_stream *stream);
  hone_status *(*recorded)(hone_stream *stream, hone_recording **out);
  hone_status *(*replay)(hone_stream *stream, const hone_recording *recording);
  /* Has the step, recorded with the same io->step, run on other addresses from now on; UNSUPPORTED
   * where it has to be recorded again. */
  hone_status *(*repoint)(hone_recording *recording, const hone_step *step, const hone_device_io *io);
  void (*forget)(hone_recording *recording);              /* NULL allowed */
  hone_status *(*take_mark)(hone_mark **out);
  void (*give_mark)(hone_mark *mark);                     /* NULL allowed */
  hone_status *(*set_mark)(hone_stream *stream, hone_mark *mark); /* when what was asked for is over */
  /* Nanoseconds from one to the other, when both have come. */
  hone_status *(*between)(const hone_mark *from, const hone_mark *to, double *out);
  /* All that a kernel's time depends on beside the kernel and its sizes. */
  hone_status *(*describe)(hone_text *out);
  /* Nanoseconds that kernels of the backend's own take less inside a run than between marks, since they
   * begin before the one before them ends; a library's do not. */
  double overlap;
} hone_device;

/* What saved machine code runs on. */
typedef struct hone_code_needs {
  size_t kernels;
  int architecture; /* NVIDIA: compute capability, 90 for 9.0 */
  int driver;       /* NVIDIA: the least CUDA of the driver, 1000 * major + 10 * minor */
} hone_code_needs;

/* Machine code of a backend's kernels, kept in engine files so that opening one compiles nothing. What
 * was made or loaded is known until the process ends: preparing takes it from there. */
typedef struct hone_backend_code {
  hone_status *(*can_make)(void); /* why kernels cannot be compiled here */
  /* Compiles, on all threads, what preparing these bodies would compile one by one: by their first
   * candidate, or by all. */
  hone_status *(*make)(const hone_graph *const *bodies, size_t count, bool all);
  /* The code of the kernels of these groups, each once, in order. */
  hone_status *(*save)(const hone_prepared *const *groups, size_t count, hone_text *out);
  /* Makes saved code known. `*make`: part of it has to be compiled again; the log says what. */
  hone_status *(*load)(hone_bytes saved, bool *make);
  /* For a cache between builds: the code of all kernels that are known; how many were compiled in this
   * process; makes such code known, but for what does not run here. */
  hone_status *(*known)(hone_text *out);
  uint64_t (*compiled)(void);
  hone_status *(*recall)(hone_bytes saved);
  hone_status *(*needs)(hone_bytes saved, hone_code_needs *out); /* asks no device */
  hone_status *(*fits)(hone_bytes saved);                        /* why it is of no use here */
  /* The library that a candidate needs beside the driver, NULL where none; `*missing` says why it is not
   * here, and the candidate is not run then. */
  const char *(*library)(const char *candidate, hone_status **missing);
} hone_backend_code;

typedef struct hone_backend {
  const char *name;
  /* Fills `out` with the ways to run `body`, best guess first; returns how many there are (may be
   * more than `room`). None: another backend, or the reference, has to. On a device the first is for any
   * sizes and needs the driver alone, and the others are for the sizes that they are prepared for. */
  size_t (*candidates)(const hone_graph *body, hone_candidate *out, size_t room);
  /* Whether it has a kernel for the node, in whatever group; NULL: it is not asked. */
  bool (*takes)(const hone_node *node);
  /* Whether two or three layers, each of which alone reads what is made of the one before, may run
   * faster as one group than each in its own; NULL: never. */
  bool (*joins)(const hone_node *const *layers, int count);
  /* Packs weights for `name`/`variant`. `saved` (count `saved_count`, from an engine file of the
   * same packing version, or of the same body prepared before) replaces the packing work; its bytes
   * outlive the result. Memory from `arena`, which also outlives it. `tuning`: the sizes that the
   * candidate is for; NULL: they are in `saved`, or it is for any. NOT_FOUND when no such kernel accepts
   * the body here. */
  hone_status *(*prepare)(const hone_graph *body, const char *name, int variant,
                          const hone_pack *saved, int saved_count, const hone_tuning *tuning,
                          hone_arena *arena, hone_prepared *out);
  /* Sizes to arguments: no packing, no timing, no compiling. UNSUPPORTED when the candidate's
   * range does not hold these shapes. */
  hone_status *(*plan)(const hone_prepared *prepared, const hone_group_view *view,
                       hone_arena *arena, hone_step *out);
  /* Whether output 0 may be written with its rows (the last axis) at a pitch. NULL: never. */
  bool (*pitches)(const hone_prepared *prepared);
  /* Whether body input `input` may be read so. */
  bool (*reads_pitched)(const hone_prepared *prepared, int input);
  /* Gives back what of a prepared group does not lie in the arena. NULL: nothing does. */
  void (*release)(hone_prepared *prepared);
  /* Where the steps run; NULL: on the host. */
  const hone_device *device;
  const hone_backend_code *code; /* NULL: there is none */
  /* Changes whenever a packing changes its bytes' meaning. */
  uint32_t packing_version;
} hone_backend;

extern const hone_backend hone_backend_cpu;
extern const hone_backend hone_backend_cuda;

#endif
