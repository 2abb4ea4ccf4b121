/* Groups as TF-TRT made them, for graphs and scripts that count its engines: nodes are visited from the
 * results backwards, and each draws in those that take its outputs, again and again, wherever the two
 * can become one without waiting for themselves. Constants are nodes like others. Nodes that are
 * marked with different largest batches stay apart. Source: the segmenter of TensorFlow 2.17
 * (tf2tensorrt/segment), its rule; room: import.
 */
#include "import/tensorflow/conversion.h"

typedef struct contraction {
  hone_conversion *c;
  int *next;     /* by node: the next of its group, which is a ring */
  int *seen;     /* by group: the search that met it last */
  int *stack;
  int *users, *first; /* who takes a node's results: users[first[node]] and on */
  int64_t *batch; /* by group: the largest batch that its nodes are marked with; 0: none is */
  int search;
} contraction;

/* Inputs and what only has to run before, without ways back of loops. */
static int input_at(const contraction *t, int node, int index) {
  const tf_node *at = &t->c->body->nodes[node];
  int from = at->inputs[index].node;
  bool back = tf_span_is(at->op, "Merge") &&
              tf_span_is(t->c->body->nodes[from].op, "NextIteration");
  return back ? -1 : from;
}

static int input_count(const contraction *t, int node) {
  return t->c->body->nodes[node].input_count + t->c->body->nodes[node].control_count;
}

/* ---- Asking ---- */

static void push(contraction *t, int *depth, int group) {
  if (t->seen[group] == t->search) return;
  t->seen[group] = t->search;
  t->stack[(*depth)++] = group;
}

/* Puts the groups that `group` waits for on the stack. */
static void push_inputs(contraction *t, int *depth, int group, int but) {
  int node = group;
  do {
    for (int k = 0; k < input_count(t, node); k++) {
      int from = input_at(t, node, k);
      int of = from < 0 ? group : tf_group_of(t->c, from);
      if (of != group && of != but) push(t, depth, of);
    }
    node = t->next[node];
  } while (node != group);
}

/* Whether there is a way from one group to another that leads through a third. */
static bool leads_around(contraction *t, int from, int to) {
  int depth = 0;
  t->search++;
  push_inputs(t, &depth, to, from);
  while (depth) {
    int group = t->stack[--depth];
    if (group == from) return true;
    push_inputs(t, &depth, group, -1);
  }
  return false;
}

static bool may_join(contraction *t, int from, int to) {
  const tf_verdict *v = &t->c->verdicts[to];
  bool apart = t->batch[from] && t->batch[to] && t->batch[from] != t->batch[to];
  return v->taken && !apart && !leads_around(t, from, to);
}

/* ---- Joining ---- */

static void join(contraction *t, int a, int b) {
  int root = a < b ? a : b, other = a < b ? b : a, after = t->next[root];
  t->c->verdicts[other].group = root;
  t->next[root] = t->next[other];
  t->next[other] = after;
  if (!t->batch[root]) t->batch[root] = t->batch[other];
}

/* Draws one node's user into its group; whether there was any. */
static bool draw_in(contraction *t, int node) {
  int member = tf_group_of(t->c, node), group = member;
  do {
    for (int k = t->first[member]; k < t->first[member + 1]; k++) {
      int user = tf_group_of(t->c, t->users[k]);
      if (user == group || !may_join(t, group, user)) continue;
      join(t, group, user);
      return true;
    }
    member = t->next[member];
  } while (member != group);
  return false;
}

/* ---- Beginning ---- */

static hone_status *list_users(contraction *t) {
  const tf_body *body = t->c->body;
  size_t edges = 0;
  for (int i = 0; i < body->node_count; i++) edges += (size_t)body->nodes[i].input_count;
  t->users = HONE_NEW_ARRAY(&t->c->importer.scratch, edges + 1, int);
  t->first = HONE_NEW_ARRAY(&t->c->importer.scratch, body->node_count + 2, int);
  if (!t->users || !t->first) return hone_error_memory();
  for (int i = 0; i < body->node_count; i++)
    for (int k = 0; k < body->nodes[i].input_count; k++) t->first[body->nodes[i].inputs[k].node + 1]++;
  for (int i = 0; i < body->node_count; i++) t->first[i + 1] += t->first[i];
  for (int i = body->node_count - 1; i >= 0; i--)
    for (int k = body->nodes[i].input_count - 1; k >= 0; k--) {
      int from = body->nodes[i].inputs[k].node;
      t->users[--t->first[from + 1]] = i;
    }
  /* Each start was moved to the one before it: move them back. */
  for (int i = 0; i < body->node_count; i++) t->first[i] = t->first[i + 1];
  t->first[body->node_count] = (int)edges;
  return NULL;
}

static hone_status *read_marks(contraction *t) {
  for (int i = 0; i < t->c->body->node_count; i++) {
    tf_call call = {
        .importer = &t->c->importer, .scope = &t->c->scope, .node = &t->c->body->nodes[i]};
    tf_attr_value value;
    if (tf_attr(&call, "_tftrt_op_max_batch_size", &value))
      t->batch[i] = (int64_t)hone_proto_varint(value.i);
    HONE_TRY(call.base.status);
  }
  return NULL;
}

hone_status *tf_contract_groups(hone_conversion *c) {
  contraction t = {.c = c};
  hone_arena *scratch = &c->importer.scratch;
  size_t count = (size_t)c->body->node_count + 1;
  t.next = HONE_NEW_ARRAY(scratch, count, int);
  t.seen = HONE_NEW_ARRAY(scratch, count, int);
  t.stack = HONE_NEW_ARRAY(scratch, count, int);
  t.batch = HONE_NEW_ARRAY(scratch, count, int64_t);
  if (!t.next || !t.seen || !t.stack || !t.batch) return hone_error_memory();
  HONE_TRY(list_users(&t));
  HONE_TRY(read_marks(&t));
  for (int i = 0; i < c->body->node_count; i++) c->verdicts[i].group = t.next[i] = i;
  for (int i = c->body->node_count - 1; i >= 0; i--) {
    int node = c->order[i];
    while (c->verdicts[node].taken && draw_in(&t, node)) continue;
  }
  return NULL;
}
