/* Opening the GPU. Room: backend/cuda. */
#include "backend/cuda/gpu.h"

static hone_status *attribute(const hone_gpu *gpu, int which, int *out) {
  HONE_TRY_DRIVER(gpu->driver, "asking for the GPU's properties", device_attribute, out, which,
                  gpu->device);
  return NULL;
}

static hone_status *read_properties(hone_gpu *gpu) {
  int major, minor;
  HONE_TRY_DRIVER(gpu->driver, "asking for the GPU's name", device_name, gpu->name,
                  (int)sizeof gpu->name, gpu->device);
  HONE_TRY_DRIVER(gpu->driver, "asking for the GPU's memory", device_memory, &gpu->memory,
                  gpu->device);
  HONE_TRY(attribute(gpu, HONE_CU_MAJOR, &major));
  HONE_TRY(attribute(gpu, HONE_CU_MINOR, &minor));
  HONE_TRY(attribute(gpu, HONE_CU_MULTIPROCESSORS, &gpu->multiprocessors));
  gpu->sm = major * 10 + minor;
  if (gpu->sm >= 75) return NULL;
  return hone_error(HONE_UNSUPPORTED, "the GPU '%.100s' has compute capability %d.%d; the least is 7.5",
                    gpu->name, major, minor);
}

static hone_status *open_gpu(void *what) {
  hone_gpu *gpu = what;
  int count = 0;
  HONE_TRY(hone_driver_get(&gpu->driver));
  HONE_TRY_DRIVER(gpu->driver, "starting", init, 0);
  HONE_TRY_DRIVER(gpu->driver, "counting GPUs", device_count, &count);
  if (count == 0) return hone_error(HONE_NOT_FOUND, "the driver is there, and no NVIDIA GPU is");
  HONE_TRY_DRIVER(gpu->driver, "opening the first GPU", device_get, &gpu->device, 0);
  HONE_TRY(read_properties(gpu));
  HONE_TRY_DRIVER(gpu->driver, "making a context", context_retain, &gpu->context, gpu->device);
  return NULL;
}

hone_status *hone_gpu_get(hone_gpu **out) {
  static hone_gpu the_gpu;
  static hone_once once = HONE_ONCE;
  *out = &the_gpu;
  return hone_do_once(&once, open_gpu, &the_gpu);
}

hone_status *hone_gpu_enter(const hone_gpu *gpu) {
  HONE_TRY_DRIVER(gpu->driver, "taking the context", context_push, gpu->context);
  return NULL;
}

void hone_gpu_leave(const hone_gpu *gpu) {
  hone_cu_context context;
  (void)gpu->driver->context_pop(&context);
}
