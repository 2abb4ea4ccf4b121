/* The plans that a program and its stages remember, and the keys that they are found under. Room:
 * engine. */
#include <string.h>

#include "engine/planner.h"

static _Atomic uint64_t plans_made;
uint64_t hone_plan_count(void) {
  return atomic_load(&plans_made);
}

/* Keys: for each value that a stage starts from, kind, dtype, shape, and elements where they are
 * read. */
typedef struct key_writer {
  char *out;
  size_t room, size;
} key_writer;

static void key_add(key_writer *w, const void *data, size_t size) {
  if (w->out && w->size + size <= w->room) memcpy(w->out + w->size, data, size);
  w->size += size;
}

static void key_datum(key_writer *w, const hone_datum *datum, bool elements) {
  int64_t head[3] = {datum->kind, datum->dtype, datum->shape.rank};
  key_add(w, head, sizeof head);
  if (datum->kind != HONE_KIND_TENSOR) return;
  key_add(w, datum->shape.dim, (size_t)datum->shape.rank * sizeof(hone_dim));
  size_t bytes;
  if (elements && hone_shape_bytes(&datum->shape, datum->dtype, &bytes))
    key_add(w, datum->data, bytes);
}

size_t hone_plan_key(const hone_program *program, const hone_plan *before, const hone_datum *data,
                     void *out, size_t room) {
  key_writer w = {out, room, 0};
  const hone_graph *graph = program->graph;
  if (!before) {
    for (int i = 0; i < graph->input_count; i++)
      key_datum(&w, &data[graph->inputs[i]->id], hone_program_host_input(program, i));
    return w.size;
  }
  for (uint32_t id = 0; id < program->value_count; id++)
    if (!before->values[id].typed && before->values[id].at.kind != HONE_AT_NOWHERE)
      key_datum(&w, &data[id], false);
  const hone_node *node = program->units[before->next_unit].node;
  for (int i = 0; i < node->input_count; i++)
    if (before->needed[i / 64] >> (i % 64) & 1)
      key_datum(&w, &data[node->inputs[i].value->id], true);
  return w.size;
}

void hone_plan_release(hone_plan *plan) {
  if (!plan || atomic_fetch_sub(&plan->references, 1) != 1) return;
  for (hone_plan *stage = plan->stages, *next; stage; stage = next) {
    next = stage->next;
    hone_plan_release(stage);
  }
  hone_arena memory = plan->memory;
  hone_arena_free(&memory);
}

void hone_plans_drop(hone_program *program) {
  for (hone_plan *plan = program->plans, *next; plan; plan = next) {
    next = plan->next;
    hone_plan_release(plan);
  }
  program->plans = NULL;
  program->plan_count = 0;
}

/* Plans in `memory`. Sets *torn where a concat that kernels were to write into belongs to a later
 * stage: then they must not. */
static hone_status *try_plan(hone_program *program, hone_plan *before, const hone_datum *data,
                             int threads, bool may_pitch, hone_arena *memory, hone_plan **out,
                             bool *torn) {
  hone_plan *plan = HONE_NEW(memory, hone_plan);
  HONE_TRY_MEMORY(plan);
  size_t key_size = hone_plan_key(program, before, data, NULL, 0);
  void *key = hone_arena_alloc(memory, key_size);
  HONE_TRY_MEMORY(key);
  hone_plan_key(program, before, data, key, key_size);
  *plan = (hone_plan){.program = program, .key = key, .key_size = key_size, .threads = threads};
  atomic_init(&plan->references, 1);
  hone_planner p = {.plan = plan,
                    .program = program,
                    .before = before,
                    .data = data,
                    .memory = memory,
                    .threads = threads,
                    .may_pitch = may_pitch};
  HONE_TRY(hone_plan_stage(&p));
  *torn = p.pitched > 0;
  *out = plan;
  return NULL;
}

static hone_status *make_plan(hone_program *program, hone_plan *before, const hone_datum *data,
                              int threads, hone_plan **out) {
  hone_arena memory = {0};
  bool torn = false;
  hone_status *status = try_plan(program, before, data, threads, true, &memory, out, &torn);
  if (!status && torn) {
    hone_arena_reset(&memory);
    status = try_plan(program, before, data, threads, false, &memory, out, &torn);
  }
  if (!status) status = hone_plan_check_stored(*out);
  if (status) {
    hone_arena_free(&memory);
    return status;
  }
  (*out)->memory = memory;
  (*out)->number = 1 + atomic_fetch_add(&plans_made, 1);
  return NULL;
}

/* Most plans that one program, or one stage, remembers. */
#define CACHE_ROOM 64

static hone_plan *find_plan(hone_plan *list, const void *key, size_t key_size, int threads) {
  for (; list; list = list->next)
    if (list->key_size == key_size && list->threads == threads &&
        memcmp(list->key, key, key_size) == 0)
      return list;
  return NULL;
}

/* Lets the oldest go when there are too many; who runs it still holds a reference. */
static void forget_oldest(hone_plan **list) {
  size_t count = 0;
  for (hone_plan **at = list; *at; at = &(*at)->next) {
    if (++count < CACHE_ROOM) continue;
    hone_plan *rest = (*at)->next;
    (*at)->next = NULL;
    for (hone_plan *next; rest; rest = next) {
      next = rest->next;
      hone_plan_release(rest);
    }
    return;
  }
}

hone_status *hone_plan_get(hone_program *program, hone_plan *before, const hone_datum *data,
                           int threads, hone_plan **out) {
  hone_plan *fresh;
  hone_plan **list = before ? &before->stages : &program->plans;
  size_t key_size = hone_plan_key(program, before, data, NULL, 0);
  char *key = hone_alloc(key_size + 1);
  HONE_TRY_MEMORY(key);
  hone_plan_key(program, before, data, key, key_size);
  pthread_mutex_lock(&program->lock);
  *out = find_plan(*list, key, key_size, threads);
  if (*out) atomic_fetch_add(&(*out)->references, 1);
  pthread_mutex_unlock(&program->lock);
  hone_free(key);
  if (*out) return NULL;
  HONE_TRY(make_plan(program, before, data, threads, &fresh));
  pthread_mutex_lock(&program->lock);
  /* Two contexts may have made the same plan: both are right, the list keeps both. */
  fresh->next = *list;
  *list = fresh;
  atomic_fetch_add(&fresh->references, 1);
  forget_oldest(list);
  pthread_mutex_unlock(&program->lock);
  *out = fresh;
  return NULL;
}
