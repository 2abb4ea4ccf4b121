/* Share of the processor's peak that the CPU kernels reach, on the layers of real nets, one thread.
 *
 *   cpu_kernels [family [isa]]   gemm, conv, transposed, attention; avx512, avx2, plain; all when
 * none is named
 *
 * The peak is measured by the program itself. Times are the least of many runs: other work on the
 * machine only adds. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/products/attention.h"
#include "backend/cpu/products/conv.h"
#include "backend/cpu/products/conv_transposed.h"
#include "backend/cpu/products/gemm.h"
#include "backend/cpu/products/matmul.h"
#include "backend/cpu/simd/simd.h"
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
  hone_kernel_phase *phases[HONE_KERNEL_PHASES];
  int phase_count;
  const void *args;
  hone_kernel_io io;
} work;

static double seconds(const work *w) {
  double best = INFINITY, end = now() + 0.06;
  for (int runs = 0; runs < 20 || now() < end; runs++) {
    double start = now();
    for (int i = 0; i < w->phase_count; i++) w->phases[i](w->args, &w->io, 0, 1);
    double took = now() - start;
    if (took < best) best = took;
  }
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
  printf("  %-60s %9.1f us  %.3f of peak\n", what, took * 1e6, multiply_adds / took / peak);
}

static void run_plan(const char *name, double multiply_adds, const hone_kernel_plan *plan,
                     void *const *in, void *const *out) {
  void *scratch = hone_alloc_aligned(64, plan->shared_scratch + plan->part_scratch + 64);
  work w = {.phase_count = plan->phase_count, .args = plan->args, .io = {in, out, scratch}};
  memcpy(w.phases, plan->phases, sizeof(w.phases));
  report(name, multiply_adds, seconds(&w));
  hone_free(scratch);
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
                      .a_stride = (ptrdiff_t)depth * tiles->operand / 4};
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

typedef struct layer {
  const char *net;
  size_t size, channels, columns, kernel, stride, groups; /* square pictures */
} layer;

static const layer layers[] = {
    {"resnet", 224, 3, 64, 7, 2, 1},           {"resnet", 56, 64, 64, 3, 1, 1},
    {"resnet", 28, 128, 128, 3, 1, 1},         {"resnet", 14, 256, 256, 3, 1, 1},
    {"resnet", 7, 512, 512, 3, 1, 1},          {"resnet", 56, 128, 128, 3, 2, 1},
    {"resnet", 56, 256, 512, 1, 2, 1},         {"mobilenet", 224, 3, 32, 3, 2, 1},
    {"mobilenet", 112, 32, 32, 3, 1, 32},      {"mobilenet", 112, 96, 96, 3, 2, 96},
    {"mobilenet", 56, 144, 144, 3, 1, 144},    {"mobilenet", 28, 192, 192, 3, 1, 192},
    {"mobilenet", 14, 576, 576, 3, 1, 576},    {"mobilenet", 7, 960, 960, 3, 1, 960},
    {"efficientnet", 28, 240, 240, 5, 1, 240}, {"efficientnet", 28, 240, 240, 5, 2, 240},
    {"resnext", 56, 128, 128, 3, 1, 32},       {"resnext", 56, 256, 256, 3, 2, 32},
    {"resnext", 28, 256, 256, 3, 1, 32},       {"resnext", 14, 512, 512, 3, 1, 32},
    {"resnext", 7, 1024, 1024, 3, 1, 32},
};

static hone_conv conv_of(const layer *l, const float *bias, bool bf16) {
  size_t out = (l->size + l->stride - 1) / l->stride;
  ptrdiff_t pad = (ptrdiff_t)l->kernel / 2;
  return (hone_conv){
      .bf16 = bf16,
      .x_bf16 = bf16,
      .y_bf16 = bf16,
      .kernel = {1, l->kernel, l->kernel},
      .stride = {1, l->stride, l->stride},
      .dilation = {1, 1, 1},
      .groups = l->groups,
      .in_channels = l->channels,
      .out_channels = l->columns,
      .batch = 1,
      .in = {1, l->size, l->size},
      .out = {1, out, out},
      .pad = {0, pad, pad},
      .x_stride = (ptrdiff_t)l->channels,
      .y_stride = (ptrdiff_t)l->columns,
      .finish = {.bias = bias, .residual = -1, .activation = {HONE_ACTIVATION_CLAMP, 0, INFINITY}}};
}

static void bench_layer(const layer *l, const hone_conv_kernel *kernel, const hone_tile_set *tiles,
                        bool transposed) {
  float *bias = numbers(l->columns);
  hone_conv conv = conv_of(l, bias, tiles->operand == 2);
  if (transposed) {
    conv.out[1] = conv.out[2] = 2 * l->size;
    conv.pad[1] = conv.pad[2] = (ptrdiff_t)(l->kernel - 2) / 2;
  }
  if (!kernel->accepts(&conv)) {
    hone_free(bias);
    return;
  }
  size_t taps = l->kernel * l->kernel, in_group = l->channels / l->groups;
  float *w = numbers(taps * in_group * l->columns), *x = numbers(l->size * l->size * l->channels);
  float *y = numbers(hone_conv_pixels(&conv) * l->columns);
  float *packed = numbers(kernel->pack_size(kernel, &conv));
  hone_conv_weights weights = {w, (ptrdiff_t)(taps * in_group), (ptrdiff_t)taps, 1};
  kernel->pack(kernel, &conv, weights, packed);
  hone_arena arena = {0};
  hone_kernel_plan plan;
  hone_status *status = kernel->plan(kernel, &conv, packed, &arena, &plan);
  if (status) {
    hone_status_free(status);
  } else {
    void *in[] = {x}, *out[] = {y};
    char name[96];
    snprintf(name, sizeof(name), "%s %zu^2 %zu>%zu %zux%zu/%zu g%zu %s", l->net, l->size,
             l->channels, l->columns, l->kernel, l->kernel, l->stride, l->groups, kernel->name);
    run_plan(name,
             (double)(transposed ? l->size * l->size : hone_conv_pixels(&conv)) *
                 (double)(taps * in_group * l->columns),
             &plan, in, out);
  }
  hone_arena_free(&arena);
  hone_free(w), hone_free(x), hone_free(y), hone_free(packed), hone_free(bias);
}

/* Transposed convolutions double the picture. */
static void bench_transposed(const hone_tile_set *tiles) {
  static const layer doubling[] = {{"dbnet", 240, 24, 24, 2, 2, 1},
                                   {"dbnet", 480, 24, 1, 2, 2, 1},
                                   {"unet", 64, 256, 128, 2, 2, 1},
                                   {"gan", 32, 128, 64, 4, 2, 1}};
  puts("transposed convolution, bias and relu: size^2 channels>columns kernel/stride groups");
  for (size_t i = 0; i < sizeof(doubling) / sizeof(*doubling); i++) {
    for (const hone_conv_kernel *k = hone_conv_transposed_kernels; k->name; k++) {
      if (k->isa == tiles->isa && tiles->operand == sizeof(float))
        bench_layer(&doubling[i], k, tiles, true);
    }
  }
}

static void bench_conv(const hone_tile_set *tiles) {
  puts("convolution, bias and relu: size^2 channels>columns kernel/stride groups");
  for (size_t i = 0; i < sizeof(layers) / sizeof(*layers); i++) {
    for (const hone_conv_kernel *k = hone_conv_kernels; k->name; k++) {
      if (k->isa == tiles->isa) bench_layer(&layers[i], k, tiles, false);
    }
  }
}

static void bench_attention(const hone_tile_set *tiles) {
  if (tiles->operand != sizeof(float)) return;
  static const size_t shapes[][4] = {
      {12, 128, 128, 64}, {12, 384, 384, 64}, {8, 1024, 1024, 64}, {12, 1, 1024, 64}};
  puts("attention: heads, queries, keys, depth");
  for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
    size_t heads = shapes[i][0], queries = shapes[i][1], keys = shapes[i][2], depth = shapes[i][3];
    size_t model = heads * depth;
    float *q = numbers(queries * model), *k = numbers(keys * model), *v = numbers(keys * model);
    float *y = numbers(queries * model);
    hone_attention_strides strides = {0, (ptrdiff_t)depth, (ptrdiff_t)model};
    hone_attention attention = {.tiles = tiles,
                                .batch = 1,
                                .heads = heads,
                                .kv_heads = heads,
                                .queries = queries,
                                .keys = keys,
                                .depth = depth,
                                .value_depth = depth,
                                .k = 1,
                                .v = 2,
                                .q_strides = strides,
                                .k_strides = strides,
                                .v_strides = strides,
                                .out_strides = strides,
                                .scale = 0.125f};
    hone_arena arena = {0};
    hone_kernel_plan plan;
    hone_status *status = hone_attention_plan(&attention, &arena, &plan);
    void *in[] = {q, k, v}, *out[] = {y};
    char name[64];
    snprintf(name, sizeof(name), "attention %zu %zu %zu %zu", heads, queries, keys, depth);
    if (!status) run_plan(name, 2.0 * (double)(queries * keys) * (double)model, &plan, in, out);
    hone_status_free(status);
    hone_matmul scores = {.tiles = tiles,
                          .batch_rank = 1,
                          .batch = {heads},
                          .rows = queries,
                          .depth = depth,
                          .columns = keys,
                          .b = 1,
                          .a_batch = {(ptrdiff_t)depth},
                          .a_row = (ptrdiff_t)model,
                          .a_depth = 1,
                          .b_batch = {(ptrdiff_t)depth},
                          .b_depth = 1,
                          .b_column = (ptrdiff_t)model,
                          .out_batch = {(ptrdiff_t)(queries * keys)},
                          .out_row = (ptrdiff_t)keys,
                          .finish = {.residual = -1}};
    float *s = numbers(heads * queries * keys);
    void *score_out[] = {s};
    status = hone_matmul_plan(&scores, &arena, &plan);
    if (!status)
      run_plan("its scores by matmul", (double)(queries * keys) * (double)model, &plan, in,
               score_out);
    hone_status_free(status);
    hone_arena_free(&arena);
    hone_free(q), hone_free(k), hone_free(v), hone_free(y), hone_free(s);
  }
}

static const struct {
  const char *name;
  void (*run)(const hone_tile_set *);
} families[] = {{"gemm", bench_gemm},
                {"conv", bench_conv},
                {"transposed", bench_transposed},
                {"attention", bench_attention}};

static void bench(const hone_tile_set *tiles, int count, char **names) {
  if (!hone_isa_runs(tiles->isa) || (count > 2 && !strstr(tiles->name, names[2]))) return;
  measure_peak(tiles);
  for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
    if (count < 2 || !strcmp(names[1], families[i].name)) families[i].run(tiles);
  }
}

int main(int count, char **names) {
  for (const hone_tile_set *const *set = hone_tile_sets_f32; *set; set++) bench(*set, count, names);
#if defined(__x86_64__)
  bench(&hone_tiles_bf16_avx512bf16, count, names);
#endif
  return 0;
}
