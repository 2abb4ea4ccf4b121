/* Checking that a graph keeps the rules that graph.h and the ops' schemas state. Room: ir. */
#include <string.h>

#include "ir/text.h"

#define MAX_DEPTH 64

/* Whether input `index` of `signature` may be absent: its name, or the repeated one, is marked. */
static bool may_be_absent(const char *signature, int index) {
  const char *at = signature;
  for (int i = 0;; i++) {
    size_t size = strcspn(at, " ");
    bool repeats = size && at[size - 1] == '*';
    if (repeats || i == index || !at[size]) return repeats || (size && at[size - 1] == '?');
    at += size + 1;
  }
}

static hone_status *check_arity(const hone_node *node) {
  int least, most;
  const hone_op *op = node->op;
  hone_op_arity(op->inputs, &least, &most);
  if (node->input_count < least || node->input_count > most)
    return hone_error(HONE_INVALID_MODEL, "%d inputs where %s takes (%s)", node->input_count,
                      op->name, op->inputs);
  for (int i = 0; i < node->input_count; i++)
    if (!node->inputs[i].value && !may_be_absent(op->inputs, i))
      return hone_error(HONE_INVALID_MODEL, "input %d of (%s) is missing", i, op->inputs);
  hone_op_arity(op->outputs, &least, &most);
  if (node->output_count < least || node->output_count > most)
    return hone_error(HONE_INVALID_MODEL, "%d outputs where %s has (%s)", node->output_count,
                      op->name, op->outputs);
  return NULL;
}

static bool is_choice(const char *choices, const char *text) {
  size_t size = text ? strlen(text) : 0;
  for (const char *at = choices; text && *at;) {
    size_t span = strcspn(at, "|");
    if (span == size && memcmp(at, text, size) == 0) return true;
    at += span + (at[span] == '|');
  }
  return false;
}

static hone_status *check_attr(const hone_attr_def *def, const hone_attr *attr) {
  if (!attr->given && !def->fallback)
    return hone_error(HONE_INVALID_MODEL, "attribute %s must be given", def->name);
  if (def->kind == HONE_ATTR_CHOICE && !is_choice(def->choices, attr->text))
    return hone_error(HONE_INVALID_MODEL, "attribute %s is not one of %s", def->name, def->choices);
  if (def->kind == HONE_ATTR_DTYPE && (attr->integer < 0 || attr->integer >= HONE_DTYPE_COUNT))
    return hone_error(HONE_INVALID_MODEL, "attribute %s is no element type", def->name);
  return NULL;
}

hone_status *hone_node_check(const hone_node *node) {
  hone_status *status = check_arity(node);
  for (int i = 0; !status && i < HONE_MAX_ATTRS && node->op->attrs[i].name; i++)
    status = check_attr(&node->op->attrs[i], &node->attrs[i]);
  bool wants_regions = (node->op->facts & HONE_HAS_REGIONS) != 0;
  if (!status && wants_regions != (node->region_count > 0))
    status = hone_error(HONE_INVALID_MODEL, "%s has %d regions", node->op->name,
                        node->region_count);
  return hone_error_at(status, "node '%s' (%s)", hone_node_label(node), node->op->name);
}

/* One graph under check. `met[id]` says that the value with this id is defined by now, `used[id]`
 * how often it was seen as an input or output. */
typedef struct verifier {
  const hone_graph *graph;
  bool *met;
  uint32_t *used;
} verifier;

static hone_status *broken(const char *what, const hone_value *value) {
  char name[80];
  return hone_error(HONE_INVALID_MODEL, "%s: '%s'", what,
                    hone_quoted(name, sizeof name, value->name, strlen(value->name)));
}

static hone_status *check_type(const hone_graph *graph, const hone_value *value) {
  const hone_type *type = &value->type;
  if ((unsigned)type->dtype >= HONE_DTYPE_COUNT || (unsigned)type->kind > HONE_KIND_OPTIONAL)
    return broken("a value of no type", value);
  if (type->shape.rank < HONE_RANK_UNKNOWN || type->shape.rank > HONE_MAX_RANK)
    return broken("a rank out of range", value);
  for (int i = 0; i < type->shape.rank; i++) {
    hone_dim dim = type->shape.dim[i];
    if (!hone_dim_known(dim) && (size_t)(-1 - dim) >= graph->root->symbol_count)
      return broken("a dimension of no name", value);
  }
  return NULL;
}

static hone_status *define(verifier *v, const hone_value *value) {
  if (value->graph != v->graph) return broken("a value of another graph", value);
  if (value->id >= v->graph->next_id || v->met[value->id])
    return broken("two values of one number", value);
  if (hone_graph_find(v->graph, value->name) != value) return broken("a name in doubt", value);
  v->met[value->id] = true;
  return check_type(v->graph, value);
}

static hone_status *check_use(verifier *v, const hone_use *use, const hone_node *user) {
  const hone_value *value = use->value;
  if (use->user != user) return broken("a use by another node", value);
  if (value->graph != v->graph) return broken("a value of another graph", value);
  if (value->id >= v->graph->next_id || !v->met[value->id])
    return broken("used before it is made", value);
  v->used[value->id]++;
  return NULL;
}

/* The uses that a value lists are those that were seen. */
static hone_status *check_uses(const verifier *v, const hone_value *value) {
  uint32_t count = 0;
  for (const hone_use *use = value->uses; use; use = use->next) {
    if (use->value != value || count++ > v->used[value->id])
      return broken("a list of uses is wrong", value);
  }
  return count == v->used[value->id] ? NULL : broken("a list of uses is wrong", value);
}

static hone_status *check_constant(verifier *v, const hone_value *value) {
  size_t size;
  HONE_TRY(define(v, value));
  if (!value->constant || value->producer) return broken("a constant without elements", value);
  if (value->type.kind != HONE_KIND_TENSOR ||
      !hone_shape_bytes(&value->type.shape, value->type.dtype, &size) ||
      size != value->constant_size)
    return broken("a constant whose size does not fit its type", value);
  return NULL;
}

static hone_status *verify_graph(const hone_graph *graph, int depth);

static hone_status *check_regions(const hone_node *node, int depth) {
  for (int i = 0; i < node->region_count; i++) {
    const hone_graph *region = node->regions[i];
    if (region->owner != node || region->root != node->graph->root)
      return hone_error(HONE_INVALID_MODEL, "a region of another node");
    HONE_TRY(verify_graph(region, depth + 1));
  }
  return NULL;
}

static hone_status *check_links(verifier *v, const hone_node *node, int depth) {
  if (node->graph != v->graph || (node->next && node->next->previous != node))
    return hone_error(HONE_INVALID_MODEL, "a broken list of nodes");
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i].value) HONE_TRY(check_use(v, &node->inputs[i], node));
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *output = node->outputs[i];
    if (!output) continue;
    if (output->producer != node || output->index != i || output->constant)
      return broken("an output of another node", output);
    HONE_TRY(define(v, output));
  }
  return check_regions(node, depth);
}

static hone_status *check_node(verifier *v, const hone_node *node, int depth) {
  HONE_TRY(hone_node_check(node));
  return hone_error_at(check_links(v, node, depth), "node '%s' (%s)", hone_node_label(node),
                       node->op->name);
}

/* After everything was met: no use is missing from a list, none is too many. */
static hone_status *check_all_uses(const verifier *v) {
  const hone_graph *graph = v->graph;
  for (int i = 0; i < graph->input_count; i++) HONE_TRY(check_uses(v, graph->inputs[i]));
  for (size_t i = 0; i < graph->constant_count; i++) HONE_TRY(check_uses(v, graph->constants[i]));
  for (const hone_node *node = graph->first; node; node = node->next)
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i]) HONE_TRY(check_uses(v, node->outputs[i]));
  return NULL;
}

static hone_status *check_graph(verifier *v, int depth) {
  const hone_graph *graph = v->graph;
  for (int i = 0; i < graph->input_count; i++) {
    const hone_value *input = graph->inputs[i];
    HONE_TRY(define(v, input));
    if (input->producer || input->constant || input->index != i)
      return broken("an input that is none", input);
  }
  for (size_t i = 0; i < graph->constant_count; i++)
    HONE_TRY(check_constant(v, graph->constants[i]));
  const hone_node *last = NULL;
  for (const hone_node *node = graph->first; node; last = node, node = node->next)
    HONE_TRY(check_node(v, node, depth));
  if (graph->last != last) return hone_error(HONE_INVALID_MODEL, "a broken list of nodes");
  for (int i = 0; i < graph->output_count; i++) {
    if (!graph->outputs[i].value) return hone_error(HONE_INVALID_MODEL, "output %d is missing", i);
    HONE_TRY(check_use(v, &graph->outputs[i], NULL));
  }
  return check_all_uses(v);
}

static hone_status *verify_graph(const hone_graph *graph, int depth) {
  hone_arena scratch = {0};
  verifier v = {.graph = graph};
  if (depth > MAX_DEPTH) return hone_error(HONE_LIMIT, "too many regions inside each other");
  v.met = HONE_NEW_ARRAY(&scratch, (size_t)graph->next_id + 1, bool);
  v.used = HONE_NEW_ARRAY(&scratch, (size_t)graph->next_id + 1, uint32_t);
  hone_status *status = v.met && v.used ? check_graph(&v, depth) : hone_error_memory();
  hone_arena_free(&scratch);
  return status;
}

hone_status *hone_graph_verify(const hone_graph *graph) {
  char name[80];
  return hone_error_at(verify_graph(graph, 0), "graph '%s'",
                       hone_quoted(name, sizeof name, graph->name, strlen(graph->name)));
}
