/* hone compare: an engine layer by layer against its own meaning and against the model's. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

/* A watcher that also counts, for those who wait. */
typedef struct counted {
  hone_watcher *watcher;
  void *argument;
  const char *phase;
  const bool *quiet;
  size_t done, total;
} counted;

static bool count_value(void *argument, const hone_watched *step) {
  counted *c = argument;
  if (step->depth == 0 && c->done < c->total)
    show_progress((void *)(uintptr_t)c->quiet, c->phase, ++c->done, c->total, -1);
  return c->watcher(c->argument, step);
}

/* How many values a watched run of the engine shows of the graph itself. */
static hone_status *count_values(const hone_engine *engine, size_t *out) {
  char *text = NULL;
  size_t index;
  json_t *unit;
  hone_status *status = hone_engine_report(engine, &text);
  if (status) return status;
  json_t *report = json_loads(text, 0, NULL), *units = json_object_get(report, "units");
  *out = 0;
  json_array_foreach(units, index, unit) {
    bool root = json_integer_value(json_object_get(unit, "depth")) == 0;
    *out += root ? json_array_size(json_object_get(unit, "outputs")) : 0;
  }
  json_decref(report);
  hone_text_release(text);
  return NULL;
}

/* Runs with every value shown to `watcher`. */
static int run_watched(const command_line *line, const session *s, const char *phase,
                       hone_watcher *watcher, void *argument, bool reference) {
  counted c = {watcher, argument, phase, &line->quiet, 0, 0};
  TRY_COMMAND(count_values(s->engine, &c.total));
  hone_watch_runs(s->context, count_value, &c, reference);
  hone_status *status = hone_run(s->context);
  hone_watch_runs(s->context, NULL, NULL, false);
  return status ? report_failure(status) : 0;
}

/* Runs the model as it was imported, node by node on the reference, and keeps its values. */
static int run_plain(const command_line *line, const char *model, const session *fast,
                     session *plain, record_list *records) {
  TRY_COMMAND(hone_options_set(line->options, "passes", "none"));
  TRY_COMMAND(hone_options_set(line->options, "kernels", "reference"));
  command_line quiet = *line;
  quiet.quiet = true;
  TRY_COMMAND(open_or_build(&quiet, model, &plain->engine));
  if (hone_input_count(plain->engine) != fast->inputs.count) {
    fprintf(stderr, "hone: the engine and the model have not the same inputs\n");
    return EXIT_WRONG_USE;
  }
  plain->inputs = fast->inputs; /* borrowed */
  TRY_CODE(bind_session(line, plain));
  TRY_CODE(run_watched(line, plain, "running the model plainly", keep_record, records, false));
  return line->peer ? run_peer(line->peer, model, plain, records) : 0;
}

static bool is_low_precision(const hone_engine *engine) {
  char *text = NULL;
  hone_status *status = hone_engine_report(engine, &text);
  hone_status_free(status);
  if (status) return false;
  json_t *report = json_loads(text, 0, NULL);
  const char *precision = json_string_value(json_object_get(report, "precision"));
  bool low = precision && strncmp(precision, "fp32", 4) != 0;
  json_decref(report);
  hone_text_release(text);
  return low;
}

/* ---- Outputs ----------------------------------------------------------------------------------
 */

/* An output against the peer's, or against the plain run's. Strings have to be the same, sequences
 * as long. */
static int compare_output(const command_line *line, const session *fast, const session *plain,
                          const record_list *records, bool coarse, size_t index, output_row *out) {
  hone_port port = {.struct_size = sizeof port};
  hone_tensor y = {.struct_size = sizeof y}, reference = {.struct_size = sizeof reference};
  TRY_COMMAND(hone_output_at(fast->engine, index, &port));
  TRY_COMMAND(hone_get_output(fast->context, index, &y));
  TRY_COMMAND(hone_get_output(plain->context, index, &reference));
  *out = (output_row){.good = false};
  snprintf(out->name, sizeof out->name, "%s", port.name);
  const record *peers = find_record(records, port.name);
  if (peers && peers->peer) reference = peers->tensor;
  if (y.kind != HONE_TENSOR || !has_numbers(y.dtype)) {
    out->good = y.kind == reference.kind && y.count == reference.count && y.size == reference.size;
    if (out->good && y.kind == HONE_TENSOR && y.dtype == HONE_STR)
      out->good = same_strings(&y, &reference);
    return 0;
  }
  out->difference = differ(&y, &reference, NULL);
  out->good = out->difference.known && y.rank == reference.rank &&
              out->difference.relative <= bound_of(line, y.dtype, coarse);
  return 0;
}

static int compare(const command_line *line, const char *model, session *fast, session *plain,
                   record_list *records, row_list *rows) {
  if (model) TRY_CODE(run_plain(line, model, fast, plain, records));
  rows->records = model ? records : NULL;
  TRY_CODE(run_watched(line, fast, "comparing the engine's steps", add_row, rows, true));
  size_t count = model ? hone_output_count(fast->engine) : 0;
  if (model && count != hone_output_count(plain->engine)) {
    fprintf(stderr, "hone: the engine and the model have not the same outputs\n");
    return EXIT_WRONG_USE;
  }
  output_row *outputs = calloc(count + 1, sizeof *outputs);
  if (!outputs) return EXIT_WRONG_USE;
  int code = 0;
  bool low = is_low_precision(fast->engine), coarse = low || is_quantised(rows), good = true;
  for (size_t i = 0; !code && i < count; i++) {
    code = compare_output(line, fast, plain, records, coarse, i, &outputs[i]);
    good = good && outputs[i].good;
  }
  if (!code) {
    verdict v = judge(line, rows, low, good);
    print_comparison(line, rows, outputs, count, &v);
    if (!v.good) code = EXIT_INACCURATE;
  }
  free(outputs);
  return code;
}

/* The model to compare with: the second file, or the first one where that is a model. */
static const char *model_of(const command_line *line) {
  if (line->file_count > 1) return line->files[1];
  return is_engine_file(line->files[0]) ? NULL : line->files[0];
}

int command_compare(const command_line *line) {
  session fast = {0}, plain = {0};
  record_list records = {0};
  row_list rows = {0};
  const char *model = model_of(line);
  int code = open_session(line, line->files[0], &fast);
  if (!code && line->peer && !model) {
    fprintf(stderr, "hone: a peer wants the model: hone compare ENGINE MODEL --peer %s\n",
            line->peer);
    code = EXIT_WRONG_USE;
  }
  if (!code) code = compare(line, model, &fast, &plain, &records, &rows);
  plain.inputs = (tensor_list){0}; /* were borrowed */
  close_session(&fast);
  close_session(&plain);
  free_records(&records);
  free_rows(&rows);
  return code;
}
