/* Describing graphs to cuDNN, making plans of them, keeping and running these. Room: backend/cuda. */
#include "backend/cuda/cudnn_graph.h"

#include <string.h>

#include "backend/cuda/gpu.h"
#include "base/memory.h"

#define WORKSPACE_LIMIT ((int64_t)256 << 20)

hone_status *hone_cudnn_not_taken(const char *why) {
  return hone_error(HONE_NOT_FOUND, "cuDNN does not take it: %s", why);
}

hone_status *hone_cudnn_available(void) {
  const hone_cudnn *cudnn;
  return hone_cudnn_get(&cudnn);
}

int hone_cudnn_type(hone_dtype dtype) {
  return dtype == HONE_F16 ? HONE_CUDNN_F16 : dtype == HONE_BF16 ? HONE_CUDNN_BF16 : HONE_CUDNN_F32;
}

/* ---- Descriptors ------------------------------------------------------------------------------ */

static void keep(hone_cudnn_graph *g, int result, const char *what) {
  if (!g->failed) g->failed = hone_cudnn_status(g->cudnn, result, what);
}

hone_cudnn_desc hone_cudnn_begin(hone_cudnn_graph *g, int kind) {
  hone_cudnn_desc desc = NULL;
  if (!g->failed && g->desc_count == HONE_CUDNN_DESCS)
    g->failed = hone_error(HONE_LIMIT, "a graph takes too many descriptors");
  if (g->failed) return NULL;
  keep(g, g->cudnn->desc_new(kind, &desc), "making a descriptor");
  if (!g->failed) g->descs[g->desc_count++] = desc;
  return desc;
}

void hone_cudnn_put(hone_cudnn_graph *g, hone_cudnn_desc desc, int name, int type, int64_t count,
                    const void *values) {
  if (!g->failed) keep(g, g->cudnn->set(desc, name, type, count, values), "describing");
}

void hone_cudnn_put_int(hone_cudnn_graph *g, hone_cudnn_desc desc, int name, int64_t value) {
  hone_cudnn_put(g, desc, name, HONE_CUDNN_OF_INT64, 1, &value);
}

void hone_cudnn_put_number(hone_cudnn_graph *g, hone_cudnn_desc desc, int name, int type, int value) {
  hone_cudnn_put(g, desc, name, type, 1, &value);
}

void hone_cudnn_put_desc(hone_cudnn_graph *g, hone_cudnn_desc desc, int name, hone_cudnn_desc value) {
  hone_cudnn_put(g, desc, name, HONE_CUDNN_OF_DESC, 1, &value);
}

hone_cudnn_desc hone_cudnn_end(hone_cudnn_graph *g, hone_cudnn_desc desc) {
  if (!g->failed) keep(g, g->cudnn->finish(desc), "finishing a descriptor");
  return desc;
}

void hone_cudnn_add(hone_cudnn_graph *g, hone_cudnn_desc operation) {
  hone_cudnn_end(g, operation);
  if (!g->failed && g->operation_count == HONE_CUDNN_OPERATIONS)
    g->failed = hone_error(HONE_LIMIT, "a graph has too many operations");
  if (!g->failed) g->operations[g->operation_count++] = operation;
}

static hone_cudnn_desc begin_tensor(hone_cudnn_graph *g, int64_t number, const int64_t *sizes,
                                    const int64_t *strides, int type) {
  hone_cudnn_desc desc = hone_cudnn_begin(g, HONE_CUDNN_TENSOR);
  hone_cudnn_put_number(g, desc, HONE_CUDNN_TENSOR_TYPE, HONE_CUDNN_OF_DATA_TYPE, type);
  hone_cudnn_put(g, desc, HONE_CUDNN_TENSOR_SIZES, HONE_CUDNN_OF_INT64, 4, sizes);
  hone_cudnn_put(g, desc, HONE_CUDNN_TENSOR_STRIDES, HONE_CUDNN_OF_INT64, 4, strides);
  hone_cudnn_put_int(g, desc, HONE_CUDNN_TENSOR_NUMBER, number);
  hone_cudnn_put_int(g, desc, HONE_CUDNN_TENSOR_ALIGNMENT, HONE_CUDNN_ALIGNMENT);
  return desc;
}

hone_cudnn_desc hone_cudnn_tensor(hone_cudnn_graph *g, int64_t number, const int64_t *sizes,
                                  const int64_t *strides, int type) {
  hone_cudnn_desc desc = begin_tensor(g, number, sizes, strides, type);
  bool between = number >= HONE_CUDNN_BETWEEN;
  hone_cudnn_put(g, desc, HONE_CUDNN_TENSOR_VIRTUAL, HONE_CUDNN_OF_BOOL, 1, &between);
  return hone_cudnn_end(g, desc);
}

hone_cudnn_desc hone_cudnn_scalar(hone_cudnn_graph *g, int64_t number) {
  const int64_t ones[] = {1, 1, 1, 1};
  const bool by_value = true;
  hone_cudnn_desc desc = begin_tensor(g, number, ones, ones, HONE_CUDNN_F32);
  hone_cudnn_put(g, desc, HONE_CUDNN_TENSOR_BY_VALUE, HONE_CUDNN_OF_BOOL, 1, &by_value);
  return hone_cudnn_end(g, desc);
}

void hone_cudnn_add_pointwise(hone_cudnn_graph *g, const hone_cudnn_pointwise *p) {
  hone_cudnn_desc of = hone_cudnn_begin(g, HONE_CUDNN_POINTWISE), operation;
  hone_cudnn_put_number(g, of, HONE_CUDNN_POINTWISE_MODE, HONE_CUDNN_OF_POINTWISE_MODE, p->mode);
  hone_cudnn_put_number(g, of, HONE_CUDNN_POINTWISE_PRECISION, HONE_CUDNN_OF_DATA_TYPE, p->precision);
  if (p->clips) {
    hone_cudnn_put(g, of, HONE_CUDNN_POINTWISE_LOWER, HONE_CUDNN_OF_DOUBLE, 1, &p->lower);
    hone_cudnn_put(g, of, HONE_CUDNN_POINTWISE_UPPER, HONE_CUDNN_OF_DOUBLE, 1, &p->upper);
  }
  if (p->mode == HONE_CUDNN_INDEX) hone_cudnn_put_int(g, of, HONE_CUDNN_POINTWISE_AXIS, p->axis);
  hone_cudnn_end(g, of);
  operation = hone_cudnn_begin(g, HONE_CUDNN_DO_POINTWISE);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_POINTWISE_OF, of);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_POINTWISE_X, p->x);
  if (p->b) hone_cudnn_put_desc(g, operation, HONE_CUDNN_POINTWISE_B, p->b);
  if (p->t) hone_cudnn_put_desc(g, operation, HONE_CUDNN_POINTWISE_T, p->t);
  hone_cudnn_put_desc(g, operation, HONE_CUDNN_POINTWISE_Y, p->y);
  hone_cudnn_add(g, operation);
}

/* ---- Plans ------------------------------------------------------------------------------------ */

static hone_cudnn_desc end_graph(hone_cudnn_graph *g, hone_cudnn_handle handle) {
  hone_cudnn_desc graph = hone_cudnn_begin(g, HONE_CUDNN_GRAPH);
  hone_cudnn_put(g, graph, HONE_CUDNN_GRAPH_HANDLE, HONE_CUDNN_OF_HANDLE, 1, &handle);
  hone_cudnn_put(g, graph, HONE_CUDNN_GRAPH_OPERATIONS, HONE_CUDNN_OF_DESC, g->operation_count,
                 g->operations);
  return hone_cudnn_end(g, graph);
}

/* The configuration that the variant stands for; NULL: there are not so many. */
static hone_cudnn_desc find_config(hone_cudnn_graph *g, hone_cudnn_desc graph, int variant) {
  hone_cudnn_desc heuristic = hone_cudnn_begin(g, HONE_CUDNN_HEURISTIC);
  hone_cudnn_desc configs[HONE_CUDNN_VARIANTS] = {NULL};
  int64_t count = 0;
  hone_cudnn_put_desc(g, heuristic, HONE_CUDNN_HEURISTIC_GRAPH, graph);
  hone_cudnn_put_number(g, heuristic, HONE_CUDNN_HEURISTIC_MODE, HONE_CUDNN_OF_HEURISTIC_MODE,
                        HONE_CUDNN_MODE_A);
  hone_cudnn_end(g, heuristic);
  for (int i = 0; i < variant; i++) configs[i] = hone_cudnn_begin(g, HONE_CUDNN_ENGINE_CONFIG);
  if (!g->failed)
    keep(g, g->cudnn->get(heuristic, HONE_CUDNN_HEURISTIC_RESULTS, HONE_CUDNN_OF_DESC, variant, &count,
                          configs),
         "asking the heuristic");
  return count >= variant ? configs[variant - 1] : NULL;
}

static int64_t workspace_of(hone_cudnn_graph *g, hone_cudnn_desc plan) {
  int64_t value = 0, count = 0;
  if (!g->failed)
    keep(g, g->cudnn->get(plan, HONE_CUDNN_PLAN_WORKSPACE, HONE_CUDNN_OF_INT64, 1, &count, &value),
         "asking a plan");
  return value;
}

static hone_cudnn_desc begin_plan(hone_cudnn_graph *g, hone_cudnn_handle handle) {
  hone_cudnn_desc plan = hone_cudnn_begin(g, HONE_CUDNN_PLAN);
  hone_cudnn_put(g, plan, HONE_CUDNN_PLAN_HANDLE, HONE_CUDNN_OF_HANDLE, 1, &handle);
  return plan;
}

static void make_plan(hone_cudnn_graph *g, hone_cudnn_handle handle, int variant) {
  hone_cudnn_desc graph = end_graph(g, handle), config = find_config(g, graph, variant);
  if (!g->failed && !config) g->failed = hone_cudnn_not_taken("there are no more ways");
  hone_cudnn_desc plan = begin_plan(g, handle);
  hone_cudnn_put_desc(g, plan, HONE_CUDNN_PLAN_CONFIG, config);
  g->plan = hone_cudnn_end(g, plan);
  g->workspace = workspace_of(g, plan);
  if (!g->failed && (g->workspace < 0 || g->workspace > WORKSPACE_LIMIT))
    g->failed = hone_cudnn_not_taken("it wants too much memory");
}

static void resume_plan(hone_cudnn_graph *g, hone_cudnn_handle handle, hone_bytes text) {
  hone_cudnn_desc plan = begin_plan(g, handle);
  hone_cudnn_put(g, plan, HONE_CUDNN_PLAN_JSON, HONE_CUDNN_OF_CHAR, (int64_t)text.size, text.data);
  g->plan = hone_cudnn_end(g, plan);
  if (workspace_of(g, plan) > g->workspace && !g->failed)
    g->failed = hone_cudnn_not_taken("its memory has changed");
}

/* ---- What engines keep ------------------------------------------------------------------------ */

typedef struct head { /* before what a kind keeps, and the plan's text */
  uint64_t version;
  int64_t workspace;
} head;

static void *kept_of(void *own) {
  return (hone_cudnn_graph *)own + 1;
}

static hone_status *put_state(hone_cudnn_graph *g, size_t kept, hone_text *state) {
  const head h = {g->version, g->workspace};
  int64_t size = 0;
  HONE_TRY(hone_cudnn_status(
      g->cudnn, g->cudnn->get(g->plan, HONE_CUDNN_PLAN_JSON, HONE_CUDNN_OF_CHAR, 0, &size, NULL),
      "asking for a plan's size"));
  char *text = hone_alloc((size_t)size + 1);
  HONE_TRY_MEMORY(text);
  int result = g->cudnn->get(g->plan, HONE_CUDNN_PLAN_JSON, HONE_CUDNN_OF_CHAR, size, &size, text);
  hone_text_add(state, (const char *)&h, sizeof h);
  hone_text_add(state, kept_of(g), kept);
  hone_text_add(state, text, (size_t)size);
  hone_free(text);
  return hone_cudnn_status(g->cudnn, result, "asking for a plan");
}

static hone_status *take_state(hone_cudnn_graph *g, size_t kept, hone_bytes *saved) {
  head h;
  if (saved->size < sizeof h + kept) return hone_error(HONE_CORRUPT, "a plan of cuDNN's is damaged");
  const char *bytes = saved->data;
  memcpy(&h, bytes, sizeof h);
  memcpy(kept_of(g), bytes + sizeof h, kept);
  *saved = (hone_bytes){bytes + sizeof h + kept, saved->size - sizeof h - kept};
  g->workspace = h.workspace;
  return h.version == g->version ? NULL : hone_cudnn_not_taken("it was chosen for another version");
}

/* ---- Settling --------------------------------------------------------------------------------- */

static hone_status *plan_with(const hone_cudnn_kind *kind, hone_cudnn_graph *g, int variant, bool fresh,
                              hone_bytes saved) {
  hone_cudnn_handle handle;
  HONE_TRY(hone_cudnn_take(g->cudnn, &handle));
  if (fresh) {
    kind->describe(g);
    make_plan(g, handle, variant);
  } else {
    resume_plan(g, handle, saved);
  }
  hone_cudnn_give(handle);
  hone_status *failed = g->failed;
  g->failed = NULL;
  return failed;
}

static hone_status *make(const hone_cudnn_kind *kind, hone_cudnn_graph *g, const hone_cuda_stage *stage,
                         const hone_cuda_body *body, const hone_group_view *view, hone_bytes saved) {
  g->version = g->cudnn->version;
  if (stage->result_count != 1) return hone_cudnn_not_taken("it has several results");
  HONE_TRY(view ? kind->measure(g, stage, body, view) : take_state(g, kind->kept, &saved));
  HONE_TRY(plan_with(kind, g, stage->variant, view != NULL, saved));
  return kind->hold(g, stage, body);
}

/* Whatever the library does not do, another candidate does. */
static hone_status *or_not_taken(hone_status *status) {
  hone_code code = hone_status_code(status);
  if (code != HONE_UNSUPPORTED && code != HONE_DEVICE) return status;
  hone_status *softer = hone_error(HONE_NOT_FOUND, "%s", hone_status_message(status));
  hone_status_free(status);
  return softer;
}

hone_status *hone_cudnn_settle(const hone_cudnn_kind *kind, hone_cuda_stage *stage,
                               const hone_cuda_body *body, const hone_group_view *view,
                               hone_bytes saved, hone_text *state) {
  hone_gpu *gpu;
  const hone_cudnn *cudnn;
  HONE_TRY(hone_gpu_get(&gpu));
  HONE_TRY(hone_cudnn_get(&cudnn));
  hone_cudnn_graph *g = hone_alloc_zero(kind->size);
  HONE_TRY_MEMORY(g);
  g->cudnn = cudnn;
  hone_status *status = hone_gpu_enter(gpu);
  if (!status) {
    status = make(kind, g, stage, body, view, saved);
    if (!status && view) status = put_state(g, kind->kept, state);
    hone_gpu_leave(gpu);
  }
  if (!status) stage->own = g;
  else hone_cudnn_drop(kind, g);
  return or_not_taken(status);
}

void hone_cudnn_drop(const hone_cudnn_kind *kind, void *own) {
  hone_cudnn_graph *g = own;
  for (int i = g->desc_count; i-- > 0;) (void)g->cudnn->desc_free(g->descs[i]);
  if (kind->release) kind->release(own);
  hone_free(own);
}

/* ---- Running ---------------------------------------------------------------------------------- */

static hone_status *start(const hone_cudnn_graph *g, hone_cudnn_desc pack, void *stream) {
  hone_cudnn_handle handle;
  HONE_TRY(hone_cudnn_take(g->cudnn, &handle));
  int result = g->cudnn->set_stream(handle, stream);
  if (!result) result = g->cudnn->execute(handle, g->plan, pack);
  hone_cudnn_give(handle);
  return hone_cudnn_status(g->cudnn, result, "running a plan");
}

hone_status *hone_cudnn_execute(const hone_cudnn_graph *g, int64_t count, const int64_t *numbers,
                                const void *const *addresses, void *workspace, void *stream) {
  const hone_cudnn *d = g->cudnn;
  hone_cudnn_desc pack = NULL;
  HONE_TRY(hone_cudnn_status(d, d->desc_new(HONE_CUDNN_PACK, &pack), "making a descriptor"));
  int result = d->set(pack, HONE_CUDNN_PACK_NUMBERS, HONE_CUDNN_OF_INT64, count, numbers);
  if (!result)
    result = d->set(pack, HONE_CUDNN_PACK_ADDRESSES, HONE_CUDNN_OF_ADDRESS, count, addresses);
  if (!result)
    result = d->set(pack, HONE_CUDNN_PACK_WORKSPACE, HONE_CUDNN_OF_ADDRESS, 1, &workspace);
  if (!result) result = d->finish(pack);
  hone_status *status = hone_cudnn_status(d, result, "giving a plan its memory");
  if (!status) status = start(g, pack, stream);
  (void)d->desc_free(pack);
  return status;
}
