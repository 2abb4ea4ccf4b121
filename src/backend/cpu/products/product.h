/* Sums of products for operands that the tuned kernels do not take: weights that only the run
 * knows, doubles, integers. Room: backend/cpu/products.
 *
 * A tile is HONE_PRODUCT_ROWS rows by `width` bytes of columns; its right side is a packed panel.
 * An output is summed up in the order of taps and depth, whatever the split. Integers wrap. */
#ifndef HONE_BACKEND_CPU_PRODUCTS_PRODUCT_H
#define HONE_BACKEND_CPU_PRODUCTS_PRODUCT_H

#include <hone/types.h>

#include "backend/cpu/simd/isa.h"
#include "backend/cpu/kernel.h"

#define HONE_PRODUCT_ROWS       4
#define HONE_PRODUCT_MOST_WIDTH 128

/* X(name, type): signed integers share the bits of unsigned ones. */
#define HONE_PRODUCT_TYPES(X) \
  X(f32, float)               \
  X(f64, double)              \
  X(u8, uint8_t)              \
  X(u16, uint16_t)            \
  X(u32, uint32_t)            \
  X(u64, uint64_t)

/* out[i][j] = the sum over taps t and depths k of rows[t * HONE_PRODUCT_ROWS + i][k * step] times
 * panel[(t * depth + k) * panel_step + j]; out is dense, 64-byte aligned. */
typedef void hone_product_tile(size_t taps, size_t depth, const void *const *rows, ptrdiff_t step,
                               const void *panel, ptrdiff_t panel_step, void *out);

typedef struct hone_product_set {
  size_t width; /* bytes */
#define HONE_PRODUCT_MEMBER(name, type) hone_product_tile *name;
  HONE_PRODUCT_TYPES(HONE_PRODUCT_MEMBER)
#undef HONE_PRODUCT_MEMBER
} hone_product_set;

extern const hone_product_set hone_product_plain;
#if defined(__x86_64__)
extern const hone_product_set hone_product_avx512, hone_product_avx2;
#endif

typedef struct hone_product hone_product;

/* Points table[t * HONE_PRODUCT_ROWS + i] at the operands of row `row` + i of part `outer`, i <
 * live, for every tap; at `zeros` where there are none. */
typedef void hone_product_locate(const hone_product *product, const char *a, size_t outer,
                                 size_t row, size_t live, const char *zeros, const void **table);

/* `outer` products of rows x columns each. All strides and offsets are in elements. */
struct hone_product {
  const hone_product_set *set;
  hone_product_tile *tile;
  size_t element; /* bytes */
  size_t outer, rows, columns, taps, depth;
  int a, b, bias; /* of io->in; bias -1: none */
  hone_product_locate *locate;
  const void *locate_state;
  ptrdiff_t a_step;
  /* Where things of part `outer` begin: the index taken apart by `size`, last axis fastest. */
  int rank;
  size_t size[HONE_MAX_RANK];
  ptrdiff_t a_outer[HONE_MAX_RANK], b_outer[HONE_MAX_RANK], bias_outer[HONE_MAX_RANK];
  ptrdiff_t y_outer;
  ptrdiff_t b_tap, b_depth, b_column, bias_row, bias_column, y_row;
  ptrdiff_t a_row; /* of a locate that needs no state */
  hone_dtype dtype;
  double alpha; /* floats only */
};

/* The widest set that runs here. */
const hone_product_set *hone_product_here(void);
hone_kernel_phase hone_product_run;
size_t hone_product_scratch(const hone_product *product); /* bytes a part; 0: too large */

#endif
