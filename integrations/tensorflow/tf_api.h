/* The part of TensorFlow's C interface that is used here, declared anew: 1.15 ships no headers, and
 * nothing is linked. Every function is looked up in the process when the library is loaded.
 *
 * Source: tensorflow/c/{c_api,kernels,ops,tf_tensor,tf_status,tf_buffer}.h, stable since 2.4.
 */
#ifndef HONE_TENSORFLOW_TF_API_H
#define HONE_TENSORFLOW_TF_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_Graph TF_Graph;
typedef struct TF_Session TF_Session;
typedef struct TF_SessionOptions TF_SessionOptions;
typedef struct TF_Operation TF_Operation;
typedef struct TF_ImportGraphDefOptions TF_ImportGraphDefOptions;
typedef struct TF_OpDefinitionBuilder TF_OpDefinitionBuilder;
typedef struct TF_ShapeInferenceContext TF_ShapeInferenceContext;
typedef struct TF_KernelBuilder TF_KernelBuilder;
typedef struct TF_OpKernelConstruction TF_OpKernelConstruction;
typedef struct TF_OpKernelContext TF_OpKernelContext;

typedef struct TF_GrapplerItem TF_GrapplerItem;
typedef struct TF_GraphProperties TF_GraphProperties;

typedef struct TF_Buffer {
  const void *data;
  size_t length;
  void (*data_deallocator)(void *data, size_t length);
} TF_Buffer;

typedef struct TF_StringView {
  const char *data;
  size_t len;
} TF_StringView;

typedef struct TF_Output {
  TF_Operation *oper;
  int index;
} TF_Output;

/* Codes of a TF_Status. */
enum {
  TF_OK = 0,
  TF_INVALID_ARGUMENT = 3,
  TF_NOT_FOUND = 5,
  TF_ABORTED = 10,
  TF_UNIMPLEMENTED = 12,
  TF_INTERNAL = 13
};

/* TF_DataTypes that are looked for by name. */
enum { TF_FLOAT = 1, TF_UINT8 = 4, TF_STRING = 7 };

/* What a graph optimiser is registered with, of c/experimental/grappler/grappler.h. `configs`: the
 * optimisers of TensorFlow's own that are to be off (1) or on (2), or as ever (0). */
typedef struct TP_OptimizerConfigs {
  size_t struct_size;
  void *ext;
  int configs[19];
} TP_OptimizerConfigs;

typedef struct TP_Optimizer {
  size_t struct_size;
  void *ext;
  void *(*create_func)(void);
  void (*optimize_func)(void *optimizer, const TF_Buffer *graph, const TF_GrapplerItem *item,
                        TF_Buffer *result, TF_Status *status);
  void (*destroy_func)(void *optimizer);
} TP_Optimizer;

typedef struct TP_OptimizerRegistrationParams {
  size_t struct_size;
  void *ext;
  int32_t major_version, minor_version, patch_version;
  const char *device_type;
  TP_OptimizerConfigs *optimizer_configs;
  TP_Optimizer *optimizer;
} TP_OptimizerRegistrationParams;

/* Elements of a string tensor since 2.3: TString of core/platform/ctstring_internal.h. */
typedef union tf_string {
  struct {
    uint8_t size; /* twice shifted; the low bits tell the kind */
    char text[23];
  } small;
  struct {
    size_t size; /* likewise */
    size_t room;
    char *text;
  } large;
} tf_string;

/* X(required, result, name, arguments) */
#define TF_FUNCTIONS(X)                                                                            \
  X(1, const char *, TF_Version, (void))                                                           \
  X(1, TF_Status *, TF_NewStatus, (void))                                                          \
  X(1, void, TF_DeleteStatus, (TF_Status *))                                                       \
  X(1, void, TF_SetStatus, (TF_Status *, int code, const char *message))                           \
  X(1, int, TF_GetCode, (const TF_Status *))                                                       \
  X(1, const char *, TF_Message, (const TF_Status *))                                              \
  X(1, TF_Buffer *, TF_NewBuffer, (void))                                                          \
  X(1, void, TF_DeleteBuffer, (TF_Buffer *))                                                       \
  X(1, TF_Tensor *, TF_NewTensor,                                                                  \
    (int type, const int64_t *dims, int rank, void *data, size_t size,                             \
     void (*release)(void *data, size_t size, void *argument), void *argument))                    \
  X(1, void, TF_DeleteTensor, (TF_Tensor *))                                                       \
  X(1, int, TF_TensorType, (const TF_Tensor *))                                                    \
  X(1, int, TF_NumDims, (const TF_Tensor *))                                                       \
  X(1, int64_t, TF_Dim, (const TF_Tensor *, int index))                                            \
  X(1, size_t, TF_TensorByteSize, (const TF_Tensor *))                                             \
  X(1, void *, TF_TensorData, (const TF_Tensor *))                                                 \
  X(1, TF_OpDefinitionBuilder *, TF_NewOpDefinitionBuilder, (const char *name))                    \
  X(1, void, TF_OpDefinitionBuilderAddInput, (TF_OpDefinitionBuilder *, const char *))             \
  X(1, void, TF_OpDefinitionBuilderAddOutput, (TF_OpDefinitionBuilder *, const char *))            \
  X(1, void, TF_OpDefinitionBuilderAddAttr, (TF_OpDefinitionBuilder *, const char *))              \
  X(1, void, TF_OpDefinitionBuilderSetIsStateful, (TF_OpDefinitionBuilder *, bool))                \
  X(1, void, TF_OpDefinitionBuilderSetShapeInferenceFunction,                                      \
    (TF_OpDefinitionBuilder *, void (*)(TF_ShapeInferenceContext *, TF_Status *)))                 \
  X(1, void, TF_RegisterOpDefinition, (TF_OpDefinitionBuilder *, TF_Status *))                     \
  X(1, void, TF_ShapeInferenceContextSetUnknownShape, (TF_ShapeInferenceContext *, TF_Status *))   \
  X(1, TF_KernelBuilder *, TF_NewKernelBuilder,                                                    \
    (const char *op, const char *device, void *(*)(TF_OpKernelConstruction *),                     \
     void (*)(void *, TF_OpKernelContext *), void (*)(void *)))                                    \
  X(1, void, TF_RegisterKernelBuilder, (const char *, TF_KernelBuilder *, TF_Status *))            \
  X(1, void, TF_OpKernelConstruction_Failure, (TF_OpKernelConstruction *, TF_Status *))            \
  X(0, TF_Buffer *, TF_OpKernelConstruction_GetAttrFunction,                                       \
    (TF_OpKernelConstruction *, const char *, TF_Status *))                                        \
  X(0, void, TF_OpKernelConstruction_GetAttrSize,                                                  \
    (TF_OpKernelConstruction *, const char *, int32_t *list, int32_t *total, TF_Status *))         \
  X(0, void, TF_OpKernelConstruction_GetAttrTypeList,                                              \
    (TF_OpKernelConstruction *, const char *, int *types, int most, TF_Status *))                  \
  X(0, void, TF_OpKernelConstruction_GetAttrString,                                                \
    (TF_OpKernelConstruction *, const char *, char *text, size_t most, TF_Status *))               \
  X(0, void, TF_OpKernelConstruction_GetAttrInt32,                                                 \
    (TF_OpKernelConstruction *, const char *, int32_t *, TF_Status *))                             \
  X(0, TF_StringView, TF_OpKernelConstruction_GetName, (TF_OpKernelConstruction *))                \
  X(1, int, TF_NumInputs, (TF_OpKernelContext *))                                                  \
  X(1, int, TF_NumOutputs, (TF_OpKernelContext *))                                                 \
  X(1, int, TF_ExpectedOutputDataType, (TF_OpKernelContext *, int))                                \
  X(1, void, TF_GetInput, (TF_OpKernelContext *, int, TF_Tensor **, TF_Status *))                  \
  X(1, void, TF_SetOutput, (TF_OpKernelContext *, int, const TF_Tensor *, TF_Status *))            \
  X(1, TF_Tensor *, TF_AllocateOutput,                                                             \
    (TF_OpKernelContext *, int index, int type, const int64_t *dims, int rank, size_t size,        \
     TF_Status *))                                                                                 \
  X(1, void, TF_OpKernelContext_Failure, (TF_OpKernelContext *, TF_Status *))                      \
  X(0, void, TF_GetSerializedFunctionDefLibrary, (TF_OpKernelContext *, TF_Buffer *, TF_Status *)) \
  X(0, TF_Graph *, TF_NewGraph, (void))                                                            \
  X(0, void, TF_DeleteGraph, (TF_Graph *))                                                         \
  X(0, TF_ImportGraphDefOptions *, TF_NewImportGraphDefOptions, (void))                            \
  X(0, void, TF_DeleteImportGraphDefOptions, (TF_ImportGraphDefOptions *))                         \
  X(0, void, TF_GraphImportGraphDef,                                                               \
    (TF_Graph *, const TF_Buffer *, const TF_ImportGraphDefOptions *, TF_Status *))                \
  X(0, TF_Operation *, TF_GraphOperationByName, (TF_Graph *, const char *))                        \
  X(0, void, TF_GetNodesToPreserveListSize,                                                        \
    (const TF_GrapplerItem *, int *count, size_t *storage, TF_Status *))                           \
  X(0, void, TF_GetNodesToPreserveList,                                                            \
    (const TF_GrapplerItem *, char **values, size_t *lengths, int count, void *storage,            \
     size_t storage_size, TF_Status *))                                                            \
  X(0, TF_GraphProperties *, TF_NewGraphProperties, (const TF_GrapplerItem *))                     \
  X(0, void, TF_DeleteGraphProperties, (TF_GraphProperties *))                                     \
  X(0, void, TF_InferStatically,                                                                   \
    (TF_GraphProperties *, unsigned char assume_valid_feeds, unsigned char aggressive,             \
     unsigned char input_values, unsigned char output_values, TF_Status *))                        \
  X(0, void, TF_GetOutputPropertiesListSize,                                                       \
    (TF_GraphProperties *, const char *node, int *count, TF_Status *))                             \
  X(0, void, TF_GetOutputPropertiesList,                                                           \
    (TF_GraphProperties *, const char *node, TF_Buffer **properties, int count, TF_Status *))      \
  X(0, TF_SessionOptions *, TF_NewSessionOptions, (void))                                          \
  X(0, void, TF_DeleteSessionOptions, (TF_SessionOptions *))                                       \
  X(0, void, TF_SetConfig, (TF_SessionOptions *, const void *, size_t size, TF_Status *))          \
  X(0, TF_Session *, TF_NewSession, (TF_Graph *, const TF_SessionOptions *, TF_Status *))          \
  X(0, void, TF_CloseSession, (TF_Session *, TF_Status *))                                         \
  X(0, void, TF_DeleteSession, (TF_Session *, TF_Status *))                                        \
  X(0, void, TF_SessionRun,                                                                        \
    (TF_Session *, const TF_Buffer *options, const TF_Output *inputs, TF_Tensor *const *values,    \
     int input_count, const TF_Output *outputs, TF_Tensor **results, int output_count,             \
     const TF_Operation *const *targets, int target_count, TF_Buffer *metadata, TF_Status *))

/* The functions under their own names: tf.TF_NewStatus(). NULL where this TensorFlow has none of
 * that name and it is not required. */
typedef struct tf_functions {
#define TF_MEMBER(required, result, name, arguments) result(*name) arguments;
  TF_FUNCTIONS(TF_MEMBER)
#undef TF_MEMBER
} tf_functions;

extern tf_functions tf;

/* Looks all functions up; false, with the first missing one in *missing, when this process has no
 * TensorFlow or one that is too old. */
bool tf_find_functions(const char **missing);

#endif
