/* What Pythons before 3.11 lack of the interface that the extension uses. They have no limited API
 * that would do (the buffer protocol came to it in 3.11), so there it is compiled for each version.
 *
 * Source: docs.python.org/3/c-api, the notes "Added in version".
 */
#ifndef HONE_PYTHON_OLDER_H
#define HONE_PYTHON_OLDER_H

#if PY_VERSION_HEX < 0x030A0000
#define Py_TPFLAGS_DISALLOW_INSTANTIATION 0 /* PyModule_AddType does it */

static inline PyObject *Py_NewRef(PyObject *object) {
  Py_INCREF(object);
  return object;
}

static inline int PyModule_AddType(PyObject *module, PyTypeObject *type) {
  const char *dot = strrchr(type->tp_name, '.');
  type->tp_new = NULL; /* made by C alone */
  Py_INCREF(type);
  return PyModule_AddObject(module, dot ? dot + 1 : type->tp_name, (PyObject *)type);
}
#endif

#if PY_VERSION_HEX < 0x03090000
#define PyObject_CallNoArgs(callable) PyObject_CallObject(callable, NULL)
#undef PyMODINIT_FUNC
#define PyMODINIT_FUNC __attribute__((visibility("default"))) PyObject *
#endif

#if PY_VERSION_HEX < 0x03080000
/* Since 3.8 an object holds on to its type, and gives it back when it is freed. */
static inline PyObject *hone_new_object(PyTypeObject *type) {
  PyObject *made = _PyObject_New(type);
  if (made) Py_INCREF(type);
  return made;
}
#undef PyObject_New
#define PyObject_New(kind, type) ((kind *)hone_new_object(type))
#endif

#endif
