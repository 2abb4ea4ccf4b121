/* Numbers in the order of unsigned keys: the best of many, the greatest of all.
 * Room: backend/cpu/lines. */
#ifndef HONE_BACKEND_CPU_LINES_KEYS_H
#define HONE_BACKEND_CPU_LINES_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/simd/isa.h"

#define HONE_KEYS_FEW 256

typedef struct hone_keys {
  /* Where the k largest (smallest) of `count` numbers are, the first of equals first; NaN is the
   * largest. k <= count <= HONE_KEYS_FEW. */
  void (*pick)(const float *x, size_t count, size_t k, bool smallest, uint64_t *positions);
  /* Unsigned numbers in the order of x[i * step], NaN greater than all and zeros equal, each with
   * the bits of `flip` turned; returns the greatest. */
  uint64_t (*keys_f64)(const double *x, size_t step, size_t count, uint64_t flip, uint64_t *keys);
  uint64_t (*keys_s64)(const int64_t *x, size_t step, size_t count, uint64_t flip, uint64_t *keys);
  uint64_t (*keys_s32)(const int32_t *x, size_t step, size_t count, uint64_t flip, uint64_t *keys);
  /* The same for the order turned around, of numbers side by side; NaN is still greater than all. */
  uint64_t (*keys_less_f64)(const double *x, size_t count, uint64_t *keys);
  /* The first of begin … end that is greater than `limit`; `end` where there is none. */
  size_t (*find_key)(const uint64_t *keys, size_t begin, size_t end, uint64_t limit);
  /* Where the k greatest keys are, the first of equals first; each becomes 0. Returns how many it
   * found: it stops at a key of 0. k <= count. */
  size_t (*pick_keys)(uint64_t *keys, size_t count, size_t k, uint64_t *positions);
  /* The greatest of x[i] ^ turn and *total ^ turn, turned back, into *total; and of x[i] and total[i]
   * into that. `turn` makes the order that is asked for one of signed numbers. */
  void (*most_of_line)(const int64_t *x, size_t count, int64_t turn, int64_t *total);
  void (*most_of_rows)(const int64_t *x, size_t count, int64_t turn, int64_t *total);
} hone_keys;

extern const hone_keys hone_keys_plain;
#if defined(__x86_64__)
extern const hone_keys hone_keys_avx512, hone_keys_avx2;
#endif
/* The fastest set that runs here. */
const hone_keys *hone_keys_here(void);

#endif
