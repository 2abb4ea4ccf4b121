/* The operators of ai.onnx.ml that prepare features and name labels. Room: import. */
#include <string.h>

#include "import/onnx/map.h"

#define DOMAIN "ai.onnx.ml"

static hone_status *import_feature_extractor(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  int64_t all = -1;
  hone_value *indices = hone_emit_reshape(call, hone_onnx_need(call, 1), &all, 1);
  hone_node *node = HONE_EMIT_BEGIN(call, "gather", x, indices);
  hone_emit_set_int(call, node, "axis", -1);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_binarizer(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  hone_dtype dtype = x->type.dtype;
  double threshold = hone_onnx_real(call, "threshold", 0);
  hone_value *above = HONE_EMIT(call, "greater", x, hone_emit_real(call, dtype, threshold));
  hone_onnx_return(call, 0, hone_emit_cast(call, above, dtype));
  return NULL;
}

/* One of the lists "<what>_strings", "_int64s", "_floats" or the tensor "<what>_tensor". */
static hone_value *label_list(hone_call *call, const char *tensor, const char *strings,
                              const char *ints, const char *floats) {
  size_t count;
  hone_shape shape = {.rank = 1};
  if (hone_onnx_has(call, tensor)) return hone_onnx_tensor(call, tensor);
  if (hone_onnx_has(call, strings)) {
    const hone_string *texts = hone_onnx_strings(call, strings, &count);
    shape.dim[0] = (hone_dim)count;
    return hone_emit_const(call, HONE_STR, shape, texts, count * sizeof *texts);
  }
  if (hone_onnx_has(call, ints)) {
    const int64_t *values = hone_onnx_ints(call, ints, &count);
    return hone_emit_ints(call, values, count);
  }
  const double *reals = hone_onnx_reals(call, floats, &count);
  shape.dim[0] = (hone_dim)count;
  return hone_emit_cast(call, hone_emit_const(call, HONE_F64, shape, reals, count * sizeof *reals),
                        HONE_F32);
}

/* What an unknown label becomes, of the type of the values. */
static hone_value *label_fallback(hone_call *call, hone_dtype dtype) {
  if (hone_onnx_has(call, "default_tensor")) return hone_onnx_tensor(call, "default_tensor");
  if (dtype == HONE_STR) {
    const char *text = hone_onnx_text(call, "default_string", "_Unused");
    hone_string string = {text, strlen(text)};
    return hone_emit_const(call, HONE_STR, (hone_shape){0}, &string, sizeof string);
  }
  if (hone_dtype_class_of(dtype) == HONE_CLASS_FLOAT)
    return hone_emit_real(call, dtype, hone_onnx_real(call, "default_float", -0.0));
  return hone_emit_cast(call, hone_emit_int(call, hone_onnx_int(call, "default_int64", -1)), dtype);
}

static hone_status *import_label_encoder(hone_call *call) {
  hone_value *keys = label_list(call, "keys_tensor", "keys_strings", "keys_int64s", "keys_floats");
  hone_value *values =
      label_list(call, "values_tensor", "values_strings", "values_int64s", "values_floats");
  if (call->status) return NULL;
  hone_value *fallback = label_fallback(call, values->type.dtype);
  hone_onnx_return(
      call, 0, HONE_EMIT(call, "label_lookup", hone_onnx_need(call, 0), keys, values, fallback));
  return NULL;
}

/* Texts to numbers or back, by what X is. */
static hone_status *import_category_mapper(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  bool from_text = x->type.dtype == HONE_STR;
  hone_value *texts = label_list(call, "", "cats_strings", "", "");
  hone_value *numbers = label_list(call, "", "", "cats_int64s", "");
  hone_value *fallback = label_fallback(call, from_text ? HONE_S64 : HONE_STR);
  hone_onnx_return(call, 0,
                   HONE_EMIT(call, "label_lookup", x, from_text ? texts : numbers,
                             from_text ? numbers : texts, fallback));
  return NULL;
}

/* Opset 1: a text is its place in the list, or back. */
static hone_status *import_label_encoder_1(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  bool from_text = x->type.dtype == HONE_STR;
  hone_value *texts = label_list(call, "", "classes_strings", "", "");
  hone_value *places = HONE_EMIT(call, "range", hone_emit_int(call, 0),
                                 HONE_EMIT(call, "size", texts), hone_emit_int(call, 1));
  hone_value *fallback = label_fallback(call, from_text ? HONE_S64 : HONE_STR);
  hone_onnx_return(call, 0, HONE_EMIT(call, "label_lookup", x, from_text ? texts : places,
                                      from_text ? places : texts, fallback));
  return NULL;
}

/* A list of maps from label to score is the tensor of scores here, column i being label i: what
 * converters give without ZipMap. */
static hone_status *import_zip_map(hone_call *call) {
  hone_onnx_return(call, 0, hone_onnx_need(call, 0));
  return NULL;
}

const hone_onnx_row hone_onnx_ml[] = {
    {DOMAIN, "ArrayFeatureExtractor", 1, 0, .import = import_feature_extractor},
    {DOMAIN, "Binarizer", 1, 0, .import = import_binarizer},
    {DOMAIN, "CategoryMapper", 1, 0, .import = import_category_mapper},
    {DOMAIN, "LabelEncoder", 1, 1, .import = import_label_encoder_1},
    {DOMAIN, "LabelEncoder", 2, 0, .import = import_label_encoder},
    {DOMAIN, "ZipMap", 1, 0, .import = import_zip_map},
    {0},
};
