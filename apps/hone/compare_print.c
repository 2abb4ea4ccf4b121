/* What a comparison found, as a table and as JSON. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"

static const char *figure(const difference *d, double value, char *buffer, size_t room) {
  if (!d->known) return "-";
  snprintf(buffer, room, "%.3g", value);
  return buffer;
}

static const char *note_of(const row *r) {
  if (!r->finite)
    return r->model.known && !r->model.reference_finite ? "NaN or Inf, as the model" : "NaN or Inf";
  if (r->restated) return "rewritten: no node's output";
  return "";
}

static void print_row(const row *r, bool marked) {
  char a[16], b[16], c[16], d[16], node[300];
  if (r->source_count > 1)
    snprintf(node, sizeof node, "%s (+%zu fused)", r->node, r->source_count - 1);
  else
    snprintf(node, sizeof node, "%s", r->node);
  const difference rewritten = {0};
  const difference *model = r->restated ? &rewritten : &r->model;
  printf("%s %-24.24s %-22.22s %9s %9s %9s %9s  %*s%s  %s\n", marked ? ">" : " ", r->ops, r->kernel,
         figure(&r->own, r->own.absolute, a, sizeof a),
         figure(&r->own, r->own.relative, b, sizeof b), figure(model, model->absolute, c, sizeof c),
         figure(model, model->relative, d, sizeof d), r->depth * 2, "", node, note_of(r));
}

static bool is_marked(const verdict *v, size_t index) {
  long i = (long)index;
  return i == v->own || i == v->model || i == v->nonfinite;
}

static void print_finding(const row_list *rows, long index, const char *what) {
  if (index < 0) return;
  const row *r = &rows->items[index];
  printf("%s: %s (%s on %s)\n", what, r->node, r->ops, r->kernel);
}

static void print_fused(const row_list *rows) {
  size_t fused = 0, rewritten = 0;
  for (size_t i = 0; i < rows->count; i++) {
    fused += rows->items[i].source_count > 1 ? rows->items[i].source_count - 1 : 0;
    rewritten += rows->items[i].restated;
  }
  printf("%zu steps; %zu source nodes fused into them have no value of their own and are skipped",
         rows->count, fused);
  if (rewritten) printf("; %zu rewritten steps compare by their own meaning only", rewritten);
  puts("");
}

static void print_outputs(const output_row *outputs, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const output_row *o = &outputs[i];
    if (o->difference.known)
      printf("output %s: max abs %.3g, max rel %.3g%s\n", o->name, o->difference.absolute,
             o->difference.relative, o->good ? "" : "  DIFFERS");
    else
      printf("output %s: %s\n", o->name, o->good ? "the same size" : "another shape or type");
  }
}

static void print_text(const row_list *rows, const output_row *outputs, size_t count,
                       const verdict *v) {
  printf("                                                  same inputs         from the start\n");
  printf("  %-24s %-22s %9s %9s %9s %9s  node\n", "op", "runs on", "max abs", "max rel", "max abs",
         "max rel");
  for (size_t i = 0; i < rows->count; i++) print_row(&rows->items[i], is_marked(v, i));
  print_fused(rows);
  print_outputs(outputs, count);
  print_finding(rows, v->nonfinite, "first NaN or Inf");
  print_finding(rows, v->own, "first kernel that differs from its meaning");
  print_finding(rows, v->model, "first node that differs from the model");
  puts(v->good ? "the same within the bound" : "NOT the same within the bound");
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static json_t *real(double value) {
  return isfinite(value) ? json_real(value) : json_string("inf");
}

static json_t *difference_json(const difference *d) {
  if (!d->known) return json_null();
  return json_pack("{s:o, s:o}", "max_abs", real(d->absolute), "max_rel", real(d->relative));
}

static json_t *row_json(const row *r) {
  json_t *sources = json_array();
  for (size_t i = 0; i < r->source_count; i++)
    json_array_append_new(sources, json_string(r->sources[i]));
  return json_pack("{s:s, s:s, s:s, s:s, s:o, s:i, s:o, s:o, s:b, s:b}", "node", r->node, "op",
                   r->ops, "runs_on", r->kernel, "value", r->name, "sources", sources, "depth",
                   r->depth, "same_inputs", difference_json(&r->own), "from_the_start",
                   r->restated ? json_null() : difference_json(&r->model), "rewritten",
                   (int)r->restated, "finite", (int)r->finite);
}

static json_t *finding_json(const row_list *rows, long index) {
  return index < 0 ? json_null() : json_string(rows->items[index].node);
}

static void print_json(const row_list *rows, const output_row *outputs, size_t count,
                       const verdict *v) {
  json_t *steps = json_array(), *ends = json_array();
  for (size_t i = 0; i < rows->count; i++) json_array_append_new(steps, row_json(&rows->items[i]));
  for (size_t i = 0; i < count; i++)
    json_array_append_new(
        ends, json_pack("{s:s, s:o, s:b}", "name", outputs[i].name, "difference",
                        difference_json(&outputs[i].difference), "good", (int)outputs[i].good));
  json_t *root = json_pack(
      "{s:b, s:o, s:o, s:o, s:o, s:o}", "good", (int)v->good, "first_nan_or_inf",
      finding_json(rows, v->nonfinite), "first_kernel_that_differs", finding_json(rows, v->own),
      "first_node_that_differs", finding_json(rows, v->model), "outputs", ends, "steps", steps);
  json_dumpf(root, stdout, JSON_INDENT(1));
  putchar('\n');
  json_decref(root);
}

void print_comparison(const command_line *line, const row_list *rows, const output_row *outputs,
                      size_t output_count, const verdict *v) {
  if (line->json)
    print_json(rows, outputs, output_count, v);
  else
    print_text(rows, outputs, output_count, v);
}
