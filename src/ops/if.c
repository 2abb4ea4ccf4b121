/* if: one of two bodies. Both take all inputs after the condition. Room: ops. */
#include "ops/objects.h"
#include "ops/ops.h"

static hone_status *if_infer(hone_infer *infer) {
  const hone_node *node = infer->node;
  if (node->region_count != 2) return hone_infer_fail(infer, "it needs two bodies");
  for (int r = 0; r < 2; r++)
    if (node->regions[r]->input_count != infer->input_count - 1 ||
        node->regions[r]->output_count != infer->output_count)
      return hone_infer_fail(infer, "body %d has %d inputs and %d outputs", r,
                             node->regions[r]->input_count, node->regions[r]->output_count);
  for (int i = 0; i < infer->output_count; i++)
    HONE_TRY(hone_infer_either(infer, &node->regions[0]->outputs[i].value->type,
                               &node->regions[1]->outputs[i].value->type, &infer->out[i]));
  return NULL;
}

static hone_status *if_reference(hone_reference *ref) {
  int64_t condition;
  HONE_TRY(hone_datum_int(ref->in[0], "condition", &condition));
  hone_datum *out = HONE_NEW_ARRAY(ref->scratch, ref->output_count + 1, hone_datum);
  HONE_TRY_MEMORY(out);
  HONE_TRY(hone_interpret(ref->node->regions[condition ? 0 : 1], ref->in + 1, out, ref->objects));
  for (int i = 0; i < ref->output_count; i++)
    if (ref->out[i]) *ref->out[i] = out[i];
  return NULL;
}

const hone_op hone_op_if = {
    .name = "if",
    .inputs = "condition captures*",
    .outputs = "y*",
    .facts = HONE_HAS_REGIONS,
    .host_inputs = 1u << 0,
    .infer = if_infer,
    .reference = if_reference,
};
