/* Preparing a group for the sizes that it was chosen at. Room: backend/cuda. */
#include "backend/cuda/group.h"

#include <stdio.h>
#include <string.h>

hone_status *hone_cuda_group_make(const hone_graph *graph, hone_cuda_way way, int sm,
                                  hone_arena *arena, hone_cuda_group **out) {
  hone_cuda_group *group = HONE_NEW(arena, hone_cuda_group);
  HONE_TRY_MEMORY(group);
  HONE_TRY(hone_cuda_body_make(graph, sm, (hone_cuda_way){0}, arena, &group->any));
  if (way.kernel || way.at_once) HONE_TRY(hone_cuda_body_make(graph, sm, way, arena, &group->chosen));
  *out = group;
  return NULL;
}

/* ---- What it is tuned for --------------------------------------------------------------------- */

/* Each input's rank and dimensions. */
static void put_sizes(const hone_group_view *view, hone_text *out) {
  for (int i = 0; i < view->body->input_count; i++) {
    const hone_shape *shape = &view->types[view->body->inputs[i]->id].shape;
    int64_t rank = shape->rank;
    hone_text_add(out, (const char *)&rank, sizeof rank);
    hone_text_add(out, (const char *)shape->dim, (size_t)shape->rank * sizeof *shape->dim);
  }
}

static bool has_sizes(const hone_group_view *view, hone_bytes sizes) {
  const char *at = sizes.data, *end = at + sizes.size;
  for (int i = 0; i < view->body->input_count; i++) {
    const hone_shape *shape = &view->types[view->body->inputs[i]->id].shape;
    size_t bytes = (size_t)shape->rank * sizeof *shape->dim;
    int64_t rank = shape->rank;
    if ((size_t)(end - at) < sizeof rank + bytes || memcmp(at, &rank, sizeof rank) != 0 ||
        memcmp(at + sizeof rank, shape->dim, bytes) != 0)
      return false;
    at += sizeof rank + bytes;
  }
  return at == end;
}

/* A piece of a pack: its size, its bytes. */
static void put_piece(hone_text *out, const hone_text *piece) {
  uint64_t size = piece->size;
  hone_text_add(out, (const char *)&size, sizeof size);
  hone_text_add(out, piece->data, piece->size);
}

static hone_status *take_piece(hone_bytes *pack, hone_bytes *out) {
  uint64_t size;
  if (pack->size < sizeof size) return hone_error(HONE_CORRUPT, "a group's tuning is damaged");
  memcpy(&size, pack->data, sizeof size);
  if (size > pack->size - sizeof size)
    return hone_error(HONE_CORRUPT, "a group's tuning is damaged");
  *out = (hone_bytes){(const char *)pack->data + sizeof size, size};
  *pack = (hone_bytes){(const char *)out->data + size, pack->size - sizeof size - size};
  return NULL;
}

static hone_status *settle_one(hone_cuda_stage *stage, const hone_cuda_body *body,
                               const hone_group_view *view, hone_text *pack) {
  hone_text state = {0};
  if (!stage->kernel->settle) return NULL;
  hone_status *status = stage->kernel->settle(stage, body, view, (hone_bytes){NULL, 0}, &state);
  if (!status) status = hone_text_status(&state);
  if (!status) put_piece(pack, &state);
  hone_text_free(&state);
  return status;
}

/* The sizes, then what each stage of a library's found for them. */
static hone_status *fill_pack(hone_cuda_body *body, const hone_group_view *view, hone_text *pack) {
  hone_text sizes = {0};
  put_sizes(view, &sizes);
  put_piece(pack, &sizes);
  hone_status *status = hone_text_status(&sizes);
  for (int i = 0; i < body->stage_count && !status; i++)
    status = settle_one(&body->stages[i], body, view, pack);
  hone_text_free(&sizes);
  return status ? status : hone_text_status(pack);
}

static hone_status *make_pack(hone_cuda_body *body, const hone_group_view *view, hone_arena *arena,
                              hone_pack *out) {
  hone_text text = {0};
  hone_status *status = fill_pack(body, view, &text);
  void *bytes = status ? NULL : hone_arena_zero(arena, text.size);
  if (bytes) {
    memcpy(bytes, text.data, text.size);
    *out = (hone_pack){bytes, text.size};
  } else if (!status) {
    status = hone_error_memory();
  }
  hone_text_free(&text);
  return status;
}

static hone_status *resume(hone_cuda_body *body, hone_bytes pack) {
  for (int i = 0; i < body->stage_count; i++) {
    hone_cuda_stage *stage = &body->stages[i];
    hone_bytes state;
    hone_text same = {0};
    if (!stage->kernel->settle) continue;
    HONE_TRY(take_piece(&pack, &state));
    hone_status *status = stage->kernel->settle(stage, body, NULL, state, &same);
    hone_text_free(&same);
    HONE_TRY(status);
  }
  return NULL;
}

hone_status *hone_cuda_group_tune(hone_cuda_group *group, const hone_tuning *tuning,
                                  hone_arena *arena, hone_pack *out, char *missing, size_t room) {
  if (tuning->view) HONE_TRY(make_pack(group->chosen, tuning->view, arena, out));
  else *out = tuning->saved;
  hone_bytes pack = {out->bytes, out->size};
  HONE_TRY(take_piece(&pack, &group->sizes));
  if (tuning->view) return NULL;
  hone_status *status = resume(group->chosen, pack);
  hone_code code = hone_status_code(status);
  if (code == HONE_OK || code == HONE_OUT_OF_MEMORY || code == HONE_CORRUPT) return status;
  snprintf(missing, room, "%s", hone_status_message(status));
  hone_status_free(status);
  hone_cuda_body_drop(group->chosen);
  group->chosen = NULL;
  return NULL;
}

void hone_cuda_body_drop(hone_cuda_body *body) {
  for (int i = 0; body && i < body->stage_count; i++) {
    hone_cuda_stage *stage = &body->stages[i];
    if (stage->own) stage->kernel->drop(stage->own);
    stage->own = NULL;
  }
}

/* ---- Planning --------------------------------------------------------------------------------- */

static bool needs_alignment(const hone_cuda_body *body) {
  for (int i = 0; i < body->stage_count; i++)
    if (body->stages[i].own || body->stages[i].kernel->norms) return true;
  return false;
}

/* What a library runs, or takes a norm in, is planned by the first rows too: memory may turn out not
 * to be aligned. */
static hone_status *plan_chosen(const hone_cuda_group *group, const hone_group_view *view,
                                hone_arena *arena, hone_step *out) {
  hone_step other;
  HONE_TRY(hone_cuda_plan_body(group->chosen, view, arena, out));
  if (!needs_alignment(group->chosen)) return NULL;
  HONE_TRY(hone_cuda_plan_body(group->any, view, arena, &other));
  hone_cuda_step *step = HONE_NEW(arena, hone_cuda_step);
  HONE_TRY_MEMORY(step);
  *step = *(const hone_cuda_step *)out->args;
  step->otherwise = ((const hone_cuda_step *)other.args)->first;
  out->args = step;
  if (other.scratch > out->scratch) out->scratch = other.scratch;
  out->faults = out->faults || other.faults;
  out->stores_once = out->stores_once && other.stores_once;
  out->reads_near = out->reads_near && other.reads_near;
  return NULL;
}

hone_status *hone_cuda_group_plan(const hone_cuda_group *group, const hone_group_view *view,
                                  hone_arena *arena, hone_step *out) {
  bool chosen = group->chosen && has_sizes(view, group->sizes);
  return chosen ? plan_chosen(group, view, arena, out)
                : hone_cuda_plan_body(group->any, view, arena, out);
}
