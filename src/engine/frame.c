/* Frames: their life, and where a stage's values are. Room: engine. */
#include "engine/frame_run.h"

#include <string.h>

#include "ops/objects.h"

#define MAX_DEPTH 64

bool hone_buffer_grow(hone_buffer *buffer, size_t size) {
  if (size <= buffer->size && buffer->data) return true;
  unsigned char *data = hone_alloc_aligned(64, size + 64);
  if (!data) return false;
  if (buffer->data) memcpy(data, buffer->data, buffer->size);
  hone_free(buffer->data);
  *buffer = (hone_buffer){data, size};
  return true;
}

static hone_status *init_frame(hone_frame *frame) {
  hone_program *program = frame->program;
  const hone_graph *graph = program->graph;
  hone_arena *memory = &frame->memory;
  frame->data = HONE_NEW_ARRAY(memory, program->value_count + 1, hone_datum);
  frame->outputs = HONE_NEW_ARRAY(memory, graph->output_count + 1, hone_buffer);
  frame->child_start = HONE_NEW_ARRAY(memory, program->unit_count + 1, size_t);
  if (!frame->data || !frame->outputs || !frame->child_start) return hone_error_memory();
  size_t children = 0;
  for (size_t u = 0; u < program->unit_count; u++) {
    frame->child_start[u] = children;
    if (program->units[u].regions) children += (size_t)program->units[u].node->region_count;
  }
  frame->child_start[program->unit_count] = children;
  frame->children = HONE_NEW_ARRAY(memory, children + 1, hone_frame *);
  frame->times = HONE_NEW_ARRAY(memory, program->unit_count + 1, hone_step_time);
  if (!frame->children || !frame->times) return hone_error_memory();
  for (size_t i = 0; i < graph->constant_count; i++)
    frame->data[graph->constants[i]->id] = hone_value_datum(graph->constants[i]);
  return NULL;
}

hone_status *hone_frame_new(hone_run_state *run, hone_program *program, int depth,
                            hone_frame **out) {
  if (depth > MAX_DEPTH) return hone_error(HONE_LIMIT, "control flow is nested too deep");
  hone_frame *frame = hone_alloc_zero(sizeof *frame);
  HONE_TRY_MEMORY(frame);
  frame->run = run;
  frame->program = program;
  frame->depth = depth;
  hone_status *status = init_frame(frame);
  if (status) {
    hone_frame_free(frame);
    return status;
  }
  *out = frame;
  return NULL;
}

void hone_frame_free(hone_frame *frame) {
  if (!frame) return;
  if (frame->children)
    for (size_t i = 0; i < frame->child_start[frame->program->unit_count]; i++)
      hone_frame_free(frame->children[i]);
  if (frame->outputs)
    for (int i = 0; i < frame->program->graph->output_count; i++) hone_free(frame->outputs[i].data);
  hone_frame_device_free(frame);
  hone_frame_forget_stages(frame);
  hone_free(frame->arena.data);
  hone_free(frame->pointers);
  hone_arena_free(&frame->objects);
  hone_arena_free(&frame->loops[0]);
  hone_arena_free(&frame->loops[1]);
  hone_arena_free(&frame->memory);
  hone_free(frame);
}

size_t hone_frame_memory(const hone_frame *frame) {
  size_t total = frame->arena.size + frame->device.size + frame->device.pinned_size +
                 frame->objects.total + frame->loops[0].total + frame->loops[1].total +
                 frame->memory.total;
  for (int i = 0; i < frame->program->graph->output_count; i++) total += frame->outputs[i].size;
  for (size_t i = 0; i < frame->child_start[frame->program->unit_count]; i++)
    if (frame->children[i]) total += hone_frame_memory(frame->children[i]);
  return total;
}

hone_status *hone_frame_child(hone_frame *frame, size_t index, int region, hone_frame **out) {
  hone_frame **child = &frame->children[frame->child_start[index] + (size_t)region];
  if (!*child)
    HONE_TRY(hone_frame_new(frame->run, frame->program->units[index].regions[region],
                            frame->depth + 1, child));
  *out = *child;
  return NULL;
}

const hone_datum *hone_frame_output(const hone_frame *frame, int index) {
  return &frame->data[frame->program->graph->outputs[index].value->id];
}

/* ---- Addresses ------------------------------------------------------------------------------- */

/* Asks the caller for memory for output `index`, once a run: then it is bound. */
static hone_status *ask_for_memory(hone_frame *frame, int index, hone_dtype dtype,
                                   const hone_shape *shape, size_t bytes) {
  hone_tensor *bound = &frame->bound[index];
  *bound = (hone_tensor){.struct_size = sizeof *bound, .dtype = dtype, .rank = shape->rank};
  for (int d = 0; d < shape->rank; d++) bound->dims[d] = shape->dim[d];
  bound->size = bytes;
  bound->data = frame->run->give(frame->run->give_argument, (size_t)index, bound);
  if (bound->data) return NULL;
  return hone_error(HONE_OUT_OF_MEMORY, "no memory was given for output '%s'",
                    frame->program->graph->outputs[index].value->name);
}

hone_status *hone_frame_output_memory(hone_frame *frame, int index, hone_dtype dtype,
                                      const hone_shape *shape, size_t bytes, void **out) {
  const hone_tensor *bound = frame->bound ? &frame->bound[index] : NULL;
  if (bound && !bound->data && frame->run->give)
    HONE_TRY(ask_for_memory(frame, index, dtype, shape, bytes));
  if (bound && bound->data && bound->memory != HONE_ON_DEVICE) {
    if (bound->size < bytes)
      return hone_error(HONE_INVALID_ARGUMENT, "output '%s' takes %zu bytes and was given %zu",
                        frame->program->graph->outputs[index].value->name, bytes, bound->size);
    *out = bound->data;
    return NULL;
  }
  if (!hone_buffer_grow(&frame->outputs[index], bytes))
    return hone_error(HONE_OUT_OF_MEMORY, "there is no memory for the %zu bytes of output '%s'",
                      bytes, frame->program->graph->outputs[index].value->name);
  *out = frame->outputs[index].data;
  return NULL;
}

/* The memory of output `index`, whose type the value that is made there need not have: the output
 * may be a view of it. */
static hone_status *place_output(hone_frame *frame, const hone_plan *plan, int index, void **out) {
  const hone_type *type = &plan->values[frame->program->graph->outputs[index].value->id].type;
  if (hone_callers_take(frame, plan, index))
    return hone_frame_device_place(frame, index, plan->output_bytes[index], out);
  return hone_frame_output_memory(frame, index, type->dtype, &type->shape,
                                  plan->output_bytes[index], out);
}

static hone_status *make_room(hone_frame *frame, const hone_plan *plan) {
  const unsigned char *arena = frame->arena.data;
  if (!hone_buffer_grow(&frame->arena, plan->arena_size))
    return hone_error(HONE_OUT_OF_MEMORY, "there is no memory for the %zu bytes that a run takes",
                      plan->arena_size);
  if (frame->arena.data != arena) frame->entered = 0;
  if (plan->pointer_count > frame->pointer_room) {
    void **pointers = hone_realloc(frame->pointers, plan->pointer_count * sizeof *pointers);
    HONE_TRY_MEMORY(pointers);
    frame->pointers = pointers;
    frame->pointer_room = plan->pointer_count;
  }
  return plan->device_run_count ? hone_frame_device_enter(frame, plan) : NULL;
}

/* Writes down where value `id` is and of which type. */
static hone_status *place_value(hone_frame *frame, const hone_plan *plan, uint32_t id) {
  const hone_planned *planned = &plan->values[id];
  hone_datum *datum = &frame->data[id];
  switch (planned->at.kind) {
    case HONE_AT_FIXED:
      *datum = *planned->known;
      return NULL;
    case HONE_AT_ARENA:
      datum->data = frame->arena.data + planned->at.offset;
      break;
    case HONE_AT_DEVICE:
      datum->data = NULL;
      break;
    case HONE_AT_OUTPUT:
      if (plan->output_bytes[planned->at.index])
        HONE_TRY(place_output(frame, plan, planned->at.index, &datum->data));
      else
        datum->data = frame->data[planned->root].data;
      if (planned->root != id) datum->data = (char *)datum->data + planned->inside;
      break;
    case HONE_AT_INPUT:
    case HONE_AT_CONSTANT:
      if (planned->root == id) return NULL;
      datum->data = (char *)frame->data[planned->root].data + planned->inside;
      break;
    case HONE_AT_GROWN:
    case HONE_AT_NOWHERE:
      return NULL;
  }
  datum->kind = HONE_KIND_TENSOR;
  datum->dtype = planned->type.dtype;
  datum->shape = planned->typed ? planned->type.shape : *planned->bound;
  return NULL;
}

hone_status *hone_frame_enter(hone_frame *frame, const hone_plan *plan) {
  HONE_TRY(make_room(frame, plan));
  HONE_TRY(hone_callers_enter(frame, plan));
  if (frame->entered == plan->number) {
    for (size_t i = 0; i < plan->moving_count; i++)
      HONE_TRY(place_value(frame, plan, plan->moving[i]));
    return NULL;
  }
  frame->entered = 0;
  for (uint32_t id = 0; id < frame->program->value_count; id++)
    HONE_TRY(place_value(frame, plan, id));
  frame->entered = plan->number;
  return NULL;
}

/* Whether the bytes lie in one of the node's inputs. */
static bool lies_in_input(const hone_frame *frame, const hone_node *node, const void *data) {
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    const hone_datum *datum = input ? &frame->data[input->id] : NULL;
    size_t bytes;
    if (!datum || datum->kind != HONE_KIND_TENSOR ||
        !hone_shape_bytes(&datum->shape, datum->dtype, &bytes))
      continue;
    const char *begin = datum->data, *at = data;
    if (at >= begin && at < begin + (bytes ? bytes : 1)) return true;
  }
  return false;
}

hone_status *hone_frame_give(hone_frame *frame, const hone_node *node, int index,
                             const hone_datum *datum) {
  if (!node->outputs[index]) return NULL;
  hone_datum *out = &frame->data[node->outputs[index]->id];
  /* What sequences and optionals hold may come from anywhere: they are always copied. */
  if (datum->kind != HONE_KIND_TENSOR || lies_in_input(frame, node, datum->data))
    return hone_datum_copy(&frame->objects, datum, out);
  *out = *datum;
  return NULL;
}
