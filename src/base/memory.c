/* The allocator with its counters and faults, and arenas. Room: base. */
#include "base/memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint64_t allocations;
static _Atomic uint64_t fail_number; /* counts down to the allocation that fails; 0 = off */
static _Atomic bool fail_on;

void hone_alloc_fail_at(uint64_t number, bool from_then_on) {
  atomic_store(&fail_on, from_then_on);
  atomic_store(&fail_number, number);
}

uint64_t hone_alloc_count(void) { return atomic_load_explicit(&allocations, memory_order_relaxed); }

size_t hone_memory_of_machine(void) {
  static _Atomic size_t known;
  size_t bytes = atomic_load_explicit(&known, memory_order_relaxed);
  if (bytes) return bytes;
  long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || size <= 0 || !hone_mul((size_t)pages, (size_t)size, &bytes)) bytes = SIZE_MAX;
  atomic_store_explicit(&known, bytes, memory_order_relaxed);
  return bytes;
}

/* Whether this allocation is the one to fail. Each takes one step of the countdown, whatever other
 * threads allocate meanwhile. */
static bool refused(void) {
  uint64_t number = atomic_load_explicit(&fail_number, memory_order_relaxed);
  while (number > 1)
    if (atomic_compare_exchange_weak(&fail_number, &number, number - 1)) return false;
  if (number == 0 || atomic_load(&fail_on)) return number == 1;
  return atomic_compare_exchange_strong(&fail_number, &number, 0);
}

static void *counted(void *pointer) {
  if (pointer) atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  return pointer;
}

void *hone_alloc(size_t size) { return refused() ? NULL : counted(malloc(size ? size : 1)); }
void *hone_alloc_zero(size_t size) { return refused() ? NULL : counted(calloc(1, size ? size : 1)); }
void *hone_realloc(void *old, size_t size) {
  return refused() ? NULL : counted(realloc(old, size ? size : 1));
}

#define HUGE_PAGE ((size_t)2 << 20)

void hone_memory_trim(void) {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

/* Large memory lies in huge pages where the system has them: weights that stream by then come as
 * fast as the memory gives them, and miss the TLB seldom. Nothing depends on it. */
static void *in_huge_pages(void *pointer, size_t size) {
#if defined(MADV_HUGEPAGE)
  if (pointer) (void)madvise(pointer, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
  (void)size;
  return pointer;
}

void *hone_alloc_aligned(size_t alignment, size_t size) {
  bool large = size >= 2 * HUGE_PAGE;
  if (large && alignment < HUGE_PAGE) alignment = HUGE_PAGE;
  if (refused() || size > SIZE_MAX - alignment) return NULL;
  void *pointer = NULL;
  if (posix_memalign(&pointer, alignment, size ? size : 1) != 0) return NULL;
  return counted(large ? in_huge_pages(pointer, size) : pointer);
}

void hone_free(void *pointer) { free(pointer); }

struct hone_arena_block {
  hone_arena_block *next;
  size_t size; /* of `bytes` */
  _Alignas(64) unsigned char bytes[];
};

#define BLOCK_SMALL ((size_t)4096)
#define BLOCK_LARGE ((size_t)1 << 20)
#define BLOCK_MOST  ((size_t)8 << 20) /* of arenas that hold several of these: weights */

/* A block with room for `size` bytes: the next kept one if it fits, else a new one after the
 * current; blocks double in size so that their number stays small. */
static hone_arena_block *block_for(hone_arena *arena, size_t size) {
  hone_arena_block **link = arena->current ? &arena->current->next : &arena->first;
  if (*link && (*link)->size >= size) return *link;
  size_t wanted = arena->total < BLOCK_SMALL ? BLOCK_SMALL : arena->total;
  size_t most = wanted > 2 * BLOCK_MOST ? BLOCK_MOST : BLOCK_LARGE;
  if (wanted > most) wanted = most;
  if (wanted < size) wanted = size;
  size_t bytes;
  if (!hone_add(wanted, sizeof(hone_arena_block), &bytes)) return NULL;
  hone_arena_block *block = hone_alloc_aligned(64, bytes);
  if (!block) return NULL;
  *block = (hone_arena_block){.next = *link, .size = wanted};
  *link = block;
  arena->total += wanted;
  return block;
}

void *hone_arena_alloc(hone_arena *arena, size_t size) {
  size_t alignment = size >= 64 ? 64 : 16;
  if (size > SIZE_MAX / 2) return NULL;
  size_t at = hone_align_up(arena->used, alignment);
  if (!arena->current || at > arena->current->size || size > arena->current->size - at) {
    hone_arena_block *block = block_for(arena, size);
    if (!block) return NULL;
    arena->current = block;
    at = 0;
  }
  arena->used = at + size;
  return arena->current->bytes + at;
}

void *hone_arena_zero(hone_arena *arena, size_t size) {
  void *pointer = hone_arena_alloc(arena, size);
  return pointer ? memset(pointer, 0, size) : NULL;
}

void *hone_arena_array(hone_arena *arena, size_t count, size_t size) {
  size_t bytes;
  return hone_mul(count, size, &bytes) ? hone_arena_zero(arena, bytes) : NULL;
}

void *hone_arena_copy(hone_arena *arena, const void *data, size_t size) {
  void *pointer = hone_arena_alloc(arena, size);
  if (pointer && size) memcpy(pointer, data, size);
  return pointer;
}

char *hone_arena_text(hone_arena *arena, const char *text, size_t size) {
  size_t bytes;
  if (!hone_add(size, 1, &bytes)) return NULL;
  char *copy = hone_arena_alloc(arena, bytes);
  if (!copy) return NULL;
  if (size) memcpy(copy, text, size);
  copy[size] = 0;
  return copy;
}

void hone_arena_reset(hone_arena *arena) {
  arena->current = NULL;
  arena->used = 0;
}

void hone_arena_free(hone_arena *arena) {
  for (hone_arena_block *block = arena->first, *next; block; block = next) {
    next = block->next;
    hone_free(block);
  }
  *arena = (hone_arena){0};
}
