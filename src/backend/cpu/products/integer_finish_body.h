/* What is done to integer sums before they are stored, for one instruction set: included after
 * integer_vectors_body.h with PANEL defined. Room: backend/cpu/products. The contract is in
 * integer_finish.h. */
#include <math.h>

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
#if PANEL == 4
#define STORES_PANELS
/* Four vectors as one of bytes: packing interleaves 128-bit lanes, which one permutation undoes. */
HONE_INLINE void store_panel(void *p, const vf *x, int zero, bool is_signed) {
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i z = _mm512_set1_epi16((short)zero);
  __m512i a = _mm512_packs_epi32(_mm512_cvtps_epi32(x[0]), _mm512_cvtps_epi32(x[1]));
  __m512i b = _mm512_packs_epi32(_mm512_cvtps_epi32(x[2]), _mm512_cvtps_epi32(x[3]));
  a = _mm512_adds_epi16(a, z), b = _mm512_adds_epi16(b, z);
  __m512i bytes = is_signed ? _mm512_packs_epi16(a, b) : _mm512_packus_epi16(a, b);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, bytes));
}
#endif
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
#define STORES_PANELS
/* Two vectors as 16 bytes. */
HONE_INLINE void store_panel(void *p, const vf *x, int zero, bool is_signed) {
  __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(x[0]), _mm256_cvtps_epi32(x[1]));
  words = _mm256_adds_epi16(words, _mm256_set1_epi16((short)zero));
  __m128i low = _mm256_castsi256_si128(words), high = _mm256_extracti128_si256(words, 1);
  __m128i bytes = is_signed ? _mm_packs_epi16(low, high) : _mm_packus_epi16(low, high);
  _mm_storeu_si128(p, _mm_shuffle_epi32(bytes, 0xd8));
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
#if defined(STORES_PANELS)
  if (whole && vectors == PANEL) {
    store_panel(out, x, f->zero, is_signed);
    return;
  }
#endif
  HONE_UNROLL
  for (int j = 0; j < vectors; j++)
    store_bytes(out + j * VF_LANES, x[j], whole ? VF_LANES : in_vector(l, j), f->zero, is_signed);
}

#if defined(STORES_PANELS)
/* Whether a program is a scale and a bias, of what becomes bytes: what most layers have. */
HONE_INLINE bool only_scales(const hone_integer_finish *f, const slots *s) {
  return f->slotted && f->out != HONE_F32 && !s->round && !s->clip && !s->back && !s->like &&
         !s->next && !s->limit;
}

/* Whole panels of such a program, as run_slots and store_line do them; a bias that is absent is 0. */
HONE_INLINE void scale_lines(const hone_integer_finish *f, const slots *s,
                             const hone_integer_block *block, size_t column,
                             const bool is_signed) {
  const int32_t *sums = block->sums + column;
  char *out = (char *)block->out + column;
  const int zero = f->zero;
  const vf most = vf_set(1 << 30);
  HONE_NO_UNROLL
  for (size_t i = block->rows; i; i--, sums += block->sums_stride, out += block->out_stride) {
    vf x[PANEL];
    HONE_UNROLL
    for (int j = 0; j < PANEL; j++) {
      x[j] = vf_add(vf_mul(floats_of(sums + j * VF_LANES), s->scale[j]), s->bias[j]);
      x[j] = vf_min(x[j], most);
    }
    store_panel(out, x, zero, is_signed);
  }
}
#endif

HONE_INLINE void finish_lines(const hone_integer_finish *f, const hone_kernel_io *io,
                              const hone_integer_block *block, size_t column, const int vectors,
                              const bool whole) {
  line l = {.column = block->column + column, .n = (int)(block->columns - column)};
  slots s;
  start_slots(f, io, &l, vectors, whole, &s);
#if defined(STORES_PANELS)
  if (whole && vectors == PANEL && only_scales(f, &s)) {
    if (f->out == HONE_S8)
      scale_lines(f, &s, block, column, true);
    else
      scale_lines(f, &s, block, column, false);
    return;
  }
#endif
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
