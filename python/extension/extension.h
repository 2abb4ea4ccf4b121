/* The Python extension: engines and contexts over the public C interface. hone/__init__.py gives
 * them their friendly face; here values are plain:
 *
 *   tensor    any object with a C-contiguous buffer or with __dlpack__, or (dtype name, shape,
 *             buffer) where the buffer alone does not tell, or ("str", shape, [bytes, …])
 *   sequence  a list of tensors; optional: None, or what it holds in a list
 *
 * Outputs come back as Tensor, or ("str", shape, [bytes, …]), or lists of them, or the very object
 * that was given to be written to.
 */
#ifndef HONE_PYTHON_EXTENSION_H
#define HONE_PYTHON_EXTENSION_H

#include <patchlevel.h>
#if PY_VERSION_HEX >= 0x030B0000 && !defined Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>
#include <string.h>

#include "older.h"

#include <hone/gpu.h>

/* ---- Statuses, options: status.c, options.c ---------------------------------------------------
 */

/* Raises what `status` says as hone.Error, and frees it. NULL, to return. An exception that is set
 * already, such as KeyboardInterrupt, is why the call stopped, and stays. */
PyObject *raise_status(hone_status *status);
/* A text of the library as str, released; or raises `status`. */
PyObject *give_text(hone_status *status, char *text);
PyObject *set_error_type(PyObject *module, PyObject *type);

/* A bag from a dict of names and texts; NULL with an exception. */
hone_options *options_from(PyObject *dict);
PyObject *list_options(PyObject *module, PyObject *unused);

/* ---- Types: engine.c, context.c, tensor.c, conversion.c ---------------------------------------
 */

typedef struct engine_object {
  PyObject_HEAD hone_engine *engine;
  PyObject *source; /* the bytes that a model parsed from memory lies in; or NULL */
} engine_object;

/* Each makes its type and adds it to the module; 0, or -1 with an exception. */
int add_engine_type(PyObject *module);
int add_context_type(PyObject *module);
int add_conversion_type(PyObject *module);
int add_tensor_type(PyObject *module);

PyObject *build(PyObject *module, PyObject *arguments);
PyObject *load(PyObject *module, PyObject *arguments);
PyObject *check(PyObject *module, PyObject *path);
PyObject *convert(PyObject *module, PyObject *arguments);
/* Engine.context(options) */
PyObject *new_context(PyObject *engine, PyObject *arguments);
/* Engine.weights(), Engine.refit(model, folder, weights): refit.c */
PyObject *engine_weights(PyObject *engine, PyObject *unused);
PyObject *engine_refit(PyObject *engine, PyObject *arguments);

/* An Engine, which takes the engine and holds on to `source` (NULL: nothing). */
PyObject *wrap_engine(hone_engine *engine, PyObject *source);
/* A model from a path (str) or bytes; the exception is set when NULL. */
hone_model *open_model(PyObject *source, const char *folder, const hone_options *options);
/* (name, kind, dtype name, [dim, …] or None) */
PyObject *describe_port(const hone_port *port);

/* ---- Values in: take.c ------------------------------------------------------------------------
 */

#define LEGACY_STREAM ((void *)1) /* of CUDA's: the default one, as CUDA and DLPack name it */

/* What one run borrows from Python until it is over. All-zero is empty. */
typedef struct loan {
  struct loan_item *items;
  void *stream; /* that tensors on a GPU are to be ready for; NULL: LEGACY_STREAM */
  bool lasting; /* a GPU may read or write some of it where it is, after the call too */
} loan;
void give_back(loan *l);
/* Whether `held` keeps all that `l` does: the same objects with their elements at the same places. */
bool is_same_loan(const loan *held, const loan *l);

/* The C struct of a plain value, whose memory stays Python's; false with an exception. */
bool take_value(loan *l, PyObject *object, int kind, hone_tensor *out);
/* Memory of a tensor to write to: a writable buffer, or what __dlpack__ gives. */
bool take_writable(loan *l, PyObject *object, hone_tensor *out);

/* ---- Values out: give.c, tensor.c -------------------------------------------------------------
 */

/* A new plain value with a copy of the elements. */
PyObject *give_value(const hone_tensor *tensor);
PyObject *give_shape(const hone_tensor *tensor);
/* A Tensor of this type and size, its elements not set; and with a copy of them. */
PyObject *make_tensor(const hone_tensor *type);
PyObject *new_tensor(const hone_tensor *from);
/* Where its elements lie. */
void *tensor_data(PyObject *tensor);
/* Cuts it to the shape that came out, which is no larger. */
void set_tensor_shape(PyObject *tensor, const hone_tensor *type);

/* struct's format of an element type; NULL where it has none. And the other way round. */
const char *format_of(hone_dtype dtype);
hone_dtype dtype_of_format(const char *format, Py_ssize_t item_size);

#endif
