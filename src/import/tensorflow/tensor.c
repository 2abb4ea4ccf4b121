/* TensorProtos as constants of the graph, and TensorFlow's types and shapes. Room: import. */
#include <string.h>

#include "import/tensorflow/importer.h"

/* By DataType. Quantised types are their plain integers. */
static const unsigned char dtypes[] = {
    [1] = HONE_F32,  [2] = HONE_F64,     [3] = HONE_S32,     [4] = HONE_U8,   [5] = HONE_S16,
    [6] = HONE_S8,   [7] = HONE_STR,     [8] = HONE_C64,     [9] = HONE_S64,  [10] = HONE_BOOL,
    [11] = HONE_S8,  [12] = HONE_U8,     [13] = HONE_S32,    [14] = HONE_BF16, [15] = HONE_S16,
    [16] = HONE_U16, [17] = HONE_U16,    [18] = HONE_C128,   [19] = HONE_F16, [22] = HONE_U32,
    [23] = HONE_U64, [24] = HONE_F8E5M2, [25] = HONE_F8E4M3,
};

/* References to variables of the first TensorFlow have 100 more. */
hone_dtype hone_tf_dtype_of(int64_t code) {
  if (code > 100) code -= 100;
  return code >= 0 && code < (int64_t)sizeof dtypes ? (hone_dtype)dtypes[code] : HONE_DTYPE_NONE;
}

int hone_tf_code_of(hone_dtype dtype) {
  const int count = sizeof dtypes;
  for (int code = 1; code < count; code++) {
    bool quantised = (code >= 11 && code <= 13) || code == 15 || code == 16;
    if (!quantised && dtypes[code] == dtype) return dtype ? code : 0;
  }
  return 0;
}

hone_status *tf_read_shape(tf_importer *importer, hone_bytes message, hone_shape *out) {
  tf_shape_proto shape;
  *out = hone_shape_unknown();
  HONE_TRY(tf_read_shape_proto(&importer->reader, message, &shape));
  if (hone_proto_varint(shape.unknown_rank)) return NULL;
  if (shape.dims.count > HONE_MAX_RANK)
    return hone_error(HONE_UNSUPPORTED, "a tensor of %zu dimensions, the most are %d",
                      shape.dims.count, HONE_MAX_RANK);
  out->rank = (int)shape.dims.count;
  for (int i = 0; i < out->rank; i++) {
    uint64_t size;
    HONE_TRY(tf_read_number(&importer->reader, shape.dims.items[i], 1, &size));
    out->dim[i] = (int64_t)size;
    if (out->dim[i] < 0) HONE_TRY(hone_graph_symbol(importer->root, NULL, &out->dim[i]));
  }
  return NULL;
}

/* ---- Elements ---- */

/* The list that holds elements of `dtype` when they are not raw, and how its numbers are written.
 */
static const hone_proto_list *typed_list(const tf_tensor_proto *tensor, hone_dtype dtype,
                                         hone_proto_kind *kind) {
  *kind = HONE_PROTO_VARINT;
  switch (dtype) {
    case HONE_F32:
      *kind = HONE_PROTO_FIXED32;
      return &tensor->floats;
    case HONE_C64:
      *kind = HONE_PROTO_FIXED32;
      return &tensor->complexes;
    case HONE_F64:
      *kind = HONE_PROTO_FIXED64;
      return &tensor->doubles;
    case HONE_C128:
      *kind = HONE_PROTO_FIXED64;
      return &tensor->complexes128;
    case HONE_F16:
    case HONE_BF16:
      return &tensor->halves;
    case HONE_S64:
      return &tensor->int64s;
    case HONE_BOOL:
      return &tensor->bools;
    case HONE_U32:
      return &tensor->uint32s;
    case HONE_U64:
      return &tensor->uint64s;
    default:
      return &tensor->ints;
  }
}

/* Copies the numbers of a list, `unit` bytes each, and repeats the last element (of `element`
 * bytes) to the end. */
static hone_status *fill(const hone_proto_list *list, hone_proto_kind kind, size_t unit,
                         size_t element, char *to, size_t bytes) {
  size_t count, given, at = 0;
  HONE_TRY(hone_proto_count(list, kind, &count));
  if (!hone_mul(count, unit, &given) || given > bytes || given % element)
    return hone_error(HONE_INVALID_MODEL, "it holds %zu numbers, more than its shape takes", count);
  if (kind == HONE_PROTO_VARINT) {
    hone_proto_cursor cursor = {0};
    for (size_t i = 0; i < count; i++, at += unit) {
      uint64_t value = hone_proto_step(list, &cursor);
      memcpy(to + at, &value, unit); /* little-endian: the low bytes come first */
    }
  } else {
    for (size_t i = 0; i < list->count; at += list->items[i++].size)
      memcpy(to + at, list->items[i].data, list->items[i].size);
  }
  if (given == 0) memset(to, 0, bytes);
  for (at = given; given && at < bytes; at += element) memcpy(to + at, to + given - element, element);
  return NULL;
}

static hone_status *fill_strings(const hone_proto_list *list, size_t count, hone_string *to) {
  if (list->count > count)
    return hone_error(HONE_INVALID_MODEL, "it holds %zu strings, more than its shape takes",
                      list->count);
  for (size_t i = 0; i < count; i++) {
    size_t from = i < list->count ? i : list->count - 1;
    to[i] = list->count ? (hone_string){list->items[from].data, list->items[from].size}
                        : (hone_string){"", 0};
  }
  return NULL;
}

/* What a small message asks for must stay in proportion to the file. */
static hone_status *check_growth(tf_importer *importer, size_t bytes) {
  size_t held = importer->root->storage.total;
  if (bytes <= importer->reader.limit && held <= importer->reader.limit - bytes) return NULL;
  return hone_error(HONE_LIMIT, "a constant of %zu bytes is written as a few", bytes);
}

static hone_status *typed_bytes(tf_importer *importer, const tf_tensor_proto *tensor,
                                hone_dtype dtype, size_t wanted, hone_bytes *out) {
  size_t element = hone_dtype_bits(dtype) / 8;
  HONE_TRY(check_growth(importer, wanted));
  char *data = hone_arena_alloc(importer->root->arena, wanted ? wanted : 1);
  HONE_TRY_MEMORY(data);
  *out = (hone_bytes){data, wanted};
  if (dtype == HONE_STR)
    return fill_strings(&tensor->strings, wanted / sizeof(hone_string), (hone_string *)data);
  hone_proto_kind kind;
  const hone_proto_list *list = typed_list(tensor, dtype, &kind);
  size_t unit = kind == HONE_PROTO_FIXED32 ? 4 : kind == HONE_PROTO_FIXED64 ? 8 : element;
  /* One float_val of full length is used where it lies. */
  if (kind != HONE_PROTO_VARINT && list->count == 1 && list->items[0].size == wanted) {
    *out = list->items[0];
    return NULL;
  }
  return fill(list, kind, unit, element, data, wanted);
}

hone_status *tf_constant(tf_importer *importer, hone_graph *graph, const char *name,
                         hone_bytes message, hone_value **out) {
  tf_tensor_proto tensor;
  hone_shape shape;
  size_t wanted;
  hone_bytes bytes;
  HONE_TRY(tf_read_tensor_proto(&importer->reader, message, &tensor));
  int64_t code = (int64_t)hone_proto_varint(tensor.dtype);
  hone_dtype dtype = hone_tf_dtype_of(code);
  if (!dtype)
    return hone_error(HONE_UNSUPPORTED, "element type %lld is not known here", (long long)code);
  HONE_TRY(tf_read_shape(importer, tensor.shape, &shape));
  if (!hone_shape_bytes(&shape, dtype, &wanted))
    return hone_error(HONE_INVALID_MODEL, "a constant of unknown or overflowing size");
  if (dtype != HONE_STR && tensor.content.size) {
    if (tensor.content.size != wanted)
      return hone_error(HONE_INVALID_MODEL, "it holds %zu bytes where its shape takes %zu",
                        tensor.content.size, wanted);
    bytes = tensor.content;
  } else {
    HONE_TRY(typed_bytes(importer, &tensor, dtype, wanted, &bytes));
  }
  return hone_graph_constant(graph, name, dtype, shape, bytes.data, bytes.size, out);
}
