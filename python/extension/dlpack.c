/* Tensors to and from other libraries by DLPack capsules. */
#include "dlpack.h"

static const struct {
  hone_dtype dtype;
  uint8_t code, bits;
} dl_types[] = {
    {HONE_F32, 2, 32},        {HONE_F64, 2, 64},    {HONE_F16, 2, 16},        {HONE_BF16, 4, 16},
    {HONE_S64, 0, 64},        {HONE_S32, 0, 32},    {HONE_S16, 0, 16},        {HONE_S8, 0, 8},
    {HONE_U64, 1, 64},        {HONE_U32, 1, 32},    {HONE_U16, 1, 16},        {HONE_U8, 1, 8},
    {HONE_BOOL, 6, 8},        {HONE_C64, 5, 64},    {HONE_C128, 5, 128},      {HONE_F8E4M3, 10, 8},
    {HONE_F8E4M3FNUZ, 11, 8}, {HONE_F8E5M2, 12, 8}, {HONE_F8E5M2FNUZ, 13, 8}, {HONE_F8E8M0, 14, 8},
};
#define DL_TYPES (sizeof dl_types / sizeof *dl_types)

/* ---- In ---------------------------------------------------------------------------------------
 */

/* Whether the object lies on a GPU; false also where it does not say. */
static bool is_on_gpu(PyObject *object) {
  int type = 0, id = 0;
  PyObject *device = PyObject_CallMethod(object, "__dlpack_device__", NULL);
  if (!device || !PyArg_ParseTuple(device, "ii", &type, &id)) PyErr_Clear();
  Py_XDECREF(device);
  return type == DL_CUDA;
}

/* The arguments of __dlpack__. */
static PyObject *words_for(bool on_gpu, void *stream, bool versioned) {
  unsigned long long handle = (uintptr_t)stream;
  if (!versioned) return on_gpu ? Py_BuildValue("{s:K}", "stream", handle) : PyDict_New();
  return on_gpu ? Py_BuildValue("{s:(ii), s:K}", "max_version", 1, 1, "stream", handle)
                : Py_BuildValue("{s:(ii)}", "max_version", 1, 1);
}

static PyObject *call(PyObject *method, PyObject *words) {
  PyObject *none = PyTuple_New(0);
  PyObject *capsule = none && words ? PyObject_Call(method, none, words) : NULL;
  Py_XDECREF(none);
  Py_XDECREF(words);
  return capsule;
}

/* __dlpack__ of version 1 where the object knows it; else as before. */
static PyObject *ask(PyObject *object, void *stream) {
  PyObject *method = PyObject_GetAttrString(object, "__dlpack__");
  if (!method) return NULL;
  bool on_gpu = is_on_gpu(object);
  PyObject *capsule = call(method, words_for(on_gpu, stream, true));
  if (!capsule && PyErr_ExceptionMatches(PyExc_TypeError)) {
    PyErr_Clear();
    capsule = call(method, words_for(on_gpu, stream, false));
  }
  Py_DECREF(method);
  return capsule;
}

/* Takes over what the capsule holds, and says so by its new name. */
static bool open_capsule(PyObject *capsule, dl_import *out) {
  if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
    out->versioned = PyCapsule_GetPointer(capsule, "dltensor_versioned");
    if (out->versioned->version.major != 1) {
      out->versioned = NULL; /* stays the capsule's */
      PyErr_SetString(PyExc_BufferError, "a DLPack tensor of another version than 1");
      return false;
    }
    out->tensor = &out->versioned->tensor;
    out->read_only = out->versioned->flags & DL_READ_ONLY;
    return PyCapsule_SetName(capsule, "used_dltensor_versioned") == 0;
  }
  out->managed = PyCapsule_GetPointer(capsule, "dltensor");
  if (!out->managed) return false;
  out->tensor = &out->managed->tensor;
  return PyCapsule_SetName(capsule, "used_dltensor") == 0;
}

static const char *place_refused(const dl_tensor *tensor) {
  if (tensor->device.type == DL_CUDA)
    return tensor->device.id == 0 ? NULL : "the tensor is not on the first GPU";
  bool host = tensor->device.type == DL_CPU || tensor->device.type == DL_CUDA_HOST;
  return host ? NULL : "the tensor is neither in the processor's memory nor on an NVIDIA GPU";
}

/* The functions of the object's type; NULL where it shows none that we know. They live as long as the
 * process. */
static const dl_exchange *exchange_of(PyObject *object) {
  PyObject *capsule = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__dlpack_c_exchange_api__");
  const dl_exchange *exchange =
      capsule ? PyCapsule_GetPointer(capsule, "dlpack_exchange_api") : NULL;
  Py_XDECREF(capsule);
  if (!exchange) PyErr_Clear();
  return exchange && exchange->version.major == 1 ? exchange : NULL;
}

/* Whether what the owner still has to do for the tensor comes before what is asked for on `stream`
 * without more ado: it works there. */
static bool is_in_order(const dl_exchange *exchange, const dl_tensor *tensor, void *stream) {
  void *theirs = NULL;
  if (tensor->device.type != DL_CUDA) return true;
  if (exchange->work_stream(DL_CUDA, tensor->device.id, &theirs) == 0)
    return (theirs ? theirs : LEGACY_STREAM) == stream;
  PyErr_Clear();
  return false;
}

/* Complex tensors go by __dlpack__, which knows of conjugates that are not computed yet. */
static bool take_by_type(PyObject *object, void *stream, dl_import *out) {
  const dl_exchange *exchange = exchange_of(object);
  if (!exchange || exchange->take(object, &out->versioned) != 0) {
    PyErr_Clear();
    out->versioned = NULL;
    return false;
  }
  out->tensor = &out->versioned->tensor;
  out->read_only = out->versioned->flags & DL_READ_ONLY;
  if (out->tensor->dtype.code != DL_COMPLEX && is_in_order(exchange, out->tensor, stream) &&
      !place_refused(out->tensor))
    return true;
  dl_release(out);
  return false;
}

/* Its tensor now, one that runs are given as it is; false where it shows none. */
static bool look(const dl_exchange *exchange, PyObject *object, dl_tensor *out) {
  if (exchange->borrow(object, out) == 0)
    return out->dtype.code != DL_COMPLEX && out->rank <= HONE_MAX_RANK && dl_is_contiguous(out);
  PyErr_Clear();
  return false;
}

bool dl_see(PyObject *object, dl_seen *out) {
  out->exchange = exchange_of(object);
  if (!out->exchange || !out->exchange->borrow || !look(out->exchange, object, &out->tensor))
    return false;
  for (int i = 0; i < out->tensor.rank; i++) out->shape[i] = out->tensor.shape[i];
  return true;
}

bool dl_is_seen(PyObject *object, const dl_seen *seen, void *stream) {
  const dl_tensor *was = &seen->tensor;
  dl_tensor now;
  return look(seen->exchange, object, &now) && now.data == was->data &&
         now.byte_offset == was->byte_offset && now.rank == was->rank &&
         memcmp(&now.device, &was->device, sizeof now.device) == 0 &&
         memcmp(&now.dtype, &was->dtype, sizeof now.dtype) == 0 &&
         memcmp(now.shape, seen->shape, (size_t)now.rank * sizeof *now.shape) == 0 &&
         is_in_order(seen->exchange, &now, stream);
}

bool dl_take(PyObject *object, void *stream, dl_import *out) {
  *out = (dl_import){0};
  if (take_by_type(object, stream, out)) return true;
  PyObject *capsule = ask(object, stream);
  if (!capsule) return false;
  bool good = open_capsule(capsule, out);
  Py_DECREF(capsule);
  if (!good) return false;
  const char *refusal = place_refused(out->tensor);
  if (!refusal) return true;
  PyErr_SetString(PyExc_BufferError, refusal);
  dl_release(out);
  return false;
}

void dl_release(dl_import *import) {
  if (import->versioned && import->versioned->deleter)
    import->versioned->deleter(import->versioned);
  if (import->managed && import->managed->deleter) import->managed->deleter(import->managed);
  *import = (dl_import){0};
}

bool dl_is_contiguous(const dl_tensor *tensor) {
  int64_t step = 1;
  for (int i = 0; i < tensor->rank; i++)
    if (tensor->shape[i] == 0) return true; /* nothing lies anywhere */
  for (int i = tensor->rank - 1; tensor->strides && i >= 0; i--) {
    if (tensor->shape[i] != 1 && tensor->strides[i] != step) return false;
    step *= tensor->shape[i];
  }
  return true;
}

hone_dtype dl_dtype(const dl_tensor *tensor) {
  for (size_t i = 0; tensor->dtype.lanes == 1 && i < DL_TYPES; i++)
    if (dl_types[i].code == tensor->dtype.code && dl_types[i].bits == tensor->dtype.bits)
      return dl_types[i].dtype;
  return HONE_DTYPE_NONE;
}

/* ---- Out --------------------------------------------------------------------------------------
 */

/* A tensor given away, with the memory of its shape and the object that keeps its elements. */
typedef struct given {
  dl_managed managed;
  dl_versioned versioned;
  int64_t shape[HONE_MAX_RANK];
  PyObject *owner;
} given;

/* The consumer may be done on any thread, with or without the interpreter's lock. */
static void forget(given *g) {
  PyGILState_STATE state = PyGILState_Ensure();
  Py_DECREF(g->owner);
  PyMem_Free(g);
  PyGILState_Release(state);
}

static void delete_managed(dl_managed *self) {
  forget(self->context);
}

static void delete_versioned(dl_versioned *self) {
  forget(self->context);
}

/* A capsule that nobody took. */
static void drop_capsule(PyObject *capsule) {
  if (PyCapsule_IsValid(capsule, "dltensor")) {
    dl_managed *managed = PyCapsule_GetPointer(capsule, "dltensor");
    managed->deleter(managed);
  } else if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
    dl_versioned *versioned = PyCapsule_GetPointer(capsule, "dltensor_versioned");
    versioned->deleter(versioned);
  }
}

static bool fill(dl_tensor *out, given *g, const hone_tensor *tensor) {
  size_t type = 0;
  while (type < DL_TYPES && dl_types[type].dtype != tensor->dtype) type++;
  if (type == DL_TYPES) {
    PyErr_Format(PyExc_BufferError, "DLPack has no element type for %s",
                 hone_dtype_text(tensor->dtype));
    return false;
  }
  memcpy(g->shape, tensor->dims, sizeof g->shape);
  *out = (dl_tensor){.data = tensor->data,
                     .device = {DL_CPU, 0},
                     .rank = tensor->rank,
                     .dtype = {dl_types[type].code, dl_types[type].bits, 1},
                     .shape = g->shape};
  return true;
}

PyObject *dl_give(PyObject *owner, const hone_tensor *tensor, bool versioned) {
  given *g = PyMem_Calloc(1, sizeof *g);
  if (!g) return PyErr_NoMemory();
  if (!fill(versioned ? &g->versioned.tensor : &g->managed.tensor, g, tensor)) {
    PyMem_Free(g);
    return NULL;
  }
  g->managed.context = g->versioned.context = g;
  g->managed.deleter = delete_managed;
  g->versioned.deleter = delete_versioned;
  g->versioned.version.major = 1;
  PyObject *capsule = versioned ? PyCapsule_New(&g->versioned, "dltensor_versioned", drop_capsule)
                                : PyCapsule_New(&g->managed, "dltensor", drop_capsule);
  if (!capsule) {
    PyMem_Free(g);
    return NULL;
  }
  g->owner = Py_NewRef(owner);
  return capsule;
}
