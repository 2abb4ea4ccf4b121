/* Context: one request at a time on an engine. */
#include <stdio.h>

#include "context.h"

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
  self->stream = NULL;
  self->stream_owner = NULL;
  self->under_way_count = 0;
  self->ports = NULL;
  self->ports_known = false;
  return (PyObject *)self;
}

static void context_free(PyObject *object) {
  context_object *self = (context_object *)object;
  /* Waits for runs under way, among them perhaps calls of the owner's that take the lock. */
  Py_BEGIN_ALLOW_THREADS;
  hone_context_free(self->context);
  Py_END_ALLOW_THREADS;
  for (size_t i = 0; i < self->under_way_count; i++) give_back(&self->under_way[i]);
  Py_XDECREF(self->stream_owner);
  free_ports(self);
  Py_XDECREF(self->engine);
  PyTypeObject *type = Py_TYPE(object);
  PyObject_Free(object);
  Py_DECREF(type);
}

/* ---- A run ------------------------------------------------------------------------------------
 */

hone_status *use_stream(context_object *self, void *stream) {
  hone_status *status;
  Py_BEGIN_ALLOW_THREADS;
  status = hone_set_stream(self->context, stream);
  Py_END_ALLOW_THREADS;
  if (!status) self->stream = stream;
  return status;
}

/* Runs on tensors of a GPU are ordered after what their owners asked for: on the caller's stream, else
 * on that which __dlpack__ was asked for. */
static hone_status *order_after(context_object *self, const hone_tensor *tensor) {
  return tensor->memory == HONE_ON_DEVICE && !self->stream ? use_stream(self, LEGACY_STREAM) : NULL;
}

bool bind_inputs(context_object *self, loan *l, PyObject *inputs) {
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
      status = order_after(self, &tensor);
      if (!status) status = hone_set_input(self->context, i, &tensor);
    }
    if (status) return raise_status(status), false;
  }
  return true;
}

void free_outputs(run_outputs *o) {
  for (size_t i = 0; o->made && i < o->count; i++) Py_XDECREF(o->made[i]);
  PyMem_Free(o->made);
  PyMem_Free(o->given);
}

/* The caller's memory for an output of a type; NULL with an exception where it is too small. */
static void *given_memory(const run_outputs *o, size_t index, const hone_tensor *type) {
  if (type->size <= o->given[index].size) return o->given[index].data;
  char message[512];
  hone_port port = {.struct_size = sizeof port, .name = ""};
  hone_status_free(hone_output_at(o->engine, index, &port));
  snprintf(message, sizeof message, "output '%.300s' takes %zu bytes and was given %zu", port.name,
           type->size, o->given[index].size);
  return raise_status(hone_status_new(HONE_INVALID_ARGUMENT, message));
}

/* Called by the run when the size of an output is known, without the interpreter's lock. */
static void *output_memory(void *argument, size_t index, const hone_tensor *type) {
  run_outputs *o = argument;
  PyGILState_STATE state = PyGILState_Ensure();
  void *memory = NULL;
  if (o->given[index].data) {
    memory = given_memory(o, index, type);
  } else {
    Py_XDECREF(o->made[index]);
    o->made[index] = make_tensor(type);
    if (o->made[index]) memory = tensor_data(o->made[index]);
  }
  PyGILState_Release(state);
  return memory;
}

/* Looks at what the caller gave for an output; NULL data where it was None. */
static bool take_output(run_outputs *o, loan *l, PyObject *object, size_t index) {
  hone_tensor *tensor = &o->given[index];
  hone_port port = {.struct_size = sizeof port};
  if (object == Py_None) return true;
  if (!object || !take_writable(l, object, tensor)) return false;
  hone_status *status = hone_output_at(o->engine, index, &port);
  if (status) return raise_status(status), false;
  if (tensor->dtype == port.type.dtype && port.type.kind == HONE_TENSOR) return true;
  PyErr_Format(PyExc_TypeError, "output '%s' has elements of %s and was given %s", port.name,
               hone_dtype_text(port.type.dtype), hone_dtype_text(tensor->dtype));
  return false;
}

bool take_outputs(run_outputs *o, loan *l, PyObject *outputs) {
  o->given = PyMem_Calloc(o->count + 1, sizeof *o->given);
  o->made = PyMem_Calloc(o->count + 1, sizeof *o->made);
  if (!o->given || !o->made) return PyErr_NoMemory(), false;
  for (size_t i = 0; outputs != Py_None && i < o->count; i++)
    if (!take_output(o, l, PyList_GetItem(outputs, (Py_ssize_t)i), i)) return false;
  return true;
}

/* A new value; or the shape of what was written to the caller's memory. */
static PyObject *give_output(const context_object *self, const run_outputs *o, size_t index) {
  hone_tensor tensor = {.struct_size = sizeof tensor};
  hone_status *status = hone_get_output(self->context, index, &tensor);
  if (status) return raise_status(status);
  if (o->given[index].data) return give_shape(&tensor);
  PyObject *made = o->made[index];
  if (!made || tensor_data(made) != tensor.data) return give_value(&tensor);
  set_tensor_shape(made, &tensor);
  return Py_NewRef(made);
}

static PyObject *give_outputs(const context_object *self, const run_outputs *o) {
  PyObject *list = PyList_New((Py_ssize_t)o->count);
  for (size_t i = 0; list && i < o->count; i++) {
    PyObject *value = give_output(self, o, i);
    if (!value || PyList_SetItem(list, (Py_ssize_t)i, value) != 0) Py_CLEAR(list);
  }
  return list;
}

static bool any_on_device(const run_outputs *o) {
  for (size_t i = 0; i < o->count; i++)
    if (o->given[i].memory == HONE_ON_DEVICE) return true;
  return false;
}

hone_status *bind_given(context_object *self, run_outputs *o) {
  hone_set_output_memory(self->context, NULL, NULL);
  for (size_t i = 0; i < o->count; i++) {
    o->given[i].struct_size = sizeof o->given[i];
    hone_status *status = order_after(self, &o->given[i]);
    if (!status) status = hone_set_output(self->context, i, &o->given[i]);
    if (status) return status;
  }
  return NULL;
}

/* Memory on a GPU is given before the run; else the run asks for memory. */
static hone_status *bind_outputs(context_object *self, run_outputs *o) {
  if (any_on_device(o)) return bind_given(self, o);
  hone_set_output_memory(self->context, output_memory, o);
  return NULL;
}

static PyObject *run_bound(context_object *self, run_outputs *o) {
  hone_status *status = bind_outputs(self, o);
  if (!status) {
    Py_BEGIN_ALLOW_THREADS;
    status = hone_run(self->context);
    Py_END_ALLOW_THREADS;
  }
  PyObject *result = status ? raise_status(status) : give_outputs(self, o);
  hone_set_output_memory(self->context, NULL, NULL);
  return result;
}

/* run(inputs, outputs or None) */
static PyObject *context_run(PyObject *object, PyObject *arguments) {
  context_object *self = (context_object *)object;
  PyObject *inputs, *outputs, *result = NULL;
  if (!PyArg_ParseTuple(arguments, "O!O", &PyList_Type, &inputs, &outputs)) return NULL;
  if (outputs != Py_None && !PyList_Check(outputs))
    return PyErr_SetString(PyExc_TypeError, "outputs are a list or None"), NULL;
  self->ports_known = false;
  if (self->under_way_count && !settle(self)) return NULL;
  const hone_engine *engine = ((engine_object *)self->engine)->engine;
  run_outputs o = {.engine = engine, .count = hone_output_count(engine)};
  loan l = {.stream = self->stream};
  if (bind_inputs(self, &l, inputs) && take_outputs(&o, &l, outputs)) result = run_bound(self, &o);
  free_outputs(&o);
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
    {"enqueue", context_enqueue, METH_VARARGS, NULL},
    {"enqueue_again", context_enqueue_again, METH_VARARGS, NULL},
    {"wait", context_wait, METH_NOARGS, NULL},
    {"set_stream", context_set_stream, METH_VARARGS, NULL},
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
