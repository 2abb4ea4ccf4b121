/* Bodies that select and place elements by their values on the CPU backend. */
#include "cpu_bodies.h"

static char text[4096];
#define BODY(...) (snprintf(text, sizeof text, __VA_ARGS__), text)

static const char *const numbers[] = {"f32", "f64", "f16", "bf16", "s8",  "s16",
                                      "s32", "s64", "u8",  "u16",  "u32", "u64"};
static const char *const any[] = {"f32", "f16", "u8", "s64", "c128", "bool", "bf16", "s16"};
#define EACH(list) (size_t t = 0; t < sizeof list / sizeof *list; t++)

TEST(topk) {
  for
    EACH(numbers)
  for (int largest = 0; largest < 2; largest++)
    for (int axis = 0; axis < 3; axis++)
      check_body(BODY("graph g(x: %s[3, 7, 5]) -> (v, p) { k = const s64[1] [3]\n"
                      " v, p = topk(x, k) {axis=%d, largest=%s} }",
                      numbers[t], axis, largest ? "true" : "false"),
                 0);
  static const int ks[] = {1, 9, 300, 1999, 2000};
  for (size_t i = 0; i < 5; i++) {
    check_body(BODY("graph g(x: f32[2, 2000]) -> (v, p) { k = const s64[1] [%d]\n"
                    " v, p = topk(x, k) }",
                    ks[i]),
               0);
    check_body(BODY("graph g(x: s64[2000]) -> (p) { k = const s64[1] [%d]\n"
                    " _, p = topk(x, k) {sorted=false} }",
                    ks[i]),
               0);
  }
  for (int largest = 0; largest < 2; largest++) {
    const char *flag = largest ? "true" : "false";
    check_body(BODY("graph g(x: f32[1, 20011]) -> (v, p) { k = const s64[1] [70]\n"
                    " v, p = topk(x, k) {largest=%s} }",
                    flag),
               0);
    check_body(BODY("graph g(x: f32[300, 37]) -> (v, p) { k = const s64[1] [11]\n"
                    " v, p = topk(x, k) {axis=0, largest=%s} }",
                    flag),
               0);
    check_body(BODY("graph g(x: f32[700, 3]) -> (v, p) { k = const s64[1] [55]\n"
                    " v, p = topk(x, k) {axis=0, largest=%s} }",
                    flag),
               0);
    check_body(BODY("graph g(x: f32[3, 900]) -> (v, p) { k = const s64[1] [40]\n"
                    " z = const f32[] 0\n o = const f32[] 1\n a = mul(x, x)\n f = floor(a)\n"
                    " g = sub(f, o)\n n = div(g, z)\n v, p = topk(n, k) {largest=%s} }",
                    flag),
               0);
  }
  /* few of short lines, infinities and 0 / 0 among them */
  static const int sizes[] = {1, 7, 16, 17, 91, 255, 256, 257};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int v = 0; v < 4; v++)
      check_body(BODY("graph g(x: f32[5, %d, 2]) -> (v, p) { k = const s64[1] [%d]\n"
                      " z = const f32[] 0\n o = const f32[] 1\n f = floor(x)\n"
                      " g = sub(f, o)\n n = %s\n v, p = topk(n, k) {axis=1, largest=%s} }",
                      sizes[i], sizes[i] < 16 ? sizes[i] : 16 - (int)i,
                      v / 2 ? "div(g, z)" : "mul(x, o)", v % 2 ? "true" : "false"),
                 0);
  check_body("graph g(x: f32[0, 20]) -> (v) { k = const s64[1] [3]\n v, _ = topk(x, k) }", 0);
  check_body("graph g(x: f32[4, 20]) -> (v, p) { k = const s64[1] [0]\n v, p = topk(x, k) }", 0);
  /* infinities, and 0 / 0 */
  check_body(
      "graph g(x: s32[4, 60]) -> (v, p) { k = const s64[1] [40] z = const f32[] 0\n"
      " f = cast(x) {to=f32} o = const f32[] 1\n g = sub(f, o) n = div(g, z)\n"
      " v, p = topk(n, k) }",
      0);
}

TEST(cumsum) {
  for
    EACH(numbers)
  for (int how = 0; how < 8; how++)
    for (int axis = -1; axis < 2; axis++)
      check_body(BODY("graph g(x: %s[3, 7, 65]) -> (y) { a = const s64[] %d\n"
                      " y = cumsum(x, a) {exclusive=%s, reverse=%s, kind=%s} }",
                      numbers[t], axis, how & 1 ? "true" : "false", how & 2 ? "true" : "false",
                      how & 4 ? "prod" : "sum"),
                 0);
  static const char *const wide[] = {"f32", "f64", "s32", "s64", "bool"};
  for
    EACH(wide)
  for (int how = 0; how < 4; how++) {
    const char *exclusive = how & 1 ? "true" : "false", *reverse = how & 2 ? "true" : "false";
    check_body(BODY("graph g(x: %s[37, 1063]) -> (y) { a = const s64[] 0\n"
                    " y = cumsum(x, a) {exclusive=%s, reverse=%s} }",
                    wide[t], exclusive, reverse),
               0);
    check_body(BODY("graph g(x: %s[0, 9]) -> (y) { a = const s64[] %d\n"
                    " y = cumsum(x, a) {exclusive=%s, reverse=%s} }",
                    wide[t], how / 2, exclusive, reverse),
               0);
  }
}

TEST(one_hot) {
  for
    EACH(any)
  for (int axis = 0; axis < 3; axis++)
    check_body(BODY("graph g(i: s64[5, 9], v: %s[2]) -> (y) { d = const s64[] 3\n"
                    " y = one_hot(i, d, v) {axis=%d} }",
                    any[t], axis),
               0);
}

TEST(trilu) {
  static const int edges[] = {0, 1, -2, 100, -100};
  for
    EACH(any)
  for (int k = 0; k < 5; k++)
    for (int upper = 0; upper < 2; upper++)
      check_body(BODY("graph g(x: %s[3, 6, 5]) -> (y) { k = const s64[] %d\n"
                      " y = trilu(x, k) {upper=%s} }",
                      any[t], edges[k], upper ? "true" : "false"),
                 0);
  check_body("graph g(x: f32[6, 7], k: s64[]) -> (y) { y = trilu(x, k) }", 0);
  check_body("graph g(x: f32[0, 7]) -> (y) { y = trilu(x) }", 0);
}

TEST(reverse_sequence) {
  for
    EACH(any) {
      check_body(
          BODY("graph g(x: %s[4, 5, 3], n: s64[5]) -> (y) { y = reverse_sequence(x, n) }", any[t]),
          0);
      check_body(BODY("graph g(x: %s[5, 2, 4], n: s64[5]) -> (y) {\n"
                      " y = reverse_sequence(x, n) {batch_axis=0, time_axis=2} }",
                      any[t]),
                 0);
    }
}

TEST(scatter_reductions) {
  static const char *const kinds[] = {"add", "mul", "max", "min"};
  for
    EACH(numbers)
  for (int k = 0; k < 4; k++) {
    check_body(BODY("graph g(x: %s[4, 5], i: s64[9, 1], u: %s[9, 5]) -> (o) {\n"
                    " o = scatter_nd(x, i, u) {reduction=%s}\n}",
                    numbers[t], numbers[t], kinds[k]),
               0);
    check_body(BODY("graph g(x: %s[4, 5], i: s32[4, 9], u: %s[4, 9]) -> (o) {\n"
                    " o = scatter_elements(x, i, u) {axis=1, reduction=%s}\n}",
                    numbers[t], numbers[t], kinds[k]),
               0);
  }
  for (int k = 0; k < 4; k++)
    check_body(BODY("graph g(x: bool[4, 5], i: s32[4, 9], u: bool[4, 9]) -> (o) {\n"
                    " o = scatter_elements(x, i, u) {axis=1, reduction=%s}\n}",
                    kinds[k]),
               0);
}

/* Corners in any order, so that boxes are of all sizes; and NaN sides, which only centers keep. */
TEST(suppressions) {
  static const char *const limits[] = {"0.5", "0.0", "-1.0", "0.05", "1.0"};
  for (int boxes = 1; boxes < 400; boxes += 57)
    for (size_t l = 0; l < 5; l++)
      for (int center = 0; center < 2; center++) {
        const char *flag = center ? "true" : "false";
        check_body(BODY("graph g(b: f32[2, %d, 4], s: f32[2, 3, %d]) -> (y) { m = const s64[] %d\n"
                        " o = const f32[] %s\n y = nms(b, s, m, o) {center=%s} }",
                        boxes, boxes, 5 + boxes / 2, limits[l], flag),
                   0);
        check_body(BODY("graph g(b: f32[1, %d, 4], s: f32[1, 2, %d]) -> (y) { m = const s64[] 900\n"
                        " o = const f32[] %s l = const f32[] 0.3\n"
                        " y = nms(b, s, m, o, l) {center=%s} }",
                        boxes, boxes, limits[l], flag),
                   0);
      }
  /* Of other types, softly and with scores. */
  static const char *const types[] = {"f32", "f64", "f16", "bf16"};
  for (int boxes = 1; boxes < 200; boxes += 66)
    for
      EACH(types)
  for (int soft = t == 0; soft < 2; soft++)
    check_body(BODY("graph g(b: %s[2, %d, 4], s: %s[2, 3, %d]) -> (y, p) { m = const s64[] %d\n"
                    " o = const f32[] 0.4 l = const f32[] 0.1 v = const f32[] %d\n"
                    " y, p = nms(b, s, m, o, l, v) }",
                    types[t], boxes, types[t], boxes, 5 + boxes / 2, soft),
               0);
}

TEST(uniques) {
  for
    EACH(numbers) {
      for (int sorted = 0; sorted < 2; sorted++) {
        const char *flag = sorted ? "true" : "false";
        check_body(BODY("graph g(x: %s[3, 7, 50]) -> (y, i, n, c) {\n"
                        " y, i, n, c = unique(x) {sorted=%s} }",
                        numbers[t], flag),
                   0);
        for (int axis = -1; axis < 2; axis++)
          check_body(BODY("graph g(x: %s[9, 11, 1]) -> (y, i, n, c) {\n"
                          " y, i, n, c = unique(x) {flat=false, axis=%d, sorted=%s} }",
                          numbers[t], axis, flag),
                     0);
      }
      check_body(BODY("graph g(x: %s[2, 300]) -> (c) {\n"
                      " _, _, _, c = unique(x) {flat=false, axis=1} }",
                      numbers[t]),
                 0);
    }
  check_body("graph g(x: bool[40]) -> (y, n) { y, _, n, _ = unique(x) {sorted=false} }", 0);
  check_body("graph g(x: f32[0]) -> (y, n) { y, _, n, _ = unique(x) }", 0);
  check_body("graph g(x: f32[0, 3]) -> (y) { y, _, _, _ = unique(x) {flat=false, axis=1} }", 0);
}

/* Draws hang on seed and place alone; probabilities lie on both sides of 0 and 1. */
TEST(draws) {
  for
    EACH(numbers) {
      for (int rows = 0; rows < 800 && t < 4; rows += 133) {
        check_body(BODY("graph g() -> (y) { s = const s64[2] [%d, 3]\n"
                        " y = random_uniform(s) {dtype=%s, low=-3, high=5, seed=7} }",
                        rows, numbers[t]),
                   0);
        check_body(BODY("graph g() -> (y) { s = const s64[2] [%d, 3]\n"
                        " y = random_normal(s) {dtype=%s, mean=2, scale=0.5, seed=-1.5} }",
                        rows, numbers[t]),
                   0);
      }
      check_body(
          BODY("graph g(x: f32[7, 99]) -> (y) { y = bernoulli(x) {dtype=%s, seed=2} }", numbers[t]),
          0);
      if (t < 4)
        check_body(BODY("graph g(x: %s[7, 300]) -> (y) {\n"
                        " y = multinomial(x) {dtype=s64, samples=%d, seed=2} }",
                        numbers[t], (int)(5 + t * 170)),
                   0);
    }
  check_body("graph g(x: f64[3, 0, 5]) -> (y) { y = bernoulli(x) {seed=1} }", 0);
  check_body("graph g(x: f32[5, 1]) -> (y) { y = multinomial(x) {samples=0, seed=1} }", 0);
}

TEST(caches) {
  for
    EACH(any) {
      check_body(BODY("graph g(x: %s[4, 3, 7, 5], u: %s[4, 3, 4, 5], s: s64[4]) -> (y) {\n"
                      " y = tensor_scatter(x, u, s) }",
                      any[t], any[t]),
                 0);
      check_body(BODY("graph g(x: %s[4, 5, 3], u: %s[4, 4, 3], s: s32[4]) -> (y) {\n"
                      " y = tensor_scatter(x, u, s) {axis=1, mode=circular} }",
                      any[t], any[t]),
                 0);
      check_body(BODY("graph g(x: %s[2, 3, 7], u: %s[2, 3, 2]) -> (y) {\n"
                      " y = tensor_scatter(x, u) {axis=-1} }",
                      any[t], any[t]),
                 0);
    }
}

TEST(pairs) {
  static const char *const reals[] = {"f32", "f64"};
  for (int t = 0; t < 2; t++)
    for (int k = 2; k < 9; k += 3)
      check_body(BODY("graph g(x: %s[37, %d]) -> (p) { q = const %s[] 0.25 h = const %s[] 0.5\n"
                      " s = mul(x, q) r = add(s, h) p = couple_pairs(r) {classes=%d} }",
                      reals[t], k * (k - 1) / 2, reals[t], reals[t], k),
                 0);
}

/* Four trees of five features and three targets. */
static const char forest[] =
    "r = const s64[4] [0, 21, 44, 61] n = const s64[88, 5] [4, 2, 1, 14, 1, 4, 0, 2, 7, "
    "0, 1, 5, 3, 4, 0, 0, 7, 0, 1, 0, 0, 4, 5, 6, 0, 0, 7, 1, 3, 0, 0, 7, 3, 4, 0, 3, "
    "1, 8, 11, 0, 0, 1, 9, 10, 1, 0, 7, 4, 4, 0, 0, 7, 4, 4, 0, 1, 4, 12, 13, 1, 0, 7, "
    "4, 6, 0, 0, 7, 6, 7, 0, 2, 2, 15, 20, 0, 4, 5, 16, 17, 1, 0, 7, 7, 8, 0, 3, 3, 18, "
    "19, 1, 0, 7, 8, 8, 0, 0, 7, 8, 9, 0, 0, 7, 9, 10, 0, 0, 5, 22, 35, 0, 1, 0, 23, "
    "30, 1, 3, 2, 24, 27, 0, 2, 3, 25, 26, 0, 0, 7, 10, 12, 0, 0, 7, 12, 12, 0, 4, 2, "
    "28, 29, 0, 0, 7, 12, 13, 0, 0, 7, 13, 15, 0, 2, 3, 31, 32, 1, 0, 7, 15, 17, 0, 2, "
    "3, 33, 34, 0, 0, 7, 17, 17, 0, 0, 7, 17, 17, 0, 1, 5, 36, 37, 1, 0, 7, 17, 18, 0, "
    "0, 3, 38, 41, 0, 4, 1, 39, 40, 1, 0, 7, 18, 19, 0, 0, 7, 19, 20, 0, 1, 0, 42, 43, "
    "1, 0, 7, 20, 22, 0, 0, 7, 22, 23, 0, 2, 2, 45, 56, 0, 3, 2, 46, 53, 1, 2, 2, 47, "
    "50, 1, 0, 3, 48, 49, 1, 0, 7, 23, 24, 0, 0, 7, 24, 25, 0, 2, 5, 51, 52, 1, 0, 7, "
    "25, 26, 0, 0, 7, 26, 26, 0, 4, 1, 54, 55, 1, 0, 7, 26, 27, 0, 0, 7, 27, 29, 0, 2, "
    "5, 57, 58, 0, 0, 7, 29, 31, 0, 0, 3, 59, 60, 1, 0, 7, 31, 31, 0, 0, 7, 31, 31, 0, "
    "3, 3, 62, 75, 1, 0, 4, 63, 70, 1, 2, 0, 64, 67, 0, 3, 0, 65, 66, 1, 0, 7, 31, 33, "
    "0, 0, 7, 33, 34, 0, 1, 3, 68, 69, 0, 0, 7, 34, 36, 0, 0, 7, 36, 37, 0, 2, 5, 71, "
    "72, 1, 0, 7, 37, 39, 0, 3, 3, 73, 74, 1, 0, 7, 39, 40, 0, 0, 7, 40, 42, 0, 0, 2, "
    "76, 81, 1, 2, 1, 77, 78, 1, 0, 7, 42, 44, 0, 0, 3, 79, 80, 0, 0, 7, 44, 45, 0, 0, "
    "7, 45, 45, 0, 1, 5, 82, 85, 0, 4, 3, 83, 84, 1, 0, 7, 45, 47, 0, 0, 7, 47, 48, 0, "
    "0, 3, 86, 87, 0, 0, 7, 48, 50, 0, 0, 7, 50, 51, 0] v = const f32[88] [0.7, 1.0, "
    "-1.3, 0, -0.8, 0, 0, -1.1, 0.8, 0, 0, 1.1, 0, 0, 1.0, 0.6, 0, 0.6, 0, 0, 0, -1.0, "
    "0.8, 0.0, -1.2, 0, 0, 1.3, 0, 0, -1.0, 0, 0.5, 0, 0, 0.2, 0, -0.6, 1.4, 0, 0, "
    "-0.4, 0, 0, 0.2, 0.8, 0.4, 0.1, 0, 0, 1.3, 0, 0, 0.1, 0, 0, 1.5, 0, 1.4, 0, 0, "
    "-0.4, -0.9, -0.4, 0.6, 0, 0, -0.3, 0, 0, -1.5, 0, 1.4, 0, 0, 1.3, -0.1, 0, 0.1, 0, "
    "0, 1.5, 0.1, 0, 0, -0.5, 0, 0] t = const s64[51] [1, 0, 1, 0, 0, 2, 1, 1, 0, 1, 1, "
    "2, 1, 0, 1, 2, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 2, 1, 1, 0, 1, 0, 2, 2, 1, 2, 2, "
    "0, 1, 1, 2, 1, 0, 0, 2, 0, 2, 2, 0, 2] w = const f32[51] [0.74, -0.44, 0.83, 0.52, "
    "0.88, 0.38, -0.96, -0.04, 0.9, -0.25, -0.93, 0.89, 0.85, 0.37, -0.39, -0.94, 0.48, "
    "-0.66, 0.38, -0.45, 0.74, -0.64, 0.03, 0.34, 0.63, 0.84, -0.43, -0.66, 0.56, "
    "-0.56, 0.37, 0.1, -0.4, 0.03, -0.07, -0.69, -0.05, -0.35, 0.75, -0.04, 0.92, 0.83, "
    "-0.41, 0.56, 0.87, -0.97, -0.75, 0.42, -0.93, -0.5, 0.83] ";

TEST(trees) {
  static const char *const aggregates[] = {"sum", "average", "max", "min"};
  static const int rows[] = {0, 1, 7, 8, 203};
  for
    EACH(numbers)
  for (int a = 0; a < 4; a++)
    check_body(BODY("graph g(x: %s[37, 5]) -> (y) { %s\n"
                    " y = tree_ensemble(x, r, n, v, t, w) {outputs=3, aggregate=%s} }",
                    numbers[t], forest, aggregates[a]),
               0);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    check_body(BODY("graph g(x: f32[%d, 6]) -> (y) { z = const f32[] 0 o = const f32[] 1 %s\n"
                    " f = floor(x) g = sub(f, o) q = div(g, z)\n"
                    " y = tree_ensemble(q, r, n, v, t, w) {outputs=4} }",
                    rows[i], forest),
               0);
}

TEST(counted_grams) {
  static const char *const rows[] = {
      "mode=tf, starts=[0], columns=[0, 1], pool_ints=[2, 3]",
      "mode=idf, most=2, skip=2, starts=[0, 3], columns=[4, 0, 1, 3, 2, 2],"
      " pool_ints=[0, 1, 2, 1, 2, 0, 0, 3, 3], weights=[0.5, 2.0, 3.0, 0.25, 7.0]",
      "mode=tf_idf, least=2, most=3, skip=9, starts=[0, 1, 5], columns=[0, 1, 1, 2, 5],"
      " pool_ints=[1, 2, 2, 2, 2, 0, 1, 2, 3, 0, 1], weights=[0.5, 2.0, 3.0, 0.25, 7.0, 1.5]"};
  for
    EACH(numbers)
  for (size_t i = 0; t >= 4 && i < sizeof rows / sizeof *rows; i++) {
    check_body(BODY("graph g(x: %s[7, 13]) -> (o) { o = tf_idf_vectorizer(x) {%s} }", numbers[t],
                    rows[i]),
               0);
    check_body(BODY("graph g(x: %s[1]) -> (o) { o = tf_idf_vectorizer(x) {%s} }", numbers[t],
                    rows[i]),
               0);
  }
}

int main(void) {
  RUN(counted_grams);
  RUN(suppressions);
  RUN(uniques);
  RUN(draws);
  RUN(caches);
  RUN(topk);
  RUN(cumsum);
  RUN(one_hot);
  RUN(trilu);
  RUN(reverse_sequence);
  RUN(scatter_reductions);
  CHECK(bodies_on_kernels > 1000);
  RUN(pairs);
  RUN(trees);
  return check_report();
}
