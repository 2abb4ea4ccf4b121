/* Section code of an engine file: kernels' machine code, and what it runs on. Room: backend/cuda.
 *
 * A head, a row a kernel, then the bytes, each piece at a multiple of 16. Numbers are little-endian.
 */
#ifndef HONE_BACKEND_CUDA_CODE_FILE_H
#define HONE_BACKEND_CUDA_CODE_FILE_H

#include "backend/cuda/code.h"

typedef struct hone_cuda_code_hash {
  uint64_t part[2];
} hone_cuda_code_hash;

typedef struct hone_cuda_code {
  hone_cuda_code_hash text; /* that it was compiled from */
  int sm;              /* compute capability that the cubin is for, 90 for 9.0 */
  bool alone;          /* for no other one; kernels that other GPUs have no use for */
  int compiler;        /* NVRTC's version, 1000 * major + 10 * minor */
  hone_bytes cubin, ptx;
  hone_cu_function function; /* NULL: not loaded */
} hone_cuda_code;

/* How a GPU runs code. */
typedef enum hone_cuda_code_way {
  HONE_CODE_AS_IT_IS, /* its cubin */
  HONE_CODE_PTX,      /* its PTX, which the driver compiles */
  HONE_CODE_MAKE      /* not: NVRTC has to compile the text again */
} hone_cuda_code_way;
hone_cuda_code_way hone_cuda_code_way_of(const hone_gpu *gpu, const hone_cuda_code *code);

HONE_MUST_USE hone_status *hone_cuda_code_write(const hone_cuda_code *const *codes, size_t count,
                                           hone_text *out);
/* How many kernels there are; CORRUPT where the rows do not fit. None where there is no section. */
HONE_MUST_USE hone_status *hone_cuda_code_count(hone_bytes saved, size_t *out);
/* Kernel `index`, its bytes those of the file. */
HONE_MUST_USE hone_status *hone_cuda_code_read(hone_bytes saved, size_t index, hone_cuda_code *out);
/* Says in the log what of it has to be compiled here; `*make` whether by NVRTC. */
HONE_MUST_USE hone_status *hone_cuda_code_tell(const hone_gpu *gpu, hone_bytes saved, bool *make);

#endif
