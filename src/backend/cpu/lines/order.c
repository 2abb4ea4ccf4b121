/* Sorting by digits of eleven bits, the lowest first; a digit that all share takes no pass. And
 * Hoare's selection ("Algorithm 65: Find", 1961), by moves without branches. Room:
 * backend/cpu/lines. */
#include "backend/cpu/lines/order.h"

#include <stdbool.h>
#include <string.h>

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

static uint64_t median(uint64_t a, uint64_t b, uint64_t c) {
  uint64_t low = a < b ? a : b, high = a < b ? b : a;
  return c < low ? low : c > high ? high : c;
}

/* Brings those below the pivot to the front; how many. */
static size_t divide(uint64_t *x, size_t count, uint64_t pivot) {
  size_t below = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t value = x[i];
    x[i] = x[below];
    x[below] = value;
    below += value < pivot;
  }
  return below;
}

/* The number that is at `k` once x is sorted. Pivots are drawn, so that no order of x is a bad one;
 * the median of three that differ has one below it and is not below itself. */
static uint64_t find_sorted(uint64_t *x, size_t count, size_t k) {
  uint32_t drawn = 1;
  while (count > 2) {
    drawn = drawn * 1664525u + 1013904223u;
    size_t middle = 1 + (size_t)((uint64_t)drawn * (count - 2) >> 32);
    size_t below = divide(x, count, median(x[0], x[middle], x[count - 1]));
    if (k < below) {
      count = below;
    } else {
      x += below;
      count -= below;
      k -= below;
    }
  }
  bool second = count == 2 && (x[0] < x[1]) != (k == 0);
  return x[second];
}

uint64_t hone_keep_smallest(uint64_t *items, uint64_t *spare, size_t count, size_t k) {
  memcpy(spare, items, count * sizeof *items);
  uint64_t last = find_sorted(spare, count, k - 1);
  for (size_t i = 0, kept = 0; i < count; i++) {
    uint64_t item = items[i];
    items[kept] = item;
    kept += item <= last;
  }
  return last;
}
