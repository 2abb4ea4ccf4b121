/* Reading protobuf's wire format in place. Room: base. */
#include "base/protobuf.h"

#include <string.h>

#define GROUP_START 3
#define GROUP_END   4
#define GROUP_DEPTH 100

/* One field: its key and the span of its payload. */
typedef struct field {
  uint32_t number, wire;
  hone_bytes span;
} field;

static bool read_varint(const unsigned char **at, const unsigned char *end, uint64_t *out) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
    unsigned char byte = *(*at)++;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *out = value;
      return true;
    }
  }
  return false;
}

/* Steps over one field; false when it is broken or passes the end. */
static bool next_field(const unsigned char **at, const unsigned char *end, field *out) {
  uint64_t key, size = 0;
  if (!read_varint(at, end, &key) || key >> 32 || key >> 3 == 0) return false;
  out->number = (uint32_t)(key >> 3);
  out->wire = (uint32_t)(key & 7);
  const unsigned char *start = *at;
  switch (out->wire) {
    case HONE_PROTO_VARINT:
      if (!read_varint(at, end, &key)) return false;
      out->span = (hone_bytes){start, (size_t)(*at - start)};
      return true;
    case HONE_PROTO_FIXED64:
      size = 8;
      break;
    case HONE_PROTO_FIXED32:
      size = 4;
      break;
    case HONE_PROTO_BYTES:
      if (!read_varint(at, end, &size)) return false;
      break;
    case GROUP_START:
    case GROUP_END:
      break;
    default:
      return false;
  }
  if (size > (uint64_t)(end - *at)) return false;
  out->span = (hone_bytes){*at, (size_t)size};
  *at += size;
  return true;
}

/* Steps over a group that was just opened, by matching ends. */
static bool skip_group(const unsigned char **at, const unsigned char *end, uint32_t number) {
  uint32_t open[GROUP_DEPTH];
  int depth = 0;
  open[depth++] = number;
  while (depth) {
    field inner;
    if (!next_field(at, end, &inner)) return false;
    if (inner.wire == GROUP_START) {
      if (depth == GROUP_DEPTH) return false;
      open[depth++] = inner.number;
    } else if (inner.wire == GROUP_END && inner.number != open[--depth]) {
      return false;
    }
  }
  return true;
}

static hone_status *append(hone_proto_reader *reader, hone_proto_list *list, hone_bytes span) {
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : 4, bytes;
    if (!hone_mul(room, sizeof span, &bytes) || bytes > reader->limit ||
        reader->memory->total > reader->limit - bytes)
      return hone_error(HONE_LIMIT, "reading it takes more than %zu bytes of memory",
                        reader->limit);
    hone_bytes *items = hone_arena_alloc(reader->memory, bytes);
    HONE_TRY_MEMORY(items);
    if (list->count) memcpy(items, list->items, list->count * sizeof span);
    list->items = items;
    list->room = room;
  }
  list->items[list->count++] = span;
  return NULL;
}

static const hone_proto_rule *find_rule(const hone_proto_rule *rules, size_t count,
                                        uint32_t number) {
  for (size_t i = 0; i < count; i++)
    if (rules[i].number == number) return &rules[i];
  return NULL;
}

static hone_status *store(hone_proto_reader *reader, const hone_proto_rule *rule, const field *f,
                          size_t offset, void *out) {
  void *place = (char *)out + rule->offset;
  bool packed = rule->repeated && f->wire == HONE_PROTO_BYTES;
  if (f->wire != (uint32_t)rule->kind && !packed)
    return hone_error(HONE_INVALID_MODEL, "byte %zu: field %u has wire type %u instead of %u",
                      offset, f->number, f->wire, (unsigned)rule->kind);
  if (rule->repeated) return append(reader, place, f->span);
  *(hone_bytes *)place = f->span;
  return NULL;
}

hone_status *hone_proto_read(hone_proto_reader *reader, hone_bytes message,
                             const hone_proto_rule *rules, size_t rule_count, void *out) {
  if (!message.size) return NULL; /* its data may be NULL */
  const unsigned char *at = message.data, *end = at + message.size;
  while (at < end) {
    size_t offset = (size_t)(at - (const unsigned char *)reader->file);
    field f;
    bool good = next_field(&at, end, &f) && f.wire != GROUP_END;
    if (good && f.wire == GROUP_START) good = skip_group(&at, end, f.number);
    if (!good) return hone_error(HONE_INVALID_MODEL, "byte %zu: a broken or cut-off field", offset);
    const hone_proto_rule *rule = find_rule(rules, rule_count, f.number);
    if (rule) HONE_TRY(store(reader, rule, &f, offset, out));
  }
  return NULL;
}

uint64_t hone_proto_varint(hone_bytes span) {
  const unsigned char *at = span.data;
  uint64_t value = 0;
  return at && read_varint(&at, at + span.size, &value) ? value : 0;
}

float hone_proto_float(hone_bytes span) {
  float value = 0;
  if (span.size >= sizeof value) memcpy(&value, span.data, sizeof value);
  return value;
}

double hone_proto_double(hone_bytes span) {
  double value = 0;
  if (span.size >= sizeof value) memcpy(&value, span.data, sizeof value);
  return value;
}

/* The varints in a span; false where the last is cut off or one is too long. */
static bool count_varints(hone_bytes span, size_t *count) {
  const unsigned char *at = span.data, *end = at + span.size;
  uint64_t value;
  while (at < end) {
    if (!read_varint(&at, end, &value)) return false;
    ++*count;
  }
  return true;
}

hone_status *hone_proto_count(const hone_proto_list *list, hone_proto_kind kind, size_t *count) {
  size_t size = kind == HONE_PROTO_FIXED64 ? 8 : 4;
  *count = 0;
  for (size_t i = 0; i < list->count; i++) {
    hone_bytes span = list->items[i];
    bool good = kind == HONE_PROTO_VARINT ? count_varints(span, count) : span.size % size == 0;
    if (!good) return hone_error(HONE_INVALID_MODEL, "a cut-off run of numbers");
    if (kind != HONE_PROTO_VARINT) *count += span.size / size;
  }
  return NULL;
}

uint64_t hone_proto_step(const hone_proto_list *list, hone_proto_cursor *cursor) {
  while (cursor->item < list->count && cursor->at >= list->items[cursor->item].size) {
    cursor->item++;
    cursor->at = 0;
  }
  if (cursor->item >= list->count) return 0;
  hone_bytes span = list->items[cursor->item];
  const unsigned char *start = span.data, *at = start + cursor->at;
  uint64_t value = 0;
  (void)read_varint(&at, start + span.size, &value);
  cursor->at = (size_t)(at - start);
  return value;
}

bool hone_proto_outline(hone_bytes message, size_t most, unsigned counts[32],
                        hone_proto_kind kinds[32]) {
  const unsigned char *at = message.data, *end = at + message.size;
  memset(counts, 0, 32 * sizeof *counts);
  for (size_t i = 0; i < most && at < end; i++) {
    field f;
    if (!next_field(&at, end, &f) || f.wire == GROUP_START || f.wire == GROUP_END) return false;
    if (f.number >= 32) continue;
    counts[f.number]++;
    kinds[f.number] = (hone_proto_kind)f.wire;
  }
  return true;
}
