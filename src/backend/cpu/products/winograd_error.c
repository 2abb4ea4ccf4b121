/* How much a layer's weights lose in Winograd's transforms, measured. Room: backend/cpu/products.
 *
 * The arithmetic of one output tile after another in f32, with points in bf16 where the kernel has
 * them so, beside the same sums in f64, on numbers
 * that are the same in every build: so a build stays a function of the model. */
#include <math.h>

#include "backend/cpu/products/winograd.h"
#include "backend/cpu/simd/simd_bf16.h"

#define MOST_SIDE     HONE_WINOGRAD_MOST_SIDE
#define MOST_OUT      4
#define TILES         4
#define MOST_CHANNELS 24 /* output channels that are looked at, evenly spread */

typedef struct transform {
  size_t side, out, stride; /* of the input tile, of the output tile */
  double g[MOST_SIDE][3];
  float b[MOST_SIDE][MOST_SIDE], a[MOST_OUT][MOST_SIDE];
} transform;

/* A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), with the points
 * 0, 1, -1, infinity and 0, 1, -1, 2, -2, infinity. */
static const transform small = {4,
                                2,
                                1,
                                {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
                                {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
                                {{1, 1, 1, 0}, {0, 1, -1, -1}}};
static const transform large = {
    6,
    4,
    1,
    {{1.0 / 4, 0, 0},
     {-1.0 / 6, -1.0 / 6, -1.0 / 6},
     {-1.0 / 6, 1.0 / 6, -1.0 / 6},
     {1.0 / 24, 1.0 / 12, 1.0 / 6},
     {1.0 / 24, -1.0 / 12, 1.0 / 6},
     {0, 0, 1}},
    {{4, 0, -5, 0, 1, 0},
     {0, -4, -4, 1, 1, 0},
     {0, 4, -4, -1, 1, 0},
     {0, -2, -1, 2, 1, 0},
     {0, 2, -1, -2, 1, 0},
     {0, 4, 0, -5, 0, 1}},
    {{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}}};

/* Stride 2: points 0, 1, infinity and 0, 1, -1, 2, infinity of the even pixels, then the odd ones.
 */
static const transform small_strided = {
    5,
    2,
    2,
    {{1, 0, 0}, {1, 0, 1}, {0, 0, 1}, {0, 1, 0}, {0, 1, 0}},
    {{1, 0, -1, 0, 0}, {0, 0, 1, 0, 0}, {0, 0, -1, 0, 1}, {0, 1, 0, 0, 0}, {0, 0, 0, 1, 0}},
    {{1, 1, 0, 1, 0}, {0, 1, 1, 0, 1}}};
static const transform large_strided = {9,
                                        4,
                                        2,
                                        {{1.0 / 2, 0, 0},
                                         {-1.0 / 2, 0, -1.0 / 2},
                                         {-1.0 / 6, 0, 1.0 / 6},
                                         {1.0 / 6, 0, 1.0 / 3},
                                         {0, 0, 1},
                                         {0, 1, 0},
                                         {0, 1, 0},
                                         {0, 1, 0},
                                         {0, 1, 0}},
                                        {{2, 0, -1, 0, -2, 0, 1, 0, 0},
                                         {0, 0, -2, 0, -1, 0, 1, 0, 0},
                                         {0, 0, 2, 0, -3, 0, 1, 0, 0},
                                         {0, 0, -1, 0, 0, 0, 1, 0, 0},
                                         {0, 0, 2, 0, -1, 0, -2, 0, 1},
                                         {0, 1, 0, 0, 0, 0, 0, 0, 0},
                                         {0, 0, 0, 1, 0, 0, 0, 0, 0},
                                         {0, 0, 0, 0, 0, 1, 0, 0, 0},
                                         {0, 0, 0, 0, 0, 0, 0, 1, 0}},
                                        {{1, 1, 1, 1, 0, 1, 0, 0, 0},
                                         {0, 1, -1, 2, 0, 0, 1, 0, 0},
                                         {0, 1, 1, 4, 0, 0, 0, 1, 0},
                                         {0, 1, -1, 8, 1, 0, 0, 0, 1}}};
/* By outputs and stride. */
static const transform *transform_of(const hone_winograd_set *set) {
  if (set->stride == 1) return set->outputs == 2 ? &small : &large;
  return set->outputs == 2 ? &small_strided : &large_strided;
}

typedef float square[MOST_SIDE][MOST_SIDE];

/* y = t x t', t of `rows` rows and `side` columns. */
static void sandwich(size_t rows, size_t side, const float (*t)[MOST_SIDE], square x, square y) {
  square half = {{0}};
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < side; j++)
      for (size_t k = 0; k < side; k++) half[i][j] += t[i][k] * x[k][j];
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < rows; j++) {
      y[i][j] = 0;
      for (size_t k = 0; k < side; k++) y[i][j] += half[i][k] * t[j][k];
    }
}

static void transform_filter(const transform *t, const double *w, square u) {
  for (size_t i = 0; i < t->side; i++)
    for (size_t j = 0; j < t->side; j++) {
      double sum = 0;
      for (int y = 0; y < 3; y++)
        for (int x = 0; x < 3; x++) sum += t->g[i][y] * t->g[j][x] * w[3 * y + x];
      u[i][j] = (float)sum;
    }
}

/* Numbers of -1..1, the same for the same place (xorshift). */
static void fill(size_t tile, size_t channel, size_t side, square d) {
  uint32_t state = (uint32_t)(tile * 2654435761u + channel * 40503u + 1);
  for (size_t i = 0; i < side; i++)
    for (size_t j = 0; j < side; j++) {
      state ^= state << 13, state ^= state >> 17, state ^= state << 5;
      d[i][j] = (float)(state >> 8) / 8388608.0f - 1;
    }
}

typedef struct sums {
  double exact[MOST_OUT][MOST_OUT];
  square products;
} sums;

/* One channel of a tile of the input, as it is and transformed. */
typedef struct input_tile {
  square d, v;
} input_tile;

static void round_all(const transform *t, square x) {
  for (size_t i = 0; i < t->side; i++)
    for (size_t j = 0; j < t->side; j++) x[i][j] = from_bf16(to_bf16(x[i][j]));
}

static void make_tile(const transform *t, size_t number, size_t channel, bool low, input_tile *out) {
  fill(number, channel, t->side, out->d);
  if (low) round_all(t, out->d);
  sandwich(t->side, t->side, t->b, out->d, out->v);
  if (low) round_all(t, out->v);
}

/* What a tile's channel adds to an output channel: w the filter, u the same transformed. */
static void add_channel(const transform *t, input_tile *x, square u, const double *w, sums *s) {
  for (size_t i = 0; i < t->side; i++)
    for (size_t j = 0; j < t->side; j++) s->products[i][j] += u[i][j] * x->v[i][j];
  for (size_t i = 0; i < t->out; i++)
    for (size_t j = 0; j < t->out; j++)
      for (size_t k = 0; k < 9; k++) {
        float d = x->d[i * t->stride + k / 3][j * t->stride + k % 3];
        s->exact[i][j] += w[k] * (double)d;
      }
}

/* The largest difference and the largest value of one output channel's tile. */
static void compare_tile(const transform *t, sums *s, double *off, double *most) {
  square y;
  sandwich(t->out, t->side, t->a, s->products, y);
  for (size_t i = 0; i < t->out; i++)
    for (size_t j = 0; j < t->out; j++) {
      *off = fmax(*off, fabs((double)y[i][j] - s->exact[i][j]));
      *most = fmax(*most, fabs(s->exact[i][j]));
    }
}

static void add_filter(const transform *t, const float *from, ptrdiff_t tap, bool low,
                       input_tile *tiles, sums *s) {
  double w[9];
  square u;
  for (int k = 0; k < 9; k++) w[k] = (double)from[k * tap];
  transform_filter(t, w, u);
  if (low) round_all(t, u);
  for (size_t tile = 0; tile < TILES; tile++) add_channel(t, &tiles[tile], u, w, &s[tile]);
}

double hone_winograd_error(const hone_conv_kernel *kernel, const hone_conv *conv,
                           hone_conv_weights weights) {
  const transform *t = transform_of(kernel->functions);
  size_t step = (conv->out_channels + MOST_CHANNELS - 1) / MOST_CHANNELS;
  size_t looked_at = (conv->out_channels + step - 1) / step;
  sums s[MOST_CHANNELS][TILES] = {0};
  double worst = 0;
  for (size_t c = 0; c < conv->in_channels; c++) {
    input_tile tiles[TILES];
    for (size_t tile = 0; tile < TILES; tile++) make_tile(t, tile, c, conv->bf16, &tiles[tile]);
    const float *from = weights.data + (ptrdiff_t)c * weights.in_channel;
    for (size_t m = 0; m < looked_at; m++)
      add_filter(t, from + (ptrdiff_t)(m * step) * weights.out_channel, weights.tap, conv->bf16,
                 tiles, s[m]);
  }
  for (size_t m = 0; m < looked_at; m++) {
    double off = 0, most = 0;
    for (size_t tile = 0; tile < TILES; tile++) compare_tile(t, &s[m][tile], &off, &most);
    if (isnan(off) || isnan(most) || isinf(most)) return INFINITY;
    if (off > 0) worst = fmax(worst, most > 0 ? off / most : INFINITY);
  }
  return worst;
}
