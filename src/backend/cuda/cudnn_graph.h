/* A graph of cuDNN's operations, the plan that runs it, and what a stage of such a plan holds. Room:
 * backend/cuda.
 *
 * A plan takes the library up to a third of a second to make, and is kept as the text that it gives of
 * it. Calls that describe do nothing after the first failure, which making the plan then gives. */
#ifndef HONE_BACKEND_CUDA_CUDNN_GRAPH_H
#define HONE_BACKEND_CUDA_CUDNN_GRAPH_H

#include "backend/cuda/cudnn.h"
#include "backend/cuda/stage.h"

#define HONE_CUDNN_DESCS      72
#define HONE_CUDNN_OPERATIONS 16
#define HONE_CUDNN_VARIANTS   6  /* engine configurations of a graph, the heuristic's best guess first */
#define HONE_CUDNN_ALIGNMENT  16 /* of what plans are given, bytes */
#define HONE_CUDNN_BETWEEN    100 /* tensors from this number on are no memory: the graph's own, by
                                     default of f32 */

typedef struct hone_cudnn_graph {
  const hone_cudnn *cudnn;
  hone_cudnn_desc descs[HONE_CUDNN_DESCS], operations[HONE_CUDNN_OPERATIONS], plan;
  int desc_count, operation_count;
  hone_status *failed;
  uint64_t version; /* of the library that made the plan */
  int64_t workspace; /* bytes */
} hone_cudnn_graph;

/* ---- Describing ------------------------------------------------------------------------------- */

hone_cudnn_desc hone_cudnn_begin(hone_cudnn_graph *g, int kind);
void hone_cudnn_put(hone_cudnn_graph *g, hone_cudnn_desc desc, int name, int type, int64_t count,
                    const void *values);
void hone_cudnn_put_int(hone_cudnn_graph *g, hone_cudnn_desc desc, int name, int64_t value);
/* Of an enumeration or a type. */
void hone_cudnn_put_number(hone_cudnn_graph *g, hone_cudnn_desc desc, int name, int type, int value);
void hone_cudnn_put_desc(hone_cudnn_graph *g, hone_cudnn_desc desc, int name, hone_cudnn_desc value);
hone_cudnn_desc hone_cudnn_end(hone_cudnn_graph *g, hone_cudnn_desc desc);
/* Ends an operation, the graph's next. */
void hone_cudnn_add(hone_cudnn_graph *g, hone_cudnn_desc operation);

/* Of four axes. */
hone_cudnn_desc hone_cudnn_tensor(hone_cudnn_graph *g, int64_t number, const int64_t *sizes,
                                  const int64_t *strides, int type);
/* One f32, which runs are given on the host. */
hone_cudnn_desc hone_cudnn_scalar(hone_cudnn_graph *g, int64_t number);

typedef struct hone_cudnn_pointwise {
  int mode, precision;
  bool clips;                /* RELU: between `lower` and `upper` */
  double lower, upper;
  int axis;                  /* of INDEX */
  hone_cudnn_desc x, b, t, y; /* b, t: NULL where the mode takes none; of SELECT t says which */
} hone_cudnn_pointwise;
void hone_cudnn_add_pointwise(hone_cudnn_graph *g, const hone_cudnn_pointwise *p);

int hone_cudnn_type(hone_dtype dtype);

/* ---- What a stage holds ----------------------------------------------------------------------- */

/* A kernel by plans. What its stages hold begins with the graph and goes on with what engine files keep
 * beside the plan: `kept` bytes, plain data. */
typedef struct hone_cudnn_kind {
  size_t size, kept;
  /* Fills what is kept out of the view's sizes; NOT_FOUND where the library does not do them. */
  hone_status *(*measure)(void *own, const hone_cuda_stage *stage, const hone_cuda_body *body,
                          const hone_group_view *view);
  void (*describe)(void *own); /* adds the operations */
  /* Everything else, at a build and at every load. */
  hone_status *(*hold)(void *own, const hone_cuda_stage *stage, const hone_cuda_body *body);
  void (*release)(void *own); /* what `hold` took; NULL: nothing */
} hone_cudnn_kind;

/* What rows do as `settle`, `drop` and `available`. */
HONE_MUST_USE hone_status *hone_cudnn_settle(const hone_cudnn_kind *kind, hone_cuda_stage *stage,
                                             const hone_cuda_body *body, const hone_group_view *view,
                                             hone_bytes saved, hone_text *state);
void hone_cudnn_drop(const hone_cudnn_kind *kind, void *own);
HONE_MUST_USE hone_status *hone_cudnn_available(void);
/* NOT_FOUND: another candidate does what the library does not. */
HONE_MUST_USE hone_status *hone_cudnn_not_taken(const char *why);

/* Runs the plan on the stream. Of the tensors of `numbers` the addresses. */
HONE_MUST_USE hone_status *hone_cudnn_execute(const hone_cudnn_graph *g, int64_t count,
                                              const int64_t *numbers, const void *const *addresses,
                                              void *workspace, void *stream);

#endif
