/* Pointwise bodies on the CPU backend: every op, many types and ways to broadcast. */
#include "cpu_bodies.h"
#include "backend/cpu/formula.h"
#include "backend/cpu/nodes/formula_step.h"
#include "ops/pointwise.h"

static char text[4096];
#define BODY(...) (snprintf(text, sizeof text, __VA_ARGS__), text)

/* Every unary and binary row of pointwise.def over the types it takes. */
static void check_op(const hone_op *op, const char *dtype, const char *shape) {
  int least, most;
  hone_op_arity(op->inputs, &least, &most);
  const char *args = most == 1 ? "x" : most == 2 ? "x, y" : "x, y, z";
  check_body(BODY("graph g(x: %s%s, y: %s%s, z: %s%s) -> (o) {\n o = %s(%s)\n}", dtype, shape,
                  dtype, shape, dtype, shape, op->name, args),
             bound("pointwise", dtype[1] == '1'   ? "f16"
                                : dtype[0] == 'b' ? "bf16"
                                                  : "fp32"));
}

static bool takes(const hone_op *op, hone_dtype_class klass) {
  const hone_pointwise_meaning *meaning = hone_pointwise_meaning_of(op);
  return meaning && meaning->classes >> klass & 1;
}

TEST(every_op) {
  size_t count;
  const hone_op *const *ops = hone_op_list(&count);
  for (size_t i = 0; i < count; i++) {
    if (takes(ops[i], HONE_CLASS_FLOAT)) {
      check_op(ops[i], "f32", "[3, 517]");
      check_op(ops[i], "f64", "[7]");
      check_op(ops[i], "f16", "[301]");
      check_op(ops[i], "bf16", "[33]");
    }
    if (takes(ops[i], HONE_CLASS_SIGNED)) {
      check_op(ops[i], "s64", "[300]");
      check_op(ops[i], "s32", "[2, 9]");
      check_op(ops[i], "s8", "[9]");
    }
    if (takes(ops[i], HONE_CLASS_UNSIGNED)) {
      check_op(ops[i], "u8", "[300]");
      check_op(ops[i], "u32", "[5]");
    }
    if (takes(ops[i], HONE_CLASS_BOOLEAN)) check_op(ops[i], "bool", "[301]");
  }
}

TEST(attributes) {
  check_body("graph g(x: f32[40]) -> (o) { o = leaky_relu(x) {alpha=0.3} }",
             bound("pointwise", "fp32"));
  check_body("graph g(x: f32[40]) -> (o) { o = gelu(x) {approximate=tanh} }",
             bound("pointwise", "fp32"));
  check_body("graph g(x: f32[40]) -> (o) { o = elu(x) {alpha=0.7} }", bound("pointwise", "fp32"));
  check_body("graph g(x: f32[40], y: f32[1]) -> (o) { o = mod(x, y) {fmod=true} }",
             bound("pointwise", "fp32"));
  check_body("graph g(x: f32[40]) -> (o) { h = const f32[] 0.5\n o = clip(x, _, h) }", 0);
  check_body("graph g(x: s32[40]) -> (o) { h = const s32[] 1\n o = clip(x, h, _) }", 0);
  check_body("graph g(x: f32[40]) -> (o) { p = const f32[] 2\n o = pow(x, p) }",
             bound("pointwise", "fp32"));
}

TEST(broadcasting) {
  static const char *const shapes[][3] = {
      {"[2, 3, 4, 65]", "[65]", "[2, 1, 1, 65]"},
      {"[2, 3, 4, 5]", "[5]", "[3, 1, 5]"},
      {"[2, 3, 4, 5]", "[2, 1, 1, 1]", "[1]"},
      {"[4, 1, 40]", "[1, 7, 1]", "[4, 1, 1]"},
      {"[600]", "[1]", "[600]"},
      {"[1]", "[3, 300]", "[3, 1]"},
      {"[0, 4]", "[4]", "[1]"},
      {"[3, 3]", "[1, 3]", "[3, 1]"},
      {"[2, 33, 9]", "[2, 1, 9]", "[9]"}, /* rows that repeat within a block */
      {"[2, 700, 40]", "[2, 1, 40]", "[2, 1, 1]"},
      {"[3, 5, 7, 200]", "[3, 1, 1, 200]", "[1]"},
      {"[2, 4, 129, 5]", "[1, 4, 1, 5]", "[2, 1, 1, 1]"},
      {"[50, 7]", "[7]", "[50, 1]"}, /* short rows together */
      {"[3, 90, 40]", "[1, 1, 40]", "[90, 1]"},
      {"[2, 9, 100]", "[9, 1]", "[2, 1, 100]"},
      {"[130, 2]", "[130, 1]", "[1, 2]"},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    check_body(BODY("graph g(x: f32%s, y: f32%s, z: f32%s) -> (o) {\n"
                    " a = mul(x, y)\n b = add(a, z)\n o = relu(b)\n}",
                    shapes[i][0], shapes[i][1], shapes[i][2]),
               bound("pointwise", "fp32"));
    check_body(BODY("graph g(x: u8%s, y: u8%s, z: s8%s) -> (o) {\n"
                    " a = cast(x) {to=f32} b = cast(y) {to=f32} c = cast(z) {to=f32}\n"
                    " d = mul(a, b) e = add(d, c) o = cast(e) {to=s8}\n}",
                    shapes[i][0], shapes[i][1], shapes[i][2]),
               0);
    static const char *const types[] = {"s32", "u8", "f64", "s64"};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
      check_body(BODY("graph g(x: %s%s, y: %s%s, z: %s%s) -> (o) {\n"
                      " a = mul(x, y)\n o = add(a, z)\n}",
                      types[t], shapes[i][0], types[t], shapes[i][1], types[t], shapes[i][2]),
                 0);
  }
}

TEST(chains) {
  check_body( /* a bool that is not needed any more leaves its register to no float */
      "graph g(x: f32[7, 90], y: f32[7, 90]) -> (o) {\n"
      " c = less(x, y)\n a = select(c, y, x)\n d = less(y, a)\n b = select(d, x, a)\n"
      " o = neg(b)\n}",
      0);
  check_body(
      "graph g(x: f32[33, 70], y: f32[70], m: bool[33, 1]) -> (p, q) {\n"
      " a = sub(x, y)\n b = exp(a)\n c = less(a, y)\n d = select(c, a, b)\n"
      " p = select(m, d, x)\n q = not(c)\n}",
      bound("pointwise", "fp32"));
  check_body(
      "graph g(x: f32[20]) -> (o) {\n a = sigmoid(x)\n b = mul(a, x)\n c = tanh(b)\n"
      " d = add(c, a)\n e = log(d)\n f = is_nan(e)\n g = cast(f) {to=f32}\n"
      " o = add(g, x)\n}",
      bound("pointwise", "fp32"));
}

/* Truths are narrower than what they choose between: neither may take the other's place. */
TEST(choices) {
  static const char *const types[] = {"f32", "f64", "s64", "s32", "u8", "f16"};
  for (int t = 0; t < 6; t++)
    check_body(BODY("graph g(x: %s[3, 700], y: %s[700], z: %s[3, 1]) -> (o) {\n"
                    " a = less(x, y) b = select(a, y, x) c = less(z, b) d = select(c, z, b)\n"
                    " e = greater(d, x) f = not(e) g = select(f, b, d) h = equal(g, y)\n"
                    " i = or(h, f) o = select(i, g, x)\n}",
                    types[t], types[t], types[t]),
               0);
}

TEST(casts_to_bytes) {
  static const char *const from[] = {"f32", "f64", "f16", "s32", "u8"};
  static const char *const to[] = {"f8e4m3", "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "f8e8m0"};
  static const char *const rounds[] = {"up", "down", "nearest"};
  for (int f = 0; f < 5; f++)
    for (int t = 0; t < 5; t++)
      for (int r = 0; r < 3; r++)
        check_body(BODY("graph g(x: %s[270]) -> (o) {\n c = const %s[] %s\n y = mul(x, c)\n"
                        " o = cast(y) {to=%s, saturate=%s, round=%s}\n}",
                        from[f], from[f], f == 2 || f == 4 ? "1" : "300", to[t],
                        r ? "true" : "false", rounds[r]),
                   0);
}

TEST(casts) {
  static const char *const types[] = {"f32", "f64", "f16", "bf16", "s64",
                                      "s32", "s8",  "u8",  "bool", "u16"};
  for (int from = 0; from < 10; from++)
    for (int to = 0; to < 10; to++)
      if (from != to)
        check_body(
            BODY("graph g(x: %s[270]) -> (o) { o = cast(x) {to=%s} }", types[from], types[to]), 0);
  /* Bytes of numbers beyond them. */
  static const char *const factors[] = {"100", "1e5", "-1e9", "3e18", "-3e18", "1e38"};
  for (int i = 0; i < 12; i++)
    check_body(BODY("graph g(x: f32[270]) -> (o) { c = const f32[] %s\n y = mul(x, c)\n"
                    " o = cast(y) {to=%s} }",
                    factors[i / 2], i % 2 ? "s8" : "u8"),
               0);
  /* Numbers from 2^63 on. */
  static const char *const reals[] = {"f32", "f64", "f16", "bf16", "bool", "f8e5m2"};
  for (int to = 0; to < 6; to++)
    check_body(BODY("graph g(x: u64[270]) -> (o) { c = const u64[3] [9223372036854775807,"
                    " 6148914691236517205, 1]\n t = const s64[2] [90, 3]\n r = reshape(x, t)\n"
                    " y = mul(r, c)\n o = cast(y) {to=%s} }",
                    reals[to]),
               0);
}

/* More operands than a formula has: two formulas, one after the other. */
TEST(many_operands) {
  int at = snprintf(text, sizeof text, "graph g(x0: f32[4]");
  for (int i = 1; i < 60; i++)
    at += snprintf(text + at, sizeof text - (size_t)at, ", x%d: f32[4]", i);
  at += snprintf(text + at, sizeof text - (size_t)at, ") -> (y59) {\n y0 = neg(x0)\n");
  for (int i = 1; i < 60; i++)
    at += snprintf(text + at, sizeof text - (size_t)at, " y%d = add(y%d, x%d)\n", i, i - 1, i);
  snprintf(text + at, sizeof text - (size_t)at, "}\n");
  check_body(text, bound("long chain", "fp32"));
}

/* Steps that follow each other are one, where nobody else reads what is between: the vector steps of
 * a formula of these nodes. */
static int steps_of(const char *lines) {
  hone_graph *graph = NULL;
  hone_formula *formula = NULL;
  hone_arena arena = {0};
  const hone_node *nodes[HONE_FORMULA_NODES];
  int count = 0;
  BODY("graph g(x: f32[40], y: f32[40]) -> (o) {\n c = const f32[] 3 low = const f32[] -2\n"
       " high = const f32[] 90\n%s\n}", lines);
  CHECK_OK(hone_graph_parse(text, strlen(text), hone_op_find, (hone_bytes){0}, &graph));
  if (!graph) return -1;
  for (const hone_node *node = graph->first; node; node = node->next) nodes[count++] = node;
  const hone_value *result = graph->outputs[0].value;
  CHECK_OK(hone_formula_make(nodes, count, &result, 1, &arena, &formula));
  int steps = formula ? formula->step_count : -1;
  hone_arena_free(&arena);
  hone_graph_free(graph);
  return steps;
}

TEST(steps_that_join) {
  CHECK(steps_of(" a = sub(x, c) b = mul(a, c) d = round(b) e = add(d, c) o = clip(e, low, high)") == 2);
  CHECK(steps_of(" a = mul(x, c) b = mul(y, a) d = round(b) o = clip(d, low, high)") == 2);
  CHECK(steps_of(" a = sub(x, c) b = mul(a, c) o = sub(b, a)") == 3); /* a is read twice */
  CHECK(steps_of(" a = mul(x, c) o = mul(a, a)") == 2);
  CHECK(steps_of(" d = round(x) o = clip(d, y, high)") == 2); /* y is no constant */
}

int main(void) {
  RUN(steps_that_join);
  RUN(many_operands);
  RUN(every_op);
  RUN(attributes);
  RUN(broadcasting);
  RUN(chains);
  RUN(choices);
  RUN(casts);
  RUN(casts_to_bytes);
  CHECK(bodies_on_kernels > 500);
  return check_report();
}
