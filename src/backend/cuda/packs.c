/* Packs in the GPU's memory: one copy of the same bytes of the host's, however many groups read it.
 * Room: backend/cuda. */
#include "backend/cuda/packs.h"

#include <pthread.h>

#include "backend/cuda/device.h"
#include "base/memory.h"

typedef struct shared {
  const void *bytes; /* the host's, which stay there as long as this does */
  const hone_cuda_order *order; /* NULL: as they lie there */
  uint64_t key;                 /* of the order */
  void *there;
  size_t uses;
  struct shared *next;
} shared;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static shared *all; /* under the lock */

static hone_status *put_arranged(const hone_cuda_order *order, const hone_node *node,
                                 const void *bytes, void **out) {
  size_t size = order->size(node);
  void *arranged = hone_alloc_zero(size);
  HONE_TRY_MEMORY(arranged);
  order->put(node, bytes, arranged);
  hone_status *status = hone_cuda_put(arranged, size, out);
  hone_free(arranged);
  return status;
}

/* What `wanted` says, new; of a node's constant where it has an order, else of `size` bytes. */
static hone_status *add(const shared *wanted, const hone_node *node, size_t size, shared **out) {
  shared *one = hone_alloc_zero(sizeof *one);
  HONE_TRY_MEMORY(one);
  *one = *wanted;
  hone_status *status = one->order ? put_arranged(one->order, node, one->bytes, &one->there)
                                   : hone_cuda_put(one->bytes, size, &one->there);
  if (status) {
    hone_free(one);
    return status;
  }
  one->next = all;
  all = *out = one;
  return NULL;
}

static hone_status *share(const shared *wanted, const hone_node *node, size_t size, void **out) {
  hone_status *status = NULL;
  pthread_mutex_lock(&lock);
  shared *one = all;
  while (one && !(one->bytes == wanted->bytes && one->order == wanted->order &&
                  one->key == wanted->key))
    one = one->next;
  if (!one) status = add(wanted, node, size, &one);
  if (!status) {
    one->uses++;
    *out = one->there;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

hone_status *hone_cuda_share(const void *bytes, size_t size, void **out) {
  return share(&(shared){.bytes = bytes}, NULL, size, out);
}

void hone_cuda_unshare(void *there) {
  pthread_mutex_lock(&lock);
  shared **at = &all;
  while (*at && (*at)->there != there) at = &(*at)->next;
  shared *one = *at;
  if (one && --one->uses == 0) {
    *at = one->next;
    hone_cuda_device.give(one->there);
    hone_free(one);
  }
  pthread_mutex_unlock(&lock);
}

/* ---- A stage's constant in its kernel's order ------------------------------------------------- */

/* While a build tries kernels each has its own pack, all of the same constant's bytes; of an engine's
 * file the pack alone is there. */
static const void *bytes_of(const hone_cuda_body *body, const hone_value *value) {
  const hone_value *root = hone_cuda_root(value);
  return hone_value_is_absent(root) ? hone_cuda_constant_bytes(body, root) : root->constant;
}

hone_status *hone_cuda_share_arranged(const hone_cuda_order *order, const hone_cuda_body *body,
                                      const hone_node *node, void **out) {
  const void *bytes = bytes_of(body, node->inputs[order->input].value);
  if (!bytes) return hone_error(HONE_NOT_FOUND, "the constant is not in the group's pack");
  return share(&(shared){.bytes = bytes, .order = order, .key = order->key(node)}, node, 0, out);
}

hone_status *hone_cuda_settle_arranged(hone_cuda_stage *stage, const hone_cuda_body *body,
                                       const hone_group_view *view, hone_bytes saved,
                                       hone_text *state) {
  (void)view, (void)saved, (void)state;
  return hone_cuda_share_arranged(stage->kernel->order, body, stage->core, &stage->own);
}

void hone_cuda_drop_arranged(void *own) {
  hone_cuda_unshare(own);
}
