/* Half floats: what computes becomes f32, what moves stays, types seen from outside stay. */
#include "rewrites.h"

static const hone_pass *const widening[] = {&hone_pass_widen, NULL};

typedef struct row {
  const char *inputs, *body;
  int widened, casts;
} row;

#define W "w = const f16[4, 4] @weights+0 "
static const row rows[] = {
    {"x: f16[n, 4]", W "a = matmul(x, w) y = relu(a)", 2, 3},
    {"x: bf16[n, 4]", "y = softmax(x)", 1, 2},
    {"x: f32[n, 4]", "y = softmax(x)", 0, 0},
    /* one cast serves all readers; a movement of f32 stays f32 */
    {"x: f16[n, 4]", "a = exp(x) b = tanh(x) c = add(a, b) y = transpose(c) {perm=[1, 0]}", 4, 2},
    /* what only moves keeps its type */
    {"x: f16[n, 4]", "y = transpose(x) {perm=[1, 0]}", 0, 0},
    {"i: s64[n]", W "e = gather(w, i) {axis=0} y = relu(e)", 1, 2},
    /* the user's rounding stays */
    {"x: f32[n, 4]", "h = cast(x) {to=f16} r = relu(h) y = cast(r) {to=f32}", 1, 3},
    /* a value that is read by both kinds */
    {"x: f16[n, 4]", "a = exp(x) b = bitcast(a) {to=u16} c = cast(b) {to=f16} y = add(a, c)", 2, 5},
    {"q: u8[n, 4]", "s = const f16[] 0.5 d = dequantize(q, s) {dtype=f16} y = relu(d)", 2, 2},
    {"x: f16[n, 4]", "s = const f16[] 0.3 y = quantize(x, s)", 1, 2},
};

static void check_row(const row *r) {
  char text[1024];
  hone_pass_log log;
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph =
      rewrite_with(text, widening, rewrite_defaults, &log, bound("widened", "bf16"));
  if (!graph) return;
  if (rewrite_fired(&log, "compute in f32") != r->widened ||
      rewrite_count(graph, "cast") != r->casts) {
    fprintf(stderr, "%d widened and %d casts wanted:\n%s", r->widened, r->casts,
            rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

/* What jumps reads rounded values: the same integers, truths and whole numbers to the bit where one
 * op made them. */
TEST(jumps_see_the_rounding) {
  static const char *const graphs[] = {
      "graph g(x: f16[300]) -> (y) { c = const f16[] 700.0 a = mul(x, c) y = cast(a) {to=s32} }",
      "graph g(x: bf16[300]) -> (y) { a = exp(x) y = round(a) }",
      "graph g(x: f16[300], z: f16[300]) -> (y) { a = mul(x, z) y = less(a, x) }",
      "graph g(x: bf16[3, 100]) -> (y) { a = tanh(x) y = arg_reduce(a) {kind=max, axis=1} }",
      "graph g(x: bf16[300]) -> (y) { a = sin(x) b = cast(a) {to=f32} y = cast(b) {to=f64} }",
  };
  for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
    hone_pass_log log;
    double allowed = i == 4 ? bound("widened", "bf16") : 0;
    hone_graph_free(rewrite_with(graphs[i], widening, rewrite_defaults, &log, allowed));
  }
}

TEST(half_floats) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

/* Each result is rounded as the graph says: the bits of the reference. */
TEST(strict_keeps_every_rounding) {
  hone_pass_context context = rewrite_defaults;
  hone_pass_log log;
  context.strict = true;
  hone_graph *graph = rewrite_with(
      "graph g(x: f16[7, 4]) -> (y, a) { a = exp(x) b = mul(a, a) c = sub(b, x) y = sqrt(c) }",
      widening, context, &log, 0);
  CHECK(rewrite_fired(&log, "compute in f32") == 4);
  hone_graph_free(graph);
}

/* Half floats that cross into a body stay half floats there. */
TEST(regions) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(c: bool[], x: f16[5]) -> (y) {\n e = exp(x)\n"
      " y = if(c, e) region yes(t: f16[5]) -> (u) { u = neg(t) }\n"
      " region no(s: f16[5]) -> (v) { v = abs(s) }\n}",
      widening, rewrite_defaults, &log, bound("widened", "f16"));
  CHECK(rewrite_fired(&log, "compute in f32") == 3);
  hone_graph_free(graph);
}

/* A model that asks for bf16 throughout computes its products in it. */
TEST(products_in_bf16) {
  static const char *const graphs[] = {
      "graph g(x: bf16[5, 8]) -> (y) { w = const bf16[8, 8] @weights+0 y = matmul(x, w) }",
      "graph g(x: bf16[5, 8]) -> (y) { w = const bf16[8, 8] @weights+0 a = matmul(x, w)\n"
      " b = cast(a) {to=f32} v = const f32[8, 8] @weights+256 y = matmul(b, v) }"};
  for (int i = 0; i < 2; i++) {
    hone_graph *graph = rewrite_parse(graphs[i]);
    hone_pass_context context = rewrite_defaults;
    if (!graph) return;
    CHECK_OK(hone_pass_widen.run(graph, &context));
    CHECK(context.compute == (i == 0 ? HONE_BF16 : HONE_F32));
    hone_graph_free(graph);
  }
}

int main(void) {
  RUN(half_floats);
  RUN(jumps_see_the_rounding);
  RUN(strict_keeps_every_rounding);
  RUN(regions);
  RUN(products_in_bf16);
  return check_report();
}
