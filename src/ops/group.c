/* group: a piece of the graph that a backend runs as one. Its body takes the node's inputs in order;
 * constants lie inside. Room: ops. */
#include "ops/ops.h"

/* The body's own types: the pass that made it inferred them. While planning only the element types
 * are sure. */
static hone_status *group_infer(hone_infer *infer) {
  const hone_graph *body = infer->node->regions[0];
  if (body->input_count != infer->input_count || body->output_count != infer->output_count)
    return hone_infer_fail(infer, "the body has %d inputs and %d outputs", body->input_count,
                           body->output_count);
  for (int i = 0; i < infer->output_count; i++) {
    infer->out[i] = body->outputs[i].value->type;
    if (!infer->graph) infer->out[i].shape = hone_shape_unknown();
  }
  return NULL;
}

static hone_status *group_reference(hone_reference *ref) {
  hone_datum *out = HONE_NEW_ARRAY(ref->scratch, ref->output_count + 1, hone_datum);
  HONE_TRY_MEMORY(out);
  HONE_TRY(hone_interpret(ref->node->regions[0], ref->in, out, ref->objects));
  for (int i = 0; i < ref->output_count; i++)
    if (ref->out[i]) *ref->out[i] = out[i];
  return NULL;
}

const hone_op hone_op_group = {
    .name = "group",
    .inputs = "x*",
    .outputs = "y*",
    .facts = HONE_HAS_REGIONS,
    .infer = group_infer,
    .reference = group_reference,
};
