/* The CUDA backend: candidates, packs, planning. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/code.h"
#include "backend/cuda/device.h"
#include "backend/cuda/plan.h"

/* One candidate a group: sizes are arguments, so it runs at any. */
#define NAME "cuda"

static size_t candidates(const hone_graph *graph, hone_candidate *out, size_t room) {
  hone_arena trial = {0};
  hone_cuda_body *body;
  int sm;
  hone_status *status = hone_cuda_capability(&sm);
  if (!status) status = hone_cuda_body_make(graph, sm, &trial, &body);
  bool good = !status || hone_status_code(status) == HONE_OUT_OF_MEMORY;
  hone_status_free(status);
  hone_arena_free(&trial);
  if (good && room) out[0] = (hone_candidate){NAME, 0, 0};
  return good;
}

/* ---- Preparing ------------------------------------------------------------------------------ */

static hone_status *fill_pack(const hone_cuda_body *body, const hone_pack *saved, int saved_count,
                              hone_arena *arena, hone_prepared *out) {
  if (body->pack_size == 0) return NULL;
  out->pack_count = 1;
  if (saved_count > 0) {
    if (saved_count != 1 || saved[0].size != body->pack_size)
      return hone_error(HONE_CORRUPT, "packed weights of %zu bytes where %zu are needed",
                        saved[0].size, body->pack_size);
    out->packs[0] = saved[0];
    return NULL;
  }
  unsigned char *bytes = hone_arena_zero(arena, body->pack_size);
  HONE_TRY_MEMORY(bytes);
  for (int i = 0; i < body->constant_count; i++)
    memcpy(bytes + body->constants[i].at, body->constants[i].value->constant,
           body->constants[i].value->constant_size);
  out->packs[0] = (hone_pack){bytes, body->pack_size};
  return NULL;
}

/* Calls `visit` for the text of each kernel of the body, with where its function goes. */
typedef hone_status *visit_text(void *argument, const char *text, void **function);

static hone_status *visit_one(const hone_cuda_stage *stage, int form, void **function,
                              visit_text *visit, void *argument) {
  hone_text text = {0};
  hone_cuda_stage_text(stage, form, &text);
  hone_status *status = hone_text_status(&text);
  if (!status) status = visit(argument, text.data, function);
  hone_text_free(&text);
  return status;
}

static hone_status *visit_texts(hone_cuda_body *body, visit_text *visit, void *argument) {
  for (int i = 0; i < body->stage_count; i++) {
    hone_cuda_stage *stage = &body->stages[i];
    for (int f = 0; f < HONE_CUDA_FORMS && stage->kernel->forms[f].text; f++)
      HONE_TRY(visit_one(stage, f, &stage->functions[f], visit, argument));
  }
  return NULL;
}

static hone_status *compile_text(void *argument, const char *text, void **function) {
  (void)argument;
  return hone_cuda_compile(text, function);
}

static hone_status *prepare(const hone_graph *graph, const char *name, int variant,
                            const hone_pack *saved, int saved_count, hone_arena *arena,
                            hone_prepared *out) {
  hone_cuda_body *body;
  int sm;
  HONE_TRY(hone_cuda_capability(&sm));
  hone_status *status = hone_cuda_body_make(graph, sm, arena, &body);
  if (strcmp(name, NAME) != 0 || hone_status_code(status) == HONE_UNSUPPORTED) {
    hone_status_free(status);
    return hone_error(HONE_NOT_FOUND, "kernel '%s' does not take this group on the GPU", name);
  }
  HONE_TRY(status);
  *out = (hone_prepared){
      .backend = &hone_backend_cuda, .body = graph, .variant = variant, .state = body};
  HONE_TRY(fill_pack(body, saved, saved_count, arena, out));
  HONE_TRY(visit_texts(body, compile_text, NULL));
  return out->pack_count ? hone_cuda_put(out->packs[0].bytes, body->pack_size, &body->pack) : NULL;
}

static void release(hone_prepared *prepared) {
  hone_cuda_body *body = prepared->state;
  hone_cuda_device.give(body->pack);
  body->pack = NULL;
}

static hone_status *plan(const hone_prepared *prepared, const hone_group_view *view,
                         hone_arena *arena, hone_step *out) {
  return hone_cuda_plan_body(prepared->state, view, arena, out);
}

static bool takes(const hone_node *node) {
  int sm;
  hone_status *status = hone_cuda_capability(&sm);
  bool known = !status;
  hone_status_free(status);
  return known && (hone_cuda_kernel_for(node, sm) || hone_cuda_pointwise_accepts(node));
}

/* ---- Machine code --------------------------------------------------------------------------- */

typedef struct text_list {
  hone_arena memory;
  const char **items;
  size_t count, room;
} text_list;

static hone_status *collect_text(void *argument, const char *text, void **function) {
  text_list *list = argument;
  (void)function;
  if (list->count == list->room) {
    size_t room = list->room ? list->room * 2 : 64;
    const char **items = HONE_NEW_ARRAY(&list->memory, room, const char *);
    HONE_TRY_MEMORY(items);
    for (size_t i = 0; i < list->count; i++) items[i] = list->items[i];
    list->items = items;
    list->room = room;
  }
  list->items[list->count] = hone_arena_text(&list->memory, text, strlen(text));
  return list->items[list->count++] ? NULL : hone_error_memory();
}

/* A body that no stages can be made of has no kernels. */
static hone_status *collect_body(text_list *list, const hone_graph *graph) {
  hone_arena trial = {0};
  hone_cuda_body *body;
  int sm;
  HONE_TRY(hone_cuda_capability(&sm));
  hone_status *status = hone_cuda_body_make(graph, sm, &trial, &body);
  if (!status) {
    status = visit_texts(body, collect_text, list);
  } else if (hone_status_code(status) == HONE_UNSUPPORTED) {
    hone_status_free(status);
    status = NULL;
  }
  hone_arena_free(&trial);
  return status;
}

static hone_status *make_code(const hone_graph *const *bodies, size_t count) {
  text_list list = {.count = 0};
  hone_status *status = NULL;
  for (size_t i = 0; i < count && !status; i++) status = collect_body(&list, bodies[i]);
  if (!status) status = hone_cuda_code_make(list.items, list.count);
  hone_arena_free(&list.memory);
  return status;
}

static hone_status *save_code(const hone_prepared *const *groups, size_t count, hone_text *out) {
  hone_arena memory = {0};
  size_t used = 0, room = HONE_CUDA_FORMS * HONE_CUDA_STAGES * count + 1;
  hone_cu_function *functions = HONE_NEW_ARRAY(&memory, room, hone_cu_function);
  for (size_t g = 0; functions && g < count; g++) {
    const hone_cuda_body *body = groups[g]->state;
    for (int i = 0; i < HONE_CUDA_FORMS * body->stage_count; i++) {
      void *function = body->stages[i / HONE_CUDA_FORMS].functions[i % HONE_CUDA_FORMS];
      if (function) functions[used++] = function;
    }
  }
  hone_status *status = functions ? hone_cuda_code_save(functions, used, out) : hone_error_memory();
  hone_arena_free(&memory);
  return status;
}

static const hone_backend_code code = {.can_make = hone_cuda_code_can_make,
                                       .make = make_code,
                                       .save = save_code,
                                       .load = hone_cuda_code_load,
                                       .needs = hone_cuda_code_needs_of,
                                       .fits = hone_cuda_code_fits};

const hone_backend hone_backend_cuda = {
    .name = "cuda",
    .takes = takes,
    .candidates = candidates,
    .prepare = prepare,
    .plan = plan,
    .release = release,
    .device = &hone_cuda_device,
    .code = &code,
    .packing_version = 1,
};
