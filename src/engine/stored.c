/* Which blocks of an engine file are known to be whole. Room: engine. */
#include "engine/stored.h"

#include <stdatomic.h>

#include "engine/plan.h"

struct hone_stored {
  hone_format_view view;
  _Atomic uint64_t *whole[HONE_SECTION_COUNT]; /* a bit a block */
  hone_arena memory;
};

static size_t words_of(const hone_stored *stored, int section) {
  return hone_format_blocks(stored->view.sections[section].size) / 64 + 1;
}

static hone_status *make_bits(hone_stored *stored) {
  for (int i = 0; i < HONE_SECTION_COUNT; i++) {
    stored->whole[i] = HONE_NEW_ARRAY(&stored->memory, words_of(stored, i), _Atomic uint64_t);
    HONE_TRY_MEMORY(stored->whole[i]);
  }
  return NULL;
}

hone_status *hone_stored_new(const hone_format_view *view, hone_stored **out) {
  hone_stored *stored = hone_alloc_zero(sizeof *stored);
  HONE_TRY_MEMORY(stored);
  stored->view = *view;
  hone_status *status = make_bits(stored);
  if (status)
    hone_stored_free(stored);
  else
    *out = stored;
  return status;
}

void hone_stored_free(hone_stored *stored) {
  if (!stored) return;
  hone_arena_free(&stored->memory);
  hone_free(stored);
}

/* Marks in `wanted` the blocks of the section under `bytes` that are not known to be whole; returns
 * whether there are any. */
static bool want(const hone_stored *stored, int section, const hone_bytes *bytes, uint64_t *wanted) {
  const hone_bytes *all = &stored->view.sections[section];
  uintptr_t begin = (uintptr_t)all->data, at = (uintptr_t)bytes->data;
  if (bytes->size == 0 || at < begin || at - begin >= all->size) return false;
  size_t first = (at - begin) / HONE_FORMAT_BLOCK;
  size_t last = (at - begin + bytes->size - 1) / HONE_FORMAT_BLOCK;
  bool any = false;
  for (size_t b = first; b <= last && b < hone_format_blocks(all->size); b++) {
    uint64_t bit = (uint64_t)1 << (b % 64);
    if (atomic_load_explicit(&stored->whole[section][b / 64], memory_order_acquire) & bit) continue;
    wanted[b / 64] |= bit;
    any = true;
  }
  return any;
}

static hone_status *check_in(hone_stored *stored, int section, const hone_bytes *bytes,
                             size_t count) {
  hone_arena memory = {0};
  size_t words = words_of(stored, section);
  uint64_t *wanted = HONE_NEW_ARRAY(&memory, words, uint64_t);
  HONE_TRY_MEMORY(wanted);
  bool any = false;
  for (size_t i = 0; i < count; i++) any |= want(stored, section, &bytes[i], wanted);
  hone_status *status =
      any ? hone_format_verify(&stored->view, (hone_section_id)section, wanted) : NULL;
  for (size_t w = 0; any && !status && w < words; w++)
    atomic_fetch_or_explicit(&stored->whole[section][w], wanted[w], memory_order_release);
  hone_arena_free(&memory);
  return status;
}

hone_status *hone_stored_check(hone_stored *stored, const hone_bytes *bytes, size_t count) {
  if (!stored || count == 0) return NULL;
  for (int i = 0; i < HONE_SECTION_COUNT; i++) HONE_TRY(check_in(stored, i, bytes, count));
  return NULL;
}

hone_status *hone_stored_check_section(hone_stored *stored, hone_section_id id) {
  return check_in(stored, id, &stored->view.sections[id], 1);
}

hone_status *hone_stored_check_rest(hone_stored *stored) {
  return stored ? hone_stored_check(stored, stored->view.sections, HONE_SECTION_COUNT) : NULL;
}

/* ---- Lists ---------------------------------------------------------------------------------- */

hone_status *hone_stored_add(hone_stored_list *list, hone_bytes bytes, hone_arena *memory) {
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : 32;
    hone_bytes *items = HONE_NEW_ARRAY(memory, room, hone_bytes);
    HONE_TRY_MEMORY(items);
    for (size_t i = 0; i < list->count; i++) items[i] = list->items[i];
    list->items = items;
    list->room = room;
  }
  list->items[list->count++] = bytes;
  return NULL;
}

static hone_status *left_out(const hone_value *constant) {
  return hone_error(HONE_MISMATCH,
                    "the engine file was written without the weights of '%.100s', which are read "
                    "where no kernel takes the sizes; build with portable=embed",
                    constant->name);
}

hone_status *hone_stored_add_constants(hone_stored_list *list, const hone_graph *graph, bool planned,
                                       hone_arena *memory) {
  for (size_t i = 0; i < graph->constant_count; i++) {
    const hone_value *constant = graph->constants[i];
    if (planned && !hone_planning_reads(constant)) continue;
    if (hone_value_is_absent(constant)) return left_out(constant);
    hone_bytes bytes = {constant->constant, constant->constant_size};
    HONE_TRY(hone_stored_add(list, bytes, memory));
  }
  for (const hone_node *node = graph->first; node; node = node->next)
    for (int r = 0; r < node->region_count; r++)
      HONE_TRY(hone_stored_add_constants(list, node->regions[r], planned, memory));
  return NULL;
}
