/* Turning nodes into calls of rows, and calls of the model's own functions into their bodies.
 * Room: import. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "import/onnx/importer.h"

/* A run of nodes under conversion. Functions calling functions make a chain of frames on the heap,
 * not on the stack. */
typedef struct frame {
  onnx_scope own; /* of a function's body */
  onnx_scope *scope;
  const onnx_node *nodes;
  const size_t *order; /* NULL: as they stand */
  size_t count, at;
  onnx_local *local; /* the function, called by `caller` in the frame below */
  const onnx_node *caller;
  struct frame *below;
} frame;

/* Whether so many bytes more may be taken. */
static hone_status *check_memory(onnx_importer *importer, size_t more) {
  size_t used = importer->scratch.total + importer->root->storage.total +
                hone_map_bytes(&importer->root->names);
  if (used > importer->reader.limit || more > importer->reader.limit - used)
    return hone_error(HONE_LIMIT, "importing it takes more than %zu bytes of memory",
                      importer->reader.limit);
  return NULL;
}

hone_status *onnx_check_limits(onnx_importer *importer) {
  HONE_TRY(check_memory(importer, 0));
  if (importer->visits++ > importer->visit_limit)
    return hone_error(HONE_LIMIT, "its functions and loops unfold into more than %zu nodes",
                      importer->visit_limit);
  return NULL;
}

hone_status *onnx_read_nodes(onnx_importer *importer, const hone_proto_list *list,
                             onnx_node **out) {
  HONE_TRY(check_memory(importer, list->count * sizeof **out)); /* the list itself fits in memory */
  *out = HONE_NEW_ARRAY(&importer->scratch, list->count + 1, onnx_node);
  HONE_TRY_MEMORY(*out);
  for (size_t i = 0; i < list->count; i++)
    HONE_TRY(onnx_read_node(&importer->reader, list->items[i], &(*out)[i]));
  return NULL;
}

/* What errors and reports call the node: its name, or operator and first output. */
static const char *node_label(onnx_scope *scope, const onnx_node *node) {
  char own[160], text[320];
  if (node->name.size) {
    hone_quoted(own, sizeof own, node->name.data, node->name.size);
    snprintf(text, sizeof text, "%s%s", scope->prefix, own);
  } else {
    char op[60];
    hone_bytes output = node->outputs.count ? node->outputs.items[0] : (hone_bytes){"", 0};
    snprintf(text, sizeof text, "%s%s(%s)", scope->prefix,
             hone_quoted(op, sizeof op, node->op.data ? node->op.data : "", node->op.size),
             hone_quoted(own, sizeof own, output.data, output.size));
  }
  return hone_arena_text(&scope->memory, text, strlen(text));
}

static hone_status *read_attributes(hone_call *call) {
  onnx_call *own = onnx_own(call);
  const hone_proto_list *list = &own->node->attributes;
  const onnx_scope *scope = own->scope;
  own->attrs = HONE_NEW_ARRAY(&own->scope->memory, list->count + 1, onnx_attribute);
  HONE_TRY_MEMORY(own->attrs);
  for (size_t i = 0; i < list->count; i++) {
    onnx_attribute attr;
    HONE_TRY(onnx_read_attribute(&own->importer->reader, list->items[i], &attr));
    if (attr.reference.size) {
      const onnx_attribute *given = NULL;
      for (size_t k = 0; !given && k < scope->argument_count; k++) {
        hone_bytes name = scope->arguments[k].name;
        if (name.size == attr.reference.size &&
            memcmp(name.data, attr.reference.data, name.size) == 0)
          given = &scope->arguments[k];
      }
      if (!given) continue;
      hone_bytes name = attr.name;
      attr = *given;
      attr.name = name;
    }
    own->attrs[own->attr_count++] = attr;
  }
  return NULL;
}

static hone_status *find_inputs(hone_call *call) {
  onnx_call *own = onnx_own(call);
  const hone_proto_list *inputs = &own->node->inputs;
  own->in = HONE_NEW_ARRAY(&own->scope->memory, inputs->count + 1, hone_value *);
  own->out = HONE_NEW_ARRAY(&own->scope->memory, own->node->outputs.count + 1, hone_value *);
  if (!own->in || !own->out) return hone_error_memory();
  for (size_t i = 0; i < inputs->count; i++)
    if (inputs->items[i].size) HONE_TRY(onnx_find(own->scope, inputs->items[i], &own->in[i]));
  own->input_count = (int)inputs->count;
  own->output_count = (int)own->node->outputs.count;
  own->first_id = call->graph->next_id;
  return NULL;
}

/* A rank that no shape rule found out may be known to the model. */
static hone_status *take_hint(hone_call *call, hone_bytes name, hone_value *value) {
  onnx_call *own = onnx_own(call);
  const hone_bytes *hint = hone_map_get(&own->scope->hints, name.data, name.size);
  hone_type type;
  if (!hint || value->id < own->first_id || value->type.kind != HONE_KIND_TENSOR ||
      value->type.shape.rank != HONE_RANK_UNKNOWN)
    return NULL;
  HONE_TRY(onnx_value_type(own->importer, *hint, &type));
  if (type.kind != HONE_KIND_TENSOR) return NULL;
  for (int i = 0; i < type.shape.rank; i++)
    if (hone_dim_known(type.shape.dim[i]))
      HONE_TRY(hone_graph_symbol(own->importer->root, NULL, &type.shape.dim[i]));
  value->type.shape = type.shape;
  return NULL;
}

static hone_status *bind_outputs(hone_call *call) {
  onnx_call *own = onnx_own(call);
  for (int i = 0; i < own->output_count; i++) {
    hone_bytes name = own->node->outputs.items[i];
    hone_value *value = own->out[i];
    if (!name.size) continue;
    if (!value) return hone_error(HONE_UNSUPPORTED, "its output %d is not given here", i);
    if (value->id >= own->first_id) {
      const char *text = hone_arena_text(&own->scope->memory, name.data, name.size);
      HONE_TRY_MEMORY(text);
      HONE_TRY(hone_value_rename(value, text));
    }
    HONE_TRY(take_hint(call, name, value));
    HONE_TRY(onnx_bind(own->scope, name, value));
  }
  return NULL;
}

/* What importing the call left in it is its answer. */
static hone_status *end_call(hone_call *call, hone_status *status) {
  if (!status) {
    status = call->status;
    call->status = NULL;
  }
  hone_status_free(call->status);
  HONE_TRY(status);
  return bind_outputs(call);
}

static hone_status *no_row(const onnx_node *node, int opset) {
  char op[60], domain[60];
  const char *why = onnx_refusal(node);
  hone_quoted(op, sizeof op, node->op.data ? node->op.data : "", node->op.size);
  hone_quoted(domain, sizeof domain, node->domain.data ? node->domain.data : "", node->domain.size);
  if (why)
    return hone_error(HONE_UNSUPPORTED, "operator '%s' of domain %s is not supported: %s", op,
                      domain, why);
  return hone_error(HONE_UNSUPPORTED, "operator '%s'%s%s is not supported at opset %d", op,
                    node->domain.size ? " of domain " : "", node->domain.size ? domain : "", opset);
}

static hone_status *call_row(hone_call *call) {
  onnx_call *own = onnx_own(call);
  const onnx_node *node = own->node;
  own->opset = onnx_opset_of(own->scope, node->domain);
  if (!own->opset && !node->domain.size)
    return hone_error(HONE_INVALID_MODEL, "the model does not say its opset");
  if (!own->opset) own->opset = 1;
  own->row = onnx_find_row(own->importer, node, own->opset);
  if (!own->row) return no_row(node, own->opset);
  return end_call(call, onnx_run_row(call));
}

static hone_status *push_function(hone_call *call, onnx_local *local, frame **top) {
  frame *f = hone_alloc_zero(sizeof *f);
  HONE_TRY_MEMORY(f);
  f->below = *top;
  f->scope = &f->own;
  f->local = local;
  f->caller = onnx_own(call)->node;
  f->own.importer = onnx_own(call)->importer;
  *top = f; /* from here on freed with the chain */
  HONE_TRY(onnx_enter_function(call, local, &f->own));
  f->nodes = local->nodes;
  f->order = local->order;
  f->count = local->function.nodes.count;
  return NULL;
}

static hone_status *limits(hone_call *call) {
  return onnx_check_limits(onnx_own(call)->importer);
}

static hone_status *convert_node(const onnx_node *node, frame **top) {
  onnx_scope *scope = (*top)->scope;
  hone_arena_reset(&scope->memory);
  onnx_call own = {.base = {.graph = scope->graph,
                            .label = node_label(scope, node),
                            .placeholder = &scope->importer->placeholder,
                            .limits = limits},
                   .importer = scope->importer,
                   .scope = scope,
                   .node = node};
  hone_call *call = &own.base;
  HONE_TRY_MEMORY(call->label);
  hone_status *status = onnx_check_limits(scope->importer);
  if (!status) status = read_attributes(call);
  if (!status) status = find_inputs(call);
  if (!status) {
    const hone_op *op = onnx_find_user_op(node);
    onnx_local *local = op ? NULL : onnx_find_function(scope->importer, node);
    status = op      ? end_call(call, onnx_run_user_op(call, op))
             : local ? push_function(call, local, top)
                     : call_row(call);
  }
  char shown[60];
  return hone_error_at(
      status, "node '%s' (%s)", call->label,
      hone_quoted(shown, sizeof shown, node->op.data ? node->op.data : "", node->op.size));
}

static hone_status *pop_frame(frame **top, hone_status *status) {
  frame *f = *top;
  *top = f->below;
  if (!status && f->local)
    status = onnx_leave_function(f->below->scope, f->caller, f->local, &f->own);
  if (f->local) onnx_scope_free(&f->own);
  hone_free(f);
  return status;
}

hone_status *onnx_convert(onnx_scope *scope, const hone_proto_list *list) {
  onnx_node *nodes;
  size_t *order;
  HONE_TRY(onnx_read_nodes(scope->importer, list, &nodes));
  HONE_TRY(onnx_order(scope->importer, nodes, list->count, &order));
  frame *top = hone_alloc_zero(sizeof *top);
  HONE_TRY_MEMORY(top);
  *top = (frame){.scope = scope, .nodes = nodes, .order = order, .count = list->count};
  hone_status *status = NULL;
  while (top) {
    if (status || top->at == top->count) {
      status = pop_frame(&top, status);
      continue;
    }
    const onnx_node *node = &top->nodes[top->order ? top->order[top->at] : top->at];
    top->at++;
    status = convert_node(node, &top);
  }
  return status;
}
