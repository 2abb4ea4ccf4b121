/* Tokens of the text form. The text is hostile: nothing is read past its end. Room: ir. */
#include "ir/lexer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/real.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool starts_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool in_word(char c) { return starts_word(c) || is_digit(c) || c == '.' || c == '/'; }

bool hone_is_word(const char *name) {
  if (!starts_word(*name) || strcmp(name, "_") == 0) return false;
  if (strcmp(name, "inf") == 0 || strcmp(name, "nan") == 0) return false;
  while (*name && in_word(*name)) name++;
  return !*name;
}

hone_status *(hone_lexer_fail)(const hone_lexer *lexer, const char *format, ...) {
  char text[400];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return hone_error(HONE_INVALID_MODEL, "line %d, column %d: %s", lexer->token.line,
                    lexer->token.column, text);
}

/* Skips spaces and comments, keeping the first comment. */
static void skip_space(hone_lexer *lexer) {
  lexer->comment = NULL;
  lexer->comment_size = 0;
  while (lexer->at < lexer->end) {
    char c = *lexer->at;
    if (c == '\n') {
      lexer->line++;
      lexer->line_start = lexer->at + 1;
    } else if (c == '#') {
      const char *start = lexer->at + 1;
      const char *stop = memchr(start, '\n', (size_t)(lexer->end - start));
      if (!stop) stop = lexer->end;
      if (!lexer->comment) {
        lexer->comment = start;
        lexer->comment_size = (size_t)(stop - start);
      }
      lexer->at = stop;
      continue;
    } else if (c != ' ' && c != '\t' && c != '\r') {
      return;
    }
    lexer->at++;
  }
}

static int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One escape after its backslash, as JSON has them, up to \u00ff, which stands for one byte. Steps
 * over it; false when it is none. */
static bool read_escape(hone_lexer *lexer, char *out) {
  static const char letters[] = "nrtbf\"\\/", means[] = "\n\r\t\b\f\"\\/";
  if (lexer->at == lexer->end) return false;
  char c = *lexer->at++;
  const char *found = c ? strchr(letters, c) : NULL;
  if (found) {
    *out = means[found - letters];
    return true;
  }
  if (c != 'u' || lexer->end - lexer->at < 4 || memcmp(lexer->at, "00", 2) != 0) return false;
  int high = hex_digit(lexer->at[2]), low = hex_digit(lexer->at[3]);
  lexer->at += 4;
  *out = (char)(high * 16 + low);
  return high >= 0 && low >= 0;
}

static hone_status *read_text(hone_lexer *lexer) {
  hone_token *token = &lexer->token;
  const char *stop = ++lexer->at;
  while (stop < lexer->end && *stop != '"' && *stop != '\n') stop += *stop == '\\' ? 2 : 1;
  if (stop >= lexer->end || *stop != '"') return hone_lexer_fail(lexer, "a text has no end");
  char *text = hone_arena_alloc(lexer->arena, (size_t)(stop - lexer->at) + 1);
  HONE_TRY_MEMORY(text);
  size_t size = 0;
  while (lexer->at < stop) {
    char c = *lexer->at++;
    if (c == '\\' && !read_escape(lexer, &c)) return hone_lexer_fail(lexer, "unknown escape");
    text[size++] = c;
  }
  text[size] = 0;
  lexer->at++;
  token->kind = HONE_TOKEN_TEXT;
  token->text = text;
  token->size = size;
  return NULL;
}

/* Takes `size` characters as a token of `kind`. */
static hone_status *take(hone_lexer *lexer, hone_token_kind kind, size_t size) {
  lexer->token.kind = kind;
  lexer->token.text = hone_arena_text(lexer->arena, lexer->at, size);
  lexer->token.size = size;
  lexer->at += size;
  HONE_TRY_MEMORY(lexer->token.text);
  return NULL;
}

static size_t number_size(const hone_lexer *lexer) {
  const char *at = lexer->at;
  if (at < lexer->end && *at == '-') at++;
  const char *start = at;
  while (at < lexer->end) {
    bool sign = (*at == '-' || *at == '+') && at > start && (at[-1] == 'e' || at[-1] == 'E') &&
                !(at - start > 1 && start[1] == 'x');
    if (!is_digit(*at) && *at != '.' && !starts_word(*at) && !sign) break;
    at++;
  }
  return (size_t)(at - lexer->at);
}

static hone_status *read_word(hone_lexer *lexer) {
  size_t size = 0, left = (size_t)(lexer->end - lexer->at);
  while (size < left && in_word(lexer->at[size])) size++;
  HONE_TRY(take(lexer, HONE_TOKEN_WORD, size));
  if (strcmp(lexer->token.text, "inf") == 0 || strcmp(lexer->token.text, "nan") == 0)
    lexer->token.kind = HONE_TOKEN_NUMBER;
  return NULL;
}

hone_status *hone_lexer_next(hone_lexer *lexer) {
  skip_space(lexer);
  lexer->token = (hone_token){.line = lexer->line, .text = "",
                              .column = (int)(lexer->at - lexer->line_start) + 1};
  if (lexer->at == lexer->end || !*lexer->at) return NULL;
  char c = *lexer->at;
  char after = lexer->end - lexer->at > 1 ? lexer->at[1] : 0;
  if (starts_word(c)) return read_word(lexer);
  if (c == '"') return read_text(lexer);
  if (c == '-' && after == '>') {
    lexer->token.kind = HONE_TOKEN_MARK;
    lexer->token.mark = '>';
    lexer->at += 2;
    return NULL;
  }
  if (is_digit(c) || c == '-') return take(lexer, HONE_TOKEN_NUMBER, number_size(lexer));
  lexer->token.kind = HONE_TOKEN_MARK;
  lexer->token.mark = c;
  lexer->at++;
  return NULL;
}

hone_status *hone_lexer_start(hone_lexer *lexer, const char *text, size_t size,
                              hone_arena *arena) {
  *lexer = (hone_lexer){.at = text, .end = text + size, .line_start = text, .line = 1,
                        .arena = arena};
  return hone_lexer_next(lexer);
}

bool hone_lexer_is(const hone_lexer *lexer, char mark) {
  return lexer->token.kind == HONE_TOKEN_MARK && lexer->token.mark == mark;
}
bool hone_lexer_is_word(const hone_lexer *lexer, const char *word) {
  return lexer->token.kind == HONE_TOKEN_WORD && strcmp(lexer->token.text, word) == 0;
}

hone_status *hone_lexer_expect(hone_lexer *lexer, char mark) {
  if (hone_lexer_is(lexer, mark)) return hone_lexer_next(lexer);
  if (mark == '>') return hone_lexer_fail(lexer, "'->' is wanted here");
  return hone_lexer_fail(lexer, "'%c' is wanted here", mark);
}

hone_status *hone_lexer_accept(hone_lexer *lexer, char mark, bool *found) {
  *found = hone_lexer_is(lexer, mark);
  return *found ? hone_lexer_next(lexer) : NULL;
}

hone_status *hone_lexer_int(hone_lexer *lexer, int64_t *out) {
  char *end;
  errno = 0;
  *out = strtoll(lexer->token.text, &end, 10);
  if (lexer->token.kind != HONE_TOKEN_NUMBER || *end || errno)
    return hone_lexer_fail(lexer, "a whole number is wanted here");
  return hone_lexer_next(lexer);
}

hone_status *hone_lexer_real(hone_lexer *lexer, double *out) {
  if (lexer->token.kind != HONE_TOKEN_NUMBER || !hone_parse_real(lexer->token.text, out))
    return hone_lexer_fail(lexer, "a number is wanted here");
  return hone_lexer_next(lexer);
}
