/* What the subcommands share: the command line, sessions, exit codes. */
#ifndef HONE_COMMAND_H
#define HONE_COMMAND_H

#include <hone/hone.h>

#include "tensors.h"

enum {
  EXIT_WRONG_USE = 1,
  EXIT_REFUSED = 2,
  EXIT_CANNOT_BUILD = 3,
  EXIT_INACCURATE = 4,
  EXIT_DEVICE = 5
};

/* What the command line said. Flags that are options of the library are in `options`. */
typedef struct command_line {
  const char *files[8]; /* what stands there without a flag */
  int file_count;
  hone_options *options;
  const char *output;     /* -o: where the engine or the outputs go */
  const char *inputs[32]; /* --input, in order */
  int input_count;
  picture_rules picture; /* --mean, --scale, --pixels, --layout */
  double iterations, warm_up_ms, duration_s, sleep_ms, streams;
  double average_runs, tolerance;
  const char *percentiles;
  const char *export_output, *export_profile, *export_times, *export_layers;
  const char *peer, *dot;
  bool json, profile, quiet, verbose, before, after, layers, dump_output, build_only;
} command_line;

/* Reads flags from `argv`, from word `first` on. False after it said what is wrong. */
bool read_arguments(int argc, char **argv, int first, command_line *out);
void free_arguments(command_line *line);
/* The flags, with what they do, to stdout. */
void print_flags(void);

/* What becomes of a flag that trtexec has and this command has not: false after saying what to use
 * instead, true after saying that nothing needs doing. `known` is false for a flag of neither. */
bool answer_trtexec_flag(const char *name, bool *known);

/* Says what went wrong on stderr, frees the status, gives the exit code that stands for it. */
int report_failure(hone_status *status);
#define TRY_COMMAND(call)                                \
  do {                                                   \
    hone_status *try_status_ = (call);                   \
    if (try_status_) return report_failure(try_status_); \
  } while (0)
/* The same for calls that give an exit code. */
#define TRY_CODE(call)               \
  do {                               \
    int try_code_ = (call);          \
    if (try_code_) return try_code_; \
  } while (0)

/* An engine from an engine file, or built from a model with progress on stderr; Ctrl-C then keeps
 * the best so far. */
hone_status *open_or_build(const command_line *line, const char *path, hone_engine **out);
bool is_engine_file(const char *path);
/* Writes the engine where -o says, if it does. */
int save_if_asked(const command_line *line, const hone_engine *engine);

/* Progress of a build: a bar on a terminal, plain lines elsewhere. */
hone_progress show_progress;
/* From the first call on, Ctrl-C is noted instead of ending the process; a second one ends it. */
void catch_interrupt(void);
void release_interrupt(void);
bool interrupted(void);

/* An engine with a context and its inputs bound. All-zero is closed. */
typedef struct session {
  hone_engine *engine;
  hone_context *context;
  tensor_list inputs;
} session;

/* All three give an exit code; close_session takes a session in any state. */
int open_session(const command_line *line, const char *path, session *out);
/* A context on the engine with the inputs of the command line. */
int bind_session(const command_line *line, session *s);
void close_session(session *s);

/* Outputs of the last run: on stdout, to the folder of -o, to the file of --exportOutput. */
int give_outputs(const command_line *line, const session *s);

/* Times by layer of `runs` more runs: a table on stdout, and --exportProfile's file. */
int give_profile(const command_line *line, hone_context *context, int runs);
/* The text of a JSON file; false after saying that it cannot be written. */
struct json_t;
bool write_json(const char *path, const struct json_t *root);

/* A graph of the engine's units in Graphviz's language. */
bool write_dot(const char *path, const struct json_t *report);

typedef int subcommand(const command_line *line);
subcommand command_build, command_run, command_bench, command_inspect, command_compare,
    command_check, command_doctor, command_refit, command_trtexec;

#endif
