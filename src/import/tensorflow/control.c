/* Control flow of functions: If, Case, While. Room: import. */
#include <string.h>

#include "import/regions.h"
#include "import/tensorflow/importer.h"

/* ---- If and Case ---- */

/* A choice among functions: by a condition between two, by an index among any number. */
typedef struct choice {
  hone_branching base; /* first */
  tf_call *call;
  const tf_body *const *bodies; /* those still to choose from */
  int count;
  hone_value *condition; /* NULL: by `index`, which is `number` for the first of the bodies */
  hone_value *index;
  int64_t number;
  const tf_value *in;
  int in_count, output_count;
  const tf_list **lists; /* by output: what a list is besides its items */
} choice;

static hone_status *choose(choice *c, hone_graph *graph, hone_value **out);

static hone_status *take_results(choice *c, const tf_value *results, hone_value **out) {
  for (int i = 0; i < c->output_count; i++) {
    if (results[i].kind != TF_TENSOR && results[i].kind != TF_LIST)
      return hone_error(HONE_UNSUPPORTED, "a branch gives a handle");
    c->lists[i] = results[i].kind == TF_LIST ? results[i].list : NULL;
    out[i] = c->lists[i] ? tf_list_items(&c->call->base, results[i]) : results[i].value;
  }
  return NULL;
}

static hone_status *call_branch(choice *c, hone_graph *graph, const tf_value *in,
                                hone_value **out) {
  tf_value *results;
  hone_graph *around = c->call->base.graph;
  HONE_TRY(tf_call_body(c->call, c->bodies[0], graph, in, c->in_count, &results));
  if (c->bodies[0]->return_count != c->output_count)
    return hone_error(HONE_INVALID_MODEL, "branches of different numbers of outputs");
  c->call->base.graph = graph;
  hone_status *status = take_results(c, results, out);
  c->call->base.graph = around;
  return status;
}

static hone_status *into_region(const choice *c, hone_graph *region, tf_value value,
                                tf_value *out) {
  *out = value;
  if (region == c->call->base.graph) return NULL;
  return tf_capture(c->call->importer, region, HONE_IF_CAPTURE, HONE_IF_OFFSET, value, out);
}

static hone_status *fill_choice(hone_branching *base, hone_graph *region, bool taken,
                                hone_value **out) {
  choice *c = (choice *)base, rest = *c;
  tf_value index = {.kind = TF_TENSOR, .value = c->index};
  tf_value *in = HONE_NEW_ARRAY(&c->call->importer->scratch, c->in_count + 1, tf_value);
  HONE_TRY_MEMORY(in);
  for (int i = 0; i < c->in_count; i++) HONE_TRY(into_region(c, region, c->in[i], &in[i]));
  if (taken) return call_branch(c, region, in, out);
  if (c->index) HONE_TRY(into_region(c, region, index, &index));
  rest.index = index.value;
  rest.bodies++;
  rest.count--;
  rest.number++;
  rest.in = in;
  return choose(&rest, region, out);
}

/* Emits the choice into `graph`. */
static hone_status *choose(choice *c, hone_graph *graph, hone_value **out) {
  if (c->count == 1) return call_branch(c, graph, c->in, out);
  hone_call *call = &c->call->base;
  hone_graph *around = call->graph;
  call->graph = graph;
  hone_value *condition = c->condition;
  if (!condition)
    condition = HONE_EMIT(call, "equal", c->index, hone_emit_int(call, c->number));
  c->base = (hone_branching){.call = call,
                             .condition = condition,
                             .output_count = c->output_count,
                             .fill = fill_choice};
  hone_status *status = hone_emit_if(&c->base, out);
  call->graph = around;
  return status;
}

static hone_status *run_choice(choice *c) {
  hone_call *call = &c->call->base;
  hone_arena *scratch = &c->call->importer->scratch;
  if (call->status) return NULL;
  c->output_count = c->bodies[0]->return_count;
  c->in = c->call->in + 1;
  c->in_count = c->call->input_count - 1;
  hone_value **out = HONE_NEW_ARRAY(scratch, c->output_count + 1, hone_value *);
  c->lists = HONE_NEW_ARRAY(scratch, c->output_count + 1, const tf_list *);
  if (!out || !c->lists) return hone_error_memory();
  HONE_TRY(choose(c, call->graph, out));
  for (int i = 0; i < c->output_count && !call->status; i++)
    tf_return(call, i, c->lists[i] ? tf_list_of(call, out[i])
                                   : (tf_value){.kind = TF_TENSOR, .value = out[i]});
  return NULL;
}

static hone_status *import_if(hone_call *call) {
  const tf_body *bodies[2];
  HONE_TRY(tf_function_attr(tf_call_of(call), "then_branch", &bodies[0]));
  HONE_TRY(tf_function_attr(tf_call_of(call), "else_branch", &bodies[1]));
  choice c = {.call = tf_call_of(call), .bodies = bodies, .count = 2};
  c.condition = tf_truth(call, hone_tf_in(call, 0));
  return run_choice(&c);
}

/* An index outside of the branches takes the last one. */
static hone_status *import_case(hone_call *call) {
  tf_call *own = tf_call_of(call);
  tf_importer *importer = own->importer;
  tf_attr_value attr;
  tf_attr_list list = {0};
  if (tf_attr(own, "branches", &attr) && attr.list.data)
    HONE_TRY(tf_read_attr_list(&importer->reader, attr.list, &list));
  if (!list.func.count)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "attribute branches has no function");
  const tf_body **bodies = HONE_NEW_ARRAY(&importer->scratch, list.func.count, const tf_body *);
  HONE_TRY_MEMORY(bodies);
  for (size_t i = 0; i < list.func.count; i++) {
    hone_bytes name;
    HONE_TRY(tf_read_bytes(&importer->reader, list.func.items[i], 1, &name));
    HONE_TRY(tf_find_function(importer, name, &bodies[i]));
    if (!bodies[i]) return hone_emit_fail(call, HONE_INVALID_MODEL, "a branch is no function");
  }
  choice c = {.call = own, .bodies = bodies, .count = (int)list.func.count};
  c.index = hone_emit_cast(call, hone_tf_in(call, 0), HONE_S64);
  return run_choice(&c);
}

/* ---- While ---- */

typedef struct while_loop {
  tf_looping base; /* first */
  const tf_body *condition, *body;
} while_loop;

static hone_status *call_condition(while_loop *w, hone_graph *graph, const tf_value *in,
                                   hone_value **go_on) {
  tf_call *call = w->base.call;
  tf_value *out;
  hone_graph *around = call->base.graph;
  HONE_TRY(tf_call_body(call, w->condition, graph, in, w->base.count, &out));
  if (w->condition->return_count < 1 || out[0].kind != TF_TENSOR)
    return hone_error(HONE_INVALID_MODEL, "a condition that gives no tensor");
  call->base.graph = graph;
  *go_on = tf_truth(&call->base, out[0].value);
  call->base.graph = around;
  return NULL;
}

static hone_status *test_while(tf_looping *base, hone_graph *graph, const tf_value *in,
                               hone_value **go_on) {
  return call_condition((while_loop *)base, graph, in, go_on);
}

static hone_status *turn_while(tf_looping *base, hone_graph *graph, const tf_value *in,
                               tf_value *out, hone_value **go_on) {
  while_loop *w = (while_loop *)base;
  tf_value *results;
  HONE_TRY(tf_call_body(base->call, w->body, graph, in, base->count, &results));
  memcpy(out, results, (size_t)base->count * sizeof *out);
  return call_condition(w, graph, out, go_on);
}

/* Whether the body gives argument `index` back as it is. */
static bool stays(const tf_body *body, int index) {
  tf_edge edge = body->returns[index];
  for (int step = 0; step < 16 && edge.node >= 0; step++) {
    const tf_node *node = &body->nodes[edge.node];
    if (!tf_span_is(node->op, "Identity") || node->input_count < 1) return false;
    edge = node->inputs[0];
  }
  return edge.node == -1 - index;
}

static hone_status *import_while(hone_call *base) {
  tf_call *call = tf_call_of(base);
  while_loop w = {.base = {.call = call,
                           .count = call->input_count,
                           .initial = call->in,
                           .turn = turn_while,
                           .test = test_while}};
  HONE_TRY(tf_function_attr(call, "cond", &w.condition));
  HONE_TRY(tf_function_attr(call, "body", &w.body));
  if (w.body->return_count != call->input_count || w.body->argument_count != call->input_count)
    return hone_emit_fail(base, HONE_INVALID_MODEL, "a body that does not fit its variables");
  bool *fixed = HONE_NEW_ARRAY(&call->importer->scratch, call->input_count + 1, bool);
  tf_value *out = HONE_NEW_ARRAY(&call->importer->scratch, call->input_count + 1, tf_value);
  if (!fixed || !out) return hone_error_memory();
  for (int i = 0; i < call->input_count; i++) fixed[i] = stays(w.body, i);
  w.base.fixed = fixed;
  HONE_TRY(tf_emit_loop(&w.base, out));
  for (int i = 0; i < call->input_count; i++) tf_return(base, i, out[i]);
  return NULL;
}

const hone_tf_row hone_tf_control[] = {
    {"Case", .import = import_case},
    {"If", .import = import_if},
    {"StatelessCase", .import = import_case},
    {"StatelessIf", .import = import_if},
    {"StatelessWhile", .import = import_while},
    {"While", .import = import_while},
    {0},
};
