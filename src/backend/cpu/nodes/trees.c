/* tree_ensemble nodes: several rows walk down a tree at a time, or one row down several trees, so
 * tha
 * t
 * the waits for their nodes overlap. Room: backend/cpu/nodes.
 *
 * The tables are packed: a leaf leads to itself, a test is a mask of the outcomes that lead to YES.
 */
#include <math.h>
#include <string.h>

#include "backend/cpu/nodes/node.h"
#include "base/pool.h"
#include "ops/tree_ensemble.h"

enum { X, ROOTS, NODES, VALUES, TARGETS, WEIGHTS };
enum { LANES = 8, MOST_ROWS = 64, ROW_BLOCK = 32768 /* numbers of x at a time */ };
enum { LESS = 1, EQUAL = 2, GREATER = 4, NO_NUMBER = 8 };

typedef struct tree_node {
  union {
    double value;
    uint32_t votes[2]; /* of a leaf: from the first up to before the second */
  };
  uint32_t feature, next[2], takes; /* next[1] after an outcome that is in `takes` */
} tree_node;

typedef struct tree_vote {
  double weight;
  uint64_t target;
} tree_vote;

/* ---- Packing -------------------------------------------------------------------------------- */

typedef struct tree_pack {  /* the nodes, the votes and the roots follow */
  uint64_t trees, features; /* features: that x must have */
  uint64_t votes_at, roots_at;
} tree_pack;

typedef struct tables {
  hone_datum in[WEIGHTS + 1]; /* all but X */
  size_t trees, nodes, votes;
  size_t votes_at, roots_at, bytes; /* of the pack */
} tables;

/* False where the pack would be too large. */
static bool read_tables(const hone_node *node, tables *t) {
  for (int i = ROOTS; i <= WEIGHTS; i++) t->in[i] = hone_value_datum(node->inputs[i].value);
  t->trees = hone_datum_count(&t->in[ROOTS]);
  t->nodes = hone_datum_count(&t->in[NODES]) / HONE_TREE_FIELDS;
  t->votes = hone_datum_count(&t->in[WEIGHTS]);
  if (t->nodes > INT32_MAX || t->votes > INT32_MAX || t->trees > INT32_MAX) return false;
  t->votes_at = sizeof(tree_pack) + t->nodes * sizeof(tree_node);
  t->roots_at = t->votes_at + t->votes * sizeof(tree_vote);
  t->bytes = t->roots_at + t->trees * sizeof(uint32_t);
  return true;
}

static int64_t field(const tables *t, size_t node, int which) {
  return hone_load_int(t->in[NODES].dtype, t->in[NODES].data,
                       node * HONE_TREE_FIELDS + (size_t)which);
}

static uint32_t outcomes_of(int64_t test, bool missing) {
  static const uint32_t outcomes[] = {LESS | EQUAL, LESS, GREATER | EQUAL, GREATER, EQUAL};
  uint32_t takes = test >= 0 && test < HONE_TREE_NEQ ? outcomes[test] : LESS | GREATER | NO_NUMBER;
  return takes | (missing ? NO_NUMBER : 0);
}

/* False where the node leads out of the tables. */
static bool pack_node(const tables *t, size_t at, tree_node *out) {
  int64_t yes = field(t, at, HONE_TREE_YES), no = field(t, at, HONE_TREE_NO);
  int64_t feature = field(t, at, HONE_TREE_FEATURE), test = field(t, at, HONE_TREE_TEST);
  if (yes < 0 || no < 0) return false;
  if (test == HONE_TREE_LEAF) {
    *out =
        (tree_node){.votes = {(uint32_t)yes, (uint32_t)no}, .next = {(uint32_t)at, (uint32_t)at}};
    return yes <= no && (uint64_t)no <= t->votes;
  }
  *out = (tree_node){.value = hone_load_real(t->in[VALUES].dtype, t->in[VALUES].data, at),
                     .feature = (uint32_t)feature,
                     .next = {(uint32_t)no, (uint32_t)yes},
                     .takes = outcomes_of(test, field(t, at, HONE_TREE_MISSING) != 0)};
  /* A number compared with NaN has none of the outcomes, and differs. */
  if (isnan(out->value) && (out->takes & LESS) && (out->takes & GREATER))
    out->next[0] = (uint32_t)yes;
  return (uint64_t)yes < t->nodes && (uint64_t)no < t->nodes && feature >= 0 && feature < INT32_MAX;
}

static bool is_leaf(const tree_node *nodes, uint32_t at) {
  return nodes[at].takes == 0;
}

enum { UNSEEN, OPEN, DONE };

/* Whether every path from the root ends: depth first, with the path's open nodes on the stack. */
static bool ends(const tree_node *nodes, uint32_t root, unsigned char *state, uint32_t *stack) {
  size_t depth = 0;
  if (state[root] == UNSEEN) stack[depth++] = root;
  while (depth) {
    uint32_t at = stack[depth - 1];
    const uint32_t *next = nodes[at].next;
    state[at] = OPEN;
    int side = 0;
    while (side < 2 && (is_leaf(nodes, at) || state[next[side]] == DONE)) side++;
    if (side == 2) {
      state[at] = DONE;
      depth--;
    } else if (state[next[side]] == OPEN) {
      return false;
    } else {
      stack[depth++] = next[side];
    }
  }
  return true;
}

static bool all_end(const tree_node *nodes, size_t count, const uint32_t *roots, size_t trees,
                    void *space) {
  uint32_t *stack = space;
  unsigned char *state = (unsigned char *)(stack + count);
  memset(state, UNSEEN, count);
  for (size_t t = 0; t < trees; t++)
    if (!ends(nodes, roots[t], state, stack)) return false;
  return true;
}

/* False where something leads out of the tables. */
static bool pack_nodes(const tables *t, tree_pack *to, tree_node *nodes) {
  for (size_t i = 0; i < t->nodes; i++) {
    if (!pack_node(t, i, &nodes[i])) return false;
    if (nodes[i].takes && nodes[i].feature >= to->features) to->features = nodes[i].feature + 1u;
  }
  return true;
}

static bool pack_votes(const tables *t, int64_t outputs, tree_vote *votes) {
  for (size_t i = 0; i < t->votes; i++) {
    int64_t target = hone_load_int(t->in[TARGETS].dtype, t->in[TARGETS].data, i);
    if (target < 0 || target >= outputs) return false;
    votes[i].weight = hone_load_real(t->in[WEIGHTS].dtype, t->in[WEIGHTS].data, i);
    votes[i].target = (uint64_t)target;
  }
  return true;
}

static bool pack_roots(const tables *t, uint32_t *roots) {
  for (size_t i = 0; i < t->trees; i++) {
    int64_t root = hone_load_int(t->in[ROOTS].dtype, t->in[ROOTS].data, i);
    if (root < 0 || (uint64_t)root >= t->nodes) return false;
    roots[i] = (uint32_t)root;
  }
  return true;
}

static size_t pack_size(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  tables t;
  return read_tables(node, &t) ? t.bytes : 0;
}

static hone_status *pack(const hone_cpu_kernel *row, const hone_node *node, void *to) {
  (void)row;
  tables t;
  tree_pack *head = to;
  tree_node *nodes = (tree_node *)(head + 1);
  if (!read_tables(node, &t)) return hone_error(HONE_LIMIT, "too many trees");
  uint32_t *roots = (uint32_t *)((char *)to + t.roots_at);
  *head = (tree_pack){.trees = t.trees, .votes_at = t.votes_at, .roots_at = t.roots_at};
  if (hone_datum_count(&t.in[VALUES]) != t.nodes || hone_datum_count(&t.in[TARGETS]) != t.votes ||
      !pack_nodes(&t, head, nodes) || !pack_roots(&t, roots) ||
      !pack_votes(&t, hone_node_int(node, "outputs"), (tree_vote *)((char *)to + t.votes_at)))
    return hone_error(HONE_INVALID_MODEL, "the trees lead out of their tables");
  void *space = hone_alloc(t.nodes * (sizeof(uint32_t) + 1));
  HONE_TRY_MEMORY(space);
  bool good = all_end(nodes, t.nodes, roots, t.trees, space);
  hone_free(space);
  return good ? NULL : hone_error(HONE_INVALID_MODEL, "a tree leads in a circle");
}

/* ---- Running -------------------------------------------------------------------------------- */

typedef struct forest {
  const tree_node *nodes;
  const tree_vote *votes;
  const uint32_t *roots;
  size_t trees, rows, features, outputs, block; /* block: rows at a time, a multiple of LANES */
  hone_dtype x, y;
  char aggregate; /* s a x n: sum, average, max, min */
  size_t sums_at, voted_at, part_scratch;
} forest;

/* From LANES nodes to the leaves below them; the row of each lane is `step` after that before. */
static void walk(const forest *f, const double *x, size_t step, uint32_t *at) {
  uint32_t moved;
  do {
    moved = 0;
    for (int r = 0; r < LANES; r++) {
      const tree_node *n = &f->nodes[at[r]];
      double a = x[(size_t)r * step + n->feature], b = n->value;
      uint32_t outcome = (a < b ? LESS : 0) | (a == b ? EQUAL : 0) | (a > b ? GREATER : 0) |
                         (a != a ? NO_NUMBER : 0);
      uint32_t next = n->next[(n->takes & outcome) != 0];
      moved |= next ^ at[r];
      at[r] = next;
    }
  } while (moved);
}

static void vote(const forest *f, const tree_node *leaf, double *sums, bool *voted) {
  for (uint32_t v = leaf->votes[0]; v < leaf->votes[1]; v++) {
    size_t target = f->votes[v].target;
    double weight = f->votes[v].weight, *y = &sums[target];
    if (f->aggregate == 's' || f->aggregate == 'a') {
      *y += weight;
    } else {
      if (!voted[target] || (f->aggregate == 'x' ? weight > *y : weight < *y)) *y = weight;
      voted[target] = true;
    }
  }
}

/* LANES rows. */
static void run_rows(const forest *f, size_t tree, const double *x, double *sums, bool *voted) {
  uint32_t at[LANES];
  for (int i = 0; i < LANES; i++) at[i] = f->roots[tree];
  walk(f, x, f->features, at);
  for (size_t i = 0; i < LANES; i++)
    vote(f, &f->nodes[at[i]], sums + i * f->outputs, voted + i * f->outputs);
}

/* All trees for one row; what is missing to the last LANES repeats. */
static void run_row(const forest *f, const double *x, double *sums, bool *voted) {
  uint32_t at[LANES];
  for (size_t t = 0; t < f->trees; t += LANES) {
    size_t count = f->trees - t < LANES ? f->trees - t : LANES;
    for (size_t i = 0; i < LANES; i++) at[i] = f->roots[t + (i < count ? i : 0)];
    walk(f, x, 0, at);
    for (size_t i = 0; i < count; i++) vote(f, &f->nodes[at[i]], sums, voted);
  }
}

/* A row's votes are counted in the order of the trees, either way. */
static void run_block(const forest *f, const double *x, size_t rows, double *sums, bool *voted) {
  size_t whole = rows / LANES * LANES;
  memset(sums, 0, rows * f->outputs * sizeof *sums);
  memset(voted, 0, rows * f->outputs);
  for (size_t t = 0; t < f->trees; t++)
    for (size_t r = 0; r < whole; r += LANES)
      run_rows(f, t, x + r * f->features, sums + r * f->outputs, voted + r * f->outputs);
  for (size_t r = whole; r < rows; r++)
    run_row(f, x + r * f->features, sums + r * f->outputs, voted + r * f->outputs);
  for (size_t i = 0; i < rows * f->outputs && f->aggregate == 'a'; i++) sums[i] /= (double)f->trees;
}

static void run(const void *args, const hone_kernel_io *io, int part, int parts) {
  const forest *f = args;
  char *space = (char *)io->scratch + (size_t)part * f->part_scratch;
  double *x = (double *)space, *sums = (double *)(space + f->sums_at);
  size_t begin, end;
  hone_split(f->rows, LANES, part, parts, &begin, &end);
  for (size_t row = begin, rows; row < end; row += rows) {
    rows = end - row < f->block ? end - row : f->block;
    hone_load_reals(f->x, io->in[X], row * f->features, rows * f->features, x);
    run_block(f, x, rows, sums, (bool *)(space + f->voted_at));
    hone_store_reals(f->y, io->out[0], row * f->outputs, rows * f->outputs, sums);
  }
}

/* ---- Planning ------------------------------------------------------------------------------- */

/* Trees that the run makes are the reference's: no model has them. */
static bool accepts(const hone_cpu_kernel *row, const hone_node *node) {
  (void)row;
  for (int i = ROOTS; i <= WEIGHTS; i++)
    if (!hone_value_is_constant(node->inputs[i].value)) return false;
  return true;
}

static bool lay_out_scratch(forest *f) {
  size_t numbers, outputs, bytes;
  if (!hone_mul(f->block, f->features + 1, &numbers) || !hone_mul(f->block, f->outputs, &outputs) ||
      !hone_mul(numbers, sizeof(double), &f->sums_at) ||
      !hone_mul(outputs, sizeof(double), &bytes) || !hone_add(f->sums_at, bytes, &f->voted_at) ||
      !hone_add(f->voted_at, outputs, &bytes) || bytes > SIZE_MAX / 2)
    return false;
  f->part_scratch = hone_align_up(bytes, 64);
  return true;
}

static hone_status *plan(const hone_cpu_kernel *row, const hone_node_view *view, hone_arena *arena,
                         hone_node_plan *out) {
  (void)row;
  const tree_pack *head = view->packed;
  const char *aggregate = hone_node_text(view->node, "aggregate");
  forest *f = HONE_NEW(arena, forest);
  HONE_TRY_MEMORY(f);
  *f = (forest){.nodes = (const tree_node *)(head + 1),
                .votes = (const tree_vote *)((const char *)head + head->votes_at),
                .roots = (const uint32_t *)((const char *)head + head->roots_at),
                .trees = (size_t)head->trees,
                .rows = (size_t)view->in[X]->shape.dim[0],
                .features = (size_t)view->in[X]->shape.dim[1],
                .outputs = (size_t)view->out[0]->shape.dim[1],
                .x = view->in[X]->dtype,
                .y = view->out[0]->dtype,
                .aggregate = aggregate[0] != 'm'   ? aggregate[0]
                             : aggregate[1] == 'a' ? 'x'
                                                   : 'n'};
  if (f->features < head->features)
    return hone_error(HONE_INVALID_MODEL, "the trees ask for %llu features",
                      (unsigned long long)head->features);
  f->block = MOST_ROWS;
  while (f->block > LANES && f->block * (f->features + f->outputs) > ROW_BLOCK) f->block /= 2;
  if (!lay_out_scratch(f)) return hone_error(HONE_LIMIT, "rows too long for the trees");
  out->kernel = hone_one_phase(run, f);
  out->kernel.part_scratch = f->part_scratch;
  out->work = (double)f->rows * ((double)f->trees * 15 + (double)f->features);
  return NULL;
}

const hone_node_functions hone_node_trees = {.accepts = accepts,
                                             .plan = plan,
                                             .pack_size = pack_size,
                                             .pack = pack,
                                             .packed_inputs = (2u << WEIGHTS) - (1u << ROOTS)};
