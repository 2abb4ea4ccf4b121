/* Tensors of the library as Python's values. */
#include "extension.h"

static PyObject *give_strings(const hone_tensor *tensor) {
  size_t count = tensor->size / sizeof(hone_string);
  const hone_string *strings = tensor->data;
  PyObject *list = PyList_New((Py_ssize_t)count), *shape = give_shape(tensor);
  for (size_t i = 0; list && i < count; i++) {
    PyObject *text = PyBytes_FromStringAndSize(strings[i].data, (Py_ssize_t)strings[i].size);
    if (!text || PyList_SetItem(list, (Py_ssize_t)i, text) != 0) Py_CLEAR(list);
  }
  if (list && shape) return Py_BuildValue("(sNN)", "str", shape, list);
  Py_XDECREF(list);
  Py_XDECREF(shape);
  return NULL;
}

PyObject *give_value(const hone_tensor *tensor) {
  if (tensor->kind == HONE_TENSOR)
    return tensor->dtype == HONE_STR ? give_strings(tensor) : new_tensor(tensor);
  if (tensor->kind == HONE_OPTIONAL && tensor->count == 0) Py_RETURN_NONE;
  PyObject *list = PyList_New((Py_ssize_t)tensor->count);
  for (size_t i = 0; list && i < tensor->count; i++) {
    PyObject *item = give_value(&tensor->items[i]);
    if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) != 0) Py_CLEAR(list);
  }
  return list;
}
