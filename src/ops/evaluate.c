/* Running nodes and graphs by their references: the oracle, and what folds constants. Room: ops.
 *
 * Outputs whose shape the rule tells come with memory. Where it cannot (ops with regions, ops on
 * sequences), the datum comes without, and the reference puts there what it made in `objects`. */
#include "ops/ops.h"

/* The type of what an input holds. */
static hone_type type_of(const hone_datum *datum) {
  hone_type type = {datum->kind, HONE_KIND_TENSOR, datum->dtype, datum->shape};
  if (datum->kind == HONE_KIND_OPTIONAL && datum->count) type.item = datum->items[0].kind;
  if (datum->kind != HONE_KIND_TENSOR) type.shape = hone_shape_unknown();
  return type;
}

/* The outputs' types from what is known now: everything. */
static hone_status *infer_now(const hone_node *node, const hone_datum *const *in, hone_type *out,
                              hone_arena *scratch) {
  int inputs = node->input_count;
  hone_type *types = HONE_NEW_ARRAY(scratch, inputs + 1, hone_type);
  const hone_type **lent = HONE_NEW_ARRAY(scratch, inputs + 1, const hone_type *);
  if (!types || !lent) return hone_error_memory();
  for (int i = 0; i < inputs; i++) {
    if (!in[i]) continue;
    types[i] = type_of(in[i]);
    lent[i] = &types[i];
  }
  for (int i = 0; i < node->output_count; i++) out[i].shape = hone_shape_unknown();
  hone_infer infer = {node, NULL, inputs, node->output_count, lent, in, out};
  return node->op->infer(&infer);
}

static hone_status *output_memory(const hone_op *op, const hone_type *type, hone_datum *out,
                                  hone_arena *memory) {
  *out = (hone_datum){.kind = type->kind, .dtype = type->dtype, .shape = type->shape};
  if (type->kind != HONE_KIND_TENSOR) return NULL;
  if (!hone_shape_known(&type->shape)) {
    if (op->facts & (HONE_OBJECTS | HONE_HAS_REGIONS)) return NULL;
    return hone_error(HONE_INVALID_MODEL, "its inputs do not tell the shape of its output");
  }
  size_t bytes;
  if (!hone_shape_bytes(&type->shape, type->dtype, &bytes))
    return hone_error(HONE_LIMIT, "a result is too large");
  out->data = hone_arena_alloc(memory, bytes ? bytes : 1);
  HONE_TRY_MEMORY(out->data);
  /* Packed types: what is left of the last byte stays 0. */
  if (bytes && hone_dtype_bits(type->dtype) < 8) ((char *)out->data)[bytes - 1] = 0;
  return NULL;
}

static hone_status *run(const hone_node *node, const hone_datum *const *in, hone_datum *out,
                        hone_arena *memory, hone_arena *scratch) {
  int outputs = node->output_count;
  hone_type *types = HONE_NEW_ARRAY(scratch, outputs + 1, hone_type);
  hone_datum **wanted = HONE_NEW_ARRAY(scratch, outputs + 1, hone_datum *);
  if (!types || !wanted) return hone_error_memory();
  if (!node->op->reference) return hone_error(HONE_UNSUPPORTED, "it has no reference");
  HONE_TRY(infer_now(node, in, types, scratch));
  for (int i = 0; i < outputs; i++) {
    out[i] = (hone_datum){.kind = types[i].kind, .dtype = types[i].dtype};
    if (!node->outputs[i]) continue;
    HONE_TRY(output_memory(node->op, &types[i], &out[i], memory));
    wanted[i] = &out[i];
  }
  hone_reference ref = {node, node->input_count, outputs, in, wanted, memory, scratch};
  return node->op->reference(&ref);
}

hone_status *hone_evaluate(const hone_node *node, const hone_datum *const *in, hone_datum *out,
                           hone_arena *memory) {
  hone_arena scratch = {0};
  hone_status *status = run(node, in, out, memory, &scratch);
  hone_arena_free(&scratch);
  return hone_error_at(status, "node '%s' (%s)", hone_node_label(node), node->op->name);
}

/* The values of a graph by their ids. */
typedef struct values {
  hone_datum *at;
  hone_arena *memory;
} values;

static hone_datum *datum_of(const values *frame, const hone_value *value) {
  return value ? &frame->at[value->id] : NULL;
}

static hone_status *run_node(const values *frame, const hone_node *node, hone_arena *scratch) {
  const hone_datum **in = HONE_NEW_ARRAY(scratch, node->input_count + 1, const hone_datum *);
  hone_datum *out = HONE_NEW_ARRAY(scratch, node->output_count + 1, hone_datum);
  if (!in || !out) return hone_error_memory();
  for (int i = 0; i < node->input_count; i++) in[i] = datum_of(frame, node->inputs[i].value);
  HONE_TRY(hone_evaluate(node, in, out, frame->memory));
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) *datum_of(frame, node->outputs[i]) = out[i];
  return NULL;
}

hone_status *hone_interpret(const hone_graph *graph, const hone_datum *const *in, hone_datum *out,
                            hone_arena *memory) {
  hone_arena scratch = {0};
  values frame = {NULL, memory};
  frame.at = HONE_NEW_ARRAY(&scratch, graph->next_id + 1, hone_datum);
  hone_status *status = frame.at ? NULL : hone_error_memory();
  if (!status) {
    for (size_t i = 0; i < graph->constant_count; i++)
      frame.at[graph->constants[i]->id] = hone_value_datum(graph->constants[i]);
    for (int i = 0; i < graph->input_count; i++) *datum_of(&frame, graph->inputs[i]) = *in[i];
  }
  for (const hone_node *node = graph->first; !status && node; node = node->next)
    status = run_node(&frame, node, &scratch);
  for (int i = 0; !status && i < graph->output_count; i++)
    out[i] = *datum_of(&frame, graph->outputs[i].value);
  hone_arena_free(&scratch);
  return status;
}
