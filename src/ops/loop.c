/* loop: a body that runs again and again. Room: ops.
 *
 * Inputs: most trips (absent: no bound), first condition (absent: true), what is carried, captures.
 * The body takes (iteration: s64, condition: bool, carried…, captures…) and gives (condition,
 * carried…, scanned…). The node gives the last carried values, then the scanned ones of all turns,
 * stacked along a new first axis. */
#include <string.h>

#include "ops/objects.h"
#include "ops/ops.h"

/* Whether a symbol means something outside the body: an input of the node has it. */
static bool known_outside(const hone_infer *infer, hone_dim dim) {
  if (hone_dim_known(dim)) return true;
  for (int i = 0; i < infer->input_count; i++)
    for (int d = 0; infer->in[i] && d < infer->in[i]->shape.rank; d++)
      if (infer->in[i]->shape.dim[d] == dim) return true;
  return false;
}

static hone_status *scanned_type(hone_infer *infer, const hone_type *row, hone_type *out) {
  *out = hone_tensor_type(row->dtype, hone_shape_unknown());
  if (row->kind != HONE_KIND_TENSOR) return hone_infer_fail(infer, "only tensors can be scanned");
  if (!infer->graph || row->shape.rank < 0) return NULL;
  if (row->shape.rank == HONE_MAX_RANK)
    return hone_infer_fail(infer, "a scanned tensor of %d dimensions", HONE_MAX_RANK + 1);
  out->shape.rank = row->shape.rank + 1;
  out->shape.dim[0] = hone_infer_fresh(infer);
  for (int i = 0; i < row->shape.rank; i++)
    out->shape.dim[i + 1] =
        known_outside(infer, row->shape.dim[i]) ? row->shape.dim[i] : hone_infer_fresh(infer);
  return NULL;
}

static hone_status *loop_infer(hone_infer *infer) {
  const hone_node *node = infer->node;
  const hone_graph *body = node->region_count == 1 ? node->regions[0] : NULL;
  int64_t carried = hone_node_int(node, "carried");
  if (!body) return hone_infer_fail(infer, "it needs one body");
  if (carried < 0 || carried > infer->input_count - 2 || carried > infer->output_count ||
      body->input_count != infer->input_count || body->output_count != infer->output_count + 1)
    return hone_infer_fail(infer, "%d carried values do not fit its body", (int)carried);
  for (int i = 0; i < infer->output_count; i++) {
    const hone_type *turned = &body->outputs[1 + i].value->type;
    if (i >= carried) {
      HONE_TRY(scanned_type(infer, turned, &infer->out[i]));
      continue;
    }
    if (!infer->in[2 + i]) return hone_infer_fail(infer, "carried value %d is missing", i);
    /* After no turn it is the input, after some what the body made of what it took. */
    hone_type either;
    HONE_TRY(hone_infer_either(infer, turned, &body->inputs[2 + i]->type, &either));
    HONE_TRY(hone_infer_either(infer, &either, infer->in[2 + i], &infer->out[i]));
  }
  return NULL;
}

/* A loop under way. Carried values lie in one of two arenas by turns, so that those of the turn
 * before can be forgotten. */
typedef struct turning {
  hone_reference *ref;
  const hone_graph *body;
  int carried, scanned;
  hone_arena work, kept[2];
  const hone_datum **in;
  hone_datum *now, *out; /* now: iteration, condition, carried */
  hone_datum *scans;
  size_t *room, rows; /* of the stacks, in rows */
} turning;

static hone_status *stack(turning *t, int s) {
  const hone_datum *row = &t->out[1 + t->carried + s];
  hone_datum *scan = &t->scans[s];
  size_t bytes, room;
  if (row->kind != HONE_KIND_TENSOR || row->shape.rank >= HONE_MAX_RANK ||
      !hone_shape_bytes(&row->shape, row->dtype, &bytes) || hone_dtype_bits(row->dtype) < 8)
    return hone_error(HONE_UNSUPPORTED, "scanned value %d cannot be stacked", s);
  if (t->rows == 0) {
    scan->dtype = row->dtype;
    scan->shape.rank = row->shape.rank + 1;
    memcpy(scan->shape.dim + 1, row->shape.dim, (size_t)row->shape.rank * sizeof *row->shape.dim);
  } else if (row->shape.rank + 1 != scan->shape.rank ||
             memcmp(scan->shape.dim + 1, row->shape.dim,
                    (size_t)row->shape.rank * sizeof *row->shape.dim) != 0) {
    return hone_error(HONE_INVALID_MODEL, "scanned value %d changes its shape", s);
  }
  if (t->rows == t->room[s]) {
    t->room[s] = t->room[s] ? t->room[s] * 2 : 8;
    if (!hone_mul(t->room[s], bytes, &room)) return hone_error(HONE_LIMIT, "a scan is too large");
    char *grown = hone_arena_alloc(t->ref->objects, room);
    HONE_TRY_MEMORY(grown);
    if (t->rows && bytes) memcpy(grown, scan->data, t->rows * bytes);
    scan->data = grown;
  }
  hone_datum copy = *row;
  if (row->dtype == HONE_STR) HONE_TRY(hone_datum_copy(t->ref->objects, row, &copy));
  if (bytes) memcpy((char *)scan->data + t->rows * bytes, copy.data, bytes);
  return NULL;
}

static hone_status *turn(turning *t, int64_t *iteration, int64_t *go_on) {
  hone_arena *kept = &t->kept[*iteration & 1];
  hone_arena_reset(&t->work);
  t->now[0].data = iteration;
  HONE_TRY(hone_interpret(t->body, t->in, t->out, &t->work));
  HONE_TRY(hone_datum_int(&t->out[0], "condition", go_on));
  hone_arena_reset(kept);
  for (int i = 0; i < t->carried; i++)
    HONE_TRY(hone_datum_copy(kept, &t->out[1 + i], &t->now[2 + i]));
  for (int s = 0; s < t->scanned; s++) HONE_TRY(stack(t, s));
  t->rows++;
  return NULL;
}

static hone_status *finish(turning *t) {
  hone_reference *ref = t->ref;
  for (int i = 0; i < t->carried; i++)
    if (ref->out[i]) HONE_TRY(hone_datum_copy(ref->objects, &t->now[2 + i], ref->out[i]));
  for (int s = 0; s < t->scanned; s++) {
    hone_datum *scan = &t->scans[s];
    if (t->rows == 0) { /* no turn: no rows of the declared type, 0 where it leaves a dim open */
      const hone_type *type = &t->body->outputs[1 + t->carried + s].value->type;
      *scan = (hone_datum){.dtype = type->dtype, .data = t->scans};
      scan->shape.rank = type->shape.rank < 0 ? 1 : type->shape.rank + 1;
      for (int d = 0; d < type->shape.rank; d++)
        scan->shape.dim[d + 1] = hone_dim_known(type->shape.dim[d]) ? type->shape.dim[d] : 0;
    }
    scan->shape.dim[0] = (hone_dim)t->rows;
    hone_datum *out = ref->out[t->carried + s];
    if (out) HONE_TRY(hone_datum_copy(ref->objects, scan, out));
  }
  return NULL;
}

static hone_status *run(turning *t) {
  hone_reference *ref = t->ref;
  int inputs = t->body->input_count;
  unsigned char yes = 1;
  int64_t trips = INT64_MAX, go_on = 1;
  t->in = HONE_NEW_ARRAY(ref->scratch, inputs + 1, const hone_datum *);
  t->now = HONE_NEW_ARRAY(ref->scratch, inputs + 1, hone_datum);
  t->out = HONE_NEW_ARRAY(ref->scratch, t->body->output_count + 1, hone_datum);
  t->scans = HONE_NEW_ARRAY(ref->scratch, t->scanned + 1, hone_datum);
  t->room = HONE_NEW_ARRAY(ref->scratch, t->scanned + 1, size_t);
  if (!t->in || !t->now || !t->out || !t->scans || !t->room) return hone_error_memory();
  if (ref->in[0]) HONE_TRY(hone_datum_int(ref->in[0], "trip count", &trips));
  if (ref->in[1]) HONE_TRY(hone_datum_int(ref->in[1], "condition", &go_on));
  for (int i = 2; i < inputs; i++) {
    if (!ref->in[i]) return hone_error(HONE_INVALID_MODEL, "input %d is missing", i);
    t->now[i] = *ref->in[i];
  }
  t->now[0] = (hone_datum){.dtype = HONE_S64};
  t->now[1] = (hone_datum){.dtype = HONE_BOOL, .data = &yes};
  for (int i = 0; i < inputs; i++) t->in[i] = &t->now[i];
  for (int64_t i = 0; i < trips && go_on; i++) HONE_TRY(turn(t, &i, &go_on));
  return finish(t);
}

static hone_status *loop_reference(hone_reference *ref) {
  turning t = {.ref = ref, .body = ref->node->regions[0]};
  t.carried = (int)hone_node_int(ref->node, "carried");
  t.scanned = ref->output_count - t.carried;
  hone_status *status = run(&t);
  hone_arena_free(&t.work);
  hone_arena_free(&t.kept[0]);
  hone_arena_free(&t.kept[1]);
  return status;
}

const hone_op hone_op_loop = {
    .name = "loop",
    .inputs = "trips? condition? values*",
    .outputs = "y*",
    .attrs = {{"carried", HONE_ATTR_INT, "0"}},
    .facts = HONE_HAS_REGIONS,
    .host_inputs = 1u << 0 | 1u << 1,
    .infer = loop_infer,
    .reference = loop_reference,
};
