/* The hash map: open addressing over an ordered array of entries. Room: base. */
#include "base/map.h"

#include <string.h>
#include <xxhash.h>

/* The slot that holds the key, or the free one where it would go. */
static size_t slot_of(const hone_map *map, const char *key, size_t size, uint64_t hash) {
  size_t mask = map->slot_count - 1;
  size_t slot = (size_t)hash & mask;
  for (;; slot = (slot + 1) & mask) {
    uint32_t index = map->slots[slot];
    if (index == 0) return slot;
    const hone_map_entry *entry = &map->entries[index - 1];
    if (entry->key && entry->hash == hash && entry->size == size &&
        memcmp(entry->key, key, size) == 0)
      return slot;
  }
}

/* Room for one more: entries double, removed ones go, slots stay at most half full. */
static hone_status *grow(hone_map *map) {
  if (map->used < map->room) return NULL;
  size_t room = map->count * 2 > 8 ? map->count * 2 : 8;
  if (room > UINT32_MAX / 2) return hone_error(HONE_LIMIT, "a table of names is too large");
  size_t slot_count = 16;
  while (slot_count < room * 2) slot_count *= 2;
  hone_map_entry *entries = hone_alloc(room * sizeof *entries);
  uint32_t *slots = hone_alloc_zero(slot_count * sizeof *slots);
  if (!entries || !slots) {
    hone_free(entries);
    hone_free(slots);
    return hone_error_memory();
  }
  size_t used = 0;
  for (size_t i = 0; i < map->used; i++)
    if (map->entries[i].key) entries[used++] = map->entries[i];
  hone_free(map->entries);
  hone_free(map->slots);
  map->entries = entries;
  map->slots = slots;
  map->slot_count = slot_count;
  map->used = used;
  map->room = room;
  for (size_t i = 0; i < used; i++)
    slots[slot_of(map, entries[i].key, entries[i].size, entries[i].hash)] = (uint32_t)i + 1;
  return NULL;
}

hone_status *hone_map_put(hone_map *map, const char *key, size_t size, void *value) {
  HONE_TRY(grow(map));
  uint64_t hash = XXH3_64bits(key, size);
  size_t slot = slot_of(map, key, size, hash);
  if (map->slots[slot]) {
    map->entries[map->slots[slot] - 1].value = value;
    return NULL;
  }
  const char *copy = hone_arena_text(&map->keys, key, size);
  HONE_TRY_MEMORY(copy);
  map->entries[map->used] = (hone_map_entry){copy, size, hash, value};
  map->slots[slot] = (uint32_t)++map->used;
  map->count++;
  return NULL;
}

void *hone_map_get(const hone_map *map, const char *key, size_t size) {
  if (!map->count) return NULL;
  uint32_t index = map->slots[slot_of(map, key, size, XXH3_64bits(key, size))];
  return index ? map->entries[index - 1].value : NULL;
}

void hone_map_remove(hone_map *map, const char *key, size_t size) {
  if (!map->count) return;
  uint32_t index = map->slots[slot_of(map, key, size, XXH3_64bits(key, size))];
  if (!index) return;
  /* The slot stays taken, so that searches pass over it; grow clears it away. */
  map->entries[index - 1].key = NULL;
  map->count--;
}

const hone_map_entry *hone_map_next(const hone_map *map, size_t *at) {
  while (*at < map->used) {
    const hone_map_entry *entry = &map->entries[(*at)++];
    if (entry->key) return entry;
  }
  return NULL;
}

size_t hone_map_bytes(const hone_map *map) {
  return map->room * sizeof *map->entries + map->slot_count * sizeof *map->slots + map->keys.total;
}

void hone_map_free(hone_map *map) {
  hone_free(map->entries);
  hone_free(map->slots);
  hone_arena_free(&map->keys);
  *map = (hone_map){0};
}
