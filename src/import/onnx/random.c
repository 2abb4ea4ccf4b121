/* Random operators of ONNX. Their numbers are no other library's: ONNX fixes no generator.
 * Room: import. */
#include "import/onnx/map.h"

static void set_seed(hone_call *call, hone_node *node) {
  if (hone_onnx_has(call, "seed"))
    hone_emit_set_real(call, node, "seed", hone_onnx_real(call, "seed", 0));
}

/* Numbers of `shape`, uniform or normal, of the type that the attribute names. */
static void import_made(hone_call *call, bool is_normal, hone_value *shape,
                        hone_dtype fallback) {
  hone_node *node =
      HONE_EMIT_BEGIN(call, is_normal ? "random_normal" : "random_uniform", shape);
  const char *first = is_normal ? "mean" : "low", *second = is_normal ? "scale" : "high";
  hone_emit_set_int(call, node, "dtype", hone_onnx_dtype(call, "dtype", fallback));
  hone_emit_set_real(call, node, first, hone_onnx_real(call, first, 0));
  hone_emit_set_real(call, node, second, hone_onnx_real(call, second, 1));
  set_seed(call, node);
  hone_onnx_end_return(call, node);
}

static hone_value *shape_attr(hone_call *call) {
  size_t count;
  const int64_t *dims = hone_onnx_ints(call, "shape", &count);
  return hone_emit_ints(call, dims, count);
}

static hone_status *import_random_normal(hone_call *call) {
  import_made(call, true, shape_attr(call), HONE_F32);
  return NULL;
}
static hone_status *import_random_uniform(hone_call *call) {
  import_made(call, false, shape_attr(call), HONE_F32);
  return NULL;
}
static hone_status *import_random_normal_like(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  import_made(call, true, HONE_EMIT(call, "shape", x), x->type.dtype);
  return NULL;
}
static hone_status *import_random_uniform_like(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  import_made(call, false, HONE_EMIT(call, "shape", x), x->type.dtype);
  return NULL;
}

static hone_status *import_bernoulli(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "bernoulli", hone_onnx_need(call, 0));
  hone_emit_set_int(call, node, "dtype", hone_onnx_dtype(call, "dtype", HONE_DTYPE_NONE));
  set_seed(call, node);
  hone_onnx_end_return(call, node);
  return NULL;
}

static hone_status *import_multinomial(hone_call *call) {
  hone_node *node = HONE_EMIT_BEGIN(call, "multinomial", hone_onnx_need(call, 0));
  hone_emit_set_int(call, node, "dtype", hone_onnx_dtype(call, "dtype", HONE_S32));
  hone_emit_set_int(call, node, "samples", hone_onnx_int(call, "sample_size", 1));
  set_seed(call, node);
  hone_onnx_end_return(call, node);
  return NULL;
}

const hone_onnx_row hone_onnx_random[] = {
    {"", "Bernoulli", 15, 0, .import = import_bernoulli},
    {"", "Multinomial", 7, 0, .import = import_multinomial},
    {"", "RandomNormal", 1, 0, .import = import_random_normal},
    {"", "RandomNormalLike", 1, 0, .import = import_random_normal_like},
    {"", "RandomUniform", 1, 0, .import = import_random_uniform},
    {"", "RandomUniformLike", 1, 0, .import = import_random_uniform_like},
    {0}};
