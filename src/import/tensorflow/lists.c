/* TensorLists and TensorArrays as one tensor of their items, stacked. Room: import. */
#include "import/tensorflow/importer.h"

static hone_value *scalar_index(hone_call *call, int input) {
  return hone_emit_cast(call, hone_tf_in(call, input), HONE_S64);
}

static void return_list(hone_call *call, int index, hone_value *items, const tf_list *list) {
  tf_list *kept = hone_arena_copy(&tf_call_of(call)->importer->scratch, list, sizeof *list);
  if (!kept) hone_emit_keep(call, hone_error_memory());
  tf_return(call, index, (tf_value){.kind = TF_LIST, .value = items, .list = kept});
}

/* The list at input `index`; after a failure an empty one. */
static tf_value list_in(hone_call *call, int index) {
  static const tf_list none = {.item = {.rank = HONE_RANK_UNKNOWN}};
  tf_value value = *tf_input(call, index, TF_LIST);
  if (value.list) return value;
  return (tf_value){.kind = TF_LIST, .value = call->placeholder, .list = &none};
}

tf_value tf_list_of(hone_call *call, hone_value *items) {
  tf_list list = {.dtype = items->type.dtype, .item = hone_shape_unknown()};
  list.count = hone_emit_reshape(call, hone_emit_dims(call, items, 0, 1), NULL, 0);
  tf_list *kept = hone_arena_copy(&tf_call_of(call)->importer->scratch, &list, sizeof list);
  if (!kept) hone_emit_keep(call, hone_error_memory());
  return (tf_value){.kind = TF_LIST, .value = items, .list = kept};
}

/* Zeros for items of a shape that is known as a vector. */
static hone_value *zeros(hone_call *call, const tf_list *list, hone_value *item_shape) {
  hone_value *const parts[] = {hone_emit_reshape(call, list->count, &(int64_t){1}, 1), item_shape};
  hone_node *node = hone_emit_begin(call, "concat", parts, 2, 1);
  hone_emit_set_int(call, node, "axis", 0);
  return HONE_EMIT(call, "expand", hone_emit_real(call, list->dtype, 0), hone_emit_end(call, node));
}

/* The items of a list: zeros where none was set. */
hone_value *tf_list_items(hone_call *call, tf_value value) {
  const tf_list *list = value.list;
  if (value.value) return value.value;
  if (list->item.rank >= 0 && hone_shape_known(&list->item) && !list->slot)
    return zeros(call, list, hone_emit_ints(call, list->item.dim, (size_t)list->item.rank));
  hone_emit_fail(call, HONE_UNSUPPORTED, "a list is read before anything is known of its items");
  return call->placeholder;
}

static hone_value *get(hone_call *call, tf_value list, hone_value *index) {
  return HONE_EMIT(call, "gather", tf_list_items(call, list), index);
}

/* Item `index` becomes `item`. In a loop that may stack its items, they are only noted. */
static void set(hone_call *call, int output, tf_value value, hone_value *index, hone_value *item) {
  tf_list list = *value.list;
  if (!value.value && list.slot) {
    if (list.stacked) hone_emit_fail(call, HONE_UNSUPPORTED, "a list is set twice in one turn");
    list.index = index;
    list.stacked = item;
    return_list(call, output, NULL, &list);
    return;
  }
  hone_value *items = value.value ? value.value : zeros(call, &list, hone_emit_dims(call, item, 0,
                                                              hone_emit_rank(call, item)));
  hone_value *place = hone_emit_reshape(call, index, (const int64_t[]){1, 1}, 2);
  hone_value *row = HONE_EMIT(call, "unsqueeze", item, hone_emit_ints(call, &(int64_t){0}, 1));
  return_list(call, output, HONE_EMIT(call, "scatter_nd", items, place, row), &list);
}

/* ---- TensorLists ---- */

/* A shape given as a tensor: -1 is not known, and a scalar knows nothing. */
static hone_shape item_shape(hone_call *call, int input) {
  hone_shape shape = hone_shape_unknown();
  size_t count = 0;
  const hone_value *given = hone_tf_in(call, input);
  if (given->type.shape.rank == 1 &&
      hone_known_ints(given, shape.dim, HONE_MAX_RANK, &count))
    shape.rank = (int)count;
  return shape;
}

static hone_status *import_reserve(hone_call *call) {
  tf_list list = {.dtype = hone_tf_dtype(call, "element_dtype", HONE_F32)};
  list.item = item_shape(call, 0);
  list.count = scalar_index(call, 1);
  return_list(call, 0, NULL, &list);
  return NULL;
}

static hone_status *import_from_tensor(hone_call *call) {
  tf_return(call, 0, tf_list_of(call, hone_tf_in(call, 0)));
  return NULL;
}

static hone_status *import_get_item(hone_call *call) {
  hone_tf_return(call, 0, get(call, list_in(call, 0), scalar_index(call, 1)));
  return NULL;
}

static hone_status *import_set_item(hone_call *call) {
  set(call, 0, list_in(call, 0), scalar_index(call, 1), hone_tf_in(call, 2));
  return NULL;
}

static hone_status *import_stack(hone_call *call) {
  hone_tf_return(call, 0, tf_list_items(call, list_in(call, 0)));
  return NULL;
}

static hone_status *import_length(hone_call *call) {
  hone_tf_return(call, 0, hone_emit_cast(call, list_in(call, 0).list->count, HONE_S32));
  return NULL;
}

static hone_status *import_gather(hone_call *call) {
  hone_value *indices = scalar_index(call, 1);
  hone_tf_return(call, 0, get(call, list_in(call, 0), indices));
  return NULL;
}

/* ---- TensorArrays: the list runs along the flow; the handle stands for a new one ---- */

static hone_status *import_array(hone_call *call) {
  tf_list list = {.dtype = hone_tf_dtype(call, "dtype", HONE_F32), .item = hone_shape_unknown()};
  tf_attr_value shape;
  if (tf_attr(tf_call_of(call), "element_shape", &shape) && shape.shape.data)
    hone_emit_keep(call, tf_read_shape(tf_call_of(call)->importer, shape.shape, &list.item));
  list.count = scalar_index(call, 0);
  return_list(call, 0, NULL, &list);
  return_list(call, 1, NULL, &list);
  return NULL;
}

static hone_status *import_array_read(hone_call *call) {
  hone_tf_return(call, 0, get(call, list_in(call, 2), scalar_index(call, 1)));
  return NULL;
}

static hone_status *import_array_write(hone_call *call) {
  set(call, 0, list_in(call, 3), scalar_index(call, 1), hone_tf_in(call, 2));
  return NULL;
}

static hone_status *import_array_gather(hone_call *call) {
  hone_tf_return(call, 0, get(call, list_in(call, 2), scalar_index(call, 1)));
  return NULL;
}

/* Indices 0, 1, … n - 1 make the rows the items; others set them one by one. */
static hone_status *import_array_scatter(hone_call *call) {
  hone_value *indices = hone_tf_in(call, 1), *rows = hone_tf_in(call, 2);
  const hone_node *range = indices->producer;
  int64_t known[1024], start = 0, step = 0;
  size_t count, one;
  bool counting = hone_known_ints(indices, known, 1024, &count);
  for (size_t i = 0; counting && i < count; i++) counting = known[i] == (int64_t)i;
  if (!counting && range && range->op == &hone_op_range)
    counting = hone_known_ints(range->inputs[0].value, &start, 1, &one) && start == 0 &&
               hone_known_ints(range->inputs[2].value, &step, 1, &one) && step == 1;
  if (!counting)
    return hone_emit_fail(call, HONE_UNSUPPORTED, "items are set in an order not known here");
  tf_return(call, 0, tf_list_of(call, rows));
  return NULL;
}

static hone_status *import_array_size(hone_call *call) {
  hone_tf_return(call, 0, hone_emit_cast(call, list_in(call, 1).list->count, HONE_S32));
  return NULL;
}

const hone_tf_row hone_tf_lists[] = {
    {"TensorArrayGatherV3", .import = import_array_gather},
    {"TensorArrayReadV3", .import = import_array_read},
    {"TensorArrayScatterV3", .import = import_array_scatter},
    {"TensorArraySizeV3", .import = import_array_size},
    {"TensorArrayV3", .import = import_array, .outputs = "handle flow"},
    {"TensorArrayWriteV3", .import = import_array_write},
    {"TensorListFromTensor", .import = import_from_tensor},
    {"TensorListGather", .import = import_gather},
    {"TensorListGetItem", .import = import_get_item},
    {"TensorListLength", .import = import_length},
    {"TensorListReserve", .import = import_reserve},
    {"TensorListSetItem", .import = import_set_item},
    {"TensorListStack", .import = import_stack},
    {0},
};
