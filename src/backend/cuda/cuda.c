/* The CUDA backend: candidates, packs, planning. Room: backend/cuda. */
#include <string.h>

#include "backend/cuda/device.h"
#include "backend/cuda/plan.h"
#include "base/text.h"

/* One candidate a group: sizes are arguments, so it runs at any. */
#define NAME "cuda"

static size_t candidates(const hone_graph *graph, hone_candidate *out, size_t room) {
  hone_arena trial = {0};
  hone_cuda_body *body;
  hone_status *status = hone_cuda_device.usable();
  if (!status) status = hone_cuda_body_make(graph, &trial, &body);
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

static hone_status *compile_text(const hone_cuda_stage *stage, const char *file, void **out) {
  hone_text text = {0};
  hone_cuda_stage_text(stage, file, &text);
  hone_status *status = hone_text_status(&text);
  if (!status) status = hone_cuda_compile(text.data, out);
  hone_text_free(&text);
  return status;
}

static hone_status *compile_stage(hone_cuda_stage *stage) {
  const hone_cuda_kernel *kernel = stage->kernel;
  HONE_TRY(compile_text(stage, kernel->text, &stage->function));
  return kernel->second ? compile_text(stage, kernel->second, &stage->second) : NULL;
}

static hone_status *prepare(const hone_graph *graph, const char *name, int variant,
                            const hone_pack *saved, int saved_count, hone_arena *arena,
                            hone_prepared *out) {
  hone_cuda_body *body;
  HONE_TRY(hone_cuda_device.usable());
  hone_status *status = hone_cuda_body_make(graph, arena, &body);
  if (strcmp(name, NAME) != 0 || hone_status_code(status) == HONE_UNSUPPORTED) {
    hone_status_free(status);
    return hone_error(HONE_NOT_FOUND, "kernel '%s' does not take this group on the GPU", name);
  }
  HONE_TRY(status);
  *out = (hone_prepared){
      .backend = &hone_backend_cuda, .body = graph, .variant = variant, .state = body};
  HONE_TRY(fill_pack(body, saved, saved_count, arena, out));
  for (int i = 0; i < body->stage_count; i++) HONE_TRY(compile_stage(&body->stages[i]));
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

const hone_backend hone_backend_cuda = {
    .name = "cuda",
    .candidates = candidates,
    .prepare = prepare,
    .plan = plan,
    .release = release,
    .device = &hone_cuda_device,
    .packing_version = 1,
};
