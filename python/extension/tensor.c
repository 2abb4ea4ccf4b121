/* Tensor: an output's elements, for the buffer protocol and DLPack. Needs no NumPy. */
#include <stdlib.h>

#include "dlpack.h"

typedef struct tensor_object {
  PyObject_HEAD hone_tensor tensor;
  Py_ssize_t shape[HONE_MAX_RANK], strides[HONE_MAX_RANK];
} tensor_object;

static PyTypeObject *tensor_type;

/* Types that struct has a letter for. The rest are shown as bytes without a shape. */
static const struct {
  hone_dtype dtype;
  char format[3];
} formats[] = {{HONE_F32, "f"},  {HONE_F64, "d"},  {HONE_F16, "e"}, {HONE_S64, "q"},
               {HONE_S32, "i"},  {HONE_S16, "h"},  {HONE_S8, "b"},  {HONE_U64, "Q"},
               {HONE_U32, "I"},  {HONE_U16, "H"},  {HONE_U8, "B"},  {HONE_BOOL, "?"},
               {HONE_C64, "Zf"}, {HONE_C128, "Zd"}};
#define FORMATS (sizeof formats / sizeof *formats)

const char *format_of(hone_dtype dtype) {
  for (size_t i = 0; i < FORMATS; i++)
    if (formats[i].dtype == dtype) return formats[i].format;
  return NULL;
}

hone_dtype dtype_of_format(const char *format, Py_ssize_t item_size) {
  if (*format == '<' || *format == '=' || *format == '@') format++;
  if (*format == 'l') format = item_size == 8 ? "q" : "i"; /* C's long */
  if (*format == 'L') format = item_size == 8 ? "Q" : "I";
  for (size_t i = 0; i < FORMATS; i++)
    if (strcmp(formats[i].format, format) == 0) return formats[i].dtype;
  return HONE_DTYPE_NONE;
}

static Py_ssize_t item_size(hone_dtype dtype) {
  hone_tensor one = {.dtype = dtype}; /* rank 0 */
  return (Py_ssize_t)hone_tensor_bytes(&one);
}

void set_tensor_shape(PyObject *object, const hone_tensor *type) {
  tensor_object *self = (tensor_object *)object;
  Py_ssize_t step = item_size(type->dtype);
  self->tensor.rank = type->rank;
  self->tensor.size = type->size;
  for (int i = type->rank - 1; i >= 0; i--) {
    self->tensor.dims[i] = type->dims[i];
    self->shape[i] = (Py_ssize_t)type->dims[i];
    self->strides[i] = step;
    step *= self->shape[i];
  }
}

PyObject *make_tensor(const hone_tensor *type) {
  tensor_object *self = PyObject_New(tensor_object, tensor_type);
  if (!self) return NULL;
  void *data = NULL;
  /* Whole cache lines, so that kernels may use their widest stores. */
  if (posix_memalign(&data, 64, type->size ? type->size : 1) != 0) data = NULL;
  self->tensor = (hone_tensor){.struct_size = sizeof self->tensor, .dtype = type->dtype};
  self->tensor.data = data;
  set_tensor_shape((PyObject *)self, type);
  if (data) return (PyObject *)self;
  Py_DECREF(self);
  return PyErr_NoMemory();
}

PyObject *new_tensor(const hone_tensor *from) {
  PyObject *self = make_tensor(from);
  if (self && from->size) memcpy(tensor_data(self), from->data, from->size);
  return self;
}

void *tensor_data(PyObject *tensor) {
  return ((tensor_object *)tensor)->tensor.data;
}

static void tensor_free(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  free(((tensor_object *)object)->tensor.data);
  PyObject_Free(object);
  Py_DECREF(type);
}

static int tensor_buffer(PyObject *object, Py_buffer *out, int flags) {
  tensor_object *self = (tensor_object *)object;
  const hone_tensor *tensor = &self->tensor;
  const char *format = format_of(tensor->dtype);
  if (PyBuffer_FillInfo(out, object, tensor->data, (Py_ssize_t)tensor->size, 0, flags) != 0)
    return -1;
  if (!format) return 0;
  out->itemsize = item_size(tensor->dtype);
  out->ndim = tensor->rank;
  if (flags & PyBUF_FORMAT) out->format = (char *)(uintptr_t)format;
  out->shape = (flags & PyBUF_ND) == PyBUF_ND ? self->shape : NULL;
  out->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? self->strides : NULL;
  return 0;
}

PyObject *give_shape(const hone_tensor *tensor) {
  PyObject *shape = PyTuple_New(tensor->rank);
  for (int i = 0; shape && i < tensor->rank; i++) {
    PyObject *dim = PyLong_FromLongLong(tensor->dims[i]);
    if (!dim || PyTuple_SetItem(shape, i, dim) != 0) Py_CLEAR(shape);
  }
  return shape;
}

static PyObject *tensor_dtype(PyObject *object, void *unused) {
  (void)unused;
  return PyUnicode_FromString(hone_dtype_text(((tensor_object *)object)->tensor.dtype));
}

static PyObject *tensor_shape(PyObject *object, void *unused) {
  (void)unused;
  return give_shape(&((tensor_object *)object)->tensor);
}

static PyObject *tensor_nbytes(PyObject *object, void *unused) {
  (void)unused;
  return PyLong_FromSize_t(((tensor_object *)object)->tensor.size);
}

/* __dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None) */
static PyObject *tensor_dlpack(PyObject *object, PyObject *arguments, PyObject *words) {
  static char *names[] = {"stream", "max_version", "dl_device", "copy", NULL};
  PyObject *stream = NULL, *version = NULL, *device = NULL, *copy = NULL;
  if (!PyArg_ParseTupleAndKeywords(arguments, words, "|$OOOO", names, &stream, &version, &device,
                                   &copy))
    return NULL;
  if (copy && PyObject_IsTrue(copy) == 1) {
    PyObject *other = new_tensor(&((tensor_object *)object)->tensor);
    if (!other) return NULL;
    PyObject *capsule =
        dl_give(other, &((tensor_object *)other)->tensor, version && version != Py_None);
    Py_DECREF(other);
    return capsule;
  }
  return dl_give(object, &((tensor_object *)object)->tensor, version && version != Py_None);
}

static PyObject *tensor_dlpack_device(PyObject *object, PyObject *unused) {
  (void)object, (void)unused;
  return Py_BuildValue("(ii)", DL_CPU, 0);
}

static PyObject *tensor_text(PyObject *object) {
  const hone_tensor *tensor = &((tensor_object *)object)->tensor;
  PyObject *shape = give_shape(tensor);
  if (!shape) return NULL;
  PyObject *text =
      PyUnicode_FromFormat("<hone.Tensor %s %R>", hone_dtype_text(tensor->dtype), shape);
  Py_DECREF(shape);
  return text;
}

static PyMethodDef tensor_methods[] = {
    {"__dlpack__", (PyCFunction)(void (*)(void))tensor_dlpack, METH_VARARGS | METH_KEYWORDS, NULL},
    {"__dlpack_device__", tensor_dlpack_device, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef tensor_members[] = {{"dtype", tensor_dtype, NULL, NULL, NULL},
                                       {"shape", tensor_shape, NULL, NULL, NULL},
                                       {"nbytes", tensor_nbytes, NULL, NULL, NULL},
                                       {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot tensor_slots[] = {{Py_tp_dealloc, (void *)tensor_free},
                                     {Py_tp_methods, tensor_methods},
                                     {Py_tp_getset, tensor_members},
                                     {Py_tp_repr, (void *)tensor_text},
#if PY_VERSION_HEX >= 0x03090000
                                     {Py_bf_getbuffer, (void *)tensor_buffer},
#endif
                                     {0, NULL}};
static PyType_Spec tensor_spec = {"hone._hone.Tensor", sizeof(tensor_object), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                  tensor_slots};

int add_tensor_type(PyObject *module) {
  tensor_type = (PyTypeObject *)PyType_FromSpec(&tensor_spec);
#if PY_VERSION_HEX < 0x03090000 /* a type's buffer was no slot yet */
  if (tensor_type) tensor_type->tp_as_buffer->bf_getbuffer = tensor_buffer;
#endif
  return tensor_type ? PyModule_AddType(module, tensor_type) : -1;
}
