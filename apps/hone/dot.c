/* A picture of an engine's units in the language of Graphviz: dot -Tsvg engine.dot. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

static void write_quoted(FILE *file, const char *text) {
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') fputc('\\', file);
    fputc((unsigned char)*text < ' ' ? ' ' : *text, file);
  }
}

static const char *color_of(const json_t *unit) {
  const char *kernel = json_string_value(json_object_get(unit, "kernel"));
  if (strcmp(kernel, "reference") == 0) return "#f4c7c3"; /* no kernel */
  if (strcmp(kernel, "view") == 0) return "#eeeeee";      /* nothing to do */
  if (strcmp(kernel, "control") == 0) return "#d9d2e9";
  return json_is_true(json_object_get(unit, "copies")) ? "#fff2cc" : "#d0e3cc";
}

static void write_unit(FILE *file, const json_t *unit, size_t number) {
  size_t index;
  json_t *text;
  fprintf(file, "  u%zu [fillcolor=\"%s\", label=\"", number, color_of(unit));
  json_array_foreach(json_object_get(unit, "ops"), index, text) {
    fputs(index ? "+" : "", file);
    write_quoted(file, json_string_value(text));
  }
  fputs("\\n", file);
  write_quoted(file, json_string_value(json_object_get(unit, "kernel")));
  json_array_foreach(json_object_get(unit, "sources"), index, text) {
    fputs("\\n", file);
    write_quoted(file, json_string_value(text));
  }
  fputs("\"];\n", file);
  json_array_foreach(json_object_get(unit, "inputs"), index, text) {
    fputs("  \"", file);
    write_quoted(file, json_string_value(text));
    fprintf(file, "\" -> u%zu;\n", number);
  }
  json_array_foreach(json_object_get(unit, "outputs"), index, text) {
    fprintf(file, "  u%zu -> \"", number);
    write_quoted(file, json_string_value(text));
    fputs("\";\n", file);
  }
}

static void write_ports(FILE *file, const json_t *ports) {
  size_t index;
  json_t *port;
  json_array_foreach(ports, index, port) {
    fputs("  \"", file);
    write_quoted(file, json_string_value(json_object_get(port, "name")));
    fputs("\" [shape=oval, label=\"", file);
    write_quoted(file, json_string_value(json_object_get(port, "name")));
    fputs("\\n", file);
    write_quoted(file, json_string_value(json_object_get(port, "dtype")));
    write_quoted(file, json_string_value(json_object_get(port, "shape")));
    fputs("\"];\n", file);
  }
}

/* A value is a point between its unit and its readers; bodies of ifs and loops are left out. */
bool write_dot(const char *path, const struct json_t *report) {
  FILE *file = fopen(path, "w");
  if (!file) return complain(path, "cannot be written");
  fputs("digraph engine {\n  node [shape=point];\n", file);
  write_ports(file, json_object_get(report, "inputs"));
  write_ports(file, json_object_get(report, "outputs"));
  fputs("  node [shape=box, style=filled, fontname=\"sans-serif\"];\n", file);
  size_t index;
  json_t *unit;
  json_array_foreach(json_object_get(report, "units"), index, unit) {
    if (json_integer_value(json_object_get(unit, "depth")) == 0) write_unit(file, unit, index);
  }
  fputs("}\n", file);
  return fclose(file) == 0 || complain(path, "cannot be written");
}
