/* What bench/in_tensorflow_overhead.py holds the engine's op against: a kernel in plain C that adds
 * one to f32 numbers, and does nothing else. */
#include <stdio.h>

#include "../integrations/tensorflow/tf_api.h"

static void compute(void *kernel, TF_OpKernelContext *context) {
  TF_Status *status = tf.TF_NewStatus();
  TF_Tensor *in = NULL;
  int64_t dims[8];
  (void)kernel;
  tf.TF_GetInput(context, 0, &in, status);
  int rank = in ? tf.TF_NumDims(in) : 0;
  for (int i = 0; i < rank && i < 8; i++) dims[i] = tf.TF_Dim(in, i);
  size_t size = in ? tf.TF_TensorByteSize(in) : 0;
  TF_Tensor *out = in ? tf.TF_AllocateOutput(context, 0, TF_FLOAT, dims, rank, size, status) : NULL;
  if (out) {
    const float *x = tf.TF_TensorData(in);
    float *y = tf.TF_TensorData(out);
    for (size_t i = 0; i < size / sizeof *x; i++) y[i] = x[i] + 1;
    tf.TF_DeleteTensor(out);
  }
  if (in) tf.TF_DeleteTensor(in);
  if (tf.TF_GetCode(status) != TF_OK) tf.TF_OpKernelContext_Failure(context, status);
  tf.TF_DeleteStatus(status);
}

static void unknown_shapes(TF_ShapeInferenceContext *context, TF_Status *status) {
  tf.TF_ShapeInferenceContextSetUnknownShape(context, status);
}

__attribute__((constructor)) static void on_load(void) {
  const char *missing;
  if (!tf_find_functions(&missing)) return;
  TF_Status *status = tf.TF_NewStatus();
  TF_OpDefinitionBuilder *op = tf.TF_NewOpDefinitionBuilder("HonePlain");
  tf.TF_OpDefinitionBuilderAddInput(op, "x: float");
  tf.TF_OpDefinitionBuilderAddOutput(op, "y: float");
  tf.TF_OpDefinitionBuilderSetShapeInferenceFunction(op, unknown_shapes);
  tf.TF_RegisterOpDefinition(op, status);
  TF_KernelBuilder *kernel = tf.TF_NewKernelBuilder("HonePlain", "CPU", NULL, compute, NULL);
  tf.TF_RegisterKernelBuilder("HonePlain", kernel, status);
  if (tf.TF_GetCode(status) != TF_OK) fprintf(stderr, "%s\n", tf.TF_Message(status));
  tf.TF_DeleteStatus(status);
}
