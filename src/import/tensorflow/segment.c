/* Which parts of a graph an engine can take: each node is tried, those that work are grouped.
 *
 * One import of the whole graph tries every node on the types that really reach it. What a node
 * that does not work would give becomes an input, so that those behind it are tried all the same.
 * Groups never wait for themselves: a node's level counts how often the way to it changes from
 * engine to native, and a group is what hangs together on one level. Room: import.
 */
#include <string.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"

typedef struct verdict {
  bool taken;
  bool constant;    /* stands in whatever group uses it */
  int level, group; /* group: union-find parent, then number from 1; 0: none */
  int depth;        /* how many loops of single nodes are around it */
  hone_status *why; /* of a node that is not taken; owned */
} verdict;

typedef struct segmenting {
  tf_importer importer;
  tf_scope scope;
  const tf_body *body;
  verdict *verdicts; /* by node */
  int *order;        /* nodes, each after those it needs */
  const char *denied;
} segmenting;

/* ---- Order ---- */

/* The way back of a loop of the first TensorFlow. */
static bool leads_back(const segmenting *s, const tf_node *node, int from) {
  return tf_span_is(node->op, "Merge") && tf_span_is(s->body->nodes[from].op, "NextIteration");
}

/* Data edges only, without those that lead back. */
static hone_status *find_order(segmenting *s) {
  const tf_body *body = s->body;
  hone_arena *scratch = &s->importer.scratch;
  int *next = HONE_NEW_ARRAY(scratch, body->node_count + 1, int);
  int *stack = HONE_NEW_ARRAY(scratch, body->node_count + 1, int);
  unsigned char *state = HONE_NEW_ARRAY(scratch, body->node_count + 1, unsigned char);
  s->order = HONE_NEW_ARRAY(scratch, body->node_count + 1, int);
  if (!next || !stack || !state || !s->order) return hone_error_memory();
  int done = 0;
  for (int root = 0; root < body->node_count; root++) {
    int depth = 0;
    if (state[root]) continue;
    stack[depth++] = root;
    state[root] = TF_OPEN;
    while (depth) {
      const tf_node *node = &body->nodes[stack[depth - 1]];
      int at = stack[depth - 1];
      if (next[at] == node->input_count) {
        state[at] = TF_DONE;
        s->order[done++] = at;
        depth--;
        continue;
      }
      int from = node->inputs[next[at]++].node;
      if (from < 0 || state[from] == TF_DONE || leads_back(s, node, from)) continue;
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
static hone_status *output_types(segmenting *s, const tf_node *node, tf_attr_list *types,
                                 tf_attr_list *shapes) {
  tf_call call = {.importer = &s->importer, .scope = &s->scope, .node = node};
  tf_attr_value value;
  *types = (tf_attr_list){0};
  *shapes = (tf_attr_list){0};
  if (tf_attr(&call, "_output_types", &value) && value.list.data)
    HONE_TRY(tf_read_attr_list(&s->importer.reader, value.list, types));
  if (tf_attr(&call, "_output_shapes", &value) && value.list.data)
    HONE_TRY(tf_read_attr_list(&s->importer.reader, value.list, shapes));
  return call.base.status;
}

/* What a native node gives is an input of the trial; outputs of no known type stay nothing. */
static hone_status *stand_in(segmenting *s, int index) {
  tf_attr_list types, shapes;
  const tf_node *node = &s->body->nodes[index];
  size_t count;
  HONE_TRY(output_types(s, node, &types, &shapes));
  HONE_TRY(hone_proto_count(&types.type, HONE_PROTO_VARINT, &count));
  hone_proto_cursor cursor = {0};
  s->scope.results[index] = (tf_result){.state = TF_DONE};
  for (size_t i = 0; i < count && i < 256; i++) {
    hone_value *value;
    hone_type type = hone_tensor_type(
        hone_tf_dtype_of((int64_t)hone_proto_step(&types.type, &cursor)), hone_shape_unknown());
    if (!type.dtype) continue;
    if (i < shapes.shape.count)
      HONE_TRY(tf_read_shape(&s->importer, shapes.shape.items[i], &type.shape));
    HONE_TRY(hone_graph_input(s->importer.root, NULL, type, &value));
    HONE_TRY(tf_bind(&s->scope, (tf_edge){index, (int)i},
                     (tf_value){.kind = TF_TENSOR, .value = value}));
  }
  return NULL;
}

/* Whether an operator stands in a comma list. */
static bool is_listed(const char *list, hone_bytes op) {
  while (*list) {
    size_t size = strcspn(list, ",");
    if (tf_spans_equal(op, (hone_bytes){list, size})) return true;
    list += size + (list[size] == ',');
  }
  return false;
}

/* Whether a node runs an engine of Hone already: TRTEngineOp of TF-TRT's has no string or uint8 at
 * the end of its inputs. */
static hone_status *holds_engine(segmenting *s, const tf_node *node, bool *out) {
  tf_call call = {.importer = &s->importer, .scope = &s->scope, .node = node};
  tf_attr_value value;
  tf_attr_list list = {0};
  int64_t last = 0;
  size_t count;
  *out = tf_span_is(node->op, "HoneEngine");
  if (!tf_span_is(node->op, "TRTEngineOp") || !tf_attr(&call, "InT", &value))
    return call.base.status;
  if (value.list.data) HONE_TRY(tf_read_attr_list(&s->importer.reader, value.list, &list));
  HONE_TRY(hone_proto_count(&list.type, HONE_PROTO_VARINT, &count));
  hone_proto_cursor cursor = {0};
  for (size_t i = 0; i < count; i++) last = (int64_t)hone_proto_step(&list.type, &cursor);
  *out = last == 7 || last == 4;
  return NULL;
}

/* How many loops of the first TensorFlow a node stands in: an Enter begins one, an Exit ends it. */
static int depth_of(const segmenting *s, const tf_node *node) {
  int depth = 0;
  for (int i = 0; i < node->input_count; i++) {
    int from = node->inputs[i].node;
    if (from >= 0 && s->verdicts[from].depth > depth) depth = s->verdicts[from].depth;
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
static hone_status *refuse_kind(segmenting *s, const tf_node *node) {
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
  if (s->verdicts[node - s->body->nodes].depth)
    return hone_error(HONE_UNSUPPORTED, "it is in a loop made of single nodes");
  HONE_TRY(holds_engine(s, node, &is_engine));
  if (is_engine) return hone_error(HONE_UNSUPPORTED, "it is an engine already");
  if (is_listed(s->denied, node->op)) return hone_error(HONE_UNSUPPORTED, "it is denied");
  return NULL;
}

/* Texts do not cross into an engine, nor can they start in one. */
static hone_status *check_inputs(const segmenting *s, const tf_node *node) {
  for (int i = 0; i < node->input_count; i++) {
    tf_edge edge = node->inputs[i];
    const tf_result *from = edge.node < 0 ? NULL : &s->scope.results[edge.node];
    if (!from || edge.output < 0 || edge.output >= from->count) continue;
    const tf_value *value = &from->values[edge.output];
    if (value->kind == TF_TENSOR && value->value->type.dtype == HONE_STR)
      return hone_error(HONE_UNSUPPORTED, "it takes a text");
  }
  return NULL;
}

/* Strings, handles and lists do not cross out of an engine. */
static hone_status *check_results(const segmenting *s, int index) {
  const tf_result *result = &s->scope.results[index];
  for (int i = 0; i < result->count; i++) {
    const tf_value *value = &result->values[i];
    if (value->kind == TF_NOTHING) continue;
    if (value->kind != TF_TENSOR || value->value->type.kind != HONE_KIND_TENSOR ||
        value->value->type.dtype == HONE_STR)
      return hone_error(HONE_UNSUPPORTED, "it gives no tensor of numbers");
  }
  return NULL;
}

static hone_status *try_node(segmenting *s, int index) {
  const tf_node *node = &s->body->nodes[index];
  HONE_TRY(refuse_kind(s, node));
  HONE_TRY(tf_settle(&s->scope, index));
  HONE_TRY(check_inputs(s, node));
  return check_results(s, index);
}

static hone_status *try_nodes(segmenting *s) {
  for (int i = 0; i < s->body->node_count; i++) {
    int index = s->order[i];
    verdict *v = &s->verdicts[index];
    v->depth = depth_of(s, &s->body->nodes[index]);
    hone_status *why = try_node(s, index);
    hone_code code = hone_status_code(why);
    if (code == HONE_OUT_OF_MEMORY || code == HONE_LIMIT) return why;
    v->taken = !why;
    v->constant = v->taken && tf_span_is(s->body->nodes[index].op, "Const");
    v->why = why;
    if (why) HONE_TRY(stand_in(s, index));
  }
  return NULL;
}

/* ---- Grouping ---- */

static int root_of(const segmenting *s, int node) {
  while (s->verdicts[node].group != node) {
    s->verdicts[node].group = s->verdicts[s->verdicts[node].group].group;
    node = s->verdicts[node].group;
  }
  return node;
}

/* A constant is on no level: it moves to where it is used. */
static void find_levels(segmenting *s) {
  for (int i = 0; i < s->body->node_count; i++) {
    int index = s->order[i];
    const tf_node *node = &s->body->nodes[index];
    verdict *v = &s->verdicts[index];
    v->group = index;
    for (int k = 0; k < node->input_count; k++) {
      const verdict *from = &s->verdicts[node->inputs[k].node];
      int level = from->level + (from->taken && !v->taken);
      if (!from->constant && level > v->level) v->level = level;
    }
  }
}

static void join_groups(segmenting *s) {
  for (int i = 0; i < s->body->node_count; i++) {
    int index = s->order[i];
    const tf_node *node = &s->body->nodes[index];
    const verdict *v = &s->verdicts[index];
    if (!v->taken || v->constant) continue;
    for (int k = 0; k < node->input_count; k++) {
      const verdict *from = &s->verdicts[node->inputs[k].node];
      if (!from->taken || from->constant || from->level != v->level) continue;
      int a = root_of(s, index), b = root_of(s, node->inputs[k].node);
      s->verdicts[a > b ? a : b].group = a > b ? b : a;
    }
  }
}

/* ---- Saying ---- */

static void say_groups(segmenting *s, hone_text *out) {
  const char *between = "";
  hone_text_puts(out, "{\"segments\": [");
  for (int root = 0; root < s->body->node_count; root++) {
    const verdict *first = &s->verdicts[root];
    if (!first->taken || first->constant || root_of(s, root) != root) continue;
    hone_text_printf(out, "%s[", between);
    between = ", ";
    const char *comma = "";
    for (int i = 0; i < s->body->node_count; i++) {
      int index = s->order[i];
      hone_bytes name = s->body->nodes[index].name;
      const verdict *v = &s->verdicts[index];
      if (!v->taken || v->constant || root_of(s, index) != root) continue;
      hone_text_puts(out, comma);
      hone_text_quote(out, name.data, name.size);
      comma = ", ";
    }
    hone_text_puts(out, "]");
  }
}

static void say_native(const segmenting *s, hone_text *out) {
  const char *between = "";
  hone_text_puts(out, "], \"native\": [");
  for (int i = 0; i < s->body->node_count; i++) {
    const tf_node *node = &s->body->nodes[s->order[i]];
    const verdict *v = &s->verdicts[s->order[i]];
    if (v->taken) continue;
    hone_text_printf(out, "%s{\"node\": ", between);
    hone_text_quote(out, node->name.data, node->name.size);
    hone_text_puts(out, ", \"op\": ");
    hone_text_quote(out, node->op.data ? node->op.data : "", node->op.size);
    hone_text_puts(out, ", \"reason\": ");
    hone_text_quote(out, hone_status_message(v->why), strlen(hone_status_message(v->why)));
    hone_text_puts(out, "}");
    between = ", ";
  }
  hone_text_puts(out, "]}");
}

static hone_status *segment(segmenting *s, hone_text *out) {
  tf_graph_def graph;
  tf_importer *importer = &s->importer;
  tf_body *body = HONE_NEW(&importer->scratch, tf_body);
  HONE_TRY_MEMORY(body);
  HONE_TRY(hone_map_put(&importer->bodies, "", 0, body));
  HONE_TRY(tf_read_graph_def(&importer->reader, importer->file, &graph));
  HONE_TRY(tf_read_library(importer, graph.library));
  HONE_TRY(tf_read_graph_body(importer, &graph, body));
  s->body = body;
  HONE_TRY(tf_scope_open(&s->scope, importer, body, importer->root));
  HONE_TRY(find_order(s));
  s->verdicts = HONE_NEW_ARRAY(&importer->scratch, body->node_count + 1, verdict);
  HONE_TRY_MEMORY(s->verdicts);
  HONE_TRY(try_nodes(s));
  find_levels(s);
  join_groups(s);
  say_groups(s, out);
  say_native(s, out);
  return hone_text_status(out);
}

hone_status *hone_tensorflow_segments(const hone_model_source *source, const char *denied,
                                      hone_text *out) {
  segmenting s = {.denied = denied};
  hone_status *status = tf_importer_open(&s.importer, source, tf_graph_def_schema);
  if (!status) status = segment(&s, out);
  for (int i = 0; s.verdicts && i < s.body->node_count; i++) hone_status_free(s.verdicts[i].why);
  hone_graph_free(s.importer.root);
  tf_importer_close(&s.importer);
  return status;
}
