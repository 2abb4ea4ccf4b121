/* Products of bytes on the CPU backend against their references: every instruction set, both types
 * of both operands, odd sizes, zero points, the tails that are taken into registers. Bits are
 * equal. */
#include "cpu_bodies.h"

static char text[8192];
#define BODY(...)   (snprintf(text, sizeof text, __VA_ARGS__), text)
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static uint8_t noise[1 << 17];

/* Where weights are the most, and the least, that a signed byte can be. */
enum { MOST = 1 << 16, LEAST = MOST + (1 << 15) };

static void make_noise(void) {
  uint32_t seed = 5;
  for (size_t i = 0; i < sizeof noise; i++) {
    seed = seed * 1664525u + 1013904223u;
    noise[i] = (uint8_t)(seed >> 24);
  }
  for (size_t i = 0; i < 64; i++) noise[i] = i % 2 ? 255 : 128; /* the ends of both types */
  memset(noise + MOST, 127, LEAST - MOST);
  memset(noise + LEAST, 128, sizeof noise - LEAST);
  body_weights = (hone_bytes){noise, sizeof noise};
}

/* Elements 0..3 of the inputs spread over a byte. */
#define SPREAD(type) type[0] == 'u' ? "85" : "40"

static const char *const bytes[] = {"u8", "s8"};

/* x, w and attributes. */
static const char *const windows[][4] = {
    {"[1, 7, 9, 12]", "[1, 1, 12, 70]", "[70]", "groups=1"},
    {"[2, 6, 5, 9]", "[1, 1, 9, 9]", "[9]", "strides=[1, 1]"},
    {"[1, 13, 14, 35]", "[3, 3, 35, 67]", "[67]", "pads=[1, 1, 1, 1]"},
    {"[1, 13, 17, 3]", "[3, 3, 3, 33]", "[33]", "strides=[2, 2], pads=[1, 1, 0, 1]"},
    {"[2, 15, 12, 3]", "[7, 7, 3, 64]", "[64]", "strides=[2, 2], pads=[3, 3, 3, 3]"},
    {"[1, 9, 11, 6]", "[3, 3, 6, 20]", "[20]", "pads=[2, 1, 0, 3]"},
    {"[1, 12, 13, 8]", "[3, 5, 4, 10]", "[10]",
     "groups=2, strides=[2, 1], dilations=[2, 3], pads=[2, 4, 1, 6]"},
    {"[1, 9, 9, 4]", "[3, 3, 4, 5]", "[5]", "pads=[-1, -2, 3, 4]"},
    {"[1, 8, 9, 16]", "[3, 3, 16, 130]", "[130]", "dilations=[2, 2], pads=[2, 2, 2, 2]"},
    {"[1, 40, 2]", "[9, 2, 21]", "[21]", "strides=[3], pads=[4, 4]"},
    {"[1, 4, 5, 6, 6]", "[3, 2, 3, 1, 6]", "[6]",
     "groups=6, strides=[2, 1, 1], pads=[1, 0, 1, 1, 1, 1]"},
    {"[1, 7, 7, 40]", "[3, 3, 1, 40]", "[40]", "groups=40, pads=[1, 1, 1, 1]"},
    {"[2, 10, 23, 19]", "[3, 3, 1, 19]", "[19]", "groups=19, pads=[1, 1, 1, 1]"},
    {"[1, 13, 16, 100]", "[3, 3, 1, 100]", "[100]",
     "groups=100, strides=[2, 2], pads=[1, 1, 1, 1]"},
    {"[1, 9, 12, 64]", "[5, 5, 1, 64]", "[64]", "groups=64, pads=[2, 2, 2, 2]"},
    {"[1, 5, 9, 151]", "[1, 1, 151, 41]", "[41]", "groups=1"},
    {"[1, 6, 7, 192]", "[3, 3, 192, 17]", "[17]", "pads=[1, 1, 1, 1]"},
};

TEST(convolutions) {
  for (size_t i = 0; i < COUNT(windows); i++) {
    const char *const *w = windows[i];
    for (int k = 0; k < 4; k++) {
      const char *x = bytes[k & 1], *y = bytes[k >> 1];
      check_body(
          BODY("graph g(q: %s%s) -> (o) {\n n = const %s[] %s\n x = mul(q, n)\n"
               " w = const %s%s @weights+%d\n z = const %s[] 2\n b = const s32%s @weights+512\n"
               " o = conv_integer(x, w, z, _, b) {%s}\n}",
               x, w[0], x, SPREAD(x), y, w[1], k * 7, x, w[2], w[3]),
          0);
      check_body(BODY("graph g(q: %s%s, z: %s[]) -> (o) {\n w = const %s%s @weights+%d\n"
                      " v = const %s%s @weights+100\n o = conv_integer(q, w, z, v) {%s}\n}",
                      x, w[0], x, y, w[1], k * 9, y, w[2], w[3]),
                 0);
    }
  }
}

/* Products at the ends of both types, of one sign: pairs and quads of them leave 16 bits. */
TEST(extremes) {
  for (size_t i = 0; i < COUNT(windows); i++) {
    const char *const *w = windows[i];
    for (int k = 0; k < 4; k++) {
      const char *x = bytes[k & 1], *end = k & 1 ? "127" : "255";
      check_body(BODY("graph g(q: %s%s) -> (o) {\n n = const %s[] %s\n x = max(q, n)\n"
                      " w = const s8%s @weights+%d\n o = conv_integer(x, w) {%s}\n}",
                      x, w[0], x, end, w[1], k >> 1 ? LEAST : MOST, w[3]),
                 0);
    }
  }
}

/* Pictures plane by plane into a first layer. */
TEST(planes) {
  static const char *const rows[][3] = {
      {"[2, 3, 9, 11]", "[3, 3, 3, 20]", "strides=[2, 2], pads=[1, 1, 1, 1]"},
      {"[1, 3, 20, 33]", "[7, 7, 3, 70]", "pads=[3, 3, 3, 3]"},
      {"[2, 5, 7, 8]", "[3, 3, 5, 9]", "pads=[0, -1, 1, 2]"},
      {"[1, 4, 6, 9]", "[3, 2, 4, 6]", "strides=[1, 3]"},
      {"[1, 3, 6, 9]", "[1, 1, 3, 6]", "strides=[1, 1]"}};
  for (size_t i = 0; i < COUNT(rows) * 2; i++) {
    const char *const *r = rows[i / 2], *x = bytes[i % 2];
    check_body(BODY("graph g(q: %s%s) -> (o) {\n n = const %s[] %s\n x = mul(q, n)\n"
                    " w = const s8%s @weights+0\n z = const %s[] 2\n"
                    " t = transpose(x) {perm=[0, 2, 3, 1]}\n o = conv_integer(t, w, z) {%s}\n}",
                    x, r[0], x, SPREAD(x), r[1], x, r[2]),
               0);
  }
}

TEST(products) {
  static const char *const sizes[][3] = {{"[5, 12]", "[12, 9]", "[9]"},
                                         {"[1, 130]", "[130, 70]", "[70]"},
                                         {"[2, 7, 33]", "[33, 129]", "[129]"},
                                         {"[13, 3]", "[3, 200]", "[200]"},
                                         {"[64]", "[64, 16]", "[16]"}};
  for (size_t i = 0; i < COUNT(sizes); i++) {
    for (int k = 0; k < 4; k++) {
      const char *x = bytes[k & 1], *y = bytes[k >> 1];
      check_body(
          BODY("graph g(q: %s%s, z: %s[]) -> (o) {\n n = const %s[] %s\n x = mul(q, n)\n"
               " w = const %s%s @weights+%d\n v = const %s[] 3\n b = const s32%s @weights+256\n"
               " o = matmul_integer(x, w, z, v, b)\n}",
               x, sizes[i][0], x, x, SPREAD(x), y, sizes[i][1], k * 11, y, sizes[i][2]),
          0);
    }
  }
}

/* Weights of [3, 3, 12, N] so that the sums stay within some thousands, and a tail. */
#define TAIL(channels, more, lines)                  \
  "graph g(q: u8[1, 9, 10, 12]" more                 \
  ") -> (o) {\n n = const u8[] 60\n x = mul(q, n)\n" \
  " w = const s8[3, 3, 12, " channels                \
  "] @weights+64\n z = const u8[] 7\n"               \
  " s = const f32[" channels                         \
  "] @weights+1024\n"                                \
  " y = conv_integer(x, w, z) {pads=[1, 1, 1, 1]}\n f = cast(y) {to=f32}\n" lines "\n}"

/* Reals that are no noise: bits of bytes as floats would be. */
static void make_scales(void) {
  for (int i = 0; i < 256; i++) {
    float scale = 0.001f * (float)(i % 13 + 1), bias = (float)(i % 29) - 11.3f;
    memcpy(noise + 1024 + i * 4, &scale, 4);
    memcpy(noise + 2048 + i * 4, &bias, 4);
  }
}

#define TO_BYTES(from, type, zero, low, high)                                                    \
  " r1 = round(" from ")\n zz = const f32[] " zero "\n r2 = add(r1, zz)\n lo = const f32[] " low \
  "\n"                                                                                           \
  " hi = const f32[] " high "\n r3 = clip(r2, lo, hi)\n o = cast(r3) {to=" type "}"

#define TAILS(channels)                                                                            \
  check_body(TAIL(channels, "", " o = mul(f, s)"), 0);                                             \
  check_body(TAIL(channels, "", " g = mul(f, s)\n" TO_BYTES("g", "u8", "3", "0", "255")), 0);      \
  check_body(TAIL(channels, "", " g = mul(f, s)\n" TO_BYTES("g", "s8", "-5", "-128", "127")), 0);  \
  check_body(TAIL(channels, "",                                                                    \
                  " b = const f32[" channels "] @weights+2048\n g = mul(f, s)\n"                   \
                  " h = add(g, b)\n i = relu(h)\n" TO_BYTES("i", "u8", "0", "10", "200")),         \
             0);                                                                                   \
  check_body(TAIL(channels, ", p: u8[1, 9, 10, " channels "]",                                     \
                  " g = mul(f, s)\n a0 = round(g)\n l0 = const f32[] -90\n h0 = const f32[] 165\n" \
                  " a1 = clip(a0, l0, h0)\n k = const f32[] 0.37\n a2 = mul(a1, k)\n"              \
                  " p0 = cast(p) {to=f32}\n p1 = const f32[] 4\n p2 = sub(p0, p1)\n"               \
                  " p3 = const f32[] 1.7\n p4 = mul(p2, p3)\n a3 = add(p4, a2)\n" TO_BYTES(        \
                      "a3", "u8", "11", "0", "255")),                                              \
             0);                                                                                   \
  check_body(                                                                                      \
      TAIL(channels, ", p: f32[1, 9, 10, " channels "], e: f32[]",                                 \
           " g = mul(f, e)\n a = add(g, p)\n d = const f32[] 0.07\n c = div(a, d)\n" TO_BYTES(     \
               "c", "s8", "0", "-128", "127")),                                                    \
      0);                                                                                          \
  check_body(                                                                                      \
      TAIL(channels, "", " g = mul(f, s)\n h = gelu(g)\n" TO_BYTES("h", "u8", "3", "0", "255")),   \
      0)

TEST(tails) {
  make_scales();
  TAILS("64");
  TAILS("70");
  TAILS("3");
  TAILS("200");
}

/* The bytes that a table makes of bytes: a permutation, as unsigned or signed ones. */
static const char *table(bool is_signed) {
  static char list[2][2048];
  int at = 0;
  for (int i = 0; i < 256; i++)
    at += snprintf(list[is_signed] + at, sizeof *list - (size_t)at, "%s%d", i ? ", " : "[",
                   (i * 77 + 5) % 256 - (is_signed ? 128 : 0));
  snprintf(list[is_signed] + at, sizeof *list - (size_t)at, "]");
  return list[is_signed];
}

/* In a product's finish, once and twice, in a depthwise one's, and by themselves. */
TEST(tables) {
  static const char *const channels[] = {"64", "70", "3", "200"};
  for (size_t i = 0; i < COUNT(channels); i++) {
    const char *n = channels[i];
    check_body(BODY("graph g(q: u8[1, 9, 10, 12]) -> (o) {\n n = const u8[] 60\n x = mul(q, n)\n"
                    " w = const s8[3, 3, 12, %s] @weights+64\n z = const u8[] 7\n"
                    " s = const f32[%s] @weights+1024\n y = conv_integer(x, w, z)\n"
                    " f = cast(y) {to=f32}\n g = mul(f, s)\n r = round(g)\n l = const f32[] -128\n"
                    " h = const f32[] 127\n c = clip(r, l, h)\n b = cast(c) {to=s8}\n"
                    " t = byte_table(b) {table=%s}\n o = byte_table(t) {table=%s, dtype=s8}\n}",
                    n, n, table(false), table(true)),
               0);
    check_body(BODY("graph g(q: s8[2, 5, 4, %s]) -> (o) {\n n = const s8[] 40\n x = mul(q, n)\n"
                    " w = const s8[3, 3, 1, %s] @weights+64\n s = const f32[] 0.01\n"
                    " y = conv_integer(x, w) {groups=%s, pads=[1, 1, 1, 1]}\n"
                    " f = cast(y) {to=f32}\n g = mul(f, s)\n r = round(g)\n l = const f32[] 0\n"
                    " h = const f32[] 255\n c = clip(r, l, h)\n b = cast(c) {to=u8}\n"
                    " o = byte_table(b) {table=%s}\n}",
                    n, n, n, table(false)),
               0);
    for (int k = 0; k < 4; k++)
      check_body(BODY("graph g(q: %s[7, %s]) -> (o) {\n n = const %s[] %s\n x = mul(q, n)\n"
                      " o = byte_table(x) {table=%s, dtype=%s}\n}",
                      bytes[k & 1], n, bytes[k & 1], SPREAD(bytes[k & 1]), table(k >> 1),
                      bytes[k >> 1]),
                 0);
  }
}

TEST(means) {
  static const char *const shapes[] = {"[2, 5, 7, 70]", "[1, 300, 64]", "[3, 1, 1, 5]", "[4, 9]",
                                       "[1, 23, 23, 130]"};
  for (size_t i = 0; i < 2 * COUNT(shapes); i++)
    check_body(BODY("graph g(q: %s%s) -> (o) {\n n = const %s[] %s\n x = mul(q, n)\n"
                    " o = byte_mean(x)\n}",
                    bytes[i & 1], shapes[i / 2], bytes[i & 1], SPREAD(bytes[i & 1])),
               0);
}

/* Matrices, zero points and biases that only the run knows. */
TEST(products_of_two) {
  static const char *const shapes[][4] = {/* a, b, its zero points, the bias */
                                          {"[1, 33]", "[33, 130]", "[130]", "[130]"},
                                          {"[9, 40]", "[40, 7]", "[]", "[7]"},
                                          {"[2, 35, 5]", "[5, 64]", "[1]", "[64]"},
                                          {"[70, 1]", "[1, 3]", "[3]", "[3]"},
                                          {"[12]", "[12, 20]", "[]", "[20]"},
                                          {"[0, 4]", "[4, 20]", "[]", "[20]"},
                                          {"[4, 0]", "[0, 20]", "[]", "[20]"}};
  static const char *const given[] = {"", ", i", ", _, j", ", i, j", ", i, j, c"};
  for (size_t i = 0; i < COUNT(shapes); i++)
    for (int k = 0; k < 4; k++)
      for (size_t g = 0; g < COUNT(given); g++) {
        const char *a = bytes[k & 1], *b = bytes[k >> 1], *const *s = shapes[i];
        check_body(BODY("graph g(q: %s%s, r: %s%s, u: %s[], v: %s%s, c: s32%s) -> (o) {\n"
                        " n = const %s[] %s\n m = const %s[] %s\n x = mul(q, n)\n y = mul(r, m)\n"
                        " i = mul(u, n)\n j = mul(v, m)\n o = matmul_integer(x, y%s)\n}",
                        a, s[0], b, s[1], a, b, s[2], s[3], a, SPREAD(a), b, SPREAD(b), given[g]),
                   0);
      }
}

/* A pack comes out of an engine file as well: what it says of places is not believed. */
TEST(packs_that_lead_elsewhere) {
  const char *net = BODY("graph g(x: u8[1, 3, 3, 20]) -> (o) {\n w = const s8[3, 3, 20, 24] @weights+0\n"
                         " z = const u8[] 2\n o = conv_integer(x, w, z) {pads=[1, 1, 1, 1]}\n}");
  const uint32_t isas[] = {~0u, HONE_ISA_AVX2, HONE_ISA_PLAIN};
  for (size_t i = 0; i < COUNT(isas); i++) {
    hone_graph *body = NULL;
    hone_arena memory = {0};
    hone_candidate one;
    hone_prepared made, again;
    hone_cpu_limit(isas[i]);
    CHECK_OK(hone_graph_parse(net, strlen(net), hone_op_find, body_weights, &body));
    CHECK(hone_backend_cpu.candidates(body, &one, 1) > 0);
    CHECK_OK(hone_backend_cpu.prepare(body, one.name, one.variant, NULL, 0, NULL, &memory, &made));
    uint32_t *words = hone_arena_copy(&memory, made.packs[0].bytes, made.packs[0].size);
    const hone_pack pack = {words, made.packs[0].size};
    CHECK_OK(hone_backend_cpu.prepare(body, one.name, one.variant, &pack, 1, NULL, &memory, &again));
    size_t refused = 0;
    for (size_t w = 0; w < pack.size / sizeof *words; w++) {
      uint32_t kept = words[w];
      words[w] = 0x7ffffff0;
      hone_status *status = hone_backend_cpu.prepare(body, one.name, one.variant, &pack, 1, NULL,
                                                     &memory, &again);
      refused += status != NULL;
      if (status) CHECK(hone_status_code(status) == HONE_CORRUPT);
      hone_status_free(status);
      words[w] = kept;
    }
    /* the number of planes; on AVX2 also two starts and the places of 45 steps at least, by two vectors
     * and one */
    CHECK(refused >= (strstr(one.name, "avx2") ? 1 + 3 + 3 * 45 : 1));
    hone_graph_free(body);
    hone_arena_free(&memory);
  }
  hone_cpu_limit(~0u);
}

int main(void) {
  make_noise();
  RUN(convolutions);
  RUN(extremes);
  RUN(planes);
  RUN(products);
  RUN(products_of_two);
  RUN(tails);
  RUN(tables);
  RUN(means);
  RUN(packs_that_lead_elsewhere);
  CHECK(bodies_on_kernels > 300);
  return check_report();
}
