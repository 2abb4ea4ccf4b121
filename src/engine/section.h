/* What a section of an engine file holds, in pieces. Room: engine. */
#ifndef HONE_ENGINE_SECTION_H
#define HONE_ENGINE_SECTION_H

#include <stdbool.h>

#include <hone/types.h>

#include "base/memory.h"

/* Pieces are lent: weights and packs are written from where they are. */
typedef struct hone_section {
  struct hone_piece *pieces;
  size_t count, room;
  size_t size; /* bytes of all pieces */
  bool failed; /* memory ran out: not all is there */
} hone_section;

void hone_section_add(hone_section *section, const void *data, size_t size);
/* Adds zeros up to a multiple of 64 bytes. */
void hone_section_align(hone_section *section);
/* The XXH3 sum of `size` bytes from `at` on; they lie in the section. */
uint64_t hone_section_sum(const hone_section *section, size_t at, size_t size);
/* Its pieces as parts of a file; `parts` has room for `count`. */
void hone_section_parts(const hone_section *section, hone_bytes *parts);
void hone_section_free(hone_section *section);

#endif
