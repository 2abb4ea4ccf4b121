/* The bag of options and its table. Room: engine. */
#include "engine/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { INT, REAL, FLAG, CHOICE, TEXT };
static const char *const kind_names[] = {"integer", "real", "flag", "choice", "text"};

#define IMPORT "import"
#define BUILD  "build"
#define LOAD   "load"
#define RUN    "run"

static const struct option_row {
  const char *name;
  int kind;
  const char *fallback, *range, *phase, *help;
} rows[] = {
#define OPTION(id, name, kind, fallback, range, phase, help) \
  {name, kind, fallback, range, phase, help},
#include "engine/options.def"
#undef OPTION
};

struct hone_options {
  char *values[HONE_OPTION_COUNT]; /* NULL: the default */
  hone_progress *progress;
  void *progress_argument;
};

hone_status *hone_option_at(size_t index, hone_option_info *out) {
  if (index >= HONE_OPTION_COUNT)
    return hone_error(HONE_NOT_FOUND, "there is no option %zu", index);
  const struct option_row *row = &rows[index];
  size_t size = out->struct_size;
  hone_option_info info = {size,       row->name, kind_names[row->kind], row->fallback, row->range,
                           row->phase, row->help};
  memcpy(out, &info, size < sizeof info ? size : sizeof info);
  return NULL;
}

hone_status *hone_options_new(hone_options **out) {
  *out = hone_alloc_zero(sizeof **out);
  HONE_TRY_MEMORY(*out);
  return NULL;
}

void hone_options_free(hone_options *options) {
  if (!options) return;
  for (int i = 0; i < HONE_OPTION_COUNT; i++) hone_free(options->values[i]);
  hone_free(options);
}

static bool in_choices(const char *choices, const char *value) {
  size_t size = strlen(value);
  for (const char *at = choices; *at;) {
    size_t span = strcspn(at, "|");
    if (span == size && memcmp(at, value, size) == 0) return true;
    at += span + (at[span] == '|');
  }
  return false;
}

/* "low..high", both ends included. */
static bool in_range(const char *range, double value) {
  if (!*range) return true;
  double low = strtod(range, NULL); /* reads "0." of "0..9" */
  double high = strtod(strstr(range, "..") + 2, NULL);
  return value >= low && value <= high;
}

static hone_status *check_value(const struct option_row *row, const char *value) {
  char *end;
  double number = strtod(value, &end);
  bool is_number = *value && !*end && !isnan(number);
  bool good = true;
  switch (row->kind) {
    case CHOICE:
      good = in_choices(row->range, value);
      break;
    case FLAG:
      good = in_choices("true|false", value);
      break;
    case INT:
      good = is_number && number == floor(number) && in_range(row->range, number);
      break;
    case REAL:
      good = is_number && in_range(row->range, number);
      break;
    default:
      break;
  }
  if (good) return NULL;
  return hone_error(HONE_INVALID_ARGUMENT, "option %s cannot be '%.100s': it is %s %s", row->name,
                    value, row->kind == CHOICE ? "one of" : kind_names[row->kind], row->range);
}

static int find(const char *name) {
  for (int i = 0; i < HONE_OPTION_COUNT; i++)
    if (strcmp(rows[i].name, name) == 0) return i;
  return -1;
}

hone_status *hone_options_set(hone_options *options, const char *name, const char *value) {
  int index = find(name);
  if (index < 0) return hone_error(HONE_INVALID_ARGUMENT, "there is no option '%.100s'", name);
  HONE_TRY(check_value(&rows[index], value));
  char *copy = hone_alloc(strlen(value) + 1);
  HONE_TRY_MEMORY(copy);
  memcpy(copy, value, strlen(value) + 1);
  hone_free(options->values[index]);
  options->values[index] = copy;
  return NULL;
}

const char *hone_option_text(const hone_options *options, hone_option_id id) {
  return options && options->values[id] ? options->values[id] : rows[id].fallback;
}

const char *hone_options_get(const hone_options *options, const char *name) {
  int index = find(name);
  return index < 0 ? NULL : hone_option_text(options, (hone_option_id)index);
}

bool hone_option_is(const hone_options *options, hone_option_id id, const char *value) {
  return strcmp(hone_option_text(options, id), value) == 0;
}
bool hone_option_flag(const hone_options *options, hone_option_id id) {
  return hone_option_is(options, id, "true");
}
int64_t hone_option_int(const hone_options *options, hone_option_id id) {
  return (int64_t)strtod(hone_option_text(options, id), NULL);
}
double hone_option_real(const hone_options *options, hone_option_id id) {
  return strtod(hone_option_text(options, id), NULL);
}

static const hone_option_id for_refit[] = {
    HONE_OPTION_precision,  HONE_OPTION_fp32_layers, HONE_OPTION_passes,
    HONE_OPTION_kernels,    HONE_OPTION_fold_limit,  HONE_OPTION_refit,
    HONE_OPTION_portable,   HONE_OPTION_threads};
static const hone_option_id for_import[] = {HONE_OPTION_format, HONE_OPTION_inputs,
                                            HONE_OPTION_outputs, HONE_OPTION_signature,
                                            HONE_OPTION_tags};

static const struct option_set {
  const hone_option_id *ids;
  size_t count;
} sets[] = {
    [HONE_OPTIONS_REFIT] = {for_refit, sizeof for_refit / sizeof *for_refit},
    [HONE_OPTIONS_IMPORT] = {for_import, sizeof for_import / sizeof *for_import},
};

const char *hone_option_of(hone_option_set set, size_t index) {
  return index < sets[set].count ? rows[sets[set].ids[index]].name : NULL;
}

hone_status *hone_options_some(hone_option_set set, const hone_options *options,
                               hone_options **out) {
  HONE_TRY(hone_options_new(out));
  for (size_t i = 0; i < sets[set].count; i++) {
    hone_option_id id = sets[set].ids[i];
    hone_status *status = hone_options_set(*out, rows[id].name, hone_option_text(options, id));
    if (!status) continue;
    hone_options_free(*out);
    *out = NULL;
    return status;
  }
  return NULL;
}

void hone_options_set_progress(hone_options *options, hone_progress *progress, void *argument) {
  options->progress = progress;
  options->progress_argument = argument;
}

bool hone_option_has_progress(const hone_options *options) {
  return options && options->progress;
}

bool hone_option_progress(const hone_options *options, const char *phase, size_t done, size_t total,
                          double seconds_left) {
  if (!hone_option_has_progress(options)) return true;
  return options->progress(options->progress_argument, phase, done, total, seconds_left);
}
