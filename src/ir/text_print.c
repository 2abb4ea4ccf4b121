/* Printing a graph in the text form; the grammar is in docs/graph.md. Room: ir. */
#include <string.h>

#include "base/real.h"
#include "ir/lexer.h"
#include "ir/text.h"
#include "ir/text_elements.h"

typedef struct printer {
  hone_text *out;
  const hone_graph *root;
  size_t inline_limit;
  hone_weight_place *place;
  void *argument;
  bool nameless;
} printer;

static void print_name(hone_text *out, const char *name) {
  if (hone_is_word(name)) hone_text_puts(out, name);
  else hone_text_quote(out, name, strlen(name));
}

static void print_value(const printer *p, const hone_value *value) {
  if (p->nameless) hone_text_printf(p->out, "%u", value->id);
  else print_name(p->out, value->name);
}

static void print_shape(const printer *p, const hone_shape *shape) {
  if (shape->rank == HONE_RANK_UNKNOWN) return;
  hone_text_puts(p->out, "[");
  for (int i = 0; i < shape->rank; i++) {
    if (i) hone_text_puts(p->out, ", ");
    if (hone_dim_known(shape->dim[i])) hone_text_printf(p->out, "%lld", (long long)shape->dim[i]);
    else print_name(p->out, hone_graph_symbol_name(p->root, shape->dim[i]));
  }
  hone_text_puts(p->out, "]");
}

static void print_type(const printer *p, const hone_type *type, hone_place place) {
  static const char *const opening[] = {[HONE_KIND_TENSOR] = "", [HONE_KIND_SEQUENCE] = "seq(",
                                        [HONE_KIND_OPTIONAL] = "opt("};
  bool nested = type->kind == HONE_KIND_OPTIONAL && type->item == HONE_KIND_SEQUENCE;
  if (place == HONE_PLACE_HOST) hone_text_puts(p->out, "host ");
  hone_text_puts(p->out, opening[type->kind]);
  if (nested) hone_text_puts(p->out, "seq(");
  hone_text_puts(p->out, type->dtype == HONE_DTYPE_NONE ? "?" : hone_dtype_name(type->dtype));
  print_shape(p, &type->shape);
  if (nested) hone_text_puts(p->out, ")");
  if (type->kind != HONE_KIND_TENSOR) hone_text_puts(p->out, ")");
}

static void print_declared(const printer *p, const hone_value *value) {
  if (!value) {
    hone_text_puts(p->out, "_");
    return;
  }
  print_value(p, value);
  hone_text_puts(p->out, ": ");
  print_type(p, &value->type, value->place);
}

static void print_indent(const printer *p, int depth) {
  for (int i = 0; i < depth; i++) hone_text_puts(p->out, "  ");
}

static void print_weight(const printer *p, const hone_value *value) {
  size_t offset = p->place(p->argument, value);
  if (offset == HONE_WEIGHT_ABSENT)
    hone_text_puts(p->out, "@absent");
  else
    hone_text_printf(p->out, "@weights+%zu", offset);
}

static void print_constant(const printer *p, const hone_value *value, int depth) {
  size_t count = 0;
  (void)hone_shape_count(&value->type.shape, &count);
  print_indent(p, depth);
  print_value(p, value);
  hone_text_puts(p->out, value->fixed ? " = const fixed " : " = const ");
  print_type(p, &value->type, value->place);
  hone_text_puts(p->out, " ");
  if (hone_value_is_absent(value))
    hone_text_puts(p->out, "@absent");
  else if (count <= p->inline_limit || value->type.dtype == HONE_STR)
    hone_print_elements(p->out, &value->type, value->constant);
  else if (p->place)
    print_weight(p, value);
  else
    hone_text_puts(p->out, "@elided");
  hone_text_puts(p->out, "\n");
}

static void print_attr_list(hone_text *out, const hone_attr_def *def, const hone_attr *attr) {
  hone_text_puts(out, "[");
  for (size_t i = 0; i < attr->count; i++) {
    if (i) hone_text_puts(out, ", ");
    if (def->kind == HONE_ATTR_INTS)
      hone_text_printf(out, "%lld", (long long)attr->integers[i]);
    else if (def->kind == HONE_ATTR_REALS)
      hone_text_real(out, attr->reals[i]);
    else
      hone_text_quote(out, attr->texts[i], strlen(attr->texts[i]));
  }
  hone_text_puts(out, "]");
}

static void print_attr(hone_text *out, const hone_attr_def *def, const hone_attr *attr) {
  hone_text_printf(out, "%s=", def->name);
  switch (def->kind) {
    case HONE_ATTR_INT: hone_text_printf(out, "%lld", (long long)attr->integer); break;
    case HONE_ATTR_FLAG: hone_text_puts(out, attr->integer ? "true" : "false"); break;
    case HONE_ATTR_REAL: hone_text_real(out, attr->real); break;
    case HONE_ATTR_TEXT: hone_text_quote(out, attr->text, strlen(attr->text)); break;
    case HONE_ATTR_CHOICE: hone_text_puts(out, attr->text); break;
    case HONE_ATTR_DTYPE: hone_text_puts(out, hone_dtype_name((hone_dtype)attr->integer)); break;
    default: print_attr_list(out, def, attr); break;
  }
}

static void print_attrs(hone_text *out, const hone_node *node) {
  const char *before = " {";
  for (int i = 0; i < HONE_MAX_ATTRS && node->op->attrs[i].name; i++) {
    if (!node->attrs[i].given) continue;
    hone_text_puts(out, before);
    print_attr(out, &node->op->attrs[i], &node->attrs[i]);
    before = ", ";
  }
  if (before[0] == ',') hone_text_puts(out, "}");
}

static void print_sources(const printer *p, const hone_node *node) {
  for (int i = 0; i < node->source_count && !p->nameless; i++) {
    hone_text_puts(p->out, i ? ", " : "  # from ");
    hone_text_quote(p->out, node->sources[i], strlen(node->sources[i]));
  }
  hone_text_puts(p->out, "\n");
}

static void print_graph(const printer *p, const hone_graph *graph, const char *keyword, int depth);

static void print_node(const printer *p, const hone_node *node, int depth) {
  print_indent(p, depth);
  for (int i = 0; i < node->output_count; i++) {
    if (i) hone_text_puts(p->out, ", ");
    print_declared(p, node->outputs[i]);
  }
  hone_text_printf(p->out, " = %s(", node->op->name);
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    if (i) hone_text_puts(p->out, ", ");
    if (input) print_value(p, input);
    else hone_text_puts(p->out, "_");
  }
  hone_text_puts(p->out, ")");
  print_attrs(p->out, node);
  for (int i = 0; i < node->region_count; i++)
    print_graph(p, node->regions[i], " region", depth);
  print_sources(p, node);
}

static void print_graph(const printer *p, const hone_graph *graph, const char *keyword,
                        int depth) {
  hone_text_printf(p->out, "%s ", keyword);
  if (!p->nameless) print_name(p->out, graph->name);
  hone_text_puts(p->out, "(");
  for (int i = 0; i < graph->input_count; i++) {
    if (i) hone_text_puts(p->out, ", ");
    print_declared(p, graph->inputs[i]);
  }
  hone_text_puts(p->out, ") -> (");
  for (int i = 0; i < graph->output_count; i++) {
    if (i) hone_text_puts(p->out, ", ");
    print_declared(p, graph->outputs[i].value);
  }
  hone_text_puts(p->out, ") {\n");
  for (size_t i = 0; i < graph->constant_count; i++)
    if (graph->constants[i]->uses) print_constant(p, graph->constants[i], depth + 1);
  for (const hone_node *node = graph->first; node; node = node->next)
    print_node(p, node, depth + 1);
  print_indent(p, depth);
  hone_text_puts(p->out, "}");
}

static hone_status *print_all(const printer *p, const hone_graph *graph) {
  hone_text_printf(p->out, "hone %d\n", HONE_TEXT_FORMAT);
  print_graph(p, graph, "graph", 0);
  hone_text_puts(p->out, "\n");
  return hone_text_status(p->out);
}

hone_status *hone_graph_print(const hone_graph *graph, size_t inline_limit,
                              hone_weight_place *place, void *argument, hone_text *out) {
  const printer p = {out, graph->root, inline_limit, place, argument, false};
  return print_all(&p, graph);
}

hone_status *hone_graph_print_nameless(const hone_graph *graph, size_t inline_limit,
                                       hone_text *out) {
  const printer p = {.out = out, .root = graph->root, .inline_limit = inline_limit, .nameless = true};
  return print_all(&p, graph);
}
