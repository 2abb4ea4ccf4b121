/* What a comparison's rows say together.
 *
 * A value that is no output of its source nodes is either wrong or the work of a rewrite, which may
 * put a scale or a shift behind it. What follows tells: behind a rewrite the values are the model's
 * again, behind a fault they stay wrong up to an output.
 */
#include <stdlib.h>
#include <string.h>

#include "compare.h"

static bool rounds(const row *r) {
  return strstr(r->ops, "round") || strstr(r->ops, "quantize");
}

bool is_quantised(const row_list *rows) {
  for (size_t i = 0; i < rows->count; i++)
    if (rounds(&rows->items[i])) return true;
  return false;
}

static bool reads(const row *reader, const char *name) {
  for (size_t i = 0; i < reader->input_count; i++)
    if (strcmp(reader->inputs[i], name) == 0) return true;
  return false;
}

/* Whether a reader of row `index` is wrong, or nobody reads it: it is an output then, and it was
 * asked for because outputs are wrong. */
static bool leads_astray(const row_list *rows, const bool *wrong, size_t index) {
  const row *r = &rows->items[index];
  bool read = false;
  for (size_t i = index + 1; i < rows->count; i++) {
    const row *reader = &rows->items[i];
    if (reader->depth != r->depth || !reads(reader, r->name)) continue;
    if (wrong[i]) return true;
    read = true;
  }
  return !read;
}

/* wrong[i]: row i differs, or cannot be compared, and so does all on some way from it to an output.
 * From the end, since readers stand behind what they read. */
static void find_wrong(const command_line *line, const row_list *rows, bool coarse, bool *wrong) {
  for (size_t i = rows->count; i-- > 0;) {
    const row *r = &rows->items[i];
    bool differs = !r->model.known || r->model.relative > bound_of(line, r->dtype, coarse);
    wrong[i] = r->depth == 0 && differs && leads_astray(rows, wrong, i);
  }
}

static long first_wrong(const row_list *rows, const bool *wrong) {
  for (size_t i = 0; i < rows->count; i++)
    if (wrong[i] && rows->items[i].model.known) return (long)i;
  return -1;
}

static void mark_restated(const command_line *line, row_list *rows, bool coarse,
                          const bool *wrong) {
  for (size_t i = 0; i < rows->count; i++) {
    row *r = &rows->items[i];
    r->restated = r->renamed && !wrong[i] && r->model.known &&
                  r->model.relative > bound_of(line, r->dtype, coarse);
  }
}

verdict judge(const command_line *line, row_list *rows, bool low, bool outputs_good) {
  verdict v = {.own = -1, .model = -1, .nonfinite = -1, .good = outputs_good};
  bool *wrong = calloc(rows->count + 1, sizeof *wrong);
  bool coarse = low || is_quantised(rows);
  if (wrong && !outputs_good) {
    find_wrong(line, rows, coarse, wrong);
    v.model = first_wrong(rows, wrong);
  }
  if (wrong) mark_restated(line, rows, coarse, wrong);
  free(wrong);
  for (size_t i = 0; i < rows->count; i++) {
    const row *r = &rows->items[i];
    double bound = bound_of(line, r->dtype, low || rounds(r));
    if (v.own < 0 && r->own.known && r->own.relative > bound) v.own = (long)i;
    if (v.nonfinite < 0 && !r->finite) v.nonfinite = (long)i;
  }
  v.good = v.good && v.own < 0;
  return v;
}
