/* A reader of protobuf's text format that writes the wire format. Room: base.
 *
 * The grammar is that of protobuf's text format specification: "#" comments, {} and <>, ":" that
 * may be missing before a message, lists in [], strings that follow each other joined, "," and ";"
 * after fields.
 */
#include "base/protobuf_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/protobuf_write.h"
#include "base/real.h"

/* The longest number or name that means anything. */
#define WORD_MOST 128

typedef struct parser {
  const char *begin, *at, *end;
  hone_text *out;
  int depth;
} parser;

static hone_status *broken(const parser *p, const char *what) {
  size_t line = 1;
  for (const char *c = p->begin; c < p->at; c++) line += *c == '\n';
  return hone_error(HONE_INVALID_MODEL, "line %zu of its text: %s", line, what);
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_name(char c) { return isalnum((unsigned char)c) || c == '_'; }

static void skip_space(parser *p) {
  while (p->at < p->end && (is_space(*p->at) || *p->at == '#')) {
    if (*p->at == '#')
      while (p->at < p->end && *p->at != '\n') p->at++;
    else
      p->at++;
  }
}

/* The next character that means something; 0 at the end. */
static char peek(parser *p) {
  skip_space(p);
  return p->at < p->end ? *p->at : 0;
}

static bool take(parser *p, char c) {
  if (!c || peek(p) != c) return false;
  p->at++;
  return true;
}

/* ---- Strings ---- */

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* At least one and at most `most` digits. */
static bool read_digits(parser *p, int base, int most, uint32_t *out) {
  const char *begin = p->at;
  *out = 0;
  while (p->at < p->end && p->at - begin < most && digit(*p->at) < base)
    *out = *out * (uint32_t)base + (uint32_t)digit(*p->at++);
  return p->at > begin;
}

static void put_utf8(hone_text *out, uint32_t c) {
  char bytes[4];
  size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = size; i-- > 1; c >>= 6) bytes[i] = (char)(0x80 | (c & 0x3f));
  bytes[0] = (char)(lead[size] | c);
  hone_text_add(out, bytes, size);
}

/* What follows a backslash. */
static hone_status *read_escape(parser *p) {
  static const char from[] = "abfnrtv\\'\"?", to[] = "\a\b\f\n\r\t\v\\'\"?";
  uint32_t value = 0;
  if (p->at == p->end) return broken(p, "a string without an end");
  char c = *p->at;
  const char *known = c ? strchr(from, c) : NULL;
  if (known) {
    p->at++;
    hone_text_add(p->out, &to[known - from], 1);
    return NULL;
  }
  bool wide = c == 'u' || c == 'U', hex = wide || c == 'x' || c == 'X';
  p->at += hex;
  if (!read_digits(p, hex ? 16 : 8, c == 'U' ? 8 : c == 'u' ? 4 : hex ? 2 : 3, &value) ||
      value > (wide ? 0x10ffff : 0xff))
    return broken(p, "an escape that is none");
  if (wide)
    put_utf8(p->out, value);
  else
    hone_text_add(p->out, &(char){(char)value}, 1);
  return NULL;
}

/* Strings that follow each other are one. */
static hone_status *read_strings(parser *p) {
  char quote;
  if (peek(p) != '"' && peek(p) != '\'') return broken(p, "a string is missing");
  while ((quote = peek(p)) == '"' || quote == '\'') {
    p->at++;
    while (p->at < p->end && *p->at != quote && *p->at != '\n') {
      const char *run = p->at;
      while (p->at < p->end && *p->at != quote && *p->at != '\\' && *p->at != '\n') p->at++;
      hone_text_add(p->out, run, (size_t)(p->at - run));
      if (p->at == p->end || *p->at != '\\') continue;
      p->at++;
      HONE_TRY(read_escape(p));
    }
    if (p->at == p->end || *p->at != quote) return broken(p, "a string without an end");
    p->at++;
  }
  return NULL;
}

/* ---- Numbers and names of values ---- */

/* A number or a name, its sign in front; zero-terminated. */
static hone_status *read_word(parser *p, char word[WORD_MOST]) {
  size_t size = 0;
  if (take(p, '-')) word[size++] = '-';
  skip_space(p);
  const char *begin = p->at;
  while (p->at < p->end && size < WORD_MOST - 1 &&
         (is_name(*p->at) || *p->at == '.' ||
          ((*p->at == '+' || *p->at == '-') && p->at > begin && (p->at[-1] | 0x20) == 'e')))
    word[size++] = *p->at++;
  word[size] = 0;
  return p->at > begin ? NULL : broken(p, "a value is missing");
}

/* Decimal, 0x… or 0…; what is below zero as its two's complement. */
static bool parse_int(const char *word, uint64_t *out) {
  bool negative = *word == '-';
  char *end;
  if (!isdigit((unsigned char)word[negative])) return false;
  errno = 0;
  *out = strtoull(word + negative, &end, 0);
  if (*end || errno || (negative && *out > (uint64_t)1 << 63)) return false;
  if (negative) *out = 0 - *out;
  return true;
}

static bool parse_flag(const char *word, uint64_t *out) {
  *out = strcmp(word, "true") == 0 || strcmp(word, "True") == 0 || strcmp(word, "t") == 0 ||
         strcmp(word, "1") == 0;
  return *out || strcmp(word, "false") == 0 || strcmp(word, "False") == 0 ||
         strcmp(word, "f") == 0 || strcmp(word, "0") == 0;
}

static bool parse_enum(const hone_proto_name *names, const char *word, uint64_t *out) {
  for (; names->name; names++)
    if (strcmp(names->name, word) == 0) {
      *out = (uint64_t)names->number;
      return true;
    }
  return parse_int(word, out);
}

/* As hone_parse_real, with the endings and the names that the text format has besides. */
static bool parse_number(char *word, double *out) {
  size_t size = strlen(word);
  const char *plain = word + (*word == '-');
  if (strcasecmp(plain, "infinity") == 0) plain = "inf";
  if (strcasecmp(plain, "inf") == 0 || strcasecmp(plain, "nan") == 0) {
    bool infinite = (*plain | 0x20) == 'i';
    *out = infinite ? (double)__builtin_inf() : (double)__builtin_nan("");
    if (*word == '-') *out = -*out;
    return true;
  }
  if (size > 1 && (word[size - 1] | 0x20) == 'f') word[size - 1] = 0;
  return hone_parse_real(word, out);
}

static void put_real(parser *p, const hone_proto_field *field, double value) {
  float narrow = (float)value;
  bool wide = field->type == HONE_PROTO_F64;
  hone_proto_put_tag(p->out, field->number, wide ? HONE_PROTO_FIXED64 : HONE_PROTO_FIXED32);
  hone_text_add(p->out, wide ? (const char *)&value : (const char *)&narrow,
                wide ? sizeof value : sizeof narrow);
}

static hone_status *read_number(parser *p, const hone_proto_field *field) {
  char word[WORD_MOST];
  uint64_t whole = 0;
  double real = 0;
  HONE_TRY(read_word(p, word));
  bool is_real = field->type == HONE_PROTO_F32 || field->type == HONE_PROTO_F64;
  if (is_real ? !parse_number(word, &real)
      : field->type == HONE_PROTO_FLAG ? !parse_flag(word, &whole)
      : field->type == HONE_PROTO_ENUM ? !parse_enum(field->names, word, &whole)
                                       : !parse_int(word, &whole))
    return broken(p, "a value of another type than its field's");
  if (is_real) {
    put_real(p, field, real);
  } else {
    hone_proto_put_number(p->out, field->number, whole);
  }
  return NULL;
}

/* ---- Fields ---- */

static hone_status *read_fields(parser *p, const hone_proto_field *schema, char end);

static hone_status *read_message(parser *p, const hone_proto_field *schema) {
  char end = peek(p) == '<' ? '>' : '}';
  if (!take(p, '<') && !take(p, '{')) return broken(p, "a message is missing");
  if (++p->depth > HONE_PROTO_TEXT_DEPTH) return broken(p, "messages too deep inside each other");
  HONE_TRY(read_fields(p, schema, end));
  p->depth--;
  return NULL;
}

/* One value of a field that nobody wants. What it writes is taken back. */
static hone_status *skip_value(parser *p) {
  static const hone_proto_field nothing[] = {{0}};
  char word[WORD_MOST], next = peek(p);
  size_t size = p->out->size;
  hone_status *status = next == '{' || next == '<'     ? read_message(p, nothing)
                        : next == '"' || next == '\'' ? read_strings(p)
                                                      : read_word(p, word);
  p->out->size = size;
  return status;
}

static hone_status *read_value(parser *p, const hone_proto_field *field) {
  if (field->type == HONE_PROTO_END) return skip_value(p);
  if (field->type != HONE_PROTO_MESSAGE && field->type != HONE_PROTO_TEXT)
    return read_number(p, field);
  size_t begin = hone_proto_begin(p->out, field->number);
  HONE_TRY(field->type == HONE_PROTO_TEXT ? read_strings(p) : read_message(p, field->message));
  hone_proto_end(p->out, begin);
  return hone_text_status(p->out);
}

static hone_status *read_list(parser *p, const hone_proto_field *field) {
  if (take(p, ']')) return NULL;
  do {
    HONE_TRY(read_value(p, field));
  } while (take(p, ','));
  return take(p, ']') ? NULL : broken(p, "a list without an end");
}

static const hone_proto_field *find_field(const hone_proto_field *schema, const char *name,
                                          size_t size) {
  while (schema->type && !(strlen(schema->name) == size && memcmp(schema->name, name, size) == 0))
    schema++;
  return schema;
}

/* The name before a value; that of an extension, in brackets, is no schema's. */
static hone_status *read_name(parser *p, const hone_proto_field *schema,
                              const hone_proto_field **out) {
  bool extension = take(p, '[');
  if (extension) skip_space(p);
  const char *begin = p->at;
  while (p->at < p->end &&
         (is_name(*p->at) || (extension && *p->at && strchr("./-%", *p->at))))
    p->at++;
  if (p->at == begin) return broken(p, "the name of a field is missing");
  *out = find_field(schema, begin, extension ? 0 : (size_t)(p->at - begin));
  return !extension || take(p, ']') ? NULL : broken(p, "the name of an extension has no end");
}

/* Fields until the bracket `end`, or with 0 until the text's. */
static hone_status *read_fields(parser *p, const hone_proto_field *schema, char end) {
  while (peek(p) && peek(p) != end) {
    const hone_proto_field *field = NULL;
    HONE_TRY(read_name(p, schema, &field));
    bool colon = take(p, ':');
    char next = peek(p);
    if (!colon && next != '{' && next != '<') return broken(p, "a ':' is missing");
    HONE_TRY(take(p, '[') ? read_list(p, field) : read_value(p, field));
    if (!take(p, ',')) (void)take(p, ';');
  }
  if (p->out->failed) return hone_error_memory();
  if (p->at < p->end && !end) return broken(p, "a zero byte");
  return !end || take(p, end) ? NULL : broken(p, "a message without an end");
}

bool hone_proto_is_text(hone_bytes text, const hone_proto_field *schema) {
  parser p = {.at = text.data, .end = (const char *)text.data + text.size};
  if (!text.size) return false;
  skip_space(&p);
  const char *begin = p.at;
  while (p.at < p.end && is_name(*p.at)) p.at++;
  if (!find_field(schema, begin, (size_t)(p.at - begin))->type) return false;
  char next = peek(&p);
  return next == ':' || next == '{' || next == '<';
}

hone_status *hone_proto_from_text(hone_bytes text, const hone_proto_field *schema, hone_text *out) {
  parser p = {.begin = text.data, .at = text.data, .out = out};
  p.end = p.begin + text.size;
  HONE_TRY(read_fields(&p, schema, 0));
  return hone_text_status(out);
}
