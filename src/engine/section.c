/* What a section of an engine file holds, in pieces. Room: engine. */
#define XXH_STATIC_LINKING_ONLY /* a sum's state on the stack: XXH3_state_t */
#include "engine/section.h"

#include <xxhash.h>

typedef struct hone_piece {
  const unsigned char *data;
  size_t at, size; /* where in the section, and bytes */
} hone_piece;

void hone_section_add(hone_section *section, const void *data, size_t size) {
  if (!size || section->failed) return;
  if (section->count == section->room) {
    size_t room = section->room ? section->room * 2 : 16, bytes;
    hone_piece *more =
        hone_mul(room, sizeof *more, &bytes) ? hone_realloc(section->pieces, bytes) : NULL;
    if (!more) {
      section->failed = true;
      return;
    }
    section->pieces = more;
    section->room = room;
  }
  section->pieces[section->count++] = (hone_piece){data, section->size, size};
  section->size += size;
}

void hone_section_align(hone_section *section) {
  static const unsigned char zeros[64];
  hone_section_add(section, zeros, hone_align_up(section->size, 64) - section->size);
}

/* The piece that holds byte `at`. */
static const hone_piece *piece_at(const hone_section *section, size_t at) {
  size_t low = 0, high = section->count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (section->pieces[middle].at <= at)
      low = middle;
    else
      high = middle;
  }
  return &section->pieces[low];
}

uint64_t hone_section_sum(const hone_section *section, size_t at, size_t size) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset(&state);
  for (const hone_piece *piece = piece_at(section, at); size; piece++) {
    size_t skip = at - piece->at, left = piece->size - skip, some = left < size ? left : size;
    XXH3_64bits_update(&state, piece->data + skip, some);
    at += some;
    size -= some;
  }
  return XXH3_64bits_digest(&state);
}

void hone_section_parts(const hone_section *section, hone_bytes *parts) {
  for (size_t i = 0; i < section->count; i++)
    parts[i] = (hone_bytes){section->pieces[i].data, section->pieces[i].size};
}

void hone_section_free(hone_section *section) {
  hone_free(section->pieces);
  *section = (hone_section){0};
}
