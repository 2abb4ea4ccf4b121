/* Products and activations of doubles in blocks. Room: backend/cpu/products. */
#include "backend/cpu/products/multiply_f64.h"

#include <math.h>

#include "base/memory.h"

static size_t panel_of(const hone_product_set *set) {
  return set->width / sizeof(double);
}

size_t hone_pack_size_f64(const hone_product_set *set, size_t depth, size_t columns) {
  size_t panel = panel_of(set), panels = columns / panel + (columns % panel != 0), size;
  return hone_mul(panels, panel, &size) && hone_mul(size, depth, &size) ? size : 0;
}

void hone_pack_f64(const hone_product_set *set, size_t depth, size_t columns, const double *weights,
                   ptrdiff_t depth_step, ptrdiff_t column_step, double *packed) {
  size_t panel = panel_of(set);
  for (size_t column = 0; column < columns; column += panel)
    for (size_t k = 0; k < depth; k++, packed += panel)
      for (size_t j = 0; j < panel; j++)
        packed[j] = column + j < columns
                        ? weights[(ptrdiff_t)k * depth_step + (ptrdiff_t)(column + j) * column_step]
                        : 0;
}

void hone_multiply_f64(const hone_product_set *set, size_t rows, size_t depth, size_t columns,
                       const double *a, ptrdiff_t a_stride, const double *packed, double *out,
                       ptrdiff_t out_stride, bool add) {
  _Alignas(64) double tile[HONE_PRODUCT_ROWS * HONE_PRODUCT_MOST_WIDTH / sizeof(double)];
  size_t panel = panel_of(set);
  for (size_t column = 0; column < columns; column += panel, packed += depth * panel) {
    size_t width = columns - column < panel ? columns - column : panel;
    for (size_t row = 0; row < rows; row += HONE_PRODUCT_ROWS) {
      size_t live = rows - row < HONE_PRODUCT_ROWS ? rows - row : HONE_PRODUCT_ROWS;
      const void *table[HONE_PRODUCT_ROWS];
      for (size_t i = 0; i < HONE_PRODUCT_ROWS; i++) /* rows that there are not repeat the first */
        table[i] = a + (ptrdiff_t)(row + (i < live ? i : 0)) * a_stride;
      set->f64(1, depth, table, 1, packed, (ptrdiff_t)panel, tile);
      for (size_t i = 0; i < live; i++) {
        double *to = out + (ptrdiff_t)(row + i) * out_stride + column;
        for (size_t j = 0; j < width; j++) to[j] = tile[i * panel + j] + (add ? to[j] : 0);
      }
    }
  }
}

static double clamped(double x, double low, double high) {
  return x < low ? low : x > high ? high : x;
}

void hone_limit_f64(double limit, double *x, ptrdiff_t stride, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r++, x += stride)
    for (size_t i = 0; i < columns; i++) x[i] = clamped(x[i], -limit, limit);
}

static double activated(hone_activation_f64 f, double x) {
  switch (f.kind) {
    case HONE_ACTIVATION_CLAMP:
      return clamped(x, f.a, f.b);
    case HONE_ACTIVATION_SIGMOID:
      return 1 / (1 + exp(-x));
    case HONE_ACTIVATION_TANH:
      return tanh(x);
    case HONE_ACTIVATION_AFFINE:
      return f.a * x + f.b;
    case HONE_ACTIVATION_LEAKY_RELU:
      return x < 0 ? f.a * x : x;
    case HONE_ACTIVATION_THRESHOLDED_RELU:
      return x > f.a || x != x ? x : 0;
    case HONE_ACTIVATION_SCALED_TANH:
      return f.a * tanh(f.b * x);
    case HONE_ACTIVATION_HARD_SIGMOID:
      return clamped(f.a * x + f.b, 0, 1);
    case HONE_ACTIVATION_ELU:
      return x < 0 ? f.a * expm1(x) : x;
    case HONE_ACTIVATION_SOFTSIGN:
      return x / (1 + fabs(x));
    case HONE_ACTIVATION_SOFTPLUS:
      return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
    default:
      return x;
  }
}

void hone_activate_f64(hone_activation_f64 f, double *x, ptrdiff_t stride, size_t rows,
                       size_t columns) {
  for (size_t r = 0; r < rows; r++, x += stride)
    for (size_t i = 0; i < columns; i++) x[i] = activated(f, x[i]);
}
