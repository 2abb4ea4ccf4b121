/* Share of the processor's peak that the CPU kernels reach, on the layers of real nets, one thread.
 *
 *   cpu_kernels [family]      gemm, conv, depthwise, winograd, attention; all when none is named
 *
 * The peak is measured by the program itself. Times are the least of many runs: other work on the
 * machine only adds. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/gemm.h"
#include "backend/cpu/simd.h"
#include "base/memory.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *numbers(size_t count) {
  float *p = hone_alloc_aligned(64, count * sizeof(float));
  uint32_t seed = 1;
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    p[i] = (float)((int32_t)(seed >> 8) - (1 << 23)) / (float)(1 << 23);
  }
  return p;
}

typedef struct work {
  hone_kernel_phase *phases[3];
  int phase_count;
  const void *args;
  hone_kernel_io io;
} work;

static double seconds(const work *w) {
  double best = INFINITY, end = now() + 0.06;
  do {
    double start = now();
    for (int i = 0; i < w->phase_count; i++) w->phases[i](w->args, &w->io, 0, 1);
    double took = now() - start;
    if (took < best) best = took;
  } while (now() < end);
  return best;
}

static double peak; /* multiply-adds a second */

/* One tile whose operands stay in the first-level cache. */
static void measure_peak(const hone_tile_set *tiles) {
  enum { DEPTH = 96, TIMES = 64 };
  size_t columns = (size_t)(tiles->lanes * tiles->panel), rows = (size_t)tiles->height;
  float *a = numbers(rows * DEPTH), *b = numbers(columns * DEPTH), *c = numbers(rows * columns);
  const void *table[TIMES * HONE_TILE_ROWS];
  for (int t = 0; t < TIMES; t++) {
    for (size_t i = 0; i < rows; i++) table[t * HONE_TILE_ROWS + (int)i] = a + i * DEPTH;
  }
  hone_tile tile = {.rows = table,
                    .taps = 1,
                    .depth = DEPTH,
                    .weights = b,
                    .out = c,
                    .out_stride = (ptrdiff_t)columns,
                    .tail = tiles->lanes};
  double best = INFINITY, end = now() + 0.2;
  do {
    double start = now();
    for (int i = 0; i < TIMES; i++) tiles->run[tiles->panel][tiles->height](&tile);
    double took = now() - start;
    if (took < best) best = took;
  } while (now() < end);
  peak = (double)(TIMES * DEPTH) * (double)(rows * columns) / best;
  printf("%s: %.1f GFLOP/s from the first-level cache\n", tiles->name, peak * 2e-9);
  hone_free(a), hone_free(b), hone_free(c);
}

static void report(const char *what, double multiply_adds, double took) {
  printf("  %-44s %9.1f us  %.3f of peak\n", what, took * 1e6, multiply_adds / took / peak);
}

static void bench_gemm(const hone_tile_set *tiles) {
  static const size_t shapes[][3] = {
      {3136, 64, 64},   {3136, 64, 256},  {3136, 256, 64}, {784, 128, 512}, {784, 512, 128},
      {196, 256, 1024}, {196, 1024, 256}, {49, 512, 2048}, {49, 2048, 512}, {128, 768, 3072},
      {128, 3072, 768}, {12544, 32, 16},  {12544, 16, 96}, {3136, 144, 24}, {1, 2048, 1000},
  };
  puts("gemm, bias and relu: rows x depth -> columns");
  for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
    size_t rows = shapes[i][0], depth = shapes[i][1], columns = shapes[i][2];
    float *a = numbers(rows * depth), *b = numbers(depth * columns), *c = numbers(rows * columns);
    float *packed = numbers(hone_pack_size(tiles, 1, 1, depth, columns)), *bias = numbers(columns);
    hone_pack_weights(tiles, 1, 1, depth, columns, b,
                      (hone_weight_strides){0, 0, (ptrdiff_t)columns, 1}, packed);
    hone_gemm gemm = {.sweep = {.tiles = tiles,
                                .rows = rows,
                                .columns = columns,
                                .depth = depth,
                                .groups = 1,
                                .taps = 1,
                                .weights = packed,
                                .out_stride = (ptrdiff_t)columns,
                                .finish = {.bias = bias,
                                           .residual = -1,
                                           .activation = {HONE_ACTIVATION_CLAMP, 0, INFINITY}}},
                      .a_stride = (ptrdiff_t)depth};
    hone_sweep_plan(&gemm.sweep);
    void *in[] = {a}, *out[] = {c}, *scratch = numbers(hone_sweep_scratch(&gemm.sweep));
    work w = {{hone_gemm_run}, 1, &gemm, {in, out, scratch}};
    char name[64];
    snprintf(name, sizeof(name), "%zu x %zu -> %zu", rows, depth, columns);
    report(name, (double)(rows * depth) * (double)columns, seconds(&w));
    hone_free(a), hone_free(b), hone_free(c), hone_free(packed), hone_free(bias);
    hone_free(scratch);
  }
}

static const struct {
  const char *name;
  void (*run)(const hone_tile_set *);
} families[] = {{"gemm", bench_gemm}};

int main(int count, char **names) {
  for (const hone_tile_set *const *set = hone_tile_sets_f32; *set; set++) {
    if (!hone_isa_runs((*set)->isa) ||
        ((*set)->isa == HONE_ISA_PLAIN && set != hone_tile_sets_f32 && count < 3))
      continue;
    measure_peak(*set);
    for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
      if (count < 2 || !strcmp(names[1], families[i].name)) families[i].run(*set);
    }
  }
  return 0;
}
