/* Attention: every variant this processor runs, against the formula in double; several blocks of
 * keys, masks of each kind, causal, shared heads, strided tokens, every split. */
#include "backend/cpu/products/attention.h"

#include "cpu_kernels.h"

typedef struct problem {
  size_t batch, heads, kv_heads, queries, keys, depth, value_depth;
  hone_mask_kind mask;
  bool mask_by_head, mask_by_query, causal;
  float softcap;
} problem;

static const problem problems[] = {
    {1, 1, 1, 1, 1, 1, 1, HONE_MASK_NONE, false, false, false, 0},
    {2, 3, 3, 13, 29, 20, 20, HONE_MASK_NONE, false, false, false, 0},
    {1, 2, 2, 17, 300, 64, 64, HONE_MASK_ADD, false, false, false, 0},
    {2, 4, 2, 9, 33, 16, 24, HONE_MASK_ADD, true, true, false, 0},
    {1, 2, 1, 23, 23, 8, 8, HONE_MASK_NONE, false, false, true, 0},
    {1, 1, 1, 530, 530, 4, 5, HONE_MASK_NONE, false, false, true, 0},
    {2, 2, 2, 5, 40, 12, 12, HONE_MASK_KEEP, false, true, false, 0},
    {1, 2, 2, 6, 290, 12, 12, HONE_MASK_KEEP, false, false, false, 7},
    {1, 3, 1, 1, 70, 32, 32, HONE_MASK_NONE, false, false, true, 0},
};

typedef struct data {
  hone_attention a;
  float *q, *k, *v, *add;
  unsigned char *keep;
} data;

/* Tokens hold all heads side by side, as the projections before leave them. */
static hone_attention_strides side_by_side(size_t tokens, size_t heads, size_t depth) {
  return (hone_attention_strides){(ptrdiff_t)(tokens * heads * depth), (ptrdiff_t)depth,
                                  (ptrdiff_t)(heads * depth)};
}

static data make(const problem *p, const hone_tile_set *tiles) {
  size_t masks = p->batch * p->heads * p->queries * p->keys;
  data d = {.q = random_floats(p->batch * p->heads * p->queries * p->depth, 1),
            .k = random_floats(p->batch * p->kv_heads * p->keys * p->depth, 2),
            .v = random_floats(p->batch * p->kv_heads * p->keys * p->value_depth, 3),
            .add = random_floats(masks, 4),
            .keep = hone_alloc(masks)};
  for (size_t i = 0; i < masks; i++) {
    d.keep[i] = d.add[i] > -0.6f || i % p->keys == 3;
    if (!d.keep[i]) d.add[i] = -INFINITY;
  }
  ptrdiff_t keys = (ptrdiff_t)p->keys, queries = p->mask_by_query ? (ptrdiff_t)p->queries : 1;
  ptrdiff_t heads = p->mask_by_head ? (ptrdiff_t)p->heads : 1;
  d.a = (hone_attention){.tiles = tiles,
                         .batch = p->batch,
                         .heads = p->heads,
                         .kv_heads = p->kv_heads,
                         .queries = p->queries,
                         .keys = p->keys,
                         .depth = p->depth,
                         .value_depth = p->value_depth,
                         .k = 1,
                         .v = 2,
                         .mask = 3,
                         .q_strides = side_by_side(p->queries, p->heads, p->depth),
                         .k_strides = side_by_side(p->keys, p->kv_heads, p->depth),
                         .v_strides = side_by_side(p->keys, p->kv_heads, p->value_depth),
                         .out_strides = side_by_side(p->queries, p->heads, p->value_depth),
                         .mask_kind = p->mask,
                         .mask_batch = heads * queries * keys,
                         .mask_head = p->mask_by_head ? queries * keys : 0,
                         .mask_query = p->mask_by_query ? keys : 0,
                         .mask_key = 1,
                         .causal = p->causal,
                         .causal_offset = (ptrdiff_t)p->keys - (ptrdiff_t)p->queries,
                         .scale = 1.7f,
                         .softcap = p->softcap};
  return d;
}

static double score(const data *d, size_t b, size_t h, size_t i, size_t j) {
  const hone_attention *a = &d->a;
  size_t kv = h / (a->heads / a->kv_heads);
  const float *q = d->q + ((b * a->queries + i) * a->heads + h) * a->depth;
  const float *k = d->k + ((b * a->keys + j) * a->kv_heads + kv) * a->depth;
  double s = 0;
  for (size_t c = 0; c < a->depth; c++) s += (double)q[c] * k[c];
  s *= a->scale;
  if (a->softcap != 0) s = a->softcap * tanh(s / a->softcap);
  ptrdiff_t at = (ptrdiff_t)b * a->mask_batch + (ptrdiff_t)h * a->mask_head +
                 (ptrdiff_t)i * a->mask_query + (ptrdiff_t)j;
  if (a->mask_kind == HONE_MASK_ADD) s += d->add[at];
  if (a->mask_kind == HONE_MASK_KEEP && !d->keep[at]) s = -INFINITY;
  if (a->causal && (ptrdiff_t)j > (ptrdiff_t)i + a->causal_offset) s = -INFINITY;
  return s;
}

/* One query of one head. */
static bool right(const data *d, size_t b, size_t h, size_t i, const float *out, double *s) {
  const hone_attention *a = &d->a;
  size_t kv = h / (a->heads / a->kv_heads);
  double largest = -INFINITY, total = 0;
  for (size_t j = 0; j < a->keys; j++) s[j] = score(d, b, h, i, j), largest = fmax(largest, s[j]);
  for (size_t j = 0; j < a->keys; j++) total += s[j] = exp(s[j] - largest);
  for (size_t c = 0; c < a->value_depth; c++) {
    double want = 0;
    for (size_t j = 0; j < a->keys; j++)
      want += s[j] / total * d->v[((b * a->keys + j) * a->kv_heads + kv) * a->value_depth + c];
    float got = out[((b * a->queries + i) * a->heads + h) * a->value_depth + c];
    if (!(fabs(got - want) <= bound("attention", "fp32"))) {
      fprintf(stderr, "%s query %zu: %.9g, not %.9g\n", a->tiles->name, i, (double)got, want);
      return false;
    }
  }
  return true;
}

static void check_problem(const problem *p, const hone_tile_set *tiles) {
  data d = make(p, tiles);
  hone_arena arena = {0};
  hone_kernel_plan plan;
  CHECK_OK(hone_attention_plan(&d.a, &arena, &plan));
  const void *in[] = {d.q, d.k, d.v, p->mask == HONE_MASK_KEEP ? (void *)d.keep : d.add};
  size_t count = p->batch * p->heads * p->queries * p->value_depth;
  float *first = NULL;
  double *s = hone_alloc(p->keys * sizeof(double));
  for (size_t n = 0; n < sizeof(test_parts) / sizeof(*test_parts); n++) {
    float *out = floats(count);
    run_parts(plan.phases, plan.phase_count, plan.args, in, out,
              plan.shared_scratch + plan.part_scratch * (size_t)test_parts[n], test_parts[n]);
    if (first) {
      CHECK(!memcmp(first, out, count * sizeof(float)));
      hone_free(out);
      continue;
    }
    first = out;
    bool good = true;
    for (size_t i = 0; good && i < p->batch * p->heads * p->queries; i++)
      good =
          right(&d, i / p->queries / p->heads, i / p->queries % p->heads, i % p->queries, out, s);
    CHECK(good);
  }
  hone_free(first), hone_free(s), hone_arena_free(&arena);
  hone_free(d.q), hone_free(d.k), hone_free(d.v), hone_free(d.add), hone_free(d.keep);
}

static void each_tile_set(void (*function)(const hone_tile_set *)) {
  for (const hone_tile_set *const *tiles = hone_tile_sets_f32; *tiles; tiles++) {
    if (hone_isa_runs((*tiles)->isa)) function(*tiles);
  }
}

static void all_problems(const hone_tile_set *tiles) {
  for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
    int failed = check_failed;
    check_problem(&problems[i], tiles);
    if (check_failed != failed) fprintf(stderr, "in problem %zu\n", i);
  }
}

/* A query whose keys are all hidden gives zeros; one whose first block is hidden does not. */
static void hidden_keys(const hone_tile_set *tiles) {
  problem p = {1, 1, 1, 2, 2 * HONE_ATTENTION_KEYS, 4, 4, HONE_MASK_KEEP, false, true, false, 0};
  data d = make(&p, tiles);
  memset(d.keep, 0, p.queries * p.keys);
  d.keep[2 * p.keys - 1] = 1; /* the second query sees the last key */
  hone_arena arena = {0};
  hone_kernel_plan plan;
  CHECK_OK(hone_attention_plan(&d.a, &arena, &plan));
  float *out = floats(8);
  const void *in[] = {d.q, d.k, d.v, d.keep};
  run_parts(plan.phases, plan.phase_count, plan.args, in, out, plan.part_scratch, 1);
  CHECK(out[0] == 0 && out[3] == 0);
  CHECK(!memcmp(out + 4, d.v + (p.keys - 1) * 4, 4 * sizeof(float)));
  hone_free(out), hone_arena_free(&arena);
  hone_free(d.q), hone_free(d.k), hone_free(d.v), hone_free(d.add), hone_free(d.keep);
}

TEST(problems) {
  each_tile_set(all_problems);
}
TEST(hidden) {
  each_tile_set(hidden_keys);
}

int main(void) {
  RUN(problems);
  RUN(hidden);
  return check_report();
}
