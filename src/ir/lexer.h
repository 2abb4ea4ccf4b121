/* Tokens of the text form, shared by the graph parser and the rewrite rules. Room: ir. */
#ifndef HONE_IR_LEXER_H
#define HONE_IR_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

typedef enum hone_token_kind {
  HONE_TOKEN_END,
  HONE_TOKEN_WORD,   /* a letter or _, then letters, digits, _ . / */
  HONE_TOKEN_NUMBER, /* a digit or -, then what numbers are made of; also inf, -inf, nan */
  HONE_TOKEN_TEXT,   /* "…" with JSON's escapes */
  HONE_TOKEN_MARK    /* one character, or -> as '>' */
} hone_token_kind;

typedef struct hone_token {
  hone_token_kind kind;
  char mark;         /* of a MARK */
  const char *text;  /* a WORD's or NUMBER's characters, a TEXT's content; zero-terminated */
  size_t size;
  int line, column;  /* from 1 */
} hone_token;

/* Reads one token ahead. Zero bytes end the text like its end does. */
typedef struct hone_lexer {
  const char *at, *end, *line_start;
  int line;
  hone_arena *arena;   /* tokens' texts lie here */
  hone_token token;    /* the current one */
  const char *comment; /* the first comment between the last token and this one, after its # */
  size_t comment_size;
} hone_lexer;

HONE_MUST_USE hone_status *hone_lexer_start(hone_lexer *lexer, const char *text, size_t size,
                                            hone_arena *arena);
HONE_MUST_USE hone_status *hone_lexer_next(hone_lexer *lexer);
/* INVALID_MODEL at the current token: "line 3, column 7: <what>". */
HONE_MUST_USE hone_status *hone_lexer_fail(const hone_lexer *lexer, const char *format, ...)
    HONE_PRINTF(2, 3) __attribute__((returns_nonnull));
#ifdef __clang_analyzer__
#define hone_lexer_fail(...) HONE_SURELY_FAILS((hone_lexer_fail)(__VA_ARGS__))
#endif

bool hone_lexer_is(const hone_lexer *lexer, char mark);
bool hone_lexer_is_word(const hone_lexer *lexer, const char *word);
/* Steps over `mark`; an error when another token stands here. */
HONE_MUST_USE hone_status *hone_lexer_expect(hone_lexer *lexer, char mark);
/* Steps over `mark` if it stands here, and says so. */
HONE_MUST_USE hone_status *hone_lexer_accept(hone_lexer *lexer, char mark, bool *found);
/* The current token as a number, then a step. */
HONE_MUST_USE hone_status *hone_lexer_int(hone_lexer *lexer, int64_t *out);
HONE_MUST_USE hone_status *hone_lexer_real(hone_lexer *lexer, double *out);

/* Whether `name` can stand without quotes. */
bool hone_is_word(const char *name);

#endif
