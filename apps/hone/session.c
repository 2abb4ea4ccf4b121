/* Sessions: an engine with a context and its inputs, from files or made up. */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "name:1x3x224,other:8", or "1x3x224" for a model of one input: the dims of `name`, where given.
 */
static void given_shape(const char *shapes, const char *name, bool alone, hone_tensor *out) {
  for (const char *at = shapes; *at;) {
    size_t span = strcspn(at, ",");
    const char *colon = memrchr(at, ':', span);
    bool mine =
        colon ? strlen(name) == (size_t)(colon - at) && memcmp(at, name, strlen(name)) == 0 : alone;
    if (mine) {
      out->rank = 0;
      for (const char *dim = colon ? colon + 1 : at; dim < at + span && out->rank < HONE_MAX_RANK;
           dim++) {
        char *end;
        out->dims[out->rank++] = strtoll(dim, &end, 10);
        dim = end;
      }
      return;
    }
    at += span + (at[span] == ',');
  }
}

/* The file that a specification "NAME:FILE" or "NAME=FILE" has for `name`; several may stand in one
 * with commas between. A lone "FILE" is for every input: an .npz, or the file of the only one. */
static bool find_file(const char *text, const char *name, bool alone, char *path, size_t room,
                      bool *named) {
  size_t size = strlen(name);
  for (const char *at = text, *comma;; at = comma + 1) {
    if (strncmp(at, name, size) == 0 && (at[size] == ':' || at[size] == '=')) {
      snprintf(path, room, "%.*s", (int)strcspn(at + size + 1, ","), at + size + 1);
      *named = true;
      return true;
    }
    comma = strchr(at, ',');
    if (!comma) break;
  }
  if (!alone && !has_ending(text, ".npz")) return false;
  if (strpbrk(text, ":=")) return false;
  snprintf(path, room, "%s", text);
  *named = false;
  return true;
}

/* Bytes as they are: the dims are the port's, or those of --shapes. */
static bool read_raw(const char *path, const file_bytes *file, const hone_tensor *shape,
                     hone_tensor *out) {
  *out = *shape;
  if (!allocate_tensor(path, out)) return false;
  if (file->size != out->size) {
    fprintf(stderr, "hone: '%s' has %zu bytes and the input takes %zu\n", path, file->size,
            out->size);
    return false;
  }
  memcpy(out->data, file->data, out->size);
  return true;
}

static bool is_picture(const file_bytes *file) {
  static const struct {
    size_t at;
    const char *text;
  } signs[] = {{0, "\xff\xd8\xff"}, {0, "\x89PNG"},         {0, "II*"}, {0, "MM"}, {0, "BM"},
               {0, "P1"},           {0, "P2"},              {0, "P3"},  {0, "P4"}, {0, "P5"},
               {0, "P6"},           {8, "WEBP"},            {4, "jP  \r\n\x87\n"},
               {0, "\xff\x4f\xff\x51"}};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (file->size > 64 &&
        memcmp(file->data + signs[i].at, signs[i].text, strlen(signs[i].text)) == 0)
      return true;
  return false;
}

/* By what the file holds; a file of raw elements may hold anything, so .bin and .raw are raw. */
static bool read_by_content(const command_line *line, const char *path, const char *name,
                            bool named, const hone_tensor *port, const hone_tensor *shape,
                            hone_tensor *out) {
  file_bytes file;
  if (!read_file(path, &file)) return false;
  bool raw = has_ending(path, ".bin") || has_ending(path, ".raw");
  bool good;
  if (!raw && is_npz(&file))
    good = read_npz(path, &file, npz_has(&file, name) || !named ? name : NULL, out);
  else if (!raw && file.size >= 6 && memcmp(file.data, "\x93NUMPY", 6) == 0)
    good = parse_npy(path, file.data, file.size, out);
  else if (port->dtype == HONE_STR)
    good =
        raw ? whole_as_string(path, &file, shape, out) : parse_lines(path, &file, port, shape, out);
  else if (!raw && is_picture(&file))
    good = read_picture(path, &file, &line->picture, port, out);
  else
    good = read_raw(path, &file, shape, out);
  free(file.data);
  return good;
}

/* Sizes that the inputs made so far gave to named dimensions: one name is one size. */
#define MOST_SYMBOLS 64
typedef struct symbols {
  struct {
    const char *name;
    int64_t size;
  } items[MOST_SYMBOLS];
  int count;
} symbols;

static int64_t size_of(const symbols *known, const char *name) {
  for (int i = 0; name && i < known->count; i++)
    if (strcmp(known->items[i].name, name) == 0) return known->items[i].size;
  return -1;
}

static void learn(symbols *known, const hone_port *port, const hone_tensor *tensor) {
  for (int i = 0; i < port->type.rank && port->type.rank == tensor->rank; i++) {
    const char *name = port->type.dims[i] < 0 ? port->dim_names[i] : NULL;
    if (!name || tensor->dims[i] < 0 || size_of(known, name) >= 0 || known->count == MOST_SYMBOLS)
      continue;
    known->items[known->count].name = name;
    known->items[known->count++].size = tensor->dims[i];
  }
}

/* Open sizes: what the same name is elsewhere; else 1 where it stands first, 224 for the sides of a
 * picture, 128. */
static hone_tensor default_shape(const hone_port *port, const hone_tensor *given,
                                 const symbols *known) {
  hone_tensor shape = *given;
  for (int i = 0; i < shape.rank; i++) {
    if (shape.dims[i] >= 0) continue;
    int64_t size = shape.rank == port->type.rank ? size_of(known, port->dim_names[i]) : -1;
    shape.dims[i] = size >= 0 ? size : i == 0 ? 1 : shape.rank == 4 ? 224 : 128;
  }
  return shape;
}

/* What makes the inputs of one engine. */
typedef struct maker {
  const command_line *line;
  const hone_engine *engine;
  tensor_list *list;
  bool used[32]; /* by --input */
  symbols known;
} maker;

static int open_port(const maker *m, size_t index, hone_port *port, hone_tensor *given) {
  *port = (hone_port){.struct_size = sizeof *port};
  TRY_COMMAND(hone_input_at(m->engine, index, port));
  *given = port->type;
  given->struct_size = sizeof *given;
  given_shape(hone_options_get(m->line->options, "shapes"), port->name, m->list->count == 1, given);
  return 0;
}

/* The input's file, where it has one. */
static int make_from_file(maker *m, size_t index) {
  hone_port port;
  hone_tensor given = {0}, *out = &m->list->tensors[index];
  TRY_CODE(open_port(m, index, &port, &given));
  for (int i = 0; i < m->line->input_count; i++) {
    char path[4096];
    bool named;
    if (!find_file(m->line->inputs[i], port.name, m->list->count == 1, path, sizeof path, &named))
      continue;
    m->used[i] = true;
    hone_tensor shape = default_shape(&port, &given, &m->known);
    if (!read_by_content(m->line, path, port.name, named, &given, &shape, out))
      return EXIT_WRONG_USE;
    learn(&m->known, &port, out);
    return 0;
  }
  learn(&m->known, &port, &given);
  return 0;
}

static int make_seeded(maker *m, size_t index) {
  hone_port port;
  hone_tensor given = {0}, *out = &m->list->tensors[index];
  if (out->data) return 0;
  TRY_CODE(open_port(m, index, &port, &given));
  *out = default_shape(&port, &given, &m->known);
  if (out->kind != HONE_TENSOR) return 0; /* an empty sequence, an absent optional */
  const char *refusal = out->dtype == HONE_STR ? "give its strings in a text file with --input"
                        : out->rank < 0        ? "its rank is open: say its shape with --shapes"
                                               : NULL;
  if (refusal) complain(port.name, refusal);
  if (refusal || !allocate_tensor(port.name, out)) return EXIT_WRONG_USE;
  fill_seeded(out);
  learn(&m->known, &port, out);
  return 0;
}

static int make_inputs(const command_line *line, const hone_engine *engine, tensor_list *out) {
  maker m = {.line = line, .engine = engine, .list = out};
  out->count = hone_input_count(engine);
  out->tensors = calloc(out->count + 1, sizeof *out->tensors);
  if (!out->tensors) return EXIT_WRONG_USE;
  for (size_t i = 0; i < out->count; i++) TRY_CODE(make_from_file(&m, i));
  for (size_t i = 0; i < out->count; i++) TRY_CODE(make_seeded(&m, i));
  for (int i = 0; i < line->input_count; i++) {
    if (m.used[i]) continue;
    fprintf(stderr, "hone: --input %s: there is no such input; hone inspect lists them\n",
            line->inputs[i]);
    return EXIT_WRONG_USE;
  }
  return 0;
}

void close_session(session *s) {
  hone_context_free(s->context);
  hone_engine_free(s->engine);
  free_tensors(&s->inputs);
  *s = (session){0};
}

int bind_session(const command_line *line, session *s) {
  TRY_COMMAND(hone_context_new(s->engine, line->options, &s->context));
  if (!s->inputs.tensors) TRY_CODE(make_inputs(line, s->engine, &s->inputs));
  for (size_t i = 0; i < s->inputs.count; i++)
    TRY_COMMAND(hone_set_input(s->context, i, &s->inputs.tensors[i]));
  return 0;
}

int open_session(const command_line *line, const char *path, session *out) {
  *out = (session){0};
  TRY_COMMAND(open_or_build(line, path, &out->engine));
  return bind_session(line, out);
}
