/* Attention: blocks of keys, strips of queries, splitting. Room: backend/cpu/products. */
#include "backend/cpu/products/attention.h"

#include <math.h>
#include <string.h>

#include "backend/cpu/products/attention_softmax.h"
#include "backend/cpu/share.h"
#include "backend/cpu/products/sweep.h"

typedef struct fused {
  hone_attention a;
  hone_softmax_function *softmax;
  hone_scale_function *scale;
  size_t block; /* keys of a block, the last may have fewer */
  size_t k_floats, v_floats, scores_floats, part_scratch; /* of a part; the last in bytes */
} fused;

static size_t ceil_divide(size_t a, size_t b) {
  return (a + b - 1) / b;
}
static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* One batch and head, as far as a part works on it. */
typedef struct head {
  const fused *f;
  const float *q, *k, *v;
  const char *mask;
  float *out;
  float *packed_k, *packed_v, *scores, *largest, *sum; /* the last two by query */
  ptrdiff_t place, visible, keys; /* of query 0 among the keys; keys that count; that are read */
} head;

/* A number of the run, kept where sums with it cannot overflow. */
static ptrdiff_t number_of(const hone_kernel_io *io, int index, hone_dtype dtype, size_t at) {
  const int64_t far = (int64_t)1 << 48;
  int64_t value = hone_load_int(dtype, io->in[index], at);
  return (ptrdiff_t)(value > far ? far : value < -far ? -far : value);
}

/* What lies beyond the keys that count is not even read: it may be no number. */
static void limit_keys(const hone_attention *a, const hone_kernel_io *io, size_t batch, head *h) {
  h->place = a->causal_offset;
  h->visible = (ptrdiff_t)(a->mask_keys ? a->mask_keys : a->keys);
  if (a->offset_type)
    h->place += number_of(io, a->offset, a->offset_type, a->offset_by_batch ? batch : 0);
  if (a->lengths_type) {
    ptrdiff_t length = number_of(io, a->lengths, a->lengths_type, a->lengths_by_batch ? batch : 0);
    if (length < h->visible) h->visible = length;
  }
  h->keys = h->visible > 0 ? h->visible : 1;
}

static head head_at(const fused *f, const hone_kernel_io *io, size_t number, char *scratch) {
  const hone_attention *a = &f->a;
  ptrdiff_t batch = (ptrdiff_t)(number / a->heads), of = (ptrdiff_t)(number % a->heads);
  ptrdiff_t kv = of / (ptrdiff_t)(a->heads / a->kv_heads);
  head h = {.f = f, .packed_k = (float *)(void *)scratch};
  h.packed_v = h.packed_k + f->k_floats;
  h.scores = h.packed_v + f->v_floats;
  h.largest = h.scores + f->scores_floats;
  h.sum = h.largest + a->queries;
  h.q = (const float *)io->in[a->q] + batch * a->q_strides.batch + of * a->q_strides.head;
  h.k = (const float *)io->in[a->k] + batch * a->k_strides.batch + kv * a->k_strides.head;
  h.v = (const float *)io->in[a->v] + batch * a->v_strides.batch + kv * a->v_strides.head;
  h.out = (float *)io->out[a->out] + batch * a->out_strides.batch + of * a->out_strides.head;
  if (a->mask_kind != HONE_MASK_NONE) {
    ptrdiff_t element = a->mask_kind == HONE_MASK_ADD ? (ptrdiff_t)sizeof(float) : 1;
    h.mask = (const char *)io->in[a->mask] + (batch * a->mask_batch + of * a->mask_head) * element;
  }
  limit_keys(a, io, (size_t)batch, &h);
  return h;
}

static void pack_block(const head *h, size_t key, size_t keys) {
  const hone_attention *a = &h->f->a;
  hone_weight_strides across = {.depth = 1, .column = a->k_strides.token};
  hone_weight_strides down = {.depth = a->v_strides.token, .column = 1};
  hone_pack_weights(a->tiles, 1, 1, a->depth, keys, h->k + (ptrdiff_t)key * a->k_strides.token,
                    across, h->packed_k);
  hone_pack_weights(a->tiles, 1, 1, keys, a->value_depth,
                    h->v + (ptrdiff_t)key * a->v_strides.token, down, h->packed_v);
}

/* The block's keys that query `i` sees: [begin, end) of the block. */
typedef struct sight {
  size_t begin, end;
} sight;

static size_t within(ptrdiff_t x, size_t most) {
  return x <= 0 ? 0 : smaller((size_t)x, most);
}

static sight sight_of(const head *h, size_t i, size_t key, size_t keys) {
  const hone_attention *a = &h->f->a;
  ptrdiff_t place = h->place + (ptrdiff_t)i, begin = 0, end = h->visible;
  if (a->causal && end > place + 1) end = place + 1;
  if (a->has_right && end > place + a->right + 1) end = place + a->right + 1;
  if (a->has_left) begin = place - a->left;
  sight s = {within(begin - (ptrdiff_t)key, keys), within(end - (ptrdiff_t)key, keys)};
  if (s.begin > s.end) s.begin = s.end;
  return s;
}

static void soften(const head *h, size_t i, float *scores, size_t key, size_t keys) {
  const hone_attention *a = &h->f->a;
  sight sees = sight_of(h, i, key, keys);
  hone_softmax_row row = {.scores = scores + sees.begin,
                          .keys = keys - sees.begin,
                          .mask_kind = a->mask_kind,
                          .mask_repeats = a->mask_key == 0,
                          .visible = sees.end - sees.begin,
                          .scale = a->scale,
                          .softcap = a->softcap,
                          .out = h->out + (ptrdiff_t)i * a->out_strides.token,
                          .value_depth = a->value_depth,
                          .largest = h->largest + i,
                          .sum = h->sum + i};
  memset(scores, 0, sees.begin * sizeof *scores);
  if (h->mask) {
    ptrdiff_t element = a->mask_kind == HONE_MASK_ADD ? (ptrdiff_t)sizeof(float) : 1;
    ptrdiff_t first = (ptrdiff_t)(key + sees.begin) * a->mask_key;
    row.mask = h->mask + ((ptrdiff_t)i * a->mask_query + first) * element;
  }
  h->f->softmax(&row);
}

/* Queries first..last (a tile's height at most) against one packed block. */
static void run_strip(const head *h, size_t first, size_t last, size_t key, size_t keys) {
  const hone_attention *a = &h->f->a;
  ptrdiff_t stride = (ptrdiff_t)h->f->block;
  float *out = h->out + (ptrdiff_t)first * a->out_strides.token;
  bool start = key == 0, end = key + keys == (size_t)h->keys;
  /* What a strip sees begins with its first query's keys and ends with its last one's. */
  bool sees = sight_of(h, last - 1, key, keys).end > sight_of(h, first, key, keys).begin;
  if (start || sees) {
    hone_multiply(a->tiles, last - first, a->depth, keys,
                  h->q + (ptrdiff_t)first * a->q_strides.token, a->q_strides.token, h->packed_k,
                  h->scores, stride, false);
    for (size_t i = first; i < last; i++)
      soften(h, i, h->scores + (ptrdiff_t)(i - first) * stride, key, keys);
    hone_multiply(a->tiles, last - first, keys, a->value_depth, h->scores, stride, h->packed_v, out,
                  a->out_strides.token, !start);
  }
  for (size_t i = first; end && i < last; i++, out += a->out_strides.token)
    /* A query that may look nowhere gives zeros. */
    h->f->scale(out, a->value_depth, h->sum[i] != 0 ? 1 / h->sum[i] : 0);
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const fused *f = args;
  const hone_attention *a = &f->a;
  size_t height = (size_t)a->tiles->height, heads = a->batch * a->heads;
  hone_work work = {.rows = a->queries,
                    .height = height,
                    .columns = heads,
                    .grain = 1,
                    .row_weight = (double)a->queries,
                    .column_weight = (double)a->keys * (double)heads};
  hone_share mine = hone_share_of(&work, part, parts);
  size_t first = mine.row, last = mine.row_end;
  if (first == last) return;
  size_t strips = ceil_divide(last - first, height), rows = last - first;
  for (size_t number = mine.column; number < mine.column_end; number++) {
    head h = head_at(f, io, number, (char *)io->scratch + (size_t)part * f->part_scratch);
    for (size_t i = first; i < last; i++) h.largest[i] = -INFINITY, h.sum[i] = 0;
    for (size_t key = 0, keys; key < (size_t)h.keys; key += keys) {
      keys = smaller(f->block, (size_t)h.keys - key);
      pack_block(&h, key, keys);
      for (size_t s = 0; s < strips; s++)
        run_strip(&h, first + rows * s / strips, first + rows * (s + 1) / strips, key, keys);
    }
  }
}

static hone_softmax_function *softmax_for(uint32_t isa) {
#if defined(__x86_64__)
  if (isa & HONE_ISA_AVX512) return hone_softmax_block_avx512;
  if (isa & HONE_ISA_AVX2) return hone_softmax_block_avx2;
#endif
  (void)isa;
  return hone_softmax_block_plain;
}

static hone_scale_function *scale_for(uint32_t isa) {
#if defined(__x86_64__)
  if (isa & HONE_ISA_AVX512) return hone_scale_avx512;
  if (isa & HONE_ISA_AVX2) return hone_scale_avx2;
#endif
  (void)isa;
  return hone_scale_plain;
}

hone_status *hone_attention_plan(const hone_attention *attention, hone_arena *arena,
                                 hone_kernel_plan *out) {
  if (attention->keys == 0)
    return hone_error(HONE_UNSUPPORTED, "attention without keys has no softmax");
  fused *f = HONE_NEW(arena, fused);
  HONE_TRY_MEMORY(f);
  *f = (fused){.a = *attention,
               .softmax = softmax_for(attention->tiles->isa),
               .scale = scale_for(attention->tiles->isa),
               .block = smaller(attention->keys, HONE_ATTENTION_KEYS)};
  const hone_attention *a = &f->a;
  f->k_floats = hone_pack_size(a->tiles, 1, 1, a->depth, f->block);
  f->v_floats = hone_pack_size(a->tiles, 1, 1, f->block, a->value_depth);
  f->scores_floats = (size_t)a->tiles->height * f->block;
  size_t floats;
  if (!hone_add(f->k_floats, f->v_floats, &floats) ||
      !hone_add(floats, f->scores_floats, &floats) || !hone_add(floats, a->queries, &floats) ||
      !hone_add(floats, a->queries, &floats) || floats > SIZE_MAX / 8 ||
      (a->depth && !f->k_floats) || (a->value_depth && !f->v_floats))
    return hone_error(HONE_LIMIT, "the scratch of an attention does not fit in memory");
  f->part_scratch = hone_align_up(floats * sizeof(float), 64);
  *out = (hone_kernel_plan){
      .phases = {run}, .phase_count = 1, .args = f, .part_scratch = f->part_scratch};
  return NULL;
}
