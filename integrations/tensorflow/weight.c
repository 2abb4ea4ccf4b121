/* A constant of a native segment, in a file: nothing of it is in memory before the segment runs, and
 * then it is the mapped file itself. */
#include <hone/tensorflow.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "op.h"

typedef struct weight {
  _Atomic(TF_Tensor *) tensor; /* NULL before the first call */
  pthread_mutex_t opening;
  int index;
} weight;

void *hone_weight_create(TF_OpKernelConstruction *construction) {
  TF_Status *status = tf.TF_NewStatus();
  weight *w = calloc(1, sizeof *w);
  int32_t index = -1;
  if (!w)
    tf.TF_SetStatus(status, TF_INTERNAL, "out of memory");
  else if (!tf.TF_OpKernelConstruction_GetAttrInt32)
    tf.TF_SetStatus(status, TF_UNIMPLEMENTED, "this TensorFlow does not tell kernels their attributes");
  else
    tf.TF_OpKernelConstruction_GetAttrInt32(construction, "index", &index, status);
  if (w) {
    w->index = index;
    pthread_mutex_init(&w->opening, NULL);
  }
  if (tf.TF_GetCode(status) != TF_OK) tf.TF_OpKernelConstruction_Failure(construction, status);
  tf.TF_DeleteStatus(status);
  return w;
}

static void close_file(void *data, size_t size, void *file) {
  (void)data;
  (void)size;
  hone_weights_close(file);
}

/* The weight as a tensor that keeps the file open. */
static hone_status *open_tensor(const weight *w, const char *path, TF_Tensor **out) {
  hone_weights *file = NULL;
  hone_tensor found = {.struct_size = sizeof found};
  hone_status *status = path ? hone_weights_open(path, &file)
                             : hone_status_new(HONE_INVALID_ARGUMENT, "the path is none");
  if (!status) status = hone_weights_at(file, (size_t)w->index, &found);
  if (status) {
    hone_weights_close(file);
    return status;
  }
  *out = tf.TF_NewTensor(tf_of_hone(found.dtype), found.dims, found.rank, found.data, found.size,
                         close_file, file);
  return *out ? NULL : hone_status_new(HONE_OUT_OF_MEMORY, "no tensor of a weight");
}

static TF_Tensor *open_once(weight *w, TF_OpKernelContext *context, TF_Status *status) {
  TF_Tensor *path = NULL, *tensor;
  pthread_mutex_lock(&w->opening);
  tensor = atomic_load(&w->tensor);
  if (!tensor) tf.TF_GetInput(context, 0, &path, status);
  if (path) {
    char *text = hone_tensor_text(path);
    hone_status *why = open_tensor(w, text, &tensor);
    if (why) tf.TF_SetStatus(status, TF_ABORTED, hone_status_message(why));
    hone_status_free(why);
    free(text);
    tf.TF_DeleteTensor(path);
    atomic_store(&w->tensor, tensor);
  }
  pthread_mutex_unlock(&w->opening);
  return tensor;
}

void hone_weight_compute(void *kernel, TF_OpKernelContext *context) {
  weight *w = kernel;
  TF_Status *status = tf.TF_NewStatus();
  TF_Tensor *tensor = atomic_load(&w->tensor);
  if (!tensor) tensor = open_once(w, context, status);
  if (tensor && tf.TF_TensorType(tensor) != tf.TF_ExpectedOutputDataType(context, 0))
    tf.TF_SetStatus(status, TF_ABORTED, "the file of weights is another model's");
  else if (tensor)
    tf.TF_SetOutput(context, 0, tensor, status);
  if (tf.TF_GetCode(status) != TF_OK) tf.TF_OpKernelContext_Failure(context, status);
  tf.TF_DeleteStatus(status);
}

void hone_weight_delete(void *kernel) {
  weight *w = kernel;
  if (!w) return;
  if (atomic_load(&w->tensor)) tf.TF_DeleteTensor(atomic_load(&w->tensor));
  pthread_mutex_destroy(&w->opening);
  free(w);
}
