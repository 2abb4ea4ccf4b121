/* Conversion: a GraphDef on its way to one with engines in it; see hone/tensorflow.h. */
#include "extension.h"

#include <hone/tensorflow.h>

static PyTypeObject *conversion_type;

typedef struct conversion_object {
  PyObject_HEAD hone_conversion *conversion;
  PyObject *graph_def; /* the bytes that it is read from */
  PyObject *kept;      /* list of the bytes of engines that were placed */
} conversion_object;

/* convert(graph_def, outputs, denied, native, prefix, least_nodes, most_segments, like_tf_trt)
 */
PyObject *convert(PyObject *module, PyObject *arguments) {
  hone_conversion_options options = {0};
  PyObject *bytes;
  char *data;
  Py_ssize_t size, least, most;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "Ossssnnp", &bytes, &options.outputs, &options.denied,
                        &options.native, &options.prefix, &least, &most,
                        &options.like_tf_trt) ||
      PyBytes_AsStringAndSize(bytes, &data, &size) != 0)
    return NULL;
  conversion_object *self = PyObject_New(conversion_object, conversion_type);
  if (!self) return NULL;
  self->conversion = NULL;
  self->kept = PyList_New(0);
  self->graph_def = bytes;
  Py_INCREF(bytes);
  options.least_nodes = (size_t)least;
  options.most_segments = (size_t)most;
  hone_status *status;
  Py_BEGIN_ALLOW_THREADS;
  status = hone_conversion_new((hone_bytes){data, (size_t)size}, &options, &self->conversion);
  Py_END_ALLOW_THREADS;
  if (!status && self->kept) return (PyObject *)self;
  if (status) raise_status(status);
  Py_DECREF(self);
  return NULL;
}

static void conversion_free(PyObject *object) {
  conversion_object *self = (conversion_object *)object;
  hone_conversion_free(self->conversion);
  Py_XDECREF(self->graph_def);
  Py_XDECREF(self->kept);
  PyTypeObject *type = Py_TYPE(object);
  PyObject_Free(object);
  Py_DECREF(type);
}

static PyObject *describe(PyObject *object, PyObject *unused) {
  char *text = NULL;
  (void)unused;
  hone_status *status = hone_conversion_describe(((conversion_object *)object)->conversion, &text);
  return give_text(status, text);
}

/* model(segment) -> (GraphDef bytes, inputs, outputs) */
static PyObject *model(PyObject *object, PyObject *arguments) {
  hone_segment_model made;
  Py_ssize_t segment;
  if (!PyArg_ParseTuple(arguments, "n", &segment)) return NULL;
  hone_status *status =
      hone_conversion_model(((conversion_object *)object)->conversion, (size_t)segment, &made);
  if (status) return raise_status(status);
  PyObject *out =
      Py_BuildValue("y#ss", made.graph_def, (Py_ssize_t)made.size, made.inputs, made.outputs);
  hone_text_release(made.graph_def);
  return out;
}

/* leave(segment, reason) */
static PyObject *leave(PyObject *object, PyObject *arguments) {
  const char *reason;
  Py_ssize_t segment;
  if (!PyArg_ParseTuple(arguments, "ns", &segment, &reason)) return NULL;
  hone_status *status =
      hone_conversion_leave(((conversion_object *)object)->conversion, (size_t)segment, reason);
  if (status) return raise_status(status);
  Py_RETURN_NONE;
}

/* place(segment, bytes of the engine, its path, or None for a placeholder of the path) */
static PyObject *place(PyObject *object, PyObject *arguments) {
  conversion_object *self = (conversion_object *)object;
  PyObject *bytes;
  Py_ssize_t segment, size = 0;
  char *data = NULL;
  const char *path = NULL;
  if (!PyArg_ParseTuple(arguments, "nO", &segment, &bytes)) return NULL;
  if (PyUnicode_Check(bytes)) {
    path = PyUnicode_AsUTF8AndSize(bytes, NULL);
    if (!path) return NULL;
  } else if (bytes != Py_None && (PyBytes_AsStringAndSize(bytes, &data, &size) != 0 ||
                                  PyList_Append(self->kept, bytes) != 0)) {
    return NULL;
  }
  hone_status *status = hone_conversion_place(self->conversion, (size_t)segment, path,
                                              (hone_bytes){data, (size_t)size});
  if (status) return raise_status(status);
  Py_RETURN_NONE;
}

/* result(op, attrs, carries_segment, name of the file of weights or None) -> GraphDef bytes */
static PyObject *result(PyObject *object, PyObject *arguments) {
  hone_engine_nodes nodes = {0};
  const char *attrs;
  Py_ssize_t attrs_size;
  char *text = NULL;
  size_t size = 0;
  if (!PyArg_ParseTuple(arguments, "sy#pz", &nodes.op, &attrs, &attrs_size, &nodes.carries_segment,
                        &nodes.weights))
    return NULL;
  nodes.attrs = (hone_bytes){attrs, (size_t)attrs_size};
  hone_status *status =
      hone_conversion_result(((conversion_object *)object)->conversion, &nodes, &text, &size);
  if (status) return raise_status(status);
  PyObject *out = PyBytes_FromStringAndSize(text, (Py_ssize_t)size);
  hone_text_release(text);
  return out;
}

/* save_weights(path) */
static PyObject *save_weights(PyObject *object, PyObject *arguments) {
  const char *path;
  hone_status *status;
  if (!PyArg_ParseTuple(arguments, "s", &path)) return NULL;
  status = hone_conversion_save_weights(((conversion_object *)object)->conversion, path);
  if (status) return raise_status(status);
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"describe", describe, METH_NOARGS, NULL},
                                {"model", model, METH_VARARGS, NULL},
                                {"leave", leave, METH_VARARGS, NULL},
                                {"place", place, METH_VARARGS, NULL},
                                {"result", result, METH_VARARGS, NULL},
                                {"save_weights", save_weights, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};
static PyType_Slot slots[] = {
    {Py_tp_methods, methods}, {Py_tp_dealloc, conversion_free}, {0, NULL}};
static PyType_Spec spec = {"hone._hone.Conversion", sizeof(conversion_object), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

int add_conversion_type(PyObject *module) {
  conversion_type = (PyTypeObject *)PyType_FromSpec(&spec);
  return conversion_type ? PyModule_AddType(module, conversion_type) : -1;
}
