/* Constants, and what stays what it is. Room: import. */
#include "import/tensorflow/importer.h"

static hone_status *import_const(hone_call *call) {
  tf_call *own = tf_call_of(call);
  tf_attr_value attr;
  hone_value *value = NULL;
  if (!tf_attr(own, "value", &attr) || !attr.tensor.data)
    return hone_emit_fail(call, HONE_INVALID_MODEL, "attribute value is no tensor");
  hone_emit_keep(call, tf_constant(own->importer, call->graph, call->label, attr.tensor, &value));
  hone_tf_return(call, 0, value);
  return NULL;
}

/* Handles and lists pass as well as tensors. */
static hone_status *import_identity(hone_call *call) {
  tf_call *own = tf_call_of(call);
  for (int i = 0; i < own->input_count; i++) tf_return(call, i, own->in[i]);
  return NULL;
}

const hone_tf_row hone_tf_constant[] = {
    {"CheckNumerics", .import = import_identity},
    {"Const", .import = import_const},
    {"EnsureShape", .import = import_identity},
    {"Identity", .import = import_identity},
    {"IdentityN", .import = import_identity},
    {"PlaceholderWithDefault", .import = import_identity},
    {"PreventGradient", .import = import_identity},
    {"Snapshot", .import = import_identity},
    {"StopGradient", .import = import_identity},
    {"_CopyFromHostToGpu", .import = import_identity},
    {0},
};
