/* If, Loop, Scan, SequenceMap: subgraphs become regions that take what they capture as inputs.
 * Scan and SequenceMap are loops. Room: import. */
#include <string.h>

#include "import/onnx/importer.h"
#include "import/regions.h"

/* ---- Regions ---- */

/* Binds a subgraph's inputs to values of its region, in order. */
static hone_status *bind_inputs(onnx_scope *scope, const onnx_graph *graph,
                                hone_value *const *values, size_t count) {
  if (graph->inputs.count != count)
    return hone_error(HONE_INVALID_MODEL, "a body with %zu inputs instead of %zu",
                      graph->inputs.count, count);
  for (size_t i = 0; i < count; i++) {
    onnx_value_info info;
    HONE_TRY(onnx_read_value_info(&scope->importer->reader, graph->inputs.items[i], &info));
    HONE_TRY(onnx_bind(scope, info.name, values[i]));
  }
  return NULL;
}

/* Converts a subgraph's nodes into the scope's graph and gives its outputs. */
static hone_status *convert_body(onnx_scope *scope, const onnx_graph *graph, hone_value **out) {
  onnx_importer *importer = scope->importer;
  if (importer->regions >= ONNX_MAX_REGIONS)
    return hone_error(HONE_LIMIT, "more than %d graphs inside each other", ONNX_MAX_REGIONS);
  HONE_TRY(onnx_declare(scope, graph));
  importer->regions++;
  hone_status *status = onnx_convert(scope, &graph->nodes);
  importer->regions--;
  for (size_t i = 0; !status && i < graph->outputs.count; i++) {
    onnx_value_info info;
    status = onnx_read_value_info(&importer->reader, graph->outputs.items[i], &info);
    if (!status) status = onnx_find(scope, info.name, &out[i]);
    if (!status && !out[i]) status = hone_error(HONE_INVALID_MODEL, "a body gives nothing");
  }
  return status;
}

static hone_status *read_body(hone_call *call, const char *name, onnx_graph *out) {
  const onnx_attribute *attr = onnx_attr(call, name);
  if (!attr || !attr->g.data)
    return hone_error(HONE_INVALID_MODEL, "attribute %s is no graph", name);
  return onnx_read_graph(&onnx_own(call)->importer->reader, attr->g, out);
}

hone_status *onnx_inline_body(hone_call *call, const char *attr, hone_value *x,
                              hone_value **out) {
  onnx_graph body;
  HONE_TRY(read_body(call, attr, &body));
  if (body.outputs.count != 1)
    return hone_error(HONE_INVALID_MODEL, "%s gives %zu outputs", attr, body.outputs.count);
  onnx_scope scope = onnx_scope_region(call, NULL, call->graph, 0, 0);
  hone_status *status = bind_inputs(&scope, &body, &x, 1);
  if (!status) status = convert_body(&scope, &body, out);
  onnx_scope_free(&scope);
  return hone_error_at(status, "%s", attr);
}

static void add_outputs(hone_call *call, hone_node *node, size_t count) {
  hone_type unknown = hone_tensor_type(HONE_DTYPE_NONE, hone_shape_unknown());
  for (size_t i = 0; i < count && !call->status; i++)
    call->status = hone_node_add_output(node, NULL, unknown, NULL);
}

/* ---- If ---- */

/* Converts a body into the graph around it: a branch that is known, a formula given as a graph. */
static hone_status *inline_body(hone_call *call, const onnx_graph *body,
                                hone_value *const *inputs, size_t input_count, hone_value **out) {
  onnx_scope scope = onnx_scope_region(call, NULL, call->graph, 0, 0);
  hone_status *status = bind_inputs(&scope, body, inputs, input_count);
  if (!status) status = convert_body(&scope, body, out);
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
  call->status = read_body(call, attr, &body);
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
  hone_status *status = out ? convert_body(&scope, branch, out) : hone_error_memory();
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
    HONE_TRY(read_body(call, names[i], &branches[i]));
    if (branches[i].outputs.count != (size_t)onnx_own(call)->output_count || branches[i].inputs.count)
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
  add_outputs(call, node, (size_t)onnx_own(call)->output_count);
  hone_onnx_end_return(call, node);
  return NULL;
}

/* ---- Loops ---- */

/* A loop in the making. What is carried starts with the type of its first value; where the body
 * gives another, the dims that differ become open and the body is converted again. */
typedef struct looping {
  hone_call *call;
  onnx_graph body;
  hone_value *trips, *condition;
  hone_value **initial; /* of what is carried */
  hone_type *types;     /* of it inside the body */
  hone_type *declared;  /* by the body; cleared where it does not say */
  unsigned char *open;  /* bit d: dim d differs from turn to turn */
  bool *unwrap;         /* starts as an optional of what the body gives: wrapped again there */
  size_t carried;
  hone_value **passed; /* captures that stand first, in the body too */
  size_t passed_count, scanned;
  /* Binds the body's inputs to what the region's inputs give, converts, and puts the results in
   * order: condition, carried, scanned. */
  hone_status *(*fill)(struct looping *loop, onnx_scope *scope, hone_value **out);
  hone_node *node;
} looping;

static int first_capture(const looping *loop) {
  return (int)(2 + loop->carried + loop->passed_count);
}

static hone_status *loop_memory(looping *loop) {
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

/* What the body says about its input `index`. */
static hone_status *declared_type(looping *loop, size_t index, hone_type *out) {
  onnx_value_info info;
  onnx_importer *importer = onnx_own(loop->call)->importer;
  HONE_TRY(onnx_read_value_info(&importer->reader, loop->body.inputs.items[index], &info));
  return onnx_value_type(importer, info.type, out);
}

static hone_status *open_all(looping *loop, size_t i) {
  hone_type *type = &loop->types[i];
  for (int d = 0; d < type->shape.rank; d++)
    HONE_TRY(hone_graph_symbol(onnx_own(loop->call)->importer->root, NULL, &type->shape.dim[d]));
  loop->open[i] = 0xff;
  return NULL;
}

/* The types at the first turn. An unknown rank may be known to the body. */
static hone_status *start_types(looping *loop) {
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

static hone_status *make_region(looping *loop, hone_graph **out) {
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
static void wrap_optionals(looping *loop, hone_value **carried) {
  hone_call *call = loop->call;
  for (size_t i = 0; i < loop->carried && !call->status; i++) {
    const hone_type *type = &loop->types[i];
    if (type->kind != HONE_KIND_OPTIONAL || carried[i]->type.kind != type->item) continue;
    carried[i] = HONE_EMIT(call, "optional_make", carried[i]);
    loop->unwrap[i] = true;
  }
}

/* What the node gives for output `index`. */
static hone_value *loop_output(looping *loop, int index) {
  hone_value *value = hone_emit_out(loop->call, loop->node, index);
  bool unwrap = (size_t)index < loop->carried && loop->unwrap[index];
  return unwrap ? HONE_EMIT(loop->call, "optional_get", value) : value;
}

/* Fills the region once; `changed` when the types were too narrow. */
static hone_status *fill_loop(looping *loop, hone_graph *region, bool *changed) {
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
    status = hone_carried_widen(region, i, &out[1 + i]->type, &loop->types[i], &loop->open[i], changed);
  for (size_t i = 0; !status && !*changed && i < count; i++)
    status = hone_graph_output(region, out[i]);
  onnx_scope_free(&scope);
  return status;
}

/* Converts until the types hold. Each round opens something; a rank that is not known stays so. */
static hone_status *turn_until_fixed(looping *loop) {
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

/* The whole loop; its outputs are carried, then scanned. */
static hone_status *make_loop(looping *loop) {
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
  add_outputs(call, loop->node, loop->carried + loop->scanned);
  (void)hone_emit_end(call, loop->node);
  return NULL;
}

/* ---- Loop ---- */

/* The counter and the condition are of rank 0 here; some bodies take them with one dimension. */
static hone_value *as_declared(looping *loop, hone_value *value, size_t index) {
  hone_type type;
  hone_call *call = loop->call;
  if (!call->status) call->status = declared_type(loop, index, &type);
  if (call->status || type.shape.rank != 1) return value;
  return hone_emit_reshape(call, value, &(int64_t){1}, 1);
}

static hone_status *fill_from_loop(looping *loop, onnx_scope *scope, hone_value **out) {
  hone_call *call = loop->call;
  size_t count = 2 + loop->carried;
  hone_value **values = HONE_NEW_ARRAY(&onnx_own(call)->importer->scratch, count, hone_value *);
  HONE_TRY_MEMORY(values);
  memcpy(values, scope->graph->inputs, count * sizeof *values);
  onnx_move(call, scope);
  for (size_t i = 0; i < 2; i++) values[i] = as_declared(loop, values[i], i);
  if (call->status) return NULL;
  HONE_TRY(bind_inputs(scope, &loop->body, values, count));
  return convert_body(scope, &loop->body, out);
}

static hone_status *import_loop(hone_call *call) {
  onnx_call *own = onnx_own(call);
  looping loop = {.call = call, .fill = fill_from_loop};
  loop.carried = own->input_count > 2 ? (size_t)own->input_count - 2 : 0;
  HONE_TRY(read_body(call, "body", &loop.body));
  if (loop.body.inputs.count != 2 + loop.carried ||
      loop.body.outputs.count != 1 + (size_t)own->output_count ||
      (size_t)own->output_count < loop.carried)
    return hone_error(HONE_INVALID_MODEL, "a body with %zu inputs and %zu outputs",
                      loop.body.inputs.count, loop.body.outputs.count);
  loop.scanned = (size_t)own->output_count - loop.carried;
  HONE_TRY(loop_memory(&loop));
  loop.trips = hone_onnx_in(call, 0);
  loop.condition = hone_onnx_in(call, 1);
  for (size_t i = 0; i < loop.carried; i++) {
    loop.initial[i] = hone_onnx_need(call, (int)i + 2);
    HONE_TRY(declared_type(&loop, 2 + i, &loop.declared[i]));
  }
  HONE_TRY(make_loop(&loop));
  for (int i = 0; i < own->output_count; i++) hone_onnx_return(call, i, loop_output(&loop, i));
  return NULL;
}

/* ---- Scan ---- */

typedef struct scanning {
  looping loop;
  const int64_t *input_axes, *input_backward;
} scanning;

static hone_value *scalar_dim(hone_call *call, hone_value *x, int axis) {
  return hone_emit_reshape(call, hone_emit_dims(call, x, axis, axis + 1), NULL, 0);
}

/* Element `iteration` of a scanned input, counted from its end where it runs backward. */
static hone_value *slice_of(scanning *scan, hone_value *x, hone_value *iteration, size_t index) {
  hone_call *call = scan->loop.call;
  int axis = hone_emit_axis(call, scan->input_axes[index], hone_emit_rank(call, x));
  if (scan->input_backward[index])
    iteration = HONE_EMIT(
        call, "sub",
        HONE_EMIT(call, "sub", scalar_dim(call, x, axis), hone_emit_int(call, 1)), iteration);
  hone_node *node = HONE_EMIT_BEGIN(call, "gather", x, iteration);
  hone_emit_set_int(call, node, "axis", axis);
  return hone_emit_end(call, node);
}

static hone_status *fill_from_scan(looping *loop, onnx_scope *scope, hone_value **out) {
  hone_call *call = loop->call;
  scanning *scan = (scanning *)loop;
  hone_value **region = scope->graph->inputs;
  size_t count = loop->carried + loop->passed_count;
  hone_value **values = HONE_NEW_ARRAY(&onnx_own(call)->importer->scratch, count + 1, hone_value *);
  HONE_TRY_MEMORY(values);
  memcpy(values, region + 2, loop->carried * sizeof *values);
  onnx_move(call, scope);
  for (size_t i = 0; i < loop->passed_count; i++)
    values[loop->carried + i] = slice_of(scan, region[2 + loop->carried + i], region[0], i);
  if (call->status) return NULL;
  out[0] = region[1];
  HONE_TRY(bind_inputs(scope, &loop->body, values, count));
  return convert_body(scope, &loop->body, out + 1);
}

/* Stacked rows with their new axis moved to where the node wants it, last row first if asked. */
static hone_value *scan_output(hone_call *call, hone_value *rows, int64_t axis,
                               bool backward) {
  if (backward) {
    int64_t start = -1, end = INT64_MIN, step = -1, first = 0;
    rows = HONE_EMIT(call, "slice", rows, hone_emit_ints(call, &start, 1),
                     hone_emit_ints(call, &end, 1), hone_emit_ints(call, &first, 1),
                     hone_emit_ints(call, &step, 1));
  }
  if (axis == 0) return rows;
  int64_t perm[HONE_MAX_RANK];
  int rank = hone_emit_rank(call, rows), to = hone_emit_axis(call, axis, rank), from = 1;
  for (int i = 0; i < rank; i++) perm[i] = i == to ? 0 : from++;
  return hone_emit_transpose(call, rows, rank, perm);
}

static hone_status *import_scan(hone_call *call) {
  onnx_call *own = onnx_own(call);
  scanning scan = {.loop = {.call = call, .fill = fill_from_scan}};
  looping *loop = &scan.loop;
  HONE_TRY(read_body(call, "body", &loop->body));
  int64_t scans = hone_onnx_int_in(call, "num_scan_inputs", 1, 1, own->input_count);
  if (scans > own->input_count || own->input_count - scans > own->output_count ||
      loop->body.inputs.count != (size_t)own->input_count ||
      loop->body.outputs.count != (size_t)own->output_count || scans > 2 * HONE_MAX_RANK ||
      own->output_count > 2 * HONE_MAX_RANK)
    return hone_error(HONE_INVALID_MODEL, "its body's inputs and outputs do not fit");
  loop->passed_count = (size_t)scans;
  loop->carried = (size_t)own->input_count - loop->passed_count;
  loop->scanned = (size_t)own->output_count - loop->carried;
  HONE_TRY(loop_memory(loop));
  for (size_t i = 0; i < loop->carried; i++) {
    loop->initial[i] = hone_onnx_need(call, (int)i);
    HONE_TRY(declared_type(loop, i, &loop->declared[i]));
  }
  for (size_t i = 0; i < loop->passed_count; i++)
    loop->passed[i] = hone_onnx_need(call, (int)(loop->carried + i));
  scan.input_axes = hone_onnx_ints_of(call, "scan_input_axes", loop->passed_count, 0);
  scan.input_backward = hone_onnx_ints_of(call, "scan_input_directions", loop->passed_count, 0);
  int first = hone_emit_axis(call, scan.input_axes[0], hone_emit_rank(call, loop->passed[0]));
  loop->trips = scalar_dim(call, loop->passed[0], first);
  HONE_TRY(make_loop(loop));
  const int64_t *axes = hone_onnx_ints_of(call, "scan_output_axes", loop->scanned, 0);
  const int64_t *backward = hone_onnx_ints_of(call, "scan_output_directions", loop->scanned, 0);
  for (int i = 0; i < own->output_count; i++) {
    hone_value *value = loop_output(loop, i);
    int s = i - (int)loop->carried;
    hone_onnx_return(call, i, s < 0 ? value : scan_output(call, value, axes[s], backward[s] != 0));
  }
  return NULL;
}

/* ---- SequenceMap ---- */

static hone_status *fill_from_map(looping *loop, onnx_scope *scope, hone_value **out) {
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
  HONE_TRY(bind_inputs(scope, &loop->body, values, loop->passed_count));
  HONE_TRY(convert_body(scope, &loop->body, out + 1));
  for (size_t i = 0; i < loop->carried; i++)
    out[1 + i] = HONE_EMIT(call, "sequence_insert", region[2 + i], out[1 + i]);
  return NULL;
}

/* The element type that the body declares for its output. */
static hone_status *output_dtype(looping *loop, size_t index, hone_dtype *out) {
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
  looping loop = {.call = call, .fill = fill_from_map};
  HONE_TRY(read_body(call, "body", &loop.body));
  loop.carried = (size_t)own->output_count;
  loop.passed_count = (size_t)own->input_count;
  if (!loop.passed_count || loop.body.inputs.count != loop.passed_count ||
      loop.body.outputs.count != loop.carried)
    return hone_error(HONE_INVALID_MODEL, "its body's inputs and outputs do not fit");
  HONE_TRY(loop_memory(&loop));
  for (size_t i = 0; i < loop.passed_count; i++) loop.passed[i] = hone_onnx_need(call, (int)i);
  for (size_t i = 0; i < loop.carried; i++) {
    hone_dtype dtype;
    HONE_TRY(output_dtype(&loop, i, &dtype));
    hone_node *node = hone_emit_begin(call, "sequence_make", NULL, 0, 1);
    hone_emit_set_int(call, node, "dtype", dtype);
    loop.initial[i] = hone_emit_end(call, node);
  }
  loop.trips = HONE_EMIT(call, "sequence_length", loop.passed[0]);
  HONE_TRY(make_loop(&loop));
  for (int i = 0; i < own->output_count; i++) hone_onnx_return(call, i, loop_output(&loop, i));
  return NULL;
}

const hone_onnx_row hone_onnx_control[] = {
    {"", "If", 1, 0, .import = import_if},
    {"", "Loop", 1, 0, .import = import_loop},
    {"", "Scan", 9, 0, .import = import_scan},
    {"", "SequenceMap", 17, 0, .import = import_sequence_map},
    {0},
};
