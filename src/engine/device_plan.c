/* Which values lie on the device, and where they cross. Room: engine.
 *
 * A value lies where the step that makes it runs; it crosses when a step on the other side reads it,
 * once. Steps on the device that follow each other are one run: what it needs is copied there before its
 * first step, what the host needs of it after its last. Every stage begins and ends with all that
 * others read on the host. What planning knows stays on the device from the first run on.
 */
#include <string.h>

#include "engine/memory_plan.h"
#include "engine/planner.h"

enum { HOST = 1, DEVICE = 2 };

/* What is known of a root, by value id, while the steps are gone through. */
typedef struct lying {
  uint8_t now;    /* where its bytes are right: HOST | DEVICE */
  uint8_t ever;   /* where it needs memory */
  bool touched;   /* by a step on the host, or one of a later stage */
  int first, last; /* steps between which it needs memory on the device */
  size_t reads, stores; /* by steps on the device; one that stores otherwise than once reads as well */
  bool near;            /* a step that may read it in pinned memory reads it */
  int run;        /* that wrote it last */
} lying;

typedef struct crosser {
  hone_planner *p;
  lying *values;
  hone_device_run *run; /* the one under way; NULL between */
} crosser;

static hone_status *new_run(crosser *c, size_t step) {
  hone_plan *plan = c->p->plan;
  c->run = &plan->device_runs[plan->device_run_count++];
  size_t room = c->p->program->value_count + 1;
  c->run->first = step;
  c->run->up = HONE_NEW_ARRAY(c->p->memory, room, uint32_t);
  c->run->down = HONE_NEW_ARRAY(c->p->memory, room, uint32_t);
  return c->run->up && c->run->down ? NULL : hone_error_memory();
}

static void touch(lying *v, int first, int last) {
  if (!(v->ever & DEVICE)) v->first = first, v->last = last;
  if (v->first > first) v->first = first;
  if (v->last < last) v->last = last;
  v->ever |= DEVICE;
}

/* Whether the root is the same in all runs of the plan, between which no other takes its memory. */
static bool stays(const crosser *c, uint32_t root) {
  const hone_plan *plan = c->p->plan;
  const hone_location *at = &c->p->values[root].at;
  return (at->kind == HONE_AT_CONSTANT || at->kind == HONE_AT_FIXED) && !c->p->before &&
         plan->next_unit == c->p->program->unit_count;
}

/* The root is right on the device when the step begins; what crosses for it does so before the run. */
static void want_on_device(crosser *c, uint32_t root, int step) {
  hone_plan *plan = c->p->plan;
  lying *v = &c->values[root];
  touch(v, v->now & DEVICE ? step : (int)c->run->first, step);
  if (v->now & DEVICE) return;
  v->now |= DEVICE;
  if (stays(c, root)) {
    touch(v, 0, (int)plan->step_count);
    plan->kept[plan->kept_count++] = root;
  } else {
    c->run->up[c->run->up_count++] = root;
  }
}

/* The root is right on the host when the run that wrote it is over. */
static void want_on_host(crosser *c, uint32_t root) {
  lying *v = &c->values[root];
  if (v->now & HOST) return;
  hone_device_run *run = &c->p->plan->device_runs[v->run];
  run->down[run->down_count++] = root;
  touch(v, v->first, (int)(run->first + run->count) - 1);
  v->now |= HOST;
  v->ever |= HOST;
}

static bool is_tensor(const crosser *c, const hone_value *value) {
  return value && c->p->values[value->id].at.kind != HONE_AT_NOWHERE &&
         c->p->values[value->id].type.kind == HONE_KIND_TENSOR;
}

/* A step that writes a part of something larger needs the rest of it there. */
static bool is_part(const crosser *c, const hone_value *value, uint32_t root) {
  return root != value->id && c->values[root].now != 0;
}

static hone_status *device_step(crosser *c, size_t s) {
  const hone_node *node = c->p->plan->steps[s].unit->node;
  if (!c->run) HONE_TRY(new_run(c, s));
  c->run->count++;
  c->run->faults = c->run->faults || c->p->plan->steps[s].kernel.faults;
  bool once = c->p->plan->steps[s].kernel.stores_once;
  for (int i = 0; i < node->input_count; i++) {
    if (!is_tensor(c, node->inputs[i].value)) continue;
    uint32_t root = c->p->values[node->inputs[i].value->id].root;
    want_on_device(c, root, (int)s);
    c->values[root].reads++;
    c->values[root].near = c->p->plan->steps[s].kernel.reads_near;
  }
  for (int i = 0; i < node->output_count; i++) {
    if (!is_tensor(c, node->outputs[i])) continue;
    uint32_t root = c->p->values[node->outputs[i]->id].root;
    bool part = is_part(c, node->outputs[i], root);
    if (part) want_on_device(c, root, (int)s);
    c->values[root].reads += part || !once;
    c->values[root].stores++;
    touch(&c->values[root], (int)s, (int)s);
    c->values[root].now = DEVICE;
    c->values[root].run = (int)(c->run - c->p->plan->device_runs);
  }
  return NULL;
}

static void touch_on_host(crosser *c, const hone_value *value) {
  uint32_t root = c->p->values[value->id].root;
  c->values[root].touched = true;
  want_on_host(c, root);
}

static void host_step(crosser *c, size_t s) {
  const hone_node *node = c->p->plan->steps[s].unit->node;
  c->run = NULL;
  for (int i = 0; i < node->input_count; i++)
    if (is_tensor(c, node->inputs[i].value)) touch_on_host(c, node->inputs[i].value);
  for (int i = 0; i < node->output_count; i++) {
    if (!is_tensor(c, node->outputs[i])) continue;
    uint32_t root = c->p->values[node->outputs[i]->id].root;
    if (is_part(c, node->outputs[i], root)) want_on_host(c, root);
    c->values[root].touched = true;
    c->values[root].now = HOST;
    c->values[root].ever |= HOST;
  }
}

/* The graph's outputs, and what units of later stages read. */
static void end_on_host(crosser *c) {
  const hone_program *program = c->p->program;
  for (int i = 0; i < program->graph->output_count; i++)
    if (is_tensor(c, program->graph->outputs[i].value))
      want_on_host(c, c->p->values[program->graph->outputs[i].value->id].root);
  for (size_t u = c->p->plan->next_unit; u < program->unit_count; u++) {
    const hone_node *node = program->units[u].node;
    for (int i = 0; i < node->input_count; i++)
      if (is_tensor(c, node->inputs[i].value)) touch_on_host(c, node->inputs[i].value);
  }
}

static hone_status *go_through(crosser *c) {
  for (uint32_t id = 0; id < c->p->program->value_count; id++) {
    const hone_planned *planned = &c->p->values[id];
    bool before = planned->at.kind == HONE_AT_INPUT || planned->at.kind == HONE_AT_CONSTANT ||
                  planned->at.kind == HONE_AT_FIXED ||
                  (c->p->before && c->p->before->values[id].at.kind != HONE_AT_NOWHERE);
    if (before && planned->root == id) c->values[id].now = c->values[id].ever = HOST;
  }
  for (size_t s = 0; s < c->p->plan->step_count; s++)
    if (c->p->plan->steps[s].kernel.on_device) HONE_TRY(device_step(c, s));
    else host_step(c, s);
  end_on_host(c);
  return NULL;
}

/* ---- Memory --------------------------------------------------------------------------------- */

/* Offsets of the roots in the device's memory; scratch lies behind them. */
static hone_status *lay_out_device(crosser *c) {
  hone_planner *p = c->p;
  hone_plan *plan = p->plan;
  size_t count = 0, scratch = 0;
  hone_block *blocks = HONE_NEW_ARRAY(p->memory, p->program->value_count + 1, hone_block);
  uint32_t *ids = HONE_NEW_ARRAY(p->memory, p->program->value_count + 1, uint32_t);
  if (!blocks || !ids) return hone_error_memory();
  for (uint32_t id = 0; id < p->program->value_count; id++) {
    size_t bytes;
    if (!(c->values[id].ever & DEVICE)) continue;
    if (!hone_shape_bytes(&p->values[id].type.shape, p->values[id].type.dtype, &bytes) ||
        !hone_add(bytes, HONE_DEVICE_ALIGNMENT, &bytes))
      return hone_error(HONE_LIMIT, "the size of '%s' overflows", p->program->values[id]->name);
    bytes &= ~(size_t)(HONE_DEVICE_ALIGNMENT - 1);
    ids[count] = id;
    blocks[count++] = (hone_block){bytes, c->values[id].first, c->values[id].last, 0, 0};
  }
  HONE_TRY(hone_memory_plan(blocks, count, &plan->device_scratch));
  for (size_t i = 0; i < count; i++) p->values[ids[i]].device_offset = blocks[i].offset;
  for (size_t s = 0; s < plan->step_count; s++)
    if (plan->steps[s].kernel.on_device && plan->steps[s].kernel.scratch > scratch)
      scratch = plan->steps[s].kernel.scratch;
  if (!hone_add(plan->device_scratch, HONE_DEVICE_ALIGNMENT - 1, &plan->device_scratch))
    return hone_error(HONE_LIMIT, "the memory that a run takes on the device overflows");
  plan->device_scratch &= ~(size_t)(HONE_DEVICE_ALIGNMENT - 1);
  if (!hone_add(plan->device_scratch, scratch, &plan->device_size))
    return hone_error(HONE_LIMIT, "the memory that a run takes on the device overflows");
  return NULL;
}

/* A copy of so much takes longer to begin than a kernel takes to store it over the bus, or read it. */
#define MOST_STRAIGHT ((size_t)16 << 10)

/* Where the crossings of a run lie in pinned memory, one after the other behind the fault; runs share
 * it. */
static hone_status *stage_crossings(const crosser *c, hone_device_run *run) {
  const hone_planner *p = c->p;
  size_t at = hone_align_up(sizeof(hone_device_fault), 64);
  for (size_t i = 0; i < run->up_count + run->down_count; i++) {
    uint32_t id = i < run->up_count ? run->up[i] : run->down[i - run->up_count];
    size_t bytes = 0;
    (void)hone_shape_bytes(&p->values[id].type.shape, p->values[id].type.dtype, &bytes);
    const lying *v = &c->values[id];
    bool stored = i >= run->up_count && v->reads == 0 && v->stores == 1;
    bool read = i < run->up_count && v->reads == 1 && v->stores == 0 && v->near;
    if ((stored || read) && bytes <= MOST_STRAIGHT) p->values[id].pinned_offset = at;
    if (!hone_add(at, hone_align_up(bytes, 64), &at))
      return hone_error(HONE_LIMIT, "what crosses to the device overflows");
  }
  if (p->plan->pinned_size < at) p->plan->pinned_size = at;
  return NULL;
}

/* Behind those the kept roots, one after the other. */
static hone_status *stage_kept(const hone_planner *p) {
  hone_plan *plan = p->plan;
  plan->pinned_kept = plan->pinned_size;
  for (size_t i = 0; i < plan->kept_count; i++) {
    const hone_type *type = &p->values[plan->kept[i]].type;
    size_t bytes = 0;
    (void)hone_shape_bytes(&type->shape, type->dtype, &bytes);
    if (!hone_add(plan->pinned_size, hone_align_up(bytes, 64), &plan->pinned_size))
      return hone_error(HONE_LIMIT, "what crosses to the device overflows");
  }
  return NULL;
}

hone_status *hone_plan_device(hone_planner *p) {
  hone_plan *plan = p->plan;
  size_t device_steps = 0;
  for (size_t s = 0; s < plan->step_count; s++) device_steps += plan->steps[s].kernel.on_device;
  if (device_steps == 0) return NULL;
  crosser c = {p, HONE_NEW_ARRAY(p->memory, p->program->value_count + 1, lying), NULL};
  plan->device_runs = HONE_NEW_ARRAY(p->memory, device_steps, hone_device_run);
  plan->kept = HONE_NEW_ARRAY(p->memory, p->program->value_count + 1, uint32_t);
  if (!c.values || !plan->device_runs || !plan->kept) return hone_error_memory();
  HONE_TRY(go_through(&c));
  HONE_TRY(lay_out_device(&c));
  for (size_t i = 0; i < plan->device_run_count; i++)
    HONE_TRY(stage_crossings(&c, &plan->device_runs[i]));
  HONE_TRY(stage_kept(p));
  for (uint32_t id = 0; id < p->program->value_count; id++) {
    hone_planned *planned = &p->values[id];
    planned->on_device = c.values[planned->root].ever & DEVICE;
    planned->on_host = c.values[planned->root].touched;
    if (planned->at.kind == HONE_AT_ARENA && !(c.values[planned->root].ever & HOST))
      planned->at.kind = HONE_AT_DEVICE;
  }
  return NULL;
}
