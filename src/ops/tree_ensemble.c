/* tree_ensemble: decision trees that vote on each row of x. Room: ops. */
#include <math.h>

#include "ops/operand.h"
#include "ops/ops.h"
#include "ops/tree_ensemble.h"

enum { X, ROOTS, NODES, VALUES, TARGETS, WEIGHTS };

static hone_status *ensemble_infer(hone_infer *infer) {
  static const int ranks[] = {2, 1, 2, 1, 1, 1};
  const hone_shape *x = &infer->in[X]->shape, *nodes = &infer->in[NODES]->shape;
  for (int i = X; i <= WEIGHTS; i++) {
    HONE_TRY(hone_infer_rank(infer, i, ranks[i]));
    HONE_TRY(hone_infer_class(
        infer, i,
        i == ROOTS || i == NODES || i == TARGETS ? HONE_INTEGERS : HONE_FLOATS | HONE_INTEGERS));
  }
  if (nodes->rank == 2 && hone_dim_known(nodes->dim[1]) && nodes->dim[1] != HONE_TREE_FIELDS)
    return hone_infer_fail(infer, "a node has %d fields", HONE_TREE_FIELDS);
  int64_t outputs = hone_node_int(infer->node, "outputs");
  if (outputs < 1 || outputs > INT32_MAX) return hone_infer_fail(infer, "no outputs");
  hone_dim rows = x->rank == 2 ? x->dim[0] : hone_infer_fresh(infer);
  infer->out[0] = hone_tensor_type(infer->in[WEIGHTS]->dtype,
                                   hone_shape_of(2, (hone_dim[]){rows, (hone_dim)outputs}));
  return NULL;
}

typedef struct forest {
  size_t features, outputs, trees, nodes, votes;
  const int64_t *roots, *node, *target;
  const double *value, *weight;
  char aggregate; /* s a x n: sum, average, max, min */
} forest;

/* Whether every reference of the tables leads inside them. */
static bool is_sound(const forest *f) {
  for (size_t t = 0; t < f->trees; t++)
    if (f->roots[t] < 0 || (uint64_t)f->roots[t] >= f->nodes) return false;
  for (size_t v = 0; v < f->votes; v++)
    if (f->target[v] < 0 || (uint64_t)f->target[v] >= f->outputs) return false;
  for (size_t i = 0; i < f->nodes; i++) {
    const int64_t *n = f->node + i * HONE_TREE_FIELDS;
    int64_t yes = n[HONE_TREE_YES], no = n[HONE_TREE_NO];
    if (yes < 0 || no < 0) return false;
    if (n[HONE_TREE_TEST] == HONE_TREE_LEAF) {
      if (yes > no || (uint64_t)no > f->votes) return false;
    } else if ((uint64_t)yes >= f->nodes || (uint64_t)no >= f->nodes || n[HONE_TREE_FEATURE] < 0 ||
               (uint64_t)n[HONE_TREE_FEATURE] >= f->features) {
      return false;
    }
  }
  return true;
}

static bool passes(int64_t test, double x, double value) {
  switch (test) {
    case HONE_TREE_LEQ:
      return x <= value;
    case HONE_TREE_LT:
      return x < value;
    case HONE_TREE_GEQ:
      return x >= value;
    case HONE_TREE_GT:
      return x > value;
    case HONE_TREE_EQ:
      return x == value;
    default:
      return x != value;
  }
}

/* The leaf that a row falls into; NULL where the nodes lead in a circle. */
static const int64_t *leaf_of(const forest *f, size_t tree, const double *x) {
  size_t at = (size_t)f->roots[tree];
  for (size_t steps = 0; steps < f->nodes; steps++) {
    const int64_t *n = f->node + at * HONE_TREE_FIELDS;
    if (n[HONE_TREE_TEST] == HONE_TREE_LEAF) return n;
    double feature = x[n[HONE_TREE_FEATURE]];
    bool yes = passes(n[HONE_TREE_TEST], feature, f->value[at]) ||
               (n[HONE_TREE_MISSING] && isnan(feature));
    at = (size_t)n[yes ? HONE_TREE_YES : HONE_TREE_NO];
  }
  return NULL;
}

/* The trees' votes on one row; what nobody votes for is 0. */
static bool vote(const forest *f, const double *x, double *out, bool *voted) {
  for (size_t i = 0; i < f->outputs; i++) {
    out[i] = 0;
    voted[i] = false;
  }
  for (size_t t = 0; t < f->trees; t++) {
    const int64_t *leaf = leaf_of(f, t, x);
    if (!leaf) return false;
    for (int64_t v = leaf[HONE_TREE_YES]; v < leaf[HONE_TREE_NO]; v++) {
      double *y = out + f->target[v], weight = f->weight[v];
      bool first = !voted[f->target[v]];
      if (first || (f->aggregate == 'x' && weight > *y) || (f->aggregate == 'n' && weight < *y))
        *y = weight;
      else if (f->aggregate == 's' || f->aggregate == 'a')
        *y += weight;
      voted[f->target[v]] = true;
    }
  }
  for (size_t i = 0; i < f->outputs && f->aggregate == 'a'; i++) out[i] /= (double)f->trees;
  return true;
}

static char aggregate_of(const hone_node *node) {
  const char *name = hone_node_text(node, "aggregate");
  return name[0] == 'm' ? (name[1] == 'a' ? 'x' : 'n') : name[0];
}

static hone_status *ensemble_reference(hone_reference *ref) {
  hone_datum *y = ref->out[0];
  double *x, *value, *weight, *row;
  int64_t *roots, *node, *target;
  HONE_TRY(hone_operand_reals(ref, X, &x));
  HONE_TRY(hone_operand_reals(ref, VALUES, &value));
  HONE_TRY(hone_operand_reals(ref, WEIGHTS, &weight));
  HONE_TRY(hone_operand_ints(ref, ROOTS, &roots));
  HONE_TRY(hone_operand_ints(ref, NODES, &node));
  HONE_TRY(hone_operand_ints(ref, TARGETS, &target));
  forest f = {.features = (size_t)ref->in[X]->shape.dim[1],
              .outputs = (size_t)y->shape.dim[1],
              .trees = hone_datum_count(ref->in[ROOTS]),
              .nodes = hone_datum_count(ref->in[NODES]) / HONE_TREE_FIELDS,
              .votes = hone_datum_count(ref->in[WEIGHTS]),
              .roots = roots,
              .node = node,
              .target = target,
              .value = value,
              .weight = weight,
              .aggregate = aggregate_of(ref->node)};
  if (hone_datum_count(ref->in[VALUES]) != f.nodes ||
      hone_datum_count(ref->in[TARGETS]) != f.votes || !is_sound(&f))
    return hone_error(HONE_INVALID_MODEL, "the trees lead out of their tables");
  bool *voted = HONE_NEW_ARRAY(ref->scratch, f.outputs, bool);
  HONE_TRY_MEMORY(voted);
  HONE_TRY(hone_scratch_reals(ref, f.outputs, &row));
  for (size_t i = 0; i < (size_t)y->shape.dim[0]; i++) {
    if (!vote(&f, x + i * f.features, row, voted))
      return hone_error(HONE_INVALID_MODEL, "a tree leads in a circle");
    hone_store_reals(y->dtype, y->data, i * f.outputs, f.outputs, row);
  }
  return NULL;
}

const hone_op hone_op_tree_ensemble = {
    .name = "tree_ensemble",
    /* x [n, features]; roots [trees], which nodes; nodes [m, HONE_TREE_FIELDS] and values [m] as in
     * tree_ensemble.h; targets and weights [v]: the votes of the leaves. */
    .inputs = "x roots nodes values targets weights",
    .outputs = "y", /* [n, outputs] of the weights' type */
    .attrs = {{"outputs", HONE_ATTR_INT, NULL, NULL},
              {"aggregate", HONE_ATTR_CHOICE, "sum", "sum|average|max|min"}},
    .facts = HONE_REDUCES,
    .infer = ensemble_infer,
    .reference = ensemble_reference,
};
