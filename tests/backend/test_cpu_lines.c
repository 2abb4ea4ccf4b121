/* Lines and keys on every instruction set that runs here: no numbers, equals, every length, against
 * loops in double. */
#include "backend/cpu/lines/keys.h"
#include "backend/cpu/lines/short.h"
#include "backend/cpu/lines/strips.h"

#include "cpu_kernels.h"

enum { LINES = 37, LONGEST = 70 };

/* The sets that run here, the same one of each kind. */
static int sets(const hone_short **lines, const hone_keys **keys, const hone_strips **strips) {
  int count = 0;
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) {
    lines[count] = &hone_short_avx512, keys[count] = &hone_keys_avx512;
    strips[count++] = &hone_strips_avx512;
  }
  if (hone_isa_runs(HONE_ISA_AVX2)) {
    lines[count] = &hone_short_avx2, keys[count] = &hone_keys_avx2;
    strips[count++] = &hone_strips_avx2;
  }
#endif
  lines[count] = &hone_short_plain, keys[count] = &hone_keys_plain;
  strips[count++] = &hone_strips_plain;
  return count;
}

/* Numbers of few values, so that some are equal; some lines have no numbers or infinite ones. */
static float *filled(size_t count, bool odd) {
  float *x = random_floats(count, 9);
  for (size_t i = 0; i < count; i++) {
    x[i] = roundf(x[i] * 4) / 4;
    if (odd && i % 53 == 7) x[i] = NAN;
    if (odd && i % 41 == 5) x[i] = i % 2 ? INFINITY : -INFINITY;
  }
  return x;
}

static size_t place_of(const float *x, size_t step, size_t size, bool least, bool last) {
  size_t best = 0;
  for (size_t i = 1; i < size; i++) {
    float v = x[i * step], b = x[best * step];
    if (b != b ? last && v != v : v != v || (least ? v < b : v > b) || (last && v == b)) best = i;
  }
  return best;
}

static void check_columns(const hone_short *s, const float *x, size_t size) {
  float turned[LINES * LONGEST];
  int64_t places[LINES];
  s->turn(x, size, LINES, turned, LINES);
  for (size_t l = 0; l < LINES; l++)
    for (size_t k = 0; k < size; k++)
      CHECK(memcmp(&turned[k * LINES + l], &x[l * size + k], sizeof *x) == 0);
  for (int how = 0; how < 4; how++) {
    s->extreme(turned, LINES, size, LINES, how & 1, how & 2, places);
    for (size_t l = 0; l < LINES; l++)
      CHECK(places[l] == (int64_t)place_of(x + l * size, 1, size, how & 1, how & 2));
  }
}

static void check_folds(const hone_short *s, const hone_strips *strips, const float *x, size_t size) {
  float sum[LINES + 1], most[LINES], least[LINES];
  sum[LINES] = -7;
  s->abs(x, size, LINES, sum);
  s->max(x, size, LINES, most);
  s->min(x, size, LINES, least);
  CHECK(sum[LINES] == -7);
  for (size_t l = 0; l < LINES; l++) {
    const float *line = x + l * size;
    double total = 0, high = -INFINITY, low = INFINITY;
    for (size_t i = 0; i < size; i++) {
      total += fabs((double)line[i]);
      high = high != high || line[i] <= high ? high : line[i];
      low = low != low || line[i] >= low ? low : line[i];
    }
    CHECK(near_element(sum[l], total, bound("reduction", "fp32")));
    CHECK(near_element(most[l], high, 0) && near_element(least[l], low, 0));
    CHECK(near_element(strips->max(line, size), high, 0));
    CHECK(near_element(strips->min(line, size), low, 0));
  }
}

static void check_softmax(const hone_short *s, const float *x, size_t size) {
  float y[LINES * LONGEST + 1], logs[LINES * LONGEST + 1];
  if (size > s->most) return;
  y[LINES * size] = logs[LINES * size] = -7;
  s->softmax(x, size, LINES, false, y);
  s->softmax(x, size, LINES, true, logs);
  CHECK(y[LINES * size] == -7 && logs[LINES * size] == -7);
  for (size_t l = 0; l < LINES; l++) {
    const float *line = x + l * size;
    double most = line[place_of(line, 1, size, false, false)], sum = 0;
    for (size_t i = 0; i < size; i++) sum += exp(line[i] - most);
    for (size_t i = 0; i < size; i++) {
      double want = line[i] - most;
      CHECK(near_element(y[l * size + i], exp(want) / sum, bound("softmax", "fp32")));
      CHECK(near_element(logs[l * size + i], want - log(sum), bound("softmax", "fp32")));
    }
  }
}

TEST(short_lines) {
  const hone_short *lines[3];
  const hone_keys *keys[3];
  const hone_strips *strips[3];
  int count = sets(lines, keys, strips);
  for (size_t size = 1; size <= LONGEST; size++)
    for (int odd = 0; odd < 2; odd++) {
      float *x = filled(LINES * size, odd);
      for (int i = 0; i < count; i++) {
        check_columns(lines[i], x, size);
        check_folds(lines[i], strips[i], x, size);
        check_softmax(lines[i], x, size);
      }
      hone_free(x);
    }
}

/* Keys are in the order of the numbers, equal where they are; picks are what sorting gives. */
static void check_keys(const hone_keys *set, const double *x, size_t count, uint64_t flip) {
  uint64_t keys[HONE_KEYS_FEW], places[4], greatest = set->keys_f64(x, 1, count, flip, keys);
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < count; j++) {
      bool above = x[j] != x[j] ? false : x[i] != x[i] || x[i] > x[j];
      if (flip) above = x[i] != x[i] ? false : x[j] != x[j] || x[i] < x[j];
      CHECK((keys[i] > keys[j]) == above);
    }
  size_t first = set->find_key(keys, 0, count, greatest - 1);
  for (size_t i = 0; i < count; i++) CHECK(i < first ? keys[i] < greatest : keys[i] <= greatest);
  CHECK(keys[first] == greatest && set->find_key(keys, 0, count, greatest) == count);
  size_t k = count < 4 ? count : 4;
  CHECK(set->pick_keys(keys, count, k, places) == k && places[0] == first);
}

TEST(keys_of_doubles) {
  const hone_short *lines[3];
  const hone_keys *keys[3];
  const hone_strips *strips[3];
  int sets_here = sets(lines, keys, strips);
  for (size_t count = 1; count < 40; count++) {
    double x[40];
    float *from = filled(40, true);
    for (size_t i = 0; i < 40; i++) x[i] = i % 9 == 3 ? -0.0 : (double)from[i];
    for (int s = 0; s < sets_here; s++) {
      check_keys(keys[s], x, count, 0);
      check_keys(keys[s], x, count, UINT64_MAX);
    }
    hone_free(from);
  }
}

TEST(keys_of_integers) {
  const hone_short *lines[3];
  const hone_keys *keys[3];
  const hone_strips *strips[3];
  static const int64_t x[] = {3, INT64_MIN, INT64_MAX, -1, 0, 7, INT64_MIN, 7, 2, 1, -9, 4};
  static const int32_t y[] = {3, INT32_MIN, INT32_MAX, -1, 0, 7, INT32_MIN, 7, 2, 1, -9, 4};
  for (int s = 0, n = sets(lines, keys, strips); s < n; s++) {
    uint64_t of_x[12], of_y[12], places[12];
    int64_t most = -100, least = 100;
    CHECK(keys[s]->keys_s64(x, 1, 12, 0, of_x) == UINT64_MAX);
    keys[s]->keys_s32(y, 1, 12, 0, of_y);
    for (int i = 0; i < 144; i++)
      CHECK((of_x[i / 12] < of_x[i % 12]) == (x[i / 12] < x[i % 12]) &&
            (of_y[i / 12] < of_y[i % 12]) == (y[i / 12] < y[i % 12]));
    CHECK(keys[s]->pick_keys(of_x, 12, 12, places) == 10); /* then there is nothing but keys of 0 */
    CHECK(places[0] == 2 && places[1] == 5 && places[2] == 7);
    keys[s]->most_of_line(x, 12, 0, &most);
    keys[s]->most_of_line(x, 12, -1, &least);
    CHECK(most == INT64_MAX && least == INT64_MIN);
  }
}

int main(void) {
  RUN(short_lines);
  RUN(keys_of_doubles);
  RUN(keys_of_integers);
  return check_report();
}
