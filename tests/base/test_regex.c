/* Regular expressions: what matches, what does not, what is refused. */
#include "base/regex.h"
#include "check.h"

static bool matches(const char *pattern, const char *text) {
  hone_arena memory = {0};
  hone_regex *regex;
  hone_status *status = hone_regex_new(pattern, &memory, &regex);
  bool match = !status && hone_regex_full_match(regex, text, strlen(text));
  CHECK(!status);
  hone_status_free(status);
  hone_arena_free(&memory);
  return match;
}

static hone_code refused(const char *pattern) {
  hone_arena memory = {0};
  hone_regex *regex;
  hone_status *status = hone_regex_new(pattern, &memory, &regex);
  hone_code code = hone_status_code(status);
  hone_status_free(status);
  hone_arena_free(&memory);
  return code;
}

TEST(matches_whole_texts) {
  CHECK(matches("", ""));
  CHECK(!matches("", "a"));
  CHECK(matches("abc", "abc"));
  CHECK(!matches("abc", "abcd"));
  CHECK(!matches("abc", "ab"));
  CHECK(matches("a|bc|d", "bc"));
  CHECK(matches("a|bc|d", "d"));
  CHECK(!matches("a|bc|d", "ad"));
  CHECK(matches("(a|b)*c", "ababc"));
  CHECK(matches("(a|b)*c", "c"));
  CHECK(matches("x(|y)z", "xz"));
  CHECK(matches("a{2,3}", "aa"));
  CHECK(matches("a{2,3}", "aaa"));
  CHECK(!matches("a{2,3}", "aaaa"));
  CHECK(!matches("a{2,3}", "a"));
  CHECK(matches("(ab){2}", "abab"));
  CHECK(matches("a{2,}", "aaaaa"));
  CHECK(matches("a{,2}", "a{,2}"));
  CHECK(matches("a+?b??", "aaa"));
  CHECK(matches("(a*)*", "aaaa"));
}

TEST(classes) {
  CHECK(matches("[a-c]+", "abc"));
  CHECK(!matches("[^a-c]", "b"));
  CHECK(matches("[^a-c]", "d"));
  CHECK(matches("[]a]+", "]a"));
  CHECK(matches("[a-]+", "-a"));
  CHECK(matches("[\\w.\\-]+", "a_9.-"));
  CHECK(matches("\\d+\\s\\D", "12 x"));
  CHECK(!matches("\\W", "_"));
  CHECK(matches("[[:alpha:][:digit:]]+", "a1"));
  CHECK(matches("...", "a\xc3\xa9z")); /* one character of two bytes */
  CHECK(matches("[\xc3\xa0-\xc3\xbf]", "\xc3\xa9"));
  CHECK(matches("\\x41\\x{e9}", "A\xc3\xa9"));
  CHECK(!matches(".", "\n"));
  CHECK(matches("(?i)stra[s]e", "STRASE"));
}

TEST(places) {
  CHECK(matches("^ab$", "ab"));
  CHECK(!matches("a^b", "ab"));
  CHECK(matches("www\\.[\\w.-]+\\.\\bcom\\b", "www.google.com"));
  CHECK(!matches("a\\bb", "ab"));
  CHECK(matches("a\\Bb", "ab"));
  CHECK(matches("(\\W|^)[\\w.\\-]{0,25}@(yahoo|gmail)\\.com(\\W|$)", "account@gmail.com"));
}

TEST(takes_linear_time) {
  char text[2000];
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = 0;
  CHECK(!matches("(a*)*b", text));
  CHECK(!matches("(a|a)*(a|aa)+b", text));
}

TEST(refuses) {
  CHECK(refused("(") == HONE_INVALID_MODEL);
  CHECK(refused(")") == HONE_INVALID_MODEL);
  CHECK(refused("[a") == HONE_INVALID_MODEL);
  CHECK(refused("*a") == HONE_INVALID_MODEL);
  CHECK(refused("a\\") == HONE_INVALID_MODEL);
  CHECK(refused("[z-a]") == HONE_INVALID_MODEL);
  CHECK(refused("a{3,2}") == HONE_INVALID_MODEL);
  CHECK(refused("(a)\\1") == HONE_UNSUPPORTED);
  CHECK(refused("(?=a)") == HONE_UNSUPPORTED);
  CHECK(refused("((a{1000}){1000}){1000}") == HONE_LIMIT);
  char deep[400];
  memset(deep, '(', sizeof deep - 1);
  deep[sizeof deep - 1] = 0;
  CHECK(refused(deep) == HONE_LIMIT);
}

int main(void) {
  RUN(matches_whole_texts);
  RUN(classes);
  RUN(places);
  RUN(takes_linear_time);
  RUN(refuses);
  return check_report();
}
