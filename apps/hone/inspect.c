/* hone inspect and check: what a model or an engine is, and why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "report.h"

static const char *last_of(const json_t *list) {
  size_t count = json_array_size(list);
  const char *text = count ? json_string_value(json_array_get(list, count - 1)) : NULL;
  return text ? text : "";
}

/* The unit's name for users: the node whose output it gives, or that output. */
static const char *node_of(const json_t *unit) {
  const char *source = last_of(json_object_get(unit, "sources"));
  return *source ? source : last_of(json_object_get(unit, "outputs"));
}

static const char *ops_of(const json_t *unit, char *buffer, size_t room) {
  return report_join(json_object_get(unit, "ops"), "+", buffer, room);
}

/* ---- Ports ------------------------------------------------------------------------------------
 */

static const char *dims_text(const hone_port *port, char *buffer, size_t room) {
  if (port->type.rank < 0) return "[…]";
  size_t at = (size_t)snprintf(buffer, room, "[");
  for (int i = 0; i < port->type.rank && at < room; i++) {
    if (port->type.dims[i] >= 0)
      at += (size_t)snprintf(buffer + at, room - at, "%s%lld", i ? ", " : "",
                             (long long)port->type.dims[i]);
    else
      at += (size_t)snprintf(buffer + at, room - at, "%s%s", i ? ", " : "",
                             port->dim_names[i] ? port->dim_names[i] : "?");
  }
  if (at < room) snprintf(buffer + at, room - at, "]");
  return buffer;
}

typedef hone_status *port_at(const hone_engine *engine, size_t index, hone_port *out);

static json_t *ports_json(const hone_engine *engine, size_t count, port_at *at) {
  static const char *const kinds[] = {"tensor", "sequence", "optional"};
  json_t *list = json_array();
  for (size_t i = 0; i < count; i++) {
    hone_port port = {.struct_size = sizeof port};
    char dims[512];
    hone_status *status = at(engine, i, &port);
    hone_status_free(status);
    if (!status)
      json_array_append_new(
          list, json_pack("{s:s, s:s, s:s, s:s}", "name", port.name, "kind", kinds[port.type.kind],
                          "dtype", hone_dtype_text(port.type.dtype), "shape",
                          dims_text(&port, dims, sizeof dims)));
  }
  return list;
}

static void print_ports(const char *title, const json_t *ports) {
  size_t index;
  json_t *port;
  printf("%s\n", title);
  json_array_foreach(ports, index, port) {
    const char *kind = report_text(port, "kind");
    printf("  %s: %s%s%s%s\n", report_text(port, "name"), strcmp(kind, "tensor") ? kind : "",
           strcmp(kind, "tensor") ? " of " : "", report_text(port, "dtype"),
           report_text(port, "shape"));
  }
}

/* ---- The summary ------------------------------------------------------------------------------
 */

static void print_sections(const json_t *file) {
  size_t index;
  json_t *section;
  printf("sections of the file\n");
  json_array_foreach(json_object_get(file, "sections"), index, section) {
    printf("  %-10s %12.0f bytes\n", report_text(section, "name"), report_number(section, "bytes"));
  }
}

static void print_fired(const json_t *report) {
  const char *name;
  json_t *count;
  printf("rewrites and fusions that fired\n");
  json_object_foreach((json_t *)(uintptr_t)json_object_get(report, "fired"), name, count) {
    printf("  %5lld  %s\n", (long long)json_integer_value(count), name);
  }
}

static void print_kernels(const json_t *units) {
  json_t *counts = json_object(), *unit, *count;
  const char *kernel;
  size_t index;
  json_array_foreach(units, index, unit) {
    json_int_t before = json_integer_value(json_object_get(counts, report_text(unit, "kernel")));
    json_object_set_new(counts, report_text(unit, "kernel"), json_integer(before + 1));
  }
  printf("what runs the units\n");
  json_object_foreach(counts, kernel, count) {
    printf("  %5lld  %s\n", (long long)json_integer_value(count), kernel);
  }
  json_decref(counts);
}

/* Units that only move elements, each with its node and what it copies at typical sizes: nothing
 * where the elements are made, or may be read, where they are. */
static void print_copies(const json_t *units) {
  size_t index;
  json_t *unit;
  char ops[256];
  int none = 0;
  printf("copies and reformats left\n");
  json_array_foreach(units, index, unit) {
    json_int_t bytes = json_integer_value(json_object_get(unit, "copied_bytes"));
    if (!json_is_true(json_object_get(unit, "copies"))) continue;
    none += bytes == 0;
    if (bytes > 0)
      printf("  %-24s %10.1f KiB  %s\n", ops_of(unit, ops, sizeof ops), (double)bytes / 1024,
             node_of(unit));
    else if (bytes < 0)
      printf("  %-24s %14s  %s\n", ops_of(unit, ops, sizeof ops), "?", node_of(unit));
  }
  printf("  %d more move nothing\n", none);
}

/* Units that run on the host of an engine of a GPU, and what crosses for them at typical sizes. */
static void print_crossings(const json_t *units) {
  size_t index;
  json_t *unit;
  char ops[256];
  bool any = false;
  json_array_foreach(units, index, unit) {
    json_int_t bytes = json_integer_value(json_object_get(unit, "crossing_bytes"));
    if (bytes == 0) continue;
    if (!any) printf("between the GPU and the host\n");
    any = true;
    if (bytes > 0)
      printf("  %-24s %10.1f KiB  %s\n", ops_of(unit, ops, sizeof ops), (double)bytes / 1024,
             node_of(unit));
    else
      printf("  %-24s %14s  %s\n", ops_of(unit, ops, sizeof ops), "?", node_of(unit));
  }
}

/* Units that only move elements, and units without a kernel, each with its node. */
static void print_leftovers(const json_t *units) {
  size_t index;
  json_t *unit;
  char ops[256];
  print_copies(units);
  print_crossings(units);
  printf("on the reference\n");
  json_array_foreach(units, index, unit) {
    if (strcmp(report_text(unit, "kernel"), "reference") == 0)
      printf("  %-24s %s: %s\n", ops_of(unit, ops, sizeof ops), node_of(unit),
             report_text(unit, "why"));
  }
}

static void print_layers(const json_t *units) {
  size_t index;
  json_t *unit;
  char ops[256];
  printf("%-28s %-24s %4s %10s %10s  node\n", "op", "kernel", "of", "build us", "packed");
  json_array_foreach(units, index, unit) {
    printf("%-28.28s %-24.24s %4.0f %10.1f %10.0f  %*s%s\n", ops_of(unit, ops, sizeof ops),
           report_text(unit, "kernel"), report_number(unit, "candidates"),
           report_number(unit, "nanoseconds") / 1e3, report_number(unit, "packed_bytes"),
           (int)report_number(unit, "depth") * 2, "", node_of(unit));
  }
}

static void print_summary(const command_line *line, const json_t *report) {
  const json_t *units = json_object_get(report, "units");
  print_ports("inputs", json_object_get(report, "inputs"));
  print_ports("outputs", json_object_get(report, "outputs"));
  if (json_object_get(report, "file")) print_sections(json_object_get(report, "file"));
  printf("built by hone %s: precision %s, %.0f threads\n", report_text(report, "version"),
         report_text(report, "precision"), report_number(report, "threads"));
  if (json_object_get(report, "build_seconds"))
    printf("it took %.3g s: %.0f kernels measured, %.0f from the cache\n",
           report_number(report, "build_seconds"), report_number(report, "measured"),
           report_number(report, "from_cache"));
  print_fired(report);
  print_kernels(units);
  print_leftovers(units);
  if (line->layers) print_layers(units);
}

/* ---- Commands ---------------------------------------------------------------------------------
 */

static int print_text(hone_status *status, char *text) {
  if (status) return report_failure(status);
  puts(text);
  hone_text_release(text);
  return 0;
}

static int print_before(const command_line *line) {
  if (is_engine_file(line->files[0])) {
    complain(line->files[0], "an engine does not hold the graph as it was imported; say the model");
    return EXIT_WRONG_USE;
  }
  hone_model *model;
  char *text = NULL;
  TRY_COMMAND(hone_model_open(line->files[0], line->options, &model));
  hone_status *status = hone_model_text(model, &text);
  hone_model_free(model);
  return print_text(status, text);
}

/* The engine's report with its ports and, of a file, what hone_engine_check says. */
static int full_report(const command_line *line, const hone_engine *engine, json_t **out) {
  char *text = NULL;
  TRY_COMMAND(hone_engine_report(engine, &text));
  *out = json_loads(text, 0, NULL);
  hone_text_release(text);
  json_object_set_new(*out, "inputs", ports_json(engine, hone_input_count(engine), hone_input_at));
  json_object_set_new(*out, "outputs",
                      ports_json(engine, hone_output_count(engine), hone_output_at));
  if (!is_engine_file(line->files[0])) return 0;
  hone_status *status = hone_engine_check(line->files[0], &text);
  hone_status_free(status); /* it was opened: what it says beyond that is in the text */
  json_object_set_new(*out, "file", json_loads(text, 0, NULL));
  hone_text_release(text);
  return 0;
}

static int tell(const command_line *line, const hone_engine *engine) {
  json_t *report = NULL;
  TRY_CODE(full_report(line, engine, &report));
  bool good = true;
  if (line->export_layers) good = write_json(line->export_layers, report);
  if (line->dot) good = write_dot(line->dot, report) && good;
  if (line->json) {
    json_dumpf(report, stdout, JSON_INDENT(1));
    putchar('\n');
  } else {
    print_summary(line, report);
  }
  json_decref(report);
  return good ? 0 : EXIT_WRONG_USE;
}

int command_inspect(const command_line *line) {
  if (line->before) TRY_CODE(print_before(line));
  if (line->before && !line->after) return 0;
  hone_engine *engine;
  TRY_COMMAND(open_or_build(line, line->files[0], &engine));
  char *text = NULL;
  hone_status *status = line->after ? hone_engine_text(engine, &text) : NULL;
  int code = line->after ? print_text(status, text) : tell(line, engine);
  hone_engine_free(engine);
  return code;
}

/* The libraries that an engine's kernels need beside the driver, and which of them are not here. */
static void print_libraries(const char *report) {
  json_t *root = json_loads(report, 0, NULL), *library;
  const char *name;
  json_object_foreach(json_object_get(json_object_get(root, "needs"), "libraries"), name, library) {
    const char *missing = json_string_value(json_object_get(library, "missing"));
    printf("  %lld groups need %s%s%s%s\n",
           (long long)json_integer_value(json_object_get(library, "groups")), name,
           missing ? ": " : "", missing ? missing : "",
           missing ? "; they run on Hone's own kernels" : "");
  }
  json_decref(root);
}

int command_check(const command_line *line) {
  char *report = NULL;
  hone_status *status = hone_engine_check(line->files[0], &report);
  if (report && line->json) puts(report);
  if (!status && !line->json) {
    printf("%s: whole, and it fits this machine\n", line->files[0]);
    if (report) print_libraries(report);
  }
  hone_text_release(report);
  return status ? report_failure(status) : 0;
}
