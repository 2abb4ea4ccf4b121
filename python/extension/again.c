/* Asking for a run on the arrays of the last one: nothing is taken, bound or checked again, as that
 * takes longer than asking the GPU does. */
#include "context.h"

static size_t count_of(const context_object *self, bool in) {
  const hone_engine *engine = ((engine_object *)self->engine)->engine;
  return in ? hone_input_count(engine) : hone_output_count(engine);
}

static PyObject *name_at(const context_object *self, bool in, size_t index) {
  const hone_engine *engine = ((engine_object *)self->engine)->engine;
  hone_port port = {.struct_size = sizeof port, .name = ""};
  hone_status_free(in ? hone_input_at(engine, index, &port) : hone_output_at(engine, index, &port));
  return PyUnicode_InternFromString(port.name);
}

void free_ports(context_object *self) {
  size_t count = self->ports ? count_of(self, true) + count_of(self, false) : 0;
  for (size_t i = 0; i < count; i++) Py_XDECREF(self->ports[i].name);
  PyMem_Free(self->ports);
  self->ports = NULL;
}

static bool make_ports(context_object *self) {
  size_t inputs = count_of(self, true), count = inputs + count_of(self, false);
  if (self->ports) return true;
  self->ports = PyMem_Calloc(count + 1, sizeof *self->ports);
  for (size_t i = 0; self->ports && i < count; i++) {
    self->ports[i].name = name_at(self, i < inputs, i < inputs ? i : i - inputs);
    if (!self->ports[i].name) free_ports(self);
  }
  return self->ports != NULL;
}

static bool note_list(asked *ports, PyObject *list) {
  Py_ssize_t i = 0, count = PyList_Size(list);
  for (; i < count; i++) {
    ports[i].object = PyList_GetItem(list, i);
    if (!dl_see(ports[i].object, &ports[i].seen)) break;
  }
  return i == count;
}

void note_asked(context_object *self, PyObject *inputs, PyObject *outputs) {
  if (!make_ports(self)) {
    PyErr_Clear();
    return;
  }
  self->ports_known =
      note_list(self->ports, inputs) && note_list(self->ports + count_of(self, true), outputs);
}

/* Whether the dict has these arrays, as they were, and nothing else. */
static bool are_same(const context_object *self, const asked *ports, size_t count, PyObject *given) {
  void *stream = self->stream ? self->stream : LEGACY_STREAM;
  if (!PyDict_Check(given) || (size_t)PyDict_Size(given) != count) return false;
  for (size_t i = 0; i < count; i++)
    if (PyDict_GetItemWithError(given, ports[i].name) != ports[i].object ||
        !dl_is_seen(ports[i].object, &ports[i].seen, stream))
      return false;
  return true;
}

PyObject *context_enqueue_again(PyObject *object, PyObject *arguments) {
  context_object *self = (context_object *)object;
  PyObject *inputs, *outputs;
  if (!PyArg_ParseTuple(arguments, "OO", &inputs, &outputs)) return NULL;
  if (!self->ports_known) return Py_NewRef(Py_False);
  size_t count = count_of(self, true);
  if (!are_same(self, self->ports, count, inputs) ||
      !are_same(self, self->ports + count, count_of(self, false), outputs))
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_False);
  hone_status *status;
  Py_BEGIN_ALLOW_THREADS;
  status = hone_enqueue(self->context, NULL, NULL);
  Py_END_ALLOW_THREADS;
  return status ? raise_status(status) : Py_NewRef(Py_True);
}
