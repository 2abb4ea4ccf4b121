/* Registering the ops and their kernels, once a process, when the library is loaded. */
#include "op.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "message.h"

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

/* An op: its inputs "<", outputs ">", attributes, and "!" where it has a state. */
typedef struct op_spec {
  const char *name;
  const char *const *parts;
  void *(*create)(TF_OpKernelConstruction *);
  void (*compute)(void *, TF_OpKernelContext *);
  void (*delete)(void *);
} op_spec;

#define ELEMENTS                                                                          \
  "{float, double, int32, uint8, int16, int8, int64, bool, bfloat16, uint16, half, "      \
  "uint32, uint64}"
#define ELEMENTS_AND_MORE                                                                 \
  "{float, double, int32, uint8, int16, int8, int64, bool, bfloat16, uint16, half, "      \
  "uint32, uint64, string, resource}"

static const char *const engine_parts[] = {"<inputs: InT",
                                           "<engine: E",
                                           ">outputs: OutT",
                                           ("InT: list(" ELEMENTS_AND_MORE ") >= 0"),
                                           ("OutT: list(" ELEMENTS ") >= 1"),
                                           "E: {string, uint8}",
                                           "segment_func: func",
                                           "carries_segment: int = 0",
                                           NULL};

/* The attributes of every release of TF-TRT. Source: trt_engine_op.cc of TensorFlow 1.12 to 2.17. */
static const char *const trt_parts[] = {"<in_tensor: InT",
                                        ">out_tensor: OutT",
                                        ("InT: list(" ELEMENTS_AND_MORE ") >= 0"),
                                        ("OutT: list(" ELEMENTS ") >= 1"),
                                        "serialized_segment: string = ''",
                                        "segment_func: func = {}",
                                        "input_shapes: list(shape) = []",
                                        "output_shapes: list(shape) = []",
                                        "max_cached_engines_count: int = 1",
                                        "max_batch_size: int = 1",
                                        "workspace_size_bytes: int = 0",
                                        "precision_mode: {'FP32', 'FP16', 'INT8', 'INT8CALIB'}",
                                        "calibration_data: string = ''",
                                        "use_calibration: bool = true",
                                        "segment_funcdef_name: string = ''",
                                        "cached_engine_batches: list(int) >= 0 = []",
                                        "fixed_input_size: bool = true",
                                        "static_engine: bool = true",
                                        "profile_strategy: string = ''",
                                        "use_explicit_precision: bool = false",
                                        "carries_segment: int = 0",
                                        NULL};
/* It has a state, so that nobody folds it into a constant. `file` is its name in a SavedModel. */
static const char *const weight_parts[] = {"<path: string", ">output: dtype", "dtype: type",
                                           "index: int",    "file: string = ''", "!", NULL};
static const char *const handle_parts[] = {">resource_handle: resource", "resource_name: string",
                                           "!", NULL};
static const char *const initialize_parts[] = {"<resource_handle: resource", "<filename: string",
                                               "max_cached_engines_count: int = 1", "!", NULL};
static const char *const calibration_parts[] = {"<resource_name: string",
                                                ">serialized_resource: string", "!", NULL};

static const op_spec ops[] = {
    {HONE_OP, engine_parts, hone_kernel_create, hone_kernel_compute, hone_kernel_delete},
    {TRT_OP, trt_parts, hone_kernel_create, hone_kernel_compute, hone_kernel_delete},
    {"HoneWeight", weight_parts, hone_weight_create, hone_weight_compute, hone_weight_delete},
    {"CreateTRTResourceHandle", handle_parts, hone_handle_create, hone_handle_compute,
     hone_handle_delete},
    {"InitializeTRTResource", initialize_parts, NULL, hone_initialize_compute, NULL},
    {"GetCalibrationDataOp", calibration_parts, NULL, hone_calibration_compute, NULL},
};

static void unknown_shapes(TF_ShapeInferenceContext *context, TF_Status *status) {
  tf.TF_ShapeInferenceContextSetUnknownShape(context, status);
}

/* Whether the process has an op of this name: a TensorFlow with TensorRT in it has, and a second
 * copy of this library. Registering it again would end the process. */
static bool is_registered(const char *name) {
  if (!tf.TF_GraphImportGraphDef) return false;
  hone_message node = {0}, graph = {0};
  hone_add_text(&node, 1, "x");
  hone_add_text(&node, 2, name);
  hone_add_message(&graph, 1, &node);
  TF_Status *status = tf.TF_NewStatus();
  TF_Graph *into = tf.TF_NewGraph();
  TF_ImportGraphDefOptions *how = tf.TF_NewImportGraphDefOptions();
  TF_Buffer buffer = {graph.data, graph.size, NULL};
  tf.TF_GraphImportGraphDef(into, &buffer, how, status);
  bool found = tf.TF_GetCode(status) != TF_NOT_FOUND;
  tf.TF_DeleteImportGraphDefOptions(how);
  tf.TF_DeleteGraph(into);
  tf.TF_DeleteStatus(status);
  free(graph.data);
  return found;
}

static void define_op(const op_spec *spec, TF_Status *status) {
  TF_OpDefinitionBuilder *op = tf.TF_NewOpDefinitionBuilder(spec->name);
  for (const char *const *part = spec->parts; *part; part++) switch (**part) {
      case '<': tf.TF_OpDefinitionBuilderAddInput(op, *part + 1); break;
      case '>': tf.TF_OpDefinitionBuilderAddOutput(op, *part + 1); break;
      case '!': tf.TF_OpDefinitionBuilderSetIsStateful(op, true); break;
      default: tf.TF_OpDefinitionBuilderAddAttr(op, *part);
    }
  tf.TF_OpDefinitionBuilderSetShapeInferenceFunction(op, unknown_shapes);
  tf.TF_RegisterOpDefinition(op, status);
}

static void define_kernel(const op_spec *spec, TF_Status *status) {
  TF_KernelBuilder *kernel =
      tf.TF_NewKernelBuilder(spec->name, "CPU", spec->create, spec->compute, spec->delete);
  tf.TF_RegisterKernelBuilder(spec->name, kernel, status);
}

static void register_once(void) {
  const char *missing;
  if (!tf_find_functions(&missing)) {
    fprintf(stderr, "hone: this TensorFlow has no %s; its models run natively\n", missing);
    return;
  }
  TF_Status *status = tf.TF_NewStatus();
  for (size_t i = 0; i < sizeof ops / sizeof *ops && tf.TF_GetCode(status) == TF_OK; i++) {
    if (is_registered(ops[i].name)) continue;
    define_op(&ops[i], status);
    if (tf.TF_GetCode(status) == TF_OK) define_kernel(&ops[i], status);
  }
  if (tf.TF_GetCode(status) != TF_OK)
    fprintf(stderr, "hone: TensorFlow refuses an op: %s\n", tf.TF_Message(status));
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

bool hone_tensorflow_reads_functions(void) {
  return tf.TF_OpKernelConstruction_GetAttrFunction && tf.TF_GetSerializedFunctionDefLibrary;
}

HONE_API void TF_InitKernel(void);
void TF_InitKernel(void) {
  hone_register_op();
}
