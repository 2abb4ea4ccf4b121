/* Context: one request at a time on an engine. */
#include "extension.h"

typedef struct context_object {
  PyObject_HEAD hone_context *context;
  PyObject *engine;
} context_object;

static PyTypeObject *context_type;

/* Ctrl-C is seen by the thread that runs, where it is the main one. */
static bool poll_signals(void *argument) {
  (void)argument;
  PyGILState_STATE state = PyGILState_Ensure();
  bool stop = PyErr_CheckSignals() != 0;
  PyGILState_Release(state);
  return stop;
}

PyObject *new_context(PyObject *engine, PyObject *arguments) {
  PyObject *dict;
  if (!PyArg_ParseTuple(arguments, "O!", &PyDict_Type, &dict)) return NULL;
  hone_options *options = options_from(dict);
  if (!options) return NULL;
  hone_context *context;
  hone_status *status = hone_context_new(((engine_object *)engine)->engine, options, &context);
  hone_options_free(options);
  if (status) return raise_status(status);
  context_object *self = PyObject_New(context_object, context_type);
  if (!self) {
    hone_context_free(context);
    return NULL;
  }
  hone_set_poll(context, poll_signals, NULL);
  self->context = context;
  self->engine = Py_NewRef(engine);
  return (PyObject *)self;
}

static void context_free(PyObject *object) {
  context_object *self = (context_object *)object;
  hone_context_free(self->context);
  Py_XDECREF(self->engine);
  PyTypeObject *type = Py_TYPE(object);
  PyObject_Free(object);
  Py_DECREF(type);
}

/* ---- A run ------------------------------------------------------------------------------------
 */

static bool bind_inputs(context_object *self, loan *l, PyObject *inputs) {
  hone_engine *engine = ((engine_object *)self->engine)->engine;
  size_t count = hone_input_count(engine);
  if ((size_t)PyList_Size(inputs) != count)
    return PyErr_Format(PyExc_ValueError, "%zu inputs are wanted", count), false;
  for (size_t i = 0; i < count; i++) {
    hone_port port = {.struct_size = sizeof port};
    hone_tensor tensor;
    hone_status *status = hone_input_at(engine, i, &port);
    if (!status) {
      if (!take_value(l, PyList_GetItem(inputs, (Py_ssize_t)i), port.type.kind, &tensor))
        return false;
      status = hone_set_input(self->context, i, &tensor);
    }
    if (status) return raise_status(status), false;
  }
  return true;
}

/* The object that output `index` is to be written to; None: a new one. */
static PyObject *bound_object(PyObject *outputs, size_t index) {
  return outputs == Py_None ? Py_None : PyList_GetItem(outputs, (Py_ssize_t)index);
}

static bool bind_outputs(context_object *self, loan *l, PyObject *outputs) {
  hone_engine *engine = ((engine_object *)self->engine)->engine;
  size_t count = hone_output_count(engine);
  for (size_t i = 0; i < count; i++) {
    hone_tensor tensor = {.struct_size = sizeof tensor};
    hone_port port = {.struct_size = sizeof port};
    PyObject *object = bound_object(outputs, i);
    if (!object) return false;
    if (object != Py_None && !take_writable(l, object, &tensor)) return false;
    hone_status *status = hone_output_at(engine, i, &port);
    if (!status && object != Py_None && tensor.dtype != port.type.dtype)
      return PyErr_Format(PyExc_TypeError, "output '%s' has elements of %s and was given %s",
                          port.name, hone_dtype_text(port.type.dtype),
                          hone_dtype_text(tensor.dtype)),
             false;
    if (!status) status = hone_set_output(self->context, i, &tensor);
    if (status) return raise_status(status), false;
  }
  return true;
}

/* Memory that was lent for one run must not be written by the next. */
static void unbind_outputs(context_object *self) {
  size_t count = hone_output_count(((engine_object *)self->engine)->engine);
  hone_tensor none = {.struct_size = sizeof none};
  for (size_t i = 0; i < count; i++) hone_status_free(hone_set_output(self->context, i, &none));
}

/* The list of outputs: new values, or (shape,) where it was written to the caller's. */
static PyObject *give_outputs(context_object *self, PyObject *outputs) {
  size_t count = hone_output_count(((engine_object *)self->engine)->engine);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    hone_tensor tensor = {.struct_size = sizeof tensor};
    hone_status *status = hone_get_output(self->context, i, &tensor);
    PyObject *value = status                                ? raise_status(status)
                      : bound_object(outputs, i) == Py_None ? give_value(&tensor)
                                                            : give_shape(&tensor);
    if (!value || PyList_SetItem(list, (Py_ssize_t)i, value) != 0) Py_CLEAR(list);
  }
  return list;
}

/* run(inputs, outputs or None) */
static PyObject *context_run(PyObject *object, PyObject *arguments) {
  context_object *self = (context_object *)object;
  PyObject *inputs, *outputs, *result = NULL;
  if (!PyArg_ParseTuple(arguments, "O!O", &PyList_Type, &inputs, &outputs)) return NULL;
  if (outputs != Py_None && !PyList_Check(outputs))
    return PyErr_SetString(PyExc_TypeError, "outputs are a list or None"), NULL;
  loan l = {0};
  if (bind_inputs(self, &l, inputs) && bind_outputs(self, &l, outputs)) {
    hone_status *status;
    Py_BEGIN_ALLOW_THREADS;
    status = hone_run(self->context);
    Py_END_ALLOW_THREADS;
    result = status ? raise_status(status) : give_outputs(self, outputs);
  }
  if (outputs != Py_None) unbind_outputs(self);
  give_back(&l);
  return result;
}

static PyObject *context_cancel(PyObject *object, PyObject *unused) {
  (void)unused;
  hone_cancel(((context_object *)object)->context);
  Py_RETURN_NONE;
}

static PyObject *context_profile(PyObject *object, PyObject *on) {
  int truth = PyObject_IsTrue(on);
  if (truth < 0) return NULL;
  hone_profile(((context_object *)object)->context, truth == 1);
  Py_RETURN_NONE;
}

static PyObject *context_profile_report(PyObject *object, PyObject *unused) {
  (void)unused;
  char *text = NULL;
  hone_status *status = hone_profile_report(((context_object *)object)->context, &text);
  return give_text(status, text);
}

static PyObject *context_memory(PyObject *object, PyObject *unused) {
  (void)unused;
  return PyLong_FromSize_t(hone_context_memory(((context_object *)object)->context));
}

static PyMethodDef context_methods[] = {
    {"run", context_run, METH_VARARGS, NULL},
    {"cancel", context_cancel, METH_NOARGS, NULL},
    {"profile", context_profile, METH_O, NULL},
    {"profile_report", context_profile_report, METH_NOARGS, NULL},
    {"memory", context_memory, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};

static PyType_Slot context_slots[] = {
    {Py_tp_dealloc, (void *)context_free}, {Py_tp_methods, context_methods}, {0, NULL}};
static PyType_Spec context_spec = {"hone._hone.Context", sizeof(context_object), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                   context_slots};

int add_context_type(PyObject *module) {
  context_type = (PyTypeObject *)PyType_FromSpec(&context_spec);
  return context_type ? PyModule_AddType(module, context_type) : -1;
}
