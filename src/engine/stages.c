/* Which stage a frame runs next: the last run's, one it has seen, one from the cache. Room: engine.
 *
 * A loop whose values grow runs another stage every turn. The frame remembers the stages that it
 * ran, so that a steady run finds them without allocating and without the program's lock.
 */
#include <string.h>

#include "engine/frame.h"

/* Writes the key of the stage after `before` into the frame's buffer. */
static hone_status *write_key(hone_frame *frame, const hone_plan *before, size_t *size) {
  hone_buffer *key = &frame->key;
  *size = hone_plan_key(frame->program, before, frame->data, key->data, key->size);
  if (*size <= key->size && key->data) return NULL;
  if (!hone_buffer_grow(key, *size)) return hone_error_memory();
  hone_plan_key(frame->program, before, frame->data, key->data, key->size);
  return NULL;
}

static bool fits(const hone_frame *frame, const hone_plan *plan, size_t key_size) {
  return plan->threads == frame->run->threads && key_size == plan->key_size &&
         memcmp(frame->key.data, plan->key, key_size) == 0;
}

static hone_plan *find_seen(hone_frame *frame, const hone_plan *before, size_t key_size) {
  hone_seen_key key = {before, frame->key.data, key_size, frame->run->threads};
  return hone_seen_find(&frame->seen, &key, frame->run->number);
}

static hone_plan *hold(hone_plan *plan) {
  if (plan) atomic_fetch_add(&plan->references, 1);
  return plan;
}

/* Lets go of the stages from `depth` on. */
static void cut_chain(hone_frame *frame, size_t depth) {
  while (frame->chain_count > depth) hone_plan_release(frame->chain[--frame->chain_count]);
}

static hone_status *make_chain_room(hone_frame *frame, size_t depth) {
  if (depth < frame->chain_room) return NULL;
  size_t room = depth ? depth * 2 : 4;
  hone_plan **chain = hone_realloc(frame->chain, room * sizeof *chain);
  HONE_TRY_MEMORY(chain);
  frame->chain = chain;
  frame->chain_room = room;
  return NULL;
}

/* From the program's cache, or made now. The caller owns one reference. */
static hone_status *get_stage(hone_frame *frame, hone_plan *before, hone_plan **out) {
  hone_plan *plan;
  HONE_TRY(hone_plan_get(frame->program, before, frame->data, frame->run->threads, &plan));
  hone_status *status = hone_plan_check_limit(plan, frame->run->memory_limit);
  if (!status) status = hone_seen_add(&frame->seen, before, plan, frame->run->number);
  if (status) {
    hone_plan_release(plan);
    return status;
  }
  *out = plan;
  return NULL;
}

/* A stage of the last run that fits follows the one before it, since all of them were one chain. */
hone_status *hone_frame_stage(hone_frame *frame, size_t depth) {
  hone_plan *before = depth ? frame->chain[depth - 1] : NULL;
  size_t key_size;
  HONE_TRY(write_key(frame, before, &key_size));
  bool fitting = depth < frame->chain_count && fits(frame, frame->chain[depth], key_size);
  bool stays = fitting && frame->plan == frame->chain[depth];
  if (frame->device.checked && !stays) HONE_TRY(hone_frame_device_settle(frame));
  if (!fitting) {
    cut_chain(frame, depth);
    HONE_TRY(make_chain_room(frame, depth));
    hone_plan *plan = hold(find_seen(frame, before, key_size));
    if (!plan) HONE_TRY(get_stage(frame, before, &plan));
    frame->chain[depth] = plan;
    frame->chain_count = depth + 1;
  }
  frame->plan = frame->chain[depth];
  return NULL;
}

void hone_frame_forget_stages(hone_frame *frame) {
  cut_chain(frame, 0);
  hone_seen_free(&frame->seen);
  hone_free(frame->chain);
  hone_free(frame->key.data);
}
