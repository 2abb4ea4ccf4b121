/* string_normalize: leaves out words and changes their case. Room: ops.
 *
 * x is [n] or [1, n]. Where all words are left out, one empty string remains. Case is that of
 * ASCII, Latin-1, Greek and Cyrillic letters, whatever the process's locale. */
#include <string.h>

#include "ops/ops.h"

/* Capitals in runs, and how far their small letters lie: code points of two bytes in UTF-8. */
static const struct {
  uint32_t low, high, step;
} capitals[] = {
    {0xc0, 0xd6, 32},   {0xd8, 0xde, 32},   {0x391, 0x3a1, 32},
    {0x3a3, 0x3a9, 32}, {0x400, 0x40f, 80}, {0x410, 0x42f, 32},
};

static uint32_t change(uint32_t c, bool upper) {
  if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z') return c ^ 0x20;
  for (size_t i = 0; i < sizeof capitals / sizeof *capitals; i++) {
    uint32_t low = capitals[i].low, high = capitals[i].high, step = capitals[i].step;
    if (upper && c >= low + step && c <= high + step) return c - step;
    if (!upper && c >= low && c <= high) return c + step;
  }
  return c;
}

/* In place: no letter changes its number of bytes. */
static void change_case(char *text, size_t size, bool upper) {
  unsigned char *s = (unsigned char *)text;
  for (size_t i = 0; i < size; i++) {
    bool two = (s[i] & 0xe0) == 0xc0 && i + 1 < size && (s[i + 1] & 0xc0) == 0x80;
    uint32_t c = two ? (uint32_t)(s[i] & 0x1f) << 6 | (s[i + 1] & 0x3f) : s[i];
    if (!two && c >= 0x80) continue;
    c = change(c, upper);
    if (two) {
      s[i] = (unsigned char)(0xc0 | c >> 6);
      s[++i] = (unsigned char)(0x80 | (c & 0x3f));
    } else {
      s[i] = (unsigned char)c;
    }
  }
}

static hone_status *copy_word(hone_arena *memory, hone_string word, bool change_it, bool upper,
                              hone_string *out) {
  char *text = hone_arena_text(memory, word.data, word.size);
  HONE_TRY_MEMORY(text);
  if (change_it) change_case(text, word.size, upper);
  *out = (hone_string){text, word.size};
  return NULL;
}

static hone_status *normalize_infer(hone_infer *infer) {
  const hone_type *x = infer->in[0];
  if (x->dtype && x->dtype != HONE_STR)
    return hone_infer_fail(infer, "an input of type %s", hone_dtype_name(x->dtype));
  infer->out[0] = hone_tensor_type(HONE_STR, x->shape);
  if (x->shape.rank < 0) return NULL;
  if (x->shape.rank == 0 || x->shape.rank > 2)
    return hone_infer_fail(infer, "an input of %d dimensions", x->shape.rank);
  if (infer->graph)
    infer->out[0].shape.dim[x->shape.rank - 1] = hone_infer_fresh(infer);
  else
    infer->out[0].shape = hone_shape_unknown(); /* the reference finds out */
  return NULL;
}

static bool is_stopword(const hone_string *word, const hone_string *stops, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (stops[i].size == word->size &&
        (!word->size || memcmp(stops[i].data, word->data, word->size) == 0))
      return true;
  return false;
}

/* The stop words as they are compared: in small letters unless case matters. */
static hone_status *read_stops(hone_reference *ref, bool exact, hone_string **out, size_t *count) {
  const hone_attr *attr = hone_node_attr(ref->node, "stopwords");
  *count = attr->count;
  *out = HONE_NEW_ARRAY(ref->scratch, *count + 1, hone_string);
  HONE_TRY_MEMORY(*out);
  for (size_t i = 0; i < *count; i++)
    HONE_TRY(copy_word(ref->scratch, (hone_string){attr->texts[i], strlen(attr->texts[i])}, !exact,
                       false, &(*out)[i]));
  return NULL;
}

static hone_status *normalize_reference(hone_reference *ref) {
  const hone_datum *x = ref->in[0];
  const hone_string *in = x->data;
  size_t count = hone_datum_count(x), stop_count, kept = 0;
  const char *action = hone_node_text(ref->node, "case");
  bool exact = hone_node_flag(ref->node, "case_sensitive"), changes = strcmp(action, "none") != 0;
  bool upper = strcmp(action, "upper") == 0;
  hone_string *stops, *out = HONE_NEW_ARRAY(ref->objects, count + 1, hone_string);
  HONE_TRY_MEMORY(out);
  if (x->shape.rank == 2 && x->shape.dim[0] != 1)
    return hone_error(HONE_INVALID_ARGUMENT, "more than one row of words");
  HONE_TRY(read_stops(ref, exact, &stops, &stop_count));
  for (size_t i = 0; i < count; i++) {
    hone_string compared;
    HONE_TRY(copy_word(ref->scratch, in[i], !exact, false, &compared));
    if (is_stopword(&compared, stops, stop_count)) continue;
    HONE_TRY(copy_word(ref->objects, in[i], changes, upper, &out[kept++]));
  }
  if (!kept) out[kept++] = (hone_string){"", 0};
  *ref->out[0] = (hone_datum){.dtype = HONE_STR, .shape = x->shape, .data = out};
  ref->out[0]->shape.dim[x->shape.rank - 1] = (hone_dim)kept;
  return NULL;
}

const hone_op hone_op_string_normalize = {
    .name = "string_normalize",
    .inputs = "x",
    .outputs = "y",
    .attrs = {{"case", HONE_ATTR_CHOICE, "none", "none|lower|upper"},
              {"case_sensitive", HONE_ATTR_FLAG, "false"},
              {"stopwords", HONE_ATTR_TEXTS, "[]"}},
    .facts = HONE_OBJECTS,
    .infer = normalize_infer,
    .reference = normalize_reference,
};
