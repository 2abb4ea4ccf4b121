/* Which nodes of a graph an engine can take: each is tried.
 *
 * One import of the whole graph tries every node on the types that really reach it. What a node
 * that does not work would give becomes an input, so that those behind it are tried all the same.
 * Room: import.
 */
#include <string.h>

#include "import/tensorflow/conversion.h"

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

static bool is_listed(const char *list, hone_bytes text) {
  return text.size && hone_is_listed(list, text.data, text.size);
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
 * TensorFlow that do not go in whole stay, and so no group reaches across them. What is in such a
 * branch may be an engine, that runs when the branch does; what is in a loop may not: nothing from
 * outside gets there but through an Enter, and an engine's file would have to. */
static hone_status *refuse_kind(hone_conversion *c, const tf_node *node) {
  static const char *const ends[] = {"Placeholder", "NoOp"};
  static const char *const parts[] = {"Switch", "RefSwitch", "_SwitchN", "Merge",
                                      "RefMerge", "Exit", "RefExit"};
  const tf_verdict *v = &c->verdicts[node - c->body->nodes];
  bool is_engine;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (tf_span_is(node->op, ends[i]))
      return hone_error(HONE_UNSUPPORTED, "it is an end of the graph");
  bool part = v->depth;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) part |= tf_span_is(node->op, parts[i]);
  if (part)
    return hone_error(HONE_UNSUPPORTED, "part of a loop or a conditional that cannot go in whole%s%s",
                      v->why ? ": " : "", v->why ? v->why : "");
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
  if (is_listed(denied, node->op)) return hone_error(HONE_UNSUPPORTED, "it is denied");
  c->verdicts[index].kept = is_listed(native, node->name);
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

/* ---- Wholes ---- */

/* What has no row of its own, for it is looked through. */
static bool is_looked_through(const tf_node *node) {
  static const char *const names[] = {"LoopCond", "NextIteration", "RefNextIteration", "NoOp"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (tf_span_is(node->op, names[i])) return true;
  return false;
}

/* Whether a member of a whole may be where only engines see it. */
static hone_status *check_member(hone_conversion *c, int index,
                                 const hone_conversion_options *options) {
  const tf_node *node = &c->body->nodes[index];
  bool is_engine, leaves = c->verdicts[index].leaves;
  if (is_listed(options->denied, node->op)) return hone_error(HONE_UNSUPPORTED, "it is denied");
  if (is_listed(options->native, node->name))
    return hone_error(HONE_UNSUPPORTED, "it is kept native");
  if (!node->row && !is_looked_through(node))
    return hone_error(HONE_UNSUPPORTED, "this operator is not supported");
  if (c->fetched[index] > leaves) return hone_error(HONE_UNSUPPORTED, "it is an end of the graph");
  HONE_TRY(holds_engine(c, node, &is_engine));
  return is_engine ? hone_error(HONE_UNSUPPORTED, "it is an engine already") : NULL;
}

static hone_status *settle_member(hone_conversion *c, int index) {
  HONE_TRY(check_inputs(c, &c->body->nodes[index]));
  if (!c->verdicts[index].leaves) return NULL;
  HONE_TRY(tf_settle(&c->scope, index));
  return check_results(c, index);
}

/* All of it, or why not. */
static hone_status *settle_whole(hone_conversion *c, int whole,
                                 const hone_conversion_options *options) {
  int member = whole;
  do {
    hone_status *status = check_member(c, member, options);
    if (!status) status = settle_member(c, member);
    HONE_TRY(hone_error_at(status, "node '%s'", tf_node_label(&c->scope, &c->body->nodes[member])));
    member = c->verdicts[member].after;
  } while (member != whole);
  return NULL;
}

/* Its nodes are taken, or tried one by one after this. */
static hone_status *try_whole(hone_conversion *c, int whole,
                              const hone_conversion_options *options) {
  bool *needed = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, bool);
  const char *text = NULL;
  HONE_TRY_MEMORY(needed);
  for (int i = 0; i < c->body->node_count; i++) needed[i] = c->verdicts[i].whole == whole;
  c->scope.needed = needed;
  hone_status *why = settle_whole(c, whole, options);
  c->scope.needed = NULL;
  if (why) HONE_TRY(note_reason(c, why, &text));
  for (int i = 0; i < c->body->node_count; i++) {
    if (!needed[i]) continue;
    c->verdicts[i].taken = !text;
    c->verdicts[i].why = text;
  }
  if (text) tf_break_whole(c, whole);
  return NULL;
}

static hone_status *try_nodes(hone_conversion *c, const hone_conversion_options *options) {
  for (int i = 0; i < c->body->node_count; i++) {
    int index = c->order[i];
    tf_verdict *v = &c->verdicts[index];
    v->depth = depth_of(c, &c->body->nodes[index]);
    if (tf_is_whole(c, index) && v->whole == index) HONE_TRY(try_whole(c, index, options));
    if (tf_is_whole(c, index)) continue;
    hone_status *why = try_node(c, index, options->denied, options->native);
    v->taken = !why;
    v->constant = v->taken && is_constant(c, &c->body->nodes[index]);
    if (why) HONE_TRY(note_reason(c, why, &v->why));
    if (!v->taken) HONE_TRY(stand_in(c, index));
  }
  return NULL;
}

hone_status *tf_find_groups(hone_conversion *c, const hone_conversion_options *options) {
  c->verdicts = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, tf_verdict);
  c->latest = HONE_NEW_ARRAY(&c->importer.scratch, c->body->node_count + 1, int);
  if (!c->verdicts || !c->latest) return hone_error_memory();
  HONE_TRY(tf_find_order(c, !options->like_tf_trt));
  HONE_TRY(try_nodes(c, options));
  return tf_group_nodes(c, options->like_tf_trt);
}
