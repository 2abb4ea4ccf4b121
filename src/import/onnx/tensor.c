/* Tensors of the file as constants of the graph: in place where they are stored as they are used.
 * Room: import. */
#include <string.h>

#include "base/text.h"
#include "import/onnx/importer.h"

static hone_status *read_dims(const hone_proto_list *list, hone_shape *out) {
  size_t count;
  HONE_TRY(hone_proto_count(list, HONE_PROTO_VARINT, &count));
  if (count > HONE_MAX_RANK)
    return hone_error(HONE_UNSUPPORTED, "a tensor of %zu dimensions, the most are %d", count,
                      HONE_MAX_RANK);
  hone_proto_cursor cursor = {0};
  *out = (hone_shape){.rank = (int)count};
  for (size_t i = 0; i < count; i++) {
    out->dim[i] = (int64_t)hone_proto_step(list, &cursor);
    if (out->dim[i] < 0) return hone_error(HONE_INVALID_MODEL, "a negative dimension");
  }
  return NULL;
}

/* ---- External data ---- */

static bool parse_size(hone_bytes text, size_t *out) {
  const char *at = text.data;
  *out = 0;
  for (size_t i = 0; i < text.size; i++)
    if (at[i] < '0' || at[i] > '9' || !hone_mul(*out, 10, out) ||
        !hone_add(*out, (size_t)(at[i] - '0'), out))
      return false;
  return text.size > 0;
}

/* The graph keeps each companion file once. It belongs to the model, so the limit on memory grows
 * with it. */
static hone_status *companion(onnx_importer *importer, hone_bytes location, hone_bytes *out) {
  hone_file *file = hone_map_get(&importer->files, location.data, location.size);
  if (!file) {
    if (!importer->folder)
      return hone_error(HONE_INVALID_MODEL, "it lies in a companion file, and there is no folder");
    HONE_TRY(hone_file_open_beneath(importer->folder, location.data, location.size, &file));
    HONE_TRY(hone_graph_keep_file(importer->root, file));
    HONE_TRY(hone_map_put(&importer->files, location.data, location.size, file));
    size_t *limit = &importer->reader.limit, more;
    if (!hone_mul(hone_file_bytes(file).size, 4, &more) || !hone_add(*limit, more, limit))
      *limit = SIZE_MAX;
  }
  *out = hone_file_bytes(file);
  return NULL;
}

static hone_status *external_bytes(onnx_importer *importer, const hone_proto_list *entries,
                                   size_t wanted, hone_bytes *out) {
  hone_bytes location = {0}, offset_text = {0}, length_text = {0}, file;
  for (size_t i = 0; i < entries->count; i++) {
    onnx_entry entry;
    HONE_TRY(onnx_read_entry(&importer->reader, entries->items[i], &entry));
    if (onnx_span_is(entry.key, "location")) location = entry.value;
    if (onnx_span_is(entry.key, "offset")) offset_text = entry.value;
    if (onnx_span_is(entry.key, "length")) length_text = entry.value;
  }
  if (!location.size) return hone_error(HONE_INVALID_MODEL, "external data without a location");
  size_t offset = 0, length = wanted;
  if (offset_text.data && !parse_size(offset_text, &offset))
    return hone_error(HONE_INVALID_MODEL, "the offset of external data is no number");
  if (length_text.data && !parse_size(length_text, &length))
    return hone_error(HONE_INVALID_MODEL, "the length of external data is no number");
  HONE_TRY(companion(importer, location, &file));
  if (offset > file.size || length > file.size - offset)
    return hone_error(HONE_INVALID_MODEL,
                      "external data at %zu+%zu passes the end of its file of %zu bytes", offset,
                      length, file.size);
  *out = (hone_bytes){(const char *)file.data + offset, length};
  return NULL;
}

/* ---- Typed fields ---- */

/* One span stays where it is; several are joined. */
static hone_status *join(onnx_importer *importer, const hone_proto_list *list, hone_bytes *out) {
  size_t total = 0;
  for (size_t i = 0; i < list->count; i++) total += list->items[i].size;
  if (list->count == 1) *out = list->items[0];
  if (list->count <= 1) return NULL;
  char *data = hone_arena_alloc(importer->root->arena, total), *at = data;
  HONE_TRY_MEMORY(data);
  *out = (hone_bytes){data, total};
  for (size_t i = 0; i < list->count; i++) {
    memcpy(at, list->items[i].data, list->items[i].size);
    at += list->items[i].size;
  }
  return NULL;
}

/* Varints, each the bits of one element or, for packed types, of one byte. */
static hone_status *unpack(onnx_importer *importer, const hone_proto_list *list, size_t unit,
                           size_t wanted, hone_bytes *out) {
  size_t count, bytes;
  HONE_TRY(hone_proto_count(list, HONE_PROTO_VARINT, &count));
  if (!hone_mul(count, unit, &bytes) || bytes != wanted) {
    *out = (hone_bytes){"", bytes};
    return NULL;
  }
  char *data = hone_arena_alloc(importer->root->arena, bytes);
  HONE_TRY_MEMORY(data);
  hone_proto_cursor cursor = {0};
  for (size_t i = 0; i < count; i++) {
    uint64_t value = hone_proto_step(list, &cursor);
    memcpy(data + i * unit, &value, unit); /* little-endian: the low bytes come first */
  }
  *out = (hone_bytes){data, bytes};
  return NULL;
}

static hone_status *read_strings(onnx_importer *importer, const hone_proto_list *list,
                                 hone_bytes *out) {
  hone_string *strings = HONE_NEW_ARRAY(importer->root->arena, list->count + 1, hone_string);
  HONE_TRY_MEMORY(strings);
  for (size_t i = 0; i < list->count; i++)
    strings[i] = (hone_string){list->items[i].data, list->items[i].size};
  *out = (hone_bytes){strings, list->count * sizeof *strings};
  return NULL;
}

/* Where the elements of a type lie when they are not raw. */
static hone_status *typed_bytes(onnx_importer *importer, const onnx_tensor *tensor,
                                hone_dtype dtype, size_t wanted, hone_bytes *out) {
  size_t bits = hone_dtype_bits(dtype), unit = bits < 8 ? 1 : bits / 8;
  switch (dtype) {
    case HONE_F32:
    case HONE_C64:
      return join(importer, &tensor->floats, out);
    case HONE_F64:
    case HONE_C128:
      return join(importer, &tensor->doubles, out);
    case HONE_STR:
      return read_strings(importer, &tensor->strings, out);
    case HONE_S64:
      return unpack(importer, &tensor->int64s, unit, wanted, out);
    case HONE_U32:
    case HONE_U64:
      return unpack(importer, &tensor->uint64s, unit, wanted, out);
    default:
      return unpack(importer, &tensor->int32s, unit, wanted, out);
  }
}

static hone_status *find_bytes(onnx_importer *importer, const onnx_tensor *tensor, hone_dtype dtype,
                               size_t wanted, hone_bytes *out) {
  *out = (hone_bytes){"", 0};
  if (hone_proto_varint(tensor->location) == 1)
    return external_bytes(importer, &tensor->external, wanted, out);
  if (tensor->raw.data) {
    if (dtype == HONE_STR) return hone_error(HONE_INVALID_MODEL, "strings as raw bytes");
    *out = tensor->raw;
    return NULL;
  }
  return typed_bytes(importer, tensor, dtype, wanted, out);
}

/* A tensor as a type, a shape and bytes that fit them. */
static hone_status *read_tensor(onnx_importer *importer, hone_bytes message, hone_dtype *dtype,
                                hone_shape *shape, hone_bytes *bytes) {
  onnx_tensor tensor;
  size_t wanted;
  HONE_TRY(onnx_read_tensor(&importer->reader, message, &tensor));
  int64_t code = (int64_t)hone_proto_varint(tensor.dtype);
  *dtype = hone_onnx_dtype_of(code);
  if (!*dtype)
    return hone_error(HONE_UNSUPPORTED, "element type %lld is not known here", (long long)code);
  HONE_TRY(read_dims(&tensor.dims, shape));
  if (!hone_shape_bytes(shape, *dtype, &wanted))
    return hone_error(HONE_INVALID_MODEL, "its size overflows");
  HONE_TRY(find_bytes(importer, &tensor, *dtype, wanted, bytes));
  if (bytes->size != wanted)
    return hone_error(HONE_INVALID_MODEL, "it holds %zu bytes where its shape takes %zu",
                      bytes->size, wanted);
  return NULL;
}

hone_status *onnx_constant(onnx_importer *importer, hone_graph *graph, hone_bytes name,
                           hone_bytes message, hone_value **out) {
  hone_dtype dtype;
  hone_shape shape;
  hone_bytes bytes;
  HONE_TRY(read_tensor(importer, message, &dtype, &shape, &bytes));
  const char *text = name.size ? onnx_text(importer, name) : NULL;
  return hone_graph_constant(graph, text, dtype, shape, bytes.data, bytes.size, out);
}

/* ---- Sparse tensors ---- */

/* Where entry `i` goes: its index, or one index an axis. */
static bool dense_place(const hone_shape *shape, const void *indices, size_t i, bool linear,
                        size_t count, size_t *out) {
  if (linear) {
    int64_t index = hone_load_int(HONE_S64, indices, i);
    *out = (size_t)index;
    return index >= 0 && (size_t)index < count;
  }
  *out = 0;
  for (int d = 0; d < shape->rank; d++) {
    int64_t index = hone_load_int(HONE_S64, indices, i * (size_t)shape->rank + (size_t)d);
    if (index < 0 || index >= shape->dim[d]) return false;
    *out = *out * (size_t)shape->dim[d] + (size_t)index;
  }
  return true;
}

hone_status *onnx_sparse_constant(onnx_importer *importer, hone_graph *graph, hone_bytes name,
                                  hone_bytes message, hone_value **out) {
  onnx_sparse_tensor sparse;
  hone_dtype dtype, index_dtype;
  hone_shape values_shape, indices_shape, shape;
  hone_bytes values, indices;
  size_t count, bytes, entries;
  HONE_TRY(onnx_read_sparse_tensor(&importer->reader, message, &sparse));
  HONE_TRY(read_tensor(importer, sparse.values, &dtype, &values_shape, &values));
  HONE_TRY(read_tensor(importer, sparse.indices, &index_dtype, &indices_shape, &indices));
  HONE_TRY(read_dims(&sparse.dims, &shape));
  if (!hone_shape_count(&shape, &count) || !hone_shape_bytes(&shape, dtype, &bytes) ||
      !hone_shape_count(&values_shape, &entries))
    return hone_error(HONE_INVALID_MODEL, "its size overflows");
  if (bytes > importer->reader.limit ||
      importer->root->storage.total > importer->reader.limit - bytes)
    return hone_error(HONE_LIMIT, "a sparse tensor of %zu bytes when dense", bytes);
  bool linear = indices_shape.rank == 1;
  hone_dim wide = linear ? 1 : shape.rank;
  if (index_dtype != HONE_S64 || values_shape.rank != 1 || hone_dtype_bits(dtype) < 8 ||
      dtype == HONE_STR || (!linear && (indices_shape.rank != 2 || indices_shape.dim[1] != wide)) ||
      indices_shape.dim[0] != values_shape.dim[0])
    return hone_error(HONE_INVALID_MODEL, "a sparse tensor whose parts do not fit");
  char *dense = hone_arena_zero(graph->arena, bytes ? bytes : 1);
  HONE_TRY_MEMORY(dense);
  size_t element = hone_dtype_bits(dtype) / 8, place;
  for (size_t i = 0; i < entries; i++) {
    if (!dense_place(&shape, indices.data, i, linear, count, &place))
      return hone_error(HONE_INVALID_MODEL, "index %zu of a sparse tensor is outside", i);
    memcpy(dense + place * element, (const char *)values.data + i * element, element);
  }
  const char *text = name.size ? onnx_text(importer, name) : NULL;
  return hone_graph_constant(graph, text, dtype, shape, dense, bytes, out);
}
