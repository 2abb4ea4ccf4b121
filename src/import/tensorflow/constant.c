/* Constants and variables. Room: import. */
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

const hone_tf_row hone_tf_constant[] = {
    {"Const", .import = import_const},
    {0},
};
