/* Scan: a loop over slices of its inputs; in opset 8 one for each entry of a batch. Room: import.
 */
#include <string.h>

#include "import/onnx/loops.h"

typedef struct scanning {
  onnx_loop loop;
  const int64_t *input_axes, *input_backward; /* no axes: the first ones */
} scanning;

static hone_value *scalar_dim(hone_call *call, hone_value *x, int axis) {
  return hone_emit_reshape(call, hone_emit_dims(call, x, axis, axis + 1), NULL, 0);
}

/* Element `iteration` of a scanned input, counted from its end where it runs backward. */
static hone_value *slice_of(scanning *scan, hone_value *x, hone_value *iteration, size_t index) {
  hone_call *call = scan->loop.call;
  int64_t given = scan->input_axes ? scan->input_axes[index] : 0;
  int axis = hone_emit_axis(call, given, hone_emit_rank(call, x));
  if (scan->input_backward[index])
    iteration = HONE_EMIT(call, "sub",
                          HONE_EMIT(call, "sub", scalar_dim(call, x, axis), hone_emit_int(call, 1)),
                          iteration);
  hone_node *node = HONE_EMIT_BEGIN(call, "gather", x, iteration);
  hone_emit_set_int(call, node, "axis", axis);
  return hone_emit_end(call, node);
}

static hone_status *fill_from_scan(onnx_loop *loop, onnx_scope *scope, hone_value **out) {
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
  HONE_TRY(onnx_bind_inputs(scope, &loop->body, values, count));
  return onnx_convert_body(scope, &loop->body, out + 1);
}

/* Stacked rows with their new axis moved to where the node wants it, last row first if asked. */
static hone_value *scan_output(hone_call *call, hone_value *rows, int64_t axis, bool backward) {
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
  onnx_loop *loop = &scan.loop;
  HONE_TRY(onnx_read_body(call, "body", &loop->body));
  int64_t scans = hone_onnx_int_in(call, "num_scan_inputs", 1, 1, own->input_count);
  if (scans > own->input_count || own->input_count - scans > own->output_count ||
      loop->body.inputs.count != (size_t)own->input_count ||
      loop->body.outputs.count != (size_t)own->output_count || scans > 2 * HONE_MAX_RANK ||
      own->output_count > 2 * HONE_MAX_RANK)
    return hone_error(HONE_INVALID_MODEL, "its body's inputs and outputs do not fit");
  loop->passed_count = (size_t)scans;
  loop->carried = (size_t)own->input_count - loop->passed_count;
  loop->scanned = (size_t)own->output_count - loop->carried;
  HONE_TRY(onnx_loop_memory(loop));
  for (size_t i = 0; i < loop->carried; i++) {
    loop->initial[i] = hone_onnx_need(call, (int)i);
    HONE_TRY(onnx_declared_type(loop, i, &loop->declared[i]));
  }
  for (size_t i = 0; i < loop->passed_count; i++)
    loop->passed[i] = hone_onnx_need(call, (int)(loop->carried + i));
  scan.input_axes = hone_onnx_ints_of(call, "scan_input_axes", loop->passed_count, 0);
  scan.input_backward = hone_onnx_ints_of(call, "scan_input_directions", loop->passed_count, 0);
  int first = hone_emit_axis(call, scan.input_axes[0], hone_emit_rank(call, loop->passed[0]));
  loop->trips = scalar_dim(call, loop->passed[0], first);
  HONE_TRY(onnx_make_loop(loop));
  const int64_t *axes = hone_onnx_ints_of(call, "scan_output_axes", loop->scanned, 0);
  const int64_t *backward = hone_onnx_ints_of(call, "scan_output_directions", loop->scanned, 0);
  for (int i = 0; i < own->output_count; i++) {
    hone_value *value = onnx_loop_output(loop, i);
    int s = i - (int)loop->carried;
    hone_onnx_return(call, i, s < 0 ? value : scan_output(call, value, axes[s], backward[s] != 0));
  }
  return NULL;
}

/* ---- Opset 8: the same for each entry of a batch, which may end early ---- */

typedef struct batched {
  onnx_loop loop; /* over the batch; it passes the states, the inputs, the lengths if any */
  const int64_t *backward;
  size_t states, scans;
} batched;

static hone_value *entry_of(hone_call *call, hone_value *x, hone_value *entry) {
  return HONE_EMIT(call, "gather", x, entry);
}

/* Rows of a scan that ended early, with zeros up to `most`. */
static hone_value *filled_up(hone_call *call, hone_value *rows, hone_value *most) {
  hone_value *left = HONE_EMIT(call, "sub", most, hone_emit_dims(call, rows, 0, 1));
  hone_node *node = HONE_EMIT_BEGIN(call, "concat", hone_emit_ints(call, &(int64_t){0}, 1), left);
  hone_emit_set_int(call, node, "axis", 0);
  return HONE_EMIT(call, "pad", rows, hone_emit_end(call, node), NULL,
                   hone_emit_ints(call, &(int64_t){0}, 1));
}

/* The scan of one entry, inside the loop over the batch. */
static hone_status *fill_from_batch(onnx_loop *outer, onnx_scope *scope, hone_value **out) {
  hone_call *call = outer->call;
  batched *batch = (batched *)outer;
  hone_value **region = scope->graph->inputs, *entry = region[0];
  scanning scan = {.loop = {.call = call,
                            .fill = fill_from_scan,
                            .body = outer->body,
                            .carried = batch->states,
                            .passed_count = batch->scans,
                            .scanned = outer->scanned - batch->states}};
  onnx_loop *inner = &scan.loop;
  HONE_TRY(onnx_loop_memory(inner));
  onnx_move(call, scope);
  for (size_t i = 0; i < outer->passed_count; i++) {
    hone_value *value = entry_of(call, region[2 + i], entry);
    if (i < batch->states)
      inner->initial[i] = value;
    else if (i < batch->states + batch->scans)
      inner->passed[i - batch->states] = value;
    else
      inner->trips = hone_emit_cast(call, value, HONE_S64);
  }
  for (size_t i = 0; i < inner->carried; i++)
    HONE_TRY(onnx_declared_type(inner, i, &inner->declared[i]));
  hone_value *most = hone_emit_dims(call, inner->passed[0], 0, 1);
  if (!inner->trips) inner->trips = hone_emit_reshape(call, most, NULL, 0);
  scan.input_backward = batch->backward;
  HONE_TRY(onnx_make_loop(inner));
  out[0] = region[1];
  for (size_t i = 0; i < outer->scanned; i++) {
    out[1 + i] = onnx_loop_output(inner, (int)i);
    if (i >= batch->states) out[1 + i] = filled_up(call, out[1 + i], most);
  }
  return NULL;
}

static hone_status *import_scan_8(hone_call *call) {
  onnx_call *own = onnx_own(call);
  batched batch = {.loop = {.call = call, .fill = fill_from_batch}};
  onnx_loop *loop = &batch.loop;
  size_t count = own->input_count > 0 ? (size_t)own->input_count - 1 : 0;
  HONE_TRY(onnx_read_body(call, "body", &loop->body));
  batch.scans = (size_t)hone_onnx_int_in(call, "num_scan_inputs", 1, 1, 2 * HONE_MAX_RANK);
  if (batch.scans > count || loop->body.inputs.count != count ||
      loop->body.outputs.count != (size_t)own->output_count ||
      count - batch.scans > (size_t)own->output_count)
    return hone_error(HONE_INVALID_MODEL, "its body's inputs and outputs do not fit");
  batch.states = count - batch.scans;
  batch.backward = hone_onnx_ints_of(call, "directions", batch.scans, 0);
  hone_value *lengths = hone_onnx_in(call, 0);
  loop->passed_count = count + (lengths != NULL);
  loop->scanned = (size_t)own->output_count;
  HONE_TRY(onnx_loop_memory(loop));
  for (size_t i = 0; i < count; i++) loop->passed[i] = hone_onnx_need(call, (int)i + 1);
  if (lengths) loop->passed[count] = lengths;
  loop->trips = scalar_dim(call, loop->passed[batch.states], 0);
  HONE_TRY(onnx_make_loop(loop));
  for (int i = 0; i < own->output_count; i++) hone_onnx_return(call, i, onnx_loop_output(loop, i));
  return NULL;
}

const hone_onnx_row hone_onnx_scan[] = {
    {"", "Scan", 8, 8, .import = import_scan_8},
    {"", "Scan", 9, 0, .import = import_scan},
    {0},
};
