/* cuBLASLt as a table of functions, found at run time. Room: backend/cuda.
 *
 * Types, numbers and signatures are those of cuBLAS's documentation ("cuBLASLt API"), written down here
 * so that no header of CUDA's is needed. Matrices are by columns there: a product of ours by rows is
 * one of the transposed ones there, its right operand first. */
#ifndef HONE_BACKEND_CUDA_LT_H
#define HONE_BACKEND_CUDA_LT_H

#include <stdint.h>

#include "backend/cuda/driver.h"

typedef struct hone_lt_handle_ *hone_lt_handle;
typedef struct hone_lt_desc_ *hone_lt_desc;
typedef struct hone_lt_layout_ *hone_lt_layout;
typedef struct hone_lt_wish_ *hone_lt_wish;

typedef struct hone_lt_algorithm { /* cublasLtMatmulAlgo_t: bytes that the same version reads again */
  uint64_t data[8];
} hone_lt_algorithm;

typedef struct hone_lt_advice { /* cublasLtMatmulHeuristicResult_t */
  hone_lt_algorithm algorithm;
  size_t workspace;
  int state; /* 0: usable */
  float waves;
  int reserved[4];
} hone_lt_advice;

enum { HONE_LT_F32 = 0, HONE_LT_F16 = 2, HONE_LT_BF16 = 14 };              /* cudaDataType_t */
enum { HONE_LT_COMPUTE_F32 = 68, HONE_LT_COMPUTE_TF32 = 77 };              /* cublasComputeType_t */
enum { HONE_LT_TRANSPOSE = 1 };                                            /* cublasOperation_t */
enum {                                                                     /* of a descriptor */
  HONE_LT_DESC_TRANSPOSE_A = 3,
  HONE_LT_DESC_TRANSPOSE_B = 4,
  HONE_LT_DESC_EPILOGUE = 7,
  HONE_LT_DESC_BIAS = 8
};
enum { HONE_LT_LAYOUT_BATCH = 5, HONE_LT_LAYOUT_BATCH_STRIDE = 6 };        /* of a layout */
enum { HONE_LT_WISH_WORKSPACE = 1, HONE_LT_WISH_ALIGNMENT = 5 /* of A; B, C, D next */ };
enum { /* epilogues, which add up */
  HONE_LT_NO_EPILOGUE = 1,
  HONE_LT_RELU = 2,
  HONE_LT_BIAS = 4,
  HONE_LT_GELU = 32 /* by tanh */
};

typedef struct hone_lt {
  hone_library library;
  size_t version; /* 10000 * major + 100 * minor + patch */
  hone_lt_handle handle;
  size_t (*get_version)(void);
#define LT(member, symbol, arguments) int(*member) arguments;
#include "backend/cuda/lt.def"
#undef LT
} hone_lt;

/* The process's cuBLASLt, loaded once; an error is the same at every call. */
HONE_MUST_USE hone_status *hone_lt_get(const hone_lt **out);
/* The same with its handle, which any threads may use at once. Within the GPU's context. */
HONE_MUST_USE hone_status *hone_lt_open(const hone_lt **out);
/* What a failed call is to Hone; NULL for success. */
HONE_MUST_USE hone_status *hone_lt_status(int result, const char *what);

#endif
