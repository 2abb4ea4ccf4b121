/* Registering the op and its kernel, once a process, when the library is loaded. */
#include "op.h"

#include <pthread.h>
#include <stdio.h>

/* By TF_DataType. */
static const struct {
  int tf;
  hone_dtype hone;
} types[] = {{1, HONE_F32},  {2, HONE_F64},  {3, HONE_S32},   {4, HONE_U8},  {5, HONE_S16},
             {6, HONE_S8},   {9, HONE_S64},  {10, HONE_BOOL}, {14, HONE_BF16}, {17, HONE_U16},
             {19, HONE_F16}, {22, HONE_U32}, {23, HONE_U64}};

hone_dtype hone_of_tf(int type) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].tf == type) return types[i].hone;
  return HONE_DTYPE_NONE;
}

int tf_of_hone(hone_dtype dtype) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (types[i].hone == dtype) return types[i].tf;
  return 0;
}

#define ELEMENTS "{float, double, int32, uint8, int16, int8, int64, bool, bfloat16, uint16, half, " \
                 "uint32, uint64}"

static void unknown_shapes(TF_ShapeInferenceContext *context, TF_Status *status) {
  tf.TF_ShapeInferenceContextSetUnknownShape(context, status);
}

static void define_op(TF_Status *status) {
  TF_OpDefinitionBuilder *op = tf.TF_NewOpDefinitionBuilder(HONE_OP);
  tf.TF_OpDefinitionBuilderAddInput(op, "inputs: InT");
  tf.TF_OpDefinitionBuilderAddInput(op, "engine: E");
  tf.TF_OpDefinitionBuilderAddOutput(op, "outputs: OutT");
  tf.TF_OpDefinitionBuilderAddAttr(op, "InT: list(" ELEMENTS ") >= 0");
  tf.TF_OpDefinitionBuilderAddAttr(op, "OutT: list(" ELEMENTS ") >= 1");
  tf.TF_OpDefinitionBuilderAddAttr(op, "E: {string, uint8}");
  tf.TF_OpDefinitionBuilderAddAttr(op, "segment_func: func");
  tf.TF_OpDefinitionBuilderSetShapeInferenceFunction(op, unknown_shapes);
  tf.TF_RegisterOpDefinition(op, status);
}

static void define_kernel(TF_Status *status) {
  TF_KernelBuilder *kernel = tf.TF_NewKernelBuilder(HONE_OP, "CPU", hone_kernel_create,
                                                    hone_kernel_compute, hone_kernel_delete);
  tf.TF_RegisterKernelBuilder(HONE_OP, kernel, status);
}

static void register_once(void) {
  const char *missing;
  if (!tf_find_functions(&missing)) {
    fprintf(stderr, "hone: this TensorFlow has no %s; its models run natively\n", missing);
    return;
  }
  TF_Status *status = tf.TF_NewStatus();
  define_op(status);
  if (tf.TF_GetCode(status) == TF_OK) define_kernel(status);
  if (tf.TF_GetCode(status) != TF_OK)
    fprintf(stderr, "hone: TensorFlow refuses the op: %s\n", tf.TF_Message(status));
  tf.TF_DeleteStatus(status);
}

void hone_register_op(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, register_once);
}

/* load_op_library runs constructors only; plug-ins are asked by name. */
__attribute__((constructor)) static void on_load(void) {
  hone_register_op();
}

HONE_API void TF_InitKernel(void);
void TF_InitKernel(void) {
  hone_register_op();
}
