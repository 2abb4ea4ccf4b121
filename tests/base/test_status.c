/* Statuses: codes, places, cutting, and what happens without memory. */
#include "base/status.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "check.h"

TEST(null_is_success) {
  CHECK(hone_status_code(NULL) == HONE_OK);
  CHECK(strcmp(hone_status_message(NULL), "") == 0 && strcmp(hone_status_place(NULL), "") == 0);
  CHECK(hone_error_at(NULL, "node '%s'", "a") == NULL);
  hone_status_free(NULL);
}

TEST(places_go_outermost_first) {
  hone_status *status = hone_error(HONE_INVALID_MODEL, "axis %d", 7);
  status = hone_error_at(status, "node '%s'", "conv1");
  status = hone_error_at(status, "graph '%s'", "g");
  CHECK(hone_status_code(status) == HONE_INVALID_MODEL);
  CHECK(strcmp(hone_status_message(status), "axis 7") == 0);
  CHECK(strcmp(hone_status_place(status), "graph 'g', node 'conv1'") == 0);
  hone_status_free(status);
}

/* 400 times the three bytes of U+20AC: 1,000 bytes end within a character, wherever it starts. */
TEST(long_texts_are_cut_between_characters) {
  char text[1201] = "";
  for (int i = 0; i < 400; i++) memcpy(text + 3 * i, "\xe2\x82\xac", 4);
  for (int shift = 0; shift < 3; shift++) {
    hone_status *status = hone_error(HONE_LIMIT, "%.*s%s", shift, "xxx", text);
    status = hone_error_at(status, "%s", "inner");
    status = hone_error_at(status, "%.*s%s", shift, "xxx", text);
    size_t size = strlen(hone_status_message(status)), room = 999 - (size_t)shift;
    CHECK(size == (size_t)shift + room / 3 * 3);
    CHECK(strlen(hone_status_place(status)) == size);
    for (size_t at = 0; at < size;) {
      size_t step = hone_utf8_next(hone_status_message(status) + at, size - at);
      CHECK(step != 0);
      at += step ? step : size;
    }
    hone_status_free(status);
  }
}

TEST(no_memory_gives_the_static_status) {
  hone_alloc_fail_at(1, false);
  hone_status *status = hone_error(HONE_INTERNAL, "unseen");
  CHECK(status == hone_error_memory() && hone_status_code(status) == HONE_OUT_OF_MEMORY);
  CHECK(hone_error_at(status, "node") == status && *hone_status_place(status) == 0);
  CHECK(*hone_status_message(status) != 0);
  hone_status_free(status);
  hone_status_free(status);
}

TEST(every_code_has_a_name) {
  for (int i = 0; i <= HONE_INTERNAL; i++) {
    CHECK(strcmp(hone_code_name((hone_code)i), "unknown") != 0);
    for (int j = 0; j < i; j++)
      CHECK(strcmp(hone_code_name((hone_code)i), hone_code_name((hone_code)j)) != 0);
  }
  CHECK(strcmp(hone_code_name((hone_code)99), "unknown") == 0);
}

int main(void) {
  RUN(null_is_success);
  RUN(places_go_outermost_first);
  RUN(long_texts_are_cut_between_characters);
  RUN(no_memory_gives_the_static_status);
  RUN(every_code_has_a_name);
  return check_report();
}
