/* Matrix multiplication on packed weights, every variant this processor runs, against loops in
 * double: odd sizes, strides, each way of finishing, every split. */
#include "backend/cpu/products/gemm.h"

#include "cpu_kernels.h"

typedef struct sizes {
  size_t rows, depth, columns, pad; /* pad: floats between a row's end and the next row */
} sizes;

static const sizes cases[] = {
    {1, 1, 1, 0},     {1, 64, 100, 0},    {7, 3, 64, 3}, {8, 17, 16, 0},   {13, 32, 80, 5},
    {49, 20, 24, 0},  {5, 0, 7, 0},       {0, 5, 7, 0},  {29, 65, 129, 1}, {100, 9, 3, 2},
    {6, 700, 333, 0}, {130, 300, 600, 0}, /* the last is blocked by rows */
};

static const hone_activation activations[] = {
    {HONE_ACTIVATION_NONE, 0, 0},
    {HONE_ACTIVATION_CLAMP, 0, INFINITY},
    {HONE_ACTIVATION_CLAMP, -0.25f, 0.5f},
    {HONE_ACTIVATION_LEAKY_RELU, 0.125f, 0},
    {HONE_ACTIVATION_ELU, 0.7f, 0},
    {HONE_ACTIVATION_SIGMOID, 0, 0},
    {HONE_ACTIVATION_TANH, 0, 0},
    {HONE_ACTIVATION_SILU, 1, 0},
    {HONE_ACTIVATION_HARD_SIGMOID, 0.2f, 0.5f},
    {HONE_ACTIVATION_HARD_SWISH, 0, 0},
    {HONE_ACTIVATION_GELU_ERF, 0, 0},
    {HONE_ACTIVATION_GELU_TANH, 0, 0},
    {HONE_ACTIVATION_AFFINE, 0.3f, -0.2f},
    {HONE_ACTIVATION_SCALED_TANH, 1.5f, 0.7f},
    {HONE_ACTIVATION_SOFTSIGN, 0, 0},
    {HONE_ACTIVATION_SOFTPLUS, 0, 0},
};

typedef struct problem {
  sizes s;
  size_t a_stride, out_stride;
  float *a, *b, *bias, *residual;
} problem;

static problem make(sizes s) {
  problem p = {.s = s, .a_stride = s.depth + s.pad, .out_stride = s.columns + s.pad};
  p.a = random_floats(s.rows * p.a_stride, 1);
  p.b = random_floats(s.depth * s.columns, 2);
  p.bias = random_floats(s.columns, 3);
  p.residual = random_floats(s.rows * p.out_stride, 4);
  for (size_t i = 0; i < s.rows; i++) { /* what must not be read */
    for (size_t j = s.depth; j < p.a_stride; j++) p.a[i * p.a_stride + j] = NAN;
  }
  return p;
}

static void discard(problem *p) {
  hone_free(p->a), hone_free(p->b), hone_free(p->bias), hone_free(p->residual);
}

static int wrong(const problem *p, const hone_gemm *g, const float *out) {
  for (size_t i = 0; i < p->s.rows; i++) {
    for (size_t j = 0; j < p->s.columns; j++) {
      double sum = 0, size = 0;
      for (size_t k = 0; k < p->s.depth; k++) {
        double product = (double)p->a[i * p->a_stride + k] * p->b[k * p->s.columns + j];
        sum += product, size += fabs(product);
      }
      if (g->sweep.finish.bias) sum += p->bias[j];
      if (g->sweep.finish.residual >= 0)
        sum += p->residual[i * (size_t)g->sweep.finish.residual_stride + j];
      double want = activation_in_double(g->sweep.finish.activation, sum);
      float got = out[i * p->out_stride + j];
      if (!close_enough(got, want, size + 2, p->s.depth)) {
        fprintf(stderr, "%s %zux%zux%zu [%zu][%zu]: %.9g, not %.9g\n", g->sweep.tiles->name,
                p->s.rows, p->s.depth, p->s.columns, i, j, (double)got, want);
        return 1;
      }
    }
    for (size_t j = p->s.columns; j < p->out_stride; j++) {
      if (!isnan(out[i * p->out_stride + j])) return 1;
    }
  }
  return 0;
}

static void check_problem(const problem *p, const hone_tile_set *tiles, hone_finish finish,
                          bool transposed) {
  sizes s = p->s;
  hone_gemm g = {.sweep = {.tiles = tiles,
                           .rows = s.rows,
                           .columns = s.columns,
                           .depth = s.depth,
                           .groups = 1,
                           .taps = 1,
                           .out_stride = (ptrdiff_t)p->out_stride,
                           .finish = finish},
                 .a_stride = (ptrdiff_t)p->a_stride};
  float *packed = floats(hone_pack_size(tiles, 1, 1, s.depth, s.columns));
  float *b = floats(s.depth * s.columns);
  for (size_t k = 0; k < s.depth; k++) {
    for (size_t j = 0; j < s.columns; j++)
      b[transposed ? j * s.depth + k : k * s.columns + j] = p->b[k * s.columns + j];
  }
  hone_weight_strides strides = {0, 0, transposed ? 1 : (ptrdiff_t)s.columns,
                                 transposed ? (ptrdiff_t)s.depth : 1};
  hone_pack_weights(tiles, 1, 1, s.depth, s.columns, b, strides, packed);
  g.sweep.weights = packed;
  hone_sweep_plan(&g.sweep);
  const void *in[] = {p->a, p->residual};
  float *first = NULL;
  size_t count = s.rows * p->out_stride;
  for (size_t i = 0; i < sizeof(test_parts) / sizeof(*test_parts); i++) {
    float *out = floats(count);
    hone_kernel_phase *phases[] = {hone_gemm_run};
    run_parts(phases, 1, &g, in, out, hone_sweep_scratch(&g.sweep) * (size_t)test_parts[i],
              test_parts[i]);
    if (!first) {
      first = out;
      CHECK(!wrong(p, &g, out));
    } else {
      CHECK(!memcmp(first, out, count * sizeof(float)));
      hone_free(out);
    }
  }
  hone_free(first), hone_free(packed), hone_free(b);
}

static void each_tile_set(void (*function)(const hone_tile_set *)) {
  for (const hone_tile_set *const *set = hone_tile_sets_f32; *set; set++) {
    if (hone_isa_runs((*set)->isa)) function(*set);
  }
}

static void all_sizes(const hone_tile_set *tiles) {
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    problem p = make(cases[i]);
    hone_finish plain = {.residual = -1},
                full = {.bias = p.bias,
                        .residual = 1,
                        .residual_stride = (ptrdiff_t)p.out_stride,
                        .activation = {HONE_ACTIVATION_CLAMP, 0, INFINITY}};
    check_problem(&p, tiles, plain, false);
    check_problem(&p, tiles, full, true);
    full.residual_stride = 0;
    check_problem(&p, tiles, full, false);
    discard(&p);
  }
}

static void all_activations(const hone_tile_set *tiles) {
  problem p = make((sizes){10, 12, 37, 0});
  for (size_t i = 0; i < sizeof(activations) / sizeof(*activations); i++) {
    hone_finish finish = {.bias = p.bias, .residual = -1, .activation = activations[i]};
    check_problem(&p, tiles, finish, false);
  }
  discard(&p);
}

/* Every height and width of tile in turn. */
static void all_tiles(const hone_tile_set *tiles) {
  for (size_t rows = 1; rows <= (size_t)tiles->height; rows++) {
    for (size_t columns = 1; columns <= (size_t)(tiles->lanes * tiles->panel); columns += 5) {
      problem p = make((sizes){rows, 6, columns, 1});
      check_problem(&p, tiles, (hone_finish){.bias = p.bias, .residual = -1}, false);
      discard(&p);
    }
  }
}

/* The program sees each element once, with its place. */
static void program_on_tiles(const hone_tile_set *tiles) {
  enum { ROWS = 23, COLUMNS = 150 };
  float out[ROWS * COLUMNS];
  hone_gemm g = {.sweep = {.tiles = tiles,
                           .rows = ROWS,
                           .columns = COLUMNS,
                           .depth = 0,
                           .weights = out,
                           .groups = 1,
                           .taps = 1,
                           .out_stride = COLUMNS,
                           .finish = {.residual = -1, .program = add_place}}};
  hone_sweep_plan(&g.sweep);
  const void *in[] = {out};
  hone_kernel_phase *phases[] = {hone_gemm_run};
  run_parts(phases, 1, &g, in, out, hone_sweep_scratch(&g.sweep) * 3, 3);
  CHECK(misplaced(out, ROWS, COLUMNS, COLUMNS) == 0);
}

/* Activations over their whole range, against double; NaN and infinities come through. */
static void activation_range(const hone_tile_set *tiles) {
  enum { COUNT = 4001 };
  float x[COUNT + 3];
  double limit = bound("activation", "fp32");
  for (size_t f = 0; f < sizeof(activations) / sizeof(*activations); f++) {
    hone_activation activation = activations[f];
    for (int i = 0; i < COUNT; i++) x[i] = (float)(i - COUNT / 2) * 0.0173f;
    x[COUNT] = NAN, x[COUNT + 1] = -200, x[COUNT + 2] = 200;
    hone_activate(tiles->isa, activation, x, 0, 1, COUNT + 3);
    int bad = !isnan(x[COUNT]);
    for (int i = 0; i < COUNT + 3; i++) {
      float from = i < COUNT ? (float)(i - COUNT / 2) * 0.0173f : i == COUNT + 1 ? -200 : 200;
      double want = activation_in_double(activation, from);
      if (i != COUNT)
        bad += !(fabs(x[i] - want) <= limit * fmax(fmax(1, fabs(want)), fmin(fabs(from), 6)));
    }
    if (bad) fprintf(stderr, "%s activation %zu: %d wrong\n", tiles->name, f, bad);
    CHECK(bad == 0);
  }
}

TEST(sizes_strides_splits) {
  each_tile_set(all_sizes);
}
TEST(activations) {
  each_tile_set(all_activations);
}
TEST(tiles) {
  each_tile_set(all_tiles);
}
TEST(programs) {
  each_tile_set(program_on_tiles);
}
TEST(activation_values) {
  each_tile_set(activation_range);
}

int main(void) {
  RUN(sizes_strides_splits);
  RUN(activations);
  RUN(tiles);
  RUN(programs);
  RUN(activation_values);
  return check_report();
}
