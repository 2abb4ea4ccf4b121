/* Memory: the allocator that everything goes through, arenas, checked sizes. Room: base. */
#ifndef HONE_BASE_MEMORY_H
#define HONE_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The process's allocations. All of Hone allocates here and nowhere else, so that tests can
 * count and fail them. Each returns NULL when it fails. */
void *hone_alloc(size_t size);        /* not cleared; size 0 gives a unique pointer */
void *hone_alloc_zero(size_t size);   /* cleared */
void *hone_realloc(void *old, size_t size);
void *hone_alloc_aligned(size_t alignment, size_t size); /* alignment: a power of two >= 8 */
void hone_free(void *pointer);        /* takes what any of the four gave; NULL is allowed */

/* How many allocations succeeded since the process started: a steady run adds none. */
uint64_t hone_alloc_count(void);

/* Bytes of memory that the machine has: what is larger never fits. */
size_t hone_memory_of_machine(void);

/* Fault injection for tests: the allocation with this number (1 = the next) fails; with
 * `from_then_on` so do all after it. 0 switches it off. */
void hone_alloc_fail_at(uint64_t number, bool from_then_on);

/* Checked arithmetic on sizes that came from a file: false when the result does not fit. */
static inline bool hone_mul(size_t a, size_t b, size_t *out) {
  return !__builtin_mul_overflow(a, b, out);
}
static inline bool hone_add(size_t a, size_t b, size_t *out) {
  return !__builtin_add_overflow(a, b, out);
}
static inline bool hone_mul_s64(int64_t a, int64_t b, int64_t *out) {
  return !__builtin_mul_overflow(a, b, out);
}
static inline bool hone_add_s64(int64_t a, int64_t b, int64_t *out) {
  return !__builtin_add_overflow(a, b, out);
}

/* `value` rounded up to a multiple of `alignment` (a power of two); the caller knows that
 * value + alignment fits. */
static inline size_t hone_align_up(size_t value, size_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

/* Gives memory that was freed back to the system, which the C library's allocator keeps otherwise: for
 * after phases that hold much for a while. Takes milliseconds. */
void hone_memory_trim(void);

/* An arena: many allocations, one release. Zero-initialised is empty and ready. */
typedef struct hone_arena_block hone_arena_block;
typedef struct hone_arena {
  hone_arena_block *first, *current; /* a chain; reset starts again at the first */
  size_t used;                       /* bytes handed out of the current block */
  size_t total;                      /* bytes that all blocks hold */
} hone_arena;

/* `size` bytes, aligned to 64 from 64 bytes on, else to 16; not cleared; NULL when memory is out. */
void *hone_arena_alloc(hone_arena *arena, size_t size);
void *hone_arena_zero(hone_arena *arena, size_t size);
/* `count` cleared elements of `size` bytes; NULL also when the product overflows. */
void *hone_arena_array(hone_arena *arena, size_t count, size_t size);
void *hone_arena_copy(hone_arena *arena, const void *data, size_t size);
/* A zero-terminated copy of `size` bytes of text. */
char *hone_arena_text(hone_arena *arena, const char *text, size_t size);
/* Forgets all allocations and keeps the blocks for reuse. */
void hone_arena_reset(hone_arena *arena);
void hone_arena_free(hone_arena *arena);

#define HONE_NEW(arena, type) ((type *)hone_arena_zero((arena), sizeof(type)))
#define HONE_NEW_ARRAY(arena, count, type)                                                         \
  ((type *)hone_arena_array((arena), (size_t)(count), sizeof(type)))

#endif
