/* Parsing the text form; the grammar is in docs/graph.md. The text is hostile: counts, depths and
 * sizes are bounded, and every node is checked against its schema before its shape rule runs.
 * Room: ir. */
#include <string.h>

#include "ir/lexer.h"
#include "ir/text.h"
#include "ir/text_elements.h"
#include "ir/text_parts.h"

#define MAX_REGION_DEPTH 32
#define MAX_DECLARED     4096 /* inputs or outputs of one graph, outputs of one node */

typedef struct parser {
  hone_lexer lexer;
  hone_op_lookup *lookup;
  hone_bytes weights;
  hone_arena scratch;
  int depth;
} parser;

/* "name: type", or "_" for an output that nobody wants. */
typedef struct declared {
  const char *name; /* NULL: absent */
  bool typed;
  hone_type type;
  hone_place place;
  hone_token token;
} declared;

typedef struct declared_list {
  declared *items;
  int count, room;
} declared_list;

static hone_status *declared_room(parser *p, declared_list *list) {
  if (list->count < list->room) return NULL;
  if (list->room == MAX_DECLARED)
    return hone_lexer_fail(&p->lexer, "more than %d names in one list", MAX_DECLARED);
  int room = list->room ? list->room * 2 : 4;
  declared *items = HONE_NEW_ARRAY(&p->scratch, room, declared);
  HONE_TRY_MEMORY(items);
  if (list->count) memcpy(items, list->items, (size_t)list->count * sizeof *items);
  list->items = items;
  list->room = room;
  return NULL;
}

/* A failure at a token that was met earlier. */
__attribute__((returns_nonnull)) static hone_status *fail_at(parser *p, const hone_token *token,
                                                             const char *what, const char *name) {
  char buffer[80];
  p->lexer.token = *token;
  return hone_lexer_fail(&p->lexer, "%s '%s'", what,
                         hone_quoted(buffer, sizeof buffer, name, strlen(name)));
}

static hone_status *parse_declared(parser *p, hone_graph *graph, declared *out) {
  *out = (declared){.token = p->lexer.token};
  if (hone_lexer_is_word(&p->lexer, "_")) return hone_lexer_next(&p->lexer);
  HONE_TRY(hone_parse_name(&p->lexer, &out->name));
  HONE_TRY(hone_lexer_accept(&p->lexer, ':', &out->typed));
  return out->typed ? hone_parse_type(&p->lexer, graph, &out->type, &out->place) : NULL;
}

/* Declarations up to `end`, which is stepped over. */
static hone_status *parse_declared_list(parser *p, hone_graph *graph, char end,
                                        declared_list *list) {
  while (!hone_lexer_is(&p->lexer, end)) {
    if (list->count) HONE_TRY(hone_lexer_expect(&p->lexer, ','));
    HONE_TRY(declared_room(p, list));
    HONE_TRY(parse_declared(p, graph, &list->items[list->count++]));
  }
  return hone_lexer_next(&p->lexer);
}

static hone_status *check_new_name(parser *p, const hone_graph *graph, const declared *item) {
  if (item->name && hone_graph_find(graph, item->name))
    return fail_at(p, &item->token, "there are two values of the name", item->name);
  return NULL;
}

static hone_status *find_value(parser *p, const hone_graph *graph, const declared *item,
                               hone_value **out) {
  *out = hone_graph_find(graph, item->name);
  if (!*out) return fail_at(p, &item->token, "there is no value", item->name);
  if ((*out)->graph != graph) return fail_at(p, &item->token, "outside this graph is", item->name);
  return NULL;
}

/* "@weights+offset", or "@absent" */
static hone_status *parse_weights(parser *p, const hone_type *type, const void **data,
                                  size_t *size) {
  int64_t offset;
  HONE_TRY(hone_lexer_expect(&p->lexer, '@'));
  if (!hone_shape_bytes(&type->shape, type->dtype, size) || type->dtype == HONE_STR)
    return hone_lexer_fail(&p->lexer, "weights need a known shape, and are no texts");
  if (hone_lexer_is_word(&p->lexer, "absent")) {
    *data = hone_absent;
    return hone_lexer_next(&p->lexer);
  }
  if (!hone_lexer_is_word(&p->lexer, "weights"))
    return hone_lexer_fail(&p->lexer, "the elements of this constant were left out");
  HONE_TRY(hone_lexer_next(&p->lexer));
  HONE_TRY(hone_lexer_expect(&p->lexer, '+'));
  HONE_TRY(hone_lexer_int(&p->lexer, &offset));
  if (offset < 0 || (size_t)offset > p->weights.size || *size > p->weights.size - (size_t)offset)
    return hone_lexer_fail(&p->lexer, "the constant lies outside the weights");
  *data = (const char *)p->weights.data + offset;
  return NULL;
}

/* After "const". */
static hone_status *parse_constant(parser *p, hone_graph *graph, const declared *item) {
  hone_type type;
  hone_place place;
  hone_value *value;
  size_t size;
  bool fixed = hone_lexer_is_word(&p->lexer, "fixed");
  if (fixed) HONE_TRY(hone_lexer_next(&p->lexer));
  HONE_TRY(hone_parse_type(&p->lexer, graph, &type, &place));
  if (type.kind != HONE_KIND_TENSOR || type.dtype == HONE_DTYPE_NONE)
    return hone_lexer_fail(&p->lexer, "a constant is a tensor of a known type");
  if (hone_lexer_is(&p->lexer, '@')) {
    const void *data;
    HONE_TRY(parse_weights(p, &type, &data, &size));
    HONE_TRY(hone_graph_constant(graph, item->name, type.dtype, type.shape, data, size, &value));
  } else {
    void *data;
    HONE_TRY(hone_parse_elements(&p->lexer, &type, &p->scratch, &data, &size));
    HONE_TRY(
        hone_graph_constant_copy(graph, item->name, type.dtype, type.shape, data, size, &value));
  }
  value->place = place;
  value->fixed = fixed;
  return NULL;
}

/* The comment after a node, where it says ' from "a", "b"'. Any other comment is just that. */
static hone_status *parse_sources(parser *p, hone_node *node) {
  hone_lexer inner;
  const char *start = " from \"";
  size_t size = p->lexer.comment_size;
  if (size < strlen(start) || memcmp(p->lexer.comment, start, strlen(start)) != 0) return NULL;
  HONE_TRY(hone_lexer_start(&inner, p->lexer.comment + 5, size - 5, &p->scratch));
  for (bool more = true; more;) {
    if (inner.token.kind != HONE_TOKEN_TEXT) return hone_lexer_fail(&p->lexer, "a source's name");
    HONE_TRY(hone_node_add_source(node, inner.token.text));
    HONE_TRY(hone_lexer_next(&inner));
    HONE_TRY(hone_lexer_accept(&inner, ',', &more));
  }
  return NULL;
}

static hone_status *parse_graph(parser *p, hone_graph *graph);

static hone_status *parse_regions(parser *p, hone_node *node) {
  while (hone_lexer_is_word(&p->lexer, "region")) {
    hone_graph *region;
    const char *name;
    if (p->depth == MAX_REGION_DEPTH)
      return hone_lexer_fail(&p->lexer, "more than %d regions inside each other", p->depth);
    HONE_TRY(hone_lexer_next(&p->lexer));
    HONE_TRY(hone_parse_name(&p->lexer, &name));
    HONE_TRY(hone_graph_new_region(node, name, &region));
    p->depth++;
    HONE_TRY(parse_graph(p, region));
    p->depth--;
  }
  return NULL;
}

/* Makes the node's outputs, by the names that the text states. */
static hone_status *declare_outputs(parser *p, hone_node *node, const declared_list *outputs) {
  hone_type unknown = hone_tensor_type(HONE_DTYPE_NONE, hone_shape_unknown());
  for (int i = 0; i < outputs->count; i++) {
    const declared *item = &outputs->items[i];
    hone_value *value;
    HONE_TRY(check_new_name(p, node->graph, item));
    HONE_TRY(hone_node_add_output(node, item->name, unknown, &value));
    if (!item->name) hone_node_drop_output(node, i);
  }
  return NULL;
}

/* Types that the text leaves out are inferred; those that it states win. */
static hone_status *type_outputs(hone_node *node, const declared_list *outputs) {
  bool all = true;
  HONE_TRY(hone_node_check(node));
  for (int i = 0; i < outputs->count; i++)
    all = all && (!outputs->items[i].name || outputs->items[i].typed);
  if (!all) HONE_TRY(hone_node_infer(node));
  for (int i = 0; i < outputs->count; i++) {
    const declared *item = &outputs->items[i];
    if (!item->typed) continue;
    node->outputs[i]->type = item->type;
    node->outputs[i]->place = item->place;
  }
  return NULL;
}

/* "_" or the name of a value of this graph. */
static hone_status *parse_input(parser *p, const hone_graph *graph, hone_value **out) {
  declared item = {.token = p->lexer.token};
  *out = NULL;
  if (hone_lexer_is_word(&p->lexer, "_")) return hone_lexer_next(&p->lexer);
  HONE_TRY(hone_parse_name(&p->lexer, &item.name));
  return find_value(p, graph, &item, out);
}

/* "(a, _, b)" */
static hone_status *parse_inputs(parser *p, const hone_graph *graph, hone_value ***out,
                                 int *count) {
  int room = 0;
  *count = 0;
  HONE_TRY(hone_lexer_expect(&p->lexer, '('));
  while (!hone_lexer_is(&p->lexer, ')')) {
    if (*count) HONE_TRY(hone_lexer_expect(&p->lexer, ','));
    if (*count == room) {
      hone_value **old = *out;
      room = room ? room * 2 : 8;
      *out = HONE_NEW_ARRAY(&p->scratch, room, hone_value *);
      HONE_TRY_MEMORY(*out);
      if (*count) memcpy(*out, old, (size_t)*count * sizeof *old);
    }
    HONE_TRY(parse_input(p, graph, &(*out)[*count]));
    ++*count;
  }
  return hone_lexer_next(&p->lexer);
}

/* After "=": "op(inputs) {attributes} regions". */
static hone_status *parse_node(parser *p, hone_graph *graph, const declared_list *outputs) {
  hone_node *node;
  hone_value **inputs = NULL;
  int input_count;
  hone_token token = p->lexer.token;
  const hone_op *op = NULL;
  if (token.kind == HONE_TOKEN_WORD) op = p->lookup(token.text, token.size);
  if (!op && token.kind == HONE_TOKEN_WORD && strchr(token.text, '/'))
    return hone_error(HONE_UNSUPPORTED,
                      "op '%.200s' is a user's own and not registered here: "
                      "define it, or load the plugin that does, first",
                      token.text);
  if (!op) return fail_at(p, &token, "there is no op", token.text);
  HONE_TRY(hone_lexer_next(&p->lexer));
  HONE_TRY(parse_inputs(p, graph, &inputs, &input_count));
  HONE_TRY(hone_node_new(graph, NULL, op, inputs, input_count, 0, &node));
  HONE_TRY(declare_outputs(p, node, outputs));
  HONE_TRY(hone_parse_attrs(&p->lexer, node));
  HONE_TRY(parse_regions(p, node));
  HONE_TRY(parse_sources(p, node));
  return type_outputs(node, outputs);
}

static hone_status *parse_statement(parser *p, hone_graph *graph) {
  declared_list outputs = {0};
  HONE_TRY(parse_declared_list(p, graph, '=', &outputs));
  if (!hone_lexer_is_word(&p->lexer, "const")) return parse_node(p, graph, &outputs);
  if (outputs.count != 1 || !outputs.items[0].name || outputs.items[0].typed)
    return hone_lexer_fail(&p->lexer, "a constant has one name, and its type after 'const'");
  HONE_TRY(check_new_name(p, graph, &outputs.items[0]));
  HONE_TRY(hone_lexer_next(&p->lexer));
  return parse_constant(p, graph, &outputs.items[0]);
}

static hone_status *parse_graph_inputs(parser *p, hone_graph *graph) {
  declared_list inputs = {0};
  HONE_TRY(hone_lexer_expect(&p->lexer, '('));
  HONE_TRY(parse_declared_list(p, graph, ')', &inputs));
  for (int i = 0; i < inputs.count; i++) {
    const declared *item = &inputs.items[i];
    hone_value *value;
    if (!item->typed)
      return fail_at(p, &item->token, "no type is given to input", item->name ? item->name : "_");
    HONE_TRY(check_new_name(p, graph, item));
    HONE_TRY(hone_graph_input(graph, item->name, item->type, &value));
    value->place = item->place;
  }
  return NULL;
}

/* An output's stated type wins over an inferred one, and must not contradict what is known. */
static hone_status *set_output(parser *p, hone_graph *graph, const declared *item) {
  hone_value *value;
  if (!item->name) return fail_at(p, &item->token, "an output needs a name, not", "_");
  HONE_TRY(find_value(p, graph, item, &value));
  if (item->typed) {
    const hone_type *known = &value->type;
    bool agree = known->kind == item->type.kind &&
                 (known->dtype == item->type.dtype || known->dtype == HONE_DTYPE_NONE);
    if (known->shape.rank != HONE_RANK_UNKNOWN && item->type.shape.rank != HONE_RANK_UNKNOWN)
      agree = agree && known->shape.rank == item->type.shape.rank;
    if (!agree) return fail_at(p, &item->token, "two different types are given to", item->name);
    if (!value->constant) value->type = item->type;
    value->place = item->place;
  }
  return hone_graph_output(graph, value);
}

/* "(inputs) -> (outputs) { statements }" */
static hone_status *parse_graph(parser *p, hone_graph *graph) {
  declared_list outputs = {0};
  HONE_TRY(parse_graph_inputs(p, graph));
  HONE_TRY(hone_lexer_expect(&p->lexer, '>'));
  HONE_TRY(hone_lexer_expect(&p->lexer, '('));
  HONE_TRY(parse_declared_list(p, graph, ')', &outputs));
  HONE_TRY(hone_lexer_expect(&p->lexer, '{'));
  while (!hone_lexer_is(&p->lexer, '}')) {
    if (p->lexer.token.kind == HONE_TOKEN_END)
      return hone_lexer_fail(&p->lexer, "the text ends inside a graph");
    HONE_TRY(parse_statement(p, graph));
  }
  HONE_TRY(hone_lexer_next(&p->lexer));
  for (int i = 0; i < outputs.count; i++) HONE_TRY(set_output(p, graph, &outputs.items[i]));
  return NULL;
}

/* "hone 1", which may be left out, then "graph name". */
static hone_status *parse_head(parser *p, const char **name) {
  if (hone_lexer_is_word(&p->lexer, "hone")) {
    int64_t version;
    HONE_TRY(hone_lexer_next(&p->lexer));
    HONE_TRY(hone_lexer_int(&p->lexer, &version));
    if (version < 1 || version > HONE_TEXT_FORMAT)
      return hone_error(HONE_UNSUPPORTED, "text form %lld; this library reads up to %d",
                        (long long)version, HONE_TEXT_FORMAT);
  }
  if (!hone_lexer_is_word(&p->lexer, "graph"))
    return hone_lexer_fail(&p->lexer, "'graph' is wanted here");
  HONE_TRY(hone_lexer_next(&p->lexer));
  return hone_parse_name(&p->lexer, name);
}

static hone_status *parse_all(parser *p, const char *text, size_t size, hone_graph **out) {
  const char *name;
  HONE_TRY(hone_lexer_start(&p->lexer, text, size, &p->scratch));
  HONE_TRY(parse_head(p, &name));
  HONE_TRY(hone_graph_new(name, out));
  HONE_TRY(parse_graph(p, *out));
  if (p->lexer.token.kind != HONE_TOKEN_END)
    return hone_lexer_fail(&p->lexer, "something stands after the graph");
  return hone_graph_verify(*out);
}

hone_status *hone_graph_parse(const char *text, size_t size, hone_op_lookup *lookup,
                              hone_bytes weights, hone_graph **out) {
  parser p = {.lookup = lookup, .weights = weights};
  *out = NULL;
  hone_status *status = parse_all(&p, text, size, out);
  hone_arena_free(&p.scratch);
  if (!status) return NULL;
  hone_graph_free(*out);
  *out = NULL;
  return status;
}
