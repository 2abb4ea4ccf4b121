/* Bodies that select and place elements by their values on the CPU backend. */
#include "cpu_bodies.h"

static char text[4096];
#define BODY(...) (snprintf(text, sizeof text, __VA_ARGS__), text)

static const char *const numbers[] = {"f32", "f64", "f16", "bf16", "s8",  "s16",
                                      "s32", "s64", "u8",  "u16",  "u32", "u64"};
static const char *const any[] = {"f32", "f16", "u8", "s64", "c128", "bool", "bf16", "s16"};
#define EACH(list) (size_t t = 0; t < sizeof list / sizeof *list; t++)

TEST(topk) {
  for EACH(numbers)
    for (int largest = 0; largest < 2; largest++)
      for (int axis = 0; axis < 3; axis++)
        check_body(BODY("graph g(x: %s[3, 7, 5]) -> (v, p) { k = const s64[1] [3]\n"
                        " v, p = topk(x, k) {axis=%d, largest=%s} }",
                        numbers[t], axis, largest ? "true" : "false"), 0);
  static const int ks[] = {1, 9, 300, 1999, 2000};
  for (size_t i = 0; i < 5; i++) {
    check_body(BODY("graph g(x: f32[2, 2000]) -> (v, p) { k = const s64[1] [%d]\n"
                    " v, p = topk(x, k) }", ks[i]), 0);
    check_body(BODY("graph g(x: s64[2000]) -> (p) { k = const s64[1] [%d]\n"
                    " _, p = topk(x, k) {sorted=false} }", ks[i]), 0);
  }
  for (int largest = 0; largest < 2; largest++) {
    const char *flag = largest ? "true" : "false";
    check_body(BODY("graph g(x: f32[1, 20011]) -> (v, p) { k = const s64[1] [70]\n"
                    " v, p = topk(x, k) {largest=%s} }", flag), 0);
    check_body(BODY("graph g(x: f32[300, 37]) -> (v, p) { k = const s64[1] [11]\n"
                    " v, p = topk(x, k) {axis=0, largest=%s} }", flag), 0);
    check_body(BODY("graph g(x: f32[3, 900]) -> (v, p) { k = const s64[1] [40]\n"
                    " z = const f32[] 0\n o = const f32[] 1\n a = mul(x, x)\n f = floor(a)\n"
                    " g = sub(f, o)\n n = div(g, z)\n v, p = topk(n, k) {largest=%s} }", flag), 0);
  }
  check_body("graph g(x: f32[0, 20]) -> (v) { k = const s64[1] [3]\n v, _ = topk(x, k) }", 0);
  check_body("graph g(x: f32[4, 20]) -> (v, p) { k = const s64[1] [0]\n v, p = topk(x, k) }", 0);
  /* infinities, and 0 / 0 */
  check_body("graph g(x: s32[4, 60]) -> (v, p) { k = const s64[1] [40] z = const f32[] 0\n"
             " f = cast(x) {to=f32} o = const f32[] 1\n g = sub(f, o) n = div(g, z)\n"
             " v, p = topk(n, k) }", 0);
}

TEST(cumsum) {
  for EACH(numbers)
    for (int how = 0; how < 8; how++)
      for (int axis = -1; axis < 2; axis++)
        check_body(BODY("graph g(x: %s[3, 7, 65]) -> (y) { a = const s64[] %d\n"
                        " y = cumsum(x, a) {exclusive=%s, reverse=%s, kind=%s} }", numbers[t],
                        axis, how & 1 ? "true" : "false", how & 2 ? "true" : "false",
                        how & 4 ? "prod" : "sum"), 0);
  static const char *const wide[] = {"f32", "f64", "s32", "s64", "bool"};
  for EACH(wide)
    for (int how = 0; how < 4; how++) {
      const char *exclusive = how & 1 ? "true" : "false", *reverse = how & 2 ? "true" : "false";
      check_body(BODY("graph g(x: %s[37, 1063]) -> (y) { a = const s64[] 0\n"
                      " y = cumsum(x, a) {exclusive=%s, reverse=%s} }", wide[t], exclusive, reverse),
                 0);
      check_body(BODY("graph g(x: %s[0, 9]) -> (y) { a = const s64[] %d\n"
                      " y = cumsum(x, a) {exclusive=%s, reverse=%s} }", wide[t], how / 2, exclusive,
                      reverse), 0);
    }
}

TEST(one_hot) {
  for EACH(any)
    for (int axis = 0; axis < 3; axis++)
      check_body(BODY("graph g(i: s64[5, 9], v: %s[2]) -> (y) { d = const s64[] 3\n"
                      " y = one_hot(i, d, v) {axis=%d} }", any[t], axis), 0);
}

TEST(trilu) {
  static const int edges[] = {0, 1, -2, 100, -100};
  for EACH(any)
    for (int k = 0; k < 5; k++)
      for (int upper = 0; upper < 2; upper++)
        check_body(BODY("graph g(x: %s[3, 6, 5]) -> (y) { k = const s64[] %d\n"
                        " y = trilu(x, k) {upper=%s} }", any[t], edges[k],
                        upper ? "true" : "false"), 0);
  check_body("graph g(x: f32[6, 7], k: s64[]) -> (y) { y = trilu(x, k) }", 0);
  check_body("graph g(x: f32[0, 7]) -> (y) { y = trilu(x) }", 0);
}

TEST(reverse_sequence) {
  for EACH(any) {
    check_body(BODY("graph g(x: %s[4, 5, 3], n: s64[5]) -> (y) { y = reverse_sequence(x, n) }",
                    any[t]), 0);
    check_body(BODY("graph g(x: %s[5, 2, 4], n: s64[5]) -> (y) {\n"
                    " y = reverse_sequence(x, n) {batch_axis=0, time_axis=2} }", any[t]), 0);
  }
}

TEST(scatter_reductions) {
  static const char *const kinds[] = {"add", "mul", "max", "min"};
  for EACH(numbers)
    for (int k = 0; k < 4; k++) {
      check_body(BODY("graph g(x: %s[4, 5], i: s64[9, 1], u: %s[9, 5]) -> (o) {\n"
                      " o = scatter_nd(x, i, u) {reduction=%s}\n}", numbers[t], numbers[t],
                      kinds[k]), 0);
      check_body(BODY("graph g(x: %s[4, 5], i: s32[4, 9], u: %s[4, 9]) -> (o) {\n"
                      " o = scatter_elements(x, i, u) {axis=1, reduction=%s}\n}", numbers[t],
                      numbers[t], kinds[k]), 0);
    }
}

/* Corners in any order, so that boxes are of all sizes; and NaN sides, which only centers keep. */
TEST(suppressions) {
  static const char *const limits[] = {"0.5", "0.0", "-1.0", "0.05", "1.0"};
  for (int boxes = 1; boxes < 400; boxes += 57)
    for (size_t l = 0; l < 5; l++)
      for (int center = 0; center < 2; center++) {
        const char *flag = center ? "true" : "false";
        check_body(BODY("graph g(b: f32[2, %d, 4], s: f32[2, 3, %d]) -> (y) { m = const s64[] %d\n"
                        " o = const f32[] %s\n y = nms(b, s, m, o) {center=%s} }", boxes, boxes,
                        5 + boxes / 2, limits[l], flag), 0);
        check_body(BODY("graph g(b: f32[1, %d, 4], s: f32[1, 2, %d]) -> (y) { m = const s64[] 900\n"
                        " o = const f32[] %s l = const f32[] 0.3\n"
                        " y = nms(b, s, m, o, l) {center=%s} }", boxes, boxes, limits[l], flag), 0);
      }
}

TEST(uniques) {
  for EACH(numbers) {
    for (int sorted = 0; sorted < 2; sorted++) {
      const char *flag = sorted ? "true" : "false";
      check_body(BODY("graph g(x: %s[3, 7, 50]) -> (y, i, n, c) {\n"
                      " y, i, n, c = unique(x) {sorted=%s} }", numbers[t], flag), 0);
      for (int axis = -1; axis < 2; axis++)
        check_body(BODY("graph g(x: %s[9, 11, 1]) -> (y, i, n, c) {\n"
                        " y, i, n, c = unique(x) {flat=false, axis=%d, sorted=%s} }", numbers[t],
                        axis, flag), 0);
    }
    check_body(BODY("graph g(x: %s[2, 300]) -> (c) {\n"
                    " _, _, _, c = unique(x) {flat=false, axis=1} }", numbers[t]), 0);
  }
  check_body("graph g(x: bool[40]) -> (y, n) { y, _, n, _ = unique(x) {sorted=false} }", 0);
  check_body("graph g(x: f32[0]) -> (y, n) { y, _, n, _ = unique(x) }", 0);
  check_body("graph g(x: f32[0, 3]) -> (y) { y, _, _, _ = unique(x) {flat=false, axis=1} }", 0);
}

/* Draws hang on seed and place alone; probabilities lie on both sides of 0 and 1. */
TEST(draws) {
  for EACH(numbers) {
    for (int rows = 0; rows < 800 && t < 4; rows += 133) {
      check_body(BODY("graph g() -> (y) { s = const s64[2] [%d, 3]\n"
                      " y = random_uniform(s) {dtype=%s, low=-3, high=5, seed=7} }", rows,
                      numbers[t]), 0);
      check_body(BODY("graph g() -> (y) { s = const s64[2] [%d, 3]\n"
                      " y = random_normal(s) {dtype=%s, mean=2, scale=0.5, seed=-1.5} }", rows,
                      numbers[t]), 0);
    }
    check_body(BODY("graph g(x: f32[7, 99]) -> (y) { y = bernoulli(x) {dtype=%s, seed=2} }",
                    numbers[t]), 0);
    if (t < 4)
      check_body(BODY("graph g(x: %s[7, 300]) -> (y) {\n"
                      " y = multinomial(x) {dtype=s64, samples=%d, seed=2} }", numbers[t],
                      (int)(5 + t * 170)), 0);
  }
  check_body("graph g(x: f64[3, 0, 5]) -> (y) { y = bernoulli(x) {seed=1} }", 0);
  check_body("graph g(x: f32[5, 1]) -> (y) { y = multinomial(x) {samples=0, seed=1} }", 0);
}

TEST(caches) {
  for EACH(any) {
    check_body(BODY("graph g(x: %s[4, 3, 7, 5], u: %s[4, 3, 4, 5], s: s64[4]) -> (y) {\n"
                    " y = tensor_scatter(x, u, s) }", any[t], any[t]), 0);
    check_body(BODY("graph g(x: %s[4, 5, 3], u: %s[4, 4, 3], s: s32[4]) -> (y) {\n"
                    " y = tensor_scatter(x, u, s) {axis=1, mode=circular} }", any[t], any[t]), 0);
    check_body(BODY("graph g(x: %s[2, 3, 7], u: %s[2, 3, 2]) -> (y) {\n"
                    " y = tensor_scatter(x, u) {axis=-1} }", any[t], any[t]), 0);
  }
}

int main(void) {
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
  return check_report();
}
