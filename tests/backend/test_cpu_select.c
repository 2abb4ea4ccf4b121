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

int main(void) {
  RUN(topk);
  RUN(cumsum);
  RUN(one_hot);
  RUN(trilu);
  RUN(reverse_sequence);
  RUN(scatter_reductions);
  CHECK(bodies_on_kernels > 1000);
  return check_report();
}
