/* What the subcommands share: arguments, tensors, exit codes. */
#ifndef HONE_COMMAND_H
#define HONE_COMMAND_H

#include <hone/hone.h>

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
  const char *output;     /* -o, --saveEngine: where the engine or the outputs go */
  const char *inputs[32]; /* --input name=file.npy, in order */
  int input_count;
  int iterations, warm_up_ms, duration_ms;
  bool json, profile, quiet, before;
} command_line;

/* Reads flags from `argv`, from the second word on. False after it said what is wrong. */
bool read_arguments(int argc, char **argv, command_line *out);
void free_arguments(command_line *line);
/* The flags, with what they do, to stdout. */
void print_flags(void);

/* Says what went wrong on stderr, frees the status, gives the exit code that stands for it. */
int report_failure(hone_status *status);
#define TRY_COMMAND(call)                                \
  do {                                                   \
    hone_status *try_status_ = (call);                   \
    if (try_status_) return report_failure(try_status_); \
  } while (0)

/* An engine from an engine file, or built from a model with a progress line. */
hone_status *open_or_build(const command_line *line, const char *path, hone_engine **out);

/* Memory for every input: read from --input files, else seeded numbers of the shapes given by
 * --shapes (open sizes: 1 first, then 224 for pictures, 128 for others). */
typedef struct tensor_list {
  hone_tensor *tensors;
  size_t count;
} tensor_list;
bool make_inputs(const command_line *line, const hone_engine *engine, tensor_list *out);
void free_tensors(tensor_list *list);
/* NumPy's .npy format, version 1 to 3, C order, little-endian. False after it said why. */
bool read_npy(const char *path, hone_tensor *out);
bool write_npy(const char *path, const hone_tensor *tensor);

typedef int subcommand(const command_line *line);
subcommand command_build, command_run, command_bench, command_inspect, command_compare,
    command_check, command_doctor;

#endif
