/* Loops of the first TensorFlow: Enter, Merge, Switch, NextIteration and Exit of one frame become a
 * loop. Its body is a second walk over the same nodes, into the loop's region. Room: import. */
#include <string.h>

#include "base/text.h"
#include "import/regions.h"
#include "import/tensorflow/importer.h"

/* ---- Frames, of loops and of branches ---- */

hone_status *tf_open_frame(tf_scope *inner, const tf_frame *frame, hone_graph *region) {
  const tf_scope *outer = frame->outer;
  HONE_TRY(tf_scope_open(inner, outer->importer, outer->body, region));
  inner->arguments = outer->arguments;
  inner->caller = outer->caller;
  inner->prefix = outer->prefix;
  inner->needed = outer->needed;
  inner->frame = frame;
  return NULL;
}

static hone_status *bring_in(tf_scope *scope, tf_value value, tf_value *out) {
  const tf_frame *frame = scope->frame;
  return tf_capture(scope->importer, scope->graph, frame->first_capture, frame->offset, value, out);
}

hone_status *tf_outer_value(tf_scope *scope, tf_edge edge, tf_value *out) {
  tf_value value;
  HONE_TRY(tf_demand(scope->frame->outer, edge, &value));
  return bring_in(scope, value, out);
}

hone_status *tf_take_outside(tf_call *call) {
  tf_scope *scope = call->scope, *outer = scope->frame->outer;
  int index = (int)(call->node - scope->body->nodes);
  HONE_TRY(tf_settle(outer, index));
  for (int i = 0; i < outer->results[index].count; i++) {
    tf_value value = outer->results[index].values[i];
    if (value.kind == TF_NOTHING) continue;
    HONE_TRY(bring_in(scope, value, &value));
    tf_return(&call->base, i, value);
  }
  return NULL;
}

hone_status *tf_check_inputs(const tf_call *call, int least) {
  if (call->node->input_count >= least) return NULL;
  return hone_error(HONE_INVALID_MODEL, "it has fewer than %d inputs", least);
}

/* ---- Finding a loop ---- */

static bool is_op(const tf_node *node, const char *name, const char *reference) {
  return tf_span_is(node->op, name) || tf_span_is(node->op, reference);
}

/* The node at input `index` when it is of one of two operators, else -1. */
static int input_of(const tf_body *body, const tf_node *node, int index, const char *name,
                    const char *reference) {
  int from = index < node->input_count ? node->inputs[index].node : -1;
  return from >= 0 && is_op(&body->nodes[from], name, reference) ? from : -1;
}

/* A variable of the loop, by the nodes that make it. */
typedef struct variable {
  int merge, enter, next; /* next: NextIteration */
} variable;

typedef struct frame_loop {
  tf_looping base; /* first */
  tf_scope *scope; /* around the loop */
  hone_bytes name;
  variable *variables;
  tf_edge go_on; /* what LoopCond is given */
} frame_loop;

static hone_status *frame_name(tf_scope *scope, int enter, hone_bytes *out) {
  tf_call call = {.importer = scope->importer, .scope = scope, .node = &scope->body->nodes[enter]};
  tf_attr_value attr;
  *out = (hone_bytes){0};
  if (tf_attr(&call, "frame_name", &attr)) *out = attr.s;
  if (!call.base.status && !out->size)
    return hone_error(HONE_INVALID_MODEL, "a loop without a frame_name");
  return call.base.status;
}

/* Whether a Merge is one of the loop's; its other two nodes. */
static hone_status *read_variable(frame_loop *loop, int merge, bool *found) {
  const tf_body *body = loop->scope->body;
  const tf_node *node = &body->nodes[merge];
  hone_bytes name;
  *found = false;
  if (!is_op(node, "Merge", "RefMerge")) return NULL;
  for (int i = 0; i < 2; i++) {
    int enter = input_of(body, node, i, "Enter", "RefEnter");
    int next = input_of(body, node, 1 - i, "NextIteration", "RefNextIteration");
    if (enter < 0 || next < 0 || body->nodes[enter].input_count < 1 ||
        body->nodes[next].input_count < 1)
      continue;
    HONE_TRY(frame_name(loop->scope, enter, &name));
    *found = tf_spans_equal(name, loop->name);
    loop->variables[loop->base.count] = (variable){merge, enter, next};
    return NULL;
  }
  return NULL;
}

static hone_status *find_variables(frame_loop *loop) {
  const tf_body *body = loop->scope->body;
  loop->variables = HONE_NEW_ARRAY(&loop->scope->importer->scratch, body->node_count + 1, variable);
  HONE_TRY_MEMORY(loop->variables);
  for (int i = 0; i < body->node_count; i++) {
    bool found;
    HONE_TRY(read_variable(loop, i, &found));
    loop->base.count += found;
  }
  return NULL;
}

/* Which variable's Merge a Switch has for data; -1 when none. */
static int switched_variable(const frame_loop *loop, const tf_node *node) {
  if (!is_op(node, "Switch", "RefSwitch") || node->input_count < 2) return -1;
  for (int i = 0; i < loop->base.count; i++)
    if (node->inputs[0].node == loop->variables[i].merge) return i;
  return -1;
}

static hone_status *find_condition(frame_loop *loop, const tf_node *node) {
  const tf_body *body = loop->scope->body;
  int condition = input_of(body, node, 1, "LoopCond", "LoopCond");
  if (condition < 0 || body->nodes[condition].input_count < 1)
    return hone_error(HONE_INVALID_MODEL, "a loop without a LoopCond");
  loop->go_on = body->nodes[condition].inputs[0];
  return NULL;
}

/* ---- Turning ---- */

/* A walk inside the frame with the variables bound. */
static hone_status *open_turn(const frame_loop *loop, tf_frame *frame, hone_graph *graph,
                              const tf_value *in, tf_scope *inner) {
  const tf_body *body = loop->scope->body;
  *frame = (tf_frame){.outer = loop->scope, .name = loop->name};
  if (graph != loop->scope->graph)
    frame->first_capture = 2 + (int)hone_node_int(graph->owner, "carried");
  HONE_TRY(tf_open_frame(inner, frame, graph));
  for (int i = 0; i < loop->base.count; i++)
    HONE_TRY(tf_bind(inner, (tf_edge){loop->variables[i].merge, 0}, in[i]));
  for (int n = 0; n < body->node_count; n++) {
    int i = switched_variable(loop, &body->nodes[n]);
    for (int side = 0; i >= 0 && side < 2; side++)
      HONE_TRY(tf_bind(inner, (tf_edge){n, side}, in[i]));
  }
  return NULL;
}

static hone_status *test_frame(tf_looping *base, hone_graph *graph, const tf_value *in,
                               hone_value **go_on) {
  frame_loop *loop = (frame_loop *)base;
  hone_call *call = &base->call->base;
  hone_graph *around = call->graph;
  tf_scope inner;
  tf_frame frame;
  HONE_TRY(open_turn(loop, &frame, graph, in, &inner));
  HONE_TRY(tf_demand_tensor(&inner, loop->go_on, go_on));
  call->graph = graph;
  *go_on = tf_truth(call, *go_on);
  call->graph = around;
  return NULL;
}

static hone_status *turn_frame(tf_looping *base, hone_graph *graph, const tf_value *in,
                               tf_value *out, hone_value **go_on) {
  frame_loop *loop = (frame_loop *)base;
  tf_scope inner;
  tf_frame frame;
  HONE_TRY(open_turn(loop, &frame, graph, in, &inner));
  for (int i = 0; i < base->count; i++) {
    const tf_node *next = &loop->scope->body->nodes[loop->variables[i].next];
    HONE_TRY(tf_demand(&inner, next->inputs[0], &out[i]));
  }
  return test_frame(base, graph, out, go_on);
}

/* Whether what comes next is the variable itself. */
static bool stays(const frame_loop *loop, int i) {
  const tf_body *body = loop->scope->body;
  const tf_node *node = &body->nodes[loop->variables[i].next];
  for (int step = 0; step < 16; step++) {
    if (node->input_count < 1 || node->inputs[0].node < 0) return false;
    node = &body->nodes[node->inputs[0].node];
    if (switched_variable(loop, node) >= 0) return switched_variable(loop, node) == i;
    if (!tf_span_is(node->op, "Identity")) return false;
  }
  return false;
}

/* Converts all that enters the loop, so that it stands before the loop's node. */
static hone_status *demand_entries(const frame_loop *loop) {
  tf_scope *scope = loop->scope;
  for (int n = 0; n < scope->body->node_count; n++) {
    const tf_node *node = &scope->body->nodes[n];
    hone_bytes name;
    tf_value value;
    if (!is_op(node, "Enter", "RefEnter") || node->input_count < 1) continue;
    if (scope->needed && !scope->needed[n]) continue;
    HONE_TRY(frame_name(scope, n, &name));
    if (tf_spans_equal(name, loop->name)) HONE_TRY(tf_demand(scope, node->inputs[0], &value));
  }
  return NULL;
}

static hone_status *emit(frame_loop *loop, tf_value *out) {
  tf_scope *scope = loop->scope;
  int count = loop->base.count;
  tf_value *initial = HONE_NEW_ARRAY(&scope->importer->scratch, count + 1, tf_value);
  bool *fixed = HONE_NEW_ARRAY(&scope->importer->scratch, count + 1, bool);
  if (!initial || !fixed) return hone_error_memory();
  for (int i = 0; i < count; i++) {
    const tf_node *enter = &scope->body->nodes[loop->variables[i].enter];
    HONE_TRY(tf_demand(scope, enter->inputs[0], &initial[i]));
    fixed[i] = stays(loop, i);
  }
  HONE_TRY(demand_entries(loop));
  loop->base.initial = initial;
  loop->base.fixed = fixed;
  return tf_emit_loop(&loop->base, out);
}

/* All that leaves the loop is known now. */
static hone_status *bind_exits(const frame_loop *loop, const tf_value *out) {
  const tf_body *body = loop->scope->body;
  for (int n = 0; n < body->node_count; n++) {
    int from = is_op(&body->nodes[n], "Exit", "RefExit") && body->nodes[n].input_count
                   ? body->nodes[n].inputs[0].node
                   : -1;
    int i = from >= 0 ? switched_variable(loop, &body->nodes[from]) : -1;
    if (i >= 0 && loop->scope->results[n].state == TF_UNSEEN)
      HONE_TRY(tf_bind(loop->scope, (tf_edge){n, 0}, out[i]));
  }
  return NULL;
}

static hone_status *import_exit(hone_call *call) {
  tf_call *own = tf_call_of(call);
  tf_scope *scope = own->scope;
  const tf_body *body = scope->body;
  frame_loop loop = {.base = {.call = own, .turn = turn_frame, .test = test_frame}, .scope = scope};
  int leaving = input_of(body, own->node, 0, "Switch", "RefSwitch");
  int merge = leaving < 0 ? -1 : input_of(body, &body->nodes[leaving], 0, "Merge", "RefMerge");
  int enter = -1;
  for (int i = 0; merge >= 0 && enter < 0 && i < 2; i++)
    enter = input_of(body, &body->nodes[merge], i, "Enter", "RefEnter");
  if (enter < 0) return hone_emit_fail(call, HONE_INVALID_MODEL, "it leaves no loop");
  HONE_TRY(frame_name(scope, enter, &loop.name));
  /* A loop around this one: the walk around is the one that leaves it. */
  if (scope->frame && tf_spans_equal(scope->frame->name, loop.name))
    return hone_emit_fail(call, HONE_INVALID_MODEL, "a loop needs its own result");
  HONE_TRY(find_condition(&loop, &body->nodes[leaving]));
  HONE_TRY(find_variables(&loop));
  tf_value *out = HONE_NEW_ARRAY(&own->importer->scratch, loop.base.count + 1, tf_value);
  HONE_TRY_MEMORY(out);
  HONE_TRY(emit(&loop, out));
  if (call->status) return NULL;
  int mine = switched_variable(&loop, &body->nodes[leaving]);
  if (mine < 0) return hone_emit_fail(call, HONE_INVALID_MODEL, "it leaves no loop");
  tf_return(call, 0, out[mine]);
  return bind_exits(&loop, out);
}

/* What enters a loop and stays what it is. */
static hone_status *import_enter(hone_call *call) {
  tf_call *own = tf_call_of(call);
  tf_scope *scope = own->scope;
  hone_bytes name;
  tf_value value;
  HONE_TRY(tf_check_inputs(own, 1));
  HONE_TRY(frame_name(scope, (int)(own->node - scope->body->nodes), &name));
  if (!scope->frame)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "what a loop takes is asked for outside of it");
  if (!tf_spans_equal(scope->frame->name, name)) return tf_take_outside(own);
  HONE_TRY(tf_outer_value(scope, own->node->inputs[0], &value));
  tf_return(call, 0, value);
  return NULL;
}

const hone_tf_row hone_tf_frames[] = {
    {"Enter", .import = import_enter, .lazy = true},
    {"Exit", .import = import_exit, .lazy = true},
    {"RefEnter", .import = import_enter, .lazy = true},
    {"RefExit", .import = import_exit, .lazy = true},
    {0},
};
