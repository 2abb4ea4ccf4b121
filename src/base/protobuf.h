/* Protobuf's wire format, read in place: a message becomes spans of the file. Room: base.
 *
 * A schema is a table of rules, one a field: where in a struct its span, or list of spans, goes.
 * Numbers stay in their encoding until asked for, so that reading allocates nothing but the lists
 * of repeated fields. Unknown fields are skipped; a known one of the wrong wire type is an error
 * with its byte offset. Of a singular field given twice the last one holds.
 */
#ifndef HONE_BASE_PROTOBUF_H
#define HONE_BASE_PROTOBUF_H

#include <hone/types.h>

#include "base/memory.h"
#include "base/status.h"

/* What reads a file: offsets in messages count from `file`; the lists lie in `memory`, which may
 * grow to `limit` bytes in all. */
typedef struct hone_proto_reader {
  const void *file;
  hone_arena *memory;
  size_t limit;
} hone_proto_reader;

typedef enum hone_proto_kind {
  HONE_PROTO_VARINT = 0,
  HONE_PROTO_FIXED64 = 1,
  HONE_PROTO_BYTES = 2, /* bytes, text, messages */
  HONE_PROTO_FIXED32 = 5
} hone_proto_kind;

/* A repeated field in the file's order. Numbers: each span holds one or, packed, many. */
typedef struct hone_proto_list {
  hone_bytes *items;
  size_t count, room;
} hone_proto_list;

typedef struct hone_proto_rule {
  uint32_t number;
  hone_proto_kind kind;
  bool repeated; /* a hone_proto_list, else a hone_bytes whose data is NULL where absent */
  size_t offset; /* into the struct */
} hone_proto_rule;

#define HONE_PROTO_ONE(number, kind, type, member) \
  { number, HONE_PROTO_##kind, false, offsetof(type, member) }
#define HONE_PROTO_MANY(number, kind, type, member) \
  { number, HONE_PROTO_##kind, true, offsetof(type, member) }

/* Reads one message into `out`, which the caller cleared. */
HONE_MUST_USE hone_status *hone_proto_read(hone_proto_reader *reader, hone_bytes message,
                                           const hone_proto_rule *rules, size_t rule_count,
                                           void *out);

/* The number in a span; 0 for an absent one. */
uint64_t hone_proto_varint(hone_bytes span);
float hone_proto_float(hone_bytes span);
double hone_proto_double(hone_bytes span);

/* How many numbers of `kind` a list holds; INVALID_MODEL when a packed run is cut off. */
HONE_MUST_USE hone_status *hone_proto_count(const hone_proto_list *list, hone_proto_kind kind,
                                            size_t *count);
/* Steps through the varints of a list that hone_proto_count accepted. Start cleared. */
typedef struct hone_proto_cursor {
  size_t item, at;
} hone_proto_cursor;
uint64_t hone_proto_step(const hone_proto_list *list, hone_proto_cursor *cursor);

/* Whether `message` reads as protobuf to its end; fields[n] says how often field n < 32 occurs,
 * kinds[n] of which kind it was last. For telling formats apart; looks at `most` fields only. */
bool hone_proto_outline(hone_bytes message, size_t most, unsigned counts[32],
                        hone_proto_kind kinds[32]);

#endif
