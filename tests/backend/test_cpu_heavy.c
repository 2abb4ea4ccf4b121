/* Bodies around conv, matmul and attention on the CPU backend: all candidates, tails of every
 * kind. The kernels themselves are tested over sizes in test_cpu_conv.c and its neighbours. */
#include "cpu_bodies.h"

#define CONV(shape, kernel, attributes, tail) \
  "graph g(x: f32" shape                      \
  ", r: f32[1, 9, 11, 16]) -> (o) {\n"        \
  " w = const f32" kernel                     \
  " @weights+0\n"                             \
  " c = conv(x, w) {" attributes "}\n" tail "}\n"

static float weights[1 << 16];

static void check_weighted(const char *text, double tolerance) {
  bool low = strstr(text, "const bf16") != NULL;
  body_fill(low ? HONE_BF16 : HONE_F32, weights, sizeof weights / (low ? 2 : 4), 5);
  body_weights = (hone_bytes){weights, sizeof weights};
  check_body(text, tolerance);
}

/* A tail that rounds to bf16 has that type's bound. */
static double conv(bool low) {
  return bound("convolution", low ? "bf16" : "fp32");
}

TEST(tails_of_conv) {
  static const char *const tails[] = {
      " o = relu(c)\n",
      " b = const f32[16] @weights+64\n o = add(c, b)\n",
      " b = const f32[16] @weights+64\n d = add(c, b)\n e = add(d, r)\n o = relu(e)\n",
      " o = add(r, c)\n",
      " o = silu(c)\n",
      " s = sigmoid(c)\n o = mul(c, s)\n",
      " s = const f32[1, 1, 1, 16] @weights+64\n d = mul(c, s)\n e = exp(d)\n o = sub(r, e)\n",
      " d = mul(c, r)\n e = add(d, c)\n o = relu(e)\n",
      " h = const f32[] 6\n l = const f32[] 0\n o = clip(c, l, h)\n",
      " d = cast(c) {to=bf16}\n e = cast(d) {to=f32}\n o = add(e, r)\n",
  };
  char text[4096];
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
    snprintf(text, sizeof text, CONV("[1, 9, 11, 8]", "[3, 3, 8, 16]", "pads=[1, 1, 1, 1]", "%s"),
             tails[i]);
    check_weighted(text, conv(i == 9));
    snprintf(text, sizeof text, CONV("[1, 9, 11, 8]", "[1, 1, 8, 16]", "", "%s"), tails[i]);
    check_weighted(text, conv(i == 9));
    snprintf(text, sizeof text,
             CONV("[1, 9, 11, 16]", "[3, 3, 1, 16]", "groups=16, padding=same_upper", "%s"),
             tails[i]);
    check_weighted(text, conv(i == 9));
  }
}

/* Squeeze and excite: gates scale weights, or pixels where there are few or several pictures. */
TEST(gates_of_conv) {
  static const char *const shapes[][3] = {
      {"[1, 9, 11, 20]", "[1, 1, 1, 20]", "[1, 1, 20, 72]"},
      {"[1, 5, 3, 20]", "[1, 1, 1, 20]", "[1, 1, 20, 72]"},
      {"[3, 9, 11, 7]", "[3, 1, 1, 7]", "[1, 1, 7, 5]"},
      {"[3, 2, 11, 33]", "[1, 1, 1, 33]", "[1, 1, 33, 16]"},
      {"[1, 70, 16]", "[1, 1, 16]", "[1, 16, 81]"},
  };
  static const char *const tails[] = {"o = relu(c)", "d = exp(c) o = add(d, c)", "o = silu(c)"};
  char text[1024];
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (size_t k = 0; k < 6; k++) {
      snprintf(text, sizeof text,
               "graph g(x: f32%s, s: f32%s) -> (o) {\n w = const f32%s @weights+0\n"
               " m = mul(%s)\n c = conv(m, w) {exact=%s}\n %s\n}",
               shapes[i][0], shapes[i][1], shapes[i][2], k % 2 ? "s, x" : "x, s",
               k > 3 ? "true" : "false", tails[k / 2]);
      check_weighted(text, conv(false));
    }
}

TEST(kinds_of_conv) {
  check_weighted(
      "graph g(x: f32[2, 10, 6]) -> (o) {\n w = const f32[3, 6, 5] @weights+0\n"
      " b = const f32[5] @weights+1024\n"
      " o = conv(x, w, b) {strides=[2], pads=[1, 2]}\n}",
      conv(false));
  check_weighted(
      "graph g(x: f32[1, 5, 6, 7, 4]) -> (o) {\n w = const f32[3, 2, 3, 4, 5] @weights+0\n"
      " o = conv(x, w) {dilations=[1, 2, 1]}\n}",
      conv(false));
  check_weighted(
      "graph g(x: f32[1, 5, 6, 8]) -> (o) {\n w = const f32[1, 1, 8, 5] @weights+0\n"
      " o = conv(x, w) {pads=[0, 0, 2, 1]}\n}",
      conv(false));
  check_weighted(
      "graph g(x: f32[1, 5, 6, 8]) -> (o) {\n w = const f32[3, 3, 4, 8] @weights+0\n"
      " b = const f32[8] @weights+2048\n"
      " o = conv_transpose(x, w, b) {strides=[2, 2], pads=[1, 1, 1, 1],"
      " groups=2, output_padding=[1, 0]}\n}",
      conv(false));
}

/* Pictures as they are stored elsewhere, plane by plane, into a first layer. */
TEST(planes_into_conv) {
  static const char *const rows[][2] = {
      {"[2, 3, 9, 11]", "3"}, {"[1, 3, 20, 33]", "3"}, {"[1, 4, 8, 9]", "4"}, {"[2, 5, 7, 8]", "5"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows * 2; i++) {
    bool low = i % 2;
    char text[512];
    snprintf(text, sizeof text,
             "graph g(x: f32%s) -> (o) {\n w = const %s[3, 3, %s, 20] @weights+0\n"
             " t = transpose(x) {perm=[0, 2, 3, 1]}\n%s"
             " c = conv(%s, w) {strides=[2, 2], pads=[1, 1, 1, 1]}\n o = cast(c) {to=f32}\n}",
             rows[i / 2][0], low ? "bf16" : "f32", rows[i / 2][1],
             low ? " l = cast(t) {to=bf16}\n" : "", low ? "l" : "t");
    check_weighted(text, conv(low));
  }
}

TEST(matmuls) {
  check_weighted(
      "graph g(a: f32[7, 20], r: f32[7, 33]) -> (o) {\n"
      " w = const f32[20, 33] @weights+0\n b = const f32[33] @weights+4096\n"
      " c = matmul(a, w) {alpha=0.5}\n d = add(c, b)\n e = gelu(d)\n o = add(e, r)\n}",
      bound("product", "fp32"));
  check_weighted(
      "graph g(a: f32[2, 3, 20]) -> (o) {\n w = const f32[33, 20] @weights+0\n"
      " b = const f32[33] @weights+4096\n"
      " o = matmul(a, w, b) {transpose_b=true}\n}",
      bound("product", "fp32"));
  check_weighted(
      "graph g(a: f32[2, 1, 5, 20], b: f32[3, 20, 9], c: f32[9]) -> (o) {\n"
      " o = matmul(a, b, c)\n}",
      bound("product", "fp32"));
  check_weighted(
      "graph g(a: f32[20, 5], b: f32[9, 20], s: f32[5, 1]) -> (o) {\n"
      " p = matmul(a, b) {transpose_a=true, transpose_b=true}\n o = mul(p, s)\n}",
      bound("product", "fp32"));
  check_weighted(
      "graph g(a: f32[3, 4, 6]) -> (o) {\n w = const f32[3, 6, 5] @weights+0\n"
      " o = matmul(a, w)\n}",
      bound("product", "fp32"));
  /* Thin ones: a row, a column, a vector, batches that share a side, and what follows. */
  static const char *const thin[][3] = {{"1, 37", "37, 150", "150"}, {"150, 37", "37, 1", "1"},
                                        {"150, 300", "300, 1", "1"}, {"37", "37, 150", "150"},
                                        {"3, 1, 37", "37, 70", "70"}, {"2, 3, 37", "2, 37, 70", "70"},
                                        {"3, 300", "300, 33", "33"},  {"4, 1, 40", "4, 40, 1", "1"}};
  for (size_t i = 0; i < sizeof thin / sizeof *thin; i++) {
    char text[512];
    snprintf(text, sizeof text,
             "graph g(a: f32[%s], b: f32[%s], c: f32[%s]) -> (o) {\n p = matmul(a, b)\n"
             " q = add(p, c)\n r = tanh(q)\n o = mul(r, q)\n}",
             thin[i][0], thin[i][1], thin[i][2]);
    check_weighted(text, bound("product", "fp32"));
    snprintf(text, sizeof text,
             "graph g(a: f32[%s], b: f32[%s]) -> (o) {\n p = matmul(a, b)\n o = relu(p)\n}",
             thin[i][0], thin[i][1]);
    check_weighted(text, bound("product", "fp32"));
  }
}

/* More than one kernel in a body, heads, several outputs, views. */
TEST(stages) {
  check_weighted(
      "graph g(x: f32[7, 20], y: f32[7, 20]) -> (o, s) {\n"
      " w = const f32[20, 33] @weights+0\n v = const f32[33, 4] @weights+4096\n"
      " s = add(x, y)\n a = matmul(s, w)\n b = relu(a)\n c = matmul(b, v)\n"
      " o = tanh(c)\n}",
      bound("products in a row", "fp32"));
  check_weighted(
      "graph g(x: f32[6, 20]) -> (o, b) {\n w = const f32[20, 8] @weights+0\n"
      " a = matmul(x, w)\n b = relu(a)\n t = const s64[3] [2, 3, 8]\n"
      " c = reshape(b, t)\n v = const f32[8, 5] @weights+4096\n o = matmul(c, v)\n}",
      bound("products in a row", "fp32"));
}

TEST(attentions) {
  check_body(
      "graph g(q: f32[2, 4, 5, 16], k: f32[2, 2, 9, 16], v: f32[2, 2, 9, 8]) -> (o) {\n"
      " o = attention(q, k, v)\n}",
      bound("attention", "fp32"));
  check_body(
      "graph g(q: f32[1, 2, 7, 16], k: f32[1, 2, 7, 16], v: f32[1, 2, 7, 16]) -> (o) {\n"
      " o = attention(q, k, v) {causal=true, scale=0.3, softcap=5.0}\n}",
      bound("attention", "fp32"));
  check_body(
      "graph g(q: f32[1, 2, 7, 16], k: f32[1, 2, 9, 16], v: f32[1, 2, 9, 16],"
      " m: f32[1, 1, 7, 9]) -> (o) {\n o = attention(q, k, v, m)\n}",
      bound("attention", "fp32"));
  /* Keys that count, places and windows, known at run only; some queries see nothing. */
  static const char *const windows[] = {"causal=true", "left=2", "right=1", "left=1, right=0",
                                        "causal=true, left=100"};
  for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
    char body[512];
    snprintf(body, sizeof body,
             "graph g(q: f32[2, 4, 7, 8], k: f32[2, 2, 300, 8], v: f32[2, 2, 300, 5],\n"
             " m: f32[2, 1, 7, 290], n: s64[2], p: s32[2]) -> (o) {\n"
             " c = const s64[2] [295, 3]\n l = add(n, c)\n d = const s32[2] [285, 1]\n"
             " f = add(p, d)\n o = attention(q, k, v, m, l, f) {%s}\n}",
             windows[i]);
    check_body(body, bound("attention", "fp32"));
    snprintf(
        body, sizeof body,
        "graph g(q: f32[1, 2, 9, 8], k: f32[1, 2, 9, 8], v: f32[1, 2, 9, 8], n: s32[]) -> (o) {\n"
        " o = attention(q, k, v, _, n) {%s}\n}",
        windows[i]);
    check_body(body, bound("attention", "fp32"));
  }
}

TEST(linear_attentions) {
  static const char *const types[] = {"f32", "f64"};
  static const char *const rules[][2] = {
      {"linear", "_, _"}, {"gated", "d, _"}, {"delta", "_, b"}, {"gated_delta", "d, b"}};
  for (int t = 0; t < 2; t++)
    for (int r = 0; r < 4; r++)
      for (int narrow = 0; narrow < 2; narrow++) {
        static char text[1024];
        snprintf(
            text, sizeof text,
            "graph g(q: %s[2, 7, 4, 5], k: %s[2, 7, 2, 5], v: %s[2, 7, 2, 9], h: %s[2, 2, 5, 9],"
            " d: %s[2, 7, %s], b: %s[2, 7, %d, 1]) -> (o, s) {\n"
            " o, s = linear_attention(q, k, v, %s, %s) {rule=%s}\n}",
            types[t], types[t], types[t], types[t], types[t], narrow ? "1, 1" : "2, 5", types[t],
            2 - narrow, narrow ? "_" : "h", rules[r][1], rules[r][0]);
        check_body(text, bound("attention", t ? "fp64" : "fp32"));
      }
}

/* Layers of 12 inputs and 20 units. */
static void check_layer(const char *op, int gates, const char *more, const char *attributes,
                        int directions) {
  char text[2048];
  bool holes = strstr(more, "p") != NULL;
  snprintf(text, sizeof text,
           "graph g(x: f32[7, 11, 12], l: s32[11], h: f32[%d, 11, 20], c: f32[%d, 11, 20],"
           " p: f32[%d, 60]) -> (y, hn%s) {\n"
           " w = const f32[%d, %d, 12] @weights+0\n r = const f32[%d, %d, 20] @weights+32768\n"
           " b = const f32[%d, %d] @weights+131072\n"
           " y, hn%s = %s(x, w, r, %s) {%s}\n}",
           directions, directions, directions, holes ? ", cn" : "", directions, gates * 20,
           directions, gates * 20, directions, gates * 40, holes ? ", cn" : "", op, more,
           attributes);
  check_weighted(text, bound("recurrent", "fp32"));
}

/* Scores at every stage, and doubles: with a mask that broadcasts and stops short of the keys. */
TEST(attention_scores) {
  static const char *const types[] = {"f32", "f64"};
  static const char *const stages[] = {"raw", "capped", "masked", "weights"};
  for (int t = 0; t < 2; t++)
    for (int i = 0; i < 4; i++) {
      double near = bound("attention", t ? "fp64" : "fp32");
      static char text[1024];
      snprintf(text, sizeof text,
               "graph g(q: %s[2, 4, 7, 5], k: %s[2, 2, 9, 5], v: %s[2, 2, 9, 3], m: %s[2, 1, 1, 8],"
               " n: s64[2]) -> (o, s) {\n"
               " o, s = attention(q, k, v, m, n) {causal=%s, softcap=2.0, scores=%s}\n}",
               types[t], types[t], types[t], i & 1 ? "bool" : types[t], i < 2 ? "true" : "false",
               stages[i]);
      check_body(text, near);
      snprintf(text, sizeof text,
               "graph g(q: %s[1, 2, 7, 5], k: %s[1, 2, 9, 5], v: %s[1, 2, 9, 70], n: s64[]) -> (%s)"
               " {\n o, s = attention(q, k, v, _, _, n) {left=2, right=%d, scores=%s}\n}",
               types[t], types[t], types[t], t ? "o" : "o, s", i, stages[i]);
      check_body(text, near);
    }
}

TEST(layers_of_doubles) {
  static const char *const rows[][4] = {
      /* op, gates times hidden, its results, inputs after r and attributes */
      {"lstm", "80", "y, h, c", "b, l, h0, c0, p) {clip=0.7}"},
      {"lstm", "80", "y, h, c", "_, _, h0) {direction=reverse, input_forget=true}"},
      {"lstm", "80", "y, h, _", "b) {activations=[\"sigmoid\", \"relu\", \"tanh\"]}"},
      {"gru", "60", "y, h", "d, l, h0) {}"},
      {"gru", "60", "y, h", "d, _, h0) {linear_before_reset=true, clip=0.3}"},
      {"rnn", "20", "y, h", "e, l, h0) {direction=reverse}"},
      {"rnn", "20", "y, h", ") {activations=[\"relu\"]}"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[1024];
    const char *const *r = rows[i];
    snprintf(text, sizeof text,
             "graph g(x: f64[7, 11, 13], w: f64[1, %s, 13], r: f64[1, %s, 20], b: f64[1, 160],"
             " d: f64[1, 120], e: f64[1, 40], l: s64[11], h0: f64[1, 11, 20], c0: f64[1, 11, 20],"
             " p: f64[1, 60]) -> (y, h) {\n z = const f64[] 0.1\n u = mul(w, z)\n"
             " s = mul(r, z)\n %s = %s(x, u, s%s%s\n}",
             r[1], r[1], r[2], r[0], r[3][0] == ')' ? "" : ", ", r[3]);
    check_weighted(text, bound("recurrent", "fp64"));
  }
}

TEST(layers) {
  for (int directions = 1; directions < 3; directions++) { /* weights known at run only */
    char text[1024];
    const char *both = directions == 2 ? "direction=bidirectional" : "";
    for (int gates = 1; gates < 5; gates += 1 + (gates == 1)) {
      snprintf(text, sizeof text,
               "graph g(x: f32[7, 11, 12], w: f32[%d, %d, 12], r: f32[%d, %d, 20],"
               " b: f32[%d, %d]) -> (y, hn) {\n z = const f32[] 0.1\n u = mul(w, z)\n"
               " s = mul(r, z)\n y, hn%s = %s(x, u, s, b) {%s}\n}",
               directions, gates * 20, directions, gates * 20, directions, gates * 40,
               gates == 4 ? ", _" : "",
               gates == 4   ? "lstm"
               : gates == 3 ? "gru"
                            : "rnn",
               both);
      check_weighted(text, bound("recurrent", "fp32"));
    }
  }
  check_layer("lstm", 4, "b, _, h, c, p", "", 1);
  check_layer("lstm", 4, "b, l", "direction=bidirectional", 2);
  check_layer("lstm", 4, "_, l, h", "direction=reverse, input_forget=true, clip=1.5", 1);
  check_layer("gru", 3, "b, _, h", "", 1);
  check_layer("gru", 3, "b, l", "linear_before_reset=true, direction=bidirectional", 2);
  check_layer("rnn", 1, "b", "direction=reverse", 1);
  check_layer("rnn", 1, "b, l, h", "activations=[\"relu\"]", 1);
}

/* Activations with parameters of their own, of both directions and with a limit; of every type. */
TEST(layers_with_other_activations) {
  static const char *const rows[][3] = {
      /* op, gates times hidden, attributes */
      {"rnn", "20", "activations=[\"affine\", \"leaky_relu\"], alphas=[0.5, 0.2], betas=[0.1]"},
      {"rnn", "20", "activations=[\"elu\", \"softplus\"], alphas=[0.7], clip=2.0"},
      {"gru", "60",
       "activations=[\"hard_sigmoid\", \"softsign\", \"hard_sigmoid\", \"scaled_tanh\"],"
       " alphas=[0.3, 0.1, 1.2], betas=[0.4, 0.6, 0.9]"},
      {"lstm", "80",
       "activations=[\"hard_sigmoid\", \"scaled_tanh\", \"thresholded_relu\", \"sigmoid\","
       " \"leaky_relu\", \"elu\"], alphas=[0.2, 1.1, 0.05, 0.3, 0.8], betas=[0.5, 0.7]"}};
  static const char *const types[] = {"f32", "f64"};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (int t = 0; t < 2; t++) {
      char text[1024];
      const char *const *r = rows[i], *type = types[t];
      snprintf(text, sizeof text,
               "graph g(x: %s[5, 3, 13], w: %s[2, %s, 13], r: %s[2, %s, 20]) -> (y, h) {\n"
               " z = const %s[] 0.1\n u = mul(w, z)\n s = mul(r, z)\n"
               " y, h%s = %s(x, u, s) {direction=bidirectional, %s}\n}",
               type, type, r[1], type, r[1], type, r[0][0] == 'l' ? ", _" : "", r[0], r[2]);
      check_weighted(text, bound("recurrent", t ? "fp64" : "fp32"));
    }
}

/* Fewer sequences than threads, and so many columns that parts share them. */
TEST(wide_layers) {
  static const struct {
    const char *type, *op, *results, *more, *attributes;
    int gates, hidden, directions;
  } rows[] = {
      {"f32", "lstm", "y, h, c", "b, l, h0, h0, p", "clip=0.7", 4, 100, 1},
      {"f32", "lstm", "y, h, c", "_, l, h0", "direction=reverse, input_forget=true", 4, 144, 1},
      {"f32", "gru", "y, h", "b, l, h0", "", 3, 144, 1},
      {"f32", "gru", "y, h", "b", "linear_before_reset=true, direction=bidirectional", 3, 130, 2},
      {"f32", "rnn", "y, h", "b, l", "activations=[\"relu\"]", 1, 200, 1},
      {"f64", "lstm", "y, h, c", "b", "", 4, 100, 1},
      {"f64", "gru", "y, h", "b, l, h0", "direction=reverse", 3, 110, 1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[1024];
    const char *t = rows[i].type;
    int n = rows[i].hidden, d = rows[i].directions, wide = rows[i].gates * n;
    snprintf(text, sizeof text,
             "graph g(x: %s[6, 3, 5], w: %s[%d, %d, 5], r: %s[%d, %d, %d], b: %s[%d, %d], l: s64[3],"
             " h0: %s[%d, 3, %d], p: %s[%d, %d]) -> (%s) {\n z = const %s[] 0.1\n u = mul(w, z)\n"
             " s = mul(r, z)\n %s = %s(x, u, s, %s) {%s}\n}",
             t, t, d, wide, t, d, wide, n, t, d, 2 * wide, t, d, n, t, d, 3 * n, rows[i].results, t,
             rows[i].results, rows[i].op, rows[i].more, rows[i].attributes);
    check_weighted(text, bound("recurrent", t[1] == '6' ? "fp64" : "fp32"));
    CHECK(body_repeats > 0);
  }
}

/* What the precision pass makes: casts around the product. Kernels may round less than the graph
 * says: the bound is for sums of a hundred products of numbers up to 2. */
TEST(lowered) {
  check_weighted(
      "graph g(x: f32[1, 7, 9, 12], r: f32[1, 7, 9, 16]) -> (o) {\n"
      " w = const bf16[3, 3, 12, 16] @weights+0\n b = const f32[16] @weights+16384\n"
      " l = cast(x) {to=bf16}\n c = conv(l, w) {pads=[1, 1, 1, 1]}\n"
      " h = cast(c) {to=f32}\n d = add(h, b)\n e = add(d, r)\n o = relu(e)\n}",
      0.2);
  check_weighted(
      "graph g(x: f32[1, 7, 9, 12]) -> (o) {\n"
      " w = const bf16[1, 1, 12, 16] @weights+0\n"
      " l = cast(x) {to=bf16}\n c = conv(l, w)\n o = cast(c) {to=f32}\n}",
      0.2);
  check_weighted(
      "graph g(a: f32[5, 33]) -> (o) {\n w = const bf16[33, 20] @weights+0\n"
      " l = cast(a) {to=bf16}\n c = matmul(l, w)\n h = cast(c) {to=f32}\n"
      " o = gelu(h)\n}",
      0.2);
  check_weighted(
      "graph g(x: bf16[1, 7, 9, 12]) -> (o) {\n"
      " w = const bf16[3, 3, 12, 16] @weights+0\n b = const f32[16] @weights+16384\n"
      " c = conv(x, w) {pads=[1, 1, 1, 1]}\n h = cast(c) {to=f32}\n d = add(h, b)\n"
      " e = relu(d)\n o = cast(e) {to=bf16}\n}",
      0.2);
  check_weighted(
      "graph g(a: bf16[5, 33]) -> (o) {\n w = const bf16[33, 20] @weights+0\n"
      " o = matmul(a, w)\n}",
      0.2);
  check_weighted(
      "graph g(a: f32[2, 5, 33], b: f32[2, 33, 7]) -> (o) {\n"
      " l = cast(a) {to=bf16}\n m = cast(b) {to=bf16}\n c = matmul(l, m)\n"
      " o = cast(c) {to=f32}\n}",
      0.2);
}

/* What the store pass makes: bf16 between layers, added and widened inside them. */
TEST(stored) {
  static const char *const windows[] = {"[1, 1, 12, 16]", "[3, 3, 12, 16]"};
  static const char *const tails[] = {
      "e = add(d, q) f = relu(e)", "e = add(q, d) f = silu(e)", "e = relu(d) f = add(e, q)",
      "e = mul(d, q) f = neg(e)",  "e = sub(q, d) f = exp(e)",
  };
  for (int w = 0; w < 2; w++) {
    for (size_t t = 0; t < sizeof tails / sizeof *tails; t++) {
      char text[600];
      snprintf(text, sizeof text,
               "graph g(x: bf16[1, 7, 9, 12], r: bf16[1, 7, 9, 16]) -> (o) {\n"
               " w = const bf16%s @weights+0\n b = const f32[16] @weights+16384\n"
               " c = conv(x, w) {padding=same_upper}\n h = cast(c) {to=f32}\n d = add(h, b)\n"
               " q = cast(r) {to=f32}\n %s\n o = cast(f) {to=bf16}\n}",
               windows[w], tails[t]);
      check_weighted(text, bound("convolution", "bf16"));
    }
  }
  static const char *const depthwise[] = {"relu(d)", "silu(d)", "mul(d, d)"};
  for (size_t t = 0; t < sizeof depthwise / sizeof *depthwise; t++) {
    for (int stored = 0; stored < 2; stored++) {
      char text[600];
      snprintf(text, sizeof text,
               "graph g(x: bf16[2, 7, 9, 37], r: bf16[2, 7, 9, 37]) -> (o) {\n"
               " w = const f32[3, 3, 1, 37] @weights+0\n b = const f32[37] @weights+16384\n"
               " l = cast(x) {to=f32}\n c = conv(l, w) {groups=37, pads=[1, 1, 1, 1]}\n"
               " d0 = add(c, b)\n q = cast(r) {to=f32}\n d = add(d0, q)\n f = %s\n"
               " o = cast(f) {to=%s}\n}",
               depthwise[t], stored ? "bf16" : "f16");
      check_weighted(text, bound("convolution", "bf16"));
    }
  }
}

/* How many of the candidates for a 3x3 convolution with the first weight `first` are Winograd's. */
static int transforms_offered(float first, const char *attributes) {
  char text[400];
  float kept = weights[0];
  hone_graph *body = NULL;
  hone_candidate candidates[16];
  int found = 0;
  body_fill(HONE_F32, weights, sizeof weights / sizeof *weights, 5);
  weights[0] = first;
  snprintf(text, sizeof text,
           "graph g(x: f32[1, 9, 11, 8]) -> (o) {\n w = const f32[3, 3, 8, 16] @weights+0\n"
           " o = conv(x, w) {pads=[1, 1, 1, 1]%s}\n}\n",
           attributes);
  body_weights = (hone_bytes){weights, sizeof weights};
  CHECK_OK(hone_graph_parse(text, strlen(text), hone_op_find, body_weights, &body));
  size_t count = body ? hone_backend_cpu.candidates(body, candidates, 16) : 0;
  for (size_t i = 0; i < count; i++) found += strncmp(candidates[i].name, "conv_winograd", 13) == 0;
  CHECK(count > 0);
  hone_graph_free(body);
  weights[0] = kept;
  return found;
}

TEST(transforms_where_numbers_hold) {
  CHECK(transforms_offered(1, "") == 2);
  CHECK(transforms_offered(1, ", exact=true") == 0);
  CHECK(transforms_offered(3e38f, "") == 0); /* what the transform adds up overflows */
  CHECK(transforms_offered(INFINITY, "") == 0);
}

int main(void) {
  RUN(transforms_where_numbers_hold);
  RUN(lowered);
  RUN(stored);
  RUN(layers_of_doubles);
  RUN(layers);
  RUN(layers_with_other_activations);
  RUN(wide_layers);
  RUN(tails_of_conv);
  RUN(gates_of_conv);
  RUN(kinds_of_conv);
  RUN(planes_into_conv);
  RUN(matmuls);
  RUN(stages);
  RUN(attention_scores);
  RUN(linear_attentions);
  RUN(attentions);
  CHECK(bodies_on_kernels > 100);
  return check_report();
}
