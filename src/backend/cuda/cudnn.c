/* Loading cuDNN, and its handles. Room: backend/cuda. */
#include "backend/cuda/cudnn.h"

#include "base/memory.h"

#define LEAST 90000

static const hone_library_spec spec = {"HONE_CUDNN", {"libcudnn.so.9", "libcudnn.so"}};

static const hone_library_symbol symbols[] = {
    {"cudnnGetVersion", offsetof(hone_cudnn, get_version)},
    {"cudnnGetErrorString", offsetof(hone_cudnn, error_text)},
#define CUDNN(member, symbol, arguments) {symbol, offsetof(hone_cudnn, member)},
#include "backend/cuda/cudnn.def"
#undef CUDNN
};

static hone_status *load(void *what) {
  hone_cudnn *cudnn = what;
  HONE_TRY(hone_library_open(&spec, &cudnn->library));
  HONE_TRY(hone_library_bind(&cudnn->library, symbols, sizeof symbols / sizeof *symbols, cudnn));
  cudnn->version = cudnn->get_version();
  if (cudnn->version >= LEAST) return NULL;
  return hone_error(HONE_UNSUPPORTED, "cuDNN is of version %zu; the least is 9.0", cudnn->version);
}

hone_status *hone_cudnn_get(const hone_cudnn **out) {
  static hone_cudnn the_cudnn;
  static hone_once once = HONE_ONCE;
  *out = &the_cudnn;
  return hone_do_once(&once, load, &the_cudnn);
}

/* ---- Handles -------------------------------------------------------------------------------- */

typedef struct spare {
  hone_cudnn_handle handle;
  struct spare *next;
} spare;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static spare *spares, *used; /* under the lock; `used` are without a handle */

static spare *pop(spare **list) {
  spare *one = *list;
  if (one) *list = one->next;
  return one;
}

static void push(spare **list, spare *one) {
  one->next = *list;
  *list = one;
}

hone_status *hone_cudnn_take(const hone_cudnn *cudnn, hone_cudnn_handle *out) {
  pthread_mutex_lock(&lock);
  spare *one = pop(&spares);
  if (one) {
    *out = one->handle;
    push(&used, one);
  }
  pthread_mutex_unlock(&lock);
  if (one) return NULL;
  one = hone_alloc_zero(sizeof *one);
  HONE_TRY_MEMORY(one);
  hone_status *status = hone_cudnn_status(cudnn, cudnn->create(out), "starting");
  if (status) {
    hone_free(one);
    return status;
  }
  pthread_mutex_lock(&lock);
  push(&used, one);
  pthread_mutex_unlock(&lock);
  return NULL;
}

void hone_cudnn_give(hone_cudnn_handle handle) {
  pthread_mutex_lock(&lock);
  spare *one = pop(&used);
  one->handle = handle;
  push(&spares, one);
  pthread_mutex_unlock(&lock);
}

hone_status *hone_cudnn_status(const hone_cudnn *cudnn, int result, const char *what) {
  enum { NOT_SUPPORTED = 3000, INTERNAL = 4000 };
  if (result == 0) return NULL;
  bool unsupported = result >= NOT_SUPPORTED && result < INTERNAL;
  return hone_error(unsupported ? HONE_UNSUPPORTED : HONE_DEVICE, "cuDNN failed at %s: %s (%d)", what,
                    cudnn->error_text(result), result);
}
