/* Products of bytes that only the run knows: widening, splitting, bias.
 * Room: backend/cpu/products. */
#include "backend/cpu/products/multiply_bytes.h"

#include <string.h>

#include "base/pool.h"

enum { CHUNK = 64 }; /* rows that share a panel before another part may take over */

typedef struct bytes {
  hone_bytes_product p;
  const hone_bytes_set *set;
  size_t depth;        /* even */
  size_t shared, part; /* bytes of scratch */
} bytes;

static const hone_bytes_set *set_here(void) {
#if defined(__x86_64__)
  if (hone_isa_runs(HONE_ISA_AVX512)) return &hone_bytes_avx512;
  if (hone_isa_runs(HONE_ISA_AVX2)) return &hone_bytes_avx2;
#endif
  return &hone_bytes_plain;
}

static int number(const uint8_t *x, size_t i, bool is_signed) {
  return is_signed ? (int8_t)x[i] : x[i];
}

static int zero_of(const hone_kernel_io *io, int input, size_t i, bool is_signed) {
  return input < 0 ? 0 : number(io->in[input], i, is_signed);
}

/* Phase 1: rows of a as 16 bits, of an even depth. */
static void widen(const void *args, const hone_kernel_io *io, int part, int parts) {
  const bytes *x = args;
  const hone_bytes_product *p = &x->p;
  size_t begin, end;
  hone_split(p->rows, 1, part, parts, &begin, &end);
  const int zero = zero_of(io, p->a_zero, 0, p->a_signed);
  for (size_t row = begin; row < end; row++) {
    const uint8_t *from = (const uint8_t *)io->in[p->a] + row * p->depth;
    int16_t *to = (int16_t *)io->scratch + row * x->depth;
    if (p->a_signed)
      for (size_t k = 0; k < p->depth; k++) to[k] = (int16_t)((int8_t)from[k] - zero);
    else
      for (size_t k = 0; k < p->depth; k++) to[k] = (int16_t)(from[k] - zero);
    if (p->depth < x->depth) to[p->depth] = 0;
  }
}

static void pack_panel(const bytes *x, const hone_kernel_io *io, size_t column, size_t columns,
                       int16_t *panel) {
  const hone_bytes_product *p = &x->p;
  int16_t zero[HONE_BYTES_MOST_WIDTH] = {0};
  for (size_t j = 0; j < columns; j++)
    zero[j] = (int16_t)zero_of(io, p->b_zero, p->zeros ? column + j : 0, p->b_signed);
  x->set->pack((const uint8_t *)io->in[p->b] + column, p->columns, p->b_signed, zero, p->depth,
               columns, panel);
}

/* Up to HONE_BYTES_ROWS rows; those that there are not repeat the last. */
static void run_tile(const bytes *x, const hone_kernel_io *io, size_t row, size_t rows,
                     size_t column, size_t columns, const int16_t *panel) {
  const hone_bytes_product *p = &x->p;
  _Alignas(64) int32_t sums[HONE_BYTES_ROWS * HONE_BYTES_MOST_WIDTH];
  const int16_t *a[HONE_BYTES_ROWS];
  for (size_t i = 0; i < HONE_BYTES_ROWS; i++)
    a[i] = (const int16_t *)io->scratch + (row + (i < rows ? i : rows - 1)) * x->depth;
  x->set->tile(a, panel, x->depth / 2, sums);
  const uint32_t *bias = p->bias < 0 ? NULL : (const uint32_t *)io->in[p->bias] + column;
  for (size_t i = 0; i < rows; i++) {
    uint32_t *y = (uint32_t *)io->out[0] + (row + i) * p->columns + column;
    for (size_t j = 0; j < columns; j++)
      y[j] = (uint32_t)sums[i * x->set->width + j] + (bias ? bias[j] : 0);
  }
}

/* Phase 2. */
static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const bytes *x = args;
  const hone_bytes_product *p = &x->p;
  int16_t *panel = (int16_t *)(void *)((char *)io->scratch + x->shared + (size_t)part * x->part);
  size_t width = x->set->width, panels = (p->columns + width - 1) / width;
  size_t chunks = (p->rows + CHUNK - 1) / CHUNK, begin, end, packed = SIZE_MAX;
  hone_split(panels * chunks, 1, part, parts, &begin, &end);
  for (size_t i = begin; i < end; i++) {
    size_t column = i / chunks * width, row = i % chunks * CHUNK;
    size_t columns = p->columns - column < width ? p->columns - column : width;
    size_t last = p->rows - row < CHUNK ? p->rows : row + CHUNK;
    if (packed != column) pack_panel(x, io, column, columns, panel);
    packed = column;
    for (; row < last; row += HONE_BYTES_ROWS)
      run_tile(x, io, row, last - row < HONE_BYTES_ROWS ? last - row : HONE_BYTES_ROWS, column,
               columns, panel);
  }
}

hone_status *hone_bytes_plan(const hone_bytes_product *product, hone_arena *arena,
                             hone_kernel_plan *out) {
  bytes *x = HONE_NEW(arena, bytes);
  HONE_TRY_MEMORY(x);
  *x = (bytes){.p = *product, .set = set_here()};
  size_t widened, panel;
  if (!hone_add(product->depth, product->depth & 1, &x->depth) ||
      !hone_mul(product->rows, x->depth, &widened) || widened > SIZE_MAX / 4 ||
      !hone_mul(x->depth, x->set->width, &panel) || panel > SIZE_MAX / 4)
    return hone_error(HONE_LIMIT, "the scratch of a matrix multiplication does not fit in memory");
  x->shared = hone_align_up(widened * sizeof(int16_t), 64);
  x->part = hone_align_up(panel * sizeof(int16_t), 64);
  *out = (hone_kernel_plan){.phases = {widen, run},
                            .phase_count = 2,
                            .args = x,
                            .shared_scratch = x->shared,
                            .part_scratch = x->part};
  return NULL;
}
