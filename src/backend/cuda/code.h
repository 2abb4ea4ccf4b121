/* Kernels' machine code: what the process knows, by the text that it was made of. Room: backend/cuda.
 *
 * Code comes from NVRTC or out of an engine's file and stays known until the process ends, since
 * functions of the driver's are shared by all engines. A cubin runs on GPUs of its own major compute
 * capability from its minor one on; PTX on every GPU that is not older, compiled by the driver.
 */
#ifndef HONE_BACKEND_CUDA_CODE_H
#define HONE_BACKEND_CUDA_CODE_H

#include "backend/backend.h"
#include "backend/cuda/gpu.h"
#include "base/text.h"

/* What a text begins with whose code compute capability 9.0 alone runs. */
#define HONE_CUDA_ALONE_90 "#define ALONE_90\n"

/* Whether kernels can be compiled here, and why not. */
HONE_MUST_USE hone_status *hone_cuda_code_can_make(void);

/* The function `kernel` of a text; compiled by NVRTC when there is no code of it that this GPU runs.
 * Within the GPU's context. */
HONE_MUST_USE hone_status *hone_cuda_code_function(const char *text, hone_cu_function *out);

#define HONE_CUDA_LEAST_FOLLOWING 90 /* compute capability from which kernels may begin early */
/* Whether follow() of kernels/common.cu is anything in a function: its code was made for compute
 * capability 9.0 or newer. */
bool hone_cuda_code_follows(hone_cu_function function);
/* Lets launches of the function ask for so many bytes of shared memory. */
HONE_MUST_USE hone_status *hone_cuda_code_allow_shared(hone_cu_function function, unsigned bytes);
/* Compiles, on all threads, those of the texts that there is no such code of. */
HONE_MUST_USE hone_status *hone_cuda_code_make(const char *const *texts, size_t count);

/* The code of these functions, each once, in order, as engine files hold it. */
HONE_MUST_USE hone_status *hone_cuda_code_save(const hone_cu_function *functions, size_t count,
                                          hone_text *out);
/* What saved code runs on; CORRUPT where it is not whole. */
HONE_MUST_USE hone_status *hone_cuda_code_needs_of(hone_bytes saved, hone_code_needs *out);
/* Why this machine does not run it, as it is, from its PTX or compiled again; NULL: it does. */
HONE_MUST_USE hone_status *hone_cuda_code_fits(hone_bytes saved);
/* Makes it known. What has to be compiled here is said in the log; `*make` then says whether by
 * NVRTC. */
HONE_MUST_USE hone_status *hone_cuda_code_load(hone_bytes saved, bool *make);

/* All code that is known, as engine files hold it. */
HONE_MUST_USE hone_status *hone_cuda_code_known(hone_text *out);
/* Makes known what of such code this GPU runs as it is. */
HONE_MUST_USE hone_status *hone_cuda_code_recall(hone_bytes saved);

/* How many texts were compiled in this process. */
uint64_t hone_cuda_code_compile_count(void);

#endif
