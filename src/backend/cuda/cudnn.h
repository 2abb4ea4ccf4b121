/* cuDNN as a table of functions, found at run time. Room: backend/cuda.
 *
 * Types, numbers and signatures are those of cuDNN's documentation ("cuDNN Backend API"), written down
 * here so that no header of CUDA's is needed. */
#ifndef HONE_BACKEND_CUDA_CUDNN_H
#define HONE_BACKEND_CUDA_CUDNN_H

#include <stdint.h>

#include "backend/cuda/driver.h"

typedef struct hone_cudnn_handle_ *hone_cudnn_handle;
typedef void *hone_cudnn_desc;

enum { /* kinds of descriptors */
  HONE_CUDNN_POINTWISE = 0,
  HONE_CUDNN_CONVOLUTION = 1,
  HONE_CUDNN_ENGINE_CONFIG = 3,
  HONE_CUDNN_HEURISTIC = 4,
  HONE_CUDNN_PLAN = 5,
  HONE_CUDNN_DO_CONVOLUTION = 10,
  HONE_CUDNN_DO_POINTWISE = 13,
  HONE_CUDNN_GRAPH = 15,
  HONE_CUDNN_PACK = 16,
  HONE_CUDNN_TENSOR = 17
};
enum { /* attributes */
  HONE_CUDNN_POINTWISE_MODE = 0,
  HONE_CUDNN_POINTWISE_PRECISION = 1,
  HONE_CUDNN_POINTWISE_LOWER = 3,
  HONE_CUDNN_POINTWISE_UPPER = 4,
  HONE_CUDNN_CONVOLUTION_TYPE = 100,
  HONE_CUDNN_CONVOLUTION_MODE = 101,
  HONE_CUDNN_CONVOLUTION_DILATIONS = 102,
  HONE_CUDNN_CONVOLUTION_STRIDES = 103,
  HONE_CUDNN_CONVOLUTION_AFTER = 104,
  HONE_CUDNN_CONVOLUTION_BEFORE = 105,
  HONE_CUDNN_CONVOLUTION_RANK = 106,
  HONE_CUDNN_HEURISTIC_MODE = 200,
  HONE_CUDNN_HEURISTIC_GRAPH = 201,
  HONE_CUDNN_HEURISTIC_RESULTS = 202,
  HONE_CUDNN_PLAN_HANDLE = 400,
  HONE_CUDNN_PLAN_CONFIG = 401,
  HONE_CUDNN_PLAN_WORKSPACE = 402,
  HONE_CUDNN_PLAN_JSON = 405,
  HONE_CUDNN_CONVOLUTION_ALPHA = 700,
  HONE_CUDNN_CONVOLUTION_BETA = 701,
  HONE_CUDNN_CONVOLUTION_OF = 702,
  HONE_CUDNN_CONVOLUTION_W = 703,
  HONE_CUDNN_CONVOLUTION_X = 704,
  HONE_CUDNN_CONVOLUTION_Y = 705,
  HONE_CUDNN_POINTWISE_OF = 750,
  HONE_CUDNN_POINTWISE_X = 751,
  HONE_CUDNN_POINTWISE_B = 752,
  HONE_CUDNN_POINTWISE_Y = 753,
  HONE_CUDNN_GRAPH_HANDLE = 800,
  HONE_CUDNN_GRAPH_OPERATIONS = 801,
  HONE_CUDNN_TENSOR_ALIGNMENT = 900,
  HONE_CUDNN_TENSOR_TYPE = 901,
  HONE_CUDNN_TENSOR_SIZES = 902,
  HONE_CUDNN_TENSOR_STRIDES = 903,
  HONE_CUDNN_TENSOR_NUMBER = 906,
  HONE_CUDNN_TENSOR_VIRTUAL = 907,
  HONE_CUDNN_PACK_NUMBERS = 1000,
  HONE_CUDNN_PACK_ADDRESSES = 1001,
  HONE_CUDNN_PACK_WORKSPACE = 1003
};
enum { /* what attributes are of */
  HONE_CUDNN_OF_HANDLE = 0,
  HONE_CUDNN_OF_DATA_TYPE = 1,
  HONE_CUDNN_OF_BOOL = 2,
  HONE_CUDNN_OF_INT64 = 3,
  HONE_CUDNN_OF_FLOAT = 4,
  HONE_CUDNN_OF_DOUBLE = 5,
  HONE_CUDNN_OF_ADDRESS = 6,
  HONE_CUDNN_OF_CONVOLUTION_MODE = 7,
  HONE_CUDNN_OF_HEURISTIC_MODE = 8,
  HONE_CUDNN_OF_POINTWISE_MODE = 14,
  HONE_CUDNN_OF_DESC = 15,
  HONE_CUDNN_OF_CHAR = 24
};
enum { HONE_CUDNN_F32 = 0, HONE_CUDNN_F16 = 2, HONE_CUDNN_BF16 = 9 };
enum { HONE_CUDNN_CORRELATION = 1, HONE_CUDNN_MODE_A = 3 };
enum { HONE_CUDNN_ADD = 0, HONE_CUDNN_RELU = 100, HONE_CUDNN_GELU = 104, HONE_CUDNN_SWISH = 106 };

typedef struct hone_cudnn {
  hone_library library;
  size_t version; /* 10000 * major + 100 * minor + patch */
  size_t (*get_version)(void);
  const char *(*error_text)(int result);
#define CUDNN(member, symbol, arguments) int(*member) arguments;
#include "backend/cuda/cudnn.def"
#undef CUDNN
} hone_cudnn;

/* The process's cuDNN, loaded once; an error is the same at every call. */
HONE_MUST_USE hone_status *hone_cudnn_get(const hone_cudnn **out);
/* A handle that nobody else uses until it is given back. Within the GPU's context. */
HONE_MUST_USE hone_status *hone_cudnn_take(const hone_cudnn *cudnn, hone_cudnn_handle *out);
void hone_cudnn_give(hone_cudnn_handle handle);
/* What a failed call is to Hone; NULL for success. */
HONE_MUST_USE hone_status *hone_cudnn_status(const hone_cudnn *cudnn, int result, const char *what);

#endif
