/* matmul and einsum against loops, attention against its definition, quantisation at its edges. */
#include <math.h>

#include "one_node.h"

enum { MOST = 4096 };
static float a[MOST], b[MOST], c[MOST];

static float at3(const float *data, int batch, int i, int j, int rows, int columns,
                 bool transposed) {
  return transposed ? data[(batch * columns + j) * rows + i]
                    : data[(batch * rows + i) * columns + j];
}

/* a [3, 1, m, k] times b [2, k, n], every transposition, with a bias of one number a column. */
static void check_matmul(int m, int k, int n, bool ta, bool tb) {
  one_node one;
  char attrs[100];
  snprintf(attrs, sizeof attrs, "transpose_a=%s transpose_b=%s alpha=2", ta ? "true" : "false",
           tb ? "true" : "false");
  hone_datum in[] = {TENSOR(HONE_F32, a, 3, 1, ta ? k : m, ta ? m : k),
                     TENSOR(HONE_F32, b, 2, tb ? n : k, tb ? k : n), TENSOR(HONE_F32, c, n)};
  const hone_datum *lent[] = {&in[0], &in[1], &in[2]};
  CHECK_OK(run_node(&one, "matmul", attrs, lent, 3, 1));
  CHECK(one.out[0].shape.rank == 4 && one.out[0].shape.dim[0] == 3 && one.out[0].shape.dim[1] == 2);
  const float *got = one.out[0].data;
  bool same = true;
  for (int i = 0; i < 3 * 2 * m * n; i++) {
    int column = i % n, row = i / n % m, right = i / n / m % 2, left = i / n / m / 2;
    float sum = 0;
    for (int t = 0; t < k; t++)
      sum += at3(a, left, row, t, m, k, ta) * at3(b, right, t, column, k, n, tb);
    same &= got[i] == 2 * sum + c[column];
  }
  CHECK(same);
  end_node(&one);
}

TEST(matmul) {
  for (int i = 0; i < 4; i++) {
    check_matmul(5, 3, 7, i & 1, i & 2);
    check_matmul(1, 1, 1, i & 1, i & 2);
    check_matmul(2, 0, 3, i & 1, i & 2);
  }
}

TEST(matmul_of_integers_wraps) {
  int32_t x[] = {1 << 30, 3}, y[] = {4, 5}, z;
  hone_datum in[] = {TENSOR(HONE_S32, x, 2), TENSOR(HONE_S32, y, 2)};
  const hone_datum *lent[] = {&in[0], &in[1]};
  one_node one;
  CHECK_OK(run_node(&one, "matmul", "", lent, 2, 1));
  CHECK(one.out[0].shape.rank == 0);
  memcpy(&z, one.out[0].data, sizeof z);
  CHECK(z == 15);
  end_node(&one);
}

static void check_einsum(const char *equation, const hone_datum *const *in, int inputs,
                         const float *want, size_t count) {
  one_node one;
  char attrs[100];
  snprintf(attrs, sizeof attrs, "equation=%s", equation);
  CHECK_OK(run_node(&one, "einsum", attrs, in, inputs, 1));
  CHECK(hone_datum_count(&one.out[0]) == count &&
        memcmp(one.out[0].data, want, count * sizeof *want) == 0);
  end_node(&one);
}

TEST(einsum) {
  float x[] = {1, 2, 3, 4}, y[] = {5, 6, 7, 8};
  hone_datum in[] = {TENSOR(HONE_F32, x, 2, 2), TENSOR(HONE_F32, y, 2, 2)};
  const hone_datum *lent[] = {&in[0], &in[1]};
  check_einsum("ij,jk->ik", lent, 2, (float[]){19, 22, 43, 50}, 4);
  check_einsum("ij,jk", lent, 2, (float[]){19, 22, 43, 50}, 4);
  check_einsum("ii", lent, 1, (float[]){5}, 1);
  check_einsum("ii->i", lent, 1, (float[]){1, 4}, 2);
  check_einsum("ij->ji", lent, 1, (float[]){1, 3, 2, 4}, 4);
  check_einsum("...j,...j->...", lent, 2, (float[]){17, 53}, 2);
  check_einsum("i...,i...->...", lent, 2, (float[]){26, 44}, 2);
}

TEST(einsum_refuses) {
  static const char *const equations[] = {"ij->",       "ij,jk->iz", "ij,jk->ii", "i,jk->i",
                                          "ij,jk,kl",   "i.j,jk",    "i1,jk",     "ij,jk-",
                                          "ij,jk->ik,", "......,ij"};
  hone_datum in[] = {TENSOR(HONE_F32, a, 2, 2), TENSOR(HONE_F32, b, 2, 3)};
  const hone_datum *lent[] = {&in[0], &in[1]};
  for (size_t i = 0; i < sizeof equations / sizeof *equations; i++) {
    one_node one;
    char attrs[100];
    snprintf(attrs, sizeof attrs, "equation=%s", equations[i]);
    CHECK_ERROR(make_node(&one, "einsum", attrs, lent, 2, 1), HONE_INVALID_MODEL, "");
    end_node(&one);
  }
}

/* A row that may look nowhere is zero; a causal row looks back from its offset; two heads of
 * queries share one of keys. */
TEST(attention_looks_where_it_may) {
  float q[2 * 3] = {0}, k[4] = {0}, v[4] = {1, 2, 3, 6};
  int64_t offset = -1;
  hone_datum in[] = {TENSOR(HONE_F32, q, 1, 2, 3, 1), TENSOR(HONE_F32, k, 1, 1, 4, 1),
                     TENSOR(HONE_F32, v, 1, 1, 4, 1), tensor(HONE_S64, &offset, 0, NULL)};
  const hone_datum *lent[] = {&in[0], &in[1], &in[2], NULL, NULL, &in[3]};
  one_node one;
  CHECK_OK(run_node(&one, "attention", "causal=true", lent, 6, 1));
  const float *got = one.out[0].data, want[] = {0, 1, 1.5f, 0, 1, 1.5f};
  CHECK(memcmp(got, want, sizeof want) == 0);
  end_node(&one);
  offset = 2;
  CHECK_OK(run_node(&one, "attention", "left=1 right=0", lent, 6, 1));
  got = one.out[0].data;
  CHECK(got[0] == 2.5f && got[1] == 4.5f && got[2] == 6);
  end_node(&one);
}

TEST(quantize_rounds_to_even_and_saturates) {
  float x[] = {0.5f, 1.5f, 2.5f, -0.5f, 300, -300, NAN, INFINITY}, scale[] = {1};
  int8_t zero[] = {1}, want[] = {1, 3, 3, 1, 127, -128, 0, 127};
  hone_datum in[] = {TENSOR(HONE_F32, x, 8), TENSOR(HONE_F32, scale, 1), TENSOR(HONE_S8, zero, 1)};
  const hone_datum *lent[] = {&in[0], &in[1], &in[2]};
  one_node one;
  CHECK_OK(run_node(&one, "quantize", "dtype=s8", lent, 3, 1));
  CHECK(memcmp(one.out[0].data, want, sizeof want) == 0);
  end_node(&one);
}

/* Blocks of 3 along an axis of 5, the last one short. */
TEST(dequantize_by_blocks) {
  int8_t x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  float scale[] = {1, 10, 100, 1000};
  hone_datum in[] = {TENSOR(HONE_S8, x, 2, 5), TENSOR(HONE_F32, scale, 2, 2)};
  const hone_datum *lent[] = {&in[0], &in[1]};
  const float want[] = {1, 2, 3, 40, 50, 600, 700, 800, 9000, 10000};
  one_node one;
  CHECK_OK(run_node(&one, "dequantize", "axis=1 block=3", lent, 2, 1));
  CHECK(memcmp(one.out[0].data, want, sizeof want) == 0);
  end_node(&one);
  CHECK_ERROR(make_node(&one, "dequantize", "axis=1 block=2", lent, 2, 1), HONE_INVALID_MODEL,
              "scales on axis");
  end_node(&one);
}

int main(void) {
  fill(a, MOST, 1);
  fill(b, MOST, 2);
  fill(c, MOST, 3);
  RUN(matmul);
  RUN(matmul_of_integers_wraps);
  RUN(einsum);
  RUN(einsum_refuses);
  RUN(attention_looks_where_it_may);
  RUN(quantize_rounds_to_even_and_saturates);
  RUN(dequantize_by_blocks);
  return check_report();
}
