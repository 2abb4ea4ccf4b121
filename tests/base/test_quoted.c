/* Growing text, quoting of hostile names, and numbers as text. */
#include <math.h>

#include "base/real.h"
#include "base/text.h"
#include "check.h"

static bool quoted_as(const char *data, size_t size, size_t room, const char *want) {
  char buffer[64];
  memset(buffer, '!', sizeof buffer);
  hone_quoted(buffer, room, data, size);
  bool good = strcmp(buffer, want) == 0 && (room == sizeof buffer || buffer[room] == '!');
  if (!good) fprintf(stderr, "got %s, wanted %s\n", buffer, want);
  return good;
}

TEST(text_grows_and_reports_missing_memory) {
  hone_text text = {0};
  for (int i = 0; i < 500; i++) hone_text_printf(&text, "%d,", i % 10);
  hone_text_puts(&text, "end");
  hone_text_quote(&text, "a\"\\\n\x01\x7f\xff", 7);
  CHECK_OK(hone_text_status(&text));
  CHECK(text.size == strlen(text.data) && text.size == 1003 + 22);
  CHECK(strcmp(text.data + 1000, "end\"a\\\"\\\\\\n\\u0001\\u007f\xff\"") == 0);
  hone_alloc_fail_at(1, true);
  for (int i = 0; i < 500; i++) hone_text_puts(&text, "more");
  hone_alloc_fail_at(0, false);
  CHECK_ERROR(hone_text_status(&text), HONE_OUT_OF_MEMORY, "");
  hone_text_free(&text);
}

TEST(names_are_escaped) {
  CHECK(quoted_as("plain", 5, 64, "plain"));
  CHECK(quoted_as("a'b\"c\\\t\x1b[31m", 12, 64, "a'b\\\"c\\\\\\t\\u001b[31m"));
  CHECK(quoted_as("a\0b", 3, 64, "a\\u0000b"));
  CHECK(quoted_as("", 0, 64, ""));
}

/* RFC 3629: what is no UTF-8 is shown as bytes. */
TEST(bytes_that_are_no_utf8_are_shown) {
  CHECK(quoted_as("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, 64,
                  "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"));
  CHECK(quoted_as("\xff\x80", 2, 64, "\\xff\\x80"));
  CHECK(quoted_as("\xe2\x82", 2, 64, "\\xe2\\x82"));
  CHECK(quoted_as("\xc0\x80", 2, 64, "\\xc0\\x80"));
  CHECK(quoted_as("\xe0\x9f\xbf", 3, 64, "\\xe0\\x9f\\xbf"));
  CHECK(quoted_as("\xed\xa0\x80", 3, 64, "\\xed\\xa0\\x80"));
  CHECK(quoted_as("\xf4\x90\x80\x80", 4, 64, "\\xf4\\x90\\x80\\x80"));
}

TEST(long_names_are_cut_between_characters) {
  CHECK(quoted_as("abcdefghij", 10, 10, "abcdef..."));
  CHECK(quoted_as("a\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 10, 10, "a\xe2\x82\xac..."));
  CHECK(quoted_as("\x01\x01", 2, 8, "..."));
  CHECK(quoted_as("abc", 3, 1, ""));
}

static bool reads_back(double value, const char *want) {
  hone_text text = {0};
  double back = 0;
  hone_text_real(&text, value);
  bool good = text.data && strcmp(text.data, want) == 0 && hone_parse_real(text.data, &back);
  good = good && (isnan(value) ? isnan(back) : memcmp(&back, &value, sizeof back) == 0);
  hone_text_free(&text);
  return good;
}

TEST(numbers_read_back_exactly) {
  CHECK(reads_back(1, "1") && reads_back(-0.0, "-0") && reads_back(0.1, "0.1"));
  CHECK(reads_back(1e-5, "1e-05") && reads_back(INFINITY, "inf") && reads_back(-INFINITY, "-inf"));
  CHECK(reads_back(NAN, "nan") && reads_back(-NAN, "nan"));
  CHECK(reads_back(5e-324, "4.94066e-324") && reads_back(0.1 + 0.2, "0.30000000000000004"));
  double unused;
  CHECK(!hone_parse_real("", &unused) && !hone_parse_real("1,5", &unused));
  hone_text text = {0};
  hone_text_real32(&text, 0.1f);
  CHECK(text.data && strcmp(text.data, "0.1") == 0);
  hone_text_free(&text);
}

int main(void) {
  RUN(text_grows_and_reports_missing_memory);
  RUN(names_are_escaped);
  RUN(bytes_that_are_no_utf8_are_shown);
  RUN(long_names_are_cut_between_characters);
  RUN(numbers_read_back_exactly);
  return check_report();
}
