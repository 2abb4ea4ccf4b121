/* Converting the nodes that a wanted edge needs, those they need first. Room: import. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"

hone_status *tf_scope_open(tf_scope *scope, tf_importer *importer, const tf_body *body,
                           hone_graph *graph) {
  *scope = (tf_scope){.importer = importer, .body = body, .graph = graph, .prefix = ""};
  scope->results = HONE_NEW_ARRAY(&importer->scratch, body->node_count + 1, tf_result);
  return scope->results ? NULL : hone_error_memory();
}

const char *tf_node_label(const tf_scope *scope, const tf_node *node) {
  char own[300], text[600];
  snprintf(text, sizeof text, "%s%s", scope->prefix,
           hone_quoted(own, sizeof own, node->name.data, node->name.size));
  return hone_arena_text(&scope->importer->scratch, text, strlen(text));
}

hone_status *tf_bind(tf_scope *scope, tf_edge edge, tf_value value) {
  tf_result *result = &scope->results[edge.node];
  if (edge.output >= result->count) {
    tf_value *values =
        HONE_NEW_ARRAY(&scope->importer->scratch, edge.output + 1, tf_value);
    HONE_TRY_MEMORY(values);
    if (result->count) memcpy(values, result->values, (size_t)result->count * sizeof *values);
    result->values = values;
    result->count = edge.output + 1;
  }
  result->values[edge.output] = value;
  result->state = TF_DONE;
  return NULL;
}

/* What an edge carries, its node done. A frame's arguments are those of the function around. */
static hone_status *look(tf_scope *scope, tf_edge edge, tf_value *out) {
  char shown[80];
  if (edge.node < 0 && scope->frame) return tf_outer_value(scope, edge, out);
  if (edge.node < 0) {
    *out = scope->arguments[-1 - edge.node];
    return NULL;
  }
  const tf_result *result = &scope->results[edge.node];
  hone_bytes name = scope->body->nodes[edge.node].name;
  if (edge.output >= result->count || result->values[edge.output].kind == TF_NOTHING)
    return hone_error(HONE_UNSUPPORTED, "output %d of node '%s' is not given here", edge.output,
                      hone_quoted(shown, sizeof shown, name.data, name.size));
  *out = result->values[edge.output];
  return NULL;
}

static hone_status *find_inputs(tf_call *call) {
  call->in = HONE_NEW_ARRAY(&call->importer->scratch, call->node->input_count + 1, tf_value);
  HONE_TRY_MEMORY(call->in);
  call->input_count = call->node->input_count;
  for (int i = 0; i < call->input_count; i++)
    HONE_TRY(look(call->scope, call->node->inputs[i], &call->in[i]));
  return NULL;
}

/* Values that this call made bear the node's name. */
static hone_status *name_outputs(tf_call *call, uint32_t first_id) {
  char text[620];
  for (int i = 0; i < call->output_count; i++) {
    hone_value *value = call->out[i].kind == TF_TENSOR ? call->out[i].value : NULL;
    if (!value || value->graph != call->base.graph || value->id < first_id) continue;
    snprintf(text, sizeof text, i ? "%s:%d" : "%s", call->base.label, i);
    HONE_TRY(hone_value_rename(value, text));
  }
  return NULL;
}

static hone_status *limits(hone_call *call) {
  return tf_check_limits(tf_call_of(call)->importer);
}

/* An operator without a row may be a function of the model. */
static hone_status *run_call(tf_call *call) {
  const tf_body *body;
  if (call->node->row) return tf_run_row(call);
  HONE_TRY(tf_find_function(call->importer, call->node->op, &body));
  if (!body) return hone_error(HONE_UNSUPPORTED, "this operator is not supported");
  return tf_run_function(call, body);
}

static hone_status *convert(tf_call *call) {
  uint32_t first_id = call->base.graph->next_id;
  HONE_TRY(tf_check_limits(call->importer));
  if (!call->node->row || !call->node->row->lazy) HONE_TRY(find_inputs(call));
  hone_status *status = run_call(call);
  if (!status)
    status = call->base.status;
  else
    hone_status_free(call->base.status);
  HONE_TRY(status);
  HONE_TRY(name_outputs(call, first_id));
  tf_result *result = &call->scope->results[call->node - call->scope->body->nodes];
  result->count = call->output_count;
  result->values = call->out;
  return NULL;
}

static hone_status *convert_node(tf_scope *scope, const tf_node *node) {
  tf_importer *importer = scope->importer;
  char op[60];
  tf_call call = {.importer = importer, .scope = scope, .node = node};
  call.base = (hone_call){.graph = scope->graph,
                          .label = tf_node_label(scope, node),
                          .placeholder = &importer->placeholder,
                          .limits = limits};
  hone_status *status = call.base.label ? convert(&call) : hone_error_memory();
  return hone_error_at(
      status, "node '%s' (%s)", call.base.label ? call.base.label : "?",
      hone_quoted(op, sizeof op, node->op.data ? node->op.data : "", node->op.size));
}

static bool is_lazy(const tf_node *node) { return node->row && node->row->lazy; }

/* The nodes on the way are a chain through `parent`: no recursion, however deep the graph. */
static hone_status *visit(tf_scope *scope, int node) {
  tf_result *results = scope->results;
  char shown[80];
  int at = node;
  results[at].state = TF_OPEN;
  results[at].parent = -1;
  while (at >= 0) {
    const tf_node *now = &scope->body->nodes[at];
    if (results[at].next < (is_lazy(now) ? 0 : now->input_count)) {
      int from = now->inputs[results[at].next++].node;
      if (from < 0 || results[from].state == TF_DONE) continue;
      if (results[from].state == TF_OPEN)
        return hone_error(HONE_INVALID_MODEL, "node '%s' needs what it gives",
                          hone_quoted(shown, sizeof shown, now->name.data, now->name.size));
      results[from].state = TF_OPEN;
      results[from].parent = at;
      at = from;
      continue;
    }
    HONE_TRY(convert_node(scope, now));
    results[at].state = TF_DONE;
    at = results[at].parent;
  }
  return NULL;
}

hone_status *tf_settle(tf_scope *scope, int node) {
  char shown[80];
  const tf_node *wanted = &scope->body->nodes[node];
  if (scope->results[node].state == TF_DONE) return NULL;
  if (scope->results[node].state == TF_OPEN)
    return hone_error(HONE_INVALID_MODEL, "node '%s' needs what it gives",
                      hone_quoted(shown, sizeof shown, wanted->name.data, wanted->name.size));
  return visit(scope, node);
}

hone_status *tf_demand(tf_scope *scope, tf_edge edge, tf_value *out) {
  if (scope->frame && scope->frame->side < 0) return tf_outer_value(scope, edge, out);
  if (edge.node >= 0) HONE_TRY(tf_settle(scope, edge.node));
  return look(scope, edge, out);
}

hone_status *tf_demand_tensor(tf_scope *scope, tf_edge edge, hone_value **out) {
  tf_value value;
  HONE_TRY(tf_demand(scope, edge, &value));
  if (value.kind != TF_TENSOR) return hone_error(HONE_UNSUPPORTED, "a handle as a result");
  *out = value.value;
  return NULL;
}
