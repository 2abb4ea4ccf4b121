/* Which nodes that an engine can take go into one together.
 *
 * Groups never wait for themselves: a node's level counts how often the way to it changes from
 * engine to native, and a group is what hangs together on one level. A node is on the last level that
 * it can be on, so that what runs beside a native node joins what comes behind it. What is the same
 * in every run is on no level: it goes with whoever uses it, so that the engine folds it. Lists stay
 * within a group, and what stands or falls together is on one level, in one group. Room: import.
 */
#include <limits.h>

#include "import/tensorflow/conversion.h"

/* How often groups are mended before all that touches a list stays native. */
#define MENDINGS_MOST 8

int tf_group_of(const hone_conversion *c, int node) {
  while (c->verdicts[node].group != node) {
    c->verdicts[node].group = c->verdicts[c->verdicts[node].group].group;
    node = c->verdicts[node].group;
  }
  return node;
}

static bool is_list(const hone_conversion *c, tf_edge edge) {
  const tf_result *result = &c->scope.results[edge.node];
  return edge.output < result->count && result->values[edge.output].kind == TF_LIST;
}

/* What a node's level is kept in. */
static int *level_of(hone_conversion *c, int node) {
  return &c->verdicts[c->verdicts[node].whole].level;
}

/* How many of a node's inputs it waits for in the new graph: all, but that engines wait for data
 * alone. */
static int waits_for(const hone_conversion *c, int index) {
  const tf_node *node = &c->body->nodes[index];
  return node->input_count + (c->verdicts[index].taken ? 0 : node->control_count);
}

/* Levels as they must be at least; those that are there are not lowered. */
static void raise_levels(hone_conversion *c) {
  for (int i = 0; i < c->body->node_count; i++) {
    int index = c->order[i], count = waits_for(c, index);
    const tf_node *node = &c->body->nodes[index];
    const tf_verdict *v = &c->verdicts[index];
    for (int k = 0; k < count; k++) {
      const tf_verdict *from = &c->verdicts[node->inputs[k].node];
      int level = *level_of(c, node->inputs[k].node) + (from->taken && !v->taken);
      if (!from->constant && level > *level_of(c, index)) *level_of(c, index) = level;
    }
  }
}

/* Who makes a list moves to the level of who takes it; whether any did. */
static bool lift_lists(hone_conversion *c) {
  bool moved = false;
  for (int i = c->body->node_count - 1; i >= 0; i--) {
    const tf_node *node = &c->body->nodes[c->order[i]];
    int level = *level_of(c, c->order[i]);
    for (int k = 0; k < node->input_count; k++) {
      int from = node->inputs[k].node, *at = level_of(c, from);
      if (!is_list(c, node->inputs[k]) || c->verdicts[from].constant || *at >= level) continue;
      *at = level;
      moved = true;
    }
  }
  return moved;
}

/* Moves what an engine can take to the last level that whoever takes its results allows. */
static void lift_levels(hone_conversion *c) {
  int *latest = c->latest;
  for (int i = 0; i < c->body->node_count; i++) latest[i] = INT_MAX;
  for (int i = c->body->node_count - 1; i >= 0; i--) {
    int index = c->order[i], count = waits_for(c, index);
    const tf_verdict *v = &c->verdicts[index];
    int *own = level_of(c, index), late = latest[v->whole];
    if (v->taken && !v->constant && late != INT_MAX && late > *own) *own = late;
    for (int k = 0; k < count; k++) {
      const tf_verdict *from = &c->verdicts[c->body->nodes[index].inputs[k].node];
      int level = *own - (from->taken && !v->taken);
      if (level < latest[from->whole]) latest[from->whole] = level;
    }
  }
}

static void join_nodes(hone_conversion *c, int a, int b) {
  a = tf_group_of(c, a);
  b = tf_group_of(c, b);
  c->verdicts[a > b ? a : b].group = a > b ? b : a;
}

static void join_groups(hone_conversion *c) {
  for (int i = 0; i < c->body->node_count; i++) c->verdicts[i].group = i;
  for (int i = 0; i < c->body->node_count; i++) {
    int index = c->order[i];
    const tf_node *node = &c->body->nodes[index];
    const tf_verdict *v = &c->verdicts[index];
    if (!v->taken || v->constant) continue;
    join_nodes(c, index, v->whole);
    for (int k = 0; k < node->input_count; k++) {
      int from = node->inputs[k].node;
      if (c->verdicts[from].taken && !c->verdicts[from].constant &&
          *level_of(c, from) == *level_of(c, index))
        join_nodes(c, index, from);
    }
  }
}

/* A node, and all that it stands or falls with. */
static bool refuse(hone_conversion *c, int node) {
  tf_verdict *v = &c->verdicts[node];
  bool whole = tf_is_whole(c, node);
  if (!v->taken || v->constant) return false;
  for (int i = 0; i < c->body->node_count; i++) {
    tf_verdict *other = &c->verdicts[i];
    if (i != node && (!whole || other->whole != v->whole)) continue;
    other->taken = false;
    other->why = "a list would cross the border of its segment";
  }
  tf_break_whole(c, v->whole);
  return true;
}

/* Nodes on both sides of a list that is not within a group stay native, with `all` those of every
 * list; whether there are any. */
static bool refuse_lists(hone_conversion *c, bool all) {
  bool refused = false;
  for (int i = 0; i < c->body->node_count; i++) {
    const tf_node *node = &c->body->nodes[i];
    const tf_verdict *v = &c->verdicts[i];
    for (int k = 0; k < node->input_count; k++) {
      const tf_verdict *from = &c->verdicts[node->inputs[k].node];
      if (!is_list(c, node->inputs[k])) continue;
      bool within = from->taken && (from->constant || v->taken) &&
                    (from->constant || tf_group_of(c, i) == tf_group_of(c, node->inputs[k].node));
      if (within && !all) continue;
      refused |= refuse(c, i);
      refused |= refuse(c, node->inputs[k].node);
    }
  }
  return refused;
}

static void group_by_level(hone_conversion *c) {
  int lifts = 0;
  for (int i = 0; i < c->body->node_count; i++) c->verdicts[i].level = 0;
  do {
    raise_levels(c);
  } while (lift_lists(c) && ++lifts < MENDINGS_MOST);
  lift_levels(c);
  join_groups(c);
}

hone_status *tf_group_nodes(hone_conversion *c, bool like_tf_trt) {
  for (int turn = 0;; turn++) {
    if (like_tf_trt)
      HONE_TRY(tf_contract_groups(c));
    else
      group_by_level(c);
    if (!refuse_lists(c, turn >= MENDINGS_MOST)) return NULL;
  }
}
