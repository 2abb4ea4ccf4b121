/* Reading the command line: the library's options, the command's own flags, and the spellings that
 * users of trtexec know. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hone/op.h>

#include "command.h"

typedef enum flag_kind {
  TEXT_FLAG,
  INPUT_FLAG,
  NUMBER_FLAG,
  TRUE_FLAG,
  MODEL_FLAG,
  PLUGIN_FLAG, /* a library of operators, loaded at once */
  OPTION_FLAG  /* an option of the library, perhaps with its value */
} flag_kind;

static const struct flag {
  const char *name;
  flag_kind kind;
  size_t offset;      /* into command_line */
  const char *option; /* OPTION_FLAG: "name=value", or "name" with the flag's value */
  const char *help;   /* NULL: another spelling of the row above it */
} flags[] = {
#define AT(member) offsetof(command_line, member), NULL
    {"-o", TEXT_FLAG, AT(output), "build: the engine file; run: a folder for outputs as .npy"},
    {"--output", TEXT_FLAG, AT(output), NULL},
    {"--saveEngine", TEXT_FLAG, AT(output), NULL},
    {"--input", INPUT_FLAG, 0, NULL, "NAME:FILE, a .npy, .npz, picture or raw; FILE.npz for all"},
    {"--loadInputs", INPUT_FLAG, 0, NULL, NULL},
    {"--weights", INPUT_FLAG, 0, NULL, "refit: NAME:FILE.npy, or FILE.npz for all that it holds"},
    {"--plugins", PLUGIN_FLAG, 0, NULL,
     "a library with operators of your own (hone/op.h); repeated"},
    {"--staticPlugins", PLUGIN_FLAG, 0, NULL, NULL},
    {"--dynamicPlugins", PLUGIN_FLAG, 0, NULL, NULL},
    {"--pixels", TEXT_FLAG, AT(picture.pixels), "pictures: rgb, bgr or gray"},
    {"--mean", TEXT_FLAG, AT(picture.mean),
     "pictures: subtracted, one number or one a channel (0)"},
    {"--scale", TEXT_FLAG, AT(picture.scale), "pictures: multiplied with after that (1)"},
    {"--layout", TEXT_FLAG, AT(picture.layout),
     "pictures: nchw or nhwc; else by the input's shape"},
    {"--dump-output", TRUE_FLAG, AT(dump_output), "print every element of the outputs"},
    {"--dumpOutput", TRUE_FLAG, AT(dump_output), NULL},
    {"--export-output", TEXT_FLAG, AT(export_output), "outputs to FILE.json, or FILE.npy for one"},
    {"--exportOutput", TEXT_FLAG, AT(export_output), NULL},
    {"--iterations", NUMBER_FLAG, AT(iterations), "bench: least runs (10)"},
    {"--warm-up", NUMBER_FLAG, AT(warm_up_ms), "bench: milliseconds before it (200)"},
    {"--warmUp", NUMBER_FLAG, AT(warm_up_ms), NULL},
    {"--duration", NUMBER_FLAG, AT(duration_s), "bench: least seconds (3)"},
    {"--sleep", NUMBER_FLAG, AT(sleep_ms), "bench: milliseconds between runs (0)"},
    {"--sleepTime", NUMBER_FLAG, AT(sleep_ms), NULL},
    {"--idleTime", NUMBER_FLAG, AT(sleep_ms), NULL},
    {"--streams", NUMBER_FLAG, AT(streams), "bench: contexts that run at once (1)"},
    {"--contexts", NUMBER_FLAG, AT(streams), NULL},
    {"--infStreams", NUMBER_FLAG, AT(streams), NULL},
    {"--percentile", TEXT_FLAG, AT(percentiles), "bench: percentiles of the latency (90,95,99)"},
    {"--avg-runs", NUMBER_FLAG, AT(average_runs), "bench --verbose: runs in each average (10)"},
    {"--avgRuns", NUMBER_FLAG, AT(average_runs), NULL},
    {"--export-times", TEXT_FLAG, AT(export_times), "bench: every latency as JSON"},
    {"--exportTimes", TEXT_FLAG, AT(export_times), NULL},
    {"--profile", TRUE_FLAG, AT(profile), "bench, run: a table of times by layer"},
    {"--dumpProfile", TRUE_FLAG, AT(profile), NULL},
    {"--export-profile", TEXT_FLAG, AT(export_profile), "the same as JSON"},
    {"--exportProfile", TEXT_FLAG, AT(export_profile), NULL},
    {"--before", TRUE_FLAG, AT(before), "inspect: the graph as it was imported"},
    {"--after", TRUE_FLAG, AT(after), "inspect: the graph as it runs"},
    {"--layers", TRUE_FLAG, AT(layers), "inspect: a row for each unit"},
    {"--dumpLayerInfo", TRUE_FLAG, AT(layers), NULL},
    {"--export-layers", TEXT_FLAG, AT(export_layers), "inspect: the report as JSON"},
    {"--exportLayerInfo", TEXT_FLAG, AT(export_layers), NULL},
    {"--dot", TEXT_FLAG, AT(dot), "inspect: a picture for Graphviz (dot -Tsvg)"},
    {"--peer", TEXT_FLAG, AT(peer), "compare: onnxruntime, by python3 or $HONE_PYTHON"},
    {"--tolerance", NUMBER_FLAG, AT(tolerance), "compare: bound on max|y - ref| / max|ref|"},
    {"--accuracyThreshold", NUMBER_FLAG, AT(tolerance), NULL},
    {"--json", TRUE_FLAG, AT(json), "print JSON"},
    {"--quiet", TRUE_FLAG, AT(quiet), "no progress"},
    {"--verbose", TRUE_FLAG, AT(verbose), "more of it; the library's log as well"},
    {"--skipInference", TRUE_FLAG, AT(build_only), NULL},
    {"--onnx", MODEL_FLAG, 0, NULL, NULL},
    {"--loadEngine", MODEL_FLAG, 0, NULL, NULL},
    {"--bf16", OPTION_FLAG, 0, "precision=bf16", NULL},
    {"--best", OPTION_FLAG, 0, "precision=bf16", NULL},
    {"--noTF32", OPTION_FLAG, 0, "precision=fp32", NULL},
    {"--timingCacheFile", OPTION_FLAG, 0, "timing-cache", NULL},
    {"--tuningCacheFile", OPTION_FLAG, 0, "timing-cache", NULL},
    {"--tuningTimeOut", OPTION_FLAG, 0, "build-seconds", NULL},
    {"--noBuilderCache", OPTION_FLAG, 0, "timing-cache=", NULL},
    {"--optShapes", OPTION_FLAG, 0, "shapes", NULL},
    {"--errorOnTimingCacheMiss", OPTION_FLAG, 0, "frozen-cache=true", NULL},
#undef AT
};
#define FLAGS (sizeof flags / sizeof *flags)

static bool option_at(size_t index, hone_option_info *out) {
  *out = (hone_option_info){.struct_size = sizeof *out};
  hone_status *status = hone_option_at(index, out);
  hone_status_free(status);
  return status == NULL;
}

void print_flags(void) {
  for (size_t i = 0; i < FLAGS; i++)
    if (flags[i].help) printf("  %-18s %s\n", flags[i].name, flags[i].help);
  hone_option_info info;
  for (size_t i = 0; option_at(i, &info); i++)
    printf("  --%-16s %s (%s%s%s)\n", info.name, info.help, info.range, *info.range ? "; " : "",
           *info.fallback ? info.fallback : "none");
}

static bool set_option(command_line *out, const char *name, const char *value) {
  hone_status *status = hone_options_set(out->options, name, value);
  if (status) report_failure(status);
  return status == NULL;
}

/* "name=value" of an OPTION_FLAG's row, or its name with the flag's value. */
static bool apply_option_row(command_line *out, const char *row, const char *value) {
  const char *equal = strchr(row, '=');
  if (!equal) return set_option(out, row, value);
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)(equal - row), row);
  return set_option(out, name, equal + 1);
}

static bool is_flag_option(const char *name) {
  hone_option_info info;
  for (size_t i = 0; option_at(i, &info); i++)
    if (strcmp(info.name, name) == 0) return strcmp(info.kind, "flag") == 0;
  return false;
}

static bool takes_value(const struct flag *flag) {
  return flag->kind != TRUE_FLAG && !(flag->kind == OPTION_FLAG && strchr(flag->option, '='));
}

static bool read_number(const char *name, const char *text, double *out) {
  char *end;
  *out = strtod(text, &end);
  if (end != text && !*end && *out >= 0) return true;
  fprintf(stderr, "hone: %s wants a number, not '%s'\n", name, text);
  return false;
}

static bool load_plugin(const char *path) {
  hone_status *status = hone_plugin_load(path);
  if (status) report_failure(status);
  return status == NULL;
}

static bool apply(const struct flag *flag, const char *value, command_line *out) {
  char *at = (char *)out + flag->offset;
  switch (flag->kind) {
    case TEXT_FLAG:
      *(const char **)at = value;
      return true;
    case TRUE_FLAG:
      *(bool *)at = true;
      return true;
    case NUMBER_FLAG:
      return read_number(flag->name, value, (double *)at);
    case INPUT_FLAG:
      if (out->input_count == 32) return complain(value, "too many inputs");
      out->inputs[out->input_count++] = value;
      return true;
    case MODEL_FLAG:
      if (out->file_count == 8) return complain(value, "too many files");
      out->files[out->file_count++] = value;
      return true;
    case PLUGIN_FLAG:
      return load_plugin(value);
    case OPTION_FLAG:
      return apply_option_row(out, flag->option, value);
  }
  return false;
}

static const struct flag *find_flag(const char *word, size_t size) {
  for (size_t i = 0; i < FLAGS; i++)
    if (strlen(flags[i].name) == size && memcmp(flags[i].name, word, size) == 0) return &flags[i];
  return NULL;
}

/* trtexec has spellings whose meaning depends on the value: --threads is a flag there and a number
 * here; --device=0 is a GPU's number; --builderOptimizationLevel=0 measures nothing. Whether the
 * word is one of them and is done. */
static bool apply_special(const char *name, const char *value, bool *wants, command_line *out,
                          bool *good) {
  bool numeric = value && *value >= '0' && *value <= '9';
  *good = true;
  if (strcmp(name, "--threads") == 0 && !numeric) {
    *wants = false;
    return true; /* each context of a bench has a thread of its own */
  }
  if (strcmp(name, "--device") == 0 && numeric) return true;
  if (strcmp(name, "--builderOptimizationLevel") == 0) {
    *good = set_option(out, "measure", value && strcmp(value, "0") == 0 ? "false" : "true");
    return true;
  }
  return false;
}

/* A flag that is no row of the table: an option's name, or one of trtexec's. */
static bool apply_other(const char *name, const char *value, command_line *out) {
  if (strncmp(name, "--", 2) == 0 && hone_options_get(out->options, name + 2))
    return set_option(out, name + 2, value);
  bool known, good = answer_trtexec_flag(name, &known);
  if (known) return good;
  fprintf(stderr, "hone: there is no flag '%s'; hone --help lists them\n", name);
  return false;
}

/* One word that begins with a dash; *at moves on when the next word is its value. */
static bool read_flag(int argc, char **argv, int *at, command_line *out) {
  const char *word = argv[*at], *equal = strchr(word, '=');
  const char *next = *at + 1 < argc ? argv[*at + 1] : NULL;
  size_t size = equal ? (size_t)(equal - word) : strlen(word);
  const struct flag *flag = find_flag(word, size);
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)size, word);
  bool option = strlen(name) > 2 && hone_options_get(out->options, name + 2);
  bool spelled = next && (strcmp(next, "true") == 0 || strcmp(next, "false") == 0);
  bool wants = flag ? takes_value(flag) : option && (spelled || !is_flag_option(name + 2));
  bool good;
  if (apply_special(name, equal ? equal + 1 : next, &wants, out, &good)) {
    if (wants && !equal && next) ++*at;
    return good;
  }
  if (wants && !equal && !next) {
    fprintf(stderr, "hone: %s wants a value\n", name);
    return false;
  }
  const char *value = equal ? equal + 1 : wants ? argv[++*at] : "true";
  return flag ? apply(flag, value, out) : apply_other(name, value, out);
}

static void log_line(void *argument, int severity, const char *message) {
  (void)argument, (void)severity;
  fprintf(stderr, "hone: %s\n", message);
}

bool read_arguments(int argc, char **argv, int first, command_line *out) {
  *out = (command_line){.iterations = 10,
                        .warm_up_ms = 200,
                        .duration_s = 3,
                        .streams = 1,
                        .average_runs = 10,
                        .tolerance = -1,
                        .percentiles = "90,95,99"};
  hone_status *status = hone_options_new(&out->options);
  if (status) return report_failure(status), false;
  for (int i = first; i < argc; i++) {
    if (argv[i][0] == '-' && argv[i][1]) {
      if (!read_flag(argc, argv, &i, out)) return false;
    } else if (out->file_count < 8) {
      out->files[out->file_count++] = argv[i];
    }
  }
  if (out->verbose) hone_set_logger(log_line, NULL);
  return true;
}

void free_arguments(command_line *line) {
  hone_options_free(line->options);
}
