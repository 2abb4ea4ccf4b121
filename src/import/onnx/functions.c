/* The model's own functions: found by name, inlined where they are called. Room: import. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "import/onnx/importer.h"

/* "domain:name:overload"; the parts cannot be told apart by an attacker's colons alone, but the
 * worst that a clash does is to name another function of the same model. */
static const char *function_key(onnx_importer *importer, hone_bytes domain, hone_bytes name,
                                hone_bytes overload, size_t *size) {
  if (onnx_span_is(domain, "ai.onnx")) domain.size = 0;
  *size = domain.size + name.size + overload.size + 2;
  char *key = hone_arena_alloc(&importer->scratch, *size), *at = key;
  if (!key) return NULL;
  hone_bytes parts[] = {domain, {":", 1}, name, {":", 1}, overload};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (parts[i].size) memcpy(at, parts[i].data, parts[i].size);
    at += parts[i].size;
  }
  return key;
}

hone_status *onnx_read_functions(onnx_importer *importer, const hone_proto_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    onnx_local *local = HONE_NEW(&importer->scratch, onnx_local);
    HONE_TRY_MEMORY(local);
    onnx_function *function = &local->function;
    HONE_TRY(onnx_read_function(&importer->reader, list->items[i], function));
    size_t size;
    const char *key =
        function_key(importer, function->domain, function->name, function->overload, &size);
    HONE_TRY_MEMORY(key);
    HONE_TRY(hone_map_put(&importer->functions, key, size, local));
  }
  return NULL;
}

onnx_local *onnx_find_function(onnx_importer *importer, const onnx_node *node) {
  if (!importer->functions.count) return NULL;
  size_t size;
  const char *key = function_key(importer, node->domain, node->op, node->overload, &size);
  return key ? hone_map_get(&importer->functions, key, size) : NULL;
}

static bool has_argument(const onnx_attribute *attrs, size_t count, hone_bytes name) {
  for (size_t i = 0; i < count; i++)
    if (attrs[i].name.size == name.size && memcmp(attrs[i].name.data, name.data, name.size) == 0)
      return true;
  return false;
}

/* The call's attributes, and the function's defaults for those it does not give. */
static hone_status *take_arguments(hone_call *call, const onnx_function *function,
                                   onnx_scope *scope) {
  onnx_call *own = onnx_own(call);
  /* They live with the caller's call, which lasts until the body is done. */
  hone_arena *memory = &own->scope->memory;
  const hone_proto_list *defaults = &function->attribute_defaults;
  size_t count = (size_t)own->attr_count;
  onnx_attribute *all = HONE_NEW_ARRAY(memory, count + defaults->count + 1, onnx_attribute);
  HONE_TRY_MEMORY(all);
  if (count) memcpy(all, own->attrs, count * sizeof *all);
  for (size_t i = 0; i < defaults->count; i++) {
    onnx_attribute attr;
    HONE_TRY(onnx_read_attribute(&own->importer->reader, defaults->items[i], &attr));
    if (!has_argument(all, count, attr.name)) all[count++] = attr;
  }
  scope->arguments = all;
  scope->argument_count = count;
  return NULL;
}

hone_status *onnx_enter_function(hone_call *call, onnx_local *local, onnx_scope *scope) {
  onnx_call *own = onnx_own(call);
  onnx_importer *importer = own->importer;
  const onnx_function *function = &local->function;
  char prefix[400], name[80];
  scope->graph = call->graph;
  if (local->open)
    return hone_error(HONE_INVALID_MODEL, "function '%s' calls itself",
                      hone_quoted(name, sizeof name, function->name.data, function->name.size));
  local->open = true;
  if ((size_t)own->input_count > function->inputs.count ||
      (size_t)own->output_count > function->outputs.count)
    return hone_error(HONE_INVALID_MODEL,
                      "a call with %d inputs and %d outputs, where the function "
                      "has %zu and %zu",
                      own->input_count, own->output_count, function->inputs.count,
                      function->outputs.count);
  if (!local->nodes) {
    HONE_TRY(onnx_read_nodes(importer, &function->nodes, &local->nodes));
    HONE_TRY(onnx_order(importer, local->nodes, function->nodes.count, &local->order));
  }
  HONE_TRY(onnx_read_opsets(importer, &function->opsets, scope));
  if (!scope->opset_count) {
    scope->opsets = own->scope->opsets;
    scope->opset_count = own->scope->opset_count;
  }
  snprintf(prefix, sizeof prefix, "%s/", call->label);
  scope->prefix = hone_arena_text(&own->scope->memory, prefix, strlen(prefix));
  HONE_TRY_MEMORY(scope->prefix);
  HONE_TRY(take_arguments(call, function, scope));
  for (size_t i = 0; i < function->inputs.count; i++)
    HONE_TRY(onnx_bind(scope, function->inputs.items[i],
                       i < (size_t)own->input_count ? own->in[i] : NULL));
  return NULL;
}

hone_status *onnx_leave_function(onnx_scope *caller, const onnx_node *node, onnx_local *local,
                                 onnx_scope *scope) {
  local->open = false;
  for (size_t i = 0; i < node->outputs.count; i++) {
    hone_bytes name = node->outputs.items[i];
    hone_value *value;
    if (!name.size) continue;
    HONE_TRY(onnx_find(scope, local->function.outputs.items[i], &value));
    if (!value) return hone_error(HONE_INVALID_MODEL, "a function gives an input that is absent");
    HONE_TRY(onnx_bind(caller, name, value));
  }
  return NULL;
}
