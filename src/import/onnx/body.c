/* Subgraphs: read, their inputs bound, converted where they stand. Room: import. */
#include "import/onnx/loops.h"

hone_status *onnx_bind_inputs(onnx_scope *scope, const onnx_graph *graph, hone_value *const *values,
                              size_t count) {
  if (graph->inputs.count != count)
    return hone_error(HONE_INVALID_MODEL, "a body with %zu inputs instead of %zu",
                      graph->inputs.count, count);
  for (size_t i = 0; i < count; i++) {
    onnx_value_info info;
    HONE_TRY(onnx_read_value_info(&scope->importer->reader, graph->inputs.items[i], &info));
    HONE_TRY(onnx_bind(scope, info.name, values[i]));
  }
  return NULL;
}

hone_status *onnx_convert_body(onnx_scope *scope, const onnx_graph *graph, hone_value **out) {
  onnx_importer *importer = scope->importer;
  if (importer->regions >= ONNX_MAX_REGIONS)
    return hone_error(HONE_LIMIT, "more than %d graphs inside each other", ONNX_MAX_REGIONS);
  HONE_TRY(onnx_declare(scope, graph));
  importer->regions++;
  hone_status *status = onnx_convert(scope, &graph->nodes);
  importer->regions--;
  for (size_t i = 0; !status && i < graph->outputs.count; i++) {
    onnx_value_info info;
    status = onnx_read_value_info(&importer->reader, graph->outputs.items[i], &info);
    if (!status) status = onnx_find(scope, info.name, &out[i]);
    if (!status && !out[i]) status = hone_error(HONE_INVALID_MODEL, "a body gives nothing");
  }
  return status;
}

hone_status *onnx_read_body(hone_call *call, const char *name, onnx_graph *out) {
  const onnx_attribute *attr = onnx_attr(call, name);
  if (!attr || !attr->g.data)
    return hone_error(HONE_INVALID_MODEL, "attribute %s is no graph", name);
  return onnx_read_graph(&onnx_own(call)->importer->reader, attr->g, out);
}

hone_status *onnx_inline_body(hone_call *call, const char *attr, hone_value *x, hone_value **out) {
  onnx_graph body;
  HONE_TRY(onnx_read_body(call, attr, &body));
  if (body.outputs.count != 1)
    return hone_error(HONE_INVALID_MODEL, "%s gives %zu outputs", attr, body.outputs.count);
  onnx_scope scope = onnx_scope_region(call, NULL, call->graph, 0, 0);
  hone_status *status = onnx_bind_inputs(&scope, &body, &x, 1);
  if (!status) status = onnx_convert_body(&scope, &body, out);
  onnx_scope_free(&scope);
  return hone_error_at(status, "%s", attr);
}

void onnx_add_outputs(hone_call *call, hone_node *node, size_t count) {
  hone_type unknown = hone_tensor_type(HONE_DTYPE_NONE, hone_shape_unknown());
  for (size_t i = 0; i < count && !call->status; i++)
    call->status = hone_node_add_output(node, NULL, unknown, NULL);
}
