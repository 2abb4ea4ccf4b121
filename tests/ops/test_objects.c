/* Ops on sequences, optionals and strings, and the ops with bodies, run from the text form. */
#include "check.h"
#include "ir/text.h"
#include "ops/ops.h"

/* Runs a graph without inputs and writes its outputs like constants of the text form. */
static hone_status *print_datum(const hone_datum *datum, hone_text *out) {
  if (datum->kind != HONE_KIND_TENSOR) {
    hone_text_puts(out, datum->kind == HONE_KIND_SEQUENCE ? "seq(" : "opt(");
    for (size_t i = 0; i < datum->count; i++) {
      if (i) hone_text_puts(out, ", ");
      HONE_TRY(print_datum(&datum->items[i], out));
    }
    hone_text_puts(out, ")");
    return NULL;
  }
  size_t count = hone_datum_count(datum);
  hone_text_puts(out, "[");
  for (size_t i = 0; i < count; i++) {
    if (i) hone_text_puts(out, ", ");
    if (datum->dtype == HONE_STR) {
      const hone_string *text = (const hone_string *)datum->data + i;
      hone_text_quote(out, text->data, text->size);
    } else {
      hone_text_printf(out, "%lld", (long long)hone_load_int(datum->dtype, datum->data, i));
    }
  }
  hone_text_puts(out, "]");
  return NULL;
}

/* "shape -> elements" of each output, or the error. */
static hone_status *run_text(const char *text, hone_text *out) {
  hone_graph *graph;
  hone_datum results[4];
  hone_arena memory = {0};
  HONE_TRY(hone_graph_parse(text, strlen(text), hone_op_find, (hone_bytes){"", 0}, &graph));
  hone_status *status = hone_interpret(graph, NULL, results, &memory);
  for (int i = 0; !status && i < graph->output_count; i++) {
    if (i) hone_text_puts(out, "; ");
    status = print_datum(&results[i], out);
  }
  hone_arena_free(&memory);
  hone_graph_free(graph);
  return status;
}

static bool gives(const char *text, const char *want) {
  hone_text out = {0};
  hone_status *status = run_text(text, &out);
  bool same = !status && out.data && strcmp(out.data, want) == 0;
  if (!same) fprintf(stderr, "got %s %s\n", out.data ? out.data : "", hone_status_message(status));
  hone_status_free(status);
  hone_text_free(&out);
  return same;
}

#define THREE "a = const s64[2] [1, 2] b = const s64[1] [3] c = const s64[3] [4, 5, 6]\n"

TEST(sequences) {
  CHECK(gives("graph g() -> (s) {" THREE "s = sequence_make(a, b, c) }",
              "seq([1, 2], [3], [4, 5, 6])"));
  CHECK(gives("graph g() -> (s) { s = sequence_make() {dtype=f32} }", "seq()"));
  CHECK(gives("graph g() -> (y) {" THREE "s = sequence_make(a, b, c) i = const s64[] -1 "
              "y = sequence_at(s, i) }",
              "[4, 5, 6]"));
  CHECK(gives("graph g() -> (y) {" THREE "s = sequence_make(a, b) y = sequence_insert(s, c) }",
              "seq([1, 2], [3], [4, 5, 6])"));
  CHECK(gives("graph g() -> (y) {" THREE "s = sequence_make(a, b) i = const s64[] -1 "
              "y = sequence_insert(s, c, i) }",
              "seq([1, 2], [4, 5, 6], [3])"));
  CHECK(gives("graph g() -> (y) {" THREE "s = sequence_make(a, b, c) y = sequence_erase(s) }",
              "seq([1, 2], [3])"));
  CHECK(gives("graph g() -> (y) {" THREE "s = sequence_make(a, b, c) i = const s64[] 0 "
              "y = sequence_erase(s, i) }",
              "seq([3], [4, 5, 6])"));
  CHECK(
      gives("graph g() -> (n) {" THREE "s = sequence_make(a, c) n = sequence_length(s) }", "[2]"));
  CHECK(gives("graph g() -> (y) {" THREE "s = sequence_make(a, b, c) "
              "y = sequence_concat(s) {axis=0} }",
              "[1, 2, 3, 4, 5, 6]"));
  CHECK(gives("graph g() -> (y) {" THREE "s = sequence_make(a, a) "
              "y = sequence_concat(s) {axis=1, new_axis=true} }",
              "[1, 1, 2, 2]"));
  CHECK(gives("graph g() -> (s) {" THREE "n = const s64[] 2 s = sequence_split(c, n) }",
              "seq([4, 5], [6])"));
  CHECK(gives("graph g() -> (s) {" THREE "s = sequence_split(c) {keep=false} }",
              "seq([4], [5], [6])"));
}

TEST(refusals_of_sequences) {
  hone_text out = {0};
  CHECK_ERROR(run_text("graph g() -> (y) {" THREE "s = sequence_make(a, b) i = const s64[] 2 "
                       "y = sequence_at(s, i) }",
                       &out),
              HONE_INVALID_ARGUMENT, "position 2 of 2");
  CHECK_ERROR(run_text("graph g() -> (y) { s = sequence_make() y = sequence_erase(s) }", &out),
              HONE_INVALID_ARGUMENT, "of 0 items");
  CHECK_ERROR(run_text("graph g() -> (y) {" THREE "y = sequence_length(a) }", &out),
              HONE_INVALID_MODEL, "no sequence");
  CHECK_ERROR(run_text("graph g() -> (y) {" THREE "n = const s64[2] [1, 1] "
                       "y = sequence_split(c, n) }",
                       &out),
              HONE_INVALID_ARGUMENT, "parts of 2");
  hone_text_free(&out);
}

TEST(optionals) {
  CHECK(gives("graph g() -> (h, y) {" THREE "o = optional_make(a) h = optional_has(o) "
              "y = optional_get(o) }",
              "[1]; [1, 2]"));
  CHECK(gives("graph g() -> (h) { o = optional_make() {dtype=f32} h = optional_has(o) }", "[0]"));
  CHECK(gives("graph g() -> (h) {" THREE "h = optional_has(a) }", "[1]"));
  hone_text out = {0};
  CHECK_ERROR(
      run_text("graph g() -> (y) { o = optional_make() {dtype=f32} y = optional_get(o) }", &out),
      HONE_INVALID_ARGUMENT, "holds nothing");
  hone_text_free(&out);
}

TEST(strings) {
  CHECK(
      gives("graph g() -> (y) { a = const str[2] [\"x\", \"\"] b = const str[1] [\"yz\"] "
            "y = string_concat(a, b) }",
            "[\"xyz\", \"yz\"]"));
  CHECK(
      gives("graph g() -> (y, n) { a = const str[2] [\" one  two \", \"\"] "
            "y, n = string_split(a) }",
            "[\"one\", \"two\", \"\", \"\"]; [2, 0]"));
  CHECK(
      gives("graph g() -> (y, n) { a = const str[1] [\"a,,b,c\"] "
            "y, n = string_split(a) {delimiter=\",\", most=2} }",
            "[\"a\", \"\", \"b,c\"]; [3]"));
  CHECK(
      gives("graph g() -> (y) { a = const str[3] [\"Mo\", \"Tu\", \"mo\"] "
            "y = string_normalize(a) {case=upper, stopwords=[\"MO\"]} }",
            "[\"TU\"]"));
  CHECK(
      gives("graph g() -> (y) { a = const str[1] [\"mo\"] "
            "y = string_normalize(a) {case_sensitive=true, stopwords=[\"mo\"]} }",
            "[\"\"]"));
  CHECK(
      gives("graph g() -> (y) { a = const str[2] [\"ab1\", \"ab\"] "
            "y = regex_match(a) {pattern=\"[a-z]+\\\\d\"} }",
            "[1, 0]"));
  CHECK(
      gives("graph g() -> (y) { x = const str[3] [\"b\", \"q\", \"a\"] "
            "k = const str[2] [\"a\", \"b\"] v = const s64[2] [7, 8] f = const s64[] -1 "
            "y = label_lookup(x, k, v, f) }",
            "[8, -1, 7]"));
}

TEST(bodies) {
  static const char branch[] =
      "graph g() -> (y) { c = const bool[] %s a = const s64[2] [1, 2] "
      "y = if(c, a) region t(p: s64[2]) -> (q) { q = neg(p) } region e(r: s64[2]) -> (s) "
      "{ s = add(r, r) } }";
  char text[400];
  snprintf(text, sizeof text, branch, "true");
  CHECK(gives(text, "[-1, -2]"));
  snprintf(text, sizeof text, branch, "false");
  CHECK(gives(text, "[2, 4]"));
  /* Sums 0 + 1 + 2 + 3 on top of 10, and remembers each. */
  static const char loop[] =
      "graph g() -> (y, z) { n = const s64[] %s s = const s64[] 10 t = const bool[] true "
      "y, z = loop(n, t, s) {carried=1} region b(i: s64[], c: bool[], p: s64[]) -> (c, q, r)"
      " { q = add(p, i) r = identity(q) } }";
  snprintf(text, sizeof text, loop, "4");
  CHECK(gives(text, "[16]; [10, 11, 13, 16]"));
  snprintf(text, sizeof text, loop, "0");
  CHECK(gives(text, "[10]; []"));
  /* Stops by its condition. */
  CHECK(
      gives("graph g() -> (y) { s = const s64[] 1 t = const bool[] true m = const s64[] 100 "
            "y = loop(_, t, s, m) {carried=1} "
            "region b(i: s64[], c: bool[], p: s64[], k: s64[]) -> (d, q) "
            "{ q = add(p, p) d = less(q, k) } }",
            "[128]"));
}

int main(void) {
  RUN(sequences);
  RUN(refusals_of_sequences);
  RUN(optionals);
  RUN(strings);
  RUN(bodies);
  return check_report();
}
