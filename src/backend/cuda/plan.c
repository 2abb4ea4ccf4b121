/* From stages to launches. Room: backend/cuda. */
#include "backend/cuda/plan.h"

#include <string.h>

#include "backend/cuda/code.h"
#include "backend/cuda/reads.h"

#define THREADS     256
#define MOST_BLOCKS 8192 /* 62 a multiprocessor of the largest GPUs: beyond that threads loop */

int64_t hone_cuda_count(const hone_shape *shape) {
  size_t count = 0;
  (void)hone_shape_count(shape, &count);
  return (int64_t)count;
}

void hone_cuda_launch_elements(hone_cuda_launch *launch, int64_t count) {
  hone_cuda_launch_blocks(launch, (count + THREADS - 1) / THREADS);
  if (launch->grid[0] > MOST_BLOCKS) launch->grid[0] = MOST_BLOCKS;
}

void hone_cuda_launch_blocks(hone_cuda_launch *launch, int64_t count) {
  launch->grid[0] = count < 1 ? 1 : count > 1 << 20 ? 1 << 20 : (unsigned)count;
  launch->grid[1] = launch->grid[2] = 1;
}

hone_cuda_slot hone_cuda_slot_of(const hone_cuda_plan *plan, const hone_value *value) {
  const hone_value *root = hone_cuda_root(value);
  if (root->constant) {
    for (int i = 0; i < plan->body->constant_count; i++)
      if (plan->body->constants[i].value == root)
        return (hone_cuda_slot){HONE_CUDA_PACK, 0, plan->body->constants[i].at};
  }
  if (!root->producer) return (hone_cuda_slot){HONE_CUDA_INPUT, root->index, 0};
  if (plan->output[root->id]) return (hone_cuda_slot){HONE_CUDA_OUTPUT, plan->output[root->id] - 1, 0};
  return (hone_cuda_slot){HONE_CUDA_SCRATCH, 0, plan->scratch[root->id] - 1};
}

bool hone_cuda_ints(const hone_cuda_plan *plan, const hone_value *value, int64_t *out, size_t room,
                    size_t *count) {
  hone_datum constant;
  const hone_datum *datum = NULL;
  if (value->constant) {
    constant = hone_value_datum(value);
    datum = &constant;
  } else if (!value->producer) {
    datum = plan->view->known[value->index];
  }
  if (!datum || !hone_shape_count(&datum->shape, count) || *count > room) return false;
  for (size_t i = 0; i < *count; i++) out[i] = hone_load_int(datum->dtype, datum->data, i);
  return true;
}

/* ---- A launch -------------------------------------------------------------------------------- */

/* The strides at which `operand` is read for the elements of `whole`: 0 where it broadcasts. */
static void broadcast_strides(const hone_shape *operand, const hone_shape *whole, long long *out) {
  int lead = whole->rank - operand->rank;
  int64_t strides[HONE_MAX_RANK];
  hone_shape_strides(operand, strides);
  for (int d = 0; d < whole->rank; d++)
    out[d] = d < lead || operand->dim[d - lead] == 1 ? 0 : strides[d - lead];
}

static hone_cuda_slot slot_of_table(const hone_cuda_body *body, const hone_node *node) {
  int i = 0;
  while (body->constants[i].table != node) i++;
  return (hone_cuda_slot){HONE_CUDA_PACK, 0, body->constants[i].at};
}

static void set_tail(const hone_cuda_plan *plan, const hone_cuda_stage *stage,
                     hone_cuda_launch *launch) {
  const hone_shape *whole = hone_cuda_shape(plan, stage->shape);
  for (int d = 0; d < whole->rank; d++) launch->args.n[stage->sizes + d] = whole->dim[d];
  for (int i = 0; i < stage->stream_count; i++) {
    const hone_cuda_stream *s = &stage->streams[i];
    launch->slots[s->pointer] = hone_cuda_slot_of(plan, s->value);
    if (hone_cuda_has_strides(s))
      broadcast_strides(hone_cuda_shape(plan, s->value), whole, launch->args.n + s->strides);
  }
  for (int i = 0; i < stage->tail_count; i++)
    if (stage->tables[i]) launch->slots[stage->tables[i]] = slot_of_table(plan->body, stage->tail[i]);
  for (int i = 0; i < stage->result_count; i++)
    launch->slots[stage->results[i].pointer] = hone_cuda_slot_of(plan, stage->results[i].value);
}

/* Inputs that lie before moves, and a result that is written past one: reads.h. */
static void set_strided(const hone_cuda_plan *plan, const hone_cuda_stage *stage,
                        hone_cuda_launch *launch) {
  const hone_cuda_reads *reads = &plan->reads[stage - plan->body->stages];
  for (int i = 0; i < HONE_CUDA_STRIDED; i++)
    launch->slots[i] = hone_cuda_slot_of(plan, reads->in[i].base);
  if (stage->result_count && reads->out.base != stage->core->outputs[0])
    launch->slots[stage->results[0].pointer] = hone_cuda_slot_of(plan, reads->out.base);
}

hone_status *hone_cuda_launch_new(hone_cuda_plan *plan, const hone_cuda_stage *stage,
                                  hone_cuda_launch **out) {
  hone_cuda_launch *launch = HONE_NEW(plan->arena, hone_cuda_launch);
  HONE_TRY_MEMORY(launch);
  launch->function = stage->functions[0];
  launch->threads = THREADS;
  launch->args.n[HONE_CUDA_AT_ONCE] = plan->body->way.at_once;
  *plan->end = launch;
  plan->end = &launch->next;
  for (int i = 0; stage->core && i < stage->kernel->pointers && i < stage->core->input_count; i++)
    if (stage->core->inputs[i].value)
      launch->slots[i] = hone_cuda_slot_of(plan, stage->core->inputs[i].value);
  const hone_cuda_order *order = stage->kernel->order;
  if (order) launch->slots[order->input] = (hone_cuda_slot){HONE_CUDA_HELD, 0, (uintptr_t)stage->own};
  if (stage->kernel->finishes) set_tail(plan, stage, launch);
  if (stage->kernel->strided) set_strided(plan, stage, launch);
  *out = launch;
  return NULL;
}

/* ---- The step -------------------------------------------------------------------------------- */

hone_status *hone_cuda_scratch(hone_cuda_plan *plan, size_t bytes, hone_cuda_slot *out) {
  *out = (hone_cuda_slot){HONE_CUDA_SCRATCH, 0, plan->scratch_size};
  if (!hone_add(bytes, 255, &bytes) ||
      !hone_add(plan->scratch_size, bytes & ~(size_t)255, &plan->scratch_size))
    return hone_error(HONE_LIMIT, "the memory of a group overflows");
  return NULL;
}

hone_status *hone_cuda_launch_library(hone_cuda_plan *plan, const hone_cuda_stage *stage,
                                      hone_cuda_call *call, size_t workspace) {
  hone_cuda_launch *launch;
  HONE_TRY(hone_cuda_launch_new(plan, stage, &launch));
  hone_cuda_slot *slot = &launch->slots[stage->kernel->pointers - 1];
  hone_cuda_launch_blocks(launch, 1);
  launch->call = call;
  launch->own = stage->own;
  *slot = (hone_cuda_slot){.from = HONE_CUDA_NOTHING};
  return workspace ? hone_cuda_scratch(plan, workspace, slot) : NULL;
}

/* Room in scratch for `value`, unless it is an output of the body's. */
static hone_status *place_value(hone_cuda_plan *plan, const hone_value *value) {
  size_t bytes;
  hone_cuda_slot slot;
  const hone_type *type = &plan->view->types[value->id];
  if (plan->output[value->id]) return NULL;
  if (!hone_shape_bytes(&type->shape, type->dtype, &bytes))
    return hone_error(HONE_LIMIT, "the size of a value overflows");
  HONE_TRY(hone_cuda_scratch(plan, bytes, &slot));
  plan->scratch[value->id] = 1 + slot.at;
  return NULL;
}

/* Whether a kernel writes the value through a move. */
static bool is_written(const hone_cuda_plan *plan, const hone_value *value) {
  for (int i = 0; i < plan->body->stage_count; i++)
    if (plan->reads[i].out.base == value) return true;
  return false;
}

static hone_status *place_values(hone_cuda_plan *plan) {
  const hone_graph *graph = plan->body->graph;
  for (int i = 0; i < graph->output_count; i++)
    plan->output[hone_cuda_root(graph->outputs[i].value)->id] = i + 1;
  for (int i = 0; i < plan->body->stage_count; i++) {
    const hone_cuda_stage *stage = &plan->body->stages[i];
    if (!plan->reads[i].runs && !(stage->core && is_written(plan, stage->core->outputs[0]))) continue;
    for (int r = 0; r < stage->result_count; r++) HONE_TRY(place_value(plan, stage->results[r].value));
    for (int o = 0; !stage->kernel->finishes && o < stage->core->output_count; o++)
      if (stage->core->outputs[o]) HONE_TRY(place_value(plan, stage->core->outputs[o]));
  }
  return NULL;
}

/* Kernels count elements in 64 bits and blocks in 32: what is larger than any GPU goes elsewhere. */
static bool too_large(const hone_group_view *view) {
  for (const hone_node *n = view->body->first; n; n = n->next)
    for (int i = 0; i < n->output_count; i++)
      if (n->outputs[i] && hone_cuda_count(&view->types[n->outputs[i]->id].shape) > (int64_t)1 << 38)
        return true;
  return false;
}

hone_status *hone_cuda_plan_body(const hone_cuda_body *body, const hone_group_view *view,
                                 hone_arena *arena, hone_step *out) {
  hone_cuda_plan plan = {.body = body, .view = view, .arena = arena};
  hone_cuda_step *step = HONE_NEW(arena, hone_cuda_step);
  plan.end = &plan.first;
  plan.output = HONE_NEW_ARRAY(arena, body->graph->next_id + 1, int);
  plan.scratch = HONE_NEW_ARRAY(arena, body->graph->next_id + 1, size_t);
  plan.reads = HONE_NEW_ARRAY(arena, (size_t)body->stage_count, hone_cuda_reads);
  if (!step || !plan.output || !plan.scratch || !plan.reads) return hone_error_memory();
  if (too_large(view)) return hone_error(HONE_UNSUPPORTED, "the group is too large for a GPU");
  hone_cuda_choose_reads(&plan);
  HONE_TRY(place_values(&plan));
  for (int i = 0; i < body->stage_count; i++)
    if (plan.reads[i].runs) HONE_TRY(body->stages[i].kernel->plan(&body->stages[i], view, &plan));
  for (hone_cuda_launch *launch = plan.first; launch; launch = launch->next)
    launch->follows = hone_cuda_code_follows(launch->function) &&
                      (!launch->boxed || hone_cuda_code_follows(launch->boxed->function));
  bool single = plan.first && !plan.first->next && !plan.first->call;
  bool stores_once = single && body->stages[body->stage_count - 1].kernel->finishes;
  *step = (hone_cuda_step){.body = body, .first = plan.first};
  *out = (hone_step){.args = step, .scratch = plan.scratch_size, .parts = 1, .on_device = true,
                     .faults = plan.may_fault, .stores_once = stores_once,
                     .reads_near = single && !plan.first->boxed};
  return NULL;
}
