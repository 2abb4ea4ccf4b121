/* Protobuf's text format: what it becomes, and every way to be broken. */
#include "base/protobuf_text.h"

#include "base/protobuf.h"
#include "check.h"

static const hone_proto_name colours[] = {{"RED", 3}, {"BLUE", 7}, {NULL, 0}};
static const hone_proto_field schema[] = {
    {"number", 1, HONE_PROTO_INT, NULL, NULL},     {"name", 2, HONE_PROTO_TEXT, NULL, NULL},
    {"part", 3, HONE_PROTO_MESSAGE, schema, NULL}, {"narrow", 4, HONE_PROTO_F32, NULL, NULL},
    {"wide", 5, HONE_PROTO_F64, NULL, NULL},       {"flag", 6, HONE_PROTO_FLAG, NULL, NULL},
    {"colour", 7, HONE_PROTO_ENUM, NULL, colours}, {0}};

typedef struct message {
  hone_proto_list numbers, names, parts, narrows, wides, flags, colours;
} message;

static const hone_proto_rule rules[] = {
    HONE_PROTO_MANY(1, VARINT, message, numbers), HONE_PROTO_MANY(2, BYTES, message, names),
    HONE_PROTO_MANY(3, BYTES, message, parts),    HONE_PROTO_MANY(4, FIXED32, message, narrows),
    HONE_PROTO_MANY(5, FIXED64, message, wides),  HONE_PROTO_MANY(6, VARINT, message, flags),
    HONE_PROTO_MANY(7, VARINT, message, colours)};

typedef struct reading {
  hone_text wire;
  hone_arena memory;
  message got;
} reading;

static void read_bytes(reading *r, hone_bytes bytes) {
  hone_proto_reader reader = {r->wire.data, &r->memory, 1 << 20};
  r->got = (message){0};
  CHECK_OK(hone_proto_read(&reader, bytes, rules, sizeof rules / sizeof *rules, &r->got));
}

static void read_text(reading *r, const char *text) {
  *r = (reading){0};
  CHECK_OK(hone_proto_from_text((hone_bytes){text, strlen(text)}, schema, &r->wire));
  read_bytes(r, (hone_bytes){r->wire.data, r->wire.size});
}

static void done(reading *r) {
  hone_text_free(&r->wire);
  hone_arena_free(&r->memory);
}

static bool is(hone_bytes span, const char *bytes, size_t size) {
  return span.size == size && memcmp(span.data, bytes, size) == 0;
}

TEST(numbers_of_every_spelling) {
  reading r;
  read_text(&r,
            "number: 7 number: -1, number: 0x1F; number: 017\n"
            "number: [1, 18446744073709551615] number: [] number: - 9223372036854775808");
  static const uint64_t want[] = {7, UINT64_MAX, 31, 15, 1, UINT64_MAX, (uint64_t)1 << 63};
  CHECK(r.got.numbers.count == 7);
  for (size_t i = 0; i < 7; i++) CHECK(hone_proto_varint(r.got.numbers.items[i]) == want[i]);
  done(&r);
}

TEST(reals_flags_and_enums) {
  reading r;
  read_text(&r,
            "narrow: 1.5f narrow: -inf narrow: 3 wide: 1e-3 wide: nan wide: -Infinity\n"
            "flag: true flag: 0 colour: BLUE colour: 3");
  CHECK(hone_proto_float(r.got.narrows.items[0]) == 1.5f);
  CHECK(hone_proto_float(r.got.narrows.items[1]) < -1e38f);
  CHECK(hone_proto_float(r.got.narrows.items[2]) == 3);
  CHECK(hone_proto_double(r.got.wides.items[0]) == 1e-3);
  CHECK(hone_proto_double(r.got.wides.items[1]) != hone_proto_double(r.got.wides.items[1]));
  CHECK(hone_proto_double(r.got.wides.items[2]) < -1e300);
  CHECK(hone_proto_varint(r.got.flags.items[0]) == 1 &&
        hone_proto_varint(r.got.flags.items[1]) == 0);
  CHECK(hone_proto_varint(r.got.colours.items[0]) == 7);
  CHECK(hone_proto_varint(r.got.colours.items[1]) == 3);
  done(&r);
}

TEST(strings_join_and_escape) {
  reading r;
  read_text(&r, "name: \"a\\n\\\"\" 'b\"' # a remark\n \"\\001\\377\\x4a\\u00e9\" name: \"\"");
  CHECK(is(r.got.names.items[0], "a\n\"b\"\1\377J\xc3\xa9", 10));
  CHECK(is(r.got.names.items[1], "", 0));
  done(&r);
}

TEST(messages_of_both_brackets) {
  reading r;
  read_text(&r, "# first\npart { part: < number: 5 > name: 'x' } part <>, part: [{number: 1}, <>]");
  CHECK(r.got.parts.count == 4);
  read_bytes(&r, r.got.parts.items[0]);
  CHECK(is(r.got.names.items[0], "x", 1));
  read_bytes(&r, r.got.parts.items[0]);
  CHECK(hone_proto_varint(r.got.numbers.items[0]) == 5);
  done(&r);
}

TEST(unknown_fields_are_left_out) {
  reading r;
  read_text(&r,
            "other: 5 other: 'x' 'y' other { name: 'n' deep <a: [1, 2]> } [a.b/c] { n: -1.5e+3 }\n"
            "[x.y]: FOO number: 8");
  CHECK(r.got.numbers.count == 1 && r.got.names.count == 0 && r.got.parts.count == 0);
  done(&r);
}

TEST(broken_text_is_told_by_its_line) {
  static const char *const texts[] = {
      "\nnumber",       "\nnumber:",     "\nnumber: x",
      "\nnumber: 1.5",  "\nnumber 5",    "\npart {",
      "\npart { >",     "\nname: \"a",   "\nname: 'a\n'",
      "\nname: 5",      "\nflag: 2",     "\ncolour: GREEN",
      "\nnarrow: one",  "\nname: '\\q'", "\nname: '\\xg'",
      "\nname: '\\",    "\nnumber: [1",  "\nnumber: [1,]",
      "\n: 5",          "\npart: 'x'",   "\nnumber: 99999999999999999999",
      "\n[a.b: 5",      "\n}",           "\nname: '\\U00110000'",
      "\nname: '\\777'"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    hone_text wire = {0};
    hone_status *status =
        hone_proto_from_text((hone_bytes){texts[i], strlen(texts[i])}, schema, &wire);
    CHECK(hone_status_code(status) == HONE_INVALID_MODEL);
    CHECK(status && strncmp(hone_status_message(status), "line ", 5) == 0);
    hone_status_free(status);
    hone_text_free(&wire);
  }
}

TEST(depth_is_limited) {
  for (int deep = HONE_PROTO_TEXT_DEPTH; deep <= HONE_PROTO_TEXT_DEPTH + 1; deep++) {
    hone_text text = {0}, wire = {0};
    for (int i = 0; i < deep; i++) hone_text_puts(&text, i % 2 ? "part{" : "other{");
    for (int i = 0; i < deep; i++) hone_text_puts(&text, "}");
    hone_status *status = hone_proto_from_text((hone_bytes){text.data, text.size}, schema, &wire);
    CHECK((status == NULL) == (deep <= HONE_PROTO_TEXT_DEPTH));
    hone_status_free(status);
    hone_text_free(&text);
    hone_text_free(&wire);
  }
}

TEST(text_is_told_from_bytes) {
  static const char *const yes[] = {"number: 1", " # c\n part{", "name:", "part<"};
  static const char *const no[] = {"", "number", "other: 1", "\n\x0bnumber", "5", "num ber: 1"};
  for (size_t i = 0; i < 4; i++)
    CHECK(hone_proto_is_text((hone_bytes){yes[i], strlen(yes[i])}, schema));
  for (size_t i = 0; i < 6; i++)
    CHECK(!hone_proto_is_text((hone_bytes){no[i], strlen(no[i])}, schema));
}

int main(void) {
  RUN(numbers_of_every_spelling);
  RUN(reals_flags_and_enums);
  RUN(strings_join_and_escape);
  RUN(messages_of_both_brackets);
  RUN(unknown_fields_are_left_out);
  RUN(broken_text_is_told_by_its_line);
  RUN(depth_is_limited);
  RUN(text_is_told_from_bytes);
  return check_report();
}
