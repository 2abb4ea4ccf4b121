/* A heap of the best entries; its root is the worst of them. Room: backend/cpu/lines. */
#include "backend/cpu/lines/best.h"

enum { FEW = 24 }; /* that are sorted by insertion */

__extension__ typedef unsigned __int128 wide;

/* Both as one number: compared without a branch, which would be guessed wrong half the time. */
static wide rank_of(const hone_best *entry) {
  return (wide)entry->key << 64 | ~(uint64_t)entry->position;
}

static bool is_worse(const hone_best *a, const hone_best *b) {
  return rank_of(a) < rank_of(b);
}

static void sink(hone_best *heap, size_t count, size_t at, hone_best value) {
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count) child += is_worse(&heap[child + 1], &heap[child]);
    if (!is_worse(&heap[child], &value)) break;
    heap[at] = heap[child];
  }
  heap[at] = value;
}

size_t hone_best_offer(hone_best *heap, size_t count, size_t k, hone_best value) {
  if (count == k) {
    if (is_worse(&heap[0], &value)) sink(heap, k, 0, value);
    return k;
  }
  heap[count++] = value;
  if (count == k)
    for (size_t i = k / 2; i-- > 0;) sink(heap, k, i, heap[i]);
  return count;
}

/* Best first. */
static void sort_few(hone_best *entries, size_t count) {
  for (size_t i = 1; i < count; i++) {
    hone_best entry = entries[i];
    size_t at = i;
    for (; at > 0 && is_worse(&entries[at - 1], &entry); at--) entries[at] = entries[at - 1];
    entries[at] = entry;
  }
}

void hone_best_sort(hone_best *heap, size_t count) {
  if (count <= FEW) {
    sort_few(heap, count);
    return;
  }
  for (size_t i = count / 2; i-- > 0;) sink(heap, count, i, heap[i]);
  for (size_t left = count; left > 1; left--) {
    hone_best worst = heap[0];
    sink(heap, left - 1, 0, heap[left - 1]);
    heap[left - 1] = worst;
  }
}
