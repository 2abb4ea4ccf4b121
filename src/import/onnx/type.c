/* ONNX's types. Room: import. */
#include "import/onnx/importer.h"

/* By TensorProto.DataType. */
static const unsigned char dtypes[] = {
    HONE_DTYPE_NONE, HONE_F32,    HONE_U8,         HONE_S8,   HONE_U16,  HONE_S16,
    HONE_S32,        HONE_S64,    HONE_STR,        HONE_BOOL, HONE_F16,  HONE_F64,
    HONE_U32,        HONE_U64,    HONE_C64,        HONE_C128, HONE_BF16, HONE_F8E4M3,
    HONE_F8E4M3FNUZ, HONE_F8E5M2, HONE_F8E5M2FNUZ, HONE_U4,   HONE_S4,   HONE_F4E2M1,
    HONE_F8E8M0,     HONE_U2,     HONE_S2,
};

hone_dtype hone_onnx_dtype_of(int64_t code) {
  return code >= 0 && code < (int64_t)sizeof dtypes ? (hone_dtype)dtypes[code] : HONE_DTYPE_NONE;
}

static hone_status *read_dim(onnx_importer *importer, hone_bytes bytes, hone_dim *out) {
  onnx_dim dim;
  HONE_TRY(onnx_read_dim(&importer->reader, bytes, &dim));
  int64_t size = (int64_t)hone_proto_varint(dim.size);
  if (dim.size.data && size >= 0) {
    *out = size;
    return NULL;
  }
  const char *name = NULL;
  if (dim.symbol.size) {
    name = onnx_text(importer, dim.symbol);
    HONE_TRY_MEMORY(name);
  }
  return hone_graph_symbol(importer->root, name, out);
}

static hone_status *read_shape(onnx_importer *importer, hone_bytes bytes, hone_shape *out) {
  onnx_shape shape;
  *out = hone_shape_unknown();
  if (!bytes.data) return NULL;
  HONE_TRY(onnx_read_shape(&importer->reader, bytes, &shape));
  if (shape.dims.count > HONE_MAX_RANK)
    return hone_error(HONE_UNSUPPORTED, "a tensor of %zu dimensions, the most are %d",
                      shape.dims.count, HONE_MAX_RANK);
  out->rank = (int)shape.dims.count;
  for (size_t i = 0; i < shape.dims.count; i++)
    HONE_TRY(read_dim(importer, shape.dims.items[i], &out->dim[i]));
  return NULL;
}

static hone_status *read_tensor_type(onnx_importer *importer, hone_bytes bytes, hone_type *out) {
  onnx_tensor_type tensor;
  HONE_TRY(onnx_read_tensor_type(&importer->reader, bytes, &tensor));
  int64_t code = (int64_t)hone_proto_varint(tensor.dtype);
  out->dtype = hone_onnx_dtype_of(code);
  if (code && !out->dtype)
    return hone_error(HONE_UNSUPPORTED, "element type %lld is not known here", (long long)code);
  return read_shape(importer, tensor.shape, &out->shape);
}

/* Both wrappers hold the wrapped type as their field 1, where a type has its tensor. */
static hone_status *unwrap(onnx_importer *importer, hone_bytes wrapper, onnx_type *out) {
  onnx_type outer;
  HONE_TRY(onnx_read_type(&importer->reader, wrapper, &outer));
  return onnx_read_type(&importer->reader, outer.tensor, out);
}

/* At most an optional around a sequence around a tensor. */
hone_status *onnx_value_type(onnx_importer *importer, hone_bytes type_proto, hone_type *out) {
  onnx_type type;
  *out = hone_tensor_type(HONE_DTYPE_NONE, hone_shape_unknown());
  if (!type_proto.data) return NULL;
  HONE_TRY(onnx_read_type(&importer->reader, type_proto, &type));
  if (type.optional.data) {
    HONE_TRY(unwrap(importer, type.optional, &type));
    out->kind = HONE_KIND_OPTIONAL;
  }
  if (type.sequence.data) {
    HONE_TRY(unwrap(importer, type.sequence, &type));
    if (out->kind == HONE_KIND_OPTIONAL)
      out->item = HONE_KIND_SEQUENCE;
    else
      out->kind = HONE_KIND_SEQUENCE;
  }
  if (!type.tensor.data)
    return hone_error(HONE_UNSUPPORTED,
                      "a type that is no tensor, nor a sequence or optional of one");
  return read_tensor_type(importer, type.tensor, out);
}
