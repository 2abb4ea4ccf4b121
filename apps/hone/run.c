/* hone run, bench and compare: contexts on seeded or given inputs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"

/* An engine with a context and its inputs bound. */
typedef struct session {
  hone_engine *engine;
  hone_context *context;
  tensor_list inputs;
} session;

static void close_session(session *s) {
  hone_context_free(s->context);
  hone_engine_free(s->engine);
  free_tensors(&s->inputs);
}

static int bind(const command_line *line, session *s) {
  TRY_COMMAND(hone_context_new(s->engine, line->options, &s->context));
  if (!make_inputs(line, s->engine, &s->inputs)) return EXIT_WRONG_USE;
  for (size_t i = 0; i < s->inputs.count; i++)
    TRY_COMMAND(hone_set_input(s->context, i, &s->inputs.tensors[i]));
  return 0;
}

static int open_session(const command_line *line, const char *path, session *s) {
  *s = (session){0};
  TRY_COMMAND(open_or_build(line, path, &s->engine));
  return bind(line, s);
}

/* ---- run ------------------------------------------------------------------------------------- */

static void print_tensor(const char *name, const hone_tensor *tensor) {
  printf("%s: %s[", name, hone_dtype_text(tensor->dtype));
  for (int i = 0; i < tensor->rank; i++)
    printf("%s%lld", i ? ", " : "", (long long)tensor->dims[i]);
  printf("]");
  const float *values = tensor->data;
  size_t count = tensor->size / sizeof *values;
  for (size_t i = 0; tensor->dtype == HONE_F32 && i < count && i < 8; i++)
    printf(" %g", (double)values[i]);
  printf("%s\n", tensor->dtype == HONE_F32 && count > 8 ? " …" : "");
}

static int give_output(const command_line *line, const session *s, size_t index) {
  hone_port port = {.struct_size = sizeof port};
  hone_tensor tensor = {.struct_size = sizeof tensor};
  TRY_COMMAND(hone_output_at(s->engine, index, &port));
  TRY_COMMAND(hone_get_output(s->context, index, &tensor));
  print_tensor(port.name, &tensor);
  if (!line->output) return 0;
  char path[1024];
  snprintf(path, sizeof path, "%s/%zu.npy", line->output, index);
  return write_npy(path, &tensor) ? 0 : EXIT_WRONG_USE;
}

int command_run(const command_line *line) {
  session s;
  int code = open_session(line, line->files[0], &s);
  if (!code) {
    hone_status *status = hone_run(s.context);
    if (status) code = report_failure(status);
  }
  for (size_t i = 0; !code && i < hone_output_count(s.engine); i++) code = give_output(line, &s, i);
  close_session(&s);
  return code;
}

/* ---- bench ------------------------------------------------------------------------------------
 */

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

#define MOST_RUNS 100000

/* Runs for the time asked, at least so many times; the times in `times`. */
static hone_status *time_runs(const command_line *line, hone_context *context, double *times,
                              size_t *count) {
  hone_status *status = NULL;
  for (double end = now_ms() + line->warm_up_ms; !status && now_ms() < end;)
    status = hone_run(context);
  double end = now_ms() + line->duration_ms;
  *count = 0;
  while (!status && *count < MOST_RUNS && (*count < (size_t)line->iterations || now_ms() < end)) {
    double start = now_ms();
    status = hone_run(context);
    times[(*count)++] = now_ms() - start;
  }
  return status;
}

static void print_times(const command_line *line, const hone_context *context, double *times,
                        size_t count) {
  qsort(times, count, sizeof *times, by_value);
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += times[i];
  const double marks[] = {0.5, 0.9, 0.95, 0.99};
  double at[4];
  for (int i = 0; i < 4; i++) at[i] = times[(size_t)(marks[i] * (double)(count - 1))];
  if (line->json) {
    printf(
        "{\"runs\": %zu, \"throughput_qps\": %.6g, \"latency_ms\": {\"min\": %.6g, \"max\": "
        "%.6g, \"mean\": %.6g, \"median\": %.6g, \"p90\": %.6g, \"p95\": %.6g, \"p99\": %.6g}, "
        "\"context_bytes\": %zu}\n",
        count, (double)count * 1e3 / sum, times[0], times[count - 1], sum / (double)count, at[0],
        at[1], at[2], at[3], hone_context_memory(context));
    return;
  }
  printf("Throughput: %.6g qps\n", (double)count * 1e3 / sum);
  printf(
      "Latency: min = %.4g ms, max = %.4g ms, mean = %.4g ms, median = %.4g ms, "
      "percentile(90%%) = %.4g ms, percentile(95%%) = %.4g ms, percentile(99%%) = %.4g ms\n",
      times[0], times[count - 1], sum / (double)count, at[0], at[1], at[2], at[3]);
  printf("Memory: %.1f MB a context, %zu runs\n", (double)hone_context_memory(context) / 1e6,
         count);
}

static int print_profile(hone_context *context) {
  hone_profile(context, true);
  for (int i = 0; i < 10; i++) TRY_COMMAND(hone_run(context));
  hone_profile(context, false);
  char *report = NULL;
  TRY_COMMAND(hone_profile_report(context, &report));
  puts(report);
  hone_text_release(report);
  return 0;
}

int command_bench(const command_line *line) {
  session s;
  int code = open_session(line, line->files[0], &s);
  double *times = calloc(MOST_RUNS, sizeof *times);
  size_t count = 0;
  if (!code && times) {
    hone_status *status = time_runs(line, s.context, times, &count);
    if (status) code = report_failure(status);
  }
  if (!code && count) print_times(line, s.context, times, count);
  if (!code && line->profile) code = print_profile(s.context);
  free(times);
  close_session(&s);
  return code;
}

/* ---- compare ----------------------------------------------------------------------------------
 */

/* max |y - ref| / max |ref|, or infinity where one has a NaN that the other has not. */
static double error_of(const hone_tensor *y, const hone_tensor *reference) {
  const float *a = y->data, *b = reference->data;
  double worst = 0, top = 0;
  for (size_t i = 0; i < reference->size / sizeof *b; i++) {
    if (isnan(a[i]) != isnan(b[i])) return INFINITY;
    if (isnan(b[i]) || a[i] == b[i]) continue;
    worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    if (isfinite(b[i])) top = fmax(top, fabs((double)b[i]));
  }
  return worst == 0 ? 0 : worst / (top > 0 ? top : 1);
}

static int compare_output(const session *a, const session *b, size_t index, bool *good) {
  hone_port port = {.struct_size = sizeof port};
  hone_tensor y = {.struct_size = sizeof y}, reference = {.struct_size = sizeof reference};
  TRY_COMMAND(hone_output_at(a->engine, index, &port));
  TRY_COMMAND(hone_get_output(a->context, index, &y));
  TRY_COMMAND(hone_get_output(b->context, index, &reference));
  if (y.size != reference.size || y.dtype != reference.dtype) {
    printf("%-32s another shape or type\n", port.name);
    *good = false;
  } else if (y.dtype == HONE_F32) {
    double error = error_of(&y, &reference);
    bool exact_enough = error <= 1e-2;
    printf("%-32s max|y - ref| / max|ref| = %.3g%s\n", port.name, error,
           exact_enough ? "" : "  (differs)");
    *good = *good && exact_enough;
  } else {
    bool same = y.size == 0 || memcmp(y.data, reference.data, y.size) == 0;
    printf("%-32s %s\n", port.name, same ? "the same" : "differs");
    *good = *good && same;
  }
  return 0;
}

/* The first file as it is built or was saved, the last one (a model) by its plain meaning. */
int command_compare(const command_line *line) {
  session fast, plain = {0};
  int code = open_session(line, line->files[0], &fast);
  if (!code) {
    hone_status *status = hone_options_set(line->options, "passes", "none");
    if (!status) status = open_or_build(line, line->files[line->file_count - 1], &plain.engine);
    code = status ? report_failure(status) : bind(line, &plain);
  }
  hone_status *status = code ? NULL : hone_run(fast.context);
  if (!code && !status) status = hone_run(plain.context);
  if (status) code = report_failure(status);
  bool good = true;
  for (size_t i = 0; !code && i < hone_output_count(fast.engine); i++)
    code = compare_output(&fast, &plain, i, &good);
  close_session(&fast);
  close_session(&plain);
  return code ? code : good ? 0 : EXIT_INACCURATE;
}
