/* The text form and the verifier: round trips, exact elements, hostile text. */
#include "ir/text.h"

#include <math.h>
#include <stdlib.h>

#include "base/real.h"
#include "check.h"

/* Ops of this test alone, so that it stands without the table. */
static const hone_op op_add = {.name = "add",
                               .inputs = "x y",
                               .outputs = "z",
                               .facts = HONE_POINTWISE,
                               .infer = hone_infer_broadcast};
static const hone_op op_many = {.name = "many",
                                .inputs = "x*",
                                .outputs = "y z?",
                                .infer = hone_infer_same,
                                .attrs = {{"i", HONE_ATTR_INT, "7", NULL},
                                          {"f", HONE_ATTR_FLAG, "false", NULL},
                                          {"r", HONE_ATTR_REAL, "0.5", NULL},
                                          {"t", HONE_ATTR_TEXT, "", NULL},
                                          {"c", HONE_ATTR_CHOICE, "max", "max|avg"},
                                          {"d", HONE_ATTR_DTYPE, "none", NULL},
                                          {"is", HONE_ATTR_INTS, "[]", NULL},
                                          {"rs", HONE_ATTR_REALS, "[]", NULL},
                                          {"ts", HONE_ATTR_TEXTS, "[]", NULL}}};
static const hone_op op_must = {.name = "must",
                                .inputs = "x w?",
                                .outputs = "y",
                                .attrs = {{"axis", HONE_ATTR_INT, NULL, NULL}},
                                .infer = hone_infer_same};
static const hone_op op_body = {.name = "body",
                                .inputs = "x*",
                                .outputs = "y*",
                                .facts = HONE_HAS_REGIONS,
                                .infer = hone_infer_same};

static const hone_op *lookup(const char *name, size_t size) {
  static const hone_op *const ops[] = {&op_add, &op_many, &op_must, &op_body};
  for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
    if (strlen(ops[i]->name) == size && memcmp(ops[i]->name, name, size) == 0) return ops[i];
  return NULL;
}

static hone_status *parse(const char *text, hone_graph **out) {
  static const float weights[4] = {1, 2, 3, 4};
  hone_bytes bytes = {weights, sizeof weights};
  return hone_graph_parse(text, strlen(text), lookup, bytes, out);
}

static hone_status *print(const hone_graph *graph, hone_text *out) {
  return hone_graph_print(graph, (size_t)-1, NULL, NULL, out);
}

/* What is printed parses back to what prints the same. */
static void check_round_trip(const char *text) {
  hone_graph *first = NULL, *second = NULL;
  hone_text once = {0}, twice = {0};
  CHECK_OK(parse(text, &first));
  if (first) CHECK_OK(print(first, &once));
  if (once.data) CHECK_OK(parse(once.data, &second));
  if (second) CHECK_OK(print(second, &twice));
  CHECK(once.data && twice.data && strcmp(once.data, twice.data) == 0);
  hone_text_free(&once);
  hone_text_free(&twice);
  hone_graph_free(first);
  hone_graph_free(second);
}

static const char everything[] =
    "hone 1\n"
    "graph \"a/b c\"(x: f32[n, 3], \"odd:0\": host s64[2], s: seq(f32[\"h*2\"]),\n"
    "    o: opt(seq(str)), u: ?, v: ?[2, k]) -> (y: f32[n, 3], x: f32[n, 3], y) {\n"
    "  w = const f32[2, 2] @weights+0   # no source, a remark\n"
    "  e = const s64[0, 4] []\n"
    "  k = const host s64[2] [-9223372036854775808, 9223372036854775807]\n"
    "  big = const u64[] 18446744073709551615\n"
    "  names = const str[2] [\"a\\\"b\\\\\\n\", \"\\u0000z\"]\n"
    "  z = const c64[] [1, -0.5]\n"
    "  flags = const bool[3] [true, false, true]\n"
    "  small = const s4[3] [-8, 7, 1]\n"
    "  a = add(x, x) # from \"conv/1\", \"bn \\\"2\\\"\"\n"
    "  b: f32[n, 3], _ = many(a, _, w, e, k, big, names, z, flags, small, \"odd:0\", s, o, u, v)"
    " {i=-3, f=true, r=1e-05, t=\"q\\t\", c=avg, d=bf16, is=[1, -2], rs=[inf, 0.1], ts=[\"x\"]}\n"
    "  y = body(b, a) region then(p: f32[n, 3]) -> (q) { q = add(p, p) }\n"
    "    region else(r: f32[n, 3]) -> (r) { } # from \"loop\"\n"
    "}\n";

TEST(everything_comes_back) {
  check_round_trip(everything);
}

TEST(structure_is_as_written) {
  hone_graph *graph = NULL;
  CHECK_OK(parse(everything, &graph));
  if (!graph) return;
  const hone_node *add = graph->first, *many = add->next, *body = many->next;
  CHECK(graph->input_count == 6 && graph->output_count == 3);
  CHECK(add->source_count == 2 && strcmp(add->sources[1], "bn \"2\"") == 0);
  CHECK(graph->inputs[1]->place == HONE_PLACE_HOST && graph->inputs[1]->type.dtype == HONE_S64);
  CHECK(graph->inputs[3]->type.item == HONE_KIND_SEQUENCE);
  CHECK(many->input_count == 15 && !many->inputs[1].value && !many->outputs[1]);
  CHECK(hone_node_int(many, "i") == -3 && strcmp(hone_node_text(many, "c"), "avg") == 0);
  CHECK(hone_node_dtype(many, "d") == HONE_BF16);
  CHECK(body->region_count == 2 && body->regions[0]->owner == body);
  CHECK(add->outputs[0]->type.shape.rank == 2 &&
        !hone_dim_known(add->outputs[0]->type.shape.dim[0]));
  CHECK(graph->outputs[1].value == graph->inputs[0]);
  hone_graph_free(graph);
}

/* Whether two texts print the same but for names. */
static bool alike_nameless(const char *a, const char *b) {
  const char *const texts[] = {a, b};
  hone_text printed[2] = {{0}, {0}};
  for (int i = 0; i < 2; i++) {
    hone_graph *graph = NULL;
    CHECK_OK(parse(texts[i], &graph));
    if (graph) CHECK_OK(hone_graph_print_nameless(graph, 1, &printed[i]));
    hone_graph_free(graph);
  }
  bool alike = printed[0].data && printed[1].data && strcmp(printed[0].data, printed[1].data) == 0;
  for (int i = 0; i < 2; i++) hone_text_free(&printed[i]);
  return alike;
}

TEST(names_are_left_out) {
  static const char first[] =
      "graph a(x: f32[n, 2]) -> (y) { w = const f32[2] @weights+0 k = const f32[] 2"
      " v = add(x, w) y = add(v, k) # from \"one\"\n }";
  static const char other[] =
      "graph b(in: f32[n, 2]) -> (out) { p = const f32[2] @weights+8 q = const f32[] 2"
      " r = add(in, p) # from \"two\", \"three\"\n out = add(r, q) }";
  static const char *const unlike[] = {
      "graph a(x: f32[n, 3]) -> (y) { w = const f32[] 1 k = const f32[] 2"
      " v = add(x, w) y = add(v, k) }",
      "graph a(x: f32[n, 2]) -> (y) { w = const f32[2] @weights+0 k = const f32[] 3"
      " v = add(x, w) y = add(v, k) }",
      "graph a(x: f32[n, 2]) -> (y) { w = const f32[2] @weights+0 k = const f32[] 2"
      " v = add(x, w) y = add(k, v) }",
      "graph a(x: f32[n, 2]) -> (v) { w = const f32[2] @weights+0 k = const f32[] 2"
      " v = add(x, w) y = add(v, k) }"};
  CHECK(alike_nameless(first, other));
  for (size_t i = 0; i < sizeof unlike / sizeof *unlike; i++) CHECK(!alike_nameless(first, unlike[i]));
}

/* Every bit pattern of the 16-bit floats, and odd f32 and f64 ones, comes back bit for bit. */
static void check_bits(hone_dtype dtype, const void *data, size_t count, size_t size) {
  hone_graph *graph = NULL, *again = NULL;
  hone_text text = {0};
  hone_value *value = NULL;
  CHECK_OK(hone_graph_new("bits", &graph));
  CHECK_OK(hone_graph_constant(graph, "c", dtype, hone_shape_of(1, (hone_dim[]){(hone_dim)count}),
                               data, size, &value));
  CHECK_OK(hone_graph_output(graph, value));
  CHECK_OK(print(graph, &text));
  if (text.data) CHECK_OK(parse(text.data, &again));
  CHECK(again && again->constants[0]->constant_size == size &&
        memcmp(again->constants[0]->constant, data, size) == 0);
  hone_text_free(&text);
  hone_graph_free(graph);
  hone_graph_free(again);
}

TEST(floats_are_exact) {
  static uint16_t halves[65536];
  static uint32_t singles[20000];
  static uint64_t doubles[20000];
  uint64_t state = 1;
  for (size_t i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
  for (size_t i = 0; i < 20000; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    singles[i] = (uint32_t)(state >> 32);
    doubles[i] = state ^ (state >> 29);
  }
  check_bits(HONE_F16, halves, 65536, sizeof halves);
  check_bits(HONE_BF16, halves, 65536, sizeof halves);
  check_bits(HONE_F32, singles, 20000, sizeof singles);
  check_bits(HONE_F64, doubles, 20000, sizeof doubles);
}

TEST(bad_text_is_refused) {
  static const struct {
    const char *text, *message;
  } cases[] = {
      {"", "'graph' is wanted"},
      {"hone 2 graph g() -> () {}", "text form 2"},
      {"graph g() -> () {", "ends inside"},
      {"graph g() -> () {} x", "after the graph"},
      {"graph g(x) -> () {}", "no type"},
      {"graph g(x: f99) -> () {}", "element type"},
      {"graph g(x: f32[1,2,3,4,5,6,7,8,9]) -> () {}", "dimensions"},
      {"graph g(x: f32[-1]) -> () {}", "negative"},
      {"graph g(x: f32) -> (y) {}", "no value 'y'"},
      {"graph g(x: f32, x: f32) -> () {}", "two values"},
      {"graph g(x: f32) -> () { x = add(x, x) }", "two values"},
      {"graph g(x: f32) -> () { y = add(y, x) }", "no value 'y'"},
      {"graph g(x: f32) -> () { y = nothing(x) }", "no op 'nothing'"},
      {"graph g(x: f32) -> () { y = add(x) }", "1 inputs"},
      {"graph g(x: f32) -> () { y = add(x, _) }", "missing"},
      {"graph g(x: f32) -> () { y, z = add(x, x) }", "2 outputs"},
      {"graph g(x: f32) -> () { y = must(x) }", "axis must be given"},
      {"graph g(x: f32) -> () { y = must(x) {size=1} }", "no such attribute"},
      {"graph g(x: f32) -> () { y = must(x) {axis=1.5} }", "whole number"},
      {"graph g(x: f32) -> () { y = many(x) {c=min} }", "max|avg"},
      {"graph g(x: f32) -> () { y = body(x) }", "regions"},
      {"graph g(x: f32) -> () { y = body(x) region r() -> (x) {} }", "outside this graph"},
      {"graph g() -> () { c = const f32[2] [1] }", "',' is wanted"},
      {"graph g() -> () { c = const f32[1000000000000] [1] }", "elements are wanted"},
      {"graph g() -> () { c = const f32[n] [1] }", "known shape"},
      {"graph g() -> () { c = const s8[1] [128] }", "does not fit"},
      {"graph g() -> () { c = const u8[1] [-1] }", "whole number"},
      {"graph g() -> () { c = const f32[5] @weights+0 }", "outside the weights"},
      {"graph g() -> () { c = const f32[1] @weights+13 }", "outside the weights"},
      {"graph g() -> () { c = const f32[1] @elided }", "left out"},
      {"graph g() -> () { c = const str[1] @weights+0 }", "known shape"},
      {"graph \"g() -> () {}", "no end"},
      {"graph \"\\q\"() -> () {}", "escape"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hone_graph *graph;
    CHECK_ERROR(parse(cases[i].text, &graph), i == 1 ? HONE_UNSUPPORTED : HONE_INVALID_MODEL,
                cases[i].message);
    CHECK(!graph);
  }
}

/* Cut and damaged texts are refused or parsed, never read past their end. */
TEST(damage_is_survived) {
  size_t size = strlen(everything);
  char *copy = malloc(size);
  uint32_t state = 7;
  for (int i = 0; copy && i < 4000; i++) {
    hone_graph *graph;
    size_t kept = size;
    memcpy(copy, everything, size);
    state = state * 1664525u + 1013904223u;
    if (i % 2)
      kept = state % size;
    else
      copy[state % size] = (char)(state >> 24);
    hone_status *status = hone_graph_parse(copy, kept, lookup, (hone_bytes){"", 0}, &graph);
    CHECK((status != NULL) == (graph == NULL));
    hone_status_free(status);
    hone_graph_free(graph);
  }
  free(copy);
}

TEST(deep_regions_are_refused) {
  hone_text text = {0};
  hone_graph *graph;
  hone_text_puts(&text, "graph g(x0: f32) -> () {\n");
  for (int i = 0; i < 100; i++)
    hone_text_printf(&text, "y%d = body(x%d) region r(x%d: f32) -> () {\n", i, i, i + 1);
  CHECK_ERROR(parse(text.data, &graph), HONE_INVALID_MODEL, "inside each other");
  hone_text_free(&text);
}

TEST(verify_finds_broken_graphs) {
  hone_graph *graph = NULL;
  CHECK_OK(parse("graph g(x: f32[2]) -> (z) { y = add(x, x) z = add(y, x) }", &graph));
  if (!graph) return;
  hone_node *first = graph->first, *second = first->next;
  hone_node_move(second, first);
  CHECK_ERROR(hone_graph_verify(graph), HONE_INVALID_MODEL, "before it is made");
  hone_node_move(second, NULL);
  CHECK_OK(hone_graph_verify(graph));
  first->outputs[0]->type.shape.dim[0] = -5;
  CHECK_ERROR(hone_graph_verify(graph), HONE_INVALID_MODEL, "no name");
  first->outputs[0]->type.shape.dim[0] = 2;
  hone_use *uses = first->outputs[0]->uses;
  first->outputs[0]->uses = NULL;
  CHECK_ERROR(hone_graph_verify(graph), HONE_INVALID_MODEL, "list of uses");
  first->outputs[0]->uses = uses;
  CHECK_OK(hone_graph_verify(graph));
  hone_graph_free(graph);
}

TEST(reals_read_back) {
  static const double values[] = {0.1, 1e-05, 1.0 / 3, -0.0, 5e-324, 1.7976931348623157e308};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    hone_text text = {0};
    double back;
    hone_text_real(&text, values[i]);
    CHECK(hone_parse_real(text.data, &back) && memcmp(&back, &values[i], sizeof back) == 0);
    hone_text_free(&text);
  }
  double none;
  CHECK(!hone_parse_real("1x", &none) && !hone_parse_real("", &none));
}

int main(void) {
  RUN(everything_comes_back);
  RUN(structure_is_as_written);
  RUN(names_are_left_out);
  RUN(floats_are_exact);
  RUN(bad_text_is_refused);
  RUN(damage_is_survived);
  RUN(deep_regions_are_refused);
  RUN(verify_finds_broken_graphs);
  RUN(reals_read_back);
  return check_report();
}
