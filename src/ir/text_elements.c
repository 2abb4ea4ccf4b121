/* The elements of a constant in the text form. Room: ir. */
#include "ir/text_elements.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/real.h"

/* Complex numbers are written as pairs of reals. */
static hone_dtype element_dtype(hone_dtype dtype, size_t *count) {
  if (hone_dtype_class_of(dtype) != HONE_CLASS_COMPLEX) return dtype;
  *count *= 2;
  return dtype == HONE_C64 ? HONE_F32 : HONE_F64;
}

/* The bits of an element of 8, 16, 32 or 64 bits. */
static uint64_t element_bits(hone_dtype dtype, const void *data, size_t index) {
  size_t bytes = hone_dtype_bits(dtype) / 8;
  uint64_t bits = 0;
  memcpy(&bits, (const char *)data + index * bytes, bytes);
  return bits;
}

static void print_float(hone_text *out, hone_dtype dtype, const void *data, size_t index) {
  double value = hone_load_real(dtype, data, index);
  if (isnan(value)) {
    uint64_t canonical = 0, bits = element_bits(dtype, data, index);
    hone_store_real(dtype, &canonical, 0, NAN);
    if (bits != canonical) {
      hone_text_printf(out, "0x%" PRIx64, bits);
      return;
    }
  }
  if (dtype == HONE_F64) hone_text_real(out, value);
  else hone_text_real32(out, (float)value);
}

static void print_element(hone_text *out, hone_dtype dtype, const void *data, size_t index) {
  hone_dtype_class class = hone_dtype_class_of(dtype);
  if (class == HONE_CLASS_FLOAT) {
    print_float(out, dtype, data, index);
  } else if (class == HONE_CLASS_STRING) {
    hone_string string;
    memcpy(&string, (const char *)data + index * sizeof string, sizeof string);
    hone_text_quote(out, string.data, string.size);
  } else {
    int64_t value = hone_load_int(dtype, data, index);
    if (class == HONE_CLASS_BOOLEAN) hone_text_puts(out, value ? "true" : "false");
    else if (class == HONE_CLASS_UNSIGNED) hone_text_printf(out, "%" PRIu64, (uint64_t)value);
    else hone_text_printf(out, "%" PRId64, value);
  }
}

void hone_print_elements(hone_text *out, const hone_type *type, const void *data) {
  size_t count = 0;
  (void)hone_shape_count(&type->shape, &count);
  hone_dtype dtype = element_dtype(type->dtype, &count);
  bool alone = type->shape.rank == 0 && count == 1;
  if (!alone) hone_text_puts(out, "[");
  for (size_t i = 0; i < count; i++) {
    if (i) hone_text_puts(out, ", ");
    print_element(out, dtype, data, i);
  }
  if (!alone) hone_text_puts(out, "]");
}

static hone_status *parse_float(hone_lexer *lexer, hone_dtype dtype, void *data, size_t index) {
  const char *text = lexer->token.text;
  unsigned bits = hone_dtype_bits(dtype);
  if (lexer->token.kind == HONE_TOKEN_NUMBER && strncmp(text, "0x", 2) == 0 && bits % 8 == 0) {
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 16);
    if (*end || errno || (bits < 64 && value >> bits))
      return hone_lexer_fail(lexer, "the bits of one %s are wanted here", hone_dtype_name(dtype));
    memcpy((char *)data + index * (bits / 8), &value, bits / 8);
    return hone_lexer_next(lexer);
  }
  double value;
  HONE_TRY(hone_lexer_real(lexer, &value));
  hone_store_real(dtype, data, index, value);
  return NULL;
}

/* An integer that `dtype` can hold. */
static hone_status *parse_integer(hone_lexer *lexer, hone_dtype dtype, void *data, size_t index) {
  const char *text = lexer->token.text;
  bool is_signed = hone_dtype_class_of(dtype) == HONE_CLASS_SIGNED;
  char *end;
  errno = 0;
  int64_t value = is_signed ? strtoll(text, &end, 10) : (int64_t)strtoull(text, &end, 10);
  if (lexer->token.kind != HONE_TOKEN_NUMBER || *end || errno || (!is_signed && *text == '-'))
    return hone_lexer_fail(lexer, "a whole number is wanted here");
  hone_store_int(dtype, data, index, value);
  if (hone_load_int(dtype, data, index) != value)
    return hone_lexer_fail(lexer, "%s does not fit in %s", text, hone_dtype_name(dtype));
  return hone_lexer_next(lexer);
}

static hone_status *parse_boolean(hone_lexer *lexer, void *data, size_t index) {
  bool value = hone_lexer_is_word(lexer, "true");
  if (!value && !hone_lexer_is_word(lexer, "false"))
    return hone_lexer_fail(lexer, "true or false is wanted here");
  hone_store_int(HONE_BOOL, data, index, value);
  return hone_lexer_next(lexer);
}

/* The characters stay in the lexer's arena until the graph copies them. */
static hone_status *parse_string(hone_lexer *lexer, void *data, size_t index) {
  if (lexer->token.kind != HONE_TOKEN_TEXT)
    return hone_lexer_fail(lexer, "a quoted text is wanted here");
  hone_string string = {lexer->token.text, lexer->token.size};
  memcpy((char *)data + index * sizeof string, &string, sizeof string);
  return hone_lexer_next(lexer);
}

static hone_status *parse_element(hone_lexer *lexer, hone_dtype dtype, void *data, size_t index) {
  switch (hone_dtype_class_of(dtype)) {
    case HONE_CLASS_FLOAT: return parse_float(lexer, dtype, data, index);
    case HONE_CLASS_STRING: return parse_string(lexer, data, index);
    case HONE_CLASS_BOOLEAN: return parse_boolean(lexer, data, index);
    default: return parse_integer(lexer, dtype, data, index);
  }
}

hone_status *hone_parse_elements(hone_lexer *lexer, const hone_type *type, hone_arena *arena,
                                 void **data, size_t *size) {
  size_t count;
  if (!hone_shape_count(&type->shape, &count) || count > (size_t)-1 / 2)
    return hone_lexer_fail(lexer, "a constant needs a known shape");
  hone_dtype dtype = element_dtype(type->dtype, &count);
  bool brackets = false;
  if (type->shape.rank != 0 || hone_lexer_is(lexer, '[')) {
    brackets = true;
    HONE_TRY(hone_lexer_expect(lexer, '['));
  }
  /* Each element takes a character, so that a short text cannot ask for much memory. */
  if (count > (size_t)(lexer->end - lexer->at) + lexer->token.size + 1)
    return hone_lexer_fail(lexer, "%zu elements are wanted here", count);
  if (!hone_dtype_bytes(dtype, count, size))
    return hone_lexer_fail(lexer, "the size of a constant overflows");
  *data = hone_arena_zero(arena, *size);
  HONE_TRY_MEMORY(*data);
  for (size_t i = 0; i < count; i++) {
    if (i) HONE_TRY(hone_lexer_expect(lexer, ','));
    HONE_TRY(parse_element(lexer, dtype, *data, i));
  }
  return brackets ? hone_lexer_expect(lexer, ']') : NULL;
}
