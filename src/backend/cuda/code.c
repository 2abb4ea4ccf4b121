/* The kernels that the process knows: compiling and loading them. Room: backend/cuda. */
#include "backend/cuda/code.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <xxhash.h>

#include "backend/cuda/code_file.h"
#include "backend/cuda/nvrtc.h"
#include "base/map.h"
#include "base/pool.h"

#define MOST_SHARED 232448 /* bytes that a block of compute capability 9.0 may have: 227 KB */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two below */
static hone_map known;     /* by the hash of the text: hone_cuda_code */
static hone_map functions; /* by function: the same */
static _Atomic uint64_t compiled;

uint64_t hone_cuda_code_compile_count(void) {
  return atomic_load(&compiled);
}

/* ---- Compiling ------------------------------------------------------------------------------ */

static hone_status *compiler(const hone_gpu *gpu, const hone_nvrtc **out) {
  HONE_TRY(hone_nvrtc_get(out));
  if ((*out)->major <= gpu->driver->version / 1000) return NULL;
  return hone_error(HONE_UNSUPPORTED,
                    "NVRTC %d.%d makes code that the driver, of CUDA %d.%d, cannot load",
                    (*out)->major, (*out)->minor, gpu->driver->version / 1000,
                    gpu->driver->version % 1000 / 10);
}

hone_status *hone_cuda_code_can_make(void) {
  hone_gpu *gpu;
  const hone_nvrtc *nvrtc;
  HONE_TRY(hone_gpu_get(&gpu));
  return compiler(gpu, &nvrtc);
}

static void free_code(hone_cuda_code *code) {
  if (!code) return;
  hone_free((void *)(uintptr_t)code->cubin.data);
  hone_free((void *)(uintptr_t)code->ptx.data);
  hone_free(code);
}

static hone_cuda_code_hash hash_of(const char *text) {
  XXH128_hash_t hash = XXH3_128bits(text, strlen(text));
  return (hone_cuda_code_hash){{hash.low64, hash.high64}};
}

static hone_status *compile(const hone_gpu *gpu, const char *text, hone_cuda_code **out) {
  const hone_nvrtc *nvrtc;
  hone_nvrtc_code made;
  HONE_TRY(compiler(gpu, &nvrtc));
  hone_cuda_code *code = hone_alloc_zero(sizeof *code);
  HONE_TRY_MEMORY(code);
  bool alone = strncmp(text, HONE_CUDA_ALONE_90, sizeof HONE_CUDA_ALONE_90 - 1) == 0;
  hone_status *status = hone_nvrtc_compile(nvrtc, text, "a kernel", gpu->sm, alone, &made);
  if (status) {
    hone_free(code);
    return status;
  }
  atomic_fetch_add(&compiled, 1);
  *code = (hone_cuda_code){.text = hash_of(text),
                      .sm = gpu->sm,
                      .alone = alone,
                      .compiler = nvrtc->major * 1000 + nvrtc->minor * 10,
                      .cubin = {made.cubin, made.cubin_size},
                      .ptx = {made.ptx, made.ptx_size}};
  *out = code;
  return NULL;
}

/* ---- What is known, under the lock ----------------------------------------------------------- */

static hone_cuda_code *find(const hone_cuda_code_hash *text) {
  return hone_map_get(&known, (const char *)text, sizeof *text);
}

static bool runs_here(const hone_gpu *gpu, const hone_cuda_code *code) {
  if (!code) return false;
  return code->function ||
         hone_cuda_code_way_of(gpu, code) != HONE_CODE_MAKE;
}

/* Takes the code; what is known and runs here stays. */
static hone_status *learn(const hone_gpu *gpu, hone_cuda_code *code) {
  hone_cuda_code *old = find(&code->text);
  if (runs_here(gpu, old)) {
    free_code(code);
    return NULL;
  }
  hone_status *status = hone_map_put(&known, (const char *)&code->text, sizeof code->text, code);
  free_code(status ? code : old);
  return status;
}

static hone_status *load(const hone_gpu *gpu, hone_cuda_code *code) {
  hone_cu_module module;
  bool own = hone_cuda_code_way_of(gpu, code) == HONE_CODE_AS_IT_IS;
  HONE_TRY_DRIVER(gpu->driver, "loading a kernel", module_load, &module,
                  own ? code->cubin.data : code->ptx.data);
  hone_cu_function function;
  hone_status *status =
      hone_driver_status(gpu->driver, gpu->driver->module_function(&function, module, "kernel"),
                         "looking up a kernel");
  if (!status && code->alone)
    status = hone_driver_status(gpu->driver,
                                gpu->driver->function_set(function, HONE_CU_MOST_SHARED, MOST_SHARED),
                                "giving a kernel shared memory");
  if (!status) status = hone_map_put(&functions, (const char *)&function, sizeof function, code);
  if (status)
    (void)gpu->driver->module_free(module);
  else
    code->function = function;
  return status;
}

static hone_status *function_of(const hone_gpu *gpu, const char *text, hone_cu_function *out) {
  hone_cuda_code_hash hash = hash_of(text);
  if (!runs_here(gpu, find(&hash))) {
    hone_cuda_code *made;
    HONE_TRY(compile(gpu, text, &made));
    HONE_TRY(learn(gpu, made));
  }
  hone_cuda_code *code = find(&hash);
  if (!code->function) HONE_TRY(load(gpu, code));
  *out = code->function;
  return NULL;
}

hone_status *hone_cuda_code_function(const char *text, hone_cu_function *out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  pthread_mutex_lock(&lock);
  hone_status *status = function_of(gpu, text, out);
  pthread_mutex_unlock(&lock);
  return status;
}

bool hone_cuda_code_follows(hone_cu_function function) {
  pthread_mutex_lock(&lock);
  const hone_cuda_code *code = hone_map_get(&functions, (const char *)&function, sizeof function);
  pthread_mutex_unlock(&lock);
  return code && code->sm >= HONE_CUDA_LEAST_FOLLOWING;
}

hone_status *hone_cuda_code_allow_shared(hone_cu_function function, unsigned bytes) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  HONE_TRY(hone_gpu_enter(gpu));
  hone_status *status = hone_driver_status(
      gpu->driver, gpu->driver->function_set(function, HONE_CU_MOST_SHARED, (int)bytes),
      "giving a kernel shared memory");
  hone_gpu_leave(gpu);
  return status;
}

/* ---- Many at once ---------------------------------------------------------------------------- */

typedef struct making {
  const hone_gpu *gpu;
  const char *const *texts;
  const size_t *wanted; /* indices into texts */
  size_t count;
  hone_cuda_code **made;      /* by place in `wanted`, */
  hone_status **failed;  /* one of the two */
  _Atomic size_t next;
} making;

static void make_some(void *argument, int part, int parts) {
  making *m = argument;
  size_t i;
  (void)part, (void)parts;
  while ((i = atomic_fetch_add(&m->next, 1)) < m->count)
    m->failed[i] = compile(m->gpu, m->texts[m->wanted[i]], &m->made[i]);
}

/* The texts, each once, that there is no code of. */
static hone_status *find_wanted(const hone_gpu *gpu, const char *const *texts, size_t count,
                                size_t *wanted, size_t *wanted_count) {
  hone_map seen = {0};
  hone_status *status = NULL;
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < count && !status; i++) {
    hone_cuda_code_hash hash = hash_of(texts[i]);
    if (runs_here(gpu, find(&hash)) || hone_map_get(&seen, (const char *)&hash, sizeof hash))
      continue;
    status = hone_map_put(&seen, (const char *)&hash, sizeof hash, &seen);
    wanted[(*wanted_count)++] = i;
  }
  pthread_mutex_unlock(&lock);
  hone_map_free(&seen);
  return status;
}

/* The first failure is told; what was made is kept all the same. */
static hone_status *take_made(making *m) {
  hone_status *status = NULL;
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < m->count; i++) {
    hone_status *one = m->failed[i] ? m->failed[i] : learn(m->gpu, m->made[i]);
    if (status)
      hone_status_free(one);
    else
      status = one;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

static hone_status *make_texts(making *m, size_t count, hone_arena *memory) {
  size_t *wanted = HONE_NEW_ARRAY(memory, count + 1, size_t);
  HONE_TRY_MEMORY(wanted);
  HONE_TRY(find_wanted(m->gpu, m->texts, count, wanted, &m->count));
  if (m->count == 0) return NULL;
  m->wanted = wanted;
  m->made = HONE_NEW_ARRAY(memory, m->count, hone_cuda_code *);
  m->failed = HONE_NEW_ARRAY(memory, m->count, hone_status *);
  if (!m->made || !m->failed) return hone_error_memory();
  int threads = hone_pool_default_threads();
  hone_pool_run((size_t)threads < m->count ? threads : (int)m->count, make_some, m);
  return take_made(m);
}

hone_status *hone_cuda_code_make(const char *const *texts, size_t count) {
  hone_gpu *gpu;
  hone_arena memory = {0};
  HONE_TRY(hone_gpu_get(&gpu));
  making m = {.gpu = gpu, .texts = texts};
  hone_status *status = make_texts(&m, count, &memory);
  hone_arena_free(&memory);
  return status;
}

/* ---- Engine files ---------------------------------------------------------------------------- */

hone_status *hone_cuda_code_save(const hone_cu_function *list, size_t count, hone_text *out) {
  hone_arena memory = {0};
  hone_map seen = {0};
  size_t used = 0;
  const hone_cuda_code **codes = HONE_NEW_ARRAY(&memory, count + 1, const hone_cuda_code *);
  hone_status *status = codes ? NULL : hone_error_memory();
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < count && !status; i++) {
    hone_cuda_code *code = hone_map_get(&functions, (const char *)&list[i], sizeof list[i]);
    if (!code || hone_map_get(&seen, (const char *)&code, sizeof code)) continue;
    status = hone_map_put(&seen, (const char *)&code, sizeof code, code);
    codes[used++] = code;
  }
  if (!status) status = hone_cuda_code_write(codes, used, out);
  pthread_mutex_unlock(&lock);
  hone_map_free(&seen);
  hone_arena_free(&memory);
  return status;
}

static hone_status *copy_bytes(hone_bytes from, hone_bytes *out) {
  char *copy = hone_alloc(from.size + 1);
  HONE_TRY_MEMORY(copy);
  memcpy(copy, from.data, from.size);
  *out = (hone_bytes){copy, from.size};
  return NULL;
}

static hone_status *learn_saved(const hone_gpu *gpu, const hone_cuda_code *saved) {
  hone_cuda_code *code = hone_alloc_zero(sizeof *code);
  HONE_TRY_MEMORY(code);
  *code = (hone_cuda_code){.text = saved->text, .sm = saved->sm, .alone = saved->alone,
                           .compiler = saved->compiler};
  hone_status *status = copy_bytes(saved->cubin, &code->cubin);
  if (!status) status = copy_bytes(saved->ptx, &code->ptx);
  if (status) {
    free_code(code);
    return status;
  }
  pthread_mutex_lock(&lock);
  status = learn(gpu, code);
  pthread_mutex_unlock(&lock);
  return status;
}

hone_status *hone_cuda_code_known(hone_text *out) {
  hone_arena memory = {0};
  size_t used = 0, at = 0;
  pthread_mutex_lock(&lock);
  const hone_cuda_code **codes = HONE_NEW_ARRAY(&memory, known.count + 1, const hone_cuda_code *);
  for (const hone_map_entry *e; codes && (e = hone_map_next(&known, &at));) codes[used++] = e->value;
  hone_status *status = codes ? hone_cuda_code_write(codes, used, out) : hone_error_memory();
  pthread_mutex_unlock(&lock);
  hone_arena_free(&memory);
  return status;
}

/* All of saved code, or what this GPU runs as it is. */
static hone_status *learn_all(const hone_gpu *gpu, hone_bytes saved, bool all) {
  size_t count;
  HONE_TRY(hone_cuda_code_count(saved, &count));
  for (size_t i = 0; i < count; i++) {
    hone_cuda_code code;
    HONE_TRY(hone_cuda_code_read(saved, i, &code));
    if (all || hone_cuda_code_way_of(gpu, &code) == HONE_CODE_AS_IT_IS)
      HONE_TRY(learn_saved(gpu, &code));
  }
  return NULL;
}

hone_status *hone_cuda_code_recall(hone_bytes saved) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  return learn_all(gpu, saved, false);
}

hone_status *hone_cuda_code_load(hone_bytes saved, bool *make) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  HONE_TRY(learn_all(gpu, saved, true));
  return hone_cuda_code_tell(gpu, saved, make);
}
