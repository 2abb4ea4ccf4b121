/* If and loop: the engine runs their regions' programs. Room: engine.
 *
 *   if(condition, captures…): both regions take the captures.
 *   loop(trips?, condition?, carried…, captures…) {carried = how many}: the body takes (iteration,
 *   condition, carried…, captures…) and gives (condition, carried…, scanned…); the node gives
 *   (carried…, scanned…), the scanned ones stacked along a new first axis.
 */
#include <string.h>

#include "engine/frame.h"
#include "ops/objects.h"
#include "ops/ops.h"

static const hone_datum *input_of(const hone_frame *frame, const hone_node *node, int index) {
  const hone_value *value = hone_node_in(node, index);
  return value ? &frame->data[value->id] : NULL;
}

static bool truth(const hone_datum *datum) {
  return hone_load_int(datum->dtype, datum->data, 0) != 0;
}

static hone_status *check_scalar(const hone_node *node, const hone_datum *datum, const char *what) {
  if (datum->kind == HONE_KIND_TENSOR && hone_datum_count(datum) == 1) return NULL;
  return hone_error(HONE_INVALID_ARGUMENT, "node '%s': its %s is not one element",
                    hone_node_label(node), what);
}

static hone_status *run_if(hone_frame *frame, size_t index) {
  const hone_node *node = frame->program->units[index].node;
  const hone_datum *condition = input_of(frame, node, 0);
  HONE_TRY(check_scalar(node, condition, "condition"));
  hone_frame *child;
  HONE_TRY(hone_frame_child(frame, index, truth(condition) ? 0 : 1, &child));
  hone_datum *inputs = HONE_NEW_ARRAY(&frame->objects, node->input_count, hone_datum);
  HONE_TRY_MEMORY(inputs);
  for (int i = 1; i < node->input_count; i++) inputs[i - 1] = *input_of(frame, node, i);
  HONE_TRY(hone_frame_run(child, inputs));
  for (int i = 0; i < node->output_count; i++)
    HONE_TRY(hone_frame_give(frame, node, i, hone_frame_output(child, i)));
  return NULL;
}

/* What one loop gathers while it turns. */
typedef struct turning {
  hone_frame *frame, *child;
  const hone_node *node;
  int carried, scanned;
  hone_datum *inputs; /* of the body */
  hone_datum *scans;  /* by scanned output: `rows` stacked so far, room for `room` */
  size_t *room;
  size_t rows;
} turning;

static hone_status *grow_scan(turning *t, int s, size_t row_bytes) {
  if (t->rows < t->room[s]) return NULL;
  size_t room = t->room[s] ? t->room[s] * 2 : 8, bytes;
  if (!hone_mul(room, row_bytes, &bytes))
    return hone_error(HONE_LIMIT, "node '%s': what it gathers is too large",
                      hone_node_label(t->node));
  void *data = hone_arena_alloc(&t->frame->objects, bytes);
  HONE_TRY_MEMORY(data);
  if (t->rows) memcpy(data, t->scans[s].data, t->rows * row_bytes);
  t->scans[s].data = data;
  t->room[s] = room;
  return NULL;
}

/* Stacks this iteration's value under the scanned output. */
static hone_status *gather(turning *t, int s) {
  const hone_datum *value = hone_frame_output(t->child, 1 + t->carried + s);
  hone_datum *scan = &t->scans[s];
  size_t bytes;
  if (value->kind != HONE_KIND_TENSOR || value->shape.rank >= HONE_MAX_RANK ||
      !hone_shape_bytes(&value->shape, value->dtype, &bytes))
    return hone_error(HONE_UNSUPPORTED, "node '%s': scanned output %d cannot be stacked",
                      hone_node_label(t->node), s);
  if (t->rows == 0) {
    scan->dtype = value->dtype;
    scan->shape.rank = value->shape.rank + 1;
    memcpy(scan->shape.dim + 1, value->shape.dim,
           (size_t)value->shape.rank * sizeof *scan->shape.dim);
  } else if (memcmp(scan->shape.dim + 1, value->shape.dim,
                    (size_t)value->shape.rank * sizeof *scan->shape.dim) != 0) {
    return hone_error(HONE_INVALID_MODEL, "node '%s': scanned output %d changes its shape",
                      hone_node_label(t->node), s);
  }
  HONE_TRY(grow_scan(t, s, bytes));
  if (bytes) memcpy((char *)scan->data + t->rows * bytes, value->data, bytes);
  return NULL;
}

/* One turn: runs the body, keeps what is carried in the other of the two loop arenas. */
static hone_status *turn(turning *t, int64_t iteration, bool *go_on) {
  hone_arena *kept = &t->child->loops[iteration & 1];
  t->inputs[0].data = &iteration;
  HONE_TRY(hone_frame_run(t->child, t->inputs));
  *go_on = truth(hone_frame_output(t->child, 0));
  hone_arena_reset(kept);
  for (int i = 0; i < t->carried; i++)
    HONE_TRY(hone_datum_copy(kept, hone_frame_output(t->child, 1 + i), &t->inputs[2 + i]));
  for (int s = 0; s < t->scanned; s++) HONE_TRY(gather(t, s));
  t->rows++;
  return NULL;
}

static hone_status *finish_loop(turning *t) {
  for (int i = 0; i < t->carried; i++) {
    /* The copy outlives the loop's arenas, which the same loop reuses when it runs again. */
    hone_datum kept;
    HONE_TRY(hone_datum_copy(&t->frame->objects, &t->inputs[2 + i], &kept));
    HONE_TRY(hone_frame_give(t->frame, t->node, i, &kept));
  }
  for (int s = 0; s < t->scanned; s++) {
    hone_datum *scan = &t->scans[s];
    if (t->rows == 0) {
      /* Nothing ran: the declared type, with no rows and with 0 for what it leaves open. */
      const hone_graph *body = t->node->regions[0];
      const hone_type *type = &body->outputs[1 + t->carried + s].value->type;
      *scan = (hone_datum){.dtype = type->dtype, .data = t->scans};
      scan->shape.rank = type->shape.rank < 0 ? 1 : type->shape.rank + 1;
      for (int d = 0; d < type->shape.rank; d++)
        scan->shape.dim[d + 1] = type->shape.dim[d] > 0 ? type->shape.dim[d] : 0;
    }
    scan->shape.dim[0] = (hone_dim)t->rows;
    HONE_TRY(hone_frame_give(t->frame, t->node, t->carried + s, scan));
  }
  return NULL;
}

static hone_status *run_loop(hone_frame *frame, size_t index) {
  const hone_node *node = frame->program->units[index].node;
  const hone_graph *body = node->regions[0];
  turning t = {.frame = frame, .node = node};
  t.carried = (int)hone_node_int(node, "carried");
  t.scanned = body->output_count - 1 - t.carried;
  HONE_TRY(hone_frame_child(frame, index, 0, &t.child));
  t.inputs = HONE_NEW_ARRAY(&frame->objects, body->input_count + 1, hone_datum);
  t.scans = HONE_NEW_ARRAY(&frame->objects, t.scanned + 1, hone_datum);
  t.room = HONE_NEW_ARRAY(&frame->objects, t.scanned + 1, size_t);
  if (!t.inputs || !t.scans || !t.room) return hone_error_memory();
  const hone_datum *trips = input_of(frame, node, 0), *condition = input_of(frame, node, 1);
  if (trips) HONE_TRY(check_scalar(node, trips, "trip count"));
  if (condition) HONE_TRY(check_scalar(node, condition, "condition"));
  int64_t limit = trips ? hone_load_int(trips->dtype, trips->data, 0) : INT64_MAX;
  bool go_on = condition ? truth(condition) : true;
  unsigned char always = 1;
  t.inputs[0] = (hone_datum){.dtype = HONE_S64};
  t.inputs[1] = (hone_datum){.dtype = HONE_BOOL, .data = &always};
  for (int i = 2; i < body->input_count; i++) t.inputs[i] = *input_of(frame, node, i);
  for (int64_t i = 0; i < limit && go_on; i++) HONE_TRY(turn(&t, i, &go_on));
  return finish_loop(&t);
}

typedef struct control_row {
  const hone_op *op;
  hone_status *(*run)(hone_frame *frame, size_t index);
  int own;   /* inputs of the regions that the engine makes */
  int shift; /* from an input of the regions to the node's */
} control_row;

static const control_row control_rows[] = {{&hone_op_if, run_if, 0, 1},
                                           {&hone_op_loop, run_loop, 2, 0}};

static const control_row *find_row(const hone_op *op) {
  for (size_t i = 0; i < sizeof control_rows / sizeof *control_rows; i++)
    if (control_rows[i].op == op) return &control_rows[i];
  return NULL;
}

bool hone_control_runs(const hone_op *op) {
  return find_row(op) != NULL;
}

const hone_value *hone_control_source(const hone_node *node, int input) {
  const control_row *row = find_row(node->op);
  return row && input >= row->own ? hone_node_in(node, input + row->shift) : NULL;
}

hone_status *hone_frame_control(hone_frame *frame, size_t index) {
  const hone_node *node = frame->program->units[index].node;
  hone_status *status = find_row(node->op)->run(frame, index);
  return status && !*hone_status_place(status)
             ? hone_error_at(status, "node '%s'", hone_node_label(node))
             : status;
}
