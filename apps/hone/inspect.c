/* hone inspect, check and doctor: what there is and why. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"

int command_inspect(const command_line *line) {
  char *text = NULL;
  hone_status *status;
  if (line->before) {
    hone_model *model;
    TRY_COMMAND(hone_model_open(line->files[0], line->options, &model));
    status = hone_model_text(model, &text);
    hone_model_free(model);
  } else {
    hone_engine *engine;
    TRY_COMMAND(open_or_build(line, line->files[0], &engine));
    status = line->json ? hone_engine_report(engine, &text) : hone_engine_text(engine, &text);
    hone_engine_free(engine);
  }
  if (status) return report_failure(status);
  puts(text);
  hone_text_release(text);
  return 0;
}

int command_check(const command_line *line) {
  char *report = NULL;
  hone_status *status = hone_engine_check(line->files[0], &report);
  if (report && line->json) puts(report);
  hone_text_release(report);
  if (status) return report_failure(status);
  if (!line->json) printf("%s: whole, and it fits this machine\n", line->files[0]);
  return 0;
}

int command_doctor(const command_line *line) {
  (void)line;
  char *machine = NULL;
  TRY_COMMAND(hone_machine(&machine));
  printf("hone %s\n%s\n", hone_version(), machine);
  hone_text_release(machine);
  return 0;
}
