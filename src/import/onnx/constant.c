/* Constant: a tensor, or a number, text or list that becomes one. Room: import. */
#include <string.h>

#include "import/onnx/map.h"

static hone_value *strings_constant(hone_call *call, const hone_string *strings, size_t count,
                                    int rank) {
  hone_shape shape = {.rank = rank, .dim = {(hone_dim)count}};
  return hone_emit_const(call, HONE_STR, shape, strings, count * sizeof *strings);
}

static hone_value *reals_constant(hone_call *call) {
  size_t count;
  const double *values = hone_onnx_reals(call, "value_floats", &count);
  float *narrow = hone_alloc(count * sizeof *narrow);
  if (!narrow) {
    hone_emit_fail(call, HONE_OUT_OF_MEMORY, "out of memory");
    return NULL;
  }
  for (size_t i = 0; i < count; i++) narrow[i] = (float)values[i];
  hone_shape shape = {.rank = 1, .dim = {(hone_dim)count}};
  hone_value *made = hone_emit_const(call, HONE_F32, shape, narrow, count * sizeof *narrow);
  hone_free(narrow);
  return made;
}

static hone_status *import_constant(hone_call *call) {
  hone_value *value = NULL;
  size_t count;
  if (hone_onnx_has(call, "value"))
    value = hone_onnx_tensor(call, "value");
  else if (hone_onnx_has(call, "sparse_value"))
    value = hone_onnx_tensor(call, "sparse_value");
  else if (hone_onnx_has(call, "value_int"))
    value = hone_emit_int(call, hone_onnx_int(call, "value_int", 0));
  else if (hone_onnx_has(call, "value_float"))
    value = hone_emit_real(call, HONE_F32, hone_onnx_real(call, "value_float", 0));
  else if (hone_onnx_has(call, "value_ints")) {
    const int64_t *values = hone_onnx_ints(call, "value_ints", &count);
    value = hone_emit_ints(call, values, count);
  } else if (hone_onnx_has(call, "value_floats")) {
    value = reals_constant(call);
  } else if (hone_onnx_has(call, "value_string")) {
    const char *text = hone_onnx_text(call, "value_string", "");
    value = strings_constant(call, &(hone_string){text, strlen(text)}, 1, 0);
  } else if (hone_onnx_has(call, "value_strings")) {
    const hone_string *texts = hone_onnx_strings(call, "value_strings", &count);
    value = strings_constant(call, texts, count, 1);
  } else {
    return hone_emit_fail(call, HONE_INVALID_MODEL, "a constant without a value");
  }
  hone_onnx_return(call, 0, value);
  return NULL;
}

const hone_onnx_row hone_onnx_constant[] = {
    {"", "Constant", 1, 0, .import = import_constant},
    {0},
};
