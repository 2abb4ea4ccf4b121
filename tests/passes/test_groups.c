/* Places, precision and groups, and the whole pipeline. */
#include "rewrites.h"

static const hone_pass *const grouping[] = {&hone_pass_place, &hone_pass_fuse_groups, NULL};

/* After grouping the root holds only groups, views and what runs on the host. */
static int count_outside(const hone_graph *graph) {
  int count = 0;
  for (const hone_node *node = graph->first; node; node = node->next) {
    bool host = node->outputs[0] && node->outputs[0]->place == HONE_PLACE_HOST;
    if (node->op != &hone_op_group && !(node->op->facts & HONE_VIEW) && !host) count++;
  }
  return count;
}

typedef struct row {
  const char *inputs, *body;
  int groups, outside;
} row;

#define X          "x: f32[n, 6, 6, 4]"
#define W          "w = const f32[3, 3, 4, 4] @weights+0 b = const f32[4] [1, 2, 3, 4] "
#define CONV(y, x) y " = conv(" x ", w, b) {pads=[1, 1, 1, 1]} "
static const row rows[] = {
    {X, W CONV("c", "x") "y = relu(c)", 1, 0},
    {X, W CONV("c", "x") "a = add(c, x) y = relu(a)", 1, 0},
    {X, W CONV("c", "x") CONV("d", "c") "y = relu(d)", 2, 0},
    /* used twice, but both uses meet again inside */
    {X, W CONV("c", "x") "s = sigmoid(c) y = mul(c, s)", 1, 0},
    /* a residual: the first conv's result goes round the second */
    {X, W CONV("c", "x") "r = relu(c) " CONV("d", "r") "a = add(d, r) y = relu(a)", 2, 0},
    /* two convs meet in a sum: one of them takes it along */
    {X, W CONV("c", "x") CONV("d", "x") "a = add(c, d) y = relu(a)", 2, 0},
    {X, "a = relu(x) e = exp(a) z = add(e, x) y = tanh(z)", 1, 0},
    /* a sum that widens starts a group of its own */
    {"x: f32[4], z: f32[n, 4]", "a = exp(x) y = add(a, z)", 2, 0},
    {X, W "s = const s64[2] [-1, 4] " CONV("c", "x") "v = reshape(c, s) y = relu(v)", 2, 0},
    {X, "y = softmax(x)", 1, 0},
    {X, "p, q = split(x) {axis=3, parts=2} a = relu(p) b = relu(q) y = mul(a, b)", 2, 0},
    {X, W CONV("c", "x") "z = exp(c) t = transpose(z) {perm=[0, 3, 1, 2]} y = relu(t)", 3, 0},
    {"x: f32[n, 4], i: s64[2]", "s = expand(x, i) y = exp(s)", 2, 0},
    /* gates of channels go with the pointwise convolution that they are for, in either spelling */
    {"x: f32[n, 6, 6, 4], s: f32[n, 1, 1, 4]",
     "w = const f32[1, 1, 4, 8] @weights+0 g = sigmoid(s) m = mul(x, g) y = conv(m, w)", 2, 0},
    {"x: f32[n, 6, 6, 4], s: f32[1, 1, 1, 4], r: f32[n, 6, 6, 8]",
     "w = const f32[1, 1, 4, 8] @weights+0 g = sigmoid(s) m = mul(g, x) c = conv(m, w)"
     " y = add(c, r)",
     2, 0},
    /* but not before a window, not what others read, and not numbers of each pixel */
    {"x: f32[n, 6, 6, 4], s: f32[n, 1, 1, 4]", W "m = mul(x, s) " CONV("y", "m"), 2, 0},
    {"x: f32[n, 6, 6, 4], s: f32[n, 1, 1, 4]",
     "w = const f32[1, 1, 4, 4] @weights+0 m = mul(x, s) c = conv(m, w) y = add(c, m)", 2, 0},
    {"x: f32[n, 6, 6, 4], s: f32[n, 6, 6, 1]",
     "w = const f32[1, 1, 4, 8] @weights+0 m = mul(x, s) y = conv(m, w)", 2, 0},
    /* attention takes the heads' split and merge along, also out of one wide projection */
    {"q: f32[n, 5, 4, 8], k: f32[n, 7, 4, 8], v: f32[n, 4, 7, 8]",
     "a = transpose(q) {perm=[0, 2, 1, 3]} b = transpose(k) {perm=[0, 2, 1, 3]}"
     " c = attention(a, b, v) y = transpose(c) {perm=[0, 2, 1, 3]}",
     1, 0},
    {"x: f32[n, 5, 96]",
     "i = const s64[1] [0] j = const s64[1] [32] k = const s64[1] [64]"
     " l = const s64[1] [96] z = const s64[1] [2] s = const s64[4] [0, 0, 4, 8]"
     " a = slice(x, i, j, z) b = slice(x, j, k, z) c = slice(x, k, l, z)"
     " d = reshape(a, s) e = reshape(b, s) f = reshape(c, s)"
     " g = transpose(d) {perm=[0, 2, 1, 3]} h = transpose(e) {perm=[0, 2, 1, 3]}"
     " m = transpose(f) {perm=[0, 2, 1, 3]} y = attention(g, h, m)",
     1, 0},
    /* but neither what others read, nor what follows a result that others read */
    {"q: f32[n, 5, 4, 8], k: f32[n, 4, 7, 8]",
     "a = transpose(q) {perm=[0, 2, 1, 3]} b = exp(a) c = attention(a, k, k)"
     " d = transpose(c) {perm=[0, 2, 1, 3]} e = exp(c) f = add(b, e) g = transpose(f)"
     " {perm=[0, 2, 1, 3]} y = add(d, g)",
     6, 0},
    {"x: f32[8]", "z = nonzero(x) y = cast(z) {to=f32}", 2, 0},
};

static void check_row(const row *r) {
  char text[2048];
  hone_pass_log log;
  bool runs = !strstr(r->body, "expand");
  snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", r->inputs, r->body);
  hone_graph *graph = NULL;
  if (runs) {
    graph = rewrite_with(text, grouping, rewrite_defaults, &log, 0);
  } else {
    hone_pass_context context = rewrite_defaults;
    graph = rewrite_parse(text);
    for (int i = 0; graph && grouping[i]; i++) CHECK_OK(grouping[i]->run(graph, &context));
    if (graph) CHECK_OK(hone_graph_verify(graph));
  }
  if (!graph) return;
  if (rewrite_count(graph, "group") != r->groups || count_outside(graph) != r->outside) {
    fprintf(stderr, "%d groups and %d outside wanted:\n%s", r->groups, r->outside,
            rewrite_print(graph));
    check_failed++;
  }
  hone_graph_free(graph);
}

TEST(groups) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

TEST(groups_keep_names_and_sources) {
  hone_pass_log log;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[3]) -> (y) { a = exp(x) # from \"one\"\n y = relu(a) # from \"two\"\n }",
      grouping, rewrite_defaults, &log, 0);
  if (!graph) return;
  const hone_node *group = graph->first;
  CHECK(group->op == &hone_op_group && group->source_count == 2);
  CHECK(strcmp(group->outputs[0]->name, "y") == 0);
  CHECK(strcmp(group->regions[0]->first->outputs[0]->name, "a") == 0);
  CHECK(group->input_count == 1 && group->regions[0]->input_count == 1);
  hone_graph_free(graph);
}

/* What feeds a shape is computed on the host, back to the shape it reads. */
TEST(places) {
  hone_graph *graph = rewrite_parse(
      "graph g(x: f32[n, m, 4], z: f32[n]) -> (y) { i = const s64[1] [1] two = const s64[1] [2]\n"
      "  s = shape(x) b = gather(s, i) {axis=0} c = mul(b, two) y = tile(z, c) }");
  hone_pass_context context = rewrite_defaults;
  if (!graph) return;
  CHECK_OK(hone_pass_place.run(graph, &context));
  for (const hone_node *node = graph->first; node; node = node->next)
    CHECK((node->outputs[0]->place == HONE_PLACE_HOST) == (node != graph->last));
  CHECK(graph->inputs[0]->place == HONE_PLACE_DEVICE);
  hone_graph_free(graph);
}

/* What the host reads and the device makes crosses once; a large sum stays on the device. */
TEST(crossings_are_nodes) {
  static const struct {
    const char *text;
    int crossings;
  } cases[] = {
      {"graph g(x: f32[n], s: s64[2]) -> (y, z) { y = reshape(x, s) z = reshape(x, s) }", 1},
      {"graph g(x: f32[n, 4], l: s64[b, 4]) -> (y) { a = const s64[2] [0, 1] "
       "m = reduce(l, a) {kind=max, keep=false} o = const s64[1] [0] u = unsqueeze(m, o) "
       "i = const s64[1] [-1] c = concat(u, i) {axis=0} "
       "y = reshape(x, c) }",
       1},
      {"graph g(x: f32[n], c: bool[]) -> (y) { y = if(c, x) "
       "region then(v: f32[n]) -> (r) { r = relu(v) } region else(w: f32[n]) -> (s) { s = neg(w) } "
       "}",
       1},
      {"graph g(x: f32[n, 4]) -> (y) { i = const s64[1] [0] s = shape(x) b = gather(s, i) {axis=0} "
       "c = const s64[1] [-1] d = concat(b, c) {axis=0} y = reshape(x, d) }",
       0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    hone_pass_context context = rewrite_defaults;
    hone_graph *graph = rewrite_parse(cases[i].text);
    CHECK(graph != NULL);
    if (!graph) continue;
    CHECK_OK(hone_pass_place.run(graph, &context));
    CHECK_OK(hone_graph_verify(graph));
    CHECK(rewrite_count(graph, "to_host") == cases[i].crossings);
    hone_graph_free(graph);
  }
}

TEST(crossings_unseen_are_refused) {
  static const char *const texts[] = {
      "graph g(x: f32[n], s: s64[2]) -> (y) { y = reshape(x, s) }",
      "graph g(x: f32[n]) -> (y) { y: host f32[n] = relu(x) }",
      "graph g(x: f32[4]) -> (y) { n = const s64[1] [2] "
      "a: host f32[2], b: f32[2] = split(x, n) y = add(a, b) }",
      "graph g(x: f32[n], t: s64[]) -> (y) { y = loop(t, _, x) {carried=1} "
      "region body(i: s64[], c: bool[], v: f32[n]) -> (d, w) { d = identity(c) w = relu(v) } }",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    hone_graph *graph = rewrite_parse(texts[i]);
    CHECK(graph != NULL);
    if (graph) CHECK_ERROR(hone_graph_verify_places(graph), HONE_INVALID_MODEL, "");
    hone_graph_free(graph);
  }
}

/* Bit for bit, ties and saturation included. */
TEST(quantisation_becomes_pointwise) {
  static const hone_pass *const lowering[] = {&hone_pass_lower_quantize, &hone_pass_place,
                                              &hone_pass_fuse_groups, NULL};
  static const struct {
    const char *body;
    int left;
  } cases[] = {
      {"s = const f32[] 0.01 z = const u8[] 128 q = quantize(x, s, z) y = dequantize(q, s, z)", 0},
      {"s = const f32[] 0.25 q = quantize(x, s) {dtype=s8} y = dequantize(q, s)", 0},
      {"s = const f32[4] [0.1, 0.02, 0.3, 1] z = const s8[4] [0, 3, -5, 127] "
       "q = quantize(x, s, z) {axis=1, dtype=s8} y = dequantize(q, s, z) {axis=1}",
       0},
      {"s = const f32[] 0.001 z = const u16[] 999 q = quantize(x, s, z) {dtype=u16} "
       "y = dequantize(q, s, z)",
       0},
      {"s = const f32[2, 6] [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6] r = const s64[2] [8, 6] "
       "f = reshape(x, r) y = quantize(f, s) {axis=0, block=4, dtype=s8}",
       1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[1024];
    hone_pass_log log;
    snprintf(text, sizeof text, "graph g(x: f32[2, 4, 6]) -> (y) { %s }", cases[i].body);
    hone_graph *graph = rewrite_with(text, lowering, rewrite_defaults, &log, 0);
    CHECK(graph &&
          rewrite_count(graph, "quantize") + rewrite_count(graph, "dequantize") == cases[i].left);
    CHECK(graph && (cases[i].left || rewrite_count(graph, "group") == 1));
    hone_graph_free(graph);
  }
}

static bool takes_node(const hone_node *node) {
  return node != NULL;
}

/* A bare norm goes with the product that alone reads it, on a device, in 16 bits. */
TEST(norms_with_products) {
  static const struct {
    const char *head, *body;
    bool device;
    int groups;
  } cases[] = {
      {"x: f16[n, 6, 64]",
       "w = const f16[64, 8] @weights+0 m = layer_norm(x) c = matmul(m, w) y = relu(c)", true, 1},
      {"x: bf16[n, 64]", "w = const bf16[64, 8] @weights+0 m = rms_norm(x) y = matmul(m, w)", true, 1},
      {"x: f16[n, 64]", "w = const f16[64, 8] @weights+0 m = layer_norm(x) y = matmul(m, w)", false, 2},
      {"x: f32[n, 64]", "w = const f32[64, 8] @weights+0 m = layer_norm(x) y = matmul(m, w)", true, 2},
      {"x: f16[n, 64], w: f16[64, 8]", "m = layer_norm(x) y = matmul(m, w)", true, 2},
      {"x: f16[n, 64], s: f16[64]",
       "w = const f16[64, 8] @weights+0 m = rms_norm(x, s) y = matmul(m, w)", true, 2},
      {"x: f16[n, 64]",
       "w = const f16[64, 64] @weights+0 m = layer_norm(x) c = matmul(m, w) y = add(c, m)", true, 2},
      /* a row, which the host reads by a pitch and a device where it lies, or copied */
      {"x: f32[n, 6, 64]",
       "w = const f32[64, 8] @weights+0 o = const s64[1] [1] e = const s64[1] [2] "
       "s = slice(x, o, e, o) y = matmul(s, w)",
       false, 1},
      {"x: f16[n, 6, 64]",
       "w = const f16[64, 8] @weights+0 o = const s64[1] [1] e = const s64[1] [2] "
       "s = slice(x, o, e, o) y = matmul(s, w)",
       true, 2},
      /* a transpose rounds on a device, where it leaves rows whole and nothing computes before it */
      {"x: f32[n, 3, 32]",
       "s = const s64[4] [0, 3, 4, 8] h = cast(x) {to=f16} r = reshape(h, s) "
       "y = transpose(r) {perm=[0, 2, 1, 3]}",
       true, 1},
      {"x: f32[n, 3, 32]",
       "s = const s64[4] [0, 3, 4, 8] h = cast(x) {to=f16} r = reshape(h, s) "
       "y = transpose(r) {perm=[0, 2, 1, 3]}",
       false, 2},
      {"x: f32[n, 3, 32]", "h = cast(x) {to=f16} y = transpose(h) {perm=[0, 2, 1]}", true, 2},
      {"x: f32[n, 3, 32]", "a = abs(x) h = cast(a) {to=f16} y = transpose(h) {perm=[1, 0, 2]}", true,
       2},
      {"x: f32[n, 3, 32]",
       "h = cast(x) {to=f16} t = transpose(h) {perm=[1, 0, 2]} u = transpose(t) {perm=[1, 0, 2]} "
       "y = add(u, h)",
       true, 4}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[512];
    hone_pass_log log;
    hone_pass_context context = rewrite_defaults;
    if (cases[i].device) context.takes = takes_node;
    snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", cases[i].head, cases[i].body);
    hone_graph *graph = rewrite_with(text, grouping, context, &log, 0);
    CHECK(graph && rewrite_count(graph, "group") == cases[i].groups);
    hone_graph_free(graph);
  }
}

TEST(products_without_what_no_kernel_takes) {
  static const hone_pass *const splitting[] = {&hone_pass_split_products, NULL};
  static const struct {
    const char *head, *body;
    int split;
  } cases[] = {{"a: f32[5, 4], b: f32[4, 3]", "y = matmul(a, b) {alpha=0.5}", 1},
               {"a: f32[5, 4], b: f32[4, 3], c: f32[3]", "y = matmul(a, b, c) {alpha=0.5}", 1},
               {"a: f32[5, 4], b: f32[4, 3], c: f32[5, 1]", "y = matmul(a, b, c)", 1},
               {"a: f32[5, 4], c: f32[]",
                "b = const f32[4, 3] @weights+0 y = matmul(a, b, c) {alpha=2.0}", 1},
               {"a: f32[5, 4]", "b = const f32[4, 3] @weights+0 y = matmul(a, b) {alpha=2.0}", 0},
               {"a: f32[5, 4], b: f32[4, 3], c: f32[5, 3]", "y = matmul(a, b, c)", 0},
               {"a: f32[5, 4], b: f32[4, 3], c: f32[1, 3]", "y = matmul(a, b, c)", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[512];
    hone_pass_log log;
    snprintf(text, sizeof text, "graph g(%s) -> (y) { %s }", cases[i].head, cases[i].body);
    hone_graph *graph =
        rewrite_with(text, splitting, rewrite_defaults, &log, bound("rewrite", "fp32"));
    CHECK(rewrite_fired(&log, "split a product") == cases[i].split);
    hone_graph_free(graph);
  }
}

TEST(lower_precision_is_explicit) {
  static const hone_pass *const lowering[] = {&hone_pass_precision,
                                              &hone_pass_propagate,
                                              &hone_pass_simplify,
                                              &hone_pass_merge_equal,
                                              &hone_pass_place,
                                              &hone_pass_fuse_groups,
                                              NULL};
  hone_pass_context context = rewrite_defaults;
  hone_pass_log log;
  context.compute = HONE_BF16;
  hone_graph *graph = rewrite_with(
      "graph g(x: f32[5, 8]) -> (y) { w = const f32[8, 8] @weights+0 v = const f32[8, 8] "
      "@weights+256\n"
      "  a = matmul(x, w) r = relu(a) y = matmul(r, v) }",
      lowering, context, &log, 0.03);
  if (!graph) return;
  CHECK(rewrite_fired(&log, "lower precision") == 2);
  CHECK(rewrite_count(graph, "group") == 2 && graph->output_count == 1);
  CHECK(graph->outputs[0].value->type.dtype == HONE_F32);
  if (rewrite_count(graph, "group") != 2) fprintf(stderr, "%s", rewrite_print(graph));
  hone_graph_free(graph);
}

/* Layers exchange bf16 where all readers take it: two blocks of MobileNet, with the sum of both. */
TEST(bf16_between_layers) {
  hone_pass_context context = rewrite_defaults;
  hone_pass_log log = {.count = 0};
  context.compute = HONE_BF16, context.stores_bf16 = true;
  context.log = &log;
  hone_graph *graph = rewrite_parse(
      "graph g(x: f32[1, 5, 6, 4]) -> (y) {\n"
      "  e = const f32[1, 1, 4, 8] @weights+0 w = const f32[3, 3, 1, 8] @weights+256\n"
      "  p = const f32[1, 1, 8, 4] @weights+768\n"
      "  a0 = conv(x, e) a1 = relu(a0)\n"
      "  a2 = conv(a1, w) {groups=8, pads=[1, 1, 1, 1]} a3 = relu(a2) a4 = conv(a3, p)\n"
      "  b0 = conv(a4, e) b1 = relu(b0)\n"
      "  b2 = conv(b1, w) {groups=8, pads=[1, 1, 1, 1]} b3 = relu(b2) b4 = conv(b3, p)\n"
      "  y = add(a4, b4)\n}");
  if (!graph) return;
  CHECK_OK(hone_run_passes(graph, &context));
  CHECK(rewrite_fired(&log, "store in bf16") == 4);
  CHECK(rewrite_count(graph, "group") == 6 && count_outside(graph) == 0);
  for (const hone_node *node = graph->first; node; node = node->next) {
    bool last = node->outputs[0] == graph->outputs[0].value;
    CHECK(node->outputs[0]->type.dtype == (last ? HONE_F32 : HONE_BF16));
  }
  if (check_failed) fprintf(stderr, "%s", rewrite_print(graph)), rewrite_show_log(&log);
  hone_graph_free(graph);
}

/* A first layer takes the turn of its picture along. */
TEST(planes_into_conv) {
  hone_graph *graph = rewrite_parse(
      "graph g(x: f32[n, 3, 8, 10]) -> (y) {\n  w = const f32[3, 3, 3, 8] @weights+0\n"
      "  t = transpose(x) {perm=[0, 2, 3, 1]} y = conv(t, w)\n}");
  if (!graph) return;
  hone_pass_context context = rewrite_defaults;
  CHECK_OK(hone_run_passes(graph, &context));
  CHECK(rewrite_count(graph, "group") == 1 && count_outside(graph) == 0);
  hone_graph_free(graph);
}

/* The first layers of ResNet: a maximum of windows takes and gives bf16, and so does what a branch adds
 * to the convolution that takes the sum. */
TEST(bf16_through_maxima_and_branches) {
  hone_pass_context context = rewrite_defaults;
  hone_pass_log log = {.count = 0};
  context.compute = HONE_BF16, context.stores_bf16 = true;
  context.log = &log;
  hone_graph *graph = rewrite_parse(
      "graph g(x: f32[1, 8, 10, 3]) -> (y) {\n"
      "  s = const f32[3, 3, 3, 8] @weights+0 e = const f32[1, 1, 8, 8] @weights+900\n"
      "  w = const f32[3, 3, 8, 8] @weights+64\n"
      "  a0 = conv(x, s) {pads=[1, 1, 1, 1]} a1 = relu(a0)\n"
      "  p = pool(a1) {kind=max, window=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]}\n"
      "  b0 = conv(p, w) {pads=[1, 1, 1, 1]} b1 = relu(b0) b2 = conv(b1, e)\n"
      "  c = conv(p, e) d0 = add(b2, c) d = relu(d0) y = conv(d, e)\n}");
  if (!graph) return;
  CHECK_OK(hone_run_passes(graph, &context));
  CHECK(rewrite_count(graph, "group") == 6 && count_outside(graph) == 0);
  for (const hone_node *node = graph->first; node; node = node->next) {
    bool last = node->outputs[0] == graph->outputs[0].value;
    CHECK(node->outputs[0]->type.dtype == (last ? HONE_F32 : HONE_BF16));
  }
  if (check_failed) fprintf(stderr, "%s", rewrite_print(graph)), rewrite_show_log(&log);
  hone_graph_free(graph);
}

/* An encoder layer as an exporter writes it, through the whole pipeline. */
TEST(pipeline_on_a_transformer_layer) {
  static const char text[] =
      "graph layer(x: f32[n, 6, 8], mask: f32[n, 1, 1, 6]) -> (y) {\n"
      "  wq = const f32[8, 8] @weights+0 wk = const f32[8, 8] @weights+256\n"
      "  wv = const f32[8, 8] @weights+512 wo = const f32[8, 8] @weights+768\n"
      "  bq = const f32[8] @weights+1024 g = const f32[8] @weights+1056\n"
      "  i0 = const s64[] 0 axis = const s64[1] [0] rest = const s64[3] [6, 2, 4]\n"
      "  flat = const s64[2] [6, 8] last = const s64[1] [-1] eps = const f32[] 1e-12\n"
      "  two = const f32[] 2 half = const f32[] 0.5 root = const f32[] 1.4142135 one = const f32[] "
      "1\n"
      "  s = shape(x) n0 = gather(s, i0) {axis=0} n1 = unsqueeze(n0, axis)\n"
      "  heads = concat(n1, rest) {axis=0} whole = concat(n1, flat) {axis=0}\n"
      "  q0 = matmul(x, wq) q1 = add(q0, bq) q2 = reshape(q1, heads)\n"
      "  q = transpose(q2) {perm=[0, 2, 1, 3]}\n"
      "  k0 = matmul(x, wk) k1 = add(bq, k0) k2 = reshape(k1, heads)\n"
      "  k = transpose(k2) {perm=[0, 2, 3, 1]}\n"
      "  v0 = matmul(x, wv) v2 = reshape(v0, heads) v = transpose(v2) {perm=[0, 2, 1, 3]}\n"
      "  a0 = matmul(q, k) a1 = div(a0, two) a2 = add(a1, mask) a3 = softmax(a2) {axis=-1}\n"
      "  a4 = matmul(a3, v) a5 = transpose(a4) {perm=[0, 2, 1, 3]} a6 = reshape(a5, whole)\n"
      "  o0 = matmul(a6, wo) o1 = add(o0, bq) o2 = add(o1, x)\n"
      "  m = reduce(o2, last) {kind=mean} d = sub(o2, m) d2 = pow(d, two)\n"
      "  e = reduce(d2, last) {kind=mean} e1 = add(e, eps) e2 = sqrt(e1) l0 = div(d, e2)\n"
      "  l1 = mul(l0, g) l = add(l1, bq)\n"
      "  f0 = matmul(l, wq) f1 = add(f0, bq) f2 = div(f1, root) f3 = erf(f2) f4 = add(f3, one)\n"
      "  f5 = mul(f1, f4) f = mul(f5, half) h0 = matmul(f, wk) y = add(h0, l)\n"
      "}\n";
  hone_graph *before = rewrite_parse(text), *after = rewrite_parse(text);
  hone_pass_context context = rewrite_defaults;
  hone_pass_log log = {.count = 0};
  context.log = &log;
  if (!before || !after) return;
  CHECK_OK(hone_run_passes(after, &context));
  rewrite_compare(before, after, bound("rewritten sums", "fp32"));
  CHECK(rewrite_count(after, "attention") == 1 && rewrite_count(after, "layer_norm") == 1);
  CHECK(rewrite_count(after, "gelu") == 1 && rewrite_count(after, "shape") == 0);
  CHECK(rewrite_count(after, "group") == 6 && count_outside(after) == 0);
  if (check_failed) fprintf(stderr, "%s", rewrite_print(after)), rewrite_show_log(&log);
  hone_graph_free(before);
  hone_graph_free(after);
}

/* Three ways to write attention behind one projection, each two groups in the end and no other
 * copy. */
TEST(pipeline_on_packed_projections) {
  static const char *const spellings[] = {
      "s = const s64[5] [0, 0, 3, 2, 4] a = reshape(p, s) b = transpose(a) {perm=[2, 0, 3, 1, 4]}"
      " i = const s64[] 0 j = const s64[] 1 l = const s64[] 2 q = gather(b, i) {axis=0}"
      " k = gather(b, j) {axis=0} v = gather(b, l) {axis=0}",
      "s = const s64[5] [0, 0, 3, 2, 4] z = const s64[1] [0] a = reshape(p, s)"
      " b = transpose(a) {perm=[2, 0, 3, 1, 4]} c, d, e = split(b) {axis=0}"
      " q = squeeze(c, z) k = squeeze(d, z) v = squeeze(e, z)",
      "s = const s64[4] [0, 0, 2, 4] a, b, c = split(p) {axis=2} d = reshape(a, s) e = reshape(b, "
      "s)"
      " f = reshape(c, s) q = transpose(d) {perm=[0, 2, 1, 3]} k = transpose(e) {perm=[0, 2, 1, 3]}"
      " v = transpose(f) {perm=[0, 2, 1, 3]}",
  };
  for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
    char text[2048];
    snprintf(text, sizeof text,
             "graph g(x: f32[n, 5, 8]) -> (y) { w = const f32[8, 24] @weights+0"
             " u = const f32[24] @weights+768 half = const f32[] 0.5 m = const s64[3] [0, 0, 8]"
             " p0 = matmul(x, w) p = add(p0, u) %s t = transpose(k) {perm=[0, 1, 3, 2]}"
             " a0 = matmul(q, t) a1 = mul(a0, half) a2 = softmax(a1) {axis=-1} a3 = matmul(a2, v)"
             " a4 = transpose(a3) {perm=[0, 2, 1, 3]} y = reshape(a4, m) }",
             spellings[i]);
    hone_graph *before = rewrite_parse(text), *after = rewrite_parse(text);
    hone_pass_context context = rewrite_defaults;
    if (!before || !after) return;
    CHECK_OK(hone_run_passes(after, &context));
    rewrite_compare(before, after, bound("rewritten sums", "fp32"));
    bool good = rewrite_count(after, "group") == 2 && rewrite_count(after, "attention") == 1 &&
                rewrite_count(after, "slice") == 3 && rewrite_count(after, "gather") == 0 &&
                rewrite_count(after, "split") == 0;
    if (!good) fprintf(stderr, "%s", rewrite_print(after));
    CHECK(good);
    hone_graph_free(before);
    hone_graph_free(after);
  }
}

/* Vision transformers as torch.onnx writes them: nn.MultiheadAttention turns tokens before images and
 * back. Norm, projection, attention, projection with the residual: no transpose between them. */
static void check_tokens_first(const char *input, const char *turn, const char *back) {
  static const char layer[] =
      "graph g(x: f32%s) -> (y) {\n"
      "  w = const f32[8, 24] @weights+0 u = const f32[24] @weights+768\n"
      "  wo = const f32[8, 8] @weights+1024 bo = const f32[8] @weights+2048\n"
      "  g = const f32[8] @weights+4096 c = const f32[] 0.8408964\n"
      "  s4 = const s64[4] [5, -1, 3, 8] z = const s64[1] [0] t = const s64[1] [-2]\n"
      "  i = const s64[] 0 j = const s64[] 1 k = const s64[] 2 h = const s64[3] [5, -1, 4]\n"
      "  w4 = const s64[4] [-1, 2, 5, 4] m = const s64[2] [-1, 8] m3 = const s64[3] [5, -1, 8]\n"
      "  l = layer_norm(x, g, bo) a = %s p0 = matmul(a, w) p = add(p0, u)\n"
      "  p4 = reshape(p, s4) p5 = unsqueeze(p4, z) p6 = transpose(p5) {perm=[3, 1, 2, 0, 4]}\n"
      "  p7 = squeeze(p6, t) q0 = gather(p7, i) {axis=0} k0 = gather(p7, j) {axis=0}\n"
      "  v0 = gather(p7, k) {axis=0} q1 = reshape(q0, h) k1 = reshape(k0, h) v1 = reshape(v0, h)\n"
      "  q2 = transpose(q1) {perm=[1, 0, 2]} k2 = transpose(k1) {perm=[1, 0, 2]}\n"
      "  v2 = transpose(v1) {perm=[1, 0, 2]} q3 = reshape(q2, w4) k3 = reshape(k2, w4)\n"
      "  v3 = reshape(v2, w4) k4 = transpose(k3) {perm=[0, 1, 3, 2]} q5 = mul(q3, c) k5 = mul(k4, c)\n"
      "  f0 = matmul(q5, k5) f1 = softmax(f0) {axis=-1} f2 = matmul(f1, v3)\n"
      "  f3 = transpose(f2) {perm=[2, 0, 1, 3]} f4 = reshape(f3, m) o1 = matmul(f4, wo, bo)\n"
      "  o2 = reshape(o1, m3) o3 = %s y = add(o3, x)\n"
      "}\n";
  char text[4096];
  snprintf(text, sizeof text, layer, input, turn, back);
  hone_graph *before = rewrite_parse(text), *after = rewrite_parse(text);
  hone_pass_context context = rewrite_defaults;
  if (!before || !after) return;
  CHECK_OK(hone_run_passes(after, &context));
  rewrite_compare(before, after, bound("rewritten sums", "fp32"));
  CHECK(rewrite_count(after, "attention") == 1 && rewrite_count(after, "group") == 4);
  if (check_failed) fprintf(stderr, "%s", rewrite_print(after));
  hone_graph_free(before);
  hone_graph_free(after);
}

TEST(pipeline_on_tokens_before_images) {
  check_tokens_first("[n, 5, 8]", "transpose(l) {perm=[1, 0, 2]}", "transpose(o2) {perm=[1, 0, 2]}");
  check_tokens_first("[5, n, 8]", "identity(l)", "identity(o2)");
}

/* ---- Several layers in one group -------------------------------------------------------------- */

/* Three convolutions, or one and what pools it. */
static bool joins_layers(const hone_node *const *layers, int count) {
  static const int64_t groups[] = {1, 8, 1};
  if (count == 2) return layers[0]->op == &hone_op_conv && layers[1]->op == &hone_op_pool;
  for (int i = 0; i < 3; i++)
    if (layers[i]->op != &hone_op_conv || hone_node_int(layers[i], "groups") != groups[i]) return false;
  return true;
}

/* How many groups and blocks the graph of one value becomes, with blocks as one group or not. */
static void check_blocks(const char *nodes, int apart, int blocks, int joined_nodes) {
  char text[2000];
  snprintf(text, sizeof text,
           "graph g(x: f32[1, 5, 6, 4]) -> (y) {\n"
           " e = const f32[1, 1, 4, 8] @weights+0 w = const f32[3, 3, 1, 8] @weights+256\n"
           " p = const f32[1, 1, 8, 4] @weights+768 q = const f32[1, 1, 8, 8] @weights+1024\n%s}",
           nodes);
  for (int joined = 0; joined < 2; joined++) {
    hone_graph *before = rewrite_parse(text), *graph = rewrite_parse(text);
    hone_pass_context context = rewrite_defaults;
    hone_pass_blocks found = {.count = 0};
    if (!before || !graph) return;
    for (int i = 0; joined && i < HONE_MOST_BLOCKS; i++) found.at[i].joined = true;
    context.joins = joins_layers, context.blocks = &found;
    CHECK_OK(hone_run_passes(graph, &context));
    CHECK(found.count == blocks);
    int fewer = 0;
    for (int i = 0; i < found.count; i++) {
      int layers = found.at[i].count;
      fewer += joined ? layers - 1 : 0;
      for (int k = joined ? layers - 1 : 0; k < layers; k++) {
        const hone_node *group = found.at[i].groups[k];
        CHECK(group && group->op == &hone_op_group && group->graph == graph);
      }
    }
    CHECK(rewrite_count(graph, "group") == apart - fewer);
    if (joined && blocks) {
      int count = 0;
      const hone_node *n = hone_pass_block_end(&found.at[0])->regions[0]->first;
      for (; n; n = n->next) count++;
      CHECK(count == joined_nodes);
    }
    rewrite_compare(before, graph, bound("rewritten sums", "fp32"));
    if (check_failed) fprintf(stderr, "%s", rewrite_print(graph));
    hone_graph_free(before);
    hone_graph_free(graph);
  }
}

#define WINDOWS " {groups=8, pads=[1, 1, 1, 1]}"
#define HALF    " {kind=max, window=[2, 2], strides=[2, 2]}"
TEST(blocks) {
  /* with a residual; nothing between the layers */
  check_blocks("a = conv(x, e) b = relu(a) c = conv(b, w)" WINDOWS
               " d = relu(c) f = conv(d, p) y = add(f, x)",
               3, 1, 6);
  check_blocks("a = conv(x, e) c = conv(a, w)" WINDOWS " y = conv(c, p)", 3, 1, 3);
  /* every second layer is one of both sides: none is in two blocks */
  check_blocks("a = conv(x, e) b = conv(a, w)" WINDOWS " c = conv(b, q) d = conv(c, w)" WINDOWS
               " f = conv(d, q) g = conv(f, w)" WINDOWS " y = conv(g, p)",
               7, 2, 3);
  /* what is widened is read twice, and what windows made, by squeeze and excite; no windows */
  check_blocks("a = conv(x, e) b = relu(a) c = conv(b, w)" WINDOWS " d = add(c, b) y = conv(d, p)", 3,
               0, 0);
  check_blocks("i = const s64[2] [1, 2] a = conv(x, e) c = conv(a, w)" WINDOWS
               " m = reduce(c, i) {kind=mean} s = sigmoid(m) d = mul(c, s) y = conv(d, p)",
               5, 0, 0);
  check_blocks("a = conv(x, e) c = conv(a, q) d = relu(c) y = conv(d, p)", 3, 0, 0);
  /* two layers: a maximum of a convolution, which nothing else reads, and is in no block of three */
  check_blocks("a = conv(x, e) b = relu(a) y = pool(b)" HALF, 2, 1, 3);
  check_blocks("a = conv(x, e) b = pool(a)" HALF " c = conv(b, q) y = pool(c)" HALF, 4, 2, 2);
  check_blocks("a = conv(x, e) b = pool(a)" HALF " c = pool(a) {kind=avg, window=[2, 2], "
               "strides=[2, 2]} y = add(b, c)", 4, 0, 0);
  check_blocks("a = conv(x, e) c = conv(a, w)" WINDOWS " d = conv(c, p) y = pool(d)" HALF, 4, 1, 3);
}

int main(void) {
  RUN(groups);
  RUN(blocks);
  RUN(groups_keep_names_and_sources);
  RUN(places);
  RUN(crossings_are_nodes);
  RUN(crossings_unseen_are_refused);
  RUN(quantisation_becomes_pointwise);
  RUN(norms_with_products);
  RUN(products_without_what_no_kernel_takes);
  RUN(lower_precision_is_explicit);
  RUN(bf16_between_layers);
  RUN(bf16_through_maxima_and_branches);
  RUN(planes_into_conv);
  RUN(pipeline_on_a_transformer_layer);
  RUN(pipeline_on_packed_projections);
  RUN(pipeline_on_tokens_before_images);
  return check_report();
}
