/* Which nodes of a graph an engine can take: each is tried.
 *
 * One import of the whole graph tries every node on the types that really reach it. What a node
 * that does not work would give becomes an input, so that those behind it are tried all the same.
 * Room: import.
 */
#include <string.h>

#include "import/tensorflow/conversion.h"

/* ---- Order ---- */

/* The way back of a loop of the first TensorFlow. */
static bool leads_back(const hone_conversion *c, const tf_node *node, int from) {
  return tf_span_is(node->op, "Merge") && tf_span_is(c->body->nodes[from].op, "NextIteration");
}

/* Nodes after all that they wait for, but for edges that lead back. */
static hone_status *find_order(hone_conversion *c) {
  const tf_body *body = c->body;
  hone_arena *scratch = &c->importer.scratch;
  int *next = HONE_NEW_ARRAY(scratch, body->node_count + 1, int);
  int *stack = HONE_NEW_ARRAY(scratch, body->node_count + 1, int);
  unsigned char *state = HONE_NEW_ARRAY(scratch, body->node_count + 1, unsigned char);
  c->order = HONE_NEW_ARRAY(scratch, body->node_count + 1, int);
  if (!next || !stack || !state || !c->order) return hone_error_memory();
  int done = 0;
  for (int root = 0; root < body->node_count; root++) {
    int depth = 0;
    if (state[root]) continue;
    stack[depth++] = root;
    state[root] = TF_OPEN;
    while (depth) {
      const tf_node *node = &body->nodes[stack[depth - 1]];
      int at = stack[depth - 1];
      if (next[at] == node->input_count + node->control_count) {
        state[at] = TF_DONE;
        c->order[done++] = at;
        depth--;
        continue;
      }
      int from = node->inputs[next[at]++].node;
      if (from < 0 || state[from] == TF_DONE || leads_back(c, node, from)) continue;
      if (state[from] == TF_OPEN)
        return hone_error(HONE_INVALID_MODEL, "its nodes wait for each other");
      state[from] = TF_OPEN;
      stack[depth++] = from;
    }
  }
  return NULL;
}

/* ---- Trying ---- */

/* The types of a node's outputs as the graph's own, in lists that whoever wrote it added. */
hone_status *tf_output_types(hone_conversion *c, const tf_node *node, tf_attr_list *types,
                                 tf_attr_list *shapes) {
  tf_call call = {.importer = &c->importer, .scope = &c->scope, .node = node};
  tf_attr_value value;
  *types = (tf_attr_list){0};
  *shapes = (tf_attr_list){0};
  if (tf_attr(&call, "_output_types", &value) && value.list.data)
    HONE_TRY(tf_read_attr_list(&c->importer.reader, value.list, types));
  if (tf_attr(&call, "_output_shapes", &value) && value.list.data)
    HONE_TRY(tf_read_attr_list(&c->importer.reader, value.list, shapes));
  return call.base.status;
}

/* Makes an output of a native node an input of the trial. */
static hone_status *stand_in_one(hone_conversion *c, tf_edge edge, hone_type type) {
  hone_value *value;
  if (!type.dtype) return NULL;
  HONE_TRY(hone_graph_input(c->importer.root, NULL, type, &value));
  return tf_bind(&c->scope, edge, (tf_value){.kind = TF_TENSOR, .value = value});
}

/* Whether a node's own attributes say what its one output is. */
static bool says_its_type(const tf_node *node) {
  return tf_span_is(node->op, "Placeholder") || tf_span_is(node->op, "_Arg") ||
         tf_span_is(node->op, "ReadVariableOp");
}

/* What a native node gives is an input of the trial; outputs of no known type stay nothing. */
static hone_status *stand_in(hone_conversion *c, int index) {
  tf_attr_list types, shapes;
  const tf_node *node = &c->body->nodes[index];
  size_t count;
  HONE_TRY(tf_output_types(c, node, &types, &shapes));
  HONE_TRY(hone_proto_count(&types.type, HONE_PROTO_VARINT, &count));
  hone_proto_cursor cursor = {0};
  c->scope.results[index] = (tf_result){.state = TF_DONE};
  if (!count && says_its_type(node)) {
    hone_type type;
    HONE_TRY(tf_edge_type(&c->scope, (tf_edge){index, 0}, &type));
    if (shapes.shape.count) HONE_TRY(tf_read_shape(&c->importer, shapes.shape.items[0], &type.shape));
    return stand_in_one(c, (tf_edge){index, 0}, type);
  }
  for (size_t i = 0; i < count && i < 256; i++) {
    hone_type type = hone_tensor_type(
        hone_tf_dtype_of((int64_t)hone_proto_step(&types.type, &cursor)), hone_shape_unknown());
    if (i < shapes.shape.count)
      HONE_TRY(tf_read_shape(&c->importer, shapes.shape.items[i], &type.shape));
    HONE_TRY(stand_in_one(c, (tf_edge){index, (int)i}, type));
  }
  return NULL;
}

bool tf_is_listed(const char *list, hone_bytes text) {
  while (list && *list) {
    size_t size = strcspn(list, ",");
    if (tf_spans_equal(text, (hone_bytes){list, size})) return true;
    list += size + (list[size] == ',');
  }
  return false;
}

/* Whether a node runs an engine of Hone already: TRTEngineOp of TF-TRT's has no string or uint8 at
 * the end of its inputs. */
static hone_status *holds_engine(hone_conversion *c, const tf_node *node, bool *out) {
  tf_call call = {.importer = &c->importer, .scope = &c->scope, .node = node};
  tf_attr_value value;
  tf_attr_list list = {0};
  int64_t last = 0;
  size_t count;
  *out = tf_span_is(node->op, "HoneEngine");
  if (!tf_span_is(node->op, "TRTEngineOp") || !tf_attr(&call, "InT", &value))
    return call.base.status;
  if (value.list.data) HONE_TRY(tf_read_attr_list(&c->importer.reader, value.list, &list));
  HONE_TRY(hone_proto_count(&list.type, HONE_PROTO_VARINT, &count));
  hone_proto_cursor cursor = {0};
  for (size_t i = 0; i < count; i++) last = (int64_t)hone_proto_step(&list.type, &cursor);
  *out = last == 7 || last == 4;
  return NULL;
}

/* How many loops of the first TensorFlow a node stands in: an Enter begins one, an Exit ends it. */
static int depth_of(const hone_conversion *c, const tf_node *node) {
  int depth = 0;
  for (int i = 0; i < node->input_count; i++) {
    int from = node->inputs[i].node;
    if (from >= 0 && c->verdicts[from].depth > depth) depth = c->verdicts[from].depth;
  }
  if (tf_span_is(node->op, "Enter") || tf_span_is(node->op, "RefEnter")) return depth + 1;
  if (tf_span_is(node->op, "Exit") || tf_span_is(node->op, "RefExit"))
    return depth > 0 ? depth - 1 : 0;
  return depth;
}

/* What must stay where it is, whatever could be done with it. Conditionals and loops of the first
 * TensorFlow stay, and so no group reaches across them. What is in a branch may be an engine, that
 * runs when the branch does; what is in a loop may not: nothing from outside gets there but through
 * an Enter, and an engine's file would have to. */
static hone_status *refuse_kind(hone_conversion *c, const tf_node *node) {
  static const struct {
    const char *op, *why;
  } kept[] = {
      {"Placeholder", "it is an end of the graph"},
      {"NoOp", "it is an end of the graph"},
      {"Switch", "part of a conditional or a loop"},
      {"RefSwitch", "part of a conditional or a loop"},
      {"_SwitchN", "part of a conditional or a loop"},
      {"Merge", "part of a conditional or a loop"},
      {"RefMerge", "part of a conditional or a loop"},
      {"Exit", "part of a loop"},
      {"RefExit", "part of a loop"},
  };
  bool is_engine;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
    if (tf_span_is(node->op, kept[i].op)) return hone_error(HONE_UNSUPPORTED, "%s", kept[i].why);
  if (c->verdicts[node - c->body->nodes].depth)
    return hone_error(HONE_UNSUPPORTED, "it is in a loop made of single nodes");
  HONE_TRY(holds_engine(c, node, &is_engine));
  if (is_engine) return hone_error(HONE_UNSUPPORTED, "it is an engine already");
  return NULL;
}

/* Texts do not cross into an engine, nor can they start in one. */
static hone_status *check_inputs(const hone_conversion *c, const tf_node *node) {
  for (int i = 0; i < node->input_count; i++) {
    tf_edge edge = node->inputs[i];
    const tf_result *from = edge.node < 0 ? NULL : &c->scope.results[edge.node];
    if (!from || edge.output < 0 || edge.output >= from->count) continue;
    const tf_value *value = &from->values[edge.output];
    if (value->kind == TF_TENSOR && value->value->type.dtype == HONE_STR)
      return hone_error(HONE_UNSUPPORTED, "it takes a text");
  }
  return NULL;
}

/* Strings and handles do not cross out of an engine. Nor do lists, but those who make and take them
 * may go into one together. */
static hone_status *check_results(const hone_conversion *c, int index) {
  const tf_result *result = &c->scope.results[index];
  for (int i = 0; i < result->count; i++) {
    const tf_value *value = &result->values[i];
    if (value->kind == TF_NOTHING || value->kind == TF_LIST) continue;
    if (value->kind != TF_TENSOR || value->value->type.kind != HONE_KIND_TENSOR ||
        value->value->type.dtype == HONE_STR)
      return hone_error(HONE_UNSUPPORTED, "it gives no tensor of numbers");
  }
  return NULL;
}

static hone_status *try_node(hone_conversion *c, int index, const char *denied,
                             const char *native) {
  const tf_node *node = &c->body->nodes[index];
  if (tf_is_listed(denied, node->op)) return hone_error(HONE_UNSUPPORTED, "it is denied");
  c->verdicts[index].kept = tf_is_listed(native, node->name);
  if (c->verdicts[index].kept) return hone_error(HONE_UNSUPPORTED, "it is kept native");
  HONE_TRY(refuse_kind(c, node));
  HONE_TRY(tf_settle(&c->scope, index));
  HONE_TRY(check_inputs(c, node));
  return check_results(c, index);
}

/* Why a node stays native, as text of the conversion's; what must end everything goes on. */
static hone_status *note_reason(hone_conversion *c, hone_status *why, const char **out) {
  hone_code code = hone_status_code(why);
  const char *message = hone_status_message(why);
  if (code == HONE_OUT_OF_MEMORY || code == HONE_LIMIT) return why;
  *out = hone_arena_text(&c->importer.scratch, message, strlen(message));
  hone_status_free(why);
  return *out ? NULL : hone_error_memory();
}

/* Whether a node gives the same in every run: a constant, or what is computed from such. */
static bool is_constant(const hone_conversion *c, const tf_node *node) {
  for (int i = 0; i < node->input_count; i++)
    if (!c->verdicts[node->inputs[i].node].constant) return false;
  return node->input_count || tf_span_is(node->op, "Const");
}

static hone_status *try_nodes(hone_conversion *c, const char *denied, const char *native) {
  for (int i = 0; i < c->body->node_count; i++) {
    int index = c->order[i];
    tf_verdict *v = &c->verdicts[index];
    v->depth = depth_of(c, &c->body->nodes[index]);
    hone_status *why = try_node(c, index, denied, native);
    v->taken = !why;
    v->constant = v->taken && is_constant(c, &c->body->nodes[index]);
    if (why) HONE_TRY(note_reason(c, why, &v->why));
    if (!v->taken) HONE_TRY(stand_in(c, index));
  }
  return NULL;
}

hone_status *tf_find_groups(hone_conversion *c, const hone_conversion_options *options) {
  HONE_TRY(find_order(c));
  c->verdicts = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, tf_verdict);
  c->latest = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, int);
  if (!c->verdicts || !c->latest) return hone_error_memory();
  HONE_TRY(try_nodes(c, options->denied, options->native));
  return tf_group_nodes(c, options->like_tf_trt);
}
