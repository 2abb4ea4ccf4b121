/* Concrete types, and elements that follow from them, while planning. Room: engine. */
#include <string.h>

#include "engine/plan.h"

/* Elements of tensors up to this many are computed while planning: shapes, axes, trip counts. */
#define KNOWN_LIMIT 1024

bool hone_type_known(const hone_type *type) {
  if (type->kind != HONE_KIND_TENSOR) return true;
  return type->dtype != HONE_DTYPE_NONE && hone_shape_known(&type->shape);
}

static bool small(const hone_type *type) {
  size_t count;
  return type->kind == HONE_KIND_TENSOR && hone_shape_count(&type->shape, &count) &&
         count <= KNOWN_LIMIT;
}

bool hone_planning_reads(const hone_value *constant) {
  for (const hone_use *use = constant->uses; use; use = use->next)
    if (use->user && hone_op_host_reads(use->user->op, (int)(use - use->user->inputs))) return true;
  return constant->place == HONE_PLACE_HOST || small(&constant->type);
}

/* Whether the node's outputs can be computed now: pure, small, and all it reads is known. */
static bool computable(const hone_node *node, const hone_type *const *in,
                       const hone_datum *const *known, const hone_type *out) {
  uint32_t facts = node->op->facts;
  if (facts & (HONE_IMPURE | HONE_HAS_REGIONS | HONE_OBJECTS | HONE_HEAVY)) return false;
  for (int i = 0; i < node->input_count; i++)
    if (in[i] && !known[i] && !(facts & HONE_SHAPE_ONLY)) return false;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && !small(&out[i]) && !(facts & HONE_VIEW)) return false;
  return true;
}

/* Runs the node by its reference into `made`. */
static hone_status *compute(const hone_node *node, const hone_type *const *in,
                            const hone_datum *const *known, hone_type *out,
                            const hone_datum **known_out, hone_arena *made) {
  int inputs = node->input_count, outputs = node->output_count;
  const hone_datum **data = HONE_NEW_ARRAY(made, inputs + 1, const hone_datum *);
  hone_datum *results = HONE_NEW_ARRAY(made, outputs + 1, hone_datum);
  hone_datum *shapes = HONE_NEW_ARRAY(made, inputs + 1, hone_datum);
  if (!data || !results || !shapes) return hone_error_memory();
  for (int i = 0; i < inputs; i++) {
    if (!in[i]) continue;
    /* Of a SHAPE_ONLY op's inputs only the shape is read: any address does. */
    shapes[i] = (hone_datum){.dtype = in[i]->dtype, .shape = in[i]->shape, .data = shapes};
    data[i] = known[i] ? known[i] : &shapes[i];
  }
  HONE_TRY(hone_evaluate(node, data, results, made));
  for (int i = 0; i < outputs; i++) {
    if (!node->outputs[i]) continue;
    known_out[i] = &results[i];
    out[i].shape = results[i].shape;
  }
  return NULL;
}

hone_status *hone_infer_node(const hone_node *node, const hone_type *const *in,
                             const hone_datum *const *known, hone_type *out,
                             const hone_datum **known_out, hone_arena *made) {
  int outputs = node->output_count;
  for (int i = 0; i < outputs; i++) {
    out[i] = (hone_type){.shape = hone_shape_unknown()};
    known_out[i] = NULL;
  }
  hone_infer infer = {node, NULL, node->input_count, outputs, in, known, out};
  hone_status *status = node->op->infer(&infer);
  if (status) return hone_error_at(status, "node '%s' (%s)", hone_node_label(node), node->op->name);
  if (node->op->facts & HONE_DATA_SHAPED) {
    /* The rule gave bounds; what it will be, only running tells. */
    for (int i = 0; i < outputs; i++)
      if (out[i].kind == HONE_KIND_TENSOR)
        for (int d = 0; d < out[i].shape.rank; d++) out[i].shape.dim[d] = -1;
    if (!computable(node, in, known, in[0] ? in[0] : out)) return NULL;
    bool all = true;
    for (int i = 0; i < node->input_count; i++) all = all && (!in[i] || known[i]);
    return all ? compute(node, in, known, out, known_out, made) : NULL;
  }
  if (computable(node, in, known, out)) return compute(node, in, known, out, known_out, made);
  return NULL;
}

hone_status *hone_infer_body(const hone_graph *body, hone_type *types, const hone_datum **known,
                             hone_arena *memory) {
  for (size_t i = 0; i < body->constant_count; i++) {
    const hone_value *constant = body->constants[i];
    types[constant->id] = constant->type;
    if (!hone_planning_reads(constant)) continue;
    hone_datum *datum = HONE_NEW(memory, hone_datum);
    HONE_TRY_MEMORY(datum);
    *datum = hone_value_datum(constant);
    known[constant->id] = datum;
  }
  for (const hone_node *n = body->first; n; n = n->next) {
    const hone_type **in = HONE_NEW_ARRAY(memory, n->input_count + 1, const hone_type *);
    const hone_datum **value = HONE_NEW_ARRAY(memory, n->input_count + 1, const hone_datum *);
    hone_type *out = HONE_NEW_ARRAY(memory, n->output_count + 1, hone_type);
    const hone_datum **made = HONE_NEW_ARRAY(memory, n->output_count + 1, const hone_datum *);
    if (!in || !value || !out || !made) return hone_error_memory();
    for (int i = 0; i < n->input_count; i++) {
      const hone_value *v = n->inputs[i].value;
      if (!v) continue;
      in[i] = &types[v->id];
      value[i] = known[v->id];
    }
    HONE_TRY(hone_infer_node(n, in, value, out, made, memory));
    for (int i = 0; i < n->output_count; i++) {
      if (!n->outputs[i]) continue;
      types[n->outputs[i]->id] = out[i];
      known[n->outputs[i]->id] = made[i];
    }
  }
  return NULL;
}
