/* Writing, reading and checking the frame of an engine file. Room: engine. */
#include "engine/format.h"

#include <stdatomic.h>
#include <string.h>
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h> /* XXH3 in the widest instructions that the processor has */
#else
#include <xxhash.h>
#endif

#include "base/memory.h"
#include "base/pool.h"

_Static_assert(sizeof(hone_format_header) == 64, "the header is 64 bytes");
_Static_assert(sizeof(hone_format_entry) == 64, "a table entry is 64 bytes");

static const char *const names[HONE_SECTION_COUNT] = {"meta",    "graph", "choices",
                                                      "weights", "packs", "code", "source"};

const char *hone_section_name(hone_section_id id) {
  return names[id];
}

size_t hone_format_blocks(size_t size) {
  return size / HONE_FORMAT_BLOCK + (size % HONE_FORMAT_BLOCK != 0);
}

/* ---- Sums on all threads -----------------------------------------------------------------------
 */

typedef struct summing {
  size_t size;                 /* of the section, which is */
  const unsigned char *bytes;  /* compared with */
  const uint64_t *wanted;      /* these sums, or */
  const hone_section *section; /* pieces, whose sums are written */
  uint64_t *out;               /* here */
  const uint64_t *only;        /* the blocks whose bits are set; NULL: all */
  _Atomic size_t bad;          /* the first block that differs */
} summing;

static void sum_part(void *argument, int part, int parts) {
  summing *s = argument;
  size_t begin, end;
  hone_split(hone_format_blocks(s->size), 1, part, parts, &begin, &end);
  for (size_t b = begin; b < end; b++) {
    if (s->only && !(s->only[b / 64] >> (b % 64) & 1)) continue;
    size_t at = b * HONE_FORMAT_BLOCK, left = s->size - at;
    size_t size = left < HONE_FORMAT_BLOCK ? left : HONE_FORMAT_BLOCK;
    if (s->section) {
      s->out[b] = hone_section_sum(s->section, at, size);
      continue;
    }
    uint64_t sum = XXH3_64bits(s->bytes + at, size);
    if (memcmp(&s->wanted[b], &sum, sizeof sum) != 0) {
      size_t bad = atomic_load(&s->bad);
      while (b < bad && !atomic_compare_exchange_weak(&s->bad, &bad, b)) continue;
      return;
    }
  }
}

static void sum_blocks(summing *s) {
  int threads = hone_format_blocks(s->size) > 1 ? hone_pool_default_threads() : 1;
  atomic_init(&s->bad, SIZE_MAX);
  hone_pool_run(threads, sum_part, s);
}

hone_status *hone_format_verify(const hone_format_view *view, hone_section_id id,
                                const uint64_t *blocks) {
  const hone_bytes *section = &view->sections[id];
  summing s = {
      .size = section->size, .bytes = section->data, .wanted = view->sums[id], .only = blocks};
  sum_blocks(&s);
  if (s.bad == SIZE_MAX) return NULL;
  size_t begin = s.bad * HONE_FORMAT_BLOCK, left = section->size - begin;
  return hone_error(HONE_CORRUPT, "section %s is damaged in block %zu (bytes %zu to %zu)",
                    names[id], (size_t)s.bad, begin,
                    begin + (left < HONE_FORMAT_BLOCK ? left : HONE_FORMAT_BLOCK) - 1);
}

/* ---- Writing
 * --------------------------------------------------------------------------------------- */

/* The file's parts: its front, then each section's pieces and what pads them. */
static hone_status *write_parts(const char *path, hone_bytes front, const hone_section *sections) {
  static const unsigned char zeros[64];
  size_t count = 1;
  for (int i = 0; i < HONE_SECTION_COUNT; i++) count += sections[i].count + 1;
  hone_bytes *parts = hone_alloc(count * sizeof *parts);
  HONE_TRY_MEMORY(parts);
  size_t n = 0;
  parts[n++] = front;
  for (int i = 0; i < HONE_SECTION_COUNT; i++) {
    const hone_section *section = &sections[i];
    hone_section_parts(section, parts + n);
    n += section->count;
    parts[n++] = (hone_bytes){zeros, hone_align_up(section->size, 64) - section->size};
  }
  hone_status *status = hone_file_write(path, parts, count);
  hone_free(parts);
  return status;
}

hone_status *hone_format_write(const char *path, const hone_section *sections) {
  size_t blocks = 0;
  for (int i = 0; i < HONE_SECTION_COUNT; i++) {
    if (sections[i].failed) return hone_error_memory();
    blocks += hone_format_blocks(sections[i].size);
  }
  size_t table = HONE_SECTION_COUNT * sizeof(hone_format_entry);
  size_t head = sizeof(hone_format_header) + table + blocks * sizeof(uint64_t);
  size_t padded = hone_align_up(head, 64);
  unsigned char *front = hone_alloc_zero(padded);
  HONE_TRY_MEMORY(front);
  hone_format_header *header = (hone_format_header *)front;
  hone_format_entry *entries = (hone_format_entry *)(header + 1);
  uint64_t *sums = (uint64_t *)(entries + HONE_SECTION_COUNT);
  size_t at = padded, block = 0;
  for (int i = 0; i < HONE_SECTION_COUNT; i++) {
    size_t size = sections[i].size;
    entries[i] = (hone_format_entry){.offset = at, .size = size, .first_block = block};
    memcpy(entries[i].name, names[i], strlen(names[i]));
    summing s = {.size = size, .section = &sections[i], .out = sums + block};
    sum_blocks(&s);
    at += hone_align_up(size, 64);
    block += hone_format_blocks(size);
  }
  *header = (hone_format_header){
      .version = HONE_FORMAT_VERSION, .section_count = HONE_SECTION_COUNT, .file_size = at};
  memcpy(header->magic, HONE_FORMAT_MAGIC, sizeof HONE_FORMAT_MAGIC);
  header->sum = XXH3_64bits_withSeed(entries, padded - sizeof *header, at);
  hone_status *status = write_parts(path, (hone_bytes){front, padded}, sections);
  hone_free(front);
  return status;
}

/* ---- Reading
 * --------------------------------------------------------------------------------------- */

static hone_status *damaged(const char *what) {
  return hone_error(HONE_CORRUPT, "the engine file is damaged: %s", what);
}

static hone_status *read_header(hone_bytes file, const hone_format_header **out) {
  const hone_format_header *header = file.data;
  if (file.size < sizeof *header ||
      memcmp(header->magic, HONE_FORMAT_MAGIC, sizeof HONE_FORMAT_MAGIC) != 0)
    return hone_error(HONE_CORRUPT, "this is no engine file");
  static const uint8_t zeros[sizeof header->reserved];
  if (memcmp(header->reserved, zeros, sizeof zeros) != 0) return damaged("header");
  if (header->version != HONE_FORMAT_VERSION)
    return hone_error(HONE_MISMATCH, "the engine file has format %u and this library reads %u",
                      header->version, HONE_FORMAT_VERSION);
  if (header->section_count != HONE_SECTION_COUNT) return damaged("number of sections");
  if (header->file_size != file.size)
    return hone_error(HONE_CORRUPT, "the engine file has %zu bytes and should have %llu", file.size,
                      (unsigned long long)header->file_size);
  *out = header;
  return NULL;
}

/* Sections follow each other without a gap, padded with zeros: no byte is unaccounted for. */
static hone_status *read_sections(hone_bytes file, const hone_format_entry *entries, size_t first,
                                  const uint64_t *sums, hone_format_view *out) {
  size_t at = first, block = 0;
  for (int i = 0; i < HONE_SECTION_COUNT; i++) {
    const hone_format_entry *entry = &entries[i];
    if (strncmp(entry->name, names[i], sizeof entry->name) != 0 || entry->offset != at ||
        entry->first_block != block || entry->size > file.size - at)
      return damaged("table of sections");
    out->sections[i] = (hone_bytes){(const char *)file.data + at, entry->size};
    out->sums[i] = sums + block;
    size_t end = hone_align_up(entry->size, 64);
    if (end > file.size - at) return damaged("table of sections");
    for (size_t p = entry->size; p < end; p++)
      if (((const char *)file.data)[at + p] != 0)
        return hone_error(HONE_CORRUPT, "section %s is damaged in its padding", names[i]);
    at += end;
    block += hone_format_blocks(entry->size);
  }
  return at == file.size ? NULL : damaged("bytes after the last section");
}

hone_status *hone_format_read(hone_bytes file, hone_format_view *out) {
  const hone_format_header *header;
  HONE_TRY(read_header(file, &header));
  const hone_format_entry *entries = (const hone_format_entry *)(header + 1);
  size_t table = HONE_SECTION_COUNT * sizeof *entries;
  if (file.size - sizeof *header < table) return damaged("table of sections");
  size_t blocks = 0;
  for (int i = 0; i < HONE_SECTION_COUNT; i++) {
    if (entries[i].size > file.size) return damaged("table of sections");
    blocks += hone_format_blocks(entries[i].size);
  }
  size_t front = hone_align_up(sizeof *header + table + blocks * sizeof(uint64_t), 64);
  if (front > file.size) return damaged("table of sections");
  if (XXH3_64bits_withSeed(entries, front - sizeof *header, file.size) != header->sum)
    return damaged("table of sections");
  out->file = file;
  return read_sections(file, entries, front, (const uint64_t *)(entries + HONE_SECTION_COUNT), out);
}
