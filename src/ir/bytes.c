/* Memory of the constants that passes make. Room: ir.
 *
 * Passes turn weights into others of the same size, again and again: scaled, transposed, narrowed.
 * Large ones have memory of their own, so that what nobody uses any more is given back before
 * kernels pack the last. */
#include "ir/bytes.h"

#include <stdlib.h>

/* Smaller ones lie in the arena and stay. */
#define LARGE ((size_t)4096)

struct owned_bytes {
  struct owned_bytes *next;
  size_t size;
  bool used; /* marked by a sweep */
  _Alignas(64) unsigned char bytes[];
};

void *hone_graph_bytes(hone_graph *graph, size_t size) {
  struct owned_bytes *owned;
  size_t total;
  if (size < LARGE) return hone_arena_alloc(graph->arena, size ? size : 1);
  if (!hone_add(size, sizeof *owned, &total)) return NULL;
  owned = hone_alloc_aligned(64, total);
  if (!owned) return NULL;
  *owned = (struct owned_bytes){.next = graph->root->owned, .size = size};
  graph->root->owned = owned;
  return owned->bytes;
}

void hone_graph_free_bytes(hone_graph *root) {
  while (root->owned) {
    struct owned_bytes *next = root->owned->next;
    hone_free(root->owned);
    root->owned = next;
  }
}

/* ---- Sweeping ------------------------------------------------------------------------------- */

typedef struct owned_list {
  struct owned_bytes **all; /* by address */
  size_t count;
} owned_list;

static int by_address(const void *a, const void *b) {
  uintptr_t x = (uintptr_t) * (struct owned_bytes *const *)a,
            y = (uintptr_t) * (struct owned_bytes *const *)b;
  return (x > y) - (x < y);
}

static int address_in(const void *key, const void *element) {
  const struct owned_bytes *owned = *(struct owned_bytes *const *)element;
  uintptr_t at = (uintptr_t)key, begin = (uintptr_t)owned->bytes;
  return at < begin ? -1 : at >= begin + owned->size;
}

/* What the constant's bytes, or a piece of them, lie in; NULL where that is not ours. */
static struct owned_bytes *owner_of(const owned_list *list, const hone_value *constant) {
  struct owned_bytes **found =
      bsearch(constant->constant, list->all, list->count, sizeof *list->all, address_in);
  return found ? *found : NULL;
}

static void mark(const owned_list *list, const hone_graph *graph) {
  for (size_t i = 0; i < graph->constant_count; i++) {
    struct owned_bytes *owned = owner_of(list, graph->constants[i]);
    if (owned && graph->constants[i]->uses) owned->used = true;
  }
  for (const hone_node *node = graph->first; node; node = node->next)
    for (int r = 0; r < node->region_count; r++) mark(list, node->regions[r]);
}

static void forget_unused(const owned_list *list, hone_graph *graph) {
  size_t kept = 0;
  for (size_t i = 0; i < graph->constant_count; i++) {
    const struct owned_bytes *owned = owner_of(list, graph->constants[i]);
    if (!owned || owned->used)
      graph->constants[kept++] = graph->constants[i];
    else
      graph->constants[i]->constant = hone_absent;
  }
  graph->constant_count = kept;
  for (const hone_node *node = graph->first; node; node = node->next)
    for (int r = 0; r < node->region_count; r++) forget_unused(list, node->regions[r]);
}

static void free_unused(hone_graph *root) {
  struct owned_bytes **link = &root->owned;
  while (*link) {
    struct owned_bytes *owned = *link;
    if (owned->used) {
      owned->used = false;
      link = &owned->next;
    } else {
      *link = owned->next;
      hone_free(owned);
    }
  }
}

hone_status *hone_graph_sweep(hone_graph *root) {
  owned_list list = {0};
  for (const struct owned_bytes *owned = root->owned; owned; owned = owned->next) list.count++;
  if (!list.count) return NULL;
  list.all = hone_alloc(list.count * sizeof *list.all);
  HONE_TRY_MEMORY(list.all);
  size_t i = 0;
  for (struct owned_bytes *owned = root->owned; owned; owned = owned->next) list.all[i++] = owned;
  qsort(list.all, list.count, sizeof *list.all, by_address);
  mark(&list, root);
  forget_unused(&list, root);
  free_unused(root);
  hone_free(list.all);
  return NULL;
}
