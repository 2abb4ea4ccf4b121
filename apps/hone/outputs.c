/* Outputs of a run: on the screen, as .npy, as JSON. */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"

bool write_json(const char *path, const struct json_t *root) {
  if (json_dump_file(root, path, JSON_INDENT(1)) == 0) return true;
  return complain(path, "cannot be written");
}

/* Bytes that are no text are told by their numbers. */
static void print_string(const hone_string *text) {
  json_t *readable = json_stringn(text->data, text->size);
  if (readable) {
    printf(" \"%.*s\"", (int)text->size, text->data);
  } else {
    printf(" \"");
    for (size_t i = 0; i < text->size; i++) printf("\\x%02x", (unsigned char)text->data[i]);
    putchar('"');
  }
  json_decref(readable);
}

/* Whether elements are whole numbers, told and written without a fraction. */
static bool is_whole(hone_dtype dtype) {
  return hone_dtype_text(dtype)[0] != 'f' && dtype != HONE_BF16;
}

static void print_elements(const hone_tensor *tensor, bool all) {
  size_t count = tensor_count(tensor), shown = all || count <= 8 ? count : 8;
  for (size_t i = 0; i < shown; i++) {
    if (tensor->dtype == HONE_STR)
      print_string(&((const hone_string *)tensor->data)[i]);
    else if (has_numbers(tensor->dtype))
      printf(is_whole(tensor->dtype) ? " %.0f" : " %.9g", tensor_value(tensor, i));
  }
  puts(shown < count ? " …" : "");
}

static void print_value(const char *name, const hone_tensor *value, bool all) {
  char text[160];
  if (value->kind == HONE_TENSOR) {
    printf("%s: %s", name, tensor_text(value, text, sizeof text));
    print_elements(value, all);
    return;
  }
  printf("%s: %s of %zu\n", name, value->kind == HONE_SEQUENCE ? "sequence" : "optional",
         value->count);
  for (size_t i = 0; i < value->count; i++) print_value("  -", &value->items[i], all);
}

/* The name of an output as a file's: what no file system likes becomes "_". */
static void output_path(const char *folder, const char *name, char *path, size_t room) {
  int at = snprintf(path, room, "%s/", folder);
  for (size_t i = 0; name[i] && (size_t)at + 5 < room; i++)
    path[at++] = isalnum((unsigned char)name[i]) || strchr("._-", name[i]) ? name[i] : '_';
  snprintf(path + at, room - (size_t)at, ".npy");
}

static json_t *strings_json(const hone_tensor *tensor) {
  json_t *list = json_array();
  const hone_string *strings = tensor->data;
  for (size_t i = 0; i < tensor_count(tensor); i++) {
    json_t *text = json_stringn(strings[i].data, strings[i].size);
    json_array_append_new(list, text ? text : json_null());
  }
  return list;
}

/* JSON has no NaN, no infinities and no bytes that are no text: null. */
static json_t *elements_json(const hone_tensor *tensor) {
  if (tensor->dtype == HONE_STR && tensor->kind == HONE_TENSOR) return strings_json(tensor);
  json_t *list = json_array();
  size_t count = has_numbers(tensor->dtype) ? tensor_count(tensor) : 0;
  for (size_t i = 0; i < count; i++) {
    double value = tensor_value(tensor, i);
    json_array_append_new(list, !isfinite(value)          ? json_null()
                                : is_whole(tensor->dtype) ? json_integer((json_int_t)value)
                                                          : json_real(value));
  }
  return list;
}

/* As trtexec writes it: [{"name", "dimensions": "1x10", "values": […]}], and the type. */
static json_t *output_json(const char *name, const hone_tensor *tensor) {
  char dims[160] = "";
  size_t at = 0;
  for (int i = 0; i < tensor->rank; i++)
    at += (size_t)snprintf(dims + at, sizeof dims - at, "%s%lld", i ? "x" : "",
                           (long long)tensor->dims[i]);
  return json_pack("{s:s, s:s, s:s, s:o}", "name", name, "dimensions", dims, "type",
                   hone_dtype_text(tensor->dtype), "values", elements_json(tensor));
}

static int give_output(const command_line *line, const session *s, size_t index, json_t *list) {
  hone_port port = {.struct_size = sizeof port};
  hone_tensor tensor = {.struct_size = sizeof tensor};
  TRY_COMMAND(hone_output_at(s->engine, index, &port));
  TRY_COMMAND(hone_get_output(s->context, index, &tensor));
  if (!line->json) print_value(port.name, &tensor, line->dump_output);
  json_array_append_new(list, output_json(port.name, &tensor));
  if (line->output) {
    char path[4096];
    output_path(line->output, port.name, path, sizeof path);
    if (!write_npy(path, &tensor)) return EXIT_WRONG_USE;
  }
  if (index == 0 && line->export_output && has_ending(line->export_output, ".npy") &&
      !write_npy(line->export_output, &tensor))
    return EXIT_WRONG_USE;
  return 0;
}

int give_outputs(const command_line *line, const session *s) {
  size_t count = hone_output_count(s->engine);
  bool single = line->export_output && has_ending(line->export_output, ".npy");
  if (single && count != 1) {
    complain(line->export_output, "a .npy holds one output; say -o FOLDER, or a .json");
    return EXIT_WRONG_USE;
  }
  if (line->output) mkdir(line->output, 0777);
  json_t *list = json_array();
  int code = 0;
  for (size_t i = 0; !code && i < count; i++) code = give_output(line, s, i, list);
  if (!code && line->export_output && !single && !write_json(line->export_output, list))
    code = EXIT_WRONG_USE;
  if (!code && line->json) {
    json_dumpf(list, stdout, JSON_INDENT(1));
    putchar('\n');
  }
  json_decref(list);
  return code;
}
