/* Products of a few rows with a matrix that is read where it lies, for one instruction set.
 * Room: backend/cpu/products. Included by tile_f32_body.h; the contracts are in tile.h. */
#include "backend/cpu/products/tile.h"

/* Steps of depth at a time, rows at a time, columns whose sums stay in the first-level cache; and the
 * depth from which on one dot product after the other is faster: reading many at once, far apart,
 * leaves the hardware's prefetching behind. */
enum { STEPS = 8, FEW_ROWS = 4, NEAR = 1024, LONG = 256 };

/* sums (+)= the vectors of `steps` rows of b, from its column j on, times their numbers of a. */
#define STREAM_VECTOR(load, store)                                                              \
  {                                                                                             \
    vf sum[FEW_ROWS];                                                                           \
    HONE_UNROLL                                                                                 \
    for (int r = 0; r < rows; r++) sum[r] = first ? vf_set(0) : load(out + r * s->out_row + j); \
    for (size_t i = 0; i < steps; i++) {                                                        \
      vf weight = load(b + (ptrdiff_t)i * s->b_depth + j);                                      \
      HONE_UNROLL                                                                               \
      for (int r = 0; r < rows; r++)                                                            \
        MULTIPLY_ADD(sum[r], weight, a[r * s->a_row + (ptrdiff_t)i * s->a_depth]);              \
    }                                                                                           \
    HONE_UNROLL                                                                                 \
    for (int r = 0; r < rows; r++) store(out + r * s->out_row + j, sum[r]);                     \
  }
#define LOAD_REST(p)     vf_load_n(p, rest)
#define STORE_REST(p, x) vf_store_n(p, x, rest)

HONE_INLINE void stream_steps(const hone_thin *s, const int rows, const float *a, const float *b,
                              const size_t steps, bool first, size_t columns, float *out) {
  size_t j = 0;
  for (; j + VF_LANES <= columns; j += VF_LANES) STREAM_VECTOR(vf_load, vf_store)
  const int rest = (int)(columns - j);
  if (rest) STREAM_VECTOR(LOAD_REST, STORE_REST)
}
#undef LOAD_REST
#undef STORE_REST
#undef STREAM_VECTOR

/* All of depth for `rows` rows and a block of columns. */
HONE_INLINE void stream_block(const hone_thin *s, const int rows, size_t row, size_t column,
                              size_t columns) {
  const float *a = s->a + (ptrdiff_t)row * s->a_row, *b = s->b + column;
  float *out = s->out + (ptrdiff_t)row * s->out_row + column;
  size_t k = 0;
  for (; k + STEPS <= s->depth; k += STEPS)
    stream_steps(s, rows, a + (ptrdiff_t)k * s->a_depth, b + (ptrdiff_t)k * s->b_depth, STEPS,
                 k == 0, columns, out);
  if (k < s->depth || k == 0)
    stream_steps(s, rows, a + (ptrdiff_t)k * s->a_depth, b + (ptrdiff_t)k * s->b_depth,
                 s->depth - k, k == 0, columns, out);
}

static void stream(const hone_thin *s) {
  for (size_t j = 0; j < s->columns; j += NEAR) {
    size_t columns = s->columns - j < NEAR ? s->columns - j : NEAR, row = 0;
    for (; row + FEW_ROWS <= s->rows; row += FEW_ROWS) stream_block(s, FEW_ROWS, row, j, columns);
    if (s->rows - row == 3) stream_block(s, 3, row, j, columns);
    if (s->rows - row == 2) stream_block(s, 2, row, j, columns);
    if (s->rows - row == 1) stream_block(s, 1, row, j, columns);
  }
}

/* VF_LANES dot products side by side; columns are `step` apart. */
HONE_INLINE vf dots_across(const float *a, const float *b, ptrdiff_t step, size_t depth) {
  vf sum[VF_LANES];
  HONE_UNROLL
  for (int j = 0; j < VF_LANES; j++) sum[j] = vf_set(0);
  size_t k = 0;
  HONE_NO_UNROLL
  for (; k + VF_LANES <= depth; k += VF_LANES) {
    vf x = vf_load(a + k);
    HONE_UNROLL
    for (int j = 0; j < VF_LANES; j++) sum[j] = vf_fma(vf_load(b + j * step + k), x, sum[j]);
  }
  const int rest = (int)(depth - k);
  if (rest) {
    vf x = vf_load_n(a + k, rest);
    HONE_UNROLL
    for (int j = 0; j < VF_LANES; j++)
      sum[j] = vf_fma(vf_load_n(b + j * step + k, rest), x, sum[j]);
  }
  vf_transpose(sum);
  HONE_UNROLL
  for (int half = VF_LANES / 2; half; half /= 2) {
    HONE_UNROLL
    for (int j = 0; j < half; j++) sum[j] = vf_add(sum[j], sum[j + half]);
  }
  return sum[0];
}

/* One of them, in four chains. */
HONE_INLINE float dot(const float *a, const float *b, size_t depth) {
  vf sum[4] = {vf_set(0), vf_set(0), vf_set(0), vf_set(0)};
  size_t k = 0;
  for (; k + 4 * VF_LANES <= depth; k += 4 * VF_LANES) {
    HONE_UNROLL
    for (int i = 0; i < 4; i++)
      sum[i] = vf_fma(vf_load(a + k + i * VF_LANES), vf_load(b + k + i * VF_LANES), sum[i]);
  }
  for (; k + VF_LANES <= depth; k += VF_LANES)
    sum[0] = vf_fma(vf_load(a + k), vf_load(b + k), sum[0]);
  const int rest = (int)(depth - k);
  if (rest) sum[1] = vf_fma(vf_load_n(a + k, rest), vf_load_n(b + k, rest), sum[1]);
  return vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
}

static void dots(const hone_thin *s) {
  size_t j = 0, across = s->depth < LONG ? s->columns : 0;
  for (; j + VF_LANES <= across; j += VF_LANES)
    for (size_t r = 0; r < s->rows; r++)
      vf_store(s->out + (ptrdiff_t)r * s->out_row + j,
               dots_across(s->a + (ptrdiff_t)r * s->a_row, s->b + (ptrdiff_t)j * s->b_column,
                           s->b_column, s->depth));
  for (; j < s->columns; j++)
    for (size_t r = 0; r < s->rows; r++)
      s->out[(ptrdiff_t)r * s->out_row + (ptrdiff_t)j] =
          dot(s->a + (ptrdiff_t)r * s->a_row, s->b + (ptrdiff_t)j * s->b_column, s->depth);
}
