/* segments(graph_def bytes, denied) -> JSON text: what an engine can take of a TensorFlow graph. */
#include "extension.h"

#include <hone/tensorflow.h>

PyObject *segments(PyObject *module, PyObject *arguments) {
  const char *denied;
  char *data, *text = NULL;
  Py_ssize_t size;
  PyObject *bytes;
  hone_status *status;
  (void)module;
  if (!PyArg_ParseTuple(arguments, "Ss", &bytes, &denied) ||
      PyBytes_AsStringAndSize(bytes, &data, &size) != 0)
    return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = hone_graph_def_segments((hone_bytes){data, (size_t)size}, denied, &text);
  Py_END_ALLOW_THREADS;
  return give_text(status, text);
}
