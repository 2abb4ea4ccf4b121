/* The table of ops: built-in ones in the order of ops.def, and those that users add. Room: ops. */
#include <pthread.h>
#include <string.h>

#include "base/map.h"
#include "ops/ops.h"

static const hone_op *const built_in[] = {
#define HONE_OP(name) &hone_op_##name,
#include "ops/ops.def"
#undef HONE_OP
};
enum { BUILT_IN = sizeof built_in / sizeof built_in[0], SLOTS = 1024 };
_Static_assert(BUILT_IN * 2 <= SLOTS, "the hash table of ops is to stay half empty");

static uint16_t slots[SLOTS]; /* 1 + index into built_in, open addressing; 0 = free */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER; /* of `added` */
static hone_map added;

/* FNV-1a. */
static uint32_t hash(const char *name, size_t size) {
  uint32_t value = 2166136261u;
  for (size_t i = 0; i < size; i++) value = (value ^ (uint8_t)name[i]) * 16777619u;
  return value;
}

static void fill(void) {
  for (unsigned i = 0; i < BUILT_IN; i++) {
    uint32_t slot = hash(built_in[i]->name, strlen(built_in[i]->name)) % SLOTS;
    while (slots[slot]) slot = (slot + 1) % SLOTS;
    slots[slot] = (uint16_t)(i + 1);
  }
}

static const hone_op *find_built_in(const char *name, size_t size) {
  pthread_once(&once, fill);
  for (uint32_t slot = hash(name, size) % SLOTS; slots[slot]; slot = (slot + 1) % SLOTS) {
    const hone_op *op = built_in[slots[slot] - 1];
    if (strlen(op->name) == size && memcmp(op->name, name, size) == 0) return op;
  }
  return NULL;
}

const hone_op *hone_op_find(const char *name, size_t size) {
  const hone_op *op = find_built_in(name, size);
  if (op) return op;
  pthread_rwlock_rdlock(&lock);
  op = hone_map_get(&added, name, size);
  pthread_rwlock_unlock(&lock);
  return op;
}

const hone_op *const *hone_op_list(size_t *count) {
  *count = BUILT_IN;
  return built_in;
}

hone_status *hone_op_register(const hone_op *op) {
  size_t size = strlen(op->name);
  if (!op->infer || (!op->reference && !(op->facts & HONE_HAS_REGIONS)))
    return hone_error(HONE_INVALID_ARGUMENT, "op '%s' lacks its shape rule or its reference",
                      op->name);
  hone_status *status = NULL;
  pthread_rwlock_wrlock(&lock);
  if (find_built_in(op->name, size) || hone_map_get(&added, op->name, size))
    status = hone_error(HONE_INVALID_ARGUMENT, "there is an op named '%s' already", op->name);
  else
    status = hone_map_put(&added, op->name, size, (void *)op);
  pthread_rwlock_unlock(&lock);
  return status;
}
