/* tf_idf_vectorizer nodes of integers: n-grams looked up in a hash table that the build makes. A
 * row of tokens is one part's work. Room: backend/cpu/nodes. */
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/tf_idf.h"

typedef struct counting {
  hone_tf_idf pool;
  hone_dtype dtype;
  size_t rows, tokens;   /* tokens of a row */
  const uint32_t *slots; /* numbers of n-grams, from 1 on; 0: free */
  size_t slot_count;     /* a power of two */
  char mode;             /* t: counts, i: weights of what is there, w: counts times weights */
} counting;

/* ---- The table ------------------------------------------------------------------------------ */

static uint64_t add_token(uint64_t hash, int64_t token) {
  hash = (hash ^ (uint64_t)token) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 32;
}

/* At least twice as many slots as n-grams, so that one is always free; 0: too many. */
static size_t slot_count_of(const hone_tf_idf *p) {
  size_t grams = 0, slots = 16;
  for (size_t size = 1; size <= p->starts->count; size++) grams += hone_tf_idf_grams(p, size);
  if (grams >= UINT32_MAX / 4) return 0;
  while (slots < 2 * grams) slots *= 2;
  return slots;
}

static void insert(uint32_t *slots, size_t slot_count, uint64_t hash, size_t gram) {
  size_t at = hash & (slot_count - 1);
  while (slots[at]) at = (at + 1) & (slot_count - 1);
  slots[at] = (uint32_t)gram + 1;
}

static void fill_slots(const hone_tf_idf *p, uint32_t *slots, size_t slot_count) {
  const int64_t *token = p->integers->integers;
  size_t gram = 0;
  memset(slots, 0, slot_count * sizeof *slots);
  for (size_t size = 1; size <= p->starts->count; size++) {
    size_t grams = hone_tf_idf_grams(p, size), at = (size_t)p->starts->integers[size - 1];
    for (size_t g = 0; g < grams; g++, at += size) {
      uint64_t hash = size;
      for (size_t i = 0; i < size; i++) hash = add_token(hash, token[at + i]);
      insert(slots, slot_count, hash, gram++);
    }
  }
}

/* ---- Counting ------------------------------------------------------------------------------- */

/* N-grams of one size: the number of the first, how many there are, where its tokens begin. */
typedef struct sized_grams {
  size_t size, first, count;
  const int64_t *tokens;
} sized_grams;

/* Counts what the n-gram of tokens from element `at` on, `step` apart, is in the pool. */
static void count_gram(const counting *c, const sized_grams *g, const void *x, size_t at,
                       size_t step, float *counts) {
  uint64_t hash = g->size;
  for (size_t i = 0; i < g->size; i++)
    hash = add_token(hash, hone_load_int(c->dtype, x, at + i * step));
  size_t mask = c->slot_count - 1;
  for (size_t slot = hash & mask; c->slots[slot]; slot = (slot + 1) & mask) {
    size_t gram = c->slots[slot] - 1, i = 0;
    if (gram - g->first >= g->count) continue;
    const int64_t *token = g->tokens + (gram - g->first) * g->size;
    while (i < g->size && token[i] == hone_load_int(c->dtype, x, at + i * step)) i++;
    if (i == g->size) counts[c->pool.columns->integers[gram]]++;
  }
}

static void count_row(const counting *c, const void *x, size_t begin, float *counts) {
  const hone_tf_idf *p = &c->pool;
  sized_grams g = {.first = 0};
  for (size_t size = 1; size <= p->starts->count; size++, g.first += g.count) {
    size_t steps = hone_tf_idf_steps(p, size, c->tokens);
    g.size = size;
    g.count = hone_tf_idf_grams(p, size);
    g.tokens = p->integers->integers + p->starts->integers[size - 1];
    for (size_t step = 1; step <= steps && (c->tokens - 1) / step >= size - 1; step++)
      for (size_t start = 0; start + (size - 1) * step < c->tokens; start++)
        count_gram(c, &g, x, begin + start, step, counts);
  }
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const counting *c = args;
  size_t begin, end, width = c->pool.width;
  hone_split(c->rows, 1, part, parts, &begin, &end);
  for (size_t row = begin; row < end; row++) {
    float *y = (float *)io->out[0] + row * width;
    memset(y, 0, width * sizeof *y);
    if (c->tokens) count_row(c, io->in[0], row * c->tokens, y);
    for (size_t i = 0; c->mode != 't' && i < width; i++) {
      double weight = c->pool.weights->count ? c->pool.weights->reals[i] : 1;
      y[i] = (float)(c->mode == 'w' ? (double)y[i] * weight : y[i] > 0 ? weight : 0);
    }
  }
}

/* ---- Build and plan ------------------------------------------------------------------------- */

static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  hone_dtype dtype = node->inputs[0].value->type.dtype;
  hone_dtype_class class = hone_dtype_class_of(dtype);
  return (class == HONE_CLASS_SIGNED || class == HONE_CLASS_UNSIGNED) &&
         hone_dtype_bits(dtype) >= 8;
}

static size_t pack_size(const hone_cpu_kernel *row, const hone_node *node) {
  hone_tf_idf pool;
  (void)row;
  hone_status *status = hone_tf_idf_read(node, &pool);
  size_t size = status ? 0 : slot_count_of(&pool) * sizeof(uint32_t);
  hone_status_free(status);
  return size;
}

static hone_status *pack(const hone_cpu_kernel *row, const hone_node *node, void *to) {
  hone_tf_idf pool;
  (void)row;
  HONE_TRY(hone_tf_idf_read(node, &pool));
  fill_slots(&pool, to, slot_count_of(&pool));
  return NULL;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const hone_shape *x = &view->in[0]->shape;
  const char *mode = hone_node_text(view->node, "mode");
  counting *c = HONE_NEW(arena, counting);
  HONE_TRY_MEMORY(c);
  HONE_TRY(hone_tf_idf_read(view->node, &c->pool));
  c->dtype = view->in[0]->dtype;
  c->rows = x->rank == 2 ? (size_t)x->dim[0] : 1;
  c->tokens = x->rank ? (size_t)x->dim[x->rank - 1] : 0;
  c->slots = view->packed;
  c->slot_count = slot_count_of(&c->pool);
  c->mode = mode[0] == 'i' ? 'i' : mode[2] ? 'w' : 't';
  out->work = (double)c->rows *
              ((double)c->tokens * 10 * (double)(c->pool.skip + 1) + (double)c->pool.width);
  out->kernel = hone_one_phase(run, c);
  return NULL;
}

const hone_node_functions hone_node_tf_idf = {
    .accepts = accepts, .plan = plan, .pack_size = pack_size, .pack = pack};
