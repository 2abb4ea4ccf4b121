/* Engine: building, loading, saving, describing. */
#include "extension.h"

static PyTypeObject *engine_type;

PyObject *wrap_engine(hone_engine *engine, PyObject *source) {
  engine_object *self = PyObject_New(engine_object, engine_type);
  if (!self) {
    hone_engine_free(engine);
    return NULL;
  }
  self->engine = engine;
  self->source = source;
  Py_XINCREF(source);
  return (PyObject *)self;
}

static void engine_free(PyObject *object) {
  engine_object *self = (engine_object *)object;
  hone_engine_free(self->engine);
  Py_XDECREF(self->source);
  PyTypeObject *type = Py_TYPE(object);
  PyObject_Free(object);
  Py_DECREF(type);
}

/* ---- Building and loading ---------------------------------------------------------------------
 */

/* Called while the interpreter's lock is released. After an exception, the callback's own or
 * Ctrl-C, the build only ends. */
static bool report_progress(void *argument, const char *phase, size_t done, size_t total,
                            double seconds_left) {
  PyGILState_STATE state = PyGILState_Ensure();
  bool go_on = !PyErr_Occurred() && PyErr_CheckSignals() == 0;
  PyObject *callback = argument;
  if (go_on && callback != Py_None) {
    PyObject *answer = PyObject_CallFunction(callback, "snnd", phase, (Py_ssize_t)done,
                                             (Py_ssize_t)total, seconds_left);
    go_on = answer && answer != Py_False;
    Py_XDECREF(answer);
  }
  PyGILState_Release(state);
  return go_on;
}

hone_model *open_model(PyObject *source, const char *folder, const hone_options *options) {
  hone_model *model = NULL;
  hone_status *status;
  if (PyUnicode_Check(source)) {
    const char *path = PyUnicode_AsUTF8AndSize(source, NULL);
    if (!path) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = hone_model_open(path, options, &model);
    Py_END_ALLOW_THREADS;
  } else {
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(source, &data, &size) != 0) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = hone_model_parse((hone_bytes){data, (size_t)size}, folder, options, &model);
    Py_END_ALLOW_THREADS;
  }
  if (status) raise_status(status);
  return status ? NULL : model;
}

static PyObject *build_model(const hone_model *model, PyObject *source, hone_options *options,
                             PyObject *progress) {
  hone_engine *engine = NULL;
  hone_status *status;
  hone_options_set_progress(options, report_progress, progress);
  Py_BEGIN_ALLOW_THREADS;
  status = hone_build(model, options, &engine);
  Py_END_ALLOW_THREADS;
  if (status) return raise_status(status);
  if (!PyErr_Occurred()) return wrap_engine(engine, PyBytes_Check(source) ? source : NULL);
  hone_engine_free(engine); /* an exception stopped the measuring */
  return NULL;
}

/* build(source, folder or None, options, progress or None) */
PyObject *build(PyObject *module, PyObject *arguments) {
  (void)module;
  PyObject *source, *dict, *progress;
  const char *folder;
  if (!PyArg_ParseTuple(arguments, "OzO!O", &source, &folder, &PyDict_Type, &dict, &progress))
    return NULL;
  hone_options *options = options_from(dict);
  if (!options) return NULL;
  hone_model *model = open_model(source, folder, options);
  PyObject *result = model ? build_model(model, source, options, progress) : NULL;
  hone_model_free(model);
  hone_options_free(options);
  return result;
}

/* load(path or bytes, options) */
PyObject *load(PyObject *module, PyObject *arguments) {
  (void)module;
  PyObject *source, *dict;
  if (!PyArg_ParseTuple(arguments, "OO!", &source, &PyDict_Type, &dict)) return NULL;
  bool in_memory = PyBytes_Check(source);
  const char *path = in_memory ? "" : PyUnicode_AsUTF8AndSize(source, NULL);
  hone_options *options = path ? options_from(dict) : NULL;
  if (!options) return NULL;
  hone_bytes bytes = {0};
  if (in_memory) bytes = (hone_bytes){PyBytes_AsString(source), (size_t)PyBytes_Size(source)};
  hone_engine *engine = NULL;
  hone_status *status;
  Py_BEGIN_ALLOW_THREADS;
  status = in_memory ? hone_engine_parse(bytes, options, &engine)
                     : hone_engine_open(path, options, &engine);
  Py_END_ALLOW_THREADS;
  hone_options_free(options);
  return status ? raise_status(status) : wrap_engine(engine, in_memory ? source : NULL);
}

/* check(path) -> (code, message, JSON text) */
PyObject *check(PyObject *module, PyObject *path) {
  (void)module;
  const char *text = PyUnicode_AsUTF8AndSize(path, NULL);
  if (!text) return NULL;
  char *report = NULL;
  hone_status *status = hone_engine_check(text, &report);
  PyObject *result = Py_BuildValue("(iss)", (int)hone_status_code(status),
                                   hone_status_message(status), report ? report : "{}");
  hone_text_release(report);
  hone_status_free(status);
  return result;
}

/* ---- Methods ----------------------------------------------------------------------------------
 */

static PyObject *engine_save(PyObject *object, PyObject *path) {
  const char *text = PyUnicode_AsUTF8AndSize(path, NULL);
  if (!text) return NULL;
  hone_status *status;
  hone_engine *engine = ((engine_object *)object)->engine;
  Py_BEGIN_ALLOW_THREADS;
  status = hone_engine_save(engine, text);
  Py_END_ALLOW_THREADS;
  if (status) return raise_status(status);
  Py_RETURN_NONE;
}

static PyObject *engine_report(PyObject *object, PyObject *unused) {
  (void)unused;
  char *text = NULL;
  hone_status *status = hone_engine_report(((engine_object *)object)->engine, &text);
  return give_text(status, text);
}

static PyObject *engine_text(PyObject *object, PyObject *unused) {
  (void)unused;
  char *text = NULL;
  hone_status *status = hone_engine_text(((engine_object *)object)->engine, &text);
  return give_text(status, text);
}

/* A size, the name of an open one, or None. */
static PyObject *describe_dim(const hone_port *port, int index) {
  if (port->type.dims[index] >= 0) return PyLong_FromLongLong(port->type.dims[index]);
  return port->dim_names[index] ? PyUnicode_FromString(port->dim_names[index]) : Py_NewRef(Py_None);
}

PyObject *describe_port(const hone_port *port) {
  PyObject *dims = port->type.rank < 0 ? Py_NewRef(Py_None) : PyList_New(port->type.rank);
  for (int i = 0; dims && i < port->type.rank; i++) {
    PyObject *dim = describe_dim(port, i);
    if (!dim || PyList_SetItem(dims, i, dim) != 0) Py_CLEAR(dims);
  }
  if (!dims) return NULL;
  return Py_BuildValue("(sisN)", port->name, (int)port->type.kind,
                       hone_dtype_text(port->type.dtype), dims);
}

typedef hone_status *port_at(const hone_engine *engine, size_t index, hone_port *out);

static PyObject *list_ports(const hone_engine *engine, size_t count, port_at *at) {
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    hone_port port = {.struct_size = sizeof port};
    hone_status *status = at(engine, i, &port);
    PyObject *entry = status ? raise_status(status) : describe_port(&port);
    if (!entry || PyList_SetItem(list, (Py_ssize_t)i, entry) != 0) Py_CLEAR(list);
  }
  return list;
}

static PyObject *engine_inputs(PyObject *object, PyObject *unused) {
  (void)unused;
  const hone_engine *engine = ((engine_object *)object)->engine;
  return list_ports(engine, hone_input_count(engine), hone_input_at);
}

static PyObject *engine_outputs(PyObject *object, PyObject *unused) {
  (void)unused;
  const hone_engine *engine = ((engine_object *)object)->engine;
  return list_ports(engine, hone_output_count(engine), hone_output_at);
}

static PyMethodDef engine_methods[] = {{"save", engine_save, METH_O, NULL},
                                       {"report", engine_report, METH_NOARGS, NULL},
                                       {"text", engine_text, METH_NOARGS, NULL},
                                       {"inputs", engine_inputs, METH_NOARGS, NULL},
                                       {"outputs", engine_outputs, METH_NOARGS, NULL},
                                       {"context", new_context, METH_VARARGS, NULL},
                                       {"weights", engine_weights, METH_NOARGS, NULL},
                                       {"refit", engine_refit, METH_VARARGS, NULL},
                                       {NULL, NULL, 0, NULL}};

static PyType_Slot engine_slots[] = {
    {Py_tp_dealloc, (void *)engine_free}, {Py_tp_methods, engine_methods}, {0, NULL}};
static PyType_Spec engine_spec = {"hone._hone.Engine", sizeof(engine_object), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                  engine_slots};

int add_engine_type(PyObject *module) {
  engine_type = (PyTypeObject *)PyType_FromSpec(&engine_spec);
  return engine_type ? PyModule_AddType(module, engine_type) : -1;
}
