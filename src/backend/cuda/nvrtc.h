/* NVIDIA's run-time compiler, found at run time: CUDA C in, machine code for one GPU out.
 * Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_NVRTC_H
#define HONE_BACKEND_CUDA_NVRTC_H

#include "backend/cuda/library.h"

typedef struct hone_nvrtc_program_ *hone_nvrtc_program;

typedef struct hone_nvrtc {
  hone_library library;
  int major, minor;
  int (*version)(int *major, int *minor);
  const char *(*error_text)(int result);
  int (*create)(hone_nvrtc_program *program, const char *source, const char *name, int headers,
                const char *const *texts, const char *const *names);
  int (*compile)(hone_nvrtc_program program, int count, const char *const *options);
  int (*log_size)(hone_nvrtc_program program, size_t *size);
  int (*log)(hone_nvrtc_program program, char *text);
  int (*cubin_size)(hone_nvrtc_program program, size_t *size);
  int (*cubin)(hone_nvrtc_program program, char *bytes);
  int (*ptx_size)(hone_nvrtc_program program, size_t *size);
  int (*ptx)(hone_nvrtc_program program, char *text);
  int (*destroy)(hone_nvrtc_program *program);
} hone_nvrtc;

/* The process's compiler, loaded once; an error is the same at every call. */
HONE_MUST_USE hone_status *hone_nvrtc_get(const hone_nvrtc **out);
/* What a source was compiled to; each for hone_free. */
typedef struct hone_nvrtc_code {
  void *cubin; /* machine code of one GPU, an ELF file */
  size_t cubin_size;
  char *ptx; /* text that drivers compile for that GPU and newer ones; zero-terminated */
  size_t ptx_size; /* the zero included */
  bool serial;     /* the compiler says that each wgmma waits for the one before it */
} hone_nvrtc_code;

/* Compiles `source` for compute capability `sm` (90 for 9.0), `alone`: with what that
 * one alone has, for no other. `name` is what messages call it. An
 * error carries the first lines of the compiler's log. */
HONE_MUST_USE hone_status *hone_nvrtc_compile(const hone_nvrtc *nvrtc, const char *source,
                                              const char *name, int sm, bool alone,
                                              hone_nvrtc_code *out);

#endif
