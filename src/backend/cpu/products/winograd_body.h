/* Winograd's transforms for one instruction set: included by winograd_*.c.
 * Room: backend/cpu/products.
 * A transform of a tile is that of its columns, then that of the rows of the result. */
#include "backend/cpu/products/round_body.h"
#include "backend/cpu/products/winograd.h"

/* Transforms along one line: x[i * from] to y[i * to]. */
typedef void line_transform(const vf *x, int from, vf *y, int to);

HONE_INLINE void input_line_4(const vf *x, int from, vf *y, int to) {
  vf x0 = x[0], x1 = x[from], x2 = x[2 * from], x3 = x[3 * from];
  y[0] = vf_sub(x0, x2);
  y[to] = vf_add(x1, x2);
  y[2 * to] = vf_sub(x2, x1);
  y[3 * to] = vf_sub(x1, x3);
}

HONE_INLINE void output_line_4(const vf *x, int from, vf *y, int to) {
  vf x0 = x[0], x1 = x[from], x2 = x[2 * from], x3 = x[3 * from];
  y[0] = vf_add(vf_add(x0, x1), x2);
  y[to] = vf_sub(vf_sub(x1, x2), x3);
}

HONE_INLINE void input_line_6(const vf *x, int from, vf *y, int to) {
  vf x0 = x[0], x1 = x[from], x2 = x[2 * from], x3 = x[3 * from], x4 = x[4 * from];
  vf x5 = x[5 * from], four = vf_set(4), five = vf_set(5), two = vf_set(2);
  vf even = vf_fnma(four, x2, x4), odd = vf_fnma(four, x1, x3); /* at 1 and -1 */
  vf wide = vf_sub(x4, x2), step = vf_sub(x3, x1);              /* at 2 and -2 */
  y[0] = vf_fma(four, x0, vf_fnma(five, x2, x4));
  y[to] = vf_add(even, odd);
  y[2 * to] = vf_sub(even, odd);
  y[3 * to] = vf_fma(two, step, wide);
  y[4 * to] = vf_fnma(two, step, wide);
  y[5 * to] = vf_fma(four, x1, vf_fnma(five, x3, x5));
}

HONE_INLINE void output_line_6(const vf *x, int from, vf *y, int to) {
  vf x0 = x[0], x1 = x[from], x2 = x[2 * from], x3 = x[3 * from], x4 = x[4 * from];
  vf x5 = x[5 * from];
  vf sum1 = vf_add(x1, x2), difference1 = vf_sub(x1, x2);
  vf sum2 = vf_add(x3, x4), difference2 = vf_sub(x3, x4);
  y[0] = vf_add(vf_add(x0, sum1), sum2);
  y[to] = vf_fma(vf_set(2), difference2, difference1);
  y[2 * to] = vf_fma(vf_set(4), sum2, sum1);
  y[3 * to] = vf_add(vf_fma(vf_set(8), difference2, difference1), x5);
}

/* Stride 2: the even pixels' points, then the odd pixels as they are. */
HONE_INLINE void input_line_5(const vf *x, int from, vf *y, int to) {
  vf x2 = x[2 * from];
  y[0] = vf_sub(x[0], x2);
  y[to] = x2;
  y[2 * to] = vf_sub(x[4 * from], x2);
  y[3 * to] = x[from];
  y[4 * to] = x[3 * from];
}

HONE_INLINE void output_line_5(const vf *x, int from, vf *y, int to) {
  vf shared = x[from];
  y[0] = vf_add(vf_add(x[0], shared), x[3 * from]);
  y[to] = vf_add(vf_add(shared, x[2 * from]), x[4 * from]);
}

HONE_INLINE void input_line_9(const vf *x, int from, vf *y, int to) {
  vf x0 = x[0], x2 = x[2 * from], x4 = x[4 * from], x6 = x[6 * from], x8 = x[8 * from];
  vf two = vf_set(2), step = vf_sub(x6, x2);
  y[0] = vf_fma(two, vf_sub(x0, x4), step);
  y[to] = vf_fnma(two, x2, vf_sub(x6, x4));
  y[2 * to] = vf_fma(two, x2, vf_fnma(vf_set(3), x4, x6));
  y[3 * to] = step;
  y[4 * to] = vf_fnma(two, step, vf_sub(x8, x4));
  y[5 * to] = x[from];
  y[6 * to] = x[3 * from];
  y[7 * to] = x[5 * from];
  y[8 * to] = x[7 * from];
}

HONE_INLINE void output_line_9(const vf *x, int from, vf *y, int to) {
  vf x1 = x[from], x2 = x[2 * from], x3 = x[3 * from];
  vf sum = vf_add(x1, x2), difference = vf_sub(x1, x2);
  y[0] = vf_add(vf_add(x[0], x[5 * from]), vf_add(sum, x3));
  y[to] = vf_fma(vf_set(2), x3, vf_add(difference, x[6 * from]));
  y[2 * to] = vf_fma(vf_set(4), x3, vf_add(sum, x[7 * from]));
  y[3 * to] = vf_fma(vf_set(8), x3, vf_add(vf_add(difference, x[4 * from]), x[8 * from]));
}

HONE_INLINE vf load(const float *p, const int rest) {
  return rest ? vf_load_n(p, rest) : vf_load(p);
}
HONE_INLINE void store(float *p, vf x, const int rest) {
  if (rest)
    vf_store_n(p, x, rest);
  else
    vf_store(p, x);
}

HONE_INLINE vf load_pixel(const void *pixel, size_t c, const int rest, const bool bf16) {
  const uint16_t *narrow = (const uint16_t *)pixel + c;
  if (!bf16) return load((const float *)pixel + c, rest);
  return rest ? vf_load_bf16_n(narrow, rest) : vf_load_bf16(narrow);
}

HONE_INLINE void store_point(void *v, size_t at, vf x, const int rest, const bool low) {
  uint16_t *narrow = (uint16_t *)v + at;
  if (!low)
    store((float *)v + at, x, rest);
  else if (rest)
    vf_store_bf16_n(narrow, x, rest);
  else
    vf_store_bf16(narrow, x);
}

/* What a transform of the input differs in: its side, what the pixels are, what the points are. */
typedef struct input_kind {
  int side;
  line_transform *line;
  bool bf16, low;
} input_kind;

/* `rest` is 0 for a whole vector of channels. */
HONE_INLINE void input_vector(const void *const *pixels, size_t c, void *v, size_t step,
                              const int rest, const input_kind k) {
  const int side = k.side;
  vf half[HONE_WINOGRAD_MOST_POINTS];
  HONE_UNROLL
  for (int j = 0; j < side; j++) {
    vf x[HONE_WINOGRAD_MOST_SIDE];
    HONE_UNROLL
    for (int i = 0; i < side; i++) x[i] = load_pixel(pixels[i * side + j], c, rest, k.bf16);
    k.line(x, 1, half + j, side);
  }
  HONE_UNROLL
  for (int i = 0; i < side; i++) {
    vf y[HONE_WINOGRAD_MOST_SIDE];
    k.line(half + i * side, 1, y, 1);
    HONE_UNROLL
    for (int j = 0; j < side; j++)
      store_point(v, (size_t)(i * side + j) * step + c, y[j], rest, k.low);
  }
}

HONE_INLINE void input_tile(const void *const *pixels, size_t channels, void *v, size_t step,
                            const input_kind k) {
  size_t c = 0;
  for (; c + VF_LANES <= channels; c += VF_LANES) input_vector(pixels, c, v, step, 0, k);
  int rest = (int)(channels - c);
  if (rest) input_vector(pixels, c, v, step, rest, k);
}

HONE_INLINE void output_pixel(const hone_winograd_output *o, vf x, size_t i, size_t j, size_t c,
                              const int rest) {
  if (o->residual) {
    const float *residual =
        o->residual + (ptrdiff_t)i * o->residual_line + (ptrdiff_t)j * o->residual_stride;
    x = vf_add(x, load(residual + c, rest));
  }
  if (o->clamp) x = vf_clamp(x, vf_set(o->low), vf_set(o->high));
  store(o->out + (ptrdiff_t)i * o->out_line + (ptrdiff_t)j * o->out_stride + c, x, rest);
}

HONE_INLINE void output_vector(const hone_winograd_output *o, size_t c, const int rest,
                               const int outputs, const int side, line_transform *line) {
  vf half[4 * HONE_WINOGRAD_MOST_SIDE], bias = o->bias ? load(o->bias + c, rest) : vf_set(0);
  HONE_UNROLL
  for (int j = 0; j < side; j++) {
    vf x[HONE_WINOGRAD_MOST_SIDE];
    HONE_UNROLL
    for (int i = 0; i < side; i++)
      x[i] = load(o->products + (size_t)(i * side + j) * o->step + c, rest);
    line(x, 1, half + j, side);
  }
  HONE_UNROLL
  for (int i = 0; i < outputs; i++) {
    vf y[4];
    line(half + i * side, 1, y, 1);
    if ((size_t)i >= o->rows) continue;
    HONE_UNROLL
    for (int j = 0; j < outputs; j++) {
      if ((size_t)j < o->columns)
        output_pixel(o, vf_add(y[j], bias), (size_t)i, (size_t)j, c, rest);
    }
  }
}

HONE_INLINE void output_tile(const hone_winograd_output *shared, const int outputs,
                             const int side, line_transform *line) {
  const hone_winograd_output copy = *shared, *o = &copy; /* which no store can change */
  size_t c = 0;
  for (; c + VF_LANES <= o->channels; c += VF_LANES) output_vector(o, c, 0, outputs, side, line);
  int rest = (int)(o->channels - c);
  if (rest) output_vector(o, c, rest, outputs, side, line);
}

#define IN(name, side, bf16, low)                                                      \
  static void name(const void *const *pixels, size_t channels, void *v, size_t step) { \
    const input_kind k = {side, input_line_##side, bf16, low};                         \
    input_tile(pixels, channels, v, step, k);                                          \
  }
#define OUT(outputs, side)                                    \
  static void out_##side(const hone_winograd_output *output) { \
    output_tile(output, outputs, side, output_line_##side);   \
  }
OUT(2, 4)

#define SET(outputs, side, stride, kinds, in)                                             \
  {                                                                                       \
    outputs, side, stride, kinds, VF_LANES, in##_##side, in##_bf16_##side, out_##side, narrow, \
        widen                                                                             \
  }
#define INS(side)              \
  IN(in_##side, side, false, false) \
  IN(in_bf16_##side, side, true, false)
#define WINOGRAD_SETS(suffix)                                                      \
  INS(4) INS(5) INS(6) INS(9) OUT(2, 5) OUT(4, 6) OUT(4, 9)                        \
  const hone_winograd_set hone_winograd2_##suffix = SET(2, 4, 1, 4, in);           \
  const hone_winograd_set hone_winograd4_##suffix = SET(4, 6, 1, 6, in);           \
  const hone_winograd_set hone_winograd2_strided_##suffix = SET(2, 5, 2, 4, in);   \
  const hone_winograd_set hone_winograd4_strided_##suffix = SET(4, 9, 2, 6, in);
/* Whose points are bfloat16. */
#define WINOGRAD_LOW_SET(suffix) \
  IN(low_4, 4, false, true)      \
  IN(low_bf16_4, 4, true, true)  \
  const hone_winograd_set hone_winograd2_bf16_##suffix = SET(2, 4, 1, 4, low);
