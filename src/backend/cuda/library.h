/* NVIDIA's libraries, found at run time: nothing of CUDA is needed to build. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_LIBRARY_H
#define HONE_BACKEND_CUDA_LIBRARY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* A library and what is looked for under its name. */
typedef struct hone_library_spec {
  const char *variable; /* of the environment: the file itself; then nothing else is tried */
  const char *names[4]; /* newest first; NULL past the last */
} hone_library_spec;

typedef struct hone_library {
  void *handle;
  char path[512]; /* the file that was loaded */
} hone_library;

/* One function of a library: where its address goes. */
typedef struct hone_library_symbol {
  const char *name;
  size_t at; /* offset in the table, of a function pointer */
} hone_library_symbol;

/* Something that a process opens once. What came of it is kept as code and text, since a status belongs
 * to who asked. */
typedef struct hone_once {
  pthread_mutex_t lock;
  bool tried;
  hone_code failed;
  char failure[600];
} hone_once;
#define HONE_ONCE {.lock = PTHREAD_MUTEX_INITIALIZER}

/* Calls `open` on `what` unless it was called before; the answer is the same at every call, but that
 * where memory was out it tries again. */
HONE_MUST_USE hone_status *hone_do_once(hone_once *once, hone_status *(*open)(void *what),
                                        void *what);

/* Looks where the loader looks; then in the folders of HONE_CUDA_PATH, of CUDA_HOME and
 * /usr/local/cuda; then in the nvidia-* wheels beside this library and in $VIRTUAL_ENV. NOT_FOUND says
 * the names. A library once opened is never closed: threads of its own may run. */
HONE_MUST_USE hone_status *hone_library_open(const hone_library_spec *spec, hone_library *out);
/* Fills a table of functions, and `path` with where they lie; UNSUPPORTED names the first that the
 * library does not have. */
HONE_MUST_USE hone_status *hone_library_bind(hone_library *library,
                                             const hone_library_symbol *symbols, size_t count,
                                             void *table);

#endif
