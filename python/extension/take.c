/* Python's values as tensors of the library, without copies. */
#include "dlpack.h"

typedef struct loan_item {
  struct loan_item *next;
  Py_buffer buffer; /* released where it has an object */
  dl_import import;
  PyObject *kept; /* also whose import it is */
  void *block; /* memory of ours: items and strings */
} loan_item;

/* An exception that is set stays: what Python calls for the last reference neither sees nor ends it. */
void give_back(loan *l) {
  PyObject *type, *value, *trace;
  if (!l->items) return;
  PyErr_Fetch(&type, &value, &trace);
  while (l->items) {
    loan_item *item = l->items;
    l->items = item->next;
    if (item->buffer.obj) PyBuffer_Release(&item->buffer);
    dl_release(&item->import);
    Py_XDECREF(item->kept);
    PyMem_Free(item->block);
    PyMem_Free(item);
  }
  PyErr_Restore(type, value, trace);
}

static const void *data_of(const dl_import *import) {
  return import->tensor ? (const char *)import->tensor->data + import->tensor->byte_offset : NULL;
}

/* Memory of ours is made anew for every loan. An object whose tensor lies where it lay is kept by the
 * older import as it would be by a new one. */
static bool is_same_item(const loan_item *a, const loan_item *b) {
  return !a->block && !b->block && a->kept == b->kept && a->buffer.obj == b->buffer.obj &&
         a->buffer.buf == b->buffer.buf && data_of(&a->import) == data_of(&b->import);
}

bool is_same_loan(const loan *held, const loan *l) {
  const loan_item *a = held->items, *b = l->items;
  for (; a && b && is_same_item(a, b); a = a->next) b = b->next;
  return !a && !b;
}

static loan_item *new_item(loan *l) {
  loan_item *item = PyMem_Calloc(1, sizeof *item);
  if (!item) return (loan_item *)PyErr_NoMemory();
  item->next = l->items;
  l->items = item;
  return item;
}

static void *loan_memory(loan *l, size_t count, size_t size) {
  loan_item *item = new_item(l);
  if (!item) return NULL;
  item->block = PyMem_Calloc(count ? count : 1, size);
  return item->block ? item->block : PyErr_NoMemory();
}

static Py_buffer *loan_buffer(loan *l, PyObject *object, int flags) {
  loan_item *item = new_item(l);
  if (!item || PyObject_GetBuffer(object, &item->buffer, flags) != 0) return NULL;
  return &item->buffer;
}

/* ---- Tensors ----------------------------------------------------------------------------------
 */

static bool set_shape(PyObject *shape, hone_tensor *out) {
  Py_ssize_t rank = PyTuple_Check(shape) ? PyTuple_Size(shape) : -1;
  if (rank < 0 || rank > HONE_MAX_RANK) {
    PyErr_Format(PyExc_ValueError, "a shape is a tuple of at most %d sizes", HONE_MAX_RANK);
    return false;
  }
  out->rank = (int32_t)rank;
  for (Py_ssize_t i = 0; i < rank; i++) {
    out->dims[i] = PyLong_AsLongLong(PyTuple_GetItem(shape, i));
    if (out->dims[i] == -1 && PyErr_Occurred()) return false;
  }
  return true;
}

static bool take_dlpack(loan *l, PyObject *object, bool writable, hone_tensor *out) {
  loan_item *item = new_item(l);
  if (!item || !dl_take(object, l->stream ? l->stream : LEGACY_STREAM, &item->import)) return false;
  item->kept = Py_NewRef(object);
  const dl_tensor *tensor = item->import.tensor;
  out->dtype = dl_dtype(tensor);
  const char *refusal = out->dtype == HONE_DTYPE_NONE        ? "its element type is not known"
                        : tensor->rank > HONE_MAX_RANK       ? "it has too many dimensions"
                        : !dl_is_contiguous(tensor)          ? "it is not contiguous"
                        : writable && item->import.read_only ? "it may not be written"
                                                             : NULL;
  if (refusal) return PyErr_SetString(PyExc_BufferError, refusal), false;
  out->rank = tensor->rank;
  for (int i = 0; i < tensor->rank; i++) out->dims[i] = tensor->shape[i];
  out->memory = tensor->device.type == DL_CUDA        ? HONE_ON_DEVICE
                : tensor->device.type == DL_CUDA_HOST ? HONE_ON_HOST_PINNED
                                                      : HONE_ON_HOST;
  out->data = (char *)tensor->data + tensor->byte_offset;
  out->size = hone_tensor_bytes(out);
  if (out->memory != HONE_ON_HOST) l->lasting = true;
  return true;
}

static bool take_buffer(loan *l, PyObject *object, int flags, hone_tensor *out) {
  Py_buffer *buffer = loan_buffer(l, object, flags | PyBUF_FORMAT | PyBUF_C_CONTIGUOUS);
  if (!buffer) { /* arrays on a GPU may show a buffer that refuses, as CuPy's do */
    if (!PyErr_ExceptionMatches(PyExc_TypeError) || !PyObject_HasAttrString(object, "__dlpack__"))
      return false;
    PyErr_Clear();
    return take_dlpack(l, object, flags & PyBUF_WRITABLE, out);
  }
  out->dtype = dtype_of_format(buffer->format ? buffer->format : "B", buffer->itemsize);
  if (out->dtype == HONE_DTYPE_NONE || buffer->ndim > HONE_MAX_RANK) {
    PyErr_Format(PyExc_TypeError, "elements of format '%s' with %d dimensions are not understood",
                 buffer->format ? buffer->format : "B", buffer->ndim);
    return false;
  }
  out->rank = buffer->ndim;
  for (int i = 0; i < buffer->ndim; i++) out->dims[i] = buffer->shape[i];
  out->data = buffer->buf;
  out->size = (size_t)buffer->len;
  return true;
}

static bool take_plain(loan *l, PyObject *object, bool writable, hone_tensor *out) {
  if (PyObject_CheckBuffer(object))
    return take_buffer(l, object, writable ? PyBUF_WRITABLE : 0, out);
  if (PyObject_HasAttrString(object, "__dlpack__")) return take_dlpack(l, object, writable, out);
  PyErr_Format(PyExc_TypeError, "a tensor has a buffer or __dlpack__, and this is %R",
               (PyObject *)Py_TYPE(object));
  return false;
}

static bool take_strings(loan *l, PyObject *list, hone_tensor *out) {
  Py_ssize_t count = PyList_Check(list) ? PyList_Size(list) : -1;
  if (count < 0) return PyErr_SetString(PyExc_TypeError, "strings are a list of bytes"), false;
  hone_string *strings = loan_memory(l, (size_t)count, sizeof *strings);
  if (!strings) return false;
  for (Py_ssize_t i = 0; i < count; i++) {
    char *data;
    Py_ssize_t size;
    loan_item *item = new_item(l);
    if (!item || PyBytes_AsStringAndSize(PyList_GetItem(list, i), &data, &size) != 0) return false;
    item->kept = Py_NewRef(PyList_GetItem(list, i));
    strings[i] = (hone_string){data, (size_t)size};
  }
  out->data = strings;
  out->size = (size_t)count * sizeof *strings;
  return true;
}

/* (dtype name, shape, buffer or list of bytes) */
static bool take_described(loan *l, PyObject *tuple, bool writable, hone_tensor *out) {
  if (PyTuple_Size(tuple) != 3)
    return PyErr_SetString(PyExc_TypeError, "a tensor is (dtype, shape, buffer)"), false;
  const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(tuple, 0), NULL);
  if (!name || !set_shape(PyTuple_GetItem(tuple, 1), out)) return false;
  out->dtype = hone_dtype_of(name);
  PyObject *data = PyTuple_GetItem(tuple, 2);
  if (out->dtype == HONE_STR) return take_strings(l, data, out);
  Py_buffer *buffer = loan_buffer(l, data, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE);
  if (!buffer) return false;
  out->data = buffer->buf;
  out->size = (size_t)buffer->len;
  return true;
}

static bool take_tensor(loan *l, PyObject *object, bool writable, hone_tensor *out) {
  memset(out, 0, sizeof *out);
  out->struct_size = sizeof *out;
  return PyTuple_Check(object) ? take_described(l, object, writable, out)
                               : take_plain(l, object, writable, out);
}

bool take_writable(loan *l, PyObject *object, hone_tensor *out) {
  return take_tensor(l, object, true, out);
}

bool take_value(loan *l, PyObject *object, int kind, hone_tensor *out) {
  if (kind == HONE_TENSOR) return take_tensor(l, object, false, out);
  memset(out, 0, sizeof *out);
  out->struct_size = sizeof *out;
  out->kind = kind;
  if (object == Py_None) return true;
  Py_ssize_t count = PyList_Check(object) ? PyList_Size(object) : -1;
  if (count < 0) return PyErr_SetString(PyExc_TypeError, "a sequence is a list"), false;
  out->items = loan_memory(l, (size_t)count, sizeof *out->items);
  if (!out->items) return false;
  out->count = (size_t)count;
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject *item = PyList_GetItem(object, i);
    int item_kind = PyList_Check(item) ? HONE_SEQUENCE : HONE_TENSOR;
    if (!take_value(l, item, item_kind, &out->items[i])) return false;
  }
  return true;
}
