/* hone run: once, with given or seeded inputs. */
#include <stdio.h>

#include "command.h"

int command_run(const command_line *line) {
  session s;
  int code = open_session(line, line->files[0], &s);
  hone_status *status = code ? NULL : hone_run(s.context);
  if (status) code = report_failure(status);
  if (!code) code = give_outputs(line, &s);
  if (!code && (line->profile || line->export_profile))
    code = give_profile(line, s.context, (int)line->iterations);
  close_session(&s);
  return code;
}
