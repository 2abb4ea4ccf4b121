/* Real numbers as text and back. Room: base. */
#include "base/real.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t plain;
static pthread_once_t plain_once = PTHREAD_ONCE_INIT;
static void make_plain(void) { plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); }

/* The decimal point is a comma in half of the world's locales: numbers are read and written in
 * the C locale, of this thread only. Without memory for it the process's stays. */
static locale_t enter_plain(void) {
  pthread_once(&plain_once, make_plain);
  return plain ? uselocale(plain) : (locale_t)0;
}
static void leave_plain(locale_t before) {
  if (before) uselocale(before);
}

bool hone_parse_real(const char *text, double *out) {
  char *end;
  locale_t before = enter_plain();
  *out = strtod(text, &end);
  leave_plain(before);
  return end != text && !*end;
}

static void add_real(hone_text *text, double value, int digits, int most, bool single) {
  char buffer[40];
  if (isnan(value)) {
    hone_text_puts(text, "nan");
    return;
  }
  locale_t before = enter_plain();
  for (; digits <= most; digits++) {
    snprintf(buffer, sizeof buffer, "%.*g", digits, value);
    double back = strtod(buffer, NULL);
    if (back == value || (single && (float)back == (float)value)) break;
  }
  leave_plain(before);
  hone_text_puts(text, buffer);
}

void hone_text_real(hone_text *text, double value) { add_real(text, value, 6, 17, false); }
void hone_text_real32(hone_text *text, float value) { add_real(text, (double)value, 6, 9, true); }
