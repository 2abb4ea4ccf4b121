/* Memory, streams and recordings of the GPU. Room: backend/cuda. */
#include "backend/cuda/device.h"

#include <string.h>

#include "backend/cuda/boxes.h"
#include "backend/cuda/code.h"
#include "backend/cuda/cudnn.h"
#include "backend/cuda/lt.h"
#include "backend/cuda/plan.h"

struct hone_stream {
  hone_gpu *gpu;
  hone_cu_stream stream;
  void *counters;            /* of HONE_CUDA_COUNTS */
  bool adopted;              /* the caller's */
  hone_recording *recording; /* under way; NULL: none */
  bool after_kernel;         /* what was recorded last is a kernel of ours */
};

/* A launch in a recording. */
typedef struct recorded_launch {
  int step;
  const hone_cuda_launch *launch;
  hone_cu_node node;
} recorded_launch;

struct hone_recording {
  hone_gpu *gpu;
  hone_cu_graph graph; /* what the nodes are of */
  hone_cu_graph_exec made;
  void *counters; /* of the stream that it was recorded on, which outlives it */
  recorded_launch *launches;
  size_t count, room;
};

/* The status of `call`, made within the GPU's context. */
#define WITHIN(gpu, call)          \
  do {                             \
    HONE_TRY(hone_gpu_enter(gpu)); \
    hone_status *status_ = (call); \
    hone_gpu_leave(gpu);           \
    return status_;                \
  } while (0)
#define CALL(gpu, what, member, ...) \
  hone_driver_status((gpu)->driver, (gpu)->driver->member(__VA_ARGS__), what)

static hone_status *usable(void) {
  hone_gpu *gpu;
  return hone_gpu_get(&gpu);
}

/* ---- Memory --------------------------------------------------------------------------------- */

static hone_status *take_here(const hone_gpu *gpu, size_t bytes, void **out) {
  hone_cu_address address = 0;
  size_t free_bytes = 0, total = 0;
  hone_cu_result result = gpu->driver->memory_take(&address, bytes ? bytes : 1);
  *out = (void *)(uintptr_t)address;
  if (result != HONE_CU_OUT_OF_MEMORY)
    return hone_driver_status(gpu->driver, result, "taking memory");
  (void)gpu->driver->memory_info(&free_bytes, &total);
  return hone_error(HONE_OUT_OF_MEMORY, "the GPU has %zu of its %zu bytes free, and %zu are needed",
                    free_bytes, total, bytes);
}

/* Pageable memory is copied before an upload on the null stream returns. */
static hone_status *put_here(const hone_gpu *gpu, const void *bytes, size_t size, void **out) {
  void *memory;
  HONE_TRY(take_here(gpu, size, &memory));
  hone_status *status = CALL(gpu, "copying to the GPU", upload,
                             (hone_cu_address)(uintptr_t)memory, bytes, size, NULL);
  if (!status) status = CALL(gpu, "waiting for the GPU", stream_wait, NULL);
  if (status)
    (void)gpu->driver->memory_free((hone_cu_address)(uintptr_t)memory);
  else
    *out = memory;
  return status;
}

static hone_status *take(size_t bytes, void **out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  WITHIN(gpu, take_here(gpu, bytes, out));
}

/* Giving back has nobody to tell of a failure: after one the driver holds nothing of ours. */
static void give(void *memory) {
  hone_gpu *gpu;
  if (!memory) return;
  hone_status *status = hone_gpu_get(&gpu);
  if (!status) status = hone_gpu_enter(gpu);
  if (!status) {
    (void)gpu->driver->memory_free((hone_cu_address)(uintptr_t)memory);
    hone_gpu_leave(gpu);
  }
  hone_status_free(status);
}

static hone_status *take_pinned(size_t bytes, void **out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  WITHIN(gpu, CALL(gpu, "pinning memory", pinned_take, out, bytes ? bytes : 1, 0));
}

static void give_pinned(void *memory) {
  hone_gpu *gpu;
  if (!memory) return;
  hone_status *status = hone_gpu_get(&gpu);
  if (!status) status = hone_gpu_enter(gpu);
  if (!status) {
    (void)gpu->driver->pinned_free(memory);
    hone_gpu_leave(gpu);
  }
  hone_status_free(status);
}

/* ---- Streams -------------------------------------------------------------------------------- */

static void free_stream(hone_stream *stream) {
  const hone_driver *driver = stream->gpu->driver;
  if (stream->counters) (void)driver->memory_free((hone_cu_address)(uintptr_t)stream->counters);
  if (stream->stream && !stream->adopted) (void)driver->stream_free(stream->stream);
}

static hone_status *make_counters(hone_stream *stream) {
  static const uint32_t zeros[HONE_CUDA_COUNTERS];
  return put_here(stream->gpu, zeros, sizeof zeros, &stream->counters);
}

static hone_status *make_stream(hone_stream *stream) {
  HONE_TRY(CALL(stream->gpu, "making a stream", stream_new, &stream->stream,
                HONE_CU_STREAM_NON_BLOCKING));
  return make_counters(stream);
}

static hone_status *open_stream(hone_stream **out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  hone_stream *stream = hone_alloc_zero(sizeof *stream);
  HONE_TRY_MEMORY(stream);
  stream->gpu = gpu;
  hone_status *status = hone_gpu_enter(gpu);
  if (!status) {
    status = make_stream(stream);
    if (status) free_stream(stream);
    hone_gpu_leave(gpu);
  }
  if (status)
    hone_free(stream);
  else
    *out = stream;
  return status;
}

static hone_status *adopt(void *native, hone_stream **out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  hone_stream *stream = hone_alloc_zero(sizeof *stream);
  HONE_TRY_MEMORY(stream);
  *stream = (hone_stream){.gpu = gpu, .stream = native, .adopted = true};
  hone_status *status = hone_gpu_enter(gpu);
  if (!status) {
    status = make_counters(stream);
    hone_gpu_leave(gpu);
  }
  if (status)
    hone_free(stream);
  else
    *out = stream;
  return status;
}

static void close_stream(hone_stream *stream) {
  if (!stream) return;
  hone_status *status = hone_gpu_enter(stream->gpu);
  if (!status) {
    free_stream(stream);
    hone_gpu_leave(stream->gpu);
  }
  hone_status_free(status);
  hone_free(stream);
}

static hone_status *upload(hone_stream *s, void *to, const void *from, size_t bytes) {
  s->after_kernel = false;
  WITHIN(s->gpu, CALL(s->gpu, "copying to the GPU", upload, (hone_cu_address)(uintptr_t)to, from,
                      bytes, s->stream));
}

static hone_status *download(hone_stream *s, void *to, const void *from, size_t bytes) {
  s->after_kernel = false;
  WITHIN(s->gpu, CALL(s->gpu, "copying from the GPU", download, to,
                      (hone_cu_address)(uintptr_t)from, bytes, s->stream));
}

static hone_status *wait_for(hone_stream *s) {
  WITHIN(s->gpu, CALL(s->gpu, "waiting for the GPU", stream_wait, s->stream));
}

static hone_status *tell(hone_stream *s, void (*done)(void *), void *argument) {
  WITHIN(s->gpu, CALL(s->gpu, "asking to be called", host_call, s->stream, done, argument));
}

/* ---- Launches ------------------------------------------------------------------------------- */

static void *address_of(void *counters, const hone_cuda_slot *slot, const hone_cuda_step *step,
                        const hone_device_io *io) {
  switch (slot->from) {
    case HONE_CUDA_NOTHING:
      return NULL;
    case HONE_CUDA_INPUT:
      return io->in[slot->index];
    case HONE_CUDA_OUTPUT:
      return io->out[slot->index];
    case HONE_CUDA_SCRATCH:
      return (char *)io->scratch + slot->at;
    case HONE_CUDA_PACK:
      return (char *)step->body->pack + slot->at;
    case HONE_CUDA_HELD:
      return (void *)(uintptr_t)slot->at;
    case HONE_CUDA_COUNTS:
      return counters;
    case HONE_CUDA_FAULT:
      return io->fault;
  }
  return NULL;
}

static void set_arguments(void *counters, const hone_cuda_launch *launch,
                          const hone_cuda_step *step, const hone_device_io *io,
                          hone_cuda_args *out) {
  *out = launch->args;
  for (int i = 0; i < HONE_CUDA_POINTERS; i++)
    out->p[i] = address_of(counters, &launch->slots[i], step, io);
  out->n[HONE_CUDA_STEP] = io->step;
}

static bool at_multiples(const hone_cuda_args *args) {
  for (int i = 0; i < HONE_CUDA_POINTERS; i++)
    if ((uintptr_t)args->p[i] % HONE_CUDA_BOX_ALIGNMENT) return false;
  return true;
}

/* What the launch is handed; `*launch` becomes the one that is made for these addresses. */
static hone_status *make_parameter(const hone_gpu *gpu, void *counters,
                                   const hone_cuda_launch **launch, const hone_cuda_step *step,
                                   const hone_device_io *io, hone_cuda_parameter *out) {
  const hone_cuda_launch *boxed = (*launch)->boxed;
  set_arguments(counters, *launch, step, io, &out->args);
  if (!boxed || !at_multiples(&out->args)) return NULL;
  set_arguments(counters, boxed, step, io, &out->args);
  for (int i = 0; i < HONE_CUDA_BOXED && boxed->boxes[i].rank; i++)
    HONE_TRY(hone_cuda_boxes_map(gpu, &boxed->boxes[i], (char *)out->args.p[i] + boxed->boxes[i].at,
                                 &out->maps[i]));
  *launch = boxed;
  return NULL;
}

/* Writes down which node of the graph the launch, just made, became. */
static hone_status *note_launch(const hone_stream *s, const hone_cuda_launch *launch, int step) {
  hone_recording *r = s->recording;
  hone_cu_graph graph;
  const hone_cu_node *last = NULL;
  uint64_t id;
  int capturing;
  size_t count = 0;
  HONE_TRY_DRIVER(s->gpu->driver, "asking what was recorded", capture_info, s->stream, &capturing,
                  &id, &graph, &last, &count);
  if (count != 1) return hone_error(HONE_DEVICE, "a recording is no sequence");
  if (r->count == r->room) {
    size_t room = r->room ? 2 * r->room : 64;
    recorded_launch *launches = hone_realloc(r->launches, room * sizeof *launches);
    HONE_TRY_MEMORY(launches);
    r->launches = launches;
    r->room = room;
  }
  r->launches[r->count++] = (recorded_launch){step, launch, last[0]};
  return NULL;
}

static hone_status *start(hone_stream *s, const hone_cuda_launch *made, bool early, void **arguments) {
  static const hone_cu_launch_attribute may_begin = {.which = HONE_CU_LAUNCH_EARLY, .value = {1}};
  hone_cu_launch how = {.grid = {made->grid[0], made->grid[1], made->grid[2]},
                        .block = {made->threads, 1, 1},
                        .shared = made->shared,
                        .stream = s->stream,
                        .attributes = &may_begin,
                        .attribute_count = early};
  return CALL(s->gpu, "starting a kernel", launch, &how, made->function, arguments, NULL);
}

/* In a recording a kernel that follows one of ours may begin before its end. */
static hone_status *launch_one(hone_stream *s, const hone_cuda_launch *launch,
                               const hone_cuda_step *step, const hone_device_io *io) {
  hone_cuda_parameter parameter;
  void *arguments[] = {&parameter};
  const hone_cuda_launch *made = launch;
  HONE_TRY(make_parameter(s->gpu, s->counters, &made, step, io, &parameter));
  bool early = s->recording && s->after_kernel && launch->follows;
  s->after_kernel = !launch->call;
  if (launch->call) return launch->call(launch->own, parameter.args.p, s->stream);
  HONE_TRY(start(s, made, early, arguments));
  return s->recording ? note_launch(s, launch, io->step) : NULL;
}

/* Whether all that libraries and their like are given lies as they want it. */
static bool is_aligned(const hone_stream *s, const hone_cuda_step *step, const hone_device_io *io) {
  for (const hone_cuda_launch *launch = step->first; launch; launch = launch->next) {
    hone_cuda_args args;
    if (!launch->call && !launch->aligned) continue;
    set_arguments(s->counters, launch, step, io, &args);
    for (int i = 0; i < HONE_CUDA_POINTERS; i++)
      if ((uintptr_t)args.p[i] & 15) return false;
  }
  return true;
}

static hone_status *launch_all(hone_stream *s, const hone_step *step,
                               const hone_device_io *io) {
  const hone_cuda_step *own = step->args;
  bool otherwise = own->otherwise && !is_aligned(s, own, io);
  for (const hone_cuda_launch *launch = otherwise ? own->otherwise : own->first; launch;
       launch = launch->next)
    if (launch->grid[0] && launch->grid[1] && launch->grid[2])
      HONE_TRY(launch_one(s, launch, own, io));
  return NULL;
}

static hone_status *run(hone_stream *s, const hone_step *step, const hone_device_io *io) {
  WITHIN(s->gpu, launch_all(s, step, io));
}

/* ---- Recordings ----------------------------------------------------------------------------- */

static void free_recording(hone_recording *r) {
  if (r->made) (void)r->gpu->driver->graph_exec_free(r->made);
  if (r->graph) (void)r->gpu->driver->graph_free(r->graph);
  hone_free(r->launches);
  hone_free(r);
}

static hone_status *begin_here(hone_stream *s, hone_recording *r) {
  HONE_TRY(CALL(s->gpu, "recording a run", capture_begin, s->stream, HONE_CU_CAPTURE_THREAD_LOCAL));
  s->recording = r;
  s->after_kernel = false;
  return NULL;
}

static hone_status *record(hone_stream *s) {
  hone_recording *r = hone_alloc_zero(sizeof *r);
  HONE_TRY_MEMORY(r);
  r->gpu = s->gpu;
  r->counters = s->counters;
  hone_status *status = hone_gpu_enter(s->gpu);
  if (!status) {
    status = begin_here(s, r);
    hone_gpu_leave(s->gpu);
  }
  if (status) hone_free(r);
  return status;
}

static hone_status *make_graph(const hone_stream *s, hone_recording *r) {
  HONE_TRY_DRIVER(s->gpu->driver, "ending a recording", capture_end, s->stream, &r->graph);
  HONE_TRY_DRIVER(s->gpu->driver, "making a graph of a run", graph_make, &r->made, r->graph, 0);
  return NULL;
}

static hone_status *recorded(hone_stream *s, hone_recording **out) {
  hone_recording *r = s->recording;
  s->recording = NULL;
  hone_status *status = hone_gpu_enter(s->gpu);
  if (status) {
    hone_free(r->launches);
    hone_free(r);
    return status;
  }
  status = make_graph(s, r);
  if (status)
    free_recording(r);
  else
    *out = r;
  hone_gpu_leave(s->gpu);
  return status;
}

static hone_status *replay(hone_stream *s, const hone_recording *recording) {
  WITHIN(s->gpu, CALL(s->gpu, "running a recorded run", graph_launch, recording->made, s->stream));
}

/* Nodes of a library's are its own: what it runs is recorded again. */
static hone_status *repoint_here(const hone_recording *r, const hone_step *step,
                                 const hone_device_io *io) {
  if (((const hone_cuda_step *)step->args)->otherwise)
    return hone_error(HONE_UNSUPPORTED, "a library's part of a recording takes no other addresses");
  for (size_t i = 0; i < r->count; i++) {
    const recorded_launch *one = &r->launches[i];
    if (one->step != io->step) continue;
    hone_cuda_parameter parameter;
    void *arguments[] = {&parameter};
    const hone_cuda_launch *made = one->launch;
    HONE_TRY(make_parameter(r->gpu, r->counters, &made, step->args, io, &parameter));
    hone_cu_kernel_node to = {.function = made->function,
                              .grid = {made->grid[0], made->grid[1], made->grid[2]},
                              .block = {made->threads, 1, 1},
                              .shared = made->shared,
                              .arguments = arguments};
    HONE_TRY(CALL(r->gpu, "changing a recorded run", graph_kernel_set, r->made, one->node, &to));
  }
  return NULL;
}

static hone_status *repoint(hone_recording *r, const hone_step *step, const hone_device_io *io) {
  WITHIN(r->gpu, repoint_here(r, step, io));
}

static void forget(hone_recording *recording) {
  if (!recording) return;
  hone_status *status = hone_gpu_enter(recording->gpu);
  if (status) {
    hone_free(recording->launches);
    hone_free(recording);
  } else {
    const hone_gpu *gpu = recording->gpu;
    free_recording(recording);
    hone_gpu_leave(gpu);
  }
  hone_status_free(status);
}

/* ---- Times ---------------------------------------------------------------------------------- */

struct hone_mark {
  hone_gpu *gpu;
  hone_cu_event event;
};

static hone_status *take_mark(hone_mark **out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  hone_mark *mark = hone_alloc_zero(sizeof *mark);
  HONE_TRY_MEMORY(mark);
  mark->gpu = gpu;
  hone_status *status = hone_gpu_enter(gpu);
  if (!status) {
    status = CALL(gpu, "making an event", event_new, &mark->event, 0);
    hone_gpu_leave(gpu);
  }
  if (status)
    hone_free(mark);
  else
    *out = mark;
  return status;
}

static void give_mark(hone_mark *mark) {
  if (!mark) return;
  hone_status *status = hone_gpu_enter(mark->gpu);
  if (!status) {
    (void)mark->gpu->driver->event_free(mark->event);
    hone_gpu_leave(mark->gpu);
  }
  hone_status_free(status);
  hone_free(mark);
}

/* In a recording it becomes a node, which marks the time at every replay. */
static hone_status *set_mark(hone_stream *s, hone_mark *mark) {
  s->after_kernel = false;
  WITHIN(s->gpu, CALL(s->gpu, "recording an event", event_record, mark->event, s->stream,
                      s->recording ? HONE_CU_EVENT_EXTERNAL : 0));
}

static hone_status *elapsed(const hone_mark *from, const hone_mark *to, double *out) {
  float milliseconds = 0;
  HONE_TRY_DRIVER(from->gpu->driver, "asking for a time", event_elapsed, &milliseconds, from->event,
                  to->event);
  *out = (double)milliseconds * 1e6;
  return NULL;
}

static hone_status *between(const hone_mark *from, const hone_mark *to, double *out) {
  WITHIN(from->gpu, elapsed(from, to, out));
}

static hone_status *describe(hone_text *out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  hone_text_printf(out, "%s, %d multiprocessors, CUDA %d", gpu->name, gpu->multiprocessors,
                   gpu->driver->version);
  const hone_lt *lt;
  hone_status *status = hone_lt_get(&lt);
  if (!status) hone_text_printf(out, ", cuBLASLt %zu", lt->version);
  hone_status_free(status);
  const hone_cudnn *cudnn;
  status = hone_cudnn_get(&cudnn);
  if (!status) hone_text_printf(out, ", cuDNN %zu", cudnn->version);
  hone_status_free(status);
  return hone_text_status(out);
}

const hone_device hone_cuda_device = {.usable = usable,
                                      .open = open_stream,
                                      .adopt = adopt,
                                      .close = close_stream,
                                      .take = take,
                                      .give = give,
                                      .take_pinned = take_pinned,
                                      .give_pinned = give_pinned,
                                      .upload = upload,
                                      .download = download,
                                      .run = run,
                                      .wait = wait_for,
                                      .tell = tell,
                                      .record = record,
                                      .recorded = recorded,
                                      .replay = replay,
                                      .repoint = repoint,
                                      .forget = forget,
                                      .take_mark = take_mark,
                                      .give_mark = give_mark,
                                      .set_mark = set_mark,
                                      .between = between,
                                      .describe = describe,
                                      .overlap = 1500};

/* ---- For preparing groups -------------------------------------------------------------------- */

hone_status *hone_cuda_capability(int *out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  *out = gpu->sm;
  return NULL;
}

hone_status *hone_cuda_compile(const char *text, void **out) {
  hone_gpu *gpu;
  hone_cu_function function = NULL;
  HONE_TRY(hone_gpu_get(&gpu));
  HONE_TRY(hone_gpu_enter(gpu));
  hone_status *status = hone_cuda_code_function(text, &function);
  hone_gpu_leave(gpu);
  *out = function;
  return status;
}

hone_status *hone_cuda_put(const void *bytes, size_t size, void **out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  WITHIN(gpu, put_here(gpu, bytes, size, out));
}
