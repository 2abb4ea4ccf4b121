/* Which nodes that an engine can take go into one together.
 *
 * Groups never wait for themselves: a node's level counts how often the way to it changes from
 * engine to native, and a group is what hangs together on one level. A node is on the last level that
 * it can be on, so that what runs beside a native node joins what comes behind it. What is the same
 * in every run is on no level: it goes with whoever uses it, so that the engine folds it. Lists stay
 * within a group. Room: import.
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
    tf_verdict *v = &c->verdicts[index];
    for (int k = 0; k < count; k++) {
      const tf_verdict *from = &c->verdicts[node->inputs[k].node];
      int level = from->level + (from->taken && !v->taken);
      if (!from->constant && level > v->level) v->level = level;
    }
  }
}

/* Who makes a list moves to the level of who takes it; whether any did. */
static bool lift_lists(hone_conversion *c) {
  bool moved = false;
  for (int i = c->body->node_count - 1; i >= 0; i--) {
    const tf_node *node = &c->body->nodes[c->order[i]];
    int level = c->verdicts[c->order[i]].level;
    for (int k = 0; k < node->input_count; k++) {
      tf_verdict *from = &c->verdicts[node->inputs[k].node];
      if (!is_list(c, node->inputs[k]) || from->constant || from->level >= level) continue;
      from->level = level;
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
    tf_verdict *v = &c->verdicts[index];
    if (v->taken && !v->constant && latest[index] != INT_MAX && latest[index] > v->level)
      v->level = latest[index];
    for (int k = 0; k < count; k++) {
      int from = c->body->nodes[index].inputs[k].node;
      int level = v->level - (c->verdicts[from].taken && !v->taken);
      if (level < latest[from]) latest[from] = level;
    }
  }
}

static void join_groups(hone_conversion *c) {
  for (int i = 0; i < c->body->node_count; i++) c->verdicts[i].group = i;
  for (int i = 0; i < c->body->node_count; i++) {
    int index = c->order[i];
    const tf_node *node = &c->body->nodes[index];
    const tf_verdict *v = &c->verdicts[index];
    if (!v->taken || v->constant) continue;
    for (int k = 0; k < node->input_count; k++) {
      const tf_verdict *from = &c->verdicts[node->inputs[k].node];
      if (!from->taken || from->constant || from->level != v->level) continue;
      int a = tf_group_of(c, index), b = tf_group_of(c, node->inputs[k].node);
      c->verdicts[a > b ? a : b].group = a > b ? b : a;
    }
  }
}

static bool refuse(tf_verdict *v) {
  if (!v->taken || v->constant) return false;
  v->taken = false;
  v->why = "a list would cross the border of its segment";
  return true;
}

/* Nodes on both sides of a list that is not within a group stay native, with `all` those of every
 * list; whether there are any. */
static bool refuse_lists(hone_conversion *c, bool all) {
  bool refused = false;
  for (int i = 0; i < c->body->node_count; i++) {
    const tf_node *node = &c->body->nodes[i];
    tf_verdict *v = &c->verdicts[i];
    for (int k = 0; k < node->input_count; k++) {
      tf_verdict *from = &c->verdicts[node->inputs[k].node];
      if (!is_list(c, node->inputs[k])) continue;
      bool within = from->taken && (from->constant || v->taken) &&
                    (from->constant || tf_group_of(c, i) == tf_group_of(c, node->inputs[k].node));
      if (within && !all) continue;
      refused |= refuse(v);
      refused |= refuse(from);
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
