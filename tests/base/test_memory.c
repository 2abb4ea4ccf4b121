/* Arenas and the allocator's faults. */
#include "base/memory.h"

#include <pthread.h>

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

static void *allocate(void *failures) {
  for (int i = 0; i < 10000; i++) {
    void *pointer = hone_alloc(8);
    if (!pointer) ++*(int *)failures;
    hone_free(pointer);
  }
  return NULL;
}

/* Every allocation of every thread takes one step: exactly one of them fails. */
TEST(one_allocation_fails_among_threads) {
  pthread_t threads[4];
  int failures[4] = {0};
  uint64_t before = hone_alloc_count();
  hone_alloc_fail_at(40000, false);
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, allocate, &failures[i]) == 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  CHECK(failures[0] + failures[1] + failures[2] + failures[3] == 1);
  CHECK(hone_alloc_count() - before == 39999);
  void *pointer = hone_alloc(8);
  CHECK(pointer != NULL);
  hone_free(pointer);
}

TEST(aligned_and_empty) {
  void *aligned = hone_alloc_aligned(4096, 100), *empty = hone_alloc(0), *other = hone_alloc(0);
  CHECK(aligned && (uintptr_t)aligned % 4096 == 0);
  CHECK(empty && other && empty != other);
  CHECK(!hone_alloc_aligned(64, SIZE_MAX - 8));
  hone_free(aligned);
  hone_free(empty);
  hone_free(other);
  hone_free(NULL);
}

int main(void) {
  RUN(one_allocation_fails_among_threads);
  RUN(aligned_and_empty);
  RUN(arena_aligns_and_reuses);
  RUN(failures_come_when_asked);
  return check_report();
}
