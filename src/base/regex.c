/* Regular expressions: a pattern becomes a program, which runs in all its states at once. Room:
 * base. */
#include "base/regex.h"

#include <string.h>

#define MAX_CODE   20000
#define MAX_RANGES 4000
#define MAX_DEPTH  100
#define MAX_REPEAT 1000

typedef enum code_kind {
  SET,   /* one character of a class */
  SPLIT, /* both ways */
  JUMP,
  OPEN_JUMP, /* to the end of the alternation that is being read */
  BEGINNING,
  ENDING,
  BOUNDARY,
  NO_BOUNDARY,
  MATCH
} code_kind;

/* Targets are relative, so that a run of code can be moved and copied. */
typedef struct code {
  code_kind kind;
  int a, b; /* SPLIT, JUMP: targets; SET: ranges [a, a + b) */
  bool negated;
} code;

typedef struct range {
  uint32_t low, high;
} range;

struct hone_regex {
  code *code;
  int count;
  range *ranges;
  int range_count;
  bool fold;               /* (?i): ASCII letters of either case */
  int *now, *next, *stack; /* sets of states, as lists */
  unsigned *seen, stamp;
};

typedef struct parser {
  hone_regex *regex;
  const char *at, *end;
  int depth;
} parser;

static uint32_t decode(const char **at, const char *end) {
  const unsigned char *s = (const unsigned char *)*at;
  static const struct {
    unsigned char mask, lead, bits;
  } forms[] = {{0xe0, 0xc0, 0x1f}, {0xf0, 0xe0, 0x0f}, {0xf8, 0xf0, 0x07}};
  for (int more = 1; more <= 3; more++) {
    if ((s[0] & forms[more - 1].mask) != forms[more - 1].lead || end - *at <= more) continue;
    uint32_t value = s[0] & forms[more - 1].bits;
    bool good = true;
    for (int i = 1; i <= more; i++) {
      good = good && (s[i] & 0xc0) == 0x80;
      value = value << 6 | (s[i] & 0x3f);
    }
    if (!good) break;
    *at += more + 1;
    return value;
  }
  ++*at;
  return s[0];
}

static hone_status *emit(hone_regex *regex, code c) {
  if (regex->count == MAX_CODE)
    return hone_error(HONE_LIMIT, "a pattern that unfolds into more than %d steps", MAX_CODE);
  regex->code[regex->count++] = c;
  return NULL;
}

/* Makes room for one step in front of the code from `start` on, which is moved as a whole. */
static hone_status *emit_before(hone_regex *regex, int start, code c) {
  HONE_TRY(emit(regex, c));
  memmove(&regex->code[start + 1], &regex->code[start],
          (size_t)(regex->count - 1 - start) * sizeof c);
  regex->code[start] = c;
  return NULL;
}

static hone_status *add_range(hone_regex *regex, uint32_t low, uint32_t high) {
  if (regex->range_count == MAX_RANGES)
    return hone_error(HONE_LIMIT, "a pattern with more than %d ranges", MAX_RANGES);
  if (low > high) return hone_error(HONE_INVALID_MODEL, "a range that ends before it begins");
  regex->ranges[regex->range_count++] = (range){low, high};
  return NULL;
}

/* The classes that a letter or a name stands for, as pairs of characters. */
static const char *class_pairs(char letter) {
  switch (letter | 0x20) {
    case 'd':
      return "09";
    case 'w':
      return "09AZ__az";
    case 's':
      return "\t\n\f\r  ";
    default:
      return NULL;
  }
}

static const struct {
  const char *name, *pairs;
} named_classes[] = {
    {"[:alpha:]", "AZaz"},     {"[:digit:]", "09"},      {"[:alnum:]", "09AZaz"},
    {"[:upper:]", "AZ"},       {"[:lower:]", "az"},      {"[:space:]", "\t\r  "},
    {"[:punct:]", "!/:@[`{~"}, {"[:word:]", "09AZ__az"}, {"[:xdigit:]", "09AFaf"},
};

/* A capital stands for all others: the gaps between the pairs. */
static hone_status *add_pairs(hone_regex *regex, const char *pairs, bool others) {
  uint32_t from = 0;
  for (; *pairs; pairs += 2) {
    uint32_t low = (unsigned char)pairs[0], high = (unsigned char)pairs[1];
    if (!others)
      HONE_TRY(add_range(regex, low, high));
    else if (low > from)
      HONE_TRY(add_range(regex, from, low - 1));
    from = high + 1;
  }
  return others ? add_range(regex, from, 0x10ffff) : NULL;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After \x: two digits, or any number in braces. */
static hone_status *read_hex(parser *p, uint32_t *out) {
  bool braces = p->at < p->end && *p->at == '{';
  int digits = 0;
  *out = 0;
  p->at += braces;
  while (p->at < p->end && hex_digit(*p->at) >= 0 && digits < (braces ? 6 : 2)) {
    *out = *out * 16 + (uint32_t)hex_digit(*p->at++);
    digits++;
  }
  bool closed = !braces || (p->at < p->end && *p->at++ == '}');
  if (digits == 0 || !closed) return hone_error(HONE_INVALID_MODEL, "a broken \\x in a pattern");
  return NULL;
}

/* After a backslash: a character (set to it), or a class (added; *is_class). */
static hone_status *read_escape(parser *p, uint32_t *out, bool *is_class) {
  static const char from[] = "tnrfva", to[] = "\t\n\r\f\v\a";
  *is_class = false;
  if (p->at == p->end) return hone_error(HONE_INVALID_MODEL, "a pattern that ends in \\");
  char letter = *p->at;
  const char *pairs = class_pairs(letter), *known = memchr(from, letter, sizeof from - 1);
  if (pairs && strchr("dwsDWS", letter)) {
    p->at++;
    *is_class = true;
    return add_pairs(p->regex, pairs, !(letter & 0x20));
  }
  if (letter == 'x') {
    p->at++;
    return read_hex(p, out);
  }
  if (known) {
    p->at++;
    *out = (unsigned char)to[known - from];
    return NULL;
  }
  if ((letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
      (letter >= 'A' && letter <= 'Z'))
    return hone_error(HONE_UNSUPPORTED, "\\%c in a pattern", letter);
  *out = decode(&p->at, p->end);
  return NULL;
}

static hone_status *read_named(parser *p, bool *found) {
  for (size_t i = 0; i < sizeof named_classes / sizeof *named_classes; i++) {
    size_t size = strlen(named_classes[i].name);
    if ((size_t)(p->end - p->at) < size || memcmp(p->at, named_classes[i].name, size) != 0)
      continue;
    p->at += size;
    *found = true;
    return add_pairs(p->regex, named_classes[i].pairs, false);
  }
  return NULL;
}

static hone_status *read_member(parser *p) {
  uint32_t low, high;
  bool is_class = false;
  if (*p->at == '[') HONE_TRY(read_named(p, &is_class));
  if (is_class) return NULL;
  low = decode(&p->at, p->end);
  if (low == '\\') HONE_TRY(read_escape(p, &low, &is_class));
  if (is_class) return NULL;
  high = low;
  if (p->end - p->at >= 2 && p->at[0] == '-' && p->at[1] != ']') {
    p->at++;
    high = decode(&p->at, p->end);
    if (high == '\\') HONE_TRY(read_escape(p, &high, &is_class));
    if (is_class) return hone_error(HONE_INVALID_MODEL, "a range that ends in a class");
  }
  return add_range(p->regex, low, high);
}

static hone_status *read_set(parser *p) {
  code c = {.kind = SET, .a = p->regex->range_count};
  if (p->at < p->end && *p->at == '^') {
    c.negated = true;
    p->at++;
  }
  bool first = true;
  while (p->at < p->end && (first || *p->at != ']')) {
    HONE_TRY(read_member(p));
    first = false;
  }
  if (p->at == p->end) return hone_error(HONE_INVALID_MODEL, "a pattern with [ and no ]");
  p->at++;
  c.b = p->regex->range_count - c.a;
  return emit(p->regex, c);
}

static hone_status *emit_one(parser *p, uint32_t character) {
  code c = {.kind = SET, .a = p->regex->range_count, .b = 1};
  HONE_TRY(add_range(p->regex, character, character));
  return emit(p->regex, c);
}

static hone_status *read_alternatives(parser *p);

/* After (: what follows the question mark, then the group. */
static hone_status *read_group(parser *p) {
  if (p->at < p->end && *p->at == '?') {
    const char *close = memchr(p->at, ')', (size_t)(p->end - p->at));
    const char *name = memchr(p->at, '>', (size_t)(p->end - p->at));
    if (p->end - p->at >= 2 && p->at[1] == ':') {
      p->at += 2;
    } else if (close && close - p->at == 2 && p->at[1] == 'i') {
      p->regex->fold = true;
      p->at += 3;
      return NULL;
    } else if (p->end - p->at >= 3 && (p->at[1] == 'P' || p->at[1] == '<') && name &&
               p->at[2] != '=' && p->at[2] != '!') {
      p->at = name + 1;
    } else {
      return hone_error(HONE_UNSUPPORTED, "a group that begins with (? in a pattern");
    }
  }
  if (++p->depth > MAX_DEPTH) return hone_error(HONE_LIMIT, "a pattern that is nested too deep");
  HONE_TRY(read_alternatives(p));
  p->depth--;
  if (p->at == p->end) return hone_error(HONE_INVALID_MODEL, "a pattern with ( and no )");
  p->at++;
  return NULL;
}

static hone_status *read_backslash(parser *p) {
  code c = {.kind = SET, .a = p->regex->range_count};
  uint32_t character = 0;
  bool is_class;
  if (p->at < p->end && (*p->at == 'b' || *p->at == 'B'))
    return emit(p->regex, (code){.kind = *p->at++ == 'b' ? BOUNDARY : NO_BOUNDARY});
  if (p->at < p->end && (*p->at == 'A' || *p->at == 'z'))
    return emit(p->regex, (code){.kind = *p->at++ == 'A' ? BEGINNING : ENDING});
  HONE_TRY(read_escape(p, &character, &is_class));
  if (!is_class) return emit_one(p, character);
  c.b = p->regex->range_count - c.a;
  return emit(p->regex, c);
}

static hone_status *read_atom(parser *p) {
  uint32_t character = decode(&p->at, p->end);
  switch (character) {
    case '(':
      return read_group(p);
    case '[':
      return read_set(p);
    case '\\':
      return read_backslash(p);
    case '^':
      return emit(p->regex, (code){.kind = BEGINNING});
    case '$':
      return emit(p->regex, (code){.kind = ENDING});
    case '*':
    case '+':
    case '?':
      return hone_error(HONE_INVALID_MODEL, "a pattern that repeats nothing");
    case '.': {
      code c = {.kind = SET, .a = p->regex->range_count, .b = 1, .negated = true};
      HONE_TRY(add_range(p->regex, '\n', '\n'));
      return emit(p->regex, c);
    }
    default:
      return emit_one(p, character);
  }
}

static hone_status *emit_copy(hone_regex *regex, const code *from, int count) {
  for (int i = 0; i < count; i++) HONE_TRY(emit(regex, from[i]));
  return NULL;
}

static hone_status *maybe(hone_regex *regex, int start) {
  return emit_before(regex, start, (code){.kind = SPLIT, .a = 1, .b = regex->count - start + 1});
}

static hone_status *star(hone_regex *regex, int start) {
  int size = regex->count - start;
  HONE_TRY(emit_before(regex, start, (code){.kind = SPLIT, .a = 1, .b = size + 2}));
  return emit(regex, (code){.kind = JUMP, .a = -(size + 1)});
}

/* The code from `start` on, `least` times and then up to `most` (-1: any number) in all. */
static hone_status *repeat(hone_regex *regex, int start, int least, int most) {
  int size = regex->count - start;
  hone_arena memory = {0};
  code *atom = hone_arena_copy(&memory, &regex->code[start], (size_t)size * sizeof *atom);
  hone_status *status = atom ? NULL : hone_error_memory();
  regex->count = start;
  for (int i = 0; !status && i < (most < 0 ? least : most); i++) {
    int begin = regex->count;
    status = emit_copy(regex, atom, size);
    if (!status && i >= least) status = maybe(regex, begin);
  }
  if (!status && most < 0) {
    int begin = regex->count;
    status = emit_copy(regex, atom, size);
    if (!status) status = star(regex, begin);
  }
  hone_arena_free(&memory);
  return status;
}

static bool read_number(parser *p, int *out) {
  const char *start = p->at;
  for (*out = 0; p->at < p->end && *p->at >= '0' && *p->at <= '9' && *out <= MAX_REPEAT; p->at++)
    *out = *out * 10 + (*p->at - '0');
  return p->at > start;
}

/* {m}, {m,} or {m,n}; anything else is an ordinary brace, and nothing is read. */
static bool read_counts(parser *p, int *least, int *most) {
  const char *start = p->at++;
  bool good = read_number(p, least);
  *most = *least;
  if (good && p->at < p->end && *p->at == ',') {
    p->at++;
    if (!read_number(p, most)) *most = -1;
  }
  good = good && p->at < p->end && *p->at == '}';
  p->at = good ? p->at + 1 : start;
  return good;
}

static hone_status *read_repeats(parser *p, int start) {
  while (p->at < p->end) {
    int least = 0, most = -1;
    char mark = *p->at;
    if (mark == '{') {
      if (!read_counts(p, &least, &most)) return NULL;
      if (least > MAX_REPEAT || most > MAX_REPEAT || (most >= 0 && most < least))
        return hone_error(HONE_INVALID_MODEL, "a repeat out of range");
    } else if (mark == '*' || mark == '+' || mark == '?') {
      p->at++;
      least = mark == '+';
      most = mark == '?' ? 1 : -1;
    } else {
      return NULL;
    }
    HONE_TRY(repeat(p->regex, start, least, most));
    /* Lazy or not is the same for a match of the whole text. */
    if (p->at < p->end && *p->at == '?') p->at++;
  }
  return NULL;
}

/* Alternatives up to ) or the end. */
static hone_status *read_alternatives(parser *p) {
  hone_regex *regex = p->regex;
  int begin = regex->count, start = begin;
  while (p->at < p->end && *p->at != ')') {
    if (*p->at == '|') {
      p->at++;
      int size = regex->count - start;
      HONE_TRY(emit_before(regex, start, (code){.kind = SPLIT, .a = 1, .b = size + 2}));
      HONE_TRY(emit(regex, (code){.kind = OPEN_JUMP}));
      start = regex->count;
      continue;
    }
    int atom = regex->count;
    HONE_TRY(read_atom(p));
    HONE_TRY(read_repeats(p, atom));
  }
  for (int i = begin; i < regex->count; i++)
    if (regex->code[i].kind == OPEN_JUMP)
      regex->code[i] = (code){.kind = JUMP, .a = regex->count - i};
  return NULL;
}

hone_status *hone_regex_new(const char *pattern, hone_arena *memory, hone_regex **out) {
  hone_regex *regex = HONE_NEW(memory, hone_regex);
  HONE_TRY_MEMORY(regex);
  regex->code = HONE_NEW_ARRAY(memory, MAX_CODE, code);
  regex->ranges = HONE_NEW_ARRAY(memory, MAX_RANGES, range);
  if (!regex->code || !regex->ranges) return hone_error_memory();
  parser p = {regex, pattern, pattern + strlen(pattern), 0};
  HONE_TRY(read_alternatives(&p));
  if (p.at < p.end) return hone_error(HONE_INVALID_MODEL, "a pattern with ) and no (");
  HONE_TRY(emit(regex, (code){.kind = MATCH}));
  regex->now = HONE_NEW_ARRAY(memory, regex->count, int);
  regex->next = HONE_NEW_ARRAY(memory, regex->count, int);
  /* Each state is entered once and puts at most two on the stack. */
  regex->stack = HONE_NEW_ARRAY(memory, 2 * regex->count + 1, int);
  regex->seen = HONE_NEW_ARRAY(memory, regex->count, unsigned);
  if (!regex->now || !regex->next || !regex->stack || !regex->seen) return hone_error_memory();
  *out = regex;
  return NULL;
}

static bool is_word(const char *at, const char *begin, const char *end) {
  if (at < begin || at >= end) return false;
  return (*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') ||
         *at == '_';
}

static bool holds(code_kind kind, const char *at, const char *begin, const char *end) {
  if (kind == BEGINNING) return at == begin;
  if (kind == ENDING) return at == end;
  bool boundary = is_word(at - 1, begin, end) != is_word(at, begin, end);
  return boundary == (kind == BOUNDARY);
}

/* Adds a state and all that it reaches without reading. */
static void add_state(hone_regex *regex, int *list, int *count, int state, const char *at,
                      const char *begin, const char *end) {
  int depth = 0;
  regex->stack[depth++] = state;
  while (depth) {
    int s = regex->stack[--depth];
    if (regex->seen[s] == regex->stamp) continue;
    regex->seen[s] = regex->stamp;
    const code *c = &regex->code[s];
    switch (c->kind) {
      case SET:
      case MATCH:
        list[(*count)++] = s;
        break;
      case SPLIT:
        regex->stack[depth++] = s + c->b;
        regex->stack[depth++] = s + c->a;
        break;
      case JUMP:
      case OPEN_JUMP:
        regex->stack[depth++] = s + c->a;
        break;
      default:
        if (holds(c->kind, at, begin, end)) regex->stack[depth++] = s + 1;
        break;
    }
  }
}

static bool in_ranges(const hone_regex *regex, const code *c, uint32_t character) {
  for (int i = c->a; i < c->a + c->b; i++)
    if (character >= regex->ranges[i].low && character <= regex->ranges[i].high) return true;
  return false;
}

static bool takes(const hone_regex *regex, const code *c, uint32_t character) {
  bool inside = in_ranges(regex, c, character);
  uint32_t lower = character | 0x20;
  if (!inside && regex->fold && lower >= 'a' && lower <= 'z' && character < 0x80)
    inside = in_ranges(regex, c, character ^ 0x20);
  return inside != c->negated;
}

bool hone_regex_full_match(hone_regex *regex, const char *text, size_t size) {
  const char *end = text + size;
  int count = 0;
  regex->stamp++;
  add_state(regex, regex->now, &count, 0, text, text, end);
  for (const char *at = text; at < end && count;) {
    uint32_t character = decode(&at, end);
    int next = 0;
    regex->stamp++;
    for (int i = 0; i < count; i++) {
      const code *c = &regex->code[regex->now[i]];
      if (c->kind == SET && takes(regex, c, character))
        add_state(regex, regex->next, &next, regex->now[i] + 1, at, text, end);
    }
    int *swap = regex->now;
    regex->now = regex->next;
    regex->next = swap;
    count = next;
  }
  for (int i = 0; i < count; i++)
    if (regex->code[regex->now[i]].kind == MATCH) return true;
  return false;
}
