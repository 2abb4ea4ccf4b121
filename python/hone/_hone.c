/* The Python extension: engines and contexts over the public C interface. hone/__init__.py gives
 * them their friendly face; here values are plain:
 *
 *   tensor    any object with a C-contiguous buffer, or (dtype name, shape, buffer) where the
 * buffer alone does not tell, or ("str", shape, [bytes, …]) sequence  a list of tensors; optional:
 * None, or what it holds in a list
 *
 * Outputs come back as (dtype name, shape, bytearray or the buffer that was given).
 */
#ifndef Py_LIMITED_API /* CMake gives it */
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include <hone/hone.h>

static PyObject *error_type; /* hone.Error, set by the package */

/* Raises what `status` says, and frees it. */
static PyObject *raise_status(hone_status *status) {
  hone_code code = hone_status_code(status);
  PyObject *arguments =
      Py_BuildValue("(iss)", (int)code, hone_status_message(status), hone_status_place(status));
  hone_status_free(status);
  if (PyErr_Occurred() || !arguments) {
    Py_XDECREF(arguments);
    return NULL; /* such as KeyboardInterrupt, which is why it stopped */
  }
  PyObject *error = PyObject_CallObject(error_type, arguments);
  Py_DECREF(arguments);
  if (error) PyErr_SetObject((PyObject *)Py_TYPE(error), error);
  Py_XDECREF(error);
  return NULL;
}

/* ---- Options
 * ----------------------------------------------------------------------------------------- */

/* A bag from a dict of names and texts; NULL with an exception. */
static hone_options *options_from(PyObject *dict) {
  hone_options *options;
  hone_status *status = hone_options_new(&options);
  if (status) return raise_status(status), NULL;
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (dict && PyDict_Next(dict, &at, &key, &value)) {
    const char *name = PyUnicode_AsUTF8AndSize(key, NULL);
    const char *text = name ? PyUnicode_AsUTF8AndSize(value, NULL) : NULL;
    if (!text) goto fail;
    status = hone_options_set(options, name, text);
    if (status) {
      raise_status(status);
      goto fail;
    }
  }
  return options;
fail:
  hone_options_free(options);
  return NULL;
}

static PyObject *list_options(PyObject *self, PyObject *unused) {
  (void)self, (void)unused;
  PyObject *list = PyList_New(0);
  hone_option_info info = {.struct_size = sizeof info};
  for (size_t i = 0; list; i++) {
    hone_status *status = hone_option_at(i, &info);
    if (status) {
      hone_status_free(status);
      break;
    }
    PyObject *row = Py_BuildValue("(ssssss)", info.name, info.kind, info.fallback, info.range,
                                  info.phase, info.help);
    if (!row || PyList_Append(list, row) != 0) Py_CLEAR(list);
    Py_XDECREF(row);
  }
  return list;
}

/* Called while the interpreter's lock is released: progress of a build. */
static bool report_progress(void *argument, const char *phase, size_t done, size_t total,
                            double seconds_left) {
  PyGILState_STATE state = PyGILState_Ensure();
  /* After an exception, the callback's own or Ctrl-C, the build only ends. */
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

/* ---- Engines
 * -------------------------------------------------------------------------------------------- */

typedef struct engine_object {
  PyObject_HEAD hone_engine *engine;
  PyObject *source; /* the bytes that a model parsed from memory lies in; or NULL */
} engine_object;

static PyTypeObject *engine_type, *context_type;

static PyObject *wrap_engine(hone_engine *engine, PyObject *source) {
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

/* A model from a path (str) or bytes; the exception is set when NULL. */
static hone_model *open_model(PyObject *source, const char *folder, const hone_options *options) {
  hone_model *model = NULL;
  hone_status *status;
  if (PyUnicode_Check(source)) {
    const char *path = PyUnicode_AsUTF8AndSize(source, NULL);
    if (!path) return NULL;
    Py_BEGIN_ALLOW_THREADS status = hone_model_open(path, options, &model);
    Py_END_ALLOW_THREADS
  } else {
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(source, &data, &size) != 0) return NULL;
    Py_BEGIN_ALLOW_THREADS status =
        hone_model_parse((hone_bytes){data, (size_t)size}, folder, options, &model);
    Py_END_ALLOW_THREADS
  }
  if (status) raise_status(status);
  return status ? NULL : model;
}

/* build(source, folder, options, progress) */
static PyObject *build(PyObject *self, PyObject *arguments) {
  (void)self;
  PyObject *source, *dict, *progress;
  const char *folder;
  if (!PyArg_ParseTuple(arguments, "OzO!O", &source, &folder, &PyDict_Type, &dict, &progress))
    return NULL;
  hone_options *options = options_from(dict);
  if (!options) return NULL;
  hone_model *model = open_model(source, folder, options);
  PyObject *result = NULL;
  if (model) {
    hone_engine *engine = NULL;
    hone_status *status;
    hone_options_set_progress(options, report_progress, progress);
    Py_BEGIN_ALLOW_THREADS status = hone_build(model, options, &engine);
    Py_END_ALLOW_THREADS if (status) {
      raise_status(status);
    }
    else if (PyErr_Occurred()) {
      hone_engine_free(engine);
    }
    else {
      result = wrap_engine(engine, PyBytes_Check(source) ? source : NULL);
    }
    hone_model_free(model);
  }
  hone_options_free(options);
  return result;
}

/* load(path, options) */
static PyObject *load(PyObject *self, PyObject *arguments) {
  (void)self;
  const char *path;
  PyObject *dict;
  if (!PyArg_ParseTuple(arguments, "sO!", &path, &PyDict_Type, &dict)) return NULL;
  hone_options *options = options_from(dict);
  if (!options) return NULL;
  hone_engine *engine = NULL;
  hone_status *status;
  Py_BEGIN_ALLOW_THREADS status = hone_engine_open(path, options, &engine);
  Py_END_ALLOW_THREADS hone_options_free(options);
  return status ? raise_status(status) : wrap_engine(engine, NULL);
}

/* check(path) -> (code, message, JSON text) */
static PyObject *check(PyObject *self, PyObject *path) {
  (void)self;
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

static PyObject *engine_save(PyObject *object, PyObject *path) {
  const char *text = PyUnicode_AsUTF8AndSize(path, NULL);
  if (!text) return NULL;
  hone_status *status;
  hone_engine *engine = ((engine_object *)object)->engine;
  Py_BEGIN_ALLOW_THREADS status = hone_engine_save(engine, text);
  Py_END_ALLOW_THREADS if (status) return raise_status(status);
  Py_RETURN_NONE;
}

static PyObject *give_text(hone_status *status, char *text) {
  if (status) return raise_status(status);
  PyObject *result = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
  hone_text_release(text);
  return result;
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

/* (name, kind, dtype name, [dim or name or None, …] or None) */
static PyObject *describe_port(const hone_port *port) {
  PyObject *dims = Py_None;
  if (port->type.rank < 0)
    Py_INCREF(dims);
  else
    dims = PyList_New(port->type.rank);
  if (!dims) return NULL;
  for (int i = 0; i < port->type.rank; i++) {
    PyObject *dim = port->type.dims[i] >= 0 ? PyLong_FromLongLong(port->type.dims[i])
                    : port->dim_names[i]    ? PyUnicode_FromString(port->dim_names[i])
                                            : Py_NewRef(Py_None);
    if (!dim || PyList_SetItem(dims, i, dim) != 0) {
      Py_DECREF(dims);
      return NULL;
    }
  }
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

/* ---- Contexts
 * -------------------------------------------------------------------------------------------- */

typedef struct context_object {
  PyObject_HEAD hone_context *context;
  PyObject *engine;
} context_object;

static bool poll_signals(void *argument) {
  (void)argument;
  PyGILState_STATE state = PyGILState_Ensure();
  bool stop = PyErr_CheckSignals() != 0;
  PyGILState_Release(state);
  return stop;
}

static PyObject *engine_context(PyObject *object, PyObject *arguments) {
  PyObject *dict;
  if (!PyArg_ParseTuple(arguments, "O!", &PyDict_Type, &dict)) return NULL;
  hone_options *options = options_from(dict);
  if (!options) return NULL;
  hone_context *context;
  hone_status *status = hone_context_new(((engine_object *)object)->engine, options, &context);
  hone_options_free(options);
  if (status) return raise_status(status);
  context_object *self = PyObject_New(context_object, context_type);
  if (!self) {
    hone_context_free(context);
    return NULL;
  }
  hone_set_poll(context, poll_signals, NULL);
  self->context = context;
  self->engine = Py_NewRef(object);
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

/* What one run borrows from Python until it is over. */
typedef struct loan {
  Py_buffer *buffers;
  size_t buffer_count, buffer_room;
  void **blocks; /* memory of ours: items and strings */
  size_t block_count, block_room;
} loan;

static void give_back(loan *l) {
  for (size_t i = 0; i < l->buffer_count; i++) PyBuffer_Release(&l->buffers[i]);
  for (size_t i = 0; i < l->block_count; i++) PyMem_Free(l->blocks[i]);
  PyMem_Free(l->buffers);
  PyMem_Free(l->blocks);
}

static void *loan_memory(loan *l, size_t size) {
  if (l->block_count == l->block_room) {
    size_t room = l->block_room ? l->block_room * 2 : 8;
    void **blocks = PyMem_Realloc(l->blocks, room * sizeof *blocks);
    if (!blocks) return PyErr_NoMemory();
    l->blocks = blocks;
    l->block_room = room;
  }
  void *memory = PyMem_Calloc(1, size ? size : 1);
  if (!memory) return PyErr_NoMemory();
  return l->blocks[l->block_count++] = memory;
}

static Py_buffer *loan_buffer(loan *l, PyObject *object, int flags) {
  if (l->buffer_count == l->buffer_room) {
    size_t room = l->buffer_room ? l->buffer_room * 2 : 16;
    Py_buffer *buffers = PyMem_Realloc(l->buffers, room * sizeof *buffers);
    if (!buffers) return PyErr_NoMemory(), NULL;
    l->buffers = buffers;
    l->buffer_room = room;
  }
  Py_buffer *buffer = &l->buffers[l->buffer_count];
  if (PyObject_GetBuffer(object, buffer, flags) != 0) return NULL;
  l->buffer_count++;
  return buffer;
}

/* struct's format characters, native sizes of the machines that we run on. */
static hone_dtype dtype_of_format(const Py_buffer *buffer) {
  const char *format = buffer->format ? buffer->format : "B";
  if (*format == '<' || *format == '=' || *format == '@') format++;
  switch (*format) {
    case 'f':
      return HONE_F32;
    case 'd':
      return HONE_F64;
    case 'e':
      return HONE_F16;
    case '?':
      return HONE_BOOL;
    case 'Z':
      return format[1] == 'f' ? HONE_C64 : HONE_C128;
    case 'b':
      return HONE_S8;
    case 'B':
      return HONE_U8;
    case 'h':
      return HONE_S16;
    case 'H':
      return HONE_U16;
    case 'i':
      return HONE_S32;
    case 'I':
      return HONE_U32;
    case 'l':
      return buffer->itemsize == 8 ? HONE_S64 : HONE_S32;
    case 'L':
      return buffer->itemsize == 8 ? HONE_U64 : HONE_U32;
    case 'q':
      return HONE_S64;
    case 'Q':
      return HONE_U64;
    default:
      return HONE_DTYPE_NONE;
  }
}

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

static bool take_plain(loan *l, PyObject *object, hone_tensor *out) {
  Py_buffer *buffer = loan_buffer(l, object, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS);
  if (!buffer) return false;
  out->dtype = dtype_of_format(buffer);
  if (out->dtype == HONE_DTYPE_NONE || buffer->ndim > HONE_MAX_RANK) {
    PyErr_Format(PyExc_TypeError, "elements of format '%s' with %d dimensions are not understood",
                 buffer->format, buffer->ndim);
    return false;
  }
  out->rank = buffer->ndim;
  for (int i = 0; i < buffer->ndim; i++) out->dims[i] = buffer->shape[i];
  out->data = buffer->buf;
  out->size = (size_t)buffer->len;
  return true;
}

static bool take_strings(loan *l, PyObject *list, hone_tensor *out) {
  Py_ssize_t count = PyList_Check(list) ? PyList_Size(list) : -1;
  if (count < 0) return PyErr_SetString(PyExc_TypeError, "strings are a list of bytes"), false;
  hone_string *strings = loan_memory(l, (size_t)count * sizeof *strings);
  if (!strings) return false;
  for (Py_ssize_t i = 0; i < count; i++) {
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(PyList_GetItem(list, i), &data, &size) != 0) return false;
    strings[i] = (hone_string){data, (size_t)size};
  }
  out->data = strings;
  out->size = (size_t)count * sizeof *strings;
  return true;
}

/* (dtype name, shape, buffer or list of bytes) */
static bool take_described(loan *l, PyObject *tuple, hone_tensor *out) {
  if (PyTuple_Size(tuple) != 3)
    return PyErr_SetString(PyExc_TypeError, "a tensor is (dtype, shape, buffer)"), false;
  const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(tuple, 0), NULL);
  if (!name || !set_shape(PyTuple_GetItem(tuple, 1), out)) return false;
  out->dtype = hone_dtype_of(name);
  PyObject *data = PyTuple_GetItem(tuple, 2);
  if (out->dtype == HONE_STR) return take_strings(l, data, out);
  Py_buffer *buffer = loan_buffer(l, data, PyBUF_SIMPLE);
  if (!buffer) return false;
  out->data = buffer->buf;
  out->size = (size_t)buffer->len;
  return true;
}

static bool take_value(loan *l, PyObject *object, int kind, hone_tensor *out) {
  memset(out, 0, sizeof *out);
  out->struct_size = sizeof *out;
  if (kind == HONE_TENSOR)
    return PyTuple_Check(object) ? take_described(l, object, out) : take_plain(l, object, out);
  out->kind = kind;
  if (object == Py_None) return true;
  Py_ssize_t count = PyList_Check(object) ? PyList_Size(object) : -1;
  if (count < 0) return PyErr_SetString(PyExc_TypeError, "a sequence is a list"), false;
  out->items = loan_memory(l, (size_t)count * sizeof *out->items);
  if (!out->items) return false;
  out->count = (size_t)count;
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject *item = PyList_GetItem(object, i);
    int item_kind = PyList_Check(item) ? HONE_SEQUENCE : HONE_TENSOR;
    if (!take_value(l, item, item_kind, &out->items[i])) return false;
  }
  return true;
}

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

/* Outputs with a buffer given are written there; the others in the context's memory. */
static bool bind_outputs(context_object *self, loan *l, PyObject *outputs) {
  size_t count = hone_output_count(((engine_object *)self->engine)->engine);
  for (size_t i = 0; i < count; i++) {
    hone_tensor tensor = {.struct_size = sizeof tensor};
    PyObject *object = outputs == Py_None ? Py_None : PyList_GetItem(outputs, (Py_ssize_t)i);
    if (!object) return false;
    if (object != Py_None) {
      Py_buffer *buffer = loan_buffer(l, object, PyBUF_WRITABLE);
      if (!buffer) return false;
      tensor.data = buffer->buf;
      tensor.size = (size_t)buffer->len;
    }
    hone_status *status = hone_set_output(self->context, i, &tensor);
    if (status) return raise_status(status), false;
  }
  return true;
}

static PyObject *give_shape(const hone_tensor *tensor) {
  PyObject *shape = PyTuple_New(tensor->rank);
  for (int i = 0; shape && i < tensor->rank; i++) {
    PyObject *dim = PyLong_FromLongLong(tensor->dims[i]);
    if (!dim || PyTuple_SetItem(shape, i, dim) != 0) Py_CLEAR(shape);
  }
  return shape;
}

static PyObject *give_strings(const hone_tensor *tensor) {
  size_t count = tensor->size / sizeof(hone_string);
  const hone_string *strings = tensor->data;
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    PyObject *text = PyBytes_FromStringAndSize(strings[i].data, (Py_ssize_t)strings[i].size);
    if (!text || PyList_SetItem(list, (Py_ssize_t)i, text) != 0) Py_CLEAR(list);
  }
  return list;
}

static PyObject *give_value(const hone_tensor *tensor, PyObject *bound) {
  if (tensor->kind != HONE_TENSOR) {
    if (tensor->kind == HONE_OPTIONAL && tensor->count == 0) Py_RETURN_NONE;
    PyObject *list = PyList_New((Py_ssize_t)tensor->count);
    for (size_t i = 0; list && i < tensor->count; i++) {
      PyObject *item = give_value(&tensor->items[i], Py_None);
      if (!item || PyList_SetItem(list, (Py_ssize_t)i, item) != 0) Py_CLEAR(list);
    }
    return list;
  }
  PyObject *data = tensor->dtype == HONE_STR ? give_strings(tensor)
                   : bound != Py_None
                       ? Py_NewRef(bound)
                       : PyByteArray_FromStringAndSize(tensor->data, (Py_ssize_t)tensor->size);
  PyObject *shape = data ? give_shape(tensor) : NULL;
  if (!shape) {
    Py_XDECREF(data);
    return NULL;
  }
  return Py_BuildValue("(sNN)", hone_dtype_text(tensor->dtype), shape, data);
}

static PyObject *give_outputs(context_object *self, PyObject *outputs) {
  size_t count = hone_output_count(((engine_object *)self->engine)->engine);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    hone_tensor tensor = {.struct_size = sizeof tensor};
    hone_status *status = hone_get_output(self->context, i, &tensor);
    PyObject *bound = outputs == Py_None ? Py_None : PyList_GetItem(outputs, (Py_ssize_t)i);
    PyObject *value = status ? raise_status(status) : give_value(&tensor, bound);
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
    Py_BEGIN_ALLOW_THREADS status = hone_run(self->context);
    Py_END_ALLOW_THREADS result = status ? raise_status(status) : give_outputs(self, outputs);
  }
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

/* ---- The module
 * ------------------------------------------------------------------------------------------ */

static PyMethodDef engine_methods[] = {{"save", engine_save, METH_O, NULL},
                                       {"report", engine_report, METH_NOARGS, NULL},
                                       {"text", engine_text, METH_NOARGS, NULL},
                                       {"inputs", engine_inputs, METH_NOARGS, NULL},
                                       {"outputs", engine_outputs, METH_NOARGS, NULL},
                                       {"context", engine_context, METH_VARARGS, NULL},
                                       {NULL, NULL, 0, NULL}};

static PyMethodDef context_methods[] = {
    {"run", context_run, METH_VARARGS, NULL},
    {"cancel", context_cancel, METH_NOARGS, NULL},
    {"profile", context_profile, METH_O, NULL},
    {"profile_report", context_profile_report, METH_NOARGS, NULL},
    {"memory", context_memory, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};

static PyObject *set_error_type(PyObject *self, PyObject *type) {
  (void)self;
  Py_XDECREF(error_type);
  error_type = Py_NewRef(type);
  Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {{"build", build, METH_VARARGS, NULL},
                                       {"load", load, METH_VARARGS, NULL},
                                       {"check", check, METH_O, NULL},
                                       {"options", list_options, METH_NOARGS, NULL},
                                       {"set_error_type", set_error_type, METH_O, NULL},
                                       {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_hone", NULL, -1, module_methods, NULL, NULL, NULL, NULL};

static PyType_Slot engine_slots[] = {
    {Py_tp_dealloc, (void *)engine_free}, {Py_tp_methods, engine_methods}, {0, NULL}};
static PyType_Spec engine_spec = {"hone._hone.Engine", sizeof(engine_object), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                  engine_slots};
static PyType_Slot context_slots[] = {
    {Py_tp_dealloc, (void *)context_free}, {Py_tp_methods, context_methods}, {0, NULL}};
static PyType_Spec context_spec = {"hone._hone.Context", sizeof(context_object), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                   context_slots};

PyMODINIT_FUNC PyInit__hone(void);

PyMODINIT_FUNC PyInit__hone(void) {
  PyObject *self = PyModule_Create(&module);
  if (!self) return NULL;
  engine_type = (PyTypeObject *)PyType_FromSpec(&engine_spec);
  context_type = (PyTypeObject *)PyType_FromSpec(&context_spec);
  error_type = Py_NewRef(PyExc_RuntimeError);
  if (!engine_type || !context_type ||
      PyModule_AddStringConstant(self, "version", hone_version()) != 0) {
    Py_DECREF(self);
    return NULL;
  }
  return self;
}
