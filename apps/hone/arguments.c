/* Reading the command line: the library's options, the command's own flags, and the spellings that
 * users of trtexec know. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum { TEXT_FLAG, INPUT_FLAG, NUMBER_FLAG, TRUE_FLAG, MODEL_FLAG, OPTION_FLAG };

static const struct flag {
  const char *name;
  int kind;
  size_t offset;      /* into command_line */
  const char *option; /* OPTION_FLAG: "name=value", or "name" with the flag's value */
  const char *help;
} flags[] = {
    {"-o", TEXT_FLAG, offsetof(command_line, output), NULL, "where the engine or the outputs go"},
    {"--output", TEXT_FLAG, offsetof(command_line, output), NULL, NULL},
    {"--saveEngine", TEXT_FLAG, offsetof(command_line, output), NULL, NULL},
    {"--input", INPUT_FLAG, 0, NULL, "NAME=FILE.npy: an input's elements; else seeded numbers"},
    {"--loadInputs", INPUT_FLAG, 0, NULL, NULL},
    {"--iterations", NUMBER_FLAG, offsetof(command_line, iterations), NULL,
     "least runs of a bench"},
    {"--warmUp", NUMBER_FLAG, offsetof(command_line, warm_up_ms), NULL, "milliseconds before it"},
    {"--duration", NUMBER_FLAG, offsetof(command_line, duration_ms), NULL,
     "least seconds of a bench"},
    {"--json", TRUE_FLAG, offsetof(command_line, json), NULL, "print JSON"},
    {"--profile", TRUE_FLAG, offsetof(command_line, profile), NULL, "bench: a table by layer"},
    {"--dumpProfile", TRUE_FLAG, offsetof(command_line, profile), NULL, NULL},
    {"--quiet", TRUE_FLAG, offsetof(command_line, quiet), NULL, "no progress"},
    {"--before", TRUE_FLAG, offsetof(command_line, before), NULL,
     "inspect: the graph as it was imported"},
    {"--onnx", MODEL_FLAG, 0, NULL, NULL},
    {"--loadEngine", MODEL_FLAG, 0, NULL, NULL},
    {"--bf16", OPTION_FLAG, 0, "precision=bf16", NULL},
    {"--best", OPTION_FLAG, 0, "precision=bf16", NULL},
    {"--noTF32", OPTION_FLAG, 0, "precision=fp32", NULL},
    {"--timingCacheFile", OPTION_FLAG, 0, "timing-cache", NULL},
    {"--optShapes", OPTION_FLAG, 0, "shapes", NULL},
    {"--errorOnTimingCacheMiss", OPTION_FLAG, 0, "frozen-cache=true", NULL},
};
#define FLAGS (sizeof flags / sizeof *flags)

void print_flags(void) {
  for (size_t i = 0; i < FLAGS; i++)
    if (flags[i].help) printf("  %-18s %s\n", flags[i].name, flags[i].help);
  hone_option_info info = {.struct_size = sizeof info};
  for (size_t i = 0;; i++) {
    hone_status *status = hone_option_at(i, &info);
    if (status) {
      hone_status_free(status);
      return;
    }
    printf("  --%-16s %s (%s%s%s)\n", info.name, info.help, info.range, *info.range ? "; " : "",
           *info.fallback ? info.fallback : "none");
  }
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
  hone_option_info info = {.struct_size = sizeof info};
  for (size_t i = 0;; i++) {
    hone_status *status = hone_option_at(i, &info);
    hone_status_free(status);
    if (status) return false;
    if (strcmp(info.name, name) == 0) return strcmp(info.kind, "flag") == 0;
  }
}

static bool takes_value(const struct flag *flag) {
  return flag->kind != TRUE_FLAG && !(flag->kind == OPTION_FLAG && strchr(flag->option, '='));
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
      *(int *)at = (int)(strtod(value, NULL) * (strstr(flag->name, "duration") ? 1000 : 1));
      return true;
    case INPUT_FLAG:
      if (out->input_count == 32) return false;
      out->inputs[out->input_count++] = value;
      return true;
    case MODEL_FLAG:
      if (out->file_count == 8) return false;
      out->files[out->file_count++] = value;
      return true;
    default:
      return apply_option_row(out, flag->option, value);
  }
}

static const struct flag *find_flag(const char *word, size_t size) {
  for (size_t i = 0; i < FLAGS; i++)
    if (strlen(flags[i].name) == size && memcmp(flags[i].name, word, size) == 0) return &flags[i];
  return NULL;
}

/* One word that begins with a dash; *at moves on when the next word is its value. */
static bool read_flag(int argc, char **argv, int *at, command_line *out) {
  const char *word = argv[*at], *equal = strchr(word, '=');
  size_t size = equal ? (size_t)(equal - word) : strlen(word);
  const struct flag *flag = find_flag(word, size);
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)size, word);
  bool wants = flag ? takes_value(flag) : !is_flag_option(name + 2);
  const char *value = equal ? equal + 1 : wants && *at + 1 < argc ? argv[++*at] : "true";
  if (wants && !equal && value == (const char *)"true") {
    fprintf(stderr, "hone: %s wants a value\n", name);
    return false;
  }
  if (flag) return apply(flag, value, out);
  if (strncmp(name, "--", 2) == 0 && hone_options_get(out->options, name + 2))
    return set_option(out, name + 2, value);
  fprintf(stderr, "hone: there is no flag '%s'; hone --help lists them\n", name);
  return false;
}

bool read_arguments(int argc, char **argv, command_line *out) {
  *out = (command_line){.iterations = 10, .warm_up_ms = 200, .duration_ms = 3000};
  hone_status *status = hone_options_new(&out->options);
  if (status) return report_failure(status), false;
  for (int i = 2; i < argc; i++) {
    if (argv[i][0] == '-' && argv[i][1]) {
      if (!read_flag(argc, argv, &i, out)) return false;
    } else if (out->file_count < 8) {
      out->files[out->file_count++] = argv[i];
    }
  }
  return true;
}

void free_arguments(command_line *line) {
  hone_options_free(line->options);
}
