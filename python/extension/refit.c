/* Engine.weights and Engine.refit: other weights, the same kernels. */
#include <hone/refit.h>

#include "extension.h"

/* The model in `source`, or where that is None the one behind the engine. */
static hone_model *model_for(PyObject *engine, PyObject *source, const char *folder) {
  hone_model *model = NULL;
  if (source != Py_None) return open_model(source, folder, NULL);
  hone_status *status = hone_engine_model(((engine_object *)engine)->engine, &model);
  if (status) raise_status(status);
  return status ? NULL : model;
}

/* [(name, kind, dtype name, [dim, …]), …] */
PyObject *engine_weights(PyObject *engine, PyObject *unused) {
  (void)unused;
  hone_model *model = model_for(engine, Py_None, NULL);
  if (!model) return NULL;
  size_t count = hone_weight_count(model);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    hone_port port = {.struct_size = sizeof port};
    hone_status *status = hone_weight_at(model, i, &port);
    PyObject *entry = status ? raise_status(status) : describe_port(&port);
    if (!entry || PyList_SetItem(list, (Py_ssize_t)i, entry) != 0) Py_CLEAR(list);
  }
  hone_model_free(model);
  return list;
}

/* Sets each weight of the dict; false with an exception. */
static bool set_weights(hone_model *model, PyObject *dict) {
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(dict, &at, &key, &value)) {
    loan l = {0};
    hone_tensor tensor = {.struct_size = sizeof tensor};
    const char *name = PyUnicode_AsUTF8AndSize(key, NULL);
    bool taken = name && take_value(&l, value, HONE_TENSOR, &tensor);
    hone_status *status = taken ? hone_weight_set(model, name, &tensor) : NULL;
    give_back(&l);
    if (status) raise_status(status);
    if (!taken || status) return false;
  }
  return true;
}

/* refit(model as path or bytes or None, folder or None, {name: tensor}) */
PyObject *engine_refit(PyObject *engine, PyObject *arguments) {
  PyObject *source, *weights;
  const char *folder;
  if (!PyArg_ParseTuple(arguments, "OzO!", &source, &folder, &PyDict_Type, &weights)) return NULL;
  hone_model *model = model_for(engine, source, folder);
  if (!model) return NULL;
  hone_engine *made = NULL;
  PyObject *result = NULL;
  if (set_weights(model, weights)) {
    hone_engine *old = ((engine_object *)engine)->engine;
    hone_status *status;
    Py_BEGIN_ALLOW_THREADS;
    status = hone_refit(old, model, &made);
    Py_END_ALLOW_THREADS;
    PyObject *bytes = PyBytes_Check(source) ? source : ((engine_object *)engine)->source;
    result = status ? raise_status(status) : wrap_engine(made, bytes);
  }
  hone_model_free(model);
  return result;
}
