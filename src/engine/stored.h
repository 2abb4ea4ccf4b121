/* The bytes of an opened engine file, each block of them checked before its first use. Room: engine.
 *
 * Opening checks the small sections, and of the large ones what the option `verify` says. What is left
 * is checked when a plan is made that reads it: a run never looks here.
 */
#ifndef HONE_ENGINE_STORED_H
#define HONE_ENGINE_STORED_H

#include "engine/format.h"
#include "ir/graph.h"

typedef struct hone_stored hone_stored;

/* Nothing checked yet. The file outlives it. */
HONE_MUST_USE hone_status *hone_stored_new(const hone_format_view *view, hone_stored **out);
void hone_stored_free(hone_stored *stored); /* NULL allowed */
/* Checks every block under these bytes that was not checked before, on all threads; CORRUPT names
 * section and block. Bytes that are not the file's pass, all of them where `stored` is NULL. May be
 * called by any number of threads at once. */
HONE_MUST_USE hone_status *hone_stored_check(hone_stored *stored, const hone_bytes *bytes,
                                             size_t count);
HONE_MUST_USE hone_status *hone_stored_check_section(hone_stored *stored, hone_section_id id);
/* All that is left. */
HONE_MUST_USE hone_status *hone_stored_check_rest(hone_stored *stored);

/* Ranges to be checked together. */
typedef struct hone_stored_list {
  hone_bytes *items;
  size_t count, room;
} hone_stored_list;

/* Adds to the list, whose memory comes from `memory`. */
HONE_MUST_USE hone_status *hone_stored_add(hone_stored_list *list, hone_bytes bytes,
                                           hone_arena *memory);
/* Adds the constants of `graph` and its regions; with `planned` only those that planning reads.
 * MISMATCH where one of them was left out of the file. */
HONE_MUST_USE hone_status *hone_stored_add_constants(hone_stored_list *list, const hone_graph *graph,
                                                     bool planned, hone_arena *memory);

#endif
