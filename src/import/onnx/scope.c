/* Which name is which value, and how values get into regions. Room: import. */
#include <string.h>

#include "base/text.h"
#include "import/onnx/importer.h"
#include "import/regions.h"

const char *onnx_text(onnx_importer *importer, hone_bytes span) {
  char *text = hone_arena_text(&importer->scratch, span.data ? span.data : "", span.size);
  for (size_t i = 0; text && i < span.size; i++)
    if (!text[i]) text[i] = '?';
  return text;
}

void onnx_scope_free(onnx_scope *scope) {
  hone_map_free(&scope->names);
  hone_map_free(&scope->hints);
  hone_arena_free(&scope->memory);
}

static hone_status *put(onnx_scope *scope, hone_bytes name, onnx_binding binding) {
  onnx_binding *kept = HONE_NEW(&scope->importer->scratch, onnx_binding);
  HONE_TRY_MEMORY(kept);
  *kept = binding;
  return hone_map_put(&scope->names, name.data, name.size, kept);
}

static onnx_binding *get(const onnx_scope *scope, hone_bytes name) {
  return hone_map_get(&scope->names, name.data, name.size);
}

hone_status *onnx_bind(onnx_scope *scope, hone_bytes name, hone_value *value) {
  char shown[80];
  if (get(scope, name))
    return hone_error(HONE_INVALID_MODEL, "two values are named '%s'",
                      hone_quoted(shown, sizeof shown, name.data, name.size));
  return put(scope, name, (onnx_binding){.value = value});
}

hone_status *onnx_bind_initializer(onnx_scope *scope, hone_bytes name, hone_bytes tensor,
                                   bool sparse) {
  char shown[80];
  if (!name.size) return hone_error(HONE_INVALID_MODEL, "an initializer without a name");
  if (get(scope, name))
    return hone_error(HONE_INVALID_MODEL, "two initializers are named '%s'",
                      hone_quoted(shown, sizeof shown, name.data, name.size));
  return put(scope, name, (onnx_binding){.initializer = tensor, .sparse = sparse});
}

static hone_status *make_constant(onnx_scope *scope, hone_bytes name, onnx_binding *binding) {
  char shown[80];
  hone_status *(*make)(onnx_importer *, hone_graph *, hone_bytes, hone_bytes, hone_value **) =
      binding->sparse ? onnx_sparse_constant : onnx_constant;
  return hone_error_at(
      make(scope->importer, scope->graph, name, binding->initializer, &binding->value),
      "initializer '%s'", hone_quoted(shown, sizeof shown, name.data, name.size));
}

/* A branch that is inlined shares its graph with the scope around it. */
static hone_status *bring_in(onnx_scope *scope, hone_bytes name, hone_value *value) {
  hone_value *inside = value;
  if (!value || !scope->owner) return put(scope, name, (onnx_binding){.value = value});
  HONE_TRY(hone_region_capture(scope->graph, scope->first_capture, scope->region_offset, value,
                               &inside));
  return put(scope, name, (onnx_binding){.value = inside});
}

/* From the scope that knows the name inwards, one region at a time. */
hone_status *onnx_find(onnx_scope *scope, hone_bytes name, hone_value **out) {
  onnx_scope *path[ONNX_MAX_REGIONS + 2];
  int depth = 0;
  char shown[80];
  onnx_scope *at = scope;
  while (at && !get(at, name)) {
    path[depth++] = at;
    at = at->outer;
  }
  if (!at)
    return hone_error(HONE_INVALID_MODEL, "nothing gives '%s'",
                      hone_quoted(shown, sizeof shown, name.data, name.size));
  onnx_binding *binding = get(at, name);
  if (binding->initializer.data && !binding->value) HONE_TRY(make_constant(at, name, binding));
  while (depth > 0) {
    at = path[--depth];
    HONE_TRY(bring_in(at, name, binding->value));
    binding = get(at, name);
  }
  *out = binding->value;
  return NULL;
}

static hone_status *declare_sparse(onnx_scope *scope, hone_bytes bytes) {
  onnx_sparse_tensor sparse;
  onnx_tensor values;
  hone_proto_reader *reader = &scope->importer->reader;
  HONE_TRY(onnx_read_sparse_tensor(reader, bytes, &sparse));
  HONE_TRY(onnx_read_tensor(reader, sparse.values, &values));
  return onnx_bind_initializer(scope, values.name, bytes, true);
}

/* Only the name is looked at: the lists of a tensor that nobody uses are never made. */
static hone_status *declare_dense(onnx_scope *scope, hone_bytes bytes) {
  static const hone_proto_rule rules[] = {{8, HONE_PROTO_BYTES, false, 0}};
  hone_bytes name = {0};
  HONE_TRY(hone_proto_read(&scope->importer->reader, bytes, rules, 1, &name));
  return onnx_bind_initializer(scope, name, bytes, false);
}

static hone_status *declare_hint(onnx_scope *scope, hone_bytes bytes) {
  onnx_value_info info;
  HONE_TRY(onnx_read_value_info(&scope->importer->reader, bytes, &info));
  if (!info.name.size || !info.type.data) return NULL;
  hone_bytes *type = hone_arena_copy(&scope->importer->scratch, &info.type, sizeof info.type);
  HONE_TRY_MEMORY(type);
  return hone_map_put(&scope->hints, info.name.data, info.name.size, type);
}

hone_status *onnx_declare(onnx_scope *scope, const onnx_graph *graph) {
  for (size_t i = 0; i < graph->initializers.count; i++)
    HONE_TRY(declare_dense(scope, graph->initializers.items[i]));
  for (size_t i = 0; i < graph->sparse_initializers.count; i++)
    HONE_TRY(declare_sparse(scope, graph->sparse_initializers.items[i]));
  for (size_t i = 0; i < graph->value_infos.count; i++)
    HONE_TRY(declare_hint(scope, graph->value_infos.items[i]));
  return NULL;
}

/* The standard's domain goes by two names. */
static bool same_domain(hone_bytes a, hone_bytes b) {
  if (onnx_span_is(a, "ai.onnx")) a.size = 0;
  if (onnx_span_is(b, "ai.onnx")) b.size = 0;
  return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

int onnx_opset_of(const onnx_scope *scope, hone_bytes domain) {
  for (size_t i = 0; i < scope->opset_count; i++) {
    if (!same_domain(scope->opsets[i].domain, domain)) continue;
    uint64_t version = hone_proto_varint(scope->opsets[i].version);
    return version > 100000 ? 100000 : (int)version;
  }
  return 0;
}

hone_status *onnx_read_opsets(onnx_importer *importer, const hone_proto_list *list,
                              onnx_scope *scope) {
  onnx_opset *opsets = HONE_NEW_ARRAY(&importer->scratch, list->count + 1, onnx_opset);
  HONE_TRY_MEMORY(opsets);
  for (size_t i = 0; i < list->count; i++)
    HONE_TRY(onnx_read_opset(&importer->reader, list->items[i], &opsets[i]));
  scope->opsets = opsets;
  scope->opset_count = list->count;
  return NULL;
}

onnx_scope onnx_scope_region(hone_call *call, hone_node *owner, hone_graph *region,
                             int first_capture, int region_offset) {
  onnx_call *own = onnx_own(call);
  const onnx_scope *around = own->scope;
  return (onnx_scope){.importer = own->importer,
                      .outer = own->scope,
                      .owner = owner,
                      .first_capture = first_capture,
                      .region_offset = region_offset,
                      .graph = region,
                      .opsets = around->opsets,
                      .opset_count = around->opset_count,
                      .arguments = around->arguments,
                      .argument_count = around->argument_count,
                      .prefix = around->prefix};
}
