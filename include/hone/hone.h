/* Hone: trained models in, fast engines out. Beside this header: hone/network.h builds models call
 * by call, hone/op.h adds operators of your own, hone/refit.h replaces weights; docs/c-api.md goes
 * through all of it by task.
 *
 *   hone_model *model; hone_engine *engine; hone_context *context;
 *   hone_model_open("net.onnx", NULL, &model);      import: milliseconds
 *   hone_build(model, NULL, &engine);               optimise, measure, pack: seconds
 *   hone_context_new(engine, NULL, &context);       one for each concurrent request
 *   hone_set_input(context, 0, &picture);           your memory, no copy
 *   hone_run(context);                              plans when shapes are new, else only runs
 *   hone_get_output(context, 0, &scores);           lent until the next run
 *
 * Ownership, everywhere: what a _new, _open, _parse or _build call gives is yours, until you pass
 * it to the matching _free (which takes NULL); accessors lend. A status that is not NULL is yours.
 * Threads: a model, an engine and an options bag may be read by many threads at once; a context
 * serves one thread at a time, except hone_cancel, which any thread may call.
 * ABI: structs that cross the boundary begin with struct_size, set by the caller with sizeof;
 * members are only ever added at the end.
 */
#ifndef HONE_HONE_H
#define HONE_HONE_H

#include <stdbool.h>

#include <hone/status.h>
#include <hone/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hone_options hone_options;
typedef struct hone_model hone_model;
typedef struct hone_engine hone_engine;
typedef struct hone_context hone_context;

/* The library's version as "major.minor.patch". Static. */
HONE_API const char *hone_version(void);

/* What this machine has and what of it will be used, as JSON: processor, instruction sets, threads,
 * caches, devices, and the libraries that this one stands on. Free with hone_text_release. */
HONE_API hone_status *hone_machine(char **out);

/* ---- Options: one bag for every phase, set by name as text -------------------------------- */

typedef struct hone_option_info {
  size_t struct_size;
  const char *name;     /* "precision" */
  const char *kind;     /* "choice", "integer", "real", "flag", "text" */
  const char *fallback; /* the default, as text */
  const char *range;    /* "fp32|bf16", "0..64", "" */
  const char *phase;    /* "import", "build", "load", "run" */
  const char *help;     /* one sentence */
} hone_option_info;

/* Row `index` of the table of options; NOT_FOUND past its end. Everything in it is static. */
HONE_API hone_status *hone_option_at(size_t index, hone_option_info *out);

HONE_API hone_status *hone_options_new(hone_options **out);
/* INVALID_ARGUMENT for an unknown name or a value outside its range. */
HONE_API hone_status *hone_options_set(hone_options *options, const char *name, const char *value);
/* The value in force, as text; NULL for an unknown name. Lent until the next set. */
HONE_API const char *hone_options_get(const hone_options *options, const char *name);
HONE_API void hone_options_free(hone_options *options);

/* Progress of a build: called on the building thread at each step. `phase` is static text; item
 * `done` of `total`; `seconds_left` is an estimate, negative while there is none. Returning false
 * cancels: a build past its passes then keeps the best choices so far, unless the option
 * "cancel" is "fail". */
typedef bool hone_progress(void *argument, const char *phase, size_t done, size_t total,
                           double seconds_left);
HONE_API void hone_options_set_progress(hone_options *options, hone_progress *progress,
                                        void *argument);

/* Log lines of the whole process. Severity: 0 error, 1 warning, 2 info, 3 verbose. NULL brings
 * back the default, which prints to stderr what the variable HONE_LOG (0 to 3, default 1) allows.
 * Set it while no other thread is in a call of Hone; it is called on whatever thread has something
 * to say, on several at once, and must not call Hone. */
typedef void hone_logger(void *argument, int severity, const char *message);
HONE_API void hone_set_logger(hone_logger *logger, void *argument);

/* ---- Tensors -------------------------------------------------------------------------------- */

/* What a value is. */
enum { HONE_TENSOR = 0, HONE_SEQUENCE = 1, HONE_OPTIONAL = 2 };

/* Where a tensor's memory is: hone/gpu.h says what the others take. */
enum { HONE_ON_HOST = 0, HONE_ON_HOST_PINNED = 1, HONE_ON_DEVICE = 2 };

/* A value in somebody's memory, dense and row-major. */
typedef struct hone_tensor {
  size_t struct_size;
  int32_t kind; /* HONE_TENSOR unless the port is a sequence or an optional */
  hone_dtype dtype;
  int32_t rank;                /* 0..HONE_MAX_RANK */
  int32_t memory;              /* HONE_ON_HOST, which is 0, or another */
  int64_t dims[HONE_MAX_RANK]; /* in a port's description -1 where any size goes */
  void *data;                  /* NULL only where there are no elements */
  size_t size;                 /* bytes that `data` holds or, for an output, has room for */
  struct hone_tensor *items;   /* sequence: its tensors; optional: 0 or 1 of them */
  size_t count;
} hone_tensor;

/* Bytes of a tensor of known dims; 0 when they do not fit in a size_t or a dim is negative. */
HONE_API size_t hone_tensor_bytes(const hone_tensor *tensor);

/* The name of an element type, as "f32"; and its inverse, HONE_DTYPE_NONE when unknown. */
HONE_API const char *hone_dtype_text(hone_dtype dtype);
HONE_API hone_dtype hone_dtype_of(const char *name);

/* Decodes a picture (JPEG, PNG, TIFF, BMP, PNM, WebP, JPEG 2000) into u8[height, width, 3 or 1], rows
 * from the top. `pixels`: "rgb", "bgr" or "gray". UNSUPPORTED with the format's name where the library
 * was built without its decoder. Give out->data back with hone_data_release. */
HONE_API hone_status *hone_picture_decode(hone_bytes bytes, const char *pixels, hone_tensor *out);
HONE_API void hone_data_release(void *data);

/* ---- Models --------------------------------------------------------------------------------- */

/* Imports a model file; its format is recognised by its content. Weights stay in the mapped file,
 * which must not change while the model or an engine built from it lives. */
HONE_API hone_status *hone_model_open(const char *path, const hone_options *options,
                                      hone_model **out);
/* The same from memory, which must stay as it is for as long. `folder` is where companion files
 * (external data) lie; NULL: there are none. */
HONE_API hone_status *hone_model_parse(hone_bytes bytes, const char *folder,
                                       const hone_options *options, hone_model **out);
/* The imported graph in the text form of docs/graph.md. Free with hone_text_release. */
HONE_API hone_status *hone_model_text(const hone_model *model, char **out);
HONE_API void hone_model_free(hone_model *model);
/* Gives back text that a call of this interface made. */
HONE_API void hone_text_release(char *text);

/* ---- Engines -------------------------------------------------------------------------------- */

/* Optimises, measures, packs. The engine keeps the model's weights alive by itself. */
HONE_API hone_status *hone_build(const hone_model *model, const hone_options *options,
                                 hone_engine **out);
/* Writes the engine file, atomically. */
HONE_API hone_status *hone_engine_save(const hone_engine *engine, const char *path);
/* Opens an engine file: checked and mapped, not copied. MISMATCH or CORRUPT say why not. Made for
 * another processor it is repacked from its portable section, and the log says so. */
HONE_API hone_status *hone_engine_open(const char *path, const hone_options *options,
                                       hone_engine **out);
/* The same from memory, which must stay as it is while the engine lives. */
HONE_API hone_status *hone_engine_parse(hone_bytes bytes, const hone_options *options,
                                        hone_engine **out);
/* Says without loading whether `path` is whole and fits here. NULL: it runs as it is; MISMATCH:
 * whole, but it would be repacked (the message says why); CORRUPT, IO, …: it would be refused.
 * `report` (may be NULL) gets a JSON text for hone_text_release either way. */
HONE_API hone_status *hone_engine_check(const char *path, char **report);
HONE_API void hone_engine_free(hone_engine *engine); /* contexts keep the engine alive */

typedef struct hone_port {
  size_t struct_size;
  const char *name;                     /* lent by the engine */
  hone_tensor type;                     /* dims -1 where any size goes; data NULL */
  const char *dim_names[HONE_MAX_RANK]; /* of the unknown dims; NULL where known */
} hone_port;

HONE_API size_t hone_input_count(const hone_engine *engine);
HONE_API size_t hone_output_count(const hone_engine *engine);
HONE_API hone_status *hone_input_at(const hone_engine *engine, size_t index, hone_port *out);
HONE_API hone_status *hone_output_at(const hone_engine *engine, size_t index, hone_port *out);

/* What was built and why, as JSON: groups with source nodes, kernels, candidates with times, what
 * fused, what runs on the reference, sections, memory. Free with hone_text_release. */
HONE_API hone_status *hone_engine_report(const hone_engine *engine, char **out);
/* The optimised graph in the text form. Free with hone_text_release. */
HONE_API hone_status *hone_engine_text(const hone_engine *engine, char **out);

/* ---- Contexts and runs ---------------------------------------------------------------------- */

HONE_API hone_status *hone_context_new(hone_engine *engine, const hone_options *options,
                                       hone_context **out);
HONE_API void hone_context_free(hone_context *context);

/* Binds input `index` to the caller's memory, read at each run until bound anew. Only the struct is
 * copied (and, for sequences, nothing below it): data and items stay the caller's. */
HONE_API hone_status *hone_set_input(hone_context *context, size_t index,
                                     const hone_tensor *tensor);
/* Has output `index` written to the caller's memory of `tensor->size` bytes; data NULL undoes it.
 * An output that needs more fails the run with the size it needs. */
HONE_API hone_status *hone_set_output(hone_context *context, size_t index,
                                      const hone_tensor *tensor);
/* Has memory for the outputs asked for when their sizes are known, once an output and run: for hosts
 * whose results are tensors of their own. `type` has element type, dims and size in bytes; the
 * memory may be anywhere (64-byte aligned is fastest) and NULL fails the run. Called on the thread
 * that runs. It takes the place of hone_set_output; NULL undoes it. */
typedef void *hone_output_memory(void *argument, size_t index, const hone_tensor *type);
HONE_API void hone_set_output_memory(hone_context *context, hone_output_memory *give,
                                     void *argument);
/* Runs. With shapes seen before, and no larger than any seen, it allocates nothing and takes no
 * lock; new shapes are planned first. */
HONE_API hone_status *hone_run(hone_context *context);
/* The output of the last run, with its real shape; lent until the next run. */
HONE_API hone_status *hone_get_output(const hone_context *context, size_t index, hone_tensor *out);
/* Stops the run under way, or the next one, between two steps: it returns CANCELLED. */
HONE_API void hone_cancel(hone_context *context);
/* Has `poll` asked on the running thread between steps, at most every 20 ms: true cancels the run.
 * For hosts whose signals must be looked at by the thread that runs. NULL undoes it. */
typedef bool hone_poll(void *argument);
HONE_API void hone_set_poll(hone_context *context, hone_poll *poll, void *argument);
/* Times each step of the runs from now on (slower), or stops doing so. */
HONE_API void hone_profile(hone_context *context, bool on);
/* The profile as JSON: for each step the source nodes, kernel, runs, nanoseconds. Free with
 * hone_text_release. */
HONE_API hone_status *hone_profile_report(const hone_context *context, char **out);
/* One value of a watched run, as its step made it. Everything in it is lent for the call. */
typedef struct hone_watched {
  size_t struct_size;
  const char *const *sources; /* the user's nodes that the step computes */
  size_t source_count;
  const char *ops;              /* "conv+relu" */
  const char *kernel;           /* its name, or "reference", "view", "control" */
  const char *name;             /* of the value, unique in the engine */
  int32_t depth;                /* 0: of the graph itself; n: in n bodies of ifs and loops */
  hone_tensor value;            /* what the step gave */
  const hone_tensor *reference; /* what its ops plainly mean for the same inputs; NULL where it was
                                   not asked for, or the step runs by its plain meaning anyway */
  const char *const *inputs;    /* names of the values that it reads, constants left out */
  size_t input_count;
} hone_watched;
/* Called on the running thread; false stops the run, which returns CANCELLED. */
typedef bool hone_watcher(void *argument, const hone_watched *step);
/* Has every value of the runs from now on shown to `watcher` (slow), with `reference` beside what
 * each kernel's ops mean, which takes the time of the plain loops. NULL undoes it. */
HONE_API void hone_watch_runs(hone_context *context, hone_watcher *watcher, void *argument,
                              bool reference);
/* Bytes the context holds: arena, outputs, and what grew at run time. */
HONE_API size_t hone_context_memory(const hone_context *context);

#ifdef __cplusplus
}
#endif
#endif
