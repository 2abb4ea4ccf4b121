/* The best of many: entries with a key, equals by position. Room: backend/cpu/lines. */
#ifndef HONE_BACKEND_CPU_LINES_BEST_H
#define HONE_BACKEND_CPU_LINES_BEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The greater key is better, then the lower position. */
typedef struct hone_best {
  uint64_t key;
  size_t position;
} hone_best;

/* Takes an entry into the best k, of which `count` are there; returns how many are there then. Of k
 * entries the first is the worst. */
size_t hone_best_offer(hone_best *heap, size_t count, size_t k, hone_best value);
/* Sorts, best first; takes no memory. */
void hone_best_sort(hone_best *entries, size_t count);

/* The order of floats as unsigned numbers: one zero, NaN greater than all. */
static inline uint32_t hone_float_key(float value) {
  uint32_t bits;
  if (value != value) return UINT32_MAX;
  value += 0.0f;
  memcpy(&bits, &value, sizeof bits);
  return bits ^ ((uint32_t) - (int32_t)(bits >> 31) | 0x80000000u);
}
/* A float with that key. */
static inline float hone_float_of_key(uint32_t key) {
  uint32_t bits = key ^ (key >> 31 ? 0x80000000u : UINT32_MAX);
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

#endif
