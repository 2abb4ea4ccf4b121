/* Loops in the making: types that hold from turn to turn, the region, the node. Room: import. */
#include <string.h>

#include "import/onnx/loops.h"
#include "import/regions.h"

static int first_capture(const onnx_loop *loop) {
  return (int)(2 + loop->carried + loop->passed_count);
}

hone_status *onnx_loop_memory(onnx_loop *loop) {
  hone_arena *scratch = &onnx_own(loop->call)->importer->scratch;
  size_t values = loop->carried + 1;
  loop->initial = HONE_NEW_ARRAY(scratch, values, hone_value *);
  loop->types = HONE_NEW_ARRAY(scratch, values, hone_type);
  loop->declared = HONE_NEW_ARRAY(scratch, values, hone_type);
  loop->open = HONE_NEW_ARRAY(scratch, values, unsigned char);
  loop->unwrap = HONE_NEW_ARRAY(scratch, values, bool);
  loop->passed = HONE_NEW_ARRAY(scratch, loop->passed_count + 1, hone_value *);
  if (!loop->initial || !loop->types || !loop->declared || !loop->open || !loop->unwrap ||
      !loop->passed)
    return hone_error_memory();
  return NULL;
}

hone_status *onnx_declared_type(onnx_loop *loop, size_t index, hone_type *out) {
  onnx_value_info info;
  onnx_importer *importer = onnx_own(loop->call)->importer;
  HONE_TRY(onnx_read_value_info(&importer->reader, loop->body.inputs.items[index], &info));
  return onnx_value_type(importer, info.type, out);
}

static hone_status *open_all(onnx_loop *loop, size_t i) {
  hone_type *type = &loop->types[i];
  for (int d = 0; d < type->shape.rank; d++)
    HONE_TRY(hone_graph_symbol(onnx_own(loop->call)->importer->root, NULL, &type->shape.dim[d]));
  loop->open[i] = 0xff;
  return NULL;
}

/* The types at the first turn. An unknown rank may be known to the body. */
static hone_status *start_types(onnx_loop *loop) {
  for (size_t i = 0; i < loop->carried; i++) {
    hone_type *type = &loop->types[i];
    const hone_type *declared = &loop->declared[i];
    *type = loop->initial[i]->type;
    if (!type->dtype) type->dtype = declared->dtype;
    if (type->kind == HONE_KIND_TENSOR && declared->dtype && type->shape.rank < 0 &&
        declared->kind == HONE_KIND_TENSOR) {
      type->shape = declared->shape;
      HONE_TRY(open_all(loop, i));
    }
  }
  return NULL;
}

static hone_status *make_region(onnx_loop *loop, hone_graph **out) {
  hone_graph *region;
  HONE_TRY(hone_graph_new_region(loop->node, "body", &region));
  hone_type iteration = hone_tensor_type(HONE_S64, (hone_shape){0});
  hone_type condition = hone_tensor_type(HONE_BOOL, (hone_shape){0});
  HONE_TRY(hone_graph_input(region, NULL, iteration, NULL));
  HONE_TRY(hone_graph_input(region, NULL, condition, NULL));
  for (size_t i = 0; i < loop->carried; i++)
    HONE_TRY(hone_graph_input(region, NULL, loop->types[i], NULL));
  for (size_t i = 0; i < loop->passed_count; i++)
    HONE_TRY(hone_graph_input(region, NULL, loop->passed[i]->type, NULL));
  *out = region;
  return NULL;
}

/* A carried optional whose body gives what it holds. */
static void wrap_optionals(onnx_loop *loop, hone_value **carried) {
  hone_call *call = loop->call;
  for (size_t i = 0; i < loop->carried && !call->status; i++) {
    const hone_type *type = &loop->types[i];
    if (type->kind != HONE_KIND_OPTIONAL || carried[i]->type.kind != type->item) continue;
    carried[i] = HONE_EMIT(call, "optional_make", carried[i]);
    loop->unwrap[i] = true;
  }
}

hone_value *onnx_loop_output(onnx_loop *loop, int index) {
  hone_value *value = hone_emit_out(loop->call, loop->node, index);
  bool unwrap = (size_t)index < loop->carried && loop->unwrap[index];
  return unwrap ? HONE_EMIT(loop->call, "optional_get", value) : value;
}

/* Fills the region once; `changed` when the types were too narrow. */
static hone_status *fill_loop(onnx_loop *loop, hone_graph *region, bool *changed) {
  hone_call *call = loop->call;
  size_t count = 1 + loop->carried + loop->scanned;
  hone_value **out = HONE_NEW_ARRAY(&onnx_own(call)->importer->scratch, count, hone_value *);
  HONE_TRY_MEMORY(out);
  onnx_scope *around = onnx_own(call)->scope;
  onnx_scope scope = onnx_scope_region(call, loop->node, region, first_capture(loop), 0);
  hone_status *status = loop->fill(loop, &scope, out);
  if (!status && !call->status) wrap_optionals(loop, out + 1);
  onnx_move(call, around);
  if (!status && call->status) {
    status = call->status;
    call->status = NULL;
  }
  for (size_t i = 0; !status && i < loop->carried; i++)
    status =
        hone_carried_widen(region, i, &out[1 + i]->type, &loop->types[i], &loop->open[i], changed);
  for (size_t i = 0; !status && !*changed && i < count; i++)
    status = hone_graph_output(region, out[i]);
  onnx_scope_free(&scope);
  return status;
}

/* Converts until the types hold. Each round opens something; a rank that is not known stays so. */
static hone_status *turn_until_fixed(onnx_loop *loop) {
  for (int round = 0; round < 40; round++) {
    bool changed = false;
    hone_graph *region;
    HONE_TRY(make_region(loop, &region));
    HONE_TRY(fill_loop(loop, region, &changed));
    if (!changed) return NULL;
    hone_regions_forget(loop->node, first_capture(loop));
    if (round != 3) continue;
    for (size_t i = 0; i < loop->carried; i++) HONE_TRY(open_all(loop, i));
  }
  return hone_error(HONE_UNSUPPORTED, "the types of what the loop carries do not settle");
}

hone_status *onnx_make_loop(onnx_loop *loop) {
  hone_call *call = loop->call;
  size_t count = 2 + loop->carried + loop->passed_count;
  hone_value **inputs = HONE_NEW_ARRAY(&onnx_own(call)->importer->scratch, count, hone_value *);
  HONE_TRY_MEMORY(inputs);
  inputs[0] = loop->trips;
  inputs[1] = loop->condition ? loop->condition : hone_emit_real(call, HONE_BOOL, 1);
  memcpy(inputs + 2, loop->initial, loop->carried * sizeof *inputs);
  memcpy(inputs + 2 + loop->carried, loop->passed, loop->passed_count * sizeof *inputs);
  loop->node = hone_emit_begin(call, "loop", inputs, (int)count, 0);
  if (!loop->node) return NULL;
  hone_emit_set_int(call, loop->node, "carried", (int64_t)loop->carried);
  HONE_TRY(start_types(loop));
  HONE_TRY(hone_error_at(turn_until_fixed(loop), "body"));
  onnx_add_outputs(call, loop->node, loop->carried + loop->scanned);
  (void)hone_emit_end(call, loop->node);
  return NULL;
}
