/* Statuses of the library as exceptions. */
#include "extension.h"

static PyObject *error_type; /* hone.Error, set by the package */

PyObject *set_error_type(PyObject *module, PyObject *type) {
  (void)module;
  Py_XDECREF(error_type);
  error_type = Py_NewRef(type);
  Py_RETURN_NONE;
}

PyObject *raise_status(hone_status *status) {
  PyObject *arguments = NULL, *error = NULL;
  if (!PyErr_Occurred())
    arguments = Py_BuildValue("(iss)", (int)hone_status_code(status), hone_status_message(status),
                              hone_status_place(status));
  hone_status_free(status);
  if (arguments)
    error = PyObject_CallObject(error_type ? error_type : PyExc_RuntimeError, arguments);
  Py_XDECREF(arguments);
  if (error) PyErr_SetObject((PyObject *)Py_TYPE(error), error);
  Py_XDECREF(error);
  return NULL;
}

PyObject *give_text(hone_status *status, char *text) {
  if (status) return raise_status(status);
  PyObject *result = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
  hone_text_release(text);
  return result;
}
