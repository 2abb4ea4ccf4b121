/* Sorting positions by what they point at: heap sort, which needs no memory. Room: ops. */
#include "ops/order.h"

#include <stdbool.h>

typedef struct order {
  size_t *index;
  hone_compare *compare;
  const void *elements;
} order;

static bool before(const order *o, size_t a, size_t b) {
  int way = o->compare(o->elements, a, b);
  return way < 0 || (way == 0 && a < b);
}

/* Lets the position at `root` sink to its place in the heap of the first `count`. */
static void sink(const order *o, size_t root, size_t count) {
  size_t held = o->index[root];
  for (;;) {
    size_t child = 2 * root + 1;
    if (child >= count) break;
    if (child + 1 < count && before(o, o->index[child], o->index[child + 1])) child++;
    if (!before(o, held, o->index[child])) break;
    o->index[root] = o->index[child];
    root = child;
  }
  o->index[root] = held;
}

void hone_order(size_t *index, size_t count, hone_compare *compare, const void *elements) {
  order o = {index, compare, elements};
  for (size_t root = count / 2; root-- > 0;) sink(&o, root, count);
  for (size_t last = count; last-- > 1;) {
    size_t top = index[0];
    index[0] = index[last];
    index[last] = top;
    sink(&o, 0, last);
  }
}
