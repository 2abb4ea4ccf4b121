/* Which graphs work on their batch row by row, and which only look so. */
#include <string.h>

#include "check.h"
#include "ir/text.h"
#include "ops/batch.h"
#include "ops/ops.h"

static const char *const by_rows[] = {
    /* a convolutional net with its head */
    ("graph g(x: f32[n, 8, 8, 3]) -> (y) { w = const f32[3, 3, 3, 4] @weights+0"
    " f = const f32[4, 5] @weights+0 axes = const s64[2] [1, -2]"
    " c = conv(x, w) {pads=[1, 1, 1, 1]} r = relu(c) p = pool(r) {kind=max, window=[2, 2]}"
    " m = reduce(p, axes) {kind=mean, keep=false} l = matmul(m, f) y = softmax(l) {axis=1} }"),
    /* a table that is looked up, a mask that all rows share */
    ("graph g(ids: s64[n, t], mask: f32[1, t, 1]) -> (y) { e = const f32[9, 4] @weights+0"
    " w = const f32[4, 4] @weights+0 x = gather(e, ids) a = add(x, mask) l = layer_norm(a)"
    " p = matmul(l, w) q = transpose(p) {perm=[0, 2, 1]} y = matmul(p, q) }"),
    /* moved within each row */
    ("graph g(x: f32[n, 12]) -> (y) { s = const s64[3] [0, 3, 4] b = const s64[1] [1]"
    " e = const s64[1] [3] a = const s64[1] [1] r = reshape(x, s) t = transpose(r) {perm=[0, 2, 1]}"
    " c = concat(t, t) {axis=1} y = slice(c, b, e, a) }"),
    /* one thing as often as there are rows */
    ("graph g(x: f32[n, 3, 4]) -> (y) { token = const f32[1, 1, 4] [0.5, 1, 2, 3]"
    " first = const s64[1] [0] s: host s64[3] = shape(x) n: host s64[1] = gather(s, first) rest ="
    " const s64[2] [1, 4]"
    " to: host s64[3] = concat(n, rest) {axis=0} t: f32[n, 1, 4] = expand(token, to)"
    " y = concat(t, x) {axis=1} }"),
    /* groups, and an output a row */
    ("graph g(x: f32[n, 6]) -> (y, z) { y: f32[n, 6] = group(x)"
    " region b(v: f32[n, 6]) -> (u) { u = tanh(v) } z = arg_reduce(x) {kind=max, axis=1, keep=false} }"),
};

static const char *const mixed[] = {
    "graph g(x: f32[n, 6]) -> (y) { y = softmax(x) {axis=0} }",
    "graph g(x: f32[n, 6]) -> (y) { a = const s64[1] [0] y = reduce(x, a) {kind=sum} }",
    "graph g(x: f32[n, 6]) -> (y) { a = const s64[1] [0] m = reduce(x, a) {kind=max} y = sub(x, m) }",
    "graph g(x: f32[n, 6]) -> (y) { m = reduce(x) {kind=sum} y = sub(x, m) }",
    "graph g(x: f32[n, n]) -> (y) { y = relu(x) }",
    "graph g(x: f32[6, n]) -> (y) { y = relu(x) }",
    "graph g(x: f32[n, 6]) -> (y) { y = transpose(x) {perm=[1, 0]} }",
    "graph g(x: f32[n, 6]) -> (y) { y = matmul(x, x) {transpose_b=true} }",
    "graph g(x: f32[n, 6]) -> (y) { y = concat(x, x) {axis=0} }",
    "graph g(x: f32[n, 6]) -> (y) { a = const s64[] 0 y = cumsum(x, a) }",
    /* the rows in the other order */
    ("graph g(x: f32[n, 6]) -> (y) { b = const s64[1] [-1] e = const s64[1] [-99] a = const s64[1] [0]"
    " s = const s64[1] [-1] y: f32[n, 6] = slice(x, b, e, a, s) }"),
    "graph g(x: f32[n, 6], i: s64[n]) -> (y) { y = gather(x, i) }",
    /* another number for each row, and how many rows there are */
    "graph g(x: f32[n, 6], m: f32[k, 1]) -> (y) { y: f32[n, 6] = add(x, m) }",
    "graph g(x: f32[n, 6]) -> (y) { c = size(x) f = cast(c) {to=f32} y = div(x, f) }",
    /* indices that count through all pictures */
    "graph g(x: f32[n, 4, 4, 1]) -> (y, i) { y, i = pool(x) {kind=max, window=[2, 2]} }",
    "graph g(x: f32[n, 6]) -> (y, s) { y = relu(x) s: host s64[2] = shape(x) }",
    ("graph g(x: f32[n, 6]) -> (y) { t = const s64[] 2 y = loop(t, _, x) {carried=1}"
    " region b(i: s64[], c: bool[], v: f32[n, 6]) -> (d, q) { d = identity(c) q = tanh(v) } }"),
    ("graph g(x: f32[n, 6]) -> (y) { y: f32[n, 6] = group(x)"
    " region b(v: f32[n, 6]) -> (u) { u = softmax(v) {axis=0} } }"),
    "graph g(x: f32[2, 6]) -> (y) { y = relu(x) }",
};

static hone_graph *parsed(const char *text) {
  static float weights[256];
  hone_graph *graph = NULL;
  hone_bytes bytes = {weights, sizeof weights};
  hone_status *status = hone_graph_parse(text, strlen(text), hone_op_find, bytes, &graph);
  if (status) fprintf(stderr, "  %s\n", hone_status_message(status));
  CHECK_OK(status);
  return graph;
}

TEST(rows_by_themselves) {
  for (size_t i = 0; i < sizeof by_rows / sizeof *by_rows; i++) {
    hone_graph *graph = parsed(by_rows[i]);
    hone_dim symbol = 0;
    CHECK_OK(hone_batch_symbol(graph, &symbol));
    CHECK(symbol == graph->inputs[0]->type.shape.dim[0]);
    if (!symbol) fprintf(stderr, "  %s\n", by_rows[i]);
    hone_graph_free(graph);
  }
}

TEST(rows_of_others) {
  for (size_t i = 0; i < sizeof mixed / sizeof *mixed; i++) {
    hone_graph *graph = parsed(mixed[i]);
    hone_dim symbol = 1;
    CHECK_OK(hone_batch_symbol(graph, &symbol));
    CHECK(symbol == 0);
    if (symbol) fprintf(stderr, "  %s\n", mixed[i]);
    hone_graph_free(graph);
  }
}

int main(void) {
  RUN(rows_by_themselves);
  RUN(rows_of_others);
  return check_report();
}
