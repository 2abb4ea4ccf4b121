/* Context: runs on a GPU that are only asked for, and the stream they are asked for on. */
#include <stdio.h>

#include "context.h"

/* What a run borrowed is given back after a wait that came later than the run was asked for, and by
 * nothing else: then nobody works on it whatever stream its owner thinks of. */
bool settle(context_object *self) {
  loan over[MOST_UNDER_WAY];
  size_t count = self->under_way_count;
  hone_status *status;
  memcpy(over, self->under_way, count * sizeof *over);
  self->under_way_count = 0;
  self->ports_known = false;
  Py_BEGIN_ALLOW_THREADS;
  status = hone_wait(self->context);
  Py_END_ALLOW_THREADS;
  for (size_t i = 0; i < count; i++) give_back(&over[i]);
  if (status) raise_status(status);
  return status == NULL;
}

static bool is_held(const context_object *self, const loan *l) {
  size_t i = 0;
  while (i < self->under_way_count && !is_same_loan(&self->under_way[i], l)) i++;
  return i < self->under_way_count;
}

/* Holds the loan until the next wait, and leaves it empty; or leaves it to be given back where the
 * same is held already, or where the call itself waits as nothing in it is a GPU's. */
static bool hold(context_object *self, loan *l) {
  if (!l->lasting || is_held(self, l)) return true;
  if (self->under_way_count == MOST_UNDER_WAY && !settle(self)) return false;
  self->under_way[self->under_way_count++] = *l;
  *l = (loan){0};
  return true;
}

static const char *output_name(const run_outputs *o, size_t index) {
  hone_port port = {.struct_size = sizeof port, .name = ""};
  hone_status_free(hone_output_at(o->engine, index, &port));
  return port.name;
}

static bool all_given(const run_outputs *o) {
  char message[512];
  size_t i = 0;
  while (i < o->count && o->given[i].struct_size) i++;
  if (i == o->count) return true;
  snprintf(message, sizeof message, "output '%.300s' was not given", output_name(o, i));
  raise_status(hone_status_new(HONE_INVALID_ARGUMENT, message));
  return false;
}

static bool refuse_shape(const run_outputs *o, size_t index, const hone_tensor *out) {
  PyObject *is = give_shape(out), *given = give_shape(&o->given[index]);
  PyObject *text = is && given ? PyUnicode_FromFormat("output '%s' has shape %R and was given %R",
                                                      output_name(o, index), is, given)
                               : NULL;
  const char *message = text ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
  if (message) raise_status(hone_status_new(HONE_INVALID_ARGUMENT, message));
  Py_XDECREF(text);
  Py_XDECREF(is);
  Py_XDECREF(given);
  return false;
}

static bool has_shape(const hone_tensor *a, const hone_tensor *b) {
  return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

/* Sizes may be found by asking alone; by then they are known. */
static bool check_shapes(const context_object *self, const run_outputs *o) {
  for (size_t i = 0; i < o->count; i++) {
    hone_tensor out = {.struct_size = sizeof out};
    hone_status *status = hone_get_output(self->context, i, &out);
    if (status) return raise_status(status), false;
    if (!has_shape(&out, &o->given[i])) return refuse_shape(o, i, &out);
  }
  return true;
}

static bool ask(context_object *self, run_outputs *o, loan *l) {
  hone_status *status = bind_given(self, o);
  if (!status && !hold(self, l)) return false;
  if (!status) {
    Py_BEGIN_ALLOW_THREADS;
    status = hone_enqueue(self->context, NULL, NULL);
    Py_END_ALLOW_THREADS;
  }
  if (status) return raise_status(status), false;
  return check_shapes(self, o);
}

PyObject *context_enqueue(PyObject *object, PyObject *arguments) {
  context_object *self = (context_object *)object;
  PyObject *inputs, *outputs;
  if (!PyArg_ParseTuple(arguments, "O!O!", &PyList_Type, &inputs, &PyList_Type, &outputs))
    return NULL;
  const hone_engine *engine = ((engine_object *)self->engine)->engine;
  run_outputs o = {.engine = engine, .count = hone_output_count(engine)};
  loan l = {.stream = self->stream};
  self->ports_known = false;
  bool taken = bind_inputs(self, &l, inputs) && take_outputs(&o, &l, outputs) && all_given(&o);
  bool lasting = l.lasting, done = taken && ask(self, &o, &l);
  if (done && lasting) note_asked(self, inputs, outputs);
  free_outputs(&o);
  give_back(&l);
  return done ? Py_NewRef(Py_None) : NULL;
}

PyObject *context_wait(PyObject *object, PyObject *unused) {
  (void)unused;
  return settle((context_object *)object) ? Py_NewRef(Py_None) : NULL;
}

PyObject *context_set_stream(PyObject *object, PyObject *arguments) {
  context_object *self = (context_object *)object;
  PyObject *handle, *owner;
  if (!PyArg_ParseTuple(arguments, "OO", &handle, &owner)) return NULL;
  void *stream = NULL;
  if (handle != Py_None) stream = (void *)(uintptr_t)PyLong_AsUnsignedLongLong(handle);
  if (PyErr_Occurred() || !settle(self)) return NULL;
  hone_status *status = use_stream(self, stream);
  if (status) return raise_status(status);
  PyObject *before = self->stream_owner;
  self->stream_owner = Py_NewRef(owner);
  Py_XDECREF(before);
  Py_RETURN_NONE;
}
