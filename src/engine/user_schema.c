/* The attributes of a user's op, from text: "angle: real = 0.5, mode: fast|exact = exact".
 * Room: engine. */
#include <stdlib.h>
#include <string.h>

#include "base/real.h"
#include "engine/user_op.h"

static const struct {
  const char *name;
  hone_attr_kind kind;
} kinds[] = {{"int", HONE_ATTR_INT},     {"flag", HONE_ATTR_FLAG},  {"real", HONE_ATTR_REAL},
             {"text", HONE_ATTR_TEXT},   {"type", HONE_ATTR_DTYPE}, {"ints", HONE_ATTR_INTS},
             {"reals", HONE_ATTR_REALS}, {"texts", HONE_ATTR_TEXTS}};

/* The piece of `*at` up to one of `stops` outside of brackets, without the spaces around it. */
static char *take(const char **at, const char *stops, hone_arena *arena) {
  const char *begin = *at + strspn(*at, " "), *end = begin;
  for (int depth = 0; *end && (depth || !strchr(stops, *end)); end++)
    depth += (*end == '[') - (*end == ']');
  *at = end;
  while (end > begin && end[-1] == ' ') end--;
  return hone_arena_text(arena, begin, (size_t)(end - begin));
}

static bool is_integer(const char *text) {
  char *end;
  (void)strtoll(text, &end, 10);
  return *text && !*end;
}

static bool is_listed(const char *choices, const char *text) {
  size_t size = strlen(text);
  for (const char *at = choices; *at;) {
    size_t span = strcspn(at, "|");
    if (span == size && memcmp(at, text, size) == 0) return true;
    at += span + (at[span] == '|');
  }
  return false;
}

/* "[1, 2]": every item a number. */
static bool is_list(const char *text, bool whole) {
  size_t size = strlen(text);
  if (size < 2 || text[0] != '[' || text[size - 1] != ']') return false;
  const char *at = text + 1, *last = text + size - 1;
  while (at < last) {
    char *end;
    if (whole)
      (void)strtoll(at, &end, 10);
    else
      (void)strtod(at, &end);
    if (end == at || (end != last && *end != ',')) return false;
    at = end + (end != last);
  }
  return true;
}

/* What attr.c parses without asking has to be right from here on. */
static bool is_default(const hone_attr_def *attr) {
  double real;
  switch (attr->kind) {
    case HONE_ATTR_INT:
      return is_integer(attr->fallback);
    case HONE_ATTR_FLAG:
      return is_listed("true|false", attr->fallback);
    case HONE_ATTR_REAL:
      return hone_parse_real(attr->fallback, &real);
    case HONE_ATTR_CHOICE:
      return is_listed(attr->choices, attr->fallback);
    case HONE_ATTR_DTYPE:
      return hone_dtype_parse(attr->fallback, strlen(attr->fallback)) != HONE_DTYPE_NONE;
    case HONE_ATTR_INTS:
    case HONE_ATTR_REALS:
      return is_list(attr->fallback, attr->kind == HONE_ATTR_INTS);
    case HONE_ATTR_TEXTS:
      return strcmp(attr->fallback, "[]") == 0;
    default:
      return true;
  }
}

static hone_status *set_kind(hone_attr_def *attr, const char *kind) {
  attr->kind = strchr(kind, '|') ? HONE_ATTR_CHOICE : HONE_ATTR_NONE;
  if (attr->kind == HONE_ATTR_CHOICE) attr->choices = kind;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(kinds[i].name, kind) == 0) attr->kind = kinds[i].kind;
  if (attr->kind != HONE_ATTR_NONE) return NULL;
  return hone_error(HONE_INVALID_ARGUMENT, "attribute %s: there is no kind '%.40s'", attr->name,
                    kind);
}

/* Of a name that a node's text form and an ONNX row can spell. */
static bool is_name(const char *name) {
  size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
  return size > 0 && size < 40 && !name[size] && !(*name >= '0' && *name <= '9');
}

static hone_status *parse_attribute(const char **at, hone_arena *arena, hone_attr_def *out) {
  out->name = take(at, ":,", arena);
  HONE_TRY_MEMORY(out->name);
  if (**at != ':' || !is_name(out->name))
    return hone_error(HONE_INVALID_ARGUMENT,
                      "attributes are written 'name: kind = default', not "
                      "'%.40s'",
                      out->name);
  ++*at;
  const char *kind = take(at, "=,", arena);
  HONE_TRY_MEMORY(kind);
  HONE_TRY(set_kind(out, kind));
  if (**at != '=') return NULL;
  ++*at;
  out->fallback = take(at, ",", arena);
  HONE_TRY_MEMORY(out->fallback);
  if (is_default(out)) return NULL;
  return hone_error(HONE_INVALID_ARGUMENT, "attribute %s: '%.40s' is no default of its kind",
                    out->name, out->fallback);
}

hone_status *hone_schema_parse(const char *text, hone_arena *arena, hone_attr_def *out) {
  const char *at = text ? text : "";
  at += strspn(at, " ");
  for (int count = 0; *at; count++) {
    if (count == HONE_MAX_ATTRS)
      return hone_error(HONE_LIMIT, "more than %d attributes", HONE_MAX_ATTRS);
    HONE_TRY(parse_attribute(&at, arena, &out[count]));
    for (int i = 0; i < count; i++)
      if (strcmp(out[i].name, out[count].name) == 0)
        return hone_error(HONE_INVALID_ARGUMENT, "attribute %s stands there twice", out[i].name);
    if (*at == ',') at++;
  }
  return NULL;
}
