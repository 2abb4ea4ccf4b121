/* hone build, and how the other commands come to an engine. */
#include <stdio.h>
#include <string.h>

#include "command.h"

/* Engine files say so in their first bytes. */
bool is_engine_file(const char *path) {
  char magic[8] = "";
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  size_t got = fread(magic, 1, sizeof magic, file);
  fclose(file);
  return got == sizeof magic && memcmp(magic, "HONEENG", 8) == 0;
}

static hone_status *build_model(const command_line *line, const hone_model *model,
                                hone_engine **out) {
  catch_interrupt();
  hone_options_set_progress(line->options, show_progress, (void *)(uintptr_t)&line->quiet);
  hone_status *status = hone_build(model, line->options, out);
  hone_options_set_progress(line->options, NULL, NULL);
  if (interrupted() && !status) fprintf(stderr, "\ninterrupted: kept the best choices so far\n");
  release_interrupt();
  return status;
}

hone_status *open_or_build(const command_line *line, const char *path, hone_engine **out) {
  if (is_engine_file(path)) return hone_engine_open(path, line->options, out);
  hone_model *model;
  hone_status *status = hone_model_open(path, line->options, &model);
  if (status) return status;
  status = build_model(line, model, out);
  hone_model_free(model);
  return status;
}

int save_if_asked(const command_line *line, const hone_engine *engine) {
  if (!line->output) return 0;
  TRY_COMMAND(hone_engine_save(engine, line->output));
  if (!line->quiet) fprintf(stderr, "wrote %s\n", line->output);
  return 0;
}

static int print_report(const hone_engine *engine) {
  char *report = NULL;
  TRY_COMMAND(hone_engine_report(engine, &report));
  puts(report);
  hone_text_release(report);
  return 0;
}

int command_build(const command_line *line) {
  if (!line->output) {
    fprintf(stderr, "hone: build wants -o ENGINE\n");
    return EXIT_WRONG_USE;
  }
  hone_engine *engine;
  TRY_COMMAND(open_or_build(line, line->files[0], &engine));
  int code = save_if_asked(line, engine);
  if (!code && line->json) code = print_report(engine);
  hone_engine_free(engine);
  return code;
}
