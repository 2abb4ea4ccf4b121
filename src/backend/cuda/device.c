/* Memory, streams and recordings of the GPU. Room: backend/cuda. */
#include "backend/cuda/device.h"

#include <string.h>

#include "backend/cuda/code.h"
#include "backend/cuda/plan.h"

#define THREADS 256

struct hone_stream {
  hone_gpu *gpu;
  hone_cu_stream stream;
};

struct hone_recording {
  hone_gpu *gpu;
  hone_cu_graph_exec graph;
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

static hone_status *open_stream(hone_stream **out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  hone_stream *stream = hone_alloc_zero(sizeof *stream);
  HONE_TRY_MEMORY(stream);
  stream->gpu = gpu;
  hone_status *status = hone_gpu_enter(gpu);
  if (!status) {
    status = CALL(gpu, "making a stream", stream_new, &stream->stream, HONE_CU_STREAM_NON_BLOCKING);
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
    (void)stream->gpu->driver->stream_free(stream->stream);
    hone_gpu_leave(stream->gpu);
  }
  hone_status_free(status);
  hone_free(stream);
}

static hone_status *upload(hone_stream *s, void *to, const void *from, size_t bytes) {
  WITHIN(s->gpu, CALL(s->gpu, "copying to the GPU", upload, (hone_cu_address)(uintptr_t)to, from,
                      bytes, s->stream));
}

static hone_status *download(hone_stream *s, void *to, const void *from, size_t bytes) {
  WITHIN(s->gpu, CALL(s->gpu, "copying from the GPU", download, to,
                      (hone_cu_address)(uintptr_t)from, bytes, s->stream));
}

static hone_status *wait_for(hone_stream *s) {
  WITHIN(s->gpu, CALL(s->gpu, "waiting for the GPU", stream_wait, s->stream));
}

/* ---- Launches ------------------------------------------------------------------------------- */

static void *address_of(const hone_cuda_slot *slot, const hone_cuda_step *step,
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
    case HONE_CUDA_FAULT:
      return io->fault;
  }
  return NULL;
}

static hone_status *launch_one(const hone_stream *s, const hone_cuda_launch *launch,
                               const hone_cuda_step *step, const hone_device_io *io) {
  hone_cuda_args args = launch->args;
  void *arguments[] = {&args};
  for (int i = 0; i < HONE_CUDA_POINTERS; i++) args.p[i] = address_of(&launch->slots[i], step, io);
  args.n[HONE_CUDA_NUMBERS - 1] = io->step;
  return CALL(s->gpu, "starting a kernel", launch, launch->function, launch->grid[0],
              launch->grid[1], launch->grid[2], THREADS, 1, 1, 0, s->stream, arguments, NULL);
}

static hone_status *launch_all(const hone_stream *s, const hone_step *step,
                               const hone_device_io *io) {
  const hone_cuda_step *own = step->args;
  for (const hone_cuda_launch *launch = own->first; launch; launch = launch->next)
    if (launch->grid[0] && launch->grid[1] && launch->grid[2])
      HONE_TRY(launch_one(s, launch, own, io));
  return NULL;
}

static hone_status *run(hone_stream *s, const hone_step *step, const hone_device_io *io) {
  WITHIN(s->gpu, launch_all(s, step, io));
}

/* ---- Recordings ----------------------------------------------------------------------------- */

static hone_status *record(hone_stream *s) {
  WITHIN(s->gpu,
         CALL(s->gpu, "recording a run", capture_begin, s->stream, HONE_CU_CAPTURE_THREAD_LOCAL));
}

static hone_status *make_graph(const hone_stream *s, hone_cu_graph_exec *out) {
  const hone_driver *driver = s->gpu->driver;
  hone_cu_graph graph = NULL;
  HONE_TRY_DRIVER(driver, "ending a recording", capture_end, s->stream, &graph);
  hone_status *status =
      hone_driver_status(driver, driver->graph_make(out, graph, 0), "making a graph of a run");
  (void)driver->graph_free(graph);
  return status;
}

static hone_status *recorded(hone_stream *s, hone_recording **out) {
  hone_cu_graph_exec graph = NULL;
  HONE_TRY(hone_gpu_enter(s->gpu));
  hone_status *status = make_graph(s, &graph);
  hone_recording *recording = status ? NULL : hone_alloc(sizeof *recording);
  if (recording) {
    *recording = (hone_recording){s->gpu, graph};
    *out = recording;
  } else if (!status) {
    (void)s->gpu->driver->graph_exec_free(graph);
    status = hone_error_memory();
  }
  hone_gpu_leave(s->gpu);
  return status;
}

static hone_status *replay(hone_stream *s, const hone_recording *recording) {
  WITHIN(s->gpu, CALL(s->gpu, "running a recorded run", graph_launch, recording->graph, s->stream));
}

static void forget(hone_recording *recording) {
  if (!recording) return;
  hone_status *status = hone_gpu_enter(recording->gpu);
  if (!status) {
    (void)recording->gpu->driver->graph_exec_free(recording->graph);
    hone_gpu_leave(recording->gpu);
  }
  hone_status_free(status);
  hone_free(recording);
}

const hone_device hone_cuda_device = {.usable = usable,
                                      .open = open_stream,
                                      .close = close_stream,
                                      .take = take,
                                      .give = give,
                                      .take_pinned = take_pinned,
                                      .give_pinned = give_pinned,
                                      .upload = upload,
                                      .download = download,
                                      .run = run,
                                      .wait = wait_for,
                                      .record = record,
                                      .recorded = recorded,
                                      .replay = replay,
                                      .forget = forget};

/* ---- For preparing groups -------------------------------------------------------------------- */

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

/* Pageable memory is copied before an upload on the null stream returns. */
static hone_status *put_here(const hone_gpu *gpu, const void *bytes, size_t size, void **out) {
  void *memory;
  HONE_TRY(take_here(gpu, size, &memory));
  hone_status *status = CALL(gpu, "copying weights to the GPU", upload,
                             (hone_cu_address)(uintptr_t)memory, bytes, size, NULL);
  if (!status) status = CALL(gpu, "waiting for weights", stream_wait, NULL);
  if (status)
    (void)gpu->driver->memory_free((hone_cu_address)(uintptr_t)memory);
  else
    *out = memory;
  return status;
}

hone_status *hone_cuda_put(const void *bytes, size_t size, void **out) {
  hone_gpu *gpu;
  HONE_TRY(hone_gpu_get(&gpu));
  WITHIN(gpu, put_here(gpu, bytes, size, out));
}
