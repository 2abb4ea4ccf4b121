/* Numbers as text and back, for cast. Room: ops. */
#include "ops/cast_text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/real.h"

static void print_element(const hone_datum *x, size_t index, hone_text *out) {
  hone_dtype_class klass = hone_dtype_class_of(x->dtype);
  int64_t whole = hone_load_int(x->dtype, x->data, index);
  if (klass == HONE_CLASS_BOOLEAN) hone_text_puts(out, whole ? "True" : "False");
  else if (klass == HONE_CLASS_SIGNED) hone_text_printf(out, "%" PRId64, whole);
  else if (klass == HONE_CLASS_UNSIGNED) hone_text_printf(out, "%" PRIu64, (uint64_t)whole);
  else {
    double value = hone_load_real(x->dtype, x->data, index);
    if (x->dtype == HONE_F64) hone_text_real(out, value);
    else hone_text_real32(out, (float)value);
    if (out->data && !strpbrk(out->data, ".eni")) hone_text_puts(out, ".0");
  }
}

hone_status *hone_cast_to_text(const hone_datum *from, const hone_datum *to, hone_arena *objects) {
  size_t count = hone_datum_count(from);
  for (size_t i = 0; i < count; i++) {
    hone_text text = {0};
    print_element(from, i, &text);
    hone_status *status = hone_text_status(&text);
    hone_string made = {NULL, text.size};
    if (!status) made.data = hone_arena_text(objects, text.data, text.size);
    hone_text_free(&text);
    HONE_TRY(status);
    HONE_TRY_MEMORY(made.data);
    memcpy((char *)to->data + i * sizeof made, &made, sizeof made);
  }
  return NULL;
}

/* Lower case, without surrounding blanks and a plus; false when it does not fit. */
static bool normalise(const hone_string *in, char *out, size_t room) {
  size_t begin = 0, end = in->size;
  while (begin < end && isspace((unsigned char)in->data[begin])) begin++;
  while (end > begin && isspace((unsigned char)in->data[end - 1])) end--;
  if (begin < end && in->data[begin] == '+') begin++;
  if (begin == end || end - begin >= room) return false;
  for (size_t i = begin; i < end; i++) out[i - begin] = (char)tolower((unsigned char)in->data[i]);
  out[end - begin] = 0;
  return memchr(out, 0, end - begin) == NULL;
}

static bool parse_element(const hone_string *text, const hone_datum *to, size_t index) {
  char clean[512], *end;
  double value;
  if (!normalise(text, clean, sizeof clean)) return false;
  if (hone_dtype_class_of(to->dtype) != HONE_CLASS_FLOAT) {
    errno = 0;
    int64_t whole = to->dtype == HONE_U64 && *clean != '-' ? (int64_t)strtoull(clean, &end, 10)
                                                           : strtoll(clean, &end, 10);
    if (*end == 0 && errno == 0) return hone_store_int(to->dtype, to->data, index, whole), true;
  }
  if (!hone_parse_real(clean, &value)) return false;
  if (hone_dtype_class_of(to->dtype) == HONE_CLASS_FLOAT)
    hone_store_real(to->dtype, to->data, index, value);
  else
    hone_store_int(to->dtype, to->data, index, hone_load_int(HONE_F64, &value, 0));
  return true;
}

hone_status *hone_cast_from_text(const hone_datum *from, const hone_datum *to) {
  size_t count = hone_datum_count(from);
  for (size_t i = 0; i < count; i++) {
    hone_string text;
    char shown[64];
    memcpy(&text, (const char *)from->data + i * sizeof text, sizeof text);
    if (!parse_element(&text, to, i))
      return hone_error(HONE_INVALID_ARGUMENT, "'%s' is not a number",
                        hone_quoted(shown, sizeof shown, text.data, text.size));
  }
  return NULL;
}
