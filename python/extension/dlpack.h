/* DLPack's structures, as its specification 1.1, and 1.3 for the table of functions, lays them out
 * (dmlc.github.io/dlpack). */
#ifndef HONE_PYTHON_DLPACK_H
#define HONE_PYTHON_DLPACK_H

#include "extension.h"

enum { DL_CPU = 1, DL_CUDA = 2, DL_CUDA_HOST = 3 };
enum { DL_READ_ONLY = 1 };
enum { DL_COMPLEX = 5 }; /* of dtype.code */

typedef struct dl_tensor {
  void *data;
  struct {
    int32_t type, id;
  } device;
  int32_t rank;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } dtype;
  int64_t *shape, *strides; /* strides in elements; NULL: row-major */
  uint64_t byte_offset;
} dl_tensor;

/* Before version 1. */
typedef struct dl_managed {
  dl_tensor tensor;
  void *context;
  void (*deleter)(struct dl_managed *self);
} dl_managed;

typedef struct dl_versioned {
  struct {
    uint32_t major, minor;
  } version;
  void *context;
  void (*deleter)(struct dl_versioned *self);
  uint64_t flags;
  dl_tensor tensor;
} dl_versioned;

/* What a type shows as __dlpack_c_exchange_api__: its objects' tensors without a call of Python's. */
typedef struct dl_exchange {
  struct {
    uint32_t major, minor;
  } version;
  void *older;
  void *allocate;
  int (*take)(void *object, dl_versioned **out); /* not ordered after anything */
  void *give;
  int (*borrow)(void *object, dl_tensor *out); /* as long as the object stays as it is; may be NULL */
  int (*work_stream)(int32_t device_type, int32_t device_id, void **out);
} dl_exchange;

/* An object's tensor, until dl_release. */
typedef struct dl_import {
  const dl_tensor *tensor;
  dl_managed *managed;
  dl_versioned *versioned;
  bool read_only;
} dl_import;

/* By its type's functions, or the object's __dlpack__; false with an exception. What a GPU still has to
 * do for the tensor is ordered before what is asked for on `stream` from now on. */
bool dl_take(PyObject *object, void *stream, dl_import *out);
void dl_release(dl_import *import);

/* What an object's tensor was when it was looked at. */
typedef struct dl_seen {
  const dl_exchange *exchange; /* of its type */
  dl_tensor tensor;            /* its shape below, no strides */
  int64_t shape[HONE_MAX_RANK];
} dl_seen;
/* Looks at a tensor that was taken; false where its type shows none without taking it. */
bool dl_see(PyObject *object, dl_seen *out);
/* Whether the object's tensor still is what was seen, and in order before what is asked for on `stream`
 * without more ado. */
bool dl_is_seen(PyObject *object, const dl_seen *seen, void *stream);
/* Whether the elements lie row after row without gaps. */
bool dl_is_contiguous(const dl_tensor *tensor);
/* HONE_DTYPE_NONE where we have no such type. */
hone_dtype dl_dtype(const dl_tensor *tensor);

/* A capsule of `tensor`, whose memory `owner` keeps: versioned, or as before version 1. */
PyObject *dl_give(PyObject *owner, const hone_tensor *tensor, bool versioned);

#endif
