/* The CUDA driver as a table of functions, found at run time. Room: backend/cuda.
 *
 * Types, numbers and signatures are those of CUDA's driver interface, written down here so that no
 * header of CUDA's is needed: handles are pointers, addresses 64-bit numbers, results ints.
 */
#ifndef HONE_BACKEND_CUDA_DRIVER_H
#define HONE_BACKEND_CUDA_DRIVER_H

#include <stdint.h>

#include "backend/cuda/args.h"
#include "backend/cuda/library.h"

typedef int hone_cu_result; /* 0: success */
typedef int hone_cu_device;
typedef uint64_t hone_cu_address;
typedef struct hone_cu_context_ *hone_cu_context;
typedef struct hone_cu_stream_ *hone_cu_stream;
typedef struct hone_cu_module_ *hone_cu_module;
typedef struct hone_cu_function_ *hone_cu_function;
typedef struct hone_cu_graph_ *hone_cu_graph;
typedef struct hone_cu_graph_exec_ *hone_cu_graph_exec;
typedef struct hone_cu_node_ *hone_cu_node;
typedef struct hone_cu_event_ *hone_cu_event;

typedef struct hone_cu_kernel_node { /* CUDA_KERNEL_NODE_PARAMS_v2 */
  hone_cu_function function;
  unsigned grid[3], block[3], shared;
  void **arguments, **extra;
  void *kernel;
  hone_cu_context context;
} hone_cu_kernel_node;

typedef struct hone_cu_launch_attribute { /* CUlaunchAttribute */
  int which, pad;
  union {
    int holds;
    char room[64];
  } value;
} hone_cu_launch_attribute;

typedef struct hone_cu_launch { /* CUlaunchConfig */
  unsigned grid[3], block[3], shared;
  hone_cu_stream stream;
  const hone_cu_launch_attribute *attributes;
  unsigned attribute_count;
} hone_cu_launch;

enum { HONE_CU_LAUNCH_EARLY = 6 }; /* programmatic stream serialization */
enum { /* results that are told apart */
  HONE_CU_OUT_OF_MEMORY = 2,
  HONE_CU_NO_DEVICE = 100,
  HONE_CU_NO_IMAGE_FOR_DEVICE = 209,
  HONE_CU_ILLEGAL_ADDRESS = 700,
  HONE_CU_LAUNCH_FAILED = 719
};
enum { /* attributes of a device */
  HONE_CU_MULTIPROCESSORS = 16,
  HONE_CU_L2_BYTES = 38,
  HONE_CU_MAJOR = 75,
  HONE_CU_MINOR = 76
};
enum { HONE_CU_STREAM_NON_BLOCKING = 1, HONE_CU_CAPTURE_THREAD_LOCAL = 1, HONE_CU_EVENT_EXTERNAL = 1 };
enum { HONE_CU_MOST_SHARED = 8 }; /* attribute of a function: bytes that launches may ask for */
enum { /* of a map: element types, rows of 128 bytes swizzled, fetches of 128 bytes into the cache */
  HONE_CU_MAP_F16 = 6,
  HONE_CU_MAP_BF16 = 9,
  HONE_CU_MAP_TF32 = 11, /* f32, which becomes that on its way, to nearest */
  HONE_CU_MAP_SWIZZLE_128 = 3,
  HONE_CU_MAP_PROMOTE_128 = 2
};

typedef struct hone_driver {
  hone_library library;
  int version; /* 1000 * major + 10 * minor, of the newest CUDA that it runs */
#define DRIVER(member, symbol, arguments) hone_cu_result(*member) arguments;
#include "backend/cuda/driver.def"
#undef DRIVER
} hone_driver;

/* The least driver: all that the table holds, and cubins of CUDA 12. */
#define HONE_DRIVER_LEAST 12000

/* The process's driver, loaded and asked for its version once; an error is the same at every call.
 * cuInit is not called. */
HONE_MUST_USE hone_status *hone_driver_get(const hone_driver **out);

/* What a failed call of the driver is to Hone; `what` says what was tried. NULL for success. */
HONE_MUST_USE hone_status *hone_driver_status(const hone_driver *driver, hone_cu_result result,
                                              const char *what);
/* Leaves the function with the status of a call of the driver that failed. */
#define HONE_TRY_DRIVER(driver, what, member, ...)                                                 \
  HONE_TRY(hone_driver_status(driver, (driver)->member(__VA_ARGS__), what))

#endif
