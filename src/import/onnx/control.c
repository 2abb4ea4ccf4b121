/* If, Loop, SequenceMap: subgraphs become regions that take what they capture as inputs.
 * Room: import. */
#include <string.h>

#include "import/onnx/loops.h"

/* ---- If ---- */

/* Converts a body into the graph around it: a branch that is known, a formula given as a graph. */
static hone_status *inline_body(hone_call *call, const onnx_graph *body, hone_value *const *inputs,
                                size_t input_count, hone_value **out) {
  onnx_scope scope = onnx_scope_region(call, NULL, call->graph, 0, 0);
  hone_status *status = onnx_bind_inputs(&scope, body, inputs, input_count);
  if (!status) status = onnx_convert_body(&scope, body, out);
  onnx_scope_free(&scope);
  return status;
}

static hone_status *inline_branch(hone_call *call, const onnx_graph *branch) {
  hone_arena *memory = &onnx_own(call)->scope->memory;
  hone_value **out = HONE_NEW_ARRAY(memory, branch->outputs.count + 1, hone_value *);
  HONE_TRY_MEMORY(out);
  HONE_TRY(inline_body(call, branch, NULL, 0, out));
  for (size_t i = 0; i < branch->outputs.count; i++) hone_onnx_return(call, (int)i, out[i]);
  return NULL;
}

hone_value *hone_onnx_inline(hone_call *call, const char *attr, hone_value *x) {
  onnx_graph body;
  hone_value *out = call->placeholder;
  if (call->status) return out;
  call->status = onnx_read_body(call, attr, &body);
  if (!call->status && body.outputs.count != 1)
    hone_emit_fail(call, HONE_INVALID_MODEL, "%s gives %zu values", attr, body.outputs.count);
  if (!call->status) call->status = inline_body(call, &body, &x, 1, &out);
  return call->status ? call->placeholder : out;
}

static hone_status *fill_branch(hone_call *call, hone_node *node, hone_graph *region,
                                const onnx_graph *branch) {
  onnx_scope scope = onnx_scope_region(call, node, region, 1, -1);
  hone_arena *memory = &onnx_own(call)->scope->memory;
  hone_value **out = HONE_NEW_ARRAY(memory, branch->outputs.count + 1, hone_value *);
  hone_status *status = out ? onnx_convert_body(&scope, branch, out) : hone_error_memory();
  for (size_t i = 0; !status && i < branch->outputs.count; i++)
    status = hone_graph_output(region, out[i]);
  onnx_scope_free(&scope);
  return status;
}

static hone_status *import_if(hone_call *call) {
  static const char *const names[] = {"then_branch", "else_branch"};
  onnx_graph branches[2];
  hone_graph *regions[2];
  hone_value *condition = hone_onnx_need(call, 0);
  int64_t known;
  size_t count;
  for (int i = 0; i < 2; i++) {
    HONE_TRY(onnx_read_body(call, names[i], &branches[i]));
    if (branches[i].outputs.count != (size_t)onnx_own(call)->output_count ||
        branches[i].inputs.count)
      return hone_error(HONE_INVALID_MODEL, "%s has %zu inputs and %zu outputs", names[i],
                        branches[i].inputs.count, branches[i].outputs.count);
  }
  if (hone_known_ints(condition, &known, 1, &count) && count == 1)
    return inline_branch(call, &branches[known ? 0 : 1]);
  hone_node *node = hone_emit_begin(call, "if", &condition, 1, 0);
  if (!node) return NULL;
  for (int i = 0; i < 2; i++) HONE_TRY(hone_graph_new_region(node, names[i], &regions[i]));
  for (int i = 0; i < 2; i++)
    HONE_TRY(hone_error_at(fill_branch(call, node, regions[i], &branches[i]), "%s", names[i]));
  onnx_add_outputs(call, node, (size_t)onnx_own(call)->output_count);
  hone_onnx_end_return(call, node);
  return NULL;
}

/* ---- Loop ---- */

/* The counter and the condition are of rank 0 here; some bodies take them with one dimension. */
static hone_value *as_declared(onnx_loop *loop, hone_value *value, size_t index) {
  hone_type type;
  hone_call *call = loop->call;
  if (!call->status) call->status = onnx_declared_type(loop, index, &type);
  if (call->status || type.shape.rank != 1) return value;
  return hone_emit_reshape(call, value, &(int64_t){1}, 1);
}

static hone_status *fill_from_loop(onnx_loop *loop, onnx_scope *scope, hone_value **out) {
  hone_call *call = loop->call;
  size_t count = 2 + loop->carried;
  hone_value **values = HONE_NEW_ARRAY(&onnx_own(call)->importer->scratch, count, hone_value *);
  HONE_TRY_MEMORY(values);
  memcpy(values, scope->graph->inputs, count * sizeof *values);
  onnx_move(call, scope);
  for (size_t i = 0; i < 2; i++) values[i] = as_declared(loop, values[i], i);
  if (call->status) return NULL;
  HONE_TRY(onnx_bind_inputs(scope, &loop->body, values, count));
  return onnx_convert_body(scope, &loop->body, out);
}

static hone_status *import_loop(hone_call *call) {
  onnx_call *own = onnx_own(call);
  onnx_loop loop = {.call = call, .fill = fill_from_loop};
  loop.carried = own->input_count > 2 ? (size_t)own->input_count - 2 : 0;
  HONE_TRY(onnx_read_body(call, "body", &loop.body));
  if (loop.body.inputs.count != 2 + loop.carried ||
      loop.body.outputs.count != 1 + (size_t)own->output_count ||
      (size_t)own->output_count < loop.carried)
    return hone_error(HONE_INVALID_MODEL, "a body with %zu inputs and %zu outputs",
                      loop.body.inputs.count, loop.body.outputs.count);
  loop.scanned = (size_t)own->output_count - loop.carried;
  HONE_TRY(onnx_loop_memory(&loop));
  loop.trips = hone_onnx_in(call, 0);
  loop.condition = hone_onnx_in(call, 1);
  for (size_t i = 0; i < loop.carried; i++) {
    loop.initial[i] = hone_onnx_need(call, (int)i + 2);
    HONE_TRY(onnx_declared_type(&loop, 2 + i, &loop.declared[i]));
  }
  HONE_TRY(onnx_make_loop(&loop));
  for (int i = 0; i < own->output_count; i++) hone_onnx_return(call, i, onnx_loop_output(&loop, i));
  return NULL;
}

/* ---- SequenceMap ---- */

static hone_status *fill_from_map(onnx_loop *loop, onnx_scope *scope, hone_value **out) {
  hone_call *call = loop->call;
  hone_value **region = scope->graph->inputs, **passed = region + 2 + loop->carried;
  hone_arena *memory = &onnx_own(call)->importer->scratch;
  hone_value **values = HONE_NEW_ARRAY(memory, loop->passed_count, hone_value *);
  HONE_TRY_MEMORY(values);
  onnx_move(call, scope);
  for (size_t i = 0; i < loop->passed_count; i++)
    values[i] = passed[i]->type.kind == HONE_KIND_SEQUENCE
                    ? HONE_EMIT(call, "sequence_at", passed[i], region[0])
                    : passed[i];
  if (call->status) return NULL;
  out[0] = region[1];
  HONE_TRY(onnx_bind_inputs(scope, &loop->body, values, loop->passed_count));
  HONE_TRY(onnx_convert_body(scope, &loop->body, out + 1));
  for (size_t i = 0; i < loop->carried; i++)
    out[1 + i] = HONE_EMIT(call, "sequence_insert", region[2 + i], out[1 + i]);
  return NULL;
}

/* The element type that the body declares for its output. */
static hone_status *output_dtype(onnx_loop *loop, size_t index, hone_dtype *out) {
  onnx_value_info info;
  hone_type type;
  onnx_importer *importer = onnx_own(loop->call)->importer;
  HONE_TRY(onnx_read_value_info(&importer->reader, loop->body.outputs.items[index], &info));
  HONE_TRY(onnx_value_type(importer, info.type, &type));
  *out = type.dtype ? type.dtype : loop->passed[0]->type.dtype;
  return NULL;
}

static hone_status *import_sequence_map(hone_call *call) {
  onnx_call *own = onnx_own(call);
  onnx_loop loop = {.call = call, .fill = fill_from_map};
  HONE_TRY(onnx_read_body(call, "body", &loop.body));
  loop.carried = (size_t)own->output_count;
  loop.passed_count = (size_t)own->input_count;
  if (!loop.passed_count || loop.body.inputs.count != loop.passed_count ||
      loop.body.outputs.count != loop.carried)
    return hone_error(HONE_INVALID_MODEL, "its body's inputs and outputs do not fit");
  HONE_TRY(onnx_loop_memory(&loop));
  for (size_t i = 0; i < loop.passed_count; i++) loop.passed[i] = hone_onnx_need(call, (int)i);
  for (size_t i = 0; i < loop.carried; i++) {
    hone_dtype dtype;
    HONE_TRY(output_dtype(&loop, i, &dtype));
    hone_node *node = hone_emit_begin(call, "sequence_make", NULL, 0, 1);
    hone_emit_set_int(call, node, "dtype", dtype);
    loop.initial[i] = hone_emit_end(call, node);
  }
  loop.trips = HONE_EMIT(call, "sequence_length", loop.passed[0]);
  HONE_TRY(onnx_make_loop(&loop));
  for (int i = 0; i < own->output_count; i++) hone_onnx_return(call, i, onnx_loop_output(&loop, i));
  return NULL;
}

const hone_onnx_row hone_onnx_control[] = {
    {"", "If", 1, 0, .import = import_if},
    {"", "Loop", 1, 0, .import = import_loop},
    {"", "SequenceMap", 17, 0, .import = import_sequence_map},
    {0},
};
