/* Planning a stage: types, places, steps, memory. Room: engine. */
#include <string.h>

#include "engine/planner.h"

typedef hone_planner planner;

/* ---- Where a stage starts from ------------------------------------------------------------- */

static hone_status *copy_datum(hone_arena *memory, const hone_datum *from, const hone_datum **out) {
  hone_datum *datum = HONE_NEW(memory, hone_datum);
  size_t bytes;
  HONE_TRY_MEMORY(datum);
  *datum = *from;
  if (!hone_shape_bytes(&from->shape, from->dtype, &bytes))
    return hone_error(HONE_INTERNAL, "a value that sizes depend on has no size of its own");
  datum->data = hone_arena_copy(memory, from->data, bytes);
  HONE_TRY_MEMORY(datum->data);
  *out = datum;
  return NULL;
}

static hone_type type_of(const hone_datum *datum, const hone_type *declared) {
  if (datum->kind != HONE_KIND_TENSOR) return *declared;
  return hone_tensor_type(datum->dtype, datum->shape);
}

static hone_status *start_first(planner *p) {
  const hone_graph *graph = p->program->graph;
  HONE_TRY(hone_plan_check_constants(p->program));
  for (int i = 0; i < graph->input_count; i++) {
    const hone_value *input = graph->inputs[i];
    hone_planned *planned = &p->values[input->id];
    const hone_datum *datum = &p->data[input->id];
    *planned = (hone_planned){.type = type_of(datum, &input->type),
                              .at = {.kind = HONE_AT_INPUT, .index = i},
                              .root = input->id,
                              .typed = true};
    if (hone_program_host_input(p->program, i) && datum->kind == HONE_KIND_TENSOR)
      HONE_TRY(copy_datum(p->memory, datum, &planned->known));
  }
  for (size_t i = 0; i < graph->constant_count; i++) {
    const hone_value *constant = graph->constants[i];
    hone_datum *datum = HONE_NEW(p->memory, hone_datum);
    HONE_TRY_MEMORY(datum);
    *datum = hone_value_datum(constant);
    p->values[constant->id] = (hone_planned){.type = constant->type,
                                             .at = {.kind = HONE_AT_CONSTANT},
                                             .known = datum,
                                             .root = constant->id,
                                             .typed = true};
  }
  return NULL;
}

/* A later stage knows all that the one before knew, the shapes that running told, and the
 * elements that its first unit asked for. */
static hone_status *start_later(planner *p) {
  memcpy(p->values, p->before->values, p->program->value_count * sizeof *p->values);
  for (size_t id = 0; id < p->program->value_count; id++) {
    hone_planned *planned = &p->values[id];
    if (planned->typed || planned->at.kind == HONE_AT_NOWHERE) continue;
    planned->type = type_of(&p->data[id], &p->program->values[id]->type);
    planned->typed = true;
  }
  const hone_node *node = p->program->units[p->before->next_unit].node;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    if (!input || !(p->before->needed[i / 64] >> (i % 64) & 1)) continue;
    HONE_TRY(copy_datum(p->memory, &p->data[input->id], &p->values[input->id].known));
  }
  return NULL;
}

/* ---- One unit ------------------------------------------------------------------------------ */

/* Which inputs of the unit its shape rules read the elements of. */
static bool reads_elements(const hone_unit *unit, int input) {
  if (!unit->body) return hone_op_shaped_by(unit->node->op, input);
  return unit->body->inputs[input]->place == HONE_PLACE_HOST;
}

/* True when the unit has to wait for the next stage; then plan->needed says what for. */
static bool has_to_wait(planner *p, const hone_unit *unit) {
  const hone_node *node = unit->node;
  bool wait = false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    if (!input) continue;
    const hone_planned *planned = &p->values[input->id];
    if (!planned->typed) wait = true;
    if (planned->known || planned->type.kind != HONE_KIND_TENSOR || !reads_elements(unit, i))
      continue;
    p->plan->needed[i / 64] |= (uint64_t)1 << (i % 64);
    wait = true;
  }
  return wait;
}

static hone_status *infer_group(planner *p, const hone_unit *unit, hone_type **types,
                                const hone_datum ***known) {
  const hone_graph *body = unit->body;
  *types = HONE_NEW_ARRAY(p->memory, body->next_id + 1, hone_type);
  *known = HONE_NEW_ARRAY(p->memory, body->next_id + 1, const hone_datum *);
  if (!*types || !*known) return hone_error_memory();
  for (int i = 0; i < body->input_count; i++) {
    const hone_planned *planned = &p->values[unit->node->inputs[i].value->id];
    (*types)[body->inputs[i]->id] = planned->type;
    (*known)[body->inputs[i]->id] = planned->known;
  }
  return hone_infer_body(body, *types, *known, p->memory);
}

/* A kernel's output without a size: its body computes one from integers that are not known yet.
 * Marks them as needed; false when there are none, and only running tells the size. */
static bool wants_integers(planner *p, const hone_unit *unit) {
  const hone_node *node = unit->node;
  bool any = false;
  for (int i = 0; i < node->input_count; i++) {
    const hone_planned *planned = &p->values[node->inputs[i].value->id];
    if (planned->known || hone_dtype_class_of(planned->type.dtype) != HONE_CLASS_SIGNED) continue;
    p->plan->needed[i / 64] |= (uint64_t)1 << (i % 64);
    any = true;
  }
  return any;
}

/* Whether the unit's only node makes what running alone tells the size of. */
static bool finds_sizes(const hone_unit *unit) {
  const hone_node *node = unit->body->first;
  return node && !node->next && (node->op->facts & HONE_DATA_SHAPED);
}

/* Puts bounds into `types` for what such a unit makes, where its rule tells them. */
static hone_status *bound_sizes(planner *p, const hone_unit *unit, hone_type *types) {
  const hone_node *node = unit->body->first;
  const hone_type **in = HONE_NEW_ARRAY(p->memory, node->input_count + 1, const hone_type *);
  const hone_datum **known = HONE_NEW_ARRAY(p->memory, node->input_count + 1, const hone_datum *);
  hone_type *out = HONE_NEW_ARRAY(p->memory, node->output_count + 1, hone_type);
  if (!in || !known || !out) return hone_error_memory();
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *value = node->inputs[i].value;
    if (!value) continue;
    in[i] = &types[value->id];
    if (!value->constant) {
      known[i] = p->values[unit->node->inputs[value->index].value->id].known;
      continue;
    }
    hone_datum *datum = HONE_NEW(p->memory, hone_datum);
    HONE_TRY_MEMORY(datum);
    *datum = hone_value_datum(value);
    known[i] = datum;
  }
  hone_infer infer = {node, NULL, node->input_count, node->output_count, in, known, out};
  HONE_TRY(node->op->infer(&infer));
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) types[node->outputs[i]->id] = out[i];
  return NULL;
}

/* Types, and elements where they follow, of the unit's outputs. */
static hone_status *infer_unit(planner *p, const hone_unit *unit, hone_type *out,
                               const hone_datum **known_out, hone_type **body_types) {
  const hone_node *node = unit->node;
  if (unit->body) {
    hone_type *types;
    const hone_datum **known;
    HONE_TRY(infer_group(p, unit, &types, &known));
    for (int i = 0; i < node->output_count; i++) {
      uint32_t id = unit->body->outputs[i].value->id;
      out[i] = types[id];
      known_out[i] = known[id];
    }
    *body_types = types;
    return NULL;
  }
  const hone_type **in = HONE_NEW_ARRAY(p->memory, node->input_count + 1, const hone_type *);
  const hone_datum **known = HONE_NEW_ARRAY(p->memory, node->input_count + 1, const hone_datum *);
  if (!in || !known) return hone_error_memory();
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *input = node->inputs[i].value;
    if (!input) continue;
    in[i] = &p->values[input->id].type;
    known[i] = p->values[input->id].known;
  }
  return hone_infer_node(node, in, known, out, known_out, p->memory);
}

static hone_status *plan_kernel(planner *p, const hone_unit *unit, const hone_type *body_types,
                                uint64_t in_place, size_t pitch, hone_step *out) {
  const hone_datum **known =
      HONE_NEW_ARRAY(p->memory, unit->body->input_count + 1, const hone_datum *);
  HONE_TRY_MEMORY(known);
  size_t *in_pitch = HONE_NEW_ARRAY(p->memory, unit->body->input_count + 1, size_t);
  HONE_TRY_MEMORY(in_pitch);
  for (int i = 0; i < unit->body->input_count; i++) {
    const hone_planned *in = &p->values[unit->node->inputs[i].value->id];
    known[i] = in->known;
    in_pitch[i] = in->pitch;
  }
  hone_group_view view = {unit->body, body_types, known, p->threads, in_place, pitch, in_pitch};
  return unit->prepared.backend->plan(&unit->prepared, &view, p->memory, out);
}

/* Every value of the body has a size: what a kernel's planning asks for. */
static bool body_typed(const hone_graph *body, const hone_type *types) {
  for (const hone_node *n = body->first; n; n = n->next)
    for (int i = 0; i < n->output_count; i++)
      if (n->outputs[i] && !hone_type_known(&types[n->outputs[i]->id])) return false;
  return true;
}

/* Adds a step. A kernel whose range does not hold these shapes, or whose sizes only running tells,
 * leaves its group to the reference: then the step's kernel has no phases. */
static hone_status *add_step(planner *p, const hone_unit *unit, const hone_type *body_types,
                             uint64_t in_place, size_t pitch) {
  hone_plan_step *step = &p->plan->steps[p->plan->step_count];
  step->unit = unit;
  if (unit->kind == HONE_UNIT_KERNEL && body_typed(unit->body, body_types)) {
    hone_status *status = plan_kernel(p, unit, body_types, in_place, pitch, &step->kernel);
    if (hone_status_code(status) == HONE_UNSUPPORTED) {
      hone_status_free(status);
      step->kernel = (hone_step){0};
    } else if (status) {
      return hone_error_at(status, "node '%s'", hone_node_label(unit->node));
    }
  }
  p->plan->step_count++;
  step->pointers = p->plan->pointer_count;
  size_t outputs = (size_t)unit->node->output_count;
  p->plan->pointer_count += (size_t)unit->node->input_count + outputs * (1 + step->kernel.finds);
  return NULL;
}

/* The outputs of a unit, which will be at `at`; computed ones are there already. */
static void set_outputs(planner *p, const hone_unit *unit, const hone_type *out,
                        const hone_datum *const *known, hone_location at) {
  const hone_node *node = unit->node;
  for (int i = 0; i < node->output_count; i++) {
    const hone_value *output = node->outputs[i];
    if (!output) continue;
    hone_planned planned = {
        .type = out[i], .typed = hone_type_known(&out[i]), .known = known[i], .at = at};
    planned.root = output->id;
    if (at.kind == HONE_AT_FIXED && known[i]) planned.at.bytes = known[i]->data;
    if (at.kind != HONE_AT_FIXED && unit->kind == HONE_UNIT_VIEW) {
      const hone_planned *x = &p->values[node->inputs[0].value->id];
      planned.root = x->root;
      planned.inside = x->inside;
    }
    p->values[output->id] = planned;
  }
}

/* Results that no memory of this machine could hold are refused before a kernel plans for them. */
static hone_status *check_sizes(const hone_unit *unit, const hone_type *out) {
  size_t bytes, most = hone_memory_of_machine();
  for (int i = 0; i < unit->node->output_count; i++)
    if (unit->node->outputs[i] && hone_type_known(&out[i]) &&
        hone_shape_bytes(&out[i].shape, out[i].dtype, &bytes) && bytes > most)
      return hone_error_at(hone_error(HONE_OUT_OF_MEMORY, "'%s' takes %zu bytes, this machine has %zu",
                                      unit->node->outputs[i]->name, bytes, most),
                           "node '%s'", hone_node_label(unit->node));
  return NULL;
}

/* Adds a step for the unit, unless all that it would do is move what can be in its place already.
 */
static hone_status *run_unit(planner *p, const hone_unit *unit, const hone_type *out,
                             const hone_datum *const *known, const hone_type *body_types) {
  uint64_t in_place = 0;
  size_t pitch = 0;
  int readers = 0;
  bool kernel = unit->kind == HONE_UNIT_KERNEL, all = false;
  HONE_TRY(check_sizes(unit, out));
  if (kernel) {
    hone_inside_part(p, unit, out, &all);
    if (all) return NULL;
    in_place = hone_inside_join(p, unit, &out[0]);
    all = in_place && hone_inside_is_all(unit, in_place);
    pitch = hone_inside_pitch(p, unit, &out[0], &readers);
  }
  if (!all) HONE_TRY(add_step(p, unit, body_types, in_place, pitch));
  if (!all) kernel = hone_step_runs(&p->plan->steps[p->plan->step_count - 1].kernel);
  set_outputs(p, unit, out, known, (hone_location){.kind = kernel ? HONE_AT_ARENA : HONE_AT_GROWN});
  for (int i = 0; kernel && i < unit->node->output_count; i++) {
    const hone_value *output = unit->node->outputs[i];
    if (!output || p->values[output->id].typed) continue;
    p->values[output->id].bound = &body_types[unit->body->outputs[i].value->id].shape;
  }
  if (kernel && in_place) hone_inside_commit(p, unit);
  if (kernel && pitch && unit->node->outputs[0]) {
    p->values[unit->node->outputs[0]->id].pitch = pitch;
    p->pitched += readers;
  }
  for (int i = 0; kernel && !in_place && i < unit->node->input_count; i++)
    p->pitched -= unit->node->inputs[i].value && p->values[unit->node->inputs[i].value->id].pitch;
  return NULL;
}

/* Sets *wait, and does nothing else, when the unit belongs to the next stage. */
static hone_status *plan_unit(planner *p, const hone_unit *unit, bool *wait) {
  const hone_node *node = unit->node;
  hone_type *out = HONE_NEW_ARRAY(p->memory, node->output_count + 1, hone_type);
  const hone_datum **known = HONE_NEW_ARRAY(p->memory, node->output_count + 1, const hone_datum *);
  hone_type *body_types = NULL;
  if (!out || !known) return hone_error_memory();
  HONE_TRY(infer_unit(p, unit, out, known, &body_types));
  bool computed = true, typed = true;
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    computed = computed && known[i];
    typed = typed && hone_type_known(&out[i]);
  }
  if (unit->kind == HONE_UNIT_KERNEL && !typed) {
    if (finds_sizes(unit)) {
      HONE_TRY(bound_sizes(p, unit, body_types));
    } else if (wants_integers(p, unit)) {
      *wait = true;
      return NULL;
    }
  }
  if (!computed && unit->kind != HONE_UNIT_VIEW) return run_unit(p, unit, out, known, body_types);
  hone_location at = {.kind = HONE_AT_FIXED};
  if (!computed) at = p->values[node->inputs[0].value->id].at;
  set_outputs(p, unit, out, known, at);
  return NULL;
}

/* ---- The stage ------------------------------------------------------------------------------ */

hone_status *hone_plan_stage(planner *p) {
  hone_plan *plan = p->plan;
  const hone_program *program = p->program;
  int most_inputs = 0;
  for (size_t u = 0; u < program->unit_count; u++)
    if (program->units[u].node->input_count > most_inputs)
      most_inputs = program->units[u].node->input_count;
  plan->values = p->values = HONE_NEW_ARRAY(p->memory, program->value_count + 1, hone_planned);
  plan->steps = HONE_NEW_ARRAY(p->memory, program->unit_count + 1, hone_plan_step);
  plan->needed = HONE_NEW_ARRAY(p->memory, most_inputs / 64 + 1, uint64_t);
  plan->output_bytes = HONE_NEW_ARRAY(p->memory, program->graph->output_count + 1, size_t);
  if (!plan->values || !plan->steps || !plan->needed || !plan->output_bytes)
    return hone_error_memory();
  HONE_TRY(p->before ? start_later(p) : start_first(p));
  plan->first_unit = plan->next_unit = p->before ? p->before->next_unit : 0;
  for (; plan->next_unit < program->unit_count; plan->next_unit++) {
    const hone_unit *unit = &program->units[plan->next_unit];
    bool wait = has_to_wait(p, unit);
    if (!wait) HONE_TRY(plan_unit(p, unit, &wait));
    if (wait) break;
  }
  if (p->pitched) return NULL; /* the caller begins anew */
  hone_inside_settle(p);
  HONE_TRY(hone_place_outputs(p));
  HONE_TRY(hone_plan_device(p));
  HONE_TRY(hone_lay_out(p));
  return hone_list_moving(p);
}
