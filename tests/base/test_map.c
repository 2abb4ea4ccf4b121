/* The hash map: order, removal, growth. */
#include "base/map.h"

#include "check.h"

TEST(keeps_order_and_values) {
  hone_map map = {0};
  char key[16];
  for (int i = 0; i < 1000; i++) {
    int size = snprintf(key, sizeof key, "key%d", i);
    CHECK_OK(hone_map_put(&map, key, (size_t)size, (void *)(intptr_t)(i + 1)));
  }
  for (int i = 0; i < 1000; i += 3) {
    int size = snprintf(key, sizeof key, "key%d", i);
    hone_map_remove(&map, key, (size_t)size);
  }
  CHECK(map.count == 666);
  CHECK_OK(hone_map_put(&map, "key0", 4, (void *)(intptr_t)7));
  CHECK(hone_map_get(&map, "key0", 4) == (void *)(intptr_t)7);
  CHECK(hone_map_get(&map, "key3", 4) == NULL);
  CHECK(hone_map_get(&map, "key1", 4) == (void *)(intptr_t)2);
  size_t at = 0;
  intptr_t last = 0, seen = 0;
  for (const hone_map_entry *e; (e = hone_map_next(&map, &at)); seen++) {
    intptr_t value = (intptr_t)e->value;
    if (value != 7 || e->size != 4) {
      CHECK(value > last);
      last = value;
    }
  }
  CHECK(seen == 667);
  hone_map_free(&map);
}

TEST(reports_missing_memory) {
  hone_map map = {0};
  for (uint64_t n = 1; n <= 3; n++) {
    hone_alloc_fail_at(n, false);
    hone_status *status = hone_map_put(&map, "a", 1, &map);
    hone_alloc_fail_at(0, false);
    CHECK(hone_status_code(status) == HONE_OUT_OF_MEMORY);
    hone_map_free(&map);
  }
}

int main(void) {
  RUN(keeps_order_and_values);
  RUN(reports_missing_memory);
  return check_report();
}
