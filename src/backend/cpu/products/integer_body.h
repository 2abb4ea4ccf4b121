/* Integer tiles and their finish for one instruction set: included by integer_*.c with HEIGHT and
 * PANEL defined. Room: backend/cpu/products. The contracts are in integer_tile.h and
 * integer_finish.h.
 *
 * Loops over rows and vectors are unrolled fully, or the sums would live in memory. */
#include <math.h>
#include <string.h>

#include "backend/cpu/products/integer_tile.h"
#include "backend/cpu/simd/simd.h"

/* ---- Products: vi is VF_LANES sums; a quad is four bytes of depth ------------------------------
 */

typedef uint32_t quad __attribute__((aligned(1), may_alias));

#if defined(__AVX512VNNI__)
typedef __m512i vi;
typedef __m512i weight_vector, row_vector;
HONE_INLINE vi vi_load(const int32_t *p) {
  return _mm512_loadu_si512(p);
}
HONE_INLINE void vi_store(int32_t *p, vi x) {
  _mm512_storeu_si512(p, x);
}
HONE_INLINE weight_vector load_weights(const int8_t *p) {
  return _mm512_loadu_si512(p);
}
/* Broadcast and sign change are one instruction; compilers make two of it. */
HONE_INLINE row_vector load_row(const quad *p, const bool is_signed) {
  row_vector x;
  if (!is_signed) return _mm512_set1_epi32((int)*p);
  __asm__("vpxord %1%{1to16%}, %2, %0"
          : "=v"(x)
          : "m"(*p), "v"(_mm512_set1_epi32((int)0x80808080)));
  return x;
}
#define MULTIPLY_ADD(sum, weight, x) \
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(weight))
#elif defined(__AVX2__)
/* Even and odd bytes apart, as 16 bits: the one instruction for bytes would saturate. */
typedef __m256i vi;
typedef struct weight_vector {
  __m256i even, odd;
} weight_vector, row_vector;
HONE_INLINE vi vi_load(const int32_t *p) {
  return _mm256_loadu_si256((const void *)p);
}
HONE_INLINE void vi_store(int32_t *p, vi x) {
  _mm256_storeu_si256((void *)p, x);
}
HONE_INLINE weight_vector load_weights(const int8_t *p) {
  __m256i x = _mm256_loadu_si256((const void *)p);
  return (weight_vector){_mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8), _mm256_srai_epi16(x, 8)};
}
HONE_INLINE row_vector load_row(const quad *p, const bool is_signed) {
  __m256i x = _mm256_set1_epi32((int)(is_signed ? *p ^ 0x80808080u : *p));
  return (row_vector){_mm256_and_si256(x, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(x, 8)};
}
#define MULTIPLY_ADD(sum, weight, x)                                                          \
  (sum) = _mm256_add_epi32(_mm256_add_epi32(sum, _mm256_madd_epi16((x).even, (weight).even)), \
                           _mm256_madd_epi16((x).odd, (weight).odd))
#else
typedef struct vi {
  int32_t lane[VF_LANES];
} vi;
typedef struct weight_vector {
  int8_t byte[VF_LANES][4];
} weight_vector;
typedef struct row_vector {
  int32_t byte[4];
} row_vector;
HONE_INLINE vi vi_load(const int32_t *p) {
  vi x;
  memcpy(&x, p, sizeof x);
  return x;
}
HONE_INLINE void vi_store(int32_t *p, vi x) {
  memcpy(p, &x, sizeof x);
}
HONE_INLINE weight_vector load_weights(const int8_t *p) {
  weight_vector w;
  memcpy(&w, p, sizeof w);
  return w;
}
HONE_INLINE row_vector load_row(const quad *p, const bool is_signed) {
  uint32_t x = is_signed ? *p ^ 0x80808080u : *p;
  return (row_vector){{(int)(x & 255), (int)(x >> 8 & 255), (int)(x >> 16 & 255), (int)(x >> 24)}};
}
#define MULTIPLY_ADD(sum, weight, x)                         \
  for (int lane = 0; lane < VF_LANES; lane++)                \
  (sum).lane[lane] += (x).byte[0] * (weight).byte[lane][0] + \
                      (x).byte[1] * (weight).byte[lane][1] + \
                      (x).byte[2] * (weight).byte[lane][2] + (x).byte[3] * (weight).byte[lane][3]
#endif

HONE_INLINE void run_depth(const hone_integer_tile *tile, const int height, const int vectors,
                           const bool is_signed) {
  vi sum[HEIGHT][PANEL];
  HONE_UNROLL
  for (int j = 0; j < vectors; j++) {
    vi start = vi_load(tile->start + j * VF_LANES);
    HONE_UNROLL
    for (int i = 0; i < height; i++) sum[i][j] = start;
  }
  const int8_t *weights = tile->weights;
  const void *const *rows = tile->rows;
  size_t depth = tile->depth / sizeof(quad);
  for (size_t taps = tile->taps; taps; taps--, rows += HONE_TILE_ROWS) {
    const quad *row[HEIGHT];
    HONE_UNROLL
    for (int i = 0; i < height; i++)
      row[i] = (const quad *)((const char *)rows[i] + tile->rows_offset);
    HONE_NO_UNROLL
    for (size_t k = 0; k < depth; k++, weights += vectors * VF_LANES * (int)sizeof(quad)) {
      weight_vector weight[PANEL];
      HONE_UNROLL
      for (int j = 0; j < vectors; j++)
        weight[j] = load_weights(weights + j * VF_LANES * (int)sizeof(quad));
      HONE_UNROLL
      for (int i = 0; i < height; i++) {
        row_vector x = load_row(row[i] + k, is_signed);
        HONE_UNROLL
        for (int j = 0; j < vectors; j++) MULTIPLY_ADD(sum[i][j], weight[j], x);
      }
    }
  }
  HONE_UNROLL
  for (int i = 0; i < height; i++) {
    HONE_UNROLL
    for (int j = 0; j < vectors; j++)
      vi_store(tile->sums + (size_t)i * tile->sums_stride + j * VF_LANES, sum[i][j]);
  }
}

#define TILE(height, vectors)                                            \
  static void tile_##height##x##vectors(const hone_integer_tile *tile) { \
    if (tile->is_signed)                                                 \
      run_depth(tile, height, vectors, true);                            \
    else                                                                 \
      run_depth(tile, height, vectors, false);                           \
  }

/* ---- One channel a group ----------------------------------------------------------------------
 */

#if defined(__AVX512VNNI__)
/* Bytes of four taps are interleaved by unpacking, which keeps to 128-bit lanes: vector j has
 * channels 16 d + 4 j … of each lane d, and so have the weights. */
static size_t place_of_tap(size_t tap, size_t channel) {
  size_t lane = channel / 16, vector = channel % 16 / 4;
  return (tap / 4 * 4 + vector) * 64 + (lane * 4 + channel % 4) * 4 + tap % 4;
}

HONE_INLINE __m512i load_tap(const hone_integer_tile *tile, size_t tap, size_t i, __mmask64 there) {
  if (tap >= tile->taps) return _mm512_setzero_si512();
  const char *p = (const char *)tile->rows[tap * HONE_TILE_ROWS + i] + tile->rows_offset;
  __m512i x = _mm512_maskz_loadu_epi8(there, p);
  return tile->is_signed ? _mm512_xor_si512(x, _mm512_set1_epi8((char)0x80)) : x;
}

/* Lane d of vector j becomes lane j of vector d, and the start is added. */
HONE_INLINE void store_channels(const hone_integer_tile *tile, size_t i, const __m512i *sum) {
  int32_t *to = tile->sums + i * tile->sums_stride;
  __m512i a = _mm512_shuffle_i32x4(sum[0], sum[1], 0x44);
  __m512i b = _mm512_shuffle_i32x4(sum[2], sum[3], 0x44);
  __m512i c = _mm512_shuffle_i32x4(sum[0], sum[1], 0xee);
  __m512i d = _mm512_shuffle_i32x4(sum[2], sum[3], 0xee);
  __m512i order[4] = {_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd),
                      _mm512_shuffle_i32x4(c, d, 0x88), _mm512_shuffle_i32x4(c, d, 0xdd)};
  HONE_UNROLL
  for (int j = 0; j < 4; j++)
    vi_store(to + j * 16, _mm512_add_epi32(order[j], vi_load(tile->start + j * 16)));
}

static void run_depthwise(const hone_integer_tile *tile, size_t rows, size_t channels) {
  __mmask64 there = channels < 64 ? ((__mmask64)1 << channels) - 1 : ~(__mmask64)0;
  for (size_t i = 0; i < rows; i++) {
    __m512i sum[4];
    HONE_UNROLL
    for (int j = 0; j < 4; j++) sum[j] = _mm512_setzero_si512();
    const int8_t *weights = tile->weights;
    HONE_NO_UNROLL
    for (size_t tap = 0; tap < tile->taps; tap += 4, weights += 256) {
      __m512i a = load_tap(tile, tap, i, there), b = load_tap(tile, tap + 1, i, there);
      __m512i c = load_tap(tile, tap + 2, i, there), d = load_tap(tile, tap + 3, i, there);
      __m512i low_ab = _mm512_unpacklo_epi8(a, b), high_ab = _mm512_unpackhi_epi8(a, b);
      __m512i low_cd = _mm512_unpacklo_epi8(c, d), high_cd = _mm512_unpackhi_epi8(c, d);
      MULTIPLY_ADD(sum[0], load_weights(weights), _mm512_unpacklo_epi16(low_ab, low_cd));
      MULTIPLY_ADD(sum[1], load_weights(weights + 64), _mm512_unpackhi_epi16(low_ab, low_cd));
      MULTIPLY_ADD(sum[2], load_weights(weights + 128), _mm512_unpacklo_epi16(high_ab, high_cd));
      MULTIPLY_ADD(sum[3], load_weights(weights + 192), _mm512_unpackhi_epi16(high_ab, high_cd));
    }
    store_channels(tile, i, sum);
  }
}
#else
static size_t place_of_tap(size_t tap, size_t channel) {
  return tap * HONE_INTEGER_CHANNELS + channel;
}

static void run_depthwise(const hone_integer_tile *tile, size_t rows, size_t channels) {
  uint8_t flip = tile->is_signed ? 0x80 : 0;
  for (size_t i = 0; i < rows; i++) {
    int32_t sum[HONE_INTEGER_CHANNELS];
    uint8_t x[HONE_INTEGER_CHANNELS] = {0};
    memcpy(sum, tile->start, sizeof sum);
    for (size_t tap = 0; tap < tile->taps; tap++) {
      const int8_t *w = tile->weights + tap * HONE_INTEGER_CHANNELS;
      memcpy(x, (const char *)tile->rows[tap * HONE_TILE_ROWS + i] + tile->rows_offset, channels);
      for (int c = 0; c < HONE_INTEGER_CHANNELS; c++) sum[c] += (uint8_t)(x[c] ^ flip) * w[c];
    }
    memcpy(tile->sums + i * tile->sums_stride, sum, sizeof sum);
  }
}
#endif

/* ---- The finish -------------------------------------------------------------------------------
 */

#if defined(__AVX512F__)
HONE_INLINE vf floats_of(const int32_t *p) {
  return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}
HONE_INLINE vf load_bytes(const void *p, int n, bool is_signed) {
  __m128i bytes = _mm_maskz_loadu_epi8(vf_first(n), p);
  return _mm512_cvtepi32_ps(is_signed ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes));
}
HONE_INLINE void store_bytes(void *p, vf x, int n, int zero, bool is_signed) {
  __m512i whole = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(zero));
  __m128i bytes = is_signed
                      ? _mm512_cvtsepi32_epi8(whole)
                      : _mm512_cvtusepi32_epi8(_mm512_max_epi32(whole, _mm512_setzero_si512()));
  if (n == VF_LANES)
    _mm_storeu_si128(p, bytes);
  else
    _mm_mask_storeu_epi8(p, vf_first(n), bytes);
}
/* Four vectors as one of bytes: packing interleaves 128-bit lanes, which one permutation undoes. */
HONE_INLINE void store_64_bytes(void *p, const vf *x, int zero, bool is_signed) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i z = _mm512_set1_epi16((short)zero);
  __m512i a = _mm512_packs_epi32(_mm512_cvtps_epi32(x[0]), _mm512_cvtps_epi32(x[1]));
  __m512i b = _mm512_packs_epi32(_mm512_cvtps_epi32(x[2]), _mm512_cvtps_epi32(x[3]));
  a = _mm512_adds_epi16(a, z), b = _mm512_adds_epi16(b, z);
  __m512i bytes = is_signed ? _mm512_packs_epi16(a, b) : _mm512_packus_epi16(a, b);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, bytes));
}
#elif defined(__AVX2__)
HONE_INLINE vf floats_of(const int32_t *p) {
  return _mm256_cvtepi32_ps(vi_load(p));
}
HONE_INLINE vf load_bytes(const void *p, int n, bool is_signed) {
  uint64_t word = 0;
  if (n == VF_LANES)
    memcpy(&word, p, sizeof word);
  else
    for (int i = 0; i < n; i++) word |= (uint64_t)((const uint8_t *)p)[i] << 8 * i;
  __m128i bytes = _mm_cvtsi64_si128((long long)word);
  return _mm256_cvtepi32_ps(is_signed ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes));
}
/* Packing saturates, twice: to 16 bits, then to bytes once `zero` is added. */
HONE_INLINE void store_bytes(void *p, vf x, int n, int zero, bool is_signed) {
  __m256i whole = _mm256_cvtps_epi32(x);
  __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  words = _mm_adds_epi16(words, _mm_set1_epi16((short)zero));
  __m128i bytes = is_signed ? _mm_packs_epi16(words, words) : _mm_packus_epi16(words, words);
  uint64_t word = (uint64_t)_mm_cvtsi128_si64(bytes);
  if (n == VF_LANES)
    memcpy(p, &word, sizeof word);
  else
    for (int i = 0; i < n; i++, word >>= 8) ((uint8_t *)p)[i] = (uint8_t)word;
}
#else
HONE_INLINE vf floats_of(const int32_t *p) {
  float x[VF_LANES];
  for (int i = 0; i < VF_LANES; i++) x[i] = (float)p[i];
  return vf_load(x);
}
HONE_INLINE vf load_bytes(const void *p, int n, bool is_signed) {
  float x[VF_LANES] = {0};
  for (int i = 0; i < n; i++)
    x[i] = is_signed ? (float)((const int8_t *)p)[i] : (float)((const uint8_t *)p)[i];
  return vf_load(x);
}
HONE_INLINE void store_bytes(void *p, vf x, int n, int zero, bool is_signed) {
  float rounded[VF_LANES];
  int least = is_signed ? -128 : 0;
  vf low = vf_set((float)(least - zero)), high = vf_set((float)(least + 255 - zero));
  vf_store(rounded, vf_clamp(vf_round(x), low, high));
  for (int i = 0; i < n; i++) ((uint8_t *)p)[i] = (uint8_t)((int)rounded[i] + zero);
}
#endif

/* Some vectors of one row, of which `n` columns are there. */
typedef struct line {
  vf x[PANEL];
  size_t row, column;
  int n;
} line;

HONE_INLINE int in_vector(const line *l, int j) {
  int left = l->n - j * VF_LANES;
  return left < 0 ? 0 : left < VF_LANES ? left : VF_LANES;
}

HONE_INLINE vf row_operand(const hone_integer_step *step, const float *p, const line *l, int j,
                           const bool whole) {
  if (step->single) return vf_set(*p);
  p += l->column + (size_t)(j * VF_LANES);
  return whole ? vf_load(p) : vf_load_n(p, in_vector(l, j));
}

HONE_INLINE vf like_operand(const hone_integer_step *step, const void *p, size_t at, int n) {
  if (step->dtype == HONE_F32) return vf_load_n((const float *)p + at, n);
  return load_bytes((const char *)p + at, n, step->dtype == HONE_S8);
}

#define EACH(expression)                                             \
  HONE_UNROLL for (int j = 0; j < vectors; j++) x[j] = (expression); \
  break

HONE_INLINE void run_step(const hone_integer_finish *f, const hone_integer_step *step,
                          const hone_kernel_io *io, line *l, const int vectors, const bool whole) {
  vf *x = l->x, a = vf_set(step->a), b = vf_set(step->b);
  switch (step->kind) {
    case HONE_INTEGER_MUL_ROW:
      EACH(vf_mul(x[j], row_operand(step, io->in[step->operand], l, j, whole)));
    case HONE_INTEGER_ADD_ROW:
      EACH(vf_add(x[j], row_operand(step, io->in[step->operand], l, j, whole)));
    case HONE_INTEGER_MUL:
      EACH(vf_mul(x[j], a));
    case HONE_INTEGER_ADD:
      EACH(vf_add(x[j], a));
    case HONE_INTEGER_DIV:
      EACH(vf_div(x[j], a));
    case HONE_INTEGER_ROUND:
      EACH(vf_round(x[j]));
    case HONE_INTEGER_CLIP:
      EACH(vf_clamp(x[j], a, b));
    case HONE_INTEGER_ADD_LIKE: {
      size_t at = l->row * f->columns + l->column;
      EACH(vf_add(
          x[j], vf_mul(vf_sub(like_operand(step, io->in[step->operand], at + (size_t)(j * VF_LANES),
                                           whole ? VF_LANES : in_vector(l, j)),
                              a),
                       b)));
    }
  }
}

/* The operands of a program of slots that are the same for all rows. */
typedef struct slots {
  const hone_integer_step *round, *clip, *back, *like, *next, *limit; /* NULL: none */
  const void *added; /* LIKE's */
  bool biased;
  vf scale[PANEL], bias[PANEL];
} slots;

HONE_INLINE const hone_integer_step *step_in(const hone_integer_finish *f, hone_integer_slot slot) {
  return f->slot[slot] < 0 ? NULL : &f->steps[f->slot[slot]];
}

HONE_INLINE void start_slots(const hone_integer_finish *f, const hone_kernel_io *io, const line *l,
                             const int vectors, const bool whole, slots *s) {
  const hone_integer_step *scale = step_in(f, HONE_SLOT_SCALE), *bias = step_in(f, HONE_SLOT_BIAS);
  bool scales = scale && scale->kind == HONE_INTEGER_MUL_ROW;
  bool adds = bias && bias->kind == HONE_INTEGER_ADD_ROW;
  s->round = step_in(f, HONE_SLOT_ROUND), s->clip = step_in(f, HONE_SLOT_CLIP);
  s->back = step_in(f, HONE_SLOT_BACK), s->like = step_in(f, HONE_SLOT_LIKE);
  s->next = step_in(f, HONE_SLOT_NEXT), s->limit = step_in(f, HONE_SLOT_LIMIT);
  s->added = s->like ? io->in[s->like->operand] : NULL;
  s->biased = bias;
  HONE_UNROLL
  for (int j = 0; j < vectors; j++) {
    s->scale[j] = scales ? row_operand(scale, io->in[scale->operand], l, j, whole)
                         : vf_set(scale ? scale->a : 1);
    s->bias[j] =
        adds ? row_operand(bias, io->in[bias->operand], l, j, whole) : vf_set(bias ? bias->a : 0);
  }
}

#define EACH_VECTOR(expression) \
  HONE_UNROLL                   \
  for (int j = 0; j < vectors; j++) x[j] = (expression)

/* As run_step does them one by one. */
HONE_INLINE void run_slots(const hone_integer_finish *f, const slots *s, line *l,
                           const int vectors, const bool whole) {
  vf *x = l->x;
  EACH_VECTOR(vf_mul(x[j], s->scale[j]));
  if (s->biased) EACH_VECTOR(vf_add(x[j], s->bias[j]));
  if (s->round) EACH_VECTOR(vf_round(x[j]));
  if (s->clip) EACH_VECTOR(vf_clamp(x[j], vf_set(s->clip->a), vf_set(s->clip->b)));
  if (s->back) EACH_VECTOR(vf_mul(x[j], vf_set(s->back->a)));
  if (s->like) {
    size_t at = l->row * f->columns + l->column;
    vf a = vf_set(s->like->a), b = vf_set(s->like->b);
    EACH_VECTOR(vf_add(
        x[j], vf_mul(vf_sub(like_operand(s->like, s->added, at + (size_t)(j * VF_LANES),
                                         whole ? VF_LANES : in_vector(l, j)),
                            a),
                     b)));
  }
  if (s->next && s->next->kind == HONE_INTEGER_MUL) EACH_VECTOR(vf_mul(x[j], vf_set(s->next->a)));
  if (s->next && s->next->kind == HONE_INTEGER_DIV) EACH_VECTOR(vf_div(x[j], vf_set(s->next->a)));
  if (s->limit) EACH_VECTOR(vf_clamp(x[j], vf_set(s->limit->a), vf_set(s->limit->b)));
}

HONE_INLINE void store_line(const hone_integer_finish *f, const hone_integer_block *block,
                            const line *l, size_t at, const int vectors, const bool whole) {
  if (f->out == HONE_F32) {
    float *out = (float *)block->out + at;
    HONE_UNROLL
    for (int j = 0; j < vectors; j++)
      vf_store_n(out + j * VF_LANES, l->x[j], whole ? VF_LANES : in_vector(l, j));
    return;
  }
  bool is_signed = f->out == HONE_S8;
  char *out = (char *)block->out + at;
  vf x[PANEL];
  HONE_UNROLL /* what is above is saturated alike, and is in range of the conversion */
      for (int j = 0; j < vectors; j++) x[j] = vf_min(l->x[j], vf_set(1 << 30));
#if defined(__AVX512F__)
  if (whole && vectors == 4) {
    store_64_bytes(out, x, f->zero, is_signed);
    return;
  }
#endif
  HONE_UNROLL
  for (int j = 0; j < vectors; j++)
    store_bytes(out + j * VF_LANES, x[j], whole ? VF_LANES : in_vector(l, j), f->zero, is_signed);
}

HONE_INLINE void finish_lines(const hone_integer_finish *f, const hone_kernel_io *io,
                              const hone_integer_block *block, size_t column, const int vectors,
                              const bool whole) {
  line l = {.column = block->column + column, .n = (int)(block->columns - column)};
  slots s;
  start_slots(f, io, &l, vectors, whole, &s);
  for (size_t i = 0; i < block->rows; i++) {
    l.row = block->row + i;
    const int32_t *sums = block->sums + i * block->sums_stride + column;
    HONE_UNROLL
    for (int j = 0; j < vectors; j++) l.x[j] = floats_of(sums + j * VF_LANES);
    if (f->slotted)
      run_slots(f, &s, &l, vectors, whole);
    else
      for (int k = 0; k < f->count; k++) run_step(f, &f->steps[k], io, &l, vectors, whole);
    store_line(f, block, &l, (size_t)((ptrdiff_t)i * block->out_stride) + column, vectors, whole);
  }
}

/* The last `left` columns of a block, less than a panel. */
HONE_INLINE void finish_rest(const hone_integer_finish *f, const hone_kernel_io *io,
                             const hone_integer_block *block, size_t column, size_t left) {
  const size_t lanes = VF_LANES;
  switch ((left + lanes - 1) / lanes) {
#define REST(vectors)                                     \
  case vectors:                                           \
    if (left == vectors * lanes)                          \
      finish_lines(f, io, block, column, vectors, true);  \
    else                                                  \
      finish_lines(f, io, block, column, vectors, false); \
    break
    REST(1);
    REST(2);
#if PANEL > 2
    REST(3);
    REST(4);
#endif
#undef REST
  }
}

static void run_finish(const hone_integer_finish *f, const hone_kernel_io *io,
                       const hone_integer_block *block) {
  enum { WIDE = PANEL * VF_LANES };
  for (size_t i = 0; f->out == HONE_S32 && i < block->rows; i++)
    memcpy((int32_t *)block->out + (ptrdiff_t)i * block->out_stride,
           block->sums + i * block->sums_stride, block->columns * sizeof(int32_t));
  if (f->out == HONE_S32) return;
  size_t column = 0;
  for (; column + WIDE <= block->columns; column += WIDE)
    finish_lines(f, io, block, column, PANEL, true);
  if (column < block->columns) finish_rest(f, io, block, column, block->columns - column);
  if (f->looks_up) f->lookup(f->table, block->out, block->out_stride, block->rows, block->columns);
}
