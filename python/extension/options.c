/* Options: the library's table to Python, and bags from dicts. */
#include "extension.h"

static bool set_option(hone_options *options, PyObject *key, PyObject *value) {
  const char *name = PyUnicode_AsUTF8AndSize(key, NULL);
  const char *text = name ? PyUnicode_AsUTF8AndSize(value, NULL) : NULL;
  if (!text) return false;
  hone_status *status = hone_options_set(options, name, text);
  if (status) raise_status(status);
  return status == NULL;
}

hone_options *options_from(PyObject *dict) {
  hone_options *options;
  hone_status *status = hone_options_new(&options);
  if (status) return raise_status(status), NULL;
  PyObject *key, *value;
  Py_ssize_t at = 0;
  while (PyDict_Next(dict, &at, &key, &value)) {
    if (set_option(options, key, value)) continue;
    hone_options_free(options);
    return NULL;
  }
  return options;
}

/* [(name, kind, default, range, phase, help), …] */
PyObject *list_options(PyObject *module, PyObject *unused) {
  (void)module, (void)unused;
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
