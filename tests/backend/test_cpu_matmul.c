/* Matrix multiplication of run-time operands: every variant this processor runs, against loops in
 * double; batches with broadcasting, each operand transposed or not, every split. */
#include "backend/cpu/products/matmul.h"

#include "cpu_kernels.h"

typedef struct problem {
  size_t batch[2], rows, depth, columns;
  bool repeat_a, repeat_b; /* the second batch dimension has one matrix */
} problem;

static const problem problems[] = {
    {{1, 1}, 1, 1, 1, false, false},      {{2, 3}, 7, 64, 64, false, false},
    {{2, 3}, 13, 17, 81, false, true},    {{3, 2}, 9, 33, 20, true, false},
    {{1, 1}, 50, 129, 150, false, false}, {{1, 4}, 1, 70, 35, false, false},
    {{2, 2}, 5, 0, 6, false, false},      {{0, 2}, 5, 4, 6, false, false},
};

typedef struct data {
  hone_matmul m;
  float *a, *b, *bias, *residual;
} data;

static data make(const problem *p, const hone_tile_set *tiles, bool a_across, bool b_across) {
  size_t a = p->rows * p->depth, b = p->depth * p->columns, out = p->rows * p->columns;
  size_t count = p->batch[0] * p->batch[1];
  data d = {.a = random_floats(count * a, 1),
            .b = random_floats(count * b, 2),
            .bias = random_floats(p->columns, 3),
            .residual = random_floats(count * out, 4)};
  size_t a_second = p->repeat_a ? 1 : p->batch[1], b_second = p->repeat_b ? 1 : p->batch[1];
  d.m = (hone_matmul){.tiles = tiles,
                      .batch_rank = 2,
                      .batch = {p->batch[0], p->batch[1]},
                      .rows = p->rows,
                      .depth = p->depth,
                      .columns = p->columns,
                      .b = 1,
                      .a_batch = {(ptrdiff_t)(a * a_second), p->repeat_a ? 0 : (ptrdiff_t)a},
                      .a_row = a_across ? 1 : (ptrdiff_t)p->depth,
                      .a_depth = a_across ? (ptrdiff_t)p->rows : 1,
                      .b_batch = {(ptrdiff_t)(b * b_second), p->repeat_b ? 0 : (ptrdiff_t)b},
                      .b_depth = b_across ? 1 : (ptrdiff_t)p->columns,
                      .b_column = b_across ? (ptrdiff_t)p->depth : 1,
                      .out_batch = {(ptrdiff_t)(out * p->batch[1]), (ptrdiff_t)out},
                      .out_row = (ptrdiff_t)p->columns,
                      .finish = {.bias = d.bias,
                                 .residual = 2,
                                 .residual_stride = (ptrdiff_t)p->columns,
                                 .activation = {HONE_ACTIVATION_CLAMP, -2, INFINITY}}};
  return d;
}

static bool right(const data *d, const float *out) {
  const hone_matmul *m = &d->m;
  for (size_t i = 0, at = 0; i < m->batch[0] * m->batch[1] * m->rows; i++) {
    size_t n0 = i / m->rows / m->batch[1], n1 = i / m->rows % m->batch[1], row = i % m->rows;
    const float *a = d->a + (ptrdiff_t)n0 * m->a_batch[0] + (ptrdiff_t)n1 * m->a_batch[1];
    const float *b = d->b + (ptrdiff_t)n0 * m->b_batch[0] + (ptrdiff_t)n1 * m->b_batch[1];
    for (size_t j = 0; j < m->columns; j++, at++) {
      double sum = d->bias[j] + d->residual[at], size = 2;
      for (size_t k = 0; k < m->depth; k++) {
        double product = (double)a[(ptrdiff_t)row * m->a_row + (ptrdiff_t)k * m->a_depth] *
                         b[(ptrdiff_t)k * m->b_depth + (ptrdiff_t)j * m->b_column];
        sum += product, size += fabs(product);
      }
      if (!close_enough(out[at], fmax(sum, -2), size, m->depth)) {
        fprintf(stderr, "%s row %zu column %zu: %.9g, not %.9g\n", m->tiles->name, i, j,
                (double)out[at], fmax(sum, -2));
        return false;
      }
    }
  }
  return true;
}

static void check_problem(const problem *p, const hone_tile_set *tiles, int across) {
  data d = make(p, tiles, across & 1, across & 2);
  hone_arena arena = {0};
  hone_kernel_plan plan;
  CHECK_OK(hone_matmul_plan(&d.m, &arena, &plan));
  const void *in[] = {d.a, d.b, d.residual};
  size_t count = p->batch[0] * p->batch[1] * p->rows * p->columns;
  float *first = NULL;
  for (size_t i = 0; i < sizeof(test_parts) / sizeof(*test_parts); i++) {
    float *out = floats(count);
    run_parts(plan.phases, plan.phase_count, plan.args, in, out,
              plan.shared_scratch + plan.part_scratch * (size_t)test_parts[i], test_parts[i]);
    if (first) {
      CHECK(!memcmp(first, out, count * sizeof(float)));
      hone_free(out);
    } else {
      first = out;
      CHECK(right(&d, out));
    }
  }
  hone_free(first), hone_arena_free(&arena);
  hone_free(d.a), hone_free(d.b), hone_free(d.bias), hone_free(d.residual);
}

TEST(all_problems_on_all_tiles) {
  for (const hone_tile_set *const *tiles = hone_tile_sets_f32; *tiles; tiles++) {
    if (!hone_isa_runs((*tiles)->isa)) continue;
    for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
      for (int across = 0; across < 4; across++) check_problem(&problems[i], *tiles, across);
    }
  }
}

int main(void) {
  RUN(all_problems_on_all_tiles);
  return check_report();
}
