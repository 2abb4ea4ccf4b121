/* For what is written once and compiled for f32 and, where HONE_REAL_F64 is defined, for f64: the
 * type, its vector forms, its products. Room: backend/cpu/products.
 *
 * The file NAME_body.h is included by NAME.c and NAME_f64.c. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_REAL_H
#define HONE_BACKEND_CPU_PRODUCTS_REAL_H

#include "backend/cpu/lines/strips.h"
#include "backend/cpu/lines/wide.h"
#include "backend/cpu/products/finish.h"
#include "backend/cpu/products/multiply_f64.h"
#include "backend/cpu/products/sweep.h"
#include "ir/dtype.h"

#if defined(HONE_REAL_F64)
typedef double real;
typedef hone_wide hone_real_lines;
typedef hone_product_set hone_real_tiles;
typedef hone_activation_f64 hone_real_activation;
#define HONE_REAL_DTYPE      HONE_F64
#define HONE_REAL_NAME(name) name##_f64
#define hone_real_lines_here hone_wide_here
#else
typedef float real;
typedef hone_strips hone_real_lines;
typedef hone_tile_set hone_real_tiles;
typedef hone_activation hone_real_activation;
#define HONE_REAL_DTYPE      HONE_F32
#define HONE_REAL_NAME(name) name
#define hone_real_lines_here hone_strips_here
#endif

/* The fastest tiles that run here. */
static inline const hone_real_tiles *hone_real_tiles_here(void) {
#if defined(HONE_REAL_F64)
  return hone_product_here();
#else
  const hone_tile_set *const *set = hone_tile_sets_f32;
  while (!hone_isa_runs((*set)->isa)) set++;
  return *set;
#endif
}

/* The height of a tile. */
static inline size_t hone_real_tile_rows(const hone_real_tiles *tiles) {
#if defined(HONE_REAL_F64)
  (void)tiles;
  return HONE_PRODUCT_ROWS;
#else
  return (size_t)tiles->height;
#endif
}

/* Elements of a packed matrix [depth][columns], packing one that lies at strides, and `rows` rows
 * times it, or that added to `out`; as hone_pack_size, hone_pack_weights and hone_multiply. */
static inline size_t hone_real_pack_size(const hone_real_tiles *tiles, size_t depth,
                                         size_t columns) {
#if defined(HONE_REAL_F64)
  return hone_pack_size_f64(tiles, depth, columns);
#else
  return hone_pack_size(tiles, 1, 1, depth, columns);
#endif
}

/* Columns of a panel of a pack; where the panel that begins at or after column `at`, a multiple of
 * those, does; where in the pack the one of column `at` begins. */
static inline size_t hone_real_panel(const hone_real_tiles *tiles) {
#if defined(HONE_REAL_F64)
  return tiles->width / sizeof(double);
#else
  return (size_t)tiles->panel * (size_t)tiles->lanes;
#endif
}

static inline size_t hone_real_panel_begin(const hone_real_tiles *tiles, size_t columns, size_t at) {
#if defined(HONE_REAL_F64)
  (void)tiles, (void)columns;
#else /* a last vector shares the panel before it: hone_panel_vectors */
  if (at && columns - at <= (size_t)tiles->lanes) return columns;
#endif
  return at;
}

static inline size_t hone_real_pack_at(const hone_real_tiles *tiles, size_t depth, size_t at) {
#if defined(HONE_REAL_F64)
  (void)tiles;
  return at * depth;
#else
  return at * hone_padded_depth(tiles, depth);
#endif
}

static inline void hone_real_pack(const hone_real_tiles *tiles, size_t depth, size_t columns,
                                  const real *weights, ptrdiff_t depth_step, ptrdiff_t column_step,
                                  real *packed) {
#if defined(HONE_REAL_F64)
  hone_pack_f64(tiles, depth, columns, weights, depth_step, column_step, packed);
#else
  hone_pack_weights(tiles, 1, 1, depth, columns, weights,
                    (hone_weight_strides){0, 0, depth_step, column_step}, packed);
#endif
}

static inline void hone_real_multiply(const hone_real_tiles *tiles, size_t rows, size_t depth,
                                      size_t columns, const real *a, ptrdiff_t a_stride,
                                      const real *packed, real *out, ptrdiff_t out_stride,
                                      bool add) {
#if defined(HONE_REAL_F64)
  hone_multiply_f64(tiles, rows, depth, columns, a, a_stride, packed, out, out_stride, add);
#else
  hone_multiply(tiles, rows, depth, columns, a, a_stride, packed, out, out_stride, add);
#endif
}

/* Rows brought into -limit … limit; rows put through an activation of recurrent layers. */
static inline void hone_real_limit(const hone_real_tiles *tiles, real limit, real *x,
                                   ptrdiff_t stride, size_t rows, size_t columns) {
#if defined(HONE_REAL_F64)
  (void)tiles;
  hone_limit_f64(limit, x, stride, rows, columns);
#else
  hone_activate(tiles->isa, (hone_activation){HONE_ACTIVATION_CLAMP, -limit, limit}, x, stride,
                rows, columns);
#endif
}

static inline void hone_real_activate(const hone_real_tiles *tiles,
                                      hone_real_activation activation, real *x,
                                      ptrdiff_t stride, size_t rows, size_t columns) {
#if defined(HONE_REAL_F64)
  (void)tiles;
  hone_activate_f64(activation, x, stride, rows, columns);
#else
  hone_activate(tiles->isa, activation, x, stride, rows, columns);
#endif
}

#endif
