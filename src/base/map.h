/* A hash map from byte strings to pointers that iterates in order of insertion. Room: base. */
#ifndef HONE_BASE_MAP_H
#define HONE_BASE_MAP_H

#include "base/memory.h"
#include "base/status.h"

typedef struct hone_map_entry {
  const char *key; /* NULL: removed */
  size_t size;
  uint64_t hash;
  void *value;
} hone_map_entry;

/* Zero-initialised is empty and ready. Keys are copied into the map. */
typedef struct hone_map {
  hone_map_entry *entries; /* in order of insertion */
  size_t used, room;       /* entries written, removed ones included */
  size_t count;            /* entries that are there */
  uint32_t *slots;         /* 1 + index into entries; 0 = free */
  size_t slot_count;       /* a power of two */
  hone_arena keys;
} hone_map;

/* Adds or replaces. */
HONE_MUST_USE hone_status *hone_map_put(hone_map *map, const char *key, size_t size, void *value);
/* The value, or NULL when it is not there. */
void *hone_map_get(const hone_map *map, const char *key, size_t size);
void hone_map_remove(hone_map *map, const char *key, size_t size);
/* Iteration: start with *at = 0; NULL at the end. */
const hone_map_entry *hone_map_next(const hone_map *map, size_t *at);
/* Bytes that it takes, keys included. */
size_t hone_map_bytes(const hone_map *map);
void hone_map_free(hone_map *map);

#endif
