/* The engine file: docs/engine-format.md in C. Room: engine.
 *
 * Header, table of sections, block sums, then the sections, each at a multiple of 64 bytes. Every
 * section is cut into blocks of 1 MiB; each block has an XXH3 sum; the header's sum covers the
 * table and the block sums. Numbers are little-endian.
 */
#ifndef HONE_ENGINE_FORMAT_H
#define HONE_ENGINE_FORMAT_H

#include "base/file.h"
#include "engine/section.h"

#define HONE_FORMAT_MAGIC   "HONEENG"
#define HONE_FORMAT_VERSION 3
#define HONE_FORMAT_BLOCK   ((size_t)1 << 20)

typedef enum hone_section_id {
  HONE_SECTION_META,    /* JSON: who wrote it, for what target, with which options */
  HONE_SECTION_GRAPH,   /* the optimised graph in the text form */
  HONE_SECTION_CHOICES, /* a line a group: kernel, variant, time, packs */
  HONE_SECTION_WEIGHTS, /* each constant once, as imported: the portable part */
  HONE_SECTION_PACKS,   /* weights as the chosen kernels want them: the tuned part */
  HONE_SECTION_CODE,    /* machine code of a device's kernels; empty where all runs on the CPU */
  HONE_SECTION_SOURCE,  /* the imported graph in the text form; empty without the option refit */
  HONE_SECTION_COUNT
} hone_section_id;

typedef struct hone_format_header {
  char magic[8];
  uint32_t version, section_count;
  uint64_t file_size;
  uint64_t sum; /* of all between the end of this header and the first section */
  uint8_t reserved[32];
} hone_format_header;

typedef struct hone_format_entry {
  char name[16];
  uint64_t offset, size, first_block;
  uint8_t reserved[24];
} hone_format_entry;

/* A file whose header and table are sound. */
typedef struct hone_format_view {
  hone_bytes file;
  hone_bytes sections[HONE_SECTION_COUNT];
  const uint64_t *sums[HONE_SECTION_COUNT]; /* of each section's blocks */
} hone_format_view;

const char *hone_section_name(hone_section_id id);
/* Writes a file of these HONE_SECTION_COUNT sections. */
HONE_MUST_USE hone_status *hone_format_write(const char *path, const hone_section *sections);
/* Checks header, table and sizes; CORRUPT names what is wrong, MISMATCH is another version. */
HONE_MUST_USE hone_status *hone_format_read(hone_bytes file, hone_format_view *out);
/* How many blocks a section of `size` bytes has. */
size_t hone_format_blocks(size_t size);
/* Checks the blocks of one section whose bits are set in `blocks` (NULL: all), on all threads;
 * CORRUPT names section, block and bytes. */
HONE_MUST_USE hone_status *hone_format_verify(const hone_format_view *view, hone_section_id id,
                                              const uint64_t *blocks);

#endif
