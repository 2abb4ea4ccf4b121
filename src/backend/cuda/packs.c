/* Packs in the GPU's memory: one copy of the same bytes of the host's, however many groups read it.
 * Room: backend/cuda. */
#include <pthread.h>

#include "backend/cuda/device.h"
#include "base/memory.h"

typedef struct shared {
  const void *bytes; /* the host's, which stay there as long as this does */
  void *there;
  size_t uses;
  struct shared *next;
} shared;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static shared *all; /* under the lock */

static shared **find(const void *bytes) {
  shared **at = &all;
  while (*at && (*at)->bytes != bytes) at = &(*at)->next;
  return at;
}

static hone_status *add(const void *bytes, size_t size, shared **out) {
  shared *one = hone_alloc_zero(sizeof *one);
  HONE_TRY_MEMORY(one);
  one->bytes = bytes;
  hone_status *status = hone_cuda_put(bytes, size, &one->there);
  if (status) {
    hone_free(one);
    return status;
  }
  one->next = all;
  all = *out = one;
  return NULL;
}

hone_status *hone_cuda_share(const void *bytes, size_t size, void **out) {
  hone_status *status = NULL;
  pthread_mutex_lock(&lock);
  shared *one = *find(bytes);
  if (!one) status = add(bytes, size, &one);
  if (!status) {
    one->uses++;
    *out = one->there;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

void hone_cuda_unshare(const void *bytes) {
  pthread_mutex_lock(&lock);
  shared **at = find(bytes), *one = *at;
  if (one && --one->uses == 0) {
    *at = one->next;
    hone_cuda_device.give(one->there);
    hone_free(one);
  }
  pthread_mutex_unlock(&lock);
}
