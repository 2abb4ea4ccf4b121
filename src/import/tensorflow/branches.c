/* Conditionals of the first TensorFlow: what Switches lead apart and a Merge brings together becomes
 * an `if`. A branch is a second walk over the same nodes, into the region. Room: import. */
#include <string.h>

#include "import/regions.h"
#include "import/tensorflow/importer.h"

static bool is_switch(const tf_node *node) {
  return (tf_span_is(node->op, "Switch") || tf_span_is(node->op, "RefSwitch") ||
          tf_span_is(node->op, "_SwitchN")) &&
         node->input_count >= 2;
}
static bool is_merge(const tf_node *node) {
  return tf_span_is(node->op, "Merge") || tf_span_is(node->op, "RefMerge");
}

/* A condition goes through identities to where it is used. */
static tf_edge condition_of(const tf_body *body, const tf_node *node) {
  tf_edge edge = node->inputs[1];
  for (int step = 0; step < 16 && edge.node >= 0; step++) {
    const tf_node *from = &body->nodes[edge.node];
    if (!tf_span_is(from->op, "Identity") || from->input_count < 1) break;
    edge = from->inputs[0];
  }
  return edge;
}

/* Inside a branch: the value that was switched into it. */
static hone_status *import_switch(hone_call *call) {
  tf_call *own = tf_call_of(call);
  const tf_frame *frame = own->scope->frame;
  tf_value value;
  HONE_TRY(tf_check_inputs(own, 2));
  if (!frame)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "a branch's value is taken where no Merge is");
  if (frame->name.size ||
      !tf_edges_equal(frame->condition, condition_of(own->scope->body, own->node)))
    return tf_take_outside(own);
  HONE_TRY(tf_outer_value(own->scope, own->node->inputs[0], &value));
  tf_return(call, frame->side, value);
  return NULL;
}

/* ---- Which condition a Merge belongs to ---- */

#define CONDITIONS_MOST 64

/* Which outputs of the Switches of a condition lead to some place: bit k for output k. */
typedef struct sides {
  tf_edge condition;
  uint64_t mask;
} sides;

typedef struct upstream {
  sides found[CONDITIONS_MOST];
  int count;
} upstream;

static void note_side(upstream *up, tf_edge condition, int side) {
  int i = 0;
  while (i < up->count && !tf_edges_equal(up->found[i].condition, condition)) i++;
  if (i == CONDITIONS_MOST || side >= 64) return;
  if (i == up->count) up->found[up->count++] = (sides){condition, 0};
  up->found[i].mask |= (uint64_t)1 << side;
}

static uint64_t sides_of(const upstream *up, tf_edge condition) {
  for (int i = 0; i < up->count; i++)
    if (tf_edges_equal(up->found[i].condition, condition)) return up->found[i].mask;
  return 0;
}

/* What comes round a loop, or into it, is not of this branch. */
static bool ends_upstream(const tf_node *node) {
  static const char *const names[] = {"NextIteration", "RefNextIteration", "Enter", "RefEnter"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (tf_span_is(node->op, names[i])) return true;
  return false;
}

/* All Switches upstream of an edge. A constant of a branch hangs on it by control alone. */
static hone_status *look_upstream(tf_importer *importer, const tf_body *body, tf_edge from,
                                  upstream *up) {
  bool *seen = HONE_NEW_ARRAY(&importer->scratch, body->node_count + 1, bool);
  int *stack = HONE_NEW_ARRAY(&importer->scratch, body->node_count + 1, int);
  if (!seen || !stack) return hone_error_memory();
  tf_node start = {.inputs = &from, .input_count = 1};
  const tf_node *node = &start;
  int depth = 0;
  up->count = 0;
  for (;;) {
    for (int i = 0; i < node->input_count + node->control_count; i++) {
      tf_edge in = node->inputs[i];
      if (in.node < 0) continue;
      if (is_switch(&body->nodes[in.node]))
        note_side(up, condition_of(body, &body->nodes[in.node]), in.output);
      if (seen[in.node] || ends_upstream(&body->nodes[in.node])) continue;
      seen[in.node] = true;
      stack[depth++] = in.node;
    }
    if (!depth) return NULL;
    node = &body->nodes[stack[--depth]];
    HONE_TRY(tf_check_limits(importer));
  }
}

#define BRANCHES_MOST 16

/* What a Merge brings together: for each side the input that comes from it. */
typedef struct meeting {
  tf_edge condition;
  int input[BRANCHES_MOST]; /* by side */
  int sides;
} meeting;

/* Whether the inputs of a Merge come from one side each of `condition`. One that comes from nowhere
 * is the side that is left over. */
static bool meet(const upstream *up, int inputs, tf_edge condition, meeting *out) {
  int lost = -1;
  *out = (meeting){.condition = condition, .sides = inputs};
  for (int k = 0; k < inputs; k++) out->input[k] = -1;
  for (int i = 0; i < inputs; i++) {
    uint64_t mask = sides_of(&up[i], condition);
    if (!mask && lost >= 0) return false;
    if (!mask) lost = i;
    if (!mask) continue;
    int side = __builtin_ctzll(mask);
    if ((mask & (mask - 1)) || side >= inputs || out->input[side] >= 0) return false;
    out->input[side] = i;
  }
  for (int k = 0; lost >= 0 && k < inputs; k++)
    if (out->input[k] < 0) out->input[k] = lost;
  return true;
}

static hone_status *find_meeting(tf_importer *importer, const tf_body *body, const tf_node *node,
                                 meeting *out) {
  int inputs = node->input_count;
  if (inputs < 2 || inputs > BRANCHES_MOST)
    return hone_error(HONE_UNSUPPORTED, "a Merge of %d branches", inputs);
  upstream *up = HONE_NEW_ARRAY(&importer->scratch, inputs, upstream);
  HONE_TRY_MEMORY(up);
  for (int i = 0; i < inputs; i++)
    HONE_TRY(look_upstream(importer, body, node->inputs[i], &up[i]));
  /* The innermost condition is found first: the walk upstream meets it before others. */
  for (int i = 0; i < inputs; i++)
    for (int c = 0; c < up[i].count; c++)
      if (meet(up, inputs, up[i].found[c].condition, out)) return NULL;
  return hone_error(HONE_UNSUPPORTED, "no Switch leads apart what it brings together");
}

/* ---- Emitting ---- */

/* Merges of one condition, which become one `if`; by an index among several sides it is one inside
 * the other. */
typedef struct merging {
  hone_branching base; /* first */
  tf_call *call;
  tf_scope *scope; /* that the sides are walked from */
  const tf_node **merges;
  meeting *meetings; /* by merge */
  int count;
  int side;          /* the first of those still to choose from */
  hone_value *index; /* NULL: a condition */
} merging;

static hone_status *choose(merging *m, tf_scope *scope, hone_value **out);

static hone_status *walk_side(merging *m, tf_scope *scope, hone_value **out) {
  for (int i = 0; i < m->count; i++) {
    tf_value value;
    hone_call *call = &m->call->base;
    hone_graph *around = call->graph;
    HONE_TRY(tf_demand(scope, m->merges[i]->inputs[m->meetings[i].input[m->side]], &value));
    if (value.kind != TF_TENSOR && value.kind != TF_LIST)
      return hone_error(HONE_UNSUPPORTED, "a branch gives a handle");
    call->graph = scope->graph;
    out[i] = value.kind == TF_LIST ? tf_list_items(call, value) : value.value;
    call->graph = around;
  }
  return NULL;
}

static hone_status *fill_side(hone_branching *base, hone_graph *region, bool taken,
                              hone_value **out) {
  merging *m = (merging *)base, rest = *m;
  /* A condition's Switch has the taken side second. */
  if (!m->index) rest.side = taken ? 1 : 0;
  tf_frame frame = {.outer = m->scope,
                    .condition = m->meetings[0].condition,
                    .side = rest.side,
                    .first_capture = HONE_IF_CAPTURE,
                    .offset = HONE_IF_OFFSET};
  tf_scope inner;
  HONE_TRY(tf_open_frame(&inner, &frame, region));
  if (!m->index || taken) return walk_side(&rest, &inner, out);
  tf_value index;
  frame.side = -1;
  HONE_TRY(tf_outer_value(&inner, m->meetings[0].condition, &index));
  rest.scope = &inner;
  rest.side++;
  rest.index = index.value;
  return choose(&rest, &inner, out);
}

static hone_status *choose(merging *m, tf_scope *scope, hone_value **out) {
  hone_call *call = &m->call->base;
  hone_graph *around = call->graph;
  hone_value *condition;
  call->graph = scope->graph;
  if (m->index) {
    bool last = m->side == m->meetings[0].sides - 1;
    condition = last ? hone_emit_real(call, HONE_BOOL, 1)
                     : HONE_EMIT(call, "equal", m->index,
                                 hone_emit_real(call, m->index->type.dtype, m->side));
  } else {
    HONE_TRY(tf_demand_tensor(scope, m->meetings[0].condition, &condition));
    condition = tf_truth(call, condition);
  }
  m->base = (hone_branching){
      .call = call, .condition = condition, .output_count = m->count, .fill = fill_side};
  hone_status *status = call->status ? NULL : hone_emit_if(&m->base, out);
  call->graph = around;
  return status;
}

/* The Merges that are wanted and belong to the same condition, the call's own first. */
static hone_status *gather_merges(merging *m) {
  tf_scope *scope = m->scope;
  const tf_body *body = scope->body;
  tf_importer *importer = scope->importer;
  m->merges = HONE_NEW_ARRAY(&importer->scratch, body->node_count + 1, const tf_node *);
  m->meetings = HONE_NEW_ARRAY(&importer->scratch, body->node_count + 1, meeting);
  if (!m->merges || !m->meetings) return hone_error_memory();
  m->merges[m->count] = m->call->node;
  HONE_TRY(find_meeting(importer, body, m->call->node, &m->meetings[m->count++]));
  for (int n = 0; scope->needed && n < body->node_count; n++) {
    const tf_node *node = &body->nodes[n];
    meeting *met = &m->meetings[m->count];
    if (!scope->needed[n] || !is_merge(node) || scope->results[n].state != TF_UNSEEN) continue;
    hone_status *status = find_meeting(importer, body, node, met);
    bool other = status || !tf_edges_equal(met->condition, m->meetings[0].condition);
    if (status && hone_status_code(status) != HONE_UNSUPPORTED) return status;
    hone_status_free(status);
    if (!other) m->merges[m->count++] = node;
  }
  return NULL;
}

static hone_status *import_merge(hone_call *call) {
  tf_call *own = tf_call_of(call);
  tf_scope *scope = own->scope;
  merging m = {.call = own, .scope = scope};
  HONE_TRY(gather_merges(&m));
  if (m.meetings[0].sides > 2)
    HONE_TRY(tf_demand_tensor(scope, m.meetings[0].condition, &m.index));
  hone_value **out = HONE_NEW_ARRAY(&own->importer->scratch, m.count + 1, hone_value *);
  HONE_TRY_MEMORY(out);
  HONE_TRY(choose(&m, scope, out));
  if (call->status) return NULL;
  hone_tf_return(call, 0, out[0]);
  for (int i = 1; i < m.count; i++)
    HONE_TRY(tf_bind(scope, (tf_edge){(int)(m.merges[i] - scope->body->nodes), 0},
                     (tf_value){.kind = TF_TENSOR, .value = out[i]}));
  return NULL;
}

const hone_tf_row hone_tf_branches[] = {
    {"Merge", .import = import_merge, .outputs = "output value_index", .lazy = true},
    {"RefMerge", .import = import_merge, .outputs = "output value_index", .lazy = true},
    {"RefSwitch", .import = import_switch, .outputs = "output_false output_true", .lazy = true},
    {"Switch", .import = import_switch, .outputs = "output_false output_true", .lazy = true},
    {"_SwitchN", .import = import_switch, .lazy = true},
    {0},
};
