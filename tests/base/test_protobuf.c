/* Protobuf's wire format: what is read, and every way to be broken. */
#include "base/protobuf.h"

#include "check.h"

typedef struct message {
  hone_bytes number, name;
  hone_proto_list values, reals, parts;
} message;

static const hone_proto_rule rules[] = {
    HONE_PROTO_ONE(1, VARINT, message, number), HONE_PROTO_ONE(2, BYTES, message, name),
    HONE_PROTO_MANY(3, VARINT, message, values), HONE_PROTO_MANY(4, FIXED32, message, reals),
    HONE_PROTO_MANY(5, BYTES, message, parts)};

typedef struct reading {
  hone_arena memory;
  message got;
} reading;

static hone_status *read_limited(reading *r, const void *data, size_t size, size_t limit) {
  *r = (reading){0};
  hone_proto_reader reader = {data, &r->memory, limit};
  return hone_proto_read(&reader, (hone_bytes){data, size}, rules, sizeof rules / sizeof *rules,
                         &r->got);
}

#define READ(r, text) read_limited(r, text, sizeof(text) - 1, 1 << 20)

TEST(absent_fields_are_empty) {
  reading r;
  CHECK_OK(read_limited(&r, NULL, 0, 0));
  CHECK(!r.got.number.data && !r.got.name.data && !r.got.values.count);
  CHECK(hone_proto_varint(r.got.number) == 0 && hone_proto_float(r.got.number) == 0);
  CHECK(hone_proto_double(r.got.number) == 0);
}

TEST(the_last_of_a_singular_field_holds) {
  reading r;
  CHECK_OK(READ(&r,
                "\x08\x05\x12\x01"
                "a\x08\x96\x01\x12\x02"
                "bc"));
  CHECK(hone_proto_varint(r.got.number) == 150);
  CHECK(r.got.name.size == 2 && memcmp(r.got.name.data, "bc", 2) == 0);
}

TEST(numbers_of_64_bits) {
  reading r;
  CHECK_OK(READ(&r, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  CHECK(hone_proto_varint(r.got.number) == UINT64_MAX);
  CHECK_ERROR(READ(&r, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), HONE_INVALID_MODEL,
              "byte 0");
}

/* Packed and unpacked runs of one field may follow each other; order is the file's. */
TEST(packed_and_unpacked_numbers_are_one_list) {
  reading r;
  CHECK_OK(READ(&r, "\x18\x01\x1a\x04\x02\xac\x02\x04\x1a\x00\x18\x05"));
  size_t count = 0;
  CHECK_OK(hone_proto_count(&r.got.values, HONE_PROTO_VARINT, &count));
  CHECK(count == 5);
  hone_proto_cursor cursor = {0};
  const uint64_t want[] = {1, 2, 300, 4, 5, 0, 0};
  for (size_t i = 0; i < 7; i++) CHECK(hone_proto_step(&r.got.values, &cursor) == want[i]);
  hone_arena_free(&r.memory);
  CHECK_OK(READ(&r, "\x22\x08\0\0\x80\x3f\0\0\0\x40\x25\0\0\x40\x40"));
  CHECK_OK(hone_proto_count(&r.got.reals, HONE_PROTO_FIXED32, &count));
  CHECK(count == 3 && r.got.reals.count == 2);
  CHECK(hone_proto_float(r.got.reals.items[1]) == 3.0f);
  hone_arena_free(&r.memory);
}

TEST(cut_runs_are_refused) {
  reading r;
  size_t count;
  CHECK_OK(READ(&r, "\x1a\x02\x01\x80"));
  CHECK_ERROR(hone_proto_count(&r.got.values, HONE_PROTO_VARINT, &count), HONE_INVALID_MODEL,
              "cut-off");
  hone_arena_free(&r.memory);
  CHECK_OK(READ(&r, "\x22\x05\0\0\0\0\0"));
  CHECK_ERROR(hone_proto_count(&r.got.reals, HONE_PROTO_FIXED32, &count), HONE_INVALID_MODEL,
              "cut-off");
  hone_arena_free(&r.memory);
}

/* Field 9 in each wire type, a group with a group in it among them. */
TEST(unknown_fields_are_skipped) {
  reading r;
  CHECK_OK(READ(&r,
                "\x48\x01\x49\1\2\3\4\5\6\7\x08\x4a\x01x\x4d\1\2\3\4\x4b\x53\x08\x01\x54\x4c"
                "\x08\x07"));
  CHECK(hone_proto_varint(r.got.number) == 7);
}

TEST(broken_fields_name_their_byte) {
  reading r;
  CHECK_ERROR(READ(&r, "\x48\x01\x0a\x00"), HONE_INVALID_MODEL, "byte 2: field 1 has wire type 2");
  CHECK_ERROR(READ(&r, "\x48\x01\x00\x00"), HONE_INVALID_MODEL, "byte 2");         /* field 0 */
  CHECK_ERROR(READ(&r, "\x0e\x00"), HONE_INVALID_MODEL, "byte 0");                 /* wire type 6 */
  CHECK_ERROR(READ(&r, "\xff\xff\xff\xff\x1f\x00"), HONE_INVALID_MODEL, "byte 0"); /* wire type 7 */
  CHECK_ERROR(READ(&r, "\xf8\xff\xff\xff\x7f\x00"), HONE_INVALID_MODEL, "byte 0"); /* 35-bit key */
  CHECK_ERROR(READ(&r, "\x4c"), HONE_INVALID_MODEL, "byte 0");                     /* end alone */
  CHECK_ERROR(READ(&r, "\x4b\x54"), HONE_INVALID_MODEL, "byte 0");                 /* other's end */
  CHECK_ERROR(READ(&r, "\x4b\x08\x01"), HONE_INVALID_MODEL, "byte 0");             /* no end */
  /* Lengths just beyond the end, and so large that adding them would wrap. */
  CHECK_ERROR(READ(&r, "\x12\x02x"), HONE_INVALID_MODEL, "byte 0");
  CHECK_ERROR(READ(&r, "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), HONE_INVALID_MODEL,
              "byte 0");
}

TEST(every_cut_of_a_message_is_refused_or_whole) {
  static const char whole[] =
      "\x08\x96\x01\x12\x03"
      "abc\x1a\x02\x01\x02\x25\0\0\x40\x40\x4b\x08\x01\x4c";
  static const size_t ends[] = {0, 3, 8, 12, 17, 21};
  size_t next = 0;
  for (size_t size = 0; size < sizeof whole; size++) {
    reading r;
    hone_status *status = read_limited(&r, whole, size, 1 << 20);
    bool sound = next < sizeof ends / sizeof *ends && size == ends[next];
    CHECK((status == NULL) == sound);
    next += sound;
    hone_status_free(status);
    hone_arena_free(&r.memory);
  }
  CHECK(next == sizeof ends / sizeof *ends);
}

TEST(groups_nest_to_a_limit) {
  char groups[400];
  reading r;
  for (size_t depth = 99; depth <= 101; depth++) {
    memset(groups, 0x4b, depth);
    memset(groups + depth, 0x4c, depth);
    hone_status *status = read_limited(&r, groups, 2 * depth, 0);
    CHECK((status == NULL) == (depth <= 100));
    hone_status_free(status);
  }
}

TEST(lists_stay_within_the_limit) {
  char parts[4000];
  for (size_t i = 0; i < sizeof parts; i += 2) memcpy(parts + i, "\x2a", 2);
  reading r;
  CHECK_ERROR(read_limited(&r, parts, sizeof parts, 4096), HONE_LIMIT, "4096 bytes");
  hone_arena_free(&r.memory);
  CHECK_OK(read_limited(&r, parts, sizeof parts, 1 << 20));
  CHECK(r.got.parts.count == 2000);
  hone_arena_free(&r.memory);
  hone_alloc_fail_at(1, false);
  CHECK_ERROR(read_limited(&r, parts, sizeof parts, 1 << 20), HONE_OUT_OF_MEMORY, "");
  hone_alloc_fail_at(0, false);
  hone_arena_free(&r.memory);
}

TEST(outlines_tell_formats_apart) {
  unsigned counts[32];
  hone_proto_kind kinds[32];
  CHECK(hone_proto_outline((hone_bytes){"\x08\x05\x12\x01x\x12\x00", 7}, 10, counts, kinds));
  CHECK(counts[1] == 1 && counts[2] == 2 && kinds[2] == HONE_PROTO_BYTES && counts[3] == 0);
  CHECK(!hone_proto_outline((hone_bytes){"HONE", 4}, 10, counts, kinds));
  CHECK(hone_proto_outline((hone_bytes){"\x08\x05HONE", 6}, 1, counts, kinds));
}

int main(void) {
  RUN(absent_fields_are_empty);
  RUN(the_last_of_a_singular_field_holds);
  RUN(numbers_of_64_bits);
  RUN(packed_and_unpacked_numbers_are_one_list);
  RUN(cut_runs_are_refused);
  RUN(unknown_fields_are_skipped);
  RUN(broken_fields_name_their_byte);
  RUN(every_cut_of_a_message_is_refused_or_whole);
  RUN(groups_nest_to_a_limit);
  RUN(lists_stay_within_the_limit);
  RUN(outlines_tell_formats_apart);
  return check_report();
}
