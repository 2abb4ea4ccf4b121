/* Times by layer: a table, and trtexec's JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "report.h"

/* What the steps of the graph itself took; a control step's time holds that of its bodies. */
static double total_of(const json_t *steps) {
  double total = 0;
  size_t index;
  json_t *step;
  json_array_foreach(steps, index, step) {
    if (report_number(step, "depth") == 0) total += report_number(step, "nanoseconds");
  }
  return total;
}

static void print_row(const json_t *step, double total, int runs) {
  char ops[256], sources[1024];
  double time = report_number(step, "nanoseconds");
  int depth = (int)report_number(step, "depth");
  printf("%10.4f %6.1f %6.0f  %-28.28s %-24.24s %*s%s\n", time / 1e6 / runs,
         total > 0 ? 100 * time / total : 0, report_number(step, "runs") / runs,
         report_join(json_object_get(step, "ops"), "+", ops, sizeof ops),
         report_text(step, "kernel"), depth * 2, "",
         report_join(json_object_get(step, "sources"), ", ", sources, sizeof sources));
}

typedef struct kernel_time {
  const char *kernel;
  double time;
  int steps;
} kernel_time;

static int by_time(const void *a, const void *b) {
  double x = ((const kernel_time *)a)->time, y = ((const kernel_time *)b)->time;
  return (x < y) - (x > y);
}

/* Where the time goes, kernel by kernel, the largest share first. */
static void print_kernels(const json_t *steps, double total, int runs) {
  size_t count = json_array_size(steps), kinds = 0, index;
  kernel_time *kernels = calloc(count + 1, sizeof *kernels);
  json_t *step;
  json_array_foreach(steps, index, step) {
    if (!kernels || strcmp(report_text(step, "kernel"), "control") == 0) continue;
    size_t k = 0;
    while (k < kinds && strcmp(kernels[k].kernel, report_text(step, "kernel")) != 0) k++;
    if (k == kinds) kernels[kinds++].kernel = report_text(step, "kernel");
    kernels[k].time += report_number(step, "nanoseconds");
    kernels[k].steps++;
  }
  if (kernels) qsort(kernels, kinds, sizeof *kernels, by_time);
  printf("\n   time ms      %%  steps  kernel\n");
  for (size_t k = 0; k < kinds; k++)
    printf("%10.4f %6.1f %6d  %s\n", kernels[k].time / 1e6 / runs,
           total > 0 ? 100 * kernels[k].time / total : 0, kernels[k].steps, kernels[k].kernel);
  free(kernels);
}

static void print_table(const json_t *steps, int runs) {
  double total = total_of(steps);
  size_t index;
  json_t *step;
  printf("   time ms      %%  calls  %-28s %-24s node\n", "op", "kernel");
  json_array_foreach(steps, index, step) {
    print_row(step, total, runs);
  }
  printf("%10.4f  100.0         all, the mean of %d runs, step by step\n", total / 1e6 / runs,
         runs);
  print_kernels(steps, total, runs);
}

/* [{"count": runs}, {"name", "timeMs", "averageMs", "percentage", …}] */
static json_t *exported(const json_t *steps, int runs) {
  json_t *list = json_pack("[{s:i}]", "count", runs), *step;
  double total = total_of(steps);
  size_t index;
  char text[1024];
  json_array_foreach(steps, index, step) {
    double time = report_number(step, "nanoseconds");
    json_array_append_new(
        list, json_pack("{s:s, s:f, s:f, s:f, s:O, s:O, s:O, s:O}", "name",
                        report_join(json_object_get(step, "sources"), ", ", text, sizeof text),
                        "timeMs", time / 1e6, "averageMs", time / 1e6 / runs, "percentage",
                        total > 0 ? 100 * time / total : 0, "ops", json_object_get(step, "ops"),
                        "kernel", json_object_get(step, "kernel"), "sources",
                        json_object_get(step, "sources"), "depth", json_object_get(step, "depth")));
  }
  return list;
}

static int tell(const command_line *line, const json_t *steps, int runs) {
  if (line->profile && line->json) {
    json_dumpf(steps, stdout, JSON_INDENT(1));
    putchar('\n');
  } else if (line->profile) {
    print_table(steps, runs);
  }
  if (!line->export_profile) return 0;
  json_t *list = exported(steps, runs);
  bool good = write_json(line->export_profile, list);
  json_decref(list);
  return good ? 0 : EXIT_WRONG_USE;
}

int give_profile(const command_line *line, hone_context *context, int runs) {
  if (runs < 1) runs = 1;
  hone_profile(context, true);
  for (int i = 0; i < runs; i++) TRY_COMMAND(hone_run(context));
  hone_profile(context, false);
  char *text = NULL;
  TRY_COMMAND(hone_profile_report(context, &text));
  json_t *report = json_loads(text, 0, NULL);
  hone_text_release(text);
  int code = tell(line, json_object_get(report, "steps"), runs);
  json_decref(report);
  return code;
}
