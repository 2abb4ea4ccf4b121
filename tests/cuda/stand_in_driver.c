/* A stand-in for the CUDA driver: memory is the host's, kernels are what the stand-in compiler
 * made.
 *
 * It keeps the rules for Hone: every call's arguments, the order of calls, what is alive. Work on a
 * stream is only written down and done when the stream is waited for, so that who reads too early,
 * or changes what a copy is still to read, is found out. What breaks a rule is printed and counted.
 */
#include <dlfcn.h>
#include <elf.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "backend/cuda/args.h"
#include "stand_in.h"
#include "stand_in_map.h"

#define SHOWN __attribute__((visibility("default")))
typedef unsigned long long address;
enum { INVALID = 1, NO_MEMORY = 2, NOT_INITIALISED = 3, NO_CONTEXT = 201, NO_IMAGE = 209 };

/* ---- What is there ----------------------------------------------------------------------------
 */

typedef enum kind { MEMORY = 1, PINNED, STREAM, MODULE, GRAPH, GRAPH_EXEC, EVENT } kind;

typedef struct object {
  kind kind;
  void *handle; /* also the memory */
  size_t size;
  struct object *next;
} object;

typedef struct work {
  enum { UPLOAD, DOWNLOAD, LAUNCH, REPLAY, CALL, MARK } what;
  void *to;
  const void *from;
  size_t bytes;
  void (*run)(const void *, unsigned, unsigned, unsigned, unsigned);
  unsigned grid[3], threads;
  bool early; /* LAUNCH: it may begin before the end of the one before */
  hone_cuda_parameter given;
  struct work *list; /* REPLAY */
  void (*call)(void *);
  void *argument;
  const struct work *origin; /* of a copy in a made graph: the node that it was made of */
  struct work *next;
} work;

typedef struct stream {
  work *first, **end;
  work *last;
  work *before, **before_end; /* while recording: what was asked for until then */
  bool capturing;
} stream;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static object *objects;
static stand_in_state state;
static uint64_t failing;
static int failing_with;
static int broken; /* from 700 on an error stays, as CUDA has it */
static bool initialised;
static int retained;
static _Thread_local int depth; /* contexts that the thread has pushed */
static stream null_stream = {.end = &null_stream.first};

static int broke(const char *what) {
  fprintf(stderr, "stand-in driver: %s\n", what);
  state.violations++;
  return INVALID;
}

static void add(kind kind, void *handle, size_t size) {
  object *o = malloc(sizeof *o);
  *o = (object){kind, handle, size, objects};
  objects = o;
  state.objects++;
}

static bool drop(kind kind, const void *handle) {
  for (object **at = &objects; *at; at = &(*at)->next) {
    if ((*at)->kind != kind || (*at)->handle != handle) continue;
    object *gone = *at;
    *at = gone->next;
    free(gone);
    state.objects--;
    return true;
  }
  return false;
}

static bool is(kind kind, const void *handle) {
  for (const object *o = objects; o; o = o->next)
    if (o->kind == kind && o->handle == handle) return true;
  return false;
}

/* Whether the bytes lie in one piece of memory of this kind. */
static bool lies_in(kind kind, const void *at, size_t bytes) {
  for (const object *o = objects; o; o = o->next)
    if (o->kind == kind && (const char *)at >= (const char *)o->handle &&
        (const char *)at + bytes <= (const char *)o->handle + o->size)
      return true;
  return false;
}

/* Every entry: counts, fails where asked to, and checks what must have come before. */
static int enter(bool needs_context, const char *name) {
  state.calls++;
  if (broken) return broken;
  if (failing && --failing == 0) {
    if (failing_with >= 700) broken = failing_with;
    return failing_with;
  }
  if (!initialised) return broke(name), NOT_INITIALISED;
  if (needs_context && depth == 0) return broke(name), NO_CONTEXT;
  return 0;
}

#define ENTER(needs_context) \
  pthread_mutex_lock(&lock); \
  int result = enter(needs_context, __func__)
#define LEAVE                  \
  pthread_mutex_unlock(&lock); \
  return result

#define MOST_SHARED 232448

/* ---- Work --------------------------------------------------------------------------------------
 */

static stream *stream_of(void *handle) {
  if (!handle || handle == (void *)1) return &null_stream; /* 1: its other name */
  return is(STREAM, handle) ? handle : NULL;
}

static int ask(void *handle, work one) {
  stream *s = stream_of(handle);
  if (!s) return broke("work on a stream that is not there");
  work *w = malloc(sizeof *w);
  *w = one;
  w->next = NULL;
  *s->end = w;
  s->end = &w->next;
  s->last = w;
  return 0;
}

static void free_work(work *w) {
  while (w) {
    work *next = w->next;
    if (w->what == REPLAY) free_work(w->list);
    free(w);
    w = next;
  }
}

/* The clock when the event came; 0: not yet. */
typedef struct event {
  uint64_t came;
} event;

static stand_in_clock own_clock; /* all 0: the host's */
static uint64_t own_time = 1;    /* by it */

static bool has_own_clock(void) {
  return own_clock.launch || own_clock.early || own_clock.call;
}

static void mark(event *e) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!is(EVENT, e)) broke("an event that is not there is recorded");
  else e->came = has_own_clock() ? own_time : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A run with a mark at either end alone. */
static bool is_timed_whole(const work *list) {
  int marks = 0, others = 0;
  for (; list; list = list->next) {
    marks += list->what == MARK;
    others += list->what == LAUNCH || list->what == CALL;
  }
  return marks == 2 && others > 1;
}

static uint64_t time_of_launch(const work *w) {
  static bool at_once; /* the kernel before */
  bool ready = at_once && own_clock.ready;
  at_once = w->given.args.n[HONE_CUDA_AT_ONCE] != 0;
  return !w->early ? own_clock.launch : ready ? own_clock.ready : own_clock.early;
}

static void perform(const work *w) {
  const hone_cuda_parameter given = w->given; /* lies as its maps must */
  switch (w->what) {
    case UPLOAD:
    case DOWNLOAD: {
      kind device = MEMORY;
      const void *there = w->what == UPLOAD ? w->to : w->from;
      state.uploads += w->what == UPLOAD;
      state.downloads += w->what == DOWNLOAD;
      if (!lies_in(device, there, w->bytes))
        broke("a copy reaches beyond the device's memory");
      else
        memcpy(w->to, w->from, w->bytes);
      break;
    }
    case LAUNCH:
      for (int i = 0; i < HONE_CUDA_POINTERS; i++)
        if (w->given.args.p[i] && !lies_in(MEMORY, w->given.args.p[i], 1) &&
            !lies_in(PINNED, w->given.args.p[i], 1))
          broke("a kernel is given an address that is not the device's");
      w->run(&given, w->grid[0], w->grid[1], w->grid[2], w->threads);
      state.launches++;
      own_time += time_of_launch(w);
      break;
    case CALL:
      w->call(w->argument);
      own_time += own_clock.call;
      break;
    case MARK:
      mark(w->to);
      break;
    case REPLAY:
      state.replays++;
      state.timed_whole += is_timed_whole(w->list);
      for (const work *each = w->list; each; each = each->next) perform(each);
      break;
  }
}

/* ---- The driver's functions --------------------------------------------------------------------
 */

SHOWN int cuInit(unsigned flags);
int cuInit(unsigned flags) {
  pthread_mutex_lock(&lock);
  initialised = true;
  int result = enter(false, "cuInit");
  if (!result && flags) result = broke("cuInit with flags");
  LEAVE;
}

SHOWN int cuDriverGetVersion(int *version);
int cuDriverGetVersion(int *version) {
  *version = 13000;
  return 0;
}
SHOWN int cuGetErrorName(int result, const char **name);
int cuGetErrorName(int result, const char **name) {
  *name = result == NO_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_STAND_IN";
  return 0;
}
SHOWN int cuGetErrorString(int result, const char **text);
int cuGetErrorString(int result, const char **text) {
  (void)result;
  *text = "said the stand-in";
  return 0;
}

/* 90 for 9.0, unless the environment says otherwise. */
static int compute_capability(void) {
  const char *text = getenv("HONE_STAND_IN_SM");
  return text ? atoi(text) : 90;
}

SHOWN int cuDeviceGetCount(int *count);
int cuDeviceGetCount(int *count) {
  ENTER(false);
  *count = 1;
  LEAVE;
}
SHOWN int cuDeviceGet(int *device, int ordinal);
int cuDeviceGet(int *device, int ordinal) {
  ENTER(false);
  *device = 7;
  if (!result && ordinal != 0) result = broke("there is one device");
  LEAVE;
}
SHOWN int cuDeviceGetName(char *name, int room, int device);
int cuDeviceGetName(char *name, int room, int device) {
  ENTER(false);
  if (!result && device != 7) result = broke("a name of no device");
  snprintf(name, (size_t)room, "stand-in");
  LEAVE;
}
SHOWN int cuDeviceGetAttribute(int *value, int attribute, int device);
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  ENTER(false);
  if (!result && device != 7) result = broke("a property of no device");
  *value = attribute == 75 ? compute_capability() / 10 : attribute == 76 ? compute_capability() % 10 : 4;
  LEAVE;
}
SHOWN int cuDeviceTotalMem_v2(size_t *bytes, int device);
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
  ENTER(false);
  if (!result && device != 7) result = broke("memory of no device");
  *bytes = (size_t)1 << 32;
  LEAVE;
}

SHOWN int cuDevicePrimaryCtxRetain(void **context, int device);
int cuDevicePrimaryCtxRetain(void **context, int device) {
  ENTER(false);
  if (!result && device != 7) result = broke("a context of no device");
  if (!result) retained++;
  *context = &retained;
  LEAVE;
}
SHOWN int cuDevicePrimaryCtxRelease_v2(int device);
int cuDevicePrimaryCtxRelease_v2(int device) {
  ENTER(false);
  if (!result && (device != 7 || retained-- <= 0)) result = broke("a context given back twice");
  LEAVE;
}
SHOWN int cuCtxPushCurrent_v2(void *context);
int cuCtxPushCurrent_v2(void *context) {
  ENTER(false);
  if (!result && (context != &retained || !retained)) result = broke("a context that is not there");
  if (!result) depth++;
  LEAVE;
}
SHOWN int cuCtxPopCurrent_v2(void **context);
int cuCtxPopCurrent_v2(void **context) {
  pthread_mutex_lock(&lock);
  int result = 0;
  if (depth == 0)
    result = broke("a context popped that was not pushed");
  else
    depth--;
  *context = &retained;
  LEAVE;
}

SHOWN int cuMemGetInfo_v2(size_t *free_bytes, size_t *total);
int cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
  ENTER(true);
  *free_bytes = 1000;
  *total = (size_t)1 << 32;
  LEAVE;
}
SHOWN int cuMemAlloc_v2(address *out, size_t bytes);
int cuMemAlloc_v2(address *out, size_t bytes) {
  ENTER(true);
  *out = 0;
  if (!result && bytes == 0) result = broke("no bytes of memory");
  if (!result && bytes > (size_t)1 << 32) result = NO_MEMORY;
  if (!result) {
    void *memory = aligned_alloc(256, (bytes + 255) & ~(size_t)255);
    memset(memory, 0xa5, bytes);
    add(MEMORY, memory, bytes);
    *out = (address)(uintptr_t)memory;
  }
  LEAVE;
}
SHOWN int cuMemFree_v2(address memory);
int cuMemFree_v2(address memory) {
  ENTER(true);
  void *at = (void *)(uintptr_t)memory;
  if (drop(MEMORY, at))
    free(at);
  else
    result = broke("memory that is not there is freed");
  LEAVE;
}
SHOWN int cuMemHostAlloc(void **out, size_t bytes, unsigned flags);
int cuMemHostAlloc(void **out, size_t bytes, unsigned flags) {
  ENTER(true);
  if (!result && (bytes == 0 || flags)) result = broke("pinned memory of no bytes");
  if (!result) {
    *out = malloc(bytes);
    memset(*out, 0x5a, bytes);
    add(PINNED, *out, bytes);
  }
  LEAVE;
}
SHOWN int cuMemFreeHost(void *memory);
int cuMemFreeHost(void *memory) {
  ENTER(true);
  if (drop(PINNED, memory))
    free(memory);
  else
    result = broke("pinned memory that is not there is freed");
  LEAVE;
}

/* Memory that is not pinned is copied at once, as the driver does; only the null stream is used so.
 */
SHOWN int cuMemcpyHtoDAsync_v2(address to, const void *from, size_t bytes, void *s);
int cuMemcpyHtoDAsync_v2(address to, const void *from, size_t bytes, void *s) {
  ENTER(true);
  work one = {.what = UPLOAD, .to = (void *)(uintptr_t)to, .from = from, .bytes = bytes};
  if (!result && s && !lies_in(PINNED, from, bytes))
    result = broke("an upload from pageable memory");
  if (!result && s)
    result = ask(s, one);
  else if (!result)
    perform(&one);
  LEAVE;
}
SHOWN int cuMemcpyDtoHAsync_v2(void *to, address from, size_t bytes, void *s);
int cuMemcpyDtoHAsync_v2(void *to, address from, size_t bytes, void *s) {
  ENTER(true);
  if (!result && !lies_in(PINNED, to, bytes)) result = broke("a download to pageable memory");
  if (!result)
    result =
        ask(s, (work){.what = DOWNLOAD, .to = to, .from = (void *)(uintptr_t)from, .bytes = bytes});
  LEAVE;
}

SHOWN int cuStreamCreate(void **out, unsigned flags);
int cuStreamCreate(void **out, unsigned flags) {
  ENTER(true);
  (void)flags;
  if (!result) {
    stream *s = calloc(1, sizeof *s);
    s->end = &s->first;
    add(STREAM, s, 0);
    *out = s;
  }
  LEAVE;
}
SHOWN int cuStreamDestroy_v2(void *handle);
int cuStreamDestroy_v2(void *handle) {
  ENTER(true);
  if (drop(STREAM, handle)) {
    free_work(((stream *)handle)->first);
    free(handle);
  } else {
    result = broke("a stream that is not there is freed");
  }
  LEAVE;
}
SHOWN int cuStreamSynchronize(void *handle);
int cuStreamSynchronize(void *handle) {
  ENTER(true);
  stream *s = stream_of(handle);
  if (!result && (!s || s->capturing)) result = broke("waiting for no stream, or while recording");
  if (!result) {
    for (const work *w = s->first; w; w = w->next) perform(w);
    free_work(s->first);
    s->first = NULL;
    s->end = &s->first;
  }
  LEAVE;
}

SHOWN int cuLaunchHostFunc(void *handle, void (*call)(void *), void *argument);
int cuLaunchHostFunc(void *handle, void (*call)(void *), void *argument) {
  ENTER(true);
  if (!result && !call) result = broke("nothing to call");
  if (!result) result = ask(handle, (work){.what = CALL, .call = call, .argument = argument});
  LEAVE;
}

SHOWN int cuEventCreate(void **out, unsigned flags);
int cuEventCreate(void **out, unsigned flags) {
  ENTER(true);
  if (!result && flags) result = broke("an event with flags has no time");
  if (!result) {
    *out = calloc(1, sizeof(event));
    add(EVENT, *out, 0);
  }
  LEAVE;
}
SHOWN int cuEventDestroy_v2(void *handle);
int cuEventDestroy_v2(void *handle) {
  ENTER(true);
  if (drop(EVENT, handle))
    free(handle);
  else
    result = broke("an event that is not there is freed");
  LEAVE;
}
/* In a recording only an external event becomes a node. */
SHOWN int cuEventRecordWithFlags(void *handle, void *s, unsigned flags);
int cuEventRecordWithFlags(void *handle, void *s, unsigned flags) {
  ENTER(true);
  stream *at = stream_of(s);
  if (!result && (!is(EVENT, handle) || !at || flags != (unsigned)at->capturing))
    result = broke("no event, or recorded in the wrong way");
  if (!result) result = ask(s, (work){.what = MARK, .to = handle});
  LEAVE;
}
SHOWN int cuEventElapsedTime(float *milliseconds, void *from, void *to);
int cuEventElapsedTime(float *milliseconds, void *from, void *to) {
  ENTER(true);
  if (!result && (!is(EVENT, from) || !is(EVENT, to) || !((event *)from)->came || !((event *)to)->came))
    result = broke("a time between events that have not come");
  if (!result)
    *milliseconds = (float)((double)(((event *)to)->came - ((event *)from)->came) / 1e6);
  LEAVE;
}

SHOWN int cuStreamGetCaptureInfo_v2(void *handle, int *status, uint64_t *id, void **graph,
                                    const void *const **last, size_t *count);
int cuStreamGetCaptureInfo_v2(void *handle, int *status, uint64_t *id, void **graph,
                              const void *const **last, size_t *count) {
  ENTER(true);
  stream *s = stream_of(handle);
  if (!result && (!s || !s->capturing || !s->last)) result = broke("nothing is recorded");
  if (!result) {
    *status = 1;
    *id = 1;
    *graph = NULL;
    *last = (const void *const *)&s->last;
    *count = 1;
  }
  LEAVE;
}

SHOWN int cuStreamBeginCapture_v2(void *handle, int mode);
int cuStreamBeginCapture_v2(void *handle, int mode) {
  ENTER(true);
  stream *s = stream_of(handle);
  (void)mode;
  if (!result && (!s || s == &null_stream || s->capturing))
    result = broke("recording on no stream, or twice");
  if (!result) {
    s->capturing = true;
    s->before = s->first;
    s->before_end = s->first ? s->end : &s->first;
    s->first = s->last = NULL;
    s->end = &s->first;
  }
  LEAVE;
}
SHOWN int cuStreamEndCapture(void *handle, void **graph);
int cuStreamEndCapture(void *handle, void **graph) {
  ENTER(true);
  stream *s = stream_of(handle);
  if (!s || !s->capturing) result = broke("the end of no recording");
  if (s && s->capturing) {
    s->capturing = false;
    if (result) {
      free_work(s->first);
    } else {
      work *holder = calloc(1, sizeof *holder);
      holder->list = s->first;
      add(GRAPH, holder, 0);
      *graph = holder;
    }
    s->first = s->before;
    s->end = s->before_end;
  }
  LEAVE;
}
static work *copy_list(const work *from) {
  work *list = NULL, **end = &list;
  for (; from; from = from->next) {
    *end = malloc(sizeof **end);
    **end = *from;
    (*end)->next = NULL;
    (*end)->origin = from;
    end = &(*end)->next;
  }
  return list;
}
SHOWN int cuGraphInstantiateWithFlags(void **out, void *graph, unsigned long long flags);
int cuGraphInstantiateWithFlags(void **out, void *graph, unsigned long long flags) {
  ENTER(true);
  (void)flags;
  if (!result && !is(GRAPH, graph)) result = broke("no graph to make");
  if (!result) {
    work *holder = calloc(1, sizeof *holder);
    holder->list = copy_list(((work *)graph)->list);
    add(GRAPH_EXEC, holder, 0);
    *out = holder;
  }
  LEAVE;
}
typedef struct kernel_node {
  void *function;
  unsigned grid[3], block[3], shared;
  void **arguments, **extra;
  void *kernel, *context;
} kernel_node;

SHOWN int cuGraphExecKernelNodeSetParams_v2(void *graph, void *node, const kernel_node *to);
int cuGraphExecKernelNodeSetParams_v2(void *graph, void *node, const kernel_node *to) {
  ENTER(true);
  if (!result && !is(GRAPH_EXEC, graph)) result = broke("no graph to change");
  work *w = result ? NULL : ((work *)graph)->list;
  while (w && w->origin != node) w = w->next;
  if (!result && (!w || w->what != LAUNCH)) result = broke("no kernel of the graph");
  if (!result) {
    memcpy(&w->run, &to->function, sizeof to->function);
    memcpy(w->grid, to->grid, sizeof w->grid);
    w->threads = to->block[0];
    w->given = *(const hone_cuda_parameter *)to->arguments[0];
  }
  LEAVE;
}

/* What is changed in the graph later, or its end, is nothing to what was asked for. */
SHOWN int cuGraphLaunch(void *graph, void *s);
int cuGraphLaunch(void *graph, void *s) {
  ENTER(true);
  if (!result && !is(GRAPH_EXEC, graph)) result = broke("no graph to run");
  if (!result) result = ask(s, (work){.what = REPLAY, .list = copy_list(((work *)graph)->list)});
  LEAVE;
}
static int free_graph(kind kind, void *graph, int result) {
  if (!drop(kind, graph)) return broke("a graph that is not there is freed");
  free_work(((work *)graph)->list);
  free(graph);
  return result;
}
SHOWN int cuGraphExecDestroy(void *graph);
int cuGraphExecDestroy(void *graph) {
  ENTER(true);
  result = free_graph(GRAPH_EXEC, graph, result);
  LEAVE;
}
SHOWN int cuGraphDestroy(void *graph);
int cuGraphDestroy(void *graph) {
  ENTER(true);
  result = free_graph(GRAPH, graph, result);
  LEAVE;
}

/* A library in memory, whose size only its tables tell, opened by way of a file without a name. That
 * stays open: the loader knows libraries by their paths. */
static void *open_image(const Elf64_Ehdr *image) {
  char path[64];
  size_t size = image->e_shoff + (size_t)image->e_shnum * image->e_shentsize;
  int file = memfd_create("kernel", MFD_CLOEXEC);
  snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  return write(file, image, size) == (ssize_t)size ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

/* Machine code of a GPU of another major number, or a newer one, is no image for this one. */
static int load_image(void **module, const void *image) {
  const Elf64_Ehdr *elf = image;
  int here = compute_capability(), sm = 0, path = 0;
  if (memcmp(elf->e_ident, ELFMAG, SELFMAG) == 0) {
    sm = (int)elf->e_flags;
    if (sm / 10 != here / 10 || sm > here) return NO_IMAGE;
    *module = open_image(elf);
  } else {
    if (sscanf(image, "sm_%d %n", &sm, &path) != 1 || sm > here) return NO_IMAGE;
    *module = dlopen((const char *)image + path, RTLD_NOW | RTLD_LOCAL);
    state.ptx++;
  }
  if (!*module) return broke(dlerror());
  add(MODULE, *module, 0);
  return 0;
}

SHOWN int cuModuleLoadData(void **module, const void *image);
int cuModuleLoadData(void **module, const void *image) {
  ENTER(true);
  if (!result) result = load_image(module, image);
  LEAVE;
}
SHOWN int cuModuleUnload(void *module);
int cuModuleUnload(void *module) {
  ENTER(true);
  if (!drop(MODULE, module)) result = broke("a module that is not there is freed");
  LEAVE;
}
SHOWN int cuModuleGetFunction(void **function, void *module, const char *name);
int cuModuleGetFunction(void **function, void *module, const char *name) {
  ENTER(true);
  if (!result && (!is(MODULE, module) || strcmp(name, "kernel") != 0))
    result = broke("no such kernel");
  if (!result) *function = dlsym(module, "hone_stand_in_run");
  LEAVE;
}

SHOWN int cuFuncSetAttribute(void *function, int attribute, int value);
int cuFuncSetAttribute(void *function, int attribute, int value) {
  ENTER(true);
  if (!result && (!function || attribute != 8 || value < 0 || value > MOST_SHARED))
    result = broke("a function's attribute that is none");
  LEAVE;
}

/* What both kinds of map have in common. */
static int map_rows(stand_in_map *out, int type, unsigned rank, void *at, const uint64_t *sizes,
                    const uint64_t *strides, const unsigned *steps, const int modes[4]) {
  bool good = (type == 6 || type == 9 || type == 11) && rank >= 3 && rank <= 4 &&
              (uintptr_t)at % 16 == 0 && lies_in(MEMORY, at, 1) && modes[0] == 0 && modes[1] == 3 &&
              modes[2] == 2 && modes[3] == 0;
  for (unsigned i = 0; good && i < rank; i++) {
    good = sizes[i] > 0 && sizes[i] < (uint64_t)1 << 32 && steps[i] >= 1 && steps[i] <= 8;
    good = good && (i + 1 == rank || (strides[i] > 0 && strides[i] % 16 == 0 && strides[i] >> 40 == 0));
    out->sizes[i] = (unsigned)sizes[i];
    out->steps[i] = steps[i];
    if (i + 1 < rank) out->strides[i] = strides[i];
  }
  out->address = at;
  out->element = type == 11 ? 4 : 2;
  return good ? 0 : broke("a map of a tensor that has none");
}
SHOWN int cuTensorMapEncodeTiled(stand_in_map *out, int type, unsigned rank, void *at,
                                 const uint64_t *sizes, const uint64_t *strides,
                                 const unsigned *box, const unsigned *steps, int interleave,
                                 int swizzle, int promotion, int fill);
int cuTensorMapEncodeTiled(stand_in_map *out, int type, unsigned rank, void *at,
                           const uint64_t *sizes, const uint64_t *strides,
                           const unsigned *box, const unsigned *steps,
                           int interleave, int swizzle, int promotion, int fill) {
  ENTER(false);
  memset(out, 0, sizeof *out);
  if (!result)
    result = map_rows(out, type, rank, at, sizes, strides, steps,
                      (const int[]){interleave, swizzle, promotion, fill});
  if (!result && ((rank != 3 && rank != 4) || box[0] * (unsigned)out->element != 128 || box[1] < 1 ||
                  box[1] > 256 || box[2] < 1 || box[2] > 256 || (rank == 4 && box[3] != 1)))
    result = broke("a box of another size");
  memcpy(out->box, box, 3 * sizeof *box);
  LEAVE;
}
SHOWN int cuTensorMapEncodeIm2col(stand_in_map *out, int type, unsigned rank, void *at,
                                  const uint64_t *sizes, const uint64_t *strides, const int *low,
                                  const int *high, unsigned channels, unsigned pixels,
                                  const unsigned *steps, int interleave, int swizzle, int promotion,
                                  int fill);
int cuTensorMapEncodeIm2col(stand_in_map *out, int type, unsigned rank, void *at, const uint64_t *sizes,
                            const uint64_t *strides, const int *low, const int *high, unsigned channels,
                            unsigned pixels, const unsigned *steps, int interleave, int swizzle,
                            int promotion, int fill) {
  ENTER(false);
  memset(out, 0, sizeof *out);
  if (!result)
    result = map_rows(out, type, rank, at, sizes, strides, steps,
                      (const int[]){interleave, swizzle, promotion, fill});
  if (!result && (rank != 4 || channels * (unsigned)out->element != 128 || pixels < 1 || pixels > 256))
    result = broke("windows of another size");
  for (int i = 0; i < 2; i++) {
    if (low[i] < -128 || low[i] > 127 || high[i] < -128 || high[i] > 127)
      result = broke("windows' corners too far out");
    out->low[i] = (short)low[i];
    out->high[i] = (short)high[i];
  }
  out->pixels = pixels;
  LEAVE;
}

typedef struct launch_config {
  unsigned grid[3], block[3], shared;
  void *stream;
  const struct {
    int which, pad;
    int holds;
    char rest[60];
  } *attributes;
  unsigned count;
} launch_config;

/* A kernel begins before the one before it ends only where that one is a kernel of Hone's. */
static bool may_begin_early(const launch_config *how) {
  const stream *s = stream_of(how->stream);
  return how->count == 1 && how->attributes[0].which == 6 && how->attributes[0].holds == 1 && s &&
         s->capturing && s->last && s->last->what == LAUNCH && compute_capability() >= 90;
}

SHOWN int cuLaunchKernelEx(const launch_config *how, void *function, void **arguments, void **extra);
int cuLaunchKernelEx(const launch_config *how, void *function, void **arguments, void **extra) {
  ENTER(true);
  const unsigned *grid = how->grid, *block = how->block;
  bool sizes = grid[0] && grid[1] && grid[2] && grid[1] <= 65535 && grid[2] <= 65535 && block[0] &&
               block[0] * block[1] * block[2] <= 1024;
  if (!result && (!function || !sizes || how->shared > MOST_SHARED || extra || !arguments))
    result = broke("a kernel with wrong sizes or arguments");
  if (!result && how->count && !may_begin_early(how))
    result = broke("a kernel that begins before the end of what is none");
  if (!result) {
    work one = {.what = LAUNCH, .grid = {grid[0], grid[1], grid[2]}, .threads = block[0]};
    memcpy(&one.run, &function, sizeof function);
    one.early = how->count > 0;
    one.given = *(const hone_cuda_parameter *)arguments[0];
    result = ask(how->stream, one);
    state.early += how->count;
  }
  LEAVE;
}

/* ---- For tests ----------------------------------------------------------------------------------
 */

SHOWN void stand_in_read_state(stand_in_state *out);
void stand_in_read_state(stand_in_state *out) {
  pthread_mutex_lock(&lock);
  *out = state;
  pthread_mutex_unlock(&lock);
}
SHOWN void stand_in_set_failure(uint64_t call, int result);
void stand_in_set_failure(uint64_t call, int result) {
  pthread_mutex_lock(&lock);
  failing = call;
  broken = 0;
  failing_with = result;
  pthread_mutex_unlock(&lock);
}
SHOWN void stand_in_set_clock(const stand_in_clock *clock);
void stand_in_set_clock(const stand_in_clock *clock) {
  pthread_mutex_lock(&lock);
  own_clock = *clock;
  pthread_mutex_unlock(&lock);
}
