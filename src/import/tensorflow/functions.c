/* Functions of the model: found by name, read when first called, converted in place of the call.
 * Room: import. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"

hone_status *tf_read_library(tf_importer *importer, hone_bytes library) {
  hone_proto_list list;
  if (!library.data) return NULL;
  HONE_TRY(tf_read_list(&importer->reader, library, 1, &list));
  for (size_t i = 0; i < list.count; i++) {
    hone_bytes signature, name;
    HONE_TRY(tf_read_bytes(&importer->reader, list.items[i], 1, &signature));
    HONE_TRY(tf_read_bytes(&importer->reader, signature, 1, &name));
    if (!name.size) return hone_error(HONE_INVALID_MODEL, "a function without a name");
    HONE_TRY(hone_map_put(&importer->functions, name.data, name.size, &list.items[i]));
  }
  return NULL;
}

hone_status *tf_find_function(tf_importer *importer, hone_bytes name, const tf_body **out) {
  tf_function_def function;
  char shown[80];
  *out = NULL;
  if (!name.size) return NULL;
  tf_body *body = hone_map_get(&importer->bodies, name.data, name.size);
  const hone_bytes *message = hone_map_get(&importer->functions, name.data, name.size);
  hone_quoted(shown, sizeof shown, name.data, name.size);
  if (!message) return NULL;
  if (body && !body->whole)
    return hone_error(HONE_INVALID_MODEL, "function '%s' could not be read", shown);
  *out = body;
  if (body) return NULL;
  body = HONE_NEW(&importer->scratch, tf_body);
  HONE_TRY_MEMORY(body);
  HONE_TRY(hone_map_put(&importer->bodies, name.data, name.size, body));
  HONE_TRY(tf_read_function_def(&importer->reader, *message, &function));
  HONE_TRY(hone_error_at(tf_read_function_body(importer, &function, body), "function '%s'", shown));
  body->whole = true;
  *out = body;
  return NULL;
}

static hone_status *convert_returns(tf_scope *scope, tf_value *out) {
  const tf_body *body = scope->body;
  for (int i = 0; i < body->return_count; i++)
    HONE_TRY(tf_demand(scope, body->returns[i], &out[i]));
  return NULL;
}

hone_status *tf_call_body(tf_call *call, const tf_body *body, hone_graph *graph,
                          const tf_value *in, int count, tf_value **out) {
  tf_importer *importer = call->importer;
  tf_scope scope;
  char prefix[620];
  if (count != body->argument_count)
    return hone_error(HONE_INVALID_MODEL, "a function of %d arguments is called with %d",
                      body->argument_count, count);
  if (importer->calls >= TF_MAX_CALLS)
    return hone_error(HONE_LIMIT, "more than %d functions inside each other", TF_MAX_CALLS);
  *out = HONE_NEW_ARRAY(&importer->scratch, body->return_count + 1, tf_value);
  HONE_TRY_MEMORY(*out);
  HONE_TRY(tf_scope_open(&scope, importer, body, graph));
  snprintf(prefix, sizeof prefix, "%s/", call->base.label);
  scope.prefix = prefix;
  scope.arguments = in;
  scope.caller = call;
  importer->calls++;
  hone_status *status = convert_returns(&scope, *out);
  importer->calls--;
  return status;
}

hone_status *tf_run_function(tf_call *call, const tf_body *body) {
  tf_value *out;
  HONE_TRY(tf_call_body(call, body, call->base.graph, call->in, call->input_count, &out));
  for (int i = 0; i < body->return_count; i++) tf_return(&call->base, i, out[i]);
  return NULL;
}

hone_status *tf_function_attr(tf_call *call, const char *attr, const tf_body **out) {
  tf_attr_value value;
  hone_bytes name;
  char shown[80];
  if (!tf_attr(call, attr, &value) || !value.func.data)
    return hone_error(HONE_INVALID_MODEL, "attribute %s is no function", attr);
  HONE_TRY(tf_read_bytes(&call->importer->reader, value.func, 1, &name));
  HONE_TRY(tf_find_function(call->importer, name, out));
  if (*out) return NULL;
  return hone_error(HONE_INVALID_MODEL, "the model has no function '%s'",
                    hone_quoted(shown, sizeof shown, name.data ? name.data : "", name.size));
}

/* ---- Operators that call ---- */

static hone_status *import_call(hone_call *call) {
  const tf_body *body;
  HONE_TRY(tf_function_attr(tf_call_of(call), "f", &body));
  return tf_run_function(tf_call_of(call), body);
}

/* The function that an engine stands for; as text in models of the first TF-TRT. NULL: the call
 * keeps the reason. */
static hone_status *segment_of(tf_call *call, const tf_body **out) {
  const char *name = hone_tf_text(&call->base, "segment_funcdef_name", "");
  *out = NULL;
  if (call->base.status) return NULL;
  if (!*name) return tf_function_attr(call, "segment_func", out);
  HONE_TRY(tf_find_function(call->importer, (hone_bytes){name, strlen(name)}, out));
  if (*out) return NULL;
  return hone_error(HONE_UNSUPPORTED, "its plan is of another library, and its native segment '%s' "
                                      "is not in the model", name);
}

/* An engine of TF-TRT or of Hone: the segment it stands for. Inputs behind the segment's are the
 * segment once more, for kernels that cannot read functions, and the engine itself. */
static hone_status *import_engine(hone_call *base) {
  tf_call *call = tf_call_of(base);
  const tf_body *body;
  HONE_TRY(segment_of(call, &body));
  if (!body) return NULL;
  int more = call->input_count - body->argument_count;
  if (more == 1 || more == 2) call->input_count -= more;
  return tf_run_function(call, body);
}

const hone_tf_row hone_tf_functions[] = {
    {"HoneEngine", .import = import_engine},
    {"PartitionedCall", .import = import_call},
    {"StatefulPartitionedCall", .import = import_call},
    {"TRTEngineOp", .import = import_engine},
    {0},
};
