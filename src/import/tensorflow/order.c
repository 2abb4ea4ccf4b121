/* The order that a graph's nodes are tried in, and which of them stand or fall together: a loop or a
 * conditional of the first TensorFlow, from Enter to Exit or from Switch to Merge. Room: import. */
#include <string.h>

#include "import/tensorflow/conversion.h"

static bool is_one_of(const tf_node *node, const char *name, const char *reference) {
  return tf_span_is(node->op, name) || tf_span_is(node->op, reference);
}

/* The way back of a loop of the first TensorFlow. */
static bool leads_back(const tf_body *body, const tf_node *node, int from) {
  return is_one_of(node, "Merge", "RefMerge") &&
         is_one_of(&body->nodes[from], "NextIteration", "RefNextIteration");
}

/* ---- Walking ---- */

/* Wholes are visited like nodes; a node by itself is a whole of one. */
typedef struct walk {
  hone_conversion *c;
  int *next;   /* by node: its input to look at */
  int *member; /* by whole: the node to look at */
  int *stack;
  unsigned char *state; /* by whole: a tf_state */
  int done;
} walk;

static hone_status *open_walk(hone_conversion *c, walk *w) {
  hone_arena *scratch = &c->importer.scratch;
  size_t count = (size_t)c->body->node_count + 1;
  *w = (walk){.c = c};
  w->next = HONE_NEW_ARRAY(scratch, count, int);
  w->member = HONE_NEW_ARRAY(scratch, count, int);
  w->stack = HONE_NEW_ARRAY(scratch, count, int);
  w->state = HONE_NEW_ARRAY(scratch, count, unsigned char);
  return w->next && w->member && w->stack && w->state ? NULL : hone_error_memory();
}

/* The next whole that this one waits for; -1: there is none left. */
static int next_awaited(walk *w, int whole) {
  const tf_body *body = w->c->body;
  const tf_verdict *verdicts = w->c->verdicts;
  for (;;) {
    int member = w->member[whole];
    const tf_node *node = &body->nodes[member];
    while (w->next[member] < node->input_count + node->control_count) {
      int from = node->inputs[w->next[member]++].node;
      if (from < 0 || leads_back(body, node, from) || verdicts[from].whole == whole) continue;
      return verdicts[from].whole;
    }
    if (verdicts[member].after == whole) return -1;
    w->member[whole] = verdicts[member].after;
  }
}

static void finish(walk *w, int whole) {
  int member = whole;
  w->state[whole] = TF_DONE;
  do {
    w->c->order[w->done++] = member;
    member = w->c->verdicts[member].after;
  } while (member != whole);
}

/* Wholes after all that they wait for; *cyclic: they wait for each other. */
static hone_status *walk_all(hone_conversion *c, bool *cyclic) {
  walk w;
  HONE_TRY(open_walk(c, &w));
  *cyclic = false;
  for (int i = 0; i < c->body->node_count; i++) w.member[i] = i;
  for (int i = 0; i < c->body->node_count; i++) {
    int depth = 0, root = c->verdicts[i].whole;
    if (w.state[root]) continue;
    w.state[root] = TF_OPEN;
    w.stack[depth++] = root;
    while (depth) {
      int from = next_awaited(&w, w.stack[depth - 1]);
      if (from < 0) {
        finish(&w, w.stack[--depth]);
      } else if (w.state[from] == TF_OPEN) {
        *cyclic = true;
        return NULL;
      } else if (!w.state[from]) {
        w.state[from] = TF_OPEN;
        w.stack[depth++] = from;
      }
    }
  }
  return NULL;
}

/* ---- Wholes ---- */

void tf_break_whole(hone_conversion *c, int whole) {
  int member = whole;
  do {
    tf_verdict *v = &c->verdicts[member];
    int after = v->after;
    v->whole = v->after = member;
    v->leaves = false;
    member = after;
  } while (member != whole);
}

/* What is known of the regions around nodes. */
typedef struct regions {
  hone_conversion *c;
  int *inside;  /* by node: how many regions it is part of, those that it begins or ends included */
  int *outside; /* the same for what comes behind it */
  int *parent;  /* by node: union-find */
} regions;

static bool is_loop_switch(const tf_body *body, const tf_node *node) {
  int from = node->input_count > 1 ? node->inputs[1].node : -1;
  return from >= 0 && tf_span_is(body->nodes[from].op, "LoopCond");
}

static bool is_loop_merge(const tf_body *body, const tf_node *node) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i].node >= 0 && leads_back(body, node, node->inputs[i].node)) return true;
  return false;
}

static bool begins(const tf_body *body, const tf_node *node) {
  return is_one_of(node, "Enter", "RefEnter") ||
         ((is_one_of(node, "Switch", "RefSwitch") || tf_span_is(node->op, "_SwitchN")) &&
          !is_loop_switch(body, node));
}

static bool ends(const tf_body *body, const tf_node *node) {
  return is_one_of(node, "Exit", "RefExit") ||
         (is_one_of(node, "Merge", "RefMerge") && !is_loop_merge(body, node));
}

/* A constant of a region hangs on it by control alone. */
static void find_depths(regions *r) {
  const tf_body *body = r->c->body;
  for (int i = 0; i < body->node_count; i++) {
    int index = r->c->order[i], most = 0;
    const tf_node *node = &body->nodes[index];
    for (int k = 0; k < node->input_count + node->control_count; k++) {
      int from = node->inputs[k].node;
      if (from >= 0 && !leads_back(body, node, from) && r->outside[from] > most)
        most = r->outside[from];
    }
    r->inside[index] = most + begins(body, node);
    r->outside[index] = r->inside[index] - (r->inside[index] > 0 && ends(body, node));
  }
}

static int root_of(regions *r, int node) {
  while (r->parent[node] != node) node = r->parent[node] = r->parent[r->parent[node]];
  return node;
}

static void join(regions *r, int a, int b) { r->parent[root_of(r, a)] = root_of(r, b); }

/* All that enters one loop belongs together, whether or not it meets there. */
static hone_status *join_frames(regions *r) {
  hone_conversion *c = r->c;
  hone_map frames = {0};
  hone_status *status = NULL;
  for (int i = 0; !status && i < c->body->node_count; i++) {
    tf_call call = {.importer = &c->importer, .scope = &c->scope, .node = &c->body->nodes[i]};
    tf_attr_value name;
    if (!is_one_of(call.node, "Enter", "RefEnter") || !tf_attr(&call, "frame_name", &name)) {
      status = call.base.status;
      continue;
    }
    const tf_node *first = name.s.size ? hone_map_get(&frames, name.s.data, name.s.size) : NULL;
    if (first)
      join(r, i, (int)(first - c->body->nodes));
    else if (name.s.size)
      status = hone_map_put(&frames, name.s.data, name.s.size, (void *)(uintptr_t)call.node);
  }
  hone_map_free(&frames);
  return status;
}

static void join_edges(regions *r) {
  const tf_body *body = r->c->body;
  for (int i = 0; i < body->node_count; i++) {
    const tf_node *node = &body->nodes[i];
    for (int k = 0; r->inside[i] && k < node->input_count + node->control_count; k++)
      if (node->inputs[k].node >= 0 && r->outside[node->inputs[k].node])
        join(r, i, node->inputs[k].node);
  }
}

/* The members of each whole as a ring, in order, the first being what the whole is known by. */
static hone_status *link_wholes(regions *r) {
  hone_conversion *c = r->c;
  int *first = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, int);
  int *last = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, int);
  if (!first || !last) return hone_error_memory();
  for (int i = 0; i < c->body->node_count; i++) {
    int index = c->order[i], root = root_of(r, index);
    tf_verdict *v = &c->verdicts[index];
    if (!r->inside[index]) continue;
    if (!first[root]) first[root] = last[root] = 1 + index;
    v->whole = first[root] - 1;
    v->leaves = !r->outside[index];
    c->verdicts[last[root] - 1].after = index;
    v->after = v->whole;
    last[root] = 1 + index;
  }
  return NULL;
}

/* Nothing may leave a whole but the first result of its Exits and Merges. */
static void break_leaking(hone_conversion *c) {
  for (int i = 0; i < c->body->node_count; i++) {
    const tf_node *node = &c->body->nodes[i];
    for (int k = 0; k < node->input_count + node->control_count; k++) {
      tf_edge edge = node->inputs[k];
      if (edge.node < 0 || !tf_is_whole(c, edge.node)) continue;
      const tf_verdict *from = &c->verdicts[edge.node];
      if (from->whole != c->verdicts[i].whole && (!from->leaves || edge.output))
        tf_break_whole(c, from->whole);
    }
  }
}

static hone_status *find_wholes(hone_conversion *c) {
  regions r = {.c = c};
  size_t count = (size_t)c->body->node_count + 1;
  r.inside = HONE_NEW_ARRAY(&c->importer.scratch, count, int);
  r.outside = HONE_NEW_ARRAY(&c->importer.scratch, count, int);
  r.parent = HONE_NEW_ARRAY(&c->importer.scratch, count, int);
  if (!r.inside || !r.outside || !r.parent) return hone_error_memory();
  for (int i = 0; i < c->body->node_count; i++) r.parent[i] = i;
  find_depths(&r);
  join_edges(&r);
  HONE_TRY(join_frames(&r));
  HONE_TRY(link_wholes(&r));
  break_leaking(c);
  return NULL;
}

hone_status *tf_find_order(hone_conversion *c, bool wholes) {
  bool cyclic;
  c->order = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, int);
  HONE_TRY_MEMORY(c->order);
  for (int i = 0; i < c->body->node_count; i++) c->verdicts[i].whole = c->verdicts[i].after = i;
  HONE_TRY(walk_all(c, &cyclic));
  if (cyclic) return hone_error(HONE_INVALID_MODEL, "its nodes wait for each other");
  if (!wholes) return NULL;
  HONE_TRY(find_wholes(c));
  HONE_TRY(walk_all(c, &cyclic));
  if (!cyclic) return NULL;
  for (int i = 0; i < c->body->node_count; i++) tf_break_whole(c, c->verdicts[i].whole);
  return walk_all(c, &cyclic);
}
