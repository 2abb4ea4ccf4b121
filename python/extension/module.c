/* The module hone._hone. */
#include "extension.h"

static PyMethodDef methods[] = {{"build", build, METH_VARARGS, NULL},
                                {"load", load, METH_VARARGS, NULL},
                                {"check", check, METH_O, NULL},
                                {"convert", convert, METH_VARARGS, NULL},
                                {"options", list_options, METH_NOARGS, NULL},
                                {"set_error_type", set_error_type, METH_O, NULL},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_hone", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__hone(void);

PyMODINIT_FUNC PyInit__hone(void) {
  PyObject *module = PyModule_Create(&definition);
  if (!module) return NULL;
  if (add_engine_type(module) == 0 && add_context_type(module) == 0 &&
      add_conversion_type(module) == 0 &&
      add_tensor_type(module) == 0 &&
      PyModule_AddStringConstant(module, "version", hone_version()) == 0)
    return module;
  Py_DECREF(module);
  return NULL;
}
