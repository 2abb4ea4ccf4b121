/* hone build, and how the other commands come to an engine. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
  (void)number;
  interrupted = 1;
}

/* A bar on a terminal; else a line whenever the phase changes. */
static bool show_progress(void *argument, const char *phase, size_t done, size_t total,
                          double seconds_left) {
  static const char *last;
  if (*(const bool *)argument) return !interrupted;
  if (isatty(STDERR_FILENO)) {
    char left[32] = "";
    if (seconds_left >= 0) snprintf(left, sizeof left, ", %.1f s left", seconds_left);
    fprintf(stderr, "\r\x1b[K%s: %zu of %zu%s", phase, done, total, left);
    if (done == total && total > 1) fprintf(stderr, "\n");
  } else if (last != phase) {
    fprintf(stderr, "%s\n", phase);
  }
  last = phase;
  return !interrupted;
}

/* Engine files say so in their first bytes. */
static bool is_engine(const char *path) {
  char magic[8] = "";
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  size_t got = fread(magic, 1, sizeof magic, file);
  fclose(file);
  return got == sizeof magic && memcmp(magic, "HONEENG", 8) == 0;
}

hone_status *open_or_build(const command_line *line, const char *path, hone_engine **out) {
  if (is_engine(path)) return hone_engine_open(path, line->options, out);
  hone_model *model;
  hone_status *status = hone_model_open(path, line->options, &model);
  if (status) return status;
  signal(SIGINT, on_interrupt);
  hone_options_set_progress(line->options, show_progress, (void *)&line->quiet);
  status = hone_build(model, line->options, out);
  hone_options_set_progress(line->options, NULL, NULL);
  signal(SIGINT, SIG_DFL);
  hone_model_free(model);
  return status;
}

int command_build(const command_line *line) {
  if (!line->output) {
    fprintf(stderr, "hone: build wants -o ENGINE\n");
    return EXIT_WRONG_USE;
  }
  hone_engine *engine;
  TRY_COMMAND(open_or_build(line, line->files[0], &engine));
  hone_status *status = hone_engine_save(engine, line->output);
  char *report = NULL;
  if (!status && line->json) status = hone_engine_report(engine, &report);
  if (report) puts(report);
  hone_text_release(report);
  hone_engine_free(engine);
  if (status) return report_failure(status);
  if (!line->quiet) fprintf(stderr, "wrote %s\n", line->output);
  return 0;
}
