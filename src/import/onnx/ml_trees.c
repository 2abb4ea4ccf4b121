/* Tree ensembles of ai.onnx.ml: their lists become the tables of op tree_ensemble. Room: import. */
#include <stdio.h>
#include <string.h>

#include "import/onnx/importer.h"
#include "import/onnx/ml.h"
#include "ops/tree_ensemble.h"

typedef struct tables {
  size_t trees, nodes, votes;
  int64_t *roots, *node, *target;
  double *value, *weight;
} tables;

static void *room(hone_call *call, size_t count, size_t element) {
  void *memory = hone_arena_array(&onnx_own(call)->importer->scratch, count + 1, element);
  if (!memory) hone_emit_fail(call, HONE_OUT_OF_MEMORY, "no memory for trees");
  return memory;
}

/* ---- Lists of attributes ---- */

/* The reals of attribute `name`, or of the tensor `name`_as_tensor, which may be f64. */
static const double *reals(hone_call *call, const char *name, size_t *count,
                           hone_dtype *dtype) {
  char other[60];
  snprintf(other, sizeof other, "%s_as_tensor", name);
  if (!hone_onnx_has(call, other)) return hone_onnx_reals(call, name, count);
  hone_value *tensor = hone_onnx_tensor(call, other);
  *count = 0;
  if (!tensor || !hone_shape_count(&tensor->type.shape, count)) return NULL;
  hone_value_fix(tensor);
  double *values = room(call, *count, sizeof *values);
  if (tensor->type.dtype == HONE_F64) *dtype = HONE_F64;
  for (size_t i = 0; values && i < *count; i++)
    values[i] = hone_load_real(tensor->type.dtype, tensor->constant, i);
  return values;
}

/* A list of one integer a node: as many as there are nodes, or none. */
static const int64_t *per_node(hone_call *call, const char *name, size_t nodes) {
  size_t count;
  const int64_t *values = hone_onnx_ints(call, name, &count);
  if (count == nodes) return values;
  if (count)
    hone_emit_fail(call, HONE_INVALID_MODEL, "%s has %zu entries, not %zu", name, count, nodes);
  return NULL;
}

static int64_t mode_of(hone_call *call, const char *name) {
  static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT",  "BRANCH_GTE",    "BRANCH_GT",
                                      "BRANCH_EQ",  "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF"};
  for (int i = 0; i < 8; i++)
    if (i != HONE_TREE_MEMBER && strcmp(name, names[i]) == 0) return i;
  hone_emit_fail(call, HONE_INVALID_MODEL, "a node of mode '%.20s'", name);
  return HONE_TREE_LEAF;
}

/* Which node a tree and a number in it name: 1 + index; 0 where there is none. */
static size_t place_of(const hone_map *map, int64_t tree, int64_t id) {
  int64_t key[2] = {tree, id};
  return (size_t)(uintptr_t)hone_map_get(map, (char *)key, sizeof key);
}

/* Child ids to indices; nodes that are nobody's child are roots. */
static hone_status *link_nodes(hone_call *call, tables *t, const hone_map *places,
                               const int64_t *trees) {
  bool *is_child = room(call, t->nodes, sizeof *is_child);
  for (size_t i = 0; is_child && i < t->nodes; i++) {
    int64_t *n = t->node + i * HONE_TREE_FIELDS;
    for (int k = HONE_TREE_YES; n[HONE_TREE_TEST] != HONE_TREE_LEAF && k <= HONE_TREE_NO; k++) {
      size_t at = place_of(places, trees[i], n[k]);
      if (!at) return hone_emit_fail(call, HONE_INVALID_MODEL, "a branch leads nowhere");
      n[k] = (int64_t)at - 1;
      is_child[at - 1] = true;
    }
  }
  for (size_t i = 0; is_child && i < t->nodes; i++)
    if (!is_child[i]) t->roots[t->trees++] = (int64_t)i;
  return NULL;
}

/* Votes in the order of their nodes; a leaf's fields say where its own are. */
static hone_status *place_votes(hone_call *call, tables *t, const hone_map *places,
                                const char *kind, hone_dtype *dtype) {
  char name[4][40];
  static const char *const suffixes[] = {"treeids", "nodeids", "ids", "weights"};
  for (int i = 0; i < 4; i++) snprintf(name[i], sizeof name[i], "%s_%s", kind, suffixes[i]);
  size_t count[4], *at, *begin;
  const int64_t *trees = hone_onnx_ints(call, name[0], &count[0]);
  const int64_t *ids = hone_onnx_ints(call, name[1], &count[1]);
  const int64_t *targets = hone_onnx_ints(call, name[2], &count[2]);
  const double *weights = reals(call, name[3], &count[3], dtype);
  for (int i = 1; i < 4; i++)
    if (count[i] != count[0])
      return hone_emit_fail(call, HONE_INVALID_MODEL, "the lists of votes differ in length");
  t->votes = count[0];
  at = room(call, t->votes, sizeof *at);
  begin = room(call, t->nodes + 1, sizeof *begin);
  t->target = room(call, t->votes, sizeof *t->target);
  t->weight = room(call, t->votes, sizeof *t->weight);
  if (call->status) return NULL;
  for (size_t v = 0; v < t->votes; v++) {
    at[v] = place_of(places, trees[v], ids[v]);
    if (!at[v]) return hone_emit_fail(call, HONE_INVALID_MODEL, "a vote of no node");
    begin[at[v]]++;
  }
  for (size_t i = 0; i < t->nodes; i++) begin[i + 1] += begin[i];
  for (size_t i = 0; i < t->nodes; i++) {
    int64_t *n = t->node + i * HONE_TREE_FIELDS;
    if (n[HONE_TREE_TEST] != HONE_TREE_LEAF) continue;
    n[HONE_TREE_YES] = (int64_t)begin[i];
    n[HONE_TREE_NO] = (int64_t)begin[i + 1];
  }
  for (size_t v = 0; v < t->votes; v++) {
    size_t to = begin[at[v] - 1]++;
    t->target[to] = targets[v];
    t->weight[to] = weights[v];
  }
  return NULL;
}

static hone_status *read_nodes(hone_call *call, tables *t, hone_map *places, const char *votes,
                               hone_dtype *dtype) {
  size_t count, values;
  const int64_t *trees = hone_onnx_ints(call, "nodes_treeids", &t->nodes);
  size_t n = t->nodes;
  const int64_t *ids = per_node(call, "nodes_nodeids", n);
  const int64_t *lists[HONE_TREE_FIELDS] = {
      [HONE_TREE_FEATURE] = per_node(call, "nodes_featureids", n),
      [HONE_TREE_YES] = per_node(call, "nodes_truenodeids", n),
      [HONE_TREE_NO] = per_node(call, "nodes_falsenodeids", n),
      [HONE_TREE_MISSING] = per_node(call, "nodes_missing_value_tracks_true", n)};
  const char *const *modes = hone_onnx_texts(call, "nodes_modes", &count);
  const double *value = reals(call, "nodes_values", &values, dtype);
  t->node = room(call, n, HONE_TREE_FIELDS * sizeof *t->node);
  t->value = room(call, n, sizeof *t->value);
  t->roots = room(call, n, sizeof *t->roots);
  if (call->status) return NULL;
  if (count != n || values != n || !ids || !lists[HONE_TREE_FEATURE] || !lists[HONE_TREE_YES] ||
      !lists[HONE_TREE_NO])
    return hone_emit_fail(call, HONE_INVALID_MODEL, "the lists of nodes differ in length");
  for (size_t i = 0; i < n; i++) {
    int64_t key[2] = {trees[i], ids[i]}, *node = t->node + i * HONE_TREE_FIELDS;
    HONE_TRY(hone_map_put(places, (char *)key, sizeof key, (void *)(uintptr_t)(i + 1)));
    for (int k = 0; k < HONE_TREE_FIELDS; k++) node[k] = lists[k] ? lists[k][i] : 0;
    node[HONE_TREE_TEST] = mode_of(call, modes[i]);
    t->value[i] = value[i];
  }
  if (!call->status) HONE_TRY(link_nodes(call, t, places, trees));
  return call->status ? NULL : place_votes(call, t, places, votes, dtype);
}

/* ---- The op ---- */

static hone_value *vector(hone_call *call, const double *values, size_t count,
                          hone_dtype dtype) {
  hone_shape shape = {.rank = 1, .dim = {(hone_dim)count}};
  return hone_emit_cast(
      call, hone_emit_const(call, HONE_F64, shape, values, count * sizeof *values), dtype);
}

static hone_value *emit_trees(hone_call *call, const tables *t, int64_t outputs,
                              const char *aggregate, hone_dtype dtype) {
  hone_shape shape = hone_shape_of(2, (hone_dim[]){(hone_dim)t->nodes, HONE_TREE_FIELDS});
  hone_value *node = hone_emit_const(call, HONE_S64, shape, t->node,
                                     t->nodes * HONE_TREE_FIELDS * sizeof *t->node);
  hone_node *made = HONE_EMIT_BEGIN(
      call, "tree_ensemble", hone_onnx_features(call, hone_onnx_need(call, 0)),
      hone_emit_ints(call, t->roots, t->trees), node, vector(call, t->value, t->nodes, dtype),
      hone_emit_ints(call, t->target, t->votes), vector(call, t->weight, t->votes, dtype));
  hone_emit_set_int(call, made, "outputs", outputs);
  hone_emit_set_text(call, made, "aggregate", aggregate);
  return hone_emit_end(call, made);
}

/* The trees of a node whose votes are in lists "<votes>_…". */
static bool read_lists(hone_call *call, const char *votes, tables *t, hone_dtype *dtype) {
  hone_map places = {0};
  hone_status *status = read_nodes(call, t, &places, votes, dtype);
  hone_map_free(&places);
  if (status && !call->status)
    call->status = status;
  else
    hone_status_free(status);
  return !call->status;
}

static hone_value *add_base(hone_call *call, hone_value *y, hone_dtype dtype) {
  size_t count;
  hone_dtype own = dtype;
  const double *base = reals(call, "base_values", &count, &own);
  return count ? HONE_EMIT(call, "add", y, vector(call, base, count, dtype)) : y;
}

static const char *aggregate_of(hone_call *call) {
  static const char *const names[][2] = {
      {"SUM", "sum"}, {"AVERAGE", "average"}, {"MIN", "min"}, {"MAX", "max"}};
  const char *given = hone_onnx_text(call, "aggregate_function", "SUM");
  for (int i = 0; i < 4; i++)
    if (strcmp(given, names[i][0]) == 0) return names[i][1];
  hone_emit_fail(call, HONE_INVALID_MODEL, "aggregate_function '%.20s'", given);
  return "sum";
}

static hone_status *import_regressor(hone_call *call) {
  tables t = {0};
  hone_dtype dtype = HONE_F32;
  if (!read_lists(call, "target", &t, &dtype)) return NULL;
  int64_t targets = hone_onnx_int_in(call, "n_targets", 1, 1, INT32_MAX);
  hone_value *y = emit_trees(call, &t, targets, aggregate_of(call), dtype);
  y = hone_onnx_post_transform(call, add_base(call, y, dtype));
  hone_onnx_return(call, 0, hone_emit_cast(call, y, HONE_F32));
  return NULL;
}

/* What two classes voted for through one score s come to: s and -s, which LOGISTIC takes one by
 * one; without it, where no weight is negative, s is the second's probability and 1 - s the
 * first's. So does ONNX Runtime; the standard leaves it open. */
static hone_status *finish_two(hone_call *call, const tables *t, hone_value *s,
                               hone_value *labels) {
  bool positive = true;
  for (size_t v = 0; v < t->votes; v++) positive = positive && t->weight[v] >= 0;
  hone_value *threshold = hone_emit_real(call, s->type.dtype, positive ? 0.5 : 0);
  hone_value *one = hone_emit_real(call, s->type.dtype, 1);
  hone_onnx_return(call, 0,
                   hone_onnx_either_label(call, HONE_EMIT(call, "greater", s, threshold), labels));
  const char *name = hone_onnx_text(call, "post_transform", "NONE");
  bool logistic = strcmp(name, "LOGISTIC") == 0;
  if (!logistic && strcmp(name, "NONE") != 0)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "%.20s of one score for two classes", name);
  hone_value *other =
      positive && !logistic ? HONE_EMIT(call, "sub", one, s) : HONE_EMIT(call, "neg", s);
  hone_node *both = HONE_EMIT_BEGIN(call, "concat", other, s);
  hone_emit_set_int(call, both, "axis", 1);
  hone_value *y = hone_emit_end(call, both);
  if (logistic) y = HONE_EMIT(call, "sigmoid", y);
  hone_onnx_return(call, 1, hone_emit_cast(call, y, HONE_F32));
  return NULL;
}

static hone_status *import_classifier(hone_call *call) {
  tables t = {0};
  hone_dtype dtype = HONE_F32;
  hone_value *labels = hone_onnx_labels(call, "classlabels_int64s", "classlabels_strings");
  if (!labels) return hone_emit_fail(call, HONE_INVALID_MODEL, "the classes have no labels");
  if (!read_lists(call, "class", &t, &dtype)) return NULL;
  int64_t classes = labels->type.shape.dim[0];
  bool single = classes == 2 && t.votes > 0;
  for (size_t v = 0; v < t.votes && single; v++) single = t.target[v] == t.target[0];
  for (size_t v = 0; v < t.votes && single; v++) t.target[v] = 0;
  hone_value *y = emit_trees(call, &t, single ? 1 : classes, "sum", dtype);
  y = add_base(call, y, dtype);
  if (single) return finish_two(call, &t, y, labels);
  hone_onnx_return(call, 0, hone_onnx_best_label(call, y, labels));
  y = hone_onnx_post_transform(call, y);
  hone_onnx_return(call, 1, hone_emit_cast(call, y, HONE_F32));
  return NULL;
}

/* ---- TreeEnsemble of ai.onnx.ml 5: leaves in lists of their own, sets of members ---- */

typedef struct ensemble5 {
  const int64_t *feature, *yes, *no, *yes_leaf, *no_leaf, *missing, *leaf_target;
  const double *split, *mode, *members, *leaf_weight;
  size_t inner, leaves, member_count;
} ensemble5;

/* A tensor attribute as reals. */
static const double *tensor_reals(hone_call *call, const char *name, size_t *count,
                                  hone_dtype *dtype) {
  hone_value *tensor = hone_onnx_tensor(call, name);
  *count = 0;
  if (!tensor || !hone_shape_count(&tensor->type.shape, count)) return NULL;
  hone_value_fix(tensor);
  double *values = room(call, *count, sizeof *values);
  if (dtype) *dtype = tensor->type.dtype;
  bool whole = hone_dtype_class_of(tensor->type.dtype) != HONE_CLASS_FLOAT;
  for (size_t i = 0; values && i < *count; i++)
    values[i] = whole ? (double)hone_load_int(tensor->type.dtype, tensor->constant, i)
                      : hone_load_real(tensor->type.dtype, tensor->constant, i);
  return values;
}

static bool read_ensemble(hone_call *call, ensemble5 *e, hone_dtype *dtype) {
  size_t splits, modes;
  (void)hone_onnx_ints(call, "nodes_featureids", &e->inner);
  e->feature = per_node(call, "nodes_featureids", e->inner);
  e->yes = per_node(call, "nodes_truenodeids", e->inner);
  e->no = per_node(call, "nodes_falsenodeids", e->inner);
  e->yes_leaf = per_node(call, "nodes_trueleafs", e->inner);
  e->no_leaf = per_node(call, "nodes_falseleafs", e->inner);
  e->missing = per_node(call, "nodes_missing_value_tracks_true", e->inner);
  e->split = tensor_reals(call, "nodes_splits", &splits, dtype);
  e->mode = tensor_reals(call, "nodes_modes", &modes, NULL);
  e->leaf_weight = tensor_reals(call, "leaf_weights", &e->leaves, NULL);
  e->leaf_target = per_node(call, "leaf_targetids", e->leaves);
  e->members = hone_onnx_has(call, "membership_values")
                   ? tensor_reals(call, "membership_values", &e->member_count, NULL)
                   : NULL;
  if (!call->status &&
      (splits != e->inner || modes != e->inner || !e->feature || !e->yes || !e->no ||
       !e->yes_leaf || !e->no_leaf || !e->leaf_target))
    hone_emit_fail(call, HONE_INVALID_MODEL, "the lists of nodes differ in length");
  return !call->status;
}

/* Node `index` as the first of a chain of tests on `count` members, further ones at `*next`. */
static void write_members(tables *t, size_t index, const double *members, size_t count,
                          size_t *next) {
  int64_t *first = t->node + index * HONE_TREE_FIELDS, *n = first;
  int64_t no = first[HONE_TREE_NO];
  n[HONE_TREE_TEST] = count ? HONE_TREE_EQ : HONE_TREE_LT; /* below NaN: never */
  t->value[index] = count ? members[0] : __builtin_nan("");
  for (size_t i = 1; i < count; i++) {
    size_t at = (*next)++;
    n[HONE_TREE_NO] = (int64_t)at;
    n = t->node + at * HONE_TREE_FIELDS;
    memcpy(n, first, HONE_TREE_FIELDS * sizeof *n);
    n[HONE_TREE_NO] = no;
    t->value[at] = members[i];
  }
}

/* Inner nodes, then leaves, then what sets of members need besides. */
static hone_status *convert_ensemble(hone_call *call, const ensemble5 *e, tables *t) {
  size_t next = e->inner + e->leaves, member = 0;
  for (size_t i = 0; i < e->inner; i++) {
    int64_t *n = t->node + i * HONE_TREE_FIELDS, inner = (int64_t)e->inner;
    n[HONE_TREE_FEATURE] = e->feature[i];
    n[HONE_TREE_TEST] = (int64_t)e->mode[i];
    n[HONE_TREE_YES] = e->yes[i] + (e->yes_leaf[i] ? inner : 0);
    n[HONE_TREE_NO] = e->no[i] + (e->no_leaf[i] ? inner : 0);
    n[HONE_TREE_MISSING] = e->missing ? e->missing[i] : 0;
    t->value[i] = e->split[i];
    if (n[HONE_TREE_TEST] < 0 || n[HONE_TREE_TEST] > HONE_TREE_MEMBER)
      return hone_emit_fail(call, HONE_INVALID_MODEL, "a node of an unknown mode");
    if (n[HONE_TREE_TEST] != HONE_TREE_MEMBER) continue;
    size_t end = member;
    while (end < e->member_count && e->members[end] == e->members[end]) end++;
    write_members(t, i, e->members ? e->members + member : NULL, end - member, &next);
    member = end + 1;
  }
  for (size_t i = 0; i < e->leaves; i++) {
    int64_t *n = t->node + (e->inner + i) * HONE_TREE_FIELDS;
    n[HONE_TREE_TEST] = HONE_TREE_LEAF;
    n[HONE_TREE_YES] = (int64_t)i;
    n[HONE_TREE_NO] = (int64_t)i + 1;
    t->target[i] = e->leaf_target[i];
    t->weight[i] = e->leaf_weight[i];
  }
  t->nodes = next;
  t->votes = e->leaves;
  return NULL;
}

static hone_status *import_ensemble(hone_call *call) {
  static const char *const aggregates[] = {"average", "sum", "min", "max"};
  static const char *const transforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
  ensemble5 e = {0};
  tables t = {0};
  hone_dtype dtype = HONE_F32;
  if (!read_ensemble(call, &e, &dtype)) return NULL;
  size_t most = e.inner + e.leaves + e.member_count;
  t.node = room(call, most, HONE_TREE_FIELDS * sizeof *t.node);
  t.value = room(call, most, sizeof *t.value);
  t.target = room(call, e.leaves, sizeof *t.target);
  t.weight = room(call, e.leaves, sizeof *t.weight);
  const int64_t *roots = hone_onnx_ints(call, "tree_roots", &t.trees);
  t.roots = room(call, t.trees, sizeof *t.roots);
  if (call->status) return NULL;
  memcpy(t.roots, roots, t.trees * sizeof *roots);
  (void)convert_ensemble(call, &e, &t);
  int64_t targets = hone_onnx_int_in(call, "n_targets", 1, 1, INT32_MAX);
  const char *how = aggregates[hone_onnx_int_in(call, "aggregate_function", 1, 0, 3)];
  hone_value *y = emit_trees(call, &t, targets, how, dtype);
  hone_onnx_return(call, 0,
                   hone_onnx_transformed(
                       call, y, transforms[hone_onnx_int_in(call, "post_transform", 0, 0, 4)]));
  return NULL;
}

const hone_onnx_row hone_onnx_ml_trees[] = {
    {HONE_ONNX_ML, "TreeEnsemble", 5, 0, .import = import_ensemble},
    {HONE_ONNX_ML, "TreeEnsembleClassifier", 1, 0, .import = import_classifier},
    {HONE_ONNX_ML, "TreeEnsembleRegressor", 1, 0, .import = import_regressor},
    {0},
};
