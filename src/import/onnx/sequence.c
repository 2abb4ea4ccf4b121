/* Sequences and optionals. Room: import. */
#include "import/onnx/importer.h"

static hone_status *import_empty(hone_call *call) {
  hone_node *node = hone_emit_begin(call, "sequence_make", NULL, 0, 1);
  hone_emit_set_int(call, node, "dtype", hone_onnx_dtype(call, "dtype", HONE_F32));
  hone_onnx_end_return(call, node);
  return NULL;
}

/* Without an input the attribute `type` says what it would hold. */
static hone_status *import_optional(hone_call *call) {
  hone_value *x = hone_onnx_in(call, 0);
  hone_node *node = hone_emit_begin(call, "optional_make", &x, 1, 1);
  const onnx_attribute *attr = onnx_attr(call, "type");
  if (!x && attr) {
    hone_type type;
    HONE_TRY(onnx_value_type(onnx_own(call)->importer, attr->tp, &type));
    hone_emit_set_int(call, node, "dtype", type.dtype);
    hone_emit_set_int(call, node, "sequence", type.kind == HONE_KIND_SEQUENCE);
  }
  hone_onnx_end_return(call, node);
  return NULL;
}

const hone_onnx_row hone_onnx_sequence[] = {
    {"", "SequenceConstruct", 11, 0, "sequence_make"},
    {"", "SequenceEmpty", 11, 0, .import = import_empty},
    {"", "SequenceAt", 11, 0, "sequence_at"},
    {"", "SequenceInsert", 11, 0, "sequence_insert"},
    {"", "SequenceErase", 11, 0, "sequence_erase"},
    {"", "SequenceLength", 11, 0, "sequence_length"},
    {"", "SplitToSequence", 11, 0, "sequence_split", "axis keep<keepdims"},
    {"", "ConcatFromSequence", 11, 0, "sequence_concat", "axis new_axis"},
    {"", "Optional", 15, 0, .import = import_optional},
    {"", "OptionalGetElement", 15, 0, "optional_get"},
    {"", "OptionalHasElement", 15, 0, "optional_has"},
    {0},
};
