/* Sorting by digits of eleven bits, the lowest first; a digit that all share takes no pass.
 * Room: backend/cpu. */
#include "backend/cpu/order.h"

enum { DIGIT = 11, VALUES = 1 << DIGIT, PASSES = 3, FEW = 48 };

static void sort_few(uint64_t *items, size_t count) {
  for (size_t i = 1; i < count; i++) {
    uint64_t item = items[i];
    size_t at = i;
    for (; at > 0 && items[at - 1] >> 32 > item >> 32; at--) items[at] = items[at - 1];
    items[at] = item;
  }
}

static uint32_t digit_of(uint64_t item, int pass) {
  return (uint32_t)(item >> (32 + DIGIT * pass)) & (VALUES - 1);
}

uint64_t *hone_sort_by_upper(uint64_t *items, uint64_t *spare, size_t count) {
  uint32_t starts[PASSES][VALUES] = {{0}};
  if (count <= FEW) {
    sort_few(items, count);
    return items;
  }
  for (size_t i = 0; i < count; i++)
    for (int p = 0; p < PASSES; p++) starts[p][digit_of(items[i], p)]++;
  for (int p = 0; p < PASSES; p++) {
    if (starts[p][digit_of(items[0], p)] == count) continue;
    for (uint32_t v = 0, sum = 0; v < VALUES; v++) {
      uint32_t have = starts[p][v];
      starts[p][v] = sum;
      sum += have;
    }
    for (size_t i = 0; i < count; i++) spare[starts[p][digit_of(items[i], p)]++] = items[i];
    uint64_t *sorted = spare;
    spare = items;
    items = sorted;
  }
  return items;
}
