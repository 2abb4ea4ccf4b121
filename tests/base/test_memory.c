/* Arenas and the allocator's faults. */
#include "base/memory.h"

#include "check.h"

TEST(arena_aligns_and_reuses) {
  hone_arena arena = {0};
  for (int round = 0; round < 2; round++) {
    uint64_t before = hone_alloc_count();
    for (size_t size = 0; size < 3000; size += 37) {
      unsigned char *p = hone_arena_zero(&arena, size);
      CHECK(p && (uintptr_t)p % (size >= 64 ? 64 : 16) == 0);
      memset(p, 0xff, size);
    }
    CHECK(hone_arena_alloc(&arena, 5000000) != NULL);
    if (round == 1) CHECK(hone_alloc_count() == before);
    hone_arena_reset(&arena);
  }
  CHECK(hone_arena_array(&arena, SIZE_MAX / 2, 3) == NULL);
  CHECK(hone_arena_alloc(&arena, SIZE_MAX - 8) == NULL);
  hone_arena_free(&arena);
}

TEST(failures_come_when_asked) {
  hone_alloc_fail_at(2, false);
  void *a = hone_alloc(8), *b = hone_alloc(8), *c = hone_alloc(8);
  CHECK(a && !b && c);
  hone_free(a);
  hone_free(c);
  hone_alloc_fail_at(1, true);
  CHECK(!hone_alloc(8) && !hone_alloc_zero(8) && !hone_alloc_aligned(64, 8));
  hone_alloc_fail_at(0, false);
}

int main(void) {
  RUN(arena_aligns_and_reuses);
  RUN(failures_come_when_asked);
  return check_report();
}
