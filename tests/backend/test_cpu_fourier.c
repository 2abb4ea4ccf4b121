/* Fourier transforms on the CPU backend, against the reference's own plain transform. */
#include "cpu_bodies.h"

static char text[4096];
#define BODY(...)   (snprintf(text, sizeof text, __VA_ARGS__), text)
#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static const char *const types[] = {"f32", "f64"};
static double tolerance(int type) {
  return bound("Fourier", type ? "fp64" : "fp32");
}

TEST(lines) {
  static const int lengths[] = {1, 2, 3, 4, 5, 8, 12, 16, 30, 49, 64, 67, 100, 128, 210};
  for (size_t i = 0; i < COUNT(lengths); i++)
    for (int t = 0; t < 2; t++) {
      int n = lengths[i];
      for (int parts = 1; parts < 3; parts++) {
        check_body(BODY("graph g(x: %s[3, %d, 5, %d]) -> (o) { a = const s64[] 1\n"
                        " o = dft(x, _, a) }",
                        types[t], n, parts),
                   tolerance(t));
        check_body(BODY("graph g(x: %s[11, %d, %d]) -> (o) { o = dft(x) {inverse=true} }", types[t],
                        n, parts),
                   tolerance(t));
      }
      check_body(
          BODY("graph g(x: %s[3, %d, 1]) -> (o) { o = dft(x) {onesided=true} }", types[t], n),
          tolerance(t));
      if (n > 1)
        check_body(BODY("graph g(x: %s[3, %d, 2]) -> (o) {\n"
                        " o = dft(x) {onesided=true, inverse=true}\n}",
                        types[t], n),
                   tolerance(t));
    }
}

TEST(given_lengths) {
  static const int lengths[] = {5, 16, 31};
  for (size_t i = 0; i < COUNT(lengths); i++)
    check_body(BODY("graph g(x: f32[2, 16, 3, 1]) -> (o) { n = const s64[] %d a = const s64[] -3\n"
                    " o = dft(x, n, a) }",
                    lengths[i]),
               tolerance(0));
}

TEST(frames) {
  for (int i = 0; i < 2; i++) {
    const char *x = i ? "[1, 64, 2]" : "[2, 100, 1]";
    const char *onesided = i ? "false" : "true";
    check_body(BODY("graph g(x: f32%s, w: f32[20]) -> (o) { s = const s64[] 7\n"
                    " o = stft(x, s, w) {onesided=%s} }",
                    x, onesided),
               tolerance(0));
    check_body(BODY("graph g(x: f32%s, w: f32[13]) -> (o) { s = const s64[] 3 n = const s64[] 16\n"
                    " o = stft(x, s, w, n) {onesided=%s} }",
                    x, onesided),
               tolerance(0));
    check_body(BODY("graph g(x: f64%s) -> (o) { s = const s64[] 40 n = const s64[] 15\n"
                    " o = stft(x, s, _, n) {onesided=%s} }",
                    x, onesided),
               tolerance(1));
  }
}

int main(void) {
  RUN(lines);
  RUN(given_lengths);
  RUN(frames);
  CHECK(bodies_on_kernels > 300);
  return check_report();
}
